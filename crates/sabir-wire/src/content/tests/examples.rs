//! The draft's own examples: each decodes, encodes to the same bytes and has the id its `.edn` names.
//!
//! They are read from a folder outside the project, `SABIR_VECTORS` or `shared/vectors` beside the checkout.
//! Where it is missing the tests say so and pass; our own vectors never skip.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::path::PathBuf;

use crate::content::{
    Disposition, Expiration, MessageDerivedValues, MessageId, MimiContent, PartBody, Timestamp,
};

/// The folder of examples called `name`, or `None` with a plain word about it.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SABIR_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    crate::skip::skipped(&format!(
        "there is no folder {}; set SABIR_VECTORS",
        folder.display()
    ));
    None
}

fn example(name: &str) -> Option<(Vec<u8>, String)> {
    let folder = folder("mimi-content")?;
    let bytes = std::fs::read(folder.join(format!("{name}.cbor"))).unwrap();
    let notes = std::fs::read_to_string(folder.join(format!("{name}.edn"))).unwrap();
    Some((bytes, notes))
}

/// The hexadecimal digits of the first byte string behind `label`.
fn hex_after(notes: &str, label: &str) -> String {
    let rest = notes.split_once(label).unwrap().1.split_once("h'").unwrap().1;
    rest.split_once('\'')
        .unwrap()
        .0
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect()
}

fn content(name: &str) -> Option<MimiContent> {
    example(name).map(|(bytes, _)| MimiContent::from_bytes(&bytes).unwrap())
}

#[test]
fn every_example_round_trips_and_has_the_id_it_names() {
    let Some(folder) = folder("mimi-content") else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "cbor") || path.ends_with("implied-original.cbor") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let notes = std::fs::read_to_string(path.with_extension("edn")).unwrap();
        let content = MimiContent::from_bytes(&bytes).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(content.to_bytes().unwrap(), bytes, "{path:?}");

        let sender = content.extensions.sender_uri().unwrap();
        let room = content.extensions.room_uri().unwrap();
        let id = content.message_id(sender, room).unwrap();
        assert_eq!(id.to_string(), hex_after(&notes, "message ID = "), "{path:?}");
        assert_eq!(
            id,
            MessageId::compute(sender, room, &bytes, &content.salt).unwrap()
        );
        seen += 1;
    }
    assert_eq!(seen, 14, "the pinned revision has fourteen messages");
}

/// The id within `implied-original.cbor` is not the one its `.edn` names: the file was not made anew when
/// version 08 of the draft put lengths into the hash, and still has the id of version 07
/// (draft-ietf-mimi-content changelog, issue 61). The hexadecimal dumps in the draft's text have it too.
#[test]
fn the_implied_values_of_the_original_message_carry_a_stale_id() {
    let Some((bytes, notes)) = example("implied-original") else {
        return;
    };
    let values = MessageDerivedValues::from_bytes(&bytes).unwrap();
    assert_eq!(values.to_bytes().unwrap(), bytes);
    assert_eq!(
        values.message_id.to_string(),
        "01b0084467273cc43d6f0ebeac13eb84229c4fffe8f6c3594c905f47779e5a79"
    );
    let (original, original_notes) = example("original").unwrap();
    let original = MimiContent::from_bytes(&original).unwrap();
    let id = original
        .message_id(&values.sender_user_url, &values.room_url)
        .unwrap()
        .to_string();
    assert_eq!(id, hex_after(&notes, "messageId"));
    assert_eq!(id, hex_after(&original_notes, "message ID"));
    assert_ne!(id, values.message_id.to_string());

    assert_eq!(
        values.hub_accepted_timestamp,
        Timestamp::Millis(1_644_387_225_019)
    );
    assert_eq!(values.sender_leaf_index, 4);
    assert_eq!(values.mls_group_id.len(), 32);
    assert_eq!(
        values.sender_client_url,
        "mimi://example.com/d/3b52249d-68f9-45ce-8bf5-c799f3cad7ec/0003"
    );
}

#[test]
fn a_reply_an_edit_and_a_deletion_point_where_the_draft_says() {
    let (Some(reply), Some(edit), Some(delete), Some(unlike)) = (
        content("reply"),
        content("edit"),
        content("delete"),
        content("unlike"),
    ) else {
        return;
    };
    let sender = reply.extensions.sender_uri().unwrap();
    let room = reply.extensions.room_uri().unwrap();
    let reply_id = reply.message_id(sender, room).unwrap();
    assert_eq!(edit.replaces, Some(reply_id));
    assert_eq!(delete.replaces, Some(reply_id));
    assert_eq!(edit.in_reply_to, reply.in_reply_to);
    assert!(edit.is_edit() && !edit.is_deletion());
    assert!(delete.is_deletion() && !delete.is_edit() && !delete.is_reaction());
    assert!(unlike.is_deletion() && unlike.is_reaction());
    assert_eq!(reply.text(&[]), Some("Right on! _Congratulations_ 'all!"));
    assert_eq!(delete.fallback_text(&[]), None);
}

#[test]
fn expiry_topic_and_external_parts_read_as_noted() {
    let (Some(expiring), Some(conferencing), Some(attachment)) = (
        content("expiring"),
        content("conferencing"),
        content("attachment"),
    ) else {
        return;
    };
    assert_eq!(expiring.expires, Some(Expiration::Absolute(1_644_390_004)));
    assert_eq!(conferencing.topic_id, b"Foo 118");
    assert_eq!(conferencing.part.disposition, Disposition::SESSION);
    assert_eq!(
        conferencing.fallback_text(&[]),
        Some("Join the Foo 118 conference")
    );
    let PartBody::External(file) = &attachment.part.body else {
        panic!("an external part")
    };
    assert_eq!(
        (file.size, file.filename.as_str(), file.key.expose().len()),
        (708_234_961, "bigfile.mp4", 16)
    );
    assert_eq!(attachment.text(&[]), None);
}
