//! Uploaded files as stories, told to every implementation.

use sabir_store::{
    Asset, BeginAsset, BeginAssetOutcome, DropAssets, FinishAsset, GiveUpAsset, MAX_NUMBER, Store, StoreError,
};

use crate::backend::each;

const ALICE: &str = "mimi://a.example/u/alice";
const BOB: &str = "mimi://a.example/u/bob";

#[test]
fn a_file_is_announced_finished_and_forgotten() {
    each(|backend| {
        let begun = begin(backend.store(), command("one", ALICE, 10, 1));
        let BeginAssetOutcome::Begun(asset) = begun else {
            panic!("{begun:?}")
        };
        assert_eq!((asset.finished, asset.expires_at), (false, 100));
        backend.restart();
        assert_eq!(backend.store().asset("one").unwrap(), Some(asset.clone()));
        let finished = finish(backend.store(), "one", 50, 500).unwrap();
        assert_eq!((finished.finished, finished.expires_at), (true, 500));
        assert_eq!(
            finish(backend.store(), "one", 60, 900),
            Some(finished.clone()),
            "finishing again changes nothing"
        );
        assert_eq!(forget(backend.store(), "one", 499), 0, "its time is not over");
        assert_eq!(
            backend.store().expired_assets(499, 9).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(backend.store().expired_assets(500, 9).unwrap(), ["one"]);
        assert_eq!(finish(backend.store(), "one", 500, 900), None);
        assert_eq!(
            backend.store().asset_bytes(ALICE).unwrap(),
            10,
            "its bytes are still there"
        );
        assert_eq!(forget(backend.store(), "one", 500), 1);
        assert_eq!(backend.store().asset("one").unwrap(), None);
        assert_eq!(backend.store().asset_bytes(ALICE).unwrap(), 0);
    });
}

#[test]
fn the_same_file_again_is_the_same_asset() {
    each(|backend| {
        let store = backend.store();
        begin(store, command("one", ALICE, 10, 1));
        let again = begin(store, command("two", ALICE, 10, 1));
        assert!(
            matches!(&again, BeginAssetOutcome::Same(asset) if asset.id == "one"),
            "{again:?}"
        );
        for (other, name) in [
            (command("two", BOB, 10, 1), "another person's"),
            (command("three", ALICE, 11, 1), "another size"),
            (command("four", ALICE, 10, 2), "another hash"),
        ] {
            assert!(
                matches!(begin(store, other), BeginAssetOutcome::Begun(_)),
                "{name}"
            );
        }
        let late = BeginAsset {
            now: 100,
            expires_at: 200,
            ..command("five", ALICE, 10, 1)
        };
        assert!(
            matches!(begin(store, late), BeginAssetOutcome::Begun(_)),
            "the first has expired"
        );
        let taken = begin(store, command("five", BOB, 7, 7));
        assert_eq!(taken, BeginAssetOutcome::IdTaken);
    });
}

#[test]
fn unfinished_files_count_against_the_quota() {
    each(|backend| {
        let store = backend.store();
        let begin = |id: &str, size| {
            begin(
                store,
                BeginAsset {
                    quota: 100,
                    ..command(id, ALICE, size, u8::try_from(id.len()).unwrap())
                },
            )
        };
        assert!(matches!(begin("a", 60), BeginAssetOutcome::Begun(_)));
        assert_eq!(begin("bb", 41), BeginAssetOutcome::QuotaExceeded { used: 60 });
        assert!(matches!(begin("bb", 40), BeginAssetOutcome::Begun(_)));
        assert_eq!(begin("ccc", 1), BeginAssetOutcome::QuotaExceeded { used: 100 });
        finish(store, "bb", 10, 500);
        assert!(!give_up(store, "a", BOB, 20), "it is not his");
        assert!(give_up(store, "a", ALICE, 20));
        assert_eq!(store.expired_assets(20, 9).unwrap(), ["a"]);
        assert_eq!(
            begin("ccc", 1),
            BeginAssetOutcome::QuotaExceeded { used: 100 },
            "its bytes are still there"
        );
        forget(store, "a", 20);
        assert!(matches!(begin("ccc", 60), BeginAssetOutcome::Begun(_)));
    });
}

#[test]
fn records_are_bounded_too() {
    each(|backend| {
        let store = backend.store();
        let begin = |id: &str, hash| {
            let most = 2;
            begin(
                store,
                BeginAsset {
                    most,
                    ..command(id, ALICE, 1, hash)
                },
            )
        };
        assert!(matches!(begin("a", 1), BeginAssetOutcome::Begun(_)));
        assert!(matches!(begin("b", 2), BeginAssetOutcome::Begun(_)));
        assert_eq!(begin("c", 3), BeginAssetOutcome::TooMany);
        assert!(
            matches!(begin("c", 2), BeginAssetOutcome::Same(_)),
            "what is there is found"
        );
        give_up(store, "a", ALICE, 20);
        forget(store, "a", 20);
        assert!(matches!(begin("c", 3), BeginAssetOutcome::Begun(_)));
    });
}

#[test]
fn numbers_that_cannot_be_kept_are_misuse() {
    each(|backend| {
        let store = backend.store();
        for wrong in [
            command("a", ALICE, 0, 1),
            command("a", ALICE, MAX_NUMBER + 1, 1),
            BeginAsset {
                quota: MAX_NUMBER + 1,
                ..command("a", ALICE, 1, 1)
            },
        ] {
            let refused = store.begin_asset(wrong).wait();
            assert!(matches!(refused, Err(StoreError::Misuse(_))), "{refused:?}");
        }
        let most = BeginAsset {
            quota: MAX_NUMBER,
            ..command("a", ALICE, MAX_NUMBER, 1)
        };
        assert!(matches!(begin(store, most), BeginAssetOutcome::Begun(_)));
        let more = BeginAsset {
            quota: MAX_NUMBER,
            ..command("b", ALICE, 1, 2)
        };
        assert_eq!(
            begin(store, more),
            BeginAssetOutcome::QuotaExceeded { used: MAX_NUMBER }
        );
    });
}

fn command(id: &str, owner: &str, size: u64, hash: u8) -> BeginAsset {
    BeginAsset {
        id: id.to_owned(),
        owner: owner.to_owned(),
        size,
        hash: [hash; 32],
        quota: 1000,
        most: 10,
        expires_at: 100,
        now: 1,
    }
}

fn begin(store: &dyn Store, command: BeginAsset) -> BeginAssetOutcome {
    store.begin_asset(command).wait().unwrap()
}

fn finish(store: &dyn Store, id: &str, now: u64, expires_at: u64) -> Option<Asset> {
    let id = id.to_owned();
    store
        .finish_asset(FinishAsset { id, expires_at, now })
        .wait()
        .unwrap()
}

fn give_up(store: &dyn Store, id: &str, owner: &str, now: u64) -> bool {
    let (id, owner) = (id.to_owned(), owner.to_owned());
    store
        .give_up_asset(GiveUpAsset { id, owner, now })
        .wait()
        .unwrap()
}

fn forget(store: &dyn Store, id: &str, now: u64) -> u64 {
    let ids = vec![id.to_owned()];
    store.drop_assets(DropAssets { ids, now }).wait().unwrap()
}
