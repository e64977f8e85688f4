use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::codec::DecodeErrorKind;

fn read(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap()
}

/// The structure, the bytes and the reason of each valid vector.
fn valid() -> Vec<(String, Vec<u8>, String)> {
    read(include_str!("../../../../../vectors/mls/valid.json"))
        .iter()
        .map(|v| {
            (
                text(v, "structure").into(),
                unhex(text(v, "hex")),
                v["why"].to_string(),
            )
        })
        .collect()
}

fn variant(kind: DecodeErrorKind) -> String {
    format!("{kind:?}").split([' ', '(']).next().unwrap().to_owned()
}

#[test]
fn valid_vectors_survive_a_round_trip() {
    for (structure, bytes, why) in valid() {
        assert_eq!(
            decode_again(&structure, &bytes).as_ref(),
            Ok(&bytes),
            "{structure} {why}"
        );
    }
}

#[test]
fn valid_vectors_cut_short_anywhere_are_truncated() {
    for (structure, bytes, why) in valid() {
        for cut in 0..bytes.len() {
            let error = decode_again(&structure, &bytes[..cut]).unwrap_err();
            assert_eq!(
                error.kind,
                DecodeErrorKind::Truncated,
                "{structure} {why}, {cut} bytes: {error}"
            );
            assert!(error.offset <= cut, "{structure} {why}, {cut} bytes: {error}");
        }
    }
}

#[test]
fn bytes_behind_valid_vectors_are_left_over() {
    for (structure, mut bytes, why) in valid() {
        let end = bytes.len();
        bytes.push(0);
        let error = decode_again(&structure, &bytes).unwrap_err();
        assert_eq!(
            (error.kind, error.offset),
            (DecodeErrorKind::TrailingBytes, end),
            "{structure} {why}"
        );
    }
}

#[test]
fn valid_vectors_with_one_other_byte_are_refused_or_survive_a_round_trip() {
    for (structure, bytes, why) in valid() {
        for at in 0..bytes.len() {
            for other in 0..=u8::MAX {
                let mut bytes = bytes.clone();
                bytes[at] = other;
                if let Ok(encoded) = decode_again(&structure, &bytes) {
                    assert_eq!(encoded, bytes, "{structure} {why}, byte {at} is {other}");
                }
            }
        }
    }
}

#[test]
fn invalid_vectors_fail_as_named_where_named() {
    let vectors = read(include_str!("../../../../../vectors/mls/invalid.json"));
    for v in &vectors {
        let why = v["why"].to_string();
        let structure = text(v, "structure");
        let Err(error) = decode_again(structure, &unhex(text(v, "hex"))) else {
            panic!("{structure} {why}: accepted");
        };
        let found = (variant(error.kind), error.structure, error.field, error.offset);
        let offset = usize::try_from(v["offset"].as_u64().unwrap()).unwrap();
        let named = (
            text(v, "error").to_owned(),
            text(v, "at"),
            text(v, "field"),
            offset,
        );
        assert_eq!(found, named, "{structure} {why}: {error}");
    }
    assert!(vectors.len() > valid().len());
}

#[test]
fn what_takes_one_byte_each_is_counted() {
    let blanks = [vec![0x80, 0x02, 0x00, 0x00], vec![0; MAX_NODES + 1]].concat();
    let error = RatchetTree::from_bytes(&blanks).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLong { max: MAX_NODES });
    let removes = [0x01, 0x00, 0x0a].repeat(MAX_PROPOSALS + 1);
    let mut commit = Vec::new();
    crate::codec::put_opaque(&mut commit, &removes);
    let error = Commit::from_bytes(&commit).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLong { max: MAX_PROPOSALS });
    let (_, mut path, _) = valid()
        .into_iter()
        .find(|(name, ..)| name == "UpdatePath")
        .unwrap();
    let leaf_node = UpdatePath::from_bytes(&path).unwrap().leaf_node.to_bytes();
    path.truncate(leaf_node.len());
    let half = [vec![0x00, 0x80, 0x01, 0x00, 0x02], vec![0; MAX_LEAVES + 2]].concat();
    crate::codec::put_opaque(&mut path, &half.repeat(2));
    let error = UpdatePath::from_bytes(&path).unwrap_err();
    assert_eq!(
        (error.structure, error.kind),
        ("UpdatePath", DecodeErrorKind::TooLong { max: MAX_LEAVES })
    );
}

proptest! {
    #[test]
    fn no_bytes_panic_and_what_decodes_encodes_to_the_same(
        bytes in prop::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..300)
    ) {
        for (name, again) in structures() {
            if let Ok(encoded) = again(&bytes) {
                prop_assert_eq!(&encoded, &bytes, "{}", name);
            }
        }
    }

    #[test]
    fn damaged_vectors_are_refused_or_survive_a_round_trip(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let valid = valid();
        let (structure, bytes, _) = which.get(&valid);
        let mut bytes = bytes.clone();
        for (at, byte, how) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        if let Ok(encoded) = decode_again(structure, &bytes) {
            prop_assert_eq!(encoded, bytes);
        }
    }
}
