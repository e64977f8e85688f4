//! A client's credential: `[device, user]`, from bytes to a verified identity.
//!
//! ```text
//! bytes ──parse──▶ ClientCredential ──verify(anchors, time, leaf key)──▶ VerifiedClient
//!                  (claims, shape checked)                               (identity)
//! ```

use sabir_wire::codec::{Reader, put_opaque};
use sabir_wire::mls::Credential;
use sabir_wire::uri::{ClientUri, Domain, UserUri};

use super::anchors::{CaCertificate, TrustAnchors};
use super::cache::IssuerCache;
use super::certificate::{Certificate, MAX_CERTIFICATE_LEN};
use super::error::{CredentialError, Role};
use super::{Freshness, Identity, VerifiedClient, recovery};

/// The longest credential accepted, in bytes: two certificates and their headers.
pub const MAX_CREDENTIAL_LEN: usize = 2 * (MAX_CERTIFICATE_LEN + 2);

/// A person's certificate, its shape checked, not verified.
#[derive(Debug, Clone)]
pub(super) struct UserCertificate {
    certificate: Certificate,
    user: UserUri,
    recovery_commitment: [u8; 32],
}

impl UserCertificate {
    pub(super) fn parse(der: &[u8]) -> Result<Self, CredentialError> {
        let certificate = Certificate::parse(der, Role::User)?;
        certificate.check_issuer(|path_length| path_length == Some(0))?;
        let [user] = certificate.uris()?;
        let user = UserUri::parse(user).map_err(|_| CredentialError::NameInvalid(Role::User))?;
        let recovery_commitment = certificate
            .recovery_commitment
            .ok_or(CredentialError::RecoveryCommitment)?;
        Ok(Self {
            certificate,
            user,
            recovery_commitment,
        })
    }

    pub(super) fn check_issued_by(&self, ca: &CaCertificate) -> Result<(), CredentialError> {
        if self.user.authority() != ca.domain() {
            return Err(CredentialError::AuthorityMismatch(Role::User));
        }
        self.certificate.check_issued_by(ca.certificate())
    }

    /// Whether the proof that the key replaces another holds, where there is one; gives the commitment of the key that was
    /// replaced.
    pub(super) fn check_recovery(&self) -> Result<Option<[u8; 32]>, CredentialError> {
        let Some(proof) = &self.certificate.recovery_proof else {
            return Ok(None);
        };
        let replaced = recovery::check(proof, &self.user, self.identity_key(), self.recovery_commitment)?;
        Ok(Some(replaced))
    }

    pub(super) fn user(&self) -> &UserUri {
        &self.user
    }

    pub(super) fn identity_key(&self) -> &[u8; 32] {
        &self.certificate.key
    }
}

/// A device's certificate, its shape checked, not verified.
#[derive(Debug, Clone)]
pub(super) struct DeviceCertificate {
    certificate: Certificate,
    client: ClientUri,
    user: UserUri,
}

impl DeviceCertificate {
    pub(super) fn parse(der: &[u8]) -> Result<Self, CredentialError> {
        let certificate = Certificate::parse(der, Role::Device)?;
        certificate.check_end_entity()?;
        let [client, user] = certificate.uris()?;
        let client = ClientUri::parse(client).map_err(|_| CredentialError::NameInvalid(Role::Device))?;
        let user = UserUri::parse(user).map_err(|_| CredentialError::NameInvalid(Role::Device))?;
        if client.authority() != user.authority() {
            return Err(CredentialError::AuthorityMismatch(Role::Device));
        }
        Ok(Self {
            certificate,
            client,
            user,
        })
    }

    pub(super) fn check_issued_by(&self, issuer: &UserCertificate) -> Result<(), CredentialError> {
        if self.user != issuer.user {
            return Err(CredentialError::UserMismatch);
        }
        self.certificate.check_issued_by(&issuer.certificate)
    }
}

/// A client's credential as it came: what it claims has the right shape and nothing more.
#[derive(Debug, Clone)]
pub struct ClientCredential {
    device: DeviceCertificate,
    user: UserCertificate,
}

impl ClientCredential {
    /// Puts a credential together from its two certificates in DER.
    ///
    /// # Errors
    /// [`CredentialError`] where a certificate does not have the shape of its role.
    pub fn new(device: &[u8], user: &[u8]) -> Result<Self, CredentialError> {
        Ok(Self {
            device: DeviceCertificate::parse(device)?,
            user: UserCertificate::parse(user)?,
        })
    }

    /// Reads the content of an MLS credential of type `x509`: the certificates without the outer length, device
    /// first (RFC 9420 §5.3: each certificate certifies the one before it).
    ///
    /// # Errors
    /// [`CredentialError`] where there are not exactly two certificates in the shape of their roles.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let [device, user] = read_chain(bytes)?;
        Self::new(device, user)
    }

    /// The content of an MLS credential of type `x509`, as [`Self::parse`] reads it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write_chain(&[self.device.certificate.der(), self.user.certificate.der()])
    }

    /// Takes a credential from an MLS structure.
    ///
    /// # Errors
    /// As [`Self::parse`], and [`CredentialError::CredentialType`].
    pub fn from_credential(credential: &Credential) -> Result<Self, CredentialError> {
        let [device, user] = certificates(credential)?;
        Self::new(device, user)
    }

    /// The credential for an MLS structure.
    #[must_use]
    pub fn to_credential(&self) -> Credential {
        let chain = [&self.device.certificate, &self.user.certificate];
        Credential::X509 {
            certificates: chain.map(|c| c.der().to_vec()).into(),
        }
    }

    /// The client it claims to be.
    #[must_use]
    pub fn claimed_client(&self) -> &ClientUri {
        &self.device.client
    }

    /// The user it claims to belong to.
    #[must_use]
    pub fn claimed_user(&self) -> &UserUri {
        &self.user.user
    }

    /// The identity key it claims to be certified by: the person's, where the credential was verified before.
    #[must_use]
    pub fn claimed_identity_key(&self) -> &[u8; 32] {
        self.user.identity_key()
    }

    /// The person's identity as it claims: theirs, where the credential was verified before.
    #[must_use]
    pub fn claimed_identity(&self) -> Identity {
        Identity {
            key: *self.user.identity_key(),
            commitment: self.user.recovery_commitment,
        }
    }

    /// The device key it claims to certify.
    #[must_use]
    pub fn claimed_device_key(&self) -> &[u8; 32] {
        &self.device.certificate.key
    }

    /// The provider whose CA must have issued it: the domain to have anchors for before [`Self::verify`].
    #[must_use]
    pub fn claimed_domain(&self) -> &Domain {
        self.user.user.authority()
    }

    /// Verifies the chain for a leaf with the signature key `leaf_signature_key`.
    ///
    /// # Errors
    /// [`CredentialError`], in the order: leaf key, names, provider, signatures, times, proof of recovery.
    pub fn verify(
        &self,
        anchors: &TrustAnchors,
        freshness: Freshness,
        leaf_signature_key: &[u8],
    ) -> Result<VerifiedClient, CredentialError> {
        self.verify_cached(
            anchors,
            freshness,
            leaf_signature_key,
            &mut IssuerCache::with_capacity(0),
        )
    }

    /// As [`Self::verify`], with a memory of user certificates whose signatures were checked before.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_cached(
        &self,
        anchors: &TrustAnchors,
        freshness: Freshness,
        leaf_signature_key: &[u8],
        cache: &mut IssuerCache,
    ) -> Result<VerifiedClient, CredentialError> {
        let (device, user) = (&self.device, &self.user);
        // RFC 9420 §5.3: the leaf's signature_key must be the key the first certificate certifies.
        if device.certificate.key != leaf_signature_key {
            return Err(CredentialError::LeafKeyMismatch);
        }
        device.check_issued_by(user)?;
        // The CA is looked up by the user's own domain, and a pinned CA has that domain's name: so no CA can
        // speak for another domain.
        let ca = anchors.issuer_of(self.claimed_domain(), &user.certificate, |ca| {
            cache.is_signed_by(&user.certificate, ca)
        })?;
        let chain = [&device.certificate, &user.certificate, ca.certificate()];
        for certificate in chain {
            certificate.check_fresh(freshness)?;
        }
        let replaces = user.check_recovery()?;
        Ok(VerifiedClient {
            client: device.client.clone(),
            user: user.user.clone(),
            identity_key: user.certificate.key,
            device_key: device.certificate.key,
            user_certificate_hash: user.certificate.hash(),
            recovery_commitment: user.recovery_commitment,
            replaces,
            not_before: chain.iter().map(|c| c.not_before).max().unwrap_or(u64::MAX),
            not_after: chain.iter().map(|c| c.not_after).min().unwrap_or(0),
        })
    }
}

/// Reads exactly `N` certificates.
pub(super) fn read_chain<const N: usize>(bytes: &[u8]) -> Result<[&[u8]; N], CredentialError> {
    if bytes.len() > MAX_CREDENTIAL_LEN {
        return Err(CredentialError::Oversized);
    }
    let mut r = Reader::new(bytes);
    let mut chain = Vec::with_capacity(N);
    while !r.is_empty() {
        let certificate = r.opaque("cert_data", MAX_CREDENTIAL_LEN)?;
        if certificate.len() > MAX_CERTIFICATE_LEN {
            return Err(CredentialError::Oversized);
        }
        chain.push(certificate);
        if chain.len() > N {
            return Err(CredentialError::CertificateCount);
        }
    }
    chain.try_into().map_err(|_| CredentialError::CertificateCount)
}

/// The certificates of a credential of type x509, exactly `N`.
pub(super) fn certificates<const N: usize>(credential: &Credential) -> Result<[&[u8]; N], CredentialError> {
    let Credential::X509 { certificates } = credential else {
        return Err(CredentialError::CredentialType);
    };
    if certificates.len() != N {
        return Err(CredentialError::CertificateCount);
    }
    let chain: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    chain.try_into().map_err(|_| CredentialError::CertificateCount)
}

/// Writes certificates as `opaque cert_data<V>`, one after the other; each is within its bound.
pub(super) fn write_chain(chain: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for certificate in chain {
        put_opaque(&mut out, certificate);
    }
    out
}
