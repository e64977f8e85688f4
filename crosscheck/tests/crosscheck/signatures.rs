//! Signatures and their keys, for every suite of ours but P-521's.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::types::SignatureScheme;
use sabir_mls::keys::SigningKey;

use crate::inputs::{ED25519_ORDER, Inputs, ROUNDS, suites_with_keys};

#[test]
fn each_verifies_the_other() {
    let (mut inputs, theirs) = (Inputs::new(11), RustCrypto::default());
    for suite in suites_with_keys() {
        let scheme = suite.signature_algorithm();
        for round in 0..ROUNDS {
            let ours = inputs.crypto();
            let (private, public) = if round % 2 == 0 {
                ours.signature_key_gen(scheme).unwrap()
            } else {
                theirs.signature_key_gen(scheme).unwrap()
            };
            assert_eq!(
                SigningKey::from_private(scheme, &private).unwrap().public(),
                public,
                "{suite:?}"
            );
            let data = inputs.some();
            let signature = ours.sign(scheme, &data, &private).unwrap();
            let their_signature = theirs.sign(scheme, &data, &private).unwrap();
            if scheme == SignatureScheme::ED25519 {
                assert_eq!(signature, their_signature);
            }
            for signature in [signature, their_signature] {
                ours.verify_signature(scheme, &data, &public, &signature).unwrap();
                theirs
                    .verify_signature(scheme, &data, &public, &signature)
                    .unwrap();

                let (_, other) = inputs.crypto().signature_key_gen(scheme).unwrap();
                let more = [data.as_slice(), b"x"].concat();
                let refused = |data: &[u8], public: &[u8], signature: &[u8]| {
                    assert!(
                        ours.verify_signature(scheme, data, public, signature).is_err(),
                        "{suite:?}"
                    );
                    assert!(
                        theirs.verify_signature(scheme, data, public, signature).is_err(),
                        "{suite:?}"
                    );
                };
                let cut = inputs.below(signature.len());
                refused(&data, &public, &inputs.altered(&signature));
                refused(&data, &public, &signature[..cut]);
                refused(&data, &public, &[signature.as_slice(), &[0]].concat());
                refused(&more, &public, &signature);
                refused(&data, &other, &signature);
                refused(&data, &inputs.altered(&public), &signature);
                refused(&data, &public[1..], &signature);
                refused(&data, &[], &signature);
            }
        }
    }
}

/// Bytes that are no keys, most of them random.
#[test]
fn malformed_keys_are_refused_by_both() {
    let (mut inputs, theirs) = (Inputs::new(12), RustCrypto::default());
    for suite in suites_with_keys() {
        let scheme = suite.signature_algorithm();
        let ours = inputs.crypto();
        let (private, public) = ours.signature_key_gen(scheme).unwrap();
        let signature = ours.sign(scheme, b"data", &private).unwrap();
        let mut publics = vec![vec![0; public.len()], vec![0xff; public.len()]];
        for _ in 0..ROUNDS {
            // Random bytes, and random coordinates under a valid first byte.
            publics.push(inputs.exactly(public.len()));
            publics.push([&public[..1], &inputs.exactly(public.len() - 1)].concat());
            publics.push(inputs.some());
        }
        for public in publics {
            assert!(
                ours.verify_signature(scheme, b"data", &public, &signature)
                    .is_err(),
                "{suite:?}"
            );
            assert!(
                theirs
                    .verify_signature(scheme, b"data", &public, &signature)
                    .is_err(),
                "{suite:?}"
            );
        }
        // Any 32 bytes are an Ed25519 key. A key of another length makes theirs panic, so it is not asked.
        if scheme != SignatureScheme::ED25519 {
            for private in [vec![0; private.len()], vec![0xff; private.len()]] {
                assert!(ours.sign(scheme, b"data", &private).is_err(), "{suite:?}");
                assert!(theirs.sign(scheme, b"data", &private).is_err(), "{suite:?}");
            }
        }
        for len in [0, private.len() - 1, private.len() + 1, 2 * private.len()] {
            assert!(ours.sign(scheme, b"data", &vec![1; len]).is_err(), "{suite:?}");
        }
    }
}

/// The same signature written otherwise: neither takes `s` plus the group order for Ed25519.
#[test]
fn ed25519_is_not_malleable() {
    let (mut inputs, theirs) = (Inputs::new(13), RustCrypto::default());
    let scheme = SignatureScheme::ED25519;
    for _ in 0..ROUNDS {
        let ours = inputs.crypto();
        let (private, public) = ours.signature_key_gen(scheme).unwrap();
        let mut signature = ours.sign(scheme, b"data", &private).unwrap();
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(ED25519_ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert!(
            ours.verify_signature(scheme, b"data", &public, &signature)
                .is_err()
        );
        assert!(
            theirs
                .verify_signature(scheme, b"data", &public, &signature)
                .is_err()
        );
    }
}
