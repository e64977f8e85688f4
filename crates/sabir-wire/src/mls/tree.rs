use super::{HpkePublicKey, LeafNode, MAX_HASH, MAX_MESSAGE, MAX_NODES, MAX_UNMERGED};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_optional, put_vec};

/// An inner node (RFC 9420 §7.1).
///
/// ```text
/// struct {
///     HPKEPublicKey encryption_key;
///     opaque parent_hash<V>;
///     uint32 unmerged_leaves<V>;
/// } ParentNode;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentNode {
    /// Path secrets are encrypted to it.
    pub encryption_key: HpkePublicKey,
    /// Binds the node to its ancestors, at most [`MAX_HASH`] bytes.
    pub parent_hash: Vec<u8>,
    /// Leaf indices below this node that do not know its private key, strictly ascending.
    pub unmerged_leaves: Vec<u32>,
}

impl Encode for ParentNode {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encryption_key.encode(out);
        put_opaque(out, &self.parent_hash);
        put_vec(out, &self.unmerged_leaves);
    }
}

impl Decode for ParentNode {
    const NAME: &'static str = "ParentNode";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            encryption_key: r.read_as("encryption_key")?,
            parent_hash: r.opaque("parent_hash", MAX_HASH)?.to_vec(),
            unmerged_leaves: unmerged_leaves(r)?,
        })
    }
}

fn unmerged_leaves(r: &mut Reader<'_>) -> Result<Vec<u32>, DecodeError> {
    let mut inner = r.nested("unmerged_leaves", MAX_UNMERGED)?;
    let mut leaves: Vec<u32> = Vec::new();
    while !inner.is_empty() {
        let at = inner.offset();
        let leaf = inner.u32("unmerged_leaves")?;
        // RFC 9420 §7.1: the indices stand in increasing order.
        if leaves.last().is_some_and(|last| *last >= leaf) {
            return Err(inner.error_at(at, "unmerged_leaves", DecodeErrorKind::NotSorted));
        }
        leaves.push(leaf);
    }
    Ok(leaves)
}

/// A node that is not blank (RFC 9420 §12.4.3.3).
///
/// ```text
/// struct {
///     NodeType node_type;
///     select (Node.node_type) {
///         case leaf:   LeafNode leaf_node;
///         case parent: ParentNode parent_node;
///     };
/// } Node;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// 1.
    Leaf(Box<LeafNode>),
    /// 2.
    Parent(Box<ParentNode>),
}

impl Encode for Node {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf(leaf) => {
                out.push(1);
                leaf.encode(out);
            }
            Self::Parent(parent) => {
                out.push(2);
                parent.encode(out);
            }
        }
    }
}

impl Decode for Node {
    const NAME: &'static str = "Node";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("node_type")? {
            1 => r.read_as("leaf_node").map(|leaf| Self::Leaf(Box::new(leaf))),
            2 => r
                .read_as("parent_node")
                .map(|parent| Self::Parent(Box::new(parent))),
            other => Err(r.error_at(at, "node_type", DecodeErrorKind::UnknownValue(other.into()))),
        }
    }
}

/// `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3): the nodes of a tree in array order, leaves at even
/// places, parents at odd ones, the last one not blank. At most [`MAX_NODES`] and [`MAX_MESSAGE`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatchetTree(
    /// `None` is a blank node.
    pub Vec<Option<Node>>,
);

impl RatchetTree {
    /// The leaves that are not blank, with their leaf indices, ascending.
    pub fn leaves(&self) -> impl Iterator<Item = (u32, &LeafNode)> {
        (0_u32..)
            .zip(self.0.iter().step_by(2))
            .filter_map(|(index, node)| match node {
                Some(Node::Leaf(leaf)) => Some((index, leaf.as_ref())),
                Some(Node::Parent(_)) | None => None,
            })
    }

    /// The leaf at a leaf index, `None` where it is blank or outside.
    #[must_use]
    pub fn leaf(&self, leaf_index: u32) -> Option<&LeafNode> {
        let place = usize::try_from(leaf_index).ok()?.checked_mul(2)?;
        match self.0.get(place)? {
            Some(Node::Leaf(leaf)) => Some(leaf),
            Some(Node::Parent(_)) | None => None,
        }
    }
}

impl Encode for RatchetTree {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        for node in &self.0 {
            put_optional(&mut content, node.as_ref());
        }
        put_opaque(out, &content);
    }
}

impl Decode for RatchetTree {
    const NAME: &'static str = "RatchetTree";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = r.offset();
        let mut inner = r.nested("ratchet_tree", MAX_MESSAGE)?;
        let mut nodes: Vec<Option<Node>> = Vec::new();
        let mut at = start;
        while !inner.is_empty() {
            if nodes.len() >= MAX_NODES {
                return Err(inner.error("ratchet_tree", DecodeErrorKind::TooLong { max: MAX_NODES }));
            }
            at = inner.offset();
            let node: Option<Node> = inner.optional("ratchet_tree")?;
            let misplaced = match &node {
                Some(Node::Leaf(_)) => !nodes.len().is_multiple_of(2),
                Some(Node::Parent(_)) => nodes.len().is_multiple_of(2),
                None => false,
            };
            if misplaced {
                let kind = DecodeErrorKind::Invalid("a leaf at an odd place or a parent at an even one");
                return Err(inner.error_at(at, "ratchet_tree", kind));
            }
            nodes.push(node);
        }
        match nodes.last() {
            Some(Some(_)) => Ok(Self(nodes)),
            // RFC 9420 §12.4.3.3: the receiver must check that the last node is not blank.
            Some(None) => Err(r.error_at(
                at,
                "ratchet_tree",
                DecodeErrorKind::Invalid("the last node is blank"),
            )),
            None => Err(r.error_at(start, "ratchet_tree", DecodeErrorKind::TooShort { min: 1 })),
        }
    }
}
