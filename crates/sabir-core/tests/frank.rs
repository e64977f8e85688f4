//! A frank holds for what it was made for, and for nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sabir_core::frank::{self, FrankError, Franker, Received};
use sabir_mls::keys::SigningKey;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::{MimiContent, Origin, Salt};
use sabir_wire::mls::{CipherSuite, Credential, SignaturePublicKey};
use sabir_wire::protocol::{Frank, FrankAad, FrankingAgentData};
use sabir_wire::uri::{RoomUri, UserUri};

const ACCEPTED: u64 = 1_700_000_000_000;

/// Everything a receiver looks at, to be altered one thing at a time.
#[derive(Clone)]
struct Case {
    data: Vec<u8>,
    safe_aad: Vec<(u16, Vec<u8>)>,
    sender: UserUri,
    room: RoomUri,
    accepted: u64,
    frank: Option<Frank>,
    suite: u16,
    agent: Option<FrankingAgentData>,
}

impl Case {
    fn honest() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::ed25519(&mut rng).unwrap();
        let sender = UserUri::parse("mimi://b.example/u/bob").unwrap();
        let room = RoomUri::parse("mimi://a.example/r/room").unwrap();
        let origin = Origin {
            salt: Salt([3; 16]),
            sender_uri: sender.as_str(),
            room_uri: room.as_str(),
        };
        let data = MimiContent::plain(origin, "hello").to_bytes().unwrap();
        let tag = frank::franking_tag(&[3; 16], &data);
        let hub_key = [9; 32];
        let franker = Franker {
            hub_key: &hub_key,
            signing_key: &key,
            suite: 1,
        };
        let frank = franker.frank(&tag, &sender, &room, ACCEPTED).unwrap();
        let agent = FrankingAgentData {
            franking_signature_key: SignaturePublicKey(key.public().to_vec()),
            credential: Credential::Basic { identity: vec![] },
        };
        let safe_aad = vec![frank::safe_aad_item(tag)];
        Self {
            data,
            safe_aad,
            sender,
            room,
            accepted: ACCEPTED,
            frank: Some(frank),
            suite: 1,
            agent: Some(agent),
        }
    }

    fn verify(&self) -> Result<(), FrankError> {
        let content = MimiContent::from_bytes(&self.data).unwrap();
        let received = Received {
            application_data: &self.data,
            content: &content,
            safe_aad: &self.safe_aad,
            sender: &self.sender,
            room: &self.room,
            accepted: self.accepted,
            frank: self.frank.as_ref(),
            suite: self.suite,
        };
        frank::verify(received, self.agent.as_ref())
    }

    fn frank(&mut self) -> &mut Frank {
        self.frank.as_mut().unwrap()
    }
}

#[test]
fn an_honest_frank_holds() {
    assert_eq!(Case::honest().verify(), Ok(()));
}

#[test]
fn whatever_is_altered_is_told() {
    type Alter = fn(&mut Case);
    let table: &[(&str, Alter, FrankError)] = &[
        (
            "sender",
            |case| case.sender = UserUri::parse("mimi://b.example/u/eve").unwrap(),
            FrankError::Sender,
        ),
        (
            "room",
            |case| case.room = RoomUri::parse("mimi://a.example/r/other").unwrap(),
            FrankError::Room,
        ),
        ("no tag", |case| case.safe_aad.clear(), FrankError::Tag),
        (
            "tag",
            |case| {
                let mut aad = FrankAad::from_bytes(&case.safe_aad.first().unwrap().1).unwrap();
                aad.franking_tag[0] ^= 1;
                case.safe_aad = vec![(0x20, aad.to_bytes())];
            },
            FrankError::Tag,
        ),
        (
            "content",
            |case| {
                let last = case.data.last_mut().unwrap();
                *last ^= 1;
            },
            FrankError::Tag,
        ),
        ("no frank", |case| case.frank = None, FrankError::Missing),
        ("no agent", |case| case.agent = None, FrankError::NoAgent),
        (
            "suite",
            |case| case.frank().franking_signature_ciphersuite = CipherSuite(3),
            FrankError::Suite,
        ),
        (
            "server frank",
            |case| case.frank().server_frank[0] ^= 1,
            FrankError::Signature,
        ),
        ("time", |case| case.accepted += 1, FrankError::Signature),
        (
            "signature",
            |case| case.frank().franking_integrity_signature[0] ^= 1,
            FrankError::Signature,
        ),
        (
            "agent's key",
            |case| case.agent.as_mut().unwrap().franking_signature_key.0[0] ^= 1,
            FrankError::Signature,
        ),
    ];
    for (name, alter, expected) in table {
        let mut case = Case::honest();
        alter(&mut case);
        assert_eq!(case.verify(), Err(*expected), "{name}");
    }
}

#[test]
fn a_hub_knows_its_own_franks_again_and_no_others() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let key = SigningKey::ed25519(&mut rng).unwrap();
    let case = Case::honest();
    let tag = frank::franking_tag(&[3; 16], &case.data);
    let make = |hub_key: [u8; 32]| {
        let franker = Franker {
            hub_key: &hub_key,
            signing_key: &key,
            suite: 1,
        };
        franker
            .frank(&tag, &case.sender, &case.room, ACCEPTED)
            .unwrap()
            .server_frank
    };
    assert_eq!(make([1; 32]), make([1; 32]));
    assert_ne!(make([1; 32]), make([2; 32]));
}
