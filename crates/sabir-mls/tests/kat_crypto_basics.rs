//! `crypto-basics.json` of the MLS implementers: the labelled operations of RFC 9420 §5 and §8, for each suite offered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(clippy::disallowed_methods, reason = "tests read vectors")]

mod kat_support;

use kat_support::{bytes, number, vectors};
use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::types::{Ciphersuite, HpkeCiphertext};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_mls::keys::{SigningKey, decrypt_with_label, encrypt_with_label, verify_with_label};
use sabir_mls::provider::{Crypto, SUITES};
use sabir_mls::suite::HYBRID;
use serde_json::Value;

/// The vectors of the suites offered; fails when a suite has none.
fn supported() -> Vec<(Ciphersuite, Value)> {
    let all = vectors("crypto-basics");
    if all.is_empty() {
        return Vec::new();
    }
    SUITES
        .iter()
        // The hybrid suite is in no published vectors; its own tests have those of its parts.
        .filter(|suite| u16::from(**suite) != HYBRID)
        .map(|suite| {
            let number = u64::from(u16::from(*suite));
            (
                *suite,
                all.iter().find(|v| v["cipher_suite"] == number).unwrap().clone(),
            )
        })
        .collect()
}

/// `opaque<V>`, for vectors up to 16,383 bytes.
fn opaque(data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    let mut out = if len < 64 {
        vec![len.to_be_bytes()[1]]
    } else {
        (0x4000 | len).to_be_bytes().to_vec()
    };
    out.extend_from_slice(data);
    out
}

/// `ExpandWithLabel` of RFC 9420 §8.
fn expand_with_label(suite: Ciphersuite, secret: &[u8], label: &str, context: &[u8], length: u16) -> Vec<u8> {
    let label = [b"MLS 1.0 ", label.as_bytes()].concat();
    let kdf_label = [length.to_be_bytes().to_vec(), opaque(&label), opaque(context)].concat();
    Crypto::without_randomness()
        .hkdf_expand(suite.hash_algorithm(), secret, &kdf_label, usize::from(length))
        .unwrap()
        .as_slice()
        .to_vec()
}

#[test]
fn ref_hash() {
    for (suite, vector) in supported() {
        let vector = &vector["ref_hash"];
        let input = [
            opaque(vector["label"].as_str().unwrap().as_bytes()),
            opaque(&bytes(vector, "value")),
        ]
        .concat();
        let out = Crypto::without_randomness()
            .hash(suite.hash_algorithm(), &input)
            .unwrap();
        assert_eq!(out, bytes(vector, "out"), "{suite}");
    }
}

#[test]
fn key_derivation() {
    for (suite, vector) in supported() {
        let v = &vector["expand_with_label"];
        let length = number(&v["length"]);
        let out = expand_with_label(
            suite,
            &bytes(v, "secret"),
            v["label"].as_str().unwrap(),
            &bytes(v, "context"),
            length,
        );
        assert_eq!(out, bytes(v, "out"), "{suite}");

        let v = &vector["derive_secret"];
        let length = suite.hash_length().try_into().unwrap();
        let out = expand_with_label(
            suite,
            &bytes(v, "secret"),
            v["label"].as_str().unwrap(),
            &[],
            length,
        );
        assert_eq!(out, bytes(v, "out"), "{suite}");

        let v = &vector["derive_tree_secret"];
        let length = number(&v["length"]);
        let generation = number::<u32>(&v["generation"]).to_be_bytes();
        let out = expand_with_label(
            suite,
            &bytes(v, "secret"),
            v["label"].as_str().unwrap(),
            &generation,
            length,
        );
        assert_eq!(out, bytes(v, "out"), "{suite}");
    }
}

#[test]
fn sign_with_label() {
    for (suite, vector) in supported() {
        let v = &vector["sign_with_label"];
        let scheme = suite.signature_algorithm();
        let (label, content, public) = (v["label"].as_str().unwrap(), bytes(v, "content"), bytes(v, "pub"));
        verify_with_label(scheme, &public, label, &content, &bytes(v, "signature")).unwrap();

        let key = SigningKey::from_private(scheme, &bytes(v, "priv")).unwrap();
        assert_eq!(key.public(), public, "{suite}");
        let signature = key.sign_with_label(label, &content).unwrap();
        verify_with_label(scheme, &public, label, &content, &signature).unwrap();
        verify_with_label(scheme, &public, "Other", &content, &signature).unwrap_err();
        verify_with_label(scheme, &public, label, &content[1..], &signature).unwrap_err();
    }
}

#[test]
fn encrypt_with_label_both_ways() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (suite, vector) in supported() {
        let v = &vector["encrypt_with_label"];
        let (label, context, private) = (
            v["label"].as_str().unwrap(),
            bytes(v, "context"),
            bytes(v, "priv"),
        );
        let plaintext = bytes(v, "plaintext");
        let theirs = HpkeCiphertext {
            kem_output: bytes(v, "kem_output").into(),
            ciphertext: bytes(v, "ciphertext").into(),
        };
        let opened = decrypt_with_label(suite, &private, label, &context, &theirs).unwrap();
        assert_eq!(*opened, plaintext, "{suite}");

        let ours =
            encrypt_with_label(&mut rng, suite, &bytes(v, "pub"), label, &context, &plaintext).unwrap();
        assert_eq!(
            *decrypt_with_label(suite, &private, label, &context, &ours).unwrap(),
            plaintext
        );
        decrypt_with_label(suite, &private, "Other", &context, &ours).unwrap_err();
        decrypt_with_label(suite, &private, label, &context[1..], &ours).unwrap_err();
    }
}
