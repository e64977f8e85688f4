#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::Path;

use sabir_mls::rows::RowChanges;

use super::*;
use crate::types::{MessageState, RoomKind};

const ROOM: &str = "mimi://a.example/r/clubhouse-of-secrets";
const ALICE: &str = "mimi://a.example/u/alice-liddell";
const TEXT: &str = "the jabberwock flies at midnight";
const SECRET: &[u8] = b"an epoch secret of thirty-two by";

fn record() -> RoomRecord {
    RoomRecord {
        room: ROOM.to_owned(),
        kind: RoomKind::Direct,
        with: Some(ALICE.to_owned()),
        name: String::new(),
        members: vec![ALICE.to_owned()],
        role: String::new(),
        awaited: Vec::new(),
        missed: Vec::new(),
        goes_on_in: None,
        making: None,
        blocked: None,
        closed: false,
        ready: true,
        joined: 1,
    }
}

fn entry(text: &str, message_id: Option<&str>) -> Entry {
    Entry {
        sender: ALICE.to_owned(),
        text: text.to_owned(),
        content: String::new(),
        frank: None,
        message_id: message_id.map(str::to_owned),
        timestamp: 5,
        state: MessageState::Received,
        own: false,
        verified: true,
        problem: None,
        marks: Marks::default(),
    }
}

fn changes(puts: &[(&[u8], &[u8])], deletes: &[&[u8]]) -> RowChanges {
    let mut changes = RowChanges::default();
    for (key, value) in puts {
        changes.put(key.to_vec(), value.to_vec());
    }
    for key in deletes {
        changes.delete(key.to_vec());
    }
    changes
}

fn write<T>(store: &mut Store, body: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> T {
    store.transaction("test", body).unwrap()
}

/// Whether any file of the profile has `needle` in it.
fn leaked(directory: &Path, needle: &[u8]) -> Option<String> {
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let content = [name.as_bytes(), &std::fs::read(&path).unwrap()].concat();
        if content.windows(needle.len()).any(|window| window == needle) {
            return Some(name);
        }
    }
    None
}

#[test]
fn no_file_shows_what_the_profile_holds() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    let mut store = Store::create(&profile, Some(&Passphrase::new("correct horse".to_owned()))).unwrap();
    write(&mut store, |tx| {
        tx.put_room(&record())?;
        tx.apply(ROOM, &changes(&[(b"label of a row key", SECRET)], &[]))?;
        tx.put_key_package(
            b"a key package reference",
            &changes(&[(b"hpke private", SECRET)], &[]),
            1,
        )?;
        tx.append_message(ROOM, &entry(TEXT, Some("ab12cd34ef56")))?;
        tx.park(ROOM, TEXT.as_bytes())?;
        tx.append_change(&Change::Alarm {
            room: ROOM.to_owned(),
            text: TEXT.to_owned(),
        })?;
        tx.put(Name::SETTINGS, &TEXT)
    });
    let needles: &[&[u8]] = &[
        TEXT.as_bytes(),
        b"jabberwock",
        ALICE.as_bytes(),
        b"alice",
        ROOM.as_bytes(),
        b"clubhouse",
        SECRET,
        b"label of a row key",
        b"hpke private",
        b"a key package reference",
        b"ab12cd34ef56",
        b"correct horse",
    ];
    let check = |when: &str| {
        for needle in needles {
            let shown = String::from_utf8_lossy(needle);
            assert_eq!(leaked(&profile, needle), None, "{shown} {when}");
        }
    };
    assert!(profile.join("client.db-wal").exists());
    check("while it is in the log");
    // The test itself would see them: what is not sealed is found.
    assert_eq!(leaked(&profile, b"event cursor"), None);
    assert!(leaked(&profile, b"key check").is_some());
    drop(store);
    check("after closing");
}

#[test]
fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    let store = Store::create(&profile, None).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&profile), 0o700);
    for file in std::fs::read_dir(&profile).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(store);
    std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(Store::open(&profile, None), Err(StoreError::NotPrivate)));
}

#[test]
fn one_owner_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    assert!(matches!(Store::open(&profile, None), Err(StoreError::Missing)));
    let store = Store::create(&profile, None).unwrap();
    assert!(matches!(Store::open(&profile, None), Err(StoreError::Locked)));
    drop(store);
    assert!(matches!(Store::create(&profile, None), Err(StoreError::Exists)));
    Store::open(&profile, None).unwrap();
}

#[test]
fn passphrases_open_what_they_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    let right = Passphrase::new("right".to_owned());
    let wrong = Passphrase::new("wrong".to_owned());
    drop(Store::create(&profile, Some(&right)).unwrap());
    let refused = |passphrase| match Store::open(&profile, passphrase) {
        Err(StoreError::Key(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(None), KeyFileError::PassphraseNeeded));
    assert!(matches!(refused(Some(&wrong)), KeyFileError::WrongPassphrase));
    drop(Store::open(&profile, Some(&right)).unwrap());

    Store::change_passphrase(&profile, Some(&right), None).unwrap();
    assert!(matches!(refused(Some(&right)), KeyFileError::NoPassphrase));
    drop(Store::open(&profile, None).unwrap());

    for bad in [
        &b""[..],
        b"sabir profile key\n",
        b"sabir profile key\n\x01\x07",
        b"sabir profile key\n\x02\x00",
    ] {
        std::fs::write(profile.join("profile.key"), bad).unwrap();
        assert!(matches!(refused(None), KeyFileError::Malformed), "{bad:?}");
    }
    let key = [b"sabir profile key\n\x01\x00".as_slice(), &[9; 32]].concat();
    std::fs::write(profile.join("profile.key"), key).unwrap();
    assert!(matches!(Store::open(&profile, None), Err(StoreError::NotOurs)));
}

#[test]
fn a_newer_profile_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    let store = Store::create(&profile, None).unwrap();
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let error = Store::open(&profile, None).unwrap_err();
    assert!(
        matches!(error, StoreError::NewerSchema { found: 99, known: 3 }),
        "{error}"
    );
}

#[test]
fn rows_are_those_of_their_scope() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    write(&mut store, |tx| {
        tx.apply("a", &changes(&[(b"k", b"1"), (b"l", b"")], &[]))?;
        tx.apply("b", &changes(&[(b"k", b"2")], &[]))?;
        tx.apply("a", &changes(&[(b"k", b"3")], &[b"l", b"unknown"]))
    });
    let rows = store.read(|tx| tx.rows("a")).unwrap();
    assert_eq!(
        rows.into_iter().collect::<Vec<_>>(),
        [(b"k".to_vec(), b"3".to_vec())]
    );
    assert_eq!(store.read(|tx| tx.rows("b")).unwrap().len(), 1);
    assert_eq!(store.read(|tx| tx.rows("c")).unwrap().len(), 0);
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    let failed = store.transaction("test", |tx| {
        tx.apply("a", &changes(&[(b"k", b"1")], &[]))?;
        tx.put_room(&record())?;
        Err::<(), _>(StoreError::Conflict("on purpose"))
    });
    assert!(failed.is_err());
    assert!(store.read(|tx| tx.rows("a")).unwrap().is_empty());
    assert!(store.read(|tx| tx.rooms()).unwrap().is_empty());
}

#[test]
fn a_value_moved_to_another_row_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    write(&mut store, |tx| {
        tx.put_room(&record())?;
        tx.append_message(ROOM, &entry("pay Bob", Some("01")))?;
        tx.append_message(ROOM, &entry("pay Eve", Some("02")))
    });
    store
        .connection
        .execute(
            "UPDATE timeline SET value = (SELECT value FROM timeline WHERE id = 2) WHERE id = 1",
            (),
        )
        .unwrap();
    let error = store.read(|tx| tx.timeline(ROOM, None, 10)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged("timeline")), "{error}");
}

#[test]
fn messages_keep_the_rooms_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    let texts = |store: &mut Store, before, limit| {
        let rows = store.read(|tx| tx.timeline(ROOM, before, limit)).unwrap();
        rows.into_iter().map(|row| row.entry.text).collect::<Vec<_>>()
    };
    let mine = write(&mut store, |tx| {
        tx.put_room(&record())?;
        tx.append_message(ROOM, &entry("one", Some("01")))?;
        let local = tx.next_local_id()?;
        let mine = tx.append_queued(ROOM, local, &entry("mine", None))?;
        tx.append_message(ROOM, &entry("two", Some("02")))?;
        assert_eq!(tx.append_message(ROOM, &entry("again", Some("02")))?, None);
        Ok(mine)
    });
    assert_eq!(texts(&mut store, None, 10), ["one", "two", "mine"]);
    write(&mut store, |tx| {
        tx.put_in_order(ROOM, mine)?;
        tx.update_message(ROOM, mine, &entry("mine", Some("03")))?;
        tx.put_in_order(ROOM, mine)?;
        tx.append_message(ROOM, &entry("three", Some("04")))
    });
    assert_eq!(texts(&mut store, None, 10), ["one", "two", "mine", "three"]);
    assert_eq!(texts(&mut store, None, 2), ["mine", "three"]);
    assert_eq!(texts(&mut store, Some(3), 10), ["one", "two"]);
    let (room, row) = store.read(|tx| tx.message_by_local_id(1)).unwrap().unwrap();
    assert_eq!(room.room, ROOM);
    assert_eq!((row.id, row.position, row.local_id), (mine, 3, Some(1)));
    assert_eq!(
        store.read(|tx| tx.message_by_id(ROOM, "03")).unwrap().unwrap().id,
        mine
    );
    assert_eq!(
        store
            .read(|tx| tx.message_by_id("mimi://a.example/r/x", "03"))
            .unwrap(),
        None
    );
}

#[test]
fn changes_are_read_after_a_cursor_and_forgotten_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    let change = |id| Change::MessageAdded {
        room: ROOM.to_owned(),
        id,
    };
    write(&mut store, |tx| {
        for id in 1..=3 {
            assert_eq!(tx.append_change(&change(id))?, id);
        }
        Ok(())
    });
    let (found, missed) = store.read(|tx| tx.changes_after(1, 10)).unwrap();
    assert_eq!((found, missed), (vec![(2, change(2)), (3, change(3))], false));
    write(&mut store, |tx| {
        for id in 4..=(CHANGES_KEPT + 512) {
            tx.append_change(&change(id))?;
        }
        Ok(())
    });
    let (found, missed) = store.read(|tx| tx.changes_after(1, 1)).unwrap();
    assert!(missed);
    assert!(found[0].0 > 1);
    assert_eq!(store.read(|tx| tx.last_change()).unwrap(), CHANGES_KEPT + 512);
}

#[test]
fn direct_rooms_are_found_by_person() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    write(&mut store, |tx| {
        tx.put_room(&record())?;
        tx.put_room(&RoomRecord {
            room: "mimi://a.example/r/other".to_owned(),
            with: None,
            ..record()
        })
    });
    assert_eq!(store.read(|tx| tx.direct_rooms(ALICE)).unwrap(), [record()]);
    assert_eq!(
        store
            .read(|tx| tx.direct_rooms("mimi://a.example/u/bob"))
            .unwrap(),
        []
    );
    assert_eq!(store.read(|tx| tx.rooms()).unwrap().len(), 2);
}

#[test]
fn parked_entries_wait_in_order_per_room() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    write(&mut store, |tx| {
        tx.park(ROOM, b"one")?;
        tx.park("mimi://a.example/r/other", b"else")?;
        tx.park(ROOM, b"two")
    });
    let rooms = store.read(|tx| tx.parked_rooms()).unwrap();
    assert_eq!(rooms, [ROOM, "mimi://a.example/r/other"]);
    for expected in [b"one", b"two"] {
        let (id, entry) = store.read(|tx| tx.parked(ROOM)).unwrap().unwrap();
        assert_eq!(entry, expected);
        write(&mut store, |tx| tx.unpark(id));
    }
    assert_eq!(store.read(|tx| tx.parked(ROOM)).unwrap(), None);
}
