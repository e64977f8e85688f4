//! What an engine brought about, written into rows, rooms, timeline and changes.

use sabir_core::conversation::{Alarm, Conversation, ConversationEvent, Effects, LocalId};
use sabir_wire::content::MimiContent;
use sabir_wire::uri::UserUri;

use super::ClientError;
use super::received::receive;
use crate::store::{Change, Deed, Entry, Marks, RoomRecord, StoreError, Tx};
use crate::types::{MessageState, RoomKind};

/// A local id as the engine keeps it.
pub(super) fn engine_id(local_id: u64) -> LocalId {
    let mut id = [0; 16];
    let (_, low) = id.split_at_mut(8);
    low.copy_from_slice(&local_id.to_be_bytes());
    id
}

pub(super) fn local_id(id: LocalId) -> Option<u64> {
    let low = id.last_chunk::<8>()?;
    Some(u64::from_be_bytes(*low))
}

/// The record of a room this device just came into.
pub(super) fn new_record(engine: &Conversation, me: &UserUri, now: u64) -> RoomRecord {
    let state = engine.state();
    RoomRecord {
        room: engine.room().to_string(),
        kind: if state.is_direct() {
            RoomKind::Direct
        } else {
            RoomKind::Group
        },
        with: state.other(me).map(ToString::to_string),
        members: members(engine),
        blocked: None,
        closed: false,
        ready: engine.is_ready(),
        joined: now,
    }
}

/// Writes effects of `engine`. The room has its record already.
pub(super) fn absorb(
    tx: &mut Tx<'_>,
    me: &UserUri,
    engine: &Conversation,
    effects: Effects,
) -> Result<(), ClientError> {
    let room = engine.room().as_str();
    tx.apply(room, &effects.changes)?;
    if effects.events.is_empty() {
        return Ok(());
    }
    let before = tx.room(room)?.ok_or(ClientError::NoRoom)?;
    let mut record = before.clone();
    for event in effects.events {
        match event {
            ConversationEvent::Accepted { local_id, accepted } => accept(tx, local_id, accepted)?,
            ConversationEvent::Message(message) => receive(tx, me, engine, *message)?,
            ConversationEvent::Unreadable { accepted, reason } => unreadable(tx, room, accepted, &reason)?,
            ConversationEvent::Ready => {
                record.ready = true;
                record.blocked = None;
            }
            ConversationEvent::Waiting { reason, .. } => record.blocked = Some(reason),
            ConversationEvent::Removed { .. } => {
                record.closed = true;
                record.blocked = Some("you are no longer in this room".to_owned());
                fail_unsent(tx, room, "you are no longer in this room")?;
            }
            ConversationEvent::Alarm(alarm) => {
                let text = describe(&alarm);
                if let Alarm::Refused { .. } = alarm {
                    record.closed = true;
                    record.blocked = Some(text.clone());
                    fail_unsent(tx, room, &text)?;
                }
                tx.append_change(&Change::Alarm {
                    room: room.to_owned(),
                    text,
                })?;
            }
            // Who is there is read from the engine below.
            _ => {}
        }
    }
    if let Some(reason) = engine.sending_stopped() {
        record.blocked = Some(format!("Messages wait until you decide: {reason}"));
    }
    record.members = members(engine);
    if record != before {
        tx.put_room(&record)?;
        tx.append_change(&Change::RoomChanged {
            room: room.to_owned(),
        })?;
    }
    Ok(())
}

/// Says in a room that something is wrong.
pub(super) fn alarm(tx: &mut Tx<'_>, room: &str, text: &str) -> Result<(), StoreError> {
    tx.append_change(&Change::Alarm {
        room: room.to_owned(),
        text: text.to_owned(),
    })?;
    Ok(())
}

fn members(engine: &Conversation) -> Vec<String> {
    let list = &engine.state().participants.participants;
    list.iter()
        .map(|participant| participant.user.to_string())
        .collect()
}

/// The hub accepted a message; its place in the room comes with the log.
fn accept(tx: &mut Tx<'_>, id: LocalId, accepted: u64) -> Result<(), StoreError> {
    let Some((record, row)) = local_id(id)
        .map(|id| tx.message_by_local_id(id))
        .transpose()?
        .flatten()
    else {
        return Ok(());
    };
    let entry = Entry {
        state: MessageState::Sent,
        timestamp: accepted,
        problem: None,
        ..row.entry
    };
    tx.update_message(&record.room, row.id, &entry)?;
    tx.append_change(&Change::MessageChanged {
        room: record.room,
        id: row.id,
    })?;
    Ok(())
}

fn unreadable(tx: &mut Tx<'_>, room: &str, accepted: u64, reason: &str) -> Result<(), StoreError> {
    let entry = Entry {
        sender: String::new(),
        text: String::new(),
        content: String::new(),
        frank: None,
        message_id: None,
        timestamp: accepted,
        state: MessageState::Received,
        own: false,
        verified: false,
        problem: Some(format!("A message cannot be read: {reason}")),
        marks: Marks::default(),
    };
    if let Some(id) = tx.append_message(room, &entry)? {
        tx.append_change(&Change::MessageAdded {
            room: room.to_owned(),
            id,
        })?;
    }
    Ok(())
}

/// What waits in a room that is closed will not go out.
fn fail_unsent(tx: &mut Tx<'_>, room: &str, reason: &str) -> Result<(), StoreError> {
    for row in tx.unordered(room)? {
        if row.entry.state == MessageState::Queued {
            let entry = Entry {
                state: MessageState::Failed,
                problem: Some(reason.to_owned()),
                ..row.entry
            };
            tx.update_message(room, row.id, &entry)?;
            tx.append_change(&Change::MessageChanged {
                room: room.to_owned(),
                id: row.id,
            })?;
        }
    }
    for row in tx.waiting_deeds(Some(room))? {
        let deed = Deed {
            state: MessageState::Failed,
            problem: Some(reason.to_owned()),
            ..row.deed
        };
        tx.update_deed(room, row.id, &deed)?;
        if let Some(local_id) = row.local_id {
            tx.append_change(&Change::Asked { local_id })?;
        }
    }
    Ok(())
}

/// What a message says, as text.
pub(super) fn text_of(content: &[u8]) -> String {
    let content = MimiContent::from_bytes(content).ok();
    content
        .and_then(|content| content.fallback_text(&[]).map(str::to_owned))
        .unwrap_or_default()
}

fn describe(alarm: &Alarm) -> String {
    match alarm {
        Alarm::Unverified { reason } => format!("A device came in whose identity is not proved: {reason}"),
        Alarm::Forbidden { reason } => format!("The room was changed against its rules: {reason}"),
        Alarm::SendingRefused { reason } => format!("Your messages are not taken here: {reason}"),
        Alarm::Gap { .. } => "Messages are missing here; what follows cannot be read".to_owned(),
        Alarm::BadCommit { reason, .. } => format!("A change of the room cannot be followed: {reason}"),
        Alarm::Refused { reason } => format!("The room's provider refused: {reason}"),
        _ => "Something is wrong with this room".to_owned(),
    }
}
