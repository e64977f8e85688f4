//! Bad requests, one after the other: each gets the right code, changes nothing, and is one record in the log.

use axum::http::Method;
use sabir_core::conversation::RequestKind;
use sabir_mls::identity::{IdentityKey, Period, ProviderCa, TrustAnchors};
use sabir_wire::client_api::{ApiErrorCode, path};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{
    GroupInfoResponse, HandshakeBundle, MAX_SUBMIT_REQUEST, RatchetTreeOption, SubmitMessageRequest,
    SubmitMessageResponse, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{RoomUri, UserUri};

use crate::support::connection::Connection;
use crate::support::entry::{external_commit, group_info, opened};
use crate::support::logs::Logs;
use crate::support::person::Person;
use crate::support::picture::picture;
use crate::support::scene::{Scene, room};
use crate::support::{domain, now, rng};

const ENDPOINTS: [&str; 5] = ["keyMaterial", "update", "submitMessage", "notify", "groupInfo"];

fn mimi(endpoint: &str, segment: &str) -> String {
    format!("/mimi/v1/{endpoint}/{segment}")
}

fn segment(endpoint: &str, scene: &Scene) -> String {
    match endpoint {
        "keyMaterial" => scene.alice.online.user.to_path_segment(),
        "notify" => RoomUri::parse("mimi://b.example/r/x").unwrap().to_path_segment(),
        _ => room().to_path_segment(),
    }
}

#[tokio::test]
async fn malformed_truncated_and_oversized_bodies() {
    let logs = Logs::capture();
    let mut scene = Scene::talking().await;
    let peer = scene.peer("b.example").await;
    let submit = scene.bob_s_submit("x");
    let before = picture(&scene.a.shared);
    logs.clear();
    for endpoint in ENDPOINTS {
        let path = mimi(endpoint, &segment(endpoint, &scene));
        for body in [
            &[][..],
            &[0],
            &[0xff; 100],
            &submit[..submit.len() - 1],
            &submit[1..],
        ] {
            let answer = peer.post_from("b.example", &path, body).await;
            assert_eq!(answer.status, 400, "{endpoint} {}", body.len());
            logs.one_refusal(400);
        }
    }
    let longer = [submit.as_slice(), &[0]].concat();
    let path = mimi("submitMessage", &room().to_path_segment());
    assert_eq!(
        peer.post_from("b.example", &path, &longer).await.status,
        400,
        "trailing"
    );
    logs.one_refusal(400);
    let huge = vec![1; MAX_SUBMIT_REQUEST + 1];
    assert_eq!(peer.post_from("b.example", &path, &huge).await.status, 413);
    logs.one_refusal(413);
    for segment in [
        "",
        "x",
        "mimi%3A%2F%2Fa.example%2Fu%2Falice",
        "mimi%3A%2F%2FA.example%2Fr%2Fx",
    ] {
        let answer = peer
            .post_from("b.example", &mimi("submitMessage", segment), &submit)
            .await;
        assert!([400, 404].contains(&answer.status), "{segment} {answer:?}");
        logs.one_refusal(answer.status);
    }

    // The same from a device.
    let device = &scene.alice.online;
    for path in [path::ROOMS, path::KEY_PACKAGES, path::ACK, path::ATTACH] {
        for body in [&[][..], &[0xff; 50]] {
            let answer = device.post(path, body).await;
            assert_eq!(answer.api_error(), ApiErrorCode::MALFORMED, "{path}");
            logs.one_refusal(answer.status);
        }
    }
    let path = format!("{}{}", path::SUBMIT_MESSAGE, room().to_path_segment());
    assert_eq!(
        device.post(&path, &huge).await.api_error(),
        ApiErrorCode::TOO_LARGE
    );
    logs.one_refusal(413);
    assert_eq!(
        device.post(&path, &submit[..9]).await.api_error(),
        ApiErrorCode::MALFORMED
    );
    logs.one_refusal(400);
    assert_eq!(picture(&scene.a.shared), before);
    scene.stop().await;
}

#[tokio::test]
async fn who_may_not_speak_is_not_heard() {
    let logs = Logs::capture();
    let mut scene = Scene::talking().await;
    let submit = scene.bob_s_submit("x");
    let path = mimi("submitMessage", &room().to_path_segment());
    let before = picture(&scene.a.shared);

    // A certificate of another domain, a From that is not the certificate's, none at all, no certificate.
    let c = scene.peer("c.example").await;
    logs.clear();
    assert_eq!(c.post_from("b.example", &path, &submit).await.status, 403);
    logs.one_refusal(403);
    let b = scene.peer("b.example").await;
    assert_eq!(b.post_from("c.example", &path, &submit).await.status, 403);
    logs.one_refusal(403);
    assert_eq!(b.post(&path, &submit).await.status, 400);
    logs.one_refusal(400);
    let nobody = Connection::open(scene.town.device_tls(), "a.example", scene.a.address).await;
    assert_eq!(nobody.post_from("b.example", &path, &submit).await.status, 403);
    logs.one_refusal(403);
    // The true provider of another user.
    assert_eq!(c.post_from("c.example", &path, &submit).await.status, 403);
    logs.one_refusal(403);
    // Fan-out of our own room, or of one whose hub is another.
    for (room, status) in [("mimi://a.example/r/x", 403), ("mimi://c.example/r/x", 403)] {
        let path = mimi("notify", &RoomUri::parse(room).unwrap().to_path_segment());
        assert_eq!(
            b.post_from("b.example", &path, &submit).await.status,
            status,
            "{room}"
        );
        logs.one_refusal(status);
    }
    // A device for another user, and for another room member.
    let path = format!("{}{}", path::SUBMIT_MESSAGE, room().to_path_segment());
    let answer = scene.alice.online.post(&path, &submit).await;
    assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN);
    logs.one_refusal(403);
    assert_eq!(picture(&scene.a.shared), before);
    scene.stop().await;
}

#[tokio::test]
async fn what_is_not_here() {
    let logs = Logs::capture();
    let mut scene = Scene::talking().await;
    let peer = scene.peer("b.example").await;
    let submit = scene.bob_s_submit("x");
    let before = picture(&scene.a.shared);
    logs.clear();
    let elsewhere = RoomUri::parse("mimi://a.example/r/unknown")
        .unwrap()
        .to_path_segment();
    assert_eq!(
        peer.post_from("b.example", &mimi("submitMessage", &elsewhere), &submit)
            .await
            .status,
        404
    );
    logs.one_refusal(404);
    // A room that another provider is the hub of.
    let foreign = RoomUri::parse("mimi://b.example/r/x").unwrap().to_path_segment();
    assert_eq!(
        peer.post_from("b.example", &mimi("submitMessage", &foreign), &submit)
            .await
            .status,
        404
    );
    logs.one_refusal(404);
    // Fan-out of a room in which nobody of ours is.
    let log = scene.a.shared.store.room_log(room().as_str(), 0, 100).unwrap();
    let answer = peer
        .post_from("b.example", &mimi("notify", &foreign), &log[0].body)
        .await;
    assert_eq!(answer.status, 404, "{answer:?}");
    logs.one_refusal(404);
    for (method, path, status) in [
        (Method::GET, mimi("submitMessage", &room().to_path_segment()), 405),
        (Method::PUT, mimi("notify", &foreign), 405),
        (Method::POST, "/mimi/v1/reportAbuse/x".to_owned(), 404),
        (Method::POST, "/mimi/v2/notify/x".to_owned(), 404),
        (Method::POST, "/".to_owned(), 404),
    ] {
        let answer = peer.ask(method, &path, &[("from", "mimi@b.example")], &[]).await;
        assert_eq!(answer.status, status, "{path}");
        logs.one_refusal(status);
    }
    let device = &scene.alice.online;
    assert_eq!(device.get(path::ROOMS).await.api_error(), ApiErrorCode::MALFORMED);
    logs.one_refusal(400);
    assert_eq!(
        device.post("/client/v1/nothing", &[]).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );
    logs.one_refusal(404);
    assert_eq!(
        device.get("/client/v1/events?after=x").await.api_error(),
        ApiErrorCode::MALFORMED
    );
    logs.one_refusal(400);
    let never = sabir_wire::client_api::AckRequest { cursor: 999 };
    assert_eq!(
        device.post(path::ACK, &never.to_bytes()).await.api_error(),
        ApiErrorCode::CONFLICT
    );
    logs.one_refusal(409);
    let attach = sabir_wire::client_api::AttachRequest {
        room: RoomUri::parse("mimi://b.example/r/x").unwrap(),
    };
    assert_eq!(
        device.post(path::ATTACH, &attach.to_bytes()).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );
    logs.one_refusal(404);
    assert_eq!(picture(&scene.a.shared), before);
    scene.stop().await;
}

#[tokio::test]
async fn a_repeated_request_changes_nothing_and_gets_the_same_answer() {
    let logs = Logs::capture();
    let mut scene = Scene::talking().await;
    let peer = scene.peer("b.example").await;
    let submit = scene.bob_s_submit("x");
    let path = mimi("submitMessage", &room().to_path_segment());
    logs.clear();
    let first = peer.post_from("b.example", &path, &submit).await;
    logs.nothing();
    assert!(matches!(first.read(), SubmitMessageResponse::Accepted { .. }));
    let before = picture(&scene.a.shared);
    for _ in 0..3 {
        assert_eq!(peer.post_from("b.example", &path, &submit).await, first);
        logs.one("request repeated", "");
    }
    assert_eq!(picture(&scene.a.shared), before);

    // Fan-out: all that the hub ever sent, once more, in other batches and in the same.
    let hub = scene.peer_of("a.example", &scene.b).await;
    let path = mimi("notify", &room().to_path_segment());
    scene.settled().await;
    let before = picture(&scene.b.shared);
    let log = scene.a.shared.store.room_log(room().as_str(), 0, 100).unwrap();
    // The first commit came before anybody of b.example was there.
    let bodies: Vec<_> = log.iter().skip(1).map(|entry| entry.body.clone()).collect();
    for _ in 0..2 {
        for body in &bodies {
            let answer = hub.post_from("a.example", &path, body).await;
            assert_eq!((answer.status, answer.body.len()), (201, 0));
            logs.one("request repeated", "");
        }
    }
    let without_rows = |picture: Vec<String>| -> Vec<String> {
        picture
            .into_iter()
            .filter(|line| !line.starts_with("rows"))
            .collect()
    };
    let after = picture(&scene.b.shared);
    assert_eq!(without_rows(after), without_rows(before), "no event twice");
    scene.stop().await;
}

/// External commits into the room: by Carol, who is no participant, and in Bob's name by somebody with a provider's
/// certificate of their own making.
async fn entries(scene: &Scene) -> [Vec<u8>; 2] {
    let (body, private) = group_info(&scene.bob.online);
    let path = format!("{}{}", path::GROUP_INFO, room().to_path_segment());
    let answer: GroupInfoResponse = scene.bob.online.post(&path, &body).await.read();
    let info = opened(&answer.outcome, &private);
    let carol = Person::join(&scene.town, &scene.b, "carol").await;
    let identity = IdentityKey::generate(&mut rng()).unwrap();
    let period = Period {
        now: now(),
        lifetime: 24 * 3_600_000,
    };
    let rogue = ProviderCa::generate(&domain("b.example"), now(), &mut rng()).unwrap();
    let user = scene.bob.online.user.clone();
    let certificate = rogue
        .issue_user(&user, identity.public(), [7; 32], period, &mut rng())
        .unwrap();
    let forger = Person {
        user,
        identity,
        certificate,
    };
    let mut believing = TrustAnchors::new();
    let hub = scene.a.shared.secrets.ca.to_anchor();
    believing.pin(&domain("a.example"), hub).unwrap();
    believing.pin(&domain("b.example"), rogue.to_anchor()).unwrap();
    [
        external_commit(&carol.device("carol1", 1).mls(), &scene.bob.anchors, &info),
        external_commit(&forger.device("bob9", 1).mls(), &believing, &info),
    ]
}

#[tokio::test]
async fn commits_that_do_not_hold() {
    let logs = Logs::capture();
    let mut scene = Scene::new().await;
    scene.alice.open(&scene.bob.online.user, &room()).await;
    let request = loop {
        let request = scene.alice.next_request().unwrap();
        if request.kind == RequestKind::Update {
            break request;
        }
        let path = scene.alice.path(&request);
        let answer = scene.alice.online.post(&path, &request.body).await;
        scene.alice.take_answer(&request, &answer);
    };
    let path = scene.alice.path(&request);
    let good = UpdateRequest::from_bytes(&request.body).unwrap();
    let entries = entries(&scene).await;
    let before = picture(&scene.a.shared);
    let changed = |change: &dyn Fn(&mut MlsMessage, &mut RatchetTreeOption)| {
        let mut update = good.clone();
        let HandshakeBundle::Commit {
            message,
            ratchet_tree,
            ..
        } = &mut update.bundle
        else {
            panic!("a commit")
        };
        change(message, ratchet_tree);
        update.to_bytes()
    };
    let with_epoch = |epoch: u64| {
        changed(&|message, _| {
            if let MlsMessage::Public(message) = message {
                message.content.epoch = epoch;
            }
        })
    };
    let device = &scene.alice.online;
    logs.clear();
    let outcome = async |body: &[u8]| {
        let answer: UpdateRoomResponse = device.post(&path, body).await.read();
        logs.one_refusal(format!("{:?}", answer.outcome.code()));
        answer.outcome
    };
    assert_eq!(
        outcome(&with_epoch(7)).await,
        UpdateOutcome::WrongEpoch { current_epoch: 0 }
    );
    let forged = changed(&|message, _| {
        if let MlsMessage::Public(message) = message {
            message.auth.signature[0] ^= 1;
        }
    });
    assert_eq!(outcome(&forged).await, UpdateOutcome::NotAllowed);
    // Without its GroupInfo it is no update at all.
    let HandshakeBundle::Commit { message, welcome, .. } = &good.bundle else {
        panic!("a commit")
    };
    let mut without = message.to_bytes();
    sabir_wire::codec::put_optional(&mut without, welcome.as_ref());
    assert_eq!(
        device.post(&path, &without).await.api_error(),
        ApiErrorCode::MALFORMED
    );
    logs.one_refusal(400);
    // Somebody else's provider brings Alice's commit.
    let peer = scene.peer("b.example").await;
    let there = mimi("update", &room().to_path_segment());
    let answer: UpdateRoomResponse = peer.post_from("b.example", &there, &request.body).await.read();
    assert_eq!(answer.outcome, UpdateOutcome::NotAllowed);
    logs.one_refusal("NotAllowed");
    // Devices with a credential that is no participant's, and with one that another than their provider issued.
    for entry in entries {
        let answer: UpdateRoomResponse = peer.post_from("b.example", &there, &entry).await.read();
        assert_eq!(answer.outcome, UpdateOutcome::NotAllowed);
        logs.one_refusal("NotAllowed");
    }
    assert_eq!(picture(&scene.a.shared), before);

    let first = device.post(&path, &request.body).await;
    assert!(matches!(
        first.read::<UpdateRoomResponse>().outcome,
        UpdateOutcome::Success { .. }
    ));
    scene.settled().await;
    logs.clear();
    let after = picture(&scene.a.shared);
    // The same commit in other clothes is late; the same bytes are a repetition.
    let other = changed(&|_, tree| {
        *tree = RatchetTreeOption::OutOfBand {
            tree_signature: vec![1],
        };
    });
    assert_eq!(
        outcome(&other).await,
        UpdateOutcome::WrongEpoch { current_epoch: 1 }
    );
    assert_eq!(device.post(&path, &request.body).await, first);
    logs.one("request repeated", "");
    assert_eq!(picture(&scene.a.shared), after);
    scene.stop().await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_lost() {
    let logs = Logs::capture();
    let mut scene = Scene::talking().await;
    let submit = scene.bob_s_submit("x");
    let peer = scene.peer("b.example").await;
    let path = mimi("submitMessage", &room().to_path_segment());
    let before = picture(&scene.a.shared);
    scene.disk_a.set_full(true);
    logs.clear();
    let answer = peer.post_from("b.example", &path, &submit).await;
    assert_eq!(answer.status, 503);
    logs.one_refusal(503);
    let device = &scene.alice.online;
    let packages = device.packages(1);
    assert_eq!(
        device.publish(&packages).await.api_error(),
        ApiErrorCode::UNAVAILABLE
    );
    logs.one_refusal(503);
    assert_eq!(device.available().await, 3, "questions are answered");
    scene.disk_a.set_full(false);
    assert_eq!(picture(&scene.a.shared), before);
    let answer: SubmitMessageResponse = peer.post_from("b.example", &path, &submit).await.read();
    assert!(matches!(answer, SubmitMessageResponse::Accepted { .. }));
    scene.alice.hear(&["one", "two", "x"]).await;
    scene.stop().await;
}

#[tokio::test]
async fn an_answer_that_the_store_forgot_to_give_is_found() {
    let mut scene = Scene::talking().await;
    let peer = scene.peer("b.example").await;
    let path = mimi("submitMessage", &room().to_path_segment());
    for (nth, fault) in [
        (1, sabir_store::Fault::BeforeApply),
        (2, sabir_store::Fault::AfterApply),
    ] {
        let submit = scene.bob_s_submit(&format!("x{nth}"));
        scene.settled().await;
        scene.disk_a.fail_write(1, fault);
        let mut answer = peer.post_from("b.example", &path, &submit).await;
        if answer.status == 503 {
            answer = peer.post_from("b.example", &path, &submit).await;
        }
        assert!(
            matches!(answer.read(), SubmitMessageResponse::Accepted { .. }),
            "{fault:?}"
        );
        scene.bob_s_answer(&answer);
    }
    scene.alice.hear(&["one", "two", "x1", "x2"]).await;
    scene.stop().await;
}

#[tokio::test]
async fn messages_that_the_room_does_not_take() {
    let logs = Logs::capture();
    let mut scene = Scene::talking().await;
    let peer = scene.peer("b.example").await;
    let submit = scene.bob_s_submit("x");
    let path = mimi("submitMessage", &room().to_path_segment());
    let before = picture(&scene.a.shared);
    let good = SubmitMessageRequest::from_bytes(&submit).unwrap();
    let stranger = SubmitMessageRequest {
        sending_uri: UserUri::parse("mimi://b.example/u/mallory").unwrap(),
        ..good.clone()
    };
    let epoch = |epoch: u64| {
        let mut request = good.clone();
        if let MlsMessage::Private(message) = &mut request.app_message {
            message.epoch = epoch;
        }
        request
    };
    logs.clear();
    for (request, expected) in [
        (stranger, SubmitMessageResponse::NotAllowed),
        (epoch(0), SubmitMessageResponse::EpochTooOld { current_epoch: 1 }),
        (epoch(9), SubmitMessageResponse::NotAllowed),
    ] {
        let answer = peer.post_from("b.example", &path, &request.to_bytes()).await;
        assert_eq!(answer.read::<SubmitMessageResponse>(), expected);
        logs.one_refusal(format!("{:?}", expected.status_code()));
    }
    assert_eq!(picture(&scene.a.shared), before);
    scene.stop().await;
}
