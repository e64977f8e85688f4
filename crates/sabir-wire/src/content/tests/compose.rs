//! The messages a client writes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::content::{
    AeadAlgorithm, ContentKey, Disposition, EncodeError, Expiration, ExtensionKey, ExternalPart,
    HashAlgorithm, MAX_CONTENT, MessageId, MimiContent, NestedPart, Origin, PartBody, PartSemantics,
    RawValue, Salt, TEXT_MARKDOWN, TEXT_PLAIN, UriTooLong,
};

const ALICE: &str = "mimi://a.example/u/alice";
const ROOM: &str = "mimi://a.example/r/tea";

fn origin() -> Origin<'static> {
    Origin {
        salt: Salt([7; 16]),
        sender_uri: ALICE,
        room_uri: ROOM,
    }
}

fn id(byte: u8) -> MessageId {
    MessageId::compute(ALICE, ROOM, &[byte], &Salt([0; 16])).unwrap()
}

fn round_trip(content: &MimiContent) -> MimiContent {
    let read = MimiContent::from_bytes(&content.to_bytes().unwrap()).unwrap();
    assert_eq!(&read, content);
    read
}

fn file() -> ExternalPart {
    ExternalPart {
        content_type: "image/png".into(),
        url: "https://a.example/f/1".into(),
        expires: 0,
        size: 3,
        enc_alg: AeadAlgorithm::AES_128_GCM,
        key: ContentKey::new(vec![0xab; 16]),
        nonce: vec![0xcd; 12],
        aad: Vec::new(),
        hash_alg: HashAlgorithm::SHA256,
        content_hash: vec![0; 32],
        description: String::new(),
        filename: "cup.png".into(),
    }
}

#[test]
fn text_carries_who_and_where() {
    let content = round_trip(&MimiContent::plain(origin(), "hi"));
    assert_eq!(content.extensions.sender_uri(), Some(ALICE));
    assert_eq!(content.extensions.room_uri(), Some(ROOM));
    assert_eq!(content.part.content_type(), Some(TEXT_PLAIN));
    assert_eq!(content.text(&[]), Some("hi"));
    assert!(!content.is_edit() && !content.is_deletion() && !content.is_reaction());
    assert_eq!(
        MimiContent::markdown(origin(), "*hi*").part.content_type(),
        Some(TEXT_MARKDOWN)
    );
}

#[test]
fn reactions_keep_to_parts_of_their_own() {
    let one = round_trip(&MimiContent::reaction(origin(), id(1), "\u{2764}"));
    assert!(one.is_reaction());
    assert_eq!((one.in_reply_to, one.text(&[])), (Some(id(1)), Some("\u{2764}")));
    let two = round_trip(&MimiContent::reactions(origin(), id(1), &["a", "b"]));
    assert!(two.is_reaction());
    let texts: Vec<_> = two.parts().filter_map(|p| p.part.content_type()).collect();
    assert_eq!(texts, [TEXT_PLAIN; 2]);
}

#[test]
fn an_edit_changes_the_body_alone() {
    let first = MimiContent::plain(origin(), "helo")
        .replying_to(id(1))
        .in_topic(*b"tea")
        .expiring(Expiration::Relative(60));
    let other = Origin {
        salt: Salt([8; 16]),
        ..origin()
    };
    let body = NestedPart::single(Disposition::RENDER, TEXT_PLAIN, "hello");
    let edit = round_trip(&MimiContent::edit(other, id(2), &first, body));
    assert!(edit.is_edit());
    assert_eq!(
        edit,
        MimiContent {
            salt: Salt([8; 16]),
            replaces: Some(id(2)),
            part: edit.part.clone(),
            ..first
        }
    );
    assert_eq!(edit.text(&[]), Some("hello"));
}

#[test]
fn a_deletion_keeps_the_disposition_of_what_it_takes_back() {
    let reaction = MimiContent::reaction(origin(), id(1), "a");
    let unlike = round_trip(&MimiContent::delete(origin(), id(2), &reaction));
    assert!(unlike.is_deletion() && unlike.is_reaction());
    assert_eq!((unlike.replaces, unlike.in_reply_to), (Some(id(2)), Some(id(1))));
    assert_eq!(unlike.fallback_text(&[]), None);
}

#[test]
fn there_is_something_to_show_for_what_cannot_be_rendered() {
    let external = NestedPart::external(Disposition::ATTACHMENT, file());
    assert_eq!(
        MimiContent::new(origin(), external.clone()).fallback_text(&[]),
        Some("cup.png")
    );
    let caption = NestedPart::single(Disposition::RENDER, "Text/Plain; Charset=UTF-8", "a cup");
    let unit = NestedPart::multi(
        Disposition::RENDER,
        PartSemantics::SingleUnit,
        vec![external, caption],
    );
    let content = round_trip(&MimiContent::new(origin(), unit));
    assert_eq!(content.text(&[]), None, "a unit is shown whole or not");
    assert_eq!(content.fallback_text(&[]), Some("a cup"));
    let latin = NestedPart::single(Disposition::RENDER, "text/plain;charset=iso-8859-1", [0xe9]);
    assert_eq!(MimiContent::new(origin(), latin).fallback_text(&[]), None);
    let broken = NestedPart::single(Disposition::RENDER, TEXT_PLAIN, [0xff]);
    assert_eq!(MimiContent::new(origin(), broken).fallback_text(&[]), None);
}

#[test]
fn what_no_receiver_would_read_is_not_written() {
    let refused = |content: &MimiContent| matches!(content.to_bytes(), Err(EncodeError::Unreadable(_)));
    assert!(refused(
        &MimiContent::plain(origin(), "x").in_topic(vec![0; 4097])
    ));
    assert!(refused(&MimiContent::plain(origin(), &"x".repeat(MAX_CONTENT))));
    assert!(refused(&MimiContent::reactions(origin(), id(1), &["one"])));
    let mut zero = MimiContent::plain(origin(), "x");
    zero.extensions.insert(ExtensionKey::Int(0), RawValue::uint(0));
    assert!(refused(&zero));
    let mut sender = MimiContent::plain(origin(), "x");
    sender
        .extensions
        .insert(ExtensionKey::SENDER_URI, RawValue::bytes(b"x"));
    assert!(refused(&sender));
    let mut part = NestedPart::null(Disposition::RENDER);
    for _ in 0..4 {
        part = NestedPart::multi(
            Disposition::RENDER,
            PartSemantics::ProcessAll,
            vec![part.clone(), part],
        );
    }
    assert!(refused(&MimiContent::new(origin(), part)));
}

#[test]
fn a_message_fills_its_bound_and_not_a_byte_more() {
    let empty = MimiContent::plain(origin(), "").to_bytes().unwrap().len();
    // The length of the text takes five bytes instead of one.
    let room = MAX_CONTENT - empty - 4;
    let full = MimiContent::plain(origin(), &"x".repeat(room));
    assert_eq!(full.to_bytes().unwrap().len(), MAX_CONTENT);
    assert!(
        MimiContent::plain(origin(), &"x".repeat(room + 1))
            .to_bytes()
            .is_err()
    );
}

#[test]
fn an_id_depends_on_everything_it_is_made_of() {
    let compute =
        |s: &str, r: &str, m: &[u8], salt: u8| MessageId::compute(s, r, m, &Salt([salt; 16])).unwrap();
    let base = compute("ab", "c", b"m", 0);
    for other in [
        compute("a", "bc", b"m", 0),
        compute("abc", "", b"m", 0),
        compute("ab", "cm", b"", 0),
        compute("ab", "c", b"m", 1),
    ] {
        assert_ne!(base, other);
    }
    assert_eq!(base.as_bytes().first(), Some(&1));
    let long = "x".repeat(65_536);
    assert_eq!(
        MessageId::compute(&long, "", b"", &Salt([0; 16])),
        Err(UriTooLong(65_536))
    );
    assert!(MessageId::compute(&long[1..], "", b"", &Salt([0; 16])).is_ok());
    assert_eq!(MessageId::new([2; 32]), None);
}

#[test]
fn dates_far_away_are_implausible() {
    const NOW: u64 = 1_800_000_000;
    const YEAR: u32 = 366 * 86_400;
    assert!(Expiration::Relative(YEAR).is_plausible_at(NOW));
    assert!(!Expiration::Relative(YEAR + 1).is_plausible_at(NOW));
    assert!(Expiration::Absolute(1_800_000_000 + YEAR).is_plausible_at(NOW));
    assert!(!Expiration::Absolute(1_800_000_001 + YEAR).is_plausible_at(NOW));
    assert!(!Expiration::Absolute(0).is_plausible_at(NOW));
    assert!(Expiration::Absolute(u32::MAX).is_plausible_at(u32::MAX.into()));
    assert!(!Expiration::Absolute(u32::MAX).is_plausible_at(u64::MAX));
}

#[test]
fn keys_and_salts_are_not_shown() {
    let content = MimiContent::new(origin(), NestedPart::external(Disposition::ATTACHMENT, file()));
    let shown = format!("{content:?}");
    assert!(
        shown.contains("salt: Salt(..)") && shown.contains("key: ContentKey(..)"),
        "{shown}"
    );
    assert!(!shown.contains("171, 171"), "{shown}");
    let PartBody::External(external) = &content.part.body else {
        panic!("external")
    };
    assert_eq!(external.key.expose(), [0xab; 16]);
}

#[test]
fn extension_keys_order_as_their_encodings() {
    let keys = [
        ExtensionKey::SENDER_URI,
        ExtensionKey::ROOM_URI,
        ExtensionKey::Int(23),
        ExtensionKey::Int(24),
        ExtensionKey::Int(9_007_199_254_740_991),
        ExtensionKey::Int(-1),
        ExtensionKey::Int(-25),
        ExtensionKey::Text("b".into()),
        ExtensionKey::Text("aa".into()),
        ExtensionKey::Text("ab".into()),
    ];
    assert!(keys.is_sorted_by(|a, b| a < b));
    let mut content = MimiContent::plain(origin(), "x");
    for key in keys.iter().skip(2).rev() {
        content.extensions.insert(key.clone(), RawValue::uint(1));
    }
    assert_eq!(
        round_trip(&content)
            .extensions
            .iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>(),
        keys.iter().collect::<Vec<_>>()
    );
}

#[test]
fn raw_values_are_one_deterministic_item() {
    assert_eq!(RawValue::from_bytes(&[0x18, 0x64]).unwrap().as_uint(), Some(100));
    assert_eq!(RawValue::text("x").as_text(), Some("x"));
    assert_eq!(RawValue::text("x").as_bytes(), None);
    assert_eq!(RawValue::bytes(b"x").as_bytes(), Some(&b"x"[..]));
    for bad in [
        &[0x18, 0x01][..],
        &[0x01, 0x01],
        &[],
        &[0x81, 0x81, 0x81, 0x81, 0x00],
    ] {
        assert!(RawValue::from_bytes(bad).is_err(), "{bad:?}");
    }
}
