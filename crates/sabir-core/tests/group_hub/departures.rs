//! Leaving, and what an external commit makes of it.

use sabir_core::room::{ADMIN, MEMBER};
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::Decode as _;
use sabir_wire::protocol::{FanoutBody, FanoutMessage, UpdateOutcome};

use super::group_support::{List, Scene};
use super::{accepted, invalid};

#[test]
fn the_next_commit_takes_all_who_leave_and_the_committers_own_change() {
    let mut scene = Scene::of(
        11,
        &[("bob", 'b', MEMBER), ("carol", 'a', ADMIN), ("dave", 'b', MEMBER)],
    );
    let under_way = scene.commits("alice", Scene::refresh());
    scene.leaves("bob");
    scene.leaves("carol");
    assert_eq!(scene.hub.waiting(), 4);
    // A commit that does not know of them is told which it misses.
    let (outcome, why, _) = scene.sends("alice", &under_way);
    let UpdateOutcome::InvalidProposal { invalid_proposals } = outcome else {
        panic!("{why}")
    };
    assert_eq!(invalid_proposals.len(), 4);
    let plan = scene.plan(
        &List {
            changed: &[("dave", ADMIN)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.does("alice", plan);
    assert_eq!(scene.role("bob"), None);
    assert_eq!(scene.role("carol"), None);
    assert_eq!(scene.role("dave"), Some(ADMIN));
    assert_eq!(scene.hub.waiting(), 0);
    assert_eq!(scene.hub.departed().count(), 0);
}

#[test]
fn who_departed_commits_and_proposes_nothing() {
    let mut scene = Scene::of(12, &[("bob", 'b', MEMBER), ("carol", 'a', MEMBER)]);
    scene.second("bob", "bob2");
    let plan = scene.plan(&List::default(), &["bob2"], &[]);
    scene.does("bob", plan);
    let under_way = scene.commits("bob2", Scene::refresh());
    scene.leaves("bob");
    let (outcome, why, _) = scene.sends("bob2", &under_way);
    assert_eq!(outcome, UpdateOutcome::NotAllowed, "{why}");
    assert!(why.contains("has left"));
    // Nor does another device of theirs come in.
    scene.second("bob", "bob3");
    let (outcome, why, _) = scene.joins("bob3", &[], &[]);
    assert!(!accepted(&outcome), "{why}");
    // The room goes on without them.
    scene.does("carol", CommitPlan::default());
    assert_eq!(scene.hub.clients().count(), 2);
    let before = scene.members["bob"].seen;
    scene.does("carol", Scene::refresh());
    assert_eq!(scene.members["bob"].seen, before);
}

#[test]
fn a_leaf_goes_by_one_proposal_and_proposals_are_taken_whole_or_not_at_all() {
    let mut scene = Scene::of(13, &[("bob", 'b', MEMBER), ("carol", 'a', MEMBER)]);
    // The list alone leaves the clients behind.
    let proposals = scene.leaving("bob");
    let (outcome, why, _) = scene.proposes("bob", &proposals[1..]);
    assert_eq!(outcome, UpdateOutcome::NotAllowed, "{why}");
    let mut rng = scene.rng();
    scene
        .members
        .get_mut("bob")
        .unwrap()
        .group
        .as_mut()
        .unwrap()
        .drop_proposals()
        .unwrap();
    // Somebody else's removal is no member's to propose.
    let leaf = scene.leaf("carol");
    let bob = scene.members.get_mut("bob").unwrap();
    let remove = bob
        .group
        .as_mut()
        .unwrap()
        .propose_remove(&bob.device, leaf, &mut rng)
        .unwrap();
    let (outcome, why, _) = scene.proposes("bob", &[remove]);
    assert_eq!(outcome, UpdateOutcome::NotAllowed, "{why}");
    // Twice the same.
    let proposals = scene.leaving("bob");
    assert!(accepted(&scene.proposes("bob", &proposals).0));
    let (outcome, why, _) = scene.update("bob", &Scene::proposals(&proposals));
    assert_eq!(outcome, UpdateOutcome::NotAllowed, "{why}");
    let (outcome, _, _) = scene.update("bob", &Scene::proposals(&proposals[..1]));
    assert_eq!(outcome, invalid(vec![proposals[0].reference.clone()]));
    let (outcome, why, _) = scene.update("alice", &Scene::proposals(&proposals));
    assert!(!accepted(&outcome), "{why}");
    scene.does("alice", CommitPlan::default());
}

#[test]
fn an_external_commit_takes_the_self_removes_and_the_hub_proposes_the_rest_anew() {
    let mut scene = Scene::of(14, &[("bob", 'b', MEMBER), ("carol", 'a', MEMBER)]);
    scene.second("bob", "bob2");
    let plan = scene.plan(&List::default(), &["bob2"], &[]);
    scene.does("bob", plan);
    let proposals = scene.leaving("bob");
    assert!(accepted(&scene.proposes("bob", &proposals).0));
    scene.second("carol", "carol2");
    // Without the SelfRemove it is refused, and told which it is.
    let (outcome, _, _) = scene.joins("carol2", &[], &[]);
    assert_eq!(outcome, invalid(vec![proposals[0].reference.clone()]));
    let (outcome, why, effects) = scene.joins("carol2", &[], &[proposals[0].message.clone()]);
    assert!(accepted(&outcome), "{why}");
    let entry = FanoutMessage::from_bytes(&effects.events[0].body).unwrap();
    let FanoutBody::Commit {
        external_proposals, ..
    } = entry.body
    else {
        panic!("no commit")
    };
    assert_eq!(external_proposals.len(), 1, "the other device's removal");
    assert_eq!(scene.hub.waiting(), 1);
    assert!(scene.role("bob").is_some());
    assert_eq!(scene.hub.departed().count(), 1);
    // Another hub over the same rows still knows.
    let mut rng = scene.rng();
    scene.hub = sabir_core::hub::Hub::load(super::group_support::room_uri(), &scene.rows, &mut rng).unwrap();
    assert_eq!((scene.hub.waiting(), scene.hub.departed().count()), (1, 1));
    // A member who was there when Bob left does not leave him on the list; who came later cannot know, nor whom they
    // let in.
    let forgets = |scene: &mut Scene, name| {
        scene.refused(name, Scene::refresh(), &UpdateOutcome::NotAllowed, "who has left");
    };
    forgets(&mut scene, "carol");
    scene.does("carol2", Scene::refresh());
    assert_eq!((scene.hub.waiting(), scene.hub.departed().count()), (0, 1));
    forgets(&mut scene, "alice");
    scene.second("carol", "carol3");
    let plan = scene.plan(&List::default(), &["carol3"], &[]);
    scene.does("carol2", plan);
    scene.hub = sabir_core::hub::Hub::load(super::group_support::room_uri(), &scene.rows, &mut rng).unwrap();
    scene.does("carol3", Scene::refresh());
    forgets(&mut scene, "carol");
    // A member who knows takes Bob off the list with what the hub proposes.
    let plan = scene.plan(
        &List {
            removed: &["bob"],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.does("carol", plan);
    assert_eq!(scene.role("bob"), None);
    assert_eq!(scene.hub.departed().count(), 0);
    assert_eq!(scene.hub.clients().count(), 4);
    scene.does("alice", Scene::refresh());
}

#[test]
fn who_departed_and_is_listed_still_can_be_let_in_again() {
    let mut scene = Scene::of(15, &[("bob", 'b', MEMBER), ("carol", 'a', MEMBER)]);
    let proposals = scene.leaving("bob");
    assert!(accepted(&scene.proposes("bob", &proposals).0));
    scene.second("carol", "carol2");
    let (outcome, why, _) = scene.joins("carol2", &[], &[proposals[0].message.clone()]);
    assert!(accepted(&outcome), "{why}");
    assert_eq!(scene.hub.departed().count(), 1);
    // Not by themselves.
    let (outcome, _, _) = scene.joins("bob", &[], &[]);
    assert_eq!(outcome, UpdateOutcome::NotAllowed);
    // A member may not, an owner may.
    let plan = scene.plan(&List::default(), &["bob"], &[]);
    scene.refused("carol", plan, &UpdateOutcome::NotAllowed, "an added client");
    let plan = scene.plan(&List::default(), &["bob"], &[]);
    scene.does("alice", plan);
    assert_eq!(scene.hub.departed().count(), 0);
    scene.does("bob", Scene::refresh());
}

#[test]
fn a_client_comes_back_in_place_of_its_own_leaf_and_of_no_other() {
    let mut scene = Scene::of(16, &[("bob", 'b', MEMBER), ("carol", 'a', MEMBER)]);
    let leaf = scene.leaf("bob");
    let (outcome, why, _) = scene.joins("bob", &[], &[]);
    assert!(accepted(&outcome), "{why}");
    assert_eq!(scene.leaf("bob"), leaf);
    assert_eq!(scene.hub.clients().count(), 3);
    // A first join of a listed person, whose key packages were not to be had.
    let person = scene.world.person('b', "dave");
    scene.add_person("dave", person);
    let (outcome, _, _) = scene.joins("dave", &[], &[]);
    assert_eq!(outcome, UpdateOutcome::NotAllowed);
    let plan = scene.plan(
        &List {
            added: &[("dave", MEMBER)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.does("alice", plan);
    let (outcome, why, _) = scene.joins("dave", &[], &[]);
    assert!(accepted(&outcome), "{why}");
}
