//! Groups and second rooms, through a relay that judges nothing: what the shell makes of the engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use tokio::time::sleep;

use super::tests::{World, soon};
use super::*;
use crate::testing::FakeProvider;
use crate::types::{Event, MessageState, NewRoom, RoomChange, Template, Wish};

pub(super) async fn until<T>(client: &Client, mut look: impl AsyncFnMut(&Client) -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = look(client).await {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

pub(super) async fn done(client: &Client, asked: &[Outgoing]) {
    for asked in asked {
        let id = asked.local_id;
        let end = until(client, async |client| {
            let now = client.outgoing(id).await.unwrap();
            (now.state != MessageState::Queued).then_some(now)
        });
        let end = end.await;
        assert_eq!((end.state, end.problem), (MessageState::Sent, None));
    }
}

pub(super) async fn wish(client: &Client, room: &str, wish: Wish) {
    let asked = client.change_room(room, vec![wish]).await.unwrap();
    done(client, &asked).await;
}

/// Roles of those who have a device in the room.
async fn roles(client: &Client, room: &str) -> Vec<(String, String)> {
    match client.room_details(room).await {
        Ok(details) => {
            let people = details.people.into_iter();
            let there = people.filter(|person| !person.devices.is_empty() && !person.left);
            there.map(|person| (person.address, person.role)).collect()
        }
        Err(_) => Vec::new(),
    }
}

pub(super) async fn sees_people(client: &Client, room: &str, people: &[(&str, &str)]) {
    until(client, async |client| {
        let now = roles(client, room).await;
        let now = now.iter().map(|(who, role)| (who.as_str(), role.as_str()));
        now.eq(people.iter().copied()).then_some(())
    })
    .await;
}

pub(super) async fn changes(client: &Client, room: &str) -> Vec<String> {
    let lines = client.timeline(room, None, 100).await.unwrap();
    let line = |line: Message| match line.marks.change {
        Some(change) => change.sentence(),
        None => line.text,
    };
    lines.into_iter().map(line).collect()
}

/// Two providers that carry tunnels to each other.
pub(super) async fn two_providers(world: &World) -> (FakeProvider, FakeProvider) {
    let (a, b) = (
        world.provider("a.example").await,
        world.provider("b.example").await,
    );
    a.state().tunnels.insert("b.example:443".to_owned(), b.address());
    b.state().tunnels.insert("a.example:443".to_owned(), a.address());
    (a, b)
}

const ALICE: &str = "alice@a.example";
const BOB: &str = "bob@b.example";
const CAROL: &str = "carol@a.example";

fn add(person: &str) -> Wish {
    Wish::Add {
        person: person.to_owned(),
        role: "member".to_owned(),
    }
}

#[tokio::test]
async fn a_group_is_made_changed_and_left() {
    let world = World::new();
    let (a, b) = two_providers(&world).await;
    a.meet(&b);
    let alice = world.person("alice", &a).await;
    let bob = world.person("bob", &b).await;
    let carol = world.person("carol", &a).await;
    let NewRoom { room, asked } = alice
        .create_group("Walkers", Template::Private, vec![BOB.to_owned()])
        .await
        .unwrap();
    assert_eq!(
        (room.name.as_deref(), room.role.as_deref()),
        (Some("Walkers"), Some("owner"))
    );
    assert_eq!(asked.len(), 2);
    done(&alice, &asked).await;
    sees_people(&bob, "Walkers", &[(ALICE, "owner"), (BOB, "member")]).await;

    // Names are looked up, and what is missing is said.
    let id = room.room.as_str();
    let refused = bob.change_room("Walkers", vec![add(CAROL)]).await.unwrap_err();
    let words = "only an admin or owner may add people here; you are member";
    assert_eq!(refused.to_string(), words);
    let no_role = Wish::Role {
        person: BOB.to_owned(),
        role: "king".to_owned(),
    };
    let refused = alice.change_room("Walkers", vec![no_role]).await.unwrap_err();
    assert!(
        matches!(&refused, ClientError::Role(roles) if roles == "banned, read-only, member, admin, owner")
    );
    let refused = alice.change_room("Walkers", vec![Wish::Leave]).await.unwrap_err();
    assert!(refused.to_string().starts_with("the last owner stays owner"));
    assert!(matches!(alice.room("Nobody").await, Err(ClientError::NoRoom)));
    assert!(matches!(alice.room("x@").await, Err(ClientError::Address(_))));
    let second = alice
        .create_group("Walkers", Template::Private, Vec::new())
        .await
        .unwrap();
    assert!(matches!(
        alice.room("Walkers").await,
        Err(ClientError::Ambiguous(_))
    ));
    done(&alice, &second.asked).await;

    wish(&alice, id, add(CAROL)).await;
    let rename = Wish::Rename {
        name: "Night walkers".to_owned(),
    };
    wish(&alice, id, rename).await;
    let admin = Wish::Role {
        person: BOB.to_owned(),
        role: "admin".to_owned(),
    };
    wish(&alice, id, admin).await;
    let three = [(ALICE, "owner"), (BOB, "admin"), (CAROL, "member")];
    for client in [&alice, &bob, &carol] {
        sees_people(client, "Night walkers", &three).await;
    }
    bob.send_text("Night walkers", "Now as admin").await.unwrap();
    until(&alice, async |client| {
        let last = changes(client, id).await.pop();
        (last.as_deref() == Some("Now as admin")).then_some(())
    })
    .await;
    let expected = [
        "alice@a.example added carol@a.example as member",
        "alice@a.example called the room \"Night walkers\"",
        "alice@a.example made bob@b.example admin, who was member",
        "Now as admin",
    ];
    assert_eq!(changes(&bob, id).await, expected);
    assert!(changes(&alice, id).await.ends_with(&expected.map(str::to_owned)));
    assert_eq!(changes(&carol, id).await, expected[1..]);

    // Bob removes carol: she keeps what she has, and a sentence says why nothing goes out.
    let remove = Wish::Remove {
        person: CAROL.to_owned(),
    };
    wish(&bob, id, remove).await;
    let out = until(&carol, async |client| {
        let room = client.room(id).await.unwrap();
        (!room.in_room).then_some(room)
    })
    .await;
    assert_eq!(
        out.blocked.as_deref(),
        Some("you were removed from this room by bob@b.example")
    );
    assert_eq!(changes(&carol, id).await.len(), 4);
    assert!(matches!(
        carol.send_text(id, "?").await,
        Err(ClientError::Closed(_))
    ));
    assert_eq!(carol.room_details(id).await.unwrap().people, []);

    // She comes back into the same conversation.
    wish(&alice, id, add(CAROL)).await;
    sees_people(&carol, id, &three).await;
    alice.send_text(id, "Welcome").await.unwrap();
    until(&carol, async |client| {
        let now = changes(client, id).await;
        (now.first().map(String::as_str) == Some(expected[1]) && now.last()? == "Welcome").then_some(())
    })
    .await;
    carol.send_text(id, "Thanks").await.unwrap();
    until(&alice, async |client| {
        (changes(client, id).await.last()? == "Thanks").then_some(())
    })
    .await;

    // Bob leaves, and may not be seen any more once somebody has changed the keys.
    wish(&bob, id, Wish::Leave).await;
    until(&bob, async |client| {
        (!client.room(id).await.unwrap().in_room).then_some(())
    })
    .await;
    let blocked = bob.room(id).await.unwrap().blocked;
    assert_eq!(blocked.as_deref(), Some("you left this room"));
    sees_people(&alice, id, &[(ALICE, "owner"), (CAROL, "member")]).await;
    // The line comes with the commit that takes him off the list.
    until(&alice, async |client| {
        (changes(client, id).await.last()? == "bob@b.example left").then_some(())
    })
    .await;
}

#[tokio::test]
async fn somebody_without_a_device_is_waited_for() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let carol = world.person("carol", &provider).await;
    let client = carol.account().client.clone();
    carol.shutdown().await;
    let left = provider.key_packages(&client);
    provider.use_up_key_packages(&client, left);
    let made = alice
        .create_group("", Template::Private, vec![CAROL.to_owned()])
        .await
        .unwrap();
    done(&alice, &made.asked).await;
    let id = made.room.room.as_str();
    let details = until(&alice, async |client| {
        let details = client.room_details(id).await.unwrap();
        details
            .people
            .iter()
            .any(|person| person.waits.is_some())
            .then_some(details)
    })
    .await;
    assert_eq!(details.room.waits_for, [CAROL]);
    assert_eq!(details.room.name, None);
    // The room does not wait with it.
    let sent = alice.send_text(id, "already").await.unwrap();
    until(&alice, async |client| {
        (client.outgoing(sent).await.unwrap().state == MessageState::Sent).then_some(())
    })
    .await;
    let _carol = world.open("carol").await;
    sees_people(&alice, id, &[(ALICE, "owner"), (CAROL, "member")]).await;
    assert_eq!(alice.room(id).await.unwrap().waits_for, [""; 0]);
}

#[tokio::test]
async fn two_direct_rooms_become_one() {
    let world = World::new();
    let (a, b) = two_providers(&world).await;
    let alice = world.person("alice", &a).await;
    let bob = world.person("bob", &b).await;
    // The providers know nothing of each other yet, so each side makes its own room.
    alice.send_text(BOB, "from alice").await.unwrap();
    bob.send_text(ALICE, "from bob").await.unwrap();
    let (hers, his) = (alice.rooms().await.unwrap(), bob.rooms().await.unwrap());
    assert_eq!((hers.len(), his.len()), (1, 1));
    a.meet(&b);
    let winner = hers[0].room.clone().min(his[0].room.clone());
    let loser = hers[0].room.clone().max(his[0].room.clone());
    for client in [&alice, &bob] {
        let old = until(client, async |client| {
            let room = client.room(&loser).await.ok()?;
            (room.goes_on_in.as_deref() == Some(winner.as_str())).then_some(room)
        })
        .await;
        assert!(old.in_room);
        assert!(matches!(
            client.send_text(&loser, "x").await,
            Err(ClientError::GoesOnIn(_))
        ));
    }
    alice.send_text(BOB, "one").await.unwrap();
    until(&bob, async |client| {
        let lines = changes(client, &winner).await;
        (lines.last()? == "one").then_some(())
    })
    .await;
    bob.send_text(ALICE, "two").await.unwrap();
    for client in [&alice, &bob] {
        let mut said = until(client, async |client| {
            let mut said = changes(client, &loser).await;
            said.extend(changes(client, &winner).await);
            (said.len() == 4).then_some(said)
        })
        .await;
        assert_eq!(said.split_off(2), ["one", "two"]);
        said.sort();
        assert_eq!(said, ["from alice", "from bob"]);
    }
}

#[tokio::test]
async fn a_group_of_two_is_no_second_conversation_with_the_other() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    alice.send_text("bob@a.example", "hello").await.unwrap();
    // Their identifiers are random: of several, some come behind the direct room's.
    let mut groups = Vec::new();
    for number in 0..4 {
        let name = format!("group {number}");
        let made = alice
            .create_group(&name, Template::Private, vec!["bob@a.example".to_owned()])
            .await;
        groups.push(made.unwrap().room.room);
    }
    let rooms = until(&bob, async |client| {
        let rooms = client.rooms().await.unwrap();
        (rooms.len() == 5).then_some(rooms)
    });
    for room in rooms.await.iter().filter(|room| groups.contains(&room.room)) {
        assert_eq!(room.with, None, "{:?}", room.name);
    }
    for group in &groups {
        bob.send_text(group, "here").await.unwrap();
    }
}

#[tokio::test]
async fn a_change_is_one_line_and_one_event() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let made = alice
        .create_group("One", Template::Private, Vec::new())
        .await
        .unwrap();
    done(&alice, &made.asked).await;
    let id = made.room.room.as_str();
    let cursor = alice.cursor();
    let rename = Wish::Rename {
        name: "Two".to_owned(),
    };
    wish(&alice, id, rename).await;
    let events = alice.log(cursor, 100).await.unwrap();
    let lines: Vec<&Message> = events
        .iter()
        .filter_map(|notice| match &notice.event {
            Event::MessageAdded { message } => Some(message),
            _ => None,
        })
        .collect();
    let change = RoomChange::Renamed {
        name: "Two".to_owned(),
        by: Some(ALICE.to_owned()),
    };
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].marks.change.as_ref(), lines[0].text.as_str()),
        (Some(&change), "")
    );
    assert!(lines[0].own && lines[0].from == ALICE);
    let room = alice.room("Two").await.unwrap();
    assert_eq!(
        (room.unread, room.last.as_ref().map(|last| last.id)),
        (0, Some(lines[0].id))
    );
    // What was open is open after a restart, and what is done is done.
    alice.shutdown().await;
    let alice = world.open("alice").await;
    assert_eq!(alice.room("Two").await.unwrap(), room);
    assert!(alice.asked().await.unwrap().is_empty());
}

/// Whether Carol is proved to Bob, and why nothing goes out.
async fn doubts(bob: &Client) -> Option<(bool, Option<String>)> {
    let details = bob.room_details("Walkers").await.ok()?;
    let carol = details
        .people
        .iter()
        .find(|person| person.address == "carol@c.example")?;
    (!carol.devices.is_empty()).then(|| (carol.verified, details.room.blocked.clone()))
}

#[tokio::test]
async fn a_room_with_people_of_a_provider_that_cannot_be_reached_is_entered_and_says_so() {
    let world = World::new();
    let (a, b) = two_providers(&world).await;
    let c = world.provider("c.example").await;
    a.state().tunnels.insert("c.example:443".to_owned(), c.address());
    c.state().tunnels.insert("a.example:443".to_owned(), a.address());
    c.state().tunnels.insert("b.example:443".to_owned(), b.address());
    a.meet(&b);
    a.meet(&c);
    let alice = world.person("alice", &a).await;
    world.person("bob", &b).await.shutdown().await;
    let impatient = crate::transport::Timing {
        identity_patience: Duration::from_millis(300),
        ..crate::testing::quick()
    };
    let bob = Client::open(&world.profile("bob"), None, impatient)
        .await
        .unwrap();
    let carol = world.person("carol", &c).await;
    let made = alice.create_group(
        "Walkers",
        Template::Private,
        vec!["carol@c.example".to_owned(), BOB.to_owned()],
    );
    done(&alice, &made.await.unwrap().asked).await;
    // Bob's provider carries no tunnel to Carol's.
    let (verified, blocked) = until(&bob, async |bob| doubts(bob).await).await;
    assert!(!verified);
    assert!(blocked.unwrap().contains("carol@c.example"));
    let held = bob.send_text("Walkers", "held back").await.unwrap();
    carol.send_text("Walkers", "who am I?").await.unwrap();
    until(&bob, async |bob| {
        let lines = bob.timeline("Walkers", None, 10).await.unwrap();
        lines
            .iter()
            .any(|line| line.text == "who am I?" && !line.verified)
            .then_some(())
    })
    .await;
    bob.shutdown().await;
    let bob = Client::open(&world.profile("bob"), None, impatient)
        .await
        .unwrap();
    assert!(!doubts(&bob).await.unwrap().0);
    assert_eq!(bob.outgoing(held).await.unwrap().state, MessageState::Queued);

    b.state().tunnels.insert("c.example:443".to_owned(), c.address());
    until(&bob, async |bob| {
        doubts(bob).await.filter(|(verified, _)| *verified)
    })
    .await;
    assert_eq!(bob.outgoing(held).await.unwrap().state, MessageState::Queued);
    bob.resume_sending("Walkers").await.unwrap();
    until(&alice, async |alice| {
        let lines = alice.timeline("Walkers", None, 10).await.unwrap();
        lines.iter().any(|line| line.text == "held back").then_some(())
    })
    .await;
}
