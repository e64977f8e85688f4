//! A room's ratchet tree as bytes, and as one hash: without a copy of the tree, which is megabytes in a large room.

use openmls::prelude::Ciphersuite;
use openmls::treesync::TreeSync;
use openmls_traits::types::HashType;
use sabir_wire::codec::{Encode as _, put_opaque, put_optional};
use sabir_wire::mls::{Node, RatchetTree};

use crate::error::MlsError;
use crate::provider::primitives;

/// `NodeType` of RFC 9420 §7.8 and §12.4.3.3.
const LEAF: u8 = 1;
const PARENT: u8 = 2;

/// Encodes a tree as `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3).
///
/// # Errors
/// [`MlsError::Internal`] only.
pub(crate) fn encode(tree: &TreeSync) -> Result<Vec<u8>, MlsError> {
    let leaves = tree.leaves();
    let mut parents = tree.full_parents().peekable();
    let mut nodes = Vec::new();
    // What is blank behind the last leaf is left out.
    let count = leaves
        .iter()
        .rposition(Option::is_some)
        .map_or(0, |last| last.saturating_add(1));
    for (place, leaf) in (0_u32..).zip(leaves.into_iter().take(count)) {
        if let Some(before) = place.checked_sub(1) {
            match parents.next_if(|(index, _)| index.u32() == before) {
                Some((_, parent)) => put_node(&mut nodes, PARENT, parent)?,
                None => nodes.push(0),
            }
        }
        match leaf {
            Some(leaf) => put_node(&mut nodes, LEAF, leaf)?,
            None => nodes.push(0),
        }
    }
    let mut out = Vec::with_capacity(nodes.len().saturating_add(4));
    put_opaque(&mut out, &nodes);
    Ok(out)
}

fn put_node(out: &mut Vec<u8>, kind: u8, node: &impl tls_codec::Serialize) -> Result<(), MlsError> {
    out.extend_from_slice(&[1, kind]);
    node.tls_serialize(out).map_err(MlsError::internal)?;
    Ok(())
}

/// The hash of a tree's root (RFC 9420 §7.8). Two trees without blank ends have one hash only when they are equal.
pub(crate) fn hash(suite: Ciphersuite, tree: &RatchetTree) -> Vec<u8> {
    let leaves = tree.0.len().div_ceil(2).next_power_of_two();
    let hashing = Hashing {
        tree,
        algorithm: suite.hash_algorithm(),
    };
    hashing.subtree(0, leaves, &mut Vec::new())
}

struct Hashing<'a> {
    tree: &'a RatchetTree,
    algorithm: HashType,
}

impl Hashing<'_> {
    /// The hash of the subtree over `count` leaves from `first` on; `input` is memory that is used again.
    fn subtree(&self, first: usize, count: usize, input: &mut Vec<u8>) -> Vec<u8> {
        let halves = (count > 1).then(|| {
            let half = count / 2;
            let left = self.subtree(first, half, input);
            let right = self.subtree(first.saturating_add(half), half, input);
            (left, right)
        });
        // The root of a subtree stands in the middle of its nodes.
        let place = first.saturating_mul(2).saturating_add(count).saturating_sub(1);
        let node = self.tree.0.get(place).and_then(Option::as_ref);
        input.clear();
        match halves {
            None => {
                input.push(LEAF);
                u32::try_from(first).unwrap_or(u32::MAX).encode(input);
                put_optional(input, node.and_then(as_leaf));
            }
            Some((left, right)) => {
                input.push(PARENT);
                put_optional(input, node.and_then(as_parent));
                put_opaque(input, &left);
                put_opaque(input, &right);
            }
        }
        primitives::hash(self.algorithm, &[input])
    }
}

fn as_leaf(node: &Node) -> Option<&sabir_wire::mls::LeafNode> {
    match node {
        Node::Leaf(leaf) => Some(leaf),
        Node::Parent(_) => None,
    }
}

fn as_parent(node: &Node) -> Option<&sabir_wire::mls::ParentNode> {
    match node {
        Node::Parent(parent) => Some(parent),
        Node::Leaf(_) => None,
    }
}
