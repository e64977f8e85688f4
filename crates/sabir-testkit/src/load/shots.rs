//! Messages that are ready to be sent, and what became of each.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sabir_wire::codec::Decode;
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{FanoutBody, FanoutMessage};

use crate::TownError;

/// The first bytes of a ciphertext, which no two share.
type Key = [u8; 16];

/// One message.
pub(super) struct Shot {
    /// The encoded `SubmitMessageRequest`.
    pub(super) request: Bytes,
    /// When it was sent, in microseconds after the start; 0 before.
    sent: AtomicU64,
    /// The `FanoutMessage` that somebody got first.
    copy: OnceLock<Vec<u8>>,
}

/// The messages of a room, of its senders in turn.
pub(super) struct Shots {
    list: Vec<Shot>,
    places: HashMap<Key, usize>,
}

impl Shots {
    /// Those of several senders, as many of each.
    pub(super) fn new(of_senders: Vec<Vec<(Bytes, MlsMessage)>>) -> Result<Self, TownError> {
        let mut shots = Self {
            list: Vec::new(),
            places: HashMap::new(),
        };
        let mut senders: Vec<_> = of_senders.into_iter().map(Vec::into_iter).collect();
        while let Some(round) = senders.iter_mut().map(Iterator::next).collect::<Option<Vec<_>>>() {
            if round.is_empty() {
                break;
            }
            for (request, message) in round {
                let key = key(&message).ok_or_else(|| TownError::Wrong("no ciphertext".to_owned()))?;
                shots.places.insert(key, shots.list.len());
                shots.list.push(Shot {
                    request,
                    sent: AtomicU64::new(0),
                    copy: OnceLock::new(),
                });
            }
        }
        if shots.places.len() == shots.list.len() {
            Ok(shots)
        } else {
            Err(TownError::Wrong("two messages look alike".to_owned()))
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<&Shot> {
        self.list.get(place)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Which message an entry of the log is; `None` for anything but a message.
    pub(super) fn place(&self, entry: &[u8]) -> Result<Option<usize>, TownError> {
        let entry = FanoutMessage::from_bytes(entry)
            .map_err(|error| TownError::Wrong(format!("an event cannot be read: {error}")))?;
        let FanoutBody::Application { message, .. } = &entry.body else {
            return Ok(None);
        };
        let place = key(message).and_then(|key| self.places.get(&key));
        place
            .copied()
            .map(Some)
            .ok_or_else(|| TownError::Wrong("a message arrived that nobody sent".to_owned()))
    }

    /// What arrived, in the order in which it was encrypted.
    pub(super) fn copies(&self) -> impl Iterator<Item = &[u8]> {
        self.list
            .iter()
            .filter_map(|shot| shot.copy.get().map(Vec::as_slice))
    }
}

impl Shot {
    pub(super) fn send_at(&self, since_start: Duration) {
        self.sent.store(micros(since_start).max(1), Ordering::Relaxed);
    }

    /// How long ago it was sent.
    pub(super) fn age(&self, since_start: Duration) -> Option<Duration> {
        let sent = self.sent.load(Ordering::Relaxed);
        let age = micros(since_start).checked_sub(sent)?;
        (sent > 0).then(|| Duration::from_micros(age))
    }

    /// Whether these are the bytes that others got.
    pub(super) fn is_like(&self, entry: Vec<u8>) -> bool {
        match self.copy.get() {
            Some(copy) => *copy == entry,
            // Another device's may have come meanwhile.
            None => match self.copy.set(entry) {
                Ok(()) => true,
                Err(entry) => self.copy.get() == Some(&entry),
            },
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn key(message: &MlsMessage) -> Option<Key> {
    let MlsMessage::Private(message) = message else {
        return None;
    };
    message.ciphertext.first_chunk().copied()
}
