//! Every way by which a leaf can come into a room, times every defect a leaf can have: refused with the defect's own
//! name, and nothing has changed.
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

#[path = "world/defects.rs"]
mod defects;
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

use defects::Defect;
use openmls::prelude::Extension;
use resign::resign;
use rogue::{Leaf, Rogue, external};
use sabir_mls::group::{Group, join_external, join_welcome};
use sabir_mls::observer::{Observed, Observer};
use sabir_mls::{MlsError, key_package};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{Proposal, ProposalOrRef};
use scene::{GROUP, Scene, at_hub, at_member, judge, view};
use world::Replace;

/// How a leaf comes in; each tells what became of it.
type Path = (&'static str, fn(&mut Scene, &Leaf) -> Outcome);
/// `Err` of the inner kind: our refusal. Of the outer: the library would not even build the message.
type Outcome = Result<Result<(), MlsError>, String>;

const PATHS: &[Path] = &[
    ("key package", |scene, leaf| {
        let (bytes, _, _) = leaf.key_package(&mut scene.rng())?;
        let world = &scene.forge.world;
        Ok(key_package::verify(&bytes, &world.anchors, world.now).map(drop))
    }),
    ("add, at the hub", |scene, leaf| {
        let (_, package, _) = leaf.key_package(&mut scene.rng())?;
        let commit = scene.alice_commits(None, vec![package])?;
        Ok(scene.at_hub(&commit))
    }),
    ("add, at a member", |scene, leaf| {
        let (_, package, _) = leaf.key_package(&mut scene.rng())?;
        let commit = scene.alice_commits(None, vec![package])?;
        Ok(scene.at_carol(&commit))
    }),
    ("update by a path, at the hub", |scene, leaf| {
        let commit = scene.alice_commits(Some(leaf), vec![])?;
        Ok(scene.at_hub(&commit))
    }),
    ("update by a path, at a member", |scene, leaf| {
        let commit = scene.alice_commits(Some(leaf), vec![])?;
        Ok(scene.at_carol(&commit))
    }),
    ("update by a proposal, at the hub", |scene, leaf| {
        let (proposal, commit) = proposed(scene, leaf)?;
        let mut rng = scene.rng();
        // Another observer over the same rows: the proposal it queues is not the hub's.
        let mut hub = Observer::load(scene.hub_rows.clone(), GROUP, &mut rng).unwrap();
        let judge = judge(&scene.forge);
        match hub.stage(&proposal, &judge, &Replace).unwrap() {
            Observed::Proposal(proposal) => hub.queue(*proposal).unwrap(),
            Observed::Commit(_) => panic!("a proposal"),
        }
        let before = hub.transcript_hash().to_vec();
        let outcome = at_hub(&mut hub, &judge, &commit);
        assert_eq!(hub.transcript_hash(), before);
        Ok(outcome)
    }),
    ("update by a proposal, at a member", |scene, leaf| {
        let (proposal, commit) = proposed(scene, leaf)?;
        let mut rng = scene.rng();
        let mut carol = Group::load(scene.carol.rows.clone(), GROUP, &mut rng).unwrap();
        let judge = judge(&scene.forge);
        carol.process(&proposal, &judge, &Replace, &mut rng).unwrap();
        let before = carol.transcript_hash().to_vec();
        let outcome = at_member(&mut carol, &judge, &commit, &mut rng);
        assert_eq!(carol.transcript_hash(), before);
        Ok(outcome)
    }),
    ("external commit, at the hub", |scene, leaf| {
        let commit = external(leaf, &scene.now.clone(), &mut scene.rng())?;
        Ok(scene.at_hub(&commit))
    }),
    ("external commit, at a member", |scene, leaf| {
        let commit = external(leaf, &scene.now.clone(), &mut scene.rng())?;
        Ok(scene.at_carol(&commit))
    }),
    ("welcome", |scene, leaf| {
        let (_, package, _) = leaf.key_package(&mut scene.rng())?;
        let dave = scene.forge.world.person('b', "dave").device;
        let (_, daves, rows) = Leaf {
            capabilities: leaf.capabilities.clone(),
            ..Leaf::of(&dave)
        }
        .key_package(&mut scene.rng())?;
        let commit = scene.alice_commits(None, vec![package, daves])?;
        let (welcome, tree) = (commit.welcome.as_ref().unwrap(), &commit.next.ratchet_tree);
        let mut rng = scene.rng();
        Ok(join_welcome(rows, welcome, tree, &judge(&scene.forge), &mut rng).map(drop))
    }),
    ("from outside, into a group that has it", |scene, leaf| {
        let (_, package, _) = leaf.key_package(&mut scene.rng())?;
        let commit = scene.alice_commits(None, vec![package])?;
        let dave = scene.forge.world.person('b', "dave").device;
        let mut rng = scene.rng();
        let joined = join_external(
            &dave,
            view(&commit.next),
            &[],
            &judge(&scene.forge),
            &Replace,
            &mut rng,
        );
        Ok(joined.map(drop))
    }),
    ("a room made by it, at the hub", |scene, leaf| {
        let mut rng = scene.rng();
        let rogue = Rogue::create(leaf, b"mimi://a.example/g/other", vec![], &mut rng)?;
        let state = rogue.public_state(&leaf.key);
        Ok(Observer::create(view(&state), &judge(&scene.forge), &mut rng).map(drop))
    }),
];

/// The joiner's own check; its leaf is made by our own code, so only the credential can be bad.
const OWN: Path = ("external commit, at the joiner", |scene, leaf| {
    let mut device = scene
        .forge
        .as_device(leaf.credential.serialized_content().to_vec());
    device.key = leaf.key.clone();
    let mut rng = scene.rng();
    let joined = join_external(
        &device,
        view(&scene.now),
        &[],
        &judge(&scene.forge),
        &Replace,
        &mut rng,
    );
    Ok(joined.map(drop))
});

/// Alice proposes to replace her leaf, Bob commits it.
fn proposed(scene: &mut Scene, leaf: &Leaf) -> Result<(Vec<u8>, Vec<u8>), String> {
    let key = scene.alice.device.key.clone();
    let proposal = scene.rogue_alice().propose_update(&key, leaf)?;
    let key = scene.bob.device.key.clone();
    let mut bob = scene.rogue_bob();
    bob.queue(&proposal)?;
    let commit = bob.commit(&key, None, scene::none(), |_| {})?;
    Ok((proposal, commit.commit))
}

/// The refusal as the table of defects names it.
fn name(error: &MlsError) -> String {
    match error {
        MlsError::Credential(error) => match error.role() {
            Some(role) => format!("{} {role}", error.id()),
            None => error.id().to_owned(),
        },
        MlsError::UnknownProvider(domain) => format!("unknown_provider {}", domain.as_str()),
        MlsError::Leaf(reason) => (*reason).to_owned(),
        MlsError::Malformed("ComponentsList") => "its component lists are malformed".to_owned(),
        other => other.to_string(),
    }
}

fn refused(scene: &mut Scene, (path, bring): &Path, (what, forge, refusal): &Defect) {
    scene.forge.fresh();
    let leaf = forge(&mut scene.forge);
    let before = scene.hash();
    let outcome = bring(scene, &leaf);
    let outcome = match &outcome {
        Ok(Ok(())) => "accepted".to_owned(),
        Ok(Err(error)) => name(error),
        Err(library) => format!("not built: {library}"),
    };
    assert_eq!(outcome, *refusal, "{path}: {what}");
    assert!(scene.hash() == before, "{path}: {what}: something has changed");
}

#[test]
fn every_path_takes_an_honest_leaf() {
    let mut scene = Scene::new(1);
    for (path, bring) in PATHS.iter().chain([&OWN]) {
        scene.forge.fresh();
        let leaf = scene.forge.good();
        let before = scene.hash();
        let outcome = bring(&mut scene, &leaf);
        // Alice's device is in the room already: whoever looks at all clients sees it twice.
        let twice = "a client is in the group twice";
        let fine = match &outcome {
            Ok(Ok(())) => true,
            Ok(Err(error)) => name(error) == twice,
            Err(_) => false,
        };
        assert!(fine, "{path}: {outcome:?}");
        assert!(scene.hash() == before, "{path}: something has changed");
    }
    scene.goes_on();
}

#[test]
fn every_defect_of_a_leaf_is_refused_by_name_on_every_path() {
    let mut scene = Scene::new(2);
    for defect in defects::all() {
        for path in PATHS {
            refused(&mut scene, path, defect);
        }
    }
    scene.goes_on();
}

#[test]
fn a_joiner_with_a_defective_credential_refuses_itself() {
    let mut scene = Scene::new(3);
    let credentials = [
        defects::ENCODING,
        defects::CERTIFICATE,
        defects::NAMES,
        defects::POWERS,
        defects::CHAIN,
    ];
    for defect in credentials.into_iter().flatten() {
        refused(&mut scene, &OWN, defect);
    }
    scene.goes_on();
}

#[test]
fn what_a_leaf_must_announce_is_checked_in_a_room_that_does_not_require_it() {
    let mut scene = loose(4);
    for defect in defects::CAPABILITIES {
        for path in PATHS {
            refused(&mut scene, path, defect);
        }
    }
    scene.goes_on();
}

/// Rooms, defects and the paths on which such a leaf comes as far as our own check; on all others the library
/// refuses it first, where the message is built or where it is received.
type Library = (fn(u64) -> Scene, &'static [&'static str], &'static [&'static str]);

const LIBRARY: &[Library] = &[
    // The context's required_capabilities name both proposals, and each new leaf is compared with them.
    (
        Scene::new,
        &["AppDataUpdate is not announced", "SelfRemove is not announced"],
        &["key package", "a room made by it, at the hub"],
    ),
    // Each new leaf must know every extension of the context.
    (
        loose,
        &["the dictionary is not announced"],
        &["key package", "a room made by it, at the hub"],
    ),
    // A leaf must announce its own credential's type and the types of all members.
    (loose, &["x509 is not announced"], &["key package"]),
    // All members must announce the type of a new leaf's credential.
    (
        loose,
        &["a basic credential"],
        &["key package", "a room made by it, at the hub"],
    ),
];

#[test]
fn what_comes_before_our_checks_is_refused_by_the_library() {
    for &(room, defects, ours) in LIBRARY {
        let mut scene = room(5);
        let all = defects::CAPABILITIES.iter().chain(defects::UNBUILDABLE);
        for defect in all.filter(|(what, _, _)| defects.contains(what)) {
            for path in PATHS {
                if ours.contains(&path.0) {
                    refused(&mut scene, path, defect);
                    continue;
                }
                scene.forge.fresh();
                let leaf = defect.1(&mut scene.forge);
                let before = scene.hash();
                let outcome = path.1(&mut scene, &leaf);
                let library = matches!(outcome, Err(_) | Ok(Err(MlsError::Invalid(_))));
                assert!(library, "{}: {}: {outcome:?}", path.0, defect.0);
                assert!(
                    scene.hash() == before,
                    "{}: {}: something has changed",
                    path.0,
                    defect.0
                );
            }
        }
        scene.goes_on();
    }
}

#[test]
fn an_add_that_no_library_builds_is_refused_at_the_hub() {
    let mut scene = Scene::new(6);
    let add: Path = ("add by hand, at the hub", |scene, leaf| {
        let mut rng = scene.rng();
        let (bad, _, _) = leaf.key_package(&mut rng)?;
        let bad = sabir_wire::mls::KeyPackage::from_bytes(&bad).unwrap();
        let (_, good, _) = scene.forge.good().key_package(&mut rng)?;
        let commit = scene.alice_commits(None, vec![good])?;
        let key = &scene.alice.device.key;
        let commit = resign(&commit.commit, &scene.now.group_info, key, |commit| {
            commit.proposals = vec![ProposalOrRef::Proposal(Proposal::Add(Box::new(bad)))];
        });
        let judge = judge(&scene.forge);
        Ok(at_hub(&mut scene.hub, &judge, &commit))
    });
    for defect in defects::CAPABILITIES.iter().chain(defects::UNBUILDABLE) {
        scene.forge.fresh();
        let leaf = defect.1(&mut scene.forge);
        let before = scene.hash();
        let outcome = add.1(&mut scene, &leaf);
        assert!(
            matches!(outcome, Ok(Err(MlsError::Invalid(_)))),
            "{}: {outcome:?}",
            defect.0
        );
        assert!(scene.hash() == before, "{}: something has changed", defect.0);
    }
    scene.goes_on();
}

/// A room whose context requires nothing of its members.
fn loose(seed: u64) -> Scene {
    Scene::made_by_rogue(seed, |_| {
        vec![Extension::AppDataDictionary(rogue::dictionary(&[]))]
    })
}
