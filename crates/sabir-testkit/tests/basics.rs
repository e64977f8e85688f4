//! Replies, reactions, edits, deletions and receipts between two people of two providers, each an own process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_testkit::{Profile, Town, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn log(person: &Profile, with: &Profile) -> Vec<Value> {
    match person.ask(&["log", with.address(), "--limit", "0"]) {
        Ok(Value::Array(lines)) => lines,
        Ok(line) => vec![line],
        Err(_) => Vec::new(),
    }
}

/// Waits until the person's log with somebody is as expected.
fn expect(person: &Profile, with: &Profile, what: &str, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut lines = Vec::new();
    let seen = until(what, PATIENCE, || {
        lines = log(person, with);
        is(&lines).then_some(())
    });
    assert!(seen.is_ok(), "{what}: {} has {lines:#?}", person.address());
    lines
}

/// What both must agree on: everything but what each profile keeps for itself.
fn shared(lines: &[Value]) -> Vec<Value> {
    let strip = |line: &Value| {
        let mut line = line.clone();
        let object = line.as_object_mut().unwrap();
        for own in [
            "id",
            "position",
            "local_id",
            "state",
            "own",
            "delivered_to",
            "read_by",
        ] {
            object.remove(own);
        }
        if let Some(quote) = object.get_mut("reply_to").and_then(Value::as_object_mut) {
            quote.remove("id");
        }
        line
    };
    lines.iter().map(strip).collect()
}

fn number(line: &Value) -> String {
    line["id"].as_u64().unwrap().to_string()
}

#[test]
fn both_see_the_same_whatever_is_done_to_messages() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    alice.send(bob.address(), "see you at eight").unwrap();
    let his = expect(&bob, &alice, "the message", |lines| lines.len() == 1);
    let first = number(&his[0]);

    bob.ask(&["reply", &first, "right on"]).unwrap();
    bob.ask(&["react", &first, "👍"]).unwrap();
    bob.ask(&["react", &first, "🎉"]).unwrap();
    bob.ask(&["react", &first, "👍", "--remove"]).unwrap();
    let hers = expect(&alice, &bob, "reply and reaction", |lines| {
        lines.len() == 2 && lines[0]["reactions"] == json!([{"reaction": "🎉", "from": [bob.address()]}])
    });
    assert_eq!(hers[1]["reply_to"]["text"], "see you at eight");
    alice
        .ask(&["edit", &number(&hers[0]), "see you at nine"])
        .unwrap();
    // A slip of Bob's, taken back.
    bob.send(alice.address(), "slip").unwrap();
    let his = expect(&bob, &alice, "the slip", |lines| lines.len() == 3);
    bob.ask(&["delete", &number(&his[2])]).unwrap();

    // Nobody changes what another one said.
    for act in [&["edit", &first, "never"][..], &["delete", &first]] {
        let refused = bob.ask(act).unwrap_err().to_string();
        assert!(refused.contains("not_allowed"), "{refused}");
    }

    // Delivered by itself, read when the person says so.
    bob.ask(&["read", alice.address()]).unwrap();
    let done = |lines: &[Value]| {
        lines.len() == 3
            && lines[0]["text"] == "see you at nine"
            && lines[0]["edited_ms"].is_u64()
            && lines[1]["reply_to"]["changed"] == true
            && lines[2]["deleted_by"] == bob.address()
            && lines[2]["text"] == ""
    };
    let his = expect(&bob, &alice, "edit and deletion", done);
    let hers = expect(&alice, &bob, "edit and deletion", done);
    assert_eq!(shared(&hers), shared(&his));
    expect(&alice, &bob, "that it was read", |lines| {
        lines[0]["read_by"] == json!([bob.address()]) && lines[0]["delivered_to"] == json!([bob.address()])
    });
    expect(&bob, &alice, "that it arrived", |lines| {
        lines[1]["delivered_to"] == json!([alice.address()]) && lines[1]["read_by"] == json!([])
    });

    // Bob is away while things happen, and catches up.
    bob.stop_agent();
    alice.send(bob.address(), "one").unwrap();
    alice.send(bob.address(), "two").unwrap();
    let hers = expect(&alice, &bob, "what was sent", |lines| lines.len() == 5);
    alice.ask(&["edit", &number(&hers[3]), "one and a half"]).unwrap();
    alice.ask(&["delete", &number(&hers[4])]).unwrap();
    alice.ask(&["reply", &number(&hers[1]), "it is"]).unwrap();
    let caught_up = |lines: &[Value]| lines.len() == 6 && lines[5]["text"] == "it is";
    let his = expect(&bob, &alice, "everything", caught_up);
    let hers = expect(&alice, &bob, "that it arrived", |lines| {
        caught_up(lines)
            && [3, 5]
                .iter()
                .all(|at| lines[*at]["delivered_to"] == json!([bob.address()]))
    });
    assert_eq!(shared(&hers), shared(&his));
    assert_eq!(his[3]["text"], "one and a half");
    assert_eq!(his[4]["deleted_by"], alice.address());
    let rooms = bob.ask(&["rooms"]).unwrap();
    assert_eq!(rooms["rooms"][0]["unread"], 2);

    // Neither sends receipts any more where they do not want to.
    bob.ask(&["settings", "--read-receipts", "off"]).unwrap();
    let room = bob.ask(&["read", alice.address()]).unwrap();
    assert_eq!(room["unread"], 0);
    bob.send(alice.address(), "last").unwrap();
    let hers = expect(&alice, &bob, "the last word", |lines| lines.len() == 7);
    assert_eq!(hers[5]["read_by"], json!([]));
    assert_eq!(shared(&hers), shared(&log(&bob, &alice)));
}
