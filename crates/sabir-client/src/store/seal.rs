//! Sealing of values and hashing of what is looked up.
//!
//! ```text
//! sealed = 1 | salt[12] | nonce[12] | AES-256-GCM(row key, nonce, aad, value)
//! row key = HMAC-SHA256(sealing key, salt)
//! aad = opaque table<V> | opaque primary key<V>
//! ```
//!
//! A key per value, because MLS rewrites rows with every message: random nonces under one key would come to the
//! bound of GCM (2^32 seals) within the life of a profile. Table and primary key in the associated data keep
//! whoever may write the file from moving values between rows.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use sabir_wire::codec::put_opaque;
use zeroize::Zeroizing;

use super::StoreError;
use super::key::ProfileKey;
use crate::random;

const FORMAT: u8 = 1;
const SALT_LEN: usize = 12;
/// Bytes that sealing adds.
#[cfg(test)]
pub(super) const OVERHEAD: usize = 1 + SALT_LEN + NONCE_LEN + 16;

/// Length of a keyed hash, in bytes: nobody but the owner of the key chooses what is hashed, so half of SHA-256 is
/// plenty.
const HASH_LEN: usize = 16;

/// A keyed hash that stands for something looked up.
pub(super) type Hash = [u8; HASH_LEN];

pub(super) struct Sealer {
    sealing: hmac::Key,
    hashing: hmac::Key,
}

impl Sealer {
    pub(super) fn new(key: &ProfileKey) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
        let derive = |label: &str| {
            let derived = hmac::sign(&root, label.as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
        };
        Self {
            sealing: derive("sabir profile: sealing"),
            hashing: derive("sabir profile: hashing"),
        }
    }

    pub(super) fn seal(&self, table: &'static str, row: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut salt = [0; SALT_LEN];
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut salt)?;
        random::fill(&mut nonce)?;
        let key = self.row_key(table, &salt)?;
        let mut content = Zeroizing::new(value.to_vec());
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad(table, row), &mut content)
            .map_err(|_| StoreError::Damaged(table))?;
        Ok([&[FORMAT], salt.as_slice(), &nonce, &content, tag.as_ref()].concat())
    }

    pub(super) fn open(
        &self,
        table: &'static str,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let damaged = || StoreError::Damaged(table);
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(damaged)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or_else(damaged)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let key = self.row_key(table, salt)?;
        let mut content = Zeroizing::new(rest.to_vec());
        let len = key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                aad(table, row),
                &mut content,
            )
            .map_err(|_| damaged())?
            .len();
        content.truncate(len);
        Ok(content)
    }

    /// The keyed hash of `parts`, which are told apart from each other; `what` tells uses apart.
    pub(super) fn hash(&self, what: &'static str, parts: &[&[u8]]) -> Hash {
        let mut input = Vec::new();
        put_opaque(&mut input, what.as_bytes());
        for part in parts {
            put_opaque(&mut input, part);
        }
        let whole = hmac::sign(&self.hashing, &input);
        let mut hash = [0; HASH_LEN];
        for (byte, from) in hash.iter_mut().zip(whole.as_ref()) {
            *byte = *from;
        }
        hash
    }

    fn row_key(&self, table: &'static str, salt: &[u8]) -> Result<LessSafeKey, StoreError> {
        let key = hmac::sign(&self.sealing, salt);
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| StoreError::Damaged(table))?;
        Ok(LessSafeKey::new(key))
    }
}

fn aad(table: &'static str, row: &[u8]) -> Aad<Vec<u8>> {
    let mut bytes = Vec::new();
    put_opaque(&mut bytes, table.as_bytes());
    put_opaque(&mut bytes, row);
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&ProfileKey::from_bytes([byte; 32]))
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let sealer = sealer(1);
        let sealed = sealer.seal("timeline", b"7", b"hello").unwrap();
        assert_eq!(sealed.len(), b"hello".len() + OVERHEAD);
        assert_eq!(
            sealer.open("timeline", b"7", &sealed).unwrap().as_slice(),
            b"hello"
        );
        for (table, row) in [("timeline", b"8".as_slice()), ("rows", b"7"), ("timeline", b"")] {
            assert!(
                matches!(sealer.open(table, row, &sealed), Err(StoreError::Damaged(_))),
                "{table}"
            );
        }
        assert!(self::sealer(2).open("timeline", b"7", &sealed).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealer = sealer(1);
        let sealed = sealer.seal("rows", b"k", b"value").unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(sealer.open("rows", b"k", &bad).is_err(), "byte {at}");
            assert!(sealer.open("rows", b"k", &sealed[..at]).is_err(), "length {at}");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let sealer = sealer(1);
        assert_ne!(
            sealer.seal("rows", b"k", b"v").unwrap(),
            sealer.seal("rows", b"k", b"v").unwrap()
        );
    }

    #[test]
    fn hashes_tell_uses_and_parts_apart() {
        let sealer = sealer(1);
        let hashes = [
            sealer.hash("room", &[b"ab"]),
            sealer.hash("room", &[b"a", b"b"]),
            sealer.hash("person", &[b"ab"]),
            self::sealer(2).hash("room", &[b"ab"]),
        ];
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[at + 1..].contains(hash), "{at}");
        }
    }
}
