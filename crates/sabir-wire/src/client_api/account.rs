use super::auth::secret;
use super::{MAX_CLIENT_REQUEST, SecretBytes};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};
use crate::field;
use crate::mls::{MAX_CREDENTIAL, MAX_SIGNATURE, SignaturePublicKey};
use crate::recovery::RecoveryProof;
use crate::uri::{ProviderUri, UserUri};

/// Bytes of an invite token.
pub const MAX_INVITE_TOKEN: usize = 255;

/// Bytes of a user name as asked for; what a name may be is the provider's policy.
pub const MAX_USER_NAME: usize = 128;

/// A person makes an account with an invite.
///
/// ```text
/// struct {
///     IdentifierUri provider;
///     opaque invite_token<V>;
///     opaque user_name<V>;
///     SignaturePublicKey identity_key;
///     opaque recovery_commitment[32];
/// } CreateAccountTBS;
///
/// struct {
///     opaque invite_token<V>;
///     opaque user_name<V>;
///     SignaturePublicKey identity_key;
///     opaque recovery_commitment[32];
///     /* SignWithLabel(identity_key, "SabirCreateAccountTBS", CreateAccountTBS) */
///     opaque signature<V>;
/// } CreateAccountRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAccountRequest {
    /// One to [`MAX_INVITE_TOKEN`] bytes.
    pub invite_token: SecretBytes,
    /// The name of the user's URI, not percent-encoded; at most [`MAX_USER_NAME`] bytes.
    pub user_name: String,
    /// The person's.
    pub identity_key: SignaturePublicKey,
    /// SHA-256 of the recovery key's public part; it becomes part of the user certificate.
    pub recovery_commitment: [u8; 32],
    /// Over [`CreateAccountRequest::tbs`], by `identity_key`.
    pub signature: Vec<u8>,
}

impl CreateAccountRequest {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirCreateAccountTBS";

    /// `CreateAccountTBS`.
    #[must_use]
    pub fn tbs(&self, provider: &ProviderUri) -> Vec<u8> {
        let mut out = provider.to_bytes();
        self.encode_unsigned(&mut out);
        out
    }

    fn encode_unsigned(&self, out: &mut Vec<u8>) {
        put_opaque(out, self.invite_token.expose());
        field::put_text(out, &self.user_name);
        self.identity_key.encode(out);
        out.extend_from_slice(&self.recovery_commitment);
    }
}

impl Encode for CreateAccountRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for CreateAccountRequest {
    const NAME: &'static str = "CreateAccountRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            invite_token: secret(r, "invite_token", MAX_INVITE_TOKEN)?,
            user_name: field::text(r, "user_name", MAX_USER_NAME)?,
            identity_key: r.read_as("identity_key")?,
            recovery_commitment: r.array("recovery_commitment")?,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_CLIENT_REQUEST)
    }
}

/// The answer to a [`CreateAccountRequest`].
///
/// ```text
/// enum {
///     created(0),
///     inviteUnknown(1),
///     inviteUsed(2),
///     inviteExpired(3),
///     nameTaken(4),
///     nameInvalid(5),
///     badSignature(6),
///     (255)
/// } CreateAccountCode;
///
/// struct {
///     CreateAccountCode code;
///     select (code) {
///         case created:
///             opaque user_certificate<V>;
///             opaque provider_ca<V>;
///     };
/// } CreateAccountResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateAccountResponse {
    /// 0: the account is there.
    Created {
        /// For the identity key, in DER.
        user_certificate: Vec<u8>,
        /// The provider's identity CA that issued it, in DER.
        provider_ca: Vec<u8>,
    },
    /// 1: no such invite.
    InviteUnknown,
    /// 2: somebody used the invite.
    InviteUsed,
    /// 3: the invite was not used in time.
    InviteExpired,
    /// 4: somebody has the name, or had it.
    NameTaken,
    /// 5: the provider allows no such name.
    NameInvalid,
    /// 6: the signature does not verify.
    BadSignature,
}

impl CreateAccountResponse {
    fn code(&self) -> u8 {
        match self {
            Self::Created { .. } => 0,
            Self::InviteUnknown => 1,
            Self::InviteUsed => 2,
            Self::InviteExpired => 3,
            Self::NameTaken => 4,
            Self::NameInvalid => 5,
            Self::BadSignature => 6,
        }
    }
}

impl Encode for CreateAccountResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.code());
        if let Self::Created {
            user_certificate,
            provider_ca,
        } = self
        {
            put_opaque(out, user_certificate);
            put_opaque(out, provider_ca);
        }
    }
}

impl Decode for CreateAccountResponse {
    const NAME: &'static str = "CreateAccountResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("code")? {
            0 => Self::Created {
                user_certificate: field::bytes(r, "user_certificate", MAX_CREDENTIAL)?,
                provider_ca: field::bytes(r, "provider_ca", MAX_CREDENTIAL)?,
            },
            1 => Self::InviteUnknown,
            2 => Self::InviteUsed,
            3 => Self::InviteExpired,
            4 => Self::NameTaken,
            5 => Self::NameInvalid,
            6 => Self::BadSignature,
            other => return Err(r.error_at(at, "code", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}

/// A person comes back with their recovery code: another identity key takes the place of theirs.
///
/// ```text
/// struct {
///     IdentifierUri provider;
///     IdentifierUri user;
///     opaque identity_key[32];
///     opaque recovery_commitment[32];
///     RecoveryProof proof;
/// } RecoverAccountTBS;
///
/// struct {
///     IdentifierUri user;
///     opaque identity_key[32];
///     opaque recovery_commitment[32];
///     RecoveryProof proof;
///     /* SignWithLabel(identity_key, "SabirRecoverAccountTBS", RecoverAccountTBS) */
///     opaque signature<V>;
/// } RecoverAccountRequest;
/// ```
///
/// Sent again it changes nothing: the account has this identity key then, and commits to another recovery key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverAccountRequest {
    /// Who.
    pub user: UserUri,
    /// The new Ed25519 identity key.
    pub identity_key: [u8; 32],
    /// SHA-256 of the next recovery key's public part.
    pub recovery_commitment: [u8; 32],
    /// By the recovery key that the old user certificate commits to; it becomes part of the new one.
    pub proof: RecoveryProof,
    /// Over [`RecoverAccountRequest::tbs`], by `identity_key`.
    pub signature: Vec<u8>,
}

impl RecoverAccountRequest {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirRecoverAccountTBS";

    /// `RecoverAccountTBS`.
    #[must_use]
    pub fn tbs(&self, provider: &ProviderUri) -> Vec<u8> {
        let mut out = provider.to_bytes();
        self.encode_unsigned(&mut out);
        out
    }

    fn encode_unsigned(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        out.extend_from_slice(&self.identity_key);
        out.extend_from_slice(&self.recovery_commitment);
        self.proof.encode(out);
    }
}

impl Encode for RecoverAccountRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for RecoverAccountRequest {
    const NAME: &'static str = "RecoverAccountRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.read_as("user")?,
            identity_key: r.array("identity_key")?,
            recovery_commitment: r.array("recovery_commitment")?,
            proof: r.read_as("proof")?,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_CLIENT_REQUEST)
    }
}

/// The answer to a [`RecoverAccountRequest`].
///
/// ```text
/// enum { recovered(0), refused(1), (255) } RecoverAccountCode;
///
/// struct {
///     RecoverAccountCode code;
///     select (code) {
///         case recovered:
///             opaque user_certificate<V>;
///             opaque provider_ca<V>;
///     };
/// } RecoverAccountResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverAccountResponse {
    /// 0: the account has the new identity key; every device of before is out.
    Recovered {
        /// For the new identity key, in DER.
        user_certificate: Vec<u8>,
        /// The provider's identity CA that issued it, in DER.
        provider_ca: Vec<u8>,
    },
    /// 1: no such person, or not their recovery key: a used one, another person's, or none. Which of them is not said.
    Refused,
}

impl Encode for RecoverAccountResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Recovered {
                user_certificate,
                provider_ca,
            } => {
                out.push(0);
                put_opaque(out, user_certificate);
                put_opaque(out, provider_ca);
            }
            Self::Refused => out.push(1),
        }
    }
}

impl Decode for RecoverAccountResponse {
    const NAME: &'static str = "RecoverAccountResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("code")? {
            0 => Self::Recovered {
                user_certificate: field::bytes(r, "user_certificate", MAX_CREDENTIAL)?,
                provider_ca: field::bytes(r, "provider_ca", MAX_CREDENTIAL)?,
            },
            1 => Self::Refused,
            other => return Err(r.error_at(at, "code", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}
