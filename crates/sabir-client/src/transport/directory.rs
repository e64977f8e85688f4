//! Directories: who a provider is. One's own is asked directly, another's through a tunnel that one's own provider
//! carries and cannot look into.

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use sabir_mls::identity::CaCertificate;
use sabir_wire::protocol::{WELL_KNOWN_PATH, member};
use sabir_wire::uri::Domain;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::call::read_body;
use super::connection::handshake;
use super::{Call, Inner, Transport, TransportError};

/// Bytes of a directory document.
const MAX_DIRECTORY: usize = 64 << 10;

/// The identity CAs that a provider publishes; each names the provider's domain.
#[derive(Debug, Clone)]
pub struct Identities(pub Vec<CaCertificate>);

impl Transport {
    /// The identity of the own provider.
    ///
    /// # Errors
    /// [`TransportError::Identity`] where the directory publishes none that holds, and the others.
    pub async fn own_identities(&self) -> Result<Identities, TransportError> {
        let answer = self
            .call(&Call::get(WELL_KNOWN_PATH, MAX_DIRECTORY).anonymous())
            .await?;
        read(self.domain(), &answer)
    }

    /// The identity of any provider: the own one's directly, another's from the other itself, over TLS inside a
    /// tunnel through the own provider.
    ///
    /// # Errors
    /// As [`Self::own_identities`].
    pub async fn identities_of(&self, domain: &Domain) -> Result<Identities, TransportError> {
        if domain == self.domain() {
            return self.own_identities().await;
        }
        let inner = &*self.0;
        let limit = inner.timing.connect.saturating_add(inner.timing.request);
        let fetched = timeout(limit, inner.fetch_through_tunnel(domain)).await;
        let answer = fetched.unwrap_or(Err(TransportError::Timeout))?;
        read(domain, &answer)
    }
}

impl Inner {
    async fn fetch_through_tunnel(&self, domain: &Domain) -> Result<Bytes, TransportError> {
        let token = self.token(None).await?;
        let response = match self.open_tunnel(domain, token.header()).await {
            Err(TransportError::Refused { status: 401, .. }) => {
                let token = self.token(Some(&token)).await?;
                self.open_tunnel(domain, token.header()).await?
            }
            response => response?,
        };
        let stream = TokioIo::new(
            hyper::upgrade::on(response)
                .await
                .map_err(TransportError::broken)?,
        );
        let (mut sender, _) = handshake(stream, domain, &self.tls, &self.timing)
            .await
            .map_err(TransportError::Broken)?;
        let request = Request::get(format!("https://{domain}{WELL_KNOWN_PATH}"))
            .body(Full::new(Bytes::new()))
            .map_err(TransportError::broken)?;
        let response = sender
            .send_request(request)
            .await
            .map_err(TransportError::broken)?;
        if response.status() != StatusCode::OK {
            return Err(TransportError::Busy {
                status: response.status().as_u16(),
                after: None,
            });
        }
        read_body(response, MAX_DIRECTORY).await
    }

    async fn open_tunnel(
        &self,
        domain: &Domain,
        token: hyper::header::HeaderValue,
    ) -> Result<hyper::Response<hyper::body::Incoming>, TransportError> {
        let live = self.live().await?;
        let call = Call::tunnel(domain);
        self.head(&live, &call, Some(token)).await
    }
}

fn read(domain: &Domain, json: &[u8]) -> Result<Identities, TransportError> {
    let refused = |reason: &str| TransportError::Identity {
        domain: domain.to_string(),
        reason: reason.to_owned(),
    };
    let members: Map<String, Value> =
        serde_json::from_slice(json).map_err(|_| refused("the directory is not a JSON object"))?;
    let published = members
        .get(member::PROVIDER_CA)
        .ok_or_else(|| refused("the directory publishes no identity"))?;
    let der = published
        .as_str()
        .and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let der = der.ok_or_else(|| refused("the directory's identity is not base64"))?;
    let ca = CaCertificate::parse(&der).map_err(|error| refused(error.id()))?;
    // What a directory says counts for its own domain alone, whoever signed what it publishes.
    if ca.domain() != domain {
        return Err(refused("the directory publishes another domain's identity"));
    }
    Ok(Identities(vec![ca]))
}
