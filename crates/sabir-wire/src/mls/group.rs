use super::extension::extensions;
use super::{CipherSuite, Extension, MAX_HASH, MAX_ID, MAX_SIGNATURE, ProtocolVersion};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};

/// What every member of a group agrees on (RFC 9420 §8.1).
///
/// ```text
/// struct {
///     ProtocolVersion version = mls10;
///     CipherSuite cipher_suite;
///     opaque group_id<V>;
///     uint64 epoch;
///     opaque tree_hash<V>;
///     opaque confirmed_transcript_hash<V>;
///     Extension extensions<V>;
/// } GroupContext;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupContext {
    /// The group's cipher suite.
    pub cipher_suite: CipherSuite,
    /// The group's name, at most [`MAX_ID`] bytes.
    pub group_id: Vec<u8>,
    /// How many commits there were.
    pub epoch: u64,
    /// Hash of the ratchet tree.
    pub tree_hash: Vec<u8>,
    /// Hash of the commits so far.
    pub confirmed_transcript_hash: Vec<u8>,
    /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), no type twice.
    pub extensions: Vec<Extension>,
}

impl Encode for GroupContext {
    fn encode(&self, out: &mut Vec<u8>) {
        ProtocolVersion::MLS10.encode(out);
        self.cipher_suite.encode(out);
        put_opaque(out, &self.group_id);
        self.epoch.encode(out);
        put_opaque(out, &self.tree_hash);
        put_opaque(out, &self.confirmed_transcript_hash);
        put_vec(out, &self.extensions);
    }
}

impl Decode for GroupContext {
    const NAME: &'static str = "GroupContext";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        mls10(r)?;
        Ok(Self {
            cipher_suite: r.read_as("cipher_suite")?,
            group_id: r.opaque("group_id", MAX_ID)?.to_vec(),
            epoch: r.u64("epoch")?,
            tree_hash: r.opaque("tree_hash", MAX_HASH)?.to_vec(),
            confirmed_transcript_hash: r.opaque("confirmed_transcript_hash", MAX_HASH)?.to_vec(),
            extensions: extensions(r)?,
        })
    }
}

/// `ProtocolVersion version = mls10`: the rest of a structure of another version is not known.
pub(super) fn mls10(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    let at = r.offset();
    match ProtocolVersion(r.u16("version")?) {
        ProtocolVersion::MLS10 => Ok(()),
        other => Err(r.error_at(at, "version", DecodeErrorKind::UnknownValue(other.0.into()))),
    }
}

/// What a client needs to know to join, beside the tree (RFC 9420 §12.4.3).
///
/// ```text
/// struct {
///     GroupContext group_context;
///     Extension extensions<V>;
///     MAC confirmation_tag;
///     uint32 signer;
///     /* SignWithLabel(., "GroupInfoTBS", GroupInfoTBS) */
///     opaque signature<V>;
/// } GroupInfo;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// The epoch it describes.
    pub group_context: GroupContext,
    /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), no type twice.
    pub extensions: Vec<Extension>,
    /// Proves that the signer knows the epoch, at most [`MAX_HASH`] bytes.
    pub confirmation_tag: Vec<u8>,
    /// Leaf index of who signed.
    pub signer: u32,
    /// The signer's signature over [`GroupInfo::to_be_signed`].
    pub signature: Vec<u8>,
}

impl GroupInfo {
    /// `GroupInfoTBS`: every field but the signature.
    #[must_use]
    pub fn to_be_signed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_unsigned(&mut out);
        out
    }

    fn encode_unsigned(&self, out: &mut Vec<u8>) {
        self.group_context.encode(out);
        put_vec(out, &self.extensions);
        put_opaque(out, &self.confirmation_tag);
        self.signer.encode(out);
    }
}

impl Encode for GroupInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for GroupInfo {
    const NAME: &'static str = "GroupInfo";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group_context: r.read_as("group_context")?,
            extensions: extensions(r)?,
            confirmation_tag: r.opaque("confirmation_tag", MAX_HASH)?.to_vec(),
            signer: r.u32("signer")?,
            signature: r.opaque("signature", MAX_SIGNATURE)?.to_vec(),
        })
    }
}
