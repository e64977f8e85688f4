//! People, their accounts and devices, made through the provider's own API before the story begins.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::http::StatusCode;
use sabir_mls::Device;
use sabir_mls::identity::{ClientCredential, IdentityKey, Period};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_store::{CreateInvite, Store as _};
use sabir_wire::client_api::{
    CreateAccountRequest, CreateAccountResponse, RegisterDeviceCode, RegisterDeviceRequest,
    RegisterDeviceResponse, SecretBytes, path,
};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::mls::SignaturePublicKey;
use sabir_wire::uri::{ClientUri, Domain, ProviderUri, UserUri};

use super::Client;
use crate::sim::fate::Fate;
use crate::sim::provider::{Caller, Clock, EPOCH_MS};
use crate::sim::world::World;

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

/// Somebody with an account and one device or more.
pub(in crate::sim) struct Person {
    pub(in crate::sim) clients: Vec<Arc<Client>>,
}

impl Person {
    /// Makes an account with this many devices.
    pub(in crate::sim) async fn join(world: &Arc<World>, home: &Domain, name: &str, devices: usize) -> Self {
        let fate = Fate::new(world.seed, &format!("person {name}"));
        let mut rng = fate.stream();
        let identity = IdentityKey::generate(&mut rng).unwrap();
        let user = UserUri::new(home, name).unwrap();
        let certificate = account(world, home, name, &identity).await;
        let keys: Vec<SigningKey> = (0..devices)
            .map(|_| SigningKey::ed25519(&mut rng).unwrap())
            .collect();
        let list = device_list(&user, &identity, &keys, 1);
        let mut clients = Vec::new();
        for (number, key) in keys.into_iter().enumerate() {
            let short = format!("{name}.{number}");
            let uri = ClientUri::new(home, &format!("{name}-{number}")).unwrap();
            let period = Period {
                now: EPOCH_MS,
                lifetime: YEAR_MS,
            };
            let certificate = identity
                .issue_device(&certificate, &uri, key.public(), period, &mut rng)
                .map(|device| ClientCredential::new(&device, &certificate).unwrap())
                .unwrap();
            register(world, home, &short, &certificate, &key, &list).await;
            let client = Client {
                clock: Clock::new(world.start, world.seed, &short),
                fate: Fate::new(world.seed, &format!("client {short}")),
                exporter: exporter(&short),
                name: short,
                user: user.clone(),
                uri,
                home: home.clone(),
                device: Device {
                    credential: certificate.to_bytes(),
                    key,
                    device_list: list.to_bytes(),
                    suite: sabir_mls::suite::DEFAULT,
                },
                world: Arc::downgrade(world),
                disk: Default::default(),
                memory: Default::default(),
                up: AtomicBool::new(false),
                tasks: Default::default(),
            };
            clients.push(Arc::new(client));
        }
        Self { clients }
    }
}

fn exporter(place: &str) -> [u8; 32] {
    sha256(format!("exporter of {place}").as_bytes())
}

fn stranger(place: &str) -> Caller {
    Caller::Device {
        place: place.to_owned(),
        exporter: exporter(place),
    }
}

async fn account(world: &Arc<World>, home: &Domain, name: &str, identity: &IdentityKey) -> Vec<u8> {
    let token = format!("invite of {name}");
    let invite = CreateInvite {
        token_hash: sha256(token.as_bytes()),
        expires_at: EPOCH_MS + YEAR_MS,
        uses: 1,
    };
    let disk = world.provider(home).disk.lock().unwrap().clone();
    disk.create_invite(invite).await.unwrap();
    let mut request = CreateAccountRequest {
        invite_token: SecretBytes::new(token.into_bytes()),
        user_name: name.to_owned(),
        identity_key: SignaturePublicKey(identity.public().to_vec()),
        recovery_commitment: [7; 32],
        signature: Vec::new(),
    };
    request.signature = identity
        .signing_key()
        .sign_with_label(
            CreateAccountRequest::SIGNATURE_LABEL,
            &request.tbs(&ProviderUri::from(home)),
        )
        .unwrap();
    let answer = world
        .post(&stranger(name), home, path::ACCOUNTS, None, request.to_bytes())
        .await
        .unwrap();
    match CreateAccountResponse::from_bytes(&answer.body) {
        Ok(CreateAccountResponse::Created { user_certificate, .. }) => user_certificate,
        other => panic!("no account: {other:?}"),
    }
}

pub(in crate::sim) fn device_list(
    user: &UserUri,
    identity: &IdentityKey,
    keys: &[SigningKey],
    version: u64,
) -> SignedDeviceList {
    let mut key_hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash(sha256(key.public()))).collect();
    key_hashes.sort();
    let mut list = SignedDeviceList {
        user: user.clone(),
        version,
        key_hashes,
        signature: Vec::new(),
    };
    list.signature = identity
        .signing_key()
        .sign_with_label(SignedDeviceList::SIGNATURE_LABEL, &list.tbs())
        .unwrap();
    list
}

async fn register(
    world: &Arc<World>,
    home: &Domain,
    place: &str,
    credential: &ClientCredential,
    key: &SigningKey,
    list: &SignedDeviceList,
) {
    let mut request = RegisterDeviceRequest {
        credential: credential.to_credential(),
        device_list: list.clone(),
        signature: Vec::new(),
    };
    request.signature = key
        .sign_with_label(
            RegisterDeviceRequest::SIGNATURE_LABEL,
            &request.tbs(&ProviderUri::from(home)),
        )
        .unwrap();
    let answer = world
        .post(&stranger(place), home, path::DEVICES, None, request.to_bytes())
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let answer = RegisterDeviceResponse::from_bytes(&answer.body).unwrap();
    assert_eq!(answer.code, RegisterDeviceCode::Registered);
}
