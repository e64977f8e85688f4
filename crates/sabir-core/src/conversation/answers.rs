//! What the provider answers to the one outstanding request.

use rand_core::CryptoRng;
use sabir_mls::MlsError;
use sabir_mls::key_package::VerifiedKeyPackage;
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
use crate::hub::device_lists;
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
        if self.unanswered(Millis::MAX).as_ref() != Some(request) {
            return Ok(Effects::default());
        }
        match request.kind {
            RequestKind::CreateRoom => self.room_created(cx, now, response),
            RequestKind::KeyMaterial => self.keys_came(cx, now, &request.body, response, rng),
            RequestKind::Update => self.update_answered(cx, now, response),
            RequestKind::Submit => self.submit_answered(response),
            RequestKind::GroupInfo => Ok(Effects::default()),
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
            // Its name is random: where it exists already, an earlier answer was lost.
            CreateRoomOutcome::Created { .. } | CreateRoomOutcome::AlreadyExists => {
                if self.others_present(cx.me) {
                    self.record.phase = Phase::Ready;
                    events.push(ConversationEvent::Ready);
                } else {
                    self.want_keys(cx, now, 0)?;
                }
            }
            CreateRoomOutcome::NotAllowed | CreateRoomOutcome::Invalid => {
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
            Err(key_material::ResponseError::Mls(MlsError::UnknownProvider(domain))) => {
                return Err(ConversationError::UnknownProvider(domain));
            }
            // Asked again, the provider may have something better; this answer stays what it is.
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
        let packages = match self.usable(packages) {
            Ok(packages) => packages,
            Err(reason) => return self.wait(cx, now, reason.to_owned()),
        };
        let attempts = self.attempts();
        match self.add(cx, packages, attempts, rng) {
            Ok(()) => Ok(self.effects(RowChanges::default(), Vec::new())),
            Err(ConversationError::Refused(reason)) => self.wait(cx, now, reason),
            Err(error) => Err(error),
        }
    }

    /// The key packages of devices that are on their person's newest list, and of the person known here.
    fn usable(&self, packages: Vec<VerifiedKeyPackage>) -> Result<Vec<VerifiedKeyPackage>, &'static str> {
        let seen = self.seen_lists();
        let lists = packages.iter().map(|it| (&it.client, it.device_list.as_deref()));
        let beside = device_lists::newest(lists);
        let mut why = "there is no device to add";
        let mut usable = Vec::new();
        for package in packages {
            let list = package.device_list.as_deref();
            let listed = device_lists::check(&package.client, list, &seen, &beside);
            match (self.known_otherwise(&package.client), listed) {
                (None, Ok(_)) => usable.push(package),
                (Some(reason), _) | (_, Err(reason)) => why = reason,
            }
        }
        if usable.is_empty() { Err(why) } else { Ok(usable) }
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
            // The commit stays pending: the one that took the epoch may be this very one, its answer lost and
            // forgotten since. The log tells; whatever it brings drops or merges it.
            UpdateOutcome::WrongEpoch { current_epoch } if current_epoch > self.group.epoch() => {
                self.record.phase = Phase::CatchingUp {
                    epoch: current_epoch,
                    attempts: self.attempts(),
                };
                Ok(self.effects(RowChanges::default(), Vec::new()))
            }
            UpdateOutcome::WrongEpoch { .. } => {
                self.group.drop_own()?;
                self.wait(cx, now, "the room's provider lags behind".to_owned())
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
                    self.record.phase = Phase::CatchingUp {
                        epoch: current_epoch,
                        attempts: 0,
                    };
                }
            }
            SubmitMessageResponse::NotAllowed => {
                // Nobody got it, and it stays: a person decides when to try again, and the room may change.
                self.outbox.unseal(&mut changes);
                let reason = "the hub does not let you send here".to_owned();
                self.record.stop(&reason);
                events.push(ConversationEvent::Alarm(Alarm::SendingRefused { reason }));
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
        if let Phase::CatchingUp { epoch, attempts } = self.record.phase
            && self.group.epoch() >= epoch
        {
            if self.others_present(cx.me) {
                self.record.phase = Phase::Ready;
            } else {
                if self.group.has_pending_commit() {
                    self.group.drop_own()?;
                }
                self.want_keys(cx, now, attempts)?;
            }
        }
        Ok(())
    }

    /// How many attempts to add the other person have failed.
    fn attempts(&self) -> u32 {
        match &self.record.phase {
            Phase::WantsKeys { attempts, .. }
            | Phase::Adding { attempts, .. }
            | Phase::CatchingUp { attempts, .. } => *attempts,
            _ => 0,
        }
    }

    fn wait(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        reason: String,
    ) -> Result<Effects, ConversationError> {
        let attempts = self.attempts().saturating_add(1);
        let until = self.want_keys(cx, now, attempts)?;
        Ok(self.effects(
            RowChanges::default(),
            vec![ConversationEvent::Waiting {
                user: self.state.other(cx.me).cloned().unwrap_or_else(|| cx.me.clone()),
                reason,
                until,
            }],
        ))
    }
}

fn malformed(error: DecodeError) -> ConversationError {
    ConversationError::Refused(error.to_string())
}
