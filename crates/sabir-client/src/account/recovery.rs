//! The recovery code: what a person writes down once.
//!
//! It is the seed of the Ed25519 key whose public half the user certificate commits to: the one key that may replace
//! the identity key. Written as 14 groups of four letters and digits: 32 bytes of seed, then three bytes of their
//! SHA-256, so that a slip of the pen is noticed and not taken for another code.

use data_encoding::BASE32_NOPAD;
use sabir_mls::keys::{HpkeKeyPair, SigningKey, hmac_sha256, sha256};
use sabir_mls::suite;
use zeroize::Zeroizing;

use super::AccountError;

const SEED_LEN: usize = 32;
const CHECK_LEN: usize = 3;
const GROUP: usize = 4;
const BACKUP_LABEL: &[u8] = b"Sabir rooms backup 1";

/// A text is no recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a recovery code: a letter is wrong or missing")]
pub struct RecoveryCodeError;

/// A recovery code, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<[u8; SEED_LEN]>);

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

impl RecoveryCode {
    pub(super) fn new(seed: Zeroizing<[u8; SEED_LEN]>) -> Self {
        Self(seed)
    }

    pub(super) fn from_seed(seed: &[u8]) -> Option<Self> {
        seed.try_into().ok().map(|seed| Self(Zeroizing::new(seed)))
    }

    /// Reads a code as a person types it: case, spaces and hyphens do not matter, nor do 0, 1 and 8 for the letters
    /// they look like.
    ///
    /// # Errors
    /// [`RecoveryCodeError`].
    pub fn parse(text: &str) -> Result<Self, RecoveryCodeError> {
        let meant = |c: char| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        };
        let letters = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(meant);
        let letters = Zeroizing::new(letters.collect::<String>());
        let bytes = Zeroizing::new(
            BASE32_NOPAD
                .decode(letters.as_bytes())
                .map_err(|_| RecoveryCodeError)?,
        );
        let (seed, check) = bytes.split_first_chunk::<SEED_LEN>().ok_or(RecoveryCodeError)?;
        if check != checksum(seed) {
            return Err(RecoveryCodeError);
        }
        Ok(Self(Zeroizing::new(*seed)))
    }

    /// The code as it is shown: groups of four, with hyphens between them.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new([self.0.as_slice(), &checksum(&self.0)].concat());
        let letters = Zeroizing::new(BASE32_NOPAD.encode(&bytes));
        let mut text = Zeroizing::new(String::new());
        for (at, letter) in letters.chars().enumerate() {
            if at > 0 && at.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// What the user certificate commits to: SHA-256 of the public key.
    pub(super) fn commitment(&self) -> Result<[u8; 32], AccountError> {
        Ok(sha256(self.signing_key()?.public()))
    }

    /// The key that may replace the identity key, once.
    pub(super) fn signing_key(&self) -> Result<SigningKey, AccountError> {
        // An Ed25519 key's scheme is 0x0807 in what the key's own storage form begins with.
        let stored = Zeroizing::new([&[0x08, 0x07], self.0.as_slice()].concat());
        SigningKey::from_secret_bytes(&stored).map_err(AccountError::internal)
    }

    /// What the person's rooms are sealed to; devices keep the public half, so that they need no code for it.
    pub(super) fn backup_keys(&self) -> Result<HpkeKeyPair, AccountError> {
        // Apart from the signing key, which is the seed itself: one label, one use.
        let secret = Zeroizing::new(hmac_sha256(self.0.as_slice(), BACKUP_LABEL));
        suite::derive_hpke_key_pair(suite::DEFAULT, &secret).map_err(AccountError::internal)
    }

    pub(super) fn seed(&self) -> &[u8] {
        self.0.as_slice()
    }
}

fn checksum(seed: &[u8; SEED_LEN]) -> [u8; CHECK_LEN] {
    let [a, b, c, ..] = sha256(seed);
    [a, b, c]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn code() -> RecoveryCode {
        RecoveryCode::new(Zeroizing::new([0xa5; SEED_LEN]))
    }

    #[test]
    fn a_code_survives_being_written_down() {
        let text = code().to_text();
        assert_eq!(text.len(), 14 * 4 + 13);
        assert!(text.split('-').all(|group| group.len() == 4));
        assert_eq!(RecoveryCode::parse(&text).unwrap(), code());
        assert_eq!(
            RecoveryCode::parse(&text.to_lowercase().replace('-', " ")).unwrap(),
            code()
        );
        assert_eq!(
            RecoveryCode::parse(&text.replace('O', "0").replace('I', "1").replace('B', "8")).unwrap(),
            code()
        );
    }

    #[test]
    fn every_single_slip_is_noticed() {
        let text = code().to_text().replace('-', "");
        for at in 0..text.len() {
            let mut slipped = text.clone();
            let other = if &text[at..=at] == "A" { "C" } else { "A" };
            slipped.replace_range(at..=at, other);
            assert_eq!(
                RecoveryCode::parse(&slipped),
                Err(RecoveryCodeError),
                "letter {at}"
            );
            slipped.replace_range(at..=at, "");
            assert_eq!(
                RecoveryCode::parse(&slipped),
                Err(RecoveryCodeError),
                "without letter {at}"
            );
        }
        for bad in ["", "hello", "ÄÄÄÄ"] {
            assert_eq!(RecoveryCode::parse(bad), Err(RecoveryCodeError), "{bad}");
        }
    }

    #[test]
    fn the_commitment_is_to_the_public_key() {
        let commitment = code().commitment().unwrap();
        assert_eq!(commitment, code().commitment().unwrap());
        assert_ne!(commitment, sha256(code().seed()));
    }
}
