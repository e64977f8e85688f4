use aws_lc_rs::digest::{Context, SHA256};
use sabir_store::{Answer, Hash};
use sabir_wire::uri::RoomUri;

use crate::error::Error;
use crate::server::AnyStore;

/// By what a byte-identical repetition is recognised: who asked, and a hash over endpoint, room and exact body.
#[derive(Debug, Clone)]
pub struct RequestName {
    origin: String,
    hash: Hash,
}

impl RequestName {
    /// The name of a request by `origin`, a domain or a client URI.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: SHA-256 has 32 bytes.
    pub fn new(origin: &str, endpoint: &str, room: &RoomUri, body: &[u8]) -> Result<Self, Error> {
        let mut hash = Context::new(&SHA256);
        // Neither an endpoint's name nor a URI holds a zero byte, so no two requests are hashed alike.
        for part in [endpoint.as_bytes(), &[0], room.as_str().as_bytes(), &[0], body] {
            hash.update(part);
        }
        let hash = hash
            .finish()
            .as_ref()
            .try_into()
            .map_err(|_| Error::Internal("hash length"))?;
        Ok(Self {
            origin: origin.to_owned(),
            hash,
        })
    }

    /// What was answered, where the request was answered before.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn answered(&self, store: &AnyStore) -> Result<Option<Vec<u8>>, Error> {
        let answer = store.answered(&self.origin, &self.hash)?;
        if answer.is_some() {
            tracing::debug!("request repeated");
        }
        Ok(answer)
    }

    /// The row that keeps `response`.
    pub(super) fn answer(&self, response: &[u8]) -> Answer {
        Answer {
            origin: self.origin.clone(),
            request_hash: self.hash,
            response: response.to_vec(),
        }
    }
}
