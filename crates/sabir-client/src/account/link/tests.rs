#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "tests"
)]

use sabir_mls::identity::CaCertificate;
use sabir_wire::mls::Credential;
use sabir_wire::uri::RoomUri;

use super::super::listing::Adopted;
use super::super::{NewAccount, create};
use super::*;
use crate::testing::{Authority, FakeProvider, Fault, quick};

struct Scene {
    account: AccountRecord,
    linking: Linking,
    hello: PairingHello,
    anchors: TrustAnchors,
    transcript: [u8; 32],
    provider: FakeProvider,
    authority: Authority,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let authority = Authority::new();
        let provider = FakeProvider::start("a.example", &authority).await;
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::create(&directory.path().join("old"), None).unwrap();
        let new = NewAccount {
            invite: provider.invite("good"),
            name: "alice".to_owned(),
            device_name: "desk".to_owned(),
            anchors: authority.anchors.clone(),
        };
        create(&mut store, &new, quick()).await.unwrap();
        let account = AccountRecord::load(&mut store).unwrap();
        let mut empty = Store::create(&directory.path().join("new"), None).unwrap();
        let new = NewLink {
            provider: Domain::parse("a.example").unwrap(),
            user: None,
            connect: Some(provider.address()),
            device_name: "phone".to_owned(),
            anchors: authority.anchors.clone(),
        };
        assert!(matches!(
            Linking::begin(&mut store, &new, quick()),
            Err(AccountError::Exists)
        ));
        let linking = Linking::begin(&mut empty, &new, quick()).unwrap();
        let hello = PairingHello {
            user: account.user().unwrap(),
            identity_key: account.identity_public().unwrap(),
            nonce: [5; 32],
        };
        let mut anchors = TrustAnchors::new();
        let ca = CaCertificate::parse(&provider.authority_der()).unwrap();
        anchors.pin(&Domain::parse("a.example").unwrap(), ca).unwrap();
        let transcript = linking.paired.transcript(&hello, &linking.reveal);
        Self {
            account,
            linking,
            hello,
            anchors,
            transcript,
            provider,
            authority,
            directory,
        }
    }

    fn letter(&self) -> PairingLetter {
        let mut account = self.account.clone();
        let text = &self.linking.paired.text;
        let mut rng = random::stream().unwrap();
        let own = account.key_hash().unwrap();
        let mut letter = PairingLetter {
            transcript: self.transcript,
            credential: account.issue(&text.client, &text.device_key, &mut rng).unwrap(),
            device_list: account
                .sign_next(vec![own, KeyHash(sha256(&text.device_key))])
                .unwrap(),
            provider_ca: vec![self.provider.authority_der()],
            rooms: vec![RoomUri::parse("mimi://b.example/r/x").unwrap()],
            signature: Vec::new(),
        };
        self.sign(&mut letter);
        letter
    }

    fn sign(&self, letter: &mut PairingLetter) {
        letter.signature = self
            .account
            .sign(PairingLetter::SIGNATURE_LABEL, &letter.tbs())
            .unwrap();
    }

    fn accept(&self, letter: &PairingLetter) -> Result<Creation, AccountError> {
        self.linking
            .accept(&self.hello, &self.transcript, letter, &self.anchors)
    }
}

/// Who knows this side's half could look for another hello that gives the number which the other side shows.
#[tokio::test]
async fn a_hello_is_taken_once() {
    let mut scene = Scene::new().await;
    scene.linking.hello = Some(scene.hello.clone());
    let asked = tokio::time::timeout(std::time::Duration::from_millis(300), scene.linking.offer());
    // There is no box: whether that is waited out or an error, the hello is not asked for.
    let _ = asked.await;
    let asked: Vec<String> = scene
        .provider
        .state()
        .requests
        .iter()
        .map(|(path, _)| path.clone())
        .filter(|path| path.contains("pairing"))
        .collect();
    assert!(
        !asked.is_empty() && asked.iter().all(|path| path.ends_with(path::REVEAL)),
        "{asked:?}"
    );
    assert_eq!(scene.linking.hello, Some(scene.hello));
}

#[tokio::test]
async fn a_letter_counts_only_as_the_other_device_wrote_it() {
    let scene = Scene::new().await;
    let creation = scene.accept(&scene.letter()).unwrap();
    assert!(creation.is_link() && creation.identity_key.is_none());
    assert_eq!(creation.rooms, ["mimi://b.example/r/x"]);

    // Changed on its way: the signature covers all of it.
    let changes: Vec<(&str, fn(&mut PairingLetter))> = vec![
        ("transcript", |it| it.transcript[0] ^= 1),
        ("rooms", |it| it.rooms.clear()),
        ("authority", |it| it.provider_ca.clear()),
        ("version", |it| it.device_list.version += 1),
        ("signature", |it| it.signature[0] ^= 1),
    ];
    for (what, change) in changes {
        let mut letter = scene.letter();
        change(&mut letter);
        let refused = scene.accept(&letter);
        assert!(
            matches!(refused, Err(AccountError::Pairing(PairingError::Forged(_)))),
            "{what}: {refused:?}"
        );
    }
    // Signed by the person, and still not for this device.
    let other = Linking::begin(
        &mut Store::create(&scene.directory.path().join("third"), None).unwrap(),
        &NewLink {
            provider: Domain::parse("a.example").unwrap(),
            user: None,
            connect: None,
            device_name: "other".to_owned(),
            anchors: scene.authority.anchors.clone(),
        },
        quick(),
    )
    .unwrap();
    let mut rng = random::stream().unwrap();
    let text = &other.paired.text;
    let mut issue = |client, key: &[u8; 32]| scene.account.issue(client, key, &mut rng).unwrap();
    let own = &scene.linking.paired.text;
    let another_key = issue(&own.client, &text.device_key);
    let another_name = issue(&text.client, &own.device_key);
    for credential in [another_key, another_name, Credential::Basic { identity: vec![1] }] {
        let mut letter = scene.letter();
        letter.credential = credential;
        scene.sign(&mut letter);
        assert!(scene.accept(&letter).is_err(), "{:?}", letter.credential);
    }
    let mut letter = scene.letter();
    letter.device_list = scene.account.list().unwrap();
    scene.sign(&mut letter);
    assert!(matches!(
        scene.accept(&letter),
        Err(AccountError::Pairing(PairingError::Forged(_)))
    ));
    // Another authority than the one that is known.
    let mut anchors = TrustAnchors::new();
    let stranger = FakeProvider::start("a.example", &scene.authority).await;
    let ca = CaCertificate::parse(&stranger.authority_der()).unwrap();
    anchors.pin(&Domain::parse("a.example").unwrap(), ca).unwrap();
    let refused = scene
        .linking
        .accept(&scene.hello, &scene.transcript, &scene.letter(), &anchors);
    assert!(matches!(refused, Err(AccountError::Certificate(_))));
    // Before the other device has said who it is, no number is right.
    let mut store = Store::open(&scene.directory.path().join("new"), None).unwrap();
    let early = scene.linking.confirm(&mut store, "123 456").await;
    assert!(matches!(early, Err(AccountError::Pairing(PairingError::Numbers))));
    assert!(!link_in_progress(&mut store).unwrap());
}

#[tokio::test]
async fn a_list_is_taken_where_it_is_newer_signed_and_names_this_device() {
    let scene = Scene::new().await;
    let own = scene.account.key_hash().unwrap();
    let other = KeyHash([9; 32]);
    let next = |of: &AccountRecord, hashes: Vec<KeyHash>| {
        let mut next = of.clone();
        let list = next.sign_next(hashes).unwrap();
        (next, list)
    };
    let adopt = |of: &AccountRecord, list: &SignedDeviceList| {
        let mut account = of.clone();
        account.adopt(list).map(|adopted| (adopted, account))
    };
    let first = scene.account.list().unwrap();
    let (second, list) = next(&scene.account, vec![own, other]);
    let (_, third) = next(&second, vec![own]);
    assert_eq!(adopt(&scene.account, &first).unwrap().0, Adopted::Same);
    assert_eq!(
        adopt(&scene.account, &list).unwrap(),
        (Adopted::Newer, second.clone())
    );
    // One in between was missed: the last one counts.
    assert_eq!(adopt(&scene.account, &third).unwrap().0, Adopted::Newer);
    // An older one is nothing to take, and the provider is told of the newer one.
    assert_eq!(adopt(&second, &first).unwrap(), (Adopted::Older, second.clone()));

    let refused = |of: &AccountRecord, list: &SignedDeviceList, why: &str| match adopt(of, list) {
        Err(AccountError::Certificate(said)) => assert!(said.contains(why), "{said}"),
        taken => panic!("{why}: {taken:?}"),
    };
    // Two lists of one version.
    let (_, fork) = next(&scene.account, vec![own, KeyHash([8; 32])]);
    refused(&second, &fork, "same version");
    let (_, without) = next(&scene.account, vec![other]);
    refused(&scene.account, &without, "does not name this one");
    let mut unsigned = list.clone();
    unsigned.key_hashes = vec![KeyHash([7; 32]), own];
    unsigned.key_hashes.sort_unstable();
    refused(&scene.account, &unsigned, "not signed");
    let mut raised = list.clone();
    raised.version = 7;
    refused(&scene.account, &raised, "not signed");

    // A device without the identity key signs nothing.
    let mut linked = scene.account.clone();
    linked.identity_key = None;
    assert!(!linked.may_link());
    assert!(matches!(
        linked.sign_next(vec![own]),
        Err(AccountError::Pairing(PairingError::MayNot))
    ));
    // More than there may be.
    let many: Vec<KeyHash> = (0..=64).map(|n| KeyHash([n; 32])).collect();
    let mut account = scene.account.clone();
    assert!(matches!(
        account.sign_next(many),
        Err(AccountError::Pairing(PairingError::TooMany))
    ));
    assert_eq!(account, scene.account, "nothing changed");
}

#[tokio::test]
async fn a_linking_goes_on_after_any_interruption_with_the_same_bytes() {
    let mut interrupted = 0;
    for number in 1..12 {
        for fault in [Fault::Before(number), Fault::After(number)] {
            let scene = Scene::new().await;
            let profile = scene.directory.path().join("new");
            let creation = scene.accept(&scene.letter()).unwrap();
            let mut store = Store::open(&profile, None).unwrap();
            let domain = Domain::parse("a.example").unwrap();
            let ca = CaCertificate::parse(&scene.provider.authority_der()).unwrap();
            store
                .transaction("linked", |tx| {
                    tx.put_anchor(&domain, &ca)?;
                    tx.put(Name::CREATION, &creation)
                })
                .unwrap();
            // It is no account of its own, and not begun anew.
            assert!(matches!(
                super::super::resume(&mut store, quick()).await,
                Err(AccountError::InProgress)
            ));
            scene.provider.fault_from_now(fault);
            let account = match resume_link(&mut store, quick()).await {
                Ok(account) => account,
                Err(AccountError::Transport(_)) => {
                    interrupted += 1;
                    drop(store);
                    store = Store::open(&profile, None).unwrap();
                    assert!(link_in_progress(&mut store).unwrap());
                    resume_link(&mut store, quick()).await.unwrap()
                }
                Err(error) => panic!("{fault:?}: {error}"),
            };
            assert_eq!(account.client, scene.linking.paired.text.client.to_string());
            assert!(!link_in_progress(&mut store).unwrap());
            assert!(!AccountRecord::load(&mut store).unwrap().may_link());
            let rooms: Vec<String> = store.get(Name::TO_JOIN).unwrap().unwrap();
            assert_eq!(rooms, ["mimi://b.example/r/x"]);
            let registrations = scene.provider.bodies(path::DEVICES);
            let own: std::collections::BTreeSet<_> = registrations.iter().skip(1).collect();
            assert_eq!(own.len(), 1, "{fault:?}");
        }
    }
    assert!(interrupted >= 4, "{interrupted}");
}
