//! A person comes back with the recovery code, as the room's people see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod town;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use sabir_core::conversation::ConversationEvent;
use sabir_core::room::MEMBER;
use town::{FOUR, NAMES, Town};
use world::recovery_key;

fn came_back(town: &Town, who: &str, whom: &str) -> usize {
    let whom = &town.clients[whom].me;
    let came = |event: &&ConversationEvent| matches!(event, ConversationEvent::CameBack { user, .. } if user == whom);
    town.clients[who].events.iter().filter(came).count()
}

/// All but those of a person's devices that are out.
fn no_alarms(town: &Town, of: &[&str]) {
    for name in of {
        assert_eq!(town.clients[*name].alarms(), Vec::<String>::new(), "{name}");
        assert!(town.clients[*name].hers().unverified().is_empty(), "{name}");
    }
}

#[test]
fn whoever_comes_back_is_announced_and_reads_on_and_the_thief_does_not() {
    let mut town = Town::group(41, FOUR);
    town.say("bob", "before");
    town.settle();
    // The thief has the device, and the identity key that was on it. Its provider lets it do nothing.
    town.clients.get_mut("bob").unwrap().away = true;
    town.recover("bob", "bob-new", &recovery_key("bob", 0), 1);
    town.rejoin("bob-new");
    town.settle();
    // Taken out by the new one, which nobody had to ask.
    let here = ["alice", "carol", "dave", "bob-new"];
    let uris: Vec<_> = town.hub().clients().cloned().collect();
    assert!(!uris.contains(&town.clients["bob"].uri), "{uris:?}");
    for name in ["alice", "carol", "dave"] {
        assert_eq!(came_back(&town, name, "bob-new"), 1, "{name}");
    }
    no_alarms(&town, &here);
    for (name, text) in [("bob-new", "it is me"), ("carol", "welcome back")] {
        town.say(name, text);
        town.settle();
    }
    for name in here {
        let texts = town.clients[name].texts();
        assert!(
            texts.ends_with(&["it is me".into(), "welcome back".into()]),
            "{name}: {texts:?}"
        );
    }
    // After a restart everybody knows it still: the same code is no code any more, the next one is.
    town.restart();
    town.recover("bob", "bob-again", &recovery_key("bob", 0), 2);
    town.rejoin("bob-again");
    town.settle();
    assert!(town.clients["bob-again"].conversation.is_none());
    town.clients.get_mut("bob-again").unwrap().away = true;
    town.clients.get_mut("bob-new").unwrap().away = true;
    town.recover("bob", "bob-third", &recovery_key("bob", 1), 2);
    town.rejoin("bob-third");
    town.settle();
    town.say("bob-third", "once more");
    town.settle();
    for name in ["alice", "carol", "dave"] {
        assert_eq!(came_back(&town, name, "bob-third"), 2, "{name}");
        assert_eq!(town.clients[name].texts().last().unwrap(), "once more");
    }
    no_alarms(&town, &["alice", "carol", "dave", "bob-third"]);
}

#[test]
fn whoever_is_let_in_meanwhile_takes_the_new_key_for_theirs() {
    let mut town = Town::new(42, FOUR);
    town.gather(&FOUR[..3]);
    town.clients.get_mut("bob").unwrap().away = true;
    town.recover("bob", "bob-new", &recovery_key("bob", 0), 1);
    town.rejoin("bob-new");
    // It comes in, and has not yet taken the old device out when Dave is added.
    for _ in 0..5 {
        if town.clients["bob-new"].conversation.is_none() {
            assert!(town.step("bob-new"));
        }
    }
    assert!(town.clients["bob-new"].conversation.is_some());
    town.clients.get_mut("bob-new").unwrap().away = true;
    let both = town
        .hub()
        .clients()
        .filter(|uri| uri.as_str().contains("bob"))
        .count();
    assert_eq!(both, 2);
    town.add("alice", "dave", MEMBER);
    town.settle();
    no_alarms(&town, &["alice", "carol", "dave"]);
    assert!(town.clients["dave"].hers().sending_stopped().is_none());
    // What the old device says there is nobody's word: nothing more of it than a mark, since the hub cannot tell.
    town.clients.get_mut("bob").unwrap().away = false;
    town.settle();
    let bob = town.clients["bob"].hers();
    assert!(bob.is_member());
    town.try_say("bob", "it is me, Bob").unwrap_or_default();
    town.settle();
    for name in ["alice", "carol", "dave"] {
        for event in &town.clients[name].events {
            if let ConversationEvent::Message(message) = event {
                assert!(!message.verified, "{name} believes the old device");
            }
        }
    }
    town.clients.get_mut("bob").unwrap().away = true;
    town.clients.get_mut("bob-new").unwrap().away = false;
    town.settle();
    let here: Vec<&str> = NAMES
        .iter()
        .copied()
        .filter(|name| *name != "bob")
        .chain(["bob-new"])
        .collect();
    town.say("dave", "who is who");
    town.settle();
    for name in here {
        assert_eq!(town.clients[name].texts().last().unwrap(), "who is who", "{name}");
    }
    no_alarms(&town, &["alice", "carol", "dave", "bob-new"]);
}

#[test]
fn a_key_that_the_provider_alone_certifies_comes_in_nowhere() {
    let mut town = Town::group(43, FOUR);
    town.recover("bob", "forged", &recovery_key("mallory", 0), 1);
    town.rejoin("forged");
    town.settle();
    assert!(town.clients["forged"].conversation.is_none());
    for name in ["alice", "carol", "dave"] {
        assert_eq!(came_back(&town, name, "bob"), 0);
    }
    no_alarms(&town, NAMES);
    town.clients.remove("forged");
    town.agree(NAMES);
}
