//! Conversations on the hybrid post-quantum cipher suite by commands, over two providers that are processes of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_testkit::{Profile, Town, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);
const HYBRID: &str = "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519";

fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until(what, PATIENCE, look).unwrap()
}

fn show(person: &Profile, room: &str) -> Value {
    person.ask(&["room", "show", room]).unwrap_or_default()
}

fn devices_in(person: &Profile, room: &str) -> usize {
    let details = show(person, room);
    let people = details["people"].as_array().cloned().unwrap_or_default();
    let devices = people
        .iter()
        .map(|person| person["devices"].as_array().unwrap().len());
    devices.sum()
}

fn reads(person: &Profile, room: &str, from: &str, text: &str) {
    soon(&format!("{} reads {text:?}", person.folder().display()), || {
        person.has_read(room, from, text).ok()?.then_some(())
    });
}

#[test]
fn a_room_on_the_hybrid_suite_from_its_making_to_a_removal() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "b.example").unwrap();
    let (a, b, c) = (
        alice.address().to_owned(),
        bob.address().to_owned(),
        carol.address().to_owned(),
    );
    // Made, and joined by Welcome across providers.
    alice
        .ask(&["room", "create", "Vault", "--post-quantum", "on", &b])
        .unwrap();
    soon("bob is in", || (devices_in(&bob, "Vault") == 2).then_some(()));
    for person in [&alice, &bob] {
        let details = show(person, "Vault");
        assert_eq!(details["suite"], HYBRID, "{details}");
        assert_eq!(details["post_quantum"], true, "{details}");
    }
    alice.send("Vault", "for many years").unwrap();
    reads(&bob, "Vault", &a, "for many years");
    bob.send("Vault", "and longer").unwrap();
    reads(&alice, "Vault", &b, "and longer");

    // Joined from outside, by a device of Bob's that has only just come to be.
    let phone = town.device("phone", &b);
    town.link(&bob, &phone).unwrap();
    soon("the phone is in", || {
        (devices_in(&phone, "Vault") == 3).then_some(())
    });
    assert_eq!(show(&phone, "Vault")["suite"], HYBRID);
    phone.send("Vault", "from my pocket").unwrap();
    reads(&alice, "Vault", &b, "from my pocket");

    // Somebody is added and removed; what is said afterwards is not for them.
    alice.ask(&["room", "add", "Vault", &c]).unwrap();
    soon("carol is in", || (devices_in(&carol, "Vault") == 4).then_some(()));
    bob.send("Vault", "hello carol").unwrap();
    reads(&carol, "Vault", &b, "hello carol");
    alice.ask(&["room", "remove", "Vault", &c]).unwrap();
    soon("carol is out", || {
        (devices_in(&phone, "Vault") == 3).then_some(())
    });
    alice.send("Vault", "among ourselves").unwrap();
    reads(&phone, "Vault", &a, "among ourselves");
    let hers = carol.log("Vault").unwrap();
    assert!(hers.iter().all(|(_, text)| text != "among ourselves"), "{hers:?}");
}

#[test]
fn the_settings_say_on_which_suite_conversations_begin() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "b.example").unwrap();
    let (a, b, c) = (
        alice.address().to_owned(),
        bob.address().to_owned(),
        carol.address().to_owned(),
    );
    alice.send(&b, "as always").unwrap();
    reads(&bob, &a, &a, "as always");
    assert_eq!(show(&bob, &a)["post_quantum"], false);
    let settings = alice.ask(&["settings", "--post-quantum", "on"]).unwrap();
    assert_eq!(settings["post_quantum"], true, "{settings}");
    // What is there stays as it is; what begins is of the other kind, unless it is said otherwise.
    alice.send(&b, "still").unwrap();
    reads(&bob, &a, &a, "still");
    assert_eq!(show(&alice, &b)["post_quantum"], false);
    alice.send(&c, "from now on").unwrap();
    reads(&carol, &a, &a, "from now on");
    assert_eq!(show(&carol, &a)["suite"], HYBRID);
    let plain = ["room", "create", "Plain", "--post-quantum", "off", &b];
    alice.ask(&plain).unwrap();
    assert_eq!(show(&alice, "Plain")["post_quantum"], false);
}
