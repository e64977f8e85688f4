//! Our cryptography against that of mls-rs over RustCrypto, operation by operation, on random inputs from a fixed seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use mls_rs::crypto::{HpkeCiphertext as TheirCiphertext, HpkeContextR as _, HpkeContextS as _};
use mls_rs::{CipherSuite, CipherSuiteProvider, CryptoProvider as _};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::types::{Ciphersuite, CryptoError, HpkeCiphertext, SignatureScheme};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sabir_mls::keys::{SigningKey, hpke_key_pair, verify};
use sabir_mls::provider::{Crypto, SUITES};
use zeroize::Zeroizing;

const ROUNDS: usize = 40;

/// Both sides of one suite. The other side lacks P-521 and the hybrid; `crosscheck/` has the latter.
fn suites() -> impl Iterator<Item = (Ciphersuite, impl CipherSuiteProvider)> {
    SUITES
        .iter()
        .filter(|suite| {
            ![
                Ciphersuite::MLS_256_DHKEMP521_AES256GCM_SHA512_P521,
                Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
            ]
            .contains(suite)
        })
        .map(|suite| {
            let theirs =
                RustCryptoProvider::default().cipher_suite_provider(CipherSuite::from(u16::from(*suite)));
            (*suite, theirs.unwrap())
        })
}

struct Inputs(ChaCha20Rng);

impl Inputs {
    fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Up to 299 bytes, often none.
    fn some(&mut self) -> Vec<u8> {
        let len = self.0.next_u32() % 400;
        self.exactly(usize::try_from(len.saturating_sub(100)).unwrap())
    }

    fn crypto(&mut self) -> Crypto {
        let mut seed = Zeroizing::new([0; 32]);
        self.0.fill_bytes(seed.as_mut_slice());
        Crypto::new(seed)
    }
}

fn inputs() -> Inputs {
    Inputs(ChaCha20Rng::seed_from_u64(0x5ab1))
}

#[test]
fn hash_mac_and_kdf() {
    let mut inputs = inputs();
    for (suite, theirs) in suites() {
        let (ours, hash) = (Crypto::without_randomness(), suite.hash_algorithm());
        for _ in 0..ROUNDS {
            let (a, b) = (inputs.some(), inputs.some());
            assert_eq!(ours.hash(hash, &a).unwrap(), theirs.hash(&a).unwrap());
            assert_eq!(
                ours.hmac(hash, &a, &b).unwrap().as_slice(),
                theirs.mac(&a, &b).unwrap()
            );
            // Theirs refuses to extract from nothing.
            let extracted = ours.hkdf_extract(hash, &a, &b).unwrap();
            if !b.is_empty() {
                assert_eq!(extracted.as_slice(), *theirs.kdf_extract(&a, &b).unwrap());
            }
            let (prk, len) = (inputs.exactly(hash.size()), inputs.some().len() + 1);
            assert_eq!(
                ours.hkdf_expand(hash, &prk, &a, len).unwrap().as_slice(),
                *theirs.kdf_expand(&prk, &a, len).unwrap()
            );
        }
        let prk = inputs.exactly(hash.size());
        assert!(ours.hkdf_expand(hash, &prk, b"", 255 * hash.size()).is_ok());
        assert!(ours.hkdf_expand(hash, &prk, b"", 255 * hash.size() + 1).is_err());
        assert_eq!(ours.hkdf_expand(hash, &prk, b"", 0).unwrap().as_slice(), b"");
    }
}

#[test]
fn aead() {
    let mut inputs = inputs();
    for (suite, theirs) in suites() {
        let (ours, alg) = (Crypto::without_randomness(), suite.aead_algorithm());
        for _ in 0..ROUNDS {
            let (key, nonce) = (inputs.exactly(alg.key_size()), inputs.exactly(alg.nonce_size()));
            let (data, aad) = (inputs.some(), inputs.some());
            let sealed = ours.aead_encrypt(alg, &key, &data, &nonce, &aad).unwrap();
            // Theirs refuses to encrypt nothing.
            if !data.is_empty() {
                assert_eq!(sealed, theirs.aead_seal(&key, &data, Some(&aad), &nonce).unwrap());
            }
            assert_eq!(ours.aead_decrypt(alg, &key, &sealed, &nonce, &aad).unwrap(), data);

            let mut altered = sealed.clone();
            let at = inputs.some().len() % altered.len();
            altered[at] ^= 1;
            assert!(ours.aead_decrypt(alg, &key, &altered, &nonce, &aad).is_err());
            assert!(ours.aead_decrypt(alg, &key, &sealed[1..], &nonce, &aad).is_err());
            assert!(ours.aead_decrypt(alg, &key, &sealed[..5], &nonce, &aad).is_err());
            assert!(ours.aead_encrypt(alg, &key[1..], &data, &nonce, &aad).is_err());
            assert!(ours.aead_encrypt(alg, &key, &data, &nonce[1..], &aad).is_err());
        }
    }
}

#[test]
fn signatures_verify_on_the_other_side() {
    let mut inputs = inputs();
    for (suite, theirs) in suites() {
        let scheme = suite.signature_algorithm();
        for _ in 0..ROUNDS {
            let data = inputs.some();
            let key = SigningKey::generate(&mut inputs.0, scheme).unwrap();
            let signature = key.sign(&data).unwrap();
            theirs
                .verify(&key.public().to_vec().into(), &signature, &data)
                .unwrap();
            verify(scheme, key.public(), &data, &signature).unwrap();
            let mut altered = signature.clone();
            let at = inputs.some().len() % altered.len();
            altered[at] ^= 1;
            verify(scheme, key.public(), &data, &altered).unwrap_err();
            verify(scheme, &key.public()[1..], &data, &signature).unwrap_err();

            let (secret, public) = theirs.signature_key_generate().unwrap();
            let signature = theirs.sign(&secret, &data).unwrap();
            verify(scheme, &public, &data, &signature).unwrap();
            // An Ed25519 key of theirs is the seed followed by the public key.
            let private = if scheme == SignatureScheme::ED25519 {
                &secret[..32]
            } else {
                &secret
            };
            let ours = SigningKey::from_private(scheme, private).unwrap();
            assert_eq!(ours.public(), public.as_ref());
            let again = SigningKey::from_secret_bytes(&ours.to_secret_bytes()).unwrap();
            assert_eq!((again.public(), again.scheme()), (ours.public(), scheme));
        }
    }
}

#[test]
fn hpke_both_ways() {
    let mut inputs = inputs();
    for (suite, theirs) in suites() {
        let config = || suite.hpke_config();
        for _ in 0..ROUNDS {
            let ikm = inputs.exactly(64);
            let crypto = inputs.crypto();
            let pair = crypto.derive_hpke_keypair(config(), &ikm).unwrap();
            let (secret, public) = theirs.kem_derive(&ikm).unwrap();
            assert_eq!((&*pair.private, pair.public.as_slice()), (&*secret, &*public));

            let (info, aad, text) = (inputs.some(), inputs.some(), inputs.exactly(50));
            let sealed = crypto
                .hpke_seal(config(), &pair.public, &info, &aad, &text)
                .unwrap();
            let for_them = TheirCiphertext {
                kem_output: sealed.kem_output.as_slice().to_vec(),
                ciphertext: sealed.ciphertext.as_slice().to_vec(),
            };
            assert_eq!(
                *theirs
                    .hpke_open(&for_them, &secret, &public, &info, Some(&aad))
                    .unwrap(),
                text
            );

            let sealed = theirs.hpke_seal(&public, &info, Some(&aad), &text).unwrap();
            let mut for_us = HpkeCiphertext {
                kem_output: sealed.kem_output.into(),
                ciphertext: sealed.ciphertext.into(),
            };
            assert_eq!(
                crypto
                    .hpke_open(config(), &for_us, &pair.private, &info, &aad)
                    .unwrap(),
                text
            );
            assert!(
                crypto
                    .hpke_open(config(), &for_us, &pair.private, &info, &text)
                    .is_err()
            );
            for_us.kem_output = for_us.kem_output.as_slice()[1..].into();
            assert!(
                crypto
                    .hpke_open(config(), &for_us, &pair.private, &info, &aad)
                    .is_err()
            );

            let (enc, exported) = crypto
                .hpke_setup_sender_and_export(config(), &pair.public, &info, &aad, 40)
                .unwrap();
            let context = theirs.hpke_setup_r(&enc, &secret, &public, &info).unwrap();
            assert_eq!(*exported, **context.export(&aad, 40).unwrap());
            let (enc, context) = theirs.hpke_setup_s(&public, &info).unwrap();
            let exported = crypto
                .hpke_setup_receiver_and_export(config(), &enc, &pair.private, &info, &aad, 40)
                .unwrap();
            assert_eq!(*exported, **context.export(&aad, 40).unwrap());
        }
    }
}

/// No order of calls and no number of them changes a ciphertext; every input does.
#[test]
fn hpke_ephemerals_depend_on_seed_and_inputs_alone() {
    let suite = SUITES[0];
    let [public, other] = [1, 2].map(|n| {
        let mut rng = ChaCha20Rng::seed_from_u64(n);
        hpke_key_pair(&mut rng, suite).unwrap().public
    });
    let seal = |crypto: &Crypto, public: &[u8], info: &[u8], aad: &[u8], text: &[u8]| {
        crypto
            .hpke_seal(suite.hpke_config(), public, info, aad, text)
            .unwrap()
    };
    let first = seal(&inputs().crypto(), &public, b"info", b"aad", b"text");
    let crypto = inputs().crypto();
    let others = [
        seal(&crypto, &other, b"info", b"aad", b"text"),
        seal(&crypto, &public, b"inf", b"oaad", b"text"),
        seal(&crypto, &public, b"info", b"aadt", b"ext"),
        seal(&crypto, &public, b"info", b"aad", b"texts"),
        seal(
            &Crypto::new(Zeroizing::new([9; 32])),
            &public,
            b"info",
            b"aad",
            b"text",
        ),
    ];
    assert_eq!(seal(&crypto, &public, b"info", b"aad", b"text"), first);
    for (i, sealed) in others.iter().enumerate() {
        assert_ne!(sealed.kem_output, first.kem_output, "{i}");
    }
}

#[test]
fn without_randomness_nothing_fresh_is_made() {
    let crypto = Crypto::without_randomness();
    for suite in SUITES {
        let scheme = suite.signature_algorithm();
        assert_eq!(
            crypto.signature_key_gen(scheme).unwrap_err(),
            CryptoError::InsufficientRandomness
        );
        let public = hpke_key_pair(&mut ChaCha20Rng::seed_from_u64(1), *suite)
            .unwrap()
            .public;
        let sealed = crypto.hpke_seal(suite.hpke_config(), &public, b"", b"", b"");
        assert_eq!(sealed.unwrap_err(), CryptoError::InsufficientRandomness);
    }
}
