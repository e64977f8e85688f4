#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod requests;
mod responses;

use sabir_mls::identity::{ClientCredential, TrustAnchors, VerifiedClient};
use sabir_mls::keys::SigningKey;
use sabir_mls::{Device, key_package, suite};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{
    Capabilities, CipherSuite, Credential, CredentialType, ExtensionType, LeafNodeSource, Lifetime,
    ProposalType, ProtocolVersion, RequiredCapabilities, SignaturePublicKey,
};
use sabir_wire::protocol::{
    ClientKeyMaterial, ClientKeyStatus, KeyMaterialClientCode, KeyMaterialRequest, KeyMaterialResponse,
    KeyMaterialUserCode,
};
use sabir_wire::uri::{ClientUri, Domain, RoomUri, UserUri};

use super::*;
use crate::follower::tests::world::{Person, World, YEAR};

/// Alice of `a.example` asks for the devices of Bob of `b.example`.
struct Story {
    world: World,
    alice: Person,
    bob: Person,
}

fn user(text: &str) -> UserUri {
    UserUri::from_address(text).unwrap()
}

fn client_of(device: &Device) -> ClientUri {
    ClientCredential::parse(&device.credential)
        .unwrap()
        .claimed_client()
        .clone()
}

fn domain(name: &str) -> Domain {
    Domain::parse(&format!("{name}.example")).unwrap()
}

fn room(hub: &str) -> RoomUri {
    RoomUri::parse(&format!("mimi://{hub}.example/r/club")).unwrap()
}

impl Story {
    fn new() -> Self {
        let mut world = World::new(5);
        let (alice, bob) = (world.person('a', "alice"), world.person('b', "bob"));
        Self { world, alice, bob }
    }

    fn request(&self, room: Option<&RoomUri>) -> KeyMaterialRequest {
        build_request(
            &self.alice.device,
            &user("alice@a.example"),
            &user("bob@b.example"),
            room,
        )
        .unwrap()
    }

    fn verified(&self, request: &KeyMaterialRequest) -> VerifiedClient {
        verify_request(request, &self.world.anchors, self.world.now).unwrap()
    }

    /// Another device of Bob's.
    fn bobs(&mut self, name: &str) -> Device {
        self.world.device(&self.bob, name)
    }

    fn package(&mut self, device: &Device) -> Vec<u8> {
        let mut rng = self.world.seed();
        key_package::generate(device, 1, self.world.now, &mut rng)
            .unwrap()
            .remove(0)
            .bytes
    }

    /// The request signed anew, by Alice, after a change.
    fn signed(&self, mut request: KeyMaterialRequest) -> KeyMaterialRequest {
        let key = &self.alice.device.key;
        request.key_material_request_signature = key
            .sign_with_label(KeyMaterialRequest::SIGNATURE_LABEL, &request.tbs())
            .unwrap();
        request
    }
}
