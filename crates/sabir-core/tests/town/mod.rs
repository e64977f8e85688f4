//! Any number of clients over one hub and its followers, with real engines on all sides and nothing between them but
//! lists: providers answer repeats from memory, people can be away, key packages run out, time passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "tests; not every test uses all"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::world;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationError, ConversationEvent, Effects, Intent, NewDirect,
    NewGroupRoom, Rejoin, Rejoined, Request, RequestKind,
};
use sabir_core::follower::Follower;
use sabir_core::hub::{Hub, HubContext, HubIdentity, Origin, Route};
use sabir_core::key_material::{self, Offer};
use sabir_core::room::link::LinkKey;
use sabir_mls::identity::{ProviderCa, ServerCredential, TrustAnchors};
use sabir_mls::keys::SigningKey;
use sabir_mls::rows::Rows;
use sabir_mls::{Device, key_package};
use sabir_wire::client_api::CreateRoomRequest;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::MimiContent;
use sabir_wire::protocol::{
    FanoutBody, FanoutMessage, FrankingAgentData, GroupInfoRequest, KeyMaterialRequest, SubmitMessageRequest,
    UpdateRequest,
};
use sabir_wire::uri::{ClientUri, Domain, RoomUri, UserUri};

pub const DAY: u64 = 24 * 3_600_000;

/// People of three providers, and their names.
pub const FOUR: &[&str] = &["alice@a", "bob@b", "carol@c", "dave@b"];
pub const NAMES: &[&str] = &["alice", "bob", "carol", "dave"];

/// Local ids of what tests ask for: the same byte sixteen times.
pub fn id(byte: u8) -> [u8; 16] {
    [byte; 16]
}

pub fn is_commit(entry: &[u8]) -> bool {
    matches!(
        FanoutMessage::from_bytes(entry).unwrap().body,
        FanoutBody::Commit { .. }
    )
}

/// A client with what its shell would keep on disk.
pub struct Client {
    pub person: String,
    pub device: Device,
    pub me: UserUri,
    pub uri: ClientUri,
    pub conversation: Option<Conversation>,
    pub rejoin: Option<Rejoin>,
    pub rows: Rows,
    pub packages: BTreeMap<Vec<u8>, (Vec<u8>, Rows)>,
    /// References of packages that were not given out yet.
    pub published: VecDeque<Vec<u8>>,
    pub inbox: VecDeque<Vec<u8>>,
    pub events: Vec<ConversationEvent>,
    pub away: bool,
}

/// A provider that follows the room.
pub struct FollowerSide {
    pub follower: Follower,
    pub routes: BTreeMap<Vec<u8>, ClientUri>,
}

pub struct Town {
    pub cas: BTreeMap<Domain, ProviderCa>,
    pub anchors: TrustAnchors,
    pub identity: HubIdentity,
    pub hub: Option<Hub>,
    pub hub_rows: Rows,
    pub routes: BTreeMap<Vec<u8>, Route>,
    pub answers: BTreeMap<Vec<u8>, Vec<u8>>,
    pub taken: BTreeMap<Vec<u8>, Vec<u8>>,
    pub followers: BTreeMap<Domain, FollowerSide>,
    pub people: BTreeMap<String, world::Person>,
    pub clients: BTreeMap<String, Client>,
    pub rng: ChaCha20Rng,
    pub now: u64,
    pub room: RoomUri,
    /// Entries of the hub's log.
    pub log: Vec<Vec<u8>>,
    /// Requests that reached a provider: client and kind.
    pub requests: Vec<(String, RequestKind)>,
}

impl Client {
    pub fn keep(&mut self, effects: Effects) {
        effects.changes.apply_to(&mut self.rows);
        self.events.extend(effects.events);
    }

    pub fn texts(&self) -> Vec<String> {
        let text = |event: &ConversationEvent| match event {
            ConversationEvent::Message(message) => {
                let content = MimiContent::from_bytes(&message.content).unwrap();
                Some(content.text(&[]).unwrap().to_owned())
            }
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    pub fn hers(&self) -> &Conversation {
        self.conversation.as_ref().unwrap()
    }

    /// Whether something happened since the mark.
    pub fn saw(&self, what: impl Fn(&ConversationEvent) -> bool) -> bool {
        self.events.iter().any(what)
    }

    pub fn alarms(&self) -> Vec<String> {
        let alarm = |event: &ConversationEvent| match event {
            ConversationEvent::Alarm(alarm) => Some(format!("{alarm:?}")),
            _ => None,
        };
        self.events.iter().filter_map(alarm).collect()
    }
}

impl Town {
    /// People at `a.example` (the hub), `b.example` and `c.example`: "alice@a" names both.
    pub fn new(seed: u64, people: &[&str]) -> Self {
        Self::at(seed, world::now(), people)
    }

    pub fn at(seed: u64, now: u64, people: &[&str]) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut cas = BTreeMap::new();
        let mut anchors = TrustAnchors::new();
        for name in ["a.example", "b.example", "c.example"] {
            let ca = ProviderCa::generate(&world::domain(name), now, &mut rng).unwrap();
            anchors.pin(ca.domain(), ca.to_anchor()).unwrap();
            cas.insert(world::domain(name), ca);
        }
        let hub = world::domain("a.example");
        let hub_key = SigningKey::ed25519(&mut rng).unwrap();
        let server = cas[&hub]
            .issue_server(&world::key32(&hub_key), world::period(now), &mut rng)
            .unwrap();
        let identity = HubIdentity {
            domain: hub,
            hub_key: [5; 32],
            signing_key: hub_key,
            credential: ServerCredential::new(&server).unwrap(),
        };
        let mut town = Self {
            cas,
            anchors,
            identity,
            hub: None,
            hub_rows: Rows::new(),
            routes: BTreeMap::new(),
            answers: BTreeMap::new(),
            taken: BTreeMap::new(),
            followers: BTreeMap::new(),
            people: BTreeMap::new(),
            clients: BTreeMap::new(),
            rng,
            now,
            room: RoomUri::parse("mimi://a.example/r/abc").unwrap(),
            log: Vec::new(),
            requests: Vec::new(),
        };
        for person in people {
            town.person(person);
        }
        town
    }

    /// A person and their first client, which has their name.
    pub fn person(&mut self, address: &str) {
        let (name, provider) = address.split_once('@').unwrap();
        let ca = &self.cas[&world::domain(&format!("{provider}.example"))];
        let person = world::person(ca, name, &mut self.rng, self.now);
        let device = person.device.clone();
        self.people.insert(name.to_owned(), person);
        self.client(name, name, &format!("{name}1"), device);
    }

    /// Another client of a person. All of them are on one list, a newer one than before.
    pub fn second(&mut self, name: &str, called: &str) {
        let person = &self.people[name];
        let mut device = world::device(person, called, &mut self.rng, self.now);
        let others = self.clients.values().filter(|client| client.person == name);
        let mut keys: Vec<_> = others.map(|client| client.device.key.clone()).collect();
        keys.push(device.key.clone());
        let version = u64::try_from(keys.len()).unwrap();
        device.device_list = world::device_list(person, version, &keys.iter().collect::<Vec<_>>());
        let mut others = Vec::new();
        for (other, client) in self
            .clients
            .iter_mut()
            .filter(|(_, client)| client.person == name)
        {
            client.device.device_list.clone_from(&device.device_list);
            // Key packages on the older list are of no use to anybody who has seen the newer.
            client.published.clear();
            others.push(other.clone());
        }
        for other in others {
            self.publish(&other, 4);
        }
        self.client(name, called, called, device);
    }

    /// A person comes back with a recovery key on a new client; of their others nothing is asked.
    pub fn recover(&mut self, name: &str, called: &str, recovery: &SigningKey, nth: u8) {
        let user = world::user_of(&self.people[name]);
        let ca = &self.cas[user.authority()];
        let person = world::recovered(ca, name, recovery, nth, &mut self.rng, self.now);
        let device = world::device(&person, called, &mut self.rng, self.now);
        for client in self.clients.values_mut().filter(|client| client.person == name) {
            // Their provider gives them out no more.
            client.published.clear();
        }
        self.people.insert(name.to_owned(), person);
        self.client(name, called, called, device);
    }

    fn client(&mut self, person: &str, called: &str, uri: &str, device: Device) {
        let me = world::user_of(&self.people[person]);
        let uri = ClientUri::new(me.authority(), uri).unwrap();
        let client = Client {
            person: person.to_owned(),
            device,
            me,
            uri,
            conversation: None,
            rejoin: None,
            rows: Rows::new(),
            packages: BTreeMap::new(),
            published: VecDeque::new(),
            inbox: VecDeque::new(),
            events: Vec::new(),
            away: false,
        };
        self.clients.insert(called.to_owned(), client);
        self.publish(called, 4);
    }

    /// Publishes fresh key packages of a client.
    pub fn publish(&mut self, who: &str, count: usize) {
        let client = self.clients.get_mut(who).unwrap();
        for made in key_package::generate(&client.device, count, self.now, &mut self.rng).unwrap() {
            let mut rows = Rows::new();
            made.private.apply_to(&mut rows);
            client.published.push_back(made.reference.clone());
            client.packages.insert(made.reference, (made.bytes, rows));
        }
    }

    pub fn user(&self, name: &str) -> UserUri {
        self.clients[name].me.clone()
    }

    pub fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    pub fn agent(&self) -> FrankingAgentData {
        FrankingAgentData {
            franking_signature_key: sabir_wire::mls::SignaturePublicKey(
                self.identity.signing_key.public().to_vec(),
            ),
            credential: self.identity.credential.to_credential(),
        }
    }

    /// Calls a client's engine and keeps what comes of it.
    pub fn with<T>(
        &mut self,
        who: &str,
        call: impl FnOnce(
            &mut Conversation,
            ConversationContext<'_>,
            u64,
            &mut ChaCha20Rng,
        ) -> Result<(T, Effects), ConversationError>,
    ) -> Result<T, ConversationError> {
        let client = self.clients.get_mut(who).unwrap();
        let (device, me) = (client.device.clone(), client.me.clone());
        let cx = ConversationContext {
            device: &device,
            me: &me,
            anchors: &self.anchors,
        };
        let conversation = client.conversation.as_mut().unwrap();
        let (value, effects) = call(conversation, cx, self.now, &mut self.rng)?;
        client.keep(effects);
        Ok(value)
    }

    pub fn create_group(&mut self, who: &str, name: &str) {
        let new = NewGroupRoom {
            room: self.room.clone(),
            name: name.to_owned(),
            template: sabir_core::room::Template::default(),
            hub: self.agent(),
        };
        let client = self.clients.get_mut(who).unwrap();
        let cx = ConversationContext {
            device: &client.device.clone(),
            me: &client.me.clone(),
            anchors: &self.anchors,
        };
        let (conversation, effects) = Conversation::create_group(cx, new, self.now, &mut self.rng).unwrap();
        client.conversation = Some(conversation);
        client.keep(effects);
    }

    pub fn create_direct(&mut self, who: &str, peer: &str) {
        let new = NewDirect {
            room: self.room.clone(),
            peer: self.user(peer),
            hub: self.agent(),
        };
        let client = self.clients.get_mut(who).unwrap();
        let cx = ConversationContext {
            device: &client.device.clone(),
            me: &client.me.clone(),
            anchors: &self.anchors,
        };
        let (conversation, effects) = Conversation::create_direct(cx, new, self.now, &mut self.rng).unwrap();
        client.conversation = Some(conversation);
        client.keep(effects);
    }

    pub fn intend(&mut self, who: &str, id: [u8; 16], intent: Intent) -> Result<(), ConversationError> {
        self.with(who, |conversation, cx, _, _| {
            Ok(((), conversation.intend(cx, id, intent)?))
        })
    }

    pub fn rename(&mut self, who: &str, name: &str) {
        let name = name.to_owned();
        self.intend(who, id(90), Intent::Rename { name }).unwrap();
    }

    /// How often a client came back with a gap.
    pub fn returns(&self, who: &str) -> usize {
        let is_return =
            |event: &&ConversationEvent| matches!(event, ConversationEvent::Rejoined { lost: true, .. });
        self.clients[who].events.iter().filter(is_return).count()
    }

    pub fn add(&mut self, who: &str, whom: &str, role: u32) {
        let user = self.user(whom);
        self.intend(who, id(whom.as_bytes()[0]), Intent::Add { user, role })
            .unwrap();
    }

    pub fn try_say(&mut self, who: &str, line: &str) -> Result<(), ConversationError> {
        let number = u8::try_from(self.clients[who].events.len() % 251).unwrap();
        self.with(who, |conversation, cx, _, rng| {
            let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, line);
            Ok(((), conversation.send(cx, id(number), compose, rng)?))
        })
    }

    pub fn say(&mut self, who: &str, line: &str) {
        self.try_say(who, line).unwrap();
    }

    /// What a client would send now, drawn up where it is its turn.
    pub fn draw_up(&mut self, who: &str) -> Option<Request> {
        if self.clients[who].rejoin.is_some() {
            return self.draw_up_rejoin(who);
        }
        self.clients[who].conversation.as_ref()?;
        let now = self.now;
        self.with(who, |conversation, cx, now, rng| {
            Ok(((), conversation.prepare(cx, now, rng)?))
        })
        .unwrap();
        self.clients[who].hers().outstanding(now)
    }

    fn draw_up_rejoin(&mut self, who: &str) -> Option<Request> {
        let client = self.clients.get_mut(who).unwrap();
        let cx = ConversationContext {
            device: &client.device.clone(),
            me: &client.me.clone(),
            anchors: &self.anchors,
        };
        let rejoin = client.rejoin.as_mut().unwrap();
        let effects = rejoin.prepare(cx, self.now, &mut self.rng).unwrap();
        let request = rejoin.outstanding(self.now);
        client.keep(effects);
        request
    }

    pub fn answer(&mut self, who: &str, request: &Request, response: &[u8]) {
        if self.clients[who].rejoin.is_some() {
            let client = self.clients.get_mut(who).unwrap();
            let cx = ConversationContext {
                device: &client.device.clone(),
                me: &client.me.clone(),
                anchors: &self.anchors,
            };
            let rejoin = client.rejoin.as_mut().unwrap();
            let result = rejoin.answered(cx, self.now, request, response, &mut self.rng);
            self.rejoined(who, result.unwrap());
            return;
        }
        self.with(who, |conversation, cx, now, rng| {
            Ok(((), conversation.answered(cx, now, request, response, rng)?))
        })
        .unwrap();
    }

    fn rejoined(&mut self, who: &str, result: Rejoined) {
        let client = self.clients.get_mut(who).unwrap();
        match result {
            Rejoined::Still(effects) => client.keep(effects),
            Rejoined::In(joined) => {
                client.rejoin = None;
                client.conversation = Some(joined.conversation);
                client.keep(joined.effects);
            }
            Rejoined::ShutOut(effects, _) => {
                client.rejoin = None;
                client.keep(effects);
            }
        }
    }

    pub fn rejoin(&mut self, who: &str) {
        let client = self.clients.get_mut(who).unwrap();
        let cx = ConversationContext {
            device: &client.device.clone(),
            me: &client.me.clone(),
            anchors: &self.anchors,
        };
        let begun = Conversation::rejoin(cx, self.room.clone(), self.now, &mut self.rng);
        let (rejoin, effects) = begun.unwrap();
        client.rejoin = Some(rejoin);
        client.keep(effects);
    }

    /// Begins to come in as nobody who is on the list.
    pub fn come_in(&mut self, who: &str, link: Option<LinkKey>) {
        let client = self.clients.get_mut(who).unwrap();
        let cx = ConversationContext {
            device: &client.device.clone(),
            me: &client.me.clone(),
            anchors: &self.anchors,
        };
        let begun = Conversation::come_in(cx, self.room.clone(), link, &client.rows, self.now, &mut self.rng);
        let (rejoin, effects) = begun.unwrap();
        client.rejoin = Some(rejoin);
        client.keep(effects);
    }

    /// Sends what is outstanding of one client, once.
    pub fn step(&mut self, who: &str) -> bool {
        let Some(request) = self.draw_up(who) else {
            return false;
        };
        let response = self.request(who, &request);
        self.answer(who, &request, &response);
        true
    }

    /// The providers' side of one request, repeats included.
    pub fn request(&mut self, who: &str, request: &Request) -> Vec<u8> {
        self.requests.push((who.to_owned(), request.kind));
        let body = &request.body;
        if let Some(answer) = self.answers.get(body) {
            return answer.clone();
        }
        let client = &self.clients[who];
        let origin = Origin {
            provider: client.me.authority().clone(),
            client: (*client.me.authority() == self.identity.domain).then(|| client.uri.clone()),
        };
        let cx = HubContext {
            identity: &self.identity,
            anchors: &self.anchors,
        };
        let (now, rng) = (self.now, &mut self.rng);
        let effects = match request.kind {
            RequestKind::CreateRoom => {
                let request = CreateRoomRequest::from_bytes(body).unwrap();
                let creation = Hub::create(cx, now, &client.uri, &request, rng).unwrap();
                self.hub = creation.hub;
                creation.effects
            }
            RequestKind::KeyMaterial => return self.key_material(body),
            RequestKind::GroupInfo => {
                let request = GroupInfoRequest::from_bytes(body).unwrap();
                let hub = self.hub.as_ref().unwrap();
                return hub.group_info(cx, now, &origin, &request, rng).unwrap();
            }
            RequestKind::Update => {
                let request = UpdateRequest::from_bytes(body).unwrap();
                let hub = self.hub.as_mut().unwrap();
                hub.update(cx, now, &origin, &request, &self.routes).unwrap()
            }
            RequestKind::Submit => {
                let request = SubmitMessageRequest::from_bytes(body).unwrap();
                let hub = self.hub.as_mut().unwrap();
                hub.submit(cx, now, &origin, request).unwrap()
            }
        };
        effects.changes.apply_to(&mut self.hub_rows);
        if !effects.events.is_empty() {
            self.answers.insert(body.clone(), effects.reply.clone());
        }
        for event in effects.events {
            self.log.push(event.body.clone());
            self.hand_out(&event.body, &event.devices, &event.followers);
        }
        effects.reply
    }

    /// An entry of the log on its way to devices.
    pub fn hand_out(&mut self, body: &[u8], devices: &[ClientUri], followers: &[Domain]) {
        let mut devices = devices.to_vec();
        for domain in followers {
            let room = self.room.clone();
            let side = self
                .followers
                .entry(domain.clone())
                .or_insert_with(|| FollowerSide {
                    follower: Follower::new(room),
                    routes: BTreeMap::new(),
                });
            let effects = side.follower.handle(domain, body, &side.routes).unwrap();
            devices.extend(effects.events.into_iter().flat_map(|event| event.devices));
        }
        for client in self.clients.values_mut() {
            if devices.contains(&client.uri) {
                client.inbox.push_back(body.to_vec());
            }
        }
    }

    /// The same request gets the same answer, another one the next key packages.
    fn key_material(&mut self, body: &[u8]) -> Vec<u8> {
        if let Some(answer) = self.taken.get(body) {
            return answer.clone();
        }
        let request = KeyMaterialRequest::from_bytes(body).unwrap();
        key_material::verify_request(&request, &self.anchors, self.now).unwrap();
        let mut offers = Vec::new();
        let room = self.room.clone();
        for client in self.clients.values_mut() {
            if client.me != request.target_user {
                continue;
            }
            let Some(reference) = client.published.pop_front() else {
                offers.push((client.uri.clone(), Offer::Exhausted));
                continue;
            };
            let package = client.packages[&reference].0.clone();
            let domain = client.me.authority().clone();
            let route = if domain == self.identity.domain {
                Route::Device(client.uri.clone())
            } else {
                let side = self
                    .followers
                    .entry(domain.clone())
                    .or_insert_with(|| FollowerSide {
                        follower: Follower::new(room.clone()),
                        routes: BTreeMap::new(),
                    });
                side.routes.insert(reference.clone(), client.uri.clone());
                Route::Provider(domain)
            };
            self.routes.insert(reference, route);
            offers.push((client.uri.clone(), Offer::KeyPackage(package)));
        }
        let answer = key_material::respond(&request, offers).unwrap().to_bytes();
        self.taken.insert(body.to_vec(), answer.clone());
        answer
    }

    /// Lets one client apply the next entry of its inbox, as a shell does.
    pub fn deliver(&mut self, who: &str) -> bool {
        let Some(entry) = self.clients.get_mut(who).unwrap().inbox.pop_front() else {
            return false;
        };
        self.hand(who, &entry);
        true
    }

    pub fn hand(&mut self, who: &str, entry: &[u8]) {
        let client = self.clients.get_mut(who).unwrap();
        let cx = ConversationContext {
            device: &client.device.clone(),
            me: &client.me.clone(),
            anchors: &self.anchors,
        };
        let package = Conversation::welcome_references(entry)
            .into_iter()
            .find(|reference| client.packages.contains_key(reference));
        if let Some(rejoin) = &mut client.rejoin {
            let result = rejoin.incoming(cx, entry, &mut self.rng).unwrap();
            self.rejoined(who, result);
            return;
        }
        match (&mut client.conversation, package) {
            (Some(conversation), Some(reference)) if conversation.wants_welcome() => {
                let (_, rows) = client.packages.remove(&reference).unwrap();
                let effects = conversation
                    .welcomed(cx, self.now, rows, entry, &mut self.rng)
                    .unwrap();
                client.keep(effects);
            }
            (Some(conversation), _) => {
                let effects = conversation.incoming(cx, self.now, entry, &mut self.rng).unwrap();
                client.keep(effects);
            }
            (None, Some(reference)) => {
                let (_, rows) = client.packages.remove(&reference).unwrap();
                let room = self.room.clone();
                let joined = Conversation::join(cx, room, rows, entry, &mut self.rng).unwrap();
                client.conversation = Some(joined.conversation);
                client.keep(joined.effects);
            }
            // Of a room it never joined.
            (None, None) => {}
        }
    }

    /// Everybody who is not away does what there is to do, without time passing.
    pub fn work(&mut self) {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        for _ in 0..5_000 {
            let mut busy = false;
            for name in &names {
                if self.clients[name].away {
                    continue;
                }
                busy |= self.step(name);
                busy |= self.deliver(name);
            }
            if !busy {
                return;
            }
        }
        panic!("the town does not settle");
    }

    /// As [`Town::work`], with as much time passing as there is something to wait for, but no more than `limit`.
    pub fn settle_within(&mut self, limit: u64) {
        let end = self.now + limit;
        for _ in 0..5_000 {
            self.work();
            let next = self
                .clients
                .values()
                .filter(|client| !client.away)
                .filter_map(|client| match (&client.rejoin, &client.conversation) {
                    (Some(rejoin), _) => Some(rejoin.next_timeout()),
                    (None, Some(conversation)) => conversation.next_timeout(),
                    (None, None) => None,
                });
            match next.min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => return,
            }
        }
        panic!("the town waits without end");
    }

    /// A minute is enough for everything that goes well.
    pub fn settle(&mut self) {
        self.settle_within(60_000);
    }

    /// Every engine comes back from its rows.
    pub fn restart(&mut self) {
        let room = self.room.clone();
        for client in self.clients.values_mut() {
            if client.rejoin.is_some() {
                client.rejoin = Rejoin::load(room.clone(), &client.rows).unwrap();
            } else if client.conversation.is_some() {
                let loaded = Conversation::load(room.clone(), &client.rows, &mut self.rng);
                client.conversation = Some(loaded.unwrap());
            }
        }
        if self.hub.is_some() {
            self.hub = Some(Hub::load(room, &self.hub_rows, &mut self.rng).unwrap());
        }
    }

    /// Names of the clients that are in the room.
    pub fn members(&self) -> BTreeSet<String> {
        self.clients
            .iter()
            .filter(|(_, client)| client.conversation.as_ref().is_some_and(Conversation::is_member))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// All members and the hub have seen the same commits, and nobody is stuck.
    pub fn agree(&self, members: &[&str]) {
        let expected: BTreeSet<String> = members.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(self.members(), expected, "who is in the room");
        let hub = self.hub();
        for name in members {
            let conversation = self.clients[*name].hers();
            assert_eq!(
                (conversation.epoch(), conversation.transcript_hash()),
                (hub.epoch(), hub.transcript_hash()),
                "{name}"
            );
            assert_eq!(conversation.state(), hub.state(), "{name}");
            assert_eq!(conversation.sending_stopped(), None, "{name}");
            assert!(conversation.is_ready(), "{name} is not ready");
        }
        let uris: BTreeSet<&ClientUri> = hub.clients().collect();
        let here: BTreeSet<&ClientUri> = members.iter().map(|name| &self.clients[*name].uri).collect();
        assert_eq!(uris, here, "whom the hub has in the room");
    }

    pub fn role_of(&self, name: &str) -> Option<u32> {
        let entry = self.hub().state().participant(&self.clients[name].me)?;
        Some(entry.role_index)
    }

    /// A commit that only renews a client's leaf, made with the MLS layer and taken by hub and client. Says the epoch.
    pub fn commit_of(&mut self, who: &str) -> u64 {
        let client = &self.clients[who];
        let id = sabir_core::hub::group_uri(&self.room).unwrap();
        let rows = sabir_core::mls_rows(&client.rows);
        let mut group = sabir_mls::group::Group::load(rows, id.as_str().as_bytes(), &mut self.rng).unwrap();
        let plan = sabir_mls::group::CommitPlan {
            refresh: true,
            ..sabir_mls::group::CommitPlan::default()
        };
        let device = client.device.clone();
        let commit = group
            .commit(&device, plan, &sabir_core::room::RoomRules, &mut self.rng)
            .unwrap();
        let info = sabir_wire::mls::GroupInfo::from_bytes(&commit.next.group_info).unwrap();
        let tree = sabir_wire::mls::RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
        let bundle = sabir_wire::protocol::HandshakeBundle::Commit {
            message: Box::new(sabir_wire::mls::MlsMessage::from_bytes(&commit.commit).unwrap()),
            welcome: None,
            group_info: Box::new(sabir_wire::protocol::GroupInfoOption::Full(info)),
            ratchet_tree: sabir_wire::protocol::RatchetTreeOption::Full(tree),
        };
        let request = Request {
            kind: RequestKind::Update,
            body: UpdateRequest { bundle }.to_bytes(),
        };
        self.request(who, &request);
        // The client goes on from rows in which the commit is pending, as if it had made it itself.
        let changes = sabir_core::scoped(group.take_changes());
        let room = self.room.clone();
        let client = self.clients.get_mut(who).unwrap();
        changes.apply_to(&mut client.rows);
        client.conversation = Some(Conversation::load(room, &client.rows, &mut self.rng).unwrap());
        while self.deliver(who) {}
        self.hub().epoch()
    }

    /// As [`Town::gather`], where only some can be added yet.
    pub fn gather_some(&mut self, people: &[&str], present: &[&str]) {
        let names: Vec<&str> = people.iter().map(|it| it.split_once('@').unwrap().0).collect();
        self.create_group(names[0], "friends");
        for name in &names[1..] {
            self.add(names[0], name, sabir_core::room::MEMBER);
        }
        self.settle();
        self.agree(present);
    }

    /// A room with these people as members, made by the first.
    pub fn group(seed: u64, people: &[&str]) -> Self {
        let mut town = Self::new(seed, people);
        town.gather(people);
        town
    }

    pub fn gather(&mut self, people: &[&str]) {
        let names: Vec<&str> = people.iter().map(|it| it.split_once('@').unwrap().0).collect();
        self.create_group(names[0], "friends");
        for name in &names[1..] {
            self.add(names[0], name, sabir_core::room::MEMBER);
        }
        self.settle();
        let theirs = self.clients.iter();
        let theirs = theirs.filter(|(_, client)| names.contains(&client.person.as_str()));
        let theirs: Vec<&str> = theirs.map(|(called, _)| called.as_str()).collect();
        self.agree(&theirs);
    }
}
