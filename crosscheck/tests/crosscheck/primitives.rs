//! Hash, MAC, key derivation and AEAD, for every suite of ours.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto as _;
use sabir_mls::provider::{Crypto, SUITES};

use crate::inputs::{Inputs, ROUNDS};

#[test]
fn hash_and_mac() {
    let (mut inputs, ours, theirs) = (
        Inputs::new(1),
        Crypto::without_randomness(),
        RustCrypto::default(),
    );
    for suite in SUITES {
        let hash = suite.hash_algorithm();
        for _ in 0..ROUNDS {
            let (key, data) = (inputs.some(), inputs.some());
            assert_eq!(ours.hash(hash, &data), theirs.hash(hash, &data), "{suite:?}");
            assert_eq!(
                ours.hmac(hash, &key, &data).unwrap().as_slice(),
                theirs.hmac(hash, &key, &data).unwrap().as_slice(),
                "{suite:?}"
            );
        }
    }
}

#[test]
fn key_derivation() {
    let (mut inputs, ours, theirs) = (
        Inputs::new(2),
        Crypto::without_randomness(),
        RustCrypto::default(),
    );
    for suite in SUITES {
        let hash = suite.hash_algorithm();
        for _ in 0..ROUNDS {
            let (salt, ikm, info) = (inputs.some(), inputs.some(), inputs.some());
            let prk = ours.hkdf_extract(hash, &salt, &ikm).unwrap();
            let their_prk = theirs.hkdf_extract(hash, &salt, &ikm).unwrap();
            assert_eq!(prk.as_slice(), their_prk.as_slice(), "{suite:?}");

            let longer = [prk.as_slice(), &inputs.some()].concat();
            let len = inputs.some().len();
            for prk in [prk.as_slice(), &longer] {
                assert_eq!(
                    ours.hkdf_expand(hash, prk, &info, len).unwrap().as_slice(),
                    theirs.hkdf_expand(hash, prk, &info, len).unwrap().as_slice(),
                    "{suite:?}"
                );
            }
        }
        let prk = inputs.exactly(hash.size());
        let most = 255 * hash.size();
        assert_eq!(
            ours.hkdf_expand(hash, &prk, b"", most).unwrap().as_slice(),
            theirs.hkdf_expand(hash, &prk, b"", most).unwrap().as_slice()
        );
        assert!(ours.hkdf_expand(hash, &prk, b"", most + 1).is_err());
        assert!(theirs.hkdf_expand(hash, &prk, b"", most + 1).is_err());
    }
}

#[test]
fn aead() {
    let (mut inputs, ours, theirs) = (
        Inputs::new(3),
        Crypto::without_randomness(),
        RustCrypto::default(),
    );
    for suite in SUITES {
        let alg = suite.aead_algorithm();
        for _ in 0..ROUNDS {
            let (key, nonce) = (inputs.exactly(alg.key_size()), inputs.exactly(alg.nonce_size()));
            let (data, aad) = (inputs.some(), inputs.some());
            let sealed = ours.aead_encrypt(alg, &key, &data, &nonce, &aad).unwrap();
            assert_eq!(
                sealed,
                theirs.aead_encrypt(alg, &key, &data, &nonce, &aad).unwrap(),
                "{suite:?}"
            );
            assert_eq!(ours.aead_decrypt(alg, &key, &sealed, &nonce, &aad).unwrap(), data);
            assert_eq!(
                theirs.aead_decrypt(alg, &key, &sealed, &nonce, &aad).unwrap(),
                data
            );

            let longer_aad = [aad.as_slice(), b"x"].concat();
            let cut = inputs.below(sealed.len());
            let refused = |key: &[u8], sealed: &[u8], nonce: &[u8], aad: &[u8]| {
                assert!(
                    ours.aead_decrypt(alg, key, sealed, nonce, aad).is_err(),
                    "{suite:?}"
                );
                assert!(
                    theirs.aead_decrypt(alg, key, sealed, nonce, aad).is_err(),
                    "{suite:?}"
                );
            };
            refused(&key, &inputs.altered(&sealed), &nonce, &aad);
            refused(&key, &sealed[..cut], &nonce, &aad);
            refused(&key, &sealed, &nonce, &longer_aad);
            refused(&key, &sealed, &inputs.altered(&nonce), &aad);
            refused(&inputs.altered(&key), &sealed, &nonce, &aad);
            // A nonce of another length is refused by ours; theirs panics, so it is not asked.
            refused(&key[1..], &sealed, &nonce, &aad);
            assert!(ours.aead_decrypt(alg, &key, &sealed, &nonce[1..], &aad).is_err());
        }
    }
}
