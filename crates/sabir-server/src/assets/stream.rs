use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::pace::Pace;

/// Blocks that wait to be taken.
const AHEAD: usize = 2;

/// A response's body that somebody feeds. Where the feeder ends without saying so, the body breaks off.
#[derive(Debug)]
pub(super) struct Fed {
    blocks: mpsc::Receiver<Block>,
    ended: bool,
}

#[derive(Debug)]
enum Block {
    Bytes(Bytes),
    End,
}

/// Feeds a body.
#[derive(Debug)]
pub(super) struct Feeder {
    blocks: mpsc::Sender<Block>,
    stop: watch::Receiver<bool>,
    pace: Pace,
}

/// A body and its feeder, which gives up where the other end takes less than `pace`.
pub(super) fn fed(stop: watch::Receiver<bool>, pace: Pace) -> (Feeder, Fed) {
    let (sender, blocks) = mpsc::channel(AHEAD);
    let feeder = Feeder {
        blocks: sender,
        stop,
        pace,
    };
    (feeder, Fed { blocks, ended: false })
}

impl Feeder {
    /// Hands a block over; false when there is nobody any more who takes it.
    pub(super) async fn feed(&mut self, bytes: Bytes) -> bool {
        let length = bytes.len();
        let due = self.pace.due_with(length);
        let fed = self.send(Block::Bytes(bytes), due).await;
        self.pace.moved(length);
        fed
    }

    /// By when there must be something to feed.
    pub(super) fn due(&self) -> Instant {
        self.pace.due()
    }

    /// Says that this was all.
    pub(super) async fn end(mut self) {
        let due = self.pace.due();
        self.send(Block::End, due).await;
    }

    async fn send(&mut self, block: Block, due: Instant) -> bool {
        tokio::select! {
            sent = timeout_at(due, self.blocks.send(block)) => matches!(sent, Ok(Ok(()))),
            _ = self.stop.wait_for(|stop| *stop) => false,
        }
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.blocks.poll_recv(context).map(|block| match block {
            Some(Block::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Block::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(ErrorKind::UnexpectedEof.into()))
            }
        })
    }
}
