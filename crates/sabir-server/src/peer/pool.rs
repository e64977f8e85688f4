use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sabir_wire::uri::Domain;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::Resolver;
use super::{PeerError, PeerRules};

/// Where a connection leads, and as whom its other end must prove itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The provider, whose domain the certificate must name.
    pub(super) peer: Domain,
    /// The host that its directory names.
    pub(super) host: Domain,
    /// The port there.
    pub(super) port: u16,
}

type Sender = SendRequest<Full<Bytes>>;

/// A connection and its number, which tells a failed one from the one that took its place.
#[derive(Debug, Clone)]
struct Live {
    number: u64,
    sender: Sender,
}

/// The lock is held while connecting, so that one connection serves all who wait.
type Slot = Arc<tokio::sync::Mutex<Option<Live>>>;

/// One HTTP/2 connection to each target.
#[derive(Debug)]
pub(super) struct Pool {
    tls: Arc<ClientConfig>,
    resolver: Resolver,
    connect: Duration,
    keep_alive: Duration,
    slots: Mutex<BTreeMap<Target, Slot>>,
}

/// Slots above which those without a live connection are swept.
const SWEEP: usize = 1024;

/// Time for one of several addresses before the next is tried, as part of the time to connect.
const ONE_ADDRESS: Duration = Duration::from_secs(3);

impl Pool {
    pub(super) fn new(rules: &PeerRules, tls: Arc<ClientConfig>) -> Self {
        Self {
            tls,
            resolver: Resolver::new(rules.resolve.clone(), rules.allow_private),
            connect: rules.connect,
            keep_alive: rules.keep_alive,
            slots: Mutex::default(),
        }
    }

    /// Sends what `request` makes; a second time on a new connection when one from the pool fails before the
    /// answer's head arrived.
    pub(super) async fn send(
        &self,
        target: &Target,
        request: impl Fn() -> Result<Request<Full<Bytes>>, PeerError>,
    ) -> Result<Response<Incoming>, PeerError> {
        let (mut first, pooled) = self.live(target, None).await?;
        let error = match first.sender.send_request(request()?).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if !pooled {
            return Err(PeerError::Http(error));
        }
        tracing::debug!(%error, "a pooled connection failed; connecting anew");
        let (mut second, _) = self.live(target, Some(first.number)).await?;
        second
            .sender
            .send_request(request()?)
            .await
            .map_err(PeerError::Http)
    }

    /// A live connection other than number `failed`, and whether it was there before.
    async fn live(&self, target: &Target, failed: Option<u64>) -> Result<(Live, bool), PeerError> {
        let slot = self.slot(target);
        let mut slot = slot.lock().await;
        let usable = |live: &&Live| !live.sender.is_closed() && Some(live.number) != failed;
        if let Some(live) = slot.as_ref().filter(usable) {
            return Ok((live.clone(), true));
        }
        let sender = timeout(self.connect, self.connect(target))
            .await
            .map_err(|_| PeerError::Timeout)??;
        let number = slot.as_ref().map_or(0, |live| live.number.wrapping_add(1));
        let live = Live { number, sender };
        *slot = Some(live.clone());
        Ok((live, false))
    }

    fn slot(&self, target: &Target) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() > SWEEP {
            // A slot that is locked is connecting.
            slots.retain(|_, slot| {
                slot.try_lock()
                    .map_or(true, |live| live.as_ref().is_some_and(|l| !l.sender.is_closed()))
            });
        }
        Arc::clone(slots.entry(target.clone()).or_default())
    }

    pub(super) async fn dial(&self, host: &Domain, port: u16) -> Result<TcpStream, PeerError> {
        let addresses = self.resolver.resolve(host, port).await?;
        let tcp = first_that_connects(&addresses).await?;
        let _ = tcp.set_nodelay(true);
        Ok(tcp)
    }

    async fn connect(&self, target: &Target) -> Result<Sender, PeerError> {
        let name = ServerName::try_from(target.peer.as_str().to_owned()).map_err(|_| PeerError::NoAddress)?;
        let tcp = self.dial(&target.host, target.port).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let tls = connector
            .connect(name, tcp)
            .await
            .map_err(PeerError::Connection)?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(PeerError::NoH2);
        }
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(self.keep_alive)
            .keep_alive_timeout(self.keep_alive)
            .handshake(TokioIo::new(tls))
            .await
            .map_err(PeerError::Http)?;
        // Ends when the peer closes, a probe stays unanswered, or the last sender is gone.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to a peer ended");
            }
        });
        Ok(sender)
    }
}

async fn first_that_connects(addresses: &[SocketAddr]) -> Result<TcpStream, PeerError> {
    let mut last = PeerError::NoAddress;
    for address in addresses {
        match timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = PeerError::Connection(error),
            Err(_) => last = PeerError::Timeout,
        }
    }
    Err(last)
}
