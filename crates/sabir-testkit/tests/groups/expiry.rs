//! Messages that expire: by a wish of who writes, and by a rule of the room.

use sabir_testkit::{Profile, Town};
use serde_json::Value;

use super::{refusal, sees, soon};

/// The last message of a room.
fn last(person: &Profile, room: &str) -> Option<Value> {
    let line = person.ask(&["log", room, "--limit", "1"]).ok()?;
    Some(match line {
        Value::Array(lines) => lines.last()?.clone(),
        line => line,
    })
}

fn says(person: &Profile, room: &str, text: &str) {
    soon(text, || (last(person, room)?["text"] == text).then_some(()));
}

fn is_gone(person: &Profile, room: &str) {
    soon("a message expires", || {
        let last = last(person, room)?;
        (last["expired"] == true && last["text"] == "").then_some(())
    });
}

#[test]
fn a_message_is_gone_at_its_time_at_everybody() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let (a, b) = (alice.address(), bob.address());

    // Between two people, as who writes wishes. What was not read stays.
    alice.ask(&["send", b, "burn this", "--expires", "2s"]).unwrap();
    says(&bob, a, "burn this");
    is_gone(&alice, b);
    let waiting = last(&bob, a).unwrap();
    assert_eq!(waiting["expires_after_s"], 2);
    assert!(waiting["expires_ms"].is_null());
    assert_eq!(bob.ask(&["room", "show", a]).unwrap()["unread"], 1);
    bob.ask(&["read", a]).unwrap();
    is_gone(&bob, a);
    // Gone is gone: nobody can answer it, and what was read of it stays counted as read.
    let number = last(&bob, a).unwrap()["id"].to_string();
    assert!(bob.ask(&["reply", &number, "what?"]).is_err());
    assert_eq!(bob.ask(&["room", "show", a]).unwrap()["unread"], 0);

    // By a rule of the room, with the reader's agent off when the time comes.
    alice.ask(&["room", "create", "Club", b]).unwrap();
    sees(&bob, "Club", &[(a, "owner"), (b, "member")]);
    alice.ask(&["room", "policy", "Club", "--expire", "3s"]).unwrap();
    soon("the rule is told", || {
        let said = bob.ask(&["room", "policy", "Club"]).ok()?;
        said["rules"].to_string().contains("expire").then_some(())
    });
    let refused = refusal(bob.ask(&["send", "Club", "for ever", "--expires", "never"]));
    assert!(refused.contains("every message expires"), "{refused}");
    let refused = refusal(bob.ask(&["send", "Club", "for long", "--expires", "1h"]));
    assert!(refused.contains("after 1 to 3 seconds"), "{refused}");
    alice.send("Club", "by the rule").unwrap();
    says(&bob, "Club", "by the rule");
    bob.ask(&["read", "Club"]).unwrap();
    bob.ask(&["agent", "stop"]).unwrap();
    is_gone(&alice, "Club");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let first = last(&bob, "Club").unwrap();
    assert_eq!(
        (&first["expired"], &first["text"]),
        (&Value::Bool(true), &Value::from(""))
    );
    assert!(first["deleted_by"].is_null());
    assert!(!first.to_string().contains("by the rule"));

    // Taken away again, what is written stays.
    alice
        .ask(&["room", "policy", "Club", "--expire", "never"])
        .unwrap();
    alice.send("Club", "to stay").unwrap();
    says(&bob, "Club", "to stay");
    assert!(last(&bob, "Club").unwrap()["expires_after_s"].is_null());
}
