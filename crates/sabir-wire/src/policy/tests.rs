#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
use super::*;
use crate::codec::Decode;
use crate::mls::ComponentId;
use crate::vector_tests::valid;

#[test]
fn a_role_puts_each_constraint_in_its_place() {
    let role = Role::from_bytes(&valid("policy", "Role", "a member")).unwrap();
    assert_eq!((role.role_index, role.role_name.as_str()), (2, "member"));
    assert_eq!(role.minimum_participants_constraint, 0);
    assert_eq!(role.maximum_participants_constraint, Some(100));
    assert_eq!(role.minimum_active_participants_constraint, 1);
    assert_eq!(role.maximum_active_participants_constraint, None);
    assert!(role.has(CapabilityType::CAN_SEND_MESSAGE) && !role.has(CapabilityType::CAN_KICK));
    assert_eq!(role.role_capabilities[2], CapabilityType(0xf001));
    let changes = &role.authorized_role_changes;
    assert_eq!(
        (
            changes[0].from_role_index,
            changes[0].target_role_indexes.as_slice()
        ),
        (0, &[2, 3][..])
    );
}

#[test]
fn a_base_policy_puts_each_flag_in_its_place() {
    let policy = BaseRoomPolicy::from_bytes(&valid("policy", "BaseRoomPolicy", "a direct room")).unwrap();
    assert!(policy.fixed_membership && policy.multi_device && policy.persistent_room);
    assert!(!policy.parent_dependant && !policy.pseudonyms_allowed && !policy.discoverable);
    assert_eq!((policy.max_clients, policy.max_users), (None, Some(2)));
    assert_eq!(
        policy.policy_component_ids,
        [ComponentId::ROLES_LIST, ComponentId::PREAUTH_LIST]
    );
    let child = BaseRoomPolicy::from_bytes(&valid("policy", "BaseRoomPolicy", "a room of a room")).unwrap();
    assert_eq!(
        child.parent_room.unwrap().as_str(),
        "mimi://a.example/r/clubhouse"
    );
}

#[test]
fn required_optional_and_forbidden_are_told_apart() {
    let logging = LoggingPolicy::from_bytes(&valid("policy", "LoggingPolicy", "required")).unwrap();
    assert!(matches!(logging.logging, Governed::Required(_)));
    let history = HistoryPolicy::from_bytes(&valid("policy", "HistoryPolicy", "optional")).unwrap();
    assert_eq!(history.history_sharing.details().unwrap().max_time_period, 86_400);
    let none = HistoryPolicy::from_bytes(&valid("policy", "HistoryPolicy", "forbidden")).unwrap();
    assert_eq!(none.history_sharing.optionality(), Optionality::Forbidden);
}

#[test]
fn operational_times_stay_in_order() {
    let bytes = valid("policy", "OperationalParameters", "all of it");
    let p = OperationalParameters::from_bytes(&bytes).unwrap();
    assert_eq!(
        (
            p.leaf_node_update_time.minimum_time,
            p.leaf_node_update_time.maximum_time
        ),
        (30, 32)
    );
    assert_eq!(
        (
            p.max_kp_lifetime,
            p.max_credential_lifetime,
            p.resumption_psk_lifetime
        ),
        (40, 50, 60)
    );
    assert_eq!(
        (p.sender_nonce_keypair_lifetime.default_time, p.max_keypairs),
        (71, 80)
    );
    assert_eq!(
        (
            p.buffer_incoming_message_time.minimum_time,
            p.max_buffered_messages
        ),
        (90, 100)
    );
    assert!(p.external_proposal_allowed && !p.external_commit_allowed);
}

#[test]
fn capabilities_have_the_registrys_numbers_and_names() {
    assert_eq!(CapabilityType::ALL.len(), 77);
    assert!(CapabilityType::ALL.is_sorted());
    for capability in CapabilityType::ALL {
        assert_eq!(
            CapabilityType::from_name(capability.name().unwrap()),
            Some(*capability)
        );
    }
    assert_eq!(CapabilityType::CAN_UNBAN, CapabilityType(0x000b));
    assert_eq!(CapabilityType::CAN_SEND_MLS_EXTERNAL_COMMIT.0, 0x0605);
    assert_eq!(CapabilityType(0xf001).to_string(), "0xf001");
    assert_eq!(CapabilityType::from_name("canFly"), None);
}
