//! Who vouches for whom, when, and after whom.

use super::*;

/// Who vouches for whom.
pub(crate) const CHAIN: &[Case] = &[
    (
        "the leaf has another key",
        |w| {
            let credential = ClientCredential::parse(&w.credential())?;
            credential
                .verify(&w.anchors, Freshness::At(NOW), &w.alice.public)
                .map(drop)
        },
        "leaf_key_mismatch",
        None,
    ),
    (
        "the leaf's key is a prefix",
        |w| {
            let credential = ClientCredential::parse(&w.credential())?;
            credential
                .verify(&w.anchors, Freshness::At(NOW), &w.phone.public[..31])
                .map(drop)
        },
        "leaf_key_mismatch",
        None,
    ),
    (
        "Mallory's certificate issues a device of Alice",
        |w| {
            let mallory = Key::new(&mut w.rng);
            let uri = user_uri("mimi://b.example/u/mallory");
            let hers = w
                .ca_b
                .issue_user(&uri, &mallory.public, COMMITMENT, YEAR, &mut w.rng)
                .unwrap();
            let device = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "user", &mallory);
            w.judge(&chain(&[&device, &hers])).map(drop)
        },
        "user_mismatch",
        Some(Role::Device),
    ),
    (
        "Mallory's key signs a device under Alice's certificate",
        |w| {
            let mallory = Key::new(&mut w.rng);
            let device = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "user", &mallory);
            w.judge_device(&device).map(drop)
        },
        "bad_signature",
        Some(Role::Device),
    ),
    (
        "the provider signs a device itself",
        |w| {
            let device = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "user", &w.ca_key);
            w.judge_device(&device).map(drop)
        },
        "bad_signature",
        Some(Role::Device),
    ),
    (
        "Mallory's own CA for a.example",
        |w| {
            let mallory = ProviderCa::generate(&domain("a.example"), NOW, &mut w.rng).unwrap();
            let uri = user_uri(ALICE);
            let hers = mallory
                .issue_user(&uri, &w.alice.public, COMMITMENT, YEAR, &mut w.rng)
                .unwrap();
            w.judge_user(&hers).map(drop)
        },
        "bad_signature",
        Some(Role::User),
    ),
    (
        "b.example's pinned CA certifies a user of a.example",
        |w| {
            let key = Key::new(&mut w.rng);
            let ca_b = key.provider(&self_signed(&provider_params("b.example"), &key));
            w.anchors.pin(&domain("b.example"), ca_b.to_anchor()).unwrap();
            w.judge_user(&signed(&user_params(ALICE), &w.alice, "ca", &key))
                .map(drop)
        },
        "bad_signature",
        Some(Role::User),
    ),
    (
        "a user signed by the person's own key",
        |w| {
            w.judge_user(&signed(&user_params(ALICE), &w.alice, "ca", &w.alice))
                .map(drop)
        },
        "bad_signature",
        Some(Role::User),
    ),
    (
        "another identity key in the signed part",
        |w| {
            let mallory = Key::new(&mut w.rng).public;
            let at = w
                .user_der
                .windows(32)
                .position(|bytes| bytes == w.alice.public)
                .unwrap();
            let mut der = w.user_der.clone();
            der[at..at + 32].copy_from_slice(&mallory);
            w.judge_user(&der).map(drop)
        },
        "bad_signature",
        Some(Role::Device),
    ),
    (
        "a signature with its scalar out of range",
        |w| {
            let mut der = w.user_der.clone();
            let at = der.len() - 1;
            der[at] |= 0xe0;
            w.judge_user(&der).map(drop)
        },
        "bad_signature",
        Some(Role::User),
    ),
    (
        "a client of another provider than its user",
        |w| device_names(w, &[uri("mimi://b.example/d/phone"), uri(ALICE)]),
        "authority_mismatch",
        Some(Role::Device),
    ),
    (
        "a provider nobody pinned",
        |w| {
            let (client, person) = ("mimi://c.example/d/phone", "mimi://c.example/u/carol");
            let user = signed(&user_params(person), &w.alice, "ca", &w.ca_key);
            let device = signed(&device_params(client, person), &w.phone, "user", &w.alice);
            w.judge(&chain(&[&device, &user])).map(drop)
        },
        "unknown_provider",
        None,
    ),
    (
        "device names another issuer",
        |w| {
            let device = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "ca", &w.alice);
            w.judge_device(&device).map(drop)
        },
        "issuer_name",
        Some(Role::Device),
    ),
    (
        "user names another issuer",
        |w| {
            w.judge_user(&signed(&user_params(ALICE), &w.alice, "user", &w.ca_key))
                .map(drop)
        },
        "issuer_name",
        Some(Role::User),
    ),
];

/// Times; the forged certificates run from 2026 to 2028, the judged time is late in 2026.
pub(crate) const TIME: &[Case] = &[
    (
        "device expired",
        |w| device(w, |p| p.not_after = rcgen::date_time_ymd(2026, 11, 21)),
        "expired",
        Some(Role::Device),
    ),
    (
        "device not valid yet",
        |w| device(w, |p| p.not_before = rcgen::date_time_ymd(2026, 11, 22)),
        "not_yet_valid",
        Some(Role::Device),
    ),
    (
        "user expired under a valid device",
        |w| user(w, |p| p.not_after = rcgen::date_time_ymd(2026, 11, 20)),
        "expired",
        Some(Role::User),
    ),
    (
        "user not valid yet",
        |w| user(w, |p| p.not_before = rcgen::date_time_ymd(2027, 1, 1)),
        "not_yet_valid",
        Some(Role::User),
    ),
    (
        "CA expired under valid certificates",
        |w| {
            let mut params = provider_params("a.example");
            params.not_after = rcgen::date_time_ymd(2026, 11, 20);
            repin(w, &params)
        },
        "expired",
        Some(Role::Provider),
    ),
    (
        "CA not valid yet",
        |w| {
            let mut params = provider_params("a.example");
            params.not_before = rcgen::date_time_ymd(2027, 1, 1);
            repin(w, &params)
        },
        "not_yet_valid",
        Some(Role::Provider),
    ),
];

/// A proof of recovery over all that it must be over, and by the key it shows.
pub(crate) const RECOVERY: &[Case] = &[
    (
        "signed by another key than it shows",
        |w| {
            let other = Key::new(&mut w.rng);
            forged(w, |proof, tbs| {
                proof.signature = label_signed(&other, tbs);
            })
        },
        "recovery_proof",
        Some(Role::User),
    ),
    (
        "of another person",
        |w| {
            forged_over(w, |tbs| {
                tbs.user = user_uri("mimi://a.example/u/mallory");
            })
        },
        "recovery_proof",
        Some(Role::User),
    ),
    (
        "for another identity key",
        |w| forged_over(w, |tbs| tbs.identity_key = [9; 32]),
        "recovery_proof",
        Some(Role::User),
    ),
    (
        "for another recovery key to come",
        |w| forged_over(w, |tbs| tbs.recovery_commitment = [9; 32]),
        "recovery_proof",
        Some(Role::User),
    ),
    (
        "the recovery key would go on",
        |w| {
            let recovery = Key::new(&mut w.rng);
            let commitment = sabir_mls::keys::sha256(&recovery.public);
            let tbs = recovery_tbs(w, &recovery, commitment);
            let proof = RecoveryProof {
                recovery_key: recovery.public,
                signature: label_signed(&recovery, &tbs),
            };
            judge_recovered(w, &proof.to_bytes(), commitment)
        },
        "recovery_proof",
        Some(Role::User),
    ),
    (
        "cut short",
        |w| judge_recovered(w, &[7; 95], COMMITMENT),
        "recovery_proof",
        Some(Role::User),
    ),
    (
        "with something behind it",
        |w| judge_recovered(w, &[7; 97], COMMITMENT),
        "recovery_proof",
        Some(Role::User),
    ),
];

fn recovery_tbs(w: &World, recovery: &Key, recovery_commitment: [u8; 32]) -> RecoveryTbs {
    RecoveryTbs {
        user: user_uri(ALICE),
        recovery_key: recovery.public,
        identity_key: w.alice.public,
        recovery_commitment,
    }
}

fn label_signed(key: &Key, tbs: &RecoveryTbs) -> [u8; 64] {
    let signature = key
        .signing_key()
        .sign_with_label(RecoveryProof::SIGNATURE_LABEL, &tbs.to_bytes());
    signature.unwrap().try_into().unwrap()
}

fn forged_over(w: &mut World, change: fn(&mut RecoveryTbs)) -> Result<(), CredentialError> {
    let recovery = Key::new(&mut w.rng);
    let mut tbs = recovery_tbs(w, &recovery, COMMITMENT);
    change(&mut tbs);
    let proof = RecoveryProof {
        recovery_key: recovery.public,
        signature: label_signed(&recovery, &tbs),
    };
    judge_recovered(w, &proof.to_bytes(), COMMITMENT)
}

fn forged(
    w: &mut World,
    change: impl FnOnce(&mut RecoveryProof, &RecoveryTbs),
) -> Result<(), CredentialError> {
    let recovery = Key::new(&mut w.rng);
    let tbs = recovery_tbs(w, &recovery, COMMITMENT);
    let mut proof = RecoveryProof {
        recovery_key: recovery.public,
        signature: label_signed(&recovery, &tbs),
    };
    judge_recovered(w, &proof.to_bytes(), COMMITMENT).expect("an honest proof holds");
    change(&mut proof, &tbs);
    judge_recovered(w, &proof.to_bytes(), COMMITMENT)
}

/// What the provider of Alice would have to have signed, with this for a proof.
fn judge_recovered(w: &mut World, proof: &[u8], commitment: [u8; 32]) -> Result<(), CredentialError> {
    let mut params = user_params(ALICE);
    let extension = |arc, content: Vec<u8>| {
        let oid = [2, 25, 4_310_528_659_715_697_441, arc];
        rcgen::CustomExtension::from_oid_content(&oid, content)
    };
    let length = u8::try_from(proof.len()).unwrap();
    params.custom_extensions.pop();
    params
        .custom_extensions
        .push(extension(1, [&[0x04, 0x20], commitment.as_slice()].concat()));
    params
        .custom_extensions
        .push(extension(2, [&[0x04, length], proof].concat()));
    let user = signed(&params, &w.alice, "ca", &w.ca_key);
    let device = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "user", &w.alice);
    w.judge(&chain(&[&device, &user])).map(drop)
}

pub(crate) const CONTINUITY: &[Case] = &[(
    "the same name under a new identity key",
    |w| {
        let old = w.judge(&w.credential())?;
        let key = Key::new(&mut w.rng);
        let user = signed(&user_params(ALICE), &key, "ca", &w.ca_key);
        let device = signed(&device_params(ALICE_PHONE, ALICE), &w.phone, "user", &key);
        continues(&old, &w.judge(&chain(&[&device, &user]))?)
    },
    "continuity_broken",
    None,
)];
