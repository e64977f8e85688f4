//! How long a hub takes for a commit in a large room. Run with
//! `cargo test --release -p sabir-core --test hub_speed -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

#[path = "group_support/mod.rs"]
mod group_support;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use std::time::Instant;

use group_support::{List, Scene, room_uri};
use sabir_core::hub::{Hub, HubContext};
use sabir_core::room::MEMBER;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::protocol::{UpdateOutcome, UpdateRequest, UpdateRoomResponse};

/// People in the room, with one device each.
const PEOPLE: usize = 1000;
const BATCH: usize = 100;

/// The engine's part of one commit, in milliseconds; the store's is measured with the provider.
#[test]
#[ignore = "a measurement"]
fn a_commit_among_a_thousand() {
    let names: Vec<&'static str> = (1..PEOPLE)
        .map(|number| &*Box::leak(format!("p{number}").into_boxed_str()))
        .collect();
    let others: Vec<(&'static str, char)> = names.iter().map(|name| (*name, 'b')).collect();
    let mut scene = Scene::new(9, &others);
    // Nobody but Alice follows: only the hub is measured.
    for batch in names.chunks(BATCH) {
        let roles: Vec<(&'static str, u32)> = batch.iter().map(|name| (*name, MEMBER)).collect();
        let list = List {
            added: &roles,
            ..List::default()
        };
        let plan = scene.plan(&list, batch, &[]);
        let commit = scene.commits("alice", plan);
        let started = Instant::now();
        let (outcome, why, _) = scene.update("alice", &Scene::bundle(&commit));
        assert!(matches!(outcome, UpdateOutcome::Success { .. }), "{why}");
        println!(
            "{} added, {} in all: {:?}",
            batch.len(),
            scene.hub.clients().count(),
            started.elapsed()
        );
        scene.last = commit.next.clone();
        let alice = scene.members.get_mut("alice").unwrap();
        alice.group.as_mut().unwrap().merge_own().unwrap();
        scene.members.values_mut().for_each(|member| member.inbox.clear());
    }
    assert_eq!(scene.hub.clients().count(), PEOPLE);
    let mut rng = scene.rng();
    let mut times = Vec::new();
    for _ in 0..20 {
        let commit = scene.commits("alice", Scene::refresh());
        let request = UpdateRequest::from_bytes(&Scene::bundle(&commit).to_bytes()).unwrap();
        let origin = scene.origin("alice");
        let cx = HubContext {
            identity: &scene.identity,
            anchors: &scene.world.anchors,
        };
        scene.now += 1;
        let started = Instant::now();
        let effects = scene
            .hub
            .update(cx, scene.now, &origin, &request, &scene.routes)
            .unwrap();
        times.push(started.elapsed());
        let answer = UpdateRoomResponse::from_bytes(&effects.reply).unwrap();
        assert!(
            matches!(answer.outcome, UpdateOutcome::Success { .. }),
            "{answer:?}"
        );
        effects.changes.apply_to(&mut scene.rows);
        let alice = scene.members.get_mut("alice").unwrap();
        alice.group.as_mut().unwrap().merge_own().unwrap();
        scene.last = commit.next;
    }
    times.sort();
    println!(
        "a commit in a room of {PEOPLE}: median {:?}, slowest {:?}",
        times[times.len() / 2],
        times[times.len() - 1]
    );
    let started = Instant::now();
    Hub::load(room_uri(), &scene.rows, &mut rng).unwrap();
    println!("loading it: {:?}", started.elapsed());
}
