use rand_core::CryptoRng;
use sabir_mls::identity::{ClientCredential, Freshness};
use sabir_mls::suite;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{CipherSuite, ExternalSender, GroupInfo, HpkeCiphertext, MlsMessage, RatchetTree};
use sabir_wire::policy::CapabilityType;
use sabir_wire::protocol::{
    GroupInfoOutcome, GroupInfoRatchetTreeTbe, GroupInfoRequest, GroupInfoResponse, GroupInfoSuccess,
    PendingProposal, RatchetTreeOption,
};
use sabir_wire::uri::RoomUri;

use super::{Hub, HubContext, HubError, Origin, franking_agent, policy};
use crate::Millis;
use crate::room::{allows, policy as room_policy};

/// Label under which a request is signed.
pub const REQUEST_LABEL: &str = "GroupInfoRequestTBS";

/// Label under which an answer is signed.
pub const RESPONSE_LABEL: &str = "GroupInfoResponseTBS";

/// Label under which GroupInfo and tree are encrypted; the context is the room's URI.
pub const ENCRYPTION_LABEL: &str = "GroupInfo and ratchet_tree encryption";

impl Hub {
    /// Answers a request for the GroupInfo (draft-ietf-mimi-protocol-06 §5.6): who may add a client of their own
    /// gets it, encrypted to the key they named.
    ///
    /// # Errors
    /// A fault of ours; a requester who may not have it is answered.
    pub fn group_info(
        &self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: &GroupInfoRequest,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, HubError> {
        let outcome = if self.may_have_group_info(cx, now, origin, request) {
            GroupInfoOutcome::Success(Box::new(self.seal(cx, request, rng)?))
        } else {
            GroupInfoOutcome::NotAuthorized
        };
        Ok(GroupInfoResponse {
            room_id: self.room.clone(),
            outcome,
        }
        .to_bytes())
    }

    fn may_have_group_info(
        &self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: &GroupInfoRequest,
    ) -> bool {
        let key = &request.requesting_signature_key.0;
        let signed = suite::verify_with_label(
            request.cipher_suite.0,
            key,
            REQUEST_LABEL,
            &request.tbs(),
            &request.signature,
        );
        let client = ClientCredential::from_credential(&request.requesting_credential)
            .and_then(|credential| credential.verify(cx.anchors, Freshness::At(now), key));
        let (Ok(()), Ok(client)) = (signed, client) else {
            return false;
        };
        let own = origin
            .client
            .as_ref()
            .is_none_or(|device| device == client.client());
        let user = client.user();
        // Who is on the list, and who could put itself there by joining (draft-ietf-mimi-room-policy-03 §8.1.1).
        let may_join = match self.state.participant(user) {
            Some(_) => allows(&self.state, user, CapabilityType::CAN_ADD_OWN_CLIENT),
            None => {
                let code = request.joining_code.as_deref();
                room_policy::may_come_in(self.view(), user)
                    || code.is_some_and(|code| self.link_opens(now, key, code))
            }
        };
        // A key that was replaced comes in nowhere, so it is told nothing either.
        let replaced = self
            .record
            .device_lists
            .get(user)
            .is_some_and(|seen| seen.refuses_identity(&client).is_some());
        own && !replaced
            && policy::speaks_for(&origin.provider, user)
            && may_join
            && !self.record.waiting.cuts_off(user)
    }

    fn seal(
        &self,
        cx: HubContext<'_>,
        request: &GroupInfoRequest,
        rng: &mut dyn CryptoRng,
    ) -> Result<GroupInfoSuccess, HubError> {
        let internal = |error: &dyn std::fmt::Display| HubError::Internal(error.to_string());
        let tree = self.observer.ratchet_tree().map_err(|error| internal(&error))?;
        let waiting = self.record.waiting.proposals.iter().map(|accepted| {
            Ok(PendingProposal {
                proposal: MlsMessage::from_bytes(&accepted.message).map_err(|error| internal(&error))?,
                hub_accepted_time: accepted.at,
            })
        });
        let plain = GroupInfoRatchetTreeTbe {
            group_info: GroupInfo::from_bytes(&self.record.group_info).map_err(|error| internal(&error))?,
            ratchet_tree_option: RatchetTreeOption::Full(
                RatchetTree::from_bytes(&tree).map_err(|error| internal(&error))?,
            ),
            pending_proposals: waiting.collect::<Result<_, HubError>>()?,
        };
        let suite = request.cipher_suite.0;
        let (kem_output, ciphertext) = suite::encrypt_with_label(
            suite,
            &request.group_info_public_key.0,
            ENCRYPTION_LABEL,
            self.room.as_str().as_bytes(),
            &plain.to_bytes(),
            rng,
        )
        .map_err(|error| internal(&error))?;
        let agent = franking_agent(cx.identity);
        let mut success = GroupInfoSuccess {
            cipher_suite: CipherSuite(suite),
            hub_sender: ExternalSender {
                signature_key: agent.franking_signature_key,
                credential: agent.credential,
            },
            encrypted_groupinfo_and_tree: HpkeCiphertext {
                kem_output,
                ciphertext,
            },
            signature: Vec::new(),
        };
        let tbs = success.tbs(&self.room);
        success.signature = cx
            .identity
            .signing_key
            .sign_with_label(RESPONSE_LABEL, &tbs)
            .map_err(|error| internal(&error))?;
        Ok(success)
    }
}

/// The answer for a room that is not here.
#[must_use]
pub fn no_such_room(room: &RoomUri) -> Vec<u8> {
    GroupInfoResponse {
        room_id: room.clone(),
        outcome: GroupInfoOutcome::NoSuchRoom,
    }
    .to_bytes()
}
