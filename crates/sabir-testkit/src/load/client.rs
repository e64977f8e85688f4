//! A client of the load: the real engine and transport, its state in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sabir_client::account::{self, AccountRecord, NewAccount};
use sabir_client::invite::Invite;
use sabir_client::store::Store;
use sabir_client::transport::{Call, EventStream, Timing, Transport, read_anchors};
use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationEvent, NewDirect, RequestKind,
};
use sabir_mls::Device;
use sabir_mls::identity::TrustAnchors;
use sabir_mls::rows::Rows;
use sabir_wire::client_api::{AckRequest, EventBody, HubIdentity, path};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::MimiContent;
use sabir_wire::protocol::{FrankingAgentData, KeyMaterialRequest};
use sabir_wire::uri::{RoomUri, UserUri};

use crate::{Town, TownError};

const MAX_ANSWER: usize = 16 << 20;
/// Bytes of a message, as in the figures of other servers.
const BODY: usize = 300;
/// Events are acknowledged in strides, as a client with a slow disk would.
const ACK_EVERY: u64 = 64;

fn wrong(error: impl std::fmt::Display) -> TownError {
    TownError::Wrong(error.to_string())
}

fn now() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// What making an account left on disk: the private halves of its key packages.
pub(super) struct Disk {
    store: Store,
    /// Removed when this is dropped.
    _folder: tempfile::TempDir,
}

impl Disk {
    fn key_package(&mut self, reference: &[u8]) -> Result<Rows, TownError> {
        let package = self.store.read(|tx| tx.key_package(reference)).map_err(wrong)?;
        Ok(package.map(|package| package.rows).unwrap_or_default())
    }
}

/// One signed-in device.
pub(super) struct LoadClient {
    device: Device,
    me: UserUri,
    transport: Transport,
    events: Option<EventStream>,
}

impl LoadClient {
    /// Makes an account, with its key packages.
    pub(super) async fn create(town: &Town, domain: &str, name: &str) -> Result<(Self, Disk), TownError> {
        let invite = Invite::parse(&town.provider(domain)?.invite()?).map_err(wrong)?;
        let pem = std::fs::read(town.trust_anchor()).map_err(TownError::io("reading the CA"))?;
        let folder =
            tempfile::TempDir::with_prefix("sabir-load-").map_err(TownError::io("making a folder"))?;
        let mut store = Store::create(&folder.path().join("profile"), None).map_err(wrong)?;
        let new = NewAccount {
            invite,
            name: name.to_owned(),
            device_name: "load".to_owned(),
            anchors: read_anchors(&pem).map_err(wrong)?,
        };
        account::create(&mut store, &new, Timing::default())
            .await
            .map_err(wrong)?;
        let record = AccountRecord::load(&mut store).map_err(wrong)?;
        let device = record.device().map_err(wrong)?;
        let key = record.device_key().map_err(wrong)?;
        let transport = Transport::new(&record.reach, Some(key), Timing::default()).map_err(wrong)?;
        let client = Self {
            device,
            me: record.user().map_err(wrong)?,
            transport,
            events: None,
        };
        Ok((
            client,
            Disk {
                store,
                _folder: folder,
            },
        ))
    }

    async fn post(&self, path: String, body: Vec<u8>) -> Result<Vec<u8>, TownError> {
        let call = Call::post(path, body, MAX_ANSWER);
        self.transport
            .call(&call)
            .await
            .map(|answer| answer.to_vec())
            .map_err(wrong)
    }

    /// The next entry of the event stream.
    async fn next(&mut self) -> Result<(u64, RoomUri, Vec<u8>), TownError> {
        loop {
            if self.events.is_none() {
                self.events = Some(self.transport.events(0).await.map_err(wrong)?);
            }
            let Some(stream) = self.events.as_mut() else {
                continue;
            };
            let event = stream.next().await.map_err(wrong)?;
            if let EventBody::Fanout { room, fanout_message } = event.body {
                return Ok((event.cursor, room, fanout_message));
            }
        }
    }

    async fn ack(&self, cursor: u64) -> Result<(), TownError> {
        self.post(path::ACK.to_owned(), AckRequest { cursor }.to_bytes())
            .await
            .map(drop)
    }
}

/// The identity CAs of the clients' providers.
pub(super) async fn anchors(clients: &[&LoadClient]) -> Result<TrustAnchors, TownError> {
    let mut anchors = TrustAnchors::new();
    for client in clients {
        for ca in client.transport.own_identities().await.map_err(wrong)?.0 {
            let domain = ca.domain().clone();
            anchors.pin(&domain, ca).map_err(wrong)?;
        }
    }
    Ok(anchors)
}

/// A sender and a receiver with a room of their own.
pub(super) struct Pair {
    sender: LoadClient,
    receiver: LoadClient,
    sending: Conversation,
    receiving: Conversation,
    anchors: Arc<TrustAnchors>,
    room: RoomUri,
}

impl Pair {
    /// Opens the direct room and brings both clients into it.
    pub(super) async fn open(
        mut sender: LoadClient,
        mut receiver: LoadClient,
        disk: &mut Disk,
        anchors: Arc<TrustAnchors>,
    ) -> Result<Self, TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let hub = sender
            .transport
            .call(&Call::get(path::HUB, MAX_ANSWER))
            .await
            .map_err(wrong)?;
        let hub = HubIdentity::from_bytes(&hub).map_err(wrong)?;
        let name = format!("load-{}", sender.me.name());
        let room = RoomUri::new(sender.me.authority(), &name).map_err(wrong)?;
        let hub = FrankingAgentData {
            franking_signature_key: hub.key,
            credential: hub.credential,
        };
        let new = NewDirect {
            room: room.clone(),
            peer: receiver.me.clone(),
            hub,
        };
        let cx = ConversationContext {
            device: &sender.device,
            me: &sender.me,
            anchors: &anchors,
        };
        let (mut sending, _) = Conversation::create_direct(cx, new, now(), &mut rng).map_err(wrong)?;
        while let Some(request) = sending.outstanding(now()) {
            let response = send(&sender, &room, request.kind, request.body.clone()).await?;
            let cx = ConversationContext {
                device: &sender.device,
                me: &sender.me,
                anchors: &anchors,
            };
            sending
                .answered(cx, now(), &request, &response, &mut rng)
                .map_err(wrong)?;
        }
        while !sending.is_ready() {
            let (_, _, entry) = sender.next().await?;
            let cx = ConversationContext {
                device: &sender.device,
                me: &sender.me,
                anchors: &anchors,
            };
            sending.incoming(cx, now(), &entry, &mut rng).map_err(wrong)?;
        }
        let (_, _, entry) = receiver.next().await?;
        let reference = Conversation::welcome_references(&entry)
            .into_iter()
            .next()
            .unwrap_or_default();
        let rows = disk.key_package(&reference)?;
        let cx = ConversationContext {
            device: &receiver.device,
            me: &receiver.me,
            anchors: &anchors,
        };
        let joined = Conversation::join(cx, room.clone(), rows, &entry, &mut rng).map_err(wrong)?;
        Ok(Self {
            sender,
            receiver,
            sending,
            receiving: joined.conversation,
            anchors,
            room,
        })
    }

    /// Sends one message and waits until the other side has read it.
    pub(super) async fn ping(&mut self) -> Result<Duration, TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let request = self.prepare(&mut rng)?;
        let started = Instant::now();
        let response = send(&self.sender, &self.room, request.kind, request.body.clone());
        let (response, arrived) = tokio::join!(response, self.receiver.next());
        let (_, _, entry) = arrived?;
        let cx = ConversationContext {
            device: &self.receiver.device,
            me: &self.receiver.me,
            anchors: &self.anchors,
        };
        let effects = self
            .receiving
            .incoming(cx, now(), &entry, &mut rng)
            .map_err(wrong)?;
        let took = started.elapsed();
        if !effects
            .events
            .iter()
            .any(|event| matches!(event, ConversationEvent::Message(_)))
        {
            return Err(TownError::Wrong("the message could not be read".to_owned()));
        }
        let cx = ConversationContext {
            device: &self.sender.device,
            me: &self.sender.me,
            anchors: &self.anchors,
        };
        self.sending
            .answered(cx, now(), &request, &response?, &mut rng)
            .map_err(wrong)?;
        let (_, _, echo) = self.sender.next().await?;
        let cx = ConversationContext {
            device: &self.sender.device,
            me: &self.sender.me,
            anchors: &self.anchors,
        };
        self.sending.incoming(cx, now(), &echo, &mut rng).map_err(wrong)?;
        Ok(took)
    }

    /// Sends as fast as answers come, and counts what the other side reads.
    pub(super) async fn flood(mut self, messages: usize) -> Result<usize, TownError> {
        let anchors = self.anchors.clone();
        let (device, me) = (self.receiver.device.clone(), self.receiver.me.clone());
        let mut receiving = self.receiving;
        let mut receiver = self.receiver;
        let reader = tokio::spawn(async move {
            let mut rng = sabir_client::random::stream().map_err(wrong)?;
            let mut read = 0_usize;
            while read < messages {
                let (cursor, _, entry) = receiver.next().await?;
                let cx = ConversationContext {
                    device: &device,
                    me: &me,
                    anchors: &anchors,
                };
                let effects = receiving.incoming(cx, now(), &entry, &mut rng).map_err(wrong)?;
                let new = effects
                    .events
                    .iter()
                    .filter(|event| matches!(event, ConversationEvent::Message(_)));
                read = read.saturating_add(new.count());
                if cursor.is_multiple_of(ACK_EVERY) {
                    receiver.ack(cursor).await?;
                }
            }
            Ok::<usize, TownError>(read)
        });
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        for _ in 0..messages {
            let request = prepare(&mut self.sending, &self.sender, &self.anchors, &mut rng)?;
            let response = send(&self.sender, &self.room, request.kind, request.body.clone()).await?;
            let cx = ConversationContext {
                device: &self.sender.device,
                me: &self.sender.me,
                anchors: &self.anchors,
            };
            self.sending
                .answered(cx, now(), &request, &response, &mut rng)
                .map_err(wrong)?;
        }
        reader.await.map_err(wrong)?
    }

    fn prepare(
        &mut self,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<sabir_core::conversation::Request, TownError> {
        prepare(&mut self.sending, &self.sender, &self.anchors, rng)
    }
}

fn prepare(
    sending: &mut Conversation,
    sender: &LoadClient,
    anchors: &TrustAnchors,
    rng: &mut impl rand_core::CryptoRng,
) -> Result<sabir_core::conversation::Request, TownError> {
    let cx = ConversationContext {
        device: &sender.device,
        me: &sender.me,
        anchors,
    };
    let text = "x".repeat(BODY);
    let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, &text);
    sending.send(cx, [0; 16], compose, rng).map_err(wrong)?;
    sending.prepare(cx, now(), rng).map_err(wrong)?;
    sending
        .outstanding(now())
        .ok_or_else(|| TownError::Wrong("nothing to send".to_owned()))
}

async fn send(
    client: &LoadClient,
    room: &RoomUri,
    kind: RequestKind,
    body: Vec<u8>,
) -> Result<Vec<u8>, TownError> {
    let segment = room.to_path_segment();
    let path = match kind {
        RequestKind::CreateRoom => path::ROOMS.to_owned(),
        RequestKind::KeyMaterial => {
            let target = KeyMaterialRequest::from_bytes(&body).map_err(wrong)?.target_user;
            format!("{}{}", path::KEY_MATERIAL, target.to_path_segment())
        }
        RequestKind::Update => format!("{}{segment}", path::UPDATE),
        RequestKind::Submit => format!("{}{segment}", path::SUBMIT_MESSAGE),
        RequestKind::GroupInfo => format!("{}{segment}", path::GROUP_INFO),
    };
    client.post(path, body).await
}
