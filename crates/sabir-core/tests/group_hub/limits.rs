//! How many people and clients a room and its roles take, and what goes together in one commit.

use sabir_core::room::{ADMIN, BANNED, MEMBER, READ_ONLY};
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{BaseRoomPolicy, PreAuthData, Role, RoleData};
use sabir_wire::protocol::UpdateOutcome;

use super::group_support::{List, Scene};
use super::invalid;

fn with(seed: u64, role: impl Fn(&mut Role), base: impl Fn(&mut BaseRoomPolicy)) -> Scene {
    let others = [("bob", 'b'), ("carol", 'a'), ("dave", 'b')];
    Scene::with(seed, &others, |mut dictionary| {
        for (component, data) in &mut dictionary {
            if *component == ComponentId::ROLES_LIST.0 {
                let mut roles = RoleData::from_bytes(data).unwrap();
                roles.roles.iter_mut().for_each(&role);
                *data = roles.to_bytes();
            }
            if *component == ComponentId::BASE_ROOM_POLICY.0 {
                let mut policy = BaseRoomPolicy::from_bytes(data).unwrap();
                base(&mut policy);
                *data = policy.to_bytes();
            }
        }
        dictionary
    })
}

fn added(scene: &mut Scene, name: &'static str, devices: &[&'static str]) -> CommitPlan {
    scene.plan(
        &List {
            added: &[(name, MEMBER)],
            ..List::default()
        },
        devices,
        &[],
    )
}

#[test]
fn a_role_has_at_most_so_many_people_and_so_many_with_clients() {
    let member = |role: &Role| role.role_index == MEMBER;
    let mut scene = with(
        200,
        |role| {
            if member(role) {
                role.maximum_participants_constraint = Some(1);
            }
        },
        |_| {},
    );
    scene.lets_in("alice", "bob", MEMBER);
    let plan = added(&mut scene, "carol", &[]);
    scene.refused("alice", plan, &UpdateOutcome::NotAllowed, "too many people");
    let mut scene = with(
        201,
        |role| {
            if member(role) {
                role.maximum_active_participants_constraint = Some(1);
            }
        },
        |_| {},
    );
    scene.lets_in("alice", "bob", MEMBER);
    let plan = added(&mut scene, "carol", &["carol"]);
    scene.refused("alice", plan, &UpdateOutcome::NotAllowed, "too many people");
    let plan = added(&mut scene, "carol", &[]);
    scene.does("alice", plan);
}

#[test]
fn a_role_keeps_at_least_so_many_people_and_so_many_with_clients() {
    let mut scene = with(202, |_| {}, |_| {});
    scene.lets_in("alice", "bob", ADMIN);
    scene.lets_in("alice", "carol", MEMBER);
    let mut roles = scene.hub.state().roles.clone();
    for role in &mut roles.roles {
        if role.role_index == MEMBER {
            role.minimum_active_participants_constraint = 1;
        }
    }
    let plan = |roles: &RoleData| CommitPlan {
        app_data: vec![(
            ComponentId::ROLES_LIST.0,
            AppDataOperation::Update(roles.to_bytes()),
        )],
        ..CommitPlan::default()
    };
    scene.does("alice", plan(&roles));
    let kicked = scene.plan(&List::default(), &[], &["carol"]);
    scene.refused("bob", kicked, &UpdateOutcome::NotAllowed, "too few people");
    let moved = scene.plan(
        &List {
            changed: &[("carol", READ_ONLY)],
            ..List::default()
        },
        &[],
        &[],
    );
    scene.refused("bob", moved, &UpdateOutcome::NotAllowed, "too few people");
    let proposals = scene.leaving("carol");
    assert_eq!(scene.proposes("carol", &proposals).0, UpdateOutcome::NotAllowed);
    // Definitions that the room does not meet.
    for role in &mut roles.roles {
        if role.role_index == ADMIN {
            role.minimum_participants_constraint = 2;
        }
    }
    scene.refused(
        "alice",
        plan(&roles),
        &UpdateOutcome::NotAllowed,
        "too few people",
    );
}

#[test]
fn a_room_has_at_most_so_many_people_and_clients_and_clients_of_one_person() {
    let mut scene = with(203, |_| {}, |base| base.max_users = Some(2));
    scene.lets_in("alice", "bob", MEMBER);
    let plan = added(&mut scene, "carol", &[]);
    scene.refused("alice", plan, &UpdateOutcome::NotAllowed, "too many people");
    // The banned do not count.
    let plan = scene.plan(
        &List {
            changed: &[("bob", BANNED)],
            ..List::default()
        },
        &[],
        &["bob"],
    );
    scene.does("alice", plan);
    let plan = added(&mut scene, "carol", &[]);
    scene.does("alice", plan);
    let mut scene = with(204, |_| {}, |base| base.max_clients = Some(2));
    scene.lets_in("alice", "bob", MEMBER);
    let plan = added(&mut scene, "carol", &["carol"]);
    scene.refused("alice", plan, &UpdateOutcome::NotAllowed, "too many clients");
    let mut scene = with(205, |_| {}, |base| base.multi_device = false);
    scene.lets_in("alice", "bob", MEMBER);
    scene.second("bob", "bob2");
    let plan = scene.plan(&List::default(), &["bob2"], &[]);
    scene.refused("bob", plan, &UpdateOutcome::NotAllowed, "more than one client");
    assert_eq!(scene.joins("bob2", &[], &[]).0, UpdateOutcome::NotAllowed);
    // In place of its own leaf it may.
    assert!(super::accepted(&scene.joins("bob", &[], &[]).0));
}

#[test]
fn some_changes_do_not_go_together() {
    let mut scene = with(206, |_| {}, |_| {});
    scene.lets_in("alice", "bob", MEMBER);
    let roles = scene.hub.state().roles.clone().to_bytes();
    let preauth = PreAuthData::default().to_bytes();
    let list = scene.list(&List {
        changed: &[("bob", READ_ONLY)],
        ..List::default()
    });
    let update =
        |component: ComponentId, bytes: &[u8]| (component.0, AppDataOperation::Update(bytes.to_vec()));
    for (component, bytes) in [
        (ComponentId::ROLES_LIST, &roles),
        (ComponentId::PREAUTH_LIST, &preauth),
    ] {
        let plan = CommitPlan {
            app_data: vec![list.clone(), update(component, bytes)],
            ..CommitPlan::default()
        };
        scene.refused("alice", plan, &invalid(vec![]), "in one commit");
    }
    // Who goes may go beside new preauthorisations.
    let removed = scene.list(&List {
        removed: &["bob"],
        ..List::default()
    });
    let plan = CommitPlan {
        removes: vec![scene.leaf("bob")],
        app_data: vec![removed, update(ComponentId::PREAUTH_LIST, &preauth)],
        ..CommitPlan::default()
    };
    scene.does("alice", plan);
    // The room keeps its name, and its roles what the draft demands.
    let mut metadata = scene.hub.state().metadata.clone();
    metadata.room_uri = sabir_wire::uri::RoomUri::parse("mimi://a.example/r/other").unwrap();
    let plan = CommitPlan {
        app_data: vec![update(ComponentId::ROOM_METADATA, &metadata.to_bytes())],
        ..CommitPlan::default()
    };
    scene.refused("alice", plan, &invalid(vec![]), "keeps its URI");
    let mut roles = scene.hub.state().roles.clone();
    let banned = roles.roles.iter_mut().find(|role| role.role_index == BANNED);
    banned.unwrap().role_name = "friends".to_owned();
    let plan = CommitPlan {
        app_data: vec![update(ComponentId::ROLES_LIST, &roles.to_bytes())],
        ..CommitPlan::default()
    };
    scene.refused("alice", plan, &invalid(vec![]), "banned");
}
