//! The same seed gives the same bytes, and a group survives its trip through rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::*;
use openmls_traits::types::{Ciphersuite, SignatureScheme};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_mls::keys::SigningKey;
use sabir_mls::provider::{Provider, SUITES};
use sabir_mls::rows::Rows;

/// A member of a plain group, whose state lives in rows between calls.
struct Member {
    rng: ChaCha20Rng,
    key: SigningKey,
    credential: CredentialWithKey,
    rows: Rows,
}

impl Member {
    fn new(name: &str, seed: u64, scheme: SignatureScheme) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = SigningKey::generate(&mut rng, scheme).unwrap();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(name.as_bytes().to_vec()).into(),
            signature_key: key.public().into(),
        };
        Self {
            rng,
            key,
            credential,
            rows: Rows::new(),
        }
    }

    /// Runs one call over the rows, as an engine does, and persists what it changed.
    fn call<T>(&mut self, f: impl FnOnce(&Provider, &SigningKey, &CredentialWithKey) -> T) -> T {
        let provider = Provider::new(&mut self.rng, self.rows.clone());
        let result = f(&provider, &self.key, &self.credential);
        provider.take_changes().apply_to(&mut self.rows);
        assert_eq!(provider.into_rows(), self.rows);
        result
    }

    fn key_package(&mut self, suite: Ciphersuite) -> KeyPackage {
        self.call(|provider, key, credential| {
            let builder = KeyPackage::builder()
                .key_package_lifetime(Lifetime::init(0, u64::MAX))
                .leaf_node_capabilities(capabilities(suite));
            builder
                .build(suite, provider, key, credential.clone())
                .unwrap()
                .key_package()
                .clone()
        })
    }
}

fn capabilities(suite: Ciphersuite) -> Capabilities {
    Capabilities::new(None, Some(&[suite]), None, None, None)
}

fn create_config(suite: Ciphersuite) -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(suite)
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .lifetime(Lifetime::init(0, u64::MAX))
        .capabilities(capabilities(suite))
        .use_ratchet_tree_extension(true)
        .build()
}

fn decode(bytes: &[u8]) -> MlsMessageIn {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes).unwrap()
}

/// Creates a group, invites two people at once, updates, says something; gives every byte that came out.
fn story(suite: Ciphersuite, seed: u64) -> (Vec<Vec<u8>>, Rows, Rows) {
    let scheme = suite.signature_algorithm();
    let mut alice = Member::new("alice", seed, scheme);
    let mut bob = Member::new("bob", seed + 1, scheme);
    let mut carol = Member::new("carol", seed + 2, scheme);
    let packages = [bob.key_package(suite), carol.key_package(suite)];
    let mut out: Vec<Vec<u8>> = packages
        .iter()
        .map(|p| p.tls_serialize_detached().unwrap())
        .collect();

    let group_id = GroupId::from_slice(b"a group");
    let config = create_config(suite);
    alice.call(|provider, key, credential| {
        MlsGroup::new_with_group_id(provider, key, &config, group_id.clone(), credential.clone()).unwrap();
    });
    let (commit, welcome) = alice.call(|provider, key, _| {
        let mut group = MlsGroup::load(provider.storage(), &group_id).unwrap().unwrap();
        let (commit, welcome, _) = group.add_members(provider, key, &packages).unwrap();
        (commit.to_bytes().unwrap(), welcome.to_bytes().unwrap())
    });
    alice.call(|provider, _, _| {
        let mut group = MlsGroup::load(provider.storage(), &group_id).unwrap().unwrap();
        group.merge_pending_commit(provider).unwrap();
    });
    let join = |provider: &Provider| {
        let MlsMessageBodyIn::Welcome(welcome) = decode(&welcome).extract() else {
            panic!("no welcome")
        };
        StagedWelcome::new_from_welcome(provider, config.join_config(), welcome, None)
            .unwrap()
            .into_group(provider)
            .unwrap();
    };
    bob.call(|provider, _, _| join(provider));
    carol.call(|provider, _, _| join(provider));
    out.extend([commit, welcome.clone()]);

    let update = bob.call(|provider, key, _| {
        let mut group = MlsGroup::load(provider.storage(), &group_id).unwrap().unwrap();
        let bundle = group
            .self_update(provider, key, LeafNodeParameters::default())
            .unwrap();
        group.merge_pending_commit(provider).unwrap();
        bundle.into_commit().to_bytes().unwrap()
    });
    for member in [&mut alice, &mut carol] {
        member.call(|provider, _, _| {
            let mut group = MlsGroup::load(provider.storage(), &group_id).unwrap().unwrap();
            let message = decode(&update).try_into_protocol_message().unwrap();
            let processed = group.process_message(provider, message).unwrap();
            let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
                panic!("no commit")
            };
            group.merge_staged_commit(provider, *staged).unwrap();
        });
    }
    let message = carol.call(|provider, key, _| {
        let mut group = MlsGroup::load(provider.storage(), &group_id).unwrap().unwrap();
        group
            .create_message(provider, key, b"salaam")
            .unwrap()
            .to_bytes()
            .unwrap()
    });
    for member in [&mut alice, &mut bob] {
        member.call(|provider, _, _| {
            let mut group = MlsGroup::load(provider.storage(), &group_id).unwrap().unwrap();
            let message = decode(&message).try_into_protocol_message().unwrap();
            let processed = group.process_message(provider, message).unwrap();
            let ProcessedMessageContent::ApplicationMessage(text) = processed.into_content() else {
                panic!("no message")
            };
            assert_eq!(text.into_bytes(), b"salaam");
        });
    }
    out.extend([update, message]);
    (out, alice.rows, bob.rows)
}

#[test]
fn every_suite_works_through_rows() {
    for suite in SUITES {
        story(*suite, 1);
    }
}

#[test]
fn same_seed_same_bytes_with_ed25519() {
    for suite in SUITES
        .iter()
        .filter(|s| s.signature_algorithm() == SignatureScheme::ED25519)
    {
        let (first, first_rows, _) = story(*suite, 7);
        let (second, second_rows, _) = story(*suite, 7);
        assert!(
            first == second,
            "key packages, commit, welcome, update or message differ"
        );
        // The secrets of an epoch carry the wall-clock time at which OpenMLS stored them.
        let differing: Vec<_> = first_rows
            .iter()
            .filter(|(key, value)| second_rows.get(*key) != Some(value))
            .collect();
        assert!(differing.len() <= 1 && first_rows.len() == second_rows.len());
        let (other, _, _) = story(*suite, 8);
        assert!(first.iter().zip(&other).all(|(a, b)| a != b));
    }
}

/// Signatures are ECDSA's exception; keys are not.
#[test]
fn same_seed_same_keys_with_ecdsa() {
    for suite in SUITES {
        let [first, second] = [0; 2].map(|_| {
            let mut member = Member::new("dave", 9, suite.signature_algorithm());
            let package = member.key_package(*suite);
            (
                package.hpke_init_key().as_slice().to_vec(),
                package
                    .leaf_node()
                    .encryption_key()
                    .tls_serialize_detached()
                    .unwrap(),
                package.leaf_node().signature_key().as_slice().to_vec(),
            )
        });
        assert_eq!(first, second);
    }
}
