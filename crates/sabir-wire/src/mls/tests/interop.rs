//! The MLS working group's vectors: every structure in them decodes, encodes to the same bytes, and hashes to
//! the references found in others.
//!
//! They are read from a folder outside the project, `SABIR_VECTORS` or `shared/vectors` beside the checkout.
//! Where it is missing the tests say so and pass; our own vectors never skip.
#![allow(
    clippy::disallowed_methods,
    reason = "these vectors live outside the project, so only a path at run time finds them"
)]

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::*;

fn vectors(name: &str) -> Option<Vec<Value>> {
    let root = std::env::var_os("SABIR_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let path = root.join("mls").join(name);
    let Ok(json) = std::fs::read_to_string(&path) else {
        crate::skip::skipped(&format!("there is no file {}; set SABIR_VECTORS", path.display()));
        return None;
    };
    Some(serde_json::from_str(&json).unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap())
}

fn decode<T: Decode + Encode>(bytes: &[u8]) -> T {
    let value = T::from_bytes(bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(value.to_bytes(), bytes);
    value
}

/// `RefHash` of a cipher suite (RFC 9420 §5.2).
fn ref_hash(suite: CipherSuite, input: RefHashInput<'_>) -> Vec<u8> {
    let input = input.to_bytes();
    match suite.0 {
        1..=3 => Sha256::digest(input).to_vec(),
        4..=6 => Sha512::digest(input).to_vec(),
        7 => Sha384::digest(input).to_vec(),
        other => panic!("suite {other}"),
    }
}

fn key_package(value: &Value) -> KeyPackage {
    match decode(&bytes(value)) {
        MlsMessage::KeyPackage(key_package) => *key_package,
        other => panic!("{:?}", other.wire_format()),
    }
}

fn welcome(value: &Value) -> Welcome {
    match decode(&bytes(value)) {
        MlsMessage::Welcome(welcome) => welcome,
        other => panic!("{:?}", other.wire_format()),
    }
}

/// Whether the Welcome has secrets for this KeyPackage.
fn is_for(welcome: &Welcome, key_package: &KeyPackage) -> bool {
    let encoded = key_package.to_bytes();
    let reference = ref_hash(key_package.cipher_suite, RefHashInput::key_package(&encoded));
    welcome.new_members().any(|new_member| new_member == reference)
}

#[test]
fn references_hash_as_in_crypto_basics() {
    for v in vectors("crypto-basics.json").unwrap_or_default() {
        let suite = CipherSuite(u16::try_from(v["cipher_suite"].as_u64().unwrap()).unwrap());
        let v = &v["ref_hash"];
        let input = RefHashInput {
            label: v["label"].as_str().unwrap().as_bytes(),
            value: &bytes(&v["value"]),
        };
        assert_eq!(ref_hash(suite, input), bytes(&v["out"]));
    }
}

#[test]
fn welcomes_and_key_packages_round_trip_and_belong_together() {
    for v in vectors("welcome.json").unwrap_or_default() {
        let (welcome, key_package) = (welcome(&v["welcome"]), key_package(&v["key_package"]));
        assert_eq!(welcome.cipher_suite, key_package.cipher_suite);
        assert!(is_for(&welcome, &key_package));
    }
}

#[test]
fn passive_clients_read_every_structure() {
    let mut seen = [0_usize; 5];
    for name in [
        "passive-client-welcome.json",
        "passive-client-handling-commit.json",
    ] {
        for v in vectors(name).unwrap_or_default() {
            let (welcome, key_package) = (welcome(&v["welcome"]), key_package(&v["key_package"]));
            assert!(is_for(&welcome, &key_package));
            seen[0] += 1;
            if !v["ratchet_tree"].is_null() {
                let tree: RatchetTree = decode(&bytes(&v["ratchet_tree"]));
                assert!(
                    tree.leaves()
                        .any(|(_, leaf)| leaf.signature_key == key_package.leaf_node.signature_key)
                );
                seen[1] += 1;
            }
            for (n, epoch) in v["epochs"].as_array().unwrap().iter().enumerate() {
                let references = proposals(epoch, key_package.cipher_suite, &mut seen[2]);
                commit(epoch, &references, n);
                seen[4] += references.len();
                seen[3] += 1;
            }
        }
    }
    eprintln!(
        "{} welcomes, {} trees, {} proposals, {} commits, {} references",
        seen[0], seen[1], seen[2], seen[3], seen[4]
    );
}

/// The references of an epoch's public proposals.
fn proposals(epoch: &Value, suite: CipherSuite, seen: &mut usize) -> Vec<Vec<u8>> {
    let mut references = Vec::new();
    for proposal in epoch["proposals"].as_array().unwrap() {
        *seen += 1;
        let message: MlsMessage = decode(&bytes(proposal));
        assert_eq!(message.content_type(), Some(ContentType::Proposal));
        if let MlsMessage::Public(message) = message {
            let content = message.authenticated_content();
            references.push(ref_hash(suite, RefHashInput::proposal(&content)));
        }
    }
    references
}

/// Checks that a commit takes those references, in whatever order.
fn commit(epoch: &Value, references: &[Vec<u8>], n: usize) {
    let message: MlsMessage = decode(&bytes(&epoch["commit"]));
    assert_eq!(message.content_type(), Some(ContentType::Commit));
    assert!(message.group_id().is_some() && message.epoch().is_some());
    let MlsMessage::Public(message) = message else {
        return;
    };
    assert!(message.auth.confirmation_tag.is_some());
    let commit = message.commit().unwrap();
    for reference in references {
        assert!(
            commit.proposals_by_reference().any(|r| r == reference),
            "epoch {n} of {}",
            commit.proposals.len()
        );
    }
}
