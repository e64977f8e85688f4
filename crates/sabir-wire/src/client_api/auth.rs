use super::{MAX_CLIENT_REQUEST, SecretBytes};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};
use crate::field;
use crate::mls::MAX_SIGNATURE;
use crate::uri::{ClientUri, ProviderUri};

/// The label of the TLS exporter (RFC 8446 §7.5) whose 32 bytes, with an empty context, bind a sign-in to its
/// connection.
pub const AUTH_EXPORTER_LABEL: &[u8] = b"EXPORTER-Sabir-Client-Auth";

/// Bytes of a token.
pub const MAX_TOKEN: usize = 255;

/// What a device must sign to sign in.
///
/// ```text
/// struct {
///     opaque nonce[32];
///     uint64 expires_at;
/// } ClientAuthChallenge;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAuthChallenge {
    /// Random, good for one sign-in.
    pub nonce: [u8; 32],
    /// In milliseconds since 1970-01-01T00:00:00Z, by the provider's clock.
    pub expires_at: u64,
}

impl Encode for ClientAuthChallenge {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.nonce);
        self.expires_at.encode(out);
    }
}

impl Decode for ClientAuthChallenge {
    const NAME: &'static str = "ClientAuthChallenge";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            nonce: r.array("nonce")?,
            expires_at: r.u64("expires_at")?,
        })
    }
}

/// What a device signs to sign in.
///
/// ```text
/// struct {
///     IdentifierUri provider;
///     IdentifierUri client;
///     opaque nonce[32];
///     opaque tls_exporter[32];
/// } ClientAuthTBS;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthTbs {
    /// Whom the device talks to.
    pub provider: ProviderUri,
    /// The device.
    pub client: ClientUri,
    /// Of the challenge.
    pub nonce: [u8; 32],
    /// Exported under [`AUTH_EXPORTER_LABEL`] from the connection that carries the sign-in.
    pub tls_exporter: [u8; 32],
}

impl ClientAuthTbs {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirClientAuth";

    /// The bytes to sign.
    #[must_use]
    pub fn tbs(&self) -> Vec<u8> {
        self.to_bytes()
    }
}

impl Encode for ClientAuthTbs {
    fn encode(&self, out: &mut Vec<u8>) {
        self.provider.encode(out);
        self.client.encode(out);
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.tls_exporter);
    }
}

/// A device signs in.
///
/// ```text
/// struct {
///     IdentifierUri client;
///     opaque nonce[32];
///     /* SignWithLabel(device_key, "SabirClientAuth", ClientAuthTBS) */
///     opaque signature<V>;
/// } SignInRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRequest {
    /// The device.
    pub client: ClientUri,
    /// Of the challenge.
    pub nonce: [u8; 32],
    /// Over [`SignInRequest::tbs`].
    pub signature: Vec<u8>,
}

impl SignInRequest {
    /// The bytes the signature covers, on a connection to `provider` with this exporter value.
    #[must_use]
    pub fn tbs(&self, provider: &ProviderUri, tls_exporter: [u8; 32]) -> Vec<u8> {
        let (client, nonce) = (self.client.clone(), self.nonce);
        ClientAuthTbs {
            provider: provider.clone(),
            client,
            nonce,
            tls_exporter,
        }
        .tbs()
    }
}

impl Encode for SignInRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.client.encode(out);
        out.extend_from_slice(&self.nonce);
        put_opaque(out, &self.signature);
    }
}

impl Decode for SignInRequest {
    const NAME: &'static str = "SignInRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            client: r.read_as("client")?,
            nonce: r.array("nonce")?,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_CLIENT_REQUEST)
    }
}

/// A device is signed in.
///
/// ```text
/// struct {
///     opaque token<V>;
///     uint64 expires_at;
/// } SignInResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInResponse {
    /// One to [`MAX_TOKEN`] bytes; sent as `Authorization: Bearer` in base64url without padding.
    pub token: SecretBytes,
    /// In milliseconds since 1970-01-01T00:00:00Z, by the provider's clock.
    pub expires_at: u64,
}

impl Encode for SignInResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, self.token.expose());
        self.expires_at.encode(out);
    }
}

impl Decode for SignInResponse {
    const NAME: &'static str = "SignInResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            token: secret(r, "token", MAX_TOKEN)?,
            expires_at: r.u64("expires_at")?,
        })
    }
}

/// Reads a secret that is not empty.
pub(super) fn secret(
    r: &mut Reader<'_>,
    field: &'static str,
    max: usize,
) -> Result<SecretBytes, DecodeError> {
    let at = r.offset();
    let bytes = r.opaque(field, max)?;
    if bytes.is_empty() {
        return Err(r.error_at(at, field, DecodeErrorKind::TooShort { min: 1 }));
    }
    Ok(SecretBytes::new(bytes.to_vec()))
}
