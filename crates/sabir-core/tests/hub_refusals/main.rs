//! What a hub refuses of a commit and of what comes with it: by code, with nothing changed, and the room goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod clients;
mod proposals;
mod recovery;
mod requests;
#[path = "../../../sabir-mls/tests/world/resign.rs"]
mod resign;
mod room;
#[path = "../../../sabir-mls/tests/world/mod.rs"]
mod world;

use room::{Attempt, Room};
use sabir_core::conversation::{Conversation, ConversationContext};
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{MlsMessage, Welcome};
use sabir_wire::protocol::{FanoutBody, FanoutMessage, UpdateOutcome};

/// What is wrong, how it is made, the outcome, and what the answer says.
type Case = (
    &'static str,
    fn(&mut Room) -> Attempt,
    fn() -> UpdateOutcome,
    &'static str,
);

fn not_allowed() -> UpdateOutcome {
    UpdateOutcome::NotAllowed
}

fn invalid_proposal() -> UpdateOutcome {
    UpdateOutcome::InvalidProposal {
        invalid_proposals: Vec::new(),
    }
}

fn wrong_epoch() -> UpdateOutcome {
    UpdateOutcome::WrongEpoch { current_epoch: 1 }
}

/// All in one room: a refusal that left something behind would be found by the next.
fn run(seed: u64, cases: &[Case]) {
    let mut room = Room::new(seed);
    for (what, make, outcome, says) in cases {
        let attempt = make(&mut room);
        room.refuses(what, &attempt, &outcome(), says);
    }
    room.goes_on();
}

#[test]
fn what_comes_with_a_commit_must_fit_it() {
    run(1, requests::GROUP_INFO);
    run(2, requests::TREE);
    run(3, requests::WELCOME);
}

#[test]
fn a_commit_comes_from_its_committer_for_this_epoch() {
    run(4, requests::ORIGIN);
    run(5, requests::MESSAGE);
}

#[test]
fn a_direct_room_knows_no_proposals_but_clients_coming_and_going() {
    run(6, proposals::PROPOSALS);
    run(7, proposals::STATE);
}

#[test]
fn clients_come_in_by_their_own_person_alone() {
    run(8, clients::JOINS);
    run(9, clients::ADDS);
    run(10, clients::CHANGES);
}

#[test]
fn the_newest_device_list_decides() {
    run(11, clients::DEVICE_LISTS);
}

#[test]
fn a_newer_list_that_was_accepted_makes_the_older_old() {
    let mut room = Room::new(12);
    let device = clients::listed(&mut room, "bob2");
    let attempt = clients::added(&mut room, &device);
    room.accepts(&attempt);
    assert_eq!(room.hub.epoch(), 2);
    // Another hub over the same rows remembers it too.
    let before = room.hash();
    let mut rng = room.world.seed();
    room.hub = sabir_core::hub::Hub::load(room::room_uri(), &room.rows, &mut rng).unwrap();
    assert!(room.hash() == before);
}

#[test]
fn another_identity_key_needs_the_recovery_key() {
    run(14, recovery::RECOVERY);
}

#[test]
fn a_provider_that_is_not_known_is_a_fault_to_mend_and_changes_nothing() {
    let mut room = Room::new(13);
    let device = clients::listed(&mut room, "bob2");
    let mut attempt = clients::added(&mut room, &device);
    let ca = room.world.b.to_anchor();
    assert!(attempt.anchors.remove(ca.domain(), &ca.hash()));
    let before = room.hash();
    let fault = room.fault(&attempt);
    assert!(
        matches!(&fault, sabir_core::hub::HubError::UnknownProvider(domain) if domain == ca.domain()),
        "{fault:?}"
    );
    assert!(room.hash() == before);
    attempt.anchors = room.world.anchors.clone();
    room.accepts(&attempt);
}

#[test]
fn honest_changes_are_taken() {
    for name in ["add", "join", "refresh"] {
        let mut room = Room::new(14);
        let second = clients::second(&mut room);
        let attempt = match name {
            "add" => clients::added(&mut room, &second),
            "join" => clients::joined(&mut room, "alice2", &second),
            _ => clients::changed(&mut room, |_| {}),
        };
        room.accepts(&attempt);
        assert_eq!(room.hub.epoch(), 2, "{name}");
    }
}

/// Where a hub lets in what it must refuse, who is welcomed to such a room says so and does not send there.
#[test]
fn a_person_under_two_identity_keys_stops_who_is_welcomed() {
    for with_impostor in [false, true] {
        let mut room = Room::new(15);
        let honest = clients::second(&mut room);
        let (package, rows) = room.key_package(&honest);
        let mut adds = vec![package];
        if with_impostor {
            let impostor = room.world.person('b', "bob");
            let other = room.world.device(&impostor, "bob2");
            adds.push(room.key_package(&other).0);
        }
        let commit = room.alice_commits(CommitPlan {
            adds,
            ..CommitPlan::default()
        });
        let (_, ratchet_tree_option) = room::options(&commit.next);
        let welcome = Welcome::from_bytes(commit.welcome.as_ref().unwrap()).unwrap();
        let entry = FanoutMessage {
            timestamp: room.world.now,
            body: FanoutBody::Welcome {
                message: Box::new(MlsMessage::Welcome(welcome)),
                ratchet_tree_option,
            },
        };
        let me = world::user_of(&room.alice.person);
        let cx = ConversationContext {
            device: &honest,
            me: &me,
            anchors: &room.world.anchors,
        };
        let mut rng = room.world.rng.clone();
        let joined = Conversation::join(cx, room::room_uri(), rows, &entry.to_bytes(), &mut rng).unwrap();
        let stopped = joined.conversation.sending_stopped();
        assert_eq!(stopped.is_some(), with_impostor, "{stopped:?}");
        let doubted = joined.conversation.unverified();
        assert_eq!(doubted.len(), usize::from(with_impostor));
    }
}
