//! Honest providers and persons: issuing, verifying, rotating, remembering.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod identity_support;

use identity_support::*;
use openmls_traits::types::SignatureScheme;
use sabir_mls::identity::{
    BACKDATE_MS, CA_LIFETIME_MS, CaCertificate, ClientCredential, CredentialError, Freshness, IdentityKey,
    IssueError, IssuerCache, MAX_CAS_PER_DOMAIN, Period, ProviderCa, Role, ServerCredential, TrustAnchors,
    continues, prove_recovery,
};
use sabir_mls::keys::SigningKey;

#[test]
fn a_device_of_alice_is_alice() {
    let world = World::new();
    let phone = world.judge(&world.credential()).unwrap();
    assert_eq!(phone.client().as_str(), ALICE_PHONE);
    assert_eq!(phone.user().as_str(), ALICE);
    assert_eq!(phone.domain().as_str(), "a.example");
    assert_eq!(phone.identity_key(), &world.alice.public);
    assert_eq!(phone.device_key(), &world.phone.public);
    assert_eq!(phone.recovery_commitment(), &COMMITMENT);
    assert_eq!(phone.not_before(), NOW - BACKDATE_MS);
    assert_eq!(phone.not_after(), NOW + YEAR.lifetime + 999);
    assert!(phone.is_fresh_at(NOW) && !phone.is_fresh_at(NOW + 366 * DAY));
}

#[test]
fn credential_survives_a_round_trip_and_says_what_it_claims() {
    let world = World::new();
    let credential = ClientCredential::new(&world.device_der, &world.user_der).unwrap();
    assert_eq!(credential.to_bytes(), world.credential());
    let in_a_leaf = credential.to_credential();
    assert_eq!(
        ClientCredential::from_credential(&in_a_leaf).unwrap().to_bytes(),
        world.credential()
    );
    let mls = openmls::credentials::Credential::new(
        openmls::credentials::CredentialType::X509,
        credential.to_bytes(),
    );
    assert_eq!(
        openmls::prelude::tls_codec::Serialize::tls_serialize_detached(&mls).unwrap(),
        sabir_wire::codec::Encode::to_bytes(&in_a_leaf),
        "the library's credential is the wire's"
    );
    assert_eq!(credential.claimed_client().as_str(), ALICE_PHONE);
    assert_eq!(credential.claimed_user().as_str(), ALICE);
    assert_eq!(credential.claimed_domain().as_str(), "a.example");
}

#[test]
fn a_chain_fits_700_bytes() {
    let world = World::new();
    let (device, user) = (world.device_der.len(), world.user_der.len());
    assert!(
        device + user <= 700,
        "device {device} + user {user} = {}",
        device + user
    );
}

#[test]
fn the_longest_identifiers_fit_the_bound() {
    let mut rng = rng(3);
    let long = format!("{0}.{0}.{0}.x", "a".repeat(60));
    let ca = ProviderCa::generate(&domain(&long), NOW, &mut rng).unwrap();
    let name = "n".repeat(255 - "mimi:///u/".len() - long.len());
    let alice = IdentityKey::generate(&mut rng).unwrap();
    let uri = user(&format!("mimi://{long}/u/{name}"));
    let certificate = ca
        .issue_user(&uri, alice.public(), COMMITMENT, YEAR, &mut rng)
        .unwrap();
    let device = client(&format!("mimi://{long}/d/{name}"));
    let device = alice
        .issue_device(&certificate, &device, &[9; 32], YEAR, &mut rng)
        .unwrap();
    let credential = ClientCredential::new(&device, &certificate).unwrap().to_bytes();
    assert!(ClientCredential::parse(&credential).is_ok());
}

#[test]
fn the_same_seed_gives_the_same_certificates() {
    let issue = || {
        let mut rng = rng(5);
        let ca = ProviderCa::generate(&domain("a.example"), NOW, &mut rng).unwrap();
        let alice = IdentityKey::generate(&mut rng).unwrap();
        let user_der = ca
            .issue_user(&user(ALICE), alice.public(), COMMITMENT, YEAR, &mut rng)
            .unwrap();
        let device = alice
            .issue_device(&user_der, &client(ALICE_PHONE), &[9; 32], YEAR, &mut rng)
            .unwrap();
        let server = ca.issue_server(&[8; 32], YEAR, &mut rng).unwrap();
        [ca.certificate().to_vec(), user_der, device, server]
    };
    assert_eq!(issue(), issue());
}

#[test]
fn authorities_and_identity_keys_survive_storage() {
    let mut rng = rng(6);
    let ca = ProviderCa::generate(&domain("a.example"), NOW, &mut rng).unwrap();
    let stored = SigningKey::from_secret_bytes(&ca.signing_key().to_secret_bytes()).unwrap();
    let again = ProviderCa::from_parts(stored, ca.certificate()).unwrap();
    assert_eq!(again.certificate(), ca.certificate());
    assert_eq!(again.to_anchor().not_after(), NOW + CA_LIFETIME_MS + 999);
    let other = ProviderCa::generate(&domain("a.example"), NOW, &mut rng).unwrap();
    let mixed = ProviderCa::from_parts(other.signing_key().clone(), ca.certificate());
    assert!(matches!(mixed, Err(IssueError::Key)));

    let alice = IdentityKey::generate(&mut rng).unwrap();
    let again = IdentityKey::new(alice.signing_key().clone()).unwrap();
    assert_eq!(again.public(), alice.public());
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let world = World::new();
    assert_eq!(format!("{:?}", world.alice.identity()), "IdentityKey { .. }");
    assert_eq!(
        format!("{:?}", world.ca),
        "ProviderCa { domain: Domain(a.example), .. }"
    );
}

#[test]
fn issuers_refuse_what_verifiers_would() {
    let mut world = World::new();
    let bob = user("mimi://b.example/u/bob");
    let refused = world
        .ca
        .issue_user(&bob, &[9; 32], COMMITMENT, YEAR, &mut world.rng);
    let expected = CredentialError::AuthorityMismatch(Role::User);
    assert!(matches!(refused, Err(IssueError::Refused(e)) if e == expected));

    let alice = world.alice.identity();
    let foreign = client("mimi://b.example/d/phone");
    let refused = alice.issue_device(&world.user_der, &foreign, &[9; 32], YEAR, &mut world.rng);
    let expected = CredentialError::AuthorityMismatch(Role::Device);
    assert!(matches!(refused, Err(IssueError::Refused(e)) if e == expected));

    let mallory = IdentityKey::generate(&mut world.rng).unwrap();
    let phone = client(ALICE_PHONE);
    let refused = mallory.issue_device(&world.user_der, &phone, &[9; 32], YEAR, &mut world.rng);
    assert!(matches!(refused, Err(IssueError::WrongIdentityKey)));

    let p256 = SigningKey::generate(&mut world.rng, SignatureScheme::ECDSA_SECP256R1_SHA256).unwrap();
    let refused = alice.issue_device(&world.user_der, &phone, p256.public(), YEAR, &mut world.rng);
    assert!(matches!(refused, Err(IssueError::Key)));
    assert!(matches!(IdentityKey::new(p256), Err(IssueError::Key)));

    for period in [
        Period {
            now: NOW,
            lifetime: u64::MAX,
        },
        Period {
            now: u64::MAX / 2,
            lifetime: 0,
        },
    ] {
        let refused = world.ca.issue_server(&[9; 32], period, &mut world.rng);
        assert!(matches!(refused, Err(IssueError::Time)));
    }
}

#[test]
fn validity_counts_both_ends_and_can_be_ignored() {
    let world = World::new();
    let bytes = world.credential();
    let end = NOW + YEAR.lifetime + 999;
    for (at, expected) in [
        (
            NOW - BACKDATE_MS - 1,
            Err(CredentialError::NotYetValid(Role::Device)),
        ),
        (NOW - BACKDATE_MS, Ok(())),
        (end, Ok(())),
        (end + 1, Err(CredentialError::Expired(Role::Device))),
        (0, Err(CredentialError::NotYetValid(Role::Device))),
        (u64::MAX, Err(CredentialError::Expired(Role::Device))),
    ] {
        assert_eq!(
            world.judge_at(&bytes, Freshness::At(at)).map(drop),
            expected,
            "at {at}"
        );
    }
    assert!(world.judge_at(&bytes, Freshness::Ignored).is_ok());
}

#[test]
fn dates_after_2049_are_read_as_written() {
    let mut rng = rng(7);
    let in_2050 = 2_540_000_000_000;
    let ca = ProviderCa::generate(&domain("a.example"), in_2050, &mut rng).unwrap();
    assert_eq!(ca.to_anchor().not_after(), in_2050 + CA_LIFETIME_MS + 999);
}

#[test]
fn a_server_speaks_for_its_domain_alone() {
    let mut world = World::new();
    let der = world.ca.issue_server(&[8; 32], YEAR, &mut world.rng).unwrap();
    let bytes = ServerCredential::new(&der).unwrap().to_bytes();
    let credential = ServerCredential::parse(&bytes).unwrap();
    let at = Freshness::At(NOW);
    let server = credential
        .verify(&world.anchors, &domain("a.example"), at, &[8; 32])
        .unwrap();
    assert_eq!(server.provider().as_str(), "mimi://a.example");
    assert_eq!(server.signature_key(), &[8; 32]);
    assert_eq!(server.not_after(), NOW + YEAR.lifetime + 999);
    let foreign = credential.verify(&world.anchors, &domain("b.example"), at, &[8; 32]);
    assert_eq!(foreign, Err(CredentialError::AuthorityMismatch(Role::Server)));
    let in_a_group = ServerCredential::from_credential(&credential.to_credential()).unwrap();
    assert_eq!(in_a_group.to_bytes(), bytes);
    let other_key = credential.verify(&world.anchors, &domain("a.example"), at, &[9; 32]);
    assert_eq!(other_key, Err(CredentialError::LeafKeyMismatch));
}

#[test]
fn a_ca_rotates_by_its_predecessors_word() {
    let mut world = World::new();
    let next = ProviderCa::generate(&domain("a.example"), NOW, &mut world.rng).unwrap();
    let rotation = world
        .ca
        .vouch_for(&next.to_anchor(), YEAR, &mut world.rng)
        .unwrap();
    world
        .anchors
        .rotate(next.to_anchor(), &rotation, Freshness::At(NOW))
        .unwrap();
    assert_eq!(world.anchors.get(&domain("a.example")).len(), 2);

    // Both generations verify while both are pinned.
    let old = world.credential();
    let new_user = next
        .issue_user(
            &user(ALICE),
            &world.alice.public,
            COMMITMENT,
            YEAR,
            &mut world.rng,
        )
        .unwrap();
    let new = chain(&[&world.device_der, &new_user]);
    let (old_phone, new_phone) = (world.judge(&old).unwrap(), world.judge(&new).unwrap());
    assert_ne!(
        old_phone.user_certificate_hash(),
        new_phone.user_certificate_hash()
    );
    assert_eq!(continues(&old_phone, &new_phone), Ok(()));

    // The old one retires.
    assert!(
        world
            .anchors
            .remove(&domain("a.example"), &world.ca.to_anchor().hash())
    );
    assert_eq!(world.judge(&old), Err(CredentialError::BadSignature(Role::User)));
    assert!(world.judge(&new).is_ok());
    assert!(
        world
            .anchors
            .remove(&domain("a.example"), &next.to_anchor().hash())
    );
    assert!(
        !world
            .anchors
            .remove(&domain("a.example"), &next.to_anchor().hash())
    );
    assert_eq!(world.judge(&new), Err(CredentialError::UnknownProvider));
}

#[test]
fn pinning_twice_is_pinning_once_and_bounded() {
    let mut rng = rng(8);
    let domain = domain("a.example");
    let mut anchors = TrustAnchors::new();
    for n in 0..MAX_CAS_PER_DOMAIN {
        let ca = ProviderCa::generate(&domain, NOW, &mut rng).unwrap();
        anchors.pin(&domain, ca.to_anchor()).unwrap();
        anchors
            .pin(&domain, CaCertificate::parse(ca.certificate()).unwrap())
            .unwrap();
        assert_eq!(anchors.get(&domain).len(), n + 1);
    }
    assert_eq!(anchors.iter().count(), MAX_CAS_PER_DOMAIN);
    let one_more = ProviderCa::generate(&domain, NOW, &mut rng).unwrap();
    assert_eq!(
        anchors.pin(&domain, one_more.to_anchor()),
        Err(CredentialError::TooManyAuthorities)
    );
}

#[test]
fn the_cache_remembers_signatures_and_nothing_else() {
    let mut world = World::new();
    let mut cache = IssuerCache::with_capacity(2);
    let credential = ClientCredential::parse(&world.credential()).unwrap();
    let verify = |anchors: &TrustAnchors, freshness, cache: &mut IssuerCache, key: &[u8]| {
        credential.verify_cached(anchors, freshness, key, cache)
    };
    let key = world.phone.public;
    let first = verify(&world.anchors, Freshness::At(NOW), &mut cache, &key).unwrap();
    assert_eq!(cache.len(), 1);
    let second = verify(&world.anchors, Freshness::At(NOW), &mut cache, &key).unwrap();
    assert_eq!((first, cache.len()), (second, 1));

    // A remembered issuer helps neither an expired chain nor another key nor an unpinned CA.
    let expired = verify(&world.anchors, Freshness::At(NOW + 366 * DAY), &mut cache, &key);
    assert_eq!(expired, Err(CredentialError::Expired(Role::Device)));
    let stolen = verify(&world.anchors, Freshness::At(NOW), &mut cache, &[9; 32]);
    assert_eq!(stolen, Err(CredentialError::LeafKeyMismatch));
    let unpinned = verify(&TrustAnchors::new(), Freshness::At(NOW), &mut cache, &key);
    assert_eq!(unpinned, Err(CredentialError::UnknownProvider));

    // Failures are not remembered, and the bound holds.
    let mallory = ProviderCa::generate(&domain("a.example"), NOW, &mut world.rng).unwrap();
    let mut anchors = TrustAnchors::new();
    anchors.pin(&domain("a.example"), mallory.to_anchor()).unwrap();
    let refused = verify(&anchors, Freshness::At(NOW), &mut cache, &key);
    assert_eq!(
        (refused, cache.len()),
        (Err(CredentialError::BadSignature(Role::User)), 1)
    );
    for _ in 0..5 {
        let user_der = world
            .ca
            .issue_user(
                &user(ALICE),
                &world.alice.public,
                COMMITMENT,
                YEAR,
                &mut world.rng,
            )
            .unwrap();
        let credential = ClientCredential::new(&world.device_der, &user_der).unwrap();
        credential
            .verify_cached(&world.anchors, Freshness::At(NOW), &key, &mut cache)
            .unwrap();
    }
    assert_eq!(cache.len(), 2);
    let mut none = IssuerCache::with_capacity(0);
    verify(&world.anchors, Freshness::At(NOW), &mut none, &key).unwrap();
    assert!(none.is_empty());
}

#[test]
fn a_new_key_or_certificate_continues_a_client_and_nothing_else_does() {
    let mut world = World::new();
    let old = world.judge(&world.credential()).unwrap();
    let alice = world.alice.identity();
    let mut device_of = |user_der: &[u8], identity: &IdentityKey, uri: &str| {
        let key = Key::new(&mut world.rng).public;
        let device = identity
            .issue_device(user_der, &client(uri), &key, YEAR, &mut world.rng)
            .unwrap();
        let credential = ClientCredential::new(&device, user_der).unwrap();
        credential
            .verify(&world.anchors, Freshness::At(NOW), &key)
            .unwrap()
    };
    let new_key = device_of(&world.user_der, &alice, ALICE_PHONE);
    assert_ne!(new_key.device_key(), old.device_key());
    assert_eq!(continues(&old, &new_key), Ok(()));

    let broken = Err(CredentialError::ContinuityBroken);
    let laptop = device_of(&world.user_der, &alice, "mimi://a.example/d/laptop");
    assert_eq!(continues(&old, &laptop), broken);

    let mut rng = rng(9);
    let identity = IdentityKey::generate(&mut rng).unwrap();
    let reissued = world
        .ca
        .issue_user(&user(ALICE), identity.public(), COMMITMENT, YEAR, &mut rng)
        .unwrap();
    assert_eq!(
        continues(&old, &device_of(&reissued, &identity, ALICE_PHONE)),
        broken
    );

    let mallory = user("mimi://a.example/u/mallory");
    let mallory = world
        .ca
        .issue_user(&mallory, &world.alice.public, COMMITMENT, YEAR, &mut rng)
        .unwrap();
    assert_eq!(continues(&old, &device_of(&mallory, &alice, ALICE_PHONE)), broken);
}

#[test]
fn a_key_replaces_the_one_whose_recovery_key_says_so_and_no_other() {
    let mut world = World::new();
    let mut rng = rng(10);
    let recovery = [Key::new(&mut rng), Key::new(&mut rng), Key::new(&mut rng)];
    let commitment = |nth: usize| sabir_mls::keys::sha256(&recovery[nth].public);
    let mut nth = |proof: Option<usize>, next: usize| {
        let key = IdentityKey::generate(&mut rng).unwrap();
        let public = *key.public();
        let user_der = match proof {
            None => world
                .ca
                .issue_user(&user(ALICE), &public, commitment(next), YEAR, &mut rng),
            Some(by) => {
                let signing = recovery[by].signing_key();
                let proof = prove_recovery(&signing, &user(ALICE), public, commitment(next)).unwrap();
                world
                    .ca
                    .issue_recovered_user(&user(ALICE), &public, commitment(next), &proof, YEAR, &mut rng)
            }
        }
        .unwrap();
        let device = Key::new(&mut world.rng).public;
        let certificate = key.issue_device(&user_der, &client(ALICE_PHONE), &device, YEAR, &mut rng);
        let credential = ClientCredential::new(&certificate.unwrap(), &user_der).unwrap();
        let (length, verified) = (
            credential.to_bytes().len(),
            credential.verify(&world.anchors, Freshness::At(NOW), &device),
        );
        assert!(length < 900, "{length} bytes in every leaf");
        verified.unwrap()
    };
    let (first, second, third) = (nth(None, 0), nth(Some(0), 1), nth(Some(1), 2));
    let unproved = nth(None, 1);
    assert!(second.replaces(&first.identity()));
    assert!(third.replaces(&second.identity()));
    for (new, old) in [
        (&first, &first),
        (&first, &second),
        (&second, &second),
        (&second, &third),
        // A proof is of one step.
        (&third, &first),
        (&unproved, &first),
    ] {
        assert!(!new.replaces(&old.identity()));
    }
    // Whoever comes back is another: no leaf changes over from one key to the other.
    assert_eq!(continues(&first, &second), Err(CredentialError::ContinuityBroken));
    // A provider's own wish to certify it without the proof, or with one for somebody else.
    let bob = user("mimi://a.example/u/bob");
    let proof = prove_recovery(&recovery[0].signing_key(), &bob, [9; 32], commitment(1)).unwrap();
    let refused = world.ca.issue_recovered_user(
        &user(ALICE),
        &[9; 32],
        commitment(1),
        &proof,
        YEAR,
        &mut world.rng,
    );
    assert!(matches!(
        refused,
        Err(IssueError::Refused(CredentialError::RecoveryProof))
    ));
}
