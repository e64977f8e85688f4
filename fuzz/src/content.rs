//! What messages say. Only deterministic CBOR is accepted, so here too one value has one encoding.

use sabir_wire::content::{MessageDerivedValues, MimiContent, NestedPart, Reading, select};
use sabir_wire::status::MessageStatusReport;

/// A decrypted message: decoded, named, walked, and put into words.
pub fn content(data: &[u8]) {
    let Ok(content) = MimiContent::from_bytes(data) else {
        return;
    };
    let again = content.to_bytes().expect("what was decoded can be encoded");
    assert_eq!(again, data, "a content has two encodings");
    let _ = content.message_id("mimi://a.example/u/alice", "mimi://a.example/r/room");
    let _ = content.text(&["en"]);
    let _ = content.fallback_text(&["en", "de"]);
    let understands = |part: &NestedPart| part.content_type().is_some_and(|it| it.starts_with("text/"));
    let reading = Reading {
        understands: &understands,
        languages: &["en", "de-CH"],
    };
    let chosen = select(&content.part, &reading);
    for part in chosen {
        let _ = part.part.content_type();
    }
}

/// Receipts.
pub fn status(data: &[u8]) {
    if let Ok(report) = MessageStatusReport::from_bytes(data) {
        assert_eq!(report.to_bytes().expect("what was decoded can be encoded"), data);
    }
}

/// What a client derives from a message and stores.
pub fn derived(data: &[u8]) {
    if let Ok(values) = MessageDerivedValues::from_bytes(data) {
        assert_eq!(values.to_bytes().expect("what was decoded can be encoded"), data);
    }
}
