//! Entering a room from outside: the request for its GroupInfo, its answer, the external commit.

use sabir_core::hub::{ENCRYPTION_LABEL, REQUEST_LABEL};
use sabir_core::room::RoomRules;
use sabir_mls::group::{GroupInfoView, OwnCommit, join_external};
use sabir_mls::identity::{ClientCredential, Freshness, TrustAnchors};
use sabir_mls::{Device, Judge, suite};
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{
    CipherSuite, GroupInfo, HpkePublicKey, MlsMessage, RatchetTree, SignaturePublicKey, Welcome,
};
use sabir_wire::protocol::{
    GroupInfoOption, GroupInfoOutcome, GroupInfoRatchetTreeTbe, GroupInfoRequest, GroupInfoResponse,
    HandshakeBundle, RatchetTreeOption, UpdateRequest,
};

use super::person::Online;
use super::scene::room;
use super::{now, rng};

/// What a participant gets, opened.
pub(crate) fn opened(outcome: &GroupInfoOutcome, private: &[u8]) -> GroupInfoRatchetTreeTbe {
    let GroupInfoOutcome::Success(success) = outcome else {
        panic!("participants may join: {outcome:?}")
    };
    let sealed = &success.encrypted_groupinfo_and_tree;
    let plain = suite::decrypt_with_label(
        suite::DEFAULT,
        private,
        ENCRYPTION_LABEL,
        room().as_str().as_bytes(),
        (&sealed.kem_output, &sealed.ciphertext),
    )
    .unwrap();
    GroupInfoRatchetTreeTbe::from_bytes(&plain).unwrap()
}

/// A request by this device, and the private key that opens the answer.
pub(crate) fn group_info(device: &Online) -> (Vec<u8>, Vec<u8>) {
    let pair = suite::hpke_key_pair(suite::DEFAULT, &mut rng()).unwrap();
    let credential = ClientCredential::parse(&device.mls.credential).unwrap();
    let mut request = GroupInfoRequest {
        cipher_suite: CipherSuite(suite::DEFAULT),
        requesting_signature_key: SignaturePublicKey(device.mls.key.public().to_vec()),
        requesting_credential: credential.to_credential(),
        group_info_public_key: HpkePublicKey(pair.public.clone()),
        joining_code: None,
        signature: Vec::new(),
    };
    request.signature = device
        .mls
        .key
        .sign_with_label(REQUEST_LABEL, &request.tbs())
        .unwrap();
    (request.to_bytes(), pair.private.to_vec())
}

/// The update with which this device enters the room from outside.
pub(crate) fn external_commit(
    device: &Device,
    anchors: &TrustAnchors,
    info: &GroupInfoRatchetTreeTbe,
) -> Vec<u8> {
    update_body(&entering(device, anchors, info))
}

/// The commit with which this device enters the room from outside.
pub(crate) fn entering(device: &Device, anchors: &TrustAnchors, info: &GroupInfoRatchetTreeTbe) -> OwnCommit {
    let RatchetTreeOption::Full(tree) = &info.ratchet_tree_option else {
        panic!("a full tree")
    };
    let judge = Judge {
        anchors,
        freshness: Freshness::At(now()),
    };
    let (group_info, ratchet_tree) = (info.group_info.to_bytes(), tree.to_bytes());
    let view = GroupInfoView {
        group_info: &group_info,
        ratchet_tree: &ratchet_tree,
    };
    join_external(device, view, &[], &judge, &RoomRules, &mut rng())
        .unwrap()
        .commit
}

/// The body of the update that brings a commit.
pub(crate) fn update_body(commit: &OwnCommit) -> Vec<u8> {
    let next = &commit.next;
    let bundle = HandshakeBundle::Commit {
        message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
        welcome: commit
            .welcome
            .as_ref()
            .map(|welcome| Welcome::from_bytes(welcome).unwrap()),
        group_info: Box::new(GroupInfoOption::Full(
            GroupInfo::from_bytes(&next.group_info).unwrap(),
        )),
        ratchet_tree: RatchetTreeOption::Full(RatchetTree::from_bytes(&next.ratchet_tree).unwrap()),
    };
    UpdateRequest { bundle }.to_bytes()
}

/// The room as its hub shows it to a participant.
pub(crate) async fn seen_by(device: &Online) -> GroupInfoRatchetTreeTbe {
    let (body, private) = group_info(device);
    let path = format!("{}{}", path::GROUP_INFO, room().to_path_segment());
    let answer: GroupInfoResponse = device.post(&path, &body).await.read();
    opened(&answer.outcome, &private)
}
