//! A plain RFC 9420 group between OpenMLS over our provider and mls-rs over RustCrypto, an implementation that shares no
//! code with ours: neither protocol, nor cryptography, nor encoding.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod interop_support;

use interop_support::{Member, Room, ours, theirs};
use openmls_traits::types::Ciphersuite;
use sabir_mls::provider::SUITES;
use sabir_mls::suite::HYBRID;

/// The suites both sides have, each with handshakes in the open and encrypted.
fn each_suite(story: impl Fn(&dyn Fn(&str) -> Box<dyn Member>, &dyn Fn(&str) -> Box<dyn Member>)) {
    for suite in SUITES
        .iter()
        .filter(|s| **s != Ciphersuite::MLS_256_DHKEMP521_AES256GCM_SHA512_P521)
        .filter(|s| u16::from(**s) != HYBRID)
    {
        for encrypted in [false, true] {
            story(&|name| ours(name, *suite, encrypted), &|name| {
                theirs(name, u16::from(*suite), encrypted)
            });
        }
    }
}

#[test]
fn we_invite_them() {
    each_suite(|ours, theirs| {
        let mut room = Room::new(ours("alice"));
        room.add(0, theirs("bob"));
        room.update(1);
        room.update(0);
        room.add(0, theirs("carol"));
        room.update(2);
        room.add(1, ours("dave"));
        room.update(3);
        room.remove(0, 2);
        room.add(1, theirs("erin"));
        room.remove(1, 0);
        room.update(0);
    });
}

#[test]
fn they_invite_us() {
    each_suite(|ours, theirs| {
        let mut room = Room::new(theirs("bob"));
        room.add(0, ours("alice"));
        room.update(1);
        room.update(0);
        room.add(1, ours("carol"));
        room.add(0, theirs("dave"));
        room.remove(3, 1);
        room.update(1);
        room.remove(1, 0);
        room.update(1);
    });
}

#[test]
fn proposals_by_reference() {
    each_suite(|ours, theirs| {
        let mut room = Room::new(ours("alice"));
        for member in [
            theirs("bob"),
            ours("carol"),
            theirs("dave"),
            ours("erin"),
            theirs("frank"),
        ] {
            room.add(0, member);
        }
        room.update_by_proposal(0, 1);
        room.update_by_proposal(1, 0);
        room.update_by_proposal(2, 0);
        room.update_by_proposal(3, 1);
        room.remove_by_proposal(0, 4, 1);
        room.remove_by_proposal(1, 3, 0);
        room.update(2);
    });
}

#[test]
fn external_joins() {
    each_suite(|ours, theirs| {
        let mut room = Room::new(ours("alice"));
        room.join_externally(0, theirs("bob"));
        room.join_externally(1, ours("carol"));
        room.join_externally(2, ours("dave"));
        room.join_externally(1, theirs("erin"));
        room.remove(3, 0);
        room.update(3);
    });
}
