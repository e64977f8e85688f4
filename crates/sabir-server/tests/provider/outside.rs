//! Those who are not in the room yet: asking for its GroupInfo, and for people's key packages.

use sabir_core::hub::{ENCRYPTION_LABEL, REQUEST_LABEL};
use sabir_core::key_material;
use sabir_mls::identity::ClientCredential;
use sabir_mls::suite;
use sabir_wire::client_api::{ApiErrorCode, path};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{CipherSuite, HpkePublicKey, SignaturePublicKey};
use sabir_wire::protocol::{
    GroupInfoOutcome, GroupInfoRatchetTreeTbe, GroupInfoRequest, GroupInfoResponse, KeyMaterialResponse,
    KeyMaterialUserCode,
};
use sabir_wire::uri::{RoomUri, UserUri};

use crate::support::person::Online;
use crate::support::picture::picture;
use crate::support::rng;
use crate::support::scene::{Scene, room, talker};

/// A request by this device, and the private key that opens the answer.
fn group_info(device: &Online) -> (Vec<u8>, Vec<u8>) {
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

#[tokio::test]
async fn group_info_is_for_participants() {
    let scene = Scene::talking().await;
    let carol = talker(&scene.town, &scene.b, "carol", &[&scene.a, &scene.b]).await;
    let path = format!("{}{}", path::GROUP_INFO, room().to_path_segment());
    let ask = async |device: &Online, body: &[u8]| -> GroupInfoOutcome {
        device.post(&path, body).await.read::<GroupInfoResponse>().outcome
    };
    // At the hub, and through the own provider.
    for device in [&scene.alice.online, &scene.bob.online] {
        let (body, private) = group_info(device);
        let GroupInfoOutcome::Success(success) = ask(device, &body).await else {
            panic!("participants may join")
        };
        let sealed = &success.encrypted_groupinfo_and_tree;
        let plain = suite::decrypt_with_label(
            suite::DEFAULT,
            &private,
            ENCRYPTION_LABEL,
            room().as_str().as_bytes(),
            (&sealed.kem_output, &sealed.ciphertext),
        )
        .unwrap();
        let info = GroupInfoRatchetTreeTbe::from_bytes(&plain).unwrap();
        assert_eq!(info.group_info.group_context.epoch, 1);
    }
    let (body, _) = group_info(&carol.online);
    assert_eq!(ask(&carol.online, &body).await, GroupInfoOutcome::NotAuthorized);
    // In another's name.
    let (body, _) = group_info(&scene.bob.online);
    let answer = carol.online.post(&path, &body).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    let unknown = RoomUri::parse("mimi://a.example/r/unknown").unwrap();
    let path = format!("{}{}", path::GROUP_INFO, unknown.to_path_segment());
    let answer: GroupInfoResponse = scene.bob.online.post(&path, &body).await.read();
    assert_eq!(
        (answer.room_id, answer.outcome),
        (unknown, GroupInfoOutcome::NoSuchRoom)
    );
    scene.stop().await;
}

#[tokio::test]
async fn key_packages_are_for_those_who_prove_themselves() {
    let scene = Scene::talking().await;
    let (alice, bob) = (&scene.alice.online, &scene.bob.online);
    let carol = talker(&scene.town, &scene.b, "carol", &[&scene.a, &scene.b]).await;
    let path_of = |user: &UserUri| format!("{}{}", path::KEY_MATERIAL, user.to_path_segment());
    let before = (picture(&scene.a.shared), picture(&scene.b.shared));
    let nobody = UserUri::parse("mimi://b.example/u/nobody").unwrap();
    let request = key_material::build_request(&alice.mls, &alice.user, &nobody, None).unwrap();
    let answer: KeyMaterialResponse = alice.post(&path_of(&nobody), &request.to_bytes()).await.read();
    assert_eq!(answer.user_status, KeyMaterialUserCode::UserUnknown);

    let good = key_material::build_request(&alice.mls, &alice.user, &bob.user, Some(&room())).unwrap();
    let mut forged = good.clone();
    forged.key_material_request_signature[0] ^= 1;
    let answer = alice.post(&path_of(&bob.user), &forged.to_bytes()).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    // Another device's request, another target than the path's, a room in which one is not.
    let answer = bob.post(&path_of(&bob.user), &good.to_bytes()).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    let answer = alice.post(&path_of(&alice.user), &good.to_bytes()).await;
    assert_eq!(answer.api_error(), ApiErrorCode::MALFORMED);
    let outsider =
        key_material::build_request(&carol.online.mls, &carol.online.user, &alice.user, Some(&room()))
            .unwrap();
    let answer = carol
        .online
        .post(&path_of(&alice.user), &outsider.to_bytes())
        .await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    // A provider that asks in its own name for another's user.
    let c = scene.peer("c.example").await;
    let path = format!("/mimi/v1/keyMaterial/{}", alice.user.to_path_segment());
    let stolen = key_material::build_request(&bob.mls, &bob.user, &alice.user, None).unwrap();
    assert_eq!(
        c.post_from("c.example", &path, &stolen.to_bytes()).await.status,
        403
    );
    assert_eq!((picture(&scene.a.shared), picture(&scene.b.shared)), before);
    scene.stop().await;
}
