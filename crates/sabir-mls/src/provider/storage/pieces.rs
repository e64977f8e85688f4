//! A large value in many rows, so that a small change of it writes little.
//!
//! A room's tree is megabytes, and a commit changes one leaf and its ancestors. The encoding is cut between the
//! elements of its long lists, a few elements to a row; the rows in the order of their keys are the encoding again.
//!
//! ```text
//!   stage 0       1: first list        2           3: second list      4
//!   | head | leaf leaf .. | leaf .. | between | parent .. | parent .. | tail |
//! ```
//!
//! Who knows what a commit touched says so ([`Touched`]), and the pieces without it are not even encoded.

use std::collections::BTreeSet;

use super::cbor::{Encoded, List};

/// Elements of a list that share a row.
const SHARED: usize = 4;

/// What a row's key has behind the value's own: the stage, and the place within it.
pub(super) type Suffix = [u8; 5];

/// Leaves that a commit may have changed, in a tree of so many leaves before it; their ancestors count as well.
#[derive(Debug, Clone)]
pub(crate) struct Touched {
    leaves: usize,
    /// Pieces of the list of leaves, and of the list of parents.
    pieces: [BTreeSet<usize>; 2],
}

impl Touched {
    /// `touched` among `leaves`, blank ones counted.
    pub(crate) fn new(leaves: usize, touched: impl IntoIterator<Item = u32>) -> Self {
        let mut pieces = [BTreeSet::new(), BTreeSet::new()];
        let [of_leaves, of_parents] = &mut pieces;
        for leaf in touched.into_iter().filter_map(|leaf| usize::try_from(leaf).ok()) {
            of_leaves.insert(leaf / SHARED);
            // The ancestor over 2^k leaves stands in the middle of them (RFC 9420, appendix C); the parents alone are
            // numbered here.
            let mut half = 1_usize;
            while half < leaves {
                let over = half.saturating_mul(2);
                let first = leaf.saturating_sub(leaf % over);
                of_parents.insert(first.saturating_add(half).saturating_sub(1) / SHARED);
                half = over;
            }
        }
        Self { leaves, pieces }
    }

    /// Whether an element of a list of `len` is as it was. In a tree of another size none is.
    pub(super) fn spares(&self, list: usize, len: Option<usize>, element: usize) -> bool {
        let before = match list {
            0 => self.leaves,
            _ => self.leaves.saturating_sub(1),
        };
        let touched = self.pieces.get(list);
        len == Some(before) && touched.is_some_and(|pieces| !pieces.contains(&(element / SHARED)))
    }
}

/// The rows of a value; one that was spared is empty. `None` where it has more rows than can be told apart.
pub(super) fn split(encoded: &Encoded) -> Option<Vec<(Suffix, &[u8])>> {
    let mut rows = Vec::new();
    let mut at = 0;
    let mut stage = 0_u8;
    for List { start, ends } in &encoded.lists {
        rows.push((suffix(stage, 0)?, encoded.bytes.get(at..*start)?));
        at = *start;
        stage = stage.checked_add(1)?;
        for (place, shared) in ends.chunks(SHARED).enumerate() {
            let end = *shared.last()?;
            rows.push((suffix(stage, place)?, encoded.bytes.get(at..end)?));
            at = end;
        }
        stage = stage.checked_add(1)?;
    }
    rows.push((suffix(stage, 0)?, encoded.bytes.get(at..)?));
    Some(rows)
}

fn suffix(stage: u8, place: usize) -> Option<Suffix> {
    let [a, b, c, d] = u32::try_from(place).ok()?.to_be_bytes();
    Some([stage, a, b, c, d])
}
