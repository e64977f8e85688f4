//! A provider that cheats its own people: whatever it sends, nothing is lost or changed, and the client goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_wire::client_api::{Event as Sent, EventBody, MAX_CURSOR, MAX_EVENT, put_frame};
use sabir_wire::codec::{put_opaque, put_varint};
use sabir_wire::uri::RoomUri;

use super::tests::{World, sees, soon};
use super::*;
use crate::files::{SaveFile, SendFile, TransferState};
use crate::testing::FakeProvider;
use crate::testing::Serving;
use crate::types::Event;

struct Scene {
    world: World,
    provider: FakeProvider,
    alice: Client,
    bob: Client,
    room: String,
    said: Vec<String>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let provider = world.provider("a.example").await;
        let alice = world.person("alice", &provider).await;
        let bob = world.person("bob", &provider).await;
        // Receipts would move the rooms while they are compared.
        let quiet = crate::types::Settings {
            delivery_receipts: false,
            ..crate::types::Settings::default()
        };
        alice.set_settings(quiet).await.unwrap();
        bob.set_settings(quiet).await.unwrap();
        alice.send_text("bob@a.example", "first").await.unwrap();
        let said = vec!["first".to_owned()];
        let room = sees(&bob, "alice@a.example", &said).await[0].room.clone();
        Self {
            world,
            provider,
            alice,
            bob,
            room,
            said,
        }
    }

    fn client(&self) -> String {
        self.bob.account().client.clone()
    }

    /// Alice says something, and Bob sees this and what was said before and nothing else.
    async fn goes_on(&mut self, line: &str) {
        self.alice.send_text("bob@a.example", line).await.unwrap();
        self.said.push(line.to_owned());
        sees(&self.bob, "alice@a.example", &self.said).await;
        let rooms = self.bob.rooms().await.unwrap();
        assert_eq!(rooms.len(), 1, "{line}");
        assert_eq!(rooms[0].blocked, None, "{line}");
        assert_eq!(rooms[0].members, ["alice@a.example", "bob@a.example"], "{line}");
    }

    async fn alarms(&self) -> Vec<(String, String)> {
        let log = self.bob.log(0, 1000).await.unwrap();
        let alarms = log.into_iter().filter_map(|notice| match notice.event {
            Event::Alarm { room, text } => Some((room, text)),
            _ => None,
        });
        alarms.collect()
    }
}

fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put_opaque(&mut frame, content);
    frame
}

fn event(cursor: u64, room: &str, message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let body = EventBody::Fanout {
        room: RoomUri::parse(room).unwrap(),
        fanout_message: message.to_vec(),
    };
    put_frame(&mut frame, &Sent { cursor, body });
    frame
}

fn with_type(cursor: u64, event_type: u8, content: &[u8]) -> Vec<u8> {
    frame(&[&cursor.to_be_bytes(), &[event_type][..], content].concat())
}

#[tokio::test]
async fn events_that_mean_nothing_are_skipped_and_told_once() {
    let mut scene = Scene::new().await;
    let client = scene.client();
    let next = scene.provider.last_cursor(&client) + 1;
    let opened = scene.provider.streams_opened(&client);
    let mut bad_room = vec![1];
    put_opaque(&mut bad_room, b"https://a.example/r/x");
    put_opaque(&mut bad_room, b"message");
    for (what, bytes) in [
        ("of a newer provider", with_type(next, 4, b"whatever it is")),
        ("of the reserved type", with_type(next, 0, &[])),
        ("of the last type", with_type(0, 255, &[0xff; 300])),
        ("nothing at all", frame(&[])),
        ("half a cursor", frame(&[0, 0, 0])),
        ("no type", frame(&next.to_be_bytes())),
        ("more than a keepalive", with_type(next, 3, b"x")),
        (
            "in a room that is none",
            frame(&[&next.to_be_bytes()[..], &bad_room].concat()),
        ),
        (
            "at a cursor that no store keeps",
            event(u64::MAX, &scene.room, b"x"),
        ),
        ("just beyond", event(MAX_CURSOR + 1, &scene.room, b"x")),
        ("noise", frame(&[0x5a; 4000])),
    ] {
        scene.provider.send_raw(&client, &bytes);
        scene.goes_on(what).await;
    }
    let alarms = scene.alarms().await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0].0, "", "it is about no room");
    assert!(alarms[0].1.contains("skipped"), "{alarms:?}");
    assert_eq!(scene.provider.streams_opened(&client), opened, "on one stream");
}

#[tokio::test]
async fn events_out_of_order_twice_or_of_strange_rooms_change_nothing() {
    let mut scene = Scene::new().await;
    let client = scene.client();
    let last = scene.provider.last_cursor(&client);
    let elsewhere = "mimi://a.example/r/elsewhere";
    let entries: Vec<Vec<u8>> = (1..=last)
        .map(|cursor| scene.provider.event_bytes(&client, cursor))
        .collect();
    for (what, bytes) in [
        ("everything again", entries.concat()),
        ("in reverse", entries.iter().rev().flatten().copied().collect()),
        ("another under an old cursor", event(last, &scene.room, b"other")),
        ("before the first", event(0, &scene.room, b"zero")),
        ("of a room that nobody knows", event(last, elsewhere, b"noise")),
    ] {
        scene.provider.send_raw(&client, &bytes);
        scene.goes_on(what).await;
    }
    assert_eq!(scene.alarms().await, []);
    // New cursors: what is no entry is told in its room, what is of no room of ours is passed.
    let next = scene.provider.skip_cursors(&client, 1000);
    scene
        .provider
        .send_raw(&client, &event(next, elsewhere, b"noise"));
    scene.goes_on("after a stranger's").await;
    let next = scene.provider.skip_cursors(&client, 1);
    scene
        .provider
        .send_raw(&client, &event(next, &scene.room, &[0xff; 100]));
    scene.goes_on("after noise in the room").await;
    let alarms = scene.alarms().await;
    assert!(alarms.iter().all(|(room, _)| *room == scene.room), "{alarms:?}");
    assert!(!alarms.is_empty());
    // All of it is behind us after a restart, too.
    scene.bob.shutdown().await;
    scene.bob = scene.world.open("bob").await;
    scene.goes_on("after a restart").await;
    // An entry of the room itself, once more under a new cursor: nothing is said twice, and that something came that
    // could not be read stands there.
    let next = scene.provider.skip_cursors(&client, 1);
    let entry = scene.provider.entry(&client, last);
    scene
        .provider
        .send_raw(&client, &event(next, &scene.room, &entry));
    scene
        .alice
        .send_text("bob@a.example", "after an entry once more")
        .await
        .unwrap();
    scene.said.push("after an entry once more".to_owned());
    soon(async {
        loop {
            let messages = scene.bob.timeline("alice@a.example", None, 1000).await.unwrap();
            let said = messages.iter().filter(|message| message.problem.is_none());
            let said: Vec<String> = said.map(|message| message.text.clone()).collect();
            if said.len() >= scene.said.len() {
                assert_eq!(said, scene.said);
                assert!(messages.len() <= said.len() + 1);
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_lost_is_opened_again_and_again_and_not_too_often() {
    let mut scene = Scene::new().await;
    let client = scene.client();
    let mut oversized = Vec::new();
    put_varint(&mut oversized, MAX_EVENT + 1);
    let lost = [&b"\xc0"[..], b"\x40\x01", &oversized];
    for bytes in lost {
        let opened = scene.provider.streams_opened(&client);
        scene.provider.send_raw(&client, bytes);
        scene.goes_on(&format!("after {bytes:02x?}")).await;
        assert!(scene.provider.streams_opened(&client) > opened);
    }
    // A provider that does nothing else.
    scene.provider.begin_streams_with(&client, lost[0]);
    let opened = scene.provider.streams_opened(&client);
    scene.provider.cut_streams();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tried = scene.provider.streams_opened(&client) - opened;
    // The waits double up to a tenth of a second here: 10, 20, 40, 80, 100 ms and so on, each shortened by at most a quarter.
    assert!((3..=20).contains(&tried), "{tried}");
    // Meanwhile the person reads and writes.
    sees(&scene.bob, "alice@a.example", &scene.said).await;
    let own = scene
        .bob
        .send_text("alice@a.example", "can you hear me")
        .await
        .unwrap();
    sees(
        &scene.alice,
        "bob@a.example",
        &[&scene.said[..], &["can you hear me".to_owned()]].concat(),
    )
    .await;
    assert!(scene.bob.outgoing(own).await.unwrap().accepted_ms.is_some());
    scene.said.push("can you hear me".to_owned());
    scene.provider.begin_streams_with(&client, &[]);
    scene.goes_on("and now it is honest").await;
    let alarms = scene.alarms().await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms[0].1.contains("delayed"), "{alarms:?}");
}

#[tokio::test]
async fn an_event_without_an_end_holds_nothing_but_itself() {
    let mut scene = Scene::new().await;
    let client = scene.client();
    let mut endless = Vec::new();
    put_varint(&mut endless, MAX_EVENT);
    scene.provider.send_raw(&client, &endless);
    for _ in 0..64 {
        scene.provider.send_raw(&client, &[0x5a; 4096]);
    }
    // The person reads and writes; what others say waits at the provider.
    scene.bob.send_text("alice@a.example", "it hangs").await.unwrap();
    let heard = [&scene.said[..], &["it hangs".to_owned()]].concat();
    sees(&scene.alice, "bob@a.example", &heard).await;
    scene.said = heard;
    scene.provider.cut_streams();
    scene.goes_on("and goes on").await;
    assert_eq!(scene.alarms().await, []);
}

#[tokio::test]
async fn a_file_that_is_not_what_was_sent_is_not_saved() {
    let mut scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file: Vec<u8> = (0..700_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let path = folder.path().join("heron.bin");
    std::fs::write(&path, &file).unwrap();
    let send = SendFile {
        path,
        text: Some("a file".to_owned()),
        keep_metadata: false,
        key: None,
    };
    let sent = scene.alice.send_file("bob@a.example", send).await.unwrap();
    let sent = scene
        .alice
        .transfer(sent.transfer, Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!(sent.state, TransferState::Done, "{sent:?}");
    scene.said.push("a file".to_owned());
    let message = sees(&scene.bob, "alice@a.example", &scene.said)
        .await
        .pop()
        .unwrap();
    let ciphertext = file.len() as u64 + 16;
    for (serving, final_words) in [
        (Serving::Others, Some("not the file that the message names")),
        (Serving::OtherSize, Some("another size")),
        (Serving::Half, None),
        (Serving::More, None),
        (Serving::Endless, None),
        (Serving::Silent, None),
    ] {
        let inbox = folder.path().join(format!("{serving:?}"));
        std::fs::create_dir(&inbox).unwrap();
        scene.provider.serve_files(serving);
        let save = SaveFile {
            message: message.id.to_string(),
            number: 1,
            path: inbox.clone(),
            overwrite: false,
        };
        let saving = scene.bob.save_file(save).await.unwrap().transfer;
        if let Some(words) = final_words {
            let over = scene.bob.transfer(saving, Duration::from_secs(20)).await.unwrap();
            assert_eq!(over.state, TransferState::Failed, "{serving:?} {over:?}");
            assert!(over.problem.unwrap().contains(words), "{serving:?}");
            assert_eq!(
                std::fs::read_dir(&inbox).unwrap().count(),
                0,
                "{serving:?} leaves nothing"
            );
            assert_eq!(scene.provider.downloads(), 1, "{serving:?} is not asked again");
        } else {
            // It asks again, not too often, and disk and place stay as they were.
            soon(async {
                while scene.provider.downloads() < 3 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
            assert!(!inbox.join("heron.bin").exists(), "{serving:?}");
            for entry in std::fs::read_dir(&inbox).unwrap() {
                let length = entry.unwrap().metadata().unwrap().len();
                assert!(length <= ciphertext, "{serving:?} {length}");
            }
            scene.provider.serve_files(Serving::Truly);
            let over = scene.bob.transfer(saving, Duration::from_secs(20)).await.unwrap();
            assert_eq!(over.state, TransferState::Done, "{serving:?} {over:?}");
            assert_eq!(
                std::fs::read(inbox.join("heron.bin")).unwrap(),
                file,
                "{serving:?}"
            );
        }
        scene.goes_on(&format!("after {serving:?}")).await;
    }
}
