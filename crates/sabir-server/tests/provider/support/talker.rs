use std::collections::BTreeMap;

use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationEvent, Effects, Intent, MessageEvent, NewDirect,
    NewGroupRoom, Request, RequestKind,
};
use sabir_core::hub::group_uri;
use sabir_core::room::RoomRules;
use sabir_mls::group::{CommitPlan, Group, OwnCommit};
use sabir_mls::identity::{CaCertificate, TrustAnchors};
use sabir_mls::rows::Rows;
use sabir_wire::client_api::{AckRequest, EventBody, HubIdentity, path};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{FrankingAgentData, KeyMaterialRequest, SubmitMessageRequest};
use sabir_wire::uri::{RoomUri, UserUri};

use super::connection::Answer;
use super::person::Online;
use super::town::Running;
use super::{PATIENCE, now, rng};

/// A device with a conversation engine, and what its shell would keep.
pub(crate) struct Talker {
    pub(crate) online: Online,
    pub(crate) anchors: TrustAnchors,
    pub(crate) conversation: Option<Conversation>,
    rows: Rows,
    packages: BTreeMap<Vec<u8>, Rows>,
    pub(crate) events: Vec<ConversationEvent>,
    pub(crate) cursor: u64,
    /// Every row this device ever held.
    pub(crate) held: Vec<Vec<u8>>,
    sent: u128,
}

/// As good a message as this one, for all that a hub can tell.
pub(crate) fn another(message: &SubmitMessageRequest) -> SubmitMessageRequest {
    let mut another = message.clone();
    let MlsMessage::Private(private) = &mut another.app_message else {
        panic!("an application message")
    };
    private.ciphertext[0] ^= 1;
    another
}

impl Talker {
    /// A device that knows the identities of these providers, with key packages published.
    pub(crate) async fn new(online: Online, providers: &[&Running]) -> Self {
        let mut anchors = TrustAnchors::new();
        for provider in providers {
            let ca = CaCertificate::parse(provider.shared.secrets.ca.certificate()).unwrap();
            anchors.pin(&provider.shared.domain, ca).unwrap();
        }
        let mut talker = Self::silent(online, anchors);
        for made in talker.online.publish_some(3).await {
            let mut rows = Rows::new();
            made.private.apply_to(&mut rows);
            talker.held.extend(rows.values().cloned());
            talker.packages.insert(made.reference.clone(), rows);
        }
        talker
    }

    fn silent(online: Online, anchors: TrustAnchors) -> Self {
        Self {
            online,
            anchors,
            conversation: None,
            rows: Rows::new(),
            packages: BTreeMap::new(),
            events: Vec::new(),
            cursor: 0,
            held: Vec::new(),
            sent: 0,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Conversation, ConversationContext<'_>) -> (T, Effects)) -> T {
        let cx = ConversationContext {
            device: &self.online.mls,
            me: &self.online.user,
            anchors: &self.anchors,
        };
        let (value, effects) = act(self.conversation.as_mut().unwrap(), cx);
        self.keep(effects);
        value
    }

    fn keep(&mut self, effects: Effects) {
        self.held.extend(effects.changes.puts.values().cloned());
        effects.changes.apply_to(&mut self.rows);
        self.events.extend(effects.events);
    }

    /// Begins a direct room with somebody.
    pub(crate) async fn open(&mut self, peer: &UserUri, room: &RoomUri) {
        let hub: HubIdentity = self.online.get(path::HUB).await.read();
        let new = NewDirect {
            room: room.clone(),
            peer: peer.clone(),
            hub: FrankingAgentData {
                franking_signature_key: hub.key,
                credential: hub.credential,
            },
        };
        let cx = ConversationContext {
            device: &self.online.mls,
            me: &self.online.user,
            anchors: &self.anchors,
        };
        let (conversation, effects) = Conversation::create_direct(cx, new, now(), &mut rng()).unwrap();
        self.conversation = Some(conversation);
        self.keep(effects);
    }

    /// Begins a group alone.
    pub(crate) async fn open_group(&mut self, room: &RoomUri, name: &str) {
        let hub: HubIdentity = self.online.get(path::HUB).await.read();
        let new = NewGroupRoom {
            room: room.clone(),
            name: name.to_owned(),
            template: sabir_core::room::Template::default(),
            hub: FrankingAgentData {
                franking_signature_key: hub.key,
                credential: hub.credential,
            },
        };
        let cx = ConversationContext {
            device: &self.online.mls,
            me: &self.online.user,
            anchors: &self.anchors,
        };
        let (conversation, effects) = Conversation::create_group(cx, new, now(), &mut rng()).unwrap();
        self.conversation = Some(conversation);
        self.keep(effects);
    }

    /// Writes down what is wanted of the room.
    pub(crate) fn intend(&mut self, intent: Intent) {
        self.sent += 1;
        let id = self.sent.to_be_bytes();
        self.with(|conversation, cx| ((), conversation.intend(cx, id, intent).unwrap()));
    }

    /// How many wishes came true.
    pub(crate) fn done(&self) -> usize {
        let done = |event: &&ConversationEvent| matches!(event, ConversationEvent::IntentDone { .. });
        self.events.iter().filter(done).count()
    }

    /// A commit that this device's own client would not make, perhaps. The client does not hear of it.
    pub(crate) fn cheats(&self, plan: CommitPlan) -> OwnCommit {
        let room = self.conversation.as_ref().unwrap().room();
        let id = group_uri(room).unwrap();
        let rows = sabir_core::mls_rows(&self.rows);
        let mut group = Group::load(rows, id.as_str().as_bytes(), &mut rng()).unwrap();
        group
            .commit(&self.online.mls, plan, &RoomRules, &mut rng())
            .unwrap()
    }

    /// Has a wish come true.
    pub(crate) async fn wish(&mut self, intent: Intent) {
        let before = self.done();
        self.intend(intent);
        self.flush().await;
        self.listen_until(|talker| talker.done() > before).await;
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.sent += 1;
        let id = self.sent.to_be_bytes();
        self.with(|conversation, cx| {
            let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, line);
            ((), conversation.send(cx, id, compose, &mut rng()).unwrap())
        });
    }

    /// The request that is to be sent next, if there is one.
    pub(crate) fn next_request(&mut self) -> Option<Request> {
        self.conversation.as_ref()?;
        self.with(|conversation, cx| ((), conversation.prepare(cx, now(), &mut rng()).unwrap()));
        self.conversation.as_ref().unwrap().outstanding(now())
    }

    /// Where a request goes.
    pub(crate) fn path(&self, request: &Request) -> String {
        let room = self.conversation.as_ref().unwrap().room().to_path_segment();
        match request.kind {
            RequestKind::CreateRoom => path::ROOMS.to_owned(),
            RequestKind::Update => format!("{}{room}", path::UPDATE),
            RequestKind::Submit => format!("{}{room}", path::SUBMIT_MESSAGE),
            RequestKind::GroupInfo => format!("{}{room}", path::GROUP_INFO),
            RequestKind::KeyMaterial => {
                let target = KeyMaterialRequest::from_bytes(&request.body).unwrap().target_user;
                format!("{}{}", path::KEY_MATERIAL, target.to_path_segment())
            }
        }
    }

    pub(crate) fn take_answer(&mut self, request: &Request, answer: &Answer) {
        assert_eq!(answer.status, 200, "{:?} {answer:?}", request.kind);
        self.with(|conversation, cx| {
            let answered = conversation.answered(cx, now(), request, &answer.body, &mut rng());
            ((), answered.unwrap())
        });
    }

    /// Sends everything there is to send and takes the answers.
    pub(crate) async fn flush(&mut self) {
        loop {
            while let Some(request) = self.next_request() {
                let path = self.path(&request);
                let answer = self.online.post(&path, &request.body).await;
                self.take_answer(&request, &answer);
            }
            if self
                .conversation
                .as_ref()
                .is_none_or(|c| c.queued() == 0 || !c.is_ready())
            {
                return;
            }
        }
    }

    /// Applies events until `enough`.
    pub(crate) async fn listen_until(&mut self, enough: impl Fn(&Self) -> bool) {
        let listening = async {
            let mut stream = self.online.events(self.cursor).await;
            while !enough(self) {
                let event = stream.next().await.expect("the stream goes on");
                if let EventBody::Fanout { room, fanout_message } = event.body {
                    assert!(event.cursor > self.cursor, "cursors ascend");
                    self.apply(room, &fanout_message);
                }
                self.cursor = event.cursor;
                if self.conversation.is_some() {
                    self.flush().await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, listening)
            .await
            .expect("hears it in time");
        let ack = AckRequest { cursor: self.cursor };
        let answer = self.online.post(path::ACK, &ack.to_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    fn apply(&mut self, room: RoomUri, entry: &[u8]) {
        if self.conversation.is_some() {
            self.with(|conversation, cx| {
                let incoming = conversation.incoming(cx, now(), entry, &mut rng());
                ((), incoming.unwrap())
            });
            return;
        }
        let rows = Conversation::welcome_references(entry)
            .iter()
            .find_map(|reference| self.packages.remove(reference))
            .expect("a welcome for one of our key packages comes first");
        let cx = ConversationContext {
            device: &self.online.mls,
            me: &self.online.user,
            anchors: &self.anchors,
        };
        let joined = Conversation::join(cx, room, rows, entry, &mut rng()).unwrap();
        self.conversation = Some(joined.conversation);
        self.keep(joined.effects);
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &MessageEvent> {
        self.events.iter().filter_map(|event| match event {
            ConversationEvent::Message(message) => Some(message.as_ref()),
            _ => None,
        })
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages()
            .map(|message| {
                let content = MimiContent::from_bytes(&message.content).unwrap();
                content.text(&[]).unwrap().to_owned()
            })
            .collect()
    }

    pub(crate) async fn hear(&mut self, texts: &[&str]) {
        self.listen_until(|talker| talker.texts().len() >= texts.len())
            .await;
        assert_eq!(self.texts(), texts);
    }
}
