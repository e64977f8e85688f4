//! Random commands and restarts: every implementation answers as the model does, and keeps the invariants.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{Config, TestRunner};
use sabir_store::{Batch, MemoryStore};

use crate::action::{Action, Outcome, actions, run};
use crate::backend::{Backend, InMemory, OnDisk};
use crate::snapshot::{self, Snapshot, device, follower, hash, room};

#[test]
fn sqlite_does_what_the_model_does() {
    check(48, OnDisk::new);
}

#[test]
fn the_model_keeps_its_invariants() {
    check(256, || InMemory(MemoryStore::new()));
}

fn check<B: Backend>(cases: u32, new: impl Fn() -> B) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&actions(), |actions| {
        let mut subject = new();
        let mut oracle = InMemory(MemoryStore::new());
        let mut laws = Laws::default();
        let mut now = 1000;
        for (action, pause) in actions {
            now += pause;
            step(&mut subject, &mut oracle, &mut laws, action, now);
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn step(subject: &mut dyn Backend, oracle: &mut InMemory, laws: &mut Laws, action: Action, now: u64) {
    let before = snapshot::take(subject.store(), now);
    if matches!(action, Action::Restart) {
        subject.restart();
        oracle.restart();
    }
    let version = written_room(&action).and_then(|name| before.heads.get(&name).map(|head| head.version));
    let batch = in_flight(&before, &action);
    let did = run(subject.store(), action.clone(), version, batch, now);
    let expected = run(oracle.store(), action.clone(), version, batch, now);
    assert_eq!(did, expected, "{action:?}");
    let after = snapshot::take(subject.store(), now);
    assert_eq!(after, snapshot::take(oracle.store(), now), "{action:?}");
    match did {
        Outcome::Failed(failure) => panic!("{action:?}: {failure}"),
        Outcome::Conflict(_) | Outcome::Misuse(_) | Outcome::Restarted => {
            assert_eq!(before, after, "{action:?}")
        }
        Outcome::Done(answer) if answer.starts_with("AlreadyAnswered") => {
            assert_eq!(before, after, "{action:?}")
        }
        Outcome::Done(_) => {}
    }
    laws.hold(&before, &after);
    if let Action::Take { request, .. } = action {
        laws.given_once(subject, request, now);
    }
}

/// Laws that do not lean on the model.
#[derive(Default)]
struct Laws {
    frozen: BTreeMap<(String, String, u64), Batch>,
    last_cursor: BTreeMap<String, u64>,
    /// By reference and time of publication: a real reference fixes its lifetime, this small world's come again.
    given: BTreeMap<(Vec<u8>, u64), u8>,
}

impl Laws {
    fn hold(&mut self, before: &Snapshot, after: &Snapshot) {
        self.sequences_are_dense(before, after);
        self.cursors_are_dense(after);
        self.batches_are_frozen(after);
    }

    fn sequences_are_dense(&self, before: &Snapshot, after: &Snapshot) {
        for (name, head) in &after.heads {
            let was = before.heads.get(name).map_or(1, |head| head.version.next_seq);
            assert!(head.version.next_seq >= was, "sequence went back");
            let n = (0..snapshot::ROOMS).find(|n| room(*n) == *name).unwrap();
            let new: Vec<u64> = after.logs[usize::from(n)]
                .iter()
                .map(|entry| entry.seq)
                .filter(|seq| *seq >= was)
                .collect();
            let all: Vec<u64> = (was..head.version.next_seq).collect();
            assert_eq!(new, all, "the log has a gap");
        }
    }

    fn cursors_are_dense(&mut self, after: &Snapshot) {
        for (n, queue) in (0..).zip(&after.queues) {
            let last = self.last_cursor.entry(device(n)).or_default();
            for item in queue {
                if item.cursor > *last {
                    assert_eq!(item.cursor, *last + 1, "a cursor was left out or used again");
                    *last = item.cursor;
                }
            }
        }
    }

    fn batches_are_frozen(&mut self, after: &Snapshot) {
        let mut pairs = BTreeSet::new();
        for batch in &after.batches {
            assert!(
                pairs.insert((batch.room.clone(), batch.follower.clone())),
                "two batches in flight"
            );
            let name = (batch.room.clone(), batch.follower.clone(), batch.last_seq);
            let first = self.frozen.entry(name).or_insert_with(|| batch.clone());
            assert_eq!(
                (&first.entries, first.first_seq),
                (&batch.entries, batch.first_seq),
                "a batch changed"
            );
        }
    }

    /// Asks for the same request again and looks whether any package was given to another request. After the answers
    /// expired the key is as good as new, hence the time.
    fn given_once(&mut self, subject: &mut dyn Backend, request: u8, now: u64) {
        let again = sabir_store::TakeKeyPackages {
            request_key: hash(request),
            picks: Vec::new(),
            fresh: sabir_store::Freshness::default(),
            now,
        };
        for taken in subject.store().take_key_packages(again).wait().unwrap() {
            if let Some(package) = taken.package {
                let package = (package.reference, package.published_at);
                let first = *self.given.entry(package).or_insert(request);
                assert_eq!(first, request, "a key package was given twice");
            }
        }
    }
}

fn written_room(action: &Action) -> Option<String> {
    match action {
        Action::Create { write, .. } | Action::Apply { write, .. } | Action::Fanout { write, .. } => {
            Some(room(write.room))
        }
        _ => None,
    }
}

fn in_flight(before: &Snapshot, action: &Action) -> u64 {
    let (Action::OutboxAck {
        room: r, follower: f, ..
    }
    | Action::OutboxDefer {
        room: r, follower: f, ..
    }) = action
    else {
        return 0;
    };
    let mut batches = before.batches.iter();
    batches
        .find(|batch| batch.room == room(*r) && batch.follower == follower(*f))
        .map_or(0, |batch| batch.last_seq)
}
