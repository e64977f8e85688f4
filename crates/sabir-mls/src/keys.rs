//! Signature keys, and the labelled operations of MLS for use outside of a group.
//!
//! Everything takes its randomness as an argument. Secrets are wiped on drop, and `Debug` shows public parts only.

use std::fmt;
use std::sync::Arc;

use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::{Ciphersuite, CryptoError, HpkeCiphertext, SignatureScheme};
use rand_core::CryptoRng;
use tls_codec::{Serialize as _, TlsSerialize, TlsSize, VLByteSlice};
use zeroize::Zeroizing;

use crate::provider::{Crypto, kem, primitives, signature};

/// Why a key or a labelled operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no key of the expected kind.
    #[error("malformed key")]
    Malformed,
    /// The scheme or cipher suite is not one of this provider's.
    #[error("unsupported signature scheme or cipher suite")]
    Unsupported,
    /// The signature does not verify under this key, label and content.
    #[error("invalid signature")]
    InvalidSignature,
    /// The ciphertext does not open under this key, label and context.
    #[error("decryption failed")]
    Decryption,
    /// The library failed on well-formed input.
    #[error("cryptographic operation failed: {0}")]
    Crypto(CryptoError),
}

/// A signature key: Ed25519, or ECDSA on P-256, P-384 or P-521. Clones share the key.
#[derive(Clone)]
pub struct SigningKey {
    scheme: SignatureScheme,
    pair: Arc<signature::KeyPair>,
    private: Arc<Zeroizing<Vec<u8>>>,
}

impl SigningKey {
    /// Makes a fresh key from 32 random bytes; the same bytes make the same key.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a scheme this provider lacks.
    pub fn generate(rng: &mut dyn CryptoRng, scheme: SignatureScheme) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        let pair = signature::derive_key_pair(scheme, seed.as_slice())?;
        Self::from_private(scheme, &pair.private)
    }

    /// Rebuilds a key from its private form: the Ed25519 seed of 32 bytes, or the ECDSA scalar in big-endian order at
    /// full length.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for bytes of another length or out of range, [`KeyError::Unsupported`] as above.
    pub fn from_private(scheme: SignatureScheme, private: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            scheme,
            pair: Arc::new(signature::KeyPair::from_private(scheme, private)?),
            private: Arc::new(Zeroizing::new(private.to_vec())),
        })
    }

    /// The key for storage: the scheme's number in two bytes, then the private form.
    #[must_use]
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([(self.scheme as u16).to_be_bytes().as_slice(), &self.private].concat())
    }

    /// Reads what [`SigningKey::to_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (scheme, private) = bytes.split_first_chunk().ok_or(KeyError::Malformed)?;
        let scheme =
            SignatureScheme::try_from(u16::from_be_bytes(*scheme)).map_err(|_| KeyError::Malformed)?;
        Self::from_private(scheme, private)
    }

    /// The private form alone, as [`SigningKey::from_private`] takes it.
    #[must_use]
    pub fn private(&self) -> &[u8] {
        &self.private
    }

    /// The contents of a `SignaturePublicKey` (RFC 9420 §5.1.1): 32 bytes, or an uncompressed point.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.pair.public()
    }

    /// Which scheme this key is for.
    #[must_use]
    pub const fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Signs `data` as it is. Ed25519 signatures are a function of key and data; ECDSA's are not.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] when the library fails.
    pub fn sign(&self, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.pair.sign(data)?)
    }

    /// `SignWithLabel` of RFC 9420 §5.1.2. `label` comes without the prefix.
    ///
    /// # Errors
    /// As for [`SigningKey::sign`].
    pub fn sign_with_label(&self, label: &str, content: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign(&labelled(label, content)?)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl Signer for SigningKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.pair.sign(payload).map_err(SignerError::CryptoError)
    }

    fn signature_scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// `VerifyWithLabel` of RFC 9420 §5.1.2. `label` comes without the prefix.
///
/// # Errors
/// [`KeyError::InvalidSignature`] when it does not verify, [`KeyError::Unsupported`] for a scheme this provider lacks.
pub fn verify_with_label(
    scheme: SignatureScheme,
    public: &[u8],
    label: &str,
    content: &[u8],
    signature: &[u8],
) -> Result<(), KeyError> {
    verify(scheme, public, &labelled(label, content)?, signature)
}

/// Checks a signature over `data` as it is.
///
/// # Errors
/// As for [`verify_with_label`].
pub fn verify(scheme: SignatureScheme, public: &[u8], data: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    Ok(signature::verify(scheme, public, data, signature)?)
}

/// A private and a public HPKE key of a suite's KEM, as they travel: raw X25519 keys, or a scalar and an uncompressed
/// point.
pub struct HpkeKeyPair {
    /// The private key, wiped on drop.
    pub private: Zeroizing<Vec<u8>>,
    /// The public key.
    pub public: Vec<u8>,
}

impl fmt::Debug for HpkeKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HpkeKeyPair(..)")
    }
}

/// Makes a fresh HPKE key pair.
///
/// # Errors
/// [`KeyError::Unsupported`] for a suite this provider lacks.
pub fn hpke_key_pair(rng: &mut dyn CryptoRng, suite: Ciphersuite) -> Result<HpkeKeyPair, KeyError> {
    let kem = suite.hpke_kem_algorithm();
    let mut ikm = Zeroizing::new(vec![0; kem::ikm_len(kem)?]);
    rng.fill_bytes(&mut ikm);
    let pair = kem::derive_key_pair(kem, &ikm)?;
    Ok(HpkeKeyPair {
        private: pair.private,
        public: pair.public,
    })
}

/// The key pair of a suite's KEM that follows from a secret (`DeriveKeyPair` of RFC 9180 §4).
///
/// # Errors
/// [`KeyError::Unsupported`] for a suite this provider lacks, or a secret of another length than its KEM takes.
pub fn derive_hpke_key_pair(suite: Ciphersuite, secret: &[u8]) -> Result<HpkeKeyPair, KeyError> {
    let kem = suite.hpke_kem_algorithm();
    if secret.len() != kem::ikm_len(kem)? {
        return Err(KeyError::Unsupported);
    }
    let pair = kem::derive_key_pair(kem, secret)?;
    Ok(HpkeKeyPair {
        private: pair.private,
        public: pair.public,
    })
}

/// `EncryptWithLabel` of RFC 9420 §5.1.3. `label` comes without the prefix.
///
/// # Errors
/// [`KeyError::Malformed`] for a public key that is none, [`KeyError::Unsupported`] as above.
pub fn encrypt_with_label(
    rng: &mut dyn CryptoRng,
    suite: Ciphersuite,
    public: &[u8],
    label: &str,
    context: &[u8],
    plaintext: &[u8],
) -> Result<HpkeCiphertext, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut_slice());
    // EncryptContext has the form of SignContent.
    let info = labelled(label, context)?;
    Ok(Crypto::new(seed).hpke_seal(suite.hpke_config(), public, &info, &[], plaintext)?)
}

/// `DecryptWithLabel` of RFC 9420 §5.1.3. `label` comes without the prefix.
///
/// # Errors
/// [`KeyError::Decryption`] when it does not open, [`KeyError::Malformed`] for keys that are none,
/// [`KeyError::Unsupported`] as above.
pub fn decrypt_with_label(
    suite: Ciphersuite,
    private: &[u8],
    label: &str,
    context: &[u8],
    ciphertext: &HpkeCiphertext,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let info = labelled(label, context)?;
    let plaintext =
        Crypto::without_randomness().hpke_open(suite.hpke_config(), ciphertext, private, &info, &[])?;
    Ok(Zeroizing::new(plaintext))
}

/// SHA-256.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    primitives::sha256(data)
}

/// HMAC-SHA256.
#[must_use]
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    primitives::hmac_sha256(key, data)
}

impl From<CryptoError> for KeyError {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::InvalidSignature => Self::InvalidSignature,
            CryptoError::HpkeDecryptionError => Self::Decryption,
            CryptoError::UnsupportedSignatureScheme | CryptoError::UnsupportedCiphersuite => {
                Self::Unsupported
            }
            CryptoError::InvalidPublicKey | CryptoError::InvalidLength => Self::Malformed,
            other => Self::Crypto(other),
        }
    }
}

/// `SignContent` and `EncryptContext`, which have one form:
///
/// ```text
/// struct {
///   opaque label<V>;      // "MLS 1.0 " + Label
///   opaque content<V>;
/// }
/// ```
fn labelled(label: &str, content: &[u8]) -> Result<Vec<u8>, KeyError> {
    #[derive(TlsSerialize, TlsSize)]
    struct Labelled<'a> {
        label: VLByteSlice<'a>,
        content: VLByteSlice<'a>,
    }

    let label = [b"MLS 1.0 ", label.as_bytes()].concat();
    Labelled {
        label: VLByteSlice(&label),
        content: VLByteSlice(content),
    }
    .tls_serialize_detached()
    .map_err(|_| KeyError::Crypto(CryptoError::TlsSerializationError))
}
