//! A person comes back with their recovery code, and what the code opens lies here (docs/decisions/0008-recovery.md).
//!
//! The recovery key is shown and signs; whether it is the one that the account commits to is decided together with the
//! change, in one command of the store. Whatever is wrong gets one answer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sabir_mls::identity::Period;
use sabir_mls::keys::sha256;
use sabir_mls::suite::verify_ed25519;
use sabir_store::{RecoverAccount, RecoverOutcome};
use sabir_wire::client_api::{RecoverAccountRequest, RecoverAccountResponse};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::HpkeCiphertext;
use sabir_wire::uri::ProviderUri;

use super::Session;
use super::account::CERTIFICATE_MS;
use crate::error::{Error, log_refused};
use crate::http::{Payload, binary, finish};
use crate::server::Shared;

/// What a person's backup is called among the settings.
const BACKUP: &str = "backup of ";

/// `POST accounts/recover`
pub(super) async fn recover(State(shared): State<Arc<Shared>>, payload: Payload) -> Result<Response, Error> {
    finish(async move {
        let _place = shared.place()?;
        let request = RecoverAccountRequest::from_bytes(payload.bytes())
            .map_err(|_| Error::Malformed("RecoverAccountRequest"))?;
        let answer = try_recover(&shared, &request).await?;
        if answer == RecoverAccountResponse::Refused {
            log_refused("a recovery", "refused", None);
        }
        Ok(binary(answer.to_bytes()))
    })
    .await
}

async fn try_recover(
    shared: &Shared,
    request: &RecoverAccountRequest,
) -> Result<RecoverAccountResponse, Error> {
    let refused = Ok(RecoverAccountResponse::Refused);
    let tbs = request.tbs(&ProviderUri::from(&shared.domain));
    let label = RecoverAccountRequest::SIGNATURE_LABEL;
    let signed = verify_ed25519(&request.identity_key, label, &tbs, &request.signature);
    if signed.is_err() || request.user.authority() != &shared.domain {
        return refused;
    }
    let ca = &shared.secrets.ca;
    let period = Period {
        now: shared.ambient.now(),
        lifetime: CERTIFICATE_MS,
    };
    // Whether the recovery key signed this is checked here, as everybody does who reads the certificate.
    let issued = ca.issue_recovered_user(
        &request.user,
        &request.identity_key,
        request.recovery_commitment,
        &request.proof,
        period,
        &mut shared.ambient.rng()?,
    );
    let Ok(user_certificate) = issued else {
        return refused;
    };
    let user = request.user.as_str();
    let command = RecoverAccount {
        user: user.to_owned(),
        shown: sha256(&request.proof.recovery_key).to_vec(),
        identity_key: request.identity_key.to_vec(),
        user_certificate: user_certificate.clone(),
        recovery_commitment: request.recovery_commitment.to_vec(),
    };
    let user_certificate = match shared.store.recover_account(command).await? {
        RecoverOutcome::Recovered => user_certificate,
        // A repetition whose first answer was lost: the certificate of then.
        RecoverOutcome::Same => {
            let account = shared.store.account(user)?;
            account
                .ok_or(Error::Internal("an account went missing"))?
                .user_certificate
        }
        RecoverOutcome::Refused => return refused,
    };
    // The tokens are gone from the store; who is known in memory is to be forgotten, too. A repetition may find devices
    // of the new list, and those stay.
    super::device::sign_out_unlisted(shared, user).await?;
    Ok(RecoverAccountResponse::Recovered {
        user_certificate,
        provider_ca: ca.certificate().to_vec(),
    })
}

/// `POST backup`
pub(super) async fn put_backup(
    State(shared): State<Arc<Shared>>,
    session: Session,
    payload: Payload,
) -> Result<StatusCode, Error> {
    let bytes = payload.bytes();
    HpkeCiphertext::from_bytes(bytes).map_err(|_| Error::Malformed("HPKECiphertext"))?;
    let key = format!("{BACKUP}{}", session.user);
    shared.store.put_setting(&key, bytes.to_vec()).await?;
    Ok(StatusCode::OK)
}

/// `GET backup`: nothing where there is none.
pub(super) async fn backup(State(shared): State<Arc<Shared>>, session: Session) -> Result<Response, Error> {
    let key = format!("{BACKUP}{}", session.user);
    Ok(binary(shared.store.setting(&key)?.unwrap_or_default()))
}
