//! Who sits at which leaf, by the rules of RFC 9420 for applying a commit to a tree.

use std::collections::{BTreeMap, BTreeSet};

use sabir_wire::mls::{FramedContentBody, MAX_LEAVES, PublicMessage, RatchetTree, Sender};
use sabir_wire::uri::{ClientUri, Domain};

use super::step::{self, Step};

/// How many leaves a roster may have: what a tree may have on the wire.
pub const MAX_ROSTER: usize = MAX_LEAVES;

/// Leaf index to client; `None` for a leaf whose credential names no client in our form. Blank leaves are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Roster(pub(super) BTreeMap<u32, Option<ClientUri>>);

impl Roster {
    pub(super) fn from_tree(tree: &RatchetTree) -> Self {
        Self(
            tree.leaves()
                .map(|(index, leaf)| (index, step::client(leaf)))
                .collect(),
        )
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Option<&ClientUri>)> {
        self.0.iter().map(|(leaf, client)| (*leaf, client.as_ref()))
    }

    pub(super) fn clients_of(&self, own: &Domain) -> BTreeSet<ClientUri> {
        self.0
            .values()
            .flatten()
            .filter(|client| client.authority() == own)
            .cloned()
            .collect()
    }

    /// The roster after a commit of these steps, or `None` where it does not fit this roster.
    ///
    /// Updates come first, then removes, adds, and the committer's own leaf (RFC 9420 §12.3, §12.4.2).
    pub(super) fn after(&self, commit: &PublicMessage, steps: &[Step]) -> Option<Self> {
        let mut next = self.0.clone();
        for step in steps {
            if let Step::Replace { leaf, client } = step {
                *next.get_mut(leaf)? = client.clone();
            }
        }
        for step in steps {
            if let Step::Remove { leaf, .. } = step {
                // Against the old tree: a leaf may be removed by its own wish and another's at once.
                if !self.0.contains_key(leaf) {
                    return None;
                }
                next.remove(leaf);
            }
        }
        // Adds only fill, so the search never has to go back.
        let mut blank = 0;
        for step in steps {
            if let Step::Add { client, .. } = step {
                take_leftmost_blank(&mut next, &mut blank, client.clone())?;
            }
        }
        let FramedContentBody::Commit(content) = &commit.content.body else {
            return None;
        };
        match (commit.sender(), &content.path) {
            (Sender::Member { leaf_index }, Some(path)) => {
                *next.get_mut(&leaf_index)? = step::client(&path.leaf_node);
            }
            (Sender::Member { leaf_index }, None) if next.contains_key(&leaf_index) => {}
            // RFC 9420 §12.4.3.2: the joiner takes the leftmost blank leaf after the proposals.
            (Sender::NewMemberCommit, Some(path)) => {
                take_leftmost_blank(&mut next, &mut blank, step::client(&path.leaf_node))?;
            }
            _ => return None,
        }
        Some(Self(next))
    }
}

/// RFC 9420 §7.7: the leftmost blank leaf, or else a new one at the right. A tree is cut off and doubled only at its
/// right end, so either is the lowest index without a member.
fn take_leftmost_blank(
    leaves: &mut BTreeMap<u32, Option<ClientUri>>,
    blank: &mut u32,
    client: Option<ClientUri>,
) -> Option<()> {
    while leaves.contains_key(blank) {
        *blank = blank.checked_add(1)?;
    }
    if leaves.len() >= MAX_ROSTER {
        return None;
    }
    leaves.insert(*blank, client);
    Some(())
}
