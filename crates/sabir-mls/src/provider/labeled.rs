//! `LabeledExtract` and `LabeledExpand` of RFC 9180 §4.

use openmls_traits::types::{CryptoError, HashType, HpkeAeadType, HpkeConfig, HpkeKdfType, HpkeKemType};
use zeroize::Zeroizing;

use super::kem;
use super::primitives::{expand, extract};

/// A KDF bound to the identifiers of the KEM or of the whole HPKE suite.
pub(crate) struct Labeled {
    hash: HashType,
    suite_id: Vec<u8>,
}

impl Labeled {
    /// `suite_id = concat("KEM", I2OSP(kem_id, 2))`, RFC 9180 §4.1.
    pub(crate) fn for_kem(kem: HpkeKemType, hash: HashType) -> Self {
        let suite_id = [b"KEM".as_slice(), &kem::number(kem).to_be_bytes()].concat();
        Self { hash, suite_id }
    }

    /// `suite_id = concat("HPKE", I2OSP(kem_id, 2), I2OSP(kdf_id, 2), I2OSP(aead_id, 2))`, RFC 9180 §5.1.
    pub(crate) fn for_suite(HpkeConfig(kem, kdf, aead): &HpkeConfig) -> Self {
        let suite_id = [
            b"HPKE".as_slice(),
            &kem::number(*kem).to_be_bytes(),
            &(*kdf as u16).to_be_bytes(),
            &(*aead as u16).to_be_bytes(),
        ]
        .concat();
        let hash = match kdf {
            HpkeKdfType::HkdfSha256 => HashType::Sha2_256,
            HpkeKdfType::HkdfSha384 => HashType::Sha2_384,
            HpkeKdfType::HkdfSha512 => HashType::Sha2_512,
        };
        Self { hash, suite_id }
    }

    /// The length of this KDF's output (Nh).
    pub(crate) const fn hash_len(&self) -> usize {
        self.hash.size()
    }

    pub(crate) fn extract(&self, salt: &[u8], label: &[u8], ikm: &[u8]) -> Zeroizing<Vec<u8>> {
        extract(self.hash, salt, &[VERSION, &self.suite_id, label, ikm])
    }

    pub(crate) fn expand(
        &self,
        prk: &[u8],
        label: &[u8],
        info: &[&[u8]],
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let encoded_len = u16::try_from(len)
            .map_err(|_| CryptoError::HkdfOutputLengthInvalid)?
            .to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![&encoded_len, VERSION, &self.suite_id, label];
        parts.extend_from_slice(info);
        expand(self.hash, prk, &parts, len)
    }
}

/// Whether the AEAD encrypts, as opposed to exporting only, and which it is.
pub(crate) const fn aead_of(aead: HpkeAeadType) -> Option<openmls_traits::types::AeadType> {
    use openmls_traits::types::AeadType;
    match aead {
        HpkeAeadType::AesGcm128 => Some(AeadType::Aes128Gcm),
        HpkeAeadType::AesGcm256 => Some(AeadType::Aes256Gcm),
        HpkeAeadType::ChaCha20Poly1305 => Some(AeadType::ChaCha20Poly1305),
        HpkeAeadType::Export => None,
    }
}

const VERSION: &[u8] = b"HPKE-v1";
