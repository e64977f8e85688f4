#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_wire::content::{MessageId, MimiContent, NestedPart, TEXT_PLAIN};
use sabir_wire::uri::RoomUri;

use super::apply::engine_id;
use super::keeper::Work;
use super::received::message_id;
use super::tests::{World, soon};
use super::*;
use crate::testing::FakeProvider;
use crate::types::{MessageState, Settings};

const ALICE: &str = "alice@a.example";
const BOB: &str = "bob@a.example";

async fn pair(world: &World) -> (FakeProvider, Client, Client) {
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    (provider, alice, bob)
}

/// Waits until the conversation with somebody is as expected.
async fn until(client: &Client, with: &str, is: impl Fn(&[Message]) -> bool) -> Vec<Message> {
    soon(async {
        loop {
            let messages = client.timeline(with, None, 1000).await.unwrap_or_default();
            if is(&messages) {
                return messages;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

async fn text(client: &Client, with: &str, text: &str) -> Message {
    let is_it = |message: &Message| message.text == text && message.message_id.is_some();
    let messages = until(client, with, |messages| messages.iter().any(is_it)).await;
    messages.into_iter().find(is_it).unwrap()
}

/// Waits until what was asked is decided.
async fn decided(client: &Client, local_id: u64) -> Outgoing {
    soon(async {
        loop {
            let outgoing = client.outgoing(local_id).await.unwrap();
            if outgoing.state != MessageState::Queued {
                return outgoing;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

fn receipts_of(message: &Message) -> (Vec<&str>, Vec<&str>) {
    (
        message.marks.delivered_to.iter().map(String::as_str).collect(),
        message.marks.read_by.iter().map(String::as_str).collect(),
    )
}

/// What both must agree on: everything but numbers, states and receipts.
fn shared(messages: &[Message]) -> Vec<serde_json::Value> {
    let strip = |message: &Message| {
        let mut value = serde_json::to_value(message).unwrap();
        let object = value.as_object_mut().unwrap();
        for name in [
            "id",
            "position",
            "local_id",
            "state",
            "own",
            "delivered_to",
            "read_by",
        ] {
            object.remove(name);
        }
        if let Some(quote) = object.get_mut("reply_to").and_then(|quote| quote.as_object_mut()) {
            quote.remove("id");
        }
        value
    };
    messages.iter().map(strip).collect()
}

/// Sends any content from a client, past the checks of its own side.
async fn forge(
    client: &Client,
    with: &str,
    content: impl FnOnce(MimiContent) -> MimiContent + Send + 'static,
) {
    let room = RoomUri::parse(&client.room(with).await.unwrap().room).unwrap();
    client
        .0
        .keep
        .run(move |keeper| {
            keeper
                .step(&room, "forge", |step| {
                    let local_id = step.tx.next_local_id()?;
                    let compose = |origin: sabir_wire::content::Origin<'_>| {
                        content(MimiContent::plain(origin, "forged"))
                    };
                    let effects = step
                        .engine
                        .send(step.cx, engine_id(local_id), compose, step.rng)?;
                    step.absorb(effects)
                })
                .unwrap();
            keeper.work(Work::Room(room));
        })
        .await
        .unwrap();
}

fn id_of(message: &Message) -> MessageId {
    message_id(message.message_id.as_deref().unwrap()).unwrap()
}

#[tokio::test]
async fn replies_reactions_edits_and_deletions_are_the_same_on_both_sides() {
    let world = World::new();
    let (_provider, alice, bob) = pair(&world).await;
    alice.send_text(BOB, "see you at eight").await.unwrap();
    let heard = text(&bob, ALICE, "see you at eight").await;
    let number = heard.id.to_string();

    bob.reply(&number, "right on").await.unwrap();
    // By number or by message id.
    bob.react(heard.message_id.as_deref().unwrap(), "👍")
        .await
        .unwrap();
    let answer = text(&alice, BOB, "right on").await;
    let quote = answer.marks.reply_to.clone().unwrap();
    assert_eq!(
        (quote.text.as_deref(), quote.from.as_deref(), quote.changed),
        (Some("see you at eight"), Some(ALICE), false)
    );
    let messages = until(&alice, BOB, |messages| !messages[0].marks.reactions.is_empty()).await;
    assert_eq!(messages[0].marks.reactions[0].reaction, "👍");
    assert_eq!(messages[0].marks.reactions[0].from, [BOB]);

    let own = messages[0].clone();
    for new in ["see you at nine", "see you at ten"] {
        let asked = alice.edit(&own.id.to_string(), new).await.unwrap();
        let outgoing = decided(&alice, asked).await;
        assert_eq!((outgoing.state, outgoing.problem), (MessageState::Sent, None));
    }
    let edited = text(&bob, ALICE, "see you at ten").await;
    assert_eq!((edited.id, edited.position), (heard.id, heard.position));
    assert_eq!(
        (&edited.message_id, edited.timestamp_ms),
        (&heard.message_id, heard.timestamp_ms)
    );
    assert!(edited.marks.edited_ms >= Some(edited.timestamp_ms));
    let versions = bob.versions(&number).await.unwrap();
    let said: Vec<_> = versions.iter().map(|version| version.text.as_str()).collect();
    assert_eq!(said, ["see you at eight", "see you at nine", "see you at ten"]);
    // The answer was to an earlier version, and the next one is to the newest, whose id is not the message's.
    bob.reply(&number, "even better").await.unwrap();
    let better = text(&alice, BOB, "even better").await.marks.reply_to.unwrap();
    assert!(!better.changed && Some(&better.message_id) != heard.message_id.as_ref());
    let answer = text(&alice, BOB, "right on").await;
    assert!(answer.marks.reply_to.unwrap().changed);

    bob.unreact(&number, "👍").await.unwrap();
    until(&alice, BOB, |messages| messages[0].marks.reactions.is_empty()).await;
    bob.react(&number, "🎉").await.unwrap();
    until(&alice, BOB, |messages| !messages[0].marks.reactions.is_empty()).await;

    alice.delete(&own.id.to_string()).await.unwrap();
    let gone = |messages: &[Message]| messages[0].marks.deleted_by.as_deref() == Some(ALICE);
    let his = until(&bob, ALICE, gone).await;
    let hers = until(&alice, BOB, gone).await;
    assert_eq!(his.len(), 3);
    assert_eq!((his[0].text.as_str(), his[0].marks.reactions.len()), ("", 0));
    let quote = his[1].marks.reply_to.clone().unwrap();
    assert!(quote.deleted && quote.text.is_none());
    assert!(bob.versions(&number).await.unwrap().is_empty());
    assert_eq!(shared(&his), shared(&hers));
    // Neither text nor content of any version is left.
    let rows = bob
        .0
        .keep
        .run(|keeper| {
            let room = keeper.rooms().unwrap()[0].room.clone();
            keeper.store.read(|tx| {
                let row = tx.timeline(&room, None, 9)?.remove(0);
                let deeds = tx.deeds_of(row.id)?;
                Ok::<_, crate::store::StoreError>(format!("{:?} {deeds:?}", row.entry))
            })
        })
        .await
        .unwrap()
        .unwrap();
    assert!(
        !rows.contains("eight") && !rows.contains("nine") && rows.contains("content: \"\""),
        "{rows}"
    );
    // What comes for it now does nothing.
    for outcome in [
        bob.react(&number, "👍").await,
        bob.reply(&number, "late").await,
        alice.edit(&own.id.to_string(), "back").await,
        alice.delete(&own.id.to_string()).await,
    ] {
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "not allowed: the message was deleted"
        );
    }
}

#[tokio::test]
async fn what_a_person_may_not_do_is_refused_here_and_explained_there() {
    let world = World::new();
    let (_provider, alice, bob) = pair(&world).await;
    alice.send_text(BOB, "mine").await.unwrap();
    let heard = text(&bob, ALICE, "mine").await;
    let number = heard.id.to_string();
    for (outcome, why) in [
        (
            bob.edit(&number, "yours").await,
            "not allowed: only who wrote a message may change it",
        ),
        (
            bob.delete(&number).await,
            "not allowed: the role of its sender lacks canDeleteOtherMessage",
        ),
        (
            bob.react(&number, "two words").await,
            "a reaction is one emoji or short word",
        ),
        (bob.unreact(&number, "👍").await, "you have not reacted so"),
        (bob.delete("99").await, "there is no such message"),
        (bob.delete("#").await, "there is no such message"),
        (bob.delete(&"01".repeat(32)).await, "there is no such message"),
        (
            bob.reply(&number, "").await,
            "a message has one to 65536 bytes of text",
        ),
    ] {
        assert_eq!(outcome.unwrap_err().to_string(), why);
    }
    // A program that does not check sends it all the same.
    let of = id_of(&heard);
    let before = alice.timeline(BOB, None, 10).await.unwrap();
    forge(&bob, ALICE, move |content| content.replacing(of)).await;
    forge(&bob, ALICE, move |content| MimiContent {
        part: NestedPart::null(content.part.disposition),
        ..content.replacing(of)
    })
    .await;
    let after = until(&alice, BOB, |messages| messages.len() == 3).await;
    assert_eq!(after[0].text, before[0].text);
    assert_eq!(
        (after[0].marks.edited_ms, &after[0].marks.deleted_by),
        (None, &None)
    );
    for (message, what) in [
        (
            &after[1],
            "A change of a message was refused: only who wrote a message may change it",
        ),
        (
            &after[2],
            "The deletion of a message was refused: the role of its sender lacks canDeleteOtherMessage",
        ),
    ] {
        assert_eq!((message.from.as_str(), message.text.as_str()), (BOB, ""));
        assert_eq!(message.problem.as_deref(), Some(what));
    }
    assert_eq!(alice.versions(&before[0].id.to_string()).await.unwrap().len(), 1);
    // What is explained is not unread, and not answered with a receipt.
    assert_eq!(alice.room(BOB).await.unwrap().unread, 0);
}

#[tokio::test]
async fn what_is_not_here_is_no_stumbling_block() {
    let world = World::new();
    let (_provider, alice, bob) = pair(&world).await;
    alice.send_text(BOB, "hello").await.unwrap();
    let hello = text(&bob, ALICE, "hello").await;
    let mut lost = [7; 32];
    lost[0] = 1;
    let lost = MessageId::new(lost).unwrap();
    let reaction = |content: MimiContent| NestedPart {
        disposition: sabir_wire::content::Disposition::REACTION,
        ..content.part
    };
    // A reply, a reaction, a deletion and two edits of a message from before Bob came.
    forge(&alice, BOB, move |content| content.replying_to(lost)).await;
    forge(&alice, BOB, move |content| MimiContent {
        part: reaction(content.clone()),
        ..content.replying_to(lost)
    })
    .await;
    forge(&alice, BOB, move |content| content.replacing(lost)).await;
    forge(&alice, BOB, move |content| MimiContent {
        part: NestedPart::single(content.part.disposition, TEXT_PLAIN, "once more"),
        ..content.replacing(lost)
    })
    .await;
    text(&bob, ALICE, "once more").await;
    // Somebody else's edit of the same cannot take its place.
    forge(&bob, ALICE, move |content| content.replacing(lost)).await;
    let seen = until(&bob, ALICE, |messages| {
        messages.len() == 4 && messages.iter().any(|message| message.text == "once more")
    })
    .await;
    let edited: Vec<_> = seen
        .iter()
        .filter(|message| message.marks.edited_ms.is_some())
        .collect();
    assert_eq!(edited.len(), 2);
    assert_eq!(
        (edited[0].from.as_str(), edited[0].text.as_str()),
        (ALICE, "once more")
    );
    assert_eq!(
        (edited[1].from.as_str(), edited[1].text.as_str()),
        (BOB, "forged")
    );
    let quote = seen[1].marks.reply_to.clone().unwrap();
    assert_eq!((quote.id, quote.text, quote.deleted), (None, None, false));
    forge(&alice, BOB, move |content| MimiContent {
        part: NestedPart::null(content.part.disposition),
        ..content.replacing(lost)
    })
    .await;
    let seen = until(&bob, ALICE, |messages| {
        messages.iter().any(|message| message.marks.deleted_by.is_some())
    })
    .await;
    assert_eq!(seen.len(), 4);
    assert_eq!(
        seen.iter()
            .filter(|message| message.marks.deleted_by.is_some())
            .count(),
        1
    );
    // Gone is gone, whatever name it is called by.
    forge(&alice, BOB, move |content| content.replacing(lost)).await;
    alice.send_text(BOB, "end").await.unwrap();
    text(&bob, ALICE, "end").await;
    assert_eq!(
        until(&bob, ALICE, |messages| messages.len() == 5).await[0].id,
        hello.id
    );
}

#[tokio::test]
async fn arrivals_are_reported_in_one_message_and_reading_in_another() {
    let world = World::new();
    let (provider, alice, bob) = pair(&world).await;
    alice.send_text(BOB, "0").await.unwrap();
    text(&bob, ALICE, "0").await;
    let all = |who: fn(&Message) -> (Vec<&str>, Vec<&str>), wanted: (usize, usize)| {
        move |messages: &[Message]| {
            messages.iter().all(|message| {
                let (delivered, read) = who(message);
                (delivered.len(), read.len()) == wanted
            })
        }
    };
    until(&alice, BOB, all(receipts_of, (1, 0))).await;
    // What comes while Bob is away is reported at once when he is back.
    bob.shutdown().await;
    let mut last = 0;
    for number in 1..=40 {
        last = alice.send_text(BOB, &number.to_string()).await.unwrap();
    }
    decided(&alice, last).await;
    let before = provider
        .bodies(sabir_wire::client_api::path::SUBMIT_MESSAGE)
        .len();
    let bob = world.open("bob").await;
    let cursor = alice.cursor();
    let messages = until(&alice, BOB, all(receipts_of, (1, 0))).await;
    assert_eq!(messages.len(), 41, "a receipt is no message");
    assert_eq!(messages[40].marks.delivered_to, [BOB]);
    let reports = provider
        .bodies(sabir_wire::client_api::path::SUBMIT_MESSAGE)
        .len()
        - before;
    assert!((1..=4).contains(&reports), "{reports} reports");
    // Receipts change messages, add none, and are not answered by receipts.
    let told = alice.log(cursor, 1000).await.unwrap();
    assert!(
        told.iter()
            .all(|notice| matches!(notice.event, crate::types::Event::MessageChanged { .. }))
    );
    assert_eq!(alice.room(BOB).await.unwrap().unread, 0);

    let room = bob.room(ALICE).await.unwrap();
    assert_eq!((room.unread, room.read_position), (41, 0));
    let his = bob.timeline(ALICE, None, 100).await.unwrap();
    let room = bob.mark_read(ALICE, Some(&his[9].id.to_string())).await.unwrap();
    assert_eq!((room.unread, room.read_position), (31, his[9].position));
    let read = |count: usize| {
        move |messages: &[Message]| {
            messages
                .iter()
                .filter(|message| message.marks.read_by == [BOB])
                .count()
                == count
        }
    };
    until(&alice, BOB, read(10)).await;
    bob.mark_read(ALICE, None).await.unwrap();
    until(&alice, BOB, read(41)).await;
    // Never back.
    let room = bob.mark_read(ALICE, Some(&his[2].id.to_string())).await.unwrap();
    assert_eq!((room.unread, room.read_position), (0, his[40].position));
    assert!(
        bob.timeline(ALICE, None, 100)
            .await
            .unwrap()
            .iter()
            .all(|message| message.marks.read_by.is_empty())
    );
    let quiet = provider
        .bodies(sabir_wire::client_api::path::SUBMIT_MESSAGE)
        .len();
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(
        provider
            .bodies(sabir_wire::client_api::path::SUBMIT_MESSAGE)
            .len(),
        quiet
    );
}

#[tokio::test]
async fn who_wants_no_receipts_sends_none_and_reads_all_the_same() {
    let world = World::new();
    let (provider, alice, bob) = pair(&world).await;
    let none = Settings {
        delivery_receipts: false,
        read_receipts: false,
        post_quantum: true,
    };
    bob.set_settings(none).await.unwrap();
    bob.shutdown().await;
    let bob = world.open("bob").await;
    assert_eq!(bob.settings().await.unwrap(), none);
    alice.send_text(BOB, "one").await.unwrap();
    text(&bob, ALICE, "one").await;
    assert_eq!(bob.mark_read(ALICE, None).await.unwrap().unread, 0);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(
        provider
            .bodies(sabir_wire::client_api::path::SUBMIT_MESSAGE)
            .len(),
        1
    );
    // What came before the setting changed is not reported later.
    bob.set_settings(Settings::default()).await.unwrap();
    alice.send_text(BOB, "two").await.unwrap();
    let messages = until(&alice, BOB, |messages| {
        messages.len() == 2 && !messages[1].marks.delivered_to.is_empty()
    })
    .await;
    assert_eq!(receipts_of(&messages[0]), (vec![], vec![]));
    // A message that is deleted unread is no longer unread.
    assert_eq!(bob.room(ALICE).await.unwrap().unread, 1);
    alice.delete(&messages[1].id.to_string()).await.unwrap();
    until(&bob, ALICE, |messages| messages[1].marks.deleted_by.is_some()).await;
    assert_eq!(bob.room(ALICE).await.unwrap().unread, 0);
}

#[tokio::test]
async fn what_was_asked_before_a_restart_happens_after_it_once() {
    let world = World::new();
    let (_provider, alice, bob) = pair(&world).await;
    alice.send_text(BOB, "one").await.unwrap();
    let one = text(&alice, BOB, "one").await;
    text(&bob, ALICE, "one").await;
    let asked = alice.edit(&one.id.to_string(), "two").await.unwrap();
    let again = alice.react(&one.id.to_string(), "👍").await.unwrap();
    alice.shutdown().await;
    let alice = world.open("alice").await;
    for local in [asked, again] {
        assert_eq!(decided(&alice, local).await.state, MessageState::Sent);
    }
    assert!(alice.asked().await.unwrap().is_empty());
    let two = text(&bob, ALICE, "two").await;
    let messages = until(&bob, ALICE, |messages| !messages[0].marks.reactions.is_empty()).await;
    assert_eq!((messages.len(), two.id), (1, messages[0].id));
    assert!(matches!(
        alice.react(&one.id.to_string(), "👍").await,
        Err(ClientError::Reaction(_))
    ));
    // Nothing can be done to what is not sent.
    let waits = alice.send_text(BOB, "three").await.unwrap();
    let queued = alice.timeline(BOB, None, 1).await.unwrap().remove(0);
    if queued.message_id.is_none() {
        // It may go out in this moment.
        let outcome = alice.delete(&queued.id.to_string()).await;
        assert!(
            matches!(outcome, Ok(_) | Err(ClientError::NotSentYet)),
            "{outcome:?}"
        );
    }
    decided(&alice, waits).await;
}
