//! How long a hub takes for a commit in a large room: `cargo xtask bench hub`.
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

use std::time::{Duration, Instant};

use group_support::{List, Scene, room_uri};
use sabir_core::hub::{Effects, Hub, HubContext};
use sabir_core::room::MEMBER;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::protocol::{
    HandshakeBundle, RatchetTreeOption, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};

/// People added by one commit while the room fills.
const BATCH: usize = 100;

/// What a call cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    /// Bytes of rows to persist.
    rows: usize,
}

/// A group room of its owner, with names for `people` people in all.
fn scene(people: usize) -> (Scene, Vec<&'static str>) {
    let names: Vec<&'static str> = (1..people)
        .map(|number| &*Box::leak(format!("p{number}").into_boxed_str()))
        .collect();
    // Nobody but Alice follows: only the hub is measured.
    let others: Vec<(&'static str, char)> = names.iter().map(|name| (*name, 'b')).collect();
    (Scene::new(9, &others), names)
}

/// Alice adds these people, and the hub takes the commit.
fn adds(scene: &mut Scene, names: &[&'static str]) -> Cost {
    let roles: Vec<(&'static str, u32)> = names.iter().map(|name| (*name, MEMBER)).collect();
    let list = List {
        added: &roles,
        ..List::default()
    };
    let plan = scene.plan(&list, names, &[]);
    commits(scene, plan, false)
}

/// Alice commits, and the hub takes it; the ratchet tree is left to the hub or comes along.
fn commits(scene: &mut Scene, plan: CommitPlan, with_tree: bool) -> Cost {
    let commit = scene.commits("alice", plan);
    let mut request = Scene::bundle(&commit);
    if let (HandshakeBundle::Commit { ratchet_tree, .. }, false) = (&mut request.bundle, with_tree) {
        *ratchet_tree = RatchetTreeOption::DistributionService;
    }
    let bytes = request.to_bytes();
    let origin = scene.origin("alice");
    let cx = HubContext {
        identity: &scene.identity,
        anchors: &scene.world.anchors,
    };
    scene.now += 1;
    let (started, cpu) = (Instant::now(), cpu_time());
    let request = UpdateRequest::from_bytes(&bytes).unwrap();
    let effects: Effects = scene
        .hub
        .update(cx, scene.now, &origin, &request, &scene.routes)
        .unwrap();
    let cost = Cost {
        wall: started.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
        rows: effects.changes.puts.values().map(Vec::len).sum(),
    };
    let answer = UpdateRoomResponse::from_bytes(&effects.reply).unwrap();
    assert!(
        matches!(answer.outcome, UpdateOutcome::Success { .. }),
        "{answer:?}"
    );
    effects.changes.apply_to(&mut scene.rows);
    let alice = scene.members.get_mut("alice").unwrap();
    alice.group.as_mut().unwrap().merge_own().unwrap();
    scene.last = commit.next;
    cost
}

/// CPU time of this thread so far; zero where the system does not tell.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = stat.split_whitespace().next();
    Duration::from_nanos(first.and_then(|text| text.parse().ok()).unwrap_or_default())
}

fn settings(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// One line of figures for a kind of commit.
fn report(kind: &str, people: usize, costs: &mut [Cost]) {
    let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let rows = costs.iter().map(|cost| cost.rows).max().unwrap();
    // The system counts in ticks, so that the mean alone says something.
    let cpu = millis(costs.iter().map(|cost| cost.cpu).sum::<Duration>()) / costs.len() as f64;
    costs.sort_by_key(|cost| cost.wall);
    let (p50, p99) = (costs[costs.len() / 2].wall, costs[costs.len() * 99 / 100].wall);
    println!(
        "{{\"commit\":\"{kind}\",\"members\":{people},\"least_ms\":{:.2},\"p50_ms\":{:.2},\"p99_ms\":{:.2},\"cpu_ms\":{cpu:.2},\"row_bytes\":{rows}}}",
        millis(costs[0].wall),
        millis(p50),
        millis(p99),
    );
}

/// The engine's part of one commit, from the request's bytes on. The store's part is the provider's.
#[test]
#[ignore = "a measurement"]
fn commits_in_a_large_room() {
    let people = settings("SABIR_BENCH_MEMBERS", 1000);
    let rounds = settings("SABIR_BENCH_COMMITS", 50);
    let (mut scene, names) = scene(people + settings("SABIR_BENCH_ADDS", 5));
    let (first, later) = names.split_at(people - 1);
    for batch in first.chunks(BATCH) {
        adds(&mut scene, batch);
    }
    assert_eq!(scene.hub.clients().count(), people);
    for (kind, with_tree) in [("update", false), ("update with tree", true)] {
        let mut costs: Vec<Cost> = (0..rounds)
            .map(|_| commits(&mut scene, Scene::refresh(), with_tree))
            .collect();
        report(kind, people, &mut costs);
    }
    let mut costs: Vec<Cost> = later.iter().map(|name| adds(&mut scene, &[*name])).collect();
    report("add", people, &mut costs);
    let mut rng = scene.rng();
    let (started, cpu) = (Instant::now(), cpu_time());
    Hub::load(room_uri(), &scene.rows, &mut rng).unwrap();
    let cost = Cost {
        wall: started.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
        rows: scene.rows.values().map(Vec::len).sum(),
    };
    report("load", people, &mut [cost]);
}

/// A commit writes the leaf and the inner nodes that it changes, and whatever holds the list; not the tree.
#[test]
fn a_commit_writes_little() {
    let rows = |people: usize| -> usize {
        let (mut scene, names) = scene(people);
        adds(&mut scene, &names);
        let costs = (0..3).map(|_| commits(&mut scene, Scene::refresh(), false));
        costs.map(|cost| cost.rows).max().unwrap()
    };
    let (small, large) = (rows(40), rows(160));
    // The list of people stands in the GroupContext, which is kept twice, at some thirty bytes each; a leaf is more
    // than a kilobyte.
    assert!(large < small + 120 * 100, "{small} {large}");
}
