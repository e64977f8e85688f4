use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A room and a follower.
pub(super) type Key = (String, String);

/// What the store hinted at and nobody has looked at yet.
#[derive(Debug, Default)]
pub struct Ready {
    hinted: Mutex<Hinted>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Hinted {
    keys: VecDeque<Key>,
    /// Hints were lost, or there are too many: only the store knows.
    everything: bool,
}

/// Hints that are kept.
const MOST: usize = 4096;

impl Ready {
    /// A batch of this room for this follower was frozen.
    pub fn add(&self, room: &str, follower: &str) {
        let mut hinted = self.hinted();
        if hinted.keys.len() >= MOST {
            hinted.everything = true;
        } else {
            hinted.keys.push_back((room.to_owned(), follower.to_owned()));
        }
        drop(hinted);
        self.woken.notify_one();
    }

    /// Any batch may have been frozen.
    pub fn add_all(&self) {
        self.hinted().everything = true;
        self.woken.notify_one();
    }

    /// Takes all hints; the flag says that there were others.
    pub(super) fn take(&self) -> (VecDeque<Key>, bool) {
        let mut hinted = self.hinted();
        let everything = std::mem::take(&mut hinted.everything);
        (std::mem::take(&mut hinted.keys), everything)
    }

    /// Completes when there is a hint; at once when there was one since it last completed.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    fn hinted(&self) -> MutexGuard<'_, Hinted> {
        // Nothing panics while it is locked.
        self.hinted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
