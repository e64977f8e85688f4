//! A person's devices by commands: linked by a number that both show, in every room by themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_testkit::{Dialogue, Profile, Town, TownError, text_of, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until(what, PATIENCE, look).unwrap()
}

/// Waits until a conversation holds this text, from this person.
fn reads(person: &Profile, room: &str, from: &str, text: &str) {
    soon(&format!("{} reads {text:?}", person.folder().display()), || {
        person.has_read(room, from, text).ok()?.then_some(())
    });
}

fn devices(person: &Profile) -> Value {
    person.ask(&["device", "list"]).unwrap()
}

#[test]
fn a_linked_device_comes_into_every_room_and_talks_there() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "b.example").unwrap();
    let (a, b) = (alice.address().to_owned(), bob.address().to_owned());
    alice.send(&b, "before").unwrap();
    bob.ask(&["room", "create", "Hikers", &a, carol.address()])
        .unwrap();
    soon("alice is in the group", || {
        (alice.devices_in("Hikers", &a) == 1).then_some(())
    });

    let phone = town.device("phone", &a);
    town.link(&alice, &phone).unwrap();
    let listed = devices(&alice);
    assert_eq!(listed["version"], 2, "{listed}");
    let named = |listed: &Value| -> Vec<(bool, Value)> {
        let devices = listed["devices"].as_array().unwrap().iter();
        devices
            .map(|it| (it["this"].as_bool().unwrap(), it["may_link"].clone()))
            .collect()
    };
    assert_eq!(named(&listed).len(), 2, "{listed}");
    assert!(named(&listed).contains(&(true, Value::Bool(true))), "{listed}");
    assert!(named(&devices(&phone)).contains(&(true, Value::Bool(false))));
    assert_eq!(phone.ask(&["account", "show"]).unwrap()["address"], a.as_str());

    // It comes in by itself, and everybody is told: in its own rooms, and in those of another provider.
    for room in ["Hikers", b.as_str()] {
        soon("the phone is in", || {
            (phone.devices_in(room, &a) == 2).then_some(())
        });
        assert_eq!(
            phone
                .changes(room)
                .unwrap_or_default()
                .first()
                .map(String::as_str),
            Some("linked"),
            "{room}"
        );
    }
    for (person, room) in [
        (&bob, "Hikers"),
        (&carol, "Hikers"),
        (&bob, a.as_str()),
        (&alice, &b),
    ] {
        soon("they see the phone", || {
            let seen = person.changes(room).unwrap_or_default();
            (seen.iter().filter(|kind| *kind == "device_joined").count() == 1).then_some(())
        });
    }
    // What was said before stays where it was.
    assert!(phone.log(&b).unwrap().is_empty());

    // All devices read what is said from then on, whichever says it.
    bob.send(&a, "to both of you").unwrap();
    phone.send(&b, "from the phone").unwrap();
    alice.send("Hikers", "from the desk").unwrap();
    for device in [&alice, &phone] {
        reads(device, &b, &b, "to both of you");
        reads(device, &b, &a, "from the phone");
        reads(device, "Hikers", &a, "from the desk");
    }
    reads(&bob, &a, &a, "from the phone");
    reads(&carol, "Hikers", &a, "from the desk");

    // Who is added later is added with both devices: their key packages are of the newest list.
    carol.ask(&["room", "create", "Cooks", &a]).unwrap();
    for person in [&carol, &alice, &phone] {
        soon("both devices are among the cooks", || {
            (person.devices_in("Cooks", &a) == 2).then_some(())
        });
    }
    // The old device goes on changing rooms whose hubs know the newest list.
    alice.ask(&["room", "create", "Readers", &b]).unwrap();
    alice.ask(&["room", "remove", "Readers", &b]).unwrap();
    bob.ask(&["room", "role", "Hikers", &a, "admin"]).unwrap();
    alice.ask(&["room", "remove", "Hikers", carol.address()]).unwrap();
    reads_nothing_new(&carol);
}

/// Who was removed is told so.
fn reads_nothing_new(person: &Profile) {
    soon("carol is out", || {
        let rooms = person.ask(&["rooms"]).ok()?;
        let rooms = rooms["rooms"].as_array()?;
        let hikers = rooms.iter().find(|room| room["name"] == "Hikers")?;
        (!hikers["blocked"].is_null()).then_some(())
    });
}

#[test]
fn nothing_is_linked_without_the_number_that_the_other_device_shows() {
    let mut town = Town::new(&["a.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let mallory = town.person("mallory", "a.example").unwrap();
    let phone = town.device("phone", alice.address());
    let wrong = |outcome: Result<Value, TownError>, why: &str| match outcome {
        Err(TownError::Wrong(said)) => assert!(said.contains(why), "{said}"),
        other => panic!("not refused: {other:?}"),
    };

    // A text with a slip in it, and one that is none.
    let mut linking = town.begin_link(&phone).unwrap();
    let text = linking.line().unwrap()["text"].as_str().unwrap().to_owned();
    let slipped = text.replacen("-device-A", "-device-B", 1);
    for bad in [slipped.as_str(), "hello"] {
        let Err(TownError::Failed { stderr, .. }) = alice.ask(&["device", "add", bad]) else {
            panic!("{bad} was taken");
        };
        assert!(stderr.contains("pairing_failed"), "{stderr}");
    }

    // Somebody else takes the text for theirs: the new device was told whose it is to be.
    let mut adding = Dialogue::start(&mallory, &["device", "add", &text, "--json"]).unwrap();
    wrong(linking.line(), "another person");
    adding.say("000 000").unwrap_or_default();
    linking.kill();
    adding.kill();

    // The old device is told another number: nothing has changed, and the new device gets nothing.
    let mut linking = town.begin_link(&phone).unwrap();
    let text = linking.line().unwrap();
    let text = text_of(&text, "text").unwrap();
    let mut adding = Dialogue::start(&alice, &["device", "add", text, "--json"]).unwrap();
    let shown = linking.line().unwrap();
    let number = text_of(&shown, "number").unwrap();
    assert_eq!(adding.line().unwrap()["number"], number);
    let other = if number == "123 456" { "654 321" } else { "123 456" };
    adding.say(other).unwrap();
    wrong(adding.line(), "pairing_failed");
    assert_eq!(devices(&alice)["version"], 1);

    // The new device is told another number: it is nobody's.
    linking.say(other).unwrap();
    wrong(linking.line(), "pairing_failed");
    assert!(phone.ask(&["account", "show"]).is_err());

    // A device that does not hold the identity key links nobody.
    town.link(&alice, &phone).unwrap();
    let tablet = town.device("tablet", alice.address());
    let mut linking = town.begin_link(&tablet).unwrap();
    let text = linking.line().unwrap();
    let Err(TownError::Failed { stderr, .. }) =
        phone.ask(&["device", "add", text_of(&text, "text").unwrap()])
    else {
        panic!("the phone linked somebody");
    };
    assert!(stderr.contains("not_identity_holder"), "{stderr}");
    linking.kill();

    // A linking that was interrupted leaves nothing behind, and the next one works.
    tablet.kill_agent().unwrap();
    town.link(&alice, &tablet).unwrap();
    assert_eq!(devices(&alice)["version"], 3);
    assert_eq!(devices(&tablet)["devices"].as_array().unwrap().len(), 3);
    // The phone learns of the tablet from the list, which is signed.
    soon("the phone knows the tablet", || {
        let listed = devices(&phone);
        (listed["version"] == 3 && listed["devices"].as_array().unwrap().len() == 3).then_some(())
    });
}

#[test]
fn a_stolen_device_is_cut_off_and_goes_out_of_every_room() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let (a, b) = (alice.address().to_owned(), bob.address().to_owned());
    alice.send(&b, "before").unwrap();
    bob.ask(&["room", "create", "Hikers", &a]).unwrap();
    soon("alice is in the group", || {
        (alice.devices_in("Hikers", &a) == 1).then_some(())
    });
    let phone = town.device("phone", &a);
    let tablet = town.device("tablet", &a);
    town.link(&alice, &phone).unwrap();
    for room in ["Hikers", b.as_str()] {
        soon("the phone is in", || {
            (phone.devices_in(room, &a) == 2).then_some(())
        });
    }
    bob.send(&a, "the phone reads this").unwrap();
    bob.send("Hikers", "and this").unwrap();
    reads(&phone, &b, &b, "the phone reads this");
    reads(&phone, "Hikers", &b, "and this");

    // Not by itself, not by what nobody is called, and not the device that does it.
    let refused = |outcome: Result<Value, TownError>, why: &str| match outcome {
        Err(TownError::Failed { stderr, .. }) => assert!(stderr.contains(why), "{stderr}"),
        other => panic!("not refused: {other:?}"),
    };
    refused(phone.ask(&["device", "revoke", "phone"]), "not_identity_holder");
    refused(alice.ask(&["device", "revoke", "fridge"]), "device_unknown");
    let own = alice.ask(&["account", "show"]).unwrap();
    refused(
        alice.ask(&["device", "revoke", own["client"].as_str().unwrap()]),
        "not_allowed",
    );
    assert_eq!(devices(&alice)["version"], 2);

    // Names are this profile's alone, and the new ones count from here on.
    refused(alice.ask(&["device", "rename", "fridge", "x"]), "device_unknown");
    refused(alice.ask(&["device", "rename", "phone", " "]), "invalid_params");
    let renamed = alice.ask(&["device", "rename", "phone", "old phone"]).unwrap();
    assert!(
        renamed.to_string().contains("\"name\":\"old phone\""),
        "{renamed}"
    );
    alice
        .ask(&["device", "rename", own["client"].as_str().unwrap(), "desk"])
        .unwrap();
    assert_eq!(alice.ask(&["account", "show"]).unwrap()["device_name"], "desk");
    refused(alice.ask(&["device", "revoke", "phone"]), "device_unknown");
    // It is killed right behind its word, and goes on where it was.
    let listed = alice.ask(&["device", "revoke", "old phone"]).unwrap();
    alice.kill_agent().unwrap();
    assert_eq!(
        (&listed["version"], listed["devices"].as_array().unwrap().len()),
        (&3.into(), 1)
    );
    for (person, room) in [(&alice, "Hikers"), (&alice, &b), (&bob, "Hikers"), (&bob, &a)] {
        soon("the phone is out", || {
            (person.devices_in(room, &a) == 1).then_some(())
        });
        soon("they are told", || {
            person
                .changes(room)
                .unwrap_or_default()
                .contains(&"device_left".to_owned())
                .then_some(())
        });
    }
    bob.send(&a, "not for the phone").unwrap();
    alice.send("Hikers", "nor this").unwrap();
    reads(&alice, &b, &b, "not for the phone");
    reads(&bob, "Hikers", &a, "nor this");

    // Whoever has the phone cannot sign in with it, ask, send or read, however often it is started.
    phone.kill_agent().unwrap();
    refused(phone.ask(&["device", "list"]), "provider_refused");
    soon("the phone is told", || {
        let status = phone.ask(&["agent", "status"]).ok()?;
        (status["connection"] == "refused").then_some(())
    });
    // Where the room's commit was faster than the provider's list it knows that it is out.
    let Err(TownError::Failed { stderr, .. }) = phone.ask(&["send", "Hikers", "it is me", "--wait", "5"])
    else {
        panic!("the stolen phone sent something");
    };
    let held = stderr.contains("message_waits") || stderr.contains("room_blocked");
    assert!(held, "{stderr}");
    for room in ["Hikers", b.as_str()] {
        let log = phone.log(room).unwrap();
        let leaked = log
            .iter()
            .any(|(_, text)| text == "not for the phone" || text == "nor this");
        assert!(!leaked, "{log:?}");
    }
    assert!(
        !bob.log("Hikers")
            .unwrap()
            .iter()
            .any(|(_, text)| text == "it is me")
    );

    // Others can be linked as before.
    town.link(&alice, &tablet).unwrap();
    soon("the tablet is in", || {
        (bob.devices_in("Hikers", &a) == 2).then_some(())
    });
    assert_eq!(devices(&tablet)["version"], 4);
}
