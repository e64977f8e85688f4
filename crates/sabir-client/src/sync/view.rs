//! The profile as faces see it.

use sabir_wire::uri::{RoomUri, UserUri};

use super::ClientError;
use super::groups::Named;
use super::keeper::Keeper;
use crate::store::{self, Change, DeedKind, DeedRow, RoomRecord, StoreError, TimelineRow, Tx};
use crate::types::{Event, Marks, Message, MessageState, Notice, Outgoing, Quote, Reaction, Room, Version};

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
            rows.into_iter()
                .map(|row| Ok(message(tx, uri.as_str(), row)?))
                .collect()
        })
    }

    pub(super) fn outgoing(&mut self, local_id: u64) -> Result<Outgoing, ClientError> {
        let found = self.store.read(|tx| outgoing_of(tx, local_id))?;
        found.ok_or(ClientError::NoMessage)
    }

    pub(super) fn message(&mut self, of: &str) -> Result<Message, ClientError> {
        let (room, row) = self.locate(of)?;
        self.store.read(|tx| Ok(message(tx, room.as_str(), row)?))
    }

    pub(super) fn versions(&mut self, of: &str) -> Result<Vec<Version>, ClientError> {
        let (_, row) = self.locate(of)?;
        if row.entry.marks.deleted.is_some() {
            return Ok(Vec::new());
        }
        let deeds = self.store.read(|tx| tx.deeds_of(row.id))?;
        let mut versions: Vec<Version> = deeds
            .into_iter()
            .filter_map(|deed| match deed.deed.kind {
                DeedKind::Edit { before } => before,
                _ => None,
            })
            .map(|version| Version {
                message_id: version.message_id,
                text: version.text,
                timestamp_ms: version.timestamp,
            })
            .collect();
        let entry = row.entry;
        versions.push(Version {
            message_id: entry.marks.version.or(entry.message_id),
            text: entry.text,
            timestamp_ms: entry.marks.edited.unwrap_or(entry.timestamp),
        });
        Ok(versions)
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

    /// A room by its identifier, its name, or the person it is shared with.
    pub(super) fn resolve(&mut self, of: &str) -> Result<RoomUri, ClientError> {
        let person = match self.named(of)? {
            Named::Room(room) => return Ok(room),
            Named::Person(person) => person,
        };
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
        Change::MessageAdded { room, id } => match tx.message(&room, id)? {
            Some(row) => Some(Event::MessageAdded {
                message: message(tx, &room, row)?,
            }),
            None => None,
        },
        Change::MessageChanged { room, id } => match tx.message(&room, id)? {
            Some(row) => Some(Event::MessageChanged {
                message: message(tx, &room, row)?,
            }),
            None => None,
        },
        Change::Asked { local_id } => outgoing_of(tx, local_id)?.map(|outgoing| Event::Outgoing { outgoing }),
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

/// One room, by its identifier.
pub(super) fn room_of(tx: &Tx<'_>, uri: &str) -> Result<Room, ClientError> {
    let record = tx.room(uri)?.ok_or(ClientError::NoRoom)?;
    Ok(room(tx, record)?)
}

fn room(tx: &Tx<'_>, record: RoomRecord) -> Result<Room, StoreError> {
    let last = tx.timeline(&record.room, None, 1)?.pop();
    let reading = tx.reading(&record.room)?;
    let hub = RoomUri::parse(&record.room).map(|uri| uri.authority().to_string());
    Ok(Room {
        hub: hub.map_err(|_| StoreError::Damaged("rooms"))?,
        kind: record.kind,
        with: record.with.as_deref().map(address),
        name: Some(record.name).filter(|name| !name.is_empty()),
        role: Some(record.role).filter(|role| !role.is_empty()),
        waits_for: record.awaited.iter().map(|person| address(person)).collect(),
        goes_on_in: record.goes_on_in,
        in_room: !record.closed,
        members: record.members.iter().map(|member| address(member)).collect(),
        blocked: record.blocked,
        joined_ms: record.joined,
        unread: reading.unread,
        read_position: reading.read,
        last: last.map(|row| message(tx, &record.room, row)).transpose()?,
        room: record.room,
    })
}

pub(super) fn outgoing_of(tx: &Tx<'_>, local_id: u64) -> Result<Option<Outgoing>, StoreError> {
    let (room, state, message_id, timestamp, problem) = match tx.message_by_local_id(local_id)? {
        Some((room, TimelineRow { entry, .. })) => (
            room,
            entry.state,
            entry.message_id,
            entry.timestamp,
            entry.problem,
        ),
        None => match tx.deed_by_local_id(local_id)? {
            Some((room, DeedRow { deed, .. })) => {
                (room, deed.state, deed.message_id, deed.timestamp, deed.problem)
            }
            None => return super::links::outgoing(tx, local_id),
        },
    };
    let waits_because = room.blocked.filter(|_| state == MessageState::Queued);
    Ok(Some(Outgoing {
        local_id,
        state,
        room: Some(room.room),
        message_id,
        accepted_ms: (state == MessageState::Sent).then_some(timestamp),
        problem: problem.or(waits_because),
    }))
}

fn message(tx: &Tx<'_>, room: &str, row: TimelineRow) -> Result<Message, StoreError> {
    let entry = row.entry;
    let expires_ms = tx.expiry(row.id)?;
    let marks = Marks {
        expires_ms,
        ..marks(tx, room, entry.marks)?
    };
    Ok(Message {
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
        marks,
    })
}

fn marks(tx: &Tx<'_>, room: &str, marks: store::Marks) -> Result<Marks, StoreError> {
    let addresses = |people: &[String]| people.iter().map(|person| address(person)).collect();
    let mut reactions: Vec<Reaction> = Vec::new();
    for reacted in &marks.reactions {
        let from = address(&reacted.from);
        match reactions
            .iter_mut()
            .find(|reaction| reaction.reaction == reacted.reaction)
        {
            // Two devices of one person are one person.
            Some(reaction) if reaction.from.contains(&from) => {}
            Some(reaction) => reaction.from.push(from),
            None => reactions.push(Reaction {
                reaction: reacted.reaction.clone(),
                from: vec![from],
            }),
        }
    }
    Ok(Marks {
        files: marks.files,
        reply_to: marks.reply_to.map(|id| quote(tx, room, id)).transpose()?,
        edited_ms: marks.edited,
        deleted_by: marks
            .deleted
            .filter(|_| !marks.expired)
            .map(|deletion| address(&deletion.by)),
        expired: marks.expired,
        expires_ms: None,
        expires_after_s: marks.expires_after,
        breaks: marks.breaks,
        reactions,
        delivered_to: addresses(&marks.delivered_to),
        read_by: addresses(&marks.read_by),
        change: marks.change.map(|change| (*change).with_people(address)),
    })
}

/// What a reply answers, as it is now. It is looked up rather than kept, so that what was deleted is in no quotation
/// (draft-ietf-mimi-content §5.6).
fn quote(tx: &Tx<'_>, room: &str, message_id: String) -> Result<Quote, StoreError> {
    let row = match tx.message_by_id(room, &message_id)? {
        Some(row) => Some(row),
        None => match tx.deed_by_id(room, &message_id)? {
            Some(deed) => tx.message(room, deed.target)?,
            None => None,
        },
    };
    let Some(row) = row else {
        return Ok(Quote {
            message_id,
            id: None,
            from: None,
            text: None,
            changed: false,
            deleted: false,
        });
    };
    let entry = row.entry;
    let deleted = entry.marks.deleted.is_some();
    let newest = entry.marks.version.or(entry.message_id);
    Ok(Quote {
        changed: !deleted && newest.as_ref() != Some(&message_id),
        message_id,
        id: Some(row.id),
        from: Some(address(&entry.sender)),
        text: (!deleted).then(|| beginning(&entry.text).to_owned()),
        deleted,
    })
}

fn beginning(text: &str) -> &str {
    let end = (0..=Quote::LENGTH.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// The address of a person's identifier; what is none stays as it is.
fn address(user: &str) -> String {
    UserUri::parse(user).map_or_else(|_| user.to_owned(), |user| user.to_address())
}
