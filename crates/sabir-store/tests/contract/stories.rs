//! The contract as stories, told to every implementation.

use sabir_store::{
    AcceptFanout, AckOutcome, Answer, Applied, Apply, Batch, CreateRoom, Due, Enqueue, Hint, LogEntry,
    MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, MAX_NUMBER, Notice, Once, OutboxAck, OutboxDefer, OutboxExpire,
    Pending, Placed, Retention, RoomEvent, RoomKind, RoomVersion, RoomWrite, Store, StoreError,
};

use crate::backend::each;

const ROOM: &str = "mimi://a.example/r/1";

#[test]
fn a_room_is_created_once_and_changed_by_compare_and_set() {
    each(|backend| {
        assert_eq!(backend.store().load_room(ROOM).unwrap(), None);
        let made = create(backend.store());
        assert_eq!(
            made.version,
            RoomVersion {
                epoch: 0,
                next_seq: 1,
                fence: 1
            }
        );
        assert!(again(backend.store()).unwrap_err().is_conflict());

        let rows = RoomWrite {
            row_deletes: vec![b"a".to_vec()],
            row_puts: vec![(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"2".to_vec())],
            ..write(vec![event(b"one"), event(b"two")])
        };
        let done = apply(backend.store(), made.version, RoomWrite { new_epoch: 1, ..rows });
        assert_eq!(done.events, [Placed::Stored(1), Placed::Stored(2)]);
        assert_eq!(
            done.version,
            RoomVersion {
                epoch: 1,
                next_seq: 3,
                fence: 1
            }
        );

        // The lost race: nothing changes, and the error tells what is there.
        let lost = Apply {
            expect: made.version,
            write: write(vec![event(b"lost")]),
        };
        let Err(StoreError::Conflict {
            current: Some(current),
        }) = backend.store().apply(lost).wait()
        else {
            panic!("no conflict");
        };
        assert_eq!(current.version, done.version);

        backend.restart();
        let state = backend.store().load_room(ROOM).unwrap().unwrap();
        assert_eq!((state.version, state.rows.len()), (done.version, 2));
        assert_eq!(
            bodies(&backend.store().room_log(ROOM, 0, 9).unwrap()),
            [b"one", b"two"]
        );
        assert_eq!(bodies(&backend.store().room_log(ROOM, 1, 9).unwrap()), [b"two"]);
        assert_eq!(backend.store().room_log(ROOM, 0, 1).unwrap().len(), 1);
    });
}

#[test]
fn a_missing_room_conflicts_with_nothing() {
    each(|backend| {
        let expect = RoomVersion {
            epoch: 0,
            next_seq: 1,
            fence: 1,
        };
        let result = backend
            .store()
            .apply(Apply {
                expect,
                write: write(Vec::new()),
            })
            .wait();
        assert!(matches!(result, Err(StoreError::Conflict { current: None })));
    });
}

#[test]
fn a_repeated_request_gets_its_answer_and_does_nothing() {
    each(|backend| {
        let made = create(backend.store());
        let answer = Answer {
            origin: "b.example".into(),
            request_hash: [7; 32],
            response: b"201".to_vec(),
        };
        let request = RoomWrite {
            answer: Some(answer),
            ..write(vec![event(b"once")])
        };
        let command = Apply {
            expect: made.version,
            write: request,
        };
        assert!(matches!(
            wait(backend.store().apply(command.clone())),
            Once::Done(_)
        ));
        backend.restart();
        // Although the version that it names is long gone.
        assert_eq!(
            wait(backend.store().apply(command.clone())),
            Once::AlreadyAnswered(b"201".to_vec())
        );
        let notice = Enqueue {
            answer: command.write.answer,
            ..notices(&[b"n"])
        };
        assert_eq!(
            wait(backend.store().device_enqueue(notice)),
            Once::AlreadyAnswered(b"201".to_vec())
        );
        assert_eq!(
            backend.store().answered("b.example", &[7; 32]).unwrap(),
            Some(b"201".to_vec())
        );
        assert_eq!(backend.store().answered("c.example", &[7; 32]).unwrap(), None);
        assert_eq!(backend.store().room_log(ROOM, 0, 9).unwrap().len(), 1);
        assert_eq!(read(backend.store()).len(), 1);
    });
}

#[test]
fn fan_out_creates_the_room_and_skips_what_was_seen() {
    each(|backend| {
        let hashed = |body: &[u8], hash| RoomEvent {
            message_hash: Some([hash; 32]),
            ..event(body)
        };
        let first = write(vec![hashed(b"one", 1), hashed(b"one", 1), hashed(b"two", 2)]);
        let done = done(wait(backend.store().accept_fanout(fanout(
            "hub.example",
            None,
            first,
        ))));
        assert_eq!(
            done.events,
            [Placed::Stored(1), Placed::Duplicate(1), Placed::Stored(2)]
        );
        assert_eq!(
            backend.store().list_rooms().unwrap()[ROOM].kind,
            RoomKind::Follower
        );

        let overlap = || write(vec![hashed(b"two", 2), hashed(b"three", 3)]);
        // A room has one hub for ever, and is not created twice.
        for command in [
            fanout("evil.example", Some(done.version), overlap()),
            fanout("hub.example", None, overlap()),
        ] {
            assert!(
                backend
                    .store()
                    .accept_fanout(command)
                    .wait()
                    .unwrap_err()
                    .is_conflict()
            );
        }
        backend.restart();
        let more = fanout("hub.example", Some(done.version), overlap());
        let Once::Done(Applied { events, version }) = wait(backend.store().accept_fanout(more)) else {
            panic!()
        };
        assert_eq!(events, [Placed::Duplicate(2), Placed::Stored(3)]);
        assert_eq!(version.next_seq, 4);
        assert_eq!(backend.store().seen_message(ROOM, &[3; 32]).unwrap(), Some(3));
        assert_eq!(backend.store().seen_message(ROOM, &[4; 32]).unwrap(), None);
    });
}

#[test]
fn fan_out_never_writes_into_a_room_of_this_hub() {
    each(|backend| {
        let made = create(backend.store());
        let command = fanout("a.example", Some(made.version), write(vec![event(b"forged")]));
        assert!(
            backend
                .store()
                .accept_fanout(command)
                .wait()
                .unwrap_err()
                .is_conflict()
        );
    });
}

#[test]
fn a_batch_is_frozen_until_it_is_acknowledged() {
    each(|backend| {
        let mut version = create(backend.store()).version;
        assert_eq!(backend.store().outbox_due_after(0).unwrap(), None);
        for body in [b"one", b"two", b"333"] {
            version = apply(backend.store(), version, write(vec![event(body)])).version;
        }
        // The first went out alone; the others wait for its acknowledgement.
        let batch = only_batch(backend.store());
        assert_eq!((batch.first_seq, batch.last_seq, batch.attempts), (1, 1, 0));
        assert_eq!(batch.next_attempt_at, 1000);

        let later = OutboxDefer {
            room: ROOM.into(),
            follower: F.into(),
            last_seq: 1,
            attempts: 3,
            next_attempt_at: 5000,
        };
        assert_eq!(wait(backend.store().outbox_defer(later)), AckOutcome::Done);
        assert!(backend.store().outbox_due(4999, 9).unwrap().is_empty());
        assert_eq!(backend.store().outbox_due_after(0).unwrap(), Some(5000));
        backend.restart();
        let again = only_batch(backend.store());
        assert_eq!(
            (&again.entries, again.attempts, again.next_attempt_at),
            (&batch.entries, 3, 5000)
        );

        assert_eq!(
            wait(backend.store().outbox_ack(acked(2))),
            AckOutcome::NotInFlight
        );
        assert_eq!(wait(backend.store().outbox_ack(acked(1))), AckOutcome::Done);
        assert_eq!(
            wait(backend.store().outbox_ack(acked(1))),
            AckOutcome::NotInFlight
        );
        let next = only_batch(backend.store());
        assert_eq!((next.first_seq, next.last_seq), (2, 3));
        assert_eq!(bodies(&next.entries), [b"two", b"333"]);
        assert_eq!(wait(backend.store().outbox_ack(acked(3))), AckOutcome::Done);
        assert!(backend.store().outbox_due(MAX_NUMBER, 9).unwrap().is_empty());
    });
}

#[test]
fn a_follower_for_whom_much_waits_hides_no_other() {
    each(|backend| {
        for (number, follower) in [(0, "a"), (1, "b"), (2, "a"), (3, "a"), (4, "c"), (5, "a")] {
            let to = RoomEvent {
                followers: vec![follower.into()],
                ..event(b"x")
            };
            let write = RoomWrite {
                room: format!("room {number}"),
                now: 1000 + number,
                ..write(vec![to])
            };
            let command = CreateRoom {
                kind: RoomKind::Hub,
                hub_domain: "hub".into(),
                write,
            };
            done(wait(backend.store().create_room(command)));
        }
        let names = |due: Vec<Due>| -> Vec<String> {
            let names = due.into_iter();
            names
                .map(|due| format!("{} {} {}", due.follower, due.room, due.next_attempt_at))
                .collect()
        };
        let store = backend.store();
        assert_eq!(
            names(store.outbox_due(1004, 2).unwrap()),
            ["a room 0 1000", "a room 2 1002", "b room 1 1001", "c room 4 1004"]
        );
        assert_eq!(names(store.outbox_due_to("a", 1004, 9).unwrap()).len(), 3);
        assert_eq!(names(store.outbox_due_to("c", 1003, 9).unwrap()).len(), 0);
        assert_eq!(store.outbox_due_after(1000).unwrap(), Some(1001));
        assert_eq!(store.outbox_due_after(1004).unwrap(), Some(1005));
        assert_eq!(store.outbox_due_after(1005).unwrap(), None);
    });
}

#[test]
fn a_batch_has_bounds() {
    each(|backend| {
        let version = create(backend.store()).version;
        let big = vec![7; MAX_BATCH_BYTES + 1];
        let half = vec![8; MAX_BATCH_BYTES / 2];
        let mut events = vec![event(&big), event(&half), event(&half), event(b"x")];
        events.extend((0..MAX_BATCH_ENTRIES).map(|_| event(b"y")));
        apply(backend.store(), version, write(events));
        // The oversized one alone, as many bytes as fit, as many entries as fit, the rest.
        let mut last = 0;
        for size in [1, 2, MAX_BATCH_ENTRIES, 1] {
            let batch = only_batch(backend.store());
            assert_eq!((batch.first_seq, batch.entries.len()), (last + 1, size));
            last = batch.last_seq;
            assert_eq!(wait(backend.store().outbox_ack(acked(last))), AckOutcome::Done);
        }
        assert_eq!(backend.store().outbox_due_after(0).unwrap(), None);
    });
}

#[test]
fn a_batch_that_nobody_takes_is_given_up_whole() {
    each(|backend| {
        let mut version = create(backend.store()).version;
        for now in [1000, 2000, 3000] {
            let write = RoomWrite {
                now,
                ..write(vec![event(b"old")])
            };
            version = apply(backend.store(), version, write).version;
        }
        let none = wait(backend.store().outbox_expire(OutboxExpire {
            before: 1000,
            now: 4000,
        }));
        assert!(none.is_empty());
        let gone = wait(backend.store().outbox_expire(OutboxExpire {
            before: 2500,
            now: 4000,
        }));
        assert_eq!((gone.len(), gone[0].last_seq, gone[0].entries), (1, 1, 1));
        // The batch after it has one entry that is young enough, and keeps the other one with it.
        let next = only_batch(backend.store());
        assert_eq!(
            (next.first_seq, next.last_seq, next.next_attempt_at),
            (2, 3, 4000)
        );
    });
}

#[test]
fn a_device_reads_by_cursor() {
    each(|backend| {
        let version = create(backend.store()).version;
        let named_twice = RoomEvent {
            devices: vec![D.into(), D.into()],
            ..event(b"12345")
        };
        apply(backend.store(), version, write(vec![named_twice, event(b"6789")]));
        assert_eq!(
            wait(backend.store().device_enqueue(notices(&[b"note"]))),
            Once::Done(vec![3])
        );
        let items = read(backend.store());
        assert_eq!(
            items.iter().map(|item| item.cursor).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(
            items[0].place.as_ref().map(|place| (&*place.room, place.seq)),
            Some((ROOM, 1))
        );
        assert_eq!(
            (&items[2].place, items[2].kind, &*items[2].body),
            (&None, 4, b"note".as_slice())
        );
        let some = |after, limit, bytes| backend.store().device_read(D, after, limit, bytes).unwrap().len();
        assert_eq!(
            (
                some(0, 2, 99),
                some(0, 9, 9),
                some(0, 9, 0),
                some(2, 9, 99),
                some(3, 9, 99)
            ),
            (2, 2, 1, 1, 0)
        );

        let never = backend.store().device_ack(D, 4).wait();
        assert!(matches!(never, Err(StoreError::Misuse(_))));
        assert_eq!(wait(backend.store().device_ack(D, 2)), 2);
        assert_eq!(wait(backend.store().device_ack(D, 1)), 0);
        assert_eq!(wait(backend.store().device_ack(D, 3)), 1);
        backend.restart();
        assert!(read(backend.store()).is_empty());
        assert_eq!(
            wait(backend.store().device_enqueue(notices(&[b"more"]))),
            Once::Done(vec![4])
        );
    });
}

#[test]
fn a_body_stays_while_somebody_has_yet_to_get_it() {
    each(|backend| {
        let version = create(backend.store()).version;
        let queued = RoomEvent {
            followers: Vec::new(),
            ..event(b"queued")
        };
        let outgoing = RoomEvent {
            devices: Vec::new(),
            ..event(b"outgoing")
        };
        let kept = RoomEvent {
            kind: 1,
            body: b"nobody".to_vec(),
            message_hash: Some([1; 32]),
            ..RoomEvent::default()
        };
        apply(backend.store(), version, write(vec![queued, outgoing, kept]));
        let policy = Retention {
            log_ms: 100,
            hashes_ms: 200,
            answers_ms: 0,
        };
        let expire = |now| backend.store().expire(now, policy).unwrap();
        assert_eq!(
            (expire(1100).bodies, expire(1101).bodies, expire(1101).bodies),
            (0, 1, 0)
        );
        assert_eq!((expire(1200).hashes, expire(1201).hashes), (0, 1));
        assert_eq!(wait(backend.store().device_ack(D, 1)), 1);
        assert_eq!(expire(9999).bodies, 1);
        assert_eq!(wait(backend.store().outbox_ack(acked(2))), AckOutcome::Done);
        assert_eq!(expire(9999).bodies, 1);
        assert!(backend.store().room_log(ROOM, 0, 9).unwrap().is_empty());
        assert_eq!(
            backend.store().load_room(ROOM).unwrap().unwrap().version.next_seq,
            4
        );
    });
}

#[test]
fn a_clock_that_was_ahead_for_a_while_keeps_nothing_old() {
    each(|backend| {
        let mut version = create(backend.store()).version;
        for (number, now) in (1..).zip([1000, 90_000, 1000, 5000]) {
            let unneeded = RoomEvent {
                kind: 1,
                body: vec![number],
                message_hash: Some([number; 32]),
                ..RoomEvent::default()
            };
            let answer = Answer {
                origin: "b.example".into(),
                request_hash: [number; 32],
                response: Vec::new(),
            };
            let change = RoomWrite {
                now,
                answer: Some(answer),
                ..write(vec![unneeded])
            };
            version = apply(backend.store(), version, change).version;
        }
        let policy = Retention {
            log_ms: 1000,
            hashes_ms: 1000,
            answers_ms: 1000,
        };
        let gone = backend.store().expire(5100, policy).unwrap();
        assert_eq!((gone.bodies, gone.hashes, gone.answers), (2, 2, 2));
        let log = backend.store().room_log(ROOM, 0, 9).unwrap();
        let times: Vec<u64> = log.iter().map(|entry| entry.at).collect();
        assert_eq!(times, [90_000, 5000]);
    });
}

#[test]
fn hints_follow_commits() {
    each(|backend| {
        let mut hints = backend.store().watch();
        let version = create(backend.store()).version;
        assert!(hints.try_recv().is_err());
        apply(backend.store(), version, write(vec![event(b"one")]));
        let mut told = vec![next(&mut hints), next(&mut hints)];
        told.sort();
        let batch = Hint::Outbox {
            room: ROOM.into(),
            follower: F.into(),
        };
        assert_eq!(told, [Hint::Device(D.into()), batch]);
        let lost = Apply {
            expect: version,
            write: write(vec![event(b"lost")]),
        };
        assert!(backend.store().apply(lost).wait().is_err());
        wait(backend.store().put_setting("k", b"v".to_vec()));
        assert!(hints.try_recv().is_err());
    });
}

#[test]
fn numbers_have_bounds() {
    each(|backend| {
        let far = RoomWrite {
            now: MAX_NUMBER + 1,
            ..write(Vec::new())
        };
        let command = CreateRoom {
            kind: RoomKind::Hub,
            hub_domain: "a.example".into(),
            write: far,
        };
        assert!(matches!(
            backend.store().create_room(command).wait(),
            Err(StoreError::Misuse(_))
        ));
        assert!(matches!(
            backend.store().device_ack(D, u64::MAX).wait(),
            Err(StoreError::Misuse(_))
        ));
        assert!(read(backend.store()).is_empty());
    });
}

const F: &str = "f.example";
const D: &str = "mimi://a.example/d/alice/1";

fn create(store: &dyn Store) -> Applied {
    done(again(store).unwrap())
}

fn again(store: &dyn Store) -> Result<Once<Applied>, StoreError> {
    let write = RoomWrite {
        row_puts: vec![(b"a".to_vec(), b"0".to_vec())],
        ..write(Vec::new())
    };
    store
        .create_room(CreateRoom {
            kind: RoomKind::Hub,
            hub_domain: "a.example".into(),
            write,
        })
        .wait()
}

fn apply(store: &dyn Store, expect: RoomVersion, write: RoomWrite) -> Applied {
    done(wait(store.apply(Apply { expect, write })))
}

fn fanout(hub: &str, expect: Option<RoomVersion>, write: RoomWrite) -> AcceptFanout {
    AcceptFanout {
        hub_domain: hub.into(),
        expect,
        write,
    }
}

fn write(events: Vec<RoomEvent>) -> RoomWrite {
    RoomWrite {
        room: ROOM.into(),
        events,
        now: 1000,
        ..RoomWrite::default()
    }
}

fn event(body: &[u8]) -> RoomEvent {
    RoomEvent {
        kind: 1,
        body: body.to_vec(),
        message_hash: None,
        devices: vec![D.into()],
        followers: vec![F.into()],
    }
}

fn notices(bodies: &[&[u8]]) -> Enqueue {
    let notice = |body: &&[u8]| Notice {
        device: D.into(),
        kind: 4,
        body: body.to_vec(),
    };
    Enqueue {
        notices: bodies.iter().map(notice).collect(),
        answer: None,
        now: 1000,
    }
}

fn acked(last_seq: u64) -> OutboxAck {
    OutboxAck {
        room: ROOM.into(),
        follower: F.into(),
        last_seq,
        now: 3000,
    }
}

fn only_batch(store: &dyn Store) -> Batch {
    let due = store.outbox_due(MAX_NUMBER, 9).unwrap();
    assert_eq!(due.len(), 1);
    store
        .outbox_batch(&due[0].room, &due[0].follower)
        .unwrap()
        .unwrap()
}

fn read(store: &dyn Store) -> Vec<sabir_store::DeviceItem> {
    store.device_read(D, 0, 99, 9999).unwrap()
}

fn bodies(entries: &[LogEntry]) -> Vec<&[u8]> {
    entries.iter().map(|entry| &*entry.body).collect()
}

fn next(hints: &mut tokio::sync::broadcast::Receiver<Hint>) -> Hint {
    // SQLite publishes before it answers, so a hint of an answered write is there.
    hints.try_recv().unwrap()
}

fn done<T>(once: Once<T>) -> T {
    match once {
        Once::Done(done) => done,
        Once::AlreadyAnswered(_) => panic!("answered before"),
    }
}

fn wait<T>(pending: Pending<T>) -> T {
    pending.wait().unwrap()
}
