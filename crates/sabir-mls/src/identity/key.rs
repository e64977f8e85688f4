//! Ed25519 keys as the certificate encoder wants them.

use openmls_traits::types::SignatureScheme;
use rcgen::{PublicKeyData, SignatureAlgorithm};

use super::error::IssueError;
use crate::keys::SigningKey;

/// An Ed25519 key that signs certificates. Its signatures depend on key and message alone.
pub(super) struct CertificateKey {
    key: SigningKey,
    public: [u8; 32],
}

impl CertificateKey {
    /// Takes a signature key, which must be Ed25519.
    pub(super) fn new(key: SigningKey) -> Result<Self, IssueError> {
        if key.scheme() != SignatureScheme::ED25519 {
            return Err(IssueError::Key);
        }
        let public = public_key(key.public())?;
        Ok(Self { key, public })
    }

    pub(super) fn signing_key(&self) -> &SigningKey {
        &self.key
    }

    pub(super) fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

impl PublicKeyData for CertificateKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(message).map_err(|_| rcgen::Error::RingUnspecified)
    }
}

/// The public key of somebody else, to be certified.
pub(super) struct SubjectKey([u8; 32]);

impl SubjectKey {
    pub(super) fn new(key: &[u8]) -> Result<Self, IssueError> {
        public_key(key).map(Self)
    }
}

impl PublicKeyData for SubjectKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

fn public_key(bytes: &[u8]) -> Result<[u8; 32], IssueError> {
    bytes.try_into().map_err(|_| IssueError::Key)
}
