//! Housekeeping in the model.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::{Expired, Retention};

impl State {
    pub(super) fn expire(&mut self, now: u64, retention: Retention) -> Expired {
        let log_before = now.saturating_sub(retention.log_ms);
        let hashes_before = now.saturating_sub(retention.hashes_ms);
        let answers_before = now.saturating_sub(retention.answers_ms);
        let needed = self.needed_bodies();
        let mut expired = Expired::default();
        for (name, room) in &mut self.rooms {
            let gone = drop_if(&mut room.log, |seq, entry| {
                entry.at < log_before && !needed.contains(&(name.clone(), *seq))
            });
            expired.bodies = expired.bodies.saturating_add(gone);
            let gone = drop_if(&mut room.seen, |_, seen| seen.at < hashes_before);
            expired.hashes = expired.hashes.saturating_add(gone);
        }
        expired.answers = drop_if(&mut self.answers, |_, kept| kept.at < answers_before);
        expired.takes = drop_if(&mut self.takes, |_, take| take.at < answers_before);
        expired.key_packages = drop_if(&mut self.packages, |_, package| package.row.not_after < now);
        expired.routes = drop_if(&mut self.routes, |_, kept| kept.expires_at < now);
        expired.tokens = drop_if(&mut self.tokens, |_, token| token.expires_at <= now);
        expired.invites = drop_if(&mut self.invites, |_, invite| invite.expires_at <= answers_before);
        expired
    }

    /// Room and sequence number of every body that a device or a follower has yet to get.
    fn needed_bodies(&self) -> BTreeSet<(String, u64)> {
        let queued = self
            .queues
            .values()
            .flat_map(|queue| queue.items.values())
            .filter_map(|item| {
                let place = item.place.as_ref()?;
                Some((place.room.to_string(), place.seq))
            });
        let outgoing = self.outboxes.iter().flat_map(|((room, _), outbox)| {
            let frozen = outbox.in_flight.iter().flat_map(|batch| &batch.entries);
            frozen
                .chain(&outbox.waiting)
                .map(move |entry| (room.clone(), entry.seq))
        });
        queued.chain(outgoing).collect()
    }
}

fn drop_if<K: Ord, V>(map: &mut BTreeMap<K, V>, gone: impl Fn(&K, &V) -> bool) -> u64 {
    let before = map.len();
    map.retain(|key, value| !gone(key, value));
    before.saturating_sub(map.len()) as u64
}
