//! OpenMLS's cryptography on aws-lc-rs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeCiphertext, HpkeConfig, HpkeKeyPair,
    KemOutput, SignatureScheme,
};
use tls_codec::SecretVLBytes;
use zeroize::Zeroizing;

use super::leaf_hashes::LeafHashes;
use super::primitives::{self, expand};
use super::{hpke, kem, signature};

/// The cryptography of one call.
///
/// OpenMLS encrypts path secrets in worker threads, in no fixed order. So that a seed gives the same bytes every time,
/// nothing here draws from a stream: the ephemeral key of an HPKE encryption is derived from the seed and everything
/// that goes into the encryption. Two encryptions share an ephemeral key only when all their inputs are equal, and
/// then their ciphertexts are equal too.
pub struct Crypto {
    seed: Option<Zeroizing<[u8; 32]>>,
    signature_keys: AtomicU64,
    /// Leaves that were hashed.
    leaves: Arc<LeafHashes>,
}

impl Crypto {
    /// Cryptography whose fresh keys depend on `seed` and on what is asked.
    #[must_use]
    pub fn new(seed: Zeroizing<[u8; 32]>) -> Self {
        Self {
            seed: Some(seed),
            signature_keys: AtomicU64::new(0),
            leaves: Arc::default(),
        }
    }

    /// Cryptography for those who check only: whatever needs a fresh key fails with
    /// [`CryptoError::InsufficientRandomness`].
    #[must_use]
    pub fn without_randomness() -> Self {
        Self {
            seed: None,
            signature_keys: AtomicU64::new(0),
            leaves: Arc::default(),
        }
    }

    /// Goes on with the memory of an earlier one. It holds hashes, which depend on no seed.
    pub(super) fn remember_as(&mut self, earlier: &Self) {
        self.leaves = Arc::clone(&earlier.leaves);
    }

    fn seed(&self) -> Result<&[u8; 32], CryptoError> {
        self.seed.as_deref().ok_or(CryptoError::InsufficientRandomness)
    }

    /// Input for the ephemeral key of one encryption.
    fn ephemeral_ikm(
        &self,
        purpose: &[u8],
        HpkeConfig(kem, kdf, aead): &HpkeConfig,
        inputs: &[&[u8]],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let ids = [*kem as u16, *kdf as u16, *aead as u16]
            .map(u16::to_be_bytes)
            .concat();
        // Each input counts by its own hash, so that no two lists of inputs read the same.
        let mut transcript = ids;
        for input in inputs {
            transcript.extend_from_slice(&primitives::hash(HashType::Sha2_256, &[input]));
        }
        expand(
            HashType::Sha2_256,
            self.seed()?,
            &[purpose, &transcript],
            kem::ikm_len(*kem)?,
        )
    }
}

/// The suites offered, the default first: data, because rooms name theirs.
pub const SUITES: &[Ciphersuite] = &[
    Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
    Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
    Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256,
    Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519,
    Ciphersuite::MLS_256_DHKEMP521_AES256GCM_SHA512_P521,
    Ciphersuite::MLS_256_DHKEMP384_AES256GCM_SHA384_P384,
];

impl OpenMlsCrypto for Crypto {
    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        if SUITES.contains(&ciphersuite) && kem::supports(ciphersuite.hpke_kem_algorithm()) {
            Ok(())
        } else {
            Err(CryptoError::UnsupportedCiphersuite)
        }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        SUITES.to_vec()
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        Ok(primitives::extract(hash, salt, &[ikm]).as_slice().into())
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        Ok(primitives::hmac(hash, key, &[message]).as_slice().into())
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        prk: &[u8],
        info: &[u8],
        okm_len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        Ok(expand(hash, prk, &[info], okm_len)?.as_slice().into())
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(self.leaves.hash(hash, data))
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        primitives::seal(alg, key, nonce, aad, data)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        primitives::open(alg, key, nonce, aad, ct_tag)
    }

    /// The n-th call of one seed gives the n-th key of that seed.
    fn signature_key_gen(&self, alg: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        let n = self.signature_keys.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let seed = expand(HashType::Sha2_256, self.seed()?, &[b"signature key", &n], 32)?;
        let pair = signature::derive_key_pair(alg, &seed)?;
        Ok((pair.private.to_vec(), pair.public))
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        signature::verify(alg, pk, data, signature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        signature::KeyPair::from_private(alg, key)?.sign(data)
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        aad: &[u8],
        ptxt: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let ikm_e = self.ephemeral_ikm(b"hpke seal", &config, &[pk_r, info, aad, ptxt])?;
        hpke::seal(&config, pk_r, info, aad, ptxt, &ikm_e)
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk_r: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        hpke::open(&config, input, sk_r, info, aad)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let ikm_e = self.ephemeral_ikm(b"hpke export", &config, &[pk_r, info, exporter_context])?;
        let (enc, secret) =
            hpke::send_export(&config, pk_r, info, exporter_context, exporter_length, &ikm_e)?;
        Ok((enc, secret.to_vec().into()))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        let secret = hpke::receive_export(&config, enc, sk_r, info, exporter_context, exporter_length)?;
        Ok(secret.to_vec().into())
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        let pair = kem::derive_key_pair(config.0, ikm)?;
        Ok(HpkeKeyPair {
            private: pair.private.to_vec().into(),
            public: pair.public,
        })
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crypto(..)")
    }
}
