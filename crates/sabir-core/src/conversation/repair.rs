//! A client that has lost the thread of its room comes back by external commit.
//!
//! ```text
//!   gap, bad commit, an epoch that never comes
//!      --> groupInfo --> checked, opened --> external commit, its group beside the old one --> hub
//!            ^                                                                                 |
//!            +---------------- another epoch by then, or refused: wait, again -----------------+
//!                                                     accepted: it takes the old one's place, in one transaction
//! ```
//!
//! Until the hub has accepted the commit, the old group stays as it is. What waits in the outbox is encrypted anew in
//! the new one. Messages of the epochs in between are lost to this client, and it says so once.

use rand_core::CryptoRng;
use sabir_mls::group::Group;
use sabir_mls::keys::sha256;
use sabir_mls::rows::Rows;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::protocol::{UpdateOutcome, UpdateRoomResponse};

use super::changes::Deeds;
use super::commit::bundle;
use super::event::{ConversationEvent, Out};
use super::join::Entered;
use super::outside::{self, Way};
use super::record::{Phase, Repair, RepairStep, Work};
use super::work::{due, wait};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::hub::group_uri;
use crate::room::RoomKind;
use crate::scope;

/// How many refusals in a row are taken for the hub's last word.
pub(super) const SHUT_OUT: u32 = 3;

/// How many times in a row the room may have moved on before this client takes a breath.
const RACES: u32 = 3;

impl Repair {
    pub(super) fn new(now: Millis, at_least: u64) -> Self {
        Self {
            attempts: 0,
            refusals: 0,
            not_before: now,
            at_least,
            step: RepairStep::Wanted,
        }
    }

    /// Begins anew, after a wait that grows.
    pub(super) fn again(&mut self, now: Millis) {
        self.attempts = self.attempts.saturating_add(1);
        self.not_before = now.saturating_add(wait(self.attempts));
        self.step = RepairStep::Wanted;
    }

    /// Begins anew since the room has moved on; at once, as long as that does not go on and on.
    pub(super) fn raced(&mut self, now: Millis) {
        self.again(now);
        if self.attempts <= RACES {
            self.not_before = now;
        }
    }
}

impl Conversation {
    pub(super) fn start_repair(&mut self, now: Millis, at_least: u64, effects: &mut Effects) {
        if !self.group.is_active() || self.record.phase == Phase::Closed || self.record.repair.is_some() {
            return;
        }
        self.record.repair = Some(Repair::new(now, at_least));
        effects.events.push(ConversationEvent::Repairing);
    }

    pub(super) fn draw_repair(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ConversationError> {
        if let Some(repair) = &mut self.record.repair
            && repair.step == RepairStep::Wanted
            && due(repair.not_before, now)
        {
            let (request, private) = outside::ask(cx, &self.room, None, rng)?;
            repair.step = RepairStep::Asking { request, private };
        }
        Ok(())
    }

    pub(super) fn group_info_came(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        response: &[u8],
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let Some(repair) = &mut self.record.repair else {
            return Ok(());
        };
        let RepairStep::Asking { private, .. } = &repair.step else {
            return Ok(());
        };
        let way = match outside::open(cx, &self.room, private, response, repair.at_least) {
            Ok(way) => way,
            Err(ConversationError::Refused(_)) => {
                repair.again(now);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let opened = match way {
            Way::Open(opened) => opened,
            Way::Shut => {
                repair.refusals = repair.refusals.saturating_add(1);
                if repair.refusals >= SHUT_OUT {
                    self.close("you are no longer in this room", effects);
                    let (how, by) = (Out::ShutOut, None);
                    effects.events.push(ConversationEvent::Removed { how, by });
                } else {
                    repair.again(now);
                }
                return Ok(());
            }
        };
        repair.refusals = 0;
        let tolerated: Vec<Vec<u8>> = self.record.doubted.keys().cloned().collect();
        let entered = outside::enter(cx, &self.room, &opened, &tolerated, None, rng);
        let entered = entered.and_then(|(entered, commit)| {
            self.check_same_room(cx, &entered)?;
            Ok((entered, commit))
        });
        let (entered, commit) = match entered {
            Ok(both) => both,
            Err(ConversationError::Refused(_)) => {
                if let Some(repair) = &mut self.record.repair {
                    repair.again(now);
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let rows = entered.group.rows();
        scope::put_beside(&rows, &mut effects.changes);
        self.beside = Some(rows);
        if let Some(repair) = &mut self.record.repair {
            repair.at_least = repair.at_least.max(opened.epoch);
            repair.step = RepairStep::Joining {
                request: bundle(&commit)?.to_bytes(),
                commit: sha256(&commit.commit),
            };
        }
        Ok(())
    }

    /// The room stays what it was: of its kind, and a direct one between the same two people.
    fn check_same_room(
        &self,
        cx: ConversationContext<'_>,
        entered: &Entered,
    ) -> Result<(), ConversationError> {
        let kind = self.state.kind();
        let direct = kind == RoomKind::Direct;
        if kind != entered.state.kind() || (direct && self.state.other(cx.me) != entered.state.other(cx.me)) {
            return Err(ConversationError::Refused("the room is another one".to_owned()));
        }
        Ok(())
    }

    pub(super) fn return_answered(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        response: &[u8],
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let response = UpdateRoomResponse::from_bytes(response)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        let Some(repair) = &mut self.record.repair else {
            return Ok(());
        };
        match response.outcome {
            UpdateOutcome::Success { accepted_timestamp } => {
                return self.come_back(cx, now, accepted_timestamp, rng, effects);
            }
            UpdateOutcome::WrongEpoch { .. } => repair.raced(now),
            UpdateOutcome::NotAllowed | UpdateOutcome::InvalidProposal { .. } => repair.again(now),
        }
        if let Some(beside) = self.beside.take() {
            scope::drop_beside(&beside, &mut effects.changes);
        }
        Ok(())
    }

    /// Whether a commit of the log is the one by which this client comes back.
    pub(super) fn is_own_return(&self, commit: &[u8]) -> bool {
        matches!(
            &self.record.repair,
            Some(Repair { step: RepairStep::Joining { commit: own, .. }, .. }) if *own == sha256(commit)
        )
    }

    /// The hub accepted the external commit: its group takes the place of the old one.
    pub(super) fn come_back(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        accepted: Millis,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
        let rows = self
            .beside
            .take()
            .ok_or_else(|| internal(&"no group lies beside"))?;
        let id = group_uri(&self.room).map_err(|error| internal(&error))?;
        let group = Group::load(rows.clone(), id.as_str().as_bytes(), rng)?;
        let tolerated: Vec<Vec<u8>> = self.record.doubted.keys().cloned().collect();
        let entered = super::join::check(cx, &self.room, group, &tolerated)?;
        scope::drop_beside(&rows, &mut effects.changes);
        self.take_place(cx, now, entered, &rows, (true, accepted), rng, effects)
    }

    /// Another group takes the place of this client's old one; `rows` are all of its rows.
    #[allow(
        clippy::too_many_arguments,
        reason = "the context of a call, and what a group comes with"
    )]
    pub(super) fn take_place(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        entered: Entered,
        rows: &Rows,
        (lost, accepted): (bool, Millis),
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let Entered {
            mut group,
            state,
            leaves,
        } = entered;
        scope::replace(&self.group.rows(), rows, &mut effects.changes);
        if let Some(beside) = self.beside.take() {
            scope::drop_beside(&beside, &mut effects.changes);
        }
        drop(group.take_changes());
        let before = self.clients();
        self.group = group;
        let old = std::mem::replace(&mut self.state, state);
        self.record.repair = None;
        if let Work::Commit { added, .. } = std::mem::take(&mut self.record.work)
            && !added.is_empty()
        {
            // The hub may have taken it, and then these key packages are used up: others are asked for.
            self.record.asked = self.record.asked.saturating_add(1);
        }
        self.record.phase = Phase::Open;
        self.record.leaving = false;
        // Departures of the time in between are not known here, nor who came back meanwhile; least of all has
        // departed who was let in just now.
        self.record.departed.clear();
        self.record.knows_all = false;
        self.record.let_in.clear();
        self.outbox.epoch_passed(&mut effects.changes);
        let verdict = self.judge_group(&leaves)?;
        let alarms = self.heed(verdict, Some(accepted));
        self.forget_gone();
        let told = Self::told(&old, &self.state, &Deeds::default(), accepted);
        effects.events.extend(self.members(before, accepted));
        effects.events.extend(told);
        effects
            .events
            .push(ConversationEvent::Rejoined { lost, accepted });
        effects.events.extend(alarms);
        self.entered(cx, now, rng, effects)
    }
}
