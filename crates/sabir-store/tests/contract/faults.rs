//! The model's injected faults.

use sabir_store::{Enqueue, Fault, MemoryStore, Notice, Store, StoreError};

#[test]
fn a_write_fails_before_or_after_it_happened() {
    let store = MemoryStore::new();
    store.fail_write(1, Fault::BeforeApply);
    store.fail_write(3, Fault::AfterApply);
    assert!(!put(&store).unwrap_err().maybe_applied());
    assert_eq!(queued(&store), 0);
    put(&store).unwrap();
    assert!(put(&store).unwrap_err().maybe_applied());
    assert_eq!(queued(&store), 2);
    put(&store).unwrap();
    assert_eq!((store.writes(), queued(&store)), (4, 3));
}

#[test]
fn a_full_disk_refuses_writes_and_allows_reads() {
    let store = MemoryStore::new();
    put(&store).unwrap();
    store.set_full(true);
    assert!(matches!(
        put(&store),
        Err(StoreError::Unavailable {
            maybe_applied: false,
            ..
        })
    ));
    assert_eq!(queued(&store), 1);
    store.set_full(false);
    put(&store).unwrap();
}

#[test]
fn a_crash_leaves_what_was_applied_and_kills_the_old_handle() {
    let before = MemoryStore::new();
    put(&before).unwrap();
    before.fail_write(1, Fault::BeforeApply);
    let after = before.reopen();
    assert!(put(&before).is_err());
    assert!(before.list_rooms().is_err());
    put(&after).unwrap();
    assert_eq!(queued(&after), 2);
}

fn put(store: &MemoryStore) -> Result<(), StoreError> {
    let notice = Notice {
        device: "d".into(),
        kind: 0,
        body: Vec::new(),
    };
    store
        .device_enqueue(Enqueue {
            notices: vec![notice],
            answer: None,
            now: 0,
        })
        .wait()
        .map(|_| ())
}

fn queued(store: &MemoryStore) -> usize {
    store.device_read("d", 0, 99, 99).unwrap().len()
}
