//! Failing transactions, which only an insider can bring about.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::broadcast;

use super::fail::Fail;
use super::handover::Handover;
use super::hashes::Hashes;
use super::query::execute;
use super::writer::Writer;
use super::{SqliteStore, open, schema};
use crate::{
    BeginAsset, BeginAssetOutcome, CreateRoom, DropAssets, Enqueue, Hint, Notice, Once, OutboxAck, Pending,
    RoomEvent, RoomKind, RoomVersion, RoomWrite, Store, StoreError,
};

#[test]
fn a_full_disk_fails_whole_commands_and_is_survived() {
    let (_directory, store) = store();
    limit_pages(&store, 60);
    let mut accepted = 0_u64;
    let refused = loop {
        match notice(&store, vec![7; 5000]).wait() {
            Ok(Once::Done(cursors)) => {
                accepted += 1;
                assert_eq!(cursors, [accepted]);
            }
            Ok(other) => panic!("{other:?}"),
            Err(refused) => break refused,
        }
    };
    assert!(
        matches!(
            refused,
            StoreError::Unavailable {
                maybe_applied: false,
                source: Some(_),
                ..
            }
        ),
        "{refused:?}"
    );
    let queued = |store: &SqliteStore| store.device_read("d", 0, 999, usize::MAX).unwrap().len() as u64;
    assert_eq!(queued(&store), accepted, "nothing half applied, reads go on");

    limit_pages(&store, 10_000);
    assert!(
        matches!(notice(&store, vec![7; 5000]).wait(), Ok(Once::Done(cursors)) if cursors == [accepted + 1])
    );
    assert_eq!(queued(&store), accepted + 1);
}

#[test]
fn one_command_too_large_for_the_disk_takes_no_other_down() {
    let (_directory, store) = store();
    limit_pages(&store, 100);
    // Sent together, so that they meet in one group.
    let pending: Vec<_> = (0..40)
        .map(|n| notice(&store, vec![7; if n == 20 { 1_000_000 } else { 10 }]))
        .collect();
    let results: Vec<_> = pending.into_iter().map(Pending::wait).collect();
    for (n, result) in results.iter().enumerate() {
        match result {
            Ok(_) => assert_ne!(n, 20),
            Err(error) => assert!(n == 20 && !error.maybe_applied(), "{n}: {error:?}"),
        }
    }
    let cursors: Vec<u64> = store
        .device_read("d", 0, 999, 9999)
        .unwrap()
        .iter()
        .map(|item| item.cursor)
        .collect();
    assert_eq!(cursors, (1..40).collect::<Vec<_>>());
}

#[test]
fn a_command_that_fails_midway_leaves_nothing() {
    let (_directory, store) = store();
    let mut hints = store.watch();
    let pending: Vec<_> = (0..30_u8)
        .map(|n| {
            store.write("half", Ok(()), move |connection, notes| {
                super::account::put_setting(connection, &n.to_string(), b"written")?;
                notes.news.hints.push(Hint::Device(n.to_string().into()));
                if n % 3 == 0 { Err(Fail::Damaged) } else { Ok(()) }
            })
        })
        .collect();
    for (n, result) in pending.into_iter().map(Pending::wait).enumerate() {
        assert_eq!(matches!(result, Err(StoreError::Corrupt { .. })), n % 3 == 0);
        assert_eq!(store.setting(&n.to_string()).unwrap().is_some(), n % 3 != 0);
    }
    let mut told = 0;
    while let Ok(Hint::Device(n)) = hints.try_recv() {
        assert_ne!(n.parse::<u8>().unwrap() % 3, 0, "a hint of what did not happen");
        told += 1;
    }
    assert_eq!(told, 20);
}

#[test]
fn a_failed_commit_is_in_doubt() {
    let directory = TempDir::new().unwrap();
    let (connection, shared) = opened(&directory);
    // A deferred constraint is the one thing that makes COMMIT itself fail on demand.
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT;
             CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED) STRICT;",
        )
        .unwrap();
    let writer = Writer::start(connection, broadcast::channel(9).0, shared).unwrap();
    let child = |id: i64| {
        writer.submit("child", move |c, _| {
            Ok(execute(c, "INSERT INTO children VALUES (?1)", [id])?)
        })
    };
    let failed = child(1).wait().unwrap_err();
    assert!(
        matches!(
            failed,
            StoreError::Unavailable {
                maybe_applied: true,
                source: Some(_),
                ..
            }
        ),
        "{failed:?}"
    );

    let parent = writer.submit("parent", |c, _| {
        Ok(execute(c, "INSERT INTO parents VALUES (1)", ())?)
    });
    parent.wait().unwrap();
    child(1).wait().unwrap();
    let count = |c: &Connection| c.query_row("SELECT count(*) FROM children", (), |row| row.get::<_, i64>(0));
    assert_eq!(
        writer.submit("count", move |c, _| Ok(count(c)?)).wait().unwrap(),
        1
    );
}

#[test]
fn a_dead_writer_is_told() {
    let directory = TempDir::new().unwrap();
    let (connection, shared) = opened(&directory);
    let writer = Writer::start(connection, broadcast::channel(9).0, shared).unwrap();
    let killed: Pending<()> = writer.submit("panic", |_, _| panic!("a test kills the writer"));
    assert!(killed.wait().unwrap_err().maybe_applied());
    // The channel closes while the thread unwinds, before or after this is sent.
    let after = writer.submit("after", |_, _| Ok(())).wait();
    assert!(matches!(after, Err(StoreError::Unavailable { .. })));
}

#[test]
fn a_body_is_stored_once() {
    let (_directory, store) = store();
    let event = RoomEvent {
        kind: 1,
        body: b"a body for everybody".to_vec(),
        message_hash: Some([1; 32]),
        devices: (0..50).map(|n| format!("d{n}")).collect(),
        followers: (0..5).map(|n| format!("f{n}")).collect(),
    };
    let write = RoomWrite {
        room: "room".into(),
        events: vec![event],
        ..RoomWrite::default()
    };
    store
        .create_room(CreateRoom {
            kind: RoomKind::Hub,
            hub_domain: "a".into(),
            write,
        })
        .wait()
        .unwrap();
    let rows = |table: &'static str| {
        store.read("count", |c| {
            Ok(c.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| {
                row.get::<_, i64>(0)
            })?)
        })
    };
    let counts = ["log", "notices", "queue", "outbox", "batches"].map(|table| rows(table).unwrap());
    assert_eq!(counts, [1, 0, 50, 0, 5]);
}

#[test]
fn a_database_of_version_2_is_brought_up_to_date() {
    let (_directory, store) = grown(
        2,
        "INSERT INTO assets (id, owner, size, hash, expires_at) VALUES
            ('a', 'alice', 10, x'01', 100), ('bb', 'alice', 10, x'02', 100), ('ccc', 'bob', 10, x'03', 100);",
    );
    assert_eq!(store.asset_bytes("alice").unwrap(), 20);
    assert_eq!(store.asset_bytes("bob").unwrap(), 10);
    let third = BeginAsset {
        id: "dddd".into(),
        owner: "alice".into(),
        size: 10,
        hash: [4; 32],
        quota: 1000,
        most: 2,
        expires_at: 100,
        now: 0,
    };
    assert_eq!(
        store.begin_asset(third).wait().unwrap(),
        BeginAssetOutcome::TooMany
    );
    let ids = vec!["a".to_owned(), "none".to_owned()];
    let drop_assets = |now| {
        let ids = ids.clone();
        store.drop_assets(DropAssets { ids, now }).wait().unwrap()
    };
    assert_eq!((drop_assets(99), drop_assets(100), drop_assets(100)), (0, 1, 0));
    assert_eq!(store.asset_bytes("alice").unwrap(), 10);
}

#[test]
fn a_database_of_version_5_is_brought_up_to_date() {
    let (_directory, store) = grown(
        5,
        "INSERT INTO rooms VALUES (7, 'room', 1, 'a.example', 3, 12, 1);
        INSERT INTO room_rows (room_id, key, value) VALUES (7, x'01', x'0a0b'), (7, x'02', zeroblob(17));
        INSERT INTO log (room_id, seq, body) VALUES (7, 10, x'01'), (7, 11, x'02');
        INSERT INTO seen (id, room_id, hash, seq) VALUES (40, 7, unhex(hex(zeroblob(31)) || '01'), 11);
        INSERT INTO answers (id, origin, request_hash, response) VALUES (50, 'b', zeroblob(32), x'77');
        INSERT INTO followers VALUES (1, 'b');
        INSERT INTO outbox VALUES (7, 1, 10), (7, 1, 11);
        INSERT INTO batches VALUES (7, 1, 10, 10, 2, 5);",
    );
    let state = store.load_room("room").unwrap().unwrap();
    let version = RoomVersion {
        epoch: 3,
        next_seq: 12,
        fence: 1,
    };
    assert_eq!(state.version, version);
    let rows = BTreeMap::from([(vec![1], vec![10, 11]), (vec![2], vec![0; 17])]);
    assert_eq!(state.rows, rows);
    let mut hash = [0; 32];
    assert_eq!(store.answered("b", &hash).unwrap(), Some(vec![0x77]));
    hash[31] = 1;
    assert_eq!(store.seen_message("room", &hash).unwrap(), Some(11));
    let batch = store.outbox_batch("room", "b").unwrap().unwrap();
    assert_eq!(
        (batch.first_seq, batch.last_seq, batch.entries.len()),
        (10, 10, 1)
    );
    let ack = OutboxAck {
        room: "room".into(),
        follower: "b".into(),
        last_seq: 10,
        now: 0,
    };
    store.outbox_ack(ack).wait().unwrap();
    let batch = store.outbox_batch("room", "b").unwrap().unwrap();
    assert_eq!(
        (batch.first_seq, batch.last_seq, batch.entries.len()),
        (11, 11, 1)
    );
}

/// A store whose database has grown up from this version, with these rows.
fn grown(version: usize, rows: &str) -> (TempDir, SqliteStore) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    drop(SqliteStore::open(&path).unwrap());
    let database = path.join(open::DATABASE_FILE);
    std::fs::remove_file(&database).unwrap();
    let mut connection = Connection::open(&database).unwrap();
    schema::migrate_until(&mut connection, version).unwrap();
    connection.execute_batch(rows).unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    (directory, store)
}

#[test]
fn every_table_is_strict() {
    let (_directory, store) = store();
    let sql = "SELECT count(*), sum(strict) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'";
    let (tables, strict): (i64, i64) = store
        .read("tables", |c| {
            Ok(c.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?)
        })
        .unwrap();
    assert_eq!(tables, strict);
    assert!(tables > 15);
}

fn opened(directory: &TempDir) -> (Connection, (Arc<Handover>, Arc<Hashes>)) {
    let mut connection = open::open_writer(&open::database_file(directory.path()).unwrap()).unwrap();
    let hashes = Arc::new(Hashes::open(&mut connection, 9).unwrap());
    (connection, (Arc::default(), hashes))
}

fn store() -> (TempDir, SqliteStore) {
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(&directory.path().join("store")).unwrap();
    (directory, store)
}

fn limit_pages(store: &SqliteStore, pages: i64) {
    let set = move |connection: &Connection| connection.pragma_update(None, "max_page_count", pages);
    store
        .write("limit", Ok(()), move |connection, _| Ok(set(connection)?))
        .wait()
        .unwrap();
}

fn notice(store: &SqliteStore, body: Vec<u8>) -> Pending<Once<Vec<u64>>> {
    let notice = Notice {
        device: "d".into(),
        kind: 0,
        body,
    };
    store.device_enqueue(Enqueue {
        notices: vec![notice],
        answer: None,
        now: 0,
    })
}
