use std::sync::Arc;

use axum::http::response::Parts;
use axum::http::{Method, StatusCode, header};
use bytes::Bytes;
use hyper::body::Incoming;
use rustls::ClientConfig;
use sabir_wire::client_api::AssetUrl;
use tokio::time::timeout;

use super::pool::{Pool, Target};
use super::{PeerClient, PeerError, PeerRules};
use crate::directory::Url;

/// The head of an answer, and its body as it comes.
#[derive(Debug)]
pub struct PeerStream {
    /// Status and header fields.
    pub head: Parts,
    /// The body. Bounds in size and time are the reader's matter.
    pub body: Incoming,
}

/// Fetches files of other providers, over connections of their own: one that is taken slowly holds up no room's
/// messages.
#[derive(Debug)]
pub struct FilePeers {
    peers: PeerClient,
    pool: Pool,
}

impl FilePeers {
    /// Presents the certificate of `tls`, and asks `peers` for directories.
    #[must_use]
    pub fn new(peers: PeerClient, rules: &PeerRules, tls: Arc<ClientConfig>) -> Self {
        Self {
            peers,
            pool: Pool::new(rules, tls),
        }
    }

    /// Asks the provider that a URL names for the file, or for a part of it (`bytes=N-M`).
    ///
    /// A device chooses the URL, so where it leads is the provider's own word: its directory, read over a connection that
    /// proves its domain, must announce exactly this URL.
    ///
    /// # Errors
    /// [`PeerError`]. An answer of any status is not an error.
    pub async fn fetch(&self, url: &AssetUrl, range: Option<&str>) -> Result<PeerStream, PeerError> {
        timeout(self.peers.inner.rules.request, self.head(url, range))
            .await
            .map_err(|_| PeerError::Timeout)?
    }

    async fn head(&self, url: &AssetUrl, range: Option<&str>) -> Result<PeerStream, PeerError> {
        let peer = &url.provider;
        let directory = self.peers.directory(peer).await?;
        let template = directory.assets.as_ref();
        let template = template.ok_or(PeerError::NoEndpoint(sabir_wire::protocol::member::ASSETS))?;
        let announced = template.expand(url.id().as_str()).ok_or(PeerError::BadSegment)?;
        let named = Url {
            host: peer.clone(),
            port: 443,
            path: url.path().to_owned(),
        };
        if announced != named {
            return Err(PeerError::NotAnnounced);
        }
        let target = Target {
            peer: peer.clone(),
            host: named.host.clone(),
            port: named.port,
        };
        let request = || {
            let mut request = self.peers.request(peer, &named, &Method::GET, &Bytes::new())?;
            if let Some(range) = range {
                let range = range.parse().map_err(|_| PeerError::BadSegment)?;
                request.headers_mut().insert(header::RANGE, range);
            }
            Ok(request)
        };
        let response = self.pool.send(&target, request).await?;
        let (head, body) = response.into_parts();
        if matches!(head.status, StatusCode::MISDIRECTED_REQUEST) {
            self.peers.inner.directories.forget(peer);
        }
        Ok(PeerStream { head, body })
    }
}
