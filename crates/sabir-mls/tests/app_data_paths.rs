//! The list rules of AppDataUpdate through real groups: as committer, as receiving member and as hub. The library
//! allows all of these lists; our one validator refuses them on each way, and nothing has changed.
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

use AppDataOperation::{Remove, Update};
use openmls::component::ComponentData;
use openmls::prelude::{AppDataUpdateOperation, AppDataUpdateProposal, Proposal};
use resign::resign;
use sabir_mls::MlsError;
use sabir_mls::app_data::{AppDataError, AppDataOperation, ComponentRules};
use sabir_mls::group::{CommitPlan, Group, Incoming, OwnCommit};
use sabir_mls::observer::{Observed, Observer};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls as wire;
use scene::{GROUP, Scene, judge};

/// A component of the room with state, and one without.
const LIST: u16 = 0x22;
const ABSENT: u16 = 0x23;
/// A component nobody here knows.
const UNKNOWN: u16 = 0xf123;

/// Replaces what it knows and removes anything.
struct Rules;

impl ComponentRules for Rules {
    fn update(&self, component: u16, _: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String> {
        if [LIST, ABSENT].contains(&component) {
            Ok(updates.concat())
        } else {
            Err("not known".into())
        }
    }
    fn remove(&self, _: u16) -> Result<(), String> {
        Ok(())
    }
}

/// What is wrong, the proposals Bob sent before, those in Alice's commit, and the refusal.
type Case = (&'static str, Vec<Op>, Vec<Op>, AppDataError);
type Op = (u16, AppDataOperation);

fn cases() -> Vec<Case> {
    let new = |byte: u8| Update(vec![byte]);
    let unknown = AppDataError::Refused {
        component: UNKNOWN,
        reason: "not known".into(),
    };
    vec![
        (
            "a remove of an absent component",
            vec![],
            vec![(ABSENT, Remove)],
            AppDataError::NothingToRemove(ABSENT),
        ),
        (
            "an update and a remove",
            vec![],
            vec![(LIST, new(1)), (LIST, Remove)],
            AppDataError::UpdatedAndRemoved(LIST),
        ),
        (
            "a remove and an update",
            vec![],
            vec![(LIST, Remove), (LIST, new(1))],
            AppDataError::UpdatedAndRemoved(LIST),
        ),
        (
            "a remove by reference and an update",
            vec![(LIST, Remove)],
            vec![(LIST, new(1))],
            AppDataError::UpdatedAndRemoved(LIST),
        ),
        (
            "an update by reference and a remove",
            vec![(LIST, new(1))],
            vec![(LIST, Remove)],
            AppDataError::UpdatedAndRemoved(LIST),
        ),
        (
            "a remove by reference and by value",
            vec![(LIST, Remove)],
            vec![(LIST, Remove)],
            AppDataError::RemovedTwice(LIST),
        ),
        (
            "two updates",
            vec![],
            vec![(LIST, new(1)), (LIST, new(2))],
            AppDataError::UpdatedTwice(LIST),
        ),
        (
            "the same update by reference and by value",
            vec![(LIST, new(1))],
            vec![(LIST, new(1))],
            AppDataError::UpdatedTwice(LIST),
        ),
        (
            "two updates by reference",
            vec![(LIST, new(1)), (LIST, new(2))],
            vec![],
            AppDataError::UpdatedTwice(LIST),
        ),
        ("an unknown component", vec![], vec![(UNKNOWN, new(1))], unknown),
        (
            "a remove of an unknown component",
            vec![],
            vec![(UNKNOWN, Remove)],
            AppDataError::NothingToRemove(UNKNOWN),
        ),
        (
            "a defect behind a good update",
            vec![],
            vec![(LIST, new(1)), (ABSENT, Remove)],
            AppDataError::NothingToRemove(ABSENT),
        ),
    ]
}

fn refusal<T: std::fmt::Debug>(result: Result<T, MlsError>, what: &str) -> AppDataError {
    match result {
        Err(MlsError::AppData(error)) => error,
        other => panic!("{what}: {other:?}"),
    }
}

/// The scene's people and hub, with Bob's proposals queued at all of them.
struct Queued {
    scene: Scene,
    alice: Group,
    carol: Group,
    hub: Observer,
    proposals: Vec<Vec<u8>>,
}

fn queued(seed: u64, before: &[Op]) -> Queued {
    let mut scene = Scene::new(seed);
    let mut rng = scene.rng();
    let mut alice = Group::load(scene.alice.rows.clone(), GROUP, &mut rng).unwrap();
    let mut carol = Group::load(scene.carol.rows.clone(), GROUP, &mut rng).unwrap();
    let mut hub = Observer::load(scene.hub_rows.clone(), GROUP, &mut rng).unwrap();
    let key = scene.bob.device.key.clone();
    let mut bob = scene.rogue_bob();
    let mut proposals = Vec::new();
    for (component, operation) in before {
        let operation = match operation {
            Update(bytes) => AppDataUpdateOperation::Update(bytes.clone().into()),
            Remove => AppDataUpdateOperation::Remove,
        };
        let proposal = bob.propose_app_data(&key, *component, operation);
        let judge = judge(&scene.forge);
        for group in [&mut alice, &mut carol] {
            let queued = group.process(&proposal, &judge, &Rules, &mut rng).unwrap();
            assert!(matches!(queued, Incoming::Proposal(_)));
        }
        match hub.stage(&proposal, &judge, &Rules).unwrap() {
            Observed::Proposal(proposal) => hub.queue(*proposal).unwrap(),
            Observed::Commit(_) => panic!("a proposal"),
        }
        proposals.push(proposal);
    }
    for changes in [alice.take_changes(), carol.take_changes(), hub.take_changes()] {
        assert_eq!(changes.is_empty(), before.is_empty());
    }
    Queued {
        scene,
        alice,
        carol,
        hub,
        proposals,
    }
}

impl Queued {
    /// A commit of rogue Alice with these proposals by value and Bob's by reference.
    fn crafted(&mut self, by_value: &[Op]) -> OwnCommit {
        let key = self.scene.alice.device.key.clone();
        let mut alice = self.scene.rogue_alice();
        for proposal in &self.proposals {
            alice.queue(proposal).unwrap();
        }
        let proposals = by_value
            .iter()
            .map(|(component, operation)| {
                Proposal::AppDataUpdate(Box::new(match operation {
                    Update(bytes) => AppDataUpdateProposal::update(*component, bytes.as_slice()),
                    Remove => AppDataUpdateProposal::remove(*component),
                }))
            })
            .collect();
        alice
            .commit(&key, None, (vec![], proposals), |updater| {
                updater.set(ComponentData::from_parts(LIST, b"anything".to_vec().into()));
            })
            .unwrap()
    }

    fn state(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>) {
        (
            self.alice.transcript_hash().to_vec(),
            self.carol.transcript_hash().to_vec(),
            self.hub.transcript_hash().to_vec(),
            self.hub.ratchet_tree().unwrap(),
        )
    }

    /// Nobody persisted anything and nobody is elsewhere than before.
    fn unchanged(&mut self, before: &(Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>), what: &str) {
        assert!(&self.state() == before, "{what}: something has changed");
        for changes in [
            self.alice.take_changes(),
            self.carol.take_changes(),
            self.hub.take_changes(),
        ] {
            assert!(changes.is_empty(), "{what}: something would be persisted");
        }
        for component in [LIST, ABSENT, UNKNOWN].map(wire::ComponentId) {
            let here = self.hub.component(component);
            assert_eq!(here, self.carol.component(component), "{what}");
            assert_eq!(here.is_some(), component.0 == LIST, "{what}");
        }
    }
}

#[test]
fn a_committer_refuses_each_list() {
    for (seed, (what, before, by_value, expected)) in (1..).zip(cases()) {
        let mut queued = queued(seed, &before);
        let state = queued.state();
        let plan = CommitPlan {
            app_data: by_value,
            ..CommitPlan::default()
        };
        let mut rng = queued.scene.rng();
        let device = queued.scene.alice.device.clone();
        let result = queued.alice.commit(&device, plan, &Rules, &mut rng);
        assert_eq!(refusal(result, what), expected, "{what}");
        assert!(!queued.alice.has_pending_commit(), "{what}");
        queued.unchanged(&state, what);
    }
}

#[test]
fn a_receiving_member_refuses_each_list() {
    for (seed, (what, before, by_value, expected)) in (1..).zip(cases()) {
        let mut queued = queued(seed, &before);
        let commit = queued.crafted(&by_value);
        let state = queued.state();
        let mut rng = queued.scene.rng();
        let judge = judge(&queued.scene.forge);
        let result = queued.carol.process(&commit.commit, &judge, &Rules, &mut rng);
        assert_eq!(refusal(result, what), expected, "{what}");
        queued.unchanged(&state, what);
    }
}

#[test]
fn a_hub_refuses_each_list() {
    for (seed, (what, before, by_value, expected)) in (1..).zip(cases()) {
        let mut queued = queued(seed, &before);
        let commit = queued.crafted(&by_value);
        let state = queued.state();
        let judge = judge(&queued.scene.forge);
        let result = queued.hub.stage(&commit.commit, &judge, &Rules);
        assert_eq!(refusal(result, what), expected, "{what}");
        queued.unchanged(&state, what);
    }
}

/// The library drops one of two equal proposals where it builds, so such a commit exists on the wire alone.
#[test]
fn equal_proposals_by_value_are_refused_by_committer_and_hub() {
    let cases = [
        ("two equal removes", Remove, AppDataError::RemovedTwice(LIST)),
        (
            "two equal updates",
            Update(vec![1]),
            AppDataError::UpdatedTwice(LIST),
        ),
    ];
    for (seed, (what, operation, expected)) in (50..).zip(cases) {
        let mut queued = queued(seed, &[]);
        let crafted = queued.crafted(&[(LIST, operation.clone())]);
        let state = queued.state();
        let key = queued.scene.alice.device.key.clone();
        let twice = resign(&crafted.commit, &queued.scene.now.group_info, &key, |commit| {
            let first = commit.proposals[0].clone();
            commit.proposals.push(first);
        });
        let judge = judge(&queued.scene.forge);
        let result = queued.hub.stage(&twice, &judge, &Rules);
        assert_eq!(refusal(result, what), expected, "{what}: at the hub");
        queued.unchanged(&state, what);

        let mut rng = queued.scene.rng();
        let plan = CommitPlan {
            app_data: vec![(LIST, operation.clone()), (LIST, operation)],
            ..CommitPlan::default()
        };
        let device = queued.scene.alice.device.clone();
        let result = queued.alice.commit(&device, plan, &Rules, &mut rng);
        assert_eq!(refusal(result, what), expected, "{what}: at the committer");
        queued.unchanged(&state, what);
    }
}

#[test]
fn a_good_list_by_the_same_ways_is_taken() {
    let mut queued = queued(60, &[(ABSENT, Update(vec![5]))]);
    let mut rng = queued.scene.rng();
    let plan = CommitPlan {
        app_data: vec![(LIST, Remove)],
        ..CommitPlan::default()
    };
    let device = queued.scene.alice.device.clone();
    let commit = queued.alice.commit(&device, plan, &Rules, &mut rng).unwrap();
    let judge = judge(&queued.scene.forge);
    let Observed::Commit(staged) = queued.hub.stage(&commit.commit, &judge, &Rules).unwrap() else {
        panic!("a commit");
    };
    let tree = wire::RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
    queued.hub.check_tree(&staged, &tree).unwrap();
    queued.hub.merge(*staged).unwrap();
    match queued
        .carol
        .process(&commit.commit, &judge, &Rules, &mut rng)
        .unwrap()
    {
        Incoming::Commit(staged) => queued.carol.merge(*staged).unwrap(),
        other => panic!("{other:?}"),
    }
    queued.alice.merge_own().unwrap();
    assert_eq!(queued.hub.transcript_hash(), queued.carol.transcript_hash());
    assert_eq!(queued.hub.transcript_hash(), queued.alice.transcript_hash());
    assert_eq!(queued.hub.component(wire::ComponentId(ABSENT)), Some(vec![5]));
    assert_eq!(queued.hub.component(wire::ComponentId(LIST)), None);
}
