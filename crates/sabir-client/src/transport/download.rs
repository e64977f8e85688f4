//! Answers that are taken as they come: files.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::time::timeout;

use super::connection::{Live, Sender};
use super::{Call, Transport, TransportError};

/// The rest of a file.
#[derive(Debug)]
pub struct Download {
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes of the whole file.
    pub length: u64,
    body: Incoming,
    patience: Duration,
    // The connection ends with its last sender.
    _sender: Sender,
}

impl Transport {
    /// Reads `path` from byte `offset` on, or from the beginning where the other side does not know ranges.
    ///
    /// # Errors
    /// [`TransportError`]; refused with status 416 where the file is not longer than `offset`.
    pub async fn download(&self, path: &str, offset: u64) -> Result<Download, TransportError> {
        let call = Call::get(path, 0).beginning_at(offset);
        let token = self.0.token(None).await?;
        match self.begin(&call, token.header()).await {
            Err(TransportError::Refused { status: 401, .. }) => {
                let token = self.0.token(Some(&token)).await?;
                self.begin(&call, token.header()).await
            }
            result => result,
        }
    }

    async fn begin(&self, call: &Call, token: HeaderValue) -> Result<Download, TransportError> {
        let live: Live = self.0.live().await?;
        let patience = self.0.timing.request;
        let response = timeout(patience, self.0.head(&live, call, Some(token)))
            .await
            .unwrap_or(Err(TransportError::Timeout));
        if matches!(response, Err(TransportError::Broken(_) | TransportError::Timeout)) {
            self.0.drop_connection(&live).await;
        }
        let response = response?;
        let place = place(&response);
        let (offset, length) = place
            .ok_or_else(|| TransportError::Malformed("it does not say which bytes it sends".to_owned()))?;
        Ok(Download {
            offset,
            length,
            body: response.into_body(),
            patience,
            _sender: live.sender,
        })
    }
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`TransportError::Timeout`], or [`TransportError::Broken`] where it ended early.
    pub async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let frame = timeout(self.patience, self.body.frame())
                .await
                .map_err(|_| TransportError::Timeout)?;
            match frame {
                Some(Ok(frame)) => {
                    // Trailers are no bytes of the file.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => return Err(TransportError::broken(error)),
                None => return Ok(None),
            }
        }
    }
}

/// Where an answer's body begins, and how long the whole is.
fn place<B>(response: &Response<B>) -> Option<(u64, u64)> {
    let headers = response.headers();
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Some((0, number(headers, header::CONTENT_LENGTH)?));
    }
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (part, length) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = part.split_once('-')?;
    Some((first.parse().ok()?, length.parse().ok()?))
}

fn number(headers: &HeaderMap, name: header::HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
