//! What an engine brought about, written into rows, rooms, timeline and changes.

use sabir_core::conversation::{Alarm, Conversation, ConversationEvent, Effects, LocalId, Out};
use sabir_wire::content::MimiContent;
use sabir_wire::uri::UserUri;

use super::ClientError;
use super::changes::{self, Lines};
use super::devices::is_to_join;
use super::expiry;
use super::links::is_joining;
use super::received::receive;
use super::rules;
use crate::account::now;
use crate::store::{Change, Deed, Entry, Marks, RoomRecord, StoreError, Tx};
use crate::types::{MessageState, RoomChange, RoomKind};

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
    let mut record = RoomRecord {
        room: engine.room().to_string(),
        kind: if state.is_direct() {
            RoomKind::Direct
        } else {
            RoomKind::Group
        },
        // A group is nobody's conversation of two, whoever stands first on its list.
        with: state
            .other(me)
            .filter(|_| state.is_direct())
            .map(ToString::to_string),
        name: String::new(),
        members: Vec::new(),
        role: String::new(),
        awaited: Vec::new(),
        missed: Vec::new(),
        goes_on_in: None,
        making: None,
        blocked: None,
        closed: false,
        ready: engine.is_ready(),
        joined: now,
    };
    changes::describe_people(&mut record, engine, me);
    record
}

/// Writes effects of `engine`. The room has its record already. Says whether it is ready from now on.
pub(super) fn absorb(
    tx: &mut Tx<'_>,
    me: &UserUri,
    engine: &Conversation,
    effects: Effects,
) -> Result<bool, ClientError> {
    let room = engine.room().as_str();
    if effects.changes.is_empty() && effects.events.is_empty() {
        return Ok(false);
    }
    tx.apply(room, &effects.changes)?;
    let before = tx.room(room)?.ok_or(ClientError::NoRoom)?;
    let mut record = before.clone();
    if record.closed && engine.is_member() {
        // Somebody let this person in again.
        record.closed = false;
        record.blocked = None;
    }
    let mut is_ready = false;
    for event in effects.events {
        is_ready |= event == ConversationEvent::Ready;
        happened(tx, me, engine, &mut record, event)?;
    }
    if let Some(reason) = engine.sending_stopped() {
        record.blocked = Some(format!("Messages wait until you decide: {reason}"));
    } else if engine.is_leaving() && !record.closed {
        record.blocked = Some("you are leaving this room".to_owned());
    }
    // Whom it was left with stays in what is kept of it.
    if !record.closed {
        changes::describe_people(&mut record, engine, me);
    }
    if record != before {
        tx.put_room(&record)?;
        tx.append_change(&Change::RoomChanged {
            room: room.to_owned(),
        })?;
    }
    Ok(is_ready)
}

/// Writes down one event, as far as it is not the record's.
fn happened(
    tx: &mut Tx<'_>,
    me: &UserUri,
    engine: &Conversation,
    record: &mut RoomRecord,
    event: ConversationEvent,
) -> Result<(), ClientError> {
    let room = engine.room().as_str();
    let mut lines = Lines { tx, me, engine };
    match event {
        ConversationEvent::Accepted { local_id, accepted } => accept(tx, local_id, accepted)?,
        ConversationEvent::Message(message) => receive(tx, me, engine, *message)?,
        ConversationEvent::Unreadable { accepted, reason } => unreadable(tx, room, accepted, &reason)?,
        ConversationEvent::Members {
            added,
            removed,
            accepted,
        } => lines.devices(&added, &removed, accepted)?,
        ConversationEvent::MembersChanged {
            joined,
            left,
            accepted,
        } => lines.members(joined, left, accepted)?,
        ConversationEvent::RoleChanged {
            user,
            from,
            to,
            by,
            accepted,
        } => lines.role_changed(&user, (from, to), by.as_ref(), accepted)?,
        ConversationEvent::Renamed { name, by, accepted } => {
            let whose = by.as_ref().map(ToString::to_string);
            lines.line(RoomChange::Renamed { name, by: whose }, by.as_ref(), accepted)?;
        }
        ConversationEvent::PolicyChanged {
            component,
            by,
            accepted,
        } => {
            let whose = by.as_ref().map(ToString::to_string);
            let rules = rules::change(engine.state(), component);
            lines.line(RoomChange::Rules { rules, by: whose }, by.as_ref(), accepted)?;
        }
        ConversationEvent::CameBack { user, accepted } => {
            let who = user.to_string();
            lines.line(RoomChange::CameBack { who }, Some(&user), accepted)?;
        }
        ConversationEvent::Ready => {
            record.ready = true;
            record.blocked = None;
            if let Some(local_id) = record.making.take() {
                changes::decided(tx, room, local_id, None)?;
            }
        }
        ConversationEvent::Waiting { reason, .. } if record.kind == RoomKind::Direct => {
            record.blocked = Some(reason);
        }
        ConversationEvent::IntentDone { local_id } => changes::intent_decided(tx, room, local_id, None)?,
        ConversationEvent::IntentRefused { local_id, reason } => {
            changes::intent_decided(tx, room, local_id, Some(reason))?;
        }
        ConversationEvent::Unsent { local_id, reason } => changes::unsent(tx, room, local_id, &reason)?,
        ConversationEvent::Repairing => {
            record.blocked =
                Some("this device has lost the thread of the room and is coming back".to_owned());
        }
        ConversationEvent::Rejoined { lost, accepted } => {
            record.blocked = None;
            if lost {
                lines.line(RoomChange::Returned { lost }, None, accepted)?;
            } else if is_to_join(lines.tx, room)? {
                lines.line(RoomChange::Linked, None, accepted)?;
            } else if is_joining(lines.tx, room)? {
                let role = record.role.clone();
                let who = me.to_string();
                let by = Some(who.clone());
                lines.line(RoomChange::Joined { who, role, by }, Some(me), accepted)?;
            }
        }
        ConversationEvent::Removed { how, by } => {
            if how == Out::Client {
                let whose = by.as_ref().map(ToString::to_string);
                lines.line(RoomChange::DeviceOut { by: whose }, by.as_ref(), now()?)?;
            }
            let reason = changes::out_of_room(how, by.as_ref());
            fail_unsent(tx, room, &reason, now()?)?;
            record.closed = true;
            record.awaited.clear();
            record.blocked = Some(reason);
        }
        ConversationEvent::Alarm(alarm) => {
            let text = describe(&alarm);
            if let Alarm::Refused { .. } = alarm {
                record.closed = true;
                record.blocked = Some(text.clone());
                fail_unsent(tx, room, &text, now()?)?;
            }
            tx.append_change(&Change::Alarm {
                room: room.to_owned(),
                text,
            })?;
        }
        // Who is there is read from the engine.
        _ => {}
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
    expiry::begin_own(tx, row.id, &entry.marks, accepted)?;
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
fn fail_unsent(tx: &mut Tx<'_>, room: &str, reason: &str, now: u64) -> Result<(), StoreError> {
    for row in tx.unordered(room)? {
        if row.entry.state == MessageState::Queued {
            let entry = Entry {
                state: MessageState::Failed,
                problem: Some(reason.to_owned()),
                ..row.entry
            };
            expiry::begin_own(tx, row.id, &entry.marks, now)?;
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
        Alarm::Gap { .. } => "Messages are missing here".to_owned(),
        Alarm::BadCommit { reason, by } => {
            let by = by.as_ref().map(|by| format!(" by {}", by.to_address()));
            let by = by.unwrap_or_default();
            format!("A change of the room{by} cannot be followed: {reason}")
        }
        Alarm::BadWelcome { by, of } => format!(
            "{} let {} in, and they had to come in by themselves: what was sent to them did not open, or did not arrive",
            by.to_address(),
            of.to_address()
        ),
        Alarm::Refused { reason } => format!("The room's provider refused: {reason}"),
        _ => "Something is wrong with this room".to_owned(),
    }
}
