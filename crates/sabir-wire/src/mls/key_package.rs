use super::extension::extensions;
use super::{CipherSuite, Extension, HpkePublicKey, LeafNode, MAX_SIGNATURE, ProtocolVersion};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};

/// What a client publishes so that others can add it (RFC 9420 §10).
///
/// ```text
/// struct {
///     ProtocolVersion version;
///     CipherSuite cipher_suite;
///     HPKEPublicKey init_key;
///     LeafNode leaf_node;
///     Extension extensions<V>;
///     /* SignWithLabel(., "KeyPackageTBS", KeyPackageTBS) */
///     opaque signature<V>;
/// } KeyPackage;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackage {
    /// The version of MLS it is for; another than [`ProtocolVersion::MLS10`] is kept, for others to refuse.
    pub version: ProtocolVersion,
    /// The cipher suite it is for.
    pub cipher_suite: CipherSuite,
    /// The Welcome's group secrets are encrypted to it.
    pub init_key: HpkePublicKey,
    /// The leaf the client will have.
    pub leaf_node: LeafNode,
    /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), no type twice.
    pub extensions: Vec<Extension>,
    /// The client's signature over [`KeyPackage::to_be_signed`].
    pub signature: Vec<u8>,
}

impl KeyPackage {
    /// `KeyPackageTBS`: every field but the signature.
    #[must_use]
    pub fn to_be_signed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_unsigned(&mut out);
        out
    }

    fn encode_unsigned(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        self.cipher_suite.encode(out);
        self.init_key.encode(out);
        self.leaf_node.encode(out);
        put_vec(out, &self.extensions);
    }
}

impl Encode for KeyPackage {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for KeyPackage {
    const NAME: &'static str = "KeyPackage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: r.read_as("version")?,
            cipher_suite: r.read_as("cipher_suite")?,
            init_key: r.read_as("init_key")?,
            leaf_node: r.read_as("leaf_node")?,
            extensions: extensions(r)?,
            signature: r.opaque("signature", MAX_SIGNATURE)?.to_vec(),
        })
    }
}
