//! Two people may open a direct room with each other at once, each at their own provider. Of the rooms in which the
//! other was reached, the one with the lexicographically smallest identifier goes on, which both sides find alike;
//! the others are read-only and point to it, and what was not sent yet moves over.

use sabir_wire::content::{MimiContent, Origin};
use sabir_wire::uri::{RoomUri, UserUri};

use super::ClientError;
use super::apply::{engine_id, local_id};
use super::keeper::{Keeper, Work};
use crate::store::{Change, Entry, Marks, RoomRecord, TimelineRow};
use crate::types::{MessageState, RoomKind};

impl Keeper {
    /// Looks whether a room that came to be is a second one with the same person.
    pub(super) fn unite(&mut self, room: &RoomUri) -> Result<(), ClientError> {
        let rooms: Vec<RoomRecord> = self.store.read(|tx| {
            let record = tx.room(room.as_str())?;
            let direct = record.filter(|record| record.kind == RoomKind::Direct);
            match direct.and_then(|record| record.with) {
                Some(person) => tx.direct_rooms(&person),
                None => Ok(Vec::new()),
            }
        })?;
        let mut rooms: Vec<RoomRecord> = rooms.into_iter().filter(RoomRecord::is_in_use).collect();
        rooms.sort_by(|a, b| a.room.cmp(&b.room));
        let Some(winner) = rooms.iter().find(|record| record.ready).cloned() else {
            return Ok(());
        };
        // A room before it, in which the other was not reached, may still become the one.
        for loser in rooms.iter().filter(|record| record.room > winner.room) {
            self.go_on_in(loser, &winner)?;
        }
        Ok(())
    }

    fn go_on_in(&mut self, from: &RoomRecord, to: &RoomRecord) -> Result<(), ClientError> {
        let unsent: Vec<TimelineRow> = self.store.read(|tx| tx.unordered(&from.room))?;
        let movable: Vec<u64> = unsent
            .iter()
            .filter(|row| moves(&row.entry))
            .filter_map(|row| row.local_id)
            .collect();
        let (from, to) = (RoomUri::parse(&from.room)?, RoomUri::parse(&to.room)?);
        // Taken out, so that an error leaves none behind.
        let mut winner = self.take_engine(&to)?;
        let me = self.me.clone();
        self.step(&from, "unite rooms", |step| {
            let (effects, gone) = step
                .engine
                .withdraw(|id| local_id(id).is_some_and(|id| movable.contains(&id)));
            step.absorb(effects)?;
            for id in gone.into_iter().filter_map(local_id) {
                let Some(row) = unsent.iter().find(|row| row.local_id == Some(id)) else {
                    continue;
                };
                let compose = |origin: Origin<'_>| MimiContent::plain(origin, &row.entry.text);
                let effects = winner.send(step.cx, engine_id(id), compose, step.rng)?;
                super::apply::absorb(step.tx, &me, &winner, effects)?;
                step.tx
                    .move_message(row.id, from.as_str(), to.as_str(), &row.entry)?;
                let room = to.to_string();
                step.tx
                    .append_change(&Change::MessageChanged { room, id: row.id })?;
            }
            if let Some(mut record) = step.tx.room(from.as_str())? {
                record.goes_on_in = Some(to.to_string());
                record.blocked = None;
                step.tx.put_room(&record)?;
                let room = from.to_string();
                step.tx.append_change(&Change::RoomChanged { room })?;
            }
            Ok(())
        })?;
        self.keep_engine(winner);
        self.work(Work::Room(from));
        self.work(Work::Room(to));
        Ok(())
    }

    /// The room in which a direct conversation goes on, following what took its place.
    pub(super) fn place_of(&mut self, room: &RoomUri) -> Result<Option<RoomUri>, ClientError> {
        let record = self.store.read(|tx| tx.room(room.as_str()))?;
        let next = record.and_then(|record| record.goes_on_in);
        Ok(next.map(|next| RoomUri::parse(&next)).transpose()?)
    }

    /// The direct room with a person that is in use: both sides choose alike among those they know.
    pub(super) fn direct_room(&mut self, person: &UserUri) -> Result<Option<RoomUri>, ClientError> {
        if *person == self.me {
            return Err(ClientError::Yourself);
        }
        let mut rooms: Vec<RoomRecord> = self.store.read(|tx| tx.direct_rooms(person.as_str()))?;
        rooms.retain(RoomRecord::is_in_use);
        let ready = rooms.iter().filter(|room| room.ready);
        let chosen = ready.min_by(|a, b| a.room.cmp(&b.room)).or(rooms.first());
        Ok(chosen.map(|room| RoomUri::parse(&room.room)).transpose()?)
    }
}

/// Whether a message that waits can be written anew elsewhere: a text alone, that answers nothing.
fn moves(entry: &Entry) -> bool {
    let state = entry.state == MessageState::Queued;
    state
        && entry.own
        && !entry.text.is_empty()
        && entry.content.is_empty()
        && entry.marks == Marks::default()
}
