//! A provider's identity CA, its rotation, and its server certificate.

use super::*;

/// A provider's CA: shape, pinning, rotation.
pub(crate) const PROVIDER: &[Case] = &[
    (
        "CA signed by another key",
        |w| {
            let der = signed(&provider_params("a.example"), &w.ca_key, "ca", &w.alice);
            CaCertificate::parse(&der).map(drop)
        },
        "bad_signature",
        Some(Role::Provider),
    ),
    (
        "CA that names another issuer",
        |w| {
            let der = signed(&provider_params("a.example"), &w.ca_key, "other", &w.ca_key);
            CaCertificate::parse(&der).map(drop)
        },
        "issuer_name",
        Some(Role::Provider),
    ),
    (
        "CA without cA",
        |w| ca(w, |p| p.custom_extensions.clear()),
        "not_issuer",
        Some(Role::Provider),
    ),
    (
        "CA with path length 0",
        |w| {
            ca(w, |p| {
                p.custom_extensions = vec![basic_constraints(&[0x30, 6, 1, 1, 0xff, 2, 1, 0])]
            })
        },
        "path_length",
        Some(Role::Provider),
    ),
    (
        "CA that may not sign certificates",
        |w| ca(w, |p| p.key_usages.clear()),
        "key_usage",
        Some(Role::Provider),
    ),
    (
        "CA without a domain",
        |w| ca(w, |p| p.subject_alt_names.clear()),
        "name_missing",
        Some(Role::Provider),
    ),
    (
        "CA for two domains",
        |w| {
            ca(w, |p| {
                p.subject_alt_names
                    .push(SanType::DnsName("b.example".try_into().unwrap()))
            })
        },
        "name_extra",
        Some(Role::Provider),
    ),
    (
        "CA for a URI",
        |w| ca(w, |p| p.subject_alt_names = vec![uri("mimi://a.example")]),
        "name_kind",
        Some(Role::Provider),
    ),
    (
        "CA for a wildcard",
        |w| {
            ca(w, |p| {
                p.subject_alt_names = vec![SanType::DnsName("*.example".try_into().unwrap())]
            })
        },
        "name_invalid",
        Some(Role::Provider),
    ),
    (
        "CA with trailing bytes",
        |w| CaCertificate::parse(&[w.ca.certificate(), &[0]].concat()).map(drop),
        "trailing_data",
        Some(Role::Provider),
    ),
    (
        "b.example's CA pinned for a.example",
        |w| w.anchors.pin(&domain("a.example"), w.ca_b.to_anchor()),
        "authority_mismatch",
        Some(Role::Provider),
    ),
    (
        "a ninth CA for a domain",
        |w| {
            (0..8).try_for_each(|_| {
                let ca = ProviderCa::generate(&domain("a.example"), NOW, &mut w.rng).unwrap();
                w.anchors.pin(&domain("a.example"), ca.to_anchor())
            })
        },
        "too_many_authorities",
        None,
    ),
    (
        "rotation by a stranger",
        |w| rotate(w, |w, next| w_rotation(&w.alice, next, "ca", "a.example", w)),
        "bad_signature",
        Some(Role::Rotation),
    ),
    (
        "rotation for another key",
        |w| {
            rotate(w, |w, _| {
                w_rotation(&w.ca_key, &w.alice.public, "ca", "a.example", w)
            })
        },
        "rotation_key_mismatch",
        Some(Role::Rotation),
    ),
    (
        "rotation for another domain",
        |w| rotate(w, |w, next| w_rotation(&w.ca_key, next, "ca", "b.example", w)),
        "authority_mismatch",
        Some(Role::Rotation),
    ),
    (
        "rotation by a user certificate",
        |w| rotate(w, |w, _| w.user_der.clone()),
        "path_length",
        Some(Role::Rotation),
    ),
    (
        "rotation that names another issuer",
        |w| rotate(w, |w, next| w_rotation(&w.ca_key, next, "user", "a.example", w)),
        "issuer_name",
        Some(Role::Rotation),
    ),
    (
        "rotation that has expired",
        |w| {
            let next = ProviderCa::generate(&domain("a.example"), NOW, &mut w.rng)
                .unwrap()
                .to_anchor();
            let rotation = w.ca.vouch_for(&next, YEAR, &mut w.rng).unwrap();
            w.anchors.rotate(next, &rotation, Freshness::At(NOW + 366 * DAY))
        },
        "expired",
        Some(Role::Rotation),
    ),
    (
        "rotation of a provider nobody pinned",
        |w| {
            let ca = ProviderCa::generate(&domain("c.example"), NOW, &mut w.rng).unwrap();
            let next = ProviderCa::generate(&domain("c.example"), NOW, &mut w.rng)
                .unwrap()
                .to_anchor();
            let rotation = ca.vouch_for(&next, YEAR, &mut w.rng).unwrap();
            w.anchors.rotate(next, &rotation, Freshness::At(NOW))
        },
        "unknown_provider",
        None,
    ),
];

/// A provider's server certificate.
pub(crate) const SERVER: &[Case] = &[
    (
        "user certificate as server",
        |w| server(w, |w| w.user_der.clone()),
        "is_issuer",
        Some(Role::Server),
    ),
    (
        "device certificate as server",
        |w| server(w, |w| w.device_der.clone()),
        "name_extra",
        Some(Role::Server),
    ),
    (
        "client as server",
        |w| {
            server(w, |w| {
                signed(&server_params(ALICE_PHONE), &w.phone, "ca", &w.ca_key)
            })
        },
        "name_invalid",
        Some(Role::Server),
    ),
    (
        "server of another domain under our CA",
        |w| {
            server(w, |w| {
                signed(&server_params("mimi://b.example"), &w.phone, "ca", &w.ca_key)
            })
        },
        "authority_mismatch",
        Some(Role::Server),
    ),
    (
        "server signed by a user",
        |w| {
            server(w, |w| {
                signed(&server_params("mimi://a.example"), &w.phone, "ca", &w.alice)
            })
        },
        "bad_signature",
        Some(Role::Server),
    ),
    (
        "server that names another issuer",
        |w| {
            server(w, |w| {
                signed(&server_params("mimi://a.example"), &w.phone, "user", &w.alice)
            })
        },
        "issuer_name",
        Some(Role::Server),
    ),
    (
        "server expired",
        |w| {
            server(w, |w| {
                let mut params = server_params("mimi://a.example");
                params.not_after = rcgen::date_time_ymd(2026, 11, 20);
                signed(&params, &w.phone, "ca", &w.ca_key)
            })
        },
        "expired",
        Some(Role::Server),
    ),
    (
        "server with a chain of two",
        |w| ServerCredential::parse(&w.credential()).map(drop),
        "certificate_count",
        None,
    ),
    (
        "a server's key that is not the certified one",
        |w| {
            let der = signed(&server_params("mimi://a.example"), &w.alice, "ca", &w.ca_key);
            server(w, |_| der.clone())
        },
        "leaf_key_mismatch",
        None,
    ),
];
