//! A person comes back with the recovery key: from then on their old devices do nothing in the room.

use std::collections::VecDeque;

use sabir_core::room::MEMBER;
use sabir_mls::group::CommitPlan;
use sabir_wire::protocol::UpdateOutcome;
use sabir_wire::uri::ClientUri;

use super::accepted;
use super::group_support::{List, Member, Scene};
use super::world::{self, recovered, recovery_key};

/// Bob's device under a new identity key, by the recovery key of somebody's nth.
fn back(scene: &mut Scene, name: &'static str, (whose, nth): (&str, u8), next: u8) {
    let mut rng = scene.rng();
    let now = scene.world.now;
    let recovery = recovery_key(whose, nth);
    let mut person = recovered(&scene.world.b, "bob", &recovery, next, &mut rng, now);
    person.device = world::device(&person, name, &mut rng, now);
    let user = world::user_of(&person);
    let member = Member {
        device: person.device.clone(),
        uri: ClientUri::new(user.authority(), name).unwrap(),
        person: Some(person),
        user,
        group: None,
        inbox: VecDeque::new(),
        seen: 0,
    };
    scene.members.insert(name, member);
}

#[test]
fn who_came_back_ends_what_their_old_devices_do() {
    let mut scene = Scene::of(80, &[("bob", 'b', MEMBER), ("carol", 'a', MEMBER)]);
    scene.second("bob", "bob2");
    let plan = scene.plan(&List::default(), &["bob2"], &[]);
    scene.does("bob", plan);
    // Nobody's key of any provider's making, and no other person's recovery key.
    back(&mut scene, "forged", ("mallory", 0), 1);
    let (outcome, why, _) = scene.joins("forged", &[], &[]);
    assert_eq!(outcome, UpdateOutcome::NotAllowed);
    assert!(why.contains("identity"), "{why}");

    back(&mut scene, "new", ("bob", 0), 1);
    let (outcome, why, _) = scene.joins("new", &[], &[]);
    assert!(accepted(&outcome), "{why}");
    assert_eq!(scene.hub.clients().count(), 5);

    // The old ones commit nothing, propose nothing, bring nobody and do not come in again.
    let not_allowed = UpdateOutcome::NotAllowed;
    for old in ["bob", "bob2"] {
        let says = "identity key was replaced";
        scene.refused(old, Scene::refresh(), &not_allowed, says);
        scene.refused(old, CommitPlan::default(), &not_allowed, says);
        let proposals = scene.leaving(old);
        let (outcome, why, _) = scene.proposes(old, &proposals);
        assert_eq!(outcome, not_allowed);
        assert!(why.contains(says), "{why}");
        let leaf = scene.leaf("new");
        let mut rng = scene.rng();
        let member = scene.members.get_mut(old).unwrap();
        let group = member.group.as_mut().unwrap();
        let remove = group.propose_remove(&member.device, leaf, &mut rng).unwrap();
        let (outcome, why, _) = scene.proposes(old, &[remove]);
        assert_eq!(outcome, not_allowed);
        assert!(why.contains(says), "{why}");
    }
    let list = scene.members["new"].device.device_list.clone();
    scene.second("bob", "bob3");
    scene.members.get_mut("new").unwrap().device.device_list = list;
    for (by, name) in [("bob", "bob3"), ("alice", "bob3"), ("new", "bob3")] {
        let plan = scene.plan(&List::default(), &[name], &[]);
        let (outcome, why, _) = scene.tries(by, plan);
        assert_eq!(outcome, not_allowed, "{by}: {why}");
    }
    let (outcome, why, _) = scene.joins("bob3", &[], &[]);
    assert_eq!(outcome, not_allowed);
    assert!(why.contains("identity"), "{why}");

    // The new one takes them out, and that is all that is remembered of them.
    let plan = scene.plan(&List::default(), &[], &["bob", "bob2"]);
    scene.does("new", plan);
    assert_eq!(scene.hub.clients().count(), 3);
    scene.does("new", Scene::refresh());
    let (outcome, why, _) = scene.joins("bob2", &[], &[]);
    assert_eq!(outcome, not_allowed);
    assert!(why.contains("identity"), "{why}");

    // The same code once more is no code; the next one is.
    back(&mut scene, "again", ("bob", 0), 2);
    let (outcome, why, _) = scene.joins("again", &[], &[]);
    assert_eq!(outcome, not_allowed);
    assert!(why.contains("identity"), "{why}");
    back(&mut scene, "third", ("bob", 1), 2);
    let (outcome, why, _) = scene.joins("third", &[], &[]);
    assert!(accepted(&outcome), "{why}");
    scene.refused("new", Scene::refresh(), &not_allowed, "identity key was replaced");
    scene.does("carol", Scene::refresh());
}
