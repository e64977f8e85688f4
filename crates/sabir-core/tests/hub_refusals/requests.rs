//! GroupInfo, tree, Welcome, origin and framing.

use sabir_core::hub::Route;
use sabir_mls::group::{CommitPlan, OwnCommit};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{
    Extension, ExtensionType, FramedContentBody, GroupInfo, MlsMessage, Node, Proposal, RatchetTree, Welcome,
};
use sabir_wire::protocol::{
    GroupInfoOption, HandshakeBundle, PartialGroupInfo, RatchetTreeOption, RatchetTreePresence,
};

use super::resign::{resign, resign_message};
use super::room::{Attempt, Room, client, follower, local};
use super::{Case, not_allowed, world, wrong_epoch};

/// The GroupInfo of the epoch the commit leads to.
pub const GROUP_INFO: &[Case] = &[
    (
        "no external_pub",
        |room| {
            group_info(room, |info| {
                info.extensions
                    .retain(|it| it.extension_type != ExtensionType::EXTERNAL_PUB)
            })
        },
        not_allowed,
        "external_pub is missing",
    ),
    (
        "a ratchet_tree extension",
        |room| {
            group_info(room, |info| {
                info.extensions.push(Extension {
                    extension_type: ExtensionType::RATCHET_TREE,
                    extension_data: vec![0],
                });
            })
        },
        not_allowed,
        "ratchet_tree extension",
    ),
    (
        "the last epoch's",
        |room| {
            let stale = room.states[1].group_info.clone();
            with_group_info(room, |_, _| GroupInfo::from_bytes(&stale).unwrap())
        },
        not_allowed,
        "not of the epoch",
    ),
    (
        "another epoch in its context",
        |room| group_info(room, |info| info.group_context.epoch += 1),
        not_allowed,
        "not of the epoch",
    ),
    (
        "another tree hash",
        |room| group_info(room, |info| info.group_context.tree_hash[0] ^= 1),
        not_allowed,
        "not of the epoch",
    ),
    (
        "another transcript",
        |room| group_info(room, |info| info.group_context.confirmed_transcript_hash[0] ^= 1),
        not_allowed,
        "not of the epoch",
    ),
    (
        "other room state",
        |room| group_info(room, |info| drop(info.group_context.extensions.pop())),
        not_allowed,
        "not of the epoch",
    ),
    (
        "another confirmation tag",
        |room| group_info(room, |info| info.confirmation_tag[0] ^= 1),
        not_allowed,
        "not of the epoch",
    ),
    (
        "another member as signer",
        |room| group_info(room, |info| info.signer = 1),
        not_allowed,
        "not of the epoch",
    ),
    (
        "another member's signature",
        |room| {
            let key = room.bob.person.device.key.clone();
            with_group_info(room, |mut info, _| {
                info.signature = key.sign_with_label("GroupInfoTBS", &info.to_be_signed()).unwrap();
                info
            })
        },
        not_allowed,
        "signature is not the committer's",
    ),
    (
        "a broken signature",
        |room| {
            with_group_info(room, |mut info, _| {
                info.signature[0] ^= 1;
                info
            })
        },
        not_allowed,
        "signature is not the committer's",
    ),
    (
        "a partial one",
        |room| {
            let commit = room.refresh();
            let mut attempt = room.attempt(local("alice1"), &commit);
            let partial = PartialGroupInfo {
                ratchet_tree_presence: RatchetTreePresence::Present,
                group_info_extensions: vec![],
                signature: vec![7; 64],
            };
            if let HandshakeBundle::Commit { group_info, .. } = &mut attempt.request.bundle {
                **group_info = GroupInfoOption::Partial(partial);
            }
            attempt
        },
        not_allowed,
        "partial",
    ),
];

/// The tree of the epoch the commit leads to. It is compared after the merge, which is undone.
pub const TREE: &[Case] = &[
    (
        "the last epoch's tree",
        |room| {
            let old = RatchetTree::from_bytes(&room.states[1].ratchet_tree).unwrap();
            tree(room, |_| RatchetTreeOption::Full(old))
        },
        not_allowed,
        "tree does not match",
    ),
    (
        "a tree with another leaf",
        |room| {
            tree(room, |mut tree| {
                for node in tree.0.iter_mut().flatten() {
                    if let Node::Leaf(leaf) = node {
                        leaf.signature[0] ^= 1;
                    }
                }
                RatchetTreeOption::Full(tree)
            })
        },
        not_allowed,
        "tree does not match",
    ),
    (
        "a tree cut short",
        |room| {
            tree(room, |mut tree| {
                tree.0.truncate(1);
                RatchetTreeOption::Full(tree)
            })
        },
        not_allowed,
        "tree does not match",
    ),
    (
        "a tree elsewhere",
        |room| {
            tree(room, |_| RatchetTreeOption::HttpsUri {
                ratchet_tree_url: "https://a.example/tree".to_owned(),
                tree_signature: vec![1],
            })
        },
        not_allowed,
        "must come along",
    ),
    (
        "a tree out of band",
        |room| {
            tree(room, |_| RatchetTreeOption::OutOfBand {
                tree_signature: vec![1],
            })
        },
        not_allowed,
        "must come along",
    ),
];

/// The Welcome, and where its key packages came from.
pub const WELCOME: &[Case] = &[
    (
        "no Welcome for an added client",
        |room| added(room, |_, _| None),
        not_allowed,
        "not for the added clients",
    ),
    (
        "a Welcome of another commit",
        |room| {
            let other = second_of_bob(room);
            added(room, |_, _| {
                Some(Welcome::from_bytes(other.welcome.as_ref().unwrap()).unwrap())
            })
        },
        not_allowed,
        "not for the added clients",
    ),
    (
        "a Welcome for one more",
        |room| {
            let other = second_of_bob(room);
            added(room, |mut welcome, _| {
                let other = Welcome::from_bytes(other.welcome.as_ref().unwrap()).unwrap();
                welcome.secrets.extend(other.secrets);
                Some(welcome)
            })
        },
        not_allowed,
        "not for the added clients",
    ),
    (
        "a Welcome where nobody is added",
        |room| {
            let other = second_of_bob(room);
            let commit = OwnCommit {
                welcome: other.welcome,
                ..room.refresh()
            };
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "not for the added clients",
    ),
    (
        "a key package that was not asked for through the hub",
        |room| {
            let commit = second_of_bob(room);
            let mut attempt = room.attempt(local("alice1"), &commit);
            attempt.routes.clear();
            attempt
        },
        not_allowed,
        "not handed out through this hub",
    ),
    (
        "a key package that went to another provider",
        |room| rerouted(room, Route::Provider(world::domain("c.example"))),
        not_allowed,
        "not handed out through this hub",
    ),
    (
        "a key package that went to a device here",
        |room| rerouted(room, Route::Device(client("mimi://a.example/d/alice1"))),
        not_allowed,
        "not handed out through this hub",
    ),
    (
        "a key package that went to another device here",
        |room| {
            let device = super::clients::second(room);
            let commit = room.alice_adds(&device);
            let mut attempt = room.attempt(local("alice1"), &commit);
            for route in attempt.routes.values_mut() {
                *route = Route::Device(client("mimi://a.example/d/alice3"));
            }
            attempt
        },
        not_allowed,
        "not handed out through this hub",
    ),
];

/// Who brings the commit.
pub const ORIGIN: &[Case] = &[
    (
        "Alice's commit from Bob's provider",
        |room| {
            let commit = room.refresh();
            room.attempt(follower(), &commit)
        },
        not_allowed,
        "another provider",
    ),
    (
        "Alice's commit from another device of hers",
        |room| {
            let commit = room.refresh();
            room.attempt(local("alice2"), &commit)
        },
        not_allowed,
        "another device",
    ),
    (
        "Bob's commit from a device of the hub",
        |room| {
            let commit = bob_refreshes(room);
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "another provider",
    ),
    (
        "Bob's commit from a third provider",
        |room| {
            let commit = bob_refreshes(room);
            let mut origin = follower();
            origin.provider = world::domain("c.example");
            room.attempt(origin, &commit)
        },
        not_allowed,
        "nobody of this provider",
    ),
    (
        "an old commit from a third provider, which would learn the epoch",
        |room| {
            let mut attempt = altered(room, |message| message.content.epoch = 0);
            attempt.origin.provider = world::domain("c.example");
            attempt
        },
        not_allowed,
        "nobody of this provider",
    ),
    (
        "an external commit from another device",
        |room| {
            let device = super::clients::second(room);
            let commit = room.joins(&device);
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "another device",
    ),
    (
        "an external commit from another provider",
        |room| {
            let device = super::clients::second(room);
            let commit = room.joins(&device);
            room.attempt(follower(), &commit)
        },
        not_allowed,
        "another provider",
    ),
];

/// The handshake itself.
pub const MESSAGE: &[Case] = &[
    (
        "a commit of the last epoch",
        |room| altered(room, |message| message.content.epoch = 0),
        wrong_epoch,
        "epoch 0",
    ),
    (
        "a commit of the next epoch",
        |room| altered(room, |message| message.content.epoch = 2),
        wrong_epoch,
        "epoch 2",
    ),
    (
        "a commit for another group",
        |room| altered(room, |message| message.content.group_id.push(0)),
        not_allowed,
        "another group",
    ),
    (
        "a broken signature",
        |room| {
            let mut attempt = altered(room, |_| {});
            if let HandshakeBundle::Commit { message, .. } = &mut attempt.request.bundle
                && let MlsMessage::Public(message) = &mut **message
            {
                message.auth.signature[0] ^= 1;
            }
            attempt
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "another member's name on it",
        |room| {
            altered(room, |message| {
                message.content.sender = sabir_wire::mls::Sender::Member { leaf_index: 1 }
            })
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "a name that nobody has",
        |room| {
            altered(room, |message| {
                message.content.sender = sabir_wire::mls::Sender::Member { leaf_index: 9 }
            })
        },
        not_allowed,
        "MLS refuses",
    ),
    (
        "a path without its leaf's signature",
        |room| {
            let (commit, key) = (room.refresh(), room.alice.person.device.key.clone());
            let bytes = resign(&commit.commit, &room.states[1].group_info, &key, |commit| {
                commit.path.as_mut().unwrap().leaf_node.signature[0] ^= 1;
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
        "a proposal announced as a commit",
        |room| {
            altered(room, |message| {
                message.content.body = FramedContentBody::Proposal(Proposal::Remove { removed: 1 });
                message.auth.confirmation_tag = None;
            })
        },
        not_allowed,
        "a proposal came",
    ),
    (
        "a proposal",
        |room| {
            let mut attempt = altered(room, |message| {
                message.content.body = FramedContentBody::Proposal(Proposal::Remove { removed: 1 });
                message.auth.confirmation_tag = None;
            });
            let message = Box::new(attempt.request.bundle.message().clone());
            attempt.request.bundle = HandshakeBundle::Proposal {
                message,
                more: vec![],
            };
            attempt
        },
        not_allowed,
        "a removal is not allowed",
    ),
];

fn sign(room: &Room, info: &mut GroupInfo) {
    let key = &room.alice.person.device.key;
    info.signature = key.sign_with_label("GroupInfoTBS", &info.to_be_signed()).unwrap();
}

/// A commit of Alice's with a changed GroupInfo that she signed.
fn group_info(room: &mut Room, change: impl FnOnce(&mut GroupInfo)) -> Attempt {
    with_group_info(room, |mut info, room| {
        change(&mut info);
        sign(room, &mut info);
        info
    })
}

fn with_group_info(room: &mut Room, change: impl FnOnce(GroupInfo, &Room) -> GroupInfo) -> Attempt {
    let commit = room.refresh();
    let mut attempt = room.attempt(local("alice1"), &commit);
    let HandshakeBundle::Commit { group_info, .. } = &mut attempt.request.bundle else {
        panic!("a commit");
    };
    let info = GroupInfo::from_bytes(&commit.next.group_info).unwrap();
    **group_info = GroupInfoOption::Full(change(info, room));
    attempt
}

fn tree(room: &mut Room, change: impl FnOnce(RatchetTree) -> RatchetTreeOption) -> Attempt {
    let commit = room.refresh();
    let mut attempt = room.attempt(local("alice1"), &commit);
    let HandshakeBundle::Commit { ratchet_tree, .. } = &mut attempt.request.bundle else {
        panic!("a commit");
    };
    *ratchet_tree = change(RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap());
    attempt
}

/// Alice adds a second device of Bob's; honest.
pub fn second_of_bob(room: &mut Room) -> OwnCommit {
    let mut device = room.world.device(&room.bob.person, "bob2");
    device.device_list = world::device_list(&room.bob.person, 4, &[&device.key]);
    room.alice_adds(&device)
}

fn added(room: &mut Room, change: impl FnOnce(Welcome, &Room) -> Option<Welcome>) -> Attempt {
    let commit = second_of_bob(room);
    let mut attempt = room.attempt(local("alice1"), &commit);
    let HandshakeBundle::Commit { welcome, .. } = &mut attempt.request.bundle else {
        panic!("a commit");
    };
    *welcome = change(welcome.take().unwrap(), room);
    attempt
}

fn rerouted(room: &mut Room, to: Route) -> Attempt {
    let commit = second_of_bob(room);
    let mut attempt = room.attempt(local("alice1"), &commit);
    for route in attempt.routes.values_mut() {
        *route = to.clone();
    }
    attempt
}

fn bob_refreshes(room: &mut Room) -> OwnCommit {
    room.bob_commits(CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    })
}

fn altered(room: &mut Room, change: impl FnOnce(&mut sabir_wire::mls::PublicMessage)) -> Attempt {
    let (commit, key) = (room.refresh(), room.alice.person.device.key.clone());
    let bytes = resign_message(&commit.commit, &room.states[1].group_info, &key, change);
    room.attempt(
        local("alice1"),
        &OwnCommit {
            commit: bytes,
            ..commit
        },
    )
}
