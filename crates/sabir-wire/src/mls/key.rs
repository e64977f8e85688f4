use super::{MAX_KEY, MAX_MESSAGE};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque};

macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident, $wire:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Vec<u8>);

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                put_opaque(out, &self.0);
            }
        }

        impl Decode for $name {
            const NAME: &'static str = $wire;

            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(r.opaque("key", MAX_KEY)?.to_vec()))
            }
        }
    };
}

public_key! {
    /// `opaque SignaturePublicKey<V>` (RFC 9420 §5.1.1), at most [`MAX_KEY`] bytes.
    SignaturePublicKey, "SignaturePublicKey"
}

public_key! {
    /// `opaque HPKEPublicKey<V>` (RFC 9420 §5.1.1), at most [`MAX_KEY`] bytes.
    HpkePublicKey, "HPKEPublicKey"
}

/// Something encrypted to an [`HpkePublicKey`] (RFC 9420 §7.6).
///
/// ```text
/// struct {
///     opaque kem_output<V>;
///     opaque ciphertext<V>;
/// } HPKECiphertext;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HpkeCiphertext {
    /// The encapsulated key, at most [`MAX_KEY`] bytes.
    pub kem_output: Vec<u8>,
    /// What was encrypted, and its tag.
    pub ciphertext: Vec<u8>,
}

impl Encode for HpkeCiphertext {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.kem_output);
        put_opaque(out, &self.ciphertext);
    }
}

impl Decode for HpkeCiphertext {
    const NAME: &'static str = "HPKECiphertext";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            kem_output: r.opaque("kem_output", MAX_KEY)?.to_vec(),
            ciphertext: r.opaque("ciphertext", MAX_MESSAGE)?.to_vec(),
        })
    }
}
