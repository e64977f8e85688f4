//! What a message costs: its body is stored once at each provider, however many devices wait for it there, and is sent
//! once to each provider, however many members it has.

use sabir_core::conversation::Intent;
use sabir_core::room::MEMBER;
use sabir_wire::uri::RoomUri;

use crate::support::person::{Online, Person};
use crate::support::scene::talker;
use crate::support::talker::Talker;
use crate::support::town::{Running, Town};

/// Somebody with a device and key packages who never listens: everything waits for them.
async fn silent(town: &Town, at: &Running, name: &str) -> Online {
    let person = Person::join(town, at, name).await;
    let online = person.device(&format!("{name}1"), 1).go_online(town, at).await;
    online.publish_some(3).await;
    online
}

/// A room of the owner with these people.
async fn gather(owner: &mut Talker, name: &str, people: &[&Online]) -> RoomUri {
    let room = RoomUri::parse(&format!("mimi://a.example/r/{name}")).unwrap();
    owner.open_group(&room, name).await;
    owner.flush().await;
    for one in people {
        let user = one.user.clone();
        owner.intend(Intent::Add { user, role: MEMBER });
    }
    owner.flush().await;
    owner
        .listen_until(|owner| {
            let conversation = owner.conversation.as_ref().unwrap();
            conversation.devices().len() == people.len() + 1 && owner.done() == people.len()
        })
        .await;
    room
}

/// Text that does not compress and is found by its ciphertext's bytes.
fn line(number: usize, length: usize) -> String {
    let mut text = format!("{number} ");
    while text.len() < length {
        text.push_str("the heron flies at noon, ");
    }
    text
}

/// How often the bytes are in there.
fn count(needle: &[u8], files: &[Vec<u8>]) -> usize {
    files
        .iter()
        .map(|file| {
            file.windows(needle.len())
                .filter(|window| *window == needle)
                .count()
        })
        .sum()
}

/// Bytes of everything that a provider's database and its log take.
fn database(town: &Town, provider: &str) -> Vec<Vec<u8>> {
    let store = town.data(provider).join("store");
    std::fs::read_dir(store)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

/// Messages of 40 kB to a room with `count` devices at b.example that never listen; gives how much the database of
/// b.example grew by each.
async fn stored_per_message(count_of_devices: usize) -> usize {
    const LENGTH: usize = 40_000;
    const MESSAGES: usize = 6;
    let town = Town::new(&["a.example", "b.example"]);
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    let mut owner = talker(&town, &a, "alice", &[&a, &b]).await;
    let mut people = Vec::new();
    for number in 0..count_of_devices {
        people.push(silent(&town, &b, &format!("p{number}")).await);
    }
    let devices: Vec<&Online> = people.iter().collect();
    let room = gather(&mut owner, "once", &devices).await;
    a.settled().await;
    // The log is written back into the database when it is closed.
    a.stop().await;
    b.stop().await;
    let size = |files: &[Vec<u8>]| files.iter().map(Vec::len).sum::<usize>();
    let before = size(&database(&town, "b.example"));
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    owner.online.reconnect().await;
    for number in 0..MESSAGES {
        owner.say(&line(number, LENGTH));
        owner.flush().await;
    }
    a.settled().await;
    let mut ciphertexts = Vec::new();
    for provider in [&a, &b] {
        let log = provider.shared.store.room_log(room.as_str(), 0, 1000).unwrap();
        let bodies: Vec<Vec<u8>> = log
            .into_iter()
            .map(|entry| entry.body.to_vec())
            .filter(|body| body.len() > LENGTH)
            .collect();
        assert_eq!(bodies.len(), MESSAGES);
        ciphertexts.push(bodies);
    }
    for device in &people {
        let queue = b
            .shared
            .store
            .device_read(device.client.as_str(), 0, 1000, usize::MAX)
            .unwrap();
        let waiting = queue.iter().filter(|item| item.body.len() > LENGTH).count();
        assert_eq!(waiting, MESSAGES, "each message waits for each device");
    }
    a.stop().await;
    b.stop().await;
    for (provider, bodies) in ["a.example", "b.example"].iter().zip(&ciphertexts) {
        let files = database(&town, provider);
        for body in bodies {
            // A page's border may cut one of them, not all three.
            let found = [9_000, 18_000, 27_000].map(|at| count(&body[at..at + 48], &files));
            assert_eq!(found.iter().max(), Some(&1), "{provider}: {found:?}");
        }
    }
    (size(&database(&town, "b.example")) - before) / MESSAGES
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_stored_once_for_however_many_devices() {
    let (few, many) = tokio::join!(stored_per_message(2), stored_per_message(16));
    eprintln!("a message of 40 kB: {few} bytes stored for 2 devices, {many} for 16");
    assert!(few > 40_000, "{few}");
    assert!(few < 55_000, "the body, and pages that are not full: {few}");
    // A reference for each device: some tens of bytes.
    assert!(many < few + 14 * 200, "{few} for 2 devices, {many} for 16");
}

/// What the hub sent to others in requests, by provider: how many requests, and their bytes with all headers.
fn fanned_out(town: &Town) -> Vec<(usize, usize)> {
    let sent = town.tap.sent();
    ["b.example", "c.example"]
        .iter()
        .map(|follower| {
            let requests = sent.iter().filter(|sent| {
                sent.from == "a.example"
                    && sent.to == **follower
                    && sent.what.starts_with("request POST /mimi/v1/notify/")
            });
            requests.fold((0, 0), |(count, bytes), sent| {
                (count + 1, bytes + sent.bytes.len())
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_to_a_provider_does_not_grow_with_its_members() {
    const MESSAGES: usize = 5;
    let town = Town::with_doors(&["a.example", "b.example", "c.example"]).await;
    let a = town.start("a.example").await;
    let b = town.start("b.example").await;
    let c = town.start("c.example").await;
    let all = [&a, &b, &c];
    let (mut at_a, mut at_b, mut at_c) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..20 {
        at_a.push(silent(&town, &a, &format!("a{number:02}")).await);
        at_b.push(silent(&town, &b, &format!("b{number:02}")).await);
        if number < 13 {
            at_c.push(silent(&town, &c, &format!("c{number:02}")).await);
        }
    }
    let mut per_message = Vec::new();
    // Members by provider, the owner at a.example not counted.
    for (name, counts) in [
        ("4-over-2", [1, 2, 0]),
        ("40over-2", [19, 20, 0]),
        ("4-over-3", [1, 1, 1]),
        ("40over-3", [13, 13, 13]),
    ] {
        let mut people: Vec<&Online> = Vec::new();
        for (pool, count) in [&at_a, &at_b, &at_c].into_iter().zip(counts) {
            // Not always the same ones: each has three key packages.
            let pool: Vec<&Online> = match name {
                "4-over-3" => pool.iter().rev().collect(),
                _ => pool.iter().collect(),
            };
            people.extend(&pool[..count]);
        }
        let mut owner = talker(&town, &a, &format!("owner-{name}"), &all).await;
        gather(&mut owner, name, &people).await;
        a.settled().await;
        let before = fanned_out(&town);
        for number in 0..MESSAGES {
            owner.say(&line(number, 300));
            owner.flush().await;
            // One by one, so that each is a request of its own.
            a.settled().await;
        }
        let after = fanned_out(&town);
        let bytes: Vec<usize> = before
            .iter()
            .zip(&after)
            .zip(&counts[1..])
            .map(|((before, after), members)| {
                let requests = if *members == 0 { 0 } else { MESSAGES };
                assert_eq!(
                    after.0 - before.0,
                    requests,
                    "{name}: one request for each message"
                );
                (after.1 - before.1) / MESSAGES
            })
            .collect();
        eprintln!("{name}: bytes of a message to b.example and to c.example: {bytes:?}");
        per_message.push(bytes);
    }
    let [small, big, small3, big3] = per_message.as_slice() else {
        unreachable!()
    };
    let same = |one: usize, other: usize| one.abs_diff(other) <= 16;
    assert!(small[0] > 300 && small[0] < 2_000, "{small:?}");
    assert_eq!(
        (small[1], big[1]),
        (0, 0),
        "nothing goes to a provider without members"
    );
    assert!(same(small[0], big[0]), "4 or 40 members: {small:?} {big:?}");
    for three in [small3, big3] {
        assert!(
            three.iter().all(|bytes| same(*bytes, small[0])),
            "as much for each provider: {three:?} {small:?}"
        );
    }
    for provider in [a, b, c] {
        provider.stop().await;
    }
}
