//! Many messages for one room at once: each is accepted once, whatever the store does in between.

use std::sync::Arc;

use sabir_store::Fault;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{SubmitMessageRequest, SubmitMessageResponse};

use crate::support::connection::Connection;
use crate::support::scene::{Scene, room, talker};
use crate::support::town::{Running, Town};

const MANY: u8 = 60;

/// Messages that only their receivers could tell from good ones.
fn variants(submit: &[u8]) -> Vec<Vec<u8>> {
    let good = SubmitMessageRequest::from_bytes(submit).unwrap();
    (0..MANY)
        .map(|number| {
            let mut request = good.clone();
            let MlsMessage::Private(message) = &mut request.app_message else {
                panic!("an application message")
            };
            message.ciphertext[0] = number;
            message.ciphertext[1] = 1;
            request.to_bytes()
        })
        .collect()
}

/// Posts all at once, each again until it is accepted, and looks at the log.
async fn all_once(hub: &Running, peer: Arc<Connection>, submit: &[u8]) {
    let before = hub.shared.store.room_log(room().as_str(), 0, 1000).unwrap().len();
    let path = format!("/mimi/v1/submitMessage/{}", room().to_path_segment());
    let mut tasks = tokio::task::JoinSet::new();
    for body in variants(submit) {
        let (peer, path) = (Arc::clone(&peer), path.clone());
        tasks.spawn(async move {
            // Two askers for each: whoever is second gets the answer of the first.
            let ask = async || loop {
                let answer = peer.post_from("b.example", &path, &body).await;
                if answer.status != 503 {
                    return answer;
                }
            };
            let (first, second) = tokio::join!(ask(), ask());
            assert_eq!(first, second);
            assert!(matches!(first.read(), SubmitMessageResponse::Accepted { .. }));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let log = hub.shared.store.room_log(room().as_str(), 0, 1000).unwrap();
    assert_eq!(log.len(), before + usize::from(MANY), "each once");
    assert!(log.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "dense");
    let mut times: Vec<&[u8]> = log.iter().map(|entry| &entry.body[..8]).collect();
    let in_order = times.clone();
    times.sort_unstable();
    assert_eq!(times, in_order, "the hub's time does not run backwards");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_disk() {
    let town = Town::new(&["a.example", "b.example"]);
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    let mut alice = talker(&town, &a, "alice", &[&a, &b]).await;
    let mut bob = talker(&town, &b, "bob", &[&a, &b]).await;
    alice.open(&bob.online.user, &room()).await;
    alice.say("one");
    alice.flush().await;
    alice.hear(&["one"]).await;
    bob.hear(&["one"]).await;
    bob.say("x");
    let submit = bob.next_request().unwrap().body;
    let peer = Connection::open(town.peer_tls("b.example"), "a.example", a.address).await;
    all_once(&a, Arc::new(peer), &submit).await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_store_that_fails_now_and_then() {
    let mut scene = Scene::talking().await;
    let submit = scene.bob_s_submit("x");
    let peer = Arc::new(scene.peer("b.example").await);
    for nth in 1..8 {
        let fault = if nth % 2 == 0 {
            Fault::BeforeApply
        } else {
            Fault::AfterApply
        };
        scene.disk_a.fail_write(nth * 5, fault);
    }
    all_once(&scene.a, peer, &submit).await;
    scene.stop().await;
}
