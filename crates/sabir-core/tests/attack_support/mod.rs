//! Two people and their engines, as in `direct_room.rs`, with a provider that answers repeats from memory and a
//! hub that can be made to lie.
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

use crate::world::{self, World};
use rand_chacha::ChaCha20Rng;
use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationEvent, MessageEvent, NewDirect, Request, RequestKind,
};
use sabir_core::hub::{Hub, HubContext, HubIdentity, Origin, Route};
use sabir_core::key_material;
use sabir_core::room::RoomRules;
use sabir_mls::group::{CommitPlan, Group};
use sabir_mls::identity::ServerCredential;
use sabir_mls::key_package::VerifiedKeyPackage;
use sabir_mls::rows::Rows;
use sabir_mls::{Device, key_package};
use sabir_wire::client_api::CreateRoomRequest;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::{KeyPackage, MlsMessage};
use sabir_wire::protocol::{
    ClientKeyMaterial, ClientKeyStatus, FanoutBody, FanoutMessage, FrankingAgentData, KeyMaterialRequest,
    KeyMaterialResponse, KeyMaterialUserCode, SubmitMessageRequest, UpdateRequest,
};
use sabir_wire::uri::{ClientUri, Domain, RoomUri, UserUri};

/// A client with what its shell would keep on disk.
pub struct Client {
    pub person: world::Person,
    pub device: Device,
    pub me: UserUri,
    pub uri: ClientUri,
    pub conversation: Option<Conversation>,
    pub rows: Rows,
    pub packages: BTreeMap<Vec<u8>, (Vec<u8>, Rows)>,
    pub inbox: VecDeque<Vec<u8>>,
    pub events: Vec<ConversationEvent>,
}

/// A hub with what its shell would keep on disk.
pub struct HubSide {
    pub hub: Option<Hub>,
    pub rows: Rows,
    pub routes: BTreeMap<Vec<u8>, Route>,
    pub answers: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Answers to requests for key packages.
    pub taken: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the other person's key packages are used up.
    pub dry: bool,
}

pub struct Story {
    pub world: World,
    pub identity: HubIdentity,
    pub hub: HubSide,
    pub alice: Client,
    pub bob: Client,
    pub rng: ChaCha20Rng,
    pub now: u64,
    pub room: RoomUri,
}

/// Which of the two.
type Who = fn(&mut Story) -> &mut Client;

pub fn client(person: world::Person, name: &str) -> Client {
    let me = world::user_of(&person);
    let uri = ClientUri::new(me.authority(), name).unwrap();
    Client {
        device: person.device.clone(),
        person,
        me,
        uri,
        conversation: None,
        rows: Rows::new(),
        packages: BTreeMap::new(),
        inbox: VecDeque::new(),
        events: Vec::new(),
    }
}

impl Client {
    pub fn keep(&mut self, effects: sabir_core::conversation::Effects) {
        effects.changes.apply_to(&mut self.rows);
        self.events.extend(effects.events);
    }

    pub fn texts(&self) -> Vec<String> {
        self.messages().map(text).collect()
    }

    pub fn messages(&self) -> impl Iterator<Item = &MessageEvent> {
        self.events.iter().filter_map(|event| match event {
            ConversationEvent::Message(message) => Some(message.as_ref()),
            _ => None,
        })
    }
}

pub fn text(message: &MessageEvent) -> String {
    MimiContent::from_bytes(&message.content)
        .unwrap()
        .text(&[])
        .unwrap()
        .to_owned()
}

impl Story {
    pub fn new(seed: u64) -> Self {
        Self::at(seed, world::now())
    }

    pub fn at(seed: u64, now: u64) -> Self {
        let mut world = World::at(seed, now);
        let alice = client(world.person('a', "alice"), "alice1");
        let mut bob = client(world.person('b', "bob"), "bob1");
        let mut rng = world.seed();
        for made in key_package::generate(&bob.device, 3, world.now, &mut rng).unwrap() {
            let mut rows = Rows::new();
            made.private.apply_to(&mut rows);
            bob.packages.insert(made.reference, (made.bytes, rows));
        }
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
        let hub = HubSide {
            hub: None,
            rows: Rows::new(),
            routes: BTreeMap::new(),
            answers: BTreeMap::new(),
            taken: BTreeMap::new(),
            dry: false,
        };
        let room = RoomUri::parse("mimi://a.example/r/abc").unwrap();
        Self {
            world,
            identity,
            hub,
            alice,
            bob,
            rng,
            now,
            room,
        }
    }

    pub fn agent(&self) -> FrankingAgentData {
        FrankingAgentData {
            franking_signature_key: sabir_wire::mls::SignaturePublicKey(
                self.identity.signing_key.public().to_vec(),
            ),
            credential: self.identity.credential.to_credential(),
        }
    }

    pub fn open(&mut self) {
        let new = NewDirect {
            room: self.room.clone(),
            peer: self.bob.me.clone(),
            hub: self.agent(),
        };
        let cx = ConversationContext {
            device: &self.alice.device,
            me: &self.alice.me,
            anchors: &self.world.anchors,
        };
        let (conversation, effects) = Conversation::create_direct(cx, new, self.now, &mut self.rng).unwrap();
        self.alice.conversation = Some(conversation);
        self.alice.keep(effects);
    }

    pub fn say(&mut self, who: Who, line: &str) {
        let (anchors, mut rng) = (self.world.anchors.clone(), self.rng.clone());
        let client = who(self);
        let cx = ConversationContext {
            device: &client.device,
            me: &client.me,
            anchors: &anchors,
        };
        let id = [u8::try_from(client.events.len() % 256).unwrap(); 16];
        let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, line);
        let effects = client
            .conversation
            .as_mut()
            .unwrap()
            .send(cx, id, compose, &mut rng)
            .unwrap();
        client.keep(effects);
        self.rng = rng;
    }

    /// Sends what is outstanding of one client, once. Returns whether there was anything.
    pub fn step(&mut self, who: Who) -> bool {
        let (anchors, mut rng, now) = (self.world.anchors.clone(), self.rng.clone(), self.now);
        let client = who(self);
        let Some(mut conversation) = client.conversation.take() else {
            return false;
        };
        let (device, me, uri) = (client.device.clone(), client.me.clone(), client.uri.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &anchors,
        };
        let effects = conversation.prepare(cx, now, &mut rng).unwrap();
        client.keep(effects);
        let Some(request) = conversation.outstanding(now) else {
            client.conversation = Some(conversation);
            return false;
        };
        let response = self.request(&uri, request.kind, &request.body);
        let effects = conversation
            .answered(cx, now, &request, &response, &mut rng)
            .unwrap();
        let client = who(self);
        client.keep(effects);
        client.conversation = Some(conversation);
        self.rng = rng;
        true
    }

    /// The provider's side of one request, deduplication included.
    pub fn request(&mut self, client: &ClientUri, kind: RequestKind, body: &[u8]) -> Vec<u8> {
        if let Some(answer) = self.hub.answers.get(body) {
            return answer.clone();
        }
        let cx = HubContext {
            identity: &self.identity,
            anchors: &self.world.anchors,
        };
        let domain = client.authority().clone();
        let local = domain == self.identity.domain;
        let origin = Origin {
            provider: domain,
            client: local.then(|| client.clone()),
        };
        let mut rng = self.world.rng.clone();
        let effects = match kind {
            RequestKind::CreateRoom => {
                let request = CreateRoomRequest::from_bytes(body).unwrap();
                let creation = Hub::create(cx, self.now, client, &request, &mut rng).unwrap();
                self.hub.hub = creation.hub;
                creation.effects
            }
            RequestKind::KeyMaterial => return self.key_material(body),
            RequestKind::GroupInfo => panic!("nobody asks for it here"),
            RequestKind::Update => {
                let request = UpdateRequest::from_bytes(body).unwrap();
                let routes = self.hub.routes.clone();
                self.hub
                    .hub
                    .as_mut()
                    .unwrap()
                    .update(cx, self.now, &origin, &request, &routes)
                    .unwrap()
            }
            RequestKind::Submit => {
                let request = SubmitMessageRequest::from_bytes(body).unwrap();
                self.hub
                    .hub
                    .as_mut()
                    .unwrap()
                    .submit(cx, self.now, &origin, request)
                    .unwrap()
            }
        };
        effects.changes.apply_to(&mut self.hub.rows);
        if !effects.events.is_empty() {
            self.hub.answers.insert(body.to_vec(), effects.reply.clone());
        }
        for event in effects.events {
            // What the follower engine does: Welcomes go by key package, all else to everybody there.
            if event.devices.contains(&self.alice.uri) {
                self.alice.inbox.push_back(event.body.clone());
            }
            if event.followers.contains(&world::domain("b.example")) {
                self.bob.inbox.push_back(event.body);
            }
        }
        effects.reply
    }

    /// As a provider: the same request gets the same answer, and another one the next key package.
    pub fn key_material(&mut self, body: &[u8]) -> Vec<u8> {
        if let Some(answer) = self.hub.taken.get(body) {
            return answer.clone();
        }
        let answer = self.take_key_package(body);
        self.hub.taken.insert(body.to_vec(), answer.clone());
        answer
    }

    fn take_key_package(&mut self, body: &[u8]) -> Vec<u8> {
        let request = KeyMaterialRequest::from_bytes(body).unwrap();
        let verified = key_material::verify_request(&request, &self.world.anchors, self.now).unwrap();
        assert_eq!(verified.user(), &self.alice.me);
        let fresh = |reference: &&Vec<u8>| !self.hub.routes.contains_key(*reference);
        let Some(reference) = self
            .bob
            .packages
            .keys()
            .find(fresh)
            .cloned()
            .filter(|_| !self.hub.dry)
        else {
            return KeyMaterialResponse {
                user_status: KeyMaterialUserCode::NoCompatibleMaterial,
                user_uri: request.target_user,
                clients: Vec::new(),
            }
            .to_bytes();
        };
        let package = self.bob.packages[&reference].0.clone();
        self.hub
            .routes
            .insert(reference, Route::Provider(Domain::parse("b.example").unwrap()));
        KeyMaterialResponse {
            user_status: KeyMaterialUserCode::Success,
            user_uri: request.target_user,
            clients: vec![ClientKeyMaterial {
                client_uri: self.bob.uri.clone(),
                status: ClientKeyStatus::Success(Box::new(KeyPackage::from_bytes(&package).unwrap())),
            }],
        }
        .to_bytes()
    }

    /// Lets one client apply the next entry of its inbox.
    pub fn deliver(&mut self, who: Who) -> bool {
        let (anchors, mut rng, now, room) = (
            self.world.anchors.clone(),
            self.rng.clone(),
            self.now,
            self.room.clone(),
        );
        let client = who(self);
        let Some(entry) = client.inbox.pop_front() else {
            return false;
        };
        let (device, me) = (client.device.clone(), client.me.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &anchors,
        };
        let effects = match &mut client.conversation {
            Some(conversation) => conversation.incoming(cx, now, &entry, &mut rng).unwrap(),
            None => {
                let reference = Conversation::welcome_references(&entry)
                    .into_iter()
                    .next()
                    .unwrap();
                let (_, rows) = client.packages.remove(&reference).unwrap();
                let joined = Conversation::join(cx, room, rows, &entry, &mut rng).unwrap();
                client.conversation = Some(joined.conversation);
                joined.effects
            }
        };
        client.keep(effects);
        self.rng = rng;
        true
    }

    pub fn settle(&mut self) {
        let both: [Who; 2] = [alice, bob];
        for _ in 0..1000 {
            let mut busy = false;
            for who in both {
                busy |= self.step(who);
                busy |= self.deliver(who);
            }
            if !busy {
                return;
            }
        }
        panic!("the story does not settle");
    }

    /// Every engine comes back from its rows.
    pub fn restart(&mut self) {
        let room = self.room.clone();
        for client in [&mut self.alice, &mut self.bob] {
            if client.conversation.is_some() {
                client.conversation =
                    Some(Conversation::load(room.clone(), &client.rows, &mut self.rng).unwrap());
            }
        }
        if self.hub.hub.is_some() {
            self.hub.hub = Some(Hub::load(room, &self.hub.rows, &mut self.rng).unwrap());
        }
    }

    pub fn agree(&self) {
        let hub = self.hub.hub.as_ref().unwrap();
        for client in [&self.alice, &self.bob] {
            let conversation = client.conversation.as_ref().unwrap();
            assert_eq!(
                (conversation.epoch(), conversation.transcript_hash()),
                (hub.epoch(), hub.transcript_hash())
            );
        }
    }
}

pub fn alice(story: &mut Story) -> &mut Client {
    &mut story.alice
}

pub fn bob(story: &mut Story) -> &mut Client {
    &mut story.bob
}

/// What Bob's side could send if his client were not ours and the hub checked nothing.
impl Story {
    /// Bob's group as it is now, for a commit of his own making; nothing is kept of it.
    pub fn rogue_group(&mut self) -> Group {
        let rows = sabir_core::mls_rows(&self.bob.rows);
        Group::load(rows, b"mimi://a.example/g/abc", &mut self.rng).unwrap()
    }

    /// An entry of the log as a hub that checks nothing makes it.
    pub fn entry(&self, message: &[u8]) -> Vec<u8> {
        FanoutMessage {
            timestamp: self.now,
            body: FanoutBody::Commit {
                message: Box::new(MlsMessage::from_bytes(message).unwrap()),
                external_proposals: Vec::new(),
            },
        }
        .to_bytes()
    }

    /// A commit of Bob's in the log that no honest hub lets in. Alice gets it; Bob's group after it comes back.
    pub fn rogue_commit(&mut self, plan: CommitPlan) -> (Group, Result<Vec<ConversationEvent>, String>) {
        let mut group = self.rogue_group();
        let device = self.bob.device.clone();
        let commit = group.commit(&device, plan, &RoomRules, &mut self.rng).unwrap();
        group.merge_own().unwrap();
        let entry = self.entry(&commit.commit);
        let events = self.hand(alice, &entry);
        (group, events)
    }

    /// Gives one client an entry of the log.
    pub fn hand(
        &mut self,
        who: fn(&mut Self) -> &mut Client,
        entry: &[u8],
    ) -> Result<Vec<ConversationEvent>, String> {
        let (anchors, mut rng, now) = (self.world.anchors.clone(), self.rng.clone(), self.now);
        let client = who(self);
        let (device, me) = (client.device.clone(), client.me.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &anchors,
        };
        let conversation = client.conversation.as_mut().unwrap();
        let effects = conversation
            .incoming(cx, now, entry, &mut rng)
            .map_err(|error| error.to_string())?;
        let events = effects.events.clone();
        client.keep(effects);
        self.rng = rng;
        Ok(events)
    }

    /// A message by another client of Bob's provider making, franked by the hub.
    pub fn rogue_message(
        &mut self,
        group: &mut Group,
        device: &Device,
        user: &UserUri,
        line: &str,
    ) -> Vec<u8> {
        let origin = sabir_wire::content::Origin {
            salt: sabir_wire::content::Salt([9; 16]),
            sender_uri: user.as_str(),
            room_uri: self.room.as_str(),
        };
        let content = MimiContent::plain(origin, line).to_bytes().unwrap();
        let tag = sabir_core::frank::franking_tag(&[9; 16], &content);
        let aad = vec![sabir_core::frank::safe_aad_item(tag)];
        let message = group.encrypt(device, aad, &content, &mut self.rng).unwrap();
        let franker = sabir_core::frank::Franker {
            hub_key: &self.identity.hub_key,
            signing_key: &self.identity.signing_key,
            suite: group.suite(),
        };
        let frank = franker.frank(&tag, user, &self.room, self.now).unwrap();
        FanoutMessage {
            timestamp: self.now,
            body: FanoutBody::Application {
                message: Box::new(MlsMessage::from_bytes(&message).unwrap()),
                frank: Some(frank),
            },
        }
        .to_bytes()
    }

    /// A verified key package of a device.
    pub fn package(&mut self, device: &Device) -> VerifiedKeyPackage {
        let made = key_package::generate(device, 1, self.now, &mut self.rng).unwrap();
        key_package::verify(&made[0].bytes, &self.world.anchors, self.now).unwrap()
    }

    /// The request a client would send now, which is drawn up where it is its turn.
    pub fn draw_up(&mut self, who: fn(&mut Self) -> &mut Client) -> Option<Request> {
        let (anchors, mut rng, now) = (self.world.anchors.clone(), self.rng.clone(), self.now);
        let client = who(self);
        let (device, me) = (client.device.clone(), client.me.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &anchors,
        };
        let conversation = client.conversation.as_mut().unwrap();
        let effects = conversation.prepare(cx, now, &mut rng).unwrap();
        let request = conversation.outstanding(now);
        client.keep(effects);
        self.rng = rng;
        request
    }

    /// Sends a request to the hub and drops the answer.
    pub fn send_and_lose_answer(&mut self, who: fn(&mut Self) -> &mut Client, request: &Request) -> Vec<u8> {
        let uri = who(self).uri.clone();
        self.request(&uri, request.kind, &request.body)
    }

    /// Gives a client an answer.
    pub fn answer(
        &mut self,
        who: fn(&mut Self) -> &mut Client,
        request: &Request,
        response: &[u8],
    ) -> Result<(), String> {
        let (anchors, mut rng, now) = (self.world.anchors.clone(), self.rng.clone(), self.now);
        let client = who(self);
        let (device, me) = (client.device.clone(), client.me.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &anchors,
        };
        let conversation = client.conversation.as_mut().unwrap();
        let effects = conversation
            .answered(cx, now, request, response, &mut rng)
            .map_err(|error| error.to_string())?;
        client.keep(effects);
        self.rng = rng;
        Ok(())
    }

    /// Alice says that messages are to go out again.
    pub fn resume(&mut self) {
        let anchors = self.world.anchors.clone();
        let (device, me) = (self.alice.device.clone(), self.alice.me.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &anchors,
        };
        let conversation = self.alice.conversation.as_mut().unwrap();
        let effects = conversation.resume_sending(cx).unwrap();
        self.alice.keep(effects);
    }

    /// Alice's conversation.
    pub fn hers(&self) -> &Conversation {
        self.alice.conversation.as_ref().unwrap()
    }
}
