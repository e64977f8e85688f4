//! Clients that come in or change, and the device lists they carry.

use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::{CommitPlan, GroupInfoView, OwnCommit, join_external};
use sabir_mls::identity::{ClientCredential, ProviderCa};
use sabir_mls::keys::SigningKey;
use sabir_mls::{Device, key_package};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::device_list::{DEVICE_LIST, SignedDeviceList};
use sabir_wire::mls::{
    AppDataDictionary, ComponentId, Credential, ExtensionType, KeyPackage, LeafNode, Proposal, ProposalOrRef,
};

use super::resign::resign;
use super::room::{Attempt, GROUP, Room, client, local};
use super::world::{self, Person};
use super::{Case, not_allowed};

/// External commits.
pub const JOINS: &[Case] = &[
    (
        "another name on the key of a client that is there",
        |room| {
            let key = room.alice.person.device.key.clone();
            let device = named(room, Who::Alice, "alice2", key);
            joined(room, "alice2", &device)
        },
        not_allowed,
        "removes another client",
    ),
    (
        "a removal of somebody else's client",
        |room| {
            let device = second(room);
            let commit = room.joins(&device);
            let bytes = resign(
                &commit.commit,
                &room.states[1].group_info,
                &device.key,
                |commit| {
                    commit
                        .proposals
                        .push(ProposalOrRef::Proposal(Proposal::Remove { removed: 1 }));
                },
            );
            room.attempt(
                local("alice2"),
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
        "a stranger of the hub's",
        |room| {
            let carol = room.world.person('a', "carol");
            joined(room, "carol1", &carol.device)
        },
        not_allowed,
        "is no participant",
    ),
    (
        "another identity key of a person who is there",
        |room| {
            let honest = second(room);
            let impostor = room.world.person('a', "alice");
            let other = device(room, &impostor, "alice2", honest.key.clone());
            let commit = room.joins(&honest);
            let commit = with_path_leaf(room, commit, &honest.key, 2, |leaf| {
                leaf.credential = credential(&other);
                set_entry(leaf, DEVICE_LIST, Some(other.device_list.clone()));
            });
            room.attempt(local("alice2"), &commit)
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "a client that is there, under another key",
        |room| {
            let honest = second(room);
            let twin = named(room, Who::Alice, "alice1", honest.key.clone());
            let commit = room.joins(&honest);
            let commit = with_path_leaf(room, commit, &honest.key, 2, |leaf| {
                leaf.credential = credential(&twin);
            });
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "twice",
    ),
    (
        "a joiner that changes the room's state",
        |room| {
            let mut rng = room.world.seed();
            let device = second(room);
            let state = &room.states[1];
            let view = GroupInfoView {
                group_info: &state.group_info,
                ratchet_tree: &state.ratchet_tree,
            };
            let update = AppDataOperation::Update(b"anything".to_vec());
            let entries = [(ComponentId::ROOM_METADATA.0, update)];
            let judge = room.world.judge();
            let joined = join_external(&device, view, &entries, &judge, &world::Replace, &mut rng).unwrap();
            room.attempt(local("alice2"), &joined.commit)
        },
        super::invalid_proposal,
        "refused",
    ),
    (
        "no device of the key's person",
        |room| {
            let device = second(room);
            let bob = room.world.device(&room.bob.person, "bob2");
            let commit = room.joins(&device);
            let commit = with_path_leaf(room, commit, &device.key, 2, |leaf| {
                leaf.credential = credential(&bob);
            });
            room.attempt(local("alice2"), &commit)
        },
        not_allowed,
        "leaf key is not the certified key",
    ),
];

/// Clients that Alice adds.
pub const ADDS: &[Case] = &[
    (
        "a stranger",
        |room| {
            let carol = room.world.person('b', "carol");
            added(room, &carol.device)
        },
        not_allowed,
        "is no participant",
    ),
    (
        "a stranger beside a device of Bob's",
        |room| {
            let carol = room.world.person('b', "carol").device;
            let bob = listed(room, "bob2");
            added_together(room, &[&bob, &carol])
        },
        not_allowed,
        "is no participant",
    ),
    (
        "a client that is there, under another key",
        |room| {
            let device = listed(room, "bob1");
            added(room, &device)
        },
        not_allowed,
        "twice",
    ),
    (
        "another identity key of a person who is there",
        |room| {
            let impostor = room.world.person('b', "bob");
            let key = room.world.hub_key.clone();
            let device = device(room, &impostor, "bob2", key);
            added(room, &device)
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "the same client twice",
        |room| {
            let (one, other) = (listed(room, "bob2"), listed(room, "bob2"));
            added_together(room, &[&one, &other])
        },
        not_allowed,
        "twice",
    ),
];

/// Alice's own leaf, by the path of her commit.
pub const CHANGES: &[Case] = &[
    (
        "another client's name",
        |room| {
            let key = room.alice.person.device.key.clone();
            let other = named(room, Who::Alice, "alice2", key);
            changed(room, |leaf| leaf.credential = credential(&other))
        },
        not_allowed,
        "a leaf changes its client",
    ),
    (
        "another person's name",
        |room| {
            let key = room.alice.person.device.key.clone();
            let other = named(room, Who::Bob, "bob1", key);
            changed(room, |leaf| leaf.credential = credential(&other))
        },
        not_allowed,
        "a leaf changes its client",
    ),
    (
        "another identity key under the same name",
        |room| {
            let impostor = room.world.person('a', "alice");
            let key = room.alice.person.device.key.clone();
            let other = device(room, &impostor, "alice1", key);
            changed(room, |leaf| leaf.credential = credential(&other))
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "another identity key, after the provider's CA was replaced",
        |room| {
            // The hub knows the new CA alone, so the old leaf's own certificate proves nothing any more.
            let old = room.world.a.to_anchor();
            let key = room.alice.person.device.key.clone();
            let mut rng = room.world.seed();
            let ca = ProviderCa::generate(old.domain(), room.world.now, &mut rng).unwrap();
            let impostor = world::person(&ca, "alice", &mut rng, room.world.now);
            let other = device(room, &impostor, "alice1", key);
            let mut attempt = changed(room, |leaf| leaf.credential = credential(&other));
            assert!(attempt.anchors.remove(old.domain(), &old.hash()));
            attempt.anchors.pin(old.domain(), ca.to_anchor()).unwrap();
            attempt
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "a credential for another key",
        |room| {
            let other = room.world.device(&room.alice.person, "alice1");
            changed(room, |leaf| leaf.credential = credential(&other))
        },
        not_allowed,
        "leaf key is not the certified key",
    ),
    (
        "no dictionary",
        |room| {
            changed(room, |leaf| {
                leaf.extensions
                    .retain(|it| it.extension_type != ExtensionType::APP_DATA_DICTIONARY);
            })
        },
        not_allowed,
        "the dictionary is missing",
    ),
    (
        "no safe_aad",
        |room| changed(room, |leaf| set_entry(leaf, ComponentId::SAFE_AAD, None)),
        not_allowed,
        "app_components or safe_aad is missing",
    ),
];

/// Device lists. Bob's newest is of version 3, Alice's of version 2.
pub const DEVICE_LISTS: &[Case] = &[
    (
        "an added leaf without a list",
        |room| {
            let device = listed(room, "bob2");
            let mut rng = room.world.seed();
            let made = key_package::generate(&device, 1, room.world.now, &mut rng)
                .unwrap()
                .remove(0);
            let mut package = KeyPackage::from_bytes(&made.bytes).unwrap();
            set_entry(&mut package.leaf_node, DEVICE_LIST, None);
            let tbs = package.leaf_node.to_be_signed(GROUP, 0);
            package.leaf_node.signature = device.key.sign_with_label("LeafNodeTBS", &tbs).unwrap();
            package.signature = device
                .key
                .sign_with_label("KeyPackageTBS", &package.to_be_signed())
                .unwrap();
            let package = room.routed(&package.to_bytes());
            let commit = room.alice_commits(CommitPlan {
                adds: vec![package],
                ..CommitPlan::default()
            });
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "carries no device list",
    ),
    (
        "an added leaf with something else",
        |room| with_list(room, |_, _| vec![9]),
        not_allowed,
        "malformed",
    ),
    (
        "an added leaf with another person's list",
        |room| {
            with_list(room, |room, key| {
                world::device_list(&room.alice.person, 9, &[key])
            })
        },
        not_allowed,
        "another person's",
    ),
    (
        "an added leaf with a list of another identity's",
        |room| {
            let impostor = room.world.person('b', "bob");
            with_list(room, |_, key| world::device_list(&impostor, 9, &[key]))
        },
        not_allowed,
        "not signed by its person",
    ),
    (
        "an added leaf with an altered list",
        |room| {
            with_list(room, |room, key| {
                let bytes = world::device_list(&room.bob.person, 3, &[key]);
                let mut list = SignedDeviceList::from_bytes(&bytes).unwrap();
                list.version = 9;
                list.to_bytes()
            })
        },
        not_allowed,
        "not signed by its person",
    ),
    (
        "an added leaf that is not on the list",
        |room| {
            with_list(room, |room, _| {
                world::device_list(&room.bob.person, 9, &[&room.bob.person.device.key])
            })
        },
        not_allowed,
        "not on its person's device list",
    ),
    (
        "an added leaf with an older list",
        |room| with_list(room, |room, key| world::device_list(&room.bob.person, 2, &[key])),
        not_allowed,
        "older than one already seen",
    ),
    (
        "an added leaf with another list of the version that was seen",
        |room| with_list(room, |room, key| world::device_list(&room.bob.person, 3, &[key])),
        not_allowed,
        "two device lists of one version differ",
    ),
    (
        "a joiner with another list of the version that was seen",
        |room| {
            let mut device = second(room);
            device.device_list = world::device_list(&room.alice.person, 2, &[&device.key]);
            joined(room, "alice2", &device)
        },
        not_allowed,
        "two device lists of one version differ",
    ),
    (
        "a renewed leaf with another list of the version that was seen",
        |room| {
            let other = second(room);
            let own = &room.alice.person.device.key;
            let list = world::device_list(&room.alice.person, 2, &[own, &other.key]);
            changed(room, |leaf| set_entry(leaf, DEVICE_LIST, Some(list)))
        },
        not_allowed,
        "two device lists of one version differ",
    ),
    (
        "a joiner that is not on the list",
        |room| {
            let mut device = second(room);
            device.device_list = room.alice.person.device.device_list.clone();
            joined(room, "alice2", &device)
        },
        not_allowed,
        "not on its person's device list",
    ),
    (
        "a joiner with an older list",
        |room| {
            let mut device = second(room);
            device.device_list = world::device_list(&room.alice.person, 1, &[&device.key]);
            joined(room, "alice2", &device)
        },
        not_allowed,
        "older than one already seen",
    ),
    (
        "a renewed leaf without a list",
        |room| changed(room, |leaf| set_entry(leaf, DEVICE_LIST, None)),
        not_allowed,
        "carries no device list",
    ),
    (
        "a renewed leaf with an older list",
        |room| {
            let list = world::device_list(&room.alice.person, 1, &[&room.alice.person.device.key]);
            changed(room, |leaf| set_entry(leaf, DEVICE_LIST, Some(list)))
        },
        not_allowed,
        "older than one already seen",
    ),
    (
        "a renewed leaf that its list revokes",
        |room| {
            let other = second(room);
            let list = world::device_list(&room.alice.person, 3, &[&other.key]);
            changed(room, |leaf| set_entry(leaf, DEVICE_LIST, Some(list)))
        },
        not_allowed,
        "not on its person's device list",
    ),
];

enum Who {
    Alice,
    Bob,
}

/// A device of somebody's with this name and this key, on a list of its own.
fn named(room: &mut Room, who: Who, name: &str, key: SigningKey) -> Device {
    let mut rng = room.world.seed();
    let (person, authority) = match who {
        Who::Alice => (&room.alice.person, "a.example"),
        Who::Bob => (&room.bob.person, "b.example"),
    };
    issue(
        person,
        &format!("mimi://{authority}/d/{name}"),
        key,
        room.world.now,
        &mut rng,
    )
}

pub fn device(room: &mut Room, person: &Person, name: &str, key: SigningKey) -> Device {
    let mut rng = room.world.seed();
    let authority = world::user_of(person).authority().as_str().to_owned();
    issue(
        person,
        &format!("mimi://{authority}/d/{name}"),
        key,
        room.world.now,
        &mut rng,
    )
}

fn issue(
    person: &Person,
    uri: &str,
    key: SigningKey,
    now: u64,
    rng: &mut rand_chacha::ChaCha20Rng,
) -> Device {
    let period = world::period(now);
    let public = world::key32(&key);
    let certificate = person
        .identity
        .issue_device(&person.user_certificate, &client(uri), &public, period, rng)
        .unwrap();
    let credential = ClientCredential::new(&certificate, &person.user_certificate).unwrap();
    Device {
        credential: credential.to_bytes(),
        device_list: world::device_list(person, 5, &[&key]),
        key,
        suite: 1,
    }
}

/// A new device of Alice's, on a newer list.
pub fn second(room: &mut Room) -> Device {
    let mut device = room.world.device(&room.alice.person, "alice2");
    let first = &room.alice.person.device.key;
    device.device_list = world::device_list(&room.alice.person, 3, &[first, &device.key]);
    device
}

/// A new device of Bob's, on a newer list.
pub fn listed(room: &mut Room, name: &str) -> Device {
    let mut device = room.world.device(&room.bob.person, name);
    let first = &room.bob.person.device.key;
    device.device_list = world::device_list(&room.bob.person, 4, &[first, &device.key]);
    device
}

fn credential(device: &Device) -> Credential {
    ClientCredential::parse(&device.credential)
        .unwrap()
        .to_credential()
}

pub fn joined(room: &mut Room, name: &str, device: &Device) -> Attempt {
    let commit = room.joins(device);
    room.attempt(local(name), &commit)
}

pub fn added(room: &mut Room, device: &Device) -> Attempt {
    let commit = room.alice_adds(device);
    room.attempt(local("alice1"), &commit)
}

fn added_together(room: &mut Room, devices: &[&Device]) -> Attempt {
    let adds = devices.iter().map(|device| room.key_package(device).0).collect();
    let commit = room.alice_commits(CommitPlan {
        adds,
        ..CommitPlan::default()
    });
    room.attempt(local("alice1"), &commit)
}

/// Alice adds a device of Bob's with this list.
fn with_list(room: &mut Room, list: impl FnOnce(&Room, &SigningKey) -> Vec<u8>) -> Attempt {
    let mut device = room.world.device(&room.bob.person, "bob2");
    device.device_list = list(room, &device.key);
    added(room, &device)
}

/// Alice renews her leaf, which is then changed and signed by her.
pub fn changed(room: &mut Room, change: impl FnOnce(&mut LeafNode)) -> Attempt {
    let (commit, key) = (room.refresh(), room.alice.person.device.key.clone());
    let commit = with_path_leaf(room, commit, &key, 0, change);
    room.attempt(local("alice1"), &commit)
}

fn with_path_leaf(
    room: &Room,
    commit: OwnCommit,
    key: &SigningKey,
    index: u32,
    change: impl FnOnce(&mut LeafNode),
) -> OwnCommit {
    let bytes = resign(&commit.commit, &room.states[1].group_info, key, |commit| {
        let leaf = &mut commit.path.as_mut().unwrap().leaf_node;
        change(leaf);
        let tbs = leaf.to_be_signed(GROUP, index);
        leaf.signature = key.sign_with_label("LeafNodeTBS", &tbs).unwrap();
    });
    OwnCommit {
        commit: bytes,
        ..commit
    }
}

fn set_entry(leaf: &mut LeafNode, component: ComponentId, data: Option<Vec<u8>>) {
    for extension in &mut leaf.extensions {
        if extension.extension_type == ExtensionType::APP_DATA_DICTIONARY {
            let mut dictionary = AppDataDictionary::from_bytes(&extension.extension_data).unwrap();
            match data.clone() {
                Some(data) => dictionary.set(component, data),
                None => drop(dictionary.remove(component)),
            }
            extension.extension_data = dictionary.to_bytes();
        }
    }
}
