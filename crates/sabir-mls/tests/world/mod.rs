//! Two providers' authorities and their people's devices, for tests of groups.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests; not every test uses all; lifetimes are judged by the wall clock"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sabir_mls::app_data::ComponentRules;
use sabir_mls::group::{Group, NewGroup};
use sabir_mls::identity::{
    ClientCredential, Freshness, IdentityKey, Period, ProviderCa, ServerCredential, TrustAnchors,
    prove_recovery,
};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_mls::{Device, Judge};
use sabir_wire::codec::Encode as _;
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::mls::{ComponentId, ComponentsList};
use sabir_wire::uri::{ClientUri, Domain, UserUri};

pub const YEAR: u64 = 365 * 24 * 3_600_000;

/// OpenMLS judges lifetimes by the wall clock, so these tests live in the present.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

pub struct World {
    pub rng: ChaCha20Rng,
    pub a: ProviderCa,
    pub b: ProviderCa,
    pub anchors: TrustAnchors,
    pub hub_key: SigningKey,
    pub now: u64,
}

pub struct Person {
    pub device: Device,
    pub identity: IdentityKey,
    pub user_certificate: Vec<u8>,
}

/// Takes every update as the new value; the room's own rules are tested in `sabir-core`.
pub struct Replace;

impl ComponentRules for Replace {
    fn update(&self, _: u16, _: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String> {
        Ok(updates.concat())
    }
    fn remove(&self, _: u16) -> Result<(), String> {
        Ok(())
    }
}

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self::at(seed, now())
    }

    pub fn at(seed: u64, now: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let a = ProviderCa::generate(&domain("a.example"), now, &mut rng).unwrap();
        let b = ProviderCa::generate(&domain("b.example"), now, &mut rng).unwrap();
        let mut anchors = TrustAnchors::new();
        anchors.pin(a.domain(), a.to_anchor()).unwrap();
        anchors.pin(b.domain(), b.to_anchor()).unwrap();
        let hub_key = SigningKey::ed25519(&mut rng).unwrap();
        Self {
            rng,
            a,
            b,
            anchors,
            hub_key,
            now,
        }
    }

    pub fn judge(&self) -> Judge<'_> {
        Judge {
            anchors: &self.anchors,
            freshness: Freshness::At(self.now),
        }
    }

    pub fn person(&mut self, authority: char, name: &str) -> Person {
        let ca = if authority == 'a' { &self.a } else { &self.b };
        person(ca, name, &mut self.rng, self.now)
    }

    /// Another device of the same person.
    pub fn device(&mut self, person: &Person, name: &str) -> Device {
        device(person, name, &mut self.rng, self.now)
    }

    pub fn group(&mut self, creator: &Device) -> Group {
        let components = |ids: &[ComponentId]| {
            ComponentsList {
                component_ids: ids.to_vec(),
            }
            .to_bytes()
        };
        let server = self
            .a
            .issue_server(&key32(&self.hub_key), period(self.now), &mut self.rng)
            .unwrap();
        let new = NewGroup {
            group_id: b"mimi://a.example/g/test".to_vec(),
            dictionary: vec![
                (1, components(&[ComponentId::PARTICIPANT_LIST])),
                (2, components(&[ComponentId::FRANK_AAD])),
                (0x22, b"participants".to_vec()),
            ],
            hub_sender: (
                self.hub_key.public().to_vec(),
                ServerCredential::new(&server).unwrap().to_bytes(),
            ),
        };
        Group::create(creator, new, self.now, &mut self.rng).unwrap()
    }

    pub fn seed(&mut self) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.rng.next_u64())
    }
}

pub fn period(now: u64) -> Period {
    Period { now, lifetime: YEAR }
}

pub fn key32(key: &SigningKey) -> [u8; 32] {
    key.public().try_into().unwrap()
}

/// The recovery key of somebody's first, second … identity key: whoever knows the name has the code.
pub fn recovery_key(name: &str, nth: u8) -> SigningKey {
    let mut rng = ChaCha20Rng::from_seed(sha256(&[name.as_bytes(), &[nth]].concat()));
    SigningKey::ed25519(&mut rng).unwrap()
}

pub fn person(ca: &ProviderCa, name: &str, rng: &mut ChaCha20Rng, now: u64) -> Person {
    let identity = IdentityKey::generate(rng).unwrap();
    let user = UserUri::new(ca.domain(), name).unwrap();
    let commitment = sha256(recovery_key(name, 0).public());
    let user_certificate = ca
        .issue_user(&user, identity.public(), commitment, period(now), rng)
        .unwrap();
    first_device(identity, user_certificate, name, rng, now)
}

/// Somebody who came back with `recovery`, and has the `nth` recovery key from now on.
pub fn recovered(
    ca: &ProviderCa,
    name: &str,
    recovery: &SigningKey,
    nth: u8,
    rng: &mut ChaCha20Rng,
    now: u64,
) -> Person {
    let identity = IdentityKey::generate(rng).unwrap();
    let user = UserUri::new(ca.domain(), name).unwrap();
    let commitment = sha256(recovery_key(name, nth).public());
    let proof = prove_recovery(recovery, &user, *identity.public(), commitment).unwrap();
    let user_certificate = ca
        .issue_recovered_user(&user, identity.public(), commitment, &proof, period(now), rng)
        .unwrap();
    first_device(identity, user_certificate, name, rng, now)
}

fn first_device(
    identity: IdentityKey,
    user_certificate: Vec<u8>,
    name: &str,
    rng: &mut ChaCha20Rng,
    now: u64,
) -> Person {
    let mut person = Person {
        device: Device {
            credential: vec![],
            key: SigningKey::ed25519(rng).unwrap(),
            device_list: vec![],
            suite: 1,
        },
        identity,
        user_certificate,
    };
    person.device = device(&person, &format!("{name}1"), rng, now);
    person
}

pub fn device(person: &Person, name: &str, rng: &mut ChaCha20Rng, now: u64) -> Device {
    let user = user_of(person);
    let client = ClientUri::new(user.authority(), name).unwrap();
    let key = SigningKey::ed25519(rng).unwrap();
    let certificate = person
        .identity
        .issue_device(&person.user_certificate, &client, &key32(&key), period(now), rng)
        .unwrap();
    let credential = ClientCredential::new(&certificate, &person.user_certificate)
        .unwrap()
        .to_bytes();
    let device_list = device_list(person, 1, &[&key]);
    Device {
        credential,
        key,
        device_list,
        suite: 1,
    }
}

/// The person's signed list of these devices.
pub fn device_list(person: &Person, version: u64, keys: &[&SigningKey]) -> Vec<u8> {
    let mut key_hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash(sha256(key.public()))).collect();
    key_hashes.sort();
    let user = user_of(person);
    let mut list = SignedDeviceList {
        user,
        version,
        key_hashes,
        signature: vec![],
    };
    let key = person.identity.signing_key();
    list.signature = key
        .sign_with_label(SignedDeviceList::SIGNATURE_LABEL, &list.tbs())
        .unwrap();
    list.to_bytes()
}

pub fn user_of(person: &Person) -> UserUri {
    // The user certificate's name is read through a throw-away credential check elsewhere; here the text form of
    // the URI in the certificate is enough.
    let bytes = &person.user_certificate;
    let at = bytes.windows(7).position(|window| window == b"mimi://").unwrap();
    let length = usize::from(*bytes.get(at.checked_sub(1).unwrap()).unwrap());
    UserUri::parse(std::str::from_utf8(bytes.get(at..at + length).unwrap()).unwrap()).unwrap()
}
