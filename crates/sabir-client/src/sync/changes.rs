//! What happened to a room, as lines of its timeline, and what became of what was wanted of it.

use sabir_core::conversation::{Conversation, Joining, Leaving, LocalId, Out};
use sabir_core::room::BANNED;
use sabir_wire::uri::{ClientUri, UserUri};

use super::apply::local_id;
use super::expiry;
use crate::store::{Change, Deed, DeedKind, Entry, Marks, RoomRecord, StoreError, Tx};
use crate::types::{MessageState, RoomChange};

/// A room's timeline, to which lines are added.
pub(super) struct Lines<'a, 't> {
    pub(super) tx: &'a mut Tx<'t>,
    pub(super) me: &'a UserUri,
    pub(super) engine: &'a Conversation,
}

impl Lines<'_, '_> {
    /// People came and went by one commit.
    pub(super) fn members(
        &mut self,
        joined: Vec<Joining>,
        left: Vec<Leaving>,
        at: u64,
    ) -> Result<(), StoreError> {
        for Joining { user, role, by } in joined {
            let (who, role) = (user.to_string(), self.role(role));
            let other = by.as_ref().map(ToString::to_string);
            let change = RoomChange::Joined { who, role, by: other };
            self.line(change, by.as_ref(), at)?;
        }
        for Leaving { user, by } in left {
            let who = user.to_string();
            let change = if by.as_ref() == Some(&user) {
                RoomChange::Left { who }
            } else {
                let by = by.as_ref().map(ToString::to_string);
                RoomChange::Removed { who, by }
            };
            self.line(change, by.as_ref(), at)?;
        }
        Ok(())
    }

    /// Devices of people who were in the room and are: nobody comes to read along without a line.
    pub(super) fn devices(
        &mut self,
        added: &[(ClientUri, UserUri)],
        removed: &[(ClientUri, UserUri)],
        at: u64,
    ) -> Result<(), StoreError> {
        let present = self.engine.devices();
        let others = |of: &UserUri, but: &[(ClientUri, UserUri)]| {
            present
                .iter()
                .any(|(client, user)| user == of && !but.iter().any(|(other, _)| other == client))
        };
        for (client, user) in added {
            // One that comes back is known; of people who come as a whole the line about them says so.
            let known = removed.iter().any(|(other, _)| other == client);
            if !known && others(user, added) {
                let (who, device) = (user.to_string(), client.to_string());
                self.line(RoomChange::DeviceJoined { who, device }, Some(user), at)?;
            }
        }
        for (client, user) in removed {
            let back = added.iter().any(|(other, _)| other == client);
            if !back && others(user, &[]) {
                let (who, device) = (user.to_string(), client.to_string());
                self.line(RoomChange::DeviceLeft { who, device }, None, at)?;
            }
        }
        Ok(())
    }

    /// Somebody has another role.
    pub(super) fn role_changed(
        &mut self,
        user: &UserUri,
        (from, to): (u32, u32),
        by: Option<&UserUri>,
        at: u64,
    ) -> Result<(), StoreError> {
        let (who, whose) = (user.to_string(), by.map(ToString::to_string));
        let change = if to == BANNED {
            RoomChange::Banned { who, by: whose }
        } else if from == BANNED {
            let role = self.role(to);
            RoomChange::Unbanned { who, role, by: whose }
        } else {
            let (from, to) = (self.role(from), self.role(to));
            let by = whose;
            RoomChange::Role { who, from, to, by }
        };
        self.line(change, by, at)
    }

    /// A change without people in it.
    pub(super) fn line(
        &mut self,
        change: RoomChange,
        by: Option<&UserUri>,
        at: u64,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            sender: by.map(ToString::to_string).unwrap_or_default(),
            text: String::new(),
            content: String::new(),
            frank: None,
            message_id: None,
            timestamp: at,
            state: MessageState::Received,
            own: by == Some(self.me),
            verified: true,
            problem: None,
            marks: Marks {
                change: Some(Box::new(change)),
                ..Marks::default()
            },
        };
        let room = self.engine.room().to_string();
        if let Some(id) = self.tx.append_message(&room, &entry)? {
            self.tx.append_change(&Change::MessageAdded { room, id })?;
        }
        Ok(())
    }

    fn role(&self, index: u32) -> String {
        let name = self.engine.state().role_name(index);
        name.map_or_else(|| format!("role {index}"), str::to_owned)
    }
}

/// Why nothing can be sent any more, for people.
pub(super) fn out_of_room(how: Out, by: Option<&UserUri>) -> String {
    let by = by
        .map(|by| format!(" by {}", by.to_address()))
        .unwrap_or_default();
    match how {
        Out::Left => "you left this room".to_owned(),
        Out::Removed => format!("you were removed from this room{by}"),
        Out::Banned => format!("you were banned from this room{by}"),
        Out::Client => format!("this device was taken out of this room{by}"),
        Out::ShutOut => "the room's provider does not let you into this room any more".to_owned(),
    }
}

/// Notes in a room's record what the engine says of its people.
pub(super) fn describe_people(record: &mut RoomRecord, engine: &Conversation, me: &UserUri) {
    let state = engine.state();
    let list = state.participants.participants.iter();
    record.members = list.map(|entry| entry.user.to_string()).collect();
    record.role = state
        .role_of(me)
        .map(|role| role.role_name.clone())
        .unwrap_or_default();
    record.name.clone_from(&state.metadata.room_name);
    let mut awaited: Vec<String> = engine.awaited().map(|(user, ..)| user.to_string()).collect();
    awaited.retain(|user| record.members.contains(user));
    record.awaited = awaited;
    let missed = engine.missed_authorities();
    record.missed = missed.iter().map(ToString::to_string).collect();
}

/// Something was asked for; says what who asked is told.
pub(super) fn ask(
    tx: &mut Tx<'_>,
    room: &str,
    me: &UserUri,
    local_id: u64,
    now: u64,
) -> Result<(), StoreError> {
    let deed = Deed::queued(DeedKind::Room, me.as_str(), now);
    tx.append_deed(room, 0, Some(local_id), &deed)?;
    tx.append_change(&Change::Asked { local_id })?;
    Ok(())
}

/// What was asked for is done, or will not be done, for a reason.
pub(super) fn decided(
    tx: &mut Tx<'_>,
    room: &str,
    id: u64,
    problem: Option<String>,
) -> Result<(), StoreError> {
    let Some((_, row)) = tx.deed_by_local_id(id)? else {
        return Ok(());
    };
    if row.deed.state != MessageState::Queued {
        return Ok(());
    }
    let state = if problem.is_some() {
        MessageState::Failed
    } else {
        MessageState::Sent
    };
    let deed = Deed {
        state,
        problem,
        ..row.deed
    };
    tx.update_deed(room, row.id, &deed)?;
    tx.append_change(&Change::Asked { local_id: id })?;
    Ok(())
}

/// An intent of the engine's is done, or refused.
pub(super) fn intent_decided(
    tx: &mut Tx<'_>,
    room: &str,
    id: LocalId,
    problem: Option<String>,
) -> Result<(), StoreError> {
    match local_id(id) {
        Some(id) => decided(tx, room, id, problem),
        None => Ok(()),
    }
}

/// A message will not go out any more.
pub(super) fn unsent(tx: &mut Tx<'_>, room: &str, id: LocalId, reason: &str) -> Result<(), StoreError> {
    let Some(id) = local_id(id) else { return Ok(()) };
    let Some((_, row)) = tx.message_by_local_id(id)? else {
        return decided(tx, room, id, Some(reason.to_owned()));
    };
    if row.entry.state == MessageState::Queued {
        let entry = Entry {
            state: MessageState::Failed,
            problem: Some(reason.to_owned()),
            ..row.entry
        };
        expiry::begin_own(tx, row.id, &entry.marks, entry.timestamp)?;
        tx.update_message(room, row.id, &entry)?;
        tx.append_change(&Change::MessageChanged {
            room: room.to_owned(),
            id: row.id,
        })?;
    }
    Ok(())
}
