//! HPKE base mode (RFC 9180) for single messages, on aws-lc-rs.
//!
//! Written here because the kept-up library for it (hpke-rs) brings libcrux along in every configuration, while
//! what MLS needs of the RFC is the key schedule below. A sender's ephemeral key comes from `ikm_e`, which the
//! caller derives; nothing here draws randomness.

use openmls_traits::types::{AeadType, CryptoError, HpkeCiphertext, HpkeConfig};
use zeroize::Zeroizing;

use super::labeled::{Labeled, aead_of};
use super::{kem, primitives};

/// `SealBase` of RFC 9180 §6.1.
pub(crate) fn seal(
    config: &HpkeConfig,
    pk_r: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    ikm_e: &[u8],
) -> Result<HpkeCiphertext, CryptoError> {
    let encapsulated = kem::encap(config.0, pk_r, ikm_e)?;
    let context = Context::base(config, &encapsulated.shared_secret, info);
    let Message { aead, key, nonce } = context.first_message()?;
    let ciphertext =
        primitives::seal(aead, &key, &nonce, aad, plaintext).map_err(|_| CryptoError::HpkeEncryptionError)?;
    Ok(HpkeCiphertext {
        kem_output: encapsulated.enc.into(),
        ciphertext: ciphertext.into(),
    })
}

/// `OpenBase` of RFC 9180 §6.1.
pub(crate) fn open(
    config: &HpkeConfig,
    input: &HpkeCiphertext,
    sk_r: &[u8],
    info: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let shared_secret = kem::decap(config.0, input.kem_output.as_slice(), sk_r)?;
    let context = Context::base(config, &shared_secret, info);
    let Message { aead, key, nonce } = context.first_message()?;
    primitives::open(aead, &key, &nonce, aad, input.ciphertext.as_slice())
        .map_err(|_| CryptoError::HpkeDecryptionError)
}

/// `SendExportBase` of RFC 9180 §6.2: the encapsulated key and the exported secret.
pub(crate) fn send_export(
    config: &HpkeConfig,
    pk_r: &[u8],
    info: &[u8],
    exporter_context: &[u8],
    len: usize,
    ikm_e: &[u8],
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
    let encapsulated = kem::encap(config.0, pk_r, ikm_e)?;
    let context = Context::base(config, &encapsulated.shared_secret, info);
    Ok((encapsulated.enc, context.export(exporter_context, len)?))
}

/// `ReceiveExportBase` of RFC 9180 §6.2.
pub(crate) fn receive_export(
    config: &HpkeConfig,
    enc: &[u8],
    sk_r: &[u8],
    info: &[u8],
    exporter_context: &[u8],
    len: usize,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let shared_secret = kem::decap(config.0, enc, sk_r)?;
    Context::base(config, &shared_secret, info).export(exporter_context, len)
}

/// `mode_base`, RFC 9180 §5.
const MODE_BASE: &[u8] = &[0];

/// The key schedule of RFC 9180 §5.1 before its outputs are expanded.
struct Context {
    labeled: Labeled,
    aead: Option<AeadType>,
    secret: Zeroizing<Vec<u8>>,
    psk_id_hash: Zeroizing<Vec<u8>>,
    info_hash: Zeroizing<Vec<u8>>,
}

/// What one message is encrypted with.
struct Message {
    aead: AeadType,
    key: Zeroizing<Vec<u8>>,
    nonce: Zeroizing<Vec<u8>>,
}

impl Context {
    fn base(config: &HpkeConfig, shared_secret: &[u8], info: &[u8]) -> Self {
        let labeled = Labeled::for_suite(config);
        Self {
            aead: aead_of(config.2),
            secret: labeled.extract(shared_secret, b"secret", &[]),
            psk_id_hash: labeled.extract(&[], b"psk_id_hash", &[]),
            info_hash: labeled.extract(&[], b"info_hash", info),
            labeled,
        }
    }

    fn expand(&self, label: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let key_schedule_context = [MODE_BASE, &self.psk_id_hash, &self.info_hash];
        self.labeled
            .expand(&self.secret, label, &key_schedule_context, len)
    }

    /// The parameters of sequence number 0: a context here is never used twice.
    fn first_message(&self) -> Result<Message, CryptoError> {
        let aead = self.aead.ok_or(CryptoError::UnsupportedAeadAlgorithm)?;
        let key = self.expand(b"key", aead.key_size())?;
        let nonce = self.expand(b"base_nonce", aead.nonce_size())?;
        Ok(Message { aead, key, nonce })
    }

    fn export(&self, exporter_context: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let exporter_secret = self.expand(b"exp", self.labeled.hash_len())?;
        self.labeled
            .expand(&exporter_secret, b"sec", &[exporter_context], len)
    }
}

#[cfg(test)]
mod tests;
