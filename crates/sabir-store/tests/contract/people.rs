//! Key packages, accounts and tokens as stories, told to every implementation.

use sabir_store::{
    AddDevice, CreateAccount, CreateInvite, DeviceOutcome, Freshness, InviteOutcome, KeyPackagePick,
    KeyPackageRow, MAX_KEY_PACKAGES_PER_DEVICE, NewAccountOutcome, PublishKeyPackages, Published, PutToken,
    RecordRoutes, RecoverAccount, RecoverOutcome, Retention, Route, RouteRow, Store, StoreError,
    TakeKeyPackages,
};

use crate::backend::each;

const DEVICE: &str = "mimi://a.example/d/alice/1";
const ALICE: &str = "mimi://a.example/u/alice";

#[test]
fn a_key_package_is_given_once() {
    each(|backend| {
        let all = vec![package(1, 1, 10), package(2, 1, 20), package(3, 2, 30)];
        let published = publish(backend.store(), all.clone());
        assert_eq!(
            published,
            Published {
                stored: 3,
                ..Published::default()
            }
        );
        assert_eq!(count(backend.store()), 3);
        let peeked = backend.store().peek_key_package(DEVICE, 1, ANY).unwrap().unwrap();
        assert_eq!(peeked, all[0]);

        // The preferred suite first, of it the one that was published first.
        assert_eq!(take(backend.store(), 1, &[2, 1], ANY), Some(vec![3]));
        assert_eq!(take(backend.store(), 2, &[2, 1], ANY), Some(vec![1]));
        backend.restart();
        assert_eq!(
            take(backend.store(), 1, &[1], ANY),
            Some(vec![3]),
            "the same request gets the same"
        );
        assert_eq!(
            publish(backend.store(), all).known,
            3,
            "publishing again brings nothing back"
        );
        assert_eq!(count(backend.store()), 1);
        assert_eq!(take(backend.store(), 3, &[2], ANY), None);
        assert_eq!(take(backend.store(), 4, &[1], ANY), Some(vec![2]));
        assert_eq!(take(backend.store(), 5, &[1], ANY), None);
        publish(backend.store(), vec![package(4, 1, 40)]);
        assert_eq!(
            take(backend.store(), 5, &[1], ANY),
            None,
            "an empty answer stays empty"
        );
    });
}

#[test]
fn only_fresh_key_packages_are_given() {
    each(|backend| {
        publish(backend.store(), vec![package(1, 1, 10), package(2, 1, 20)]);
        let since = |published_since| Freshness {
            published_since,
            ..ANY
        };
        let until = |min_not_after| Freshness { min_not_after, ..ANY };
        assert_eq!(take(backend.store(), 1, &[1], since(21)), None);
        assert_eq!(take(backend.store(), 2, &[1], until(1001)), None);
        assert_eq!(backend.store().count_key_packages(DEVICE, since(20)).unwrap(), 1);
        let of = |suite, fresh| backend.store().count_key_packages_in(DEVICE, suite, fresh);
        assert_eq!((of(1, since(20)).unwrap(), of(1, ANY).unwrap()), (1, 2));
        assert_eq!((of(2, ANY).unwrap(), of(1, until(1001)).unwrap()), (0, 0));
        assert_eq!(take(backend.store(), 3, &[1], since(20)), Some(vec![2]));
        assert_eq!(take(backend.store(), 4, &[1], until(1000)), Some(vec![1]));
        let dead = KeyPackageRow {
            not_after: 4,
            ..package(5, 1, 5)
        };
        assert_eq!(publish(backend.store(), vec![dead]).stale, 1);
    });
}

#[test]
fn newer_key_packages_push_the_oldest_out() {
    each(|backend| {
        let many = |from: u16| {
            (from..from + 200)
                .map(|n| package(n, 1, u64::from(n)))
                .collect::<Vec<_>>()
        };
        publish(backend.store(), many(0));
        let published = publish(backend.store(), many(200));
        assert_eq!(
            (published.stored, published.evicted),
            (200, 400 - MAX_KEY_PACKAGES_PER_DEVICE)
        );
        assert_eq!(count(backend.store()), MAX_KEY_PACKAGES_PER_DEVICE as u64);
        assert_eq!(
            take(backend.store(), 1, &[1], ANY),
            Some(144_u16.to_be_bytes()[1..].to_vec())
        );
        assert_eq!(publish(backend.store(), vec![package(0, 1, 0)]).known, 1);
        let too_many = (0..)
            .take(MAX_KEY_PACKAGES_PER_DEVICE + 1)
            .map(|n| package(n, 1, 0))
            .collect();
        let command = PublishKeyPackages {
            device: DEVICE.into(),
            user: ALICE.into(),
            packages: too_many,
        };
        assert!(matches!(
            backend.store().publish_key_packages(command).wait(),
            Err(StoreError::Misuse(_))
        ));
    });
}

#[test]
fn a_reference_leads_to_its_device_or_provider() {
    each(|backend| {
        publish(backend.store(), vec![package(1, 1, 10)]);
        let route = |n: u16, provider: &str| RouteRow {
            reference: reference(n),
            provider: provider.into(),
            expires_at: 500,
        };
        let routes = vec![
            route(1, "evil.example"),
            route(2, "b.example"),
            route(2, "c.example"),
        ];
        backend
            .store()
            .record_routes(RecordRoutes { routes })
            .wait()
            .unwrap();
        let to = |n| backend.store().route(&reference(n)).unwrap();
        assert_eq!(
            to(1),
            Some(Route::Device(DEVICE.into())),
            "a local route is not taken over"
        );
        assert_eq!(to(2), Some(Route::Provider("c.example".into())));
        assert_eq!(to(3), None);
        let policy = Retention {
            log_ms: 0,
            hashes_ms: 0,
            answers_ms: 0,
        };
        assert_eq!(backend.store().expire(500, policy).unwrap().routes, 0);
        assert_eq!(backend.store().expire(501, policy).unwrap().routes, 1);
        let gone = backend.store().expire(1001, policy).unwrap();
        assert_eq!((gone.routes, gone.key_packages), (1, 1));
        assert_eq!(to(1), None);
    });
}

#[test]
fn an_invite_makes_as_many_accounts_as_it_says() {
    each(|backend| {
        let invite = CreateInvite {
            token_hash: [1; 32],
            expires_at: 2000,
            uses: 1,
        };
        let store = backend.store();
        assert_eq!(
            store.create_invite(invite.clone()).wait().unwrap(),
            InviteOutcome::Created
        );
        assert_eq!(
            store
                .create_invite(CreateInvite { uses: 9, ..invite })
                .wait()
                .unwrap(),
            InviteOutcome::Same
        );
        let alice = account([1; 32], ALICE, "alice", 1);
        let make = |command: CreateAccount| store.create_account(command).wait().unwrap();
        assert_eq!(
            make(account([9; 32], ALICE, "alice", 1)),
            NewAccountOutcome::InviteUnknown
        );
        assert_eq!(
            make(CreateAccount {
                now: 2000,
                ..alice.clone()
            }),
            NewAccountOutcome::InviteExpired
        );
        assert_eq!(make(alice.clone()), NewAccountOutcome::Created);
        assert_eq!(
            make(CreateAccount {
                now: 9000,
                ..alice.clone()
            }),
            NewAccountOutcome::Same
        );
        assert_eq!(
            make(CreateAccount {
                identity_key: vec![2],
                ..alice
            }),
            NewAccountOutcome::NameTaken
        );
        let bob = "mimi://a.example/u/bob";
        assert_eq!(
            make(account([1; 32], bob, "alice", 2)),
            NewAccountOutcome::NameTaken
        );
        assert_eq!(
            make(account([1; 32], bob, "bob", 2)),
            NewAccountOutcome::InviteUsed
        );
        assert_eq!(store.list_accounts().unwrap().len(), 1);
        assert_eq!(store.account(ALICE).unwrap().unwrap().created_at, 1000);
        assert_eq!(store.account(bob).unwrap(), None);
    });
}

#[test]
fn device_lists_only_ascend() {
    each(|backend| {
        let store = backend.store();
        let add = |command: AddDevice| store.add_device(command).wait().unwrap();
        assert_eq!(add(device(1, 1)), DeviceOutcome::AccountUnknown);
        store
            .create_invite(CreateInvite {
                token_hash: [1; 32],
                expires_at: 2000,
                uses: 2,
            })
            .wait()
            .unwrap();
        store
            .create_account(account([1; 32], ALICE, "alice", 1))
            .wait()
            .unwrap();
        assert_eq!(add(device(1, 3)), DeviceOutcome::Added);
        assert_eq!(add(device(1, 3)), DeviceOutcome::Same);
        assert_eq!(add(device(2, 2)), DeviceOutcome::ListNotNewer { current: 3 });
        assert_eq!(
            add(AddDevice {
                device_list: vec![9],
                ..device(2, 3)
            }),
            DeviceOutcome::ListNotNewer { current: 3 }
        );
        assert_eq!(add(device(2, 4)), DeviceOutcome::Added);
        assert_eq!(add(device(1, 3)), DeviceOutcome::Same, "an old repetition");
        assert_eq!(
            add(AddDevice {
                credential: vec![8],
                ..device(1, 4)
            }),
            DeviceOutcome::Updated
        );
        assert_eq!(
            add(AddDevice {
                signature_key: vec![8],
                ..device(1, 5)
            }),
            DeviceOutcome::ClientTaken
        );
        assert!(matches!(
            store.add_device(device(1, 0)).wait(),
            Err(StoreError::Misuse(_))
        ));
        assert_eq!(store.account(ALICE).unwrap().unwrap().device_list_version, 4);
        assert_eq!(store.devices(ALICE).unwrap().len(), 2);
        assert_eq!(
            store
                .device(&device(1, 1).client_uri)
                .unwrap()
                .unwrap()
                .credential,
            [8]
        );
    });
}

#[test]
fn a_newer_device_list_takes_the_key_packages_of_the_old_one() {
    each(|backend| {
        let store = backend.store();
        let add = |command: AddDevice| store.add_device(command).wait().unwrap();
        let invite = CreateInvite {
            token_hash: [1; 32],
            expires_at: 2000,
            uses: 2,
        };
        store.create_invite(invite).wait().unwrap();
        for (user, name) in [(ALICE, "alice"), ("mimi://a.example/u/bob", "bob")] {
            let made = account([1; 32], user, name, 1);
            store.create_account(made).wait().unwrap();
        }
        let first = device(1, 1);
        add(first.clone());
        let bobs = AddDevice {
            user: "mimi://a.example/u/bob".into(),
            ..device(3, 1)
        };
        add(bobs.clone());
        let publish = |of: &AddDevice, numbers: std::ops::Range<u16>| {
            let command = PublishKeyPackages {
                device: of.client_uri.clone(),
                user: of.user.clone(),
                packages: numbers.map(|n| package(n, 1, 10)).collect(),
            };
            store.publish_key_packages(command).wait().unwrap();
        };
        let waiting = |of: &AddDevice| store.count_key_packages(&of.client_uri, ANY).unwrap();
        publish(&first, 0..3);
        publish(&bobs, 10..12);
        assert_eq!(add(device(1, 1)), DeviceOutcome::Same);
        assert_eq!(waiting(&first), 3, "a repetition takes nothing");
        assert_eq!(add(device(2, 2)), DeviceOutcome::Added);
        assert_eq!((waiting(&first), waiting(&bobs)), (0, 2));
        publish(&first, 3..5);
        // Another device under the same list.
        assert_eq!(add(device(1, 2)), DeviceOutcome::Same);
        assert_eq!(waiting(&first), 2);
        publish(&first, 0..3);
        assert_eq!(waiting(&first), 2, "what is gone does not come back");
    });
}

#[test]
fn a_recovery_ends_what_hung_on_the_old_identity_key() {
    each(|backend| {
        let store = backend.store();
        let invite = CreateInvite {
            token_hash: [1; 32],
            expires_at: 2000,
            uses: 2,
        };
        store.create_invite(invite).wait().unwrap();
        for (user, name) in [(ALICE, "alice"), ("mimi://a.example/u/bob", "bob")] {
            let made = account([1; 32], user, name, 1);
            store.create_account(made).wait().unwrap();
        }
        let bobs = AddDevice {
            user: "mimi://a.example/u/bob".into(),
            ..device(3, 1)
        };
        for added in [device(1, 1), device(2, 2), bobs.clone()] {
            store.add_device(added.clone()).wait().unwrap();
            let command = PublishKeyPackages {
                device: added.client_uri.clone(),
                user: added.user.clone(),
                packages: vec![package(added.signature_key[0].into(), 1, 10)],
            };
            store.publish_key_packages(command).wait().unwrap();
            let token = PutToken {
                token_hash: [added.signature_key[0]; 32],
                client_uri: added.client_uri,
                expires_at: 2000,
            };
            store.put_token(token).wait().unwrap();
        }
        let before = store.account(ALICE).unwrap().unwrap();
        let recover = RecoverAccount {
            user: ALICE.into(),
            shown: before.recovery_commitment.clone(),
            identity_key: vec![7],
            user_certificate: vec![7, 7],
            recovery_commitment: vec![8],
        };
        let run = |command: RecoverAccount| store.recover_account(command).wait().unwrap();
        let others = RecoverAccount {
            user: "mimi://a.example/u/nobody".into(),
            ..recover.clone()
        };
        let wrong = RecoverAccount {
            shown: vec![99],
            ..recover.clone()
        };
        for refused in [others, wrong] {
            assert_eq!(run(refused), RecoverOutcome::Refused);
        }
        assert_eq!(store.account(ALICE).unwrap().unwrap(), before);
        assert_eq!(run(recover.clone()), RecoverOutcome::Recovered);
        assert_eq!(run(recover.clone()), RecoverOutcome::Same);
        let after = store.account(ALICE).unwrap().unwrap();
        assert_eq!(
            (after.identity_key, after.user_certificate),
            (vec![7], vec![7, 7])
        );
        assert_eq!((after.device_list, after.device_list_version), (Vec::new(), 0));
        // The same recovery key is worth nothing from now on.
        let again = RecoverAccount {
            identity_key: vec![9],
            ..recover
        };
        assert_eq!(run(again), RecoverOutcome::Refused);
        for (added, there) in [(device(1, 1), false), (device(2, 2), false), (bobs, true)] {
            let token = store.token(&[added.signature_key[0]; 32], 1000).unwrap();
            assert_eq!(token.is_some(), there);
            let packages = store.count_key_packages(&added.client_uri, ANY).unwrap();
            assert_eq!(packages, u64::from(there));
        }
        // A list under the old key that was on its way counts for nothing, whatever its version.
        let late = store.add_device(device(1, 9)).wait().unwrap();
        assert_eq!(late, DeviceOutcome::AnotherIdentity);
        assert_eq!(store.account(ALICE).unwrap().unwrap().device_list_version, 0);
        // The new key's lists count anew.
        let fresh = AddDevice {
            identity_key: vec![7],
            ..device(5, 1)
        };
        let added = store.add_device(fresh).wait().unwrap();
        assert_eq!(added, DeviceOutcome::Added);
    });
}

#[test]
fn tokens_end_and_can_be_revoked() {
    each(|backend| {
        for n in 1..=3 {
            let client_uri = format!("{DEVICE}{}", n % 2);
            let token = PutToken {
                token_hash: [n; 32],
                client_uri,
                expires_at: 2000,
            };
            backend.store().put_token(token).wait().unwrap();
        }
        backend.restart();
        let store = backend.store();
        assert_eq!(store.token(&[1; 32], 1999).unwrap(), Some(format!("{DEVICE}1")));
        assert_eq!(store.token(&[1; 32], 2000).unwrap(), None);
        assert_eq!(store.revoke_tokens(&format!("{DEVICE}1")).wait().unwrap(), 2);
        assert_eq!(store.token(&[1; 32], 1999).unwrap(), None);
        assert!(store.token(&[2; 32], 1999).unwrap().is_some());
        let policy = Retention {
            log_ms: 0,
            hashes_ms: 0,
            answers_ms: 0,
        };
        assert_eq!(store.expire(2000, policy).unwrap().tokens, 1);
    });
}

const ANY: Freshness = Freshness {
    min_not_after: 0,
    published_since: 0,
};

fn package(n: u16, suite: u16, published_at: u64) -> KeyPackageRow {
    let bytes = n.to_be_bytes()[1..].to_vec();
    KeyPackageRow {
        reference: reference(n),
        bytes,
        suite,
        not_after: 1000,
        published_at,
    }
}

fn reference(n: u16) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

fn publish(store: &dyn Store, packages: Vec<KeyPackageRow>) -> Published {
    let command = PublishKeyPackages {
        device: DEVICE.into(),
        user: ALICE.into(),
        packages,
    };
    store.publish_key_packages(command).wait().unwrap()
}

fn count(store: &dyn Store) -> u64 {
    store.count_key_packages(DEVICE, ANY).unwrap()
}

/// The bytes of the package that was taken.
fn take(store: &dyn Store, request: u8, suites: &[u16], fresh: Freshness) -> Option<Vec<u8>> {
    let picks = vec![KeyPackagePick {
        device: DEVICE.into(),
        suites: suites.to_vec(),
    }];
    let command = TakeKeyPackages {
        request_key: [request; 32],
        picks,
        fresh,
        now: 100,
    };
    let mut taken = store.take_key_packages(command).wait().unwrap();
    assert_eq!(taken.len(), 1);
    taken.remove(0).package.map(|package| package.bytes)
}

fn account(invite: [u8; 32], user: &str, name: &str, key: u8) -> CreateAccount {
    CreateAccount {
        invite,
        user: user.into(),
        name: name.into(),
        identity_key: vec![key],
        user_certificate: vec![key, key],
        recovery_commitment: vec![0],
        now: 1000,
    }
}

fn device(n: u8, version: u64) -> AddDevice {
    AddDevice {
        user: ALICE.into(),
        identity_key: vec![1],
        client_uri: format!("mimi://a.example/d/alice/{n}"),
        credential: vec![n],
        signature_key: vec![n, n],
        device_list: vec![u8::try_from(version).unwrap()],
        device_list_version: version,
        now: 1000,
    }
}
