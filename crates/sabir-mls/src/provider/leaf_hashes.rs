//! Hashes of a tree's leaves, each computed once.
//!
//! OpenMLS hashes the whole tree three times for a commit, though the commit changes one leaf, and a leaf carries two
//! certificates. What is hashed begins with the leaf's index (RFC 9420 §7.8), so the last input of each index is kept
//! with its hash: to compare it costs a tenth of hashing it, and an answer is never of another input than the one
//! asked for.

use std::sync::{Mutex, PoisonError};

use openmls_traits::types::HashType;

use super::primitives;

/// `NodeType` leaf of RFC 9420 §7.8.
const LEAF: u8 = 1;

/// Shorter inputs are hashed faster than they are looked up.
const MIN_INPUT: usize = 128;

/// Leaves at higher indices are not remembered.
const MAX_LEAVES: usize = 1 << 16;

/// Bytes of inputs that are remembered at most.
const MAX_BYTES: usize = 16 << 20;

/// A memory of leaves that were hashed. Leaves are public; nothing in here is secret.
#[derive(Default)]
pub(super) struct LeafHashes(Mutex<Known>);

#[derive(Default)]
struct Known {
    leaves: Vec<Option<Leaf>>,
    /// Bytes of all inputs.
    bytes: usize,
}

struct Leaf {
    algorithm: HashType,
    input: Vec<u8>,
    hash: Vec<u8>,
}

impl LeafHashes {
    /// The hash of `input`, whatever it is; from memory where it is a leaf that was hashed before.
    pub(super) fn hash(&self, algorithm: HashType, input: &[u8]) -> Vec<u8> {
        let Some(index) = leaf_index(input) else {
            return primitives::hash(algorithm, &[input]);
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(leaf)) = known.leaves.get(index)
            && leaf.algorithm == algorithm
            && leaf.input == input
        {
            return leaf.hash.clone();
        }
        let hash = primitives::hash(algorithm, &[input]);
        known.remember(index, algorithm, input, &hash);
        hash
    }
}

impl Known {
    fn remember(&mut self, index: usize, algorithm: HashType, input: &[u8], hash: &[u8]) {
        if self.leaves.len() <= index {
            self.leaves.resize_with(index.saturating_add(1), || None);
        }
        let Some(place) = self.leaves.get_mut(index) else {
            return;
        };
        let before = place.take().map_or(0, |leaf| leaf.input.len());
        self.bytes = self.bytes.saturating_sub(before);
        if self.bytes.saturating_add(input.len()) <= MAX_BYTES {
            self.bytes = self.bytes.saturating_add(input.len());
            *place = Some(Leaf {
                algorithm,
                input: input.to_vec(),
                hash: hash.to_vec(),
            });
        }
    }
}

/// The index of the leaf that `input` reads as, where it is worth remembering.
fn leaf_index(input: &[u8]) -> Option<usize> {
    let (&LEAF, rest) = input.split_first().filter(|_| input.len() >= MIN_INPUT)? else {
        return None;
    };
    let index = u32::from_be_bytes(*rest.first_chunk()?);
    usize::try_from(index).ok().filter(|index| *index < MAX_LEAVES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn leaf(index: u32, fill: u8, len: usize) -> Vec<u8> {
        [&[LEAF][..], &index.to_be_bytes(), &vec![fill; len]].concat()
    }

    #[test]
    fn every_answer_is_the_hash_of_what_was_asked() {
        let hashes = LeafHashes::default();
        let inputs = [
            leaf(0, 1, 300),
            leaf(0, 2, 300),
            leaf(1, 1, 300),
            leaf(1, 1, 301),
            leaf(1, 1, 3),
            leaf(u32::MAX, 1, 300),
            vec![2; 300],
            Vec::new(),
        ];
        for _ in 0..3 {
            for input in &inputs {
                for algorithm in [HashType::Sha2_256, HashType::Sha2_512] {
                    for _ in 0..2 {
                        assert_eq!(
                            hashes.hash(algorithm, input),
                            primitives::hash(algorithm, &[input])
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let hashes = LeafHashes::default();
        for round in 0..3 {
            for index in 0..40 {
                hashes.hash(HashType::Sha2_256, &leaf(index, round, 1 << 20));
            }
            let known = hashes.0.lock().unwrap();
            let held: usize = known.leaves.iter().flatten().map(|leaf| leaf.input.len()).sum();
            assert_eq!(held, known.bytes);
            assert!(held <= MAX_BYTES);
        }
        hashes.hash(HashType::Sha2_256, &leaf(u32::MAX, 0, 300));
        assert!(hashes.0.lock().unwrap().leaves.len() <= MAX_LEAVES);
    }
}
