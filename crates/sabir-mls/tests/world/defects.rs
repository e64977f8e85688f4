//! The defects of [`sabir_mls::identity`] that a leaf can have, and those of the leaf itself.

use openmls::prelude::{Credential, CredentialType, ExtensionType, ProposalType};
use rcgen::{KeyUsagePurpose, SanType};
use sabir_mls::identity::{MAX_CERTIFICATE_LEN, MAX_CREDENTIAL_LEN};
use sabir_wire::codec::Encode as _;
use sabir_wire::mls::{ComponentId, ComponentsList};

use super::forge::{DEVICE, Forge, p256};
use super::identity_support::{
    ALICE, COMMITMENT, basic_constraints, chain, commitment, device_params, extension, operate, rewrap,
    server_params, signed, uri,
};
use super::rogue::{Leaf, capabilities};

/// What is wrong, how such a leaf is made, and the refusal: the id of the credential's error and the certificate
/// to blame, or the leaf error's text.
pub type Defect = (&'static str, fn(&mut Forge) -> Leaf, &'static str);

const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// The list of certificates.
pub const ENCODING: &[Defect] = &[
    ("cut short", |f| cut(f, 1), "credential_encoding"),
    (
        "cut inside the first certificate",
        |f| cut(f, 500),
        "credential_encoding",
    ),
    (
        "a length that is not in its shortest form",
        |f| {
            let len = u32::try_from(f.device.len()).unwrap() | 0x8000_0000;
            f.leaf([&len.to_be_bytes(), f.device.as_slice(), &chain(&[&f.user])].concat())
        },
        "credential_encoding",
    ),
    ("no certificate", |f| f.leaf(vec![]), "certificate_count"),
    (
        "the device alone",
        |f| f.leaf(chain(&[&f.device])),
        "certificate_count",
    ),
    (
        "with the CA as third",
        |f| f.leaf(chain(&[&f.device, &f.user, f.world.a.certificate()])),
        "certificate_count",
    ),
    (
        "with an intermediate",
        |f| f.leaf(chain(&[&f.device, &f.user, &f.user])),
        "certificate_count",
    ),
    (
        "a certificate over its bound",
        |f| f.with_device(&vec![0x30; MAX_CERTIFICATE_LEN + 1]),
        "oversized",
    ),
    (
        "a credential over its bound",
        |f| f.leaf(vec![0; MAX_CREDENTIAL_LEN + 1]),
        "oversized",
    ),
];

/// One certificate by itself.
pub const CERTIFICATE: &[Defect] = &[
    ("an empty certificate", |f| f.with_device(&[]), "malformed device"),
    (
        "text instead of DER",
        |f| f.with_user(b"-----BEGIN CERTIFICATE-----"),
        "malformed user",
    ),
    (
        "truncated DER",
        |f| f.with_user(&f.user[..f.user.len() - 1]),
        "malformed user",
    ),
    (
        "bytes after the certificate",
        |f| f.with_device(&[f.device.as_slice(), &[0]].concat()),
        "trailing_data device",
    ),
    (
        "bytes after the signature, inside the wrapping",
        |f| f.with_user(&rewrap(&f.user, ED25519, &[0x05, 0x00])),
        "trailing_data user",
    ),
    (
        "version 2",
        |f| f.with_user(&operate(&f.user, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1], &f.ca)),
        "version user",
    ),
    (
        "two alternative names extensions",
        |f| {
            let san = [&[0x30, 26, 0x86, 24], ALICE.as_bytes()].concat();
            f.user_says(|p| p.custom_extensions.push(extension(&[2, 5, 29, 17], false, &san)))
        },
        "duplicate_extension user",
    ),
    (
        "an ignorable extension twice",
        |f| {
            let note = extension(&[2, 25, 1], false, &[0x05, 0x00]);
            f.device_says(|p| p.custom_extensions = vec![note.clone(), note])
        },
        "duplicate_extension device",
    ),
    (
        "an unknown critical extension",
        |f| f.device_says(|p| p.custom_extensions = vec![extension(&[2, 25, 1], true, &[0x05, 0x00])]),
        "unknown_critical_extension device",
    ),
    (
        "bytes after an extension's content",
        |f| user_constraints(f, &[0x30, 0x06, 1, 1, 0xff, 2, 1, 0, 0x05, 0x00]),
        "malformed user",
    ),
    (
        "a P-256 device key",
        |f| {
            f.with_device(&signed(
                &f.device_params(DEVICE, ALICE),
                &p256(),
                "user",
                &f.alice,
            ))
        },
        "key_algorithm device",
    ),
    (
        "a P-256 identity key",
        |f| f.with_user(&signed(&f.user_params(ALICE), &p256(), "ca", &f.ca)),
        "key_algorithm user",
    ),
    (
        "a P-256 signature",
        |f| f.with_user(&signed(&f.user_params(ALICE), &f.alice, "ca", &p256())),
        "signature_algorithm user",
    ),
    (
        "an outer algorithm with parameters",
        |f| {
            let with_null = [0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00];
            f.with_device(&rewrap(&f.device, &with_null, &[]))
        },
        "signature_algorithm device",
    ),
    (
        "a validity that ends before it begins",
        |f| {
            f.device_says(|p| {
                p.not_before = rcgen::date_time_ymd(2029, 1, 1);
                p.not_after = rcgen::date_time_ymd(2028, 1, 1);
            })
        },
        "validity_empty device",
    ),
    (
        "a validity before 1970",
        |f| f.device_says(|p| p.not_before = rcgen::date_time_ymd(1969, 1, 1)),
        "malformed device",
    ),
];

/// Subject alternative names.
pub const NAMES: &[Defect] = &[
    (
        "a user without names",
        |f| user_names(f, vec![]),
        "name_missing user",
    ),
    (
        "a device without names",
        |f| device_names(f, vec![]),
        "name_missing device",
    ),
    (
        "a device without its user",
        |f| device_names(f, vec![uri(DEVICE)]),
        "name_missing device",
    ),
    (
        "a device with two users",
        |f| device_names(f, vec![uri(DEVICE), uri(ALICE), uri("mimi://a.example/u/bob")]),
        "name_extra device",
    ),
    (
        "a user with two names",
        |f| user_names(f, vec![uri(ALICE), uri("mimi://a.example/u/bob")]),
        "name_extra user",
    ),
    (
        "a user as a DNS name",
        |f| user_names(f, vec![SanType::DnsName("alice.a.example".try_into().unwrap())]),
        "name_kind user",
    ),
    (
        "a device's user as a DNS name",
        |f| {
            device_names(
                f,
                vec![uri(DEVICE), SanType::DnsName("a.example".try_into().unwrap())],
            )
        },
        "name_kind device",
    ),
    (
        "a device's names in the wrong order",
        |f| device_names(f, vec![uri(ALICE), uri(DEVICE)]),
        "name_invalid device",
    ),
    (
        "a user certificate for a client",
        |f| user_names(f, vec![uri(DEVICE)]),
        "name_invalid user",
    ),
    (
        "an upper-case authority",
        |f| user_names(f, vec![uri("mimi://A.example/u/alice")]),
        "name_invalid user",
    ),
    (
        "a percent-encoding that needs none",
        |f| user_names(f, vec![uri("mimi://a.example/u/%61lice")]),
        "name_invalid user",
    ),
    (
        "another scheme",
        |f| user_names(f, vec![uri("https://a.example/u/alice")]),
        "name_invalid user",
    ),
    (
        "a client with a port",
        |f| device_names(f, vec![uri("mimi://a.example:443/d/alice1"), uri(ALICE)]),
        "name_invalid device",
    ),
    (
        "a NUL after the user",
        |f| user_names(f, vec![uri("mimi://a.example/u/alice\0")]),
        "name_invalid user",
    ),
];

/// What a certificate may do, and the recovery commitment.
pub const POWERS: &[Defect] = &[
    (
        "a user without basic constraints",
        |f| f.user_says(|p| p.custom_extensions = vec![commitment(&COMMITMENT)]),
        "not_issuer user",
    ),
    (
        "a user that is no CA",
        |f| user_constraints(f, &[0x30, 0x00]),
        "not_issuer user",
    ),
    (
        "a user without path length",
        |f| user_constraints(f, &[0x30, 0x03, 1, 1, 0xff]),
        "path_length user",
    ),
    (
        "a user with path length 1",
        |f| user_constraints(f, &[0x30, 0x06, 1, 1, 0xff, 2, 1, 1]),
        "path_length user",
    ),
    (
        "a device that is a CA",
        |f| f.device_says(|p| p.custom_extensions = vec![basic_constraints(&[0x30, 0x03, 1, 1, 0xff])]),
        "is_issuer device",
    ),
    (
        "a device with a path length",
        |f| f.device_says(|p| p.custom_extensions = vec![basic_constraints(&[0x30, 0x03, 2, 1, 0])]),
        "path_length device",
    ),
    (
        "a user that may not sign certificates",
        |f| f.user_says(|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        "key_usage user",
    ),
    (
        "a device that may sign certificates",
        |f| f.device_says(|p| p.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        "key_usage device",
    ),
    (
        "a user without recovery commitment",
        |f| f.user_says(|p| drop(p.custom_extensions.pop())),
        "recovery_commitment user",
    ),
    (
        "a recovery commitment of 31 bytes",
        |f| f.user_says(|p| p.custom_extensions[1] = commitment(&[7; 31])),
        "recovery_commitment user",
    ),
    (
        "a server certificate as user",
        |f| f.with_user(&signed(&server_params("mimi://a.example"), &f.alice, "ca", &f.ca)),
        "not_issuer user",
    ),
    (
        "the provider's certificate as user",
        |f| f.with_user(f.world.a.certificate()),
        "path_length user",
    ),
    (
        "a user certificate as device",
        |f| f.with_device(&f.user),
        "is_issuer device",
    ),
    (
        "a device certificate as issuer of a device",
        |f| {
            let under = signed(&device_params(DEVICE, ALICE), &f.phone, "user", &f.phone);
            f.leaf(chain(&[&under, &f.device]))
        },
        "not_issuer user",
    ),
];

/// Who vouches for whom, and when.
pub const CHAIN: &[Defect] = &[
    (
        "another leaf key than the certified one",
        |f| {
            let leaf = f.good();
            let key = f.key().signing_key();
            Leaf { key, ..leaf }
        },
        "leaf_key_mismatch",
    ),
    (
        "Mallory's certificate issues a device of Alice",
        |f| {
            let mallory = f.key();
            let hers = signed(
                &f.user_params("mimi://c.example/u/mallory"),
                &mallory,
                "ca",
                &f.others[0],
            );
            let device = signed(&f.device_params(DEVICE, ALICE), &f.phone, "user", &mallory);
            f.leaf(chain(&[&device, &hers]))
        },
        "user_mismatch device",
    ),
    (
        "Mallory's key signs a device under Alice's certificate",
        |f| {
            let mallory = f.key();
            f.with_device(&signed(
                &f.device_params(DEVICE, ALICE),
                &f.phone,
                "user",
                &mallory,
            ))
        },
        "bad_signature device",
    ),
    (
        "the provider signs a device itself",
        |f| f.with_device(&signed(&f.device_params(DEVICE, ALICE), &f.phone, "user", &f.ca)),
        "bad_signature device",
    ),
    (
        "a CA nobody pinned, under a.example's name",
        |f| {
            let mallory = f.key();
            f.with_user(&signed(&f.user_params(ALICE), &f.alice, "ca", &mallory))
        },
        "bad_signature user",
    ),
    (
        "c.example's pinned CA certifies a user of a.example",
        |f| f.with_user(&signed(&f.user_params(ALICE), &f.alice, "ca", &f.others[0])),
        "bad_signature user",
    ),
    (
        "a user signed by the person's own key",
        |f| f.with_user(&signed(&f.user_params(ALICE), &f.alice, "ca", &f.alice)),
        "bad_signature user",
    ),
    (
        "a flipped bit in the user's signature",
        |f| {
            let mut der = f.user.clone();
            *der.last_mut().unwrap() ^= 1;
            f.with_user(&der)
        },
        "bad_signature user",
    ),
    (
        "another identity key in the signed part",
        |f| {
            let mallory = f.key().public;
            let mut der = f.user.clone();
            let at = der.windows(32).position(|bytes| bytes == f.alice.public).unwrap();
            der[at..at + 32].copy_from_slice(&mallory);
            f.with_user(&der)
        },
        "bad_signature device",
    ),
    (
        "a client of another provider than its user",
        |f| device_names(f, vec![uri("mimi://c.example/d/alice1"), uri(ALICE)]),
        "authority_mismatch device",
    ),
    (
        "a provider nobody pinned",
        |f| f.elsewhere("d.example", &f.ca),
        "unknown_provider d.example",
    ),
    (
        "a device that names another issuer",
        |f| f.with_device(&signed(&f.device_params(DEVICE, ALICE), &f.phone, "ca", &f.alice)),
        "issuer_name device",
    ),
    (
        "a user that names another issuer",
        |f| f.with_user(&signed(&f.user_params(ALICE), &f.alice, "user", &f.ca)),
        "issuer_name user",
    ),
    (
        "an expired device",
        |f| device_dates(f, (50, 0)),
        "expired device",
    ),
    (
        "a device not valid yet",
        |f| device_dates(f, (0, 500)),
        "not_yet_valid device",
    ),
    ("an expired user", |f| user_dates(f, (50, 0)), "expired user"),
    (
        "a user not valid yet",
        |f| user_dates(f, (0, 500)),
        "not_yet_valid user",
    ),
    (
        "an expired CA",
        |f| f.elsewhere("old.example", &f.others[1]),
        "expired provider",
    ),
    (
        "a CA not valid yet",
        |f| f.elsewhere("new.example", &f.others[2]),
        "not_yet_valid provider",
    ),
];

/// What the leaf carries besides its credential.
pub const LEAF: &[Defect] = &[
    (
        "no dictionary",
        |f| Leaf {
            dictionary: None,
            ..f.good()
        },
        "the dictionary is missing",
    ),
    (
        "no app_components",
        |f| f.good().with_entry(ComponentId::APP_COMPONENTS, None),
        "app_components or safe_aad is missing",
    ),
    (
        "app_components without the participant list",
        |f| {
            lists(
                f,
                ComponentId::APP_COMPONENTS,
                &[ComponentId::FRANKING_AGENT, ComponentId::ROOM_METADATA],
            )
        },
        "app_components lacks a component that rooms require",
    ),
    (
        "app_components without the franking agent",
        |f| {
            lists(
                f,
                ComponentId::APP_COMPONENTS,
                &[ComponentId::PARTICIPANT_LIST, ComponentId::ROOM_METADATA],
            )
        },
        "app_components lacks a component that rooms require",
    ),
    (
        "no safe_aad",
        |f| f.good().with_entry(ComponentId::SAFE_AAD, None),
        "app_components or safe_aad is missing",
    ),
    (
        "safe_aad without frank_aad",
        |f| lists(f, ComponentId::SAFE_AAD, &[]),
        "safe_aad lacks frank_aad",
    ),
    (
        "app_components that is no list",
        |f| f.good().with_entry(ComponentId::APP_COMPONENTS, Some(vec![9])),
        "its component lists are malformed",
    ),
];

/// What the leaf announces. The library refuses these in a room that requires the capabilities.
pub const CAPABILITIES: &[Defect] = &[
    (
        "AppDataUpdate is not announced",
        |f| announces(f, &[ProposalType::SelfRemove], &[CredentialType::X509]),
        "AppDataUpdate or SelfRemove is not announced",
    ),
    (
        "SelfRemove is not announced",
        |f| announces(f, &[ProposalType::AppDataUpdate], &[CredentialType::X509]),
        "AppDataUpdate or SelfRemove is not announced",
    ),
];

/// As [`CAPABILITIES`], and no group that has a dictionary, or an x509 member, takes them either: the library
/// refuses in every room.
pub const UNBUILDABLE: &[Defect] = &[
    (
        "the dictionary is not announced",
        |f| {
            let mut leaf = announces(
                f,
                &[ProposalType::AppDataUpdate, ProposalType::SelfRemove],
                &[CredentialType::X509],
            );
            leaf.capabilities = capabilities(
                &[],
                &[ProposalType::AppDataUpdate, ProposalType::SelfRemove],
                &[CredentialType::X509],
            );
            leaf.dictionary = None;
            leaf
        },
        "the dictionary extension is not announced",
    ),
    (
        "x509 is not announced",
        |f| {
            announces(
                f,
                &[ProposalType::AppDataUpdate, ProposalType::SelfRemove],
                &[CredentialType::Basic],
            )
        },
        "x509 credentials are not announced",
    ),
    (
        "a basic credential",
        |f| {
            let both = [CredentialType::X509, CredentialType::Basic];
            let mut leaf = announces(f, &[ProposalType::AppDataUpdate, ProposalType::SelfRemove], &both);
            leaf.credential = Credential::new(
                CredentialType::Basic,
                leaf.credential.serialized_content().to_vec(),
            );
            leaf
        },
        "the credential is not x509",
    ),
];

/// Every defect that a member may well put into a leaf of a room.
pub fn all() -> impl Iterator<Item = &'static Defect> {
    [ENCODING, CERTIFICATE, NAMES, POWERS, CHAIN, LEAF]
        .into_iter()
        .flatten()
}

fn cut(f: &Forge, bytes: usize) -> Leaf {
    let credential = chain(&[&f.device, &f.user]);
    f.leaf(credential[..credential.len() - bytes].to_vec())
}

fn user_names(f: &Forge, names: Vec<SanType>) -> Leaf {
    f.user_says(|p| p.subject_alt_names = names)
}

fn device_names(f: &Forge, names: Vec<SanType>) -> Leaf {
    f.device_says(|p| p.subject_alt_names = names)
}

fn user_constraints(f: &Forge, content: &[u8]) -> Leaf {
    f.user_says(|p| p.custom_extensions[0] = basic_constraints(content))
}

fn user_dates(f: &Forge, days: (u64, u64)) -> Leaf {
    f.user_says(|p| f.dates(p, days))
}

fn device_dates(f: &Forge, days: (u64, u64)) -> Leaf {
    f.device_says(|p| f.dates(p, days))
}

fn lists(f: &Forge, component: ComponentId, ids: &[ComponentId]) -> Leaf {
    let list = ComponentsList {
        component_ids: ids.to_vec(),
    };
    f.good().with_entry(component, Some(list.to_bytes()))
}

fn announces(f: &Forge, proposals: &[ProposalType], credentials: &[CredentialType]) -> Leaf {
    Leaf {
        capabilities: capabilities(&[ExtensionType::AppDataDictionary], proposals, credentials),
        ..f.good()
    }
}
