//! A client's engine in a room: it makes the room, prepares messages and reads them.

use std::sync::Arc;

use bytes::Bytes;
use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationEvent, FrankState, Intent, NewDirect, NewGroupRoom,
};
use sabir_core::room::MEMBER;
use sabir_mls::Device;
use sabir_mls::identity::TrustAnchors;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::{MimiContent, Origin};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{FanoutBody, FanoutMessage, SubmitMessageRequest, SubmitMessageResponse};
use sabir_wire::uri::{RoomUri, UserUri};

use super::BODY;
use super::client::{LoadClient, now, wrong};
use crate::TownError;

/// A member's engine. Its state is in memory alone.
pub(super) struct Member {
    device: Device,
    me: UserUri,
    anchors: Arc<TrustAnchors>,
    conversation: Conversation,
}

/// The engine beside what it needs to know.
fn parts(member: &mut Member) -> (&mut Conversation, ConversationContext<'_>) {
    let cx = ConversationContext {
        device: &member.device,
        me: &member.me,
        anchors: &member.anchors,
    };
    (&mut member.conversation, cx)
}

impl Member {
    /// Opens a direct room, into which the other person's device is added.
    pub(super) async fn open_direct(
        client: &mut LoadClient,
        peer: &UserUri,
        room: &RoomUri,
        anchors: &Arc<TrustAnchors>,
    ) -> Result<Self, TownError> {
        let new = NewDirect {
            room: room.clone(),
            peer: peer.clone(),
            hub: client.hub().await?,
        };
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let cx = ConversationContext {
            device: &client.device,
            me: &client.me,
            anchors,
        };
        let (conversation, _) = Conversation::create_direct(cx, new, now(), &mut rng).map_err(wrong)?;
        let mut member = Self::new(client, anchors, conversation);
        while !member.conversation.is_ready() {
            member.step(client).await?;
        }
        Ok(member)
    }

    /// Opens a group room with these others in it.
    pub(super) async fn open_group(
        client: &mut LoadClient,
        others: &[UserUri],
        room: &RoomUri,
        anchors: &Arc<TrustAnchors>,
    ) -> Result<Self, TownError> {
        let new = NewGroupRoom {
            room: room.clone(),
            name: "load".to_owned(),
            template: sabir_core::room::Template::default(),
            hub: client.hub().await?,
        };
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let cx = ConversationContext {
            device: &client.device,
            me: &client.me,
            anchors,
        };
        let (conversation, _) = Conversation::create_group(cx, new, now(), &mut rng).map_err(wrong)?;
        let mut member = Self::new(client, anchors, conversation);
        for user in others {
            let (conversation, cx) = parts(&mut member);
            let intent = Intent::Add {
                user: user.clone(),
                role: MEMBER,
            };
            conversation.intend(cx, [0; 16], intent).map_err(wrong)?;
        }
        while member.conversation.devices().len() <= others.len() {
            member.step(client).await?;
        }
        Ok(member)
    }

    /// Comes into the room by the Welcome in the client's stream, and follows it into that epoch.
    pub(super) async fn join(
        client: &mut LoadClient,
        epoch: u64,
        anchors: &Arc<TrustAnchors>,
    ) -> Result<Self, TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let (room, welcome, reference) = loop {
            let (room, entry) = client.next().await?;
            if let Some(reference) = Conversation::welcome_references(&entry).pop() {
                break (room, entry, reference);
            }
        };
        let rows = client.key_package(&reference)?;
        let cx = ConversationContext {
            device: &client.device,
            me: &client.me,
            anchors,
        };
        let joined = Conversation::join(cx, room, rows, &welcome, &mut rng).map_err(wrong)?;
        let mut member = Self::new(client, anchors, joined.conversation);
        while member.epoch() < epoch {
            member.follow(client).await?;
        }
        Ok(member)
    }

    fn new(client: &LoadClient, anchors: &Arc<TrustAnchors>, conversation: Conversation) -> Self {
        Self {
            device: client.device.clone(),
            me: client.me.clone(),
            anchors: Arc::clone(anchors),
            conversation,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.conversation.epoch()
    }

    /// Sends what is to be sent, or waits for what the log brings.
    async fn step(&mut self, client: &mut LoadClient) -> Result<(), TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let (conversation, cx) = parts(self);
        conversation.prepare(cx, now(), &mut rng).map_err(wrong)?;
        let Some(request) = conversation.outstanding(now()) else {
            return self.follow(client).await;
        };
        let response = client.sender().send(conversation.room(), &request).await?;
        conversation
            .answered(cx, now(), &request, &response, &mut rng)
            .map(drop)
            .map_err(wrong)
    }

    async fn follow(&mut self, client: &mut LoadClient) -> Result<(), TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let (_, entry) = client.next().await?;
        let (conversation, cx) = parts(self);
        conversation
            .incoming(cx, now(), &entry, &mut rng)
            .map(drop)
            .map_err(wrong)
    }

    /// Encrypts messages; gives the requests that submit them. To the engine each is accepted and echoed at once, so
    /// that it goes on to the next.
    pub(super) fn load(&mut self, messages: usize) -> Result<Vec<(Bytes, MlsMessage)>, TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let text = "x".repeat(BODY);
        let accepted = SubmitMessageResponse::Accepted {
            accepted_timestamp: now(),
            frank: None,
        }
        .to_bytes();
        let mut loaded = Vec::with_capacity(messages);
        let (conversation, cx) = parts(self);
        for _ in 0..messages {
            let compose = |origin: Origin<'_>| MimiContent::plain(origin, &text);
            conversation.send(cx, [0; 16], compose, &mut rng).map_err(wrong)?;
            conversation.prepare(cx, now(), &mut rng).map_err(wrong)?;
            let request = conversation
                .outstanding(now())
                .ok_or_else(|| TownError::Wrong("nothing to send".to_owned()))?;
            conversation
                .answered(cx, now(), &request, &accepted, &mut rng)
                .map_err(wrong)?;
            let message = SubmitMessageRequest::from_bytes(&request.body)
                .map_err(wrong)?
                .app_message;
            let echo = FanoutMessage {
                timestamp: now(),
                body: FanoutBody::Application {
                    message: Box::new(message.clone()),
                    frank: None,
                },
            };
            conversation
                .incoming(cx, now(), &echo.to_bytes(), &mut rng)
                .map_err(wrong)?;
            loaded.push((Bytes::from(request.body), message));
        }
        Ok(loaded)
    }

    /// Reads a message of the log: it must decrypt, be of who says so, and carry a good frank.
    pub(super) fn read(&mut self, entry: &[u8]) -> Result<(), TownError> {
        let mut rng = sabir_client::random::stream().map_err(wrong)?;
        let (conversation, cx) = parts(self);
        let effects = conversation.incoming(cx, now(), entry, &mut rng).map_err(wrong)?;
        match effects.events.as_slice() {
            [ConversationEvent::Message(message)]
                if message.verified && message.frank_state == FrankState::Verified =>
            {
                Ok(())
            }
            other => Err(TownError::Wrong(format!("a message does not verify: {other:?}"))),
        }
    }
}
