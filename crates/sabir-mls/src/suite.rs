//! Cryptographic functions of a cipher suite, named by its number: what engines need without naming the MLS
//! library.

use openmls_traits::types::{Ciphersuite, HpkeCiphertext, SignatureScheme};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keys::{self, HpkeKeyPair, KeyError, SigningKey};
use crate::provider;

/// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, the default.
pub const DEFAULT: u16 = 0x0001;

/// MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519: what is sealed today stays so when there are quantum computers.
pub const HYBRID: u16 = 0x004f;

/// The suites we implement whose signatures are Ed25519, as our device certificates need, by preference.
#[must_use]
pub fn supported() -> Vec<u16> {
    let ed25519 = |suite: &&Ciphersuite| suite.signature_algorithm() == SignatureScheme::ED25519;
    provider::SUITES
        .iter()
        .filter(ed25519)
        .map(|suite| u16::from(*suite))
        .collect()
}

/// `VerifyWithLabel` of RFC 9420 §5.1.2 with the suite's signature algorithm. `label` comes without the prefix.
///
/// # Errors
/// [`KeyError::InvalidSignature`], or [`KeyError::Unsupported`] for a suite we do not implement.
pub fn verify_with_label(
    suite: u16,
    public: &[u8],
    label: &str,
    content: &[u8],
    signature: &[u8],
) -> Result<(), KeyError> {
    keys::verify_with_label(
        find(suite)?.signature_algorithm(),
        public,
        label,
        content,
        signature,
    )
}

/// As [`verify_with_label`], for an Ed25519 key outside any suite.
///
/// # Errors
/// [`KeyError::InvalidSignature`].
pub fn verify_ed25519(public: &[u8], label: &str, content: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    keys::verify_with_label(SignatureScheme::ED25519, public, label, content, signature)
}

/// A fresh key pair of the suite's KEM.
///
/// # Errors
/// [`KeyError::Unsupported`].
pub fn hpke_key_pair(suite: u16, rng: &mut dyn CryptoRng) -> Result<HpkeKeyPair, KeyError> {
    keys::hpke_key_pair(rng, find(suite)?)
}

/// The key pair of the suite's KEM that follows from a secret of 32 bytes, always the same (RFC 9180 §4).
///
/// # Errors
/// [`KeyError::Unsupported`], also where the suite's KEM takes a secret of another length.
pub fn derive_hpke_key_pair(suite: u16, secret: &[u8; 32]) -> Result<HpkeKeyPair, KeyError> {
    keys::derive_hpke_key_pair(find(suite)?, secret)
}

/// `EncryptWithLabel` of RFC 9420 §5.1.3: the KEM output and the ciphertext.
///
/// # Errors
/// [`KeyError::Malformed`] for a public key that is none, or [`KeyError::Unsupported`].
pub fn encrypt_with_label(
    suite: u16,
    public: &[u8],
    label: &str,
    context: &[u8],
    plaintext: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
    let sealed = keys::encrypt_with_label(rng, find(suite)?, public, label, context, plaintext)?;
    Ok((
        sealed.kem_output.as_slice().to_vec(),
        sealed.ciphertext.as_slice().to_vec(),
    ))
}

/// `DecryptWithLabel` of RFC 9420 §5.1.3.
///
/// # Errors
/// [`KeyError::Decryption`] where it does not open.
pub fn decrypt_with_label(
    suite: u16,
    private: &[u8],
    label: &str,
    context: &[u8],
    (kem_output, ciphertext): (&[u8], &[u8]),
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let sealed = HpkeCiphertext {
        kem_output: kem_output.into(),
        ciphertext: ciphertext.into(),
    };
    keys::decrypt_with_label(find(suite)?, private, label, context, &sealed)
}

impl SigningKey {
    /// The Ed25519 key of a seed of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for another length.
    pub fn ed25519_from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        Self::from_private(SignatureScheme::ED25519, seed)
    }

    /// A fresh Ed25519 key.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] when the library fails.
    pub fn ed25519(rng: &mut dyn CryptoRng) -> Result<Self, KeyError> {
        Self::generate(rng, SignatureScheme::ED25519)
    }
}

fn find(suite: u16) -> Result<Ciphersuite, KeyError> {
    provider::SUITES
        .iter()
        .copied()
        .find(|known| u16::from(*known) == suite)
        .ok_or(KeyError::Unsupported)
}
