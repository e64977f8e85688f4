//! Whoever is somebody else: without proof, in another's name, with another's things, above their role.

use axum::body::Body;
use axum::http::Method;
use sabir_core::key_material;
use sabir_mls::keys::SigningKey;
use sabir_wire::client_api::{
    AckRequest, ApiErrorCode, BeginAssetRequest, BeginAssetResponse, CreateAccountResponse,
    RegisterDeviceCode, RegisterDeviceResponse, path,
};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::Credential;
use sabir_wire::protocol::{SubmitMessageRequest, SubmitMessageResponse, UpdateOutcome, UpdateRoomResponse};
use sabir_wire::uri::{ProviderUri, RoomUri, UserUri};

use crate::bodies::{Trickle, assert_refused};
use crate::support::connection::{Answer, Connection};
use crate::support::entry::{external_commit, group_info, opened};
use crate::support::logs::Logs;
use crate::support::person::{Person, account_request};
use crate::support::rng;
use crate::support::scene::room;
use crate::table::{ROWS, Row, Takes, Who};
use crate::world::{World, answer, followed};

fn row(route: &str) -> &'static Row {
    ROWS.iter().find(|row| row.route.starts_with(route)).unwrap()
}

/// Asks without waiting for a body to come: who proves nothing is refused before.
async fn ask_at_once(
    world: &World,
    row: &Row,
    connection: &Connection,
    headers: &[(&str, String)],
) -> Answer {
    let body = match row.takes {
        Takes::Nothing => Body::empty(),
        _ => Body::new(Trickle::silent()),
    };
    answer(connection, world.request(row, &world.path(row), headers, body)).await
}

#[tokio::test]
async fn who_proves_nothing_is_refused_before_a_byte_is_waited_for() {
    let logs = Logs::capture();
    let world = World::new().await;
    let before = world.stored();
    let c = Connection::open(world.town.peer_tls("c.example"), "a.example", world.a.address).await;
    let owned = |headers: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    };
    for row in ROWS.iter().filter(|row| row.who == Who::Peer) {
        for (what, connection, from, status) in [
            ("no certificate", &world.nobody, &["mimi@b.example"][..], 403),
            ("another's certificate", &c, &["mimi@b.example"], 403),
            ("another's name", &world.peer, &["mimi@c.example"], 403),
            ("our own name", &world.peer, &["mimi@a.example"], 403),
            ("no name", &world.peer, &[], 400),
            (
                "two names",
                &world.peer,
                &["mimi@b.example", "mimi@b.example"],
                400,
            ),
            ("no address", &world.peer, &["b.example"], 400),
            ("an address of a person", &world.peer, &["bob@b.example"], 400),
        ] {
            logs.clear();
            let headers: Vec<_> = from.iter().map(|from| ("from", (*from).to_owned())).collect();
            let answer = ask_at_once(&world, row, connection, &headers).await;
            assert_eq!(answer.status, status, "{}: {what}", row.name());
            logs.one_refusal(status);
        }
    }
    let token = world.alice.online.token.clone();
    let good = format!("Bearer {token}");
    for row in ROWS.iter().filter(|row| row.who == Who::Device) {
        for (what, headers) in [
            ("no token", owned(&[])),
            ("an empty one", owned(&[("authorization", "Bearer ")])),
            (
                "another scheme",
                owned(&[("authorization", &format!("Basic {token}"))]),
            ),
            (
                "another case",
                owned(&[("authorization", &format!("bearer {token}"))]),
            ),
            (
                "a token and more",
                owned(&[("authorization", &format!("{good}A"))]),
            ),
            (
                "a part of one",
                owned(&[("authorization", &good[..good.len() - 1])]),
            ),
            (
                "nobody's",
                owned(&[("authorization", &format!("Bearer {}", "A".repeat(43)))]),
            ),
            (
                "twice",
                owned(&[("authorization", &good), ("authorization", &good)]),
            ),
            ("a name of a provider", owned(&[("from", "mimi@b.example")])),
        ] {
            logs.clear();
            // A provider's certificate is no token either.
            let answer = ask_at_once(&world, row, &world.peer, &headers).await;
            assert_refused(row, what, &answer, 401, ApiErrorCode::UNAUTHORIZED);
            logs.one_refusal(401);
        }
    }
    // What names another provider than this one.
    for row in ROWS.iter().filter(|row| row.method != "CONNECT") {
        logs.clear();
        let mut request = world.request(row, &world.path(row), &world.headers(row), Body::empty());
        *request.uri_mut() = format!("https://b.example{}", world.path(row)).parse().unwrap();
        let answer = answer(world.connection(row), request).await;
        assert_refused(row, "another host", &answer, 421, ApiErrorCode::NOT_FOUND);
        logs.one_refusal(if row.is_api() { 404 } else { 421 });
    }
    world.assert_stored(&before, "nobody in particular");
    drop(c);
    world.stop().await;
}

#[tokio::test]
async fn another_provider_s_users_and_rooms_are_not_its_own() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    let c = Connection::open(world.town.peer_tls("c.example"), "a.example", world.a.address).await;
    let elsewhere = RoomUri::parse("mimi://c.example/r/x").unwrap();
    for row in ROWS
        .iter()
        .filter(|row| row.who == Who::Peer && row.method == "POST")
    {
        let valid = world.valid(row).await;
        let before = world.stored();
        logs.clear();
        // c.example brings what b.example's people signed.
        let answer_to_c = c.post_from("c.example", &world.path(row), &valid).await;
        assert_eq!(answer_to_c.status, 403, "{}", row.name());
        logs.one_refusal(403);
        // b.example is the true sender, and we are not the one to ask.
        for (segment, notify) in [
            (elsewhere.to_path_segment(), 403),
            (followed().to_path_segment(), 201),
            (room().to_path_segment(), 403),
        ] {
            let own = row.route.contains("/notify/");
            if row.route.contains("/keyMaterial/") || (segment == room().to_path_segment() && !own) {
                continue;
            }
            if own && notify == 201 {
                continue;
            }
            logs.clear();
            let (open, _) = row.route.split_once('{').unwrap();
            let answer = world
                .peer
                .post_from("b.example", &format!("{open}{segment}"), &valid)
                .await;
            let status = if own { notify } else { 404 };
            assert_eq!(answer.status, status, "{} {segment}: {answer:?}", row.name());
            logs.one_refusal(status);
        }
        world.assert_stored(&before, &row.name());
    }
    // Key packages of people who are not ours, and in the path of another than in the request.
    let keys = row("/mimi/v1/keyMaterial");
    let (bob, alice) = (&world.bob.online, &world.alice.online);
    let before = world.stored();
    for (target, path, status) in [
        ("mimi://b.example/u/bob", "mimi://b.example/u/bob", 404),
        ("mimi://a.example/u/erin", "mimi://a.example/u/alice", 400),
        ("mimi://c.example/u/carol", "mimi://c.example/u/carol", 404),
    ] {
        logs.clear();
        let (target, path) = (UserUri::parse(target).unwrap(), UserUri::parse(path).unwrap());
        let request = key_material::build_request(&bob.mls, &bob.user, &target, None).unwrap();
        let (open, _) = keys.route.split_once('{').unwrap();
        let at = format!("{open}{}", path.to_path_segment());
        let answer = world.peer.post_from("b.example", &at, &request.to_bytes()).await;
        assert_eq!(answer.status, status, "{target}");
        logs.one_refusal(status);
    }
    // For a room of ours in which the asker is not.
    logs.clear();
    let dave = &world.dave.online;
    let request = key_material::build_request(&dave.mls, &dave.user, &alice.user, Some(&room())).unwrap();
    let answer = world
        .peer
        .post_from("b.example", &world.path(keys), &request.to_bytes())
        .await;
    assert_eq!(answer.status, 403);
    logs.one_refusal(403);
    world.assert_stored(&before, "key packages");
    drop(c);
    world.stop().await;
}

#[tokio::test]
async fn another_device_s_things_are_not_one_s_own() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    // What is Alice's, and what she signed, in Erin's hands.
    let mut brought = Vec::new();
    for (route, code) in [
        ("/client/v1/submit-message/", ApiErrorCode::FORBIDDEN),
        ("/client/v1/group-info/", ApiErrorCode::FORBIDDEN),
        ("/client/v1/key-material/", ApiErrorCode::FORBIDDEN),
        ("/client/v1/key-packages", ApiErrorCode::FORBIDDEN),
        ("/client/v1/rooms/attach", ApiErrorCode::NOT_FOUND),
        ("/client/v1/assets/", ApiErrorCode::NOT_FOUND),
    ] {
        let row = row(route);
        brought.push((row, world.valid(row).await, code));
    }
    let update = world.valid(row("/client/v1/update/")).await;
    let create = world.valid(row(path::ROOMS)).await;
    let before = world.stored();
    let erin = &world.erin.online;
    for (row, body, code) in &brought {
        logs.clear();
        let answer = erin.post(&world.path(row), body).await;
        assert_eq!(answer.api_error(), *code, "{}", row.name());
        logs.one_refusal(answer.status);
    }
    let asset = format!("{}{}", path::ASSET, world.begun);
    for (method, path) in [
        (Method::GET, asset.clone()),
        (Method::DELETE, asset.clone()),
        (Method::DELETE, format!("{}{}", path::ASSET, world.whole)),
        (Method::POST, format!("{asset}{}", path::FINISH)),
    ] {
        logs.clear();
        let headers = [("authorization", erin.bearer())];
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = erin.connection.ask(method, &path, &headers, &[]).await;
        assert_eq!(answer.api_error(), ApiErrorCode::NOT_FOUND, "{path}");
        logs.one_refusal(404);
    }
    // Cursors that were never given, Fred's room in Erin's name, Alice's commit in Erin's.
    for cursor in [1_000, u64::MAX] {
        logs.clear();
        let answer = erin.post(path::ACK, &AckRequest { cursor }.to_bytes()).await;
        assert_eq!(answer.api_error(), ApiErrorCode::CONFLICT);
        logs.one_refusal(409);
    }
    logs.clear();
    let answer = erin.post(path::ROOMS, &create).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    logs.one_refusal("NotAllowed");
    let at = format!("{}{}", path::UPDATE, room().to_path_segment());
    let answer: UpdateRoomResponse = erin.post(&at, &update).await.read();
    assert_eq!(answer.outcome, UpdateOutcome::NotAllowed);
    logs.one_refusal("NotAllowed");
    // More than anybody may have.
    let request = BeginAssetRequest {
        size: u64::MAX,
        content_hash: [0; 32],
    };
    let answer: BeginAssetResponse = erin.post(path::ASSETS, &request.to_bytes()).await.read();
    assert!(
        matches!(answer, BeginAssetResponse::TooLarge { .. }),
        "{answer:?}"
    );
    world.assert_stored(&before, "another's things");
    world.stop().await;
}

#[tokio::test]
async fn accounts_and_devices_of_others_stay_theirs() {
    let logs = Logs::capture();
    let world = World::new().await;
    let person = Person::join(&world.town, &world.a, "hugo").await;
    let first = person.device("hugo1", 5);
    let (first_key, second) = (first.key.clone(), person.device("hugo2", 5));
    let registered = async |request: Vec<u8>| -> RegisterDeviceCode {
        let answer = world.nobody.post(path::DEVICES, &request).await;
        answer.read::<RegisterDeviceResponse>().code
    };
    let good = first.registration().to_bytes();
    assert_eq!(registered(good.clone()).await, RegisterDeviceCode::Registered);
    let before = world.stored();
    let with = |name: &str, key: &SigningKey, version, keys: &[&SigningKey]| {
        let list = person.device_list(version, keys);
        person
            .device_with(name, key.clone(), list)
            .registration()
            .to_bytes()
    };
    let new = SigningKey::ed25519(&mut rng()).unwrap();
    // A certificate that nobody issued.
    let mut forged = person.device("hugo2", 6).registration();
    let Credential::X509 { certificates } = &mut forged.credential else {
        panic!("certificates")
    };
    *certificates[0].last_mut().unwrap() ^= 1;
    let mut unsigned = second.registration();
    unsigned.signature[0] ^= 1;
    let mut altered = person
        .device_with("hugo2", new.clone(), person.device_list(6, &[&new]))
        .registration();
    altered.device_list.version = 7;
    for (what, request, code) in [
        (
            "an older list",
            with("hugo2", &new, 4, &[&first_key, &new]),
            RegisterDeviceCode::DeviceListTooOld,
        ),
        (
            "another list of the same version",
            with("hugo2", &new, 5, &[&first_key, &new]),
            RegisterDeviceCode::DeviceListTooOld,
        ),
        (
            "another such list for the same device",
            with("hugo1", &first_key, 5, &[&first_key, &new]),
            RegisterDeviceCode::DeviceListTooOld,
        ),
        (
            "a list without the device",
            with("hugo2", &new, 6, &[&first_key]),
            RegisterDeviceCode::BadDeviceList,
        ),
        (
            "an altered list",
            altered.to_bytes(),
            RegisterDeviceCode::BadDeviceList,
        ),
        (
            "a client that another key has",
            with("hugo1", &new, 6, &[&first_key, &new]),
            RegisterDeviceCode::ClientTaken,
        ),
        (
            "a forged certificate",
            forged.to_bytes(),
            RegisterDeviceCode::BadCredential,
        ),
        (
            "no signature of the device's",
            unsigned.to_bytes(),
            RegisterDeviceCode::BadSignature,
        ),
        (
            "nobody's account",
            world.bert.device("bob7", 9).registration().to_bytes(),
            RegisterDeviceCode::UnknownUser,
        ),
    ] {
        logs.clear();
        assert_eq!(registered(request).await, code, "{what}");
        logs.one_refusal(format!("{code:?}"));
    }
    // The same again is no change, and no refusal.
    logs.clear();
    assert_eq!(registered(good).await, RegisterDeviceCode::Registered);
    logs.nothing();
    // Names that others have, or nobody may have.
    let identity = sabir_mls::identity::IdentityKey::generate(&mut rng()).unwrap();
    let us = ProviderUri::from(&world.a.shared.domain);
    let invite = world.path(row("/invite"));
    let invite = invite.strip_prefix("/invite/").unwrap();
    for (name, token, expected) in [
        ("alice", invite, "NameTaken"),
        ("Alice", invite, "NameInvalid"),
        ("a..b", invite, "NameInvalid"),
        ("../alice", invite, "NameInvalid"),
        ("new", "none-of-these", "InviteUnknown"),
    ] {
        logs.clear();
        let request = account_request(&identity, &us, token, name).to_bytes();
        let answer: CreateAccountResponse = world.nobody.post(path::ACCOUNTS, &request).await.read();
        assert_eq!(format!("{answer:?}"), expected, "{name}");
        logs.one_refusal(expected);
    }
    world.assert_stored(&before, "others' accounts and devices");
    world.stop().await;
}

/// The request of somebody who enters the room of a.example from outside as this client.
async fn entering(world: &World, name: &str, version: u64) -> Vec<u8> {
    let (body, private) = group_info(&world.bob.online);
    let at = format!("{}{}", path::GROUP_INFO, room().to_path_segment());
    let answer = world.bob.online.post(&at, &body).await;
    let answer: sabir_wire::protocol::GroupInfoResponse = answer.read();
    let device = world.bert.device(name, version);
    external_commit(
        &device.mls(),
        &world.bob.anchors,
        &opened(&answer.outcome, &private),
    )
}

#[tokio::test]
async fn nobody_enters_a_room_on_an_old_list() {
    let logs = Logs::capture();
    let world = World::new().await;
    let before = world.stored();
    let at = world.path(row("/mimi/v1/update"));
    // Bob's one device came in with version 1 of his list; this one is on another list of that version.
    let update = entering(&world, "bob2", 1).await;
    logs.clear();
    let answer: UpdateRoomResponse = world.peer.post_from("b.example", &at, &update).await.read();
    assert_eq!(answer.outcome, UpdateOutcome::NotAllowed);
    logs.one_refusal("NotAllowed");
    world.assert_stored(&before, "another list of the same version");
    // On a newer list it is let in: the other was refused for what it was. And then the older one is old.
    let update = entering(&world, "bob2", 2).await;
    let answer: UpdateRoomResponse = world.peer.post_from("b.example", &at, &update).await.read();
    assert!(
        matches!(answer.outcome, UpdateOutcome::Success { .. }),
        "{answer:?}"
    );
    world.settled().await;
    let before = world.stored();
    let update = entering(&world, "bob3", 1).await;
    logs.clear();
    let answer: UpdateRoomResponse = world.peer.post_from("b.example", &at, &update).await.read();
    assert_eq!(answer.outcome, UpdateOutcome::NotAllowed);
    logs.one_refusal("NotAllowed");
    world.assert_stored(&before, "an older list");
    world.stop().await;
}

#[tokio::test]
async fn a_message_for_a_room_is_of_its_participants_and_of_its_epoch() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    let valid = world.valid(row("/mimi/v1/submitMessage")).await;
    let before = world.stored();
    let at = world.path(row("/mimi/v1/submitMessage"));
    let good = SubmitMessageRequest::from_bytes(&valid).unwrap();
    let of = |user: &str| SubmitMessageRequest {
        sending_uri: UserUri::parse(user).unwrap(),
        ..good.clone()
    };
    let at_epoch = |epoch: u64| {
        let mut request = good.clone();
        if let sabir_wire::mls::MlsMessage::Private(message) = &mut request.app_message {
            message.epoch = epoch;
        }
        request
    };
    for (request, expected) in [
        (of("mimi://b.example/u/dave"), SubmitMessageResponse::NotAllowed),
        (of("mimi://b.example/u/nobody"), SubmitMessageResponse::NotAllowed),
        (
            at_epoch(0),
            SubmitMessageResponse::EpochTooOld { current_epoch: 1 },
        ),
        (at_epoch(2), SubmitMessageResponse::NotAllowed),
        (at_epoch(u64::MAX), SubmitMessageResponse::NotAllowed),
    ] {
        logs.clear();
        let answer = world.peer.post_from("b.example", &at, &request.to_bytes()).await;
        assert_eq!(answer.read::<SubmitMessageResponse>(), expected);
        logs.one_refusal(format!("{:?}", expected.status_code()));
    }
    world.assert_stored(&before, "messages of others and of other epochs");
    world.stop().await;
}
