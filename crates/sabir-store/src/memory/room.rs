//! Rooms in the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::types::{Hash, Hint};
use crate::{
    AcceptFanout, Answer, Applied, Apply, CreateRoom, DeviceItem, FIRST_FENCE, FIRST_SEQ, LogEntry, Once,
    Placed, RoomEvent, RoomHead, RoomKind, RoomPlace, RoomState, RoomVersion, RoomWrite, StoreError,
};

#[derive(Debug)]
pub(super) struct Room {
    pub(super) head: RoomHead,
    pub(super) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) log: BTreeMap<u64, LogEntry>,
    pub(super) seen: BTreeMap<Hash, Seen>,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) seq: u64,
    pub(super) at: u64,
}

#[derive(Debug)]
pub(super) struct KeptAnswer {
    pub(super) response: Vec<u8>,
    pub(super) at: u64,
}

impl State {
    pub(super) fn create_room(
        &mut self,
        command: CreateRoom,
        hints: &mut Vec<Hint>,
    ) -> Result<Once<Applied>, StoreError> {
        let CreateRoom {
            kind,
            hub_domain,
            write,
        } = command;
        if let Some(response) = self.earlier_answer(write.answer.as_ref()) {
            return Ok(Once::AlreadyAnswered(response));
        }
        if let Some(room) = self.rooms.get(&write.room) {
            return Err(conflict(Some(&room.head)));
        }
        Ok(Once::Done(self.write_new_room(kind, hub_domain, write, hints)))
    }

    pub(super) fn apply(
        &mut self,
        command: Apply,
        hints: &mut Vec<Hint>,
    ) -> Result<Once<Applied>, StoreError> {
        let Apply { expect, write } = command;
        if let Some(response) = self.earlier_answer(write.answer.as_ref()) {
            return Ok(Once::AlreadyAnswered(response));
        }
        match self.rooms.get(&write.room) {
            Some(room) if room.head.version == expect => Ok(Once::Done(self.write_room(write, hints))),
            other => Err(conflict(other.map(|room| &room.head))),
        }
    }

    pub(super) fn accept_fanout(
        &mut self,
        command: AcceptFanout,
        hints: &mut Vec<Hint>,
    ) -> Result<Once<Applied>, StoreError> {
        let AcceptFanout {
            hub_domain,
            expect,
            write,
        } = command;
        if let Some(response) = self.earlier_answer(write.answer.as_ref()) {
            return Ok(Once::AlreadyAnswered(response));
        }
        match (self.rooms.get(&write.room), expect) {
            (None, None) => Ok(Once::Done(self.write_new_room(
                RoomKind::Follower,
                hub_domain,
                write,
                hints,
            ))),
            (Some(room), Some(version))
                if room.head
                    == RoomHead {
                        kind: RoomKind::Follower,
                        hub_domain,
                        version,
                    } =>
            {
                Ok(Once::Done(self.write_room(write, hints)))
            }
            (other, _) => Err(conflict(other.map(|room| &room.head))),
        }
    }

    pub(super) fn load_room(&self, room: &str) -> Option<RoomState> {
        self.rooms.get(room).map(|room| RoomState {
            kind: room.head.kind,
            hub_domain: room.head.hub_domain.clone(),
            version: room.head.version,
            rows: room.rows.clone(),
        })
    }

    pub(super) fn list_rooms(&self) -> BTreeMap<String, RoomHead> {
        self.rooms
            .iter()
            .map(|(name, room)| (name.clone(), room.head.clone()))
            .collect()
    }

    pub(super) fn room_log(&self, room: &str, after_seq: u64, limit: usize) -> Vec<LogEntry> {
        let after = after_seq.saturating_add(1)..;
        self.rooms.get(room).map_or_else(Vec::new, |room| {
            room.log
                .range(after)
                .take(limit)
                .map(|(_, entry)| entry.clone())
                .collect()
        })
    }

    pub(super) fn seen_message(&self, room: &str, message_hash: &Hash) -> Option<u64> {
        Some(self.rooms.get(room)?.seen.get(message_hash)?.seq)
    }

    pub(super) fn answered(&self, origin: &str, request_hash: &Hash) -> Option<Vec<u8>> {
        self.answers
            .get(&(origin.to_owned(), *request_hash))
            .map(|kept| kept.response.clone())
    }

    pub(super) fn earlier_answer(&self, answer: Option<&Answer>) -> Option<Vec<u8>> {
        answer.and_then(|answer| self.answered(&answer.origin, &answer.request_hash))
    }

    pub(super) fn keep_answer(&mut self, answer: Option<Answer>, now: u64) {
        if let Some(Answer {
            origin,
            request_hash,
            response,
        }) = answer
        {
            self.answers
                .insert((origin, request_hash), KeptAnswer { response, at: now });
        }
    }

    fn write_new_room(
        &mut self,
        kind: RoomKind,
        hub_domain: String,
        write: RoomWrite,
        hints: &mut Vec<Hint>,
    ) -> Applied {
        let version = RoomVersion {
            epoch: write.new_epoch,
            next_seq: FIRST_SEQ,
            fence: FIRST_FENCE,
        };
        let room = Room {
            head: RoomHead {
                kind,
                hub_domain,
                version,
            },
            rows: BTreeMap::new(),
            log: BTreeMap::new(),
            seen: BTreeMap::new(),
        };
        self.rooms.insert(write.room.clone(), room);
        self.write_room(write, hints)
    }

    /// Everything is checked: from here on nothing fails.
    fn write_room(&mut self, write: RoomWrite, hints: &mut Vec<Hint>) -> Applied {
        let RoomWrite {
            room: name,
            new_epoch,
            row_deletes,
            row_puts,
            events,
            spent_routes,
            answer,
            now,
        } = write;
        if let Some(room) = self.rooms.get_mut(&name) {
            room.head.version.epoch = new_epoch;
            for key in &row_deletes {
                room.rows.remove(key);
            }
            room.rows.extend(row_puts);
        }
        let events = events
            .into_iter()
            .map(|event| self.append(&name, event, now, hints))
            .collect();
        for reference in &spent_routes {
            self.routes.remove(reference);
        }
        self.keep_answer(answer, now);
        self.freeze_idle(&name, now, hints);
        let version = self.rooms.get(&name).map_or(
            RoomVersion {
                epoch: new_epoch,
                next_seq: FIRST_SEQ,
                fence: FIRST_FENCE,
            },
            |room| room.head.version,
        );
        Applied { version, events }
    }

    fn append(&mut self, name: &str, event: RoomEvent, now: u64, hints: &mut Vec<Hint>) -> Placed {
        let RoomEvent {
            kind,
            body,
            message_hash,
            devices,
            followers,
        } = event;
        let Some(room) = self.rooms.get_mut(name) else {
            return Placed::Stored(0);
        };
        if let Some(seen) = message_hash.and_then(|hash| room.seen.get(&hash)) {
            return Placed::Duplicate(seen.seq);
        }
        let seq = room.head.version.next_seq;
        room.head.version.next_seq = seq.saturating_add(1);
        if let Some(hash) = message_hash {
            room.seen.insert(hash, Seen { seq, at: now });
        }
        let entry = LogEntry {
            seq,
            kind,
            at: now,
            body: body.into(),
        };
        room.log.insert(seq, entry.clone());
        for device in &unique(devices) {
            let place = Some(RoomPlace {
                room: name.into(),
                seq,
            });
            self.enqueue(device, |cursor| DeviceItem {
                cursor,
                place,
                kind,
                at: now,
                body: entry.body.clone(),
            });
            hints.push(Hint::Device(Arc::from(device.as_str())));
        }
        for follower in unique(followers) {
            self.outboxes
                .entry((name.to_owned(), follower))
                .or_default()
                .waiting
                .push_back(entry.clone());
        }
        Placed::Stored(seq)
    }
}

fn conflict(current: Option<&RoomHead>) -> StoreError {
    StoreError::Conflict {
        current: current.cloned().map(Box::new),
    }
}

fn unique(names: Vec<String>) -> std::collections::BTreeSet<String> {
    names.into_iter().collect()
}
