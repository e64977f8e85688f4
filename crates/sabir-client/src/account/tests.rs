#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;

use sabir_wire::client_api::path;

use super::*;
use crate::testing::{Authority, FakeProvider, Fault, quick};

fn new_account(provider: &FakeProvider, authority: &Authority, token: &str, name: &str) -> NewAccount {
    NewAccount {
        invite: provider.invite(token),
        name: name.to_owned(),
        device_name: "desk".to_owned(),
        anchors: authority.anchors.clone(),
    }
}

#[tokio::test]
async fn an_invite_becomes_an_account() {
    let authority = Authority::new();
    let provider = FakeProvider::start("a.example", &authority).await;
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    let mut store = Store::create(&profile, None).unwrap();
    let new = new_account(&provider, &authority, "good", "alice");
    let (account, code) = create(&mut store, &new, quick()).await.unwrap();
    assert_eq!(account.address, "alice@a.example");
    assert_eq!(account.provider, "a.example");

    drop(store);
    let mut store = Store::open(&profile, None).unwrap();
    let record = AccountRecord::load(&mut store).unwrap();
    assert_eq!(record.to_plain().unwrap(), account);
    record.device().unwrap();
    assert_eq!(recovery_code(&mut store).unwrap(), Some(code));
    confirm_recovery_code(&mut store).unwrap();
    assert_eq!(recovery_code(&mut store).unwrap(), None);
    assert!(!in_progress(&mut store).unwrap());
    assert!(matches!(begin(&mut store, &new), Err(AccountError::Exists)));
    assert_eq!(store.read(|tx| tx.anchors()).unwrap().iter().count(), 1);

    let secret = format!("{record:?}");
    assert!(secret.contains("Secret(..)"), "{secret}");
}

#[tokio::test]
async fn a_creation_goes_on_after_any_interruption_with_the_same_bytes() {
    let mut interrupted = 0;
    for number in 1.. {
        let mut survived = 0;
        for fault in [Fault::Before(number), Fault::After(number)] {
            let authority = Authority::new();
            let provider = FakeProvider::start("a.example", &authority).await;
            let directory = tempfile::tempdir().unwrap();
            let profile = directory.path().join("p");
            provider.state().fault = Some(fault);
            let mut store = Store::create(&profile, None).unwrap();
            let new = new_account(&provider, &authority, "good", "alice");
            match create(&mut store, &new, quick()).await {
                Ok(_) => survived += 1,
                Err(AccountError::Transport(_)) => {
                    interrupted += 1;
                    // As after a kill: nothing but the disk is left.
                    drop(store);
                    let mut store = Store::open(&profile, None).unwrap();
                    assert!(in_progress(&mut store).unwrap());
                    assert!(matches!(begin(&mut store, &new), Err(AccountError::InProgress)));
                    let (account, _) = resume(&mut store, quick()).await.unwrap();
                    assert_eq!(account.address, "alice@a.example");
                }
                Err(error) => panic!("{fault:?}: {error}"),
            }
            for path in [path::ACCOUNTS, path::DEVICES, path::KEY_PACKAGES] {
                let different: BTreeSet<_> = provider.bodies(path).into_iter().collect();
                assert_eq!(different.len(), 1, "{fault:?} {path}");
            }
        }
        if survived == 2 {
            break;
        }
    }
    assert!(interrupted >= 14, "{interrupted}");
}

fn recovery(provider: &FakeProvider, authority: &Authority, code: RecoveryCode, user: &str) -> NewRecovery {
    NewRecovery {
        user: UserUri::parse(user).unwrap(),
        code,
        connect: provider.invite("x").connect,
        device_name: "new".to_owned(),
        anchors: authority.anchors.clone(),
    }
}

#[tokio::test]
async fn a_recovery_goes_on_after_any_interruption_and_brings_the_rooms() {
    const ALICE: &str = "mimi://a.example/u/alice";
    let mut interrupted = 0;
    for number in 1.. {
        let mut survived = 0;
        for fault in [Fault::Before(number), Fault::After(number)] {
            let authority = Authority::new();
            let provider = FakeProvider::start("a.example", &authority).await;
            let directory = tempfile::tempdir().unwrap();
            let mut old = Store::create(&directory.path().join("old"), None).unwrap();
            let new = new_account(&provider, &authority, "good", "alice");
            let (_, code) = create(&mut old, &new, quick()).await.unwrap();
            let lost = AccountRecord::load(&mut old).unwrap();
            let user = UserUri::parse(ALICE).unwrap();
            let rooms = ["mimi://a.example/r/x", "mimi://b.example/r/y"];
            let parsed = rooms.map(|room| sabir_wire::uri::RoomUri::parse(room).unwrap());
            let sealed = seal_rooms(&lost.backup_key().unwrap().unwrap(), &user, &parsed).unwrap();
            provider.state().backups.insert(ALICE.to_owned(), sealed.clone());

            provider.state().requests.clear();
            provider.state().restart(fault);
            let profile = directory.path().join("new");
            let mut store = Store::create(&profile, None).unwrap();
            let new = recovery(&provider, &authority, code.clone(), ALICE);
            let next = match recover(&mut store, &new, quick()).await {
                Ok((_, next)) => {
                    survived += 1;
                    next
                }
                Err(AccountError::Transport(_)) => {
                    interrupted += 1;
                    drop(store);
                    store = Store::open(&profile, None).unwrap();
                    assert!(in_progress(&mut store).unwrap());
                    let (account, next) = recover(&mut store, &new, quick()).await.unwrap();
                    assert_eq!(account.address, "alice@a.example");
                    next
                }
                Err(error) => panic!("{fault:?}: {error}"),
            };
            for path in [path::RECOVER, path::DEVICES, path::KEY_PACKAGES] {
                let different: BTreeSet<_> = provider.bodies(path).into_iter().collect();
                assert_eq!(different.len(), 1, "{fault:?} {path}");
            }
            assert!(next != code);
            assert_eq!(recovery_code(&mut store).unwrap(), Some(next.clone()));
            let joining: Vec<String> = store.get(Name::TO_JOIN).unwrap().unwrap();
            assert_eq!(joining, rooms, "{fault:?}");
            let record = AccountRecord::load(&mut store).unwrap();
            assert!(record.may_link());
            assert_ne!(record.identity_public().unwrap(), lost.identity_public().unwrap());
            provider.state().fault = None;
            // Whoever loses this device at once comes back with the new code, and the rooms.
            let mut third = Store::create(&directory.path().join("third"), None).unwrap();
            let used = recovery(&provider, &authority, code, ALICE);
            let refused = recover(&mut third, &used, quick()).await.unwrap_err();
            assert!(matches!(refused, AccountError::Refused(_)), "{refused}");
            assert!(!in_progress(&mut third).unwrap());
            let last = recovery(&provider, &authority, next, ALICE);
            recover(&mut third, &last, quick()).await.unwrap();
            let joining: Vec<String> = third.get(Name::TO_JOIN).unwrap().unwrap();
            assert_eq!(joining, rooms, "{fault:?}");
        }
        if survived == 2 {
            break;
        }
    }
    assert!(interrupted >= 16, "{interrupted}");
}

#[tokio::test]
async fn a_refusal_ends_the_creation() {
    let authority = Authority::new();
    let provider = FakeProvider::start("a.example", &authority).await;
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::create(&directory.path().join("p"), None).unwrap();
    let error = create(
        &mut store,
        &new_account(&provider, &authority, "used", "alice"),
        quick(),
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the provider refused: the invite was used already"
    );
    assert!(!in_progress(&mut store).unwrap());
    create(
        &mut store,
        &new_account(&provider, &authority, "good", "alice"),
        quick(),
    )
    .await
    .unwrap();

    let mut second = Store::create(&directory.path().join("q"), None).unwrap();
    let error = create(
        &mut second,
        &new_account(&provider, &authority, "good", "alice"),
        quick(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.to_string(), "the provider refused: the name is taken");
    for name in ["", "..", "a\u{7}b"] {
        let error = begin(&mut second, &new_account(&provider, &authority, "good", name)).unwrap_err();
        assert!(matches!(error, AccountError::Name(_)), "{name:?}: {error}");
    }
}

#[tokio::test]
async fn nothing_of_an_account_stands_in_clear() {
    let authority = Authority::new();
    let provider = FakeProvider::start("a.example", &authority).await;
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("p");
    let mut store = Store::create(&profile, None).unwrap();
    let new = new_account(&provider, &authority, "token-of-the-invite", "alice");
    let (_, code) = create(&mut store, &new, quick()).await.unwrap();
    let record = AccountRecord::load(&mut store).unwrap();
    let key = record.device_key.bytes().unwrap();
    let client = record.client.rsplit('/').next().unwrap();
    let needles: [&[u8]; 7] = [
        b"alice",
        b"token-of-the-invite",
        b"a.example",
        client.as_bytes(),
        &key[2..],
        code.seed(),
        &record.device_list.as_bytes()[..32],
    ];
    for file in std::fs::read_dir(&profile).unwrap() {
        let path = file.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        for needle in needles {
            let found = content.windows(needle.len()).any(|window| window == needle);
            assert!(
                !found,
                "{} in {}",
                String::from_utf8_lossy(needle),
                path.display()
            );
        }
    }
}
