//! The event stream of the device.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sabir_wire::client_api::{Event, FrameReader, path};
use tokio::time::timeout;

use super::{Call, Timing, Transport, TransportError};

/// Events after a cursor, in order, without an end.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    frames: FrameReader,
    timing: Timing,
    // The connection ends with its last sender, and other requests may have given theirs up.
    _sender: super::connection::Sender,
}

impl Transport {
    /// Opens the event stream after `cursor`.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn events(&self, cursor: u64) -> Result<EventStream, TransportError> {
        let call = Call::get(format!("{}?after={cursor}", path::EVENTS), 0);
        let token = self.0.token(None).await?;
        match self.open(&call, token.header()).await {
            Err(TransportError::Refused { status: 401, .. }) => {
                let token = self.0.token(Some(&token)).await?;
                self.open(&call, token.header()).await
            }
            result => result,
        }
    }

    async fn open(
        &self,
        call: &Call,
        token: hyper::header::HeaderValue,
    ) -> Result<EventStream, TransportError> {
        let live = self.0.live().await?;
        let timing = self.0.timing;
        let response = timeout(timing.request, self.0.head(&live, call, Some(token)))
            .await
            .unwrap_or(Err(TransportError::Timeout));
        if matches!(response, Err(TransportError::Broken(_) | TransportError::Timeout)) {
            self.0.drop_connection(&live).await;
        }
        Ok(EventStream {
            body: response?.into_body(),
            frames: FrameReader::new(),
            timing,
            _sender: live.sender,
        })
    }
}

impl EventStream {
    /// The next event. An error ends the stream: open it anew after the last cursor. [`TransportError::BadEvent`] alone
    /// does not: the next call gives the event behind it.
    ///
    /// Dropping the returned future loses nothing.
    ///
    /// # Errors
    /// [`TransportError::Timeout`] after silence, [`TransportError::Broken`] where the stream ended,
    /// [`TransportError::Malformed`] where nobody can tell where the next event begins.
    pub async fn next(&mut self) -> Result<Event, TransportError> {
        loop {
            match self.frames.next_event() {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(error) if self.frames.is_lost() => {
                    return Err(TransportError::Malformed(error.to_string()));
                }
                Err(error) => return Err(TransportError::BadEvent(error.to_string())),
            }
            let bytes = self.more().await?;
            self.frames.push(&bytes);
        }
    }

    async fn more(&mut self) -> Result<Bytes, TransportError> {
        loop {
            let frame = timeout(self.timing.silence, self.body.frame())
                .await
                .map_err(|_| TransportError::Timeout)?;
            match frame {
                Some(Ok(frame)) => {
                    // Trailers would be no events.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(bytes);
                    }
                }
                Some(Err(error)) => return Err(TransportError::broken(error)),
                None => return Err(TransportError::broken("the provider ended the event stream")),
            }
        }
    }
}
