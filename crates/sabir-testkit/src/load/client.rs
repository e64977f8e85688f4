//! A device of the load: a real account and transport.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sabir_client::account::{self, AccountRecord, NewAccount};
use sabir_client::invite::Invite;
use sabir_client::store::Store;
use sabir_client::transport::{Call, EventStream, Timing, Transport, read_anchors, route};
use sabir_core::conversation::Request;
use sabir_mls::Device;
use sabir_mls::identity::TrustAnchors;
use sabir_mls::rows::Rows;
use sabir_wire::client_api::{AckRequest, EventBody, HubIdentity, path};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::protocol::{FrankingAgentData, SubmitMessageResponse};
use sabir_wire::uri::{RoomUri, UserUri};

use crate::{Town, TownError};

/// Bytes of an answer about a message, an acknowledgement or the hub.
const MAX_ANSWER: usize = 256 << 10;

pub(super) fn wrong(error: impl std::fmt::Display) -> TownError {
    TownError::Wrong(error.to_string())
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// One signed-in device.
pub(super) struct LoadClient {
    pub(super) device: Device,
    pub(super) me: UserUri,
    transport: Transport,
    events: Option<EventStream>,
    /// The last one that the stream gave.
    pub(super) cursor: u64,
    disk: Store,
    /// Removed when this is dropped.
    _folder: tempfile::TempDir,
}

impl LoadClient {
    /// Makes an account, with its key packages.
    pub(super) async fn create(town: &Town, domain: &str, name: &str) -> Result<Self, TownError> {
        let invite = Invite::parse(&town.provider(domain)?.invite()?).map_err(wrong)?;
        let pem = std::fs::read(town.trust_anchor()).map_err(TownError::io("reading the CA"))?;
        let folder =
            tempfile::TempDir::with_prefix("sabir-load-").map_err(TownError::io("making a folder"))?;
        let mut disk = Store::create(&folder.path().join("profile"), None).map_err(wrong)?;
        let new = NewAccount {
            invite,
            name: name.to_owned(),
            device_name: "load".to_owned(),
            anchors: read_anchors(&pem).map_err(wrong)?,
        };
        Box::pin(account::create(&mut disk, &new, Timing::default()))
            .await
            .map_err(wrong)?;
        let record = AccountRecord::load(&mut disk).map_err(wrong)?;
        let key = record.device_key().map_err(wrong)?;
        Ok(Self {
            device: record.device().map_err(wrong)?,
            me: record.user().map_err(wrong)?,
            transport: Transport::new(&record.reach, Some(key), Timing::default()).map_err(wrong)?,
            events: None,
            cursor: 0,
            disk,
            _folder: folder,
        })
    }

    /// Who sends for it.
    pub(super) fn sender(&self) -> Sender {
        Sender(self.transport.clone())
    }

    /// The next event of a room.
    pub(super) async fn next(&mut self) -> Result<(RoomUri, Vec<u8>), TownError> {
        loop {
            if self.events.is_none() {
                self.events = Some(self.transport.events(self.cursor).await.map_err(wrong)?);
            }
            let Some(stream) = self.events.as_mut() else {
                continue;
            };
            let event = stream.next().await.map_err(wrong)?;
            if let EventBody::Fanout { room, fanout_message } = event.body {
                if event.cursor != self.cursor.saturating_add(1) {
                    let gap = format!("cursor {} after {}", event.cursor, self.cursor);
                    return Err(TownError::Wrong(gap));
                }
                self.cursor = event.cursor;
                return Ok((room, fanout_message));
            }
        }
    }

    /// The private half of a key package.
    pub(super) fn key_package(&mut self, reference: &[u8]) -> Result<Rows, TownError> {
        let package = self.disk.read(|tx| tx.key_package(reference)).map_err(wrong)?;
        Ok(package.map(|package| package.rows).unwrap_or_default())
    }

    /// The own provider as hub.
    pub(super) async fn hub(&self) -> Result<FrankingAgentData, TownError> {
        let answer = self.transport.call(&Call::get(path::HUB, MAX_ANSWER)).await;
        let hub = HubIdentity::from_bytes(&answer.map_err(wrong)?).map_err(wrong)?;
        Ok(FrankingAgentData {
            franking_signature_key: hub.key,
            credential: hub.credential,
        })
    }

    /// Puts the identity CA of its provider among `anchors`.
    pub(super) async fn pin(&self, anchors: &mut TrustAnchors) -> Result<(), TownError> {
        for ca in self.transport.own_identities().await.map_err(wrong)?.0 {
            let domain = ca.domain().clone();
            anchors.pin(&domain, ca).map_err(wrong)?;
        }
        Ok(())
    }
}

/// Sends for a device. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sender(Transport);

impl Sender {
    /// What an engine wants to send.
    pub(super) async fn send(&self, room: &RoomUri, request: &Request) -> Result<Vec<u8>, TownError> {
        let (path, max_answer) = route(room, request).map_err(wrong)?;
        let call = Call::post(path, request.body.clone(), max_answer);
        let answer = self.0.call(&call).await.map_err(wrong)?;
        Ok(answer.to_vec())
    }

    /// A message, which must be accepted.
    pub(super) async fn submit(&self, path: &str, request: Bytes) -> Result<(), TownError> {
        let answer = self.post(path.to_owned(), request).await?;
        match SubmitMessageResponse::from_bytes(&answer).map_err(wrong)? {
            SubmitMessageResponse::Accepted { .. } => Ok(()),
            refused => Err(TownError::Wrong(format!("a message was refused: {refused:?}"))),
        }
    }

    /// Everything up to a cursor is stored.
    pub(super) async fn ack(&self, cursor: u64) -> Result<(), TownError> {
        let request = AckRequest { cursor }.to_bytes();
        self.post(path::ACK.to_owned(), request.into()).await.map(drop)
    }

    async fn post(&self, path: String, body: Bytes) -> Result<Bytes, TownError> {
        let call = Call::post(path, body, MAX_ANSWER);
        self.0.call(&call).await.map_err(wrong)
    }
}

/// Where a room's messages go.
pub(super) fn submit_path(room: &RoomUri) -> String {
    format!("{}{}", path::SUBMIT_MESSAGE, room.to_path_segment())
}
