//! What a connection has to send, gathered for a moment.
//!
//! HTTP/2 writes what it has as soon as it has something: of answers that become ready together, one by one, each takes
//! a TLS record, a system call and a segment of its own. Here small writes are kept until the tasks that are ready to run
//! have had their turn, and leave together. Nothing waits for a clock: on a quiet connection that turn is over at once.
//!
//! The connection's future is polled by [`Cork::drive`], which sends what lies here; without it nothing small would leave.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream that a connection is given.
#[derive(Debug)]
pub(super) struct Corked<S>(Arc<Mutex<Line<S>>>);

/// Whoever drives that connection.
#[derive(Debug)]
pub(super) struct Cork<S>(Arc<Mutex<Line<S>>>);

/// The stream, and what waits before it.
#[derive(Debug)]
struct Line<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How much of it has left already.
    left: usize,
    step: Step,
    /// A failure to send, for the connection to meet.
    failed: Option<io::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing waits.
    Idle,
    /// Others have their turn.
    Turn,
    /// The stream takes what waits.
    Sending,
}

/// Puts a cork on a stream.
pub(super) fn cork<S>(stream: S) -> (Corked<S>, Cork<S>) {
    let line = Arc::new(Mutex::new(Line {
        stream,
        waiting: Vec::new(),
        left: 0,
        step: Step::Idle,
        failed: None,
    }));
    (Corked(Arc::clone(&line)), Cork(line))
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    /// Polls a connection, and sends what it wrote. May be dropped, and begun anew.
    pub(super) async fn drive<F: Future>(&self, mut connection: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            let end = connection.as_mut().poll(cx);
            let mut line = lock(&self.0);
            if end.is_ready() {
                // Its last words, if the stream takes them at once.
                let _ = line.poll_send(cx);
            } else {
                line.step(cx);
            }
            end
        })
        .await
    }
}

impl<S: AsyncWrite + Unpin> Line<S> {
    fn step(&mut self, cx: &mut Context<'_>) {
        if self.step == Step::Idle {
            if self.waiting.is_empty() {
                return;
            }
            // To the end of those who are ready to run.
            self.step = Step::Turn;
            cx.waker().wake_by_ref();
            return;
        }
        self.step = Step::Sending;
        match self.poll_send(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.step = Step::Idle,
            Poll::Ready(Err(error)) => {
                self.step = Step::Idle;
                self.forget();
                self.failed = Some(error);
                // The connection meets it when it reads.
                cx.waker().wake_by_ref();
            }
        }
    }

    /// All that waits, and out of the stream's own memory.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// All that waits, into the stream.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.left..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.left = self.left.saturating_add(written),
            }
        }
        self.forget();
        Poll::Ready(Ok(()))
    }

    fn forget(&mut self) {
        self.left = 0;
        if self.waiting.capacity() > KEPT {
            self.waiting = Vec::new();
        } else {
            self.waiting.clear();
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = lock(&self.0);
        if let Some(error) = line.failed.take() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut line.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = lock(&self.0);
        line.check()?;
        let bytes = parts
            .iter()
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let large = bytes >= LARGE;
        if large || line.waiting.len() >= MOST {
            ready!(line.poll_empty(cx))?;
        }
        if large {
            return Pin::new(&mut line.stream).poll_write_vectored(cx, parts);
        }
        for part in parts {
            line.waiting.extend_from_slice(part);
        }
        Poll::Ready(Ok(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).stream.is_write_vectored()
    }

    /// What waits is on its way: whoever drives the connection sends it.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = lock(&self.0);
        line.check()?;
        if line.waiting.is_empty() {
            Pin::new(&mut line.stream).poll_flush(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = lock(&self.0);
        line.check()?;
        ready!(line.poll_send(cx))?;
        Pin::new(&mut line.stream).poll_shutdown(cx)
    }
}

fn lock<S>(line: &Mutex<Line<S>>) -> MutexGuard<'_, Line<S>> {
    // One task holds both ends: nobody waits here.
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A write of this size goes its own way, uncopied.
const LARGE: usize = 4096;
/// Bytes that may wait: those of one TLS record. A write may begin below it, and end above.
const MOST: usize = 16 * 1024;
/// Memory that a connection keeps while nothing waits.
const KEPT: usize = 4096;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::pin::pin;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Counts the writes that reach it.
    struct Counted(DuplexStream, Vec<usize>);

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let written = ready!(Pin::new(&mut self.0).poll_write(cx, bytes))?;
            self.1.push(written);
            Poll::Ready(Ok(written))
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    fn line(space: usize) -> (Corked<Counted>, Cork<Counted>, DuplexStream) {
        let (near, far) = duplex(space);
        let (corked, cork) = cork(Counted(near, Vec::new()));
        (corked, cork, far)
    }

    #[tokio::test]
    async fn small_writes_leave_together_and_large_ones_alone() {
        let (mut corked, cork, mut far) = line(1 << 20);
        let connection = pin!(async move {
            for n in 0..10_u8 {
                corked.write_all(&[n; 10]).await.unwrap();
                corked.flush().await.unwrap();
            }
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            corked.write_all(&[77; 10]).await.unwrap();
            corked.write_all(&[88; LARGE]).await.unwrap();
            corked.shutdown().await.unwrap();
        });
        cork.drive(connection).await;
        assert_eq!(lock(&cork.0).stream.1, [100, 10, LARGE]);
        let mut all = Vec::new();
        drop(cork);
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 110 + LARGE);
        assert_eq!((all[0], all[99], all[109], all[110]), (0, 9, 77, 88));
    }

    #[tokio::test]
    async fn whoever_reads_slowly_is_waited_for() {
        let (mut corked, cork, mut far) = line(100);
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let sent = bytes.clone();
        let writer = async move {
            let connection = pin!(async move {
                for part in sent.chunks(700) {
                    corked.write_all(part).await.unwrap();
                    assert!(lock(&corked.0).waiting.len() < MOST + 700, "bounded");
                    corked.flush().await.unwrap();
                }
                corked.shutdown().await.unwrap();
            });
            cork.drive(connection).await;
        };
        let reader = async {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        };
        let ((), all) = tokio::join!(writer, reader);
        assert!(all == bytes, "in order and whole");
    }

    #[tokio::test]
    async fn a_failure_to_send_reaches_the_connection() {
        struct Broken;
        impl AsyncRead for Broken {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Poll::Pending
            }
        }
        impl AsyncWrite for Broken {
            fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let (mut corked, cork) = cork(Broken);
        let connection = pin!(async move {
            corked.write_all(b"words").await.unwrap();
            corked.read_u8().await.unwrap_err().kind()
        });
        assert_eq!(cork.drive(connection).await, io::ErrorKind::BrokenPipe);
    }
}
