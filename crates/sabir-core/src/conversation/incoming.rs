//! What the hub's log brings, in its order.

use rand_core::CryptoRng;
use sabir_mls::group::{Incoming, Received, StagedGroupCommit};
use sabir_mls::identity::{ClientCredential, Freshness};
use sabir_mls::keys::sha256;
use sabir_mls::rows::RowChanges;
use sabir_mls::{Judge, MlsError};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::ComponentId;
use sabir_wire::protocol::{FanoutBody, FanoutMessage, Frank};
use sabir_wire::uri::{ClientUri, UserUri};

use super::event::{Alarm, ConversationEvent, FrankState, MessageEvent, Out};
use super::record::Phase;
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
        let accepted = entry.timestamp;
        let (frank, message) = match &entry.body {
            FanoutBody::Application { message, frank } => (frank.as_ref(), message),
            FanoutBody::Commit { message, .. } | FanoutBody::Proposal { message, .. } => (None, message),
            // A Welcome for a room this client is in already: it came twice.
            FanoutBody::Welcome { .. } => return Ok(Effects::default()),
        };
        let bytes = message.to_bytes();
        let mut changes = RowChanges::default();
        // A client judges at the time the hub accepted the entry, so that all clients judge alike.
        let judge = Judge {
            anchors: cx.anchors,
            freshness: Freshness::At(accepted),
        };
        let events = match self.group.process(&bytes, &judge, &RoomRules, rng) {
            Ok(Incoming::OwnMessage) => vec![self.own_message(cx, accepted, &bytes, frank, &mut changes)],
            Ok(Incoming::Message(received)) => vec![self.message(accepted, received, frank)],
            Ok(Incoming::OwnCommit) => self.own_commit(cx, now, accepted, &mut changes)?,
            Ok(Incoming::Commit(commit)) => self.commit(cx, now, accepted, *commit, &mut changes)?,
            Ok(Incoming::Proposal(_)) => self.forbidden("a direct room knows no proposals"),
            Err(error) => {
                let is_commit = matches!(entry.body, FanoutBody::Commit { .. });
                self.not_processed(error, accepted, is_commit)?
            }
        };
        Ok(self.effects(changes, events))
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
        now: Millis,
        accepted: Millis,
        changes: &mut RowChanges,
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
        let before = self.clients();
        self.group.merge_own()?;
        self.outbox.epoch_passed(changes);
        self.read_state()?;
        self.remember_members(cx)?;
        let mut events = self.members(before, accepted);
        self.caught_up(cx, now)?;
        if self.others_present(cx.me) && self.record.phase != Phase::Ready {
            self.record.phase = Phase::Ready;
            events.push(ConversationEvent::Ready);
        }
        Ok(events)
    }

    fn commit(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        accepted: Millis,
        commit: StagedGroupCommit,
        changes: &mut RowChanges,
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
        let next = |component: ComponentId| {
            let entries = &commit.facts.dictionary;
            let found = entries.iter().find(|(id, _)| *id == component.0);
            found.map(|(_, data)| data.clone())
        };
        if let Err(error) = RoomState::read(next) {
            // Nothing could be done in a room without rules, not even load it.
            return Ok(self.bad_commit(error.to_string()));
        }
        // Rooms must not fork on what one client knows: a defect is told, and the commit merged all the same
        // (the hub refused it if it could know). A missing CA is fetched first.
        let verdict = self.judge_commit(&commit.facts)?;
        let before = self.clients();
        let removes_self = commit.removes_self;
        self.group.merge(commit)?;
        self.outbox.epoch_passed(changes);
        let mut events = self.heed(verdict);
        self.forget_gone();
        if removes_self {
            self.record.phase = Phase::Closed;
            events.push(ConversationEvent::Removed {
                how: Out::Client,
                by: None,
            });
            return Ok(events);
        }
        self.read_state()?;
        events.extend(self.members(before, accepted));
        if let Phase::Adding { attempts, .. } | Phase::WantsKeys { attempts, .. } = self.record.phase {
            // The commit took the epoch this client's own commit was for.
            self.record.phase = Phase::CatchingUp {
                epoch: self.group.epoch(),
                attempts,
            };
        }
        let was_ready = self.record.phase == Phase::Ready;
        self.caught_up(cx, now)?;
        if !was_ready && self.record.phase == Phase::Ready {
            events.push(ConversationEvent::Ready);
        }
        Ok(events)
    }

    fn forbidden(&mut self, reason: &str) -> Vec<ConversationEvent> {
        self.record.stop(reason);
        let reason = reason.to_owned();
        vec![ConversationEvent::Alarm(Alarm::Forbidden { reason })]
    }

    /// The room goes on without this client, whose messages would all be refused.
    fn bad_commit(&mut self, reason: String) -> Vec<ConversationEvent> {
        self.record.stop(&reason);
        vec![ConversationEvent::Alarm(Alarm::BadCommit { reason, by: None })]
    }

    fn not_processed(
        &mut self,
        error: MlsError,
        accepted: Millis,
        is_commit: bool,
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
        match error {
            // Before this client joined, or replaced by its own external commit: not for it.
            MlsError::WrongEpoch { message, group } if message < group => Ok(Vec::new()),
            MlsError::WrongEpoch { message, group } => {
                Ok(vec![ConversationEvent::Alarm(Alarm::Gap { message, group })])
            }
            MlsError::UnknownProvider(domain) => Err(ConversationError::UnknownProvider(domain)),
            MlsError::Internal(reason) => Err(ConversationError::Internal(reason)),
            MlsError::Evicted => Ok(Vec::new()),
            error if is_commit => Ok(self.bad_commit(error.to_string())),
            error => {
                let reason = error.to_string();
                Ok(vec![ConversationEvent::Unreadable { accepted, reason }])
            }
        }
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
    fn members(&self, before: Vec<(ClientUri, UserUri)>, accepted: Millis) -> Vec<ConversationEvent> {
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
