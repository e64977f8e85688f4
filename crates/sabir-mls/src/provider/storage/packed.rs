//! Byte strings where serde wrote arrays of small numbers.
//!
//! OpenMLS serialises most keys, hashes and certificates as sequences of `u8`, which takes CBOR two bytes for most of
//! them. The [writer](super::cbor) makes them byte strings under tag 64 (typed array of `uint8`, RFC 8746 §2.1); here they
//! become arrays again, so serde sees exactly what it wrote. That halves the tree of a large room.
//!
//! The way back walks over the heads of data items and need not know how items nest.

/// Spells byte strings under tag 64 as arrays of numbers. `None` when `packed` is not what the writer writes.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(packed.len().saturating_mul(2));
    let mut rest = packed;
    while !rest.is_empty() {
        if let Some(tagged) = rest.strip_prefix(&UINT8_ARRAY) {
            let (head, after) = Head::read(tagged)?;
            let (bytes, after) = after.split_at_checked(usize::try_from(head.argument).ok()?)?;
            if head.major != BYTES {
                return None;
            }
            Head {
                major: ARRAY,
                argument: head.argument,
            }
            .write(&mut out);
            for byte in bytes {
                match byte {
                    0..=23 => out.push(*byte),
                    _ => out.extend_from_slice(&[24, *byte]),
                }
            }
            rest = after;
        } else {
            let (head, after) = Head::read(rest)?;
            rest = copy_item(head, rest, after, &mut out)?;
        }
    }
    Some(out)
}

/// Tag 64.
pub(super) const UINT8_ARRAY: [u8; 2] = [0xd8, 0x40];

/// Major types of RFC 8949 §3.1.
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;

/// The first bytes of a data item: its major type and its argument.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) major: u8,
    pub(super) argument: u64,
}

impl Head {
    fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = input.split_first()?;
        let major = first >> 5;
        let (argument, rest) = match first & 0x1f {
            direct @ 0..=23 => (direct.into(), rest),
            24 => rest.split_first().map(|(byte, rest)| ((*byte).into(), rest))?,
            25 => rest
                .split_first_chunk()
                .map(|(n, rest)| (u16::from_be_bytes(*n).into(), rest))?,
            26 => rest
                .split_first_chunk()
                .map(|(n, rest)| (u32::from_be_bytes(*n).into(), rest))?,
            27 => rest
                .split_first_chunk()
                .map(|(n, rest)| (u64::from_be_bytes(*n), rest))?,
            // Indefinite lengths, which serde writes for sequences of unknown length: the items follow as they are.
            31 if major >= ARRAY => (u64::MAX, rest),
            _ => return None,
        };
        Some((Self { major, argument }, rest))
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        let major = self.major << 5;
        let [a, b, c, d, e, f, g, h] = self.argument.to_be_bytes();
        match self.argument {
            0..=23 => out.push(major | h),
            24..=0xff => out.extend_from_slice(&[major | 24, h]),
            0x100..=0xffff => out.extend_from_slice(&[major | 25, g, h]),
            0x1_0000..=0xffff_ffff => out.extend_from_slice(&[major | 26, e, f, g, h]),
            _ => out.extend_from_slice(&[major | 27, a, b, c, d, e, f, g, h]),
        }
    }
}

/// Copies a head, and what a string has behind it; gives what follows.
fn copy_item<'a>(head: Head, item: &'a [u8], after: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let payload = match head.major {
        BYTES | TEXT => usize::try_from(head.argument).ok()?,
        _ => 0,
    };
    let rest = after.get(payload..)?;
    out.extend_from_slice(item.get(..item.len().checked_sub(rest.len())?)?);
    Some(rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::cbor::encode;
    use super::super::pieces::split;
    use super::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Tree {
        Blank,
        Bytes(Vec<u8>),
        Fixed([u8; 5], char, ()),
        Wide(Vec<u32>, i64, Option<bool>),
        Named { text: String, map: BTreeMap<u8, Tree> },
        Nodes(Vec<Tree>),
    }

    /// A value whose lists are told apart.
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Outer {
        inner: Inner,
        hash: Vec<u8>,
    }

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Inner {
        leaves: Vec<Tree>,
        parents: Vec<Tree>,
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            Just(Tree::Blank),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Tree::Bytes),
            (any::<[u8; 5]>(), any::<char>()).prop_map(|(fixed, char)| Tree::Fixed(fixed, char, ())),
            (
                proptest::collection::vec(0..600u32, 0..8),
                any::<i64>(),
                any::<Option<bool>>()
            )
                .prop_map(|(wide, number, flag)| Tree::Wide(wide, number, flag)),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                (
                    any::<String>(),
                    proptest::collection::btree_map(any::<u8>(), inner.clone(), 0..4)
                )
                    .prop_map(|(text, map)| Tree::Named { text, map }),
                proptest::collection::vec(inner, 0..5).prop_map(Tree::Nodes),
            ]
        })
    }

    fn outer() -> impl Strategy<Value = Outer> {
        let list = || proptest::collection::vec(tree(), 0..12);
        (list(), list(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(leaves, parents, hash)| {
            Outer {
                inner: Inner { leaves, parents },
                hash,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_plain_cbor(tree in tree()) {
            let written = encode(&[], &tree, 0, None).unwrap();
            let cbor = minicbor_serde::to_vec(&tree).unwrap();
            let unpacked = unpack(&written.bytes).unwrap();
            prop_assert_eq!(&unpacked, &cbor);
            prop_assert_eq!(minicbor_serde::from_slice::<Tree>(&unpacked).unwrap(), tree);
        }

        #[test]
        fn pieces_make_the_whole(value in outer(), place in any::<usize>()) {
            let written = encode(&[7], &value, 9, None).unwrap();
            let pieces = split(&written).unwrap();
            prop_assert!(pieces.is_sorted_by(|(a, _), (b, _)| a < b), "the keys keep the order");
            let whole: Vec<&[u8]> = pieces.iter().map(|(_, piece)| *piece).collect();
            prop_assert_eq!(whole.concat(), &written.bytes[..]);
            let unpacked = unpack(&written.bytes[1..]).unwrap();
            prop_assert_eq!(minicbor_serde::from_slice::<Outer>(&unpacked).unwrap(), value.clone());

            let mut other = value;
            if !other.inner.leaves.is_empty() {
                let place = place % other.inner.leaves.len();
                other.inner.leaves[place] = Tree::Bytes(vec![9; 500]);
                let written = encode(&[7], &other, 0, None).unwrap();
                let changed = split(&written).unwrap();
                prop_assert_eq!(changed.len(), pieces.len());
                let differ = pieces.iter().zip(&changed).filter(|(a, b)| a != b).count();
                prop_assert_eq!(differ, 1, "one element changes one piece");
            }
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = unpack(&bytes);
        }
    }

    #[test]
    fn bytes_take_a_byte() {
        let packed = encode(&[], &vec![0xab_u8; 100], 0, None).unwrap().bytes;
        assert_eq!(packed[..4], [0xd8, 0x40, 0x58, 100]);
        assert_eq!(packed.len(), 104);
    }
}
