//! Failing transactions, which only an insider can bring about.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::broadcast;

use super::fail::Fail;
use super::query::execute;
use super::writer::Writer;
use super::{SqliteStore, open};
use crate::{
    CreateRoom, Enqueue, Hint, Notice, Once, Pending, RoomEvent, RoomKind, RoomWrite, Store, StoreError,
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
    let connection = open::open_writer(&open::database_file(directory.path()).unwrap()).unwrap();
    // A deferred constraint is the one thing that makes COMMIT itself fail on demand.
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT;
             CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED) STRICT;",
        )
        .unwrap();
    let writer = Writer::start(connection, broadcast::channel(9).0, Arc::default()).unwrap();
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
    let connection = open::open_writer(&open::database_file(directory.path()).unwrap()).unwrap();
    let writer = Writer::start(connection, broadcast::channel(9).0, Arc::default()).unwrap();
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
    assert_eq!(counts, [1, 0, 50, 5, 5]);
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
