//! What was just written, handed to its readers in memory: the database is asked by whoever is behind, or new.
//!
//! A device's **tail** is the end of its queue: all items from some cursor on. It begins when somebody reads the queue
//! and ends when nobody takes what it holds. The tail is set up *before* the read that makes it whole: an item that is
//! committed after that read's snapshot is published to the tail afterwards, so no item is in neither.
//!
//! A **batch** waits from its freezing until the outbox has taken it.
//!
//! Invariant: a tail holds what the database would answer, or there is none. Publishing follows the commit and precedes
//! its answers and hints.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::notes::{BatchNews, News, QueueNews};
use crate::{Batch, DeviceItem};

/// Shared by the writer, who publishes, and the readers.
#[derive(Debug, Default)]
pub(super) struct Handover {
    tails: Mutex<Tails>,
    batches: Mutex<Batches>,
}

#[derive(Debug, Default)]
struct Tails {
    by_device: HashMap<Arc<str>, Tail>,
    bytes: usize,
    /// Tails set up so far.
    made: u64,
}

#[derive(Debug, Default)]
struct Tail {
    /// Which setting up this is of: only a read that began later makes it whole.
    number: u64,
    /// The cursor that comes next; `None` until the first read has told.
    next: Option<u64>,
    /// Consecutive, up to the end.
    items: VecDeque<DeviceItem>,
}

#[derive(Debug, Default)]
struct Batches {
    by_key: HashMap<(String, String), Batch>,
    bytes: usize,
}

impl Handover {
    /// Tells what a transaction did. Empties the lists but for the hints.
    pub(super) fn publish(&self, news: &mut News) {
        if !news.queues.is_empty() {
            let mut tails = self.tails();
            for news in news.queues.drain(..) {
                match news {
                    QueueNews::Queued(device, item) => tails.push(&device, item),
                    QueueNews::Acked(device, cursor) => tails.drop_until(&device, cursor),
                }
            }
        }
        if !news.batches.is_empty() {
            let mut batches = self.batches();
            for news in news.batches.drain(..) {
                match news {
                    BatchNews::Frozen(batch) => batches.put(batch),
                    BatchNews::Changed(room, follower) => drop(batches.take(room, follower)),
                }
            }
        }
    }

    /// Forgets everything: nobody knows what the database holds.
    pub(super) fn forget(&self) {
        self.tails().clear();
        *self.batches() = Batches::default();
    }

    /// The items after a cursor, where they are here. `Err` otherwise: then a tail is set up, and the items that the
    /// database gives must be told to [`Handover::read`] in the same call of the store.
    pub(super) fn items(
        &self,
        device: &str,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<DeviceItem>, Unknown> {
        let mut tails = self.tails();
        let Some(tail) = tails.by_device.get(device) else {
            return Err(tails.set_up(device));
        };
        let first = tail.items.front().map(|item| item.cursor).or(tail.next);
        match (first, tail.next) {
            // From here on the tail is whole, and what is before it nobody asked for.
            (Some(first), Some(next)) if first <= after.saturating_add(1) && after < next => {}
            _ => return Err(Unknown(tail.number)),
        }
        let mut found: Vec<DeviceItem> = Vec::new();
        let mut bytes = 0_usize;
        for item in tail
            .items
            .iter()
            .skip_while(|item| item.cursor <= after)
            .take(limit)
        {
            bytes = bytes.saturating_add(item.body.len());
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push(item.clone());
        }
        // Whoever asks for what comes after has the rest.
        tails.drop_until(device, after);
        Ok(found)
    }

    /// The database gave everything after a cursor, up to `last`, or nothing; it was asked because of `unknown`.
    pub(super) fn read(&self, device: &str, unknown: &Unknown, after: u64, last: Option<u64>) {
        let mut tails = self.tails();
        let Some(tail) = tails.by_device.get_mut(device) else {
            return;
        };
        if tail.next.is_some() || tail.number != unknown.0 {
            return;
        }
        // What was published meanwhile may be in that answer, too.
        let mut next = last.unwrap_or(after).saturating_add(1);
        let mut gone = 0_usize;
        while let Some(item) = tail.items.front()
            && item.cursor < next
        {
            gone = gone.saturating_add(item.body.len());
            tail.items.pop_front();
        }
        let whole = tail.items.iter().all(|item| {
            let fits = item.cursor == next;
            next = next.saturating_add(1);
            fits
        });
        tail.next = Some(next);
        tails.bytes = tails.bytes.saturating_sub(gone);
        if !whole {
            tails.remove(device);
        }
    }

    /// A batch that was just frozen, once.
    pub(super) fn batch(&self, room: &str, follower: &str) -> Option<Batch> {
        self.batches().take(room.to_owned(), follower.to_owned())
    }

    fn tails(&self) -> MutexGuard<'_, Tails> {
        // Nothing panics while it is locked.
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn batches(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked for is not here. Names the tail that is to be made whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown(u64);

impl Tails {
    fn set_up(&mut self, device: &str) -> Unknown {
        if self.by_device.len() >= MOST_TAILS {
            self.clear();
        }
        self.made = self.made.wrapping_add(1);
        let tail = Tail {
            number: self.made,
            ..Tail::default()
        };
        self.by_device.insert(Arc::from(device), tail);
        Unknown(self.made)
    }

    /// Numbers go on.
    fn clear(&mut self) {
        self.by_device.clear();
        self.bytes = 0;
    }

    fn push(&mut self, device: &str, item: DeviceItem) {
        let Some(tail) = self.by_device.get_mut(device) else {
            return;
        };
        match tail.next {
            Some(next) if item.cursor < next => return,
            Some(next) if item.cursor > next => return self.remove(device),
            Some(next) => tail.next = Some(next.saturating_add(1)),
            None => {}
        }
        self.bytes = self.bytes.saturating_add(item.body.len());
        tail.items.push_back(item);
        if tail.items.len() > MOST_ITEMS {
            // Nobody takes them.
            self.remove(device);
        }
        if self.bytes > MOST_BYTES {
            self.clear();
        }
    }

    fn drop_until(&mut self, device: &str, cursor: u64) {
        let Some(tail) = self.by_device.get_mut(device) else {
            return;
        };
        while let Some(item) = tail.items.front()
            && item.cursor <= cursor
        {
            self.bytes = self.bytes.saturating_sub(item.body.len());
            tail.items.pop_front();
        }
    }

    fn remove(&mut self, device: &str) {
        if let Some(tail) = self.by_device.remove(device) {
            let bytes = tail.items.iter().map(|item| item.body.len()).sum();
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

impl Batches {
    fn put(&mut self, batch: Batch) {
        let size = size(&batch);
        let key = (batch.room.clone(), batch.follower.clone());
        drop(self.take(key.0.clone(), key.1.clone()));
        if self.bytes.saturating_add(size) <= MOST_BYTES {
            self.bytes = self.bytes.saturating_add(size);
            self.by_key.insert(key, batch);
        }
    }

    fn take(&mut self, room: String, follower: String) -> Option<Batch> {
        let batch = self.by_key.remove(&(room, follower))?;
        self.bytes = self.bytes.saturating_sub(size(&batch));
        Some(batch)
    }
}

fn size(batch: &Batch) -> usize {
    batch.entries.iter().map(|entry| entry.body.len()).sum()
}

/// Devices with a tail.
const MOST_TAILS: usize = 65_536;
/// Items of one tail: as many as a stream takes at once, or somewhat more.
const MOST_ITEMS: usize = 512;
/// Bytes of bodies, counted for each who refers to one, of all tails and of all batches.
const MOST_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn item(cursor: u64) -> DeviceItem {
        DeviceItem {
            cursor,
            place: None,
            kind: 1,
            at: 0,
            body: Arc::from(vec![0; 10]),
        }
    }

    fn publish(handover: &Handover, cursor: u64) {
        let mut news = News::default();
        news.queues.push(QueueNews::Queued(Arc::from("d"), item(cursor)));
        handover.publish(&mut news);
    }

    fn cursors(handover: &Handover, after: u64) -> Result<Vec<u64>, Unknown> {
        let items = handover.items("d", after, 9, 9999)?;
        Ok(items.iter().map(|item| item.cursor).collect())
    }

    #[test]
    fn a_tail_follows_the_first_read() {
        let handover = Handover::default();
        publish(&handover, 1);
        let unknown = cursors(&handover, 0).unwrap_err();
        // Committed after the database was asked, or seen by it: it is told once.
        publish(&handover, 2);
        publish(&handover, 3);
        handover.read("d", &unknown, 0, Some(2));
        assert_eq!(cursors(&handover, 2), Ok(vec![3]));
        publish(&handover, 4);
        assert_eq!(cursors(&handover, 2), Ok(vec![3, 4]));
        assert_eq!(cursors(&handover, 3), Ok(vec![4]));
        assert_eq!(cursors(&handover, 4), Ok(Vec::new()));
        assert!(
            cursors(&handover, 2).is_err(),
            "whoever is behind asks the database"
        );
        assert!(cursors(&handover, 9).is_err(), "a cursor that was never issued");
    }

    #[test]
    fn a_read_that_began_before_makes_nothing_whole() {
        let handover = Handover::default();
        let before = cursors(&handover, 0).unwrap_err();
        handover.forget();
        publish(&handover, 1);
        let after = cursors(&handover, 0).unwrap_err();
        handover.read("d", &before, 0, None);
        assert!(cursors(&handover, 0).is_err());
        handover.read("d", &after, 0, Some(1));
        assert_eq!(cursors(&handover, 1), Ok(Vec::new()));
    }

    #[test]
    fn what_is_acknowledged_or_left_lying_goes() {
        let handover = Handover::default();
        let unknown = cursors(&handover, 0).unwrap_err();
        handover.read("d", &unknown, 0, None);
        publish(&handover, 1);
        publish(&handover, 2);
        let mut news = News::default();
        news.queues.push(QueueNews::Acked(Arc::from("d"), 1));
        handover.publish(&mut news);
        assert!(cursors(&handover, 0).is_err());
        assert_eq!(cursors(&handover, 1), Ok(vec![2]));
        for cursor in 3..=u64::try_from(MOST_ITEMS).unwrap() + 3 {
            publish(&handover, cursor);
        }
        assert!(cursors(&handover, 1).is_err());
        assert_eq!(handover.tails().bytes, 0);
    }
}
