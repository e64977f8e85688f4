//! What a member's own client could ask of an honest hub, and what the hub's engine is after it said no.
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
use sabir_core::hub::{Effects, HubContext, HubError, Origin, Route};
use sabir_core::room::RoomRules;
use sabir_mls::Device;
use sabir_mls::group::{CommitPlan, OwnCommit};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{GroupInfo, MlsMessage, RatchetTree, Welcome};
use sabir_wire::protocol::{
    GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};

fn talking(seed: u64) -> Story {
    let mut story = Story::new(seed);
    story.open();
    story.say(alice, "one");
    story.settle();
    story
}

/// Bob's commit that adds these devices, whose key packages all went through the hub.
fn adds(story: &mut Story, devices: &[Device]) -> UpdateRequest {
    let mut plan = CommitPlan::default();
    for device in devices {
        let package = story.package(device);
        let route = Route::Provider(package.client.domain().clone());
        story.hub.routes.insert(package.reference.clone(), route);
        plan.adds.push(package);
    }
    let mut group = story.rogue_group();
    let device = story.bob.device.clone();
    let commit = group.commit(&device, plan, &RoomRules, &mut story.rng).unwrap();
    request(&commit)
}

fn request(commit: &OwnCommit) -> UpdateRequest {
    let welcome = commit
        .welcome
        .as_deref()
        .map(|bytes| Welcome::from_bytes(bytes).unwrap());
    let info = GroupInfo::from_bytes(&commit.next.group_info).unwrap();
    UpdateRequest {
        bundle: HandshakeBundle::Commit {
            message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
            welcome,
            group_info: Box::new(GroupInfoOption::Full(info)),
            ratchet_tree: RatchetTreeOption::Full(
                RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap(),
            ),
        },
    }
}

fn update(story: &mut Story, request: &UpdateRequest) -> Result<Effects, HubError> {
    let cx = HubContext {
        identity: &story.identity,
        anchors: &story.world.anchors,
    };
    let origin = Origin {
        provider: world::domain("b.example"),
        client: None,
    };
    let hub = story.hub.hub.as_mut().unwrap();
    hub.update(cx, story.now, &origin, request, &story.hub.routes)
}

fn outcome(effects: &Effects) -> UpdateOutcome {
    UpdateRoomResponse::from_bytes(&effects.reply).unwrap().outcome
}

fn bobs_device(story: &mut Story, name: &str) -> Device {
    let now = story.now;
    world::device(&story.bob.person, name, &mut story.rng, now)
}

#[test]
fn a_revoked_device_does_not_come_in_with_the_list_that_revokes_it() {
    let mut story = talking(1);
    let mut new = bobs_device(&mut story, "bob2");
    new.device_list = world::device_list(&story.bob.person, 2, &[&story.bob.device.key, &new.key]);
    let revoked = bobs_device(&mut story, "bob3");
    let request = adds(&mut story, &[new.clone(), revoked]);
    let effects = update(&mut story, &request).unwrap();
    assert_eq!(outcome(&effects), UpdateOutcome::NotAllowed);
    assert!(effects.changes.is_empty() && effects.events.is_empty());
    assert_eq!(effects.epoch, 1);
    // Without it the other one may: the engine is as it was.
    let request = adds(&mut story, &[new]);
    let effects = update(&mut story, &request).unwrap();
    assert!(matches!(outcome(&effects), UpdateOutcome::Success { .. }));
}

#[test]
fn two_devices_on_lists_of_different_age_come_in_where_the_newer_names_both() {
    let mut story = talking(2);
    let mut older = bobs_device(&mut story, "bob2");
    older.device_list = world::device_list(&story.bob.person, 2, &[&story.bob.device.key, &older.key]);
    let mut newer = bobs_device(&mut story, "bob3");
    newer.device_list = world::device_list(&story.bob.person, 3, &[&older.key, &newer.key]);
    let request = adds(&mut story, &[older, newer]);
    let effects = update(&mut story, &request).unwrap();
    assert!(matches!(outcome(&effects), UpdateOutcome::Success { .. }));
}

#[test]
fn a_stranger_is_refused_before_anybody_asks_for_a_strangers_authority() {
    let mut story = talking(3);
    let domain = world::domain("nowhere.example");
    let (mut rng, now) = (story.rng.clone(), story.now);
    let elsewhere = sabir_mls::identity::ProviderCa::generate(&domain, now, &mut rng).unwrap();
    let ghost = world::person(&elsewhere, "ghost", &mut rng, now);
    let anchors = story.world.anchors.clone();
    story.world.anchors.pin(&domain, elsewhere.to_anchor()).unwrap();
    let request = adds(&mut story, &[ghost.device]);
    story.world.anchors = anchors;
    let effects = update(&mut story, &request).unwrap();
    assert_eq!(outcome(&effects), UpdateOutcome::NotAllowed);
}

#[test]
fn a_refusal_at_the_last_step_leaves_the_engine_as_it_was() {
    let mut story = talking(4);
    let mut device = bobs_device(&mut story, "bob2");
    device.device_list = world::device_list(&story.bob.person, 2, &[&story.bob.device.key, &device.key]);
    let good = adds(&mut story, &[device]);
    let mut bad = good.clone();
    if let HandshakeBundle::Commit { ratchet_tree, .. } = &mut bad.bundle {
        let hub = story.rogue_group().public_state(&story.bob.device).unwrap();
        *ratchet_tree = RatchetTreeOption::Full(RatchetTree::from_bytes(&hub.ratchet_tree).unwrap());
    }
    let before = story.hub.hub.as_ref().unwrap().transcript_hash().to_vec();
    let effects = update(&mut story, &bad).unwrap();
    assert_eq!(outcome(&effects), UpdateOutcome::NotAllowed);
    let hub = story.hub.hub.as_ref().unwrap();
    assert_eq!((hub.epoch(), hub.transcript_hash()), (1, before.as_slice()));
    assert_eq!(hub.clients().count(), 2);
    let effects = update(&mut story, &good).unwrap();
    assert!(matches!(outcome(&effects), UpdateOutcome::Success { .. }));
    assert_eq!(story.hub.hub.as_ref().unwrap().clients().count(), 3);
}

#[test]
fn a_message_costs_its_hub_a_few_bytes_of_state() {
    let mut story = talking(5);
    story.say(bob, "two");
    let before = story.hub.rows.clone();
    story.now += 10;
    story.settle();
    let changed = |(key, value): &(&Vec<u8>, &Vec<u8>)| before.get(*key) != Some(*value);
    let bytes: usize = story
        .hub
        .rows
        .iter()
        .filter(changed)
        .map(|(_, value)| value.len())
        .sum();
    assert_eq!(bytes, 8);
    // The time still never runs backwards, over a restart too.
    story.now -= 1_000_000;
    story.restart();
    story.say(bob, "three");
    story.settle();
    let times: Vec<u64> = story.alice.messages().map(|message| message.accepted).collect();
    assert!(times.is_sorted(), "{times:?}");
}
