//! Event streams: what happened for a device, by cursor, for as long as it listens.
//!
//! ```text
//! store --hint (lossy)--> Wakers --wake--> feed of each stream: device_read(after) --whole frames--> HTTP/2 stream
//! ```
//!
//! A stream holds no events but the page it is sending: what a slow device has not read waits in the store, and HTTP/2's
//! flow control holds the feed. A stream that ends is resumed by cursor, anywhere.
//!
//! Invariant: a stream ends between two frames unless its connection broke.

mod body;
mod feed;
mod wakers;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use sabir_store::StoreError;
use sabir_wire::client_api::AckRequest;
use sabir_wire::codec::Decode;
use tokio::sync::mpsc;

pub use wakers::Wakers;

use self::body::Frames;
use crate::client::Session;
use crate::error::Error;
use crate::http::{Payload, finish};
use crate::server::Shared;

/// The notice that a device runs out of key packages; its body is how many are left, a `uint32`.
pub const KEY_PACKAGES_LOW: u16 = 2;

/// `GET events?after=N`
pub(crate) async fn stream(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
) -> Result<Response, Error> {
    let after = after(uri.query())?;
    let listening = shared.wakers.listen(session.client.as_str())?;
    // One page is being sent while the next one is read.
    let (frames, received) = mpsc::channel(1);
    tokio::spawn(feed::feed(shared, session, after, listening, frames));
    let mut response = Response::new(Body::new(Frames(received)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `POST events/ack`
pub(crate) async fn acknowledge(
    State(shared): State<Arc<Shared>>,
    session: Session,
    payload: Payload,
) -> Result<StatusCode, Error> {
    finish(async move {
        let _place = shared.place()?;
        let request = AckRequest::from_bytes(payload.bytes()).map_err(|_| Error::Malformed("AckRequest"))?;
        match shared
            .store
            .device_ack(session.client.as_str(), request.cursor)
            .await
        {
            Ok(_) => Ok(StatusCode::OK),
            Err(StoreError::Misuse(_)) => Err(Error::Conflict("this cursor was never given")),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// The cursor in the query: `after=N` in decimal, 0 without a query.
fn after(query: Option<&str>) -> Result<u64, Error> {
    const MALFORMED: Error = Error::Malformed("query");
    let Some(query) = query else { return Ok(0) };
    let digits = query.strip_prefix("after=").ok_or(MALFORMED)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    let after: u64 = digits.parse().map_err(|_| MALFORMED)?;
    // Beyond the store's numbers there is nothing.
    Ok(after.min(sabir_store::MAX_NUMBER))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::after;

    #[test]
    fn the_query_is_strict() {
        assert_eq!(after(None), Ok(0));
        assert_eq!(after(Some("after=0")), Ok(0));
        assert_eq!(after(Some("after=17")), Ok(17));
        assert_eq!(
            after(Some("after=18446744073709551615")),
            Ok(sabir_store::MAX_NUMBER)
        );
        for query in [
            "",
            "after",
            "after=",
            "after=-1",
            "after=+1",
            "after=1&x=2",
            "x=1",
            "after=18446744073709551616",
        ] {
            assert!(after(Some(query)).is_err(), "{query}");
        }
    }
}
