//! What only SQLite has: files, locks, versions, threads.

use std::sync::Barrier;
use std::thread;

use rusqlite::Connection;
use sabir_store::{
    Apply, CreateRoom, Enqueue, Notice, Once, OpenError, Placed, RoomEvent, RoomKind, RoomWrite, SqliteStore,
    Store, StoreError,
};
use tempfile::TempDir;

use crate::backend::{Backend, OnDisk};

const THREADS: usize = 64;

#[test]
fn sixty_four_writers_share_commits() {
    const EACH: usize = 20;
    let disk = OnDisk::new();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for n in 0..THREADS {
            let (store, start) = (disk.store(), &start);
            scope.spawn(move || {
                let room = format!("room {n}");
                let mut version = created(store, &room).version;
                start.wait();
                for _ in 0..EACH {
                    let command = Apply {
                        expect: version,
                        write: write(&room, "shared"),
                    };
                    let Once::Done(applied) = store.apply(command).wait().unwrap() else {
                        panic!("answered before")
                    };
                    version = applied.version;
                }
                assert_eq!(version.next_seq, EACH as u64 + 1);
            });
        }
    });
    let items = disk
        .store()
        .device_read("shared", 0, usize::MAX, usize::MAX)
        .unwrap();
    let cursors: Vec<u64> = items.iter().map(|item| item.cursor).collect();
    assert_eq!(cursors, (1..=(THREADS * EACH) as u64).collect::<Vec<_>>());
}

#[test]
fn writers_of_one_room_take_turns() {
    let disk = OnDisk::new();
    created(disk.store(), "room");
    thread::scope(|scope| {
        for n in 0..THREADS {
            let store = disk.store();
            scope.spawn(move || {
                loop {
                    let expect = store.load_room("room").unwrap().unwrap().version;
                    match store
                        .apply(Apply {
                            expect,
                            write: write("room", &format!("d{n}")),
                        })
                        .wait()
                    {
                        Ok(Once::Done(applied)) => {
                            break assert_eq!(applied.events, [Placed::Stored(expect.next_seq)]);
                        }
                        Err(StoreError::Conflict { .. }) => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    let seqs: Vec<u64> = disk
        .store()
        .room_log("room", 0, 999)
        .unwrap()
        .iter()
        .map(|entry| entry.seq)
        .collect();
    assert_eq!(seqs, (1..=THREADS as u64).collect::<Vec<_>>());
}

#[test]
fn a_conflict_undoes_nothing_of_its_group() {
    let disk = OnDisk::new();
    let version = created(disk.store(), "room").version;
    // Sent together, so that they meet in groups: each second one has lost its race.
    let pending: Vec<_> = (0..200)
        .map(|n| {
            let room = if n % 2 == 0 {
                format!("new {n}")
            } else {
                "room".to_owned()
            };
            let apply = Apply {
                expect: version,
                write: write("room", "d"),
            };
            if n % 2 == 0 {
                disk.store().create_room(create(&room))
            } else {
                disk.store().apply(apply)
            }
        })
        .collect();
    let results: Vec<_> = pending.into_iter().map(|pending| pending.wait()).collect();
    let conflicts = results
        .iter()
        .filter(|result| matches!(result, Err(StoreError::Conflict { .. })))
        .count();
    assert_eq!(
        (conflicts, results.iter().filter(|result| result.is_ok()).count()),
        (99, 101)
    );
    assert_eq!(disk.store().list_rooms().unwrap().len(), 101);
    assert_eq!(disk.store().room_log("room", 0, 999).unwrap().len(), 1);
}

#[test]
fn what_was_sent_before_closing_is_done() {
    let mut disk = OnDisk::new();
    let pending: Vec<_> = (0..100).map(|_| disk.store().device_enqueue(notice())).collect();
    disk.restart();
    assert!(pending.into_iter().all(|pending| pending.wait().is_ok()));
    assert_eq!(disk.store().device_read("d", 0, 999, 999).unwrap().len(), 100);
}

#[test]
fn a_store_is_open_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let first = SqliteStore::open(&path).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Locked)));
    drop(first);
    SqliteStore::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn files_are_private() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let store = SqliteStore::open(&path).unwrap();
    store.device_enqueue(notice()).wait().unwrap();
    store.backup(&path.join("copy")).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 5, "database, log, log index, lock, copy: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    drop(store);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::NotPrivate)));
}

#[test]
fn other_databases_are_refused() {
    let database = |sql: &str| {
        let directory = TempDir::new().unwrap();
        let store = directory.path().join("store");
        drop(SqliteStore::open(&store).unwrap());
        Connection::open(store.join("provider.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        SqliteStore::open(&store).map(|_| ())
    };
    assert!(matches!(
        database("PRAGMA user_version = 99"),
        Err(OpenError::NewerSchema { found: 99, .. })
    ));
    assert!(matches!(
        database("PRAGMA application_id = 5"),
        Err(OpenError::NotAStore)
    ));
    database("SELECT 1").unwrap();
}

#[test]
fn a_backup_is_a_store() {
    let disk = OnDisk::new();
    created(disk.store(), "room");
    let copy = disk.directory.path().join("restored");
    // Any store's directory will do: it is private.
    drop(SqliteStore::open(&copy).unwrap());
    std::fs::remove_file(copy.join("provider.db")).unwrap();
    disk.sqlite().backup(&copy.join("provider.db")).unwrap();
    assert!(matches!(
        disk.sqlite().backup(&copy.join("provider.db")),
        Err(StoreError::Misuse(_))
    ));
    created(disk.store(), "later");
    let restored = SqliteStore::open(&copy).unwrap();
    assert_eq!(
        restored.load_room("room").unwrap(),
        disk.store().load_room("room").unwrap()
    );
    assert_eq!(restored.load_room("later").unwrap(), None);
    created(&restored, "later");
}

fn created(store: &dyn Store, room: &str) -> sabir_store::Applied {
    match store.create_room(create(room)).wait().unwrap() {
        Once::Done(applied) => applied,
        Once::AlreadyAnswered(_) => panic!("answered before"),
    }
}

fn create(room: &str) -> CreateRoom {
    let write = RoomWrite {
        room: room.into(),
        row_puts: vec![(vec![1], vec![2])],
        ..RoomWrite::default()
    };
    CreateRoom {
        kind: RoomKind::Hub,
        hub_domain: "a.example".into(),
        write,
    }
}

fn write(room: &str, device: &str) -> RoomWrite {
    let event = RoomEvent {
        body: b"body".to_vec(),
        devices: vec![device.into()],
        ..RoomEvent::default()
    };
    RoomWrite {
        room: room.into(),
        events: vec![event],
        ..RoomWrite::default()
    }
}

fn notice() -> Enqueue {
    let notice = Notice {
        device: "d".into(),
        kind: 0,
        body: b"n".to_vec(),
    };
    Enqueue {
        notices: vec![notice],
        answer: None,
        now: 0,
    }
}
