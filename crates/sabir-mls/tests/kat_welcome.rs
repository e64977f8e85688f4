//! `welcome.json`, `passive-client-welcome.json` and `passive-client-handling-commit.json` of the MLS implementers: a
//! client with given keys joins by Welcome and follows commits of other implementations, in OpenMLS over our provider.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(clippy::disallowed_methods, reason = "tests read vectors")]

mod kat_support;

use kat_support::{bytes, number, unhex, vectors};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::*;
use openmls::schedule::PreSharedKeyId;
use openmls_traits::storage::{CURRENT_VERSION, Entity, StorageProvider as _, traits};
use openmls_traits::types::{Ciphersuite, HpkePrivateKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_mls::provider::{Provider, SUITES};
use sabir_mls::rows::Rows;
use sabir_mls::suite::HYBRID;
use serde_json::Value;

/// OpenMLS's `KeyPackageBundle` field by field; the library itself builds one from fresh keys only. The key package
/// is the unverified type, which serialises alike: the vectors' lifetimes are over.
#[derive(serde::Serialize, serde::Deserialize)]
struct GivenBundle {
    key_package: KeyPackageIn,
    private_init_key: HpkePrivateKey,
    private_encryption_key: EncryptionPrivateKey,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct EncryptionPrivateKey {
    key: HpkePrivateKey,
}

impl Entity<CURRENT_VERSION> for GivenBundle {}
impl traits::KeyPackage<CURRENT_VERSION> for GivenBundle {}

fn supported(name: &str) -> impl Iterator<Item = Value> {
    let numbers: Vec<u64> = SUITES.iter().map(|suite| u64::from(u16::from(*suite))).collect();
    vectors(name)
        .into_iter()
        .filter(move |v| numbers.contains(&v["cipher_suite"].as_u64().unwrap()))
}

fn message(data: &[u8]) -> MlsMessageIn {
    MlsMessageIn::tls_deserialize_exact_bytes(data).unwrap()
}

/// The vectors leave out leading zeros of P-521 scalars.
fn full_length(suite: Ciphersuite, mut private: Vec<u8>) -> Vec<u8> {
    let zeros = match suite {
        Ciphersuite::MLS_256_DHKEMP521_AES256GCM_SHA512_P521 => 66usize.saturating_sub(private.len()),
        _ => 0,
    };
    private.splice(..0, vec![0; zeros]);
    private
}

fn provider_with_key_package(vector: &Value, encryption_private: &[u8]) -> Provider {
    let mut provider = Provider::new(&mut ChaCha20Rng::seed_from_u64(0), Rows::new());
    let MlsMessageBodyIn::KeyPackage(key_package) = message(&bytes(vector, "key_package")).extract() else {
        panic!("no key package")
    };
    let suite = Ciphersuite::try_from(number::<u16>(&vector["cipher_suite"])).unwrap();
    let bundle = GivenBundle {
        private_init_key: full_length(suite, bytes(vector, "init_priv")).into(),
        private_encryption_key: EncryptionPrivateKey {
            key: full_length(suite, encryption_private.to_vec()).into(),
        },
        key_package,
    };
    // Through storage it becomes the verified type, which knows its reference.
    let storage = provider.storage();
    let any = welcome(vector).secrets()[0].new_member();
    storage.write_key_package(&any, &bundle).unwrap();
    let verified: KeyPackageBundle = storage.key_package(&any).unwrap().unwrap();
    let reference = verified.key_package().hash_ref(provider.crypto()).unwrap();
    assert_eq!(verified.key_package().ciphersuite(), suite);
    storage.write_key_package(&reference, &bundle).unwrap();
    provider.reseed(&mut ChaCha20Rng::seed_from_u64(1));
    provider
}

fn welcome(vector: &Value) -> Welcome {
    let MlsMessageBodyIn::Welcome(welcome) = message(&bytes(vector, "welcome")).extract() else {
        panic!("no welcome")
    };
    welcome
}

/// Opens the group secrets and the GroupInfo. There is no tree here, so this is as far as the library goes.
#[test]
fn welcome_opens() {
    let mut done = 0;
    for vector in supported("welcome") {
        let provider = provider_with_key_package(&vector, &[]);
        let processed =
            ProcessedWelcome::new_from_welcome(&provider, &MlsGroupJoinConfig::default(), welcome(&vector))
                .unwrap();
        let suite = vector["cipher_suite"].as_u64().unwrap();
        assert_eq!(
            u64::from(u16::from(processed.unverified_group_info().ciphersuite())),
            suite
        );
        done += 1;
    }
    let published = SUITES.iter().filter(|suite| u16::from(**suite) != HYBRID);
    assert!(done == 0 || done == published.count());
}

/// Joins, then follows every commit. Returns the client's rows at the end.
fn follow(vector: &Value) {
    let mut provider = provider_with_key_package(vector, &bytes(vector, "encryption_priv"));
    for psk in vector["external_psks"].as_array().unwrap() {
        PreSharedKeyId::external(bytes(psk, "psk_id"), Vec::new())
            .store(&provider, &bytes(psk, "psk"))
            .unwrap();
    }
    let config = MlsGroupJoinConfig::builder()
        .use_ratchet_tree_extension(true)
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .number_of_resumption_psks(16)
        .build();
    let tree = vector["ratchet_tree"]
        .as_str()
        .map(|tree| RatchetTreeIn::tls_deserialize_exact_bytes(&unhex(tree)).unwrap());
    let mut builder = StagedWelcome::build_from_welcome(&provider, &config, welcome(vector))
        .unwrap()
        .skip_lifetime_validation();
    if let Some(tree) = tree {
        builder = builder.with_ratchet_tree(tree);
    }
    let group = builder.build().unwrap().into_group(&provider).unwrap();
    assert_eq!(
        group.epoch_authenticator().as_slice(),
        bytes(vector, "initial_epoch_authenticator")
    );
    let id = group.group_id().clone();
    drop(group);

    // Each message meets a group that was just loaded from its rows, as in an engine.
    for epoch in vector["epochs"].as_array().unwrap() {
        let proposals = epoch["proposals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| unhex(p.as_str().unwrap()));
        for data in proposals.chain([bytes(epoch, "commit")]) {
            provider = Provider::new(&mut ChaCha20Rng::seed_from_u64(2), provider.into_rows());
            let mut group = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
            let data = message(&data).try_into_protocol_message().unwrap();
            match group.process_message(&provider, data).unwrap().into_content() {
                ProcessedMessageContent::ProposalMessage(proposal) => {
                    group
                        .store_pending_proposal(provider.storage(), *proposal)
                        .unwrap();
                }
                ProcessedMessageContent::StagedCommitMessage(commit) => {
                    group.merge_staged_commit(&provider, *commit).unwrap();
                }
                _ => panic!("neither proposal nor commit"),
            }
        }
        let group = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
        assert_eq!(
            group.epoch_authenticator().as_slice(),
            bytes(epoch, "epoch_authenticator")
        );
    }
}

#[test]
fn passive_client_joins() {
    supported("passive-client-welcome").for_each(|vector| follow(&vector));
}

#[test]
fn passive_client_follows_commits() {
    supported("passive-client-handling-commit").for_each(|vector| follow(&vector));
}
