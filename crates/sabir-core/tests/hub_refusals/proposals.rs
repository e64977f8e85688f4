//! Proposals that a direct room does not know, put into a commit of Alice's and signed by her.

use sabir_mls::group::{CommitPlan, OwnCommit};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::components::{ParticipantListUpdate, UserRolePair, UserindexRolePair};
use sabir_wire::mls::{
    AppDataDictionary, AppDataUpdate, AppDataUpdateOperation, AppEphemeral, CipherSuite, ComponentId,
    Extension, ExtensionType, GroupInfo, PreSharedKeyId, Proposal, ProposalOrRef, ProposalType,
    ProtocolVersion, Psk, ReInit, ResumptionPskUsage,
};
use sabir_wire::protocol::UpdateOutcome;
use sabir_wire::uri::UserUri;

use super::resign::resign;
use super::room::{Attempt, Room, local};
use super::{Case, invalid_proposal, not_allowed};

/// All but AppDataUpdate.
pub const PROPOSALS: &[Case] = &[
    (
        "the hub is no external sender any more",
        |room| {
            context(room, |extensions| {
                extensions.retain(|it| it.extension_type != ExtensionType::EXTERNAL_SENDERS)
            })
        },
        not_allowed,
        "a proposal type is not allowed",
    ),
    (
        "a context as it is",
        |room| context(room, |_| {}),
        not_allowed,
        "a proposal type is not allowed",
    ),
    (
        "nothing is required any more",
        |room| {
            context(room, |extensions| {
                extensions.retain(|it| it.extension_type != ExtensionType::REQUIRED_CAPABILITIES);
            })
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "a dictionary without participants, past AppDataUpdate",
        |room| {
            context(room, |extensions| {
                for extension in extensions {
                    if extension.extension_type == ExtensionType::APP_DATA_DICTIONARY {
                        let mut dictionary =
                            AppDataDictionary::from_bytes(&extension.extension_data).unwrap();
                        dictionary.remove(ComponentId::PARTICIPANT_LIST);
                        extension.extension_data = dictionary.to_bytes();
                    }
                }
            })
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "the group ends",
        |room| {
            inject(
                room,
                vec![Proposal::ReInit(ReInit {
                    group_id: b"mimi://a.example/g/other".to_vec(),
                    version: ProtocolVersion::MLS10,
                    cipher_suite: CipherSuite(1),
                    extensions: vec![],
                })],
            )
        },
        not_allowed,
        "a proposal type is not allowed",
    ),
    (
        "a key from outside",
        |room| psk(room, Psk::External { psk_id: vec![1] }),
        not_allowed,
        "a proposal type is not allowed",
    ),
    (
        "a key of the group's own past",
        |room| {
            psk(
                room,
                Psk::Resumption {
                    usage: ResumptionPskUsage::Application,
                    psk_group_id: super::room::GROUP.to_vec(),
                    psk_epoch: 0,
                },
            )
        },
        not_allowed,
        "a proposal type is not allowed",
    ),
    (
        "application data for one commit",
        |room| {
            inject(
                room,
                vec![Proposal::AppEphemeral(AppEphemeral {
                    component_id: ComponentId::ROOM_METADATA,
                    data: vec![1],
                })],
            )
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "a proposal of no known type",
        |room| {
            inject(
                room,
                vec![Proposal::Other {
                    proposal_type: ProposalType(0xf0f0),
                    content: vec![],
                }],
            )
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "an external init of a member",
        |room| {
            inject(
                room,
                vec![Proposal::ExternalInit {
                    kem_output: vec![7; 32],
                }],
            )
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "the committer leaves by her own commit",
        |room| inject(room, vec![Proposal::SelfRemove]),
        not_allowed,
        "MLS refuses",
    ),
    (
        "the committer removes herself",
        |room| inject(room, vec![Proposal::Remove { removed: 0 }]),
        not_allowed,
        "MLS refuses",
    ),
    (
        "a removal of nobody",
        |room| inject(room, vec![Proposal::Remove { removed: 9 }]),
        not_allowed,
        "MLS refuses",
    ),
    (
        "the committer's own update beside her path",
        |room| {
            let (commit, key) = (room.refresh(), room.alice.person.device.key.clone());
            let bytes = resign(&commit.commit, &room.states[1].group_info, &key, |commit| {
                let leaf = commit.path.as_ref().unwrap().leaf_node.clone();
                commit
                    .proposals
                    .push(ProposalOrRef::Proposal(Proposal::Update(Box::new(leaf))));
            });
            room.attempt(
                local("alice1"),
                &OwnCommit {
                    commit: bytes,
                    ..commit
                },
            )
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "a proposal nobody sent",
        |room| {
            let (commit, key) = (room.refresh(), room.alice.person.device.key.clone());
            let bytes = resign(&commit.commit, &room.states[1].group_info, &key, |commit| {
                commit.proposals.push(ProposalOrRef::Reference(vec![7; 32]));
            });
            room.attempt(
                local("alice1"),
                &OwnCommit {
                    commit: bytes,
                    ..commit
                },
            )
        },
        || UpdateOutcome::InvalidProposal {
            invalid_proposals: vec![vec![7; 32]],
        },
        "proposals that do not wait",
    ),
    (
        "Alice removes Bob's device",
        |room| {
            let commit = room.alice_commits(CommitPlan {
                removes: vec![1],
                ..CommitPlan::default()
            });
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "a removal is not allowed",
    ),
];

/// Changes of the room's state: who may not, and what may nobody.
pub const STATE: &[Case] = &[
    (
        "Bob leaves the list",
        |room| list(room, |list| list.removed_indices.push(1)),
        not_allowed,
        "the state of a direct room is fixed",
    ),
    (
        "Carol enters the list",
        |room| list(room, |list| list.added_participants.push(carol(2))),
        not_allowed,
        "the state of a direct room is fixed",
    ),
    (
        "Bob gets his role again",
        |room| list(room, |list| list.changed_role_participants.push(role(1, 2))),
        not_allowed,
        "the state of a direct room is fixed",
    ),
    (
        "the roles as they are",
        |room| again(room, ComponentId::ROLES_LIST),
        not_allowed,
        "the state of a direct room is fixed",
    ),
    (
        "the base policy as it is",
        |room| again(room, ComponentId::BASE_ROOM_POLICY),
        not_allowed,
        "the state of a direct room is fixed",
    ),
    (
        "the metadata as it is",
        |room| again(room, ComponentId::ROOM_METADATA),
        not_allowed,
        "the state of a direct room is fixed",
    ),
    (
        "an index beyond the list",
        |room| list(room, |list| list.removed_indices.push(9)),
        invalid_proposal,
        "participant index 9",
    ),
    (
        "a user removed twice",
        |room| list(room, |list| list.removed_indices = vec![1, 1]),
        invalid_proposal,
        "more than once",
    ),
    (
        "a user added who is there",
        |room| {
            list(room, |list| {
                list.added_participants.push(UserRolePair {
                    user: UserUri::parse("mimi://b.example/u/bob").unwrap(),
                    role_index: 2,
                });
            })
        },
        invalid_proposal,
        "on the list already",
    ),
    (
        "role 0",
        |room| list(room, |list| list.added_participants.push(carol(0))),
        invalid_proposal,
        "role 0",
    ),
    (
        "a list update that is none",
        |room| update(room, ComponentId::PARTICIPANT_LIST, vec![9]),
        invalid_proposal,
        "0x0022 refused",
    ),
    (
        "roles that are none",
        |room| update(room, ComponentId::ROLES_LIST, vec![9]),
        invalid_proposal,
        "refused",
    ),
    (
        "another franking agent",
        |room| again(room, ComponentId::FRANKING_AGENT),
        invalid_proposal,
        "does not change",
    ),
    (
        "other required components",
        |room| again(room, ComponentId::APP_COMPONENTS),
        invalid_proposal,
        "not known here",
    ),
    (
        "other authenticated data",
        |room| again(room, ComponentId::SAFE_AAD),
        invalid_proposal,
        "not known here",
    ),
    (
        "an unknown component",
        |room| update(room, ComponentId(0xf123), vec![1]),
        invalid_proposal,
        "not known here",
    ),
    (
        "no participant list any more",
        |room| inject(room, vec![remove(ComponentId::PARTICIPANT_LIST)]),
        invalid_proposal,
        "belongs to every room",
    ),
    (
        "no roles any more",
        |room| inject(room, vec![remove(ComponentId::ROLES_LIST)]),
        invalid_proposal,
        "belongs to every room",
    ),
    (
        "a remove of an absent component",
        |room| inject(room, vec![remove(ComponentId::PREAUTH_LIST)]),
        invalid_proposal,
        "no state to remove",
    ),
    (
        "two removes",
        |room| {
            inject(
                room,
                vec![remove(ComponentId::ROLES_LIST), remove(ComponentId::ROLES_LIST)],
            )
        },
        invalid_proposal,
        "removed twice",
    ),
    (
        "an update and a remove",
        |room| {
            let same = same(room, ComponentId::ROOM_METADATA);
            inject(room, vec![same, remove(ComponentId::ROOM_METADATA)])
        },
        invalid_proposal,
        "both updated and removed",
    ),
    (
        "two equal updates",
        |room| {
            let same = same(room, ComponentId::ROOM_METADATA);
            inject(room, vec![same.clone(), same])
        },
        invalid_proposal,
        "more than once",
    ),
];

/// Alice renews her leaf and these come along.
fn inject(room: &mut Room, proposals: Vec<Proposal>) -> Attempt {
    let (commit, key) = (room.refresh(), room.alice.person.device.key.clone());
    let bytes = resign(&commit.commit, &room.states[1].group_info, &key, |commit| {
        commit
            .proposals
            .extend(proposals.into_iter().map(ProposalOrRef::Proposal));
    });
    room.attempt(
        local("alice1"),
        &OwnCommit {
            commit: bytes,
            ..commit
        },
    )
}

fn context(room: &mut Room, change: impl FnOnce(&mut Vec<Extension>)) -> Attempt {
    let info = GroupInfo::from_bytes(&room.states[1].group_info).unwrap();
    let mut extensions = info.group_context.extensions;
    change(&mut extensions);
    inject(room, vec![Proposal::GroupContextExtensions { extensions }])
}

fn psk(room: &mut Room, psk: Psk) -> Attempt {
    inject(
        room,
        vec![Proposal::PreSharedKey(PreSharedKeyId {
            psk,
            psk_nonce: vec![3; 32],
        })],
    )
}

fn update(room: &mut Room, component_id: ComponentId, bytes: Vec<u8>) -> Attempt {
    inject(
        room,
        vec![Proposal::AppDataUpdate(AppDataUpdate {
            component_id,
            op: AppDataUpdateOperation::Update(bytes),
        })],
    )
}

fn remove(component_id: ComponentId) -> Proposal {
    Proposal::AppDataUpdate(AppDataUpdate {
        component_id,
        op: AppDataUpdateOperation::Remove,
    })
}

/// The component's present data as an update.
fn same(room: &Room, component_id: ComponentId) -> Proposal {
    let info = GroupInfo::from_bytes(&room.states[1].group_info).unwrap();
    let dictionary = info
        .group_context
        .extensions
        .iter()
        .find(|it| it.extension_type == ExtensionType::APP_DATA_DICTIONARY)
        .unwrap();
    let dictionary = AppDataDictionary::from_bytes(&dictionary.extension_data).unwrap();
    Proposal::AppDataUpdate(AppDataUpdate {
        component_id,
        op: AppDataUpdateOperation::Update(dictionary.get(component_id).unwrap().to_vec()),
    })
}

fn again(room: &mut Room, component: ComponentId) -> Attempt {
    let same = same(room, component);
    inject(room, vec![same])
}

fn list(room: &mut Room, change: impl FnOnce(&mut ParticipantListUpdate)) -> Attempt {
    let mut list = ParticipantListUpdate {
        changed_role_participants: vec![],
        removed_indices: vec![],
        added_participants: vec![],
    };
    change(&mut list);
    update(room, ComponentId::PARTICIPANT_LIST, list.to_bytes())
}

fn carol(role_index: u32) -> UserRolePair {
    UserRolePair {
        user: UserUri::parse("mimi://b.example/u/carol").unwrap(),
        role_index,
    }
}

fn role(user_index: u32, role_index: u32) -> UserindexRolePair {
    UserindexRolePair {
        user_index,
        role_index,
    }
}
