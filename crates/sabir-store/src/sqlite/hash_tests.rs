//! Rows found by their hash, in memory and in the index.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::fail::Fail;
use super::hashes::{self, Hashes, Table};
use super::{SqliteStore, open};
use crate::{Answer, CreateRoom, Enqueue, Once, Pending, Retention, RoomEvent, RoomKind, RoomWrite, Store};

#[test]
fn a_request_is_answered_once_wherever_its_answer_is_found() {
    let world = World::new();
    let mut store = world.open();
    for n in 0..400 {
        assert!(matches!(request(&store, "a", n).wait(), Ok(Once::Done(_))), "{n}");
        if n % 57 == 0 {
            drop(store);
            store = world.open();
        }
        // Of memory, of the rows that are leaving it, and of the index.
        for earlier in [n, n / 2, n / 10, 0] {
            let kept = Some(response("a", earlier));
            assert_eq!(
                store.answered("a", &hash(earlier)).unwrap(),
                kept,
                "{n}: {earlier}"
            );
            assert_eq!(
                request(&store, "a", earlier).wait().unwrap(),
                Once::AlreadyAnswered(response("a", earlier)),
                "{n}: {earlier}"
            );
        }
        assert_eq!(store.answered("a", &hash(n + 1)).unwrap(), None);
        assert_eq!(store.answered("b", &hash(n)).unwrap(), None, "of another origin");
    }
    drop(store);
    let in_index = world.count("answers_by_hash");
    assert!(in_index > 300, "{in_index} rows are in the index");
}

#[test]
fn hashes_that_begin_alike_are_told_apart() {
    let world = World::new();
    let mut store = world.open();
    for n in 0..40 {
        for origin in ["a", "b"] {
            assert!(matches!(alike(&store, origin, n).wait(), Ok(Once::Done(_))));
        }
        if n == 20 {
            drop(store);
            store = world.open();
        }
    }
    for n in 0..40 {
        for origin in ["a", "b"] {
            let again = alike(&store, origin, n).wait().unwrap();
            assert_eq!(again, Once::AlreadyAnswered(response(origin, n)));
        }
    }
}

#[test]
fn two_of_one_group_are_one() {
    let world = World::new();
    let store = world.open();
    let both: Vec<_> = (0..20).map(|_| request(&store, "a", 1)).collect();
    let done = both
        .into_iter()
        .map(Pending::wait)
        .filter(|result| matches!(result, Ok(Once::Done(_))))
        .count();
    assert_eq!(done, 1);
}

#[test]
fn what_expired_is_found_nowhere() {
    let world = World::new();
    let mut store = world.open();
    for round in 0..3 {
        for n in 0..60 {
            assert!(
                matches!(request(&store, "a", n).wait(), Ok(Once::Done(_))),
                "{round} {n}"
            );
        }
        // Some are in the index, some leave, some are young.
        assert_eq!(store.expire(1000, NOTHING_KEPT).unwrap().answers, 60);
        assert_eq!(store.answered("a", &hash(round)).unwrap(), None);
        drop(store);
        assert_eq!(world.count("answers") + world.count("answers_by_hash"), 0);
        store = world.open();
    }
}

#[test]
fn a_command_that_fails_is_forgotten() {
    let world = World::new();
    let store = world.open();
    let failing = store.write("half", Ok(()), |connection, notes| {
        let answer = answer("a", hash(1), 1);
        super::room::keep_answer(connection, notes, Some(&answer), 0)?;
        Err::<(), _>(Fail::Damaged)
    });
    assert!(failing.wait().is_err());
    let candidates = |hashes: &Hashes| {
        store
            .read("look", |c| {
                let fingerprint = hashes::of_answer("a", hashes::first(&hash(1)));
                Ok(hashes.candidates(c, Table::Answers, fingerprint)?)
            })
            .unwrap()
    };
    assert_eq!(candidates(&store.hashes), Vec::<i64>::new());
    assert!(matches!(request(&store, "a", 1).wait(), Ok(Once::Done(_))));
    assert_eq!(candidates(&store.hashes).len(), 1);
}

/// Otherwise whoever may send much would have the writer look through all of it for each.
#[test]
fn one_hash_of_many_is_many_fingerprints() {
    let rooms: BTreeSet<i64> = (0..1000).map(|room| hashes::of_message(room, [7; 8])).collect();
    let origins: BTreeSet<i64> = (0..1000)
        .map(|n| hashes::of_answer(&format!("mimi://a.example/d/{n}"), [7; 8]))
        .collect();
    assert_eq!((rooms.len(), origins.len()), (1000, 1000));
}

#[test]
fn memory_is_bounded_whatever_one_group_brings() {
    let world = World::new();
    let store = world.open();
    let event = |n: u32| RoomEvent {
        message_hash: Some(hash(n)),
        ..RoomEvent::default()
    };
    let write = RoomWrite {
        room: "room".into(),
        events: (0..5000).map(event).collect(),
        ..RoomWrite::default()
    };
    let create = CreateRoom {
        kind: RoomKind::Hub,
        hub_domain: "a".into(),
        write,
    };
    assert!(matches!(store.create_room(create).wait(), Ok(Once::Done(_))));
    // The next one waits until the writer has tidied up.
    assert!(request(&store, "a", 1).wait().is_ok());
    assert!(store.hashes.in_memory() < 20, "{}", store.hashes.in_memory());
    assert_eq!(store.seen_message("room", &hash(4999)).unwrap(), Some(5000));
    assert_eq!(store.seen_message("room", &hash(5000)).unwrap(), None);
}

/// A crash between two steps into the index leaves rows in both places, and the note of how far it got behind.
#[test]
fn a_step_that_was_cut_off_is_taken_again() {
    let world = World::new();
    let store = world.open();
    for n in 0..100 {
        assert!(request(&store, "a", n).wait().is_ok());
    }
    drop(store);
    let until: i64 = {
        let connection = world.connect();
        connection
            .execute("UPDATE indexed SET until = until - 10 WHERE name = 'answers'", ())
            .unwrap();
        connection
            .query_row("SELECT until FROM indexed WHERE name = 'answers'", (), |row| {
                row.get(0)
            })
            .unwrap()
    };
    assert!(until > 50);
    let store = world.open();
    for n in 0..100 {
        let again = request(&store, "a", n).wait().unwrap();
        assert_eq!(again, Once::AlreadyAnswered(response("a", n)));
    }
    assert_eq!(store.expire(1000, NOTHING_KEPT).unwrap().answers, 100);
    drop(store);
    assert_eq!(world.count("answers_by_hash"), 0);
}

struct World {
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open_with(&self.path(), 8).unwrap()
    }

    fn connect(&self) -> Connection {
        Connection::open(self.path().join(open::DATABASE_FILE)).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.connect().query_row(&sql, (), |row| row.get(0)).unwrap()
    }
}

fn hash(n: u32) -> [u8; 32] {
    // Spread, and the first of them below zero as a number.
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&(!n.wrapping_mul(0x9E37_79B9)).to_be_bytes());
    hash
}

fn response(origin: &str, n: u32) -> Vec<u8> {
    format!("{origin} {n}").into_bytes()
}

fn answer(origin: &str, request_hash: [u8; 32], n: u32) -> Answer {
    Answer {
        origin: origin.to_owned(),
        request_hash,
        response: response(origin, n),
    }
}

fn request(store: &SqliteStore, origin: &str, n: u32) -> Pending<Once<Vec<u64>>> {
    enqueue(store, answer(origin, hash(n), n))
}

/// A request whose hash differs from that of others in its end alone.
fn alike(store: &SqliteStore, origin: &str, n: u32) -> Pending<Once<Vec<u64>>> {
    let mut hash = [7; 32];
    hash[28..].copy_from_slice(&n.to_be_bytes());
    enqueue(store, answer(origin, hash, n))
}

fn enqueue(store: &SqliteStore, answer: Answer) -> Pending<Once<Vec<u64>>> {
    store.device_enqueue(Enqueue {
        notices: Vec::new(),
        answer: Some(answer),
        now: 0,
    })
}

const NOTHING_KEPT: Retention = Retention {
    log_ms: 0,
    hashes_ms: 0,
    answers_ms: 0,
};
