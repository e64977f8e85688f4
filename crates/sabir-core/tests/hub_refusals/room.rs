//! A direct room of Alice, at the hub, and Bob, elsewhere, at its hub; and attempts to change it.

use std::collections::BTreeMap;

use sabir_core::hub::{Hub, HubContext, HubError, HubIdentity, Origin, Route};
use sabir_core::room::{DirectRoom, RoomRules};
use sabir_mls::Device;
use sabir_mls::group::{
    CommitPlan, Group, GroupInfoView, NewGroup, OwnCommit, PublicState, join_external, join_welcome,
};
use sabir_mls::identity::{ServerCredential, TrustAnchors};
use sabir_mls::key_package::{self, VerifiedKeyPackage};
use sabir_mls::keys::sha256;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomRequest, CreateRoomResponse};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{GroupInfo, MlsMessage, RatchetTree, SignaturePublicKey, Welcome};
use sabir_wire::protocol::{
    FrankingAgentData, GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateOutcome, UpdateRequest,
    UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, RoomUri};

use super::world::{self, Person, World};

pub const GROUP: &[u8] = b"mimi://a.example/g/abc";

/// A person with one device in the room.
pub struct Party {
    pub person: Person,
    pub rows: Rows,
}

pub struct Room {
    pub world: World,
    pub identity: HubIdentity,
    pub hub: Hub,
    pub rows: Rows,
    pub alice: Party,
    pub bob: Party,
    /// Where key packages went that were asked for through the hub.
    pub routes: BTreeMap<Vec<u8>, Route>,
    /// Epochs 0 and 1; the room is in epoch 1.
    pub states: [PublicState; 2],
}

/// What a hub is given.
pub struct Attempt {
    pub origin: Origin,
    pub request: UpdateRequest,
    pub routes: BTreeMap<Vec<u8>, Route>,
    pub anchors: TrustAnchors,
}

pub fn room_uri() -> RoomUri {
    RoomUri::parse("mimi://a.example/r/abc").unwrap()
}

pub fn client(text: &str) -> ClientUri {
    ClientUri::parse(text).unwrap()
}

/// The device of that name at the hub itself.
pub fn local(name: &str) -> Origin {
    Origin {
        provider: world::domain("a.example"),
        client: Some(client(&format!("mimi://a.example/d/{name}"))),
    }
}

/// Somebody at the follower.
pub fn follower() -> Origin {
    Origin {
        provider: world::domain("b.example"),
        client: None,
    }
}

impl Room {
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mut alice = world.person('a', "alice");
        alice.device.device_list = world::device_list(&alice, 2, &[&alice.device.key]);
        let mut bob = world.person('b', "bob");
        // Their lists have had earlier versions.
        bob.device.device_list = world::device_list(&bob, 3, &[&bob.device.key]);
        let mut rng = world.seed();
        let server = world
            .a
            .issue_server(&world::key32(&world.hub_key), world::period(world.now), &mut rng)
            .unwrap();
        let identity = HubIdentity {
            domain: world::domain("a.example"),
            hub_key: [5; 32],
            signing_key: world.hub_key.clone(),
            credential: ServerCredential::new(&server).unwrap(),
        };
        let direct = DirectRoom {
            room: room_uri(),
            people: [world::user_of(&alice), world::user_of(&bob)],
            franking_agent: FrankingAgentData {
                franking_signature_key: SignaturePublicKey(identity.signing_key.public().to_vec()),
                credential: identity.credential.to_credential(),
            },
        };
        let new = NewGroup {
            group_id: GROUP.to_vec(),
            dictionary: direct.dictionary(),
            hub_sender: (
                identity.signing_key.public().to_vec(),
                identity.credential.to_bytes(),
            ),
        };
        let mut group = Group::create(&alice.device, new, world.now, &mut rng).unwrap();
        let first = group.public_state(&alice.device).unwrap();
        let (info, tree) = options(&first);
        let request = CreateRoomRequest {
            room: room_uri(),
            group_info_option: info,
            ratchet_tree_option: tree,
        };
        let cx = HubContext {
            identity: &identity,
            anchors: &world.anchors,
        };
        let me = client("mimi://a.example/d/alice1");
        let created = Hub::create(cx, world.now, &me, &request, &mut rng).unwrap();
        let answer = CreateRoomResponse::from_bytes(&created.effects.reply).unwrap();
        assert!(
            matches!(answer.outcome, CreateRoomOutcome::Created { .. }),
            "{answer:?}"
        );
        let mut rows = Rows::new();
        created.effects.changes.apply_to(&mut rows);
        let hub = created.hub.unwrap();
        let alice = Party {
            person: alice,
            rows: taken(&mut group, &Rows::new()),
        };
        let bob = Party {
            person: bob,
            rows: Rows::new(),
        };
        let mut room = Self {
            hub,
            alice,
            bob,
            states: [first.clone(), first],
            routes: BTreeMap::new(),
            world,
            identity,
            rows,
        };
        room.let_bob_in();
        room
    }

    fn let_bob_in(&mut self) {
        let device = self.bob.person.device.clone();
        let (package, rows) = self.key_package(&device);
        let mut alice = self.copy(&self.alice.rows.clone());
        let plan = CommitPlan {
            adds: vec![package],
            ..CommitPlan::default()
        };
        let mut rng = self.world.seed();
        let commit = alice
            .commit(&self.alice.person.device, plan, &RoomRules, &mut rng)
            .unwrap();
        self.accepts(&self.attempt(local("alice1"), &commit));
        alice.merge_own().unwrap();
        self.alice.rows = taken(&mut alice, &self.alice.rows);
        let (welcome, tree) = (commit.welcome.as_ref().unwrap(), &commit.next.ratchet_tree);
        let mut joined = join_welcome(rows.clone(), welcome, tree, &self.world.judge(), &mut rng).unwrap();
        self.bob.rows = taken(&mut joined, &rows);
        self.states[1] = commit.next;
    }

    /// A group from rows, to be thrown away.
    pub fn copy(&mut self, rows: &Rows) -> Group {
        let mut rng = self.world.seed();
        Group::load(rows.clone(), GROUP, &mut rng).unwrap()
    }

    /// What Alice's own client would commit.
    pub fn alice_commits(&mut self, plan: CommitPlan) -> OwnCommit {
        let mut rng = self.world.seed();
        let mut group = self.copy(&self.alice.rows.clone());
        let device = &self.alice.person.device;
        group.commit(device, plan, &RoomRules, &mut rng).unwrap()
    }

    /// What Bob's own client would commit.
    pub fn bob_commits(&mut self, plan: CommitPlan) -> OwnCommit {
        let mut rng = self.world.seed();
        let mut group = self.copy(&self.bob.rows.clone());
        let device = &self.bob.person.device;
        group.commit(device, plan, &RoomRules, &mut rng).unwrap()
    }

    /// Alice renews her leaf.
    pub fn refresh(&mut self) -> OwnCommit {
        self.alice_commits(CommitPlan {
            refresh: true,
            ..CommitPlan::default()
        })
    }

    /// Alice adds a device whose key package was asked for through the hub.
    pub fn alice_adds(&mut self, device: &Device) -> OwnCommit {
        let (package, _) = self.key_package(device);
        self.alice_commits(CommitPlan {
            adds: vec![package],
            ..CommitPlan::default()
        })
    }

    /// A device comes in from outside.
    pub fn joins(&mut self, device: &Device) -> OwnCommit {
        let mut rng = self.world.seed();
        let state = &self.states[1];
        let view = GroupInfoView {
            group_info: &state.group_info,
            ratchet_tree: &state.ratchet_tree,
        };
        let judge = self.world.judge();
        join_external(device, view, &[], &judge, &RoomRules, &mut rng)
            .unwrap()
            .commit
    }

    /// A key package of a device, routed to where the device lives, and its private rows.
    pub fn key_package(&mut self, device: &Device) -> (VerifiedKeyPackage, Rows) {
        let mut rng = self.world.seed();
        let made = key_package::generate(device, 1, self.world.now, &mut rng)
            .unwrap()
            .remove(0);
        let mut rows = Rows::new();
        made.private.apply_to(&mut rows);
        (self.routed(&made.bytes), rows)
    }

    /// An encoded key package as the hub hands it out.
    pub fn routed(&mut self, bytes: &[u8]) -> VerifiedKeyPackage {
        let package = key_package::verify(bytes, &self.world.anchors, self.world.now).unwrap();
        let owner = package.client.client().clone();
        let route = if *owner.authority() == self.identity.domain {
            Route::Device(owner)
        } else {
            Route::Provider(owner.authority().clone())
        };
        self.routes.insert(package.reference.clone(), route);
        package
    }

    /// What an honest client sends with its commit.
    pub fn attempt(&self, origin: Origin, commit: &OwnCommit) -> Attempt {
        let (group_info, ratchet_tree) = options(&commit.next);
        let bundle = HandshakeBundle::Commit {
            message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
            welcome: commit
                .welcome
                .as_ref()
                .map(|welcome| Welcome::from_bytes(welcome).unwrap()),
            group_info: Box::new(group_info),
            ratchet_tree,
        };
        Attempt {
            origin,
            request: UpdateRequest { bundle },
            routes: self.routes.clone(),
            anchors: self.world.anchors.clone(),
        }
    }

    /// The fault that is no answer.
    pub fn fault(&mut self, attempt: &Attempt) -> HubError {
        let cx = HubContext {
            identity: &self.identity,
            anchors: &attempt.anchors,
        };
        let now = self.world.now + 1;
        self.hub
            .update(cx, now, &attempt.origin, &attempt.request, &attempt.routes)
            .unwrap_err()
    }

    /// The hub's answer; its rows are kept as a shell keeps them.
    fn update(&mut self, attempt: &Attempt) -> (UpdateRoomResponse, bool) {
        let cx = HubContext {
            identity: &self.identity,
            anchors: &attempt.anchors,
        };
        // What a shell hands over went through the wire.
        let request = UpdateRequest::from_bytes(&attempt.request.to_bytes());
        // A bundle of another kind than its message is something that only a fault of ours could hand over.
        let request = request.unwrap_or_else(|_| attempt.request.clone());
        let now = self.world.now + 1;
        let effects = self
            .hub
            .update(cx, now, &attempt.origin, &request, &attempt.routes)
            .unwrap();
        effects.changes.apply_to(&mut self.rows);
        let nothing = effects.changes.is_empty() && effects.events.is_empty();
        (UpdateRoomResponse::from_bytes(&effects.reply).unwrap(), nothing)
    }

    /// The hub takes it.
    pub fn accepts(&mut self, attempt: &Attempt) {
        let (answer, _) = self.update(attempt);
        assert!(
            matches!(answer.outcome, UpdateOutcome::Success { .. }),
            "{answer:?}"
        );
    }

    /// The hub refuses it with this outcome and nothing has changed.
    pub fn refuses(&mut self, what: &str, attempt: &Attempt, outcome: &UpdateOutcome, says: &str) {
        let before = self.hash();
        let (answer, nothing) = self.update(attempt);
        assert_eq!(&answer.outcome, outcome, "{what}: {}", answer.error_description);
        let description = &answer.error_description;
        assert!(description.contains(says), "{what}: {description}");
        assert!(nothing, "{what}: something would be persisted or sent");
        assert!(self.hash() == before, "{what}: something has changed");
    }

    /// Everything the hub holds, in memory and as its shell would load it again, as one hash.
    pub fn hash(&mut self) -> [u8; 32] {
        let mut rng = self.world.seed();
        let stored = Hub::load(room_uri(), &self.rows, &mut rng).unwrap();
        let mut bytes = Vec::new();
        for (key, value) in &self.rows {
            bytes.extend_from_slice(&sha256(key));
            bytes.extend_from_slice(&sha256(value));
        }
        for hub in [&self.hub, &stored] {
            bytes.extend_from_slice(&hub.epoch().to_be_bytes());
            bytes.extend_from_slice(hub.transcript_hash());
            bytes.extend_from_slice(format!("{:?}", hub.state()).as_bytes());
            for client in hub.clients() {
                bytes.extend_from_slice(client.as_str().as_bytes());
            }
        }
        sha256(&bytes)
    }

    /// The room still takes an honest commit of each.
    pub fn goes_on(&mut self) {
        let commit = self.refresh();
        self.accepts(&self.attempt(local("alice1"), &commit));
        assert_eq!(self.hub.epoch(), 2);
    }
}

/// All rows of a group that began with these.
fn taken(group: &mut Group, rows: &Rows) -> Rows {
    let changes: RowChanges = group.take_changes();
    let mut rows = rows.clone();
    changes.apply_to(&mut rows);
    rows
}

pub fn options(state: &PublicState) -> (GroupInfoOption, RatchetTreeOption) {
    (
        GroupInfoOption::Full(GroupInfo::from_bytes(&state.group_info).unwrap()),
        RatchetTreeOption::Full(RatchetTree::from_bytes(&state.ratchet_tree).unwrap()),
    )
}
