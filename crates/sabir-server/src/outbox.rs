//! Fan-out to other providers: every batch that is due goes to its follower, until it is accepted or too old.
//!
//! ```text
//! store: one frozen batch per room and follower --due--> courier --POST notify--> follower
//!          ^                                                |
//!          +---- ack (freezes the next) | defer (backoff) --+
//! ```
//!
//! Each batch travels in a task of its own, a bounded number for each follower, so that a slow or dead one delays no
//! other. A follower that cannot be reached at all is left alone for a while, and its batches are put off together.
//!
//! Invariant: at most one request for a room and follower is in flight, always with the same bytes until it is accepted;
//! so a follower recognises what it has already.

mod courier;
mod followers;
mod wait;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sabir_store::{Batch, OutboxDefer, OutboxExpire};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::courier::{Delivered, deliver};
use self::followers::{Followers, State};
use crate::server::Shared;

/// Batches that one look into the store brings, beside those in flight.
const PAGE: usize = 64;
/// Due batches that wait for one busy follower; the others are put off, so that a look does not read them all.
const QUEUE: usize = 32;
/// For how long, in milliseconds.
const QUEUE_MS: u64 = 1000;
/// Batches in flight in all.
const IN_FLIGHT: usize = 256;
/// Between two looks while there is much to do, so that hints and deliveries are dealt with together.
const BREATH: Duration = Duration::from_millis(1);
/// Longest time without a look.
const NAP: Duration = Duration::from_secs(60);
/// Between two rounds of giving up what is too old.
const EXPIRY: Duration = Duration::from_secs(3600);
const DAY_MS: u64 = 24 * 3_600_000;

/// A room and a follower.
type Key = (String, String);

/// Delivers until the server stops. `woken` says that a batch may be due.
pub async fn run(shared: Arc<Shared>, woken: Arc<Notify>) {
    let mut stop = shared.stopping();
    let mut outbox = Outbox {
        shared,
        in_flight: HashSet::new(),
        followers: Followers::default(),
        couriers: JoinSet::new(),
        waiting: 0,
    };
    loop {
        let next = outbox.send_due();
        let hinted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(delivered) = outbox.couriers.join_next() => {
                outbox.returned(delivered);
                // Others are probably back, too.
                while let Some(delivered) = outbox.couriers.try_join_next() {
                    outbox.returned(delivered);
                }
                false
            }
            () = woken.notified() => true,
            () = sleep(next) => false,
        };
        if hinted {
            outbox.breathe().await;
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
    followers: Followers,
    couriers: JoinSet<(Key, Delivered)>,
    /// Due batches that waited for their follower at the last look: the next look must see beyond them.
    waiting: usize,
}

impl Outbox {
    /// Sends what may be sent now; says how long there is nothing to do unless something happens.
    fn send_due(&mut self) -> Duration {
        let room = IN_FLIGHT.saturating_sub(self.in_flight.len());
        if room == 0 {
            return NAP;
        }
        let now = self.shared.ambient.now();
        let limit = PAGE
            .saturating_add(self.in_flight.len())
            .saturating_add(self.waiting);
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
                    }
                }
            }
        }
        self.waiting = waiting.into_values().map(|ahead| ahead.min(QUEUE)).sum();
        if full_page && sent > 0 {
            return BREATH;
        }
        self.until_next(now)
            .min(Duration::from_millis(soonest.saturating_sub(now)))
    }

    /// Lets further hints arrive before the next look, where there is much to do: alone, a message waits for nothing.
    async fn breathe(&self) {
        if self.in_flight.len() > 2 {
            sleep(BREATH).await;
        }
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
                self.followers.returned(&key.1, delivered, ambient.now(), ambient);
                self.in_flight.remove(&key);
            }
            // A bug; which batch it was is not known, so none counts as in flight: followers recognise a repetition.
            Err(error) => {
                tracing::error!(%error, "a delivery was interrupted");
                self.in_flight.clear();
                self.followers = Followers::default();
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
