use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use sabir_mls::identity::Period;
use sabir_mls::suite::verify_ed25519;
use sabir_store::{CreateAccount, NewAccountOutcome};
use sabir_wire::client_api::{CreateAccountRequest, CreateAccountResponse};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::uri::{ProviderUri, UserUri};

use crate::error::{Error, log_refused};
use crate::http::{Payload, binary, finish};
use crate::invite;
use crate::server::Shared;

/// How long a user certificate is valid: five years.
pub(super) const CERTIFICATE_MS: u64 = 5 * 365 * 24 * 3_600_000;

/// `POST accounts`
pub(super) async fn create(State(shared): State<Arc<Shared>>, payload: Payload) -> Result<Response, Error> {
    finish(async move {
        let _place = shared.place()?;
        let request = CreateAccountRequest::from_bytes(payload.bytes())
            .map_err(|_| Error::Malformed("CreateAccountRequest"))?;
        let answer = try_create(&shared, request).await?;
        if !matches!(answer, CreateAccountResponse::Created { .. }) {
            log_refused("an account", &answer, None);
        }
        Ok(binary(answer.to_bytes()))
    })
    .await
}

async fn try_create(shared: &Shared, request: CreateAccountRequest) -> Result<CreateAccountResponse, Error> {
    let tbs = request.tbs(&ProviderUri::from(&shared.domain));
    let label = CreateAccountRequest::SIGNATURE_LABEL;
    if verify_ed25519(&request.identity_key.0, label, &tbs, &request.signature).is_err() {
        return Ok(CreateAccountResponse::BadSignature);
    }
    let name = request.user_name;
    let Some(user) = Some(&name)
        .filter(|name| is_name(name))
        .and_then(|name| UserUri::new(&shared.domain, name).ok())
    else {
        return Ok(CreateAccountResponse::NameInvalid);
    };
    let now = shared.ambient.now();
    let ca = &shared.secrets.ca;
    let period = Period {
        now,
        lifetime: CERTIFICATE_MS,
    };
    let user_certificate = ca
        .issue_user(
            &user,
            &request.identity_key.0,
            request.recovery_commitment,
            period,
            &mut shared.ambient.rng()?,
        )
        .map_err(|error| Error::Malformed("identity key").because(error))?;
    let command = CreateAccount {
        invite: invite::token_hash(request.invite_token.expose())?,
        user: user.as_str().to_owned(),
        name,
        identity_key: request.identity_key.0,
        user_certificate: user_certificate.clone(),
        recovery_commitment: request.recovery_commitment.to_vec(),
        now,
    };
    let created = |user_certificate| CreateAccountResponse::Created {
        user_certificate,
        provider_ca: ca.certificate().to_vec(),
    };
    Ok(match shared.store.create_account(command).await? {
        NewAccountOutcome::Created => created(user_certificate),
        // A repetition whose first answer was lost: the certificate of then.
        NewAccountOutcome::Same => {
            let account = shared.store.account(user.as_str())?;
            created(
                account
                    .ok_or(Error::Internal("an account went missing"))?
                    .user_certificate,
            )
        }
        NewAccountOutcome::InviteUnknown => CreateAccountResponse::InviteUnknown,
        NewAccountOutcome::InviteUsed => CreateAccountResponse::InviteUsed,
        NewAccountOutcome::InviteExpired => CreateAccountResponse::InviteExpired,
        NewAccountOutcome::NameTaken => CreateAccountResponse::NameTaken,
    })
}

/// One to 64 lower-case letters, digits, dots, hyphens and underscores, a letter or digit at both ends: what people can
/// type, say and tell apart.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inner = |b: u8| plain(b) || matches!(b, b'.' | b'-' | b'_');
    let bytes = name.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if plain(*first) && plain(*last))
        && bytes.len() <= 64
        && bytes.iter().all(|b| inner(*b))
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names() {
        for name in ["a", "alice", "alice.b", "a-b_c", "1", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "-a",
            "a.",
            "Alice",
            "a b",
            "a/b",
            "ä",
            "a..b",
            "a@b",
            "a\0",
            "a%41",
            &"x".repeat(65),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
