//! From an invite to a signed-in device, and each refusal on the way.

use axum::http::Method;
use data_encoding::BASE64URL_NOPAD;
use sabir_mls::identity::{ClientCredential, IdentityKey};
use sabir_mls::keys::SigningKey;
use sabir_store::CreateInvite;
use sabir_wire::client_api::{
    ApiErrorCode, CreateAccountRequest, CreateAccountResponse, DevicesResponse, EventBody, HubIdentity,
    RegisterDeviceCode, RegisterDeviceRequest, RegisterDeviceResponse, SignInRequest, path,
};
use sabir_wire::codec::Encode;
use sabir_wire::mls::HpkeCiphertext;
use sabir_wire::uri::{ClientUri, ProviderUri, UserUri};

use crate::support::connection::Connection;
use crate::support::logs::Logs;
use crate::support::person::{NewDevice, Person, account_request};
use crate::support::picture::picture;
use crate::support::town::{Running, Town};
use crate::support::{now, rng};

async fn town() -> (Town, Running, Connection) {
    let town = Town::new(&["a.example"]);
    let a = town.start("a.example").await;
    let connection = Connection::open(town.device_tls(), "a.example", a.address).await;
    (town, a, connection)
}

#[tokio::test]
async fn accounts_are_made_once_and_refused_for_a_reason() {
    let logs = Logs::capture();
    let (_town, a, connection) = town().await;
    let provider = ProviderUri::from(&a.shared.domain);
    let identity = IdentityKey::generate(&mut rng()).unwrap();
    let create = async |request: &CreateAccountRequest| -> CreateAccountResponse {
        logs.clear();
        let answer = connection.post(path::ACCOUNTS, &request.to_bytes()).await.read();
        match &answer {
            CreateAccountResponse::Created { .. } => logs.nothing(),
            refused => logs.one_refusal(format!("{refused:?}")),
        }
        answer
    };
    let token = a.invite(1).await;
    let good = account_request(&identity, &provider, &token, "alice");
    let before = picture(&a.shared);

    let mut forged = good.clone();
    forged.recovery_commitment = [8; 32];
    assert_eq!(create(&forged).await, CreateAccountResponse::BadSignature);
    let elsewhere = ProviderUri::parse("mimi://b.example").unwrap();
    let for_another = account_request(&identity, &elsewhere, &token, "alice");
    assert_eq!(create(&for_another).await, CreateAccountResponse::BadSignature);
    for name in ["", "Alice", "al ice", "../alice", ".alice", "ålice"] {
        let request = account_request(&identity, &provider, &token, name);
        assert_eq!(
            create(&request).await,
            CreateAccountResponse::NameInvalid,
            "{name}"
        );
    }
    let request = account_request(&identity, &provider, "nonsense", "alice");
    assert_eq!(create(&request).await, CreateAccountResponse::InviteUnknown);
    let expired = CreateInvite {
        token_hash: sabir_server::invite::token_hash(b"old").unwrap(),
        expires_at: now() - 1,
        uses: 1,
    };
    a.shared.store.create_invite(expired).await.unwrap();
    let request = account_request(&identity, &provider, "old", "alice");
    assert_eq!(create(&request).await, CreateAccountResponse::InviteExpired);
    assert_eq!(picture(&a.shared), before, "refusals change nothing");

    let first = create(&good).await;
    assert!(matches!(first, CreateAccountResponse::Created { .. }));
    let after = picture(&a.shared);
    assert_eq!(
        create(&good).await,
        first,
        "a repetition gets the same certificate"
    );
    let other = IdentityKey::generate(&mut rng()).unwrap();
    let request = account_request(&other, &provider, &token, "bert");
    assert_eq!(create(&request).await, CreateAccountResponse::InviteUsed);
    let request = account_request(&other, &provider, &a.invite(1).await, "alice");
    assert_eq!(create(&request).await, CreateAccountResponse::NameTaken);
    assert_eq!(picture(&a.shared), after);
    a.stop().await;
}

#[tokio::test]
async fn devices_are_registered_by_proof() {
    let (town, a, connection) = town().await;
    let register = async |request: &RegisterDeviceRequest| -> RegisterDeviceCode {
        let answer = connection.post(path::DEVICES, &request.to_bytes()).await;
        answer.read::<RegisterDeviceResponse>().code
    };
    let alice = Person::join(&town, &a, "alice").await;
    let mallory = Person::join(&town, &a, "mallory").await;
    let device = alice.device("alice1", 2);
    let before = picture(&a.shared);

    let nobody = Person {
        user: UserUri::parse("mimi://a.example/u/nobody").unwrap(),
        identity: IdentityKey::generate(&mut rng()).unwrap(),
        certificate: Vec::new(),
    };
    let certificate = a
        .shared
        .secrets
        .ca
        .issue_user(
            &nobody.user,
            nobody.identity.public(),
            [0; 32],
            sabir_mls::identity::Period {
                now: now(),
                lifetime: 1_000_000,
            },
            &mut rng(),
        )
        .unwrap();
    let nobody = Person {
        certificate,
        ..nobody
    };
    let unknown = nobody.device("nobody1", 1).registration();
    assert_eq!(register(&unknown).await, RegisterDeviceCode::UnknownUser);

    // A chain that is Mallory's own, under a CA of Mallory's own making.
    let ca = sabir_mls::identity::ProviderCa::generate(&a.shared.domain, now(), &mut rng()).unwrap();
    let forged_identity = IdentityKey::generate(&mut rng()).unwrap();
    let period = sabir_mls::identity::Period {
        now: now(),
        lifetime: 1_000_000,
    };
    let forged = Person {
        user: alice.user.clone(),
        certificate: ca
            .issue_user(&alice.user, forged_identity.public(), [0; 32], period, &mut rng())
            .unwrap(),
        identity: forged_identity,
    };
    let request = forged.device("alice1", 1).registration();
    assert_eq!(register(&request).await, RegisterDeviceCode::BadCredential);

    let key = SigningKey::ed25519(&mut rng()).unwrap();
    let lists = [
        // Signed by somebody else, of somebody else, without the device.
        mallory.device_list(2, &[&key]),
        alice.device_list(2, &[&mallory.device("x", 1).key]),
    ];
    for list in lists {
        let request = alice.device_with("alice1", key.clone(), list).registration();
        assert_eq!(register(&request).await, RegisterDeviceCode::BadDeviceList);
    }
    let mut request = device.registration();
    request.signature[0] ^= 1;
    assert_eq!(register(&request).await, RegisterDeviceCode::BadSignature);
    assert_eq!(picture(&a.shared), before, "refusals change nothing");

    assert_eq!(
        register(&device.registration()).await,
        RegisterDeviceCode::Registered
    );
    let after = picture(&a.shared);
    assert_eq!(
        register(&device.registration()).await,
        RegisterDeviceCode::Registered
    );
    // Mallory's user certificate issues a device named as Alice's.
    let stolen = mallory.device("alice1", 1).registration();
    assert_eq!(register(&stolen).await, RegisterDeviceCode::ClientTaken);
    let older = alice.device("alice2", 1).registration();
    assert_eq!(register(&older).await, RegisterDeviceCode::DeviceListTooOld);
    assert_eq!(picture(&a.shared), after);
    a.stop().await;
}

#[tokio::test]
async fn signing_in_needs_this_key_this_nonce_and_this_connection() {
    let (town, a, connection) = town().await;
    let alice = Person::join(&town, &a, "alice").await;
    let mut device = alice.device("alice1", 1).go_online(&town, &a).await;
    let sign_in = async |connection: &Connection, request: &SignInRequest| {
        let answer = connection.post(path::SIGN_IN, &request.to_bytes()).await;
        answer.api_error()
    };
    let ours = device.connection.exporter;
    let nonce = device.challenge().await.nonce;
    // Somebody else's connection.
    let request = device.signed(nonce, ours);
    assert_eq!(sign_in(&connection, &request).await, ApiErrorCode::UNAUTHORIZED);
    let relayed = device.signed(nonce, connection.exporter);
    assert_eq!(
        sign_in(&device.connection, &relayed).await,
        ApiErrorCode::UNAUTHORIZED
    );
    // Another key, another device, a nonce of one's own making.
    let mut forged = request.clone();
    forged.signature[3] ^= 1;
    assert_eq!(
        sign_in(&device.connection, &forged).await,
        ApiErrorCode::UNAUTHORIZED
    );
    let mut other = request.clone();
    other.client = ClientUri::parse("mimi://a.example/d/alice2").unwrap();
    assert_eq!(
        sign_in(&device.connection, &other).await,
        ApiErrorCode::UNAUTHORIZED
    );
    let made_up = device.signed([9; 32], ours);
    assert_eq!(
        sign_in(&device.connection, &made_up).await,
        ApiErrorCode::UNAUTHORIZED
    );
    // Once it is good, and then no more.
    assert_eq!(
        device
            .connection
            .post(path::SIGN_IN, &request.to_bytes())
            .await
            .status,
        200
    );
    assert_eq!(
        sign_in(&device.connection, &request).await,
        ApiErrorCode::UNAUTHORIZED
    );

    let hub: HubIdentity = device.get(path::HUB).await.read();
    assert_eq!(hub.key.0, a.shared.hub.signing_key.public());
    let good = device.token.clone();
    for token in ["", "AAAA", &BASE64URL_NOPAD.encode(&[1; 32])] {
        device.token = token.to_owned();
        assert_eq!(
            device.get(path::HUB).await.api_error(),
            ApiErrorCode::UNAUTHORIZED,
            "{token}"
        );
    }
    let bare = device.connection.ask(Method::GET, path::HUB, &[], &[]).await;
    assert_eq!(bare.api_error(), ApiErrorCode::UNAUTHORIZED);
    device.token = good;

    // The device is taken off the list: its tokens and its key are worth nothing at once, and its streams end.
    let mut stream = device.events(0).await;
    let next = alice.device("alice2", 2);
    let successor = next.go_online(&town, &a).await;
    assert_eq!(
        device.get(path::HUB).await.api_error(),
        ApiErrorCode::UNAUTHORIZED
    );
    while stream.next().await.is_some() {}
    let challenge = device.challenge().await;
    let request = device.signed(challenge.nonce, ours);
    assert_eq!(
        sign_in(&device.connection, &request).await,
        ApiErrorCode::UNAUTHORIZED
    );
    assert_eq!(successor.get(path::HUB).await.status, 200);
    a.stop().await;
}

#[tokio::test]
async fn a_person_s_devices_are_known_to_these_devices_and_take_the_newest_list_alone() {
    let (town, a, _) = town().await;
    let alice = Person::join(&town, &a, "alice").await;
    let mallory = Person::join(&town, &a, "mallory").await;
    let first = alice.device("alice1", 1).go_online(&town, &a).await;
    let other = mallory.device("mallory1", 1).go_online(&town, &a).await;
    first.publish_some(3).await;
    other.publish_some(2).await;
    let key = SigningKey::ed25519(&mut rng()).unwrap();
    let both = alice.device_list(2, &[&first.mls.key, &key]);
    let mut events = first.events(0).await;
    let second = alice
        .device_with("alice2", key, both.clone())
        .go_online(&town, &a)
        .await;
    // What lay there carries the old list; the device is told to make more, and others are not touched.
    assert_eq!((first.available().await, other.available().await), (0, 2));
    let event = events.next().await.unwrap();
    assert_eq!(event.body, EventBody::KeyPackagesLow { available: 0 });
    assert_eq!(
        first.publish(&first.packages(1)).await.api_error(),
        ApiErrorCode::CONFLICT,
        "under the old list"
    );
    assert_eq!(second.publish_some(1).await.len(), 1);

    for device in [&first, &second] {
        let seen: DevicesResponse = device.get(path::DEVICES).await.read();
        assert_eq!(seen.device_list, both);
        let clients: Vec<String> = seen
            .devices
            .iter()
            .map(|it| {
                ClientCredential::from_credential(&it.credential)
                    .unwrap()
                    .claimed_client()
                    .to_string()
            })
            .collect();
        assert_eq!(
            clients,
            ["mimi://a.example/d/alice1", "mimi://a.example/d/alice2"]
        );
    }
    let seen: DevicesResponse = other.get(path::DEVICES).await.read();
    assert_eq!(seen.devices.len(), 1, "one's own alone");
    a.stop().await;
}

#[tokio::test]
async fn a_box_for_linking_is_opened_by_a_device_and_read_by_who_knows_its_name() {
    let (town, a, stranger) = town().await;
    let alice = Person::join(&town, &a, "alice").await;
    let mallory = Person::join(&town, &a, "mallory").await;
    let device = alice.device("alice1", 1).go_online(&town, &a).await;
    let other = mallory.device("mallory1", 1).go_online(&town, &a).await;
    let name = BASE64URL_NOPAD.encode(&[7; 32]);
    let at = |slot: &str| format!("{}{name}{slot}", path::PAIRING);
    let (hello, reveal, letter) = (at(path::HELLO), at(path::REVEAL), at(path::LETTER));
    let sealed = |text: &[u8]| {
        let sealed = HpkeCiphertext {
            kem_output: vec![9; 32],
            ciphertext: text.repeat(16),
        };
        sealed.to_bytes()
    };
    let (hi, written) = (sealed(b"hello"), sealed(b"letter"));
    assert_eq!(
        stranger.post(&reveal, &[1; 32]).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );
    assert_eq!(
        device.post(&hello, b"hello").await.api_error(),
        ApiErrorCode::MALFORMED
    );
    assert_eq!(
        stranger.post(&hello, &hi).await.api_error(),
        ApiErrorCode::UNAUTHORIZED
    );
    assert_eq!(device.post(&hello, &hi).await.status, 200);
    let read = async |path: &str| stranger.ask(Method::GET, path, &[], &[]).await;
    assert_eq!(read(&hello).await.body.as_ref(), hi);
    assert_eq!(read(&letter).await.api_error(), ApiErrorCode::NOT_FOUND);
    assert_eq!(
        stranger.post(&reveal, &[1; 31]).await.api_error(),
        ApiErrorCode::MALFORMED
    );
    assert_eq!(
        stranger.post(&reveal, &[1; 33]).await.api_error(),
        ApiErrorCode::MALFORMED
    );
    assert_eq!(stranger.post(&reveal, &[1; 32]).await.status, 200);
    assert_eq!(
        stranger.post(&reveal, &[2; 32]).await.api_error(),
        ApiErrorCode::CONFLICT
    );
    assert_eq!(device.get(&reveal).await.body.as_ref(), [1; 32]);
    assert_eq!(other.get(&reveal).await.api_error(), ApiErrorCode::NOT_FOUND);
    assert_eq!(
        other.post(&letter, &written).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );
    assert_eq!(
        other.post(&hello, &sealed(b"mine")).await.api_error(),
        ApiErrorCode::CONFLICT
    );
    assert_eq!(device.post(&letter, &written).await.status, 200);
    assert_eq!(read(&letter).await.body.as_ref(), written);
    let short = format!("{}AAAA{}", path::PAIRING, path::HELLO);
    assert_eq!(
        device.post(&short, &hi).await.api_error(),
        ApiErrorCode::MALFORMED
    );
    a.stop().await;
}

#[tokio::test]
async fn key_packages_are_the_device_s_own_and_counted() {
    let (town, a, _) = town().await;
    let alice = Person::join(&town, &a, "alice").await;
    let mallory = Person::join(&town, &a, "mallory").await;
    let device = alice.device("alice1", 1).go_online(&town, &a).await;
    let other = mallory.device("mallory1", 1).go_online(&town, &a).await;
    let packages = device.publish_some(5).await;
    assert_eq!(device.available().await, 5);
    // Again the same: known already.
    let again = device.publish(&packages).await;
    assert_eq!(again.body.as_ref(), [0, 0, 0, 0, 0, 0, 0, 5]);
    let before = picture(&a.shared);
    // Another device's, one of a forged name, one good and one broken.
    assert_eq!(
        device.publish(&other.packages(1)).await.api_error(),
        ApiErrorCode::FORBIDDEN
    );
    let thief: NewDevice = mallory.device("alice1", 1);
    let forged = sabir_mls::key_package::generate(&thief.mls(), 1, now(), &mut rng()).unwrap();
    assert_eq!(device.publish(&forged).await.api_error(), ApiErrorCode::FORBIDDEN);
    let mut mixed = device.packages(2);
    let last = mixed[1].bytes.len() - 1;
    mixed[1].bytes[last] ^= 1;
    assert_eq!(device.publish(&mixed).await.api_error(), ApiErrorCode::FORBIDDEN);
    assert_eq!(picture(&a.shared), before, "all or nothing");
    a.stop().await;
}
