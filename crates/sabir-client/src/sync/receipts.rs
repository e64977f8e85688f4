//! Reports on messages: which arrived, which were read; sent and taken.
//!
//! A report is a message of its own in the room, with the media type of draft-mahy-mimi-message-status-01 and no
//! disposition. It is not shown, makes no event of its own and asks for no report, so reports never answer reports.
//!
//! * Arrivals are told by themselves: one report for everything that came, some time after the last of it, and not
//!   more often than [`crate::transport::Timing::report_pause`] allows. Reading is told when the person reads.
//! * What is read has arrived: no second report says so. What another device of the person reported is reported.
//! * The room decides (draft-ietf-mimi-room-policy-03 §6.1). Where it leaves the choice, the person's settings do, and in
//!   a room of more than [`MOST_PEOPLE`] nothing is reported: each message would cost as many reports as there are
//!   people.

use sabir_core::timeline::{Act, permit};
use sabir_wire::content::{Disposition, MessageId, MimiContent, NestedPart};
use sabir_wire::policy::Optionality;
use sabir_wire::status::{MIMI_MESSAGE_STATUS, MessageStatus, MessageStatusReport};
use sabir_wire::uri::{RoomUri, UserUri};

use super::ClientError;
use super::apply::engine_id;
use super::keeper::{Keeper, Step, Work};
use super::received::{Target, message_id};
use crate::store::{Change, Name, Reading, StoreError, TimelineRow, Tx, UNORDERED};
use crate::types::{Room, Settings};

/// People in a room in which arrivals and reading are reported where the room leaves the choice.
pub const MOST_PEOPLE: usize = 32;

/// Messages in one report; of more, the newest. It stays well below what a message may have.
const MOST_REPORTED: u32 = 2000;

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Delivery,
    Reading,
}

/// What became of a wish to report arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reported {
    /// There is nothing left to report.
    Done,
    /// Other messages go first: try again later.
    Later,
}

/// Takes what `reporter` says became of messages.
pub(super) fn take(
    tx: &mut Tx<'_>,
    me: &UserUri,
    room: &str,
    reporter: &UserUri,
    report: &MessageStatusReport,
    accepted: u64,
) -> Result<(), StoreError> {
    let before = tx.reading(room)?;
    let (mut reported, mut read) = (0, 0);
    for status in &report.statuses {
        let id = status.message_id.to_string();
        let Some(Target::Message(row)) = Target::find(tx, room, &id, me)? else {
            continue;
        };
        if reporter != me {
            mark(tx, room, row, reporter, status.status)?;
        } else if row.position < UNORDERED {
            // Another device of the same person.
            match status.status {
                MessageStatus::READ => read = read.max(row.position),
                MessageStatus::DELIVERED => reported = reported.max(row.position),
                _ => {}
            }
        }
    }
    tx.set_reported(room, reported.max(read))?;
    if read > before.read && tx.set_read(room, read)? {
        tx.start_expiries(room, read, accepted)?;
        tx.append_change(&Change::RoomChanged {
            room: room.to_owned(),
        })?;
    }
    Ok(())
}

/// Notes on an own message that somebody has it or has read it. Other people's messages are not kept account of.
fn mark(
    tx: &mut Tx<'_>,
    room: &str,
    mut row: TimelineRow,
    reporter: &UserUri,
    status: MessageStatus,
) -> Result<(), StoreError> {
    if !row.entry.own || row.entry.marks.deleted.is_some() {
        return Ok(());
    }
    let marks = &mut row.entry.marks;
    let (has, reads) = match status {
        MessageStatus::DELIVERED => (true, false),
        MessageStatus::READ => (true, true),
        MessageStatus::UNREAD => {
            let before = marks.read_by.len();
            marks.read_by.retain(|person| person != reporter.as_str());
            if marks.read_by.len() == before {
                return Ok(());
            }
            (false, false)
        }
        // Whether somebody hides or deletes a message on their side is theirs to know.
        _ => return Ok(()),
    };
    let note = |list: &mut Vec<String>, wanted: bool| {
        let is_new = wanted && !list.iter().any(|person| person == reporter.as_str());
        if is_new {
            list.push(reporter.to_string());
        }
        is_new
    };
    let mut changed = status == MessageStatus::UNREAD;
    changed |= note(&mut marks.delivered_to, has);
    changed |= note(&mut marks.read_by, reads);
    if changed {
        tx.update_message(room, row.id, &row.entry)?;
        tx.append_change(&Change::MessageChanged {
            room: room.to_owned(),
            id: row.id,
        })?;
    }
    Ok(())
}

impl Keeper {
    /// What the person set.
    pub(super) fn settings(&mut self) -> Result<Settings, ClientError> {
        Ok(self.store.get(Name::SETTINGS)?.unwrap_or_default())
    }

    /// Keeps what the person set.
    pub(super) fn set_settings(&mut self, settings: Settings) -> Result<(), ClientError> {
        Ok(self
            .store
            .transaction("set settings", |tx| tx.put(Name::SETTINGS, &settings))?)
    }

    /// Reports to a room what arrived there.
    pub(super) fn report_arrivals(&mut self, room: &RoomUri) -> Result<Reported, ClientError> {
        // Most rooms have nothing to report when the profile is opened, and need not be loaded for that.
        let known = self.store.read(|tx| tx.reading(room.as_str()))?;
        if known.arrived <= known.reported {
            return Ok(Reported::Done);
        }
        let settings = self.settings()?;
        let me = self.me.clone();
        let (reported, sent) = self.step(room, "report arrivals", |step| {
            let name = room.as_str();
            let Reading {
                reported, arrived, ..
            } = step.tx.reading(name)?;
            if arrived <= reported {
                return Ok((Reported::Done, false));
            }
            let wanted = wanted(step, About::Delivery, settings.delivery_receipts)?;
            if wanted && !(step.engine.is_ready() && step.engine.queued() == 0) {
                return Ok((Reported::Later, false));
            }
            let sent = wanted && report(step, &me, MessageStatus::DELIVERED, reported, arrived)?;
            step.tx.set_reported(name, arrived)?;
            Ok((Reported::Done, sent))
        })?;
        if sent {
            self.work(Work::Room(room.clone()));
        }
        Ok(reported)
    }

    /// The person has read a room up to a message, or to its end.
    pub(super) fn mark_read(&mut self, of: &str, until: Option<&str>) -> Result<Room, ClientError> {
        let room = self.resolve(of)?;
        let until = match until {
            None => None,
            Some(message) => {
                let (found, row) = self.locate(message)?;
                if found != room || row.position >= UNORDERED {
                    return Err(ClientError::NoMessage);
                }
                Some(row.position)
            }
        };
        let settings = self.settings()?;
        let me = self.me.clone();
        let name = room.as_str();
        let sent = self.step(&room, "mark read", |step| {
            let reading = step.tx.reading(name)?;
            let until = until.unwrap_or(reading.last);
            if until <= reading.read {
                return Ok(false);
            }
            let wanted = step.engine.is_member() && wanted(step, About::Reading, settings.read_receipts)?;
            let sent = wanted && report(step, &me, MessageStatus::READ, reading.read, until)?;
            if wanted {
                step.tx.set_reported(name, until)?;
            }
            step.tx.set_read(name, until)?;
            step.tx.start_expiries(name, until, step.now)?;
            step.tx.append_change(&Change::RoomChanged {
                room: name.to_owned(),
            })?;
            Ok(sent)
        })?;
        if sent {
            self.work(Work::Room(room.clone()));
        }
        self.room(name)
    }
}

/// Queues a report on the messages of others behind position `after` up to `until`. Says whether there are any.
fn report(
    step: &mut Step<'_, '_>,
    me: &UserUri,
    status: MessageStatus,
    after: u64,
    until: u64,
) -> Result<bool, ClientError> {
    let room = step.engine.room().to_string();
    let rows = step.tx.between(&room, after, until, MOST_REPORTED)?;
    let ids: Vec<MessageId> = rows
        .iter()
        .filter(|row| row.entry.asks_for_receipt())
        .filter_map(|row| message_id(row.entry.message_id.as_deref()?))
        .collect();
    let report = MessageStatusReport::of(status, &ids);
    let act = Act::Report(report.clone());
    if ids.is_empty() || permit(step.engine.state(), me, &act, None).is_err() {
        return Ok(false);
    }
    let bytes = report
        .to_bytes()
        .map_err(|error| ClientError::Internal(error.to_string()))?;
    let part = NestedPart::single(Disposition::UNSPECIFIED, MIMI_MESSAGE_STATUS, bytes);
    let local_id = step.tx.next_local_id()?;
    let effects = step.engine.send(
        step.cx,
        engine_id(local_id),
        |origin| MimiContent::new(origin, part),
        step.rng,
    )?;
    step.absorb(effects)?;
    Ok(true)
}

/// Whether something is reported in this room.
fn wanted(step: &mut Step<'_, '_>, about: About, setting: bool) -> Result<bool, ClientError> {
    let people = step.engine.state().participants.participants.len();
    let policy = step.engine.state().features.status.map(|policy| match about {
        About::Delivery => policy.delivery_notifications,
        About::Reading => policy.read_receipts,
    });
    Ok(decide(policy, setting, people))
}

fn decide(policy: Option<Optionality>, setting: bool, people: usize) -> bool {
    match policy {
        Some(Optionality::Forbidden) => false,
        Some(Optionality::Required) => true,
        Some(Optionality::Optional) | None => setting && people <= MOST_PEOPLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_decides_then_the_person_and_never_in_a_crowd() {
        use Optionality::{Forbidden, Optional, Required};
        for (policy, setting, people, sent) in [
            (None, true, 2, true),
            (None, false, 2, false),
            (None, true, MOST_PEOPLE, true),
            (None, true, MOST_PEOPLE + 1, false),
            (Some(Optional), true, 2, true),
            (Some(Optional), false, 2, false),
            (Some(Optional), true, MOST_PEOPLE + 1, false),
            (Some(Required), false, 1000, true),
            (Some(Forbidden), true, 2, false),
        ] {
            assert_eq!(
                decide(policy, setting, people),
                sent,
                "{policy:?} {setting} {people}"
            );
        }
    }
}
