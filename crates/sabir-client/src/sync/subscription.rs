//! What happens, told one event after the other.

use std::collections::VecDeque;

use tokio::sync::watch;

use super::ClientError;
use super::keeper::Keep;
use crate::types::{Connection, Event, Notice};

/// Events read at a time.
const PAGE: u32 = 100;

/// Events after a cursor, without an end. Nothing is lost between events, however slowly they are taken: they are
/// read from the profile, and only news that there are any comes by memory.
#[derive(Debug)]
pub struct Subscription {
    keep: Keep,
    changes: watch::Receiver<u64>,
    connection: watch::Receiver<Connection>,
    /// Behind the last change that was read.
    cursor: u64,
    /// Behind the last event that was given out.
    given: u64,
    told: Option<Connection>,
    pending: VecDeque<Notice>,
}

impl Subscription {
    pub(super) fn new(
        keep: Keep,
        changes: watch::Receiver<u64>,
        connection: watch::Receiver<Connection>,
        cursor: u64,
    ) -> Self {
        Self {
            keep,
            changes,
            connection,
            cursor,
            given: cursor,
            told: None,
            pending: VecDeque::new(),
        }
    }

    /// The next event; the state of the connection comes first. Dropping the returned future loses nothing.
    ///
    /// # Errors
    /// [`ClientError::Stopped`] after the client was shut down, or [`ClientError::Store`].
    pub async fn next(&mut self) -> Result<Notice, ClientError> {
        loop {
            let state = *self.connection.borrow_and_update();
            if self.told != Some(state) {
                self.told = Some(state);
                return Ok(Notice {
                    cursor: self.given,
                    event: Event::Connection { state },
                });
            }
            if let Some(notice) = self.pending.pop_front() {
                self.given = notice.cursor;
                return Ok(notice);
            }
            self.given = self.cursor;
            // Marked as seen before it is read, so that what comes in between is read again.
            let newest = *self.changes.borrow_and_update();
            if newest < self.cursor {
                // A cursor that was never given: of a profile that was replaced or restored.
                self.cursor = newest;
                self.given = newest;
                return Ok(Notice {
                    cursor: newest,
                    event: Event::Missed,
                });
            }
            if newest > self.cursor {
                let cursor = self.cursor;
                let page = self
                    .keep
                    .run(move |keeper| keeper.notices(cursor, PAGE))
                    .await??;
                self.cursor = page.cursor;
                self.pending.extend(page.notices);
                continue;
            }
            let ended = tokio::select! {
                changed = self.changes.changed() => changed.is_err(),
                changed = self.connection.changed() => changed.is_err(),
            };
            if ended {
                return Err(ClientError::Stopped);
            }
        }
    }
}
