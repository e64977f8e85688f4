//! A hub or a member that lies: nobody gets in silently, nothing gets stuck, and sending stops until a person
//! says otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod attack_support;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use attack_support::{Story, alice, bob};
use sabir_core::conversation::{Alarm, ConversationEvent, MessageEvent};
use sabir_mls::Device;
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::Encode as _;
use sabir_wire::components::RoomMetaData;
use sabir_wire::mls::ComponentId;

fn talking(seed: u64) -> Story {
    let mut story = Story::new(seed);
    story.open();
    story.say(alice, "one");
    story.settle();
    story.say(bob, "two");
    story.settle();
    story
}

fn adding(story: &mut Story, device: &Device) -> CommitPlan {
    CommitPlan {
        adds: vec![story.package(device)],
        ..CommitPlan::default()
    }
}

fn alarms(events: &[ConversationEvent]) -> Vec<&Alarm> {
    fn alarm(event: &ConversationEvent) -> Option<&Alarm> {
        match event {
            ConversationEvent::Alarm(alarm) => Some(alarm),
            _ => None,
        }
    }
    events.iter().filter_map(alarm).collect()
}

fn message(events: &[ConversationEvent]) -> &MessageEvent {
    match events {
        [ConversationEvent::Message(message)] => message,
        other => panic!("{other:?}"),
    }
}

/// Sending is stopped, over a restart too, and what is written waits.
fn assert_stopped(story: &mut Story) {
    story.restart();
    assert!(story.hers().sending_stopped().is_some() && !story.hers().is_ready());
    story.say(alice, "held back");
    assert_eq!(story.draw_up(alice), None);
    assert_eq!(story.hers().queued(), 1);
}

#[test]
fn a_stranger_let_in_by_the_hub_stops_sending_and_is_marked() {
    let mut story = talking(1);
    let mallory = story.world.person('b', "mallory");
    let plan = adding(&mut story, &mallory.device);
    let epoch = story.hers().epoch();
    let (_, events) = story.rogue_commit(plan);
    let events = events.unwrap();
    assert!(
        matches!(alarms(&events).as_slice(), [Alarm::Unverified { .. }]),
        "{events:?}"
    );
    // It is merged all the same: a room must not fork.
    assert_eq!(story.hers().epoch(), epoch + 1);
    assert_eq!(story.hers().unverified(), [world::user_of(&mallory)]);
    assert_stopped(&mut story);
    story.resume();
    assert!(story.hers().is_ready());
    assert!(story.draw_up(alice).is_some());
    // A stranger stays unverified: there is nothing to agree to.
    assert_eq!(story.hers().unverified(), [world::user_of(&mallory)]);
}

#[test]
fn a_stranger_of_an_unheard_provider_does_not_hold_up_the_log() {
    let mut story = talking(2);
    let elsewhere = sabir_mls::identity::ProviderCa::generate(
        &world::domain("nowhere.example"),
        story.now,
        &mut story.rng,
    )
    .unwrap();
    let ghost = world::person(&elsewhere, "ghost", &mut story.rng, story.now);
    let anchors = story.world.anchors.clone();
    story
        .world
        .anchors
        .pin(elsewhere.domain(), elsewhere.to_anchor())
        .unwrap();
    let plan = adding(&mut story, &ghost.device);
    story.world.anchors = anchors;
    let (_, events) = story.rogue_commit(plan);
    let events = events.unwrap();
    assert!(
        matches!(alarms(&events).as_slice(), [Alarm::Unverified { .. }]),
        "{events:?}"
    );
}

#[test]
fn another_identity_key_of_a_known_person_is_no_silent_device() {
    let mut story = talking(3);
    // Bob's provider issues what it likes under its own authority: a second "bob".
    let (mut rng, now) = (story.rng.clone(), story.now);
    let second = world::person(&story.world.b, "bob", &mut rng, now);
    let device = world::device(&second, "bob2", &mut rng, now);
    let plan = adding(&mut story, &device);
    let (_, events) = story.rogue_commit(plan);
    let events = events.unwrap();
    assert!(
        matches!(alarms(&events).as_slice(), [Alarm::Unverified { .. }]),
        "{events:?}"
    );
    assert_stopped(&mut story);
    story.resume();
    // The person agreed: this is Bob now.
    assert!(story.hers().unverified().is_empty());
}

#[test]
fn a_message_of_an_unproved_client_is_marked() {
    let mut story = talking(4);
    let (mut rng, now) = (story.rng.clone(), story.now);
    let second = world::person(&story.world.b, "bob", &mut rng, now);
    let device = world::device(&second, "bob2", &mut rng, now);
    let made = sabir_mls::key_package::generate(&device, 1, now, &mut rng).unwrap();
    let plan = CommitPlan {
        adds: vec![sabir_mls::key_package::verify(&made[0].bytes, &story.world.anchors, now).unwrap()],
        ..CommitPlan::default()
    };
    let mut group = story.rogue_group();
    let bobs = story.bob.device.clone();
    let rules = sabir_core::room::RoomRules;
    let commit = group.commit(&bobs, plan, &rules, &mut rng).unwrap();
    group.merge_own().unwrap();
    let entry = story.entry(&commit.commit);
    story.hand(alice, &entry).unwrap();
    let mut rows = sabir_mls::rows::Rows::new();
    made[0].private.apply_to(&mut rows);
    let judge = story.world.judge();
    let mut joined = sabir_mls::group::join_welcome(
        rows,
        &commit.welcome.unwrap(),
        &commit.next.ratchet_tree,
        &judge,
        &mut rng,
    )
    .unwrap();
    let user = story.bob.me.clone();
    let false_one = story.rogue_message(&mut joined, &device, &user, "it is me");
    assert!(!message(&story.hand(alice, &false_one).unwrap()).verified);
    let true_one = story.rogue_message(&mut group, &bobs, &user, "no, me");
    assert!(message(&story.hand(alice, &true_one).unwrap()).verified);
}

#[test]
fn a_device_that_a_newer_list_revokes_does_not_come_in() {
    let mut story = talking(5);
    let (mut rng, now) = (story.rng.clone(), story.now);
    let mut new = world::device(&story.bob.person, "bob2", &mut rng, now);
    new.device_list = world::device_list(&story.bob.person, 2, &[&story.bob.device.key, &new.key]);
    let revoked = world::device(&story.bob.person, "bob3", &mut rng, now);
    // Within one commit.
    let mut plan = adding(&mut story, &new);
    plan.adds.push(story.package(&revoked));
    let (_, events) = story.rogue_commit(plan);
    let events = events.unwrap();
    assert!(
        matches!(alarms(&events).as_slice(), [Alarm::Unverified { .. }]),
        "{events:?}"
    );
}

#[test]
fn two_lists_of_one_version_do_not_stand_beside_each_other() {
    // Within one commit, and after a restart against the one that was seen.
    for together in [true, false] {
        let mut story = talking(13);
        let (mut rng, now) = (story.rng.clone(), story.now);
        let device = |story: &Story, name: &str, rng: &mut _| {
            let mut new = world::device(&story.bob.person, name, rng, now);
            new.device_list = world::device_list(&story.bob.person, 2, &[&story.bob.device.key, &new.key]);
            new
        };
        let (one, other) = (device(&story, "bob2", &mut rng), device(&story, "bob3", &mut rng));
        let mut plan = adding(&mut story, &one);
        if together {
            plan.adds.push(story.package(&other));
        } else {
            let (group, events) = story.rogue_commit(plan);
            assert!(alarms(&events.unwrap()).is_empty());
            let changes = { group }.take_changes();
            sabir_core::scoped(changes).apply_to(&mut story.bob.rows);
            story.restart();
            plan = adding(&mut story, &other);
        }
        let (_, events) = story.rogue_commit(plan);
        assert!(
            matches!(alarms(&events.unwrap()).as_slice(), [Alarm::Unverified { .. }]),
            "together: {together}"
        );
    }
}

#[test]
fn a_device_on_an_older_list_than_seen_does_not_come_in() {
    let mut story = talking(6);
    let (mut rng, now) = (story.rng.clone(), story.now);
    let mut new = world::device(&story.bob.person, "bob2", &mut rng, now);
    new.device_list = world::device_list(&story.bob.person, 2, &[&story.bob.device.key, &new.key]);
    let plan = adding(&mut story, &new);
    let (group, events) = story.rogue_commit(plan);
    assert!(alarms(&events.unwrap()).is_empty());
    let changes = { group }.take_changes();
    sabir_core::scoped(changes).apply_to(&mut story.bob.rows);
    story.restart();
    let revoked = world::device(&story.bob.person, "bob3", &mut rng, now);
    let plan = adding(&mut story, &revoked);
    let (_, events) = story.rogue_commit(plan);
    assert!(matches!(
        alarms(&events.unwrap()).as_slice(),
        [Alarm::Unverified { .. }]
    ));
}

#[test]
fn removals_and_state_changes_that_the_room_forbids_are_alarmed() {
    let mut story = talking(7);
    let metadata = RoomMetaData {
        room_name: "mine".to_owned(),
        ..story.hers().state().metadata.clone()
    };
    let plan = CommitPlan {
        app_data: vec![(
            ComponentId::ROOM_METADATA.0,
            AppDataOperation::Update(metadata.to_bytes()),
        )],
        ..CommitPlan::default()
    };
    let (_, events) = story.rogue_commit(plan);
    let events = events.unwrap();
    assert!(
        matches!(alarms(&events).as_slice(), [Alarm::Forbidden { .. }]),
        "{events:?}"
    );
    assert_stopped(&mut story);
}

#[test]
fn an_entry_that_cannot_be_applied_is_an_alarm_and_not_a_blank() {
    let mut story = talking(8);
    let mut group = story.rogue_group();
    let device = story.bob.device.clone();
    let plan = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let rules = sabir_core::room::RoomRules;
    let mut commit = group
        .commit(&device, plan, &rules, &mut story.rng)
        .unwrap()
        .commit;
    let last = commit.len() - 1;
    commit[last] ^= 1;
    let entry = story.entry(&commit);
    let events = story.hand(alice, &entry).unwrap();
    assert!(
        matches!(alarms(&events).as_slice(), [Alarm::BadCommit { .. }]),
        "{events:?}"
    );
}

#[test]
fn an_honest_refresh_alarms_nobody() {
    let mut story = talking(9);
    let plan = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let (_, events) = story.rogue_commit(plan);
    assert!(events.unwrap().is_empty());
    assert!(story.hers().is_ready());
}

#[test]
fn a_renewed_leaf_carries_the_newest_device_list() {
    let mut story = talking(10);
    let mut device = story.bob.device.clone();
    device.device_list = world::device_list(&story.bob.person, 7, &[&device.key]);
    let mut group = story.rogue_group();
    let plan = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let rules = sabir_core::room::RoomRules;
    group.commit(&device, plan, &rules, &mut story.rng).unwrap();
    group.merge_own().unwrap();
    let judge = story.world.judge();
    let facts = group.judge_members(&judge);
    let own = facts.iter().find(|(leaf, _)| *leaf == group.own_leaf()).unwrap();
    assert_eq!(own.1.device_list.as_ref(), Some(&device.device_list));
}
