//! What no single leaf shows: leaves that contradict others of the group, and members who remove themselves.
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

#[path = "world/forge.rs"]
mod forge;
mod identity_support;
#[path = "world/resign.rs"]
mod resign;
#[path = "world/rogue.rs"]
mod rogue;
#[path = "world/scene.rs"]
mod scene;
mod world;

use resign::resign;
use rogue::{Leaf, external};
use sabir_mls::identity::{CredentialError, ProviderCa};
use sabir_mls::observer::Observed;
use sabir_mls::{Author, MlsError, RemoveFact};
use sabir_wire::mls::{Proposal, ProposalOrRef};
use scene::{Scene, at_hub, judge};
use world::Replace;

fn broken(outcome: Result<(), MlsError>) -> bool {
    matches!(
        outcome,
        Err(MlsError::Credential(CredentialError::ContinuityBroken))
    )
}

/// A device of somebody's with Bob's name, certified by Bob's provider, under another identity key.
fn impostor(scene: &mut Scene) -> Leaf {
    let person = scene.forge.world.person('b', "bob");
    Leaf::of(&scene.forge.world.device(&person, "bob2"))
}

#[test]
fn a_second_identity_key_of_a_person_is_refused_by_hub_and_members() {
    let mut scene = Scene::new(1);
    let leaf = impostor(&mut scene);
    let before = scene.hash();
    let (_, package, _) = leaf.key_package(&mut scene.rng()).unwrap();
    let added = scene.alice_commits(None, vec![package]).unwrap();
    let joined = external(&leaf, &scene.now.clone(), &mut scene.rng()).unwrap();
    for (path, commit) in [("add", &added), ("external commit", &joined)] {
        assert!(broken(scene.at_hub(commit)), "{path} at the hub");
        assert!(broken(scene.at_carol(commit)), "{path} at a member");
    }
    assert!(scene.hash() == before);
    scene.goes_on();
}

#[test]
fn two_identity_keys_of_a_person_do_not_come_in_together() {
    let mut scene = Scene::new(2);
    let packages = (0..2)
        .map(|_| {
            let person = scene.forge.world.person('b', "erin");
            let leaf = Leaf::of(&person.device);
            leaf.key_package(&mut scene.rng()).unwrap().1
        })
        .collect();
    let commit = scene.alice_commits(None, packages).unwrap();
    assert!(broken(scene.at_hub(&commit)));
    assert!(broken(scene.at_carol(&commit)));
    scene.goes_on();
}

#[test]
fn who_replaces_a_providers_ca_cannot_replace_a_persons_key() {
    let mut scene = Scene::new(3);
    let mut rng = scene.rng();
    let old = scene.forge.world.b.to_anchor();
    let ca = ProviderCa::generate(old.domain(), scene.forge.world.now, &mut rng).unwrap();
    let impostor = world::person(&ca, "bob", &mut rng, scene.forge.world.now);
    let leaf = Leaf::of(&world::device(&impostor, "bob1", &mut rng, scene.forge.world.now));
    let key = scene.bob.device.key.clone();
    let mut bob = scene.rogue_bob();
    let commit = bob.commit(&key, Some(&leaf), scene::none(), |_| {}).unwrap();
    let before = scene.hash();
    // Beside the old CA, and in its place: then the old leaf's own certificate proves nothing any more.
    scene
        .forge
        .world
        .anchors
        .pin(old.domain(), ca.to_anchor())
        .unwrap();
    for old_ca_is_known in [true, false] {
        if !old_ca_is_known {
            assert!(scene.forge.world.anchors.remove(old.domain(), &old.hash()));
        }
        assert!(broken(scene.at_hub(&commit)), "{old_ca_is_known}");
        assert!(broken(scene.at_carol(&commit)), "{old_ca_is_known}");
        assert!(scene.hash() == before);
    }
    scene.forge.world.anchors.pin(old.clone().domain(), old).unwrap();
    scene.goes_on();
}

#[test]
fn a_self_remove_counts_by_reference_alone() {
    let mut scene = Scene::new(4);
    let key = scene.alice.device.key.clone();
    let commit = scene.alice_commits(Some(&scene.forge.good()), vec![]).unwrap();
    let before = scene.hash();
    let by_value = resign(&commit.commit, &scene.now.group_info, &key, |commit| {
        commit
            .proposals
            .push(ProposalOrRef::Proposal(Proposal::SelfRemove));
    });
    let judge_now = judge(&scene.forge);
    let refusal = at_hub(&mut scene.hub, &judge_now, &by_value).unwrap_err();
    assert!(refusal.to_string().contains("SelfRemove"), "{refusal}");
    assert!(scene.hash() == before);

    let bobs = scene.bob.device.key.clone();
    let proposal = scene.rogue_bob().propose_leave(&bobs);
    let mut alice = scene.rogue_alice();
    alice.queue(&proposal).unwrap();
    let commit = alice.commit(&key, None, scene::none(), |_| {}).unwrap();
    let judge_now = judge(&scene.forge);
    match scene.hub.stage(&proposal, &judge_now, &Replace).unwrap() {
        Observed::Proposal(proposal) => {
            assert_eq!(proposal.facts.removes, Some(1));
            scene.hub.queue(*proposal).unwrap();
        }
        Observed::Commit(_) => panic!("a proposal"),
    }
    match scene.hub.stage(&commit.commit, &judge_now, &Replace).unwrap() {
        Observed::Commit(staged) => assert_eq!(
            staged.facts.removes,
            [RemoveFact {
                author: Author::Member(1),
                removed: 1,
                self_remove: true,
            }]
        ),
        Observed::Proposal(_) => panic!("a commit"),
    }
}
