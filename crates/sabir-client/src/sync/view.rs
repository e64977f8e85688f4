//! The profile as faces see it.

use sabir_wire::uri::{RoomUri, UserUri};

use super::ClientError;
use super::keeper::Keeper;
use crate::store::{Change, RoomRecord, StoreError, TimelineRow, Tx};
use crate::types::{Event, Message, MessageState, Notice, Outgoing, Room};

/// Most messages or events in one answer.
const MAX_PAGE: u32 = 1000;

/// Events after a cursor.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) notices: Vec<Notice>,
    /// Behind the last change that was looked at, which may have come to nothing.
    pub(super) cursor: u64,
}

impl Keeper {
    pub(super) fn rooms(&mut self) -> Result<Vec<Room>, ClientError> {
        let mut rooms = self.store.read(|tx| {
            let records = tx.rooms()?;
            records
                .into_iter()
                .map(|record| room(tx, record))
                .collect::<Result<Vec<_>, StoreError>>()
        })?;
        let latest = |room: &Room| {
            room.last
                .as_ref()
                .map_or(room.joined_ms, |last| last.timestamp_ms)
        };
        rooms.sort_by_key(|room| std::cmp::Reverse(latest(room)));
        Ok(rooms)
    }

    pub(super) fn room(&mut self, of: &str) -> Result<Room, ClientError> {
        let uri = self.resolve(of)?;
        self.store.read(|tx| {
            let record = tx.room(uri.as_str())?.ok_or(ClientError::NoRoom)?;
            Ok(room(tx, record)?)
        })
    }

    pub(super) fn timeline(
        &mut self,
        of: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Message>, ClientError> {
        let uri = self.resolve(of)?;
        self.store.read(|tx| {
            tx.room(uri.as_str())?.ok_or(ClientError::NoRoom)?;
            let rows = tx.timeline(uri.as_str(), before, limit.min(MAX_PAGE))?;
            Ok(rows.into_iter().map(|row| message(uri.as_str(), row)).collect())
        })
    }

    pub(super) fn outgoing(&mut self, local_id: u64) -> Result<Outgoing, ClientError> {
        let found = self.store.read(|tx| tx.message_by_local_id(local_id))?;
        let (room, row) = found.ok_or(ClientError::NoMessage)?;
        let entry = row.entry;
        let waits_because = room.blocked.filter(|_| entry.state == MessageState::Queued);
        Ok(Outgoing {
            local_id,
            state: entry.state,
            room: Some(room.room),
            message_id: entry.message_id,
            accepted_ms: (entry.state == MessageState::Sent).then_some(entry.timestamp),
            problem: entry.problem.or(waits_because),
        })
    }

    pub(super) fn notices(&mut self, cursor: u64, limit: u32) -> Result<Page, ClientError> {
        self.store.read(|tx| {
            let (changes, missed) = tx.changes_after(cursor, limit.min(MAX_PAGE))?;
            let mut page = Page {
                notices: Vec::with_capacity(changes.len()),
                cursor,
            };
            if missed {
                page.notices.push(Notice {
                    cursor,
                    event: Event::Missed,
                });
            }
            for (at, change) in changes {
                page.cursor = at;
                if let Some(event) = event(tx, change)? {
                    page.notices.push(Notice { cursor: at, event });
                }
            }
            Ok(page)
        })
    }

    /// A room by its identifier or by the person it is shared with.
    pub(super) fn resolve(&mut self, of: &str) -> Result<RoomUri, ClientError> {
        if let Ok(room) = RoomUri::parse(of) {
            return Ok(room);
        }
        let person = UserUri::from_address(of)?;
        if let Some(room) = self.direct_room(&person)? {
            return Ok(room);
        }
        // What was said in a room that is closed can still be read.
        let closed = self.store.read(|tx| tx.direct_rooms(person.as_str()))?.pop();
        Ok(RoomUri::parse(&closed.ok_or(ClientError::NoRoom)?.room)?)
    }
}

fn event(tx: &Tx<'_>, change: Change) -> Result<Option<Event>, StoreError> {
    Ok(match change {
        Change::MessageAdded { room, id } => tx.message(&room, id)?.map(|row| Event::MessageAdded {
            message: message(&room, row),
        }),
        Change::MessageChanged { room, id } => tx.message(&room, id)?.map(|row| Event::MessageChanged {
            message: message(&room, row),
        }),
        Change::RoomAdded { room: uri } => match tx.room(&uri)? {
            Some(record) => Some(Event::RoomAdded {
                room: room(tx, record)?,
            }),
            None => None,
        },
        Change::RoomChanged { room: uri } => match tx.room(&uri)? {
            Some(record) => Some(Event::RoomChanged {
                room: room(tx, record)?,
            }),
            None => None,
        },
        Change::Alarm { room, text } => Some(Event::Alarm { room, text }),
    })
}

fn room(tx: &Tx<'_>, record: RoomRecord) -> Result<Room, StoreError> {
    let last = tx.timeline(&record.room, None, 1)?.pop();
    let hub = RoomUri::parse(&record.room).map(|uri| uri.authority().to_string());
    Ok(Room {
        hub: hub.map_err(|_| StoreError::Damaged("rooms"))?,
        kind: record.kind,
        with: record.with.as_deref().map(address),
        members: record.members.iter().map(|member| address(member)).collect(),
        blocked: record.blocked,
        joined_ms: record.joined,
        last: last.map(|row| message(&record.room, row)),
        room: record.room,
    })
}

fn message(room: &str, row: TimelineRow) -> Message {
    let entry = row.entry;
    Message {
        room: room.to_owned(),
        id: row.id,
        position: row.position,
        message_id: entry.message_id,
        local_id: row.local_id,
        from: address(&entry.sender),
        text: entry.text,
        timestamp_ms: entry.timestamp,
        state: entry.state,
        own: entry.own,
        verified: entry.verified,
        problem: entry.problem,
    }
}

/// The address of a person's identifier; what is none stays as it is.
fn address(user: &str) -> String {
    UserUri::parse(user).map_or_else(|_| user.to_owned(), |user| user.to_address())
}
