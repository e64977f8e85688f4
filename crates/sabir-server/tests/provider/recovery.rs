//! A person comes back with their recovery key: what that changes here, and what is refused.

use sabir_mls::identity::{IdentityKey, prove_recovery};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_wire::client_api::{
    ApiErrorCode, MAX_BACKUP, RecoverAccountRequest, RecoverAccountResponse, RegisterDeviceCode,
    RegisterDeviceResponse, path,
};
use sabir_wire::codec::Encode;
use sabir_wire::mls::HpkeCiphertext;
use sabir_wire::uri::{ProviderUri, UserUri};

use crate::support::connection::Connection;
use crate::support::person::{Person, recovery_key};
use crate::support::picture::picture;
use crate::support::rng;
use crate::support::town::Town;

/// A request that holds, by this recovery key, for a new identity key.
fn request(
    user: &UserUri,
    recovery: &SigningKey,
    identity: &IdentityKey,
    next: &SigningKey,
) -> RecoverAccountRequest {
    let (identity_key, commitment) = (*identity.public(), sha256(next.public()));
    let request = RecoverAccountRequest {
        user: user.clone(),
        identity_key,
        recovery_commitment: commitment,
        proof: prove_recovery(recovery, user, identity_key, commitment).unwrap(),
        signature: Vec::new(),
    };
    signed(request, identity, user)
}

fn signed(mut request: RecoverAccountRequest, by: &IdentityKey, at: &UserUri) -> RecoverAccountRequest {
    let tbs = request.tbs(&ProviderUri::from(at.authority()));
    let label = RecoverAccountRequest::SIGNATURE_LABEL;
    request.signature = by.signing_key().sign_with_label(label, &tbs).unwrap();
    request
}

#[tokio::test]
async fn who_has_the_recovery_key_comes_back_and_who_has_the_devices_is_out() {
    let town = Town::new(&["a.example"]);
    let a = town.start("a.example").await;
    let connection = Connection::open(town.device_tls(), "a.example", a.address).await;
    let recover = async |request: &RecoverAccountRequest| -> RecoverAccountResponse {
        connection.post(path::RECOVER, &request.to_bytes()).await.read()
    };
    let alice = Person::join(&town, &a, "alice").await;
    let mallory = Person::join(&town, &a, "mallory").await;
    let old = alice.device("alice1", 3).go_online(&town, &a).await;
    let other = mallory.device("mallory1", 1).go_online(&town, &a).await;
    old.publish_some(2).await;
    other.publish_some(2).await;
    let backup = HpkeCiphertext {
        kem_output: vec![1; 32],
        ciphertext: vec![2; 99],
    };
    assert_eq!(old.post(path::BACKUP, &backup.to_bytes()).await.status, 200);
    let malformed = old.post(path::BACKUP, b"no ciphertext").await;
    assert_eq!(malformed.api_error(), ApiErrorCode::MALFORMED);
    let huge = old.post(path::BACKUP, &vec![0; MAX_BACKUP + 1]).await;
    assert_ne!(huge.status, 200);

    // Whatever is wrong gets the same answer, and nothing has changed.
    let before = picture(&a.shared);
    let identity = IdentityKey::generate(&mut rng()).unwrap();
    let next = SigningKey::ed25519(&mut rng()).unwrap();
    let good = request(&alice.user, &recovery_key(), &identity, &next);
    let nobody = UserUri::parse("mimi://a.example/u/nobody").unwrap();
    let elsewhere = UserUri::parse("mimi://b.example/u/alice").unwrap();
    let forged = |change: fn(&mut RecoverAccountRequest)| {
        let mut request = good.clone();
        change(&mut request);
        signed(request, &identity, &alice.user)
    };
    let mut unsigned = good.clone();
    unsigned.signature[0] ^= 1;
    let thief = alice.identity.signing_key().clone();
    let wrong = [
        (
            "another key than the one committed to",
            request(&alice.user, &next, &identity, &next),
        ),
        (
            "the identity key itself",
            request(&alice.user, &thief, &identity, &next),
        ),
        ("nobody's", request(&nobody, &recovery_key(), &identity, &next)),
        (
            "another provider's",
            request(&elsewhere, &recovery_key(), &identity, &next),
        ),
        (
            "for another person",
            forged(|it| it.user = UserUri::parse("mimi://a.example/u/mallory").unwrap()),
        ),
        (
            "for another commitment",
            forged(|it| it.recovery_commitment = [7; 32]),
        ),
        (
            "with a proof of nothing",
            forged(|it| it.proof.signature = [0; 64]),
        ),
        (
            "the same recovery key again",
            request(&alice.user, &recovery_key(), &identity, &recovery_key()),
        ),
        ("without the new key's word", unsigned),
    ];
    for (what, request) in &wrong {
        assert_eq!(recover(request).await, RecoverAccountResponse::Refused, "{what}");
    }
    assert_eq!(picture(&a.shared), before, "refusals change nothing");

    let answer = recover(&good).await;
    let RecoverAccountResponse::Recovered { user_certificate, .. } = answer.clone() else {
        panic!("{answer:?}")
    };
    // Sent again, since the answer was lost.
    assert_eq!(recover(&good).await, answer);
    // The old device: its token, its key packages, its way in, and its key.
    assert_eq!(old.get(path::DEVICES).await.status, 401);
    let challenge = old.challenge().await;
    let sign_in = old.signed(challenge.nonce, old.connection.exporter);
    let refused = old.connection.post(path::SIGN_IN, &sign_in.to_bytes()).await;
    assert_eq!(refused.status, 401);
    let register = async |bytes: Vec<u8>| -> RegisterDeviceCode {
        let answer = connection.post(path::DEVICES, &bytes).await;
        answer.read::<RegisterDeviceResponse>().code
    };
    let stolen = alice.device("alice2", 9).registration().to_bytes();
    assert_eq!(register(stolen).await, RegisterDeviceCode::BadCredential);
    assert_eq!(other.available().await, 2, "others are not touched");

    // The new one begins with a first list, and finds what the code opens.
    let back = Person {
        user: alice.user.clone(),
        identity,
        certificate: user_certificate,
    };
    let new = back.device("alice3", 1).go_online(&town, &a).await;
    new.publish_some(1).await;
    assert_eq!(new.get(path::BACKUP).await.body, backup.to_bytes());
    assert!(other.get(path::BACKUP).await.body.is_empty(), "one's own alone");
    // A repetition now does not sign it out.
    assert_eq!(recover(&good).await, answer);
    assert_eq!(new.available().await, 1);
    // The code is worth nothing any more.
    let third = IdentityKey::generate(&mut rng()).unwrap();
    let again = request(&alice.user, &recovery_key(), &third, &next);
    assert_eq!(recover(&again).await, RecoverAccountResponse::Refused);
    let last = SigningKey::ed25519(&mut rng()).unwrap();
    let with_next = request(&alice.user, &next, &third, &last);
    assert!(matches!(
        recover(&with_next).await,
        RecoverAccountResponse::Recovered { .. }
    ));
    a.stop().await;
}
