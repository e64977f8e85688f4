//! What other providers and devices send to a hub and to a follower.
//!
//! A refused input leaves the engine as it was and its store untouched; after an accepted one the stored rows give the
//! same engine again.

use std::collections::BTreeMap;

use crate::genuine::damaged;
use crate::group_support::{List, Scene, room_uri};
use crate::world;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_core::follower::Follower;
use sabir_core::hub::{Hub, HubContext, HubError, HubIdentity, Origin, Route};
use sabir_core::key_material;
use sabir_core::room::{ADMIN, MEMBER};
use sabir_mls::identity::{CaCertificate, ClientCredential, ServerCredential, TrustAnchors};
use sabir_mls::keys::sha256;
use sabir_mls::rows::Rows;
use sabir_wire::client_api::CreateRoomRequest;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::components::RoomMetaData;
use sabir_wire::mls::{ComponentId, Credential};
use sabir_wire::protocol::{GroupInfoRequest, KeyMaterialRequest, SubmitMessageRequest, UpdateRequest};
use sabir_wire::uri::{ClientUri, UserUri};

/// A room of three people at its hub, a follower of two of them, and requests that each would be granted now.
struct Recorded {
    anchors: TrustAnchors,
    identity: HubIdentity,
    rows: Rows,
    routes: BTreeMap<Vec<u8>, Route>,
    now: u64,
    alice: ClientUri,
    updates: Vec<(Origin, Vec<u8>)>,
    submits: Vec<(Origin, Vec<u8>)>,
    infos: Vec<(Origin, Vec<u8>)>,
    creations: Vec<Vec<u8>>,
    key_requests: Vec<Vec<u8>>,
    credentials: Vec<Vec<u8>>,
    /// Batches for provider b, each with the follower's rows before it.
    batches: Vec<(Rows, Vec<u8>)>,
    handed_out: BTreeMap<Vec<u8>, ClientUri>,
}

thread_local! {
    static RECORDED: Recorded = record();
}

fn record() -> Recorded {
    let mut scene = Scene::new(11, &[("bob", 'b'), ("carol", 'a'), ("dave", 'b')]);
    let creations = vec![scene.creation.clone()];
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for (name, role) in [("bob", ADMIN), ("carol", MEMBER)] {
        let list = List {
            added: &[(name, role)],
            ..List::default()
        };
        let plan = scene.plan(&list, &[name], &[]);
        bodies.extend(for_b(&scene.does("alice", plan)));
    }
    bodies.extend(for_b(&scene.says("bob").1));
    bodies.extend(for_b(&scene.does("carol", Scene::refresh())));

    let mut updates = Vec::new();
    let list = List {
        added: &[("dave", MEMBER)],
        ..List::default()
    };
    let add = scene.plan(&list, &["dave"], &[]);
    let list = List {
        removed: &["carol"],
        ..List::default()
    };
    let remove = scene.plan(&list, &[], &["carol"]);
    let mut metadata: RoomMetaData = scene.hub.state().metadata.clone();
    "tea".clone_into(&mut metadata.room_name);
    let rename = sabir_mls::group::CommitPlan {
        app_data: vec![(
            ComponentId::ROOM_METADATA.0,
            sabir_mls::app_data::AppDataOperation::Update(metadata.to_bytes()),
        )],
        ..Scene::refresh()
    };
    for (name, plan) in [
        ("bob", add),
        ("alice", remove),
        ("alice", rename),
        ("carol", Scene::refresh()),
    ] {
        let commit = scene.commits(name, plan);
        updates.push((scene.origin(name), Scene::bundle(&commit).to_bytes()));
        let group = scene.members.get_mut(name).and_then(|it| it.group.as_mut());
        group.expect("a member").drop_own().expect("a pending commit");
    }
    let leaving = scene.leaving("carol");
    updates.push((scene.origin("carol"), Scene::proposals(&leaving).to_bytes()));
    let references: Vec<Vec<u8>> = leaving.iter().map(|it| it.reference.clone()).collect();
    let group = scene.members.get_mut("carol").and_then(|it| it.group.as_mut());
    group
        .expect("a member")
        .withdraw(&references)
        .expect("own proposals");

    let submits = ["alice", "bob"].map(|name| (scene.origin(name), scene.message(name).to_bytes()));
    let infos =
        ["bob", "carol"].map(|name| (scene.origin(name), scene.group_info_request(name).0.to_bytes()));
    let (rows, now, routes) = (scene.rows.clone(), scene.now, scene.routes.clone());
    // What a follower gets when people leave and come.
    let leaving = scene.leaving("carol");
    bodies.extend(for_b(&scene.proposes("carol", &leaving).2));
    bodies.extend(for_b(&scene.does("bob", Scene::refresh())));
    bodies.extend(for_b(&scene.says("alice").1));

    let handed_out: BTreeMap<Vec<u8>, ClientUri> = scene
        .routes
        .iter()
        .filter(|(_, route)| matches!(route, Route::Provider(_)))
        .map(|(reference, _)| (reference.clone(), scene.members["bob"].uri.clone()))
        .collect();
    let mut follower_rows = Rows::new();
    let mut batches = Vec::new();
    for body in bodies {
        batches.push((follower_rows.clone(), body.clone()));
        let mut follower = Follower::load(room_uri(), &follower_rows).expect("own rows");
        let effects = follower
            .handle(&world::domain("b.example"), &body, &handed_out)
            .expect("a genuine batch");
        effects.changes.apply_to(&mut follower_rows);
    }
    let bob = &scene.members["bob"];
    let target = UserUri::parse("mimi://a.example/u/carol").expect("a user");
    let key_request =
        key_material::build_request_for(&bob.device, &bob.user, &target, Some(&room_uri()), &[1])
            .expect("a request");
    Recorded {
        alice: scene.members["alice"].uri.clone(),
        credentials: vec![
            scene.members["alice"].device.credential.clone(),
            bob.device.credential.clone(),
            scene.identity.credential.to_credential().to_bytes(),
        ],
        anchors: scene.world.anchors.clone(),
        identity: scene.identity,
        rows,
        routes,
        now,
        updates,
        submits: submits.into(),
        infos: infos.into(),
        creations,
        key_requests: vec![key_request.to_bytes()],
        batches,
        handed_out,
    }
}

fn for_b(effects: &sabir_core::hub::Effects) -> Vec<Vec<u8>> {
    let b = world::domain("b.example");
    let events = effects.events.iter().filter(|event| event.followers.contains(&b));
    events.map(|event| event.body.clone()).collect()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([9; 32])
}

impl Recorded {
    fn cx(&self) -> HubContext<'_> {
        HubContext {
            identity: &self.identity,
            anchors: &self.anchors,
        }
    }

    fn hub(&self) -> Hub {
        Hub::load(room_uri(), &self.rows, &mut rng()).expect("own rows")
    }

    /// Holds the promise of [`crate::provider`] for one call that gave `result`.
    fn check(&self, before: [u8; 32], hub: &Hub, result: &Result<sabir_core::hub::Effects, HubError>) {
        match result {
            Ok(effects) if !effects.events.is_empty() => {
                let mut rows = self.rows.clone();
                effects.changes.clone().apply_to(&mut rows);
                let again =
                    Hub::load(room_uri(), &rows, &mut rng()).expect("what was accepted can be loaded");
                assert_eq!(hash(&again), hash(hub), "the store holds another room");
            }
            Ok(effects) => {
                assert!(effects.changes.is_empty(), "a refusal has changes");
                assert_eq!(before, hash(hub), "a refusal changed the room");
            }
            Err(HubError::UnknownProvider(_)) => assert_eq!(before, hash(hub), "an error changed the room"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn hash(hub: &Hub) -> [u8; 32] {
    let mut bytes = hub.epoch().to_be_bytes().to_vec();
    bytes.extend_from_slice(hub.transcript_hash());
    bytes.extend_from_slice(format!("{:?}{}", hub.state(), hub.waiting()).as_bytes());
    for user in hub.departed() {
        bytes.extend_from_slice(user.as_str().as_bytes());
    }
    for client in hub.clients() {
        bytes.extend_from_slice(client.as_str().as_bytes());
    }
    sha256(&bytes)
}

fn requests(of: &[(Origin, Vec<u8>)]) -> Vec<Vec<u8>> {
    of.iter().map(|(_, request)| request.clone()).collect()
}

/// An `UpdateRequest`.
pub fn hub_update(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((index, bytes)) = damaged(&requests(&recorded.updates), data) else {
            return;
        };
        if let (Ok(request), Some((origin, _))) =
            (UpdateRequest::from_bytes(&bytes), recorded.updates.get(index))
        {
            let mut hub = recorded.hub();
            let before = hash(&hub);
            let result = hub.update(recorded.cx(), recorded.now, origin, &request, &recorded.routes);
            recorded.check(before, &hub, &result);
        }
    });
}

/// A `SubmitMessageRequest`.
pub fn hub_submit(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((index, bytes)) = damaged(&requests(&recorded.submits), data) else {
            return;
        };
        if let (Ok(request), Some((origin, _))) = (
            SubmitMessageRequest::from_bytes(&bytes),
            recorded.submits.get(index),
        ) {
            let mut hub = recorded.hub();
            let before = hash(&hub);
            let result = hub.submit(recorded.cx(), recorded.now, origin, request);
            recorded.check(before, &hub, &result);
        }
    });
}

/// A `GroupInfoRequest`.
pub fn hub_group_info(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((index, bytes)) = damaged(&requests(&recorded.infos), data) else {
            return;
        };
        if let (Ok(request), Some((origin, _))) =
            (GroupInfoRequest::from_bytes(&bytes), recorded.infos.get(index))
        {
            let answer = recorded
                .hub()
                .group_info(recorded.cx(), recorded.now, origin, &request, &mut rng());
            answer.expect("a requester who may not have it is answered");
        }
    });
}

/// A `CreateRoomRequest`.
pub fn hub_create(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((_, bytes)) = damaged(&recorded.creations, data) else {
            return;
        };
        let Ok(request) = CreateRoomRequest::from_bytes(&bytes) else {
            return;
        };
        let created = Hub::create(recorded.cx(), recorded.now, &recorded.alice, &request, &mut rng());
        let created = created.expect("a room that cannot be is answered");
        let mut rows = Rows::new();
        created.effects.changes.apply_to(&mut rows);
        match created.hub {
            None => assert!(rows.is_empty(), "a refused room has rows"),
            Some(hub) => {
                let again = Hub::load(request.room, &rows, &mut rng()).expect("a new room can be loaded");
                assert_eq!(hash(&again), hash(&hub));
            }
        }
    });
}

/// The body of a `notify` request.
pub fn follower_notify(data: &[u8]) {
    RECORDED.with(|recorded| {
        let genuine: Vec<Vec<u8>> = recorded.batches.iter().map(|(_, body)| body.clone()).collect();
        let Some((index, bytes)) = damaged(&genuine, data) else {
            return;
        };
        let Some((rows, _)) = recorded.batches.get(index) else {
            return;
        };
        let mut follower = Follower::load(room_uri(), rows).expect("own rows");
        let before = format!("{follower:?}");
        let own = world::domain("b.example");
        match follower.handle(&own, &bytes, &recorded.handed_out) {
            Ok(effects) => {
                let mut rows = rows.clone();
                effects.changes.apply_to(&mut rows);
                let again = Follower::load(room_uri(), &rows).expect("what was taken can be loaded");
                assert_eq!(again.epoch(), follower.epoch());
                assert!(
                    again.roster().eq(follower.roster()),
                    "the store holds another roster"
                );
                for event in &effects.events {
                    assert!(event.devices.iter().all(|device| *device.authority() == own));
                }
            }
            Err(_) => assert_eq!(before, format!("{follower:?}"), "an error changed the follower"),
        }
    });
}

/// A `KeyMaterialRequest`, as hub and target check it.
pub fn key_material(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((_, bytes)) = damaged(&recorded.key_requests, data) else {
            return;
        };
        if let Ok(request) = KeyMaterialRequest::from_bytes(&bytes) {
            let verified = key_material::verify_request(&request, &recorded.anchors, recorded.now);
            assert!(
                verified.is_err() || recorded.key_requests.contains(&bytes),
                "an altered request verifies"
            );
        }
    });
}

/// The certificates of a leaf and of a hub.
pub fn credential(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((_, bytes)) = damaged(&recorded.credentials, data) else {
            return;
        };
        let _ = ServerCredential::parse(&bytes);
        let _ = CaCertificate::parse(&bytes);
        if let Ok(credential) = Credential::from_bytes(&bytes) {
            let _ = ServerCredential::from_credential(&credential);
            let _ = ClientCredential::from_credential(&credential);
        }
        if let Ok(credential) = ClientCredential::parse(&bytes) {
            assert_eq!(
                ClientCredential::parse(&credential.to_bytes())
                    .expect("own bytes")
                    .claimed_client(),
                credential.claimed_client()
            );
        }
    });
}
