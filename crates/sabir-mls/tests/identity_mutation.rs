//! Bytes that nobody signed: parsing never panics, and nothing but the very bytes that were issued verifies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod identity_support;

use std::sync::LazyLock;

use identity_support::*;
use proptest::prelude::*;
use sabir_mls::identity::{CaCertificate, ClientCredential, Freshness, ServerCredential, TrustAnchors};

struct Fixture {
    anchors: TrustAnchors,
    credential: Vec<u8>,
    leaf_key: [u8; 32],
    ca: Vec<u8>,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let world = World::new();
    Fixture {
        credential: world.credential(),
        leaf_key: world.phone.public,
        ca: world.ca.certificate().to_vec(),
        anchors: world.anchors,
    }
});

/// Reads bytes as everything they could be meant as. An identity that verifies stands on the issued bytes.
fn judge(bytes: &[u8]) {
    let fixture = &*FIXTURE;
    let _ = ServerCredential::parse(bytes);
    let _ = CaCertificate::parse(bytes);
    let Ok(credential) = ClientCredential::parse(bytes) else {
        return;
    };
    assert_eq!(credential.to_bytes(), bytes, "one encoding");
    let verified = credential.verify(&fixture.anchors, Freshness::Ignored, &fixture.leaf_key);
    if verified.is_ok() {
        assert!(
            bytes == fixture.credential,
            "other bytes than the issued ones verified"
        );
    }
}

fn credential() -> Vec<u8> {
    FIXTURE.credential.clone()
}

#[test]
fn no_single_bit_can_change() {
    let good = credential();
    judge(&good);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            judge(&bytes);
        }
    }
}

#[test]
fn no_prefix_verifies() {
    let good = credential();
    for end in 0..good.len() {
        judge(&good[..end]);
    }
}

#[test]
fn no_bit_of_a_ca_can_change() {
    let good = &FIXTURE.ca;
    assert!(CaCertificate::parse(good).is_ok());
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            assert!(CaCertificate::parse(&bytes).is_err(), "byte {at}, bit {bit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn overwritten_bytes_never_verify_as_somebody_else(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = credential();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        judge(&bytes);
    }

    #[test]
    fn spliced_bytes_never_verify_as_somebody_else(
        from in any::<prop::sample::Index>(),
        remove in 0_usize..40,
        insert in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = credential();
        let from = from.index(bytes.len());
        let to = bytes.len().min(from + remove);
        bytes.splice(from..to, insert);
        judge(&bytes);
    }

    #[test]
    fn copied_ranges_never_verify_as_somebody_else(
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        len in 1_usize..120,
    ) {
        let mut bytes = credential();
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let len = len.min(bytes.len() - from).min(bytes.len() - to);
        bytes.copy_within(from..from + len, to);
        judge(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        judge(&bytes);
        judge(&chain(&[&bytes, &bytes]));
    }
}
