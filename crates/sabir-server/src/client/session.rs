use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use sabir_mls::keys::sha256;
use sabir_mls::suite::verify_ed25519;
use sabir_store::{Hash, PutToken};
use sabir_wire::client_api::{ClientAuthTbs, SecretBytes, SignInRequest, SignInResponse};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::uri::{ClientUri, ProviderUri, UserUri};

use super::challenge::Challenges;
use super::device::is_listed;
use crate::error::Error;
use crate::http::{Context, Payload, binary, finish};
use crate::server::{AnyStore, Shared};

/// How long a token is good for.
const TOKEN_MS: u64 = 24 * 3_600_000;
/// How long a token is believed without another look into the store.
const RECHECK_MS: u64 = 60_000;
/// Sessions kept in memory; beyond it memory starts anew from the store.
const MOST: usize = 65_536;
const TOKEN_LEN: usize = 32;

/// A signed-in device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The device.
    pub client: ClientUri,
    /// Its user.
    pub user: UserUri,
    /// Hash of the token.
    pub(crate) token: Hash,
}

/// Who is signed in, as far as it was asked for lately, and the challenges.
#[derive(Debug)]
pub struct Sessions {
    challenges: Challenges,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<Hash, Seen>,
    /// Raised by every revocation, so that no look into the store from before outlives it.
    revocations: u64,
}

#[derive(Debug, Clone)]
struct Seen {
    session: Session,
    checked_at: u64,
}

impl Sessions {
    /// Nobody is signed in.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system has no randomness to give.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            challenges: Challenges::new()?,
            known: Mutex::default(),
        })
    }

    /// The session of a token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::TokenExpired`] for one that was good before, those of the store.
    pub fn find(&self, store: &AnyStore, token: Hash, now: u64) -> Result<Session, Error> {
        let (seen, revocations) = {
            let known = self.known();
            (known.sessions.get(&token).cloned(), known.revocations)
        };
        if let Some(seen) = &seen
            && now < seen.checked_at.saturating_add(RECHECK_MS)
        {
            return Ok(seen.session.clone());
        }
        let Some(client) = store.token(&token, now)? else {
            self.known().sessions.remove(&token);
            return Err(match seen {
                Some(_) => Error::TokenExpired,
                None => Error::Unauthenticated,
            });
        };
        let device = store.device(&client)?.ok_or(Error::Unauthenticated)?;
        let account = store.account(&device.user)?.ok_or(Error::Unauthenticated)?;
        // A token that was given while the list went on is no way around it.
        if !is_listed(&account, &device) {
            return Err(Error::Unauthenticated);
        }
        let session = Session {
            client: ClientUri::parse(&client).map_err(|_| Error::Internal("a stored client URI"))?,
            user: UserUri::parse(&device.user).map_err(|_| Error::Internal("a stored user URI"))?,
            token,
        };
        let mut known = self.known();
        if known.revocations == revocations {
            if known.sessions.len() >= MOST {
                known.sessions.clear();
            }
            let seen = Seen {
                session: session.clone(),
                checked_at: now,
            };
            known.sessions.insert(token, seen);
        }
        Ok(session)
    }

    /// Takes all tokens from a device.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn revoke(&self, store: &AnyStore, client: &str) -> Result<(), Error> {
        store.revoke_tokens(client).await?;
        let mut known = self.known();
        known.revocations = known.revocations.wrapping_add(1);
        known
            .sessions
            .retain(|_, seen| seen.session.client.as_str() != client);
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromRequestParts<Arc<Shared>> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Error> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Error::Unauthenticated);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| BASE64URL_NOPAD.decode(token.as_bytes()).ok())
            .filter(|token| token.len() == TOKEN_LEN)
            .ok_or(Error::Unauthenticated)?;
        shared
            .sessions
            .find(&shared.store, sha256(&token), shared.ambient.now())
    }
}

/// `POST auth/challenge`
pub(super) async fn challenge(
    State(shared): State<Arc<Shared>>,
    context: Context,
    _: Payload,
) -> Result<Response, Error> {
    let challenge = shared
        .sessions
        .challenges
        .issue(context.exporter(), shared.ambient.now())?;
    Ok(binary(challenge.to_bytes()))
}

/// `POST auth/sign-in`
pub(super) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    context: Context,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let _place = shared.place()?;
        let request =
            SignInRequest::from_bytes(payload.bytes()).map_err(|_| Error::Malformed("SignInRequest"))?;
        let now = shared.ambient.now();
        let challenges = &shared.sessions.challenges;
        if !challenges.is_good(&request.nonce, context.exporter(), now) {
            return Err(Error::Unauthenticated);
        }
        let device = shared
            .store
            .device(request.client.as_str())?
            .ok_or(Error::Unauthenticated)?;
        let tbs = request.tbs(&ProviderUri::from(&shared.domain), *context.exporter());
        verify_ed25519(
            &device.signature_key,
            ClientAuthTbs::SIGNATURE_LABEL,
            &tbs,
            &request.signature,
        )
        .map_err(|_| Error::Unauthenticated)?;
        let account = shared
            .store
            .account(&device.user)?
            .ok_or(Error::Unauthenticated)?;
        // A device that its person took off the list is nobody's any more.
        if !is_listed(&account, &device) || !challenges.spend(request.nonce, now) {
            return Err(Error::Unauthenticated);
        }
        let mut token = vec![0; TOKEN_LEN];
        aws_lc_rs::rand::fill(&mut token).map_err(|_| Error::Internal("no randomness"))?;
        let expires_at = now.saturating_add(TOKEN_MS);
        let command = PutToken {
            token_hash: sha256(&token),
            client_uri: device.client_uri,
            expires_at,
        };
        shared.store.put_token(command).await?;
        let answer = SignInResponse {
            token: SecretBytes::new(token),
            expires_at,
        };
        Ok(binary(answer.to_bytes()))
    })
    .await
}
