//! A device's request for another provider: the same bytes go there, and its answer comes back.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use sabir_wire::uri::Domain;

use crate::directory::Endpoint;
use crate::error::Error;
use crate::peer::{PeerAnswer, PeerError};
use crate::server::Shared;
use crate::waits::By;

/// Posts `body` to an endpoint of `provider` and gives the body of its answer.
///
/// # Errors
/// What the other provider refused, as far as it concerns the one who asks here; [`Error::TooMany`],
/// [`Error::Unavailable`] and [`Error::Upstream`] where the same bytes may be repeated later.
pub async fn forward(
    shared: &Shared,
    by: By<'_>,
    provider: &Domain,
    endpoint: Endpoint,
    segment: &str,
    body: Bytes,
) -> Result<Bytes, Error> {
    let _wait = shared.waits.enter(by, provider)?;
    // Large, and part of what handles every request, most of which stay here.
    let answer = Box::pin(shared.peers.post(provider, endpoint, segment, body))
        .await
        .map_err(unreachable)?;
    told(answer)
}

fn told(answer: PeerAnswer) -> Result<Bytes, Error> {
    let retry_after = answer.retry_after.unwrap_or(Duration::from_secs(5));
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        StatusCode::NOT_FOUND => Err(Error::NotFound("at the other provider")),
        StatusCode::FORBIDDEN => Err(Error::Denied("by the other provider")),
        StatusCode::BAD_REQUEST => Err(Error::Malformed("request, says the other provider")),
        StatusCode::PAYLOAD_TOO_LARGE => Err(Error::Denied("too large for the other provider")),
        StatusCode::TOO_MANY_REQUESTS => Err(Error::TooMany { retry_after }),
        StatusCode::SERVICE_UNAVAILABLE => Err(Error::Unavailable {
            what: "the other provider",
            retry_after,
        }),
        status => Err(Error::Upstream("it answered with an unexpected status").because(status)),
    }
}

fn unreachable(error: PeerError) -> Error {
    let told = match error.root() {
        PeerError::NoEndpoint(_) => Error::Denied("the other provider does not offer this"),
        PeerError::BadSegment => Error::Malformed("identifier"),
        PeerError::TooLarge => Error::Upstream("its answer is too large"),
        PeerError::Directory(_) | PeerError::NoDirectory(_) => {
            Error::Upstream("its directory cannot be read")
        }
        _ => Error::Upstream("it cannot be reached"),
    };
    told.because(error)
}
