//! What the hub's log brings, in its order.

use rand_core::CryptoRng;
use sabir_mls::group::{Incoming, Received, StagedGroupCommit};
use sabir_mls::identity::{ClientCredential, Freshness};
use sabir_mls::keys::sha256;
use sabir_mls::rows::RowChanges;
use sabir_mls::{Judge, MlsError};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::{ComponentId, MlsMessage};
use sabir_wire::protocol::{FanoutBody, FanoutMessage, Frank};
use sabir_wire::uri::{ClientUri, UserUri};

use super::answers::NOT_TAKEN;
use super::event::{Alarm, ConversationEvent, FrankState, MessageEvent};
use super::record::{Phase, Work};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::frank::{self, FrankError};
use crate::room::{RoomRules, RoomState};

impl Conversation {
    /// Applies one entry of the room's log, an encoded `FanoutMessage`. The shell commits the effects together
    /// with the position in the log.
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a CA must be pinned first (then give the same entry again),
    /// [`ConversationError::Refused`] where the entry is malformed.
    pub fn incoming(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        entry: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        let entry = FanoutMessage::from_bytes(entry)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        let mut effects = Effects::default();
        if self.record.phase == Phase::Closed {
            return Ok(effects);
        }
        self.heard = Some(now);
        let accepted = entry.timestamp;
        // A client judges at the time the hub accepted the entry, so that all clients judge alike.
        let judge = Judge {
            anchors: cx.anchors,
            freshness: Freshness::At(accepted),
        };
        match &entry.body {
            FanoutBody::Application { message, frank } => {
                let bytes = message.to_bytes();
                match self.group.process(&bytes, &judge, &RoomRules, rng) {
                    Ok(Incoming::OwnMessage) => {
                        let changes = &mut effects.changes;
                        let event = self.own_message(cx, accepted, &bytes, frank.as_ref(), changes);
                        effects.events.push(event);
                    }
                    // Who has left reads no more, whatever their provider still brings. The log says when that
                    // was, not the answer to the request: what it brings before is theirs.
                    Ok(Incoming::Message(_)) if self.record.departed.contains(cx.me) => {}
                    Ok(Incoming::Message(received)) => {
                        self.heard_of(received.leaf);
                        effects
                            .events
                            .push(self.message(accepted, received, frank.as_ref()));
                    }
                    Ok(_) => return Err(ConversationError::Refused("no message came".to_owned())),
                    Err(error) => self.not_processed(now, (error, accepted), None, &mut effects)?,
                }
            }
            FanoutBody::Commit {
                message,
                external_proposals,
            } => {
                let bytes = message.to_bytes();
                if self.is_own_return(&bytes) {
                    self.come_back(cx, now, accepted, rng, &mut effects)?;
                } else {
                    match self.group.process(&bytes, &judge, &RoomRules, rng) {
                        Ok(Incoming::OwnCommit) => {
                            self.own_commit(cx, accepted, &mut effects)?;
                            self.entered(cx, now, rng, &mut effects)?;
                        }
                        Ok(Incoming::Commit(commit)) => {
                            self.commit(cx, (accepted, &bytes), *commit, &mut effects)?;
                            self.entered(cx, now, rng, &mut effects)?;
                        }
                        Ok(_) => return Err(ConversationError::Refused("no commit came".to_owned())),
                        Err(error) => {
                            self.not_processed(now, (error, accepted), Some(&bytes), &mut effects)?;
                        }
                    }
                }
                if !external_proposals.is_empty() && self.record.repair.is_none() {
                    self.proposed(cx, now, external_proposals, &judge, rng, &mut effects)?;
                }
            }
            FanoutBody::Proposal {
                message,
                more_proposals,
            } => {
                let first = std::iter::once(message.as_ref()).chain(more_proposals);
                let proposals: Vec<MlsMessage> = first.cloned().collect();
                self.proposed(cx, now, &proposals, &judge, rng, &mut effects)?;
            }
            // Of use only to who is not in the room ([`Conversation::welcomed`]); it came twice.
            FanoutBody::Welcome { .. } => {}
        }
        Ok(self.finish(effects))
    }

    fn own_message(
        &mut self,
        cx: ConversationContext<'_>,
        accepted: Millis,
        message: &[u8],
        frank: Option<&Frank>,
        changes: &mut RowChanges,
    ) -> ConversationEvent {
        let unreadable = |reason: &str| ConversationEvent::Unreadable {
            accepted,
            reason: reason.to_owned(),
        };
        let Some(sent) = self.outbox.take(&sha256(message), changes) else {
            return unreadable("this device sent it, and its copy is gone");
        };
        let Ok(content) = MimiContent::from_bytes(&sent.content) else {
            return unreadable("this device's copy cannot be read");
        };
        let tag = frank::franking_tag(&content.salt.0, &sent.content);
        let claims = frank::Received {
            application_data: &sent.content,
            content: &content,
            safe_aad: &[frank::safe_aad_item(tag)],
            sender: cx.me,
            room: &self.room,
            accepted,
            frank,
            suite: self.group.suite(),
        };
        let frank_state = frank_state(frank::verify(claims, self.state.franking_agent.as_ref()));
        let Ok(message_id) = content.message_id(cx.me.as_str(), self.room.as_str()) else {
            return unreadable("this device's copy has no message id");
        };
        ConversationEvent::Message(Box::new(MessageEvent {
            message_id: *message_id.as_bytes(),
            sender: cx.me.clone(),
            local_id: Some(sent.local_id),
            content: sent.content,
            accepted,
            frank: frank.cloned(),
            frank_state,
            verified: true,
        }))
    }

    fn message(&self, accepted: Millis, received: Received, frank: Option<&Frank>) -> ConversationEvent {
        let unreadable = |reason: String| ConversationEvent::Unreadable { accepted, reason };
        // The leaf was judged when it came in; here its credential only says who it is.
        let Ok(credential) = ClientCredential::parse(&received.credential) else {
            return unreadable("its sender's credential says nothing".to_owned());
        };
        let sender = credential.claimed_user().clone();
        let verified = self.is_proved(received.leaf);
        let content = match MimiContent::from_bytes(&received.plaintext) {
            Ok(content) => content,
            Err(error) => return unreadable(format!("its content is malformed: {error}")),
        };
        let claims = frank::Received {
            application_data: &received.plaintext,
            content: &content,
            safe_aad: &received.safe_aad,
            sender: &sender,
            room: &self.room,
            accepted,
            frank,
            suite: self.group.suite(),
        };
        let verdict = frank::verify(claims, self.state.franking_agent.as_ref());
        // A message that lies about its sender or room, or that its sender could disown, is not shown as theirs.
        if let Err(error @ (FrankError::Sender | FrankError::Room | FrankError::Tag)) = verdict {
            return unreadable(error.to_string());
        }
        let message_id = match content.message_id(sender.as_str(), self.room.as_str()) {
            Ok(id) => *id.as_bytes(),
            Err(error) => return unreadable(error.to_string()),
        };
        ConversationEvent::Message(Box::new(MessageEvent {
            message_id,
            sender,
            local_id: None,
            content: received.plaintext,
            accepted,
            frank: frank.cloned(),
            frank_state: frank_state(verdict),
            verified,
        }))
    }

    fn own_commit(
        &mut self,
        cx: ConversationContext<'_>,
        accepted: Millis,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let (before, old) = (self.clients(), self.state.clone());
        let deeds = self.own_deeds(cx.me);
        self.group.merge_own()?;
        self.outbox.epoch_passed(&mut effects.changes);
        self.read_state()?;
        let came_back = self.remember_members(cx, Some(accepted))?;
        effects.events.extend(came_back);
        self.record.let_in.clear();
        self.forget_gone();
        if let Work::Commit { added, .. } = std::mem::take(&mut self.record.work)
            && !added.is_empty()
        {
            // These key packages are used up.
            self.record.asked = self.record.asked.saturating_add(1);
            for user in added {
                self.record.departed.remove(&user);
                self.record.owed.remove(&user);
            }
        }
        effects.events.extend(self.members(before, accepted));
        effects
            .events
            .extend(Self::told(&old, &self.state, &deeds, accepted));
        Ok(())
    }

    fn commit(
        &mut self,
        cx: ConversationContext<'_>,
        (accepted, bytes): (Millis, &[u8]),
        commit: StagedGroupCommit,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let next = |component: ComponentId| {
            let entries = &commit.facts.dictionary;
            let found = entries.iter().find(|(id, _)| *id == component.0);
            found.map(|(_, data)| data.clone())
        };
        let next = match RoomState::read(next) {
            Ok(next) => next,
            Err(error) => {
                // Nothing could be done in a room without rules, not even load it, and coming back leads nowhere else.
                let (reason, by) = (error.to_string(), self.culprit(bytes));
                self.record.stop(&reason);
                let alarm = Alarm::BadCommit { reason, by };
                effects.events.push(ConversationEvent::Alarm(alarm));
                return Ok(());
            }
        };
        // Rooms must not fork on what one client knows: a defect is told, and the commit merged all the same
        // (the hub refused it if it could know). A missing CA is fetched first.
        let verdict = self.judge_commit(&commit.facts)?;
        let (before, old) = (self.clients(), self.state.clone());
        let deeds = self.deeds_of(&commit.facts);
        let back: Vec<UserUri> = commit
            .facts
            .adds
            .iter()
            .filter_map(|add| add.leaf.claims.as_ref())
            .map(|(_, user)| user.clone())
            .collect();
        let removes_self = commit.removes_self;
        let bad_welcome = self.let_in_by(&commit.facts, accepted, deeds.committer.as_ref());
        self.group.merge(commit)?;
        self.outbox.epoch_passed(&mut effects.changes);
        effects.events.extend(self.heed(verdict, Some(accepted)));
        effects.events.extend(bad_welcome.map(ConversationEvent::Alarm));
        self.forget_gone();
        for user in back {
            self.record.departed.remove(&user);
        }
        effects.events.extend(Self::told(&old, &next, &deeds, accepted));
        if removes_self {
            let (how, by) = self.way_out(&next, &deeds, cx.me);
            self.close("you are no longer in this room", effects);
            effects.events.push(ConversationEvent::Removed { how, by });
            return Ok(());
        }
        self.read_state()?;
        let role = |state: &RoomState| state.participant(cx.me).map(|entry| entry.role_index);
        if role(&old) != role(&self.state) && self.record.stopped.as_deref() == Some(NOT_TAKEN) {
            // The reason is known now, and the role decides from here on.
            self.record.stopped = None;
        }
        effects.events.extend(self.members(before, accepted));
        // The commit took the epoch for which this client's own change was; what was asked of it may be done now.
        if !matches!(self.record.work, Work::Keys { .. }) {
            self.record.work = Work::Idle;
        }
        Ok(())
    }

    /// Goes on in a new epoch.
    pub(super) fn entered(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        if self.record.phase == Phase::Closed {
            return Ok(());
        }
        let state = &self.state;
        self.record
            .departed
            .retain(|user| state.participant(user).is_some());
        self.record.commit_at = None;
        self.record.retry_at = 0;
        self.record.behind = None;
        self.record.refusals = 0;
        if let Phase::CatchingUp { epoch, .. } = self.record.phase
            && self.group.epoch() >= epoch
        {
            self.record.phase = Phase::Open;
        }
        if self.record.phase == Phase::Open {
            if self.group.has_pending_commit() && self.record.work == Work::Idle {
                self.group.drop_own()?;
            }
            self.drop_paid(cx);
            self.owe_other(cx, now);
        }
        self.schedule_commit(now, rng);
        self.settle_intents(cx, now, effects);
        Ok(())
    }

    /// Takes proposals that the hub let into the log; they wait in the group for a commit.
    fn proposed(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        proposals: &[MlsMessage],
        judge: &Judge<'_>,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let mut references = Vec::with_capacity(proposals.len());
        for proposal in proposals {
            match self.group.process(&proposal.to_bytes(), judge, &RoomRules, rng) {
                Ok(Incoming::Proposal(proposal)) => references.push(proposal.reference),
                // Of an epoch this client has left, or it is out.
                Err(MlsError::WrongEpoch { message, group }) if message < group => return Ok(()),
                Err(MlsError::Evicted) => return Ok(()),
                Err(MlsError::WrongEpoch { message, group }) => {
                    self.gap(now, message, group, effects);
                    return Ok(());
                }
                Err(MlsError::Internal(reason)) => return Err(ConversationError::Internal(reason)),
                Ok(_) => return Err(ConversationError::Refused("a proposal was announced".to_owned())),
                Err(error) => {
                    // A commit that refers to it cannot be followed; then this client comes back.
                    effects.events.extend(self.forbidden(&error.to_string()));
                    return Ok(());
                }
            }
        }
        self.record.behind = None;
        let own = self.unaccepted();
        if !references.is_empty() && references.iter().all(|reference| own.contains(reference)) {
            // The log says it before the answer does.
            self.update_accepted(now, effects);
        }
        match self.judge_proposals() {
            Ok(departed) => self.record.departed.extend(departed),
            Err(reason) => effects.events.extend(self.forbidden(&reason)),
        }
        if !self.record.departed.contains(cx.me) {
            self.schedule_commit(now, rng);
        }
        Ok(())
    }

    fn forbidden(&mut self, reason: &str) -> Vec<ConversationEvent> {
        self.record.stop(reason);
        let reason = reason.to_owned();
        vec![ConversationEvent::Alarm(Alarm::Forbidden { reason })]
    }

    fn gap(&mut self, now: Millis, message: u64, group: u64, effects: &mut Effects) {
        if self.record.repair.is_none() {
            let alarm = Alarm::Gap { message, group };
            effects.events.push(ConversationEvent::Alarm(alarm));
        }
        self.start_repair(now, message, effects);
    }

    fn not_processed(
        &mut self,
        now: Millis,
        (error, accepted): (MlsError, Millis),
        commit: Option<&[u8]>,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        match error {
            // Before this client joined, or replaced by its own external commit: not for it.
            MlsError::WrongEpoch { message, group } if message < group => {}
            MlsError::WrongEpoch { message, group } => self.gap(now, message, group, effects),
            MlsError::UnknownProvider(domain) => return Err(ConversationError::UnknownProvider(domain)),
            MlsError::Internal(reason) => return Err(ConversationError::Internal(reason)),
            MlsError::Evicted => {}
            error => match commit {
                // The hub takes no commit that refers to what it has not accepted: the log kept something from this
                // client, and the commit's maker has no part in it.
                Some(bytes) if self.lacks_proposals(bytes) => {
                    let epoch = self.group.epoch();
                    self.gap(now, epoch, epoch, effects);
                }
                // The room goes on without this client, unless it comes back.
                Some(bytes) => {
                    if self.record.repair.is_none() {
                        let (reason, by) = (error.to_string(), self.culprit(bytes));
                        let alarm = Alarm::BadCommit { reason, by };
                        effects.events.push(ConversationEvent::Alarm(alarm));
                    }
                    let next = self.group.epoch().saturating_add(1);
                    self.start_repair(now, next, effects);
                }
                None => effects.events.push(ConversationEvent::Unreadable {
                    accepted,
                    reason: error.to_string(),
                }),
            },
        }
        Ok(())
    }

    /// Whether a commit of this epoch refers to proposals that the log has not brought.
    fn lacks_proposals(&self, commit: &[u8]) -> bool {
        let Ok(MlsMessage::Public(message)) = MlsMessage::from_bytes(commit) else {
            return false;
        };
        let known: Vec<Vec<u8>> = self
            .group
            .proposals()
            .map(|proposal| proposal.reference)
            .collect();
        message.commit().is_some_and(|commit| {
            let mut referred = commit.proposals_by_reference();
            referred.any(|reference| !known.iter().any(|known| known == reference))
        })
    }

    /// Who made a commit of this epoch, as far as its signature proves it.
    fn culprit(&self, commit: &[u8]) -> Option<UserUri> {
        let credential = self.group.committer_of(commit)?;
        let credential = ClientCredential::parse(&credential).ok()?;
        Some(credential.claimed_user().clone())
    }

    /// Clients in the group, by what they claim. One whose credential says nothing is left out: it was alarmed
    /// about when it came in.
    pub(super) fn clients(&self) -> Vec<(ClientUri, UserUri)> {
        let claims = self.group.members().filter_map(|member| {
            let credential = ClientCredential::parse(&member.credential).ok()?;
            Some((
                credential.claimed_client().clone(),
                credential.claimed_user().clone(),
            ))
        });
        claims.collect()
    }

    /// Who came and went since `before`.
    pub(super) fn members(
        &self,
        before: Vec<(ClientUri, UserUri)>,
        accepted: Millis,
    ) -> Vec<ConversationEvent> {
        let after = self.clients();
        let added: Vec<_> = after
            .iter()
            .filter(|client| !before.contains(client))
            .cloned()
            .collect();
        let removed: Vec<_> = before
            .into_iter()
            .filter(|client| !after.contains(client))
            .collect();
        if added.is_empty() && removed.is_empty() {
            return Vec::new();
        }
        vec![ConversationEvent::Members {
            added,
            removed,
            accepted,
        }]
    }
}

fn frank_state(verdict: Result<(), FrankError>) -> FrankState {
    match verdict {
        Ok(()) => FrankState::Verified,
        Err(error) => FrankState::Unverified(error),
    }
}
