//! The hybrid post-quantum suite beside the default one: a group by Welcome and from outside, and what it costs. The sizes
//! stand in `docs/performance.md`; with `--nocapture` they are printed, with times of this build.
#![allow(
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests; times are measured"
)]

mod world;

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_mls::group::{CommitPlan, Group, GroupInfoView, Incoming, OwnCommit, join_external, join_welcome};
use sabir_mls::rows::Rows;
use sabir_mls::{Device, key_package, suite};
use world::{Replace, World};

const MEMBERS: usize = 32;

#[derive(Debug, Default)]
struct Cost {
    key_package: usize,
    welcome: usize,
    add: usize,
    renew: usize,
    tree: usize,
    /// Making a key package, making and following the commit that renews a leaf.
    times: [Duration; 3],
}

struct Room {
    world: World,
    people: Vec<(Device, Group)>,
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    (work(), began.elapsed())
}

impl Room {
    fn take(&mut self, by: usize, commit: &OwnCommit) -> Duration {
        let judge = self.world.judge();
        let mut longest = Duration::ZERO;
        for (i, (_, group)) in self.people.iter_mut().enumerate() {
            if i == by {
                group.merge_own().unwrap();
                continue;
            }
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let (_, time) = timed(
                || match group.process(&commit.commit, &judge, &Replace, &mut rng) {
                    Ok(Incoming::Commit(staged)) => group.merge(*staged).unwrap(),
                    other => panic!("{other:?}"),
                },
            );
            longest = longest.max(time);
        }
        longest
    }
}

/// Thirty-two people come one by one, each renews their leaf, and one more comes from outside.
fn story(suite: u16) -> Cost {
    let mut world = World::new(9);
    let mut rng = world.seed();
    let mut cost = Cost::default();
    let mut founder = world.person('a', "p0").device;
    founder.suite = suite;
    let group = world.group(&founder);
    assert_eq!(group.suite(), suite);
    let mut room = Room {
        world,
        people: vec![(founder, group)],
    };
    let renew = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    for n in 1..MEMBERS {
        let mut device = room.world.person('b', &format!("p{n}")).device;
        device.suite = suite;
        let now = room.world.now;
        let (mut made, time) = timed(|| key_package::generate(&device, 1, now, &mut rng).unwrap());
        let made = made.remove(0);
        (cost.key_package, cost.times[0]) = (made.bytes.len(), time);
        let mut rows = Rows::new();
        made.private.apply_to(&mut rows);
        let package = key_package::verify(&made.bytes, &room.world.anchors, now).unwrap();
        assert_eq!(package.suite, suite);
        let plan = CommitPlan {
            adds: vec![package],
            ..CommitPlan::default()
        };
        let (by, group) = &mut room.people[0];
        let commit = group.commit(by, plan, &Replace, &mut rng).unwrap();
        room.take(0, &commit);
        let welcome = commit.welcome.as_ref().unwrap();
        (cost.welcome, cost.add) = (welcome.len(), commit.commit.len());
        let tree = &commit.next.ratchet_tree;
        let joined = join_welcome(rows, welcome, tree, &room.world.judge(), &mut rng).unwrap();
        room.people.push((device, joined));
        // With their own leaf renewed the nodes above them have keys, so that later paths are short.
        let (by, group) = &mut room.people[n];
        let (commit, made) = timed(|| group.commit(by, renew.clone(), &Replace, &mut rng).unwrap());
        let followed = room.take(n, &commit);
        (cost.renew, cost.tree) = (commit.commit.len(), commit.next.ratchet_tree.len());
        (cost.times[1], cost.times[2]) = (made, followed);
    }
    let (device, first) = &mut room.people[0];
    let state = first.public_state(device).unwrap();
    let mut late = room.world.person('b', "late").device;
    late.suite = suite;
    let view = GroupInfoView {
        group_info: &state.group_info,
        ratchet_tree: &state.ratchet_tree,
    };
    let joined = join_external(&late, view, &[], &room.world.judge(), &Replace, &mut rng).unwrap();
    let (external, mut late_group) = (joined.commit, joined.group);
    room.take(usize::MAX, &external);
    // What the one from outside says, the first and the last read.
    let sealed = late_group
        .encrypt(&late, vec![(0x20, vec![7; 32])], b"salaam", &mut rng)
        .unwrap();
    for at in [0, MEMBERS - 1] {
        let (_, group) = &mut room.people[at];
        let judge = room.world.judge();
        let Incoming::Message(received) = group.process(&sealed, &judge, &Replace, &mut rng).unwrap() else {
            panic!("a message");
        };
        assert_eq!(received.plaintext.as_slice(), b"salaam");
    }
    cost
}

#[test]
fn the_hybrid_suite_works_as_the_default_does_and_is_so_much_larger() {
    let classical = story(suite::DEFAULT);
    let hybrid = story(suite::HYBRID);
    println!("classical {classical:?}\nhybrid    {hybrid:?}");
    // ML-KEM's part: 1,184 bytes of each public key, 1,088 of each encapsulation.
    let more = |hybrid: usize, classical: usize| hybrid.abs_diff(classical);
    assert!((2368..2400).contains(&more(hybrid.key_package, classical.key_package)));
    assert!((1088..1300).contains(&more(hybrid.welcome, classical.welcome)));
    // A new leaf, and five nodes above it, each sealed to one other.
    let path = 1184 + 5 * (1184 + 1088);
    assert!((path..path + 64).contains(&more(hybrid.renew, classical.renew)));
    assert!(hybrid.key_package < 5_000 && hybrid.renew < 25_000);
}
