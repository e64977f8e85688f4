//! What a client does that hears nothing: of its own commit, or of what the hub holds against it.
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

use sabir_core::conversation::{ConversationEvent, Intent};
use sabir_wire::codec::Encode as _;
use sabir_wire::protocol::{UpdateOutcome, UpdateRoomResponse};
use town::{DAY, FOUR, NAMES, Town, id, is_commit};

#[test]
fn whose_accepted_commit_never_comes_back_comes_back_itself() {
    let mut town = Town::new(33, &["alice@a"]);
    town.gather(&["alice@a"]);
    town.rename("alice", "alone");
    town.say("alice", "written meanwhile");
    // The hub takes it, and her provider keeps it from her.
    while town.step("alice") {}
    assert_eq!(town.hub().epoch(), 1);
    let inbox = &mut town.clients.get_mut("alice").unwrap().inbox;
    inbox.retain(|entry| !is_commit(entry));
    town.settle();
    assert_eq!(town.clients["alice"].hers().epoch(), 0, "a minute is no time");
    town.restart();
    town.settle_within(11 * 60_000);
    assert_eq!(town.returns("alice"), 1);
    assert!(town.clients["alice"].alarms().is_empty());
    assert!(town.clients["alice"].saw(|event| matches!(event, ConversationEvent::IntentDone { .. })));
    assert_eq!(town.clients["alice"].texts(), ["written meanwhile"]);
    town.agree(&["alice"]);
}

#[test]
fn an_acceptance_that_was_a_lie_holds_nobody_up() {
    let mut town = Town::group(34, FOUR);
    town.rename("alice", "a lie");
    let request = town.draw_up("alice").unwrap();
    let answer = UpdateRoomResponse {
        outcome: UpdateOutcome::Success {
            accepted_timestamp: town.now,
        },
        error_description: String::new(),
    };
    town.answer("alice", &request, &answer.to_bytes());
    town.say("alice", "and on");
    town.settle_within(11 * 60_000);
    town.agree(NAMES);
    assert_eq!(town.hub().state().metadata.room_name, "a lie");
    assert_eq!(town.clients["dave"].texts(), ["and on"]);
}

#[test]
fn who_was_off_for_a_day_takes_what_waits_and_does_not_come_back_from_outside() {
    let mut town = Town::group(35, FOUR);
    town.rename("alice", "one");
    let request = town.draw_up("alice").unwrap();
    let answer = town.request("alice", &request);
    town.answer("alice", &request, &answer);
    town.clients.get_mut("alice").unwrap().away = true;
    town.settle();
    town.say("bob", "said meanwhile");
    town.settle();
    town.now += DAY;
    town.restart();
    // Her room's worker is faster than the stream.
    assert!(town.draw_up("alice").is_none());
    town.clients.get_mut("alice").unwrap().away = false;
    town.settle();
    assert_eq!(town.returns("alice"), 0);
    assert_eq!(town.clients["alice"].texts(), ["said meanwhile"]);
    town.agree(NAMES);
}

/// Dave leaves, and one member is not told of it.
fn untold(seed: u64, who: &str) -> Town {
    let mut town = Town::group(seed, FOUR);
    town.intend("dave", id(1), Intent::Leave).unwrap();
    for name in ["alice", "bob", "carol"] {
        town.clients.get_mut(name).unwrap().away = true;
    }
    assert!(town.step("dave"));
    let client = town.clients.get_mut(who).unwrap();
    assert_eq!(client.inbox.len(), 1);
    client.inbox.clear();
    client.away = false;
    town
}

#[test]
fn a_commit_of_proposals_that_the_log_lacks_is_a_gap_and_nobody_s_fault() {
    let mut town = untold(36, "carol");
    for name in ["alice", "bob"] {
        town.clients.get_mut(name).unwrap().away = false;
    }
    town.settle();
    assert_eq!(town.clients["carol"].alarms(), ["Gap { message: 3, group: 3 }"]);
    assert_eq!(town.returns("carol"), 1);
    town.agree(&["alice", "bob", "carol"]);
}

#[test]
fn whose_commits_are_refused_for_what_the_log_lacks_comes_back_itself() {
    let mut town = untold(37, "alice");
    town.rename("alice", "one");
    let before = town.requests.len();
    town.settle_within(11 * 60_000);
    assert!(town.requests.len() - before < 50, "it asks less and less often");
    assert_eq!(town.returns("alice"), 1);
    assert_eq!(town.hub().state().metadata.room_name, "one");
    for name in ["bob", "carol"] {
        town.clients.get_mut(name).unwrap().away = false;
    }
    town.settle();
    town.agree(&["alice", "bob", "carol"]);
    assert!(town.clients["alice"].alarms().is_empty());
}
