//! Where the two part, by name: each difference is held in place here, so that none comes or goes unnoticed.
//!
//! * Theirs lacks suites: [`THEIRS_HAS_NO_GROUPS`], and all of P-521's keys.
//! * Theirs has more suites with ML-KEM, and takes points of small order in the hybrid.
//! * Theirs takes points in compressed form, ours refuses them: RFC 9420 §5.1.1 and RFC 9180 §7.1.1 write points out.
//! * Ours expands from a pseudorandom key shorter than a digest, theirs refuses; the library never asks for it.

use openmls_rust_crypto::{OpenMlsRustCrypto, RustCrypto};
use openmls_traits::OpenMlsProvider as _;
use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::types::{Ciphersuite, CryptoError, HashType, SignatureScheme};
use sabir_mls::provider::{Crypto, SUITES};

use crate::inputs::{ED25519_ORDER, HYBRID, Inputs, P521};
use crate::members::refuses_groups;

/// Suites of ours in which theirs makes no groups. It has the keys of P-384 all the same; they are compared.
pub(crate) const THEIRS_HAS_NO_GROUPS: [Ciphersuite; 2] = [
    Ciphersuite::MLS_256_DHKEMP521_AES256GCM_SHA512_P521,
    Ciphersuite::MLS_256_DHKEMP384_AES256GCM_SHA384_P384,
];

/// Suites of draft-ietf-mls-pq-ciphersuites-06 that ours lacks: those with ML-KEM alone, with ML-DSA, and the hybrid with
/// SHA-384, by which nothing in MIMI refers to key packages.
const THEIRS_ALONE: [u16; 8] = [0x0042, 0x0906, 0x004e, 0x0050, 0x0052, 0x0051, 0x0907, 0xf042];

#[test]
fn suites_that_theirs_lacks() {
    let theirs = OpenMlsRustCrypto::default();
    let ours = Crypto::without_randomness();
    for suite in SUITES {
        ours.supports(*suite).unwrap();
    }
    let lacking: Vec<Ciphersuite> = SUITES
        .iter()
        .copied()
        .filter(|suite| theirs.crypto().supports(*suite).is_err())
        .collect();
    assert_eq!(lacking, THEIRS_HAS_NO_GROUPS);
    for suite in lacking {
        assert!(refuses_groups(&theirs, suite), "{suite:?}");
    }
    let mut alone = theirs.crypto().supported_ciphersuites();
    alone.retain(|suite| !SUITES.contains(suite));
    let alone: Vec<u16> = alone.into_iter().map(u16::from).collect();
    assert_eq!(alone, THEIRS_ALONE);
}

/// X25519's half of the hybrid says nothing about a point of small order; theirs goes on with the other half, ours
/// refuses it as it does by itself.
#[test]
fn a_hybrid_key_whose_point_is_of_small_order() {
    let (mut inputs, theirs) = (Inputs::new(43), RustCrypto::default());
    let ours = inputs.crypto();
    let config = || HYBRID.hpke_config();
    let pair = ours.derive_hpke_keypair(config(), &inputs.exactly(64)).unwrap();
    let mut public = pair.public.clone();
    let at = public.len() - 32;
    public[at..].fill(0);
    let sealed = ours.hpke_seal(config(), &public, b"", b"", b"text");
    assert!(matches!(sealed, Err(CryptoError::InvalidPublicKey)));
    assert!(theirs.hpke_seal(config(), &public, b"", b"", b"text").is_ok());
}

#[test]
fn keys_that_theirs_lacks() {
    let (mut inputs, theirs) = (Inputs::new(41), RustCrypto::default());
    let scheme = SignatureScheme::ECDSA_SECP521R1_SHA512;
    let ours = inputs.crypto();
    let (private, public) = ours.signature_key_gen(scheme).unwrap();
    let signature = ours.sign(scheme, b"data", &private).unwrap();
    ours.verify_signature(scheme, b"data", &public, &signature)
        .unwrap();
    let unsupported = CryptoError::UnsupportedSignatureScheme;
    assert_eq!(theirs.signature_key_gen(scheme), Err(unsupported));
    assert_eq!(theirs.sign(scheme, b"data", &private), Err(unsupported));
    assert_eq!(
        theirs.verify_signature(scheme, b"data", &public, &signature),
        Err(unsupported)
    );

    let config = || P521.hpke_config();
    let ikm = inputs.exactly(66);
    let pair = ours.derive_hpke_keypair(config(), &ikm).unwrap();
    let sealed = ours.hpke_seal(config(), &pair.public, b"", b"", b"text").unwrap();
    assert!(theirs.derive_hpke_keypair(config(), &ikm).is_err());
    assert!(
        theirs
            .hpke_seal(config(), &pair.public, b"", b"", b"text")
            .is_err()
    );
    assert!(
        theirs
            .hpke_open(config(), &sealed, &pair.private, b"", b"")
            .is_err()
    );
}

#[test]
fn compressed_points() {
    let (mut inputs, theirs) = (Inputs::new(42), RustCrypto::default());
    for suite in [
        Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256,
        Ciphersuite::MLS_256_DHKEMP384_AES256GCM_SHA384_P384,
    ] {
        let (ours, scheme) = (inputs.crypto(), suite.signature_algorithm());
        let (private, public) = ours.signature_key_gen(scheme).unwrap();
        let signature = ours.sign(scheme, b"data", &private).unwrap();
        let short = compressed(&public);
        assert!(
            ours.verify_signature(scheme, b"data", &short, &signature)
                .is_err()
        );
        assert!(
            theirs
                .verify_signature(scheme, b"data", &short, &signature)
                .is_ok()
        );

        let pair = ours
            .derive_hpke_keypair(suite.hpke_config(), &inputs.exactly(66))
            .unwrap();
        let short = compressed(&pair.public);
        let sealed = ours.hpke_seal(suite.hpke_config(), &short, b"", b"", b"text");
        assert!(matches!(sealed, Err(CryptoError::InvalidPublicKey)), "{suite:?}");
        assert!(
            theirs
                .hpke_seal(suite.hpke_config(), &short, b"", b"", b"text")
                .is_ok()
        );
    }
}

fn compressed(point: &[u8]) -> Vec<u8> {
    let (x, y) = point[1..].split_at(point.len() / 2);
    [&[2 + (y[y.len() - 1] & 1)], x].concat()
}

#[test]
fn short_pseudorandom_keys() {
    let (ours, theirs) = (Crypto::without_randomness(), RustCrypto::default());
    for hash in [HashType::Sha2_256, HashType::Sha2_384, HashType::Sha2_512] {
        let prk = vec![7; hash.size() - 1];
        assert!(ours.hkdf_expand(hash, &prk, b"", 32).is_ok());
        assert!(theirs.hkdf_expand(hash, &prk, b"", 32).is_err());
    }
}

/// The neutral element of edwards25519: the key or the `R` of a signature that says little.
const NEUTRAL: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

/// The generator of edwards25519, RFC 8032 §5.1.
const GENERATOR: [u8; 32] = {
    let mut point = [0x66; 32];
    point[0] = 0x58;
    point
};

/// A point of order 8 (the other three are it with its sign or with the complement of its `y`), and that complement.
const OF_ORDER_8: [&str; 2] = [
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

/// Keys of small order: with the neutral element `generator, 1` signs every message, with the others one message in
/// two, four or eight. RFC 8032 §5.1.7 allows to take them; neither does.
#[test]
fn ed25519_keys_of_small_order() {
    let mut signature = [GENERATOR, [0; 32]].concat();
    signature[32] = 1;
    let edge = |first, middle, last| {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let mut keys = vec![
        NEUTRAL,
        edge(0x00, 0x00, 0x00),
        edge(0xec, 0xff, 0x7f),
        edge(0xed, 0xff, 0x7f),
        edge(0xee, 0xff, 0x7f),
    ];
    for hex in OF_ORDER_8 {
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        keys.push(std::array::from_fn(byte));
    }
    for mut key in keys {
        for sign in [0, 0x80] {
            key[31] = (key[31] & 0x7f) | sign;
            for message in 0..64_u8 {
                assert_eq!(
                    verdicts(&[message], &key, &signature),
                    (false, false),
                    "{key:02x?}"
                );
            }
        }
    }
}

/// A key like any other (its scalar is 1), which signs with an `R` of small order.
#[test]
fn ed25519_signatures_of_small_order() {
    let hash = Crypto::without_randomness()
        .hash(
            HashType::Sha2_512,
            &[&NEUTRAL, &GENERATOR, b"message".as_slice()].concat(),
        )
        .unwrap();
    let signature = [NEUTRAL, modulo_order(&hash)].concat();
    assert_eq!(verdicts(b"message", &GENERATOR, &signature), (false, false));
    assert_eq!(verdicts(b"another", &GENERATOR, &signature), (false, false));
}

fn verdicts(message: &[u8], public: &[u8], signature: &[u8]) -> (bool, bool) {
    let (ours, theirs) = (Crypto::without_randomness(), RustCrypto::default());
    let scheme = SignatureScheme::ED25519;
    (
        ours.verify_signature(scheme, message, public, signature).is_ok(),
        theirs
            .verify_signature(scheme, message, public, signature)
            .is_ok(),
    )
}

/// A number modulo the group order, least significant byte first, bit by bit.
fn modulo_order(number: &[u8]) -> [u8; 32] {
    let mut rest = [0; 32];
    for bit in (0..number.len() * 8).rev() {
        let mut carry = (number[bit / 8] >> (bit % 8)) & 1;
        for byte in &mut rest {
            (*byte, carry) = ((*byte << 1) | carry, *byte >> 7);
        }
        if rest.iter().rev().ge(ED25519_ORDER.iter().rev()) {
            let mut borrow = false;
            for (byte, order) in rest.iter_mut().zip(ED25519_ORDER) {
                let (difference, first) = byte.overflowing_sub(order);
                let (difference, second) = difference.overflowing_sub(u8::from(borrow));
                (*byte, borrow) = (difference, first || second);
            }
        }
    }
    rest
}
