//! What both devices do with what they say to each other while one is linked (docs/decisions/0007-devices.md; the
//! structures are those of [`sabir_wire::pairing`]).
//!
//! ```text
//! text --(carried by the person)--> hello --> reveal --> number on both, compared --> letter
//! ```
//!
//! The text is the one thing that did not go through the provider. What goes through it is sealed to the text's key, and
//! the number is over all that both sides took for the other's.

use data_encoding::BASE64URL_NOPAD;
use rand_core::CryptoRng;
use sabir_mls::keys::{KeyError, sha256};
use sabir_mls::suite;
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::HpkeCiphertext;
use sabir_wire::pairing::{PairingHello, PairingReveal, PairingText};
use zeroize::Zeroizing;

/// What a text begins with, so that people see what it is.
const PREFIX: &str = "sabir-device-";
/// Bytes of SHA-256 at a text's end, against slips.
const CHECK: usize = 4;
/// Most letters of a text.
const MOST: usize = 2048;
/// How long both sides wait for each other: as long as the provider keeps a box.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// Why two devices are not linked. Nothing has changed on either, unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// The text is none that a new device shows, or a letter of it is wrong.
    #[error("this is not what a new device shows: a letter is wrong or missing")]
    Text,
    /// The new device is at another provider.
    #[error("the new device wants to be linked at another provider than yours")]
    AnotherProvider,
    /// The other side did not answer in time.
    #[error("the other device did not answer in time")]
    Late,
    /// The numbers differ: somebody stands in between, or it is another device.
    #[error("the numbers differ: nothing was linked")]
    Numbers,
    /// What came is not what the other device can have sent.
    #[error("what came is not from the other device: {0}")]
    Forged(&'static str),
    /// This device does not hold the identity key.
    #[error("this device may not change the list of devices: it does not hold your identity key")]
    MayNot,
    /// There are as many devices as there may be.
    #[error("you have as many devices as one person may have")]
    TooMany,
    /// The device is on the list already.
    #[error("this device is linked already")]
    Already,
}

/// A text that was read, or is shown.
#[derive(Debug, Clone)]
pub(crate) struct Paired {
    pub(crate) text: PairingText,
    bytes: Vec<u8>,
}

impl Paired {
    pub(crate) fn new(text: PairingText) -> Self {
        let bytes = text.to_bytes();
        Self { text, bytes }
    }

    /// As it is shown.
    pub(crate) fn to_shown(&self) -> String {
        let check = sha256(&self.bytes);
        let whole = [self.bytes.as_slice(), check.split_at(CHECK).0].concat();
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&whole))
    }

    /// Reads what was shown.
    pub(crate) fn read(shown: &str) -> Result<Self, PairingError> {
        let letters: String = shown.chars().filter(|c| !c.is_whitespace()).collect();
        let letters = letters.strip_prefix(PREFIX).ok_or(PairingError::Text)?;
        if letters.len() > MOST {
            return Err(PairingError::Text);
        }
        let whole = BASE64URL_NOPAD
            .decode(letters.as_bytes())
            .map_err(|_| PairingError::Text)?;
        let (bytes, check) = whole
            .len()
            .checked_sub(CHECK)
            .and_then(|end| whole.split_at_checked(end))
            .ok_or(PairingError::Text)?;
        if sha256(bytes).split_at(CHECK).0 != check {
            return Err(PairingError::Text);
        }
        let text = PairingText::from_bytes(bytes).map_err(|_| PairingError::Text)?;
        Ok(Self {
            text,
            bytes: bytes.to_vec(),
        })
    }

    /// Where a slot of the box lies that only who knows the text can name.
    pub(crate) fn path(&self, slot: &str) -> String {
        let name = sha256(&[b"SabirPairingBox".as_slice(), &self.bytes].concat());
        format!("{}{}{slot}", path::PAIRING, BASE64URL_NOPAD.encode(&name))
    }

    /// What a hello is sealed with.
    pub(crate) fn context(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the text committed to this half.
    pub(crate) fn commits_to(&self, reveal: &PairingReveal) -> bool {
        sha256(&reveal.to_bytes()) == self.text.commitment
    }

    /// What both sides took for what was said.
    pub(crate) fn transcript(&self, hello: &PairingHello, reveal: &PairingReveal) -> [u8; 32] {
        let said = [
            b"SabirPairingTranscript".to_vec(),
            sha256(&self.bytes).to_vec(),
            sha256(&hello.to_bytes()).to_vec(),
            reveal.to_bytes(),
        ];
        sha256(&said.concat())
    }
}

/// The number that both devices show: six digits of the transcript.
pub(crate) fn number(transcript: &[u8; 32]) -> String {
    let said = [b"SabirPairingNumber".as_slice(), transcript].concat();
    let hash = sha256(&said);
    let first = hash
        .first_chunk::<8>()
        .map_or(0, |first| u64::from_be_bytes(*first));
    let (high, low) = (first % 1_000_000 / 1000, first % 1000);
    format!("{high:03} {low:03}")
}

/// Whether somebody typed this number.
pub(crate) fn is_number(typed: &str, number: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let others = typed
        .chars()
        .any(|c| !c.is_ascii_digit() && !c.is_whitespace() && c != '-');
    !others && digits(typed) == digits(number)
}

/// Seals to the key of a text.
pub(crate) fn seal(
    to: &[u8; 32],
    label: &str,
    context: &[u8],
    plain: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, KeyError> {
    let sealed = suite::encrypt_with_label(suite::DEFAULT, to, label, context, plain, rng)?;
    let (kem_output, ciphertext) = sealed;
    Ok(HpkeCiphertext {
        kem_output,
        ciphertext,
    }
    .to_bytes())
}

/// Opens what was sealed to the key of the own text.
pub(crate) fn open(
    private: &[u8],
    label: &str,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, PairingError> {
    let forged = PairingError::Forged("it does not open");
    let sealed = HpkeCiphertext::from_bytes(sealed).map_err(|_| forged)?;
    let parts = (sealed.kem_output.as_slice(), sealed.ciphertext.as_slice());
    suite::decrypt_with_label(suite::DEFAULT, private, label, context, parts).map_err(|_| forged)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use sabir_wire::uri::{ClientUri, UserUri};

    use super::*;

    fn paired() -> Paired {
        Paired::new(PairingText {
            client: ClientUri::parse("mimi://a.example/d/abc").unwrap(),
            device_key: [1; 32],
            seal_key: [2; 32],
            commitment: sha256(&[3; 32]),
            device_name: "phone".to_owned(),
        })
    }

    fn hello() -> PairingHello {
        PairingHello {
            user: UserUri::parse("mimi://a.example/u/alice").unwrap(),
            identity_key: [4; 32],
            nonce: [5; 32],
        }
    }

    #[test]
    fn a_text_is_read_as_it_was_shown_and_a_slip_is_noticed() {
        let shown = paired().to_shown();
        assert_eq!(Paired::read(&shown).unwrap().text, paired().text);
        let broken = shown.replace("AQEB", "AQ EB\n");
        assert_eq!(Paired::read(&broken).unwrap().text, paired().text);
        for at in PREFIX.len()..shown.len() {
            let mut slipped = shown.clone();
            let other = if &shown[at..=at] == "A" { "C" } else { "A" };
            slipped.replace_range(at..=at, other);
            assert_eq!(
                Paired::read(&slipped).unwrap_err(),
                PairingError::Text,
                "letter {at}"
            );
            slipped.replace_range(at..=at, "");
            assert_eq!(
                Paired::read(&slipped).unwrap_err(),
                PairingError::Text,
                "without {at}"
            );
        }
        for bad in ["", "hello", PREFIX, &format!("{PREFIX}{}", "A".repeat(5000))] {
            assert_eq!(Paired::read(bad).unwrap_err(), PairingError::Text);
        }
    }

    #[test]
    fn the_number_is_over_everything_that_was_said() {
        let reveal = PairingReveal { nonce: [3; 32] };
        assert!(paired().commits_to(&reveal));
        assert!(!paired().commits_to(&PairingReveal { nonce: [4; 32] }));
        let of = |paired: &Paired, hello: &PairingHello, reveal: &PairingReveal| {
            number(&paired.transcript(hello, reveal))
        };
        let same = of(&paired(), &hello(), &reveal);
        assert_eq!(same.len(), 7);
        let mut others = Vec::new();
        for which in 0..4 {
            let mut text = paired().text;
            match which {
                0 => text.device_key[0] ^= 1,
                1 => text.seal_key[0] ^= 1,
                2 => text.commitment[0] ^= 1,
                _ => text.device_name.push('s'),
            }
            others.push(of(&Paired::new(text), &hello(), &reveal));
        }
        let mut other = hello();
        other.identity_key[0] ^= 1;
        others.push(of(&paired(), &other, &reveal));
        let mut other = hello();
        other.nonce[0] ^= 1;
        others.push(of(&paired(), &other, &reveal));
        others.push(of(&paired(), &hello(), &PairingReveal { nonce: [9; 32] }));
        assert!(!others.contains(&same), "{same}: {others:?}");
    }

    #[test]
    fn a_number_is_typed_with_or_without_its_space() {
        assert!(is_number("123 456\n", "123 456") && is_number("123-456", "123 456"));
        assert!(is_number("123456", "123 456"));
        for wrong in ["", "y", "yes", "123 457", "12345", "x123456", "1234560"] {
            assert!(!is_number(wrong, "123 456"), "{wrong}");
        }
    }

    #[test]
    fn only_the_key_of_the_text_opens_what_is_sealed() {
        let mut rng = crate::random::stream().unwrap();
        let pair = suite::hpke_key_pair(suite::DEFAULT, &mut rng).unwrap();
        let other = suite::hpke_key_pair(suite::DEFAULT, &mut rng).unwrap();
        let to: [u8; 32] = pair.public.clone().try_into().unwrap();
        let sealed = seal(&to, "A", b"context", b"plain", &mut rng).unwrap();
        let opened = |private: &[u8], label, context: &[u8], sealed: &[u8]| {
            open(private, label, context, sealed).map(|plain| plain.to_vec())
        };
        let private = pair.private.to_vec();
        assert_eq!(opened(&private, "A", b"context", &sealed).unwrap(), b"plain");
        assert!(opened(&other.private, "A", b"context", &sealed).is_err());
        assert!(opened(&private, "B", b"context", &sealed).is_err());
        assert!(opened(&private, "A", b"other", &sealed).is_err());
        assert!(opened(&private, "A", b"context", b"short").is_err());
    }
}
