//! One certificate by itself, and the list they come in.

use sabir_wire::mls::Credential;

use super::*;

/// The list of certificates.
pub(crate) const ENCODING: &[Case] = &[
    ("cut short", |w| cut(w, 1), "credential_encoding", None),
    (
        "cut inside the first certificate",
        |w| cut(w, 500),
        "credential_encoding",
        None,
    ),
    (
        "a length that is not in its shortest form",
        |w| {
            let tail = chain(&[&w.user_der]);
            let len = u32::try_from(w.device_der.len()).unwrap() | 0x8000_0000;
            let bytes = [&len.to_be_bytes(), w.device_der.as_slice(), &tail].concat();
            w.judge(&bytes).map(drop)
        },
        "credential_encoding",
        None,
    ),
    (
        "a basic credential",
        |_| {
            let identity = ALICE.as_bytes().to_vec();
            ClientCredential::from_credential(&Credential::Basic { identity }).map(drop)
        },
        "credential_type",
        None,
    ),
    (
        "a basic credential of a server",
        |_| {
            let identity = b"mimi://a.example".to_vec();
            ServerCredential::from_credential(&Credential::Basic { identity }).map(drop)
        },
        "credential_type",
        None,
    ),
    (
        "an MLS credential of three certificates",
        |w| {
            let certificates = vec![w.device_der.clone(), w.user_der.clone(), w.user_der.clone()];
            ClientCredential::from_credential(&Credential::X509 { certificates }).map(drop)
        },
        "certificate_count",
        None,
    ),
    ("nothing", |w| w.judge(&[]).map(drop), "certificate_count", None),
    (
        "device alone",
        |w| w.judge(&chain(&[&w.device_der])).map(drop),
        "certificate_count",
        None,
    ),
    (
        "with the CA as third",
        |w| {
            w.judge(&chain(&[&w.device_der, &w.user_der, w.ca.certificate()]))
                .map(drop)
        },
        "certificate_count",
        None,
    ),
    (
        "with an intermediate",
        |w| {
            w.judge(&chain(&[&w.device_der, &w.user_der, &w.user_der]))
                .map(drop)
        },
        "certificate_count",
        None,
    ),
    (
        "certificate over its bound",
        |w| {
            w.judge(&chain(&[&vec![0x30; MAX_CERTIFICATE_LEN + 1], &w.user_der]))
                .map(drop)
        },
        "oversized",
        None,
    ),
    (
        "credential over its bound",
        |w| w.judge(&vec![0; MAX_CREDENTIAL_LEN + 1]).map(drop),
        "oversized",
        None,
    ),
    (
        "certificate padded over its bound, outside a credential",
        |w| {
            let mut device = w.device_der.clone();
            device.resize(MAX_CERTIFICATE_LEN + 1, 0);
            ClientCredential::new(&device, &w.user_der).map(drop)
        },
        "oversized",
        None,
    ),
];

/// One certificate by itself.
pub(crate) const CERTIFICATE: &[Case] = &[
    (
        "empty certificate",
        |w| w.judge_device(&[]).map(drop),
        "malformed",
        Some(Role::Device),
    ),
    (
        "not DER",
        |w| w.judge_user(b"-----BEGIN CERTIFICATE-----").map(drop),
        "malformed",
        Some(Role::User),
    ),
    (
        "truncated DER",
        |w| w.judge_user(&w.user_der[..w.user_der.len() - 1]).map(drop),
        "malformed",
        Some(Role::User),
    ),
    (
        "bytes after the certificate",
        |w| {
            w.judge_device(&[w.device_der.as_slice(), &[0]].concat())
                .map(drop)
        },
        "trailing_data",
        Some(Role::Device),
    ),
    (
        "bytes after the signature, inside the wrapping",
        |w| {
            w.judge_user(&rewrap(&w.user_der, ED25519, &[0x05, 0x00]))
                .map(drop)
        },
        "trailing_data",
        Some(Role::User),
    ),
    (
        "unused bits in the signature's BIT STRING",
        |w| {
            let mut der = w.device_der.clone();
            let at = der.len() - 65;
            assert_eq!(der[at], 0);
            der[at] = 1;
            w.judge_device(&der)
                .map(|_| ())
                .map_err(either_malformed_or_trailing)
        },
        "trailing_data",
        Some(Role::Device),
    ),
    (
        "version 2",
        |w| {
            let der = operate(&w.user_der, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1], &w.ca_key);
            w.judge_user(&der).map(drop)
        },
        "version",
        Some(Role::User),
    ),
    (
        "two alternative names extensions",
        |w| {
            let san = [&[0x30, 26, 0x86, 24], ALICE.as_bytes()].concat();
            user(w, |p| {
                p.custom_extensions.push(extension(&[2, 5, 29, 17], false, &san))
            })
        },
        "duplicate_extension",
        Some(Role::User),
    ),
    (
        "an ignorable extension twice",
        |w| {
            let note = extension(&[2, 25, 1], false, &[0x05, 0x00]);
            device(w, |p| p.custom_extensions = vec![note.clone(), note.clone()])
        },
        "duplicate_extension",
        Some(Role::Device),
    ),
    (
        "an unknown critical extension",
        |w| {
            device(w, |p| {
                p.custom_extensions = vec![extension(&[2, 25, 1], true, &[0x05, 0x00])]
            })
        },
        "unknown_critical_extension",
        Some(Role::Device),
    ),
    (
        "name constraints, critical and not understood",
        |w| {
            user(w, |p| {
                p.custom_extensions
                    .push(extension(&[2, 5, 29, 30], true, &[0x30, 0x00]))
            })
        },
        "unknown_critical_extension",
        Some(Role::User),
    ),
    (
        "bytes after an extension's content",
        |w| {
            let constraints = basic_constraints(&[0x30, 0x06, 1, 1, 0xff, 2, 1, 0, 0x05, 0x00]);
            user(w, |p| {
                p.custom_extensions = vec![constraints.clone(), commitment(&COMMITMENT)]
            })
        },
        "malformed",
        Some(Role::User),
    ),
    (
        "P-256 device key",
        |w| {
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            let der = signed(&device_params(ALICE_PHONE, ALICE), &key, "user", &w.alice);
            w.judge_device(&der).map(drop)
        },
        "key_algorithm",
        Some(Role::Device),
    ),
    (
        "P-256 identity key",
        |w| {
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            w.judge_user(&signed(&user_params(ALICE), &key, "ca", &w.ca_key))
                .map(drop)
        },
        "key_algorithm",
        Some(Role::User),
    ),
    (
        "P-256 signature",
        |w| {
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            w.judge_user(&signed(&user_params(ALICE), &w.alice, "ca", &key))
                .map(drop)
        },
        "signature_algorithm",
        Some(Role::User),
    ),
    (
        "outer algorithm with parameters",
        |w| {
            let with_null = [0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00];
            w.judge_device(&rewrap(&w.device_der, &with_null, &[])).map(drop)
        },
        "signature_algorithm",
        Some(Role::Device),
    ),
    (
        "outer algorithm differs from the signed one",
        |w| {
            let ed448 = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71];
            w.judge_device(&rewrap(&w.device_der, &ed448, &[])).map(drop)
        },
        "signature_algorithm",
        Some(Role::Device),
    ),
    (
        "validity ends before it begins",
        |w| device(w, |p| p.not_before = rcgen::date_time_ymd(2029, 1, 1)),
        "validity_empty",
        Some(Role::Device),
    ),
    (
        "validity before 1970",
        |w| device(w, |p| p.not_before = rcgen::date_time_ymd(1969, 1, 1)),
        "malformed",
        Some(Role::Device),
    ),
];
