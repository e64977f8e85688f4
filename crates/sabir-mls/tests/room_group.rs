//! A group as its members and its hub see it: everything on the way, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod world;

use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::{CommitPlan, Group, GroupInfoView, Incoming, OwnCommit, join_external, join_welcome};
use sabir_mls::observer::{Observed, Observer, StagedObserved};
use sabir_mls::rows::Rows;
use sabir_mls::{Author, Device, MlsError, key_package};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::RatchetTree;
use world::{Replace, World};

fn view(commit: &OwnCommit) -> GroupInfoView<'_> {
    GroupInfoView {
        group_info: &commit.next.group_info,
        ratchet_tree: &commit.next.ratchet_tree,
    }
}

/// Alice's group, followed by its hub.
fn alone(world: &mut World) -> (Device, Group, Observer) {
    let alice = world.person('a', "alice").device;
    let mut group = world.group(&alice);
    let state = group.public_state(&alice).unwrap();
    let view = GroupInfoView {
        group_info: &state.group_info,
        ratchet_tree: &state.ratchet_tree,
    };
    let mut rng = world.seed();
    let (hub, facts) = Observer::create(view, &world.judge(), &mut rng).unwrap();
    assert_eq!(facts.leaves.len(), 1);
    assert!(facts.hub_sender.is_some());
    (alice, group, hub)
}

fn staged(hub: &mut Observer, world: &World, commit: &OwnCommit) -> StagedObserved {
    match hub.stage(&commit.commit, &world.judge(), &Replace).unwrap() {
        Observed::Commit(staged) => *staged,
        Observed::Proposal(_) => panic!("a commit"),
    }
}

fn tree(bytes: &[u8]) -> RatchetTree {
    RatchetTree::from_bytes(bytes).unwrap()
}

fn accept(hub: &mut Observer, world: &World, commit: &OwnCommit) {
    let staged = staged(hub, world, commit);
    staged.facts.require_verified().unwrap();
    hub.check_group_info(&staged, &commit.next.group_info).unwrap();
    hub.check_tree(&staged, &tree(&commit.next.ratchet_tree)).unwrap();
    hub.merge(staged).unwrap();
    assert_eq!(hub.ratchet_tree().unwrap(), commit.next.ratchet_tree);
}

/// Adds a device and returns its group.
fn add(world: &mut World, hub: &mut Observer, adder: (&Device, &mut Group), added: &Device) -> Group {
    let mut rng = world.seed();
    let made = key_package::generate(added, 1, world.now, &mut rng)
        .unwrap()
        .remove(0);
    let mut rows = Rows::new();
    made.private.apply_to(&mut rows);
    let package = key_package::verify(&made.bytes, &world.anchors, world.now).unwrap();
    assert_eq!(package.reference, made.reference);
    let plan = CommitPlan {
        adds: vec![package],
        ..CommitPlan::default()
    };
    let (device, group) = adder;
    let commit = group.commit(device, plan, &Replace, &mut rng).unwrap();
    accept(hub, world, &commit);
    group.merge_own().unwrap();
    let welcome = commit.welcome.as_ref().unwrap();
    assert_eq!(
        sabir_mls::group::welcome_references(welcome).unwrap(),
        vec![made.reference]
    );
    join_welcome(rows, welcome, &commit.next.ratchet_tree, &world.judge(), &mut rng).unwrap()
}

fn same(groups: &[&Group], hub: &Observer) {
    for group in groups {
        assert_eq!(
            (group.epoch(), group.transcript_hash()),
            (hub.epoch(), hub.transcript_hash())
        );
        assert_eq!(
            group.members().collect::<Vec<_>>(),
            hub.members().collect::<Vec<_>>()
        );
    }
}

#[test]
fn two_people_talk_and_the_hub_follows_without_reading() {
    let mut world = World::new(1);
    let (alice, mut group, mut hub) = alone(&mut world);
    let bob = world.person('b', "bob").device;
    let mut bobs = add(&mut world, &mut hub, (&alice, &mut group), &bob);
    same(&[&group, &bobs], &hub);

    let mut rng = world.seed();
    let message = group
        .encrypt(&alice, vec![(0x20, vec![9; 32])], b"hello bob", &mut rng)
        .unwrap();
    assert!(!message.windows(5).any(|window| window == b"hello"));
    let judge = world.judge();
    match bobs.process(&message, &judge, &Replace, &mut rng).unwrap() {
        Incoming::Message(received) => {
            assert_eq!(received.plaintext, b"hello bob");
            assert_eq!(received.safe_aad, vec![(0x20, vec![9; 32])]);
            assert_eq!(
                (received.leaf, received.credential),
                (0, alice.credential.clone())
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        group.process(&message, &judge, &Replace, &mut rng).unwrap(),
        Incoming::OwnMessage
    ));
    assert!(matches!(
        hub.stage(&message, &judge, &Replace),
        Err(MlsError::Malformed(_))
    ));
    // The same message again: its key is gone.
    assert!(matches!(
        bobs.process(&message, &judge, &Replace, &mut rng),
        Err(MlsError::Invalid(_))
    ));
}

#[test]
fn groups_and_hub_come_back_from_their_rows() {
    let mut world = World::new(2);
    let (alice, mut group, mut hub) = alone(&mut world);
    let bob = world.person('b', "bob").device;
    let mut bobs = add(&mut world, &mut hub, (&alice, &mut group), &bob);
    let mut rng = world.seed();
    let id = group.group_id().to_vec();
    let (mut group_rows, mut bob_rows, mut hub_rows) = (Rows::new(), Rows::new(), Rows::new());
    group.take_changes().apply_to(&mut group_rows);
    bobs.take_changes().apply_to(&mut bob_rows);
    hub.take_changes().apply_to(&mut hub_rows);
    let mut group = Group::load(group_rows, &id, &mut rng).unwrap();
    let mut bobs = Group::load(bob_rows, &id, &mut rng).unwrap();
    let mut hub = Observer::load(hub_rows, &id, &mut rng).unwrap();
    same(&[&group, &bobs], &hub);
    let plan = CommitPlan {
        app_data: vec![(0x22, AppDataOperation::Update(b"other".to_vec()))],
        ..CommitPlan::default()
    };
    let commit = bobs.commit(&bob, plan, &Replace, &mut rng).unwrap();
    accept(&mut hub, &world, &commit);
    match group
        .process(&commit.commit, &world.judge(), &Replace, &mut rng)
        .unwrap()
    {
        Incoming::Commit(staged) => {
            assert_eq!(staged.facts.committer, Author::Member(1));
            assert_eq!(staged.facts.app_data.len(), 1);
            group.merge(*staged).unwrap();
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        bobs.process(&commit.commit, &world.judge(), &Replace, &mut rng)
            .unwrap(),
        Incoming::OwnCommit
    ));
    bobs.merge_own().unwrap();
    same(&[&group, &bobs], &hub);
    assert_eq!(
        group
            .component(sabir_wire::mls::ComponentId::PARTICIPANT_LIST)
            .unwrap(),
        b"other"
    );
}

#[test]
fn a_second_device_joins_from_outside_and_everybody_agrees() {
    let mut world = World::new(3);
    let person = world.person('a', "alice");
    let alice = person.device.clone();
    let mut group = world.group(&alice);
    let state = group.public_state(&alice).unwrap();
    let mut rng = world.seed();
    let outside = GroupInfoView {
        group_info: &state.group_info,
        ratchet_tree: &state.ratchet_tree,
    };
    let (mut hub, _) = Observer::create(outside, &world.judge(), &mut rng).unwrap();
    let second = world.device(&person, "alice2");
    let joined = join_external(&second, outside, &[], &world.judge(), &Replace, &mut rng).unwrap();
    accept(&mut hub, &world, &joined.commit);
    match group
        .process(&joined.commit.commit, &world.judge(), &Replace, &mut rng)
        .unwrap()
    {
        Incoming::Commit(staged) => {
            assert_eq!(
                (staged.facts.committer, staged.facts.committer_leaf),
                (Author::NewMember, 1)
            );
            group.merge(*staged).unwrap();
        }
        other => panic!("{other:?}"),
    }
    same(&[&group, &joined.group], &hub);
    // Once more from the same device: its old leaf is replaced.
    let again = join_external(
        &second,
        view(&joined.commit),
        &[],
        &world.judge(),
        &Replace,
        &mut rng,
    )
    .unwrap();
    let facts = staged(&mut hub, &world, &again.commit).facts;
    assert_eq!((facts.removes.len(), facts.committer_leaf), (1, 1));
}

#[test]
fn a_group_info_of_another_epoch_or_altered_is_refused_and_the_tree_is_compared() {
    let mut world = World::new(4);
    let (alice, mut group, mut hub) = alone(&mut world);
    let stale = group.public_state(&alice).unwrap();
    let mut rng = world.seed();
    let plan = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let commit = group.commit(&alice, plan, &Replace, &mut rng).unwrap();
    let staged_commit = staged(&mut hub, &world, &commit);
    let refused = |info: &[u8]| {
        hub.check_group_info(&staged_commit, info)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused(&stale.group_info).contains("not of the epoch"),
        "{}",
        refused(&stale.group_info)
    );
    let mut altered = commit.next.group_info.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert!(refused(&altered).contains("signature"), "{}", refused(&altered));
    assert!(
        hub.check_group_info(&staged_commit, &commit.next.group_info)
            .is_ok()
    );
    let error = hub
        .check_tree(&staged_commit, &tree(&stale.ratchet_tree))
        .unwrap_err();
    assert!(matches!(error, MlsError::RatchetTree));
    assert!(
        hub.check_tree(&staged_commit, &tree(&commit.next.ratchet_tree))
            .is_ok()
    );
}

#[test]
fn commits_of_another_epoch_and_broken_ones_change_nothing() {
    let mut world = World::new(5);
    let (alice, mut group, mut hub) = alone(&mut world);
    let mut rng = world.seed();
    let plan = || CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let first = group.commit(&alice, plan(), &Replace, &mut rng).unwrap();
    assert!(matches!(
        group.commit(&alice, plan(), &Replace, &mut rng),
        Err(MlsError::CommitPending)
    ));
    group.drop_own().unwrap();
    accept(&mut hub, &world, &first);
    let before = hub.transcript_hash().to_vec();
    let second = group.commit(&alice, plan(), &Replace, &mut rng).unwrap();
    let error = hub.stage(&second.commit, &world.judge(), &Replace).unwrap_err();
    assert!(matches!(error, MlsError::WrongEpoch { message: 0, group: 1 }));
    for at in 0..first.commit.len() {
        let mut broken = first.commit.clone();
        broken.truncate(at);
        assert!(hub.stage(&broken, &world.judge(), &Replace).is_err());
    }
    assert_eq!(hub.transcript_hash(), before);
}
