//! MLKEM768-X25519, the hybrid KEM of draft-ietf-mls-pq-ciphersuites-06: what it seals stays sealed while either ML-KEM-768 or
//! X25519 holds. Also known as X-Wing.
//!
//! ```text
//!    private key, 32 bytes -- SHAKE256 --> seed of ML-KEM (64) | X25519 key (32)
//!    public key, 1,216 bytes   = ML-KEM's (1,184) | X25519's (32)
//!    enc, 1,120 bytes          = ML-KEM's (1,088) | X25519's (32)
//!    shared secret             = SHA3-256(ML-KEM's | X25519's | enc of X25519 | public key of X25519 | label)
//! ```
//!
//! The combination stands here because it is these four lines over primitives that are there: X25519 and SHA-3 of
//! aws-lc-rs. ML-KEM itself is `ml-kem`, since aws-lc-rs offers it neither from a seed nor with given randomness. A
//! point of X25519 that leads to zero is refused, as everywhere here.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::digest;
use ml_kem::array::Array;
use ml_kem::{B32, Decapsulate as _, KeyExport as _, Seed, ml_kem_768};
use openmls_traits::types::{CryptoError, HpkeKemType};
use shake::{ExtendableOutput as _, Shake256, Update as _, XofReader as _};
use zeroize::Zeroizing;

use super::kem::{DhKem, Encapsulated, KemKeyPair};

/// The KEM's number in the registry of HPKE.
pub(super) const NUMBER: u16 = 0x647a;

/// Bytes of randomness that one encapsulation takes: 32 for each half.
pub(super) const SEED: usize = 64;

const PRIVATE: usize = 32;
const ML_KEM_PUBLIC: usize = 1184;
const ML_KEM_ENC: usize = 1088;
const X25519: usize = 32;
const LABEL: &[u8] = br"\.//^\";

/// The private key is drawn out of `ikm` as the implementations do that use the suite's provisional number: by
/// SHAKE256 alone, where the draft of the KEM has come to prefer a labelled derivation since.
pub(super) fn derive_key_pair(ikm: &[u8]) -> Result<KemKeyPair, CryptoError> {
    let mut private = Zeroizing::new(vec![0; PRIVATE]);
    shake256(ikm, &mut private);
    let public = Expanded::of(&private)?.public()?;
    Ok(KemKeyPair { private, public })
}

pub(super) fn encap(pk_r: &[u8], seed: &[u8]) -> Result<Encapsulated, CryptoError> {
    let dh = x25519()?;
    let (pk_m, pk_x) = split(pk_r, ML_KEM_PUBLIC)?;
    let (seed_m, seed_x) = seed
        .split_at_checked(SEED - X25519)
        .ok_or(CryptoError::InsufficientRandomness)?;
    let pk_m = Array::try_from(pk_m).map_err(|_| CryptoError::InvalidPublicKey)?;
    // Refuses keys whose coefficients are not reduced (FIPS 203 §7.2).
    let pk_m = ml_kem_768::EncapsulationKey::new(&pk_m).map_err(|_| CryptoError::InvalidPublicKey)?;
    let randomness = B32::try_from(seed_m).map_err(|_| CryptoError::InsufficientRandomness)?;
    let (enc_m, secret_m) = pk_m.encapsulate_deterministic(&randomness);
    let ephemeral = dh.private_key(seed_x)?;
    let enc_x = dh.public_key(&ephemeral)?;
    let secret_x = dh.agree(&ephemeral, pk_x)?;
    let secret_m = Zeroizing::new(secret_m);
    Ok(Encapsulated {
        shared_secret: combine(&[&secret_m, &secret_x, &enc_x, pk_x]),
        enc: [enc_m.as_slice(), &enc_x].concat(),
    })
}

pub(super) fn decap(enc: &[u8], sk_r: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let dh = x25519()?;
    let (enc_m, enc_x) = split(enc, ML_KEM_ENC)?;
    let enc_m = ml_kem_768::Ciphertext::try_from(enc_m).map_err(|_| CryptoError::InvalidPublicKey)?;
    let key = Expanded::of(sk_r)?;
    // A ciphertext that is none leads to a secret that nobody else has (FIPS 203 §6.3).
    let secret_m = Zeroizing::new(key.ml_kem.decapsulate(&enc_m));
    let secret_x = dh.agree(&key.x25519, enc_x)?;
    Ok(combine(&[
        &secret_m,
        &secret_x,
        enc_x,
        &dh.public_key(&key.x25519)?,
    ]))
}

/// A private key as the two halves use it.
struct Expanded {
    ml_kem: ml_kem_768::DecapsulationKey,
    x25519: PrivateKey,
}

impl Expanded {
    fn of(private: &[u8]) -> Result<Self, CryptoError> {
        if private.len() != PRIVATE {
            return Err(CryptoError::InvalidLength);
        }
        let mut expanded = Zeroizing::new([0; 64 + X25519]);
        shake256(private, expanded.as_mut_slice());
        let (seed, scalar) = expanded.split_at_checked(64).ok_or(CryptoError::InvalidLength)?;
        let seed = Zeroizing::new(Seed::try_from(seed).map_err(|_| CryptoError::InvalidLength)?);
        Ok(Self {
            ml_kem: ml_kem_768::DecapsulationKey::from_seed(*seed),
            x25519: x25519()?.private_key(scalar)?,
        })
    }

    fn public(&self) -> Result<Vec<u8>, CryptoError> {
        let ml_kem = self.ml_kem.encapsulation_key().to_bytes();
        Ok([ml_kem.as_slice(), &x25519()?.public_key(&self.x25519)?].concat())
    }
}

fn x25519() -> Result<DhKem, CryptoError> {
    DhKem::of(HpkeKemType::DhKem25519)
}

fn shake256(input: &[u8], output: &mut [u8]) {
    let mut shake = Shake256::default();
    shake.update(input);
    shake.finalize_xof().read(output);
}

fn combine(parts: &[&[u8]; 4]) -> Zeroizing<Vec<u8>> {
    let mut context = digest::Context::new(&digest::SHA3_256);
    for part in parts {
        context.update(part);
    }
    context.update(LABEL);
    Zeroizing::new(context.finish().as_ref().to_vec())
}

/// ML-KEM's part and that of X25519.
fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), CryptoError> {
    bytes
        .split_at_checked(at)
        .filter(|(_, rest)| rest.len() == X25519)
        .ok_or(CryptoError::InvalidPublicKey)
}

#[cfg(test)]
mod tests;
