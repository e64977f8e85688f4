//! What the hub's log brings, in its order.

use rand_core::CryptoRng;
use sabir_mls::group::{Incoming, Received, StagedGroupCommit};
use sabir_mls::identity::{ClientCredential, Freshness};
use sabir_mls::keys::sha256;
use sabir_mls::rows::RowChanges;
use sabir_mls::{Judge, MlsError};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::MimiContent;
use sabir_wire::protocol::{FanoutBody, FanoutMessage, Frank};
use sabir_wire::uri::{ClientUri, UserUri};

use super::event::{Alarm, ConversationEvent, FrankState, MessageEvent};
use super::record::Phase;
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::frank::{self, FrankError};
use crate::room::RoomRules;

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
            Ok(Incoming::Message(received)) => vec![self.message(cx, accepted, received, frank)?],
            Ok(Incoming::OwnCommit) => self.own_commit(cx, accepted)?,
            Ok(Incoming::Commit(commit)) => self.commit(cx, now, accepted, *commit)?,
            Ok(Incoming::Proposal(_)) => Vec::new(),
            Err(error) => self.not_processed(error, accepted)?,
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
        }))
    }

    fn message(
        &self,
        cx: ConversationContext<'_>,
        accepted: Millis,
        received: Received,
        frank: Option<&Frank>,
    ) -> Result<ConversationEvent, ConversationError> {
        let unreadable = |reason: String| Ok(ConversationEvent::Unreadable { accepted, reason });
        // The leaf was judged when it came in; here its credential only says who it is.
        let credential = ClientCredential::parse(&received.credential).map_err(MlsError::from)?;
        let sender = credential.claimed_user().clone();
        let _ = cx;
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
        Ok(ConversationEvent::Message(Box::new(MessageEvent {
            message_id,
            sender,
            local_id: None,
            content: received.plaintext,
            accepted,
            frank: frank.cloned(),
            frank_state: frank_state(verdict),
        })))
    }

    fn own_commit(
        &mut self,
        cx: ConversationContext<'_>,
        accepted: Millis,
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
        let before = self.clients()?;
        self.group.merge_own()?;
        self.read_state()?;
        let mut events = self.members(before, accepted)?;
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
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
        let mut events = Vec::new();
        // Rooms must not fork on what one client knows: a defect is told, and the commit merged all the same
        // (the hub refused it if it could know). A missing CA is fetched first.
        match commit.facts.require_verified() {
            Ok(()) => {}
            Err(MlsError::UnknownProvider(domain)) => return Err(ConversationError::UnknownProvider(domain)),
            Err(error) => events.push(ConversationEvent::Alarm(Alarm::Unverified {
                reason: error.to_string(),
            })),
        }
        let before = self.clients()?;
        let removes_self = commit.removes_self;
        self.group.merge(commit)?;
        if removes_self {
            self.record.phase = Phase::Closed;
            events.push(ConversationEvent::Removed);
            return Ok(events);
        }
        self.read_state()?;
        events.extend(self.members(before, accepted)?);
        if matches!(self.record.phase, Phase::Adding { .. } | Phase::WantsKeys { .. }) {
            // The commit took the epoch this client's own commit was for.
            self.record.phase = Phase::CatchingUp {
                epoch: self.group.epoch(),
            };
        }
        let was_ready = self.record.phase == Phase::Ready;
        self.caught_up(cx, now)?;
        if !was_ready && self.record.phase == Phase::Ready {
            events.push(ConversationEvent::Ready);
        }
        Ok(events)
    }

    fn not_processed(
        &self,
        error: MlsError,
        accepted: Millis,
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
            error => {
                let reason = error.to_string();
                Ok(vec![ConversationEvent::Unreadable { accepted, reason }])
            }
        }
    }

    pub(super) fn clients(&self) -> Result<Vec<(ClientUri, UserUri)>, ConversationError> {
        let claims = self.group.members().map(|member| {
            let credential = ClientCredential::parse(&member.credential).map_err(MlsError::from)?;
            Ok((
                credential.claimed_client().clone(),
                credential.claimed_user().clone(),
            ))
        });
        claims.collect::<Result<Vec<_>, MlsError>>().map_err(Into::into)
    }

    /// Who came and went since `before`.
    fn members(
        &self,
        before: Vec<(ClientUri, UserUri)>,
        accepted: Millis,
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
        let after = self.clients()?;
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
            return Ok(Vec::new());
        }
        Ok(vec![ConversationEvent::Members {
            added,
            removed,
            accepted,
        }])
    }
}

fn frank_state(verdict: Result<(), FrankError>) -> FrankState {
    match verdict {
        Ok(()) => FrankState::Verified,
        Err(error) => FrankState::Unverified(error),
    }
}
