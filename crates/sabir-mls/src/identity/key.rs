//! Ed25519 keys that sign certificates.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rand_core::CryptoRng;
use rcgen::{PublicKeyData, SignatureAlgorithm};
use zeroize::Zeroizing;

use super::error::IssueError;

/// An Ed25519 key pair that signs certificates deterministically (RFC 8032 needs no randomness).
pub(super) struct CertificateKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl CertificateKey {
    /// Draws a new key.
    pub(super) fn generate(rng: &mut dyn CryptoRng) -> Result<Self, IssueError> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_pair(Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| IssueError::Key)?)
    }

    /// Reads a PKCS #8 document as [`Self::to_pkcs8`] writes it.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, IssueError> {
        Self::from_pair(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| IssueError::Key)?)
    }

    fn from_pair(pair: Ed25519KeyPair) -> Result<Self, IssueError> {
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| IssueError::Key)?;
        Ok(Self { pair, public })
    }

    /// The secret key with its public key (PKCS #8 version 2, RFC 5958).
    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, IssueError> {
        let document = self.pair.to_pkcs8().map_err(|_| IssueError::Key)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The public key.
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
        let signature = self
            .pair
            .try_sign(message)
            .map_err(|_| rcgen::Error::RingUnspecified)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// The public key of somebody else, to be certified.
pub(super) struct SubjectKey<'a>(pub(super) &'a [u8; 32]);

impl PublicKeyData for SubjectKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}
