//! Signing in: a token for the device, bound to the connection it was asked for on.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hyper::header::HeaderValue;
use sabir_wire::client_api::{ClientAuthChallenge, ClientAuthTbs, SignInRequest, SignInResponse, path};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::uri::ProviderUri;

use super::{Call, DeviceKey, Inner, TransportError};

/// Bytes of a challenge or of a token with what belongs to it.
const MAX_ANSWER: usize = 4 << 10;

/// The token, if there is one. The lock is held while signing in, so that one token serves all who wait.
pub(super) struct Session {
    device: Option<DeviceKey>,
    token: tokio::sync::Mutex<Option<Token>>,
}

/// A token and its number, which tells one that was refused from the one that took its place.
#[derive(Clone)]
pub(super) struct Token {
    number: u64,
    header: HeaderValue,
}

impl Token {
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(device: Option<DeviceKey>) -> Self {
        Self {
            device,
            token: tokio::sync::Mutex::default(),
        }
    }
}

impl Inner {
    /// A token other than `refused`.
    pub(super) async fn token(&self, refused: Option<&Token>) -> Result<Token, TransportError> {
        let mut slot = self.session.token.lock().await;
        let refused = refused.map(|token| token.number);
        if let Some(token) = slot.as_ref().filter(|token| Some(token.number) != refused) {
            return Ok(token.clone());
        }
        let number = slot.take().map_or(0, |token| token.number.wrapping_add(1));
        let header = self.sign_in().await?;
        let token = Token { number, header };
        *slot = Some(token.clone());
        Ok(token)
    }

    async fn sign_in(&self) -> Result<HeaderValue, TransportError> {
        let device = self.session.device.as_ref().ok_or(TransportError::NoDevice)?;
        let malformed = |error: &dyn fmt::Display| TransportError::Malformed(error.to_string());
        // Challenge and signature have to travel on one connection: its exporter is under the signature.
        let live = self.live().await?;
        let challenge = Call::post(path::CHALLENGE, Vec::new(), MAX_ANSWER).anonymous();
        let challenge = self.once_on(&live, &challenge, None).await?;
        let challenge = ClientAuthChallenge::from_bytes(&challenge).map_err(|error| malformed(&error))?;
        let tbs = ClientAuthTbs {
            provider: ProviderUri::from(&self.domain),
            client: device.client.clone(),
            nonce: challenge.nonce,
            tls_exporter: live.exporter,
        };
        let signature = device
            .key
            .sign_with_label(ClientAuthTbs::SIGNATURE_LABEL, &tbs.tbs())
            .map_err(|error| malformed(&error))?;
        let request = SignInRequest {
            client: device.client.clone(),
            nonce: challenge.nonce,
            signature,
        };
        let call = Call::post(path::SIGN_IN, request.to_bytes(), MAX_ANSWER).anonymous();
        let answer = match self.once_on(&live, &call, None).await {
            Err(TransportError::Refused {
                status: 401 | 403, ..
            }) => return Err(TransportError::SignInRefused),
            answer => answer?,
        };
        let answer = SignInResponse::from_bytes(&answer).map_err(|error| malformed(&error))?;
        let bearer = format!("Bearer {}", BASE64URL_NOPAD.encode(answer.token.expose()));
        let mut header = HeaderValue::try_from(bearer).map_err(|error| malformed(&error))?;
        header.set_sensitive(true);
        Ok(header)
    }
}
