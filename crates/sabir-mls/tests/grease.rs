//! GREASE and numbers nobody has registered: our own leaves carry some, others' are let through, and what nobody here
//! knows survives every commit byte for byte (RFC 9420 §13.5, draft-ietf-mls-extensions §5.1).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

#[path = "world/forge.rs"]
mod forge;
mod identity_support;
#[path = "world/resign.rs"]
mod resign;
#[path = "world/rogue.rs"]
mod rogue;
#[path = "world/scene.rs"]
mod scene;
mod world;

use openmls::prelude::{
    CredentialType, Extension, ExtensionType, ProposalType, RequiredCapabilitiesExtension, UnknownExtension,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use resign::resign;
use rogue::{Leaf, external};
use sabir_mls::group::{CommitPlan, Incoming, OwnCommit, join_external, join_welcome};
use sabir_mls::observer::Observed;
use sabir_mls::{Device, MlsError, key_package};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{
    AppDataDictionary, ComponentId, ComponentsList, Extension as WireExtension, ExtensionType as WireType,
    GroupInfo, KeyPackage, LeafNode, Node, Proposal, ProposalOrRef, RatchetTree,
};
use scene::{Scene, judge, view};
use world::{Replace, World};

/// The leaf of an encoded key package.
fn leaf_of(package: &[u8]) -> LeafNode {
    KeyPackage::from_bytes(package).unwrap().leaf_node
}

fn dictionary_in(extensions: &[WireExtension]) -> AppDataDictionary {
    let data = extensions
        .iter()
        .find(|it| it.extension_type == WireType::APP_DATA_DICTIONARY)
        .unwrap();
    AppDataDictionary::from_bytes(&data.extension_data).unwrap()
}

/// The leaf of a device in a tree.
fn leaf_in(tree: &[u8], device: &Device) -> Vec<u8> {
    let mut leaves = RatchetTree::from_bytes(tree).unwrap().0.into_iter().flatten();
    leaves
        .find_map(|node| match node {
            Node::Leaf(leaf) if leaf.signature_key.0 == device.key.public() => Some(leaf.to_bytes()),
            _ => None,
        })
        .unwrap()
}

/// How many GREASE values stand in each place of a leaf: suites, extensions, proposals, credentials, components, those
/// with SafeAAD, entries.
fn grease(leaf: &LeafNode) -> [usize; 7] {
    let capabilities = &leaf.capabilities;
    let dictionary = dictionary_in(&leaf.extensions);
    let list = |component: ComponentId| {
        let entry = dictionary
            .component_data
            .iter()
            .find(|it| it.component_id == component)
            .unwrap();
        let list = ComponentsList::from_bytes(&entry.data).unwrap().component_ids;
        list.iter().filter(|it| it.is_grease()).count()
    };
    [
        capabilities
            .cipher_suites
            .iter()
            .filter(|it| it.is_grease())
            .count(),
        capabilities.extensions.iter().filter(|it| it.is_grease()).count(),
        capabilities.proposals.iter().filter(|it| it.is_grease()).count(),
        capabilities
            .credentials
            .iter()
            .filter(|it| it.is_grease())
            .count(),
        list(ComponentId::APP_COMPONENTS),
        list(ComponentId::SAFE_AAD),
        dictionary
            .component_data
            .iter()
            .filter(|it| it.component_id.is_grease())
            .count(),
    ]
}

#[test]
fn every_leaf_of_ours_has_a_little_grease_and_the_seed_says_which() {
    let mut world = World::new(1);
    let alice = world.person('a', "alice").device;
    let made = |seed: u64| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        key_package::generate(&alice, 4, world.now, &mut rng).unwrap()
    };
    let packages = made(1);
    assert_eq!(packages, made(1));
    let leaves: Vec<LeafNode> = packages.iter().map(|it| leaf_of(&it.bytes)).collect();
    assert!(leaves.iter().all(|leaf| grease(leaf) == [1; 7]));
    let lists: std::collections::BTreeSet<Vec<u8>> =
        leaves.iter().map(|leaf| leaf.capabilities.to_bytes()).collect();
    assert!(lists.len() > 1, "not the same in every leaf");
    // A leaf as our clients made them before had none, and was at most eighteen bytes smaller.
    let mut rng = world.seed();
    let (bare, ..) = Leaf::of(&alice).key_package(&mut rng).unwrap();
    assert_eq!(grease(&leaf_of(&bare)), [0; 7]);
    for package in &packages {
        let more = package.bytes.len() - bare.len();
        assert!((15..=18).contains(&more), "{more}");
    }
}

#[test]
fn a_renewed_leaf_and_one_from_outside_have_grease_too() {
    let mut scene = Scene::new(2);
    let mut rng = scene.rng();
    let tree = |state: &[u8], device: &Device| LeafNode::from_bytes(&leaf_in(state, device)).unwrap();
    let (alice, bob) = (scene.alice.device.clone(), scene.bob.device.clone());
    let now = scene.now.ratchet_tree.clone();
    assert_eq!(grease(&tree(&now, &alice)), [1; 7], "the group's first leaf");
    assert_eq!(grease(&tree(&now, &bob)), [1; 7]);
    let plan = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let renewed = scene.bob.group.commit(&bob, plan, &Replace, &mut rng).unwrap();
    assert_eq!(grease(&tree(&renewed.next.ratchet_tree, &bob)), [1; 7]);
    let dave = scene.forge.world.person('b', "dave").device;
    let state = scene.now.clone();
    let judge = judge(&scene.forge);
    let joined = join_external(&dave, view(&state), &[], &judge, &Replace, &mut rng).unwrap();
    assert_eq!(grease(&tree(&joined.commit.next.ratchet_tree, &dave)), [1; 7]);
}

/// Hub and members take a commit of somebody who is none of them.
fn everybody_takes(scene: &mut Scene, commit: &OwnCommit, committer: Option<&str>) {
    let mut rng = scene.rng();
    let judge = judge(&scene.forge);
    let Observed::Commit(staged) = scene.hub.stage(&commit.commit, &judge, &Replace).unwrap() else {
        panic!("a commit");
    };
    staged.facts.require_verified().unwrap();
    scene
        .hub
        .check_group_info(&staged, &commit.next.group_info)
        .unwrap();
    let tree = RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
    scene.hub.check_tree(&staged, &tree).unwrap();
    scene.hub.merge(*staged).unwrap();
    let people = [
        ("alice", &mut scene.alice),
        ("bob", &mut scene.bob),
        ("carol", &mut scene.carol),
    ];
    for (name, member) in people {
        if committer == Some(name) {
            member.group.merge_own().unwrap();
            continue;
        }
        match member
            .group
            .process(&commit.commit, &judge, &Replace, &mut rng)
            .unwrap()
        {
            Incoming::Commit(staged) => {
                staged.facts.require_verified().unwrap();
                member.group.merge(*staged).unwrap();
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(member.group.transcript_hash(), scene.hub.transcript_hash());
    }
    scene.now = commit.next.clone();
}

#[test]
fn a_foreign_leaf_full_of_grease_comes_in_stays_and_is_not_altered() {
    let mut scene = Scene::new(3);
    let mut rng = scene.rng();
    // Dave is added by his key package, Erin comes from outside.
    let dave = scene.forge.world.person('b', "dave").device;
    let (bytes, _, rows) = Leaf::of(&dave).greased().key_package(&mut rng).unwrap();
    let counts = grease(&leaf_of(&bytes));
    assert_eq!(counts, [15, 15, 15, 15, 8, 8, 8], "a test that tests it");
    let anchors = &scene.forge.world.anchors;
    let package = key_package::verify(&bytes, anchors, scene.forge.world.now).unwrap();
    let plan = CommitPlan {
        adds: vec![package],
        ..CommitPlan::default()
    };
    let alice = scene.alice.device.clone();
    let commit = scene
        .alice
        .group
        .commit(&alice, plan, &Replace, &mut rng)
        .unwrap();
    everybody_takes(&mut scene, &commit, Some("alice"));
    let theirs = judge(&scene.forge);
    let (welcome, tree) = (commit.welcome.as_ref().unwrap(), &commit.next.ratchet_tree);
    let daves = join_welcome(rows, welcome, tree, &theirs, &mut rng).unwrap();
    assert_eq!(daves.transcript_hash(), scene.hub.transcript_hash());
    assert_eq!(leaf_in(tree, &dave), leaf_of(&bytes).to_bytes());

    let erin = scene.forge.world.person('b', "erin").device;
    let commit = external(&Leaf::of(&erin).greased(), &scene.now.clone(), &mut rng).unwrap();
    everybody_takes(&mut scene, &commit, None);
    let hers = leaf_in(&commit.next.ratchet_tree, &erin);
    assert_eq!(
        grease(&LeafNode::from_bytes(&hers).unwrap()),
        [15, 15, 15, 15, 8, 8, 8]
    );

    // Commits of others go on over both, and leave their leaves as they are.
    for _ in 0..2 {
        scene.goes_on();
    }
    let tree = scene.hub.ratchet_tree().unwrap();
    assert_eq!(leaf_in(&tree, &dave), leaf_of(&bytes).to_bytes());
    assert_eq!(leaf_in(&tree, &erin), hers);
}

/// The context's dictionary holds components that nobody here knows, and asks for GREASE besides: that asks for
/// nothing. A GroupInfo may have GREASE as an extension.
#[test]
fn what_nobody_knows_survives_commits_byte_for_byte() {
    let unknown = [
        (0x0fffu16, vec![1, 2, 3]),
        (0x2a2a, vec![]),
        (0xf123, vec![0xff; 300]),
    ];
    let mut scene = Scene::made_by_rogue(4, |_| {
        let required = ComponentsList {
            component_ids: vec![ComponentId::PARTICIPANT_LIST, ComponentId::grease(3)],
        };
        let mut entries = vec![(1, required.to_bytes()), (0x22, b"participants".to_vec())];
        entries.extend(unknown.clone());
        vec![
            Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
                &[ExtensionType::AppDataDictionary],
                &[ProposalType::AppDataUpdate, ProposalType::SelfRemove],
                &[CredentialType::X509],
            )),
            Extension::AppDataDictionary(rogue::dictionary(&entries)),
        ]
    });
    let mut rng = scene.rng();
    let before = GroupInfo::from_bytes(&scene.now.group_info)
        .unwrap()
        .group_context;
    // A change of what is known, a newcomer, and a leaf that is renewed.
    let bob = scene.bob.device.clone();
    let plan = CommitPlan {
        app_data: vec![(
            0x22,
            sabir_mls::app_data::AppDataOperation::Update(b"others".to_vec()),
        )],
        ..CommitPlan::default()
    };
    let commit = scene.bob.group.commit(&bob, plan, &Replace, &mut rng).unwrap();
    everybody_takes(&mut scene, &commit, Some("bob"));
    let dave = scene.forge.world.person('b', "dave").device;
    let state = scene.now.clone();
    let theirs = judge(&scene.forge);
    let joined = join_external(&dave, view(&state), &[], &theirs, &Replace, &mut rng).unwrap();
    everybody_takes(&mut scene, &joined.commit, None);
    scene.goes_on();
    for (id, data) in &unknown {
        let component = ComponentId(*id);
        assert_eq!(scene.hub.component(component).as_ref(), Some(data), "{component}");
        assert_eq!(scene.carol.group.component(component).as_ref(), Some(data));
        assert_eq!(joined.group.component(component).as_ref(), Some(data));
    }
    let after = GroupInfo::from_bytes(&scene.now.group_info)
        .unwrap()
        .group_context;
    let others = |context: &[WireExtension]| {
        let mut dictionary = dictionary_in(context).component_data;
        dictionary.retain(|it| it.component_id != ComponentId::PARTICIPANT_LIST);
        dictionary
    };
    assert_eq!(others(&before.extensions), others(&after.extensions));
    assert_eq!(
        scene.hub.component(ComponentId::PARTICIPANT_LIST).unwrap(),
        b"others"
    );
}

#[test]
fn a_group_info_may_carry_grease_and_newcomers_pass_over_it() {
    let mut scene = Scene::new(5);
    let mut rng = scene.rng();
    let bob = scene.bob.device.clone();
    let plan = CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    };
    let mut commit = scene.bob.group.commit(&bob, plan, &Replace, &mut rng).unwrap();
    let mut info = GroupInfo::from_bytes(&commit.next.group_info).unwrap();
    info.extensions.extend([0x3a3a, 0xf123].map(|id| WireExtension {
        extension_type: WireType(id),
        extension_data: vec![id.to_be_bytes()[0]; 5],
    }));
    // Signed over what it was before, the hub refuses it.
    commit.next.group_info = info.to_bytes();
    let theirs = judge(&scene.forge);
    let Observed::Commit(staged) = scene.hub.stage(&commit.commit, &theirs, &Replace).unwrap() else {
        panic!("a commit");
    };
    assert!(matches!(
        scene.hub.check_group_info(&staged, &commit.next.group_info),
        Err(MlsError::GroupInfo(_))
    ));
    info.signature = bob
        .key
        .sign_with_label("GroupInfoTBS", &info.to_be_signed())
        .unwrap();
    commit.next.group_info = info.to_bytes();
    everybody_takes(&mut scene, &commit, Some("bob"));
    let dave = scene.forge.world.person('b', "dave").device;
    let state = scene.now.clone();
    let theirs = judge(&scene.forge);
    let joined = join_external(&dave, view(&state), &[], &theirs, &Replace, &mut rng).unwrap();
    everybody_takes(&mut scene, &joined.commit, None);
}

/// RFC 9420 §13.5 allows GREASE as an extension of a leaf or a key package that announces it. The library takes such a
/// number as GREASE in the list and as an unknown one in the extension, finds them unequal, and refuses the leaf: wrongly,
/// but hub and members alike, so that no room is torn apart by it.
#[test]
fn grease_as_an_extension_is_refused_everywhere_today() {
    let mut scene = Scene::new(6);
    let mut rng = scene.rng();
    let dave = scene.forge.world.person('b', "dave").device;
    let extension = |id| vec![Extension::Unknown(id, UnknownExtension(vec![1]))];
    let mut leaf = Leaf::of(&dave).greased();
    leaf.beside = extension(0x2a2a);
    let (bytes, package, _) = leaf.key_package(&mut rng).unwrap();
    let anchors = &scene.forge.world.anchors;
    let verified = key_package::verify(&bytes, anchors, scene.forge.world.now);
    assert!(matches!(verified, Err(MlsError::Invalid(_))), "{verified:?}");
    drop(package);

    leaf.beside = vec![];
    leaf.others = extension(0x2a2a);
    let outside = external(&leaf, &scene.now.clone(), &mut rng).unwrap();
    let at_hub = scene.at_hub(&outside);
    let at_carol = scene.at_carol(&outside);
    assert!(
        matches!(
            (&at_hub, &at_carol),
            (Err(MlsError::Invalid(_)), Err(MlsError::Invalid(_)))
        ),
        "{at_hub:?} {at_carol:?}"
    );
    let (bytes, ..) = leaf.key_package(&mut rng).unwrap();
    let mut commit = scene.alice_commits(None, vec![]).unwrap();
    let add = Proposal::Add(Box::new(KeyPackage::from_bytes(&bytes).unwrap()));
    let key = scene.alice.device.key.clone();
    commit.commit = resign(&commit.commit, &scene.now.group_info, &key, |commit| {
        commit.proposals = vec![ProposalOrRef::Proposal(add)];
    });
    let refused = scene.at_hub(&commit);
    assert!(matches!(refused, Err(MlsError::Invalid(_))), "{refused:?}");
    scene.goes_on();
}
