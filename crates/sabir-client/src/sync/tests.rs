#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::PathBuf;
use std::time::Duration;

use sabir_wire::client_api::path;
use tokio::time::timeout;

use super::*;
use crate::account::{NewAccount, create};
use crate::store::Store;
use crate::testing::{Authority, FakeProvider, Loss, quick};
use crate::types::{Event, MessageState};

pub(super) struct World {
    authority: Authority,
    directory: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            authority: Authority::new(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) async fn provider(&self, domain: &str) -> FakeProvider {
        FakeProvider::start(domain, &self.authority).await
    }

    pub(super) fn profile(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) async fn person(&self, name: &str, provider: &FakeProvider) -> Client {
        let mut store = Store::create(&self.profile(name), None).unwrap();
        let new = NewAccount {
            invite: provider.invite("good"),
            name: name.to_owned(),
            device_name: "desk".to_owned(),
            anchors: self.authority.anchors.clone(),
        };
        create(&mut store, &new, quick()).await.unwrap();
        drop(store);
        self.open(name).await
    }

    pub(super) async fn open(&self, name: &str) -> Client {
        Client::open(&self.profile(name), None, quick()).await.unwrap()
    }
}

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("in time")
}

/// Waits until the person has seen all these texts, in this order, in the room with somebody.
pub(super) async fn sees(client: &Client, with: &str, texts: &[String]) -> Vec<Message> {
    let mut events = client.subscribe(Some(0));
    let seen = soon(async {
        loop {
            let messages = client.timeline(with, None, 1000).await.unwrap_or_default();
            let waiting = messages
                .iter()
                .any(|message| message.state == MessageState::Queued);
            // A message that was accepted and has no place yet moves once more.
            let unplaced = messages.iter().any(|message| message.message_id.is_none());
            if messages.len() >= texts.len() && !waiting && !unplaced {
                return messages;
            }
            events.next().await.unwrap();
        }
    })
    .await;
    assert_eq!(
        seen.iter()
            .map(|message| message.text.clone())
            .collect::<Vec<_>>(),
        texts
    );
    seen
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn two_people_talk() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    let local = alice.send_text("bob@a.example", "hello").await.unwrap();
    let messages = sees(&bob, "alice@a.example", &texts(&["hello"])).await;
    assert_eq!(messages[0].from, "alice@a.example");
    assert_eq!(messages[0].state, MessageState::Received);
    assert!(messages[0].verified && !messages[0].own);

    bob.send_text("alice@a.example", "hello yourself").await.unwrap();
    let own = sees(&alice, "bob@a.example", &texts(&["hello", "hello yourself"])).await;
    assert_eq!(own[0].local_id, Some(local));
    assert_eq!(own[0].state, MessageState::Sent);
    assert_eq!(own[0].message_id, messages[0].message_id);
    let outgoing = alice.outgoing(local).await.unwrap();
    assert_eq!(outgoing.state, MessageState::Sent);
    assert_eq!(outgoing.room.as_deref(), Some(own[0].room.as_str()));
    assert!(outgoing.accepted_ms.is_some());

    let rooms = bob.rooms().await.unwrap();
    assert_eq!(rooms.len(), 1);
    assert_eq!(rooms[0].with.as_deref(), Some("alice@a.example"));
    assert_eq!(rooms[0].members, ["alice@a.example", "bob@a.example"]);
    assert_eq!(rooms[0].hub, "a.example");
    assert_eq!(rooms[0].last.as_ref().unwrap().text, "hello yourself");
    assert_eq!(bob.room("alice@a.example").await.unwrap(), rooms[0]);
}

async fn a_hundred_messages(loss: Option<Loss>) -> FakeProvider {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    provider.state().loses = loss;
    // Requests are counted, and receipts would be among them.
    let quiet = crate::types::Settings {
        delivery_receipts: false,
        ..crate::types::Settings::default()
    };
    alice.set_settings(quiet).await.unwrap();
    bob.set_settings(quiet).await.unwrap();
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..100 {
        let alice = alice.clone();
        sends.spawn(async move {
            let text = format!("message {number}");
            (alice.send_text("bob@a.example", &text).await.unwrap(), text)
        });
    }
    let mut sent = sends.join_all().await;
    sent.sort();
    let expected: Vec<_> = sent.into_iter().map(|(_, text)| text).collect();
    sees(&bob, "alice@a.example", &expected).await;
    sees(&alice, "bob@a.example", &expected).await;
    assert_eq!(alice.rooms().await.unwrap().len(), 1);
    provider
}

#[tokio::test]
async fn a_hundred_messages_at_once_go_out_in_order() {
    a_hundred_messages(None).await;
}

#[tokio::test]
async fn requests_that_are_lost_are_repeated_byte_for_byte() {
    let provider = a_hundred_messages(Some(Loss::Requests)).await;
    let bodies = provider.bodies(path::SUBMIT_MESSAGE);
    assert_eq!(bodies.len(), 200);
    assert!(bodies.chunks(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn lost_answers_lose_and_double_nothing() {
    a_hundred_messages(Some(Loss::Answers)).await;
}

#[tokio::test]
async fn people_of_two_providers_talk() {
    let world = World::new();
    let (a, b) = (
        world.provider("a.example").await,
        world.provider("b.example").await,
    );
    a.meet(&b);
    let alice = world.person("alice", &a).await;
    let bob = world.person("bob", &b).await;
    // Bob's provider carries no tunnel yet: what came for him waits, and nothing else does.
    a.state().tunnels.insert("b.example:443".to_owned(), b.address());
    let carol = world.person("carol", &b).await;
    alice.send_text("bob@b.example", "hello").await.unwrap();
    alice.send_text("bob@b.example", "are you there?").await.unwrap();
    sees(&alice, "bob@b.example", &texts(&["hello", "are you there?"])).await;
    carol.send_text("bob@b.example", "hi").await.unwrap();
    sees(&bob, "carol@b.example", &texts(&["hi"])).await;
    assert!(bob.timeline("alice@a.example", None, 10).await.is_err());

    // What waits survives a restart.
    bob.shutdown().await;
    let bob = world.open("bob").await;
    assert!(bob.timeline("alice@a.example", None, 10).await.is_err());
    b.state().tunnels.insert("a.example:443".to_owned(), a.address());
    let seen = sees(&bob, "alice@a.example", &texts(&["hello", "are you there?"])).await;
    assert!(seen.iter().all(|message| message.verified));
    bob.send_text("alice@a.example", "yes").await.unwrap();
    sees(
        &alice,
        "bob@b.example",
        &texts(&["hello", "are you there?", "yes"]),
    )
    .await;
}

#[tokio::test]
async fn what_was_written_before_a_restart_goes_out_after_it() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    provider
        .state()
        .instead
        .insert(path::ROOMS.to_owned(), (503, Some("3600"), Vec::new()));
    alice.send_text("bob@a.example", "one").await.unwrap();
    let local = alice.send_text("bob@a.example", "two").await.unwrap();
    assert_eq!(alice.outgoing(local).await.unwrap().state, MessageState::Queued);
    let room = alice.room("bob@a.example").await.unwrap().room;
    alice.shutdown().await;
    assert!(matches!(
        alice.send_text("bob@a.example", "three").await,
        Err(ClientError::Stopped)
    ));

    let alice = world.open("alice").await;
    alice.send_text("bob@a.example", "three").await.unwrap();
    let all = texts(&["one", "two", "three"]);
    sees(&bob, "alice@a.example", &all).await;
    sees(&alice, "bob@a.example", &all).await;
    assert_eq!(alice.room("bob@a.example").await.unwrap().room, room);
    assert_eq!(
        provider
            .bodies(path::ROOMS)
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
}

#[tokio::test]
async fn restarts_lose_and_double_nothing() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let mut alice = world.person("alice", &provider).await;
    let mut bob = world.person("bob", &provider).await;
    let mut all = Vec::new();
    for round in 0..12 {
        for number in 0..5 {
            let text = format!("round {round}, message {number}");
            alice.send_text("bob@a.example", &text).await.unwrap();
            all.push(text);
        }
        // At another moment each time: while the room is made, while somebody is added, while messages go out.
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        alice.shutdown().await;
        if round % 3 == 2 {
            bob.shutdown().await;
            bob = world.open("bob").await;
        }
        alice = world.open("alice").await;
    }
    sees(&bob, "alice@a.example", &all).await;
    sees(&alice, "bob@a.example", &all).await;
}

#[tokio::test]
async fn a_cursor_of_another_life_is_told() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let mut events = alice.subscribe(Some(99));
    loop {
        let notice = soon(events.next()).await.unwrap();
        if notice.event == Event::Missed {
            assert_eq!(notice.cursor, alice.cursor());
            return;
        }
    }
}

#[tokio::test]
async fn both_open_a_room_at_once_and_settle_on_one() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    let (one, two) = tokio::join!(
        alice.send_text("bob@a.example", "from alice"),
        bob.send_text("alice@a.example", "from bob")
    );
    one.unwrap();
    two.unwrap();
    for client in [&alice, &bob] {
        soon(async {
            loop {
                let rooms = client.rooms().await.unwrap();
                let mut said = 0;
                for room in &rooms {
                    let lines = client.timeline(&room.room, None, 10).await.unwrap();
                    said += lines.iter().filter(|line| line.message_id.is_some()).count();
                }
                let open = rooms.iter().filter(|room| room.goes_on_in.is_none()).count();
                if (rooms.len(), open, said) == (2, 1, 2) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    let of_alice = alice.room("bob@a.example").await.unwrap().room;
    let of_bob = bob.room("alice@a.example").await.unwrap().room;
    assert_eq!(of_alice, of_bob);
}

#[tokio::test]
async fn events_come_once_in_order_and_again_after_a_cursor() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    let mut events = bob.subscribe(None);
    let start = bob.cursor();
    alice.send_text("bob@a.example", "one").await.unwrap();
    alice.send_text("bob@a.example", "two").await.unwrap();
    let mut added = Vec::new();
    let mut cursors = Vec::new();
    while added.len() < 2 {
        let notice = soon(events.next()).await.unwrap();
        match notice.event {
            Event::MessageAdded { message } => added.push(message.text),
            Event::Connection { .. } => continue,
            _ => {}
        }
        cursors.push(notice.cursor);
    }
    assert_eq!(added, ["one", "two"]);
    assert!(cursors.is_sorted());
    let again = bob.log(start, 100).await.unwrap();
    assert_eq!(
        again.iter().map(|notice| notice.cursor).collect::<Vec<_>>(),
        cursors
    );
    let json = serde_json::to_value(&again[0]).unwrap();
    assert_eq!(json["event"]["type"], "room_added");
    assert_eq!(json["event"]["room"]["kind"], "direct");

    bob.shutdown().await;
    let ended = soon(async {
        loop {
            if let Err(error) = events.next().await {
                return error;
            }
        }
    });
    assert!(matches!(ended.await, ClientError::Stopped));
}

#[tokio::test]
async fn the_stream_goes_on_after_a_cut_and_is_acknowledged() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    alice.send_text("bob@a.example", "one").await.unwrap();
    sees(&bob, "alice@a.example", &texts(&["one"])).await;
    provider.cut_streams();
    provider.revoke_tokens();
    alice.send_text("bob@a.example", "two").await.unwrap();
    sees(&bob, "alice@a.example", &texts(&["one", "two"])).await;
    let client = bob.account().client.clone();
    soon(async {
        // A welcome and two messages.
        while provider.acknowledged(&client) < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn key_packages_are_replenished() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let bob = world.person("bob", &provider).await;
    let client = bob.account().client.clone();
    provider.use_up_key_packages(&client, 30);
    provider.say_key_packages_low(&client);
    soon(async {
        while provider.key_packages(&client) < 50 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(provider.bodies(path::KEY_PACKAGES).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_at_once() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let long = "x".repeat(MAX_TEXT + 1);
    for (to, text, error) in [
        ("bob@a.example", "", "a message has one to 65536 bytes of text"),
        ("bob@a.example", &long, "a message has one to 65536 bytes of text"),
        ("alice@a.example", "hi", "this is your own address"),
        ("bob", "hi", "there is no such room"),
        ("mimi://a.example/r/none", "hi", "there is no such room"),
    ] {
        assert_eq!(
            alice.send_text(to, text).await.unwrap_err().to_string(),
            error,
            "{to}"
        );
    }
    assert!(matches!(alice.outgoing(1).await, Err(ClientError::NoMessage)));
    assert!(matches!(
        alice.timeline("bob@a.example", None, 10).await,
        Err(ClientError::NoRoom)
    ));
    assert_eq!(alice.rooms().await.unwrap(), []);
}

#[tokio::test]
async fn a_request_that_is_refused_as_such_blocks_the_room_until_it_is_not() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    provider
        .state()
        .instead
        .insert(path::ROOMS.to_owned(), (403, None, Vec::new()));
    let local = alice.send_text("bob@a.example", "one").await.unwrap();
    let problem = soon(async {
        loop {
            if let Some(problem) = alice.outgoing(local).await.unwrap().problem {
                return problem;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(problem.contains("does not take messages"), "{problem}");
    alice.send_text("bob@a.example", "two").await.unwrap();
    sees(&bob, "alice@a.example", &texts(&["one", "two"])).await;
    assert_eq!(alice.room("bob@a.example").await.unwrap().blocked, None);
}

#[tokio::test]
async fn damaged_entries_are_told_and_left_behind() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    alice.send_text("bob@a.example", "one").await.unwrap();
    let room = sees(&bob, "alice@a.example", &texts(&["one"])).await[0]
        .room
        .clone();
    provider.deliver_bytes(&room, &bob.account().client, b"no entry");
    alice.send_text("bob@a.example", "two").await.unwrap();
    sees(&bob, "alice@a.example", &texts(&["one", "two"])).await;
    let log = bob.log(0, 100).await.unwrap();
    assert!(
        log.iter()
            .any(|notice| matches!(&notice.event, Event::Alarm { .. }))
    );
}

/// Rows of another version, or damaged ones: the room waits whole, and others go on.
#[tokio::test]
async fn a_room_that_cannot_be_read_loses_nothing() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    let carol = world.person("carol", &provider).await;
    alice.send_text("bob@a.example", "one").await.unwrap();
    sees(&bob, "alice@a.example", &texts(&["one"])).await;
    let room = bob.room("alice@a.example").await.unwrap().room;
    bob.shutdown().await;
    let write = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut store = Store::open(&world.profile("bob"), None).unwrap();
        let rows = store.read(|tx| tx.rows(&room)).unwrap();
        let mut changes = sabir_mls::rows::RowChanges::default();
        for (key, value) in &rows {
            changes.put(key.clone(), change(value));
        }
        store
            .transaction("change rows", |tx| tx.apply(&room, &changes))
            .unwrap();
    };
    write(&|value| value.iter().map(|byte| !byte).collect());
    let bob = world.open("bob").await;
    let mut events = bob.subscribe(Some(0));
    alice.send_text("bob@a.example", "two").await.unwrap();
    alice.send_text("bob@a.example", "three").await.unwrap();
    carol.send_text("bob@a.example", "hi").await.unwrap();
    sees(&bob, "carol@a.example", &texts(&["hi"])).await;
    let told = soon(async {
        loop {
            if let Event::Alarm { text, .. } = events.next().await.unwrap().event {
                return text;
            }
        }
    })
    .await;
    assert!(told.contains("cannot be read"), "{told}");
    bob.shutdown().await;
    write(&|value| value.iter().map(|byte| !byte).collect());
    let bob = world.open("bob").await;
    sees(&bob, "alice@a.example", &texts(&["one", "two", "three"])).await;
}
