//! The way in from outside (draft-ietf-mimi-protocol-06 §5.6): a request for what an external commit needs, the answer
//! checked and opened, and the commit.

use rand_core::CryptoRng;
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::{ExternalPlan, GroupInfoView, HubCommit, join_external_with};
use sabir_mls::identity::{ClientCredential, CredentialError, Freshness, ServerCredential};
use sabir_mls::suite;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::components::{ParticipantListUpdate, UserRolePair};
use sabir_wire::mls::{AppDataDictionary, CipherSuite, ExtensionType, HpkePublicKey, SignaturePublicKey};
use sabir_wire::protocol::{
    GroupInfoOutcome, GroupInfoRatchetTreeTbe, GroupInfoRequest, GroupInfoResponse, GroupInfoSuccess,
    RatchetTreeOption,
};
use sabir_wire::uri::RoomUri;

use super::goal::list_change;
use super::join::{Entered, check, judge};
use super::{ConversationContext, ConversationError};
use crate::hub::group_uri;
use crate::room::link::LinkKey;
use crate::room::{RoomRules, RoomState, policy};

/// What an answer holds.
pub(super) enum Way {
    /// The way in.
    Open(Box<Opened>),
    /// The hub does not let this client in, or says that there is no such room.
    Shut,
}

/// GroupInfo and tree of an epoch, and the SelfRemoves that wait in it.
pub(super) struct Opened {
    group_info: Vec<u8>,
    ratchet_tree: Vec<u8>,
    self_removes: Vec<Vec<u8>>,
    pub(super) epoch: u64,
    dictionary: AppDataDictionary,
}

/// How somebody comes in whose person is not on the list.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    /// The join link they have, or none: the room lets everybody in, or them.
    pub(super) link: Option<LinkKey>,
}

/// A `GroupInfoRequest`, and the private key to which the answer will be encrypted.
pub(super) fn ask(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    ticket: Option<&Ticket>,
    rng: &mut dyn CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>), ConversationError> {
    let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
    let pair = suite::hpke_key_pair(cx.device.suite, rng).map_err(|error| internal(&error))?;
    let credential = ClientCredential::parse(&cx.device.credential).map_err(|error| internal(&error))?;
    let link = ticket.and_then(|ticket| ticket.link.as_ref());
    let joining_code = link
        .map(|link| link.code(room, cx.device.key.public()))
        .transpose()
        .map_err(|error| internal(&error))?;
    let mut request = GroupInfoRequest {
        cipher_suite: CipherSuite(cx.device.suite),
        requesting_signature_key: SignaturePublicKey(cx.device.key.public().to_vec()),
        requesting_credential: credential.to_credential(),
        group_info_public_key: HpkePublicKey(pair.public),
        joining_code,
        signature: Vec::new(),
    };
    request.signature = cx
        .device
        .key
        .sign_with_label(GroupInfoRequest::SIGNATURE_LABEL, &request.tbs())
        .map_err(|error| internal(&error))?;
    Ok((request.to_bytes(), pair.private.to_vec()))
}

/// Checks and opens an answer: it is about this room, signed by the hub of the room's own provider, readable, and of no
/// epoch before `at_least`.
pub(super) fn open(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    private: &[u8],
    response: &[u8],
    at_least: u64,
) -> Result<Way, ConversationError> {
    let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
    let response = GroupInfoResponse::from_bytes(response).map_err(|error| refused(&error))?;
    if response.room_id != *room {
        return Err(refused(&"the answer is about another room"));
    }
    let success = match response.outcome {
        GroupInfoOutcome::Success(success) => success,
        GroupInfoOutcome::NotAuthorized | GroupInfoOutcome::NoSuchRoom => return Ok(Way::Shut),
    };
    check_hub(cx, room, &success)?;
    let sealed = &success.encrypted_groupinfo_and_tree;
    let plain = suite::decrypt_with_label(
        success.cipher_suite.0,
        private,
        GroupInfoRatchetTreeTbe::ENCRYPTION_LABEL,
        room.as_str().as_bytes(),
        (&sealed.kem_output, &sealed.ciphertext),
    )
    .map_err(|error| refused(&error))?;
    let plain = GroupInfoRatchetTreeTbe::from_bytes(&plain).map_err(|error| refused(&error))?;
    let RatchetTreeOption::Full(tree) = plain.ratchet_tree_option else {
        return Err(refused(&"the answer holds no ratchet tree"));
    };
    let context = &plain.group_info.group_context;
    let expected = group_uri(room).map_err(|error| refused(&error))?;
    if context.group_id != expected.as_str().as_bytes() {
        return Err(refused(&"the answer is about another group"));
    }
    if context.epoch < at_least {
        return Err(refused(&"the answer is of an epoch that has passed"));
    }
    let dictionary = context
        .extensions
        .iter()
        .find(|extension| extension.extension_type == ExtensionType::APP_DATA_DICTIONARY)
        .map(|extension| AppDataDictionary::from_bytes(&extension.extension_data))
        .transpose()
        .map_err(|error| refused(&error))?
        .unwrap_or_default();
    // What is no SelfRemove becomes invalid by the commit, and is passed over when it is made.
    let pending = plain.pending_proposals.iter();
    Ok(Way::Open(Box::new(Opened {
        epoch: context.epoch,
        dictionary,
        group_info: plain.group_info.to_bytes(),
        ratchet_tree: tree.to_bytes(),
        self_removes: pending.map(|pending| pending.proposal.to_bytes()).collect(),
    })))
}

/// draft-ietf-mimi-protocol-06 §5.6: the answer is signed with the hub's key, whose credential is of the hub's domain.
fn check_hub(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    success: &GroupInfoSuccess,
) -> Result<(), ConversationError> {
    let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
    let key = success.hub_sender.signature_key.0.as_slice();
    let verified = ServerCredential::from_credential(&success.hub_sender.credential)
        .and_then(|credential| credential.verify(cx.anchors, room.authority(), Freshness::Ignored, key));
    match verified {
        Ok(_) => {}
        Err(CredentialError::UnknownProvider | CredentialError::NoAuthority) => {
            return Err(ConversationError::UnknownProvider(room.authority().clone()));
        }
        Err(error) => return Err(refused(&error)),
    }
    suite::verify_with_label(
        success.cipher_suite.0,
        key,
        GroupInfoSuccess::SIGNATURE_LABEL,
        &success.tbs(room),
        &success.signature,
    )
    .map_err(|error| refused(&error))
}

/// Makes the external commit, and checks the room it leads to.
pub(super) fn enter(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    opened: &Opened,
    tolerated: &[Vec<u8>],
    ticket: Option<&Ticket>,
    rng: &mut dyn CryptoRng,
) -> Result<(Entered, HubCommit), ConversationError> {
    let view = GroupInfoView {
        group_info: &opened.group_info,
        ratchet_tree: &opened.ratchet_tree,
    };
    let (app_data, authenticated) = match ticket {
        Some(ticket) => entry(cx, room, opened, ticket)?,
        None => (Vec::new(), Vec::new()),
    };
    let plan = ExternalPlan {
        app_data: &app_data,
        self_removes: &opened.self_removes,
        tolerated,
        authenticated: &authenticated,
    };
    let joined = join_external_with(cx.device, view, plan, &judge(cx), &RoomRules, rng)?;
    let entered = check(cx, room, joined.group, tolerated)?;
    Ok((entered, joined.commit.into()))
}

/// Changes of the room's state, and what stands behind the SafeAAD.
type Entry = (Vec<(u16, AppDataOperation)>, Vec<u8>);

/// What an external commit holds by which a person puts themselves on the list: the change of the list, and what goes
/// with it. Nothing where they are on it.
fn entry(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    opened: &Opened,
    ticket: &Ticket,
) -> Result<Entry, ConversationError> {
    let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
    let state = RoomState::read(|component| opened.dictionary.get(component).map(<[u8]>::to_vec))
        .map_err(|error| refused(&error))?;
    if state.participant(cx.me).is_some() {
        return Ok((Vec::new(), Vec::new()));
    }
    let link = ticket.link.as_ref();
    let role_index = policy::role_to_take(&state, cx.me, link.map(LinkKey::key_hash))
        .ok_or_else(|| refused(&"this room lets nobody in like this"))?;
    let update = ParticipantListUpdate {
        added_participants: vec![UserRolePair {
            user: cx.me.clone(),
            role_index,
        }],
        ..ParticipantListUpdate::default()
    };
    let authenticated = link
        .map(|link| link.entry(room, opened.epoch.saturating_add(1), cx.device.key.public()))
        .transpose()
        .map_err(|error| ConversationError::Internal(error.to_string()))?;
    Ok((vec![list_change(&update)], authenticated.unwrap_or_default()))
}
