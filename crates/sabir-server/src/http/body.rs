use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use axum::middleware::map_request;
use axum::routing::MethodRouter;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// Bounds of a request's body. The listener puts them into each request, [`at_most`] lowers the size.
#[derive(Debug, Clone)]
pub struct BodyRules {
    /// Size, in bytes.
    pub limit: usize,
    /// Time for all of it.
    pub timeout: Duration,
    /// Bytes that all bodies together may hold in memory.
    pub memory: Arc<Semaphore>,
}

/// Lowers the size of bodies for one route to at most `limit` bytes.
pub fn at_most<S: Clone + Send + Sync + 'static>(limit: usize, route: MethodRouter<S>) -> MethodRouter<S> {
    route.layer(map_request(move |mut request: Request| {
        if let Some(rules) = request.extensions_mut().get_mut::<BodyRules>() {
            rules.limit = rules.limit.min(limit);
        }
        std::future::ready(request)
    }))
}

/// Bytes that the bodies of one address may hold in memory, so that it cannot take all of [`BodyRules::memory`]. The
/// listener puts it into each request.
#[derive(Debug, Clone)]
pub struct AddressMemory(pub Arc<Semaphore>);

/// Refuses a body that says that it is something else than structures of the protocol. Nobody has to say anything: the
/// drafts name no media type. `message/mls` is that of MLS (RFC 9420 §17.10).
///
/// # Errors
/// [`Error::ContentType`].
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Error> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(Error::ContentType);
    };
    let Some(value) = value else { return Ok(()) };
    let essence = value.to_str().ok().and_then(|text| text.split(';').next());
    let known = |essence: &str| {
        ["application/octet-stream", "message/mls"]
            .iter()
            .any(|known| essence.trim().eq_ignore_ascii_case(known))
    };
    if essence.is_some_and(known) {
        Ok(())
    } else {
        Err(Error::ContentType)
    }
}

/// A whole body in memory. Its share of [`BodyRules::memory`] is given back when it is dropped.
///
/// Take it last among a handler's arguments: what proves the caller comes first, so that a stranger's bytes are
/// never waited for.
#[derive(Debug)]
pub struct Payload {
    bytes: Bytes,
    _memory: Memory,
}

/// What a body holds of the memory for all of them, and of that for its address.
#[derive(Debug, Default)]
struct Memory([Option<OwnedSemaphorePermit>; 2]);

impl Memory {
    /// Takes `share` bytes more of each of `pools`; false where one has no more.
    fn grow(&mut self, pools: [Option<&Arc<Semaphore>>; 2], share: u32) -> bool {
        for (held, pool) in self.0.iter_mut().zip(pools) {
            let Some(pool) = pool else { continue };
            let Ok(more) = Arc::clone(pool).try_acquire_many_owned(share) else {
                return false;
            };
            match held {
                Some(all) => all.merge(more),
                none => *none = Some(more),
            }
        }
        true
    }
}

impl Payload {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<S: Sync> FromRequest<S> for Payload {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let rules = request
            .extensions()
            .get::<BodyRules>()
            .cloned()
            .ok_or(Error::Internal("a request without body rules"))?;
        check_content_type(request.headers())?;
        let of_address = request.extensions().get::<AddressMemory>().cloned();
        let too_large = Error::BodyTooLarge { limit: rules.limit };
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: usize| length > rules.limit) {
            return Err(too_large);
        }
        let deadline = Instant::now()
            .checked_add(rules.timeout)
            .ok_or(Error::Internal("body timeout"))?;
        let mut body = request.into_body();
        let mut bytes = BytesMut::new();
        let mut memory = Memory::default();
        loop {
            let frame = timeout_at(deadline, body.frame())
                .await
                .map_err(|_| Error::BodyTooSlow)?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| Error::Malformed("body"))?;
            // Trailers mean nothing here.
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len().saturating_add(data.len()) > rules.limit {
                return Err(too_large);
            }
            let share = u32::try_from(data.len()).map_err(|_| too_large.clone())?;
            let pools = [of_address.as_ref().map(|of| &of.0), Some(&rules.memory)];
            if !memory.grow(pools, share) {
                return Err(Error::Unavailable {
                    what: "memory for bodies",
                    retry_after: Duration::from_secs(1),
                });
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Self {
            bytes: bytes.freeze(),
            _memory: memory,
        })
    }
}
