//! What the provider answers to the one outstanding request.

use rand_core::CryptoRng;
use sabir_mls::rows::RowChanges;
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomResponse};
use sabir_wire::codec::{Decode, DecodeError};
use sabir_wire::protocol::{
    KeyMaterialRequest, KeyMaterialResponse, KeyMaterialUserCode, SubmitMessageResponse, UpdateOutcome,
    UpdateRoomResponse,
};

use super::event::{Alarm, ConversationEvent};
use super::record::Phase;
use super::{Conversation, ConversationContext, ConversationError, Effects, Request, RequestKind};
use crate::Millis;
use crate::key_material;

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
        if self.outstanding(Millis::MAX).as_ref() != Some(request) {
            return Ok(Effects::default());
        }
        match request.kind {
            RequestKind::CreateRoom => self.room_created(cx, now, response),
            RequestKind::KeyMaterial => self.keys_came(cx, now, &request.body, response, rng),
            RequestKind::Update => self.update_answered(cx, now, response),
            RequestKind::Submit => self.submit_answered(response),
        }
    }

    fn room_created(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        response: &[u8],
    ) -> Result<Effects, ConversationError> {
        let response = CreateRoomResponse::from_bytes(response).map_err(malformed)?;
        let mut events = Vec::new();
        match response.outcome {
            CreateRoomOutcome::Created { .. } => {
                self.want_keys(cx, now, 0)?;
            }
            CreateRoomOutcome::AlreadyExists | CreateRoomOutcome::NotAllowed | CreateRoomOutcome::Invalid => {
                self.record.phase = Phase::Closed;
                events.push(ConversationEvent::Alarm(Alarm::Refused {
                    reason: response.description,
                }));
            }
        }
        Ok(self.effects(RowChanges::default(), events))
    }

    fn keys_came(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        request: &[u8],
        response: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        let request = KeyMaterialRequest::from_bytes(request).map_err(malformed)?;
        let response = KeyMaterialResponse::from_bytes(response).map_err(malformed)?;
        let packages = match key_material::check_response(&request, &response, cx.anchors, now) {
            Ok(packages) => packages,
            Err(key_material::ResponseError::Mls(error)) => return Err(error.into()),
            Err(error) => return self.wait(cx, now, error.to_string()),
        };
        if packages.is_empty() {
            let reason = match response.user_status {
                KeyMaterialUserCode::UserUnknown => "there is no such person at that provider",
                KeyMaterialUserCode::NoConsent | KeyMaterialUserCode::NoConsentForThisRoom => {
                    "this person cannot be reached from here"
                }
                KeyMaterialUserCode::UserDeleted => "this person's account was deleted",
                _ => "none of this person's devices can be added right now",
            };
            return self.wait(cx, now, reason.to_owned());
        }
        self.add(cx, packages, rng)?;
        Ok(self.effects(RowChanges::default(), Vec::new()))
    }

    fn update_answered(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        response: &[u8],
    ) -> Result<Effects, ConversationError> {
        let response = UpdateRoomResponse::from_bytes(response).map_err(malformed)?;
        match response.outcome {
            UpdateOutcome::Success { .. } => {
                if let Phase::Adding { accepted, .. } = &mut self.record.phase {
                    *accepted = true;
                }
                Ok(self.effects(RowChanges::default(), Vec::new()))
            }
            UpdateOutcome::WrongEpoch { current_epoch } => {
                self.group.drop_own()?;
                self.record.phase = Phase::CatchingUp { epoch: current_epoch };
                self.caught_up(cx, now)?;
                Ok(self.effects(RowChanges::default(), Vec::new()))
            }
            UpdateOutcome::NotAllowed | UpdateOutcome::InvalidProposal { .. } => {
                self.group.drop_own()?;
                self.wait(cx, now, response.error_description)
            }
        }
    }

    fn submit_answered(&mut self, response: &[u8]) -> Result<Effects, ConversationError> {
        let response = SubmitMessageResponse::from_bytes(response).map_err(malformed)?;
        let mut changes = RowChanges::default();
        let mut events = Vec::new();
        match response {
            SubmitMessageResponse::Accepted {
                accepted_timestamp: accepted,
                ..
            } => {
                if let Some(local_id) = self.outbox.accept(accepted, &mut changes) {
                    events.push(ConversationEvent::Accepted { local_id, accepted });
                }
            }
            SubmitMessageResponse::EpochTooOld { current_epoch } => {
                // Nobody got it: it is encrypted anew once the log has brought this client to that epoch.
                self.outbox.unseal(&mut changes);
                if current_epoch > self.group.epoch() {
                    self.record.phase = Phase::CatchingUp { epoch: current_epoch };
                }
            }
            SubmitMessageResponse::NotAllowed => {
                // The entry stays: a person decides what becomes of it, and the room may change.
                self.record.phase = Phase::Closed;
                let reason = "the hub does not let you send here".to_owned();
                events.push(ConversationEvent::Alarm(Alarm::Refused { reason }));
            }
        }
        Ok(self.effects(changes, events))
    }

    /// Goes on where the log has brought this client to the epoch it waited for.
    pub(super) fn caught_up(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
    ) -> Result<(), ConversationError> {
        if let Phase::CatchingUp { epoch } = self.record.phase
            && self.group.epoch() >= epoch
        {
            if self.others_present(cx.me) {
                self.record.phase = Phase::Ready;
            } else {
                self.want_keys(cx, now, 0)?;
            }
        }
        Ok(())
    }

    fn wait(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        reason: String,
    ) -> Result<Effects, ConversationError> {
        let attempts = match &self.record.phase {
            Phase::WantsKeys { attempts, .. } => attempts.saturating_add(1),
            _ => 1,
        };
        let until = self.want_keys(cx, now, attempts)?;
        Ok(self.effects(
            RowChanges::default(),
            vec![ConversationEvent::Waiting { reason, until }],
        ))
    }
}

fn malformed(error: DecodeError) -> ConversationError {
    ConversationError::Refused(error.to_string())
}
