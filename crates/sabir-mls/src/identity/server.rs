//! A provider's own credential: the signer of `external_senders` and `franking_agent`.

use sabir_wire::mls::Credential;
use sabir_wire::uri::{Domain, ProviderUri};

use super::Freshness;
use super::anchors::{CaCertificate, TrustAnchors};
use super::certificate::Certificate;
use super::credential::{certificates, read_chain, write_chain};
use super::error::{CredentialError, Role};

/// A provider's server certificate, its shape checked, not verified.
#[derive(Debug, Clone)]
pub(super) struct ServerCertificate {
    certificate: Certificate,
    provider: ProviderUri,
}

impl ServerCertificate {
    pub(super) fn parse(der: &[u8]) -> Result<Self, CredentialError> {
        let certificate = Certificate::parse(der, Role::Server)?;
        certificate.check_end_entity()?;
        let [provider] = certificate.uris()?;
        let provider =
            ProviderUri::parse(provider).map_err(|_| CredentialError::NameInvalid(Role::Server))?;
        Ok(Self {
            certificate,
            provider,
        })
    }

    pub(super) fn check_issued_by(&self, ca: &CaCertificate) -> Result<(), CredentialError> {
        if self.provider.authority() != ca.domain() {
            return Err(CredentialError::AuthorityMismatch(Role::Server));
        }
        self.certificate.check_issued_by(ca.certificate())
    }
}

/// A provider's credential as it came: one certificate, issued by the provider's identity CA itself.
#[derive(Debug, Clone)]
pub struct ServerCredential(ServerCertificate);

impl ServerCredential {
    /// Makes a credential of a server certificate in DER.
    ///
    /// # Errors
    /// [`CredentialError`] where it does not have the shape of a server certificate.
    pub fn new(server: &[u8]) -> Result<Self, CredentialError> {
        ServerCertificate::parse(server).map(Self)
    }

    /// Reads the content of an MLS credential of type `x509`, without the outer length.
    ///
    /// # Errors
    /// [`CredentialError`] where there is not exactly one certificate in the shape of a server's.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let [server] = read_chain(bytes)?;
        Self::new(server)
    }

    /// The content of an MLS credential of type `x509`, as [`Self::parse`] reads it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write_chain(&[self.0.certificate.der()])
    }

    /// Takes a credential from an MLS structure.
    ///
    /// # Errors
    /// As [`Self::parse`], and [`CredentialError::CredentialType`].
    pub fn from_credential(credential: &Credential) -> Result<Self, CredentialError> {
        let [server] = certificates(credential)?;
        Self::new(server)
    }

    /// The credential for an MLS structure.
    #[must_use]
    pub fn to_credential(&self) -> Credential {
        Credential::X509 {
            certificates: vec![self.0.certificate.der().to_vec()],
        }
    }

    /// The provider it claims to be.
    #[must_use]
    pub fn claimed_domain(&self) -> &Domain {
        self.0.provider.authority()
    }

    /// Verifies that the credential is that of `domain` and certifies `signature_key`.
    ///
    /// # Errors
    /// [`CredentialError`], in the order: key, names, provider, signature, times.
    pub fn verify(
        &self,
        anchors: &TrustAnchors,
        domain: &Domain,
        freshness: Freshness,
        signature_key: &[u8],
    ) -> Result<VerifiedServer, CredentialError> {
        let certificate = &self.0.certificate;
        if certificate.key != signature_key {
            return Err(CredentialError::LeafKeyMismatch);
        }
        if self.claimed_domain() != domain {
            return Err(CredentialError::AuthorityMismatch(Role::Server));
        }
        let ca = anchors
            .issuer_of(domain, certificate, |ca| {
                certificate.check_signature(ca.key()).is_ok()
            })?
            .certificate();
        certificate.check_fresh(freshness)?;
        ca.check_fresh(freshness)?;
        Ok(VerifiedServer {
            provider: self.0.provider.clone(),
            key: certificate.key,
            not_after: certificate.not_after.min(ca.not_after),
        })
    }
}

/// A provider whose server certificate chains to its identity CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedServer {
    provider: ProviderUri,
    key: [u8; 32],
    not_after: u64,
}

impl VerifiedServer {
    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &ProviderUri {
        &self.provider
    }

    /// Its certified Ed25519 signature key.
    #[must_use]
    pub fn signature_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The last millisecond since the Unix epoch at which the chain is valid.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }
}
