//! Cryptography of a member whose path secrets lead some others astray.
//!
//! A hub sees ciphertexts and public keys of an update path, and cannot tell whether they fit. The library that makes
//! the commit encrypts what it should; only what it calls for that can be another.

use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeCiphertext, HpkeConfig, HpkeKeyPair,
    KemOutput, SignatureScheme,
};
use sabir_mls::provider::Crypto;
use tls_codec::SecretVLBytes;

/// Whose path secret is wrong, and how.
#[derive(Debug, Clone, Default)]
pub enum Spoil {
    /// Nobody's.
    #[default]
    Nothing,
    /// Nobody can open what is encrypted to these keys.
    Ciphertext(Vec<Vec<u8>>),
    /// What is encrypted to these keys opens, and is another secret.
    Secret(Vec<Vec<u8>>),
    /// Nobody at all can open anything.
    Everything,
}

pub struct Spoiling<'a> {
    inner: &'a Crypto,
    spoil: Spoil,
}

impl<'a> Spoiling<'a> {
    pub fn new(inner: &'a Crypto, spoil: Spoil) -> Self {
        Self { inner, spoil }
    }
}

impl OpenMlsCrypto for Spoiling<'_> {
    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        aad: &[u8],
        ptxt: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let is_victim = |keys: &[Vec<u8>]| keys.iter().any(|key| key == pk_r);
        if let Spoil::Secret(keys) = &self.spoil
            && is_victim(keys)
        {
            let mut other = ptxt.to_vec();
            *other.last_mut().unwrap() ^= 1;
            return self.inner.hpke_seal(config, pk_r, info, aad, &other);
        }
        let mut sealed = self.inner.hpke_seal(config, pk_r, info, aad, ptxt)?;
        let spoils = match &self.spoil {
            Spoil::Ciphertext(keys) => is_victim(keys),
            Spoil::Everything => true,
            Spoil::Nothing | Spoil::Secret(_) => false,
        };
        if spoils {
            let mut ciphertext = sealed.ciphertext.as_slice().to_vec();
            ciphertext[0] ^= 1;
            sealed.ciphertext = ciphertext.into();
        }
        Ok(sealed)
    }

    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        self.inner.supports(ciphersuite)
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        self.inner.supported_ciphersuites()
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.inner.hkdf_extract(hash, salt, ikm)
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.inner.hmac(hash, key, message)
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        prk: &[u8],
        info: &[u8],
        okm_len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        self.inner.hkdf_expand(hash, prk, info, okm_len)
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.inner.hash(hash, data)
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.inner.aead_encrypt(alg, key, data, nonce, aad)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.inner.aead_decrypt(alg, key, ct_tag, nonce, aad)
    }

    fn signature_key_gen(&self, alg: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        self.inner.signature_key_gen(alg)
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.inner.verify_signature(alg, data, pk, signature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.inner.sign(alg, data, key)
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk_r: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.inner.hpke_open(config, input, sk_r, info, aad)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        self.inner
            .hpke_setup_sender_and_export(config, pk_r, info, exporter_context, exporter_length)
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
        self.inner
            .hpke_setup_receiver_and_export(config, enc, sk_r, info, exporter_context, exporter_length)
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        self.inner.derive_hpke_keypair(config, ikm)
    }
}
