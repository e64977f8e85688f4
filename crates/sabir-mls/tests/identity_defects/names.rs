//! What certificates name and what they may do.

use super::*;

/// Subject alternative names.
pub(crate) const NAMES: &[Case] = &[
    (
        "user without names",
        |w| user_names(w, &[]),
        "name_missing",
        Some(Role::User),
    ),
    (
        "device without names",
        |w| device_names(w, &[]),
        "name_missing",
        Some(Role::Device),
    ),
    (
        "device without its user",
        |w| device_names(w, &[uri(ALICE_PHONE)]),
        "name_missing",
        Some(Role::Device),
    ),
    (
        "device with two users",
        |w| device_names(w, &[uri(ALICE_PHONE), uri(ALICE), uri("mimi://a.example/u/bob")]),
        "name_extra",
        Some(Role::Device),
    ),
    (
        "user with two names",
        |w| user_names(w, &[uri(ALICE), uri("mimi://a.example/u/bob")]),
        "name_extra",
        Some(Role::User),
    ),
    (
        "user as a DNS name",
        |w| user_names(w, &[SanType::DnsName("alice.a.example".try_into().unwrap())]),
        "name_kind",
        Some(Role::User),
    ),
    (
        "user as a mail address",
        |w| user_names(w, &[SanType::Rfc822Name("alice@a.example".try_into().unwrap())]),
        "name_kind",
        Some(Role::User),
    ),
    (
        "device's user as a DNS name",
        |w| {
            device_names(
                w,
                &[
                    uri(ALICE_PHONE),
                    SanType::DnsName("a.example".try_into().unwrap()),
                ],
            )
        },
        "name_kind",
        Some(Role::Device),
    ),
    (
        "device's names in the wrong order",
        |w| device_names(w, &[uri(ALICE), uri(ALICE_PHONE)]),
        "name_invalid",
        Some(Role::Device),
    ),
    (
        "two users instead of client and user",
        |w| device_names(w, &[uri(ALICE), uri(ALICE)]),
        "name_invalid",
        Some(Role::Device),
    ),
    (
        "user certificate for a client",
        |w| user_names(w, &[uri(ALICE_PHONE)]),
        "name_invalid",
        Some(Role::User),
    ),
    (
        "upper-case authority",
        |w| user_names(w, &[uri("mimi://A.example/u/alice")]),
        "name_invalid",
        Some(Role::User),
    ),
    (
        "percent-encoding that needs none",
        |w| user_names(w, &[uri("mimi://a.example/u/%61lice")]),
        "name_invalid",
        Some(Role::User),
    ),
    (
        "another scheme",
        |w| user_names(w, &[uri("https://a.example/u/alice")]),
        "name_invalid",
        Some(Role::User),
    ),
    (
        "non-canonical client",
        |w| device_names(w, &[uri("mimi://a.example:443/d/phone"), uri(ALICE)]),
        "name_invalid",
        Some(Role::Device),
    ),
    (
        "NUL after the user",
        |w| user_names(w, &[uri("mimi://a.example/u/alice\0")]),
        "name_invalid",
        Some(Role::User),
    ),
];

/// What a certificate may do, and the recovery commitment.
pub(crate) const POWERS: &[Case] = &[
    (
        "user without basic constraints",
        |w| user(w, |p| p.custom_extensions = vec![commitment(&COMMITMENT)]),
        "not_issuer",
        Some(Role::User),
    ),
    (
        "user with cA false",
        |w| user_constraints(w, &[0x30, 0x00]),
        "not_issuer",
        Some(Role::User),
    ),
    (
        "user without path length",
        |w| user_constraints(w, &[0x30, 0x03, 1, 1, 0xff]),
        "path_length",
        Some(Role::User),
    ),
    (
        "user with path length 1",
        |w| user_constraints(w, &[0x30, 0x06, 1, 1, 0xff, 2, 1, 1]),
        "path_length",
        Some(Role::User),
    ),
    (
        "device with cA",
        |w| {
            device(w, |p| {
                p.custom_extensions = vec![basic_constraints(&[0x30, 0x03, 1, 1, 0xff])]
            })
        },
        "is_issuer",
        Some(Role::Device),
    ),
    (
        "device with a path length",
        |w| {
            device(w, |p| {
                p.custom_extensions = vec![basic_constraints(&[0x30, 0x03, 2, 1, 0])]
            })
        },
        "path_length",
        Some(Role::Device),
    ),
    (
        "user without key usage",
        |w| user(w, |p| p.key_usages.clear()),
        "key_usage",
        Some(Role::User),
    ),
    (
        "user that may not sign certificates",
        |w| user(w, |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        "key_usage",
        Some(Role::User),
    ),
    (
        "device without key usage",
        |w| device(w, |p| p.key_usages.clear()),
        "key_usage",
        Some(Role::Device),
    ),
    (
        "device that may sign certificates",
        |w| device(w, |p| p.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        "key_usage",
        Some(Role::Device),
    ),
    (
        "user without recovery commitment",
        |w| {
            user(w, |p| {
                p.custom_extensions.pop();
            })
        },
        "recovery_commitment",
        Some(Role::User),
    ),
    (
        "recovery commitment of 31 bytes",
        |w| user(w, |p| p.custom_extensions[1] = commitment(&[7; 31])),
        "recovery_commitment",
        Some(Role::User),
    ),
    (
        "server certificate as user",
        |w| {
            let server = w.ca.issue_server(&w.alice.public, YEAR, &mut w.rng).unwrap();
            w.judge_user(&server).map(drop)
        },
        "not_issuer",
        Some(Role::User),
    ),
    (
        "provider certificate as user",
        |w| w.judge_user(w.ca.certificate()).map(drop),
        "path_length",
        Some(Role::User),
    ),
    (
        "user certificate as device",
        |w| w.judge_device(&w.user_der).map(drop),
        "is_issuer",
        Some(Role::Device),
    ),
    (
        "device certificate as issuer of a device",
        |w| {
            let under = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "user", &w.phone);
            w.judge(&chain(&[&under, &w.device_der])).map(drop)
        },
        "not_issuer",
        Some(Role::User),
    ),
];
