//! Fan-out to other providers: every batch that is due goes to its follower, until it is accepted or too old.
//!
//! ```text
//! store: one frozen batch per room and follower --hint--> courier --POST notify--> follower
//!          ^            \--due again, or missed--> look --^  |
//!          +---- ack (freezes the next) | defer (backoff) ---+
//! ```
//!
//! A batch that was just frozen comes by its hint, and the store still has it in memory. Everything else, which is
//! what a restart left, what is tried again and what was hinted at too fast, is found by looks into the store.
//!
//! Each batch travels in a task of its own, a bounded number for each follower, so that a slow or dead one delays no
//! other. A follower that cannot be reached at all is left alone for a while, and its batches are put off together.
//!
//! Invariant: at most one request for a room and follower is in flight, always with the same bytes until it is accepted;
//! so a follower recognises what it has already.

mod courier;
mod followers;
mod ready;
mod wait;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sabir_store::{Batch, OutboxDefer, OutboxExpire};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::ready::Ready;

use self::courier::{Delivered, deliver};
use self::followers::{Followers, State};
use self::ready::Key;
use crate::server::Shared;

/// Batches that one look into the store brings, beside those in flight.
const PAGE: usize = 64;
/// Due batches that wait for one busy follower; the others are put off, so that a look does not read them all.
const QUEUE: usize = 32;
/// For how long, in milliseconds.
const QUEUE_MS: u64 = 1000;
/// Batches in flight in all.
const IN_FLIGHT: usize = 256;
/// Batches that were hinted at and wait for a place; what is more is looked for later.
const MOST_WAITING: usize = 4096;
/// Between two looks while there is much to do.
const BREATH: Duration = Duration::from_millis(1);
/// Longest time without a look.
const NAP: Duration = Duration::from_secs(60);
/// Between two rounds of giving up what is too old.
const EXPIRY: Duration = Duration::from_secs(3600);
const DAY_MS: u64 = 24 * 3_600_000;

/// Delivers until the server stops.
pub async fn run(shared: Arc<Shared>, ready: Arc<Ready>) {
    let mut stop = shared.stopping();
    let mut outbox = Outbox {
        shared,
        in_flight: HashSet::new(),
        again: HashSet::new(),
        waiting: BTreeMap::new(),
        missed: false,
        followers: Followers::default(),
        couriers: JoinSet::new(),
        ahead: 0,
        look_at: Instant::now(),
    };
    loop {
        let (hinted, everything) = ready.take();
        if everything || outbox.look_at <= Instant::now() {
            outbox.look();
        }
        for key in hinted {
            outbox.hinted(key);
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(delivered) = outbox.couriers.join_next() => {
                outbox.returned(delivered);
                // Others are probably back, too.
                while let Some(delivered) = outbox.couriers.try_join_next() {
                    outbox.returned(delivered);
                }
                outbox.send_waiting();
            }
            () = ready.woken() => {}
            () = sleep_until(outbox.look_at) => {}
        }
    }
    // What is in flight may finish: its acknowledgement spares a repetition.
    let drain = Duration::from_secs(outbox.shared.config.settings.timeouts.drain_seconds);
    let _ = tokio::time::timeout(drain, async {
        while outbox.couriers.join_next().await.is_some() {}
    })
    .await;
}

struct Outbox {
    shared: Arc<Shared>,
    in_flight: HashSet<Key>,
    /// Those of them whose next batch was hinted at.
    again: HashSet<Key>,
    /// What was hinted at and waits for a place, by follower.
    waiting: BTreeMap<String, VecDeque<Key>>,
    /// Something waits that is not noted.
    missed: bool,
    followers: Followers,
    couriers: JoinSet<(Key, Delivered)>,
    /// Due batches that waited for their follower at the last look: the next look must see beyond them.
    ahead: usize,
    /// When to look next, unless something says so before.
    look_at: Instant,
}

impl Outbox {
    /// Sends a batch that was just frozen, or notes it until there is a place.
    fn hinted(&mut self, key: Key) {
        if self.in_flight.contains(&key) {
            self.again.insert(key);
            return;
        }
        let now = self.shared.ambient.now();
        match self.followers.state(&key.1, now) {
            State::Free if self.in_flight.len() < IN_FLIGHT => self.fetch(key, now),
            State::Free | State::Busy => self.wait(key),
            State::Down { until } => {
                if let Ok(Some(batch)) = self.shared.store.outbox_batch(&key.0, &key.1) {
                    self.put_off(&batch, until);
                }
                self.look_within(until, now);
            }
        }
    }

    fn fetch(&mut self, key: Key, now: u64) {
        match self.shared.store.outbox_batch(&key.0, &key.1) {
            Ok(Some(batch)) if batch.next_attempt_at <= now => self.send(key, batch),
            // Acknowledged, or put off: then a look finds it.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read; it is tried again");
                self.look_within(now.saturating_add(1000), now);
            }
        }
    }

    fn wait(&mut self, key: Key) {
        if self.waiting.values().map(VecDeque::len).sum::<usize>() >= MOST_WAITING {
            self.missed = true;
            return;
        }
        self.waiting.entry(key.1.clone()).or_default().push_back(key);
    }

    /// Sends what waited for a place, as far as there is one now.
    fn send_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for (follower, keys) in &mut waiting {
            let now = self.shared.ambient.now();
            while self.in_flight.len() < IN_FLIGHT
                && self.followers.state(follower, now) != State::Busy
                && let Some(key) = keys.pop_front()
            {
                self.hinted(key);
            }
        }
        waiting.retain(|_, keys| !keys.is_empty());
        self.waiting = waiting;
        if self.missed && self.waiting.is_empty() {
            self.missed = false;
            self.look_at = Instant::now();
        }
    }

    /// Sends what the store says is due.
    fn look(&mut self) {
        let wait = self.send_due();
        let now = Instant::now();
        self.look_at = now.checked_add(wait).unwrap_or(now);
    }

    /// Looks no later than at `time`, milliseconds since 1970.
    fn look_within(&mut self, time: u64, now: u64) {
        let wait = Duration::from_millis(time.saturating_sub(now)).min(NAP);
        if let Some(at) = Instant::now().checked_add(wait) {
            self.look_at = self.look_at.min(at);
        }
    }

    /// Sends what is due; says how long there is nothing to do unless something happens.
    fn send_due(&mut self) -> Duration {
        let room = IN_FLIGHT.saturating_sub(self.in_flight.len());
        if room == 0 {
            self.missed = true;
            return NAP;
        }
        let now = self.shared.ambient.now();
        let limit = PAGE
            .saturating_add(self.in_flight.len())
            .saturating_add(self.ahead);
        let due = match self.shared.store.outbox_due(now, limit) {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read; it is tried again");
                return Duration::from_secs(1);
            }
        };
        let full_page = due.len() >= limit;
        let mut waiting: HashMap<String, usize> = HashMap::new();
        let mut sent = 0_usize;
        // When what is put off now is due again: the store does not say it yet.
        let mut soonest = u64::MAX;
        for batch in due {
            let key = (batch.room.clone(), batch.follower.clone());
            if self.in_flight.contains(&key) {
                continue;
            }
            match self.followers.state(&batch.follower, now) {
                State::Down { until } => {
                    soonest = soonest.min(until);
                    self.put_off(&batch, until);
                }
                State::Free if sent < room => {
                    sent = sent.saturating_add(1);
                    self.send(key, batch);
                }
                State::Free | State::Busy => {
                    let ahead = waiting.entry(batch.follower.clone()).or_default();
                    *ahead = ahead.saturating_add(1);
                    if *ahead > QUEUE {
                        soonest = soonest.min(now.saturating_add(QUEUE_MS));
                        self.put_off(&batch, now.saturating_add(QUEUE_MS));
                    } else {
                        self.wait(key);
                    }
                }
            }
        }
        self.ahead = waiting.into_values().map(|ahead| ahead.min(QUEUE)).sum();
        if full_page && sent > 0 {
            return BREATH;
        }
        self.until_next(now)
            .min(Duration::from_millis(soonest.saturating_sub(now)))
    }

    fn until_next(&self, now: u64) -> Duration {
        match self.shared.store.outbox_next_due() {
            // What is due by now is in flight, or waits for something that is.
            Ok(Some(next)) if next > now => Duration::from_millis(next.saturating_sub(now)).min(NAP),
            Ok(None) => NAP,
            Ok(Some(_)) => Duration::from_secs(1),
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read; it is tried again");
                Duration::from_secs(1)
            }
        }
    }

    fn send(&mut self, key: Key, batch: Batch) {
        self.followers.sent(&batch.follower);
        self.in_flight.insert(key.clone());
        let shared = Arc::clone(&self.shared);
        self.couriers
            .spawn(async move { (key, deliver(&shared, batch).await) });
    }

    fn returned(&mut self, delivered: Result<(Key, Delivered), tokio::task::JoinError>) {
        match delivered {
            Ok((key, delivered)) => {
                let ambient = &self.shared.ambient;
                let now = ambient.now();
                self.followers.returned(&key.1, delivered, now, ambient);
                self.in_flight.remove(&key);
                if delivered != Delivered::Accepted {
                    // It was put off; when to, the store knows.
                    let wait = self.until_next(now);
                    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    self.look_within(now.saturating_add(wait), now);
                }
                if self.again.remove(&key) {
                    self.wait(key);
                }
            }
            // A bug; which batch it was is not known, so none counts as in flight: followers recognise a repetition.
            Err(error) => {
                tracing::error!(%error, "a delivery was interrupted");
                self.in_flight.clear();
                self.again.clear();
                self.followers = Followers::default();
                self.look_at = Instant::now();
            }
        }
    }

    /// Puts a batch off together with the others of its follower. It does not count as an attempt.
    fn put_off(&self, batch: &Batch, until: u64) {
        // Nothing depends on the answer: where it fails, the next look does it again.
        drop(self.shared.store.outbox_defer(OutboxDefer {
            room: batch.room.clone(),
            follower: batch.follower.clone(),
            last_seq: batch.last_seq,
            attempts: batch.attempts,
            next_attempt_at: until,
        }));
    }
}

/// Gives up what is too old, once an hour.
pub async fn expire(shared: Arc<Shared>) {
    let mut stop = shared.stopping();
    let patience = u64::from(shared.config.settings.retention.outbox_days).saturating_mul(DAY_MS);
    loop {
        let now = shared.ambient.now();
        let before = now.saturating_sub(patience);
        match shared.store.outbox_expire(OutboxExpire { before, now }).await {
            Ok(dropped) => {
                for batch in dropped {
                    let (entries, follower) = (batch.entries, batch.follower);
                    tracing::warn!(%follower, entries, "gave up fan-out to a provider that accepts none");
                }
            }
            Err(error) => tracing::warn!(%error, "the outbox cannot be tidied; it is tried again"),
        }
        tokio::select! {
            () = sleep(EXPIRY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
