//! Policies of single features at the hub: what is proposed together, what holds, and what every member must understand.

use sabir_core::room::{ADMIN, Features, MEMBER};
use sabir_mls::SUPPORTED_COMPONENTS;
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::Encode as _;
use sabir_wire::mls::{ComponentId, ComponentsList, WireFormat};
use sabir_wire::policy::{
    AppMessagePolicy, BaseRoomPolicy, ExpirationLimits, ExtendedCapabilities, Governed, JoinLink,
    JoinLinkPolicy, JoinLinksUpdate, MessageExpiration, MinDefaultMaxTime, OperationalParameters,
    PendingProposalPolicy,
};
use sabir_wire::protocol::{GroupInfoOutcome, UpdateOutcome};

use super::group_support::{List, Scene};
use super::rogue;

type Data = (ComponentId, Vec<u8>);

pub fn expiring(most: u32) -> Data {
    let policy = MessageExpiration {
        expiring_messages: Governed::Required(ExpirationLimits {
            min_expiration_duration: 10,
            max_expiration_duration: most,
            default_expiration_duration: None,
        }),
    };
    (ComponentId::MESSAGE_EXPIRATION, policy.to_bytes())
}

pub fn operational(external_commit_allowed: bool) -> Data {
    let none = ExtendedCapabilities {
        versions: Vec::new(),
        cipher_suites: Vec::new(),
        extensions: Vec::new(),
        proposals: Vec::new(),
        credentials: Vec::new(),
        wire_formats: Vec::new(),
        component_ids: Vec::new(),
        safe_aad_types: Vec::new(),
        media_types: Vec::new(),
        content_types: Vec::new(),
    };
    let policy = OperationalParameters {
        mandatory_capabilities: none.clone(),
        default_capabilities: none.clone(),
        forbidden_capabilities: none,
        handshake_formats: vec![WireFormat::PUBLIC_MESSAGE],
        external_proposal_allowed: true,
        external_commit_allowed,
        pending_proposal_policy: PendingProposalPolicy::Unspecified,
        leaf_node_update_time: MinDefaultMaxTime::default(),
        app_message_policy: AppMessagePolicy {
            epoch_tolerance: 1,
            pad_to_size: 0,
            max_generations_skipahead: 1000,
        },
        max_kp_lifetime: 1,
        max_credential_lifetime: 1,
        resumption_psk_lifetime: 1,
        sender_nonce_keypair_lifetime: MinDefaultMaxTime::default(),
        max_keypairs: 1,
        buffer_incoming_message_time: MinDefaultMaxTime::default(),
        max_buffered_messages: 1,
    };
    (ComponentId::MLS_OPERATIONAL_POLICY, policy.to_bytes())
}

fn join_links() -> Data {
    let policy = JoinLinkPolicy {
        on_request: false,
        join_link: None,
        multiuser: true,
        expiration: 60,
    };
    (ComponentId::JOIN_LINK_POLICY, policy.to_bytes())
}

fn update(data: Data) -> (u16, AppDataOperation) {
    (data.0.0, AppDataOperation::Update(data.1))
}

/// The base policy, with this component named or not, and changed.
fn base(
    scene: &Scene,
    component: ComponentId,
    named: bool,
    change: impl FnOnce(&mut BaseRoomPolicy),
) -> (u16, AppDataOperation) {
    let mut base = scene.hub.state().base.clone();
    base.policy_component_ids.retain(|it| *it != component);
    if named {
        base.policy_component_ids.push(component);
    }
    change(&mut base);
    update((ComponentId::BASE_ROOM_POLICY, base.to_bytes()))
}

fn together(app_data: Vec<(u16, AppDataOperation)>) -> CommitPlan {
    CommitPlan {
        app_data,
        ..CommitPlan::default()
    }
}

/// A component comes, and the base policy names it.
pub fn plan(scene: &Scene, data: Data) -> CommitPlan {
    let base = base(scene, data.0, true, |_| ());
    together(vec![update(data), base])
}

pub fn links(removed: &[u32], added: &[u8]) -> CommitPlan {
    let change = JoinLinksUpdate {
        removed_indices: removed.to_vec(),
        added_links: added.iter().map(|n| JoinLink(vec![*n])).collect(),
    };
    together(vec![update((ComponentId::JOIN_LINKS, change.to_bytes()))])
}

/// The owner lets the room have join links, and makes one.
pub fn makes_links(scene: &mut Scene) {
    let policy = plan(scene, join_links());
    scene.does("alice", policy);
    let mut first = links(&[], &[1]);
    first
        .app_data
        .push(base(scene, ComponentId::JOIN_LINKS, true, |_| ()));
    scene.does("alice", first);
}

#[test]
fn a_policy_comes_changes_and_goes_and_the_base_policy_names_it() {
    let mut scene = Scene::of(61, &[("bob", 'b', ADMIN)]);
    let id = ComponentId::MESSAGE_EXPIRATION;
    let alone = together(vec![update(expiring(60))]);
    scene.refused(
        "alice",
        alone,
        &super::invalid(vec![]),
        "does not name component 0x0030",
    );
    // Too many words at once, and an admin's: the base policy may follow, but not change beside.
    let both = vec![
        update(expiring(60)),
        base(&scene, id, true, |base| base.max_users = Some(3)),
    ];
    scene.does("alice", together(both));
    assert_eq!(scene.hub.state().base.max_users, Some(3));
    assert!(scene.hub.state().features.expiration.is_some());
    let member = together(vec![update(expiring(70))]);
    scene.refused("bob", member, &UpdateOutcome::NotAllowed, "not allowed");
    scene.does("alice", together(vec![update(expiring(70))]));
    // What does not hold is refused, by the hub too.
    let broken = together(vec![update(expiring(5))]);
    let (answer, why, _) = scene.tries("alice", broken);
    assert!(!super::accepted(&answer) && why.contains("durations"), "{why}");
    let gone = (id.0, AppDataOperation::Remove);
    let base = base(&scene, id, false, |_| ());
    scene.does("alice", together(vec![gone, base]));
    assert_eq!(*scene.hub.state().features, Features::default());
    let carol = scene.world.person('b', "carol");
    scene.add_person("carol", carol);
    scene.lets_in("alice", "carol", MEMBER);
}

#[test]
fn a_room_without_external_commits_takes_none() {
    let mut scene = Scene::of(62, &[("bob", 'b', MEMBER)]);
    scene.second("bob", "bob2");
    let closed = plan(&scene, operational(false));
    scene.does("alice", closed);
    assert!(matches!(scene.group_info("bob2"), GroupInfoOutcome::Success(_)));
    let (answer, why, _) = scene.joins("bob2", &[], &[]);
    assert_eq!(answer, UpdateOutcome::NotAllowed);
    assert!(why.contains("no external commits"), "{why}");
    scene.does("alice", together(vec![update(operational(true))]));
    let (answer, why, _) = scene.joins("bob2", &[], &[]);
    assert!(super::accepted(&answer), "{why}");
}

/// Bob's device announces everything but one component; it comes where that is not there, and it does not come later.
#[test]
fn nothing_comes_that_a_member_does_not_understand() {
    let id = ComponentId::MESSAGE_EXPIRATION;
    let old_package = |scene: &mut Scene| {
        let components = SUPPORTED_COMPONENTS.iter().copied().filter(|it| *it != id);
        let list = ComponentsList {
            component_ids: components.collect(),
        };
        let leaf = rogue::Leaf::of(&scene.members["bob"].device)
            .with_entry(ComponentId::APP_COMPONENTS, Some(list.to_bytes()));
        let mut rng = scene.rng();
        let (bytes, _, rows) = leaf.key_package(&mut rng).unwrap();
        scene.take_package(&bytes, rows)
    };
    let list = List {
        added: &[("bob", MEMBER)],
        ..List::default()
    };
    let mut scene = Scene::new(63, &[("bob", 'b')]);
    let mut adds = scene.plan(&list, &[], &[]);
    adds.adds.push(old_package(&mut scene));
    scene.does("alice", adds);
    let comes = plan(&scene, expiring(60));
    scene.refused("alice", comes, &UpdateOutcome::NotAllowed, "does not understand");
    // With who does not understand it going in the same commit, it may.
    let mut comes = plan(&scene, expiring(60));
    let goes = scene.plan(
        &List {
            removed: &["bob"],
            ..List::default()
        },
        &[],
        &["bob"],
    );
    comes.app_data.extend(goes.app_data);
    comes.removes = goes.removes;
    scene.does("alice", comes);
    let mut adds = scene.plan(&list, &[], &[]);
    adds.adds.push(old_package(&mut scene));
    let (answer, why, _) = scene.tries("alice", adds);
    assert!(
        !super::accepted(&answer) && why.contains("a component of this room"),
        "{why}"
    );
    scene.lets_in("alice", "bob", MEMBER);
}

/// A client of another make, with every GREASE value and numbers that nobody has registered in its leaf and key package,
/// is handed out, let in, commits by itself and is let go like any other.
#[test]
fn a_client_full_of_grease_is_like_any_other() {
    let mut scene = Scene::new(66, &[("bob", 'b')]);
    let mut rng = scene.rng();
    let leaf = rogue::Leaf::of(&scene.members["bob"].device).greased();
    let (bytes, _, rows) = leaf.key_package(&mut rng).unwrap();
    let package = scene.take_package(&bytes, rows);
    let list = List {
        added: &[("bob", MEMBER)],
        ..List::default()
    };
    let mut adds = scene.plan(&list, &[], &[]);
    adds.adds.push(package);
    scene.does("alice", adds);
    scene.does("bob", Scene::refresh());
    let comes = plan(&scene, expiring(60));
    scene.does("alice", comes);
    let goes = List {
        removed: &["bob"],
        ..List::default()
    };
    let goes = scene.plan(&goes, &[], &["bob"]);
    scene.does("alice", goes);
    assert_eq!(scene.hub.clients().count(), 1);
}

/// What waits has to be in every commit. Nobody can let something wait that no commit could hold, and nobody changes
/// what they may not by changing nothing.
#[test]
fn nothing_waits_or_changes_without_a_capability() {
    let mut scene = Scene::of(64, &[("bob", 'b', MEMBER), ("carol", 'b', ADMIN)]);
    let denied = UpdateOutcome::NotAllowed;
    let empty = |scene: &Scene| {
        let links = JoinLinksUpdate {
            removed_indices: Vec::new(),
            added_links: Vec::new(),
        };
        plan(scene, (ComponentId::JOIN_LINKS, links.to_bytes()))
    };
    let come = empty(&scene);
    scene.refused("bob", come, &denied, "not allowed");
    // By themselves not even the owner's: some member might not understand them.
    let (component, operation) = update(expiring(60));
    let mut rng = scene.rng();
    let alice = scene.members.get_mut("alice").unwrap();
    let group = alice.group.as_mut().unwrap();
    let proposal = group
        .propose_app_data(&alice.device, component, &operation, &mut rng)
        .unwrap();
    let (answer, why, _) = scene.proposes("alice", &[proposal]);
    assert!(
        !super::accepted(&answer) && why.contains("comes by a commit"),
        "{why}"
    );
    // The list of components in another order, twice, or as it is.
    let listed = scene.hub.state().base.policy_component_ids.clone();
    let reversed: Vec<ComponentId> = listed.iter().rev().copied().collect();
    for ids in [reversed, [listed.clone(), listed.clone()].concat(), listed] {
        let mut base = scene.hub.state().base.clone();
        base.policy_component_ids = ids;
        let plan = together(vec![update((ComponentId::BASE_ROOM_POLICY, base.to_bytes()))]);
        let (answer, why, _) = scene.tries("bob", plan);
        assert!(!super::accepted(&answer), "{why}");
    }
    // Links that are there are neither made anew nor put in another order by who may not.
    makes_links(&mut scene);
    for change in [
        links(&[0], &[1]),
        links(&[], &[]),
        links(&[], &[3]),
        links(&[0], &[]),
    ] {
        let (answer, why, _) = scene.tries("bob", change);
        assert!(!super::accepted(&answer), "{why}");
    }
    scene.does("alice", links(&[0], &[1]));
}
