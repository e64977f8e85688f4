//! Leaves that nobody should accept: Alice's name over certificates that no honest issuer makes.

use std::time::Duration;

use rcgen::CertificateParams;
use sabir_mls::Device;
use sabir_wire::codec::Encode as _;
use sabir_wire::device_list::SignedDeviceList;

use super::identity_support::{self as cert, ALICE, Key, chain, self_signed, signed};
use super::rogue::Leaf;
use super::world::{World, domain};

/// Alice's device in the room.
pub const DEVICE: &str = "mimi://a.example/d/alice1";

const DAY: u64 = 86_400;

/// Alice's keys and her provider's, in the wrong hands. Each [`Forge::fresh`] begins a new device of hers.
pub struct Forge {
    pub world: World,
    /// The CA of a.example.
    pub ca: Key,
    /// The CAs of c.example (good), old.example (expired) and new.example (not valid yet), all pinned.
    pub others: [Key; 3],
    /// Alice's identity key.
    pub alice: Key,
    /// The new device's key.
    pub phone: Key,
    /// Alice's good certificate.
    pub user: Vec<u8>,
    /// The new device's good certificate.
    pub device: Vec<u8>,
}

impl Forge {
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let old = world.a.to_anchor();
        assert!(world.anchors.remove(&domain("a.example"), &old.hash()));
        let ca = pinned(&mut world, "a.example", (50, 500));
        let others = [
            pinned(&mut world, "c.example", (50, 500)),
            pinned(&mut world, "old.example", (50, 0)),
            pinned(&mut world, "new.example", (0, 500)),
        ];
        world.a = ca.provider(world.anchors.get(&domain("a.example"))[0].der());
        let (alice, phone) = (Key::new(&mut world.rng), Key::new(&mut world.rng));
        let mut forge = Self {
            world,
            ca,
            others,
            alice,
            phone,
            user: vec![],
            device: vec![],
        };
        forge.user = signed(&forge.user_params(ALICE), &forge.alice, "ca", &forge.ca);
        forge.fresh();
        forge
    }

    /// A new key, and a good certificate for it.
    pub fn fresh(&mut self) {
        self.phone = Key::new(&mut self.world.rng);
        self.device = signed(
            &self.device_params(DEVICE, ALICE),
            &self.phone,
            "user",
            &self.alice,
        );
    }

    /// Another key of anybody's.
    pub fn key(&mut self) -> Key {
        Key::new(&mut self.world.rng)
    }

    pub fn user_params(&self, user: &str) -> CertificateParams {
        let mut params = cert::user_params(user);
        dates(&mut params, self.world.now, (50, 500));
        params
    }

    pub fn device_params(&self, client: &str, user: &str) -> CertificateParams {
        let mut params = cert::device_params(client, user);
        dates(&mut params, self.world.now, (50, 500));
        params
    }

    /// A leaf with this credential content and the new device's key, honest in all else.
    pub fn leaf(&self, credential: Vec<u8>) -> Leaf {
        Leaf::of(&self.as_device(credential))
    }

    /// The new device's honest leaf.
    pub fn good(&self) -> Leaf {
        self.leaf(chain(&[&self.device, &self.user]))
    }

    /// As a device of our own client has it.
    pub fn as_device(&self, credential: Vec<u8>) -> Device {
        Device {
            credential,
            key: self.phone.signing_key(),
            device_list: self.device_list(),
            suite: 1,
        }
    }

    /// A leaf with `device`, forged, over Alice's good certificate.
    pub fn with_device(&self, device: &[u8]) -> Leaf {
        self.leaf(chain(&[device, &self.user]))
    }

    /// A leaf with `user`, forged, under the device's good certificate.
    pub fn with_user(&self, user: &[u8]) -> Leaf {
        self.leaf(chain(&[&self.device, user]))
    }

    /// A device certificate that Alice's key signs, whatever it says.
    pub fn device_says(&self, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = self.device_params(DEVICE, ALICE);
        change(&mut params);
        self.with_device(&signed(&params, &self.phone, "user", &self.alice))
    }

    /// A user certificate that the CA signs, whatever it says.
    pub fn user_says(&self, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = self.user_params(ALICE);
        change(&mut params);
        self.with_user(&signed(&params, &self.alice, "ca", &self.ca))
    }

    /// A user and device of Alice's key at another provider, under the CA `ca`.
    pub fn elsewhere(&self, domain: &str, ca: &Key) -> Leaf {
        let (client, user) = (
            format!("mimi://{domain}/d/alice1"),
            format!("mimi://{domain}/u/alice"),
        );
        let hers = signed(&self.user_params(&user), &self.alice, "ca", ca);
        let device = signed(
            &self.device_params(&client, &user),
            &self.phone,
            "user",
            &self.alice,
        );
        self.leaf(chain(&[&device, &hers]))
    }

    /// Days before and after now.
    pub fn dates(&self, params: &mut CertificateParams, days: (u64, u64)) {
        dates(params, self.world.now, days);
    }

    fn device_list(&self) -> Vec<u8> {
        let mut list = SignedDeviceList {
            user: cert::user(ALICE),
            version: 1,
            key_hashes: vec![sabir_wire::device_list::KeyHash(sabir_mls::keys::sha256(
                &self.phone.public,
            ))],
            signature: vec![],
        };
        let key = self.alice.signing_key();
        list.signature = key
            .sign_with_label(SignedDeviceList::SIGNATURE_LABEL, &list.tbs())
            .unwrap();
        list.to_bytes()
    }
}

fn pinned(world: &mut World, name: &str, days: (u64, u64)) -> Key {
    let key = Key::new(&mut world.rng);
    let mut params = cert::provider_params(name);
    dates(&mut params, world.now, days);
    let ca = key.provider(&self_signed(&params, &key));
    world.anchors.pin(&domain(name), ca.to_anchor()).unwrap();
    key
}

/// Valid from so many days before now until so many after it; 0 is on the wrong side of now by a day.
fn dates(params: &mut CertificateParams, now: u64, (before, after): (u64, u64)) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |seconds: u64| epoch + Duration::from_secs(seconds);
    let now = now / 1000;
    params.not_before = at(if before == 0 {
        now + DAY
    } else {
        now - before * DAY
    });
    params.not_after = at(if after == 0 { now - DAY } else { now + after * DAY });
}

/// An Ed25519 key's place taken by one of another kind.
pub fn p256() -> impl rcgen::SigningKey {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}
