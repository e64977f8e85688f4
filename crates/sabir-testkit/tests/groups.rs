//! Groups by commands, over three providers that are processes of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "groups/expiry.rs"]
mod expiry;
#[path = "groups/links.rs"]
mod links;

use std::time::Duration;

use sabir_testkit::{Profile, Town, TownError, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);

fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until(what, PATIENCE, look).unwrap()
}

fn show(person: &Profile, room: &str) -> Option<Value> {
    person.ask(&["room", "show", room]).ok()
}

fn sees(person: &Profile, room: &str, people: &[(&str, &str)]) {
    soon(&format!("{} sees {people:?} in {room}", person.address()), || {
        let present = person.people(room).ok()?;
        let same = present.iter().map(|(who, role)| (who.as_str(), role.as_str()));
        same.eq(people.iter().copied()).then_some(())
    });
}

/// The lines of a room as all present have them: what is of this profile alone is left out.
fn lines(person: &Profile, room: &str) -> Vec<Value> {
    let log = person.ask(&["log", room, "--limit", "0"]).unwrap_or_default();
    let log = match log {
        Value::Array(lines) => lines,
        Value::Null => Vec::new(),
        line => vec![line],
    };
    let common = |line: Value| {
        json!({
            "from": line["from"],
            "text": line["text"],
            "message_id": line["message_id"],
            "timestamp_ms": line["timestamp_ms"],
            "change": line["change"],
        })
    };
    log.into_iter().map(common).collect()
}

fn texts(person: &Profile, room: &str) -> Vec<String> {
    let lines = lines(person, room).into_iter();
    lines
        .filter(|line| line["change"].is_null())
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until these two have the same lines from the first of `of`'s on.
fn same_lines(whole: &Profile, of: &Profile, room: &str) {
    soon(
        &format!("{} and {} have the same lines", whole.address(), of.address()),
        || {
            let (all, part) = (lines(whole, room), lines(of, room));
            (!part.is_empty() && all.ends_with(&part)).then_some(())
        },
    );
}

fn refusal(outcome: Result<Value, TownError>) -> String {
    match outcome {
        Err(TownError::Failed { stderr, .. }) => stderr,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_group_lives_at_three_providers() {
    let mut town = Town::new(&["a.example", "b.example", "c.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "c.example").unwrap();
    let dave = town.person("dave", "b.example").unwrap();
    let erin = town.person("erin", "c.example").unwrap();
    let (a, b, c, d) = (alice.address(), bob.address(), carol.address(), dave.address());
    let e = erin.address();

    let made = alice.ask(&["room", "create", "Hikers", b, c]).unwrap();
    let room = made["room"]["room"].as_str().unwrap().to_owned();
    assert_eq!(made["asked"].as_array().unwrap().len(), 3);
    let all = [(a, "owner"), (b, "member"), (c, "member")];
    for person in [&alice, &bob, &carol] {
        sees(person, "Hikers", &all);
    }

    // All talk, whoever's provider dies in between.
    alice.send("Hikers", "Who comes along?").unwrap();
    town.provider_mut("a.example").unwrap().kill();
    town.provider_mut("a.example").unwrap().start().unwrap();
    bob.send("Hikers", "I do").unwrap();
    carol.send(&room, "And I").unwrap();

    // Nothing is wrong: there is nothing to resume, and that is no error.
    let resumed = carol.ask(&["room", "resume", "Hikers"]).unwrap();
    assert_eq!(resumed["blocked"], Value::Null, "{resumed}");

    // A member may not do what admins do, and is told so.
    let refused = refusal(carol.ask(&["room", "add", "Hikers", d]));
    let words = "only an admin or owner may add people here; you are member";
    assert!(
        refused.contains("not_allowed") && refused.contains(words),
        "{refused}"
    );
    let refused = refusal(alice.ask(&["room", "leave", "Hikers"]));
    assert!(refused.contains("the last owner stays owner"), "{refused}");
    let refused = refusal(alice.ask(&["room", "role", "Hikers", b, "king"]));
    assert!(refused.contains("role_unknown"), "{refused}");

    alice.ask(&["room", "rename", "Hikers", "Night hikers"]).unwrap();
    alice.ask(&["room", "role", "Night hikers", b, "admin"]).unwrap();
    sees(&bob, "Night hikers", &[(a, "owner"), (b, "admin"), (c, "member")]);
    town.provider_mut("b.example").unwrap().kill();
    town.provider_mut("b.example").unwrap().start().unwrap();
    // Key packages of his own provider and of a third one, both through the hub.
    let added = bob.ask(&["room", "add", "Night hikers", d, e]).unwrap();
    assert_eq!(added["asked"].as_array().unwrap().len(), 2);
    let five = [
        (a, "owner"),
        (b, "admin"),
        (c, "member"),
        (d, "member"),
        (e, "member"),
    ];
    for person in [&alice, &bob, &carol, &dave, &erin] {
        sees(person, &room, &five);
    }
    dave.send("Night hikers", "Hello all").unwrap();
    for person in [&bob, &carol, &dave, &erin] {
        same_lines(&alice, person, &room);
    }

    // Carol is removed: she keeps what she has, sends nothing and gets nothing.
    carol.ask(&["rooms"]).unwrap();
    alice.ask(&["room", "remove", &room, c]).unwrap();
    soon("carol is out", || {
        let details = show(&carol, &room)?;
        (details["in_room"] == json!(false)).then_some(())
    });
    let hers = texts(&carol, &room);
    assert_eq!(hers, ["Who comes along?", "I do", "And I", "Hello all"]);
    let last = lines(&carol, &room).pop().unwrap();
    assert_eq!(last["change"], json!({ "type": "removed", "who": c, "by": a }));
    let refused = refusal(carol.send(&room, "Why?"));
    assert!(refused.contains("room_blocked"), "{refused}");
    alice.send(&room, "Without carol").unwrap();

    // Bob leaves, and the others go on.
    bob.ask(&["room", "leave", &room]).unwrap();
    dave.send(&room, "Bye bob").unwrap();
    for person in [&alice, &dave, &erin] {
        sees(person, &room, &[(a, "owner"), (d, "member"), (e, "member")]);
        same_lines(&alice, person, &room);
    }
    soon("bob is out", || {
        let details = show(&bob, &room)?;
        (details["in_room"] == json!(false)).then_some(())
    });
    assert!(texts(&bob, &room).contains(&"Without carol".to_owned()));
    assert!(!texts(&bob, &room).contains(&"Bye bob".to_owned()));
    assert_eq!(texts(&carol, &room), hers);

    // Carol comes back into the same conversation.
    alice
        .ask(&["room", "add", &room, c, "--role", "read-only"])
        .unwrap();
    sees(
        &carol,
        &room,
        &[(a, "owner"), (d, "member"), (e, "member"), (c, "read-only")],
    );
    alice.send(&room, "Welcome back").unwrap();
    soon("carol reads again", || {
        let now = texts(&carol, &room);
        (now.first() == hers.first() && now.last().is_some_and(|text| text == "Welcome back")).then_some(())
    });
    let refused = refusal(carol.send(&room, "Thanks"));
    assert!(refused.contains("not_allowed"), "{refused}");
    same_lines(&alice, &dave, &room);
}

#[test]
fn two_conversations_opened_at_once_become_one() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    // Neither knows of the other's room: providers cannot reach each other while both write.
    town.provider_mut("b.example").unwrap().kill();
    alice
        .ask(&["send", bob.address(), "from alice", "--queue"])
        .unwrap();
    soon("alice's room is at her provider", || {
        let rooms = alice.ask(&["rooms"]).ok()?;
        rooms["rooms"]
            .as_array()
            .is_some_and(|rooms| !rooms.is_empty())
            .then_some(())
    });
    bob.ask(&["send", alice.address(), "from bob", "--queue"])
        .unwrap();
    town.provider_mut("b.example").unwrap().start().unwrap();
    let in_use = |person: &Profile| -> Option<String> {
        let rooms = person.ask(&["rooms"]).ok()?;
        let rooms = rooms["rooms"].as_array()?.clone();
        let open: Vec<&Value> = rooms.iter().filter(|room| room["goes_on_in"].is_null()).collect();
        (rooms.len() == 2 && open.len() == 1).then(|| open[0]["room"].as_str().unwrap().to_owned())
    };
    let winner = soon("alice has one room", || in_use(&alice));
    assert_eq!(soon("bob has one room", || in_use(&bob)), winner);
    alice.send(bob.address(), "one").unwrap();
    bob.send(alice.address(), "two").unwrap();
    for (person, other) in [(&alice, &bob), (&bob, &alice)] {
        let said = soon("everything is there once", || {
            let log = person.log(other.address()).ok()?;
            (log.len() == 4).then_some(log)
        });
        let mut said: Vec<String> = said.into_iter().map(|(_, text)| text).collect();
        assert_eq!(said.split_off(2), ["one", "two"]);
        said.sort();
        assert_eq!(said, ["from alice", "from bob"]);
        let rooms = person.ask(&["rooms"]).unwrap();
        for room in rooms["rooms"].as_array().unwrap() {
            let uri = room["room"].as_str().unwrap();
            if uri != winner {
                assert!(uri > winner.as_str());
                assert_eq!(room["goes_on_in"], json!(winner));
                let refused = refusal(person.send(uri, "here?"));
                assert!(refused.contains("goes on in"), "{refused}");
            }
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_profile_from_a_backup_finds_its_way_back() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let (a, b) = (alice.address(), bob.address());
    let made = alice.ask(&["room", "create", "Backup", b]).unwrap();
    let room = made["room"]["room"].as_str().unwrap().to_owned();
    sees(&bob, &room, &[(a, "owner"), (b, "member")]);
    alice.send(&room, "before").unwrap();
    soon("bob reads", || (texts(&bob, &room) == ["before"]).then_some(()));
    bob.stop_agent();
    let backup = town.folder().join("backup");
    copy(bob.folder(), &backup);

    // What comes now, the provider forgets once bob has it; then bob's disk is as it was.
    alice.ask(&["room", "rename", &room, "Lost"]).unwrap();
    alice.send(&room, "in between").unwrap();
    soon("bob reads on", || {
        (texts(&bob, &room) == ["before", "in between"]).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    bob.stop_agent();
    for file in std::fs::read_dir(bob.folder()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    copy(&backup, bob.folder());
    assert_eq!(texts(&bob, &room), ["before"]);

    alice.ask(&["room", "rename", &room, "Found"]).unwrap();
    let returned = json!({ "type": "returned", "lost": true });
    soon("bob is back", || {
        let lines = lines(&bob, &room);
        lines.iter().any(|line| line["change"] == returned).then_some(())
    });
    sees(&bob, "Found", &[(a, "owner"), (b, "member")]);
    alice.send("Found", "Do you read me?").unwrap();
    bob.send("Found", "Again, yes").unwrap();
    for person in [&alice, &bob] {
        soon("both read", || {
            let now = texts(person, &room);
            now.ends_with(&["Do you read me?".to_owned(), "Again, yes".to_owned()])
                .then_some(())
        });
    }
}

#[test]
fn a_room_has_rules_that_everybody_keeps() {
    let mut town = Town::new(&["a.example", "b.example", "c.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let carol = town.person("carol", "c.example").unwrap();
    let (a, b, c) = (alice.address(), bob.address(), carol.address());

    // An announcement channel: its owner writes, the others read.
    alice
        .ask(&["room", "create", "News", "--template", "announcement", b])
        .unwrap();
    sees(&bob, "News", &[(a, "owner"), (b, "member")]);
    alice.send("News", "It rains").unwrap();
    soon("bob reads the news", || {
        (texts(&bob, "News") == ["It rains"]).then_some(())
    });
    let refused = refusal(bob.ask(&["send", "News", "Does it?"]));
    assert!(
        refused.contains("CAN_SEND") || refused.contains("role"),
        "{refused}"
    );
    assert_eq!(texts(&alice, "News"), ["It rains"]);
    let refused = refusal(alice.ask(&["room", "create", "Odd", "--template", "odd"]));
    assert!(refused.contains("no template"), "{refused}");

    // Rules are changed by who may, and hold at every provider.
    alice.ask(&["room", "create", "Club", b]).unwrap();
    sees(&bob, "Club", &[(a, "owner"), (b, "member")]);
    let refused = refusal(bob.ask(&["room", "policy", "Club", "--max-people", "9"]));
    assert!(refused.contains("only an owner"), "{refused}");
    alice
        .ask(&[
            "room",
            "policy",
            "Club",
            "--max-people",
            "2",
            "--receipts",
            "forbidden",
        ])
        .unwrap();
    let refused = refusal(alice.ask(&["room", "add", "Club", c]));
    assert!(refused.contains("too many people"), "{refused}");
    let rules = |person: &Profile| {
        person
            .ask(&["room", "policy", "Club"])
            .ok()
            .map(|said| said["rules"].clone())
    };
    let expected = json!([
        "at most 2 people",
        "nobody is told what was read",
        "senders are told what arrived, as each person wishes"
    ]);
    for person in [&alice, &bob] {
        soon("the rules are told", || {
            (rules(person)? == expected).then_some(())
        });
    }
    alice
        .ask(&["room", "policy", "Club", "--max-people", "0"])
        .unwrap();
    alice.ask(&["room", "add", "Club", c]).unwrap();
    sees(&carol, "Club", &[(a, "owner"), (b, "member"), (c, "member")]);
    carol.send("Club", "I am in").unwrap();
    soon("alice hears carol", || {
        texts(&alice, "Club")
            .contains(&"I am in".to_owned())
            .then_some(())
    });

    // Files of at most sixteen bytes, as the draft encodes it: anywhere, no domains, downloads direct.
    let mut policy = vec![0, 0, 0, 0, 0];
    for _ in 0..4 {
        policy.extend_from_slice(&16_u64.to_be_bytes());
    }
    policy.extend_from_slice(&[0, 0]);
    let file = town.folder().join("assets.bin");
    std::fs::write(&file, policy).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let set = [
        "room",
        "policy",
        "Club",
        "--component",
        "asset_policy",
        "--data",
        &file,
    ];
    alice.ask(&set).unwrap();
    let (small, large) = (town.folder().join("small.txt"), town.folder().join("large.txt"));
    std::fs::write(&small, "sixteen is right").unwrap();
    std::fs::write(&large, "seventeen is not.").unwrap();
    soon("carol knows of the rule", || {
        let refused = carol
            .ask(&["send", "Club", "--file", large.to_str().unwrap()])
            .err()?;
        refused.to_string().contains("at most 16 bytes").then_some(())
    });
    carol
        .ask(&["send", "Club", "--file", small.to_str().unwrap()])
        .unwrap();
    alice
        .ask(&[
            "room",
            "policy",
            "Club",
            "--component",
            "asset_policy",
            "--remove",
        ])
        .unwrap();
    soon("carol sends it after all", || {
        carol
            .ask(&["send", "Club", "--file", large.to_str().unwrap()])
            .ok()
    });
}
