//! Byte strings where serde wrote arrays of small numbers.
//!
//! OpenMLS serialises most keys, hashes and certificates as sequences of `u8`, which takes CBOR two bytes for most of
//! them. Such arrays become byte strings under tag 64 (typed array of `uint8`, RFC 8746 §2.1) on the way to storage
//! and arrays again on the way back, so serde sees exactly what it wrote. That halves the tree of a large room.
//!
//! Both ways walk over the heads of data items and need not know how items nest.

/// Replaces arrays of integers from 0 to 255 by tagged byte strings. `None` when `cbor` is not what serde writes.
pub(super) fn pack(cbor: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = cbor;
    while !rest.is_empty() {
        let (head, after) = Head::read(rest)?;
        if head.major == ARRAY
            && let Some((bytes, after)) = small_numbers(head.argument, after)
        {
            out.extend_from_slice(&UINT8_ARRAY);
            Head {
                major: BYTES,
                argument: head.argument,
            }
            .write(out);
            out.extend_from_slice(&bytes);
            rest = after;
        } else {
            rest = copy_item(head, rest, after, out)?;
        }
    }
    Some(())
}

/// Undoes [`pack`]. `None` when `packed` is not what [`pack`] writes.
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
const UINT8_ARRAY: [u8; 2] = [0xd8, 0x40];

/// Major types of RFC 8949 §3.1.
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;

/// The first bytes of a data item: its major type and its argument.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    argument: u64,
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

    fn write(self, out: &mut Vec<u8>) {
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

/// The next `count` items when they are integers from 0 to 255 in shortest form, and what follows.
///
/// One or two items are left alone: the tag would cost more than it saves.
fn small_numbers(count: u64, items: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let count = usize::try_from(count)
        .ok()
        .filter(|n| (3..=items.len()).contains(n))?;
    let mut bytes = Vec::with_capacity(count);
    let mut rest = items;
    for _ in 0..count {
        (bytes, rest) = match rest {
            [direct @ 0..=23, rest @ ..] | [24, direct @ 24..=255, rest @ ..] => {
                bytes.push(*direct);
                (bytes, rest)
            }
            _ => return None,
        };
    }
    Some((bytes, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Tree {
        Blank,
        Bytes(Vec<u8>),
        Wide(Vec<u32>, i64, Option<bool>),
        Named { text: String, map: BTreeMap<u8, Tree> },
        Nodes(Vec<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            Just(Tree::Blank),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Tree::Bytes),
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

    proptest! {
        #[test]
        fn what_is_packed_unpacks_to_the_same_bytes(tree in tree()) {
            let cbor = minicbor_serde::to_vec(&tree).unwrap();
            let mut packed = Vec::new();
            pack(&cbor, &mut packed).unwrap();
            let unpacked = unpack(&packed).unwrap();
            prop_assert_eq!(&unpacked, &cbor);
            prop_assert_eq!(minicbor_serde::from_slice::<Tree>(&unpacked).unwrap(), tree);
            prop_assert!(packed.len() <= cbor.len());
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = unpack(&bytes);
            let _ = pack(&bytes, &mut Vec::new());
        }
    }

    #[test]
    fn bytes_take_a_byte() {
        let mut packed = Vec::new();
        pack(&minicbor_serde::to_vec(vec![0xabu8; 100]).unwrap(), &mut packed).unwrap();
        assert_eq!(packed[..4], [0xd8, 0x40, 0x58, 100]);
        assert_eq!(packed.len(), 104);
    }
}
