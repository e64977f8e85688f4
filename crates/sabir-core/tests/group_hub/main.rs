//! A hub and a group room: who may do what, who is cut off when, and what a refusal leaves as it was (every refusal is
//! checked to change nothing, in `group_support`).
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

mod capabilities;
mod departures;
mod features;
#[path = "../group_support/mod.rs"]
mod group_support;
mod limits;
mod links;
mod recovery;
mod requests;
#[path = "../../../sabir-mls/tests/world/rogue.rs"]
mod rogue;
#[path = "../../../sabir-mls/tests/world/mod.rs"]
mod world;

use group_support::{List, Scene};
use sabir_core::room::{ADMIN, BANNED, MEMBER, OWNER, READ_ONLY};
use sabir_wire::protocol::UpdateOutcome;

pub fn invalid(references: Vec<Vec<u8>>) -> UpdateOutcome {
    UpdateOutcome::InvalidProposal {
        invalid_proposals: references,
    }
}

pub fn accepted(outcome: &UpdateOutcome) -> bool {
    matches!(outcome, UpdateOutcome::Success { .. })
}

#[test]
fn people_come_are_moved_and_go() {
    let mut scene = Scene::of(1, &[("bob", 'b', MEMBER), ("carol", 'a', ADMIN)]);
    assert_eq!(scene.role("bob"), Some(MEMBER));
    // A person without key packages is put on the list all the same, and the devices come later.
    for (name, provider) in [("dave", 'b'), ("erin", 'a')] {
        let person = scene.world.person(provider, name);
        scene.add_person(name, person);
    }
    let plan = scene.plan(
        &List {
            added: &[("dave", MEMBER)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.does("carol", plan);
    let later = scene.plan(&List::default(), &["dave"], &[]);
    scene.refused(
        "bob",
        later,
        &UpdateOutcome::NotAllowed,
        "an added client is not allowed",
    );
    let later = scene.plan(&List::default(), &["dave"], &[]);
    scene.does("carol", later);
    // One commit moves one, removes another and adds a third.
    let plan = scene.plan(
        &List {
            changed: &[("bob", READ_ONLY)],
            removed: &["dave"],
            added: &[("erin", MEMBER)],
        },
        &["erin"],
        &["dave"],
    );
    scene.does("alice", plan);
    assert_eq!((scene.role("bob"), scene.role("dave")), (Some(READ_ONLY), None));
    let plan = scene.plan(
        &List {
            changed: &[("erin", BANNED)],
            ..List::default()
        },
        &[],
        &["erin"],
    );
    scene.does("carol", plan);
    assert_eq!(scene.role("erin"), Some(BANNED));
    assert_eq!(scene.hub.clients().count(), 3);
    assert_eq!(scene.role("alice"), Some(OWNER));
}

#[test]
fn who_goes_off_the_list_goes_out_of_the_group_and_the_other_way_round() {
    let mut scene = Scene::of(2, &[("bob", 'b', MEMBER), ("carol", 'a', ADMIN)]);
    let stays = "a client would stay";
    let not_allowed = UpdateOutcome::NotAllowed;
    let plan = scene.plan(
        &List {
            removed: &["bob"],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.refused("carol", plan, &not_allowed, stays);
    let plan = scene.plan(
        &List {
            changed: &[("bob", BANNED)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.refused("carol", plan, &not_allowed, stays);
    scene.second("bob", "bob2");
    let plan = scene.plan(
        &List {
            changed: &[("bob", BANNED)],
            ..List::default()
        },
        &["bob2"],
        &["bob"],
    );
    scene.refused("carol", plan, &not_allowed, "");
    // A stranger's client alone.
    let person = scene.world.person('b', "dave");
    scene.add_person("dave", person);
    let plan = scene.plan(&List::default(), &["dave"], &[]);
    scene.refused("carol", plan, &not_allowed, "is no participant");
    // A member moves nobody.
    for list in [
        List {
            changed: &[("carol", READ_ONLY)],
            ..List::default()
        },
        List {
            changed: &[("bob", ADMIN)],
            ..List::default()
        },
        List {
            added: &[("dave", MEMBER)],
            ..List::default()
        },
    ] {
        let plan = scene.plan(&list, &[], &[]);
        scene.refused("bob", plan, &not_allowed, "not allowed");
    }
    // An admin makes no admins.
    let plan = scene.plan(
        &List {
            changed: &[("bob", ADMIN)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.refused("carol", plan, &not_allowed, "change of role");
}

#[test]
fn the_last_owner_strands_no_room() {
    let mut scene = Scene::of(3, &[("bob", 'b', OWNER)]);
    let not_allowed = UpdateOutcome::NotAllowed;
    scene.leaves("alice");
    // Alice's leaving waits: Bob is the last one now.
    let proposals = scene.leaving("bob");
    let (outcome, why, _) = scene.proposes("bob", &proposals);
    assert_eq!(outcome, not_allowed);
    assert!(why.contains("too few"), "{why}");
    scene.does("bob", Scene::refresh());
    assert_eq!(scene.role("alice"), None);
    scene.world.now += 1;
    let person = scene.world.person('a', "carol");
    scene.add_person("carol", person);
    scene.lets_in("bob", "carol", OWNER);
    let plan = scene.plan(
        &List {
            changed: &[("bob", ADMIN)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.does("carol", plan);
    let proposals = scene.leaving("carol");
    let (outcome, _, _) = scene.proposes("carol", &proposals);
    assert_eq!(outcome, not_allowed);
}
