//! Those who are not in the room yet: asking for its GroupInfo, and for people's key packages.

use sabir_core::key_material;
use sabir_wire::client_api::{ApiErrorCode, AttachRequest, EventBody, path};
use sabir_wire::codec::Encode;
use sabir_wire::protocol::{
    GroupInfoOutcome, GroupInfoResponse, KeyMaterialResponse, KeyMaterialUserCode, UpdateOutcome,
    UpdateRoomResponse,
};
use sabir_wire::uri::{RoomUri, UserUri};

use crate::support::entry::{external_commit, group_info, opened};
use crate::support::logs::Logs;
use crate::support::person::Online;
use crate::support::picture::picture;
use crate::support::scene::{Scene, room, talker};

#[tokio::test]
async fn group_info_is_for_participants() {
    let logs = Logs::capture();
    let scene = Scene::talking().await;
    let carol = talker(&scene.town, &scene.b, "carol", &[&scene.a, &scene.b]).await;
    let path = format!("{}{}", path::GROUP_INFO, room().to_path_segment());
    let ask = async |device: &Online, body: &[u8]| -> GroupInfoOutcome {
        device.post(&path, body).await.read::<GroupInfoResponse>().outcome
    };
    // At the hub, and through the own provider.
    for device in [&scene.alice.online, &scene.bob.online] {
        let (body, private) = group_info(device);
        let info = opened(&ask(device, &body).await, &private);
        assert_eq!(info.group_info.group_context.epoch, 1);
    }
    logs.clear();
    let (body, _) = group_info(&carol.online);
    assert_eq!(ask(&carol.online, &body).await, GroupInfoOutcome::NotAuthorized);
    logs.one_refusal("NotAuthorized");
    // In another's name.
    let (body, _) = group_info(&scene.bob.online);
    let answer = carol.online.post(&path, &body).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    logs.one_refusal(403);
    let unknown = RoomUri::parse("mimi://a.example/r/unknown").unwrap();
    let path = format!("{}{}", path::GROUP_INFO, unknown.to_path_segment());
    let answer: GroupInfoResponse = scene.bob.online.post(&path, &body).await.read();
    logs.one_refusal("NoSuchRoom");
    assert_eq!(
        (answer.room_id, answer.outcome),
        (unknown, GroupInfoOutcome::NoSuchRoom)
    );
    scene.stop().await;
}

#[tokio::test]
async fn key_packages_are_for_those_who_prove_themselves() {
    let logs = Logs::capture();
    let scene = Scene::talking().await;
    let (alice, bob) = (&scene.alice.online, &scene.bob.online);
    let carol = talker(&scene.town, &scene.b, "carol", &[&scene.a, &scene.b]).await;
    let path_of = |user: &UserUri| format!("{}{}", path::KEY_MATERIAL, user.to_path_segment());
    let before = (picture(&scene.a.shared), picture(&scene.b.shared));
    let nobody = UserUri::parse("mimi://b.example/u/nobody").unwrap();
    let request = key_material::build_request(&alice.mls, &alice.user, &nobody, None).unwrap();
    logs.clear();
    let answer: KeyMaterialResponse = alice.post(&path_of(&nobody), &request.to_bytes()).await.read();
    assert_eq!(answer.user_status, KeyMaterialUserCode::UserUnknown);
    logs.one_refusal("UserUnknown");

    let good = key_material::build_request(&alice.mls, &alice.user, &bob.user, Some(&room())).unwrap();
    let mut forged = good.clone();
    forged.key_material_request_signature[0] ^= 1;
    let answer = alice.post(&path_of(&bob.user), &forged.to_bytes()).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    logs.one_refusal(403);
    // Another device's request, another target than the path's, a room in which one is not.
    let answer = bob.post(&path_of(&bob.user), &good.to_bytes()).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    logs.one_refusal(403);
    let answer = alice.post(&path_of(&alice.user), &good.to_bytes()).await;
    assert_eq!(answer.api_error(), ApiErrorCode::MALFORMED);
    logs.one_refusal(400);
    let outsider =
        key_material::build_request(&carol.online.mls, &carol.online.user, &alice.user, Some(&room()))
            .unwrap();
    let answer = carol
        .online
        .post(&path_of(&alice.user), &outsider.to_bytes())
        .await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    // Of the hub, and of the device's own provider.
    logs.one_refusal_each_of_two(403);
    // A provider that asks in its own name for another's user.
    let c = scene.peer("c.example").await;
    let path = format!("/mimi/v1/keyMaterial/{}", alice.user.to_path_segment());
    let stolen = key_material::build_request(&bob.mls, &bob.user, &alice.user, None).unwrap();
    assert_eq!(
        c.post_from("c.example", &path, &stolen.to_bytes()).await.status,
        403
    );
    logs.one_refusal(403);
    assert_eq!((picture(&scene.a.shared), picture(&scene.b.shared)), before);
    scene.stop().await;
}

#[tokio::test]
async fn a_device_that_enters_a_room_elsewhere_by_itself_gets_its_events() {
    let mut scene = Scene::new().await;
    // A room in which nobody of b.example is yet, though Bob is a participant.
    scene.alice.open(&scene.bob.online.user, &room()).await;
    let request = scene.alice.next_request().unwrap();
    let path = scene.alice.path(&request);
    let answer = scene.alice.online.post(&path, &request.body).await;
    scene.alice.take_answer(&request, &answer);
    let bob = &scene.bob.online;
    let segment = room().to_path_segment();
    let (body, private) = group_info(bob);
    let path = format!("{}{segment}", path::GROUP_INFO);
    let info = bob.post(&path, &body).await.read::<GroupInfoResponse>().outcome;
    let update = external_commit(&bob.mls, &scene.bob.anchors, &opened(&info, &private));
    let attach = AttachRequest { room: room() }.to_bytes();
    assert_eq!(
        bob.post(path::ATTACH, &attach).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );

    // Another device's commit is not passed on.
    let carol = talker(&scene.town, &scene.b, "carol", &[&scene.a, &scene.b]).await;
    let path = format!("{}{segment}", path::UPDATE);
    assert_eq!(
        carol.online.post(&path, &update).await.api_error(),
        ApiErrorCode::FORBIDDEN
    );
    let answer: UpdateRoomResponse = bob.post(&path, &update).await.read();
    assert!(
        matches!(answer.outcome, UpdateOutcome::Success { .. }),
        "{answer:?}"
    );
    assert_eq!(bob.post(path::ATTACH, &attach).await.status, 200);
    assert_eq!(
        carol.online.post(path::ATTACH, &attach).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );
    // The same again, as if the answer had been lost.
    let again: UpdateRoomResponse = bob.post(&path, &update).await.read();
    assert_eq!(again, answer);

    // What follows comes to this device and to no other: Bob's device enters once more, in place of itself.
    let (body, private) = group_info(bob);
    let info_path = format!("{}{segment}", path::GROUP_INFO);
    let info = bob
        .post(&info_path, &body)
        .await
        .read::<GroupInfoResponse>()
        .outcome;
    let update = external_commit(&bob.mls, &scene.bob.anchors, &opened(&info, &private));
    let answer: UpdateRoomResponse = bob.post(&path, &update).await.read();
    assert!(
        matches!(answer.outcome, UpdateOutcome::Success { .. }),
        "{answer:?}"
    );
    let mut stream = bob.events(0).await;
    loop {
        if let EventBody::Fanout { room: about, .. } = stream.next().await.unwrap().body {
            assert_eq!(about, room());
            break;
        }
    }
    let queue = scene
        .b
        .shared
        .store
        .device_read(carol.online.client.as_str(), 0, 10, 1000)
        .unwrap();
    assert!(queue.is_empty());
    scene.stop().await;
}
