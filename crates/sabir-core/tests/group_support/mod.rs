//! A group room at its hub, with members that are MLS groups and nothing more, so that they can do what an honest
//! client would not.
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

use std::collections::{BTreeMap, VecDeque};

use crate::world::{self, Person, World};
use rand_chacha::ChaCha20Rng;
use sabir_core::follower::Follower;
use sabir_core::hub::{Effects, Hub, HubContext, HubIdentity, Origin, Route};
use sabir_core::room::{GroupRoom, RoomRules};
use sabir_mls::Device;
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::{
    CommitPlan, ExternalPlan, Group, GroupInfoView, Incoming, NewGroup, OwnCommit, OwnProposal, PublicState,
    join_external_with, join_welcome,
};
use sabir_mls::identity::{ClientCredential, ServerCredential};
use sabir_mls::key_package;
use sabir_mls::keys::{HpkeKeyPair, sha256};
use sabir_mls::rows::Rows;
use sabir_mls::suite;
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomRequest, CreateRoomResponse};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::components::{ParticipantListUpdate, UserRolePair, UserindexRolePair};
use sabir_wire::mls::{
    CipherSuite, ComponentId, GroupInfo, HpkePublicKey, MlsMessage, RatchetTree, SignaturePublicKey, Welcome,
};
use sabir_wire::protocol::{
    FanoutBody, FanoutMessage, FrankAad, FrankingAgentData, GroupInfoOption, GroupInfoOutcome,
    GroupInfoRatchetTreeTbe, GroupInfoRequest, GroupInfoResponse, HandshakeBundle, RatchetTreeOption,
    SubmitMessageRequest, SubmitMessageResponse, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, RoomUri, UserUri};

pub const GROUP: &[u8] = b"mimi://a.example/g/abc";

pub fn room_uri() -> RoomUri {
    RoomUri::parse("mimi://a.example/r/abc").unwrap()
}

/// Somebody's device.
pub struct Member {
    /// The identity, with its first device.
    pub person: Option<Person>,
    pub device: Device,
    pub user: UserUri,
    pub uri: ClientUri,
    pub group: Option<Group>,
    /// Entries of the hub's log for this device that were not yet taken.
    pub inbox: VecDeque<Vec<u8>>,
    /// Every entry that came.
    pub seen: usize,
}

pub struct Scene {
    pub world: World,
    pub identity: HubIdentity,
    pub hub: Hub,
    pub rows: Rows,
    pub routes: BTreeMap<Vec<u8>, Route>,
    pub members: BTreeMap<&'static str, Member>,
    pub last: PublicState,
    /// The encoded request that made the room.
    pub creation: Vec<u8>,
    pub now: u64,
    /// The provider b.example, which knows of the room what the hub sends it.
    pub follower: Follower,
    /// Where its key packages went.
    pub packages: BTreeMap<Vec<u8>, ClientUri>,
}

/// A change of the list; people by name, by their place before the change.
#[derive(Default)]
pub struct List<'a> {
    pub changed: &'a [(&'static str, u32)],
    pub removed: &'a [&'static str],
    pub added: &'a [(&'static str, u32)],
}

pub type Answer = (UpdateOutcome, String, Effects);

impl Scene {
    /// A room of its owner, Alice, and the identities of these others; `provider` is the letter of theirs.
    pub fn new(seed: u64, others: &[(&'static str, char)]) -> Self {
        Self::with(seed, others, |dictionary| dictionary)
    }

    /// As [`Scene::new`], with another dictionary.
    pub fn with(
        seed: u64,
        others: &[(&'static str, char)],
        change: impl FnOnce(Vec<(u16, Vec<u8>)>) -> Vec<(u16, Vec<u8>)>,
    ) -> Self {
        let mut world = World::new(seed);
        let mut members = BTreeMap::new();
        for (name, provider) in std::iter::once(&("alice", 'a')).chain(others) {
            let person = world.person(*provider, name);
            members.insert(*name, member(person, name));
        }
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
        let template = GroupRoom {
            room: room_uri(),
            name: "friends".to_owned(),
            template: sabir_core::room::Template::default(),
            owner: members["alice"].user.clone(),
            franking_agent: FrankingAgentData {
                franking_signature_key: SignaturePublicKey(identity.signing_key.public().to_vec()),
                credential: identity.credential.to_credential(),
            },
        };
        let new = NewGroup {
            group_id: GROUP.to_vec(),
            dictionary: change(template.dictionary()),
            hub_sender: (
                identity.signing_key.public().to_vec(),
                identity.credential.to_bytes(),
            ),
        };
        let alice = members.get_mut("alice").unwrap();
        let mut group = Group::create(&alice.device, new, world.now, &mut rng).unwrap();
        let last = group.public_state(&alice.device).unwrap();
        alice.group = Some(group);
        let (group_info_option, ratchet_tree_option) = options(&last);
        let request = CreateRoomRequest {
            room: room_uri(),
            group_info_option,
            ratchet_tree_option,
        };
        let cx = HubContext {
            identity: &identity,
            anchors: &world.anchors,
        };
        let created = Hub::create(cx, world.now, &alice.uri, &request, &mut rng).unwrap();
        let answer = CreateRoomResponse::from_bytes(&created.effects.reply).unwrap();
        assert!(
            matches!(answer.outcome, CreateRoomOutcome::Created { .. }),
            "{answer:?}"
        );
        let mut rows = Rows::new();
        created.effects.changes.apply_to(&mut rows);
        let now = world.now;
        Self {
            hub: created.hub.unwrap(),
            identity,
            follower: Follower::new(room_uri()),
            packages: BTreeMap::new(),
            rows,
            routes: BTreeMap::new(),
            members,
            last,
            creation: request.to_bytes(),
            now,
            world,
        }
    }

    /// A room in which Alice has let these in, with these roles.
    pub fn of(seed: u64, others: &[(&'static str, char, u32)]) -> Self {
        let names: Vec<_> = others
            .iter()
            .map(|(name, provider, _)| (*name, *provider))
            .collect();
        let mut scene = Self::new(seed, &names);
        for (name, _, role) in others {
            scene.lets_in("alice", name, *role);
        }
        scene
    }

    pub fn rng(&mut self) -> ChaCha20Rng {
        self.world.seed()
    }

    pub fn add_person(&mut self, name: &'static str, person: Person) {
        self.members.insert(name, member(person, name));
    }

    /// Another device of somebody, whose name must begin like the person's.
    pub fn second(&mut self, of: &'static str, name: &'static str) {
        let owner = self.members.remove(of).unwrap();
        let person = owner.person.as_ref().unwrap();
        let mut device = self.world.device(person, name);
        let user = owner.user.clone();
        // All devices of a person are on one list, a newer one than before.
        let others = self.members.values().filter(|member| member.user == user);
        let mut keys: Vec<_> = others.map(|member| member.device.key.clone()).collect();
        keys.extend([owner.device.key.clone(), device.key.clone()]);
        let version = u64::try_from(keys.len()).unwrap();
        let list = world::device_list(person, version, &keys.iter().collect::<Vec<_>>());
        device.device_list.clone_from(&list);
        self.members.insert(of, owner);
        for member in self.members.values_mut().filter(|member| member.user == user) {
            member.device.device_list.clone_from(&list);
        }
        let uri = ClientUri::new(user.authority(), name).unwrap();
        let new = Member {
            person: None,
            device,
            user,
            uri,
            group: None,
            inbox: VecDeque::new(),
            seen: 0,
        };
        self.members.insert(name, new);
    }

    pub fn leaf(&self, name: &str) -> u32 {
        let uri = &self.members[name].uri;
        let position = self.hub_leaves().into_iter().find(|(_, client)| client == uri);
        position.unwrap_or_else(|| panic!("{name} has no leaf")).0
    }

    /// The hub's leaves, as its tree shows them.
    pub fn hub_leaves(&self) -> Vec<(u32, ClientUri)> {
        let tree = RatchetTree::from_bytes(&self.last.ratchet_tree).unwrap();
        tree.leaves()
            .map(|(leaf, node)| {
                let credential = ClientCredential::from_credential(&node.credential).unwrap();
                (leaf, credential.claimed_client().clone())
            })
            .collect()
    }

    pub fn index(&self, name: &str) -> u32 {
        let user = &self.members[name].user;
        let list = &self.hub.state().participants.participants;
        let position = list.iter().position(|entry| entry.user == *user);
        u32::try_from(position.unwrap_or_else(|| panic!("{name} is not listed"))).unwrap()
    }

    pub fn role(&self, name: &str) -> Option<u32> {
        let user = &self.members[name].user;
        self.hub.state().participant(user).map(|entry| entry.role_index)
    }

    /// A change of the list as an operation on its component.
    pub fn list(&self, list: &List<'_>) -> (u16, AppDataOperation) {
        let update = ParticipantListUpdate {
            changed_role_participants: list
                .changed
                .iter()
                .map(|(name, role_index)| UserindexRolePair {
                    user_index: self.index(name),
                    role_index: *role_index,
                })
                .collect(),
            removed_indices: list.removed.iter().map(|name| self.index(name)).collect(),
            added_participants: list
                .added
                .iter()
                .map(|(name, role_index)| UserRolePair {
                    user: self.members[name].user.clone(),
                    role_index: *role_index,
                })
                .collect(),
        };
        (
            ComponentId::PARTICIPANT_LIST.0,
            AppDataOperation::Update(update.to_bytes()),
        )
    }

    /// A plan that changes the list, adds these devices and removes those.
    pub fn plan(&mut self, list: &List<'_>, adds: &[&'static str], removes: &[&'static str]) -> CommitPlan {
        let empty = list.changed.is_empty() && list.removed.is_empty() && list.added.is_empty();
        CommitPlan {
            adds: adds.iter().map(|name| self.key_package(name)).collect(),
            removes: removes.iter().map(|name| self.leaf(name)).collect(),
            app_data: if empty { vec![] } else { vec![self.list(list)] },
            refresh: false,
        }
    }

    pub fn key_package(&mut self, name: &'static str) -> key_package::VerifiedKeyPackage {
        let mut rng = self.rng();
        let device = self.members[name].device.clone();
        let made = key_package::generate(&device, 1, self.world.now, &mut rng)
            .unwrap()
            .remove(0);
        let mut rows = Rows::new();
        made.private.apply_to(&mut rows);
        self.take_package(&made.bytes, rows)
    }

    /// A key package of somebody's, with its private half, as the hub handed it out.
    pub fn take_package(&mut self, bytes: &[u8], rows: Rows) -> key_package::VerifiedKeyPackage {
        let package = key_package::verify(bytes, &self.world.anchors, self.world.now).unwrap();
        PACKAGES.with(|packages| packages.borrow_mut().insert(package.reference.clone(), rows));
        let owner = package.client.client().clone();
        let route = if *owner.authority() == self.identity.domain {
            Route::Device(owner)
        } else {
            self.packages.insert(package.reference.clone(), owner.clone());
            Route::Provider(owner.authority().clone())
        };
        self.routes.insert(package.reference.clone(), route);
        package
    }

    /// Builds a commit; it stays pending in the member's group.
    pub fn commits(&mut self, name: &str, plan: CommitPlan) -> OwnCommit {
        let mut rng = self.rng();
        let member = self.members.get_mut(name).unwrap();
        let group = member.group.as_mut().unwrap();
        if group.has_pending_commit() {
            group.drop_own().unwrap();
        }
        group.commit(&member.device, plan, &RoomRules, &mut rng).unwrap()
    }

    pub fn origin(&self, name: &str) -> Origin {
        let member = &self.members[name];
        let provider = member.user.authority().clone();
        Origin {
            client: (provider == self.identity.domain).then(|| member.uri.clone()),
            provider,
        }
    }

    /// The hub's answer to a request of this member; what it brought about is kept and handed out.
    pub fn update(&mut self, name: &str, request: &UpdateRequest) -> Answer {
        let before = self.hash();
        let origin = self.origin(name);
        self.now += 1;
        let cx = HubContext {
            identity: &self.identity,
            anchors: &self.world.anchors,
        };
        // What a shell hands over went through the wire.
        let request = UpdateRequest::from_bytes(&request.to_bytes()).unwrap();
        let effects = self
            .hub
            .update(cx, self.now, &origin, &request, &self.routes)
            .unwrap();
        effects.changes.apply_to(&mut self.rows);
        let answer = UpdateRoomResponse::from_bytes(&effects.reply).unwrap();
        if matches!(answer.outcome, UpdateOutcome::Success { .. }) {
            for event in &effects.events {
                self.hand_out(event);
            }
        } else {
            assert!(effects.changes.is_empty() && effects.events.is_empty());
            assert!(self.hash() == before, "a refusal changed something");
        }
        (answer.outcome, answer.error_description, effects)
    }

    /// The hub's own devices get what it says, those of the other provider what that one makes of it.
    pub fn hand_out(&mut self, event: &sabir_core::hub::HubEvent) {
        let other = world::domain("b.example");
        let mut devices = event.devices.clone();
        if event.followers.contains(&other) {
            let effects = self.follower.handle(&other, &event.body, &self.packages).unwrap();
            assert!(!effects.out_of_step, "the follower lost the room");
            assert_eq!(effects.events[0].body, event.body);
            devices.extend(effects.events[0].devices.iter().cloned());
        }
        for member in self.members.values_mut() {
            if devices.contains(&member.uri) {
                member.inbox.push_back(event.body.clone());
            }
        }
    }

    /// The follower's roster is the hub's tree, as long as it has anybody in the room.
    fn check_roster(&self) {
        let other = world::domain("b.example");
        if self.hub.clients().any(|client| *client.authority() == other) {
            let roster: Vec<(u32, ClientUri)> = self
                .follower
                .roster()
                .map(|(leaf, client)| (leaf, client.unwrap().clone()))
                .collect();
            assert_eq!(roster, self.hub_leaves());
        }
    }

    pub fn bundle(commit: &OwnCommit) -> UpdateRequest {
        let (group_info, ratchet_tree) = options(&commit.next);
        UpdateRequest {
            bundle: HandshakeBundle::Commit {
                message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
                welcome: commit
                    .welcome
                    .as_ref()
                    .map(|welcome| Welcome::from_bytes(welcome).unwrap()),
                group_info: Box::new(group_info),
                ratchet_tree,
            },
        }
    }

    pub fn proposals(proposals: &[OwnProposal]) -> UpdateRequest {
        let mut messages = proposals
            .iter()
            .map(|proposal| MlsMessage::from_bytes(&proposal.message).unwrap());
        UpdateRequest {
            bundle: HandshakeBundle::Proposal {
                message: Box::new(messages.next().unwrap()),
                more: messages.collect(),
            },
        }
    }

    /// Commits, and says what the hub made of it. Everybody follows where it was accepted.
    pub fn tries(&mut self, name: &'static str, plan: CommitPlan) -> Answer {
        let commit = self.commits(name, plan);
        self.sends(name, &commit)
    }

    pub fn sends(&mut self, name: &'static str, commit: &OwnCommit) -> Answer {
        let answer = self.update(name, &Self::bundle(commit));
        if matches!(answer.0, UpdateOutcome::Success { .. }) {
            self.last = commit.next.clone();
            self.follow();
        } else if let Some(group) = self.members.get_mut(name).unwrap().group.as_mut()
            && group.has_pending_commit()
        {
            group.drop_own().unwrap();
        }
        answer
    }

    pub fn does(&mut self, name: &'static str, plan: CommitPlan) -> Effects {
        let (outcome, why, effects) = self.tries(name, plan);
        assert!(matches!(outcome, UpdateOutcome::Success { .. }), "{name}: {why}");
        effects
    }

    /// Refused with this outcome, for this reason.
    pub fn refused(&mut self, name: &'static str, plan: CommitPlan, outcome: &UpdateOutcome, says: &str) {
        let (got, why, _) = self.tries(name, plan);
        assert_eq!(&got, outcome, "{why}");
        assert!(why.contains(says), "{why}");
    }

    pub fn lets_in(&mut self, by: &'static str, name: &'static str, role: u32) {
        let plan = self.plan(
            &List {
                added: &[(name, role)],
                ..List::default()
            },
            &[name],
            &[],
        );
        self.does(by, plan);
    }

    pub fn refresh() -> CommitPlan {
        CommitPlan {
            refresh: true,
            ..CommitPlan::default()
        }
    }

    /// Builds the proposals by which somebody leaves, with all their devices.
    pub fn leaving(&mut self, name: &'static str) -> Vec<OwnProposal> {
        let mut rng = self.rng();
        let user = self.members[name].user.clone();
        let own = self.leaf(name);
        let leaves: Vec<u32> = self
            .hub_leaves()
            .into_iter()
            .filter(|(leaf, client)| {
                *leaf != own
                    && self
                        .members
                        .values()
                        .any(|member| member.uri == *client && member.user == user)
            })
            .map(|(leaf, _)| leaf)
            .collect();
        let (component, operation) = self.list(&List {
            removed: &[name],
            ..List::default()
        });
        let member = self.members.get_mut(name).unwrap();
        let group = member.group.as_mut().unwrap();
        let mut proposals = vec![group.propose_self_remove(&member.device, &mut rng).unwrap()];
        for leaf in leaves {
            proposals.push(group.propose_remove(&member.device, leaf, &mut rng).unwrap());
        }
        proposals.push(
            group
                .propose_app_data(&member.device, component, &operation, &mut rng)
                .unwrap(),
        );
        proposals
    }

    /// Sends proposals. They are taken back where they were refused.
    pub fn proposes(&mut self, name: &'static str, proposals: &[OwnProposal]) -> Answer {
        let answer = self.update(name, &Self::proposals(proposals));
        if matches!(answer.0, UpdateOutcome::Success { .. }) {
            self.follow();
        } else {
            let references: Vec<Vec<u8>> = proposals.iter().map(|it| it.reference.clone()).collect();
            let group = self.members.get_mut(name).unwrap().group.as_mut().unwrap();
            group.withdraw(&references).unwrap();
        }
        answer
    }

    pub fn leaves(&mut self, name: &'static str) {
        let proposals = self.leaving(name);
        let (outcome, why, _) = self.proposes(name, &proposals);
        assert!(matches!(outcome, UpdateOutcome::Success { .. }), "{name}: {why}");
    }

    /// Joins from outside.
    pub fn joins(
        &mut self,
        name: &'static str,
        app_data: &[(u16, AppDataOperation)],
        self_removes: &[Vec<u8>],
    ) -> Answer {
        self.joins_with(name, app_data, self_removes, &[])
    }

    /// As [`Scene::joins`], with this behind the SafeAAD.
    pub fn joins_with(
        &mut self,
        name: &'static str,
        app_data: &[(u16, AppDataOperation)],
        self_removes: &[Vec<u8>],
        authenticated: &[u8],
    ) -> Answer {
        let mut rng = self.rng();
        let view = GroupInfoView {
            group_info: &self.last.group_info,
            ratchet_tree: &self.last.ratchet_tree,
        };
        let plan = ExternalPlan {
            app_data,
            self_removes,
            authenticated,
            ..ExternalPlan::default()
        };
        let judge = self.world.judge();
        let device = self.members[name].device.clone();
        let join = join_external_with(&device, view, plan, &judge, &RoomRules, &mut rng).unwrap();
        let answer = self.update(name, &Self::bundle(&join.commit));
        if matches!(answer.0, UpdateOutcome::Success { .. }) {
            self.last = join.commit.next;
            self.members.get_mut(name).unwrap().group = Some(join.group);
            self.follow();
        }
        answer
    }

    /// Encrypts and sends an application message; what the hub made of it, and who gets it.
    pub fn says(&mut self, name: &'static str) -> (SubmitMessageResponse, Effects) {
        let origin = self.origin(name);
        let request = self.message(name);
        self.submit(&origin, request)
    }

    /// Encrypts an application message.
    pub fn message(&mut self, name: &'static str) -> SubmitMessageRequest {
        let mut rng = self.rng();
        let member = self.members.get_mut(name).unwrap();
        let group = member.group.as_mut().unwrap();
        let tag = FrankAad {
            franking_tag: [3; 32],
        };
        let aad = vec![(ComponentId::FRANK_AAD.0, tag.to_bytes())];
        let message = group.encrypt(&member.device, aad, b"hello", &mut rng).unwrap();
        SubmitMessageRequest {
            app_message: MlsMessage::from_bytes(&message).unwrap(),
            sending_uri: member.user.clone(),
        }
    }

    pub fn submit(
        &mut self,
        origin: &Origin,
        request: SubmitMessageRequest,
    ) -> (SubmitMessageResponse, Effects) {
        let before = self.hash();
        let cx = HubContext {
            identity: &self.identity,
            anchors: &self.world.anchors,
        };
        self.now += 1;
        let effects = self.hub.submit(cx, self.now, origin, request).unwrap();
        effects.changes.apply_to(&mut self.rows);
        if effects.events.is_empty() {
            assert!(effects.changes.is_empty());
            assert!(self.hash() == before, "a refusal changed something");
        }
        (
            SubmitMessageResponse::from_bytes(&effects.reply).unwrap(),
            effects,
        )
    }

    /// Asks for the GroupInfo, as that device.
    pub fn group_info(&mut self, name: &str) -> GroupInfoOutcome {
        self.asks_group_info(name).0
    }

    /// The GroupInfo and what comes with it.
    pub fn group_info_opened(&mut self, name: &str) -> GroupInfoRatchetTreeTbe {
        let (GroupInfoOutcome::Success(success), key) = self.asks_group_info(name) else {
            panic!("refused")
        };
        let sealed = &success.encrypted_groupinfo_and_tree;
        let plain = suite::decrypt_with_label(
            1,
            &key.private,
            GroupInfoRatchetTreeTbe::ENCRYPTION_LABEL,
            room_uri().as_str().as_bytes(),
            (&sealed.kem_output, &sealed.ciphertext),
        )
        .unwrap();
        GroupInfoRatchetTreeTbe::from_bytes(&plain).unwrap()
    }

    /// A signed request for the GroupInfo, and the key that opens the answer.
    pub fn group_info_request(&mut self, name: &str) -> (GroupInfoRequest, HpkeKeyPair) {
        let mut rng = self.rng();
        let key = suite::hpke_key_pair(1, &mut rng).unwrap();
        let member = &self.members[name];
        let mut request = GroupInfoRequest {
            cipher_suite: CipherSuite(1),
            requesting_signature_key: SignaturePublicKey(member.device.key.public().to_vec()),
            requesting_credential: ClientCredential::parse(&member.device.credential)
                .unwrap()
                .to_credential(),
            group_info_public_key: HpkePublicKey(key.public.clone()),
            joining_code: None,
            signature: vec![],
        };
        request.signature = member
            .device
            .key
            .sign_with_label(GroupInfoRequest::SIGNATURE_LABEL, &request.tbs())
            .unwrap();
        (request, key)
    }

    /// Asks for the GroupInfo with a joining code.
    pub fn asks_with(&mut self, name: &str, code: &[u8]) -> GroupInfoOutcome {
        let (mut request, key) = self.group_info_request(name);
        request.joining_code = Some(code.to_vec());
        request.signature = self.members[name]
            .device
            .key
            .sign_with_label(GroupInfoRequest::SIGNATURE_LABEL, &request.tbs())
            .unwrap();
        self.sends_request(name, request, key).0
    }

    fn asks_group_info(&mut self, name: &str) -> (GroupInfoOutcome, HpkeKeyPair) {
        let (request, key) = self.group_info_request(name);
        self.sends_request(name, request, key)
    }

    fn sends_request(
        &mut self,
        name: &str,
        request: GroupInfoRequest,
        key: HpkeKeyPair,
    ) -> (GroupInfoOutcome, HpkeKeyPair) {
        let mut rng = self.rng();
        let cx = HubContext {
            identity: &self.identity,
            anchors: &self.world.anchors,
        };
        let origin = self.origin(name);
        let answer = self
            .hub
            .group_info(cx, self.now, &origin, &request, &mut rng)
            .unwrap();
        (GroupInfoResponse::from_bytes(&answer).unwrap().outcome, key)
    }

    /// Everybody takes what came, and those in the room agree with the hub afterwards.
    pub fn follow(&mut self) {
        let judge_world = self.world.anchors.clone();
        let mut rng = self.rng();
        for member in self.members.values_mut() {
            while let Some(entry) = member.inbox.pop_front() {
                take(member, &entry, &judge_world, self.world.now, &mut rng);
            }
        }
        self.check_roster();
        let clients: Vec<ClientUri> = self.hub.clients().cloned().collect();
        for (name, member) in &self.members {
            let Some(group) = member.group.as_ref().filter(|group| group.is_active()) else {
                assert!(
                    !clients.contains(&member.uri),
                    "{name} is in the room and has no group"
                );
                continue;
            };
            assert_eq!(group.epoch(), self.hub.epoch(), "{name}");
            assert_eq!(group.transcript_hash(), self.hub.transcript_hash(), "{name}");
            assert!(clients.contains(&member.uri), "{name}");
        }
    }

    /// Everything the hub holds, in memory and as its shell would load it again, as one hash.
    pub fn hash(&mut self) -> [u8; 32] {
        let mut rng = self.world.rng.clone();
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
            bytes.extend_from_slice(&hub.waiting().to_be_bytes());
            for name in hub.departed() {
                bytes.extend_from_slice(name.as_str().as_bytes());
            }
            for client in hub.clients() {
                bytes.extend_from_slice(client.as_str().as_bytes());
            }
        }
        sha256(&bytes)
    }
}

thread_local! {
    /// Private rows of key packages by reference.
    static PACKAGES: std::cell::RefCell<BTreeMap<Vec<u8>, Rows>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

fn take(
    member: &mut Member,
    entry: &[u8],
    anchors: &sabir_mls::identity::TrustAnchors,
    now: u64,
    rng: &mut ChaCha20Rng,
) {
    let judge = sabir_mls::Judge {
        anchors,
        freshness: sabir_mls::identity::Freshness::At(now),
    };
    let entry = FanoutMessage::from_bytes(entry).unwrap();
    let message = entry.message().to_bytes();
    if let FanoutBody::Welcome {
        message,
        ratchet_tree_option: RatchetTreeOption::Full(tree),
    } = &entry.body
    {
        let MlsMessage::Welcome(welcome) = message.as_ref() else {
            panic!("no welcome")
        };
        let rows = welcome.new_members().find_map(|reference| {
            let rows = PACKAGES.with(|packages| packages.borrow().get(reference).cloned())?;
            join_welcome(rows, &welcome.to_bytes(), &tree.to_bytes(), &judge, rng).ok()
        });
        if let Some(group) = rows
            && group
                .members()
                .any(|leaf| leaf.leaf == group.own_leaf() && leaf.signature_key == member.device.key.public())
        {
            member.group = Some(group);
            member.seen += 1;
        }
        return;
    }
    let Some(group) = member.group.as_mut().filter(|group| group.is_active()) else {
        return;
    };
    member.seen += 1;
    // A joiner's own commit is of the epoch before it.
    let epoch = entry.message().epoch();
    if epoch == Some(group.epoch()) {
        handle(group, &message, &judge, rng);
    }
    let more = match &entry.body {
        FanoutBody::Proposal { more_proposals, .. } => more_proposals.clone(),
        FanoutBody::Commit {
            external_proposals, ..
        } => external_proposals.clone(),
        _ => Vec::new(),
    };
    for message in more {
        if group.is_active() {
            handle(group, &message.to_bytes(), &judge, rng);
        }
    }
}

fn handle(group: &mut Group, message: &[u8], judge: &sabir_mls::Judge<'_>, rng: &mut ChaCha20Rng) {
    match group.process(message, judge, &RoomRules, rng).unwrap() {
        Incoming::OwnCommit => group.merge_own().unwrap(),
        Incoming::Commit(commit) => group.merge(*commit).unwrap(),
        Incoming::Message(_) | Incoming::OwnMessage | Incoming::Proposal(_) => {}
    }
}

fn member(person: Person, name: &str) -> Member {
    let user = world::user_of(&person);
    Member {
        device: person.device.clone(),
        uri: ClientUri::new(user.authority(), &format!("{name}1")).unwrap(),
        person: Some(person),
        user,
        group: None,
        inbox: VecDeque::new(),
        seen: 0,
    }
}

pub fn options(state: &PublicState) -> (GroupInfoOption, RatchetTreeOption) {
    (
        GroupInfoOption::Full(GroupInfo::from_bytes(&state.group_info).unwrap()),
        RatchetTreeOption::Full(RatchetTree::from_bytes(&state.ratchet_tree).unwrap()),
    )
}
