//! What the provider answers to the one outstanding request.

use rand_core::CryptoRng;
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomResponse};
use sabir_wire::codec::Decode;
use sabir_wire::protocol::SubmitMessageResponse;

use super::event::{Alarm, ConversationEvent};
use super::record::Phase;
use super::{Conversation, ConversationContext, ConversationError, Effects, Request, RequestKind};
use crate::Millis;
use crate::room::RoomKind;

/// Why sending stopped, where the hub said no.
pub(super) const NOT_TAKEN: &str = "the hub does not let you send here";

impl Conversation {
    /// Takes the answer to `request`. An answer to a request that is no longer outstanding changes nothing.
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a CA must be pinned first (then give the same answer again),
    /// [`ConversationError::Refused`] where the answer is malformed.
    pub fn answered(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        request: &Request,
        response: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        if self.unanswered(Millis::MAX).as_ref() != Some(request) {
            return Ok(Effects::default());
        }
        let mut effects = Effects::default();
        match request.kind {
            RequestKind::CreateRoom => self.room_created(cx, now, response, &mut effects)?,
            RequestKind::KeyMaterial => {
                self.keys_came(cx, now, (&request.body, response), rng, &mut effects)?;
            }
            RequestKind::GroupInfo => self.group_info_came(cx, now, response, rng, &mut effects)?,
            RequestKind::Update if self.record.repair.is_some() => {
                self.return_answered(cx, now, response, rng, &mut effects)?;
            }
            RequestKind::Update => self.update_answered(now, response, &mut effects)?,
            RequestKind::Submit => self.submit_answered(now, response, &mut effects)?,
        }
        self.draw_up(cx, now, rng, &mut effects)?;
        Ok(self.finish(effects))
    }

    fn room_created(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        response: &[u8],
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let response = CreateRoomResponse::from_bytes(response)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        match response.outcome {
            // Its name is random: where it exists already, an earlier answer was lost.
            CreateRoomOutcome::Created { .. } | CreateRoomOutcome::AlreadyExists => {
                self.record.phase = Phase::Open;
                self.owe_other(cx, now);
            }
            CreateRoomOutcome::NotAllowed | CreateRoomOutcome::Invalid => {
                let reason = response.description;
                effects.events.push(ConversationEvent::Alarm(Alarm::Refused {
                    reason: reason.clone(),
                }));
                self.close(&reason, effects);
            }
        }
        Ok(())
    }

    /// In a direct room the other person's clients are owed as long as there is none.
    pub(super) fn owe_other(&mut self, cx: ConversationContext<'_>, now: Millis) {
        if self.state.kind() == RoomKind::Direct
            && self.group.is_active()
            && !self.is_peopled()
            && let Some(other) = self.state.other(cx.me).cloned()
        {
            self.owe(other, now);
        }
    }

    fn submit_answered(
        &mut self,
        now: Millis,
        response: &[u8],
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let response = SubmitMessageResponse::from_bytes(response)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        match response {
            SubmitMessageResponse::Accepted {
                accepted_timestamp: accepted,
                ..
            } => {
                if let Some(local_id) = self.outbox.accept(accepted, &mut effects.changes) {
                    let event = ConversationEvent::Accepted { local_id, accepted };
                    effects.events.push(event);
                }
            }
            SubmitMessageResponse::EpochTooOld { current_epoch } if current_epoch > self.group.epoch() => {
                // Nobody got it, unless the hub took it once and has forgotten that. What the log does not bring before the
                // commit that ended this client's epoch is encrypted anew.
                self.record.phase = Phase::CatchingUp {
                    epoch: current_epoch,
                    since: now,
                };
            }
            // What is outstanding is encrypted in this client's epoch: a hub to whom that is too old, and which is at
            // no newer one, contradicts itself and would do so again.
            SubmitMessageResponse::NotAllowed | SubmitMessageResponse::EpochTooOld { .. } => {
                // Nobody got it, and it stays: a person decides when to try again, and the room may change.
                self.outbox.unseal(&mut effects.changes);
                let reason = NOT_TAKEN.to_owned();
                self.record.stop(&reason);
                let alarm = Alarm::SendingRefused { reason };
                effects.events.push(ConversationEvent::Alarm(alarm));
            }
        }
        Ok(())
    }
}
