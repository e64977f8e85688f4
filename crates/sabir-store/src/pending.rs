//! The answer to a write that has not come yet.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::StoreError;

/// The outcome of a write, once it is durable. Await it, or block on it with [`Pending::wait`].
///
/// The command is on its way already: dropping this only drops the answer.
#[must_use = "a write is not durable before its answer came"]
pub struct Pending<T> {
    inner: Inner<T>,
}

enum Inner<T> {
    Ready(Option<Result<T, StoreError>>),
    Waiting {
        command: &'static str,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    },
}

impl<T> Pending<T> {
    /// An answer that is there already.
    pub fn ready(result: Result<T, StoreError>) -> Self {
        Self {
            inner: Inner::Ready(Some(result)),
        }
    }

    /// An answer that somebody else will send. A dropped sender means that nobody knows whether it happened.
    pub(crate) fn waiting(command: &'static str, answer: oneshot::Receiver<Result<T, StoreError>>) -> Self {
        Self {
            inner: Inner::Waiting { command, answer },
        }
    }

    /// Blocks the thread until the answer is there. For tests, tools and maintenance, not for async code.
    ///
    /// # Errors
    /// Those of the command.
    pub fn wait(self) -> Result<T, StoreError> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut this = pin!(self);
        loop {
            if let Poll::Ready(result) = this.as_mut().poll(&mut context) {
                return result;
            }
            thread::park();
        }
    }
}

/// Nothing in here is pinned: a result or a receiver, both free to move between polls.
impl<T> Unpin for Pending<T> {}

impl<T> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Inner::Ready(result) => Poll::Ready(
                result
                    .take()
                    .unwrap_or(Err(StoreError::Misuse("answer polled after it was given"))),
            ),
            Inner::Waiting { command, answer } => Pin::new(answer).poll(context).map(|sent| {
                sent.unwrap_or(Err(StoreError::Unavailable {
                    command,
                    maybe_applied: true,
                    source: None,
                }))
            }),
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
