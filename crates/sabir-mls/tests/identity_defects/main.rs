//! Every way a credential can be wrong that the table in `sabir_mls::identity` names, each refused with
//! exactly its error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod certificate;
mod chain;
#[path = "../identity_support/mod.rs"]
mod identity_support;
mod names;
mod provider;

use std::collections::BTreeSet;

use identity_support::*;
use rcgen::{CertificateParams, KeyUsagePurpose, SanType};
use sabir_mls::identity::{
    CaCertificate, ClientCredential, CredentialError, Freshness, MAX_CERTIFICATE_LEN, MAX_CREDENTIAL_LEN,
    ProviderCa, Role, ServerCredential, continues,
};

use sabir_wire::codec::Encode as _;
use sabir_wire::recovery::{RecoveryProof, RecoveryTbs};

type Outcome = Result<(), CredentialError>;
/// What is wrong, how it is made, the defect's id and the certificate to blame.
type Case = (
    &'static str,
    fn(&mut World) -> Outcome,
    &'static str,
    Option<Role>,
);

#[test]
fn every_defect_is_refused_by_name() {
    let mut tested = BTreeSet::new();
    let tables = [
        certificate::ENCODING,
        certificate::CERTIFICATE,
        names::NAMES,
        names::POWERS,
        chain::CHAIN,
        chain::TIME,
        provider::PROVIDER,
        provider::SERVER,
        chain::CONTINUITY,
        chain::RECOVERY,
    ];
    for &(what, forge, id, role) in tables.into_iter().flatten() {
        let mut world = World::new();
        assert!(
            world.judge(&world.credential()).is_ok(),
            "the untouched chain is good"
        );
        let defect = forge(&mut world).expect_err(what);
        assert_eq!((defect.id(), defect.role()), (id, role), "{what}");
        tested.insert(id);
    }
    let documented: BTreeSet<&str> = include_str!("../../src/identity.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .flat_map(|row| row.split('|').next().unwrap_or_default().split("`, `"))
        .map(|id| id.trim_end_matches(['`', ' ']))
        .collect();
    assert_eq!(
        tested, documented,
        "the table in the docs and the tests name the same defects"
    );
}

/// `SEQUENCE { id-Ed25519 }`.
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

fn user_uri(text: &str) -> sabir_wire::uri::UserUri {
    identity_support::user(text)
}

fn cut(w: &World, bytes: usize) -> Outcome {
    let credential = w.credential();
    w.judge(&credential[..credential.len() - bytes]).map(drop)
}

/// The DER parser may refuse padding bits itself; both answers refuse the certificate.
fn either_malformed_or_trailing(error: CredentialError) -> CredentialError {
    match error {
        CredentialError::Malformed(role) => CredentialError::TrailingData(role),
        other => other,
    }
}

fn user(w: &World, change: impl Fn(&mut CertificateParams)) -> Outcome {
    let mut params = user_params(ALICE);
    change(&mut params);
    w.judge_user(&w.forge_user(&params)).map(drop)
}

fn device(w: &World, change: impl Fn(&mut CertificateParams)) -> Outcome {
    let mut params = device_params(ALICE_PHONE, ALICE);
    change(&mut params);
    w.judge_device(&w.forge_device(&params)).map(drop)
}

fn user_names(w: &World, names: &[SanType]) -> Outcome {
    user(w, |p| p.subject_alt_names = names.to_vec())
}

fn device_names(w: &World, names: &[SanType]) -> Outcome {
    device(w, |p| p.subject_alt_names = names.to_vec())
}

fn user_constraints(w: &World, content: &[u8]) -> Outcome {
    user(w, |p| p.custom_extensions[0] = basic_constraints(content))
}

fn ca(w: &World, change: impl Fn(&mut CertificateParams)) -> Outcome {
    let mut params = provider_params("a.example");
    change(&mut params);
    CaCertificate::parse(&self_signed(&params, &w.ca_key)).map(drop)
}

/// Replaces the CA of a.example by another certificate over the same key.
fn repin(w: &mut World, params: &CertificateParams) -> Outcome {
    let domain = domain("a.example");
    assert!(w.anchors.remove(&domain, &w.ca.to_anchor().hash()));
    w.anchors
        .pin(&domain, CaCertificate::parse(&self_signed(params, &w.ca_key))?)?;
    w.judge(&w.credential()).map(drop)
}

fn rotate(w: &mut World, rotation: fn(&World, &[u8; 32]) -> Vec<u8>) -> Outcome {
    let next = ProviderCa::generate(&domain("a.example"), NOW, &mut w.rng)
        .unwrap()
        .to_anchor();
    let rotation = rotation(w, next.key());
    w.anchors.rotate(next, &rotation, Freshness::At(NOW))
}

fn w_rotation(by: &Key, next: &[u8; 32], issuer: &str, domain: &str, _: &World) -> Vec<u8> {
    struct Subject<'a>(&'a [u8; 32]);
    impl rcgen::PublicKeyData for Subject<'_> {
        fn der_bytes(&self) -> &[u8] {
            self.0
        }
        fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
            &rcgen::PKCS_ED25519
        }
    }
    signed(&provider_params(domain), &Subject(next), issuer, by)
}

/// Judges a server certificate for a.example whose key should be the phone's.
fn server(w: &World, forge: impl Fn(&World) -> Vec<u8>) -> Outcome {
    let credential = ServerCredential::parse(&chain(&[&forge(w)]))?;
    let key = &w.phone.public;
    credential
        .verify(&w.anchors, &domain("a.example"), Freshness::At(NOW), key)
        .map(drop)
}
