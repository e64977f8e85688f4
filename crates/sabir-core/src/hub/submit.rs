use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{ComponentId, ContentType, MlsMessage, SafeAad};
use sabir_wire::policy::CapabilityType;
use sabir_wire::protocol::{
    FanoutBody, FanoutMessage, FrankAad, SubmitMessageRequest, SubmitMessageResponse,
};

use super::{Effects, Hub, HubContext, HubError, HubEvent, Origin, policy};
use crate::Millis;
use crate::frank::Franker;
use crate::room::allows;

impl Hub {
    /// Takes an application message (draft-ietf-mimi-protocol-06 §5.4).
    ///
    /// # Errors
    /// [`HubError::Internal`]; everything the protocol has a code for is answered.
    pub fn submit(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: SubmitMessageRequest,
    ) -> Result<Effects, HubError> {
        let epoch = self.epoch();
        let refused = |response: SubmitMessageResponse| Effects {
            epoch,
            reply: response.to_bytes(),
            ..Effects::default()
        };
        let safe_aad = match self.check_submit(origin, &request) {
            Ok(safe_aad) => safe_aad,
            Err(response) => return Ok(refused(response)),
        };
        let accepted = self.accepted_at(now);
        let tag = safe_aad
            .get(ComponentId::FRANK_AAD)
            .and_then(|item| FrankAad::from_bytes(item).ok());
        // draft-ietf-mimi-protocol-06 §5.4.1: the hub franks where the room has an agent and the message a tag.
        let frank = match (tag, &self.state.franking_agent) {
            (Some(tag), Some(_)) => {
                let franker = Franker {
                    hub_key: &cx.identity.hub_key,
                    signing_key: &cx.identity.signing_key,
                    suite: self.observer.suite(),
                };
                let frank = franker.frank(&tag.franking_tag, &request.sending_uri, &self.room, accepted);
                Some(frank.map_err(|error| HubError::Internal(error.to_string()))?)
            }
            _ => None,
        };
        let body = FanoutMessage {
            timestamp: accepted,
            body: FanoutBody::Application {
                message: Box::new(request.app_message),
                frank: frank.clone(),
            },
        };
        let event = HubEvent {
            body: body.to_bytes(),
            devices: self.receivers.devices.clone(),
            followers: self.receivers.followers.clone(),
        };
        let mut changes = sabir_mls::rows::RowChanges::default();
        if accepted != self.record.last_accepted {
            self.record.last_accepted = accepted;
            self.record.write_time(&mut changes);
        }
        let reply = SubmitMessageResponse::Accepted {
            accepted_timestamp: accepted,
            frank,
        }
        .to_bytes();
        Ok(Effects {
            changes,
            epoch: self.epoch(),
            events: vec![event],
            reply,
        })
    }

    fn check_submit(
        &self,
        origin: &Origin,
        request: &SubmitMessageRequest,
    ) -> Result<SafeAad, SubmitMessageResponse> {
        let denied = || SubmitMessageResponse::NotAllowed;
        let MlsMessage::Private(message) = &request.app_message else {
            return Err(denied());
        };
        if message.content_type != ContentType::Application || message.group_id != self.observer.group_id() {
            return Err(denied());
        }
        let sender = &request.sending_uri;
        // draft-ietf-mimi-protocol-06 §5.4: the sender is an active participant; its provider speaks for it.
        let active = self.leaves.values().any(|leaf| leaf.user == *sender);
        let may_send = allows(&self.state, sender, CapabilityType::CAN_SEND_MESSAGE)
            // draft-ietf-mimi-protocol-06 §5.3: who was removed or banned sends nothing more.
            && !self.record.waiting.cuts_off(sender);
        if !policy::speaks_for(&origin.provider, sender) || !active || !may_send {
            return Err(denied());
        }
        if let Some(client) = &origin.client {
            let own = self
                .leaves
                .values()
                .any(|leaf| leaf.client == *client && leaf.user == *sender);
            if !own {
                return Err(denied());
            }
        }
        // The epoch after the right to know it.
        if message.epoch < self.epoch() {
            return Err(SubmitMessageResponse::EpochTooOld {
                current_epoch: self.epoch(),
            });
        }
        if message.epoch > self.epoch() {
            return Err(denied());
        }
        // draft-ietf-mls-extensions §4.9: where the group has safe_aad, all authenticated data is framed by it.
        SafeAad::from_bytes(&message.authenticated_data).map_err(|_| denied())
    }
}
