#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
use super::*;
use crate::codec::{Decode, DecodeErrorKind};
use crate::vector_tests::valid;

#[test]
fn an_update_keeps_changes_removals_and_additions_apart() {
    let bytes = valid(
        "protocol",
        "ParticipantListUpdate",
        "a change, two removals and an addition",
    );
    let update = ParticipantListUpdate::from_bytes(&bytes).unwrap();
    assert_eq!(
        update.changed_role_participants,
        [UserindexRolePair {
            user_index: 3,
            role_index: 1
        }]
    );
    assert_eq!(update.removed_indices, [0, 2]);
    assert_eq!(
        update.added_participants[0].user.as_str(),
        "mimi://c.example/u/cathy"
    );
    assert_eq!(update.added_participants[0].role_index, 2);
}

#[test]
fn a_list_longer_than_a_component_is_refused_by_its_header() {
    let error = ParticipantListData::from_bytes(&[0x80, 0x10, 0x00, 0x01]).unwrap_err();
    assert_eq!(
        error.kind,
        DecodeErrorKind::TooLong {
            max: MAX_PARTICIPANT_LIST
        }
    );
}

#[test]
fn metadata_tells_a_missing_picture_from_a_present_one() {
    let with = RoomMetaData::from_bytes(&valid("protocol", "RoomMetaData", "a room")).unwrap();
    assert_eq!(
        with.room_avatar.as_ref().map(Uri::as_str),
        Some("https://a.example/club.png")
    );
    assert_eq!(
        (with.room_name.as_str(), with.room_mood.as_str()),
        ("Clubhouse", "calm")
    );
    let bytes = valid("protocol", "RoomMetaData", "a room without picture");
    assert_eq!(RoomMetaData::from_bytes(&bytes).unwrap().room_avatar, None);
}

#[test]
fn foreign_uris_need_scheme_and_legal_characters() {
    for good in [
        "https://a.example/x?y#z",
        "mimi://a.example/r/x",
        "urn:uuid:1",
        "a+b-c.d:e",
    ] {
        assert!(Uri::new(good).is_some(), "{good}");
    }
    let long = format!("https://a.example/{}", "a".repeat(MAX_FOREIGN_URI));
    for bad in [
        "",
        "a",
        ":x",
        "1a:x",
        "https:",
        "https://a.example/ä",
        "a b:c",
        "x:<y>",
        "x:\n",
        &long,
    ] {
        assert!(Uri::new(bad).is_none(), "{bad}");
    }
}
