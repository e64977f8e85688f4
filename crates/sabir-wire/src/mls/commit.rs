use super::bounds::bounded_list;
use super::{
    HpkeCiphertext, HpkePublicKey, LeafNode, MAX_ID, MAX_LEAVES, MAX_MESSAGE, MAX_PATH, MAX_PROPOSALS,
    Proposal,
};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_optional, put_vec};

/// A proposal in a commit, or the hash of one sent before (RFC 9420 §12.4).
///
/// ```text
/// struct {
///     ProposalOrRefType type;
///     select (ProposalOrRef.type) {
///         case proposal:  Proposal proposal;
///         case reference: ProposalRef reference;
///     };
/// } ProposalOrRef;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposalOrRef {
    /// 1: by value.
    Proposal(Proposal),
    /// 2: by reference.
    Reference(
        /// At most [`MAX_ID`] bytes.
        Vec<u8>,
    ),
}

impl Encode for ProposalOrRef {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Proposal(proposal) => {
                out.push(1);
                proposal.encode(out);
            }
            Self::Reference(reference) => {
                out.push(2);
                put_opaque(out, reference);
            }
        }
    }
}

impl Decode for ProposalOrRef {
    const NAME: &'static str = "ProposalOrRef";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("type")? {
            1 => r.read_as("proposal").map(Self::Proposal),
            2 => Ok(Self::Reference(r.opaque("reference", MAX_ID)?.to_vec())),
            other => Err(r.error_at(at, "type", DecodeErrorKind::UnknownValue(other.into()))),
        }
    }
}

/// Ends an epoch (RFC 9420 §12.4).
///
/// ```text
/// struct {
///     ProposalOrRef proposals<V>;
///     optional<UpdatePath> path;
/// } Commit;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// At most [`MAX_PROPOSALS`], in the order they apply within a type.
    pub proposals: Vec<ProposalOrRef>,
    /// New keys from the committer's leaf to the root.
    pub path: Option<UpdatePath>,
}

impl Commit {
    /// The proposals it carries itself, in order.
    pub fn proposals_by_value(&self) -> impl Iterator<Item = &Proposal> {
        self.proposals.iter().filter_map(|entry| match entry {
            ProposalOrRef::Proposal(proposal) => Some(proposal),
            ProposalOrRef::Reference(_) => None,
        })
    }

    /// The hashes of the proposals it takes from earlier messages, in order.
    pub fn proposals_by_reference(&self) -> impl Iterator<Item = &[u8]> {
        self.proposals.iter().filter_map(|entry| match entry {
            ProposalOrRef::Proposal(_) => None,
            ProposalOrRef::Reference(reference) => Some(reference.as_slice()),
        })
    }
}

impl Encode for Commit {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.proposals);
        put_optional(out, self.path.as_ref());
    }
}

impl Decode for Commit {
    const NAME: &'static str = "Commit";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            proposals: bounded_list(r, "proposals", MAX_MESSAGE, MAX_PROPOSALS)?,
            path: r.optional("path")?,
        })
    }
}

/// New keys from a leaf to the root (RFC 9420 §7.6).
///
/// ```text
/// struct {
///     LeafNode leaf_node;
///     UpdatePathNode nodes<V>;
/// } UpdatePath;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePath {
    /// The committer's new leaf.
    pub leaf_node: LeafNode,
    /// At most [`MAX_PATH`], from the leaf's parent upwards, with at most [`MAX_LEAVES`] ciphertexts together.
    pub nodes: Vec<UpdatePathNode>,
}

impl Encode for UpdatePath {
    fn encode(&self, out: &mut Vec<u8>) {
        self.leaf_node.encode(out);
        put_vec(out, &self.nodes);
    }
}

impl Decode for UpdatePath {
    const NAME: &'static str = "UpdatePath";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            leaf_node: r.read_as("leaf_node")?,
            nodes: path_nodes(r)?,
        })
    }
}

fn path_nodes(r: &mut Reader<'_>) -> Result<Vec<UpdatePathNode>, DecodeError> {
    let mut inner = r.nested("nodes", MAX_MESSAGE)?;
    let mut nodes: Vec<UpdatePathNode> = Vec::new();
    let mut ciphertexts = 0_usize;
    while !inner.is_empty() {
        if nodes.len() >= MAX_PATH {
            return Err(inner.error("nodes", DecodeErrorKind::TooLong { max: MAX_PATH }));
        }
        let at = inner.offset();
        let node: UpdatePathNode = inner.read_as("nodes")?;
        ciphertexts = ciphertexts.saturating_add(node.encrypted_path_secret.len());
        if ciphertexts > MAX_LEAVES {
            return Err(inner.error_at(at, "nodes", DecodeErrorKind::TooLong { max: MAX_LEAVES }));
        }
        nodes.push(node);
    }
    Ok(nodes)
}

/// One node of an [`UpdatePath`] (RFC 9420 §7.6).
///
/// ```text
/// struct {
///     HPKEPublicKey encryption_key;
///     HPKECiphertext encrypted_path_secret<V>;
/// } UpdatePathNode;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePathNode {
    /// The node's new key.
    pub encryption_key: HpkePublicKey,
    /// Its path secret, once for each node of the copath child's resolution, at most [`MAX_LEAVES`].
    pub encrypted_path_secret: Vec<HpkeCiphertext>,
}

impl Encode for UpdatePathNode {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encryption_key.encode(out);
        put_vec(out, &self.encrypted_path_secret);
    }
}

impl Decode for UpdatePathNode {
    const NAME: &'static str = "UpdatePathNode";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            encryption_key: r.read_as("encryption_key")?,
            encrypted_path_secret: bounded_list(r, "encrypted_path_secret", MAX_MESSAGE, MAX_LEAVES)?,
        })
    }
}
