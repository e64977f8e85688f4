//! A person comes back with the recovery code: the thief of their device is out, and they read on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_testkit::{Profile, Town, TownError, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until(what, PATIENCE, look).unwrap()
}

fn reads(person: &Profile, room: &str, from: &str, text: &str) {
    soon(&format!("{} reads {text:?}", person.folder().display()), || {
        person.has_read(room, from, text).ok()?.then_some(())
    });
}

fn code_of(person: &Profile) -> String {
    let code = person.ask(&["account", "recovery-code"]).unwrap();
    code["recovery_code"].as_str().unwrap().to_owned()
}

fn refused(outcome: Result<Value, TownError>, why: &str) {
    match outcome {
        Err(TownError::Failed { stderr: said, .. } | TownError::Wrong(said)) => {
            assert!(said.contains(why), "{said}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn whoever_has_the_code_comes_back_and_whoever_has_the_stolen_device_is_out() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "a.example").unwrap();
    let (a, b) = (alice.address().to_owned(), bob.address().to_owned());
    alice.send(&b, "before").unwrap();
    bob.ask(&["room", "create", "Hikers", &a, carol.address()])
        .unwrap();
    soon("alice is in the group", || {
        (alice.devices_in("Hikers", &a) == 1).then_some(())
    });
    let code = code_of(&alice);
    // It is on paper, and no longer on the device that is about to be stolen.
    let forgotten = alice
        .ask(&["account", "recovery-code", "--written-down"])
        .unwrap();
    assert!(forgotten["recovery_code"].is_null(), "{forgotten}");
    // The list of rooms goes to the provider a moment after the last one came.
    std::thread::sleep(Duration::from_secs(5));

    // Somebody has the device, and everything on it: it reads and writes as before.
    alice.send("Hikers", "from the stolen device").unwrap();
    reads(&bob, "Hikers", &a, "from the stolen device");

    // A slip, another person's code, one for nobody: one answer of the provider, and nothing has changed.
    let new = town.device("new", &a);
    let slipped = if code.starts_with('A') { "B" } else { "A" }.to_owned() + &code[1..];
    for bad in [slipped.as_str(), "hello", ""] {
        refused(town.recover(&new, bad), "recovery_code_wrong");
    }
    refused(town.recover(&new, &code_of(&carol)), "recovery_code_wrong");
    let nobody = town.device("nobody", "nobody@a.example");
    refused(town.recover(&nobody, &code), "recovery_code_wrong");
    assert!(new.ask(&["account", "show"]).is_err());
    alice.send(&b, "still here").unwrap();
    reads(&bob, &a, &a, "still here");

    let back = town.recover(&new, &code).unwrap();
    let next = back["recovery_code"].as_str().unwrap().to_owned();
    assert_ne!(next, code);
    assert_eq!(
        (&back["address"], code_of(&new)),
        (&Value::from(a.clone()), next.clone())
    );

    // In every room, by itself, and killed on the way; everybody is told; the stolen device goes out.
    new.kill_agent().unwrap();
    new.ask(&["rooms"]).unwrap();
    for (person, room) in [(&bob, "Hikers"), (&carol, "Hikers"), (&bob, a.as_str())] {
        soon("they are told that she came back", || {
            let seen = person.changes(room).unwrap_or_default();
            (seen.iter().filter(|kind| *kind == "came_back").count() == 1).then_some(())
        });
        soon("one device is hers", || {
            (person.devices_in(room, &a) == 1).then_some(())
        });
    }
    for room in ["Hikers", b.as_str()] {
        soon("she is in", || (new.devices_in(room, &a) == 1).then_some(()));
    }
    new.send("Hikers", "I am back").unwrap();
    bob.send("Hikers", "not for thieves").unwrap();
    bob.send(&a, "nor this").unwrap();
    reads(&bob, "Hikers", &a, "I am back");
    reads(&carol, "Hikers", &a, "I am back");
    reads(&new, "Hikers", &b, "not for thieves");
    reads(&new, &b, &b, "nor this");
    for person in [&bob, &carol, &new] {
        let rooms = person.ask(&["rooms"]).unwrap();
        for room in rooms["rooms"].as_array().unwrap() {
            assert!(room["blocked"].is_null(), "{room}");
        }
    }

    // Whoever has the stolen device signs in no more, however often it is started, and reads nothing of it.
    alice.kill_agent().unwrap();
    refused(alice.ask(&["device", "list"]), "provider_refused");
    for room in ["Hikers", b.as_str()] {
        let log = alice.log(room).unwrap();
        let leaked = |text: &String| text == "not for thieves" || text == "nor this";
        assert!(!log.iter().any(|(_, text)| leaked(text)), "{log:?}");
    }

    // The code that was used is no code any more; the new one is.
    let third = town.device("third", &a);
    refused(town.recover(&third, &code), "recovery_code_wrong");
    town.recover(&third, &next).unwrap();
    soon("she is in once more", || {
        (third.devices_in("Hikers", &a) == 1).then_some(())
    });
    bob.send("Hikers", "welcome back").unwrap();
    reads(&third, "Hikers", &b, "welcome back");
    // Others are linked as before.
    let phone = town.device("phone", &a);
    town.link(&third, &phone).unwrap();
    soon("the phone is in", || {
        (bob.devices_in("Hikers", &a) == 2).then_some(())
    });
}
