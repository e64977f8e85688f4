//! The outbox in the model: a frozen batch is a value that nobody touches.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::State;
use crate::types::Hint;
use crate::{
    AckOutcome, Batch, Dropped, Due, LogEntry, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, OutboxAck, OutboxDefer,
    OutboxExpire,
};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) in_flight: Option<Batch>,
    pub(super) waiting: VecDeque<LogEntry>,
}

impl State {
    /// Freezes what waits in this room for followers with nothing in flight.
    pub(super) fn freeze_idle(&mut self, room: &str, now: u64, hints: &mut Vec<Hint>) {
        for ((of, follower), outbox) in &mut self.outboxes {
            if of == room && outbox.in_flight.is_none() && outbox.freeze(room, follower, now) {
                hints.push(hint(room, follower));
            }
        }
    }

    pub(super) fn outbox_due(&self, now: u64, each: usize) -> Vec<Due> {
        let followers: BTreeSet<&String> = self.outboxes.keys().map(|(_, follower)| follower).collect();
        let of_each = followers
            .into_iter()
            .map(|follower| self.outbox_due_to(follower, now, each));
        of_each.flatten().collect()
    }

    pub(super) fn outbox_due_to(&self, follower: &str, now: u64, limit: usize) -> Vec<Due> {
        let mut due: Vec<&Batch> = self
            .in_flight()
            .filter(|batch| batch.follower == follower && batch.next_attempt_at <= now)
            .collect();
        due.sort_by_key(|batch| (batch.next_attempt_at, &batch.room));
        let due = due.into_iter().take(limit).map(|batch| Due {
            room: batch.room.clone(),
            follower: batch.follower.clone(),
            next_attempt_at: batch.next_attempt_at,
        });
        due.collect()
    }

    pub(super) fn outbox_due_after(&self, now: u64) -> Option<u64> {
        let times = self.in_flight().map(|batch| batch.next_attempt_at);
        times.filter(|time| *time > now).min()
    }

    fn in_flight(&self) -> impl Iterator<Item = &Batch> {
        self.outboxes
            .values()
            .filter_map(|outbox| outbox.in_flight.as_ref())
    }

    pub(super) fn outbox_batch(&self, room: &str, follower: &str) -> Option<Batch> {
        let key = (room.to_owned(), follower.to_owned());
        self.outboxes.get(&key)?.in_flight.clone()
    }

    pub(super) fn outbox_ack(&mut self, command: OutboxAck, hints: &mut Vec<Hint>) -> AckOutcome {
        let OutboxAck {
            room,
            follower,
            last_seq,
            now,
        } = command;
        let Some(outbox) = self.outboxes.get_mut(&(room.clone(), follower.clone())) else {
            return AckOutcome::NotInFlight;
        };
        if outbox
            .in_flight
            .as_ref()
            .is_none_or(|batch| batch.last_seq != last_seq)
        {
            return AckOutcome::NotInFlight;
        }
        if outbox.freeze(&room, &follower, now) {
            hints.push(hint(&room, &follower));
        }
        AckOutcome::Done
    }

    pub(super) fn outbox_defer(&mut self, command: OutboxDefer) -> AckOutcome {
        let OutboxDefer {
            room,
            follower,
            last_seq,
            attempts,
            next_attempt_at,
        } = command;
        let batch = self
            .outboxes
            .get_mut(&(room, follower))
            .and_then(|outbox| outbox.in_flight.as_mut());
        match batch {
            Some(batch) if batch.last_seq == last_seq => {
                batch.attempts = attempts;
                batch.next_attempt_at = next_attempt_at;
                AckOutcome::Done
            }
            _ => AckOutcome::NotInFlight,
        }
    }

    pub(super) fn outbox_expire(&mut self, command: OutboxExpire, hints: &mut Vec<Hint>) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        for ((room, follower), outbox) in &mut self.outboxes {
            let before = dropped.len();
            while let Some(batch) = outbox
                .in_flight
                .take_if(|batch| batch.entries.last().is_none_or(|entry| entry.at < command.before))
            {
                dropped.push(Dropped {
                    room: room.clone(),
                    follower: follower.clone(),
                    first_seq: batch.first_seq,
                    last_seq: batch.last_seq,
                    entries: batch.entries.len() as u64,
                });
                outbox.freeze(room, follower, command.now);
            }
            if dropped.len() > before && outbox.in_flight.is_some() {
                hints.push(hint(room, follower));
            }
        }
        dropped
    }
}

impl Outbox {
    /// Replaces the batch in flight by the next one; says whether there is one.
    fn freeze(&mut self, room: &str, follower: &str, now: u64) -> bool {
        let mut entries = Vec::new();
        let mut bytes = 0_usize;
        while let Some(entry) = self.waiting.front() {
            bytes = bytes.saturating_add(entry.body.len());
            let full = entries.len() >= MAX_BATCH_ENTRIES || bytes > MAX_BATCH_BYTES;
            if full && !entries.is_empty() {
                break;
            }
            entries.extend(self.waiting.pop_front());
        }
        let ends = entries
            .first()
            .zip(entries.last())
            .map(|(first, last)| (first.seq, last.seq));
        self.in_flight = ends.map(|(first_seq, last_seq)| Batch {
            room: room.to_owned(),
            follower: follower.to_owned(),
            first_seq,
            last_seq,
            entries,
            attempts: 0,
            next_attempt_at: now,
        });
        self.in_flight.is_some()
    }
}

fn hint(room: &str, follower: &str) -> Hint {
    Hint::Outbox {
        room: Arc::from(room),
        follower: Arc::from(follower),
    }
}
