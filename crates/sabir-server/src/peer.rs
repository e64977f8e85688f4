//! Requests to other providers.
//!
//! ```text
//! PeerClient::post --> directory (cached) --> URL --> pool --one h2 connection per provider--> peer
//!                                                      |
//!                                   resolver: fixed table, else DNS
//! ```
//!
//! Every request goes over a connection on which both sides proved their domains: the peer's certificate must be
//! valid for the *provider's* domain, wherever its directory puts an endpoint, and ours is presented. `From` and
//! `:authority` name the two (draft-ietf-mimi-protocol-06 §4.1). Answers are bounded in size and time.
//!
//! In place of the pool, a [`PeerWire`] may carry the requests: the simulated world has links of its own.
//!
//! A request may be sent twice when a pooled connection dies under it: receivers recognise a repetition by its
//! bytes. Whether and when to repeat after a definite failure is the outbox's matter.

mod address;
mod cache;
mod error;
mod fetch;
mod pool;
mod retry_after;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use rustls::ClientConfig;
use sabir_wire::uri::Domain;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Config;
use crate::directory::{DIRECTORY_PATH, Directory, Endpoint, MAX_DIRECTORY, Url};
use cache::Cache;
use pool::{Pool, Target};

pub use error::PeerError;
pub use fetch::{FilePeers, PeerStream};
pub use retry_after::parse_retry_after;

/// Bounds and addresses of requests to other providers.
#[derive(Debug, Clone)]
pub struct PeerRules {
    /// Our domain.
    pub domain: Domain,
    /// Fixed addresses that take the place of DNS, by host.
    pub resolve: BTreeMap<Domain, SocketAddr>,
    /// Accept private addresses from DNS.
    pub allow_private: bool,
    /// Resolving, connecting and the handshake.
    pub connect: Duration,
    /// One request, connecting included.
    pub request: Duration,
    /// Probes of an open connection with requests in flight.
    pub keep_alive: Duration,
    /// Size of an answer, in bytes.
    pub response_bytes: usize,
    /// How long a directory document is used.
    pub directory_ttl: Duration,
}

impl PeerRules {
    /// The rules that a configuration names.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let (peers, timeouts) = (&config.settings.peers, &config.settings.timeouts);
        Self {
            domain: config.domain.clone(),
            resolve: config.resolve.clone(),
            allow_private: peers.allow_private_addresses,
            connect: Duration::from_secs(timeouts.connect_seconds),
            request: Duration::from_secs(timeouts.request_seconds),
            keep_alive: Duration::from_secs(timeouts.keep_alive_seconds),
            response_bytes: config.settings.limits.response_bytes,
            directory_ttl: Duration::from_secs(peers.directory_ttl_seconds),
        }
    }
}

/// What another provider answered.
#[derive(Debug, Clone)]
pub struct PeerAnswer {
    /// The status.
    pub status: StatusCode,
    /// When it wants to be asked again, at most a day from now.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// Speaks to other providers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PeerClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: PeerRules,
    wire: Wire,
    directories: Cache,
}

/// What carries requests.
#[derive(Debug)]
enum Wire {
    Tls(Pool),
    Given(Arc<dyn PeerWire>),
}

/// Carries requests to other providers in place of TLS connections. It vouches for both ends: what comes back is the
/// named peer's answer, and the peer knows whose request it is.
pub trait PeerWire: std::fmt::Debug + Send + Sync {
    /// Carries a request to `peer` and its answer back.
    fn carry(
        &self,
        peer: &Domain,
        request: Request<Full<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<PeerAnswer, PeerError>> + Send>>;
}

impl PeerClient {
    /// A client that presents the certificate of `tls`.
    #[must_use]
    pub fn new(rules: PeerRules, tls: Arc<ClientConfig>) -> Self {
        let pool = Pool::new(&rules, tls);
        Self::with(rules, Wire::Tls(pool))
    }

    /// A client whose requests `wire` carries.
    #[must_use]
    pub fn over(rules: PeerRules, wire: Arc<dyn PeerWire>) -> Self {
        Self::with(rules, Wire::Given(wire))
    }

    fn with(rules: PeerRules, wire: Wire) -> Self {
        let directories = Cache::new(rules.directory_ttl);
        Self {
            inner: Arc::new(Inner {
                rules,
                wire,
                directories,
            }),
        }
    }

    /// Posts `body` to an endpoint of `peer`. `segment` fills the URL's variable and is percent-encoded already,
    /// as by `to_path_segment`. It takes [`PeerRules::request`] at most, whoever else waits for the same provider.
    ///
    /// # Errors
    /// [`PeerError`]. An answer of any status is not an error.
    pub async fn post(
        &self,
        peer: &Domain,
        endpoint: Endpoint,
        segment: &str,
        body: Bytes,
    ) -> Result<PeerAnswer, PeerError> {
        timeout(
            self.inner.rules.request,
            self.post_at_leisure(peer, endpoint, segment, body),
        )
        .await
        .map_err(|_| PeerError::Timeout)?
    }

    async fn post_at_leisure(
        &self,
        peer: &Domain,
        endpoint: Endpoint,
        segment: &str,
        body: Bytes,
    ) -> Result<PeerAnswer, PeerError> {
        let directory = self.directory(peer).await?;
        let template = directory
            .endpoints
            .get(&endpoint)
            .ok_or(PeerError::NoEndpoint(endpoint.name()))?;
        let url = template.expand(segment).ok_or(PeerError::BadSegment)?;
        let answer = self
            .send(peer, &url, Method::POST, body, self.inner.rules.response_bytes)
            .await?;
        if matches!(
            answer.status,
            StatusCode::NOT_FOUND | StatusCode::MISDIRECTED_REQUEST
        ) {
            // The endpoints may have moved before their time; the next request looks.
            self.inner.directories.forget(peer);
        }
        Ok(answer)
    }

    /// The directory of `peer`, from the cache while it is fresh. An old one serves on while the peer's own is out
    /// of reach.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn directory(&self, peer: &Domain) -> Result<Arc<Directory>, PeerError> {
        let fetch = || {
            let (us, peer) = (self.clone(), peer.clone());
            async move { us.fetch_directory(&peer).await }
        };
        self.inner.directories.get(peer, fetch).await
    }

    /// Connects to a host, without a word of TLS or HTTP, under the rules for addresses that hold for every request.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn dial(&self, host: &Domain, port: u16) -> Result<TcpStream, PeerError> {
        let Wire::Tls(pool) = &self.inner.wire else {
            return Err(PeerError::NoAddress);
        };
        timeout(self.inner.rules.connect, pool.dial(host, port))
            .await
            .map_err(|_| PeerError::Timeout)?
    }

    async fn fetch_directory(&self, peer: &Domain) -> Result<Directory, PeerError> {
        let url = Url {
            host: peer.clone(),
            port: 443,
            path: DIRECTORY_PATH.to_owned(),
        };
        let answer = self
            .send(peer, &url, Method::GET, Bytes::new(), MAX_DIRECTORY)
            .await?;
        if answer.status != StatusCode::OK {
            return Err(PeerError::NoDirectory(answer.status.as_u16()));
        }
        Ok(Directory::from_json(&answer.body)?)
    }

    async fn send(
        &self,
        peer: &Domain,
        url: &Url,
        method: Method,
        body: Bytes,
        limit: usize,
    ) -> Result<PeerAnswer, PeerError> {
        let sending = async {
            let target = Target {
                peer: peer.clone(),
                host: url.host.clone(),
                port: url.port,
            };
            let request = || self.request(peer, url, &method, &body);
            let pool = match &self.inner.wire {
                Wire::Tls(pool) => pool,
                Wire::Given(wire) => return wire.carry(peer, request()?).await,
            };
            let response = pool.send(&target, request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, limit)
                .collect()
                .await
                .map_err(PeerError::of_body)?;
            Ok(PeerAnswer {
                status: parts.status,
                retry_after: retry_after(&parts.headers),
                body: body.to_bytes(),
            })
        };
        timeout(self.inner.rules.request, sending)
            .await
            .map_err(|_| PeerError::Timeout)?
    }

    fn request(
        &self,
        peer: &Domain,
        url: &Url,
        method: &Method,
        body: &Bytes,
    ) -> Result<Request<Full<Bytes>>, PeerError> {
        let uri = Uri::builder()
            .scheme("https")
            .authority(peer.as_str())
            .path_and_query(url.path.as_str())
            .build()
            .map_err(|_| PeerError::BadSegment)?;
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::FROM, format!("mimi@{}", self.inner.rules.domain));
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/octet-stream");
        }
        request
            .body(Full::new(body.clone()))
            .map_err(|_| PeerError::BadSegment)
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(value, std::time::SystemTime::now())
}
