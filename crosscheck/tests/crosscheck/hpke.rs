//! HPKE in base mode, for every suite of ours but P-521's.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{Ciphersuite, HpkeCiphertext};

use crate::inputs::{HYBRID, Inputs, ROUNDS, suites_with_keys};

/// A private and a public key, the same by both.
fn derived(
    suite: Ciphersuite,
    ours: &impl OpenMlsCrypto,
    theirs: &RustCrypto,
    ikm: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let pair = ours.derive_hpke_keypair(suite.hpke_config(), ikm).unwrap();
    let their_pair = theirs.derive_hpke_keypair(suite.hpke_config(), ikm).unwrap();
    assert_eq!(*pair.private, *their_pair.private, "{suite:?}");
    assert_eq!(pair.public, their_pair.public, "{suite:?}");
    (pair.private.to_vec(), pair.public)
}

#[test]
fn keys_are_derived_alike() {
    let (mut inputs, theirs) = (Inputs::new(21), RustCrypto::default());
    for suite in suites_with_keys() {
        let ours = inputs.crypto();
        for len in 0..=2 * ROUNDS {
            derived(suite, &ours, &theirs, &inputs.exactly(len));
        }
    }
}

#[test]
fn each_opens_the_other() {
    let (mut inputs, theirs) = (Inputs::new(22), RustCrypto::default());
    for suite in suites_with_keys() {
        let config = || suite.hpke_config();
        for _ in 0..ROUNDS {
            let ours = inputs.crypto();
            let (private, public) = derived(suite, &ours, &theirs, &inputs.exactly(66));
            let (info, aad, text) = (inputs.some(), inputs.some(), inputs.some());
            let sealed = ours.hpke_seal(config(), &public, &info, &aad, &text).unwrap();
            let their_sealed = theirs.hpke_seal(config(), &public, &info, &aad, &text).unwrap();
            for sealed in [sealed, their_sealed] {
                assert_eq!(
                    ours.hpke_open(config(), &sealed, &private, &info, &aad).unwrap(),
                    text,
                    "{suite:?}"
                );
                assert_eq!(
                    theirs
                        .hpke_open(config(), &sealed, &private, &info, &aad)
                        .unwrap(),
                    text,
                    "{suite:?}"
                );

                let refused = |sealed: &HpkeCiphertext, private: &[u8], info: &[u8], aad: &[u8]| {
                    assert!(
                        ours.hpke_open(config(), sealed, private, info, aad).is_err(),
                        "{suite:?}"
                    );
                    assert!(
                        theirs.hpke_open(config(), sealed, private, info, aad).is_err(),
                        "{suite:?}"
                    );
                };
                let (enc, ciphertext) = (sealed.kem_output.as_slice(), sealed.ciphertext.as_slice());
                let with = |enc: &[u8], ciphertext: &[u8]| HpkeCiphertext {
                    kem_output: enc.into(),
                    ciphertext: ciphertext.into(),
                };
                let (other, _) = derived(suite, &ours, &theirs, &inputs.exactly(66));
                let cut = inputs.below(ciphertext.len());
                refused(&with(enc, &inputs.altered(ciphertext)), &private, &info, &aad);
                refused(&with(enc, &ciphertext[..cut]), &private, &info, &aad);
                refused(&with(&inputs.altered(enc), ciphertext), &private, &info, &aad);
                refused(&with(&enc[1..], ciphertext), &private, &info, &aad);
                refused(&with(&[], ciphertext), &private, &info, &aad);
                refused(&sealed, &other, &info, &aad);
                refused(&sealed, &private, &[info.as_slice(), b"x"].concat(), &aad);
                refused(&sealed, &private, &info, &[aad.as_slice(), b"x"].concat());
                refused(&sealed, &private[1..], &info, &aad);
                refused(&sealed, &[], &info, &aad);
            }
        }
    }
}

#[test]
fn each_exports_what_the_other_does() {
    let (mut inputs, theirs) = (Inputs::new(23), RustCrypto::default());
    for suite in suites_with_keys() {
        let config = || suite.hpke_config();
        for _ in 0..ROUNDS {
            let ours = inputs.crypto();
            let (private, public) = derived(suite, &ours, &theirs, &inputs.exactly(66));
            let (info, context, len) = (inputs.some(), inputs.some(), inputs.some().len());
            let sent = [
                ours.hpke_setup_sender_and_export(config(), &public, &info, &context, len)
                    .unwrap(),
                theirs
                    .hpke_setup_sender_and_export(config(), &public, &info, &context, len)
                    .unwrap(),
            ];
            for (enc, secret) in sent {
                let mine = ours
                    .hpke_setup_receiver_and_export(config(), &enc, &private, &info, &context, len)
                    .unwrap();
                let their = theirs
                    .hpke_setup_receiver_and_export(config(), &enc, &private, &info, &context, len)
                    .unwrap();
                assert_eq!(secret.len(), len);
                assert_eq!(*mine, *secret, "{suite:?}");
                assert_eq!(*their, *secret, "{suite:?}");
            }
        }
        let (_, public) = derived(suite, &inputs.crypto(), &theirs, &inputs.exactly(66));
        let too_long = 255 * suite.hash_length() + 1;
        let ours = inputs.crypto();
        assert!(
            ours.hpke_setup_sender_and_export(config(), &public, b"", b"", too_long)
                .is_err()
        );
        assert!(
            theirs
                .hpke_setup_sender_and_export(config(), &public, b"", b"", too_long)
                .is_err()
        );
    }
}

#[test]
fn malformed_keys_are_refused_by_both() {
    let (mut inputs, theirs) = (Inputs::new(24), RustCrypto::default());
    for suite in suites_with_keys() {
        let config = || suite.hpke_config();
        let ours = inputs.crypto();
        let (private, public) = derived(suite, &ours, &theirs, &inputs.exactly(66));
        let sealed = ours.hpke_seal(config(), &public, b"", b"", b"text").unwrap();

        let mut publics = vec![public[1..].to_vec(), Vec::new()];
        let mut privates = vec![private[1..].to_vec(), Vec::new()];
        // The hybrid's X25519 half of zeros is one of the differences.
        if suite != HYBRID {
            publics.push(vec![0; public.len()]);
        }
        // Any 32 bytes but those of small order are an X25519 public key; all are a private one of it and of the hybrid.
        if public.len() > 32 {
            for _ in 0..ROUNDS {
                publics.push(inputs.exactly(public.len()));
                publics.push([&public[..1], &inputs.exactly(public.len() - 1)].concat());
            }
        }
        if private.len() > 32 || public.len() == 65 {
            privates.extend([vec![0; private.len()], vec![0xff; private.len()]]);
        }
        for public in publics {
            assert!(
                ours.hpke_seal(config(), &public, b"", b"", b"text").is_err(),
                "{suite:?}"
            );
            assert!(
                theirs.hpke_seal(config(), &public, b"", b"", b"text").is_err(),
                "{suite:?}"
            );
        }
        for private in privates {
            assert!(
                ours.hpke_open(config(), &sealed, &private, b"", b"").is_err(),
                "{suite:?}"
            );
            assert!(
                theirs.hpke_open(config(), &sealed, &private, b"", b"").is_err(),
                "{suite:?}"
            );
        }
    }
}
