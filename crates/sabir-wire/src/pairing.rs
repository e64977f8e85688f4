//! What two devices of one person say to each other while one of them is linked: ours.
//!
//! ```text
//! new device                                                       old device, which holds the identity key
//!   PairingText  ---- carried by the person -------------------->
//!                <--- box: PairingHello, sealed to the text's key
//!                ---- box: PairingReveal ----------------------->
//!         both show: number = H(text, hello, nonce) mod 1,000,000; the person compares
//!                <--- box: PairingLetter, signed and sealed
//! ```
//!
//! The text commits to the new device's nonce, and the hello brings the old one's, before either side knows the number:
//! whoever stands in between must settle on both halves of what they want to be equal before they can try. Without the
//! commitment a million tries at home would do. This module only carries; `sabir-client` decides.

use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};
use crate::device_list::SignedDeviceList;
use crate::field;
use crate::mls::{Credential, MAX_SIGNATURE};
use crate::uri::{ClientUri, RoomUri, UserUri};

/// Most bytes of a new device's name.
pub const MAX_DEVICE_NAME: usize = 128;
/// Most rooms in a letter.
pub const MAX_PAIRING_ROOMS: usize = 512;
/// Most bytes of a sealed [`PairingHello`] or [`PairingLetter`].
pub const MAX_PAIRING_POST: usize = 128 << 10;
/// Most bytes of a certificate in a letter.
const MAX_CERTIFICATE: usize = 16 << 10;
/// Most certificates of the provider in a letter.
const MAX_CERTIFICATES: usize = 8;

/// What the new device shows.
///
/// ```text
/// struct {
///     uint8 version = 1;
///     IdentifierUri client;            /* the name that it wishes, of the provider that it is to be linked at */
///     opaque device_key[32];           /* Ed25519: the key of its leaves */
///     opaque seal_key[32];             /* X25519: what is sent to it is sealed to this one */
///     opaque commitment[32];           /* SHA-256 of its PairingReveal */
///     opaque device_name<V>;           /* what its person calls it */
/// } PairingText;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingText {
    /// The client that it will be.
    pub client: ClientUri,
    /// The public key of its leaves.
    pub device_key: [u8; 32],
    /// The public key that what is sent to it is sealed to.
    pub seal_key: [u8; 32],
    /// SHA-256 of its encoded [`PairingReveal`].
    pub commitment: [u8; 32],
    /// Its name, for people.
    pub device_name: String,
}

impl PairingText {
    const VERSION: u8 = 1;
}

impl Encode for PairingText {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::VERSION);
        self.client.encode(out);
        out.extend_from_slice(&self.device_key);
        out.extend_from_slice(&self.seal_key);
        out.extend_from_slice(&self.commitment);
        field::put_text(out, &self.device_name);
    }
}

impl Decode for PairingText {
    const NAME: &'static str = "PairingText";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        if r.u8("version")? != Self::VERSION {
            return Err(r.error_at(at, "version", DecodeErrorKind::Invalid("another version")));
        }
        Ok(Self {
            client: r.read_as("client")?,
            device_key: r.array("device_key")?,
            seal_key: r.array("seal_key")?,
            commitment: r.array("commitment")?,
            device_name: field::text(r, "device_name", MAX_DEVICE_NAME)?,
        })
    }
}

/// What the old device answers the text with: who the person is, and its half of the number.
///
/// ```text
/// struct {
///     IdentifierUri user;
///     opaque identity_key[32];
///     opaque nonce[32];
/// } PairingHello;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingHello {
    /// The person.
    pub user: UserUri,
    /// Their public identity key.
    pub identity_key: [u8; 32],
    /// Fresh.
    pub nonce: [u8; 32],
}

impl PairingHello {
    /// What it is sealed under; the context is the encoded text.
    pub const ENCRYPTION_LABEL: &'static str = "SabirPairingHello";
}

impl Encode for PairingHello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        out.extend_from_slice(&self.identity_key);
        out.extend_from_slice(&self.nonce);
    }
}

impl Decode for PairingHello {
    const NAME: &'static str = "PairingHello";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.read_as("user")?,
            identity_key: r.array("identity_key")?,
            nonce: r.array("nonce")?,
        })
    }
}

/// The new device's half of the number, to which its text committed.
///
/// ```text
/// struct {
///     opaque nonce[32];
/// } PairingReveal;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingReveal {
    /// Fresh.
    pub nonce: [u8; 32],
}

/// Bytes of an encoded [`PairingReveal`].
pub const PAIRING_REVEAL: usize = 32;
/// Bytes of a body in which one is looked for.
pub const MAX_PAIRING_REVEAL: usize = 1 << 10;

impl Encode for PairingReveal {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.nonce);
    }
}

impl Decode for PairingReveal {
    const NAME: &'static str = "PairingReveal";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            nonce: r.array("nonce")?,
        })
    }
}

/// What makes the new device one of the person's.
///
/// ```text
/// struct {
///     opaque transcript[32];                /* of text, hello and reveal */
///     Credential credential;                /* the new device's */
///     SignedDeviceList device_list;         /* names it */
///     opaque provider_ca<V>;                /* every pinned certificate of the provider, each opaque<V> */
///     IdentifierUri rooms<V>;               /* the rooms that the person is in */
/// } PairingLetterTBS;
///
/// struct {
///     PairingLetterTBS;
///     /* SignWithLabel(identity_key, "SabirPairingLetterTBS", PairingLetterTBS) */
///     opaque signature<V>;
/// } PairingLetter;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingLetter {
    /// SHA-256 over what was said before.
    pub transcript: [u8; 32],
    /// X.509: the new device's certificate, then the user certificate.
    pub credential: Credential,
    /// The person's newest list.
    pub device_list: SignedDeviceList,
    /// The certificates of their provider's identity, in DER, as the old device has pinned them.
    pub provider_ca: Vec<Vec<u8>>,
    /// Where the person takes part; at most [`MAX_PAIRING_ROOMS`].
    pub rooms: Vec<RoomUri>,
    /// Over [`PairingLetter::tbs`].
    pub signature: Vec<u8>,
}

impl PairingLetter {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirPairingLetterTBS";
    /// What it is sealed under; the context is the transcript.
    pub const ENCRYPTION_LABEL: &'static str = "SabirPairingLetter";

    /// `PairingLetterTBS`.
    #[must_use]
    pub fn tbs(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_tbs(&mut out);
        out
    }

    fn encode_tbs(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.transcript);
        self.credential.encode(out);
        self.device_list.encode(out);
        field::put_byte_lists(out, &self.provider_ca);
        crate::codec::put_vec(out, &self.rooms);
    }
}

impl Encode for PairingLetter {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_tbs(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for PairingLetter {
    const NAME: &'static str = "PairingLetter";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let transcript = r.array("transcript")?;
        let credential = r.read_as("credential")?;
        let device_list = r.read_as("device_list")?;
        let provider_ca = field::byte_lists(r, "provider_ca", MAX_CERTIFICATE, MAX_CERTIFICATES)?;
        let rooms: Vec<RoomUri> = r.list("rooms", MAX_PAIRING_POST)?;
        if rooms.len() > MAX_PAIRING_ROOMS {
            return Err(r.error(
                "rooms",
                DecodeErrorKind::TooLong {
                    max: MAX_PAIRING_ROOMS,
                },
            ));
        }
        Ok(Self {
            transcript,
            credential,
            device_list,
            provider_ca,
            rooms,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_PAIRING_POST)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::device_list::KeyHash;

    fn letter() -> PairingLetter {
        let user = UserUri::parse("mimi://a.example/u/alice").unwrap();
        PairingLetter {
            transcript: [1; 32],
            credential: Credential::X509 {
                certificates: vec![vec![2; 9], vec![3; 9]],
            },
            device_list: SignedDeviceList {
                user,
                version: 2,
                key_hashes: vec![KeyHash([4; 32]), KeyHash([5; 32])],
                signature: vec![6; 64],
            },
            provider_ca: vec![vec![7; 9]],
            rooms: vec![RoomUri::parse("mimi://b.example/r/x").unwrap()],
            signature: vec![8; 64],
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_behind_it() {
        let text = PairingText {
            client: ClientUri::parse("mimi://a.example/d/abc").unwrap(),
            device_key: [1; 32],
            seal_key: [2; 32],
            commitment: [3; 32],
            device_name: "phone".to_owned(),
        };
        let hello = PairingHello {
            user: UserUri::parse("mimi://a.example/u/alice").unwrap(),
            identity_key: [4; 32],
            nonce: [5; 32],
        };
        assert_eq!(PairingText::from_bytes(&text.to_bytes()).unwrap(), text);
        assert_eq!(PairingHello::from_bytes(&hello.to_bytes()).unwrap(), hello);
        assert_eq!(PairingLetter::from_bytes(&letter().to_bytes()).unwrap(), letter());
        for mut bytes in [text.to_bytes(), hello.to_bytes(), letter().to_bytes()] {
            bytes.push(0);
            assert!(PairingText::from_bytes(&bytes).is_err());
            assert!(PairingHello::from_bytes(&bytes).is_err());
            assert!(PairingLetter::from_bytes(&bytes).is_err());
        }
        let mut other = text.to_bytes();
        other.splice(..1, [2]);
        assert!(PairingText::from_bytes(&other).is_err(), "another version");
    }

    #[test]
    fn a_letter_is_signed_as_a_whole_and_names_no_end_of_rooms() {
        let whole = letter().to_bytes();
        let tbs = letter().tbs();
        assert!(whole.starts_with(&tbs) && whole.len() == tbs.len() + 2 + 64);
        let room = |number: usize| RoomUri::parse(&format!("mimi://b.example/r/{number}")).unwrap();
        let mut most = letter();
        most.rooms = (0..MAX_PAIRING_ROOMS).map(room).collect();
        assert_eq!(PairingLetter::from_bytes(&most.to_bytes()).unwrap(), most);
        most.rooms.push(room(MAX_PAIRING_ROOMS));
        assert!(PairingLetter::from_bytes(&most.to_bytes()).is_err());
    }
}
