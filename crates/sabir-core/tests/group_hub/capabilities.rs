//! Every capability the hub enforces: with it the action is taken, without it refused.

use sabir_core::room::{ADMIN, BANNED, MEMBER, READ_ONLY};
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::components::{RichDescription, RoomMetaData};
use sabir_wire::mls::{ComponentId, CredentialType};
use sabir_wire::policy::{
    BaseRoomPolicy, CapabilityType, Claim, ClaimId, PreAuthData, PreAuthRoleEntry, RoleData,
};
use sabir_wire::protocol::{GroupInfoOutcome, SubmitMessageResponse};

use super::group_support::{List, Scene};
use super::{accepted, features};

/// A room's policy as it is made.
struct Policy {
    roles: RoleData,
    preauth: PreAuthData,
}

struct Row {
    capability: CapabilityType,
    /// The role that has it or not; Bob is an admin.
    role: u32,
    /// What else differs from the template.
    prepare: fn(&mut Policy),
    /// The action; whether it was taken.
    act: fn(&mut Scene) -> bool,
}

fn nothing(_: &mut Policy) {}

fn plain(capability: CapabilityType, act: fn(&mut Scene) -> bool) -> Row {
    Row {
        capability,
        role: ADMIN,
        prepare: nothing,
        act,
    }
}

fn list(scene: &mut Scene, list: &List<'_>, adds: &[&'static str], removes: &[&'static str]) -> bool {
    let plan = scene.plan(list, adds, removes);
    tries(scene, plan)
}

fn tries(scene: &mut Scene, plan: CommitPlan) -> bool {
    accepted(&scene.tries("bob", plan).0)
}

fn component(scene: &mut Scene, component: ComponentId, bytes: Vec<u8>) -> bool {
    tries(
        scene,
        CommitPlan {
            app_data: vec![(component.0, AppDataOperation::Update(bytes))],
            ..CommitPlan::default()
        },
    )
}

fn metadata(scene: &mut Scene, change: fn(&mut RoomMetaData)) -> bool {
    let mut metadata = scene.hub.state().metadata.clone();
    change(&mut metadata);
    component(scene, ComponentId::ROOM_METADATA, metadata.to_bytes())
}

fn role_of(policy: &mut Policy, index: u32) -> &mut sabir_wire::policy::Role {
    policy
        .roles
        .roles
        .iter_mut()
        .find(|role| role.role_index == index)
        .unwrap()
}

fn without(policy: &mut Policy, capability: CapabilityType) {
    let role = role_of(policy, ADMIN);
    role.role_capabilities.retain(|it| *it != capability);
}

/// Everybody of a.example is preauthorised for this role.
fn preauthorise(policy: &mut Policy, index: u32) {
    let target_role = role_of(policy, index).clone();
    let names = ClaimId {
        credential_type: CredentialType::X509,
        id: vec![0x55, 0x1d, 0x11],
    };
    policy.preauth.preauthorized_entries.insert(
        0,
        PreAuthRoleEntry {
            claimset: vec![Claim {
                claim_id: names,
                claim_value: b"mimi://b.example".to_vec(),
            }],
            target_role,
        },
    );
}

const JOIN: List<'_> = List {
    changed: &[],
    removed: &[],
    added: &[("dave", MEMBER)],
};

fn joins(scene: &mut Scene) -> bool {
    let answer = scene.group_info("dave");
    let may_ask = matches!(answer, GroupInfoOutcome::Success(_));
    let operation = scene.list(&JOIN);
    let taken = accepted(&scene.joins("dave", &[operation], &[]).0);
    assert_eq!(may_ask, taken, "who may join gets the GroupInfo, and nobody else");
    taken
}

fn rows() -> Vec<Row> {
    use CapabilityType as C;
    vec![
        plain(C::CAN_ADD_PARTICIPANT, |scene| list(scene, &JOIN, &["dave"], &[])),
        plain(C::CAN_ADD_OWN_CLIENT, |scene| {
            scene.second("bob", "bob2");
            let inside = list(scene, &List::default(), &["bob2"], &[]);
            scene.second("bob", "bob3");
            assert_eq!(accepted(&scene.joins("bob3", &[], &[]).0), inside);
            inside
        }),
        plain(C::CAN_REMOVE_OWN_CLIENT, |scene| {
            scene.second("bob", "bob2");
            let plan = scene.plan(&List::default(), &["bob2"], &[]);
            scene.does("alice", plan);
            // Without the general right to remove clients.
            let mut rng = scene.rng();
            let bob = scene.members.get_mut("bob").unwrap();
            let proposal = bob
                .group
                .as_mut()
                .unwrap()
                .propose_self_remove(&bob.device, &mut rng)
                .unwrap();
            accepted(&scene.proposes("bob", &[proposal]).0)
        }),
        plain(C::CAN_REMOVE_PARTICIPANT, |scene| {
            let removed = List {
                removed: &["carol"],
                ..List::default()
            };
            list(scene, &removed, &[], &["carol"])
        }),
        plain(C::CAN_REMOVE_SELF, |scene| {
            let proposals = scene.leaving("bob");
            accepted(&scene.proposes("bob", &proposals).0)
        }),
        plain(C::CAN_KICK, |scene| {
            list(scene, &List::default(), &[], &["carol"])
        }),
        Row {
            capability: C::CAN_BAN,
            role: ADMIN,
            prepare: |policy| {
                without(policy, C::CAN_CHANGE_USER_ROLE);
                without(policy, C::CAN_KICK);
            },
            act: |scene| {
                let banned = List {
                    changed: &[("carol", BANNED)],
                    ..List::default()
                };
                list(scene, &banned, &[], &["carol"])
            },
        },
        Row {
            capability: C::CAN_UNBAN,
            role: ADMIN,
            prepare: |policy| without(policy, C::CAN_CHANGE_USER_ROLE),
            act: |scene| {
                let banned = List {
                    changed: &[("carol", BANNED)],
                    ..List::default()
                };
                let plan = scene.plan(&banned, &[], &["carol"]);
                scene.does("alice", plan);
                assert!(matches!(
                    scene.group_info("carol"),
                    GroupInfoOutcome::NotAuthorized
                ));
                assert!(
                    !accepted(&scene.joins("carol", &[], &[]).0),
                    "the banned stay out"
                );
                let unbanned = List {
                    changed: &[("carol", MEMBER)],
                    ..List::default()
                };
                list(scene, &unbanned, &[], &[])
            },
        },
        plain(C::CAN_CHANGE_USER_ROLE, |scene| {
            let changed = List {
                changed: &[("carol", READ_ONLY)],
                ..List::default()
            };
            list(scene, &changed, &[], &[])
        }),
        Row {
            capability: C::CAN_CHANGE_OWN_ROLE,
            role: ADMIN,
            prepare: |policy| preauthorise(policy, READ_ONLY),
            act: |scene| {
                let other = List {
                    changed: &[("bob", MEMBER)],
                    ..List::default()
                };
                assert!(!list(scene, &other, &[], &[]), "the preauthorised role alone");
                let own = List {
                    changed: &[("bob", READ_ONLY)],
                    ..List::default()
                };
                list(scene, &own, &[], &[])
            },
        },
        Row {
            capability: C::CAN_OPEN_JOIN,
            role: 0,
            prepare: |policy| {
                role_of(policy, 0).role_capabilities = Vec::new();
            },
            act: joins,
        },
        Row {
            capability: C::CAN_JOIN_IF_PREAUTHORIZED,
            role: MEMBER,
            prepare: |policy| preauthorise(policy, MEMBER),
            act: joins,
        },
        plain(C::CAN_CHANGE_ROOM_NAME, |scene| {
            metadata(scene, |it| it.room_name = "others".to_owned())
        }),
        plain(C::CAN_CHANGE_ROOM_DESCRIPTION, |scene| {
            metadata(scene, |it| it.room_descriptions.push(RichDescription::default()))
        }),
        plain(C::CAN_CHANGE_ROOM_AVATAR, |scene| {
            metadata(scene, |it| {
                it.room_avatar = Some(sabir_wire::components::Uri::new("https://a.example/x").unwrap());
            })
        }),
        plain(C::CAN_CHANGE_ROOM_SUBJECT, |scene| {
            metadata(scene, |it| it.room_subject = "cats".to_owned())
        }),
        plain(C::CAN_CHANGE_ROOM_MOOD, |scene| {
            metadata(scene, |it| it.room_mood = "calm".to_owned())
        }),
        plain(C::CAN_CHANGE_ROLE_DEFINITIONS, |scene| {
            let mut roles = scene.hub.state().roles.clone();
            roles.roles[1].role_description = "reads".to_owned();
            component(scene, ComponentId::ROLES_LIST, roles.to_bytes())
        }),
        plain(C::CAN_CHANGE_PREAUTHORIZED_USER_LIST, |scene| {
            component(
                scene,
                ComponentId::PREAUTH_LIST,
                PreAuthData::default().to_bytes(),
            )
        }),
        plain(C::CAN_CHANGE_ROOM_MEMBERSHIP_STYLE, |scene| {
            let base = BaseRoomPolicy {
                max_users: Some(7),
                ..scene.hub.state().base.clone()
            };
            component(scene, ComponentId::BASE_ROOM_POLICY, base.to_bytes())
        }),
        plain(C::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE, |scene| {
            tries(scene, features::plan(scene, features::expiring(60)))
        }),
        plain(C::CAN_CHANGE_MLS_OPERATIONAL_POLICIES, |scene| {
            tries(scene, features::plan(scene, features::operational(true)))
        }),
        plain(C::CAN_CREATE_JOIN_CODE, |scene| {
            features::makes_links(scene);
            tries(scene, features::links(&[], &[2]))
        }),
        plain(C::CAN_DELETE_JOIN_CODE, |scene| {
            features::makes_links(scene);
            tries(scene, features::links(&[0], &[]))
        }),
        plain(C::CAN_SEND_MESSAGE, |scene| {
            let (answer, _) = scene.says("bob");
            matches!(answer, SubmitMessageResponse::Accepted { .. })
        }),
        plain(C::CAN_RECEIVE_MESSAGE, |scene| {
            let (_, effects) = scene.says("alice");
            // Bob is the only one at his provider.
            !effects.events[0].followers.is_empty()
        }),
    ]
}

#[test]
fn each_capability_allows_what_it_says_and_without_it_the_same_is_refused() {
    for (seed, row) in rows().into_iter().enumerate() {
        for granted in [true, false] {
            let change = |mut dictionary: Vec<(u16, Vec<u8>)>| {
                let at = |component: ComponentId| {
                    dictionary.iter().position(|(id, _)| *id == component.0).unwrap()
                };
                let (roles, preauth) = (at(ComponentId::ROLES_LIST), at(ComponentId::PREAUTH_LIST));
                let mut policy = Policy {
                    roles: RoleData::from_bytes(&dictionary[roles].1).unwrap(),
                    preauth: PreAuthData::from_bytes(&dictionary[preauth].1).unwrap(),
                };
                (row.prepare)(&mut policy);
                let role = role_of(&mut policy, row.role);
                role.role_capabilities.retain(|it| *it != row.capability);
                if granted {
                    role.role_capabilities.push(row.capability);
                }
                // The entries hold whole roles.
                for entry in &mut policy.preauth.preauthorized_entries {
                    let index = entry.target_role.role_index;
                    entry.target_role = policy.roles.role(index).unwrap().clone();
                }
                dictionary[roles].1 = policy.roles.to_bytes();
                dictionary[preauth].1 = policy.preauth.to_bytes();
                dictionary
            };
            let seed = 100 + u64::try_from(seed).unwrap();
            let people = [("bob", 'b'), ("carol", 'a'), ("dave", 'b')];
            let mut scene = Scene::with(seed, &people, change);
            scene.lets_in("alice", "bob", ADMIN);
            scene.lets_in("alice", "carol", MEMBER);
            assert_eq!((row.act)(&mut scene), granted, "{:?}", row.capability);
            // The room goes on.
            scene.does("alice", Scene::refresh());
        }
    }
}
