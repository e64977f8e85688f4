//! Fan-out to other providers: every batch that is due goes to its follower, until it is accepted or too old.
//!
//! ```text
//! store: one frozen batch per room and follower --hint--> courier --POST notify--> follower
//!          ^            \--due again, or missed--> look --^  |
//!          +---- ack (freezes the next) | defer (backoff) ---+
//! ```
//!
//! A batch that was just frozen comes by its hint, and the store still has it in memory. Everything else, which is
//! what a restart left, what is tried again and what was hinted at too fast, is found by looks into the store. Both end in
//! lines, one for each follower, which hold names alone: what a batch consists of is read when there is a place for it.
//!
//! Each batch travels in a task of its own. Places go round among the followers. One gets few at once until it accepted
//! some, and never so many that others find none, so that a slow or dead one delays no other. A follower that cannot be
//! reached at all is left alone for a while; then one batch finds out for all.
//!
//! Invariant: at most one request for a room and follower is in flight, always with the same bytes until it is accepted;
//! so a follower recognises what it has already.

mod courier;
mod followers;
mod lines;
mod ready;
mod wait;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sabir_store::{Batch, Due, OutboxExpire, StoreError};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::ready::Ready;

use self::courier::{Delivered, deliver};
use self::followers::{AT_ONCE, Followers, IN_FLIGHT, State};
use self::lines::{Lines, Next, QUEUE};
use self::ready::Key;
use crate::server::Shared;

/// Batches of one follower that a look brings: those in flight, a full line, and one that tells that there are more.
const EACH: usize = QUEUE + AT_ONCE + 1;
/// Shortest time between two looks.
const BREATH: Duration = Duration::from_millis(20);
/// Longest time without a look.
const NAP: Duration = Duration::from_secs(60);
/// After a failure of the store, in milliseconds.
const AGAIN_MS: u64 = 1000;
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
        lines: Lines::default(),
        followers: Followers::default(),
        couriers: JoinSet::new(),
        look_at: Instant::now(),
        not_before: Instant::now(),
        back_at: None,
    };
    loop {
        let (hinted, everything) = ready.take();
        for key in hinted {
            outbox.hinted(key);
        }
        if everything {
            outbox.look_at = outbox.look_at.min(outbox.not_before);
        }
        if outbox.look_at <= Instant::now() {
            outbox.look();
        }
        outbox.send_waiting();
        let awake_at = outbox.back_at.map_or(outbox.look_at, |at| at.min(outbox.look_at));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(delivered) = outbox.couriers.join_next() => {
                outbox.returned(delivered);
                // Others are probably back, too.
                while let Some(delivered) = outbox.couriers.try_join_next() {
                    outbox.returned(delivered);
                }
            }
            () = ready.woken() => {}
            () = sleep_until(awake_at) => {}
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
    lines: Lines,
    followers: Followers,
    couriers: JoinSet<(Key, (Delivered, Duration))>,
    /// When to look next, unless something says so before.
    look_at: Instant,
    /// The earliest time for a look.
    not_before: Instant,
    /// When the first of those who are left alone, and for whom something waits, is tried again.
    back_at: Option<Instant>,
}

impl Outbox {
    /// Notes a batch that was just frozen, or may have been.
    fn hinted(&mut self, key: Key) {
        if self.in_flight.contains(&key) {
            self.again.insert(key);
        } else {
            self.lines.push(key);
        }
    }

    /// Sends what waits for a place, as far as there is one now.
    fn send_waiting(&mut self) {
        let now = self.shared.ambient.now();
        loop {
            let free = self.free();
            let mut back = u64::MAX;
            let turns = self
                .lines
                .turns(|follower| match self.followers.state(follower, now, free) {
                    State::Free => true,
                    State::Busy => false,
                    State::Down { until } => {
                        back = back.min(until);
                        false
                    }
                });
            let wait = Duration::from_millis(back.saturating_sub(now)).min(NAP);
            self.back_at = Instant::now().checked_add(wait);
            if turns.is_empty() {
                return;
            }
            for follower in turns {
                // Those before may have taken the last place.
                if self.followers.state(&follower, now, self.free()) == State::Free {
                    self.serve(&follower, now);
                }
            }
        }
    }

    fn free(&self) -> usize {
        IN_FLIGHT.saturating_sub(self.in_flight.len())
    }

    /// Sends the next batch that waits for this follower and is still due; where there is none, its line is gone after
    /// this.
    fn serve(&mut self, follower: &str, now: u64) {
        self.lines.served(follower);
        loop {
            match self.lines.pop(follower) {
                Next::Room(room) => match self.fetch((room, follower.to_owned()), now) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        // The next look finds what was in it.
                        self.lines.forget(follower);
                        return self.unreadable(&error, now);
                    }
                },
                Next::Look => match self.shared.store.outbox_due_to(follower, now, EACH) {
                    Ok(due) => self.due(due),
                    Err(error) => return self.unreadable(&error, now),
                },
                Next::Nothing => return,
            }
        }
    }

    /// Sends a batch if it is due; says whether it did.
    fn fetch(&mut self, key: Key, now: u64) -> Result<bool, StoreError> {
        let Some(batch) = self.shared.store.outbox_batch(&key.0, &key.1)? else {
            // Acknowledged.
            return Ok(false);
        };
        // One that was never tried was not put off: if its time is to come, the clock was set back.
        if batch.attempts == 0 || batch.next_attempt_at <= now {
            self.send(key, batch);
            return Ok(true);
        }
        self.look_within(batch.next_attempt_at, now);
        Ok(false)
    }

    /// Notes what is due, and when the next is.
    fn look(&mut self) {
        let now = self.shared.ambient.now();
        self.not_before = Instant::now().checked_add(BREATH).unwrap_or(self.look_at);
        self.look_at = Instant::now().checked_add(NAP).unwrap_or(self.look_at);
        match self.shared.store.outbox_due(now, EACH) {
            Ok(due) => self.due(due),
            Err(error) => self.unreadable(&error, now),
        }
        self.look_when_next(now);
    }

    fn due(&mut self, due: Vec<Due>) {
        for Due { room, follower, .. } in due {
            let key = (room, follower);
            self.hinted(key);
        }
    }

    /// Looks no later than at `time`, milliseconds since 1970.
    fn look_within(&mut self, time: u64, now: u64) {
        let wait = Duration::from_millis(time.saturating_sub(now)).min(NAP);
        if let Some(at) = Instant::now().checked_add(wait) {
            self.look_at = self.look_at.min(at.max(self.not_before));
        }
    }

    /// Looks when the next batch is due that is not due by now.
    fn look_when_next(&mut self, now: u64) {
        match self.shared.store.outbox_due_after(now) {
            Ok(Some(next)) => self.look_within(next, now),
            Ok(None) => {}
            Err(error) => self.unreadable(&error, now),
        }
    }

    fn unreadable(&mut self, error: &StoreError, now: u64) {
        tracing::warn!(%error, "the outbox cannot be read; it is tried again");
        self.look_within(now.saturating_add(AGAIN_MS), now);
    }

    fn send(&mut self, key: Key, batch: Batch) {
        self.followers.sent(&batch.follower);
        self.in_flight.insert(key.clone());
        let shared = Arc::clone(&self.shared);
        self.couriers.spawn(async move {
            let begun = Instant::now();
            let delivered = deliver(&shared, batch).await;
            (key, (delivered, begun.elapsed()))
        });
    }

    fn returned(&mut self, delivered: Result<(Key, (Delivered, Duration)), tokio::task::JoinError>) {
        match delivered {
            Ok((key, (delivered, took))) => {
                let ambient = &self.shared.ambient;
                let now = ambient.now();
                self.followers.returned(&key.1, (delivered, took), now, ambient);
                self.in_flight.remove(&key);
                if self.again.remove(&key) {
                    self.lines.push(key);
                }
                match delivered {
                    Delivered::Accepted => {}
                    Delivered::Unacknowledged => self.look_within(now.saturating_add(AGAIN_MS), now),
                    // It was put off; when to, the store knows. That time may have come, or not be written down.
                    Delivered::Answered | Delivered::Unreachable => {
                        self.look_within(now.saturating_add(AGAIN_MS), now);
                        self.look_when_next(now);
                    }
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
