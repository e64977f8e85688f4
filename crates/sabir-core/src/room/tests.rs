#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use sabir_mls::app_data::ComponentRules;
use sabir_wire::codec::Encode;
use sabir_wire::components::{ParticipantListData, ParticipantListUpdate, UserRolePair, UserindexRolePair};
use sabir_wire::mls::ComponentId;
use sabir_wire::uri::UserUri;

use super::*;

fn user(name: &str) -> UserUri {
    UserUri::parse(&format!("mimi://a.example/u/{name}")).unwrap()
}

fn pair(name: &str, role_index: u32) -> UserRolePair {
    UserRolePair {
        user: user(name),
        role_index,
    }
}

fn list() -> ParticipantListData {
    ParticipantListData {
        participants: vec![pair("alice", 3), pair("bob", 2), pair("cathy", 2)],
    }
}

fn update(changed: &[(u32, u32)], removed: &[u32], added: &[UserRolePair]) -> ParticipantListUpdate {
    ParticipantListUpdate {
        changed_role_participants: changed
            .iter()
            .map(|&(user_index, role_index)| UserindexRolePair {
                user_index,
                role_index,
            })
            .collect(),
        removed_indices: removed.to_vec(),
        added_participants: added.to_vec(),
    }
}

#[test]
fn indices_refer_to_the_list_before_the_update() {
    let after = apply_update(&list(), &update(&[(2, 3)], &[0], &[pair("dave", 2)])).unwrap();
    assert_eq!(
        after.participants,
        vec![pair("bob", 2), pair("cathy", 3), pair("dave", 2)]
    );
}

#[test]
fn updates_of_one_commit_are_united() {
    let updates = [
        update(&[], &[1], &[pair("dave", 2)]),
        update(&[(2, 3)], &[], &[pair("erin", 2)]),
        update(&[], &[0], &[]),
    ];
    let after = apply_updates(&list(), &updates).unwrap();
    assert_eq!(
        after.participants,
        vec![pair("cathy", 3), pair("dave", 2), pair("erin", 2)]
    );
    // The same user in two of them.
    let twice = [update(&[], &[1], &[]), update(&[(1, 3)], &[], &[])];
    assert_eq!(apply_updates(&list(), &twice), Err(ParticipantError::Repeated));
    let twice = [
        update(&[], &[], &[pair("dave", 2)]),
        update(&[], &[], &[pair("dave", 2)]),
    ];
    assert_eq!(apply_updates(&list(), &twice), Err(ParticipantError::Repeated));
}

#[test]
fn each_rule_of_the_list_has_its_refusal() {
    let table = [
        (update(&[(3, 2)], &[], &[]), ParticipantError::NoSuchIndex(3)),
        (update(&[], &[7], &[]), ParticipantError::NoSuchIndex(7)),
        (update(&[(1, 2), (1, 3)], &[], &[]), ParticipantError::Repeated),
        (update(&[(1, 2)], &[1], &[]), ParticipantError::Repeated),
        (update(&[], &[1, 1], &[]), ParticipantError::Repeated),
        (update(&[], &[1], &[pair("bob", 2)]), ParticipantError::Repeated),
        (
            update(&[], &[], &[pair("dave", 2), pair("dave", 3)]),
            ParticipantError::Repeated,
        ),
        (
            update(&[], &[], &[pair("bob", 2)]),
            ParticipantError::AlreadyListed,
        ),
        (update(&[(0, 0)], &[], &[]), ParticipantError::RoleZero),
        (update(&[], &[], &[pair("dave", 0)]), ParticipantError::RoleZero),
    ];
    for (update, expected) in table {
        assert_eq!(
            apply_update(&list(), &update).unwrap_err(),
            expected,
            "{update:?}"
        );
    }
}

#[test]
fn unknown_and_malformed_components_are_refused_and_required_ones_stay() {
    let rules = RoomRules;
    assert!(rules.update(0x7777, None, &[&[1]]).is_err());
    assert!(rules.update(ComponentId::ROOM_METADATA.0, None, &[&[1]]).is_err());
    assert!(rules.remove(ComponentId::PARTICIPANT_LIST.0).is_err());
    assert!(rules.remove(ComponentId::PREAUTH_LIST.0).is_ok());
    let bytes = update(&[], &[0], &[]).to_bytes();
    let data = rules
        .update(
            ComponentId::PARTICIPANT_LIST.0,
            Some(&list().to_bytes()),
            &[&bytes],
        )
        .unwrap();
    assert_eq!(
        data,
        ParticipantListData {
            participants: list().participants[1..].to_vec()
        }
        .to_bytes()
    );
}
