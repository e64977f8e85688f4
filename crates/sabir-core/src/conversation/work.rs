//! What this client does next: one change of the room at a time.
//!
//! Proposals that wait for a commit come first, since nothing can be encrypted while they do, and a change on top of
//! them is drawn up once they are in. Then devices that this person revoked, before anything is sent to them; then intents and messages in the order in which they were written, then clients
//! that are owed. An intent that is held up, by a refusal that is waited out or by a provider that does not answer for
//! somebody's key packages, holds up no messages.

use rand_core::CryptoRng;
use sabir_mls::group::CommitPlan;
use sabir_mls::identity::ClientCredential;
use sabir_mls::rows::RowChanges;

use super::goal::Goal;
use super::intent::{WaitingIntent, WaitsFor};
use super::record::{Owed, Phase, Work};
use super::{
    Conversation, ConversationContext, ConversationError, ConversationEvent, Effects, Intent, LocalId,
};
use crate::Millis;
use crate::room::policy::Action;

/// How long to wait before something that failed is tried again: doubling from the first.
const FIRST_WAIT: Millis = 5_000;
const LONGEST_WAIT: Millis = 10 * 60_000;

/// How long the log may take to bring what the hub has told of: an epoch, this client's own commit, or proposals.
pub(super) const PATIENCE: Millis = 10 * 60_000;

/// How long the log must have been silent for that. A client that was off for a day has lost nothing: what it waits for
/// comes in a moment, and coming back from outside would lose what was said meanwhile.
const SILENCE: Millis = 60_000;

/// The longest random wait before proposals are committed although nothing is to be sent.
const COMMIT_SPREAD: u64 = 3_000;

/// How many refusals of the hub end an intent that looks right from here.
pub(super) const MAX_REFUSALS: u32 = 4;

/// Whether a time has come. A clock that was set back must not make anything wait for ever.
pub(super) fn due(at: Millis, now: Millis) -> bool {
    at <= now || at > now.saturating_add(LONGEST_WAIT)
}

/// The wait after so many failures in a row.
pub(super) fn wait(failures: u32) -> Millis {
    match failures.checked_sub(1) {
        None => 0,
        Some(doublings) => FIRST_WAIT
            .saturating_mul(1 << doublings.min(10))
            .min(LONGEST_WAIT),
    }
}

impl Conversation {
    /// Writes down what is wanted of the room. What this person's role does not allow is refused at once, and
    /// nothing is written.
    ///
    /// # Errors
    /// [`ConversationError::Closed`] where this client is out of the room, [`ConversationError::NotAllowed`] with the
    /// reason.
    pub fn intend(
        &mut self,
        cx: ConversationContext<'_>,
        local_id: LocalId,
        intent: Intent,
    ) -> Result<Effects, ConversationError> {
        if self.record.phase == Phase::Closed || self.record.leaving {
            return Err(ConversationError::Closed("you are no longer in this room"));
        }
        self.check_intent(cx, &intent)
            .map_err(ConversationError::NotAllowed)?;
        let mut effects = Effects::default();
        let intent = match intent {
            Intent::Remove { user } if user == *cx.me => Intent::Leave,
            intent => intent,
        };
        let after = self.outbox.next_number();
        self.intents.push(local_id, intent, after, &mut effects.changes);
        Ok(self.finish(effects))
    }

    /// What is wanted of the room and not done yet, in order.
    #[must_use]
    pub fn intents(&self) -> Vec<WaitingIntent> {
        let waits_for = |number: u64| match &self.record.work {
            Work::Keys { intent, .. } if *intent == Some(number) => WaitsFor::KeyPackages,
            Work::Commit { intent, .. } | Work::Leave { intent, .. } if *intent == Some(number) => {
                WaitsFor::Hub
            }
            _ => WaitsFor::Turn,
        };
        self.intents
            .iter()
            .map(|stored| WaitingIntent {
                local_id: stored.local_id,
                intent: stored.intent.clone(),
                waits_for: waits_for(stored.number),
            })
            .collect()
    }

    /// People on the list whose clients this client is to add and could not yet: who, why, and when it is tried again.
    pub fn awaited(&self) -> impl Iterator<Item = (&sabir_wire::uri::UserUri, &str, Millis)> {
        let owed = self.record.owed.iter().filter(|(_, owed)| owed.attempts > 0);
        owed.map(|(user, owed)| (user, owed.reason.as_str(), owed.not_before))
    }

    /// Draws up what is to be sent next, so that a request is outstanding where there is anything to do.
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a CA must be pinned first, or a fault of ours.
    pub fn prepare(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        let mut effects = Effects::default();
        self.draw_up(cx, now, rng, &mut effects)?;
        self.seal_next(cx, rng, &mut effects.changes)?;
        Ok(self.finish(effects))
    }

    /// When [`Conversation::prepare`] or [`Conversation::outstanding`] may have something although nothing else
    /// happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        if let Some(repair) = &self.record.repair {
            return Some(repair.not_before);
        }
        if let Some((_, at)) = self.patience() {
            return Some(at);
        }
        match &self.record.phase {
            Phase::Open if self.record.work == Work::Idle => {}
            _ => return None,
        }
        if self.record.stopped.is_some() {
            // Only leaving goes on.
            return (self.wants_out() && self.record.retry_at > 0).then_some(self.record.retry_at);
        }
        if self.outbox.in_flight().is_some() || self.is_cut_off() {
            return None;
        }
        // In the order of `draw_up`: each time is that of what it would come to next, and of nothing behind it.
        let retry = (self.record.retry_at > 0).then_some(self.record.retry_at);
        if self.record.leaving {
            return retry;
        }
        if self.must_commit() {
            let wanted = self.outbox.waiting() > 0 || self.intents.first().is_some();
            return match self.record.commit_at {
                Some(at) if !wanted => Some(at.max(self.record.retry_at)),
                _ => retry,
            };
        }
        let change = retry.filter(|_| self.intents.first().is_some());
        let owed = self
            .record
            .owed
            .values()
            .map(|owed| owed.not_before.max(self.record.retry_at))
            .min();
        change.into_iter().chain(owed).min()
    }

    /// What the log has to bring and has not yet, where there is such a thing: the epoch at which this client would come
    /// back from outside without it, and when.
    fn patience(&self) -> Option<(u64, Millis)> {
        let (epoch, since) = match (&self.record.phase, &self.record.work) {
            (Phase::CatchingUp { epoch, since }, _) => (*epoch, *since),
            // Whoever said that it was accepted may have lied: then the room is still where this client is.
            (
                Phase::Open,
                Work::Commit {
                    accepted: Some(at), ..
                },
            ) => (self.group.epoch(), *at),
            _ => return None,
        };
        let silent = self.heard.map(|at| at.saturating_add(SILENCE));
        let over = since.saturating_add(PATIENCE);
        Some((epoch, over.max(silent.unwrap_or_default())))
    }

    /// Whether another client of this person left for all of them.
    fn is_cut_off(&self) -> bool {
        if self.record.departed.is_empty() || self.record.leaving {
            return false;
        }
        let own = self.group.own_leaf();
        let members = self.group.members().filter(|member| member.leaf == own);
        members
            .filter_map(|member| ClientCredential::parse(&member.credential).ok())
            .any(|credential| self.record.departed.contains(credential.claimed_user()))
    }

    pub(super) fn draw_up(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        // Also where the clock was set back.
        let heard = self.heard.filter(|at| *at <= now).unwrap_or(now);
        self.heard = Some(heard);
        if let Some((epoch, at)) = self.patience()
            && due(at, now)
            && heard.saturating_add(SILENCE) <= now
        {
            self.start_repair(now, epoch, effects);
        }
        if self.record.repair.is_some() {
            return self.draw_repair(cx, now, rng);
        }
        if self.record.stopped.is_some() && matches!(self.record.work, Work::Keys { .. }) {
            // Nobody is let in meanwhile. Asked in the same words later, the provider answers the same.
            self.record.work = Work::Idle;
        }
        let busy = self.record.work != Work::Idle || self.outbox.in_flight().is_some();
        if busy || self.record.phase != Phase::Open || !due(self.record.retry_at, now) {
            return Ok(());
        }
        if self.record.leaving {
            return self.draw_departure(cx, None, rng);
        }
        if self.record.stopped.is_some() {
            return self.draw_way_out(cx, rng, effects);
        }
        if self.is_cut_off() {
            return Ok(());
        }
        if self.must_commit() {
            let wanted = self.outbox.waiting() > 0 || self.intents.first().is_some();
            if wanted || self.record.commit_at.is_none_or(|at| due(at, now)) {
                let plan = self.cleanup();
                self.commit_plan(cx, plan, None, Vec::new(), rng)?;
            }
            return Ok(());
        }
        let revoked = self.revoked(cx);
        if !revoked.is_empty() {
            let plan = CommitPlan {
                removes: revoked,
                ..CommitPlan::default()
            };
            return self.commit_plan(cx, plan, None, Vec::new(), rng);
        }
        let sends = self.outbox.waiting() > 0 && self.is_ready() && self.may(cx, Action::SendMessage).is_ok();
        let first = self.intents.first().map(|intent| intent.after);
        // In the order of writing: who is added does not read what was written before.
        if !sends || self.outbox.first_waiting() >= first {
            self.draw_intents(cx, now, rng, effects)?;
        }
        if self.record.work == Work::Idle && !sends {
            self.draw_owed(cx, now, effects)?;
        }
        Ok(())
    }

    fn draw_intents(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        while let Some(stored) = self.intents.first().cloned() {
            match self.goal(cx, &stored.intent) {
                Goal::Reached => self.intent_done(stored.number, effects),
                Goal::Owed(user) => {
                    self.owe(user, now);
                    self.intent_done(stored.number, effects);
                }
                Goal::Denied(reason) => self.intent_refused(stored.number, reason, effects),
                Goal::Keys(user) => return self.ask_keys(cx, user, Some(stored.number)),
                Goal::Commit(plan) => {
                    return self.commit_plan(cx, *plan, Some(stored.number), Vec::new(), rng);
                }
                Goal::Leave => return self.draw_departure(cx, Some(stored.number), rng),
            }
        }
        Ok(())
    }

    /// Whether this person is leaving or means to.
    pub(super) fn wants_out(&self) -> bool {
        self.record.leaving
            || matches!(self.record.work, Work::Leave { .. })
            || self.intents.iter().any(|it| it.intent == Intent::Leave)
    }

    /// Where something is wrong with the room, the way out of it stays open: ahead of all that waits, save what was
    /// under way when sending stopped.
    fn draw_way_out(
        &mut self,
        cx: ConversationContext<'_>,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let leave = self.intents.iter().find(|it| it.intent == Intent::Leave);
        let Some(number) = leave.map(|it| it.number) else {
            return Ok(());
        };
        match self.goal(cx, &Intent::Leave) {
            Goal::Leave => return self.draw_departure(cx, Some(number), rng),
            Goal::Denied(reason) => self.intent_refused(number, reason, effects),
            _ => {}
        }
        Ok(())
    }

    fn draw_owed(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        self.drop_paid(cx);
        let user = self
            .record
            .owed
            .iter()
            .find(|(_, owed)| due(owed.not_before, now))
            .map(|(user, _)| user.clone());
        let Some(user) = user else { return Ok(()) };
        if let Err(reason) = self.may(cx, Action::AddClients(&user)) {
            // Somebody else may add them, or a change of roles; it is not for this client any more.
            self.record.owed.remove(&user);
            let until = Millis::MAX;
            effects
                .events
                .push(ConversationEvent::Waiting { user, reason, until });
            return Ok(());
        }
        self.ask_keys(cx, user, None)
    }

    /// Takes note that somebody's clients are to be added, at once.
    pub(super) fn owe(&mut self, user: sabir_wire::uri::UserUri, now: Millis) {
        self.record.owed.entry(user).or_insert(Owed {
            attempts: 0,
            not_before: now,
            reason: String::new(),
        });
    }

    /// Forgets clients that need not be added any more.
    pub(super) fn drop_paid(&mut self, cx: ConversationContext<'_>) {
        if self.record.owed.is_empty() {
            return;
        }
        let mut owed = std::mem::take(&mut self.record.owed);
        owed.retain(|user, _| self.is_wanted(user) || self.is_owed(cx, user));
        self.record.owed = owed;
    }

    fn is_owed(&self, cx: ConversationContext<'_>, user: &sabir_wire::uri::UserUri) -> bool {
        let role = self.state.participant(user).map(|entry| entry.role_index);
        user != cx.me
            && role.is_some_and(|role| role != crate::room::BANNED)
            && !self.record.departed.contains(user)
            && !self.is_present(user)
    }

    /// Whether an intent is about to put somebody on the list.
    fn is_wanted(&self, user: &sabir_wire::uri::UserUri) -> bool {
        self.intents.iter().any(|stored| match &stored.intent {
            Intent::Add { user: other, .. }
            | Intent::Unban { user: other, .. }
            | Intent::SetRole { user: other, .. } => other == user,
            _ => false,
        })
    }

    /// Ends intents at the head whose goal the room has reached.
    pub(super) fn settle_intents(&mut self, cx: ConversationContext<'_>, now: Millis, effects: &mut Effects) {
        if self.record.work != Work::Idle {
            return;
        }
        while let Some(stored) = self.intents.first().cloned() {
            match self.goal(cx, &stored.intent) {
                Goal::Reached => self.intent_done(stored.number, effects),
                Goal::Owed(user) => {
                    self.owe(user, now);
                    self.intent_done(stored.number, effects);
                }
                _ => return,
            }
        }
    }

    pub(super) fn intent_done(&mut self, number: u64, effects: &mut Effects) {
        if let Some(stored) = self.intents.take(number, &mut effects.changes) {
            let local_id = stored.local_id;
            effects.events.push(ConversationEvent::IntentDone { local_id });
        }
    }

    pub(super) fn intent_refused(&mut self, number: u64, reason: String, effects: &mut Effects) {
        if let Some(stored) = self.intents.take(number, &mut effects.changes) {
            let local_id = stored.local_id;
            effects
                .events
                .push(ConversationEvent::IntentRefused { local_id, reason });
        }
    }

    /// Sets the time at which proposals that wait are committed, by chance, so that not everybody does it at once.
    pub(super) fn schedule_commit(&mut self, now: Millis, rng: &mut dyn CryptoRng) {
        if !self.must_commit() {
            self.record.commit_at = None;
        } else if self.record.commit_at.is_none() {
            let spread = rng.next_u64() % COMMIT_SPREAD.saturating_add(1);
            self.record.commit_at = Some(now.saturating_add(spread));
        }
    }

    /// This client is out of the room: nothing goes out any more, and what was to go out is told.
    pub(super) fn close(&mut self, reason: &str, effects: &mut Effects) {
        self.record.phase = Phase::Closed;
        self.record.work = Work::Idle;
        self.record.repair = None;
        self.record.owed.clear();
        self.record.commit_at = None;
        self.record.leaving = false;
        let changes: &mut RowChanges = &mut effects.changes;
        if let Some(beside) = self.beside.take() {
            crate::scope::drop_beside(&beside, changes);
        }
        for local_id in self.outbox.take_all(changes) {
            effects.events.push(ConversationEvent::Unsent {
                local_id,
                reason: reason.to_owned(),
            });
        }
        for stored in self.intents.take_all(changes) {
            let local_id = stored.local_id;
            effects.events.push(if stored.intent == Intent::Leave {
                ConversationEvent::IntentDone { local_id }
            } else {
                ConversationEvent::IntentRefused {
                    local_id,
                    reason: reason.to_owned(),
                }
            });
        }
    }
}
