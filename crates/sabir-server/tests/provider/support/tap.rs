//! A tap on what providers send: every byte inside TLS, as the other end of the connection reads it.
//!
//! ```text
//! device  <==TLS== provider a ==TLS==> door of b ==TLS==> provider b
//!   ^ tap: answers, streams     tap: requests ^  ^ tap: answers
//! ```
//!
//! Nothing in the provider knows of it. What one message says is one record, head and whole body, so that no frame's
//! border hides anything; what came over the wire is recorded as well, frame by frame, for what is no message.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::http::HeaderMap;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What was sent by whom to whom.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Such as `request POST /mimi/v1/notify/..`, `answer 200 to GET /client/v1/events`, `wire`.
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
}

/// All that was sent so far. A clone is the same tap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Vec<Sent>>>);

impl Tap {
    /// Begins a record.
    pub(crate) fn begin(&self, from: &str, to: &str, what: String) -> Record {
        let mut sent = self.0.lock().unwrap();
        sent.push(Sent {
            from: from.to_owned(),
            to: to.to_owned(),
            what,
            bytes: Vec::new(),
        });
        Record {
            tap: self.clone(),
            at: sent.len() - 1,
        }
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap().clone()
    }
}

/// A record that grows.
#[derive(Debug)]
pub(crate) struct Record {
    tap: Tap,
    at: usize,
}

impl Record {
    pub(crate) fn add(&self, bytes: &[u8]) {
        self.tap.0.lock().unwrap()[self.at].bytes.extend_from_slice(bytes);
    }

    fn add_headers(&self, headers: &HeaderMap) {
        for (name, value) in headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"] {
                self.add(part);
            }
        }
    }

    /// Takes the head down and goes on with the body.
    pub(crate) fn message<B>(self, start: &str, headers: &HeaderMap, body: B) -> Taped<B> {
        self.add(start.as_bytes());
        self.add(b"\n");
        self.add_headers(headers);
        Taped { body, record: self }
    }
}

/// A body that is recorded while it is read.
#[derive(Debug)]
pub(crate) struct Taped<B> {
    body: B,
    record: Record,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Taped<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            if let Some(data) = frame.data_ref() {
                self.record.add(data);
            }
            if let Some(trailers) = frame.trailers_ref() {
                self.record.add_headers(trailers);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream of which everything that is read is recorded.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    pub(crate) stream: S,
    pub(crate) record: Record,
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        self.record.add(&buf.filled()[before..]);
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
