//! The profile key and its file.
//!
//! ```text
//! "sabir profile key\n" | version 1 | kind
//!   kind 0: key[32]
//!   kind 1: memory KiB u32 | passes u32 | lanes u32 | salt[16] | nonce[12] | AES-256-GCM(key)[48]
//! ```
//!
//! Under kind 1 the key of the seal is Argon2id of the passphrase: with 64 MiB and three passes (RFC 9106 §4's
//! second choice) each guess costs an attacker memory, not only time. The bytes before the seal are its
//! associated data.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::files;
use crate::random::{self, NoRandomness};

const MAGIC: &[u8] = b"sabir profile key\n\x01";
const PLAIN: u8 = 0;
const PASSPHRASE: u8 = 1;
const KEY_LEN: usize = 32;
const SALT_LEN: usize = 16;
const SEALED_LEN: usize = KEY_LEN + 16;

/// Cost of new key files: memory in KiB, passes, lanes.
const COST: [u32; 3] = [64 * 1024, 3, 4];
/// Highest cost that is honoured when reading, so that a forged file cannot exhaust the machine.
const MAX_COST: [u32; 3] = [1024 * 1024, 64, 16];

/// Why the profile key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The key is sealed, and no passphrase was given.
    #[error("a passphrase is needed")]
    PassphraseNeeded,
    /// The key is not sealed, and a passphrase was given.
    #[error("the profile has no passphrase")]
    NoPassphrase,
    /// The passphrase is not the one the key is sealed under, or the file was damaged.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The file is not a key file of this version.
    #[error("the key file is malformed")]
    Malformed,
    /// The file system failed.
    #[error("the key file cannot be used")]
    Io(#[from] std::io::Error),
    /// No randomness for a new key.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The library failed on well-formed input.
    #[error("cryptographic operation failed")]
    Crypto,
}

/// A passphrase, wiped on drop.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as it was typed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The key that everything in a profile is sealed under.
pub(super) struct ProfileKey(Zeroizing<[u8; KEY_LEN]>);

impl ProfileKey {
    pub(super) fn generate() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        random::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    #[cfg(test)]
    pub(super) fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Writes the key file, replacing an earlier one.
    pub(super) fn write(
        &self,
        directory: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), KeyFileError> {
        let content = match passphrase {
            None => Zeroizing::new([MAGIC, &[PLAIN], self.0.as_slice()].concat()),
            Some(passphrase) => self.seal(passphrase)?,
        };
        Ok(files::replace(directory, files::KEY, &content)?)
    }

    fn seal(&self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let mut salt = [0; SALT_LEN];
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut salt)?;
        random::fill(&mut nonce)?;
        let mut content = Zeroizing::new([MAGIC, &[PASSPHRASE]].concat());
        for cost in COST {
            content.extend_from_slice(&cost.to_be_bytes());
        }
        content.extend_from_slice(&salt);
        content.extend_from_slice(&nonce);
        let key = passphrase_key(passphrase, &salt, COST)?;
        let mut sealed = Zeroizing::new(self.0.to_vec());
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(content.as_slice()),
                &mut sealed,
            )
            .map_err(|_| KeyFileError::Crypto)?;
        content.extend_from_slice(&sealed);
        content.extend_from_slice(tag.as_ref());
        Ok(content)
    }

    /// Reads the key file.
    pub(super) fn read(directory: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        let content = Zeroizing::new(std::fs::read(directory.join(files::KEY))?);
        let body = content.strip_prefix(MAGIC).ok_or(KeyFileError::Malformed)?;
        let (kind, body) = body.split_first().ok_or(KeyFileError::Malformed)?;
        match (*kind, passphrase) {
            (PLAIN, None) => {
                let key = body.try_into().map_err(|_| KeyFileError::Malformed)?;
                Ok(Self(Zeroizing::new(key)))
            }
            (PLAIN, Some(_)) => Err(KeyFileError::NoPassphrase),
            (PASSPHRASE, None) => Err(KeyFileError::PassphraseNeeded),
            (PASSPHRASE, Some(passphrase)) => Self::unseal(&content, body, passphrase),
            _ => Err(KeyFileError::Malformed),
        }
    }

    fn unseal(content: &[u8], mut body: &[u8], passphrase: &Passphrase) -> Result<Self, KeyFileError> {
        let mut cost = [0; 3];
        for (value, max) in cost.iter_mut().zip(MAX_COST) {
            *value = u32::from_be_bytes(split(&mut body)?);
            if *value > max {
                return Err(KeyFileError::Malformed);
            }
        }
        let salt: [u8; SALT_LEN] = split(&mut body)?;
        let nonce: [u8; NONCE_LEN] = split(&mut body)?;
        if body.len() != SEALED_LEN {
            return Err(KeyFileError::Malformed);
        }
        let (aad, _) = content
            .split_at_checked(content.len().saturating_sub(SEALED_LEN))
            .ok_or(KeyFileError::Malformed)?;
        let mut sealed = Zeroizing::new(body.to_vec());
        let key = passphrase_key(passphrase, &salt, cost)?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
            .map_err(|_| KeyFileError::WrongPassphrase)?;
        Ok(Self(Zeroizing::new(
            (&*key).try_into().map_err(|_| KeyFileError::Malformed)?,
        )))
    }
}

fn passphrase_key(passphrase: &Passphrase, salt: &[u8], cost: [u32; 3]) -> Result<LessSafeKey, KeyFileError> {
    let [memory, passes, lanes] = cost;
    let params = Params::new(memory, passes, lanes, Some(KEY_LEN)).map_err(|_| KeyFileError::Malformed)?;
    let mut key = Zeroizing::new([0; KEY_LEN]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), salt, key.as_mut_slice())
        .map_err(|_| KeyFileError::Crypto)?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| KeyFileError::Crypto)?;
    Ok(LessSafeKey::new(key))
}

fn split<const N: usize>(body: &mut &[u8]) -> Result<[u8; N], KeyFileError> {
    let (head, rest) = body.split_first_chunk().ok_or(KeyFileError::Malformed)?;
    *body = rest;
    Ok(*head)
}
