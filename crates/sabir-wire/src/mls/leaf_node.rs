use super::extension::extensions;
use super::{
    Capabilities, Credential, Extension, HpkePublicKey, Lifetime, MAX_HASH, MAX_SIGNATURE, SignaturePublicKey,
};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};

/// One client's place in a group (RFC 9420 §7.2).
///
/// ```text
/// struct {
///     HPKEPublicKey encryption_key;
///     SignaturePublicKey signature_key;
///     Credential credential;
///     Capabilities capabilities;
///
///     LeafNodeSource leaf_node_source;
///     select (LeafNode.leaf_node_source) {
///         case key_package:
///             Lifetime lifetime;
///         case update:
///             struct{};
///         case commit:
///             opaque parent_hash<V>;
///     };
///
///     Extension extensions<V>;
///     /* SignWithLabel(., "LeafNodeTBS", LeafNodeTBS) */
///     opaque signature<V>;
/// } LeafNode;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafNode {
    /// Path secrets are encrypted to it.
    pub encryption_key: HpkePublicKey,
    /// Verifies the client's messages.
    pub signature_key: SignaturePublicKey,
    /// Who the client is.
    pub credential: Credential,
    /// What it understands.
    pub capabilities: Capabilities,
    /// How the leaf came to be.
    pub leaf_node_source: LeafNodeSource,
    /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), no type twice.
    pub extensions: Vec<Extension>,
    /// The client's signature over [`LeafNode::to_be_signed`].
    pub signature: Vec<u8>,
}

/// How a leaf came to be, and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafNodeSource {
    /// 1: in a KeyPackage.
    KeyPackage(Lifetime),
    /// 2: by an Update proposal.
    Update,
    /// 3: by a Commit's path.
    Commit {
        /// Binds the leaf to its ancestors, at most [`MAX_HASH`] bytes.
        parent_hash: Vec<u8>,
    },
}

impl LeafNode {
    /// `LeafNodeTBS`: what [`LeafNode::signature`] covers. A leaf from an Update or a Commit is signed with the
    /// group and the leaf index it belongs to; one from a KeyPackage is not, and `group_id` and `leaf_index`
    /// are ignored.
    ///
    /// ```text
    /// struct {
    ///     /* the fields of LeafNode up to extensions */
    ///     select (LeafNodeTBS.leaf_node_source) {
    ///         case key_package:
    ///             struct{};
    ///         case update:
    ///             opaque group_id<V>;
    ///             uint32 leaf_index;
    ///         case commit:
    ///             opaque group_id<V>;
    ///             uint32 leaf_index;
    ///     };
    /// } LeafNodeTBS;
    /// ```
    #[must_use]
    pub fn to_be_signed(&self, group_id: &[u8], leaf_index: u32) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_unsigned(&mut out);
        match self.leaf_node_source {
            LeafNodeSource::KeyPackage(_) => {}
            LeafNodeSource::Update | LeafNodeSource::Commit { .. } => {
                put_opaque(&mut out, group_id);
                leaf_index.encode(&mut out);
            }
        }
        out
    }

    fn encode_unsigned(&self, out: &mut Vec<u8>) {
        self.encryption_key.encode(out);
        self.signature_key.encode(out);
        self.credential.encode(out);
        self.capabilities.encode(out);
        match &self.leaf_node_source {
            LeafNodeSource::KeyPackage(lifetime) => {
                out.push(1);
                lifetime.encode(out);
            }
            LeafNodeSource::Update => out.push(2),
            LeafNodeSource::Commit { parent_hash } => {
                out.push(3);
                put_opaque(out, parent_hash);
            }
        }
        put_vec(out, &self.extensions);
    }
}

impl Encode for LeafNode {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for LeafNode {
    const NAME: &'static str = "LeafNode";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            encryption_key: r.read_as("encryption_key")?,
            signature_key: r.read_as("signature_key")?,
            credential: r.read_as("credential")?,
            capabilities: r.read_as("capabilities")?,
            leaf_node_source: source(r)?,
            extensions: extensions(r)?,
            signature: r.opaque("signature", MAX_SIGNATURE)?.to_vec(),
        })
    }
}

fn source(r: &mut Reader<'_>) -> Result<LeafNodeSource, DecodeError> {
    let at = r.offset();
    match r.u8("leaf_node_source")? {
        1 => r.read_as("lifetime").map(LeafNodeSource::KeyPackage),
        2 => Ok(LeafNodeSource::Update),
        3 => Ok(LeafNodeSource::Commit {
            parent_hash: r.opaque("parent_hash", MAX_HASH)?.to_vec(),
        }),
        other => Err(r.error_at(
            at,
            "leaf_node_source",
            DecodeErrorKind::UnknownValue(other.into()),
        )),
    }
}
