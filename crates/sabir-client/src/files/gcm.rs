//! AES-128-GCM over a whole file, piece by piece.
//!
//! The content draft encrypts a file as one AEAD message (draft-ietf-mimi-content §4.5). A library's one-shot AEAD would
//! need all of it in memory. GCM is counter mode and a polynomial hash: the cipher comes from aws-lc, can begin at any
//! block, and the hash runs along. Tests hold both against aws-lc's one-shot AEAD.
//!
//! ```text
//! H = E(0)      J0 = nonce | 1      block n of the keystream = E(nonce | n + 2)
//! tag = E(J0) xor GHASH(H, pad(aad) | pad(ciphertext) | 64-bit lengths in bits)
//! ```
//!
//! Invariant: nothing that [`Cipher`] decrypts counts before [`Authenticator`] has seen all of the ciphertext.

use aws_lc_rs::cipher::{AES_128, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time;
use aws_lc_rs::iv::FixedLength;
use ghash::GHash;
use ghash::universal_hash::UniversalHash as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 16;
/// Bytes of a nonce.
pub(super) const NONCE_LEN: usize = 12;
/// Bytes that encryption adds.
pub(super) const TAG_LEN: usize = 16;
/// The longest file under one nonce, in bytes: 2^39 - 256 bits (NIST SP 800-38D §5.2.1.1).
pub(super) const MAX_PLAINTEXT: u64 = (1 << 36) - 32;

const BLOCK: usize = 16;

/// The cipher library failed, or a length is beyond the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cipher failed")]
pub(super) struct CipherFailed;

impl From<aws_lc_rs::error::Unspecified> for CipherFailed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// Key and nonce of one file.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct FileKey {
    key: [u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(..)")
    }
}

impl FileKey {
    /// Takes key and nonce; `None` where one has another length.
    pub(super) fn new(key: &[u8], nonce: &[u8]) -> Option<Self> {
        Some(Self {
            key: key.try_into().ok()?,
            nonce: nonce.try_into().ok()?,
        })
    }

    pub(super) fn key(&self) -> &[u8; KEY_LEN] {
        &self.key
    }

    pub(super) fn nonce(&self) -> &[u8; NONCE_LEN] {
        &self.nonce
    }

    /// The cipher from byte `offset` of the file, a multiple of 16, on. It encrypts and decrypts alike.
    pub(super) fn cipher(&self, offset: u64) -> Result<Cipher, CipherFailed> {
        if !offset.is_multiple_of(BLOCK as u64) || offset > MAX_PLAINTEXT {
            return Err(CipherFailed);
        }
        let counter = u32::try_from(offset / BLOCK as u64).map_err(|_| CipherFailed)?;
        let counter = counter.checked_add(2).ok_or(CipherFailed)?;
        Ok(Cipher(self.counter_mode(self.counter_block(counter))?))
    }

    /// Authenticates a ciphertext with this associated data.
    pub(super) fn authenticator(&self, aad: &[u8]) -> Result<Authenticator, CipherFailed> {
        let hash_key = Zeroizing::new(self.encrypt_block([0; BLOCK])?);
        let mut hash = GHash::new(&(*hash_key).into());
        hash.update_padded(aad);
        Ok(Authenticator {
            hash,
            mask: Zeroizing::new(self.encrypt_block(self.counter_block(1))?),
            partial: [0; BLOCK],
            pending: 0,
            aad: aad.len() as u64,
            length: 0,
        })
    }

    fn counter_block(&self, counter: u32) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let (nonce, count) = block.split_at_mut(NONCE_LEN);
        nonce.copy_from_slice(&self.nonce);
        count.copy_from_slice(&counter.to_be_bytes());
        block
    }

    /// One block through the bare cipher: the first block of the keystream that begins at it.
    fn encrypt_block(&self, block: [u8; BLOCK]) -> Result<[u8; BLOCK], CipherFailed> {
        let mut out = Zeroizing::new([0; BLOCK * 2]);
        let mut cipher = self.counter_mode(block)?;
        let written = cipher.update(&[0; BLOCK], out.as_mut_slice())?;
        written.written().try_into().map_err(|_| CipherFailed)
    }

    fn counter_mode(&self, start: [u8; BLOCK]) -> Result<StreamingEncryptingKey, CipherFailed> {
        let key = UnboundCipherKey::new(&AES_128, &self.key)?;
        let context = EncryptionContext::Iv128(FixedLength::from(start));
        Ok(StreamingEncryptingKey::less_safe_ctr(key, context)?)
    }
}

/// Counter mode at some place of a file.
pub(super) struct Cipher(StreamingEncryptingKey);

impl Cipher {
    /// Encrypts or decrypts what comes next into `out`, which is replaced.
    pub(super) fn apply(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CipherFailed> {
        // The library wants room for a block that counter mode never fills.
        out.resize(input.len().saturating_add(BLOCK), 0);
        let written = self.0.update(input, out)?.written().len();
        if written != input.len() {
            return Err(CipherFailed);
        }
        out.truncate(written);
        Ok(())
    }
}

/// The hash over a ciphertext.
pub(super) struct Authenticator {
    hash: GHash,
    mask: Zeroizing<[u8; BLOCK]>,
    partial: [u8; BLOCK],
    /// Bytes of `partial` that are waiting.
    pending: usize,
    aad: u64,
    length: u64,
}

impl Authenticator {
    /// Takes the next bytes of the ciphertext.
    pub(super) fn update(&mut self, mut ciphertext: &[u8]) {
        self.length = self.length.saturating_add(ciphertext.len() as u64);
        if self.pending > 0 {
            let wanted = BLOCK.saturating_sub(self.pending).min(ciphertext.len());
            let (head, rest) = ciphertext.split_at(wanted);
            let end = self.pending.saturating_add(wanted);
            if let Some(room) = self.partial.get_mut(self.pending..end) {
                room.copy_from_slice(head);
            }
            (self.pending, ciphertext) = (end, rest);
            if self.pending < BLOCK {
                return;
            }
            self.hash.update_padded(&self.partial);
            self.pending = 0;
        }
        let whole = ciphertext.len().saturating_sub(ciphertext.len() % BLOCK);
        let (blocks, rest) = ciphertext.split_at(whole);
        self.hash.update_padded(blocks);
        if let Some(room) = self.partial.get_mut(..rest.len()) {
            room.copy_from_slice(rest);
        }
        self.pending = rest.len();
    }

    /// The tag of what was seen.
    pub(super) fn tag(mut self) -> [u8; TAG_LEN] {
        let last = self.partial.get(..self.pending).unwrap_or_default();
        self.hash.update_padded(last);
        let mut lengths = [0; BLOCK];
        let (aad, ciphertext) = lengths.split_at_mut(BLOCK / 2);
        aad.copy_from_slice(&self.aad.saturating_mul(8).to_be_bytes());
        ciphertext.copy_from_slice(&self.length.saturating_mul(8).to_be_bytes());
        self.hash.update_padded(&lengths);
        let mut tag: [u8; TAG_LEN] = self.hash.finalize().into();
        for (byte, mask) in tag.iter_mut().zip(self.mask.iter()) {
            *byte ^= mask;
        }
        tag
    }

    /// Whether what was seen has this tag.
    pub(super) fn verify(self, tag: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.tag(), tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::random;

    fn seal(key: &FileKey, aad: &[u8], plaintext: &[u8], pieces: usize) -> Vec<u8> {
        let mut cipher = key.cipher(0).unwrap();
        let mut authenticator = key.authenticator(aad).unwrap();
        let (mut sealed, mut out) = (Vec::new(), Vec::new());
        for piece in plaintext.chunks(pieces) {
            cipher.apply(piece, &mut out).unwrap();
            authenticator.update(&out);
            sealed.extend_from_slice(&out);
        }
        sealed.extend_from_slice(&authenticator.tag());
        sealed
    }

    fn one_shot(key: &FileKey, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let aead = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.key()).unwrap());
        let mut sealed = plaintext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*key.nonce());
        aead.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed)
            .unwrap();
        sealed
    }

    #[test]
    fn the_published_vectors_hold() {
        // The test cases 1 to 4 of "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega.
        let zero = "00000000000000000000000000000000";
        let key = "feffe9928665731c6d6a8f9467308308";
        let nonce = "cafebabefacedbaddecaf888";
        let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let sealed = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091";
        for (key, nonce, aad, plaintext, expected) in [
            (
                zero,
                &zero[..24],
                "",
                "",
                "58e2fccefa7e3061367f1d57a4e7455a".to_owned(),
            ),
            (
                zero,
                &zero[..24],
                "",
                zero,
                "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf".to_owned(),
            ),
            (
                key,
                nonce,
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                text,
                format!("{sealed}5bc94fbc3221a5db94fae95ae7121a47"),
            ),
        ] {
            let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
            let key = FileKey::new(&hex(key), &hex(nonce)).unwrap();
            let sealed = seal(&key, &hex(aad), &hex(plaintext), 7);
            assert_eq!(HEXLOWER.encode(&sealed), expected);
        }
    }

    #[test]
    fn pieces_of_any_size_make_what_one_shot_makes() {
        let mut dice = [0; 2];
        for round in 0..200_usize {
            random::fill(&mut dice).unwrap();
            let length = if round < 70 {
                round
            } else {
                usize::from(u16::from_be_bytes(dice))
            };
            let mut plaintext = vec![0; length];
            let (mut key, mut nonce) = ([0; KEY_LEN], [0; NONCE_LEN]);
            for bytes in [&mut plaintext[..], &mut key, &mut nonce] {
                random::fill(bytes).unwrap();
            }
            let key = FileKey::new(&key, &nonce).unwrap();
            let aad = &plaintext[..length.min(round % 40)];
            let pieces = 1 + usize::from(dice[0]) * (1 + round % 17);
            assert_eq!(
                seal(&key, aad, &plaintext, pieces),
                one_shot(&key, aad, &plaintext),
                "{length} in {pieces}"
            );
        }
    }

    #[test]
    fn the_cipher_begins_at_any_block() {
        let key = FileKey::new(&[7; KEY_LEN], &[9; NONCE_LEN]).unwrap();
        let plaintext: Vec<u8> = (0..5000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let sealed = one_shot(&key, &[], &plaintext);
        for block in [0, 1, 17, 312] {
            let at = block * BLOCK;
            let mut out = Vec::new();
            key.cipher(at as u64)
                .unwrap()
                .apply(&sealed[at..5000], &mut out)
                .unwrap();
            assert_eq!(out, plaintext[at..]);
        }
        assert!(key.cipher(8).is_err(), "not within a block");
        assert!(key.cipher(MAX_PLAINTEXT + 16).is_err());
        // The last block before the counter would come round.
        assert!(key.cipher(MAX_PLAINTEXT - 16).is_ok());
    }

    #[test]
    fn one_other_bit_is_noticed() {
        let key = FileKey::new(&[7; KEY_LEN], &[9; NONCE_LEN]).unwrap();
        let mut sealed = seal(&key, b"aad", &[3; 100], 9);
        let verify = |sealed: &[u8], aad: &[u8]| {
            let mut authenticator = key.authenticator(aad).unwrap();
            authenticator.update(&sealed[..100]);
            authenticator.verify(&sealed[100..])
        };
        assert!(verify(&sealed, b"aad"));
        assert!(!verify(&sealed, b"aae"));
        for at in [0, 50, 99, 100, 115] {
            sealed[at] ^= 1;
            assert!(!verify(&sealed, b"aad"), "at {at}");
            sealed[at] ^= 1;
        }
        assert!(!verify(&sealed[..115], b"aad"), "a tag that is cut");
    }
}
