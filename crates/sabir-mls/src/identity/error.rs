//! Why a credential is refused, and why a certificate cannot be issued.

use sabir_wire::codec::DecodeError;

/// Which certificate of a chain a defect was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A provider's self-signed identity CA.
    Provider,
    /// A certificate by which a provider's old CA vouches for its next one.
    Rotation,
    /// A person's certificate, issued by the provider.
    User,
    /// A device's certificate, issued by the person's identity key.
    Device,
    /// A provider's certificate for `external_senders` and `franking_agent`.
    Server,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::Rotation => "rotation",
            Self::User => "user",
            Self::Device => "device",
            Self::Server => "server",
        })
    }
}

/// A credential's defect. Each has a stable [`id`](Self::id); the table stands in [`crate::identity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The vector of certificates is not decodable.
    #[error("credential is not a list of certificates")]
    Encoding(#[from] DecodeError),
    /// The credential is of another type than x509.
    #[error("credential is not of type x509")]
    CredentialType,
    /// The credential or a certificate is longer than its bound.
    #[error("credential is too long")]
    Oversized,
    /// Not exactly the certificates that the kind of credential has: intermediates are never accepted.
    #[error("credential has the wrong number of certificates")]
    CertificateCount,
    /// Not DER, not an X.509 certificate, or an extension whose content does not parse.
    #[error("{0} certificate is malformed")]
    Malformed(Role),
    /// Bytes follow the certificate, or hide inside its outer, unsigned wrapping.
    #[error("{0} certificate has trailing data")]
    TrailingData(Role),
    /// Not an X.509 version 3 certificate.
    #[error("{0} certificate is not version 3")]
    Version(Role),
    /// An extension appears twice.
    #[error("{0} certificate repeats an extension")]
    DuplicateExtension(Role),
    /// A critical extension that this profile does not know.
    #[error("{0} certificate has an unknown critical extension")]
    UnknownCriticalExtension(Role),
    /// The certified key is not Ed25519.
    #[error("{0} certificate's key is not Ed25519")]
    KeyAlgorithm(Role),
    /// The signature is not Ed25519, or the two algorithm fields differ.
    #[error("{0} certificate's signature is not Ed25519")]
    SignatureAlgorithm(Role),
    /// `notBefore` lies after `notAfter`.
    #[error("{0} certificate's validity is empty")]
    ValidityEmpty(Role),
    /// The subject alternative name, or one of its entries, is absent.
    #[error("{0} certificate lacks a subject alternative name")]
    NameMissing(Role),
    /// More subject alternative names than the role has.
    #[error("{0} certificate has too many subject alternative names")]
    NameExtra(Role),
    /// A subject alternative name of another kind (URI where a DNS name belongs, and so on).
    #[error("{0} certificate has a subject alternative name of the wrong kind")]
    NameKind(Role),
    /// A name that is not canonical, or is a URI of another kind or in another order than the role demands.
    #[error("{0} certificate has an invalid or non-canonical name")]
    NameInvalid(Role),
    /// An issuing certificate without `cA`.
    #[error("{0} certificate may not issue")]
    NotIssuer(Role),
    /// A device or server certificate with `cA`.
    #[error("{0} certificate claims to be an issuer")]
    IsIssuer(Role),
    /// User: path length is not 0. Provider: it is 0. Device and server: there is one.
    #[error("{0} certificate has the wrong path length")]
    PathLength(Role),
    /// The key usage is absent or does not fit the role.
    #[error("{0} certificate has the wrong key usage")]
    KeyUsage(Role),
    /// The commitment to the recovery key is absent from a user certificate or not 32 bytes.
    #[error("user certificate lacks its recovery commitment")]
    RecoveryCommitment,
    /// The proof by which a user certificate's key replaces another does not hold.
    #[error("user certificate's proof of recovery does not hold")]
    RecoveryProof,
    /// The device certificate names another user than the user certificate.
    #[error("device certificate names another user than its issuer")]
    UserMismatch,
    /// A name's domain is not that of the provider it must belong to.
    #[error("{0} certificate belongs to another domain")]
    AuthorityMismatch(Role),
    /// No identity CA is known for the domain.
    #[error("no identity authority is known for the domain")]
    UnknownProvider,
    /// No identity CA of the domain could be had, and it is done without ([`super::TrustAnchors::do_without`]): what
    /// the credential claims stays unproved.
    #[error("the identity authority of its provider cannot be had")]
    NoAuthority,
    /// The issuer field is not the subject of the certificate above.
    #[error("{0} certificate names another issuer")]
    IssuerName(Role),
    /// The signature does not verify under the issuer's key.
    #[error("{0} certificate's signature does not verify")]
    BadSignature(Role),
    /// The leaf's signature key is not the certified key.
    #[error("leaf key is not the certified key")]
    LeafKeyMismatch,
    /// The certificate is not valid yet at the judged time.
    #[error("{0} certificate is not valid yet")]
    NotYetValid(Role),
    /// The certificate is no longer valid at the judged time.
    #[error("{0} certificate has expired")]
    Expired(Role),
    /// A rotation certificate vouches for another key than the new CA's.
    #[error("rotation certificate vouches for another key")]
    RotationKeyMismatch,
    /// More authorities for a domain than are kept.
    #[error("too many identity authorities for the domain")]
    TooManyAuthorities,
    /// A leaf's new credential is not the same device of the same person under the same identity key.
    #[error("new credential does not continue the old identity")]
    ContinuityBroken,
}

impl CredentialError {
    /// The defect's stable name, for logs, metrics and tests; never shown without its role being known.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Encoding(_) => "credential_encoding",
            Self::CredentialType => "credential_type",
            Self::Oversized => "oversized",
            Self::CertificateCount => "certificate_count",
            Self::Malformed(_) => "malformed",
            Self::TrailingData(_) => "trailing_data",
            Self::Version(_) => "version",
            Self::DuplicateExtension(_) => "duplicate_extension",
            Self::UnknownCriticalExtension(_) => "unknown_critical_extension",
            Self::KeyAlgorithm(_) => "key_algorithm",
            Self::SignatureAlgorithm(_) => "signature_algorithm",
            Self::ValidityEmpty(_) => "validity_empty",
            Self::NameMissing(_) => "name_missing",
            Self::NameExtra(_) => "name_extra",
            Self::NameKind(_) => "name_kind",
            Self::NameInvalid(_) => "name_invalid",
            Self::NotIssuer(_) => "not_issuer",
            Self::IsIssuer(_) => "is_issuer",
            Self::PathLength(_) => "path_length",
            Self::KeyUsage(_) => "key_usage",
            Self::RecoveryCommitment => "recovery_commitment",
            Self::RecoveryProof => "recovery_proof",
            Self::UserMismatch => "user_mismatch",
            Self::AuthorityMismatch(_) => "authority_mismatch",
            Self::UnknownProvider => "unknown_provider",
            Self::NoAuthority => "no_authority",
            Self::IssuerName(_) => "issuer_name",
            Self::BadSignature(_) => "bad_signature",
            Self::LeafKeyMismatch => "leaf_key_mismatch",
            Self::NotYetValid(_) => "not_yet_valid",
            Self::Expired(_) => "expired",
            Self::RotationKeyMismatch => "rotation_key_mismatch",
            Self::TooManyAuthorities => "too_many_authorities",
            Self::ContinuityBroken => "continuity_broken",
        }
    }

    /// The certificate the defect is in, where one can be blamed.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Malformed(r)
            | Self::TrailingData(r)
            | Self::Version(r)
            | Self::DuplicateExtension(r)
            | Self::UnknownCriticalExtension(r)
            | Self::KeyAlgorithm(r)
            | Self::SignatureAlgorithm(r)
            | Self::ValidityEmpty(r)
            | Self::NameMissing(r)
            | Self::NameExtra(r)
            | Self::NameKind(r)
            | Self::NameInvalid(r)
            | Self::NotIssuer(r)
            | Self::IsIssuer(r)
            | Self::PathLength(r)
            | Self::KeyUsage(r)
            | Self::AuthorityMismatch(r)
            | Self::IssuerName(r)
            | Self::BadSignature(r)
            | Self::NotYetValid(r)
            | Self::Expired(r) => Some(*r),
            Self::RecoveryCommitment | Self::RecoveryProof => Some(Role::User),
            Self::UserMismatch => Some(Role::Device),
            Self::RotationKeyMismatch => Some(Role::Rotation),
            Self::Encoding(_)
            | Self::CredentialType
            | Self::Oversized
            | Self::CertificateCount
            | Self::UnknownProvider
            | Self::NoAuthority
            | Self::LeafKeyMismatch
            | Self::TooManyAuthorities
            | Self::ContinuityBroken => None,
        }
    }
}

/// Why a certificate could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The certificate asked for would be refused: a user of another domain, an impossible name, a size over the bound.
    #[error("certificate would be refused")]
    Refused(#[from] CredentialError),
    /// A public or private key that cannot be used.
    #[error("key is not a usable Ed25519 key")]
    Key,
    /// The identity key is not the one the user certificate names.
    #[error("identity key does not belong to the user certificate")]
    WrongIdentityKey,
    /// A time that X.509 cannot express (after the year 9999).
    #[error("time is out of range")]
    Time,
    /// The encoder failed: our bug.
    #[error("certificate could not be encoded")]
    Encoder(#[from] rcgen::Error),
}
