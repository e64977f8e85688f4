//! Join links at the hub, against people who have none, have somebody else's, or want more than theirs gives.

use sabir_core::room::link::{LinkKey, LinkTerms};
use sabir_core::room::{ADMIN, MEMBER, READ_ONLY};
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::Encode as _;
use sabir_wire::components::{ParticipantListUpdate, UserRolePair};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{CapabilityType, JoinLink, JoinLinkPolicy, JoinLinksData, JoinLinksUpdate};
use sabir_wire::protocol::{GroupInfoOutcome, UpdateOutcome};

use super::accepted;
use super::group_support::{Scene, room_uri};

const HOUR: u64 = 3_600_000;

fn policy(multiuser: bool, expiration: u32) -> JoinLinkPolicy {
    JoinLinkPolicy {
        on_request: false,
        join_link: None,
        multiuser,
        expiration,
    }
}

/// A room with a link policy and this one link, and Bob and Carol outside.
fn scene(seed: u64, terms: impl Fn(&LinkKey, u64) -> LinkTerms) -> (Scene, LinkKey) {
    let key = LinkKey::from_seed(&[7; 32]).unwrap();
    let others = [("bob", 'a'), ("carol", 'a')];
    let now = Scene::new(seed, &others).now;
    let link = terms(&key, now).to_link();
    let scene = Scene::with(seed, &others, |mut dictionary| {
        for (component, data) in &mut dictionary {
            if ComponentId(*component) == ComponentId::BASE_ROOM_POLICY {
                use sabir_wire::codec::Decode as _;
                let mut base = sabir_wire::policy::BaseRoomPolicy::from_bytes(data).unwrap();
                base.policy_component_ids
                    .extend([ComponentId::JOIN_LINK_POLICY, ComponentId::JOIN_LINKS]);
                *data = base.to_bytes();
            }
        }
        dictionary.push((ComponentId::JOIN_LINK_POLICY.0, policy(true, 3_600).to_bytes()));
        let links = JoinLinksData(vec![JoinLink(b"of another form".to_vec()), link]);
        dictionary.push((ComponentId::JOIN_LINKS.0, links.to_bytes()));
        dictionary.sort_by_key(|(component, _)| *component);
        dictionary
    });
    (scene, key)
}

fn for_members(key: &LinkKey, now: u64) -> LinkTerms {
    LinkTerms {
        key_hash: key.key_hash(),
        role: MEMBER,
        not_after: now + HOUR,
        uses: 0,
    }
}

/// The change of the list by which somebody puts somebody on it.
fn puts(scene: &Scene, name: &str, role_index: u32) -> Vec<(u16, AppDataOperation)> {
    let update = ParticipantListUpdate {
        added_participants: vec![UserRolePair {
            user: scene.members[name].user.clone(),
            role_index,
        }],
        ..ParticipantListUpdate::default()
    };
    vec![(
        ComponentId::PARTICIPANT_LIST.0,
        AppDataOperation::Update(update.to_bytes()),
    )]
}

fn entry(scene: &Scene, key: &LinkKey, name: &str) -> Vec<u8> {
    let leaf = scene.members[name].device.key.public();
    key.entry(&room_uri(), scene.hub.epoch() + 1, leaf).unwrap()
}

fn code(scene: &Scene, key: &LinkKey, name: &str) -> Vec<u8> {
    let leaf = scene.members[name].device.key.public();
    key.code(&room_uri(), leaf).unwrap()
}

fn refused(scene: &mut Scene, name: &'static str, role: u32, authenticated: &[u8]) {
    let (epoch, puts) = (scene.hub.epoch(), puts(scene, name, role));
    let (outcome, ..) = scene.joins_with(name, &puts, &[], authenticated);
    assert_eq!(outcome, UpdateOutcome::NotAllowed, "{name}");
    assert_eq!(scene.hub.epoch(), epoch);
}

#[test]
fn only_who_has_the_link_is_told_of_the_room_and_comes_in() {
    let (mut scene, key) = scene(1, for_members);
    let shut = |outcome| assert!(matches!(outcome, GroupInfoOutcome::NotAuthorized));
    let other = LinkKey::from_seed(&[8; 32]).unwrap();
    // Nothing, something guessed, the hash that everybody can read, and what Carol showed.
    shut(scene.group_info("bob"));
    let codes = [
        code(&scene, &other, "bob"),
        key.key_hash().to_vec(),
        code(&scene, &key, "carol"),
        entry(&scene, &key, "bob"),
        Vec::new(),
    ];
    for code in codes {
        shut(scene.asks_with("bob", &code));
    }
    let good = code(&scene, &key, "bob");
    assert!(matches!(
        scene.asks_with("bob", &good),
        GroupInfoOutcome::Success(_)
    ));
    let entries = [
        Vec::new(),
        entry(&scene, &other, "bob"),
        entry(&scene, &key, "carol"),
        good,
    ];
    for entry in entries {
        refused(&mut scene, "bob", MEMBER, &entry);
    }
    // Not as something else than the link says.
    let good = entry(&scene, &key, "bob");
    for role in [READ_ONLY, ADMIN] {
        refused(&mut scene, "bob", role, &good);
    }
    let list = puts(&scene, "bob", MEMBER);
    let (outcome, why, _) = scene.joins_with("bob", &list, &[], &good);
    assert!(accepted(&outcome), "{why}");
    assert_eq!(scene.role("bob"), Some(MEMBER));
    // What Bob's commit showed to everybody lets nobody else in, and nobody in another epoch.
    refused(&mut scene, "carol", MEMBER, &good);
    scene.does("alice", Scene::refresh());
    let late = key
        .entry(
            &room_uri(),
            scene.hub.epoch(),
            scene.members["carol"].device.key.public(),
        )
        .unwrap();
    refused(&mut scene, "carol", MEMBER, &late);
    let now = entry(&scene, &key, "carol");
    let list = puts(&scene, "carol", MEMBER);
    assert!(accepted(&scene.joins_with("carol", &list, &[], &now).0));
}

#[test]
fn a_link_ends_and_is_used_up_and_that_survives_a_restart() {
    let (mut scene, key) = scene(2, |key, now| LinkTerms {
        uses: 1,
        ..for_members(key, now)
    });
    let (list, good) = (puts(&scene, "bob", MEMBER), entry(&scene, &key, "bob"));
    // A refusal uses nothing up.
    refused(&mut scene, "bob", READ_ONLY, &good);
    assert!(accepted(&scene.joins_with("bob", &list, &[], &good).0));
    let restarted = sabir_core::hub::Hub::load(room_uri(), &scene.rows, &mut scene.world.rng).unwrap();
    scene.hub = restarted;
    let again = code(&scene, &key, "carol");
    assert!(matches!(
        scene.asks_with("carol", &again),
        GroupInfoOutcome::NotAuthorized
    ));
    let again = entry(&scene, &key, "carol");
    refused(&mut scene, "carol", MEMBER, &again);

    let (mut scene, key) = self::scene(3, for_members);
    let (good, list) = (entry(&scene, &key, "bob"), puts(&scene, "bob", MEMBER));
    scene.now += HOUR + 1;
    let asked = code(&scene, &key, "bob");
    assert!(matches!(
        scene.asks_with("bob", &asked),
        GroupInfoOutcome::NotAuthorized
    ));
    let (outcome, ..) = scene.joins_with("bob", &list, &[], &good);
    assert_eq!(outcome, UpdateOutcome::NotAllowed);
}

#[test]
fn a_new_link_ends_as_the_room_says_and_is_for_as_many() {
    let (mut scene, _) = scene(4, for_members);
    let key = LinkKey::from_seed(&[9; 32]).unwrap();
    let make = |terms: LinkTerms| {
        let update = JoinLinksUpdate {
            removed_indices: Vec::new(),
            added_links: vec![terms.to_link()],
        };
        CommitPlan {
            app_data: vec![(
                ComponentId::JOIN_LINKS.0,
                AppDataOperation::Update(update.to_bytes()),
            )],
            ..CommitPlan::default()
        }
    };
    let terms = for_members(&key, scene.now);
    for not_after in [0, scene.now + HOUR + 60_000] {
        let plan = make(LinkTerms { not_after, ..terms });
        scene.refused("alice", plan, &UpdateOutcome::NotAllowed, "would last longer");
    }
    // One key, one link.
    let same = for_members(&LinkKey::from_seed(&[7; 32]).unwrap(), scene.now);
    let twice = make(LinkTerms { uses: 5, ..same });
    let invalid = super::invalid(Vec::new());
    scene.refused("alice", twice, &invalid, "two join links have one key");
    scene.does("alice", make(terms));
    let one_each = CommitPlan {
        app_data: vec![(
            ComponentId::JOIN_LINK_POLICY.0,
            AppDataOperation::Update(policy(false, 3_600).to_bytes()),
        )],
        ..CommitPlan::default()
    };
    scene.refused("alice", one_each, &invalid, "is for one person");
}

#[test]
fn a_link_counts_for_nothing_where_role_zero_does_not_say_so() {
    let (mut scene, key) = scene(5, for_members);
    let mut roles = scene.hub.state().roles.clone();
    let zero = roles.roles.iter_mut().find(|role| role.role_index == 0).unwrap();
    zero.role_capabilities
        .retain(|it| *it != CapabilityType::CAN_USE_JOIN_CODE);
    let plan = CommitPlan {
        app_data: vec![(
            ComponentId::ROLES_LIST.0,
            AppDataOperation::Update(roles.to_bytes()),
        )],
        ..CommitPlan::default()
    };
    scene.does("alice", plan);
    let asked = code(&scene, &key, "bob");
    assert!(matches!(
        scene.asks_with("bob", &asked),
        GroupInfoOutcome::NotAuthorized
    ));
    let good = entry(&scene, &key, "bob");
    refused(&mut scene, "bob", MEMBER, &good);
}
