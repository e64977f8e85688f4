use std::future::Future;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::error::Error;

/// Runs what must finish once begun in a task of its own: a handler is dropped when its caller resets the stream, and
/// an engine's call without its commit would be lost work, or worse.
///
/// # Errors
/// Those of `work`; [`Error::Internal`] where it panicked.
pub async fn finish<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    // On the heap at once: the frames in between would each hold and copy it whole.
    match tokio::spawn(Box::pin(work)).await {
        Ok(done) => done,
        Err(_) => Err(Error::Internal("a request's task ended early")),
    }
}

/// A structure as an answer.
#[must_use]
pub fn binary(bytes: impl Into<Bytes>) -> Response {
    let mut response = bytes.into().into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
}
