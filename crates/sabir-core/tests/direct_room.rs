//! Two people and their engines, with nothing between them but a list: the whole way of a message.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha20Rng;
use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationEvent, FrankState, MessageEvent, NewDirect, RequestKind,
};
use sabir_core::hub::{Hub, HubContext, HubIdentity, Origin, Route};
use sabir_core::key_material;
use sabir_mls::identity::ServerCredential;
use sabir_mls::rows::Rows;
use sabir_mls::{Device, key_package};
use sabir_wire::client_api::CreateRoomRequest;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::KeyPackage;
use sabir_wire::protocol::{
    ClientKeyMaterial, ClientKeyStatus, FrankingAgentData, KeyMaterialRequest, KeyMaterialResponse,
    KeyMaterialUserCode, SubmitMessageRequest, SubmitMessageResponse, UpdateOutcome, UpdateRequest,
    UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, Domain, RoomUri, UserUri};
use world::World;

/// A client with what its shell would keep on disk.
struct Client {
    device: Device,
    me: UserUri,
    uri: ClientUri,
    conversation: Option<Conversation>,
    rows: Rows,
    packages: BTreeMap<Vec<u8>, (Vec<u8>, Rows)>,
    inbox: VecDeque<Vec<u8>>,
    events: Vec<ConversationEvent>,
}

/// A hub with what its shell would keep on disk.
struct HubSide {
    hub: Option<Hub>,
    rows: Rows,
    routes: BTreeMap<Vec<u8>, Route>,
    answers: BTreeMap<Vec<u8>, Vec<u8>>,
}

struct Story {
    world: World,
    identity: HubIdentity,
    hub: HubSide,
    alice: Client,
    bob: Client,
    rng: ChaCha20Rng,
    now: u64,
    room: RoomUri,
}

/// Which of the two.
type Who = fn(&mut Story) -> &mut Client;

fn client(person: world::Person, name: &str) -> Client {
    let me = world::user_of(&person);
    let uri = ClientUri::new(me.authority(), name).unwrap();
    Client {
        device: person.device,
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
    fn keep(&mut self, effects: sabir_core::conversation::Effects) {
        effects.changes.apply_to(&mut self.rows);
        self.events.extend(effects.events);
    }

    fn texts(&self) -> Vec<String> {
        self.messages().map(text).collect()
    }

    fn messages(&self) -> impl Iterator<Item = &MessageEvent> {
        self.events.iter().filter_map(|event| match event {
            ConversationEvent::Message(message) => Some(message.as_ref()),
            _ => None,
        })
    }
}

fn text(message: &MessageEvent) -> String {
    MimiContent::from_bytes(&message.content)
        .unwrap()
        .text(&[])
        .unwrap()
        .to_owned()
}

impl Story {
    fn new(seed: u64) -> Self {
        Self::at(seed, world::now())
    }

    fn at(seed: u64, now: u64) -> Self {
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

    fn agent(&self) -> FrankingAgentData {
        FrankingAgentData {
            franking_signature_key: sabir_wire::mls::SignaturePublicKey(
                self.identity.signing_key.public().to_vec(),
            ),
            credential: self.identity.credential.to_credential(),
        }
    }

    fn open(&mut self) {
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

    fn say(&mut self, who: Who, line: &str) {
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
    fn step(&mut self, who: Who) -> bool {
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
    fn request(&mut self, client: &ClientUri, kind: RequestKind, body: &[u8]) -> Vec<u8> {
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

    fn key_material(&mut self, body: &[u8]) -> Vec<u8> {
        let request = KeyMaterialRequest::from_bytes(body).unwrap();
        let verified = key_material::verify_request(&request, &self.world.anchors, self.now).unwrap();
        assert_eq!(verified.user(), &self.alice.me);
        let reference = self.bob.packages.keys().next().unwrap().clone();
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
    fn deliver(&mut self, who: Who) -> bool {
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

    fn settle(&mut self) {
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
    fn restart(&mut self) {
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

    fn agree(&self) {
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

fn alice(story: &mut Story) -> &mut Client {
    &mut story.alice
}

fn bob(story: &mut Story) -> &mut Client {
    &mut story.bob
}

#[test]
fn a_conversation_in_order_franked_and_the_same_for_both() {
    let mut story = Story::new(1);
    story.open();
    story.say(alice, "one");
    story.say(alice, "two");
    story.settle();
    story.say(bob, "three");
    story.settle();
    story.say(alice, "four");
    story.settle();
    assert_eq!(story.alice.texts(), ["one", "two", "three", "four"]);
    assert_eq!(story.bob.texts(), story.alice.texts());
    story.agree();
    let states = story
        .bob
        .messages()
        .chain(story.alice.messages())
        .map(|message| message.frank_state);
    assert!(states.into_iter().all(|state| state == FrankState::Verified));
    let ids = |client: &Client| {
        client
            .messages()
            .map(|message| message.message_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&story.alice), ids(&story.bob));
    assert!(story.alice.conversation.as_ref().unwrap().queued() == 0);
}

#[test]
fn engines_that_restart_between_any_two_steps_lose_and_repeat_nothing() {
    let mut story = Story::new(2);
    story.open();
    for line in ["one", "two", "three"] {
        story.say(alice, line);
    }
    let mut idle = 0;
    while idle < 3 {
        story.restart();
        let mut busy = story.step(alice);
        story.restart();
        busy |= story.deliver(bob);
        story.restart();
        busy |= story.deliver(alice);
        idle = if busy { 0 } else { idle + 1 };
    }
    story.say(bob, "four");
    story.restart();
    story.settle();
    assert_eq!(story.alice.texts(), ["one", "two", "three", "four"]);
    assert_eq!(story.bob.texts(), story.alice.texts());
    story.agree();
}

#[test]
fn a_lost_answer_is_repeated_and_nothing_happens_twice() {
    let mut story = Story::new(3);
    story.open();
    story.settle();
    story.say(alice, "one");
    // The request reaches the hub, the answer is lost: the same bytes go out again.
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    effects.changes.apply_to(&mut story.alice.rows);
    let request = conversation.outstanding(story.now).unwrap();
    let uri = story.alice.uri.clone();
    let first = story.request(&uri, request.kind, &request.body);
    let again = story.request(&uri, request.kind, &request.body);
    assert_eq!(first, again);
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
    assert_eq!(story.alice.texts(), ["one"]);
}

#[test]
fn the_echo_may_come_before_the_answer() {
    let mut story = Story::new(4);
    story.open();
    story.settle();
    story.say(alice, "one");
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    effects.changes.apply_to(&mut story.alice.rows);
    let request = conversation.outstanding(story.now).unwrap();
    let uri = story.alice.uri.clone();
    let answer = story.request(&uri, request.kind, &request.body);
    assert!(story.deliver(alice));
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation
        .answered(cx, story.now, &request, &answer, &mut story.rng)
        .unwrap();
    assert!(effects.events.is_empty());
    story.settle();
    assert_eq!(story.alice.texts(), ["one"]);
}

#[test]
fn the_hub_refuses_by_code_and_changes_nothing() {
    let mut story = Story::new(5);
    story.open();
    story.say(alice, "one");
    story.settle();
    let rows = story.hub.rows.clone();
    let cx = ConversationContext {
        device: &story.bob.device,
        me: &story.bob.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.bob.conversation.as_mut().unwrap();
    let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, "x");
    conversation.send(cx, [0; 16], compose, &mut story.rng).unwrap();
    conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    let body = conversation.outstanding(story.now).unwrap().body;
    let good = SubmitMessageRequest::from_bytes(&body).unwrap();
    let hub_cx = HubContext {
        identity: &story.identity,
        anchors: &story.world.anchors,
    };
    let from = |domain: &str| Origin {
        provider: Domain::parse(domain).unwrap(),
        client: None,
    };
    let hub = story.hub.hub.as_mut().unwrap();
    let mut submit = |origin: &Origin, request: &SubmitMessageRequest| {
        let effects = hub.submit(hub_cx, story.now, origin, request.clone()).unwrap();
        assert!(effects.events.is_empty() && effects.changes.is_empty());
        SubmitMessageResponse::from_bytes(&effects.reply).unwrap()
    };
    // Another provider, another sender, an outsider.
    assert_eq!(
        submit(&from("a.example"), &good),
        SubmitMessageResponse::NotAllowed
    );
    let as_alice = SubmitMessageRequest {
        sending_uri: story.alice.me.clone(),
        ..good.clone()
    };
    assert_eq!(
        submit(&from("b.example"), &as_alice),
        SubmitMessageResponse::NotAllowed
    );
    let mallory = UserUri::parse("mimi://b.example/u/mallory").unwrap();
    let as_mallory = SubmitMessageRequest {
        sending_uri: mallory,
        ..good.clone()
    };
    assert_eq!(
        submit(&from("b.example"), &as_mallory),
        SubmitMessageResponse::NotAllowed
    );
    // Epochs.
    let with_epoch = |epoch: u64| {
        let mut request = good.clone();
        if let sabir_wire::mls::MlsMessage::Private(message) = &mut request.app_message {
            message.epoch = epoch;
        }
        request
    };
    let old = submit(&from("b.example"), &with_epoch(0));
    assert_eq!(old, SubmitMessageResponse::EpochTooOld { current_epoch: 1 });
    assert_eq!(
        submit(&from("b.example"), &with_epoch(9)),
        SubmitMessageResponse::NotAllowed
    );
    assert_eq!(story.hub.rows, rows);
}

#[test]
fn a_commit_for_an_epoch_that_passed_is_told_the_current_one() {
    let mut story = Story::new(6);
    story.open();
    while !matches!(
        story.alice.conversation.as_ref().unwrap().outstanding(story.now),
        Some(request) if request.kind == RequestKind::Update
    ) {
        assert!(story.step(alice));
    }
    let request = story
        .alice
        .conversation
        .as_ref()
        .unwrap()
        .outstanding(story.now)
        .unwrap();
    story.settle();
    // The same commit in other clothes: not a repeat, so not the stored answer.
    let update = UpdateRequest::from_bytes(&request.body).unwrap();
    let cx = HubContext {
        identity: &story.identity,
        anchors: &story.world.anchors,
    };
    let origin = Origin {
        provider: story.identity.domain.clone(),
        client: Some(story.alice.uri.clone()),
    };
    let hub = story.hub.hub.as_mut().unwrap();
    let effects = hub
        .update(cx, story.now, &origin, &update, &story.hub.routes)
        .unwrap();
    let answer = UpdateRoomResponse::from_bytes(&effects.reply).unwrap();
    assert_eq!(answer.outcome, UpdateOutcome::WrongEpoch { current_epoch: 1 });
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let now = world::now();
    // The members' rows are left out: the library writes the wall clock into them, and reads it nowhere.
    let run = |seed| {
        let mut story = Story::at(seed, now);
        story.open();
        story.say(alice, "one");
        story.settle();
        story.say(bob, "two");
        story.settle();
        (
            story.hub.rows,
            story.hub.answers,
            story.alice.events,
            story.bob.events,
        )
    };
    assert!(run(7) == run(7));
    assert!(run(7) != run(8));
}
