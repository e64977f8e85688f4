//! The hub: the one sequencer of a room (draft-ietf-mimi-protocol-06 §5.3 to §5.6).
//!
//! It follows the room's MLS group from the plaintext handshakes, decides what is allowed, franks what it cannot
//! read, and says who gets what. One epoch has one commit: the shell commits an effect's changes with a
//! compare-and-set on epoch and sequence, and drops the engine when it lost.

mod create;
pub(crate) mod device_lists;
mod group_info;
pub(crate) mod policy;
mod record;
mod submit;
mod update;

pub use create::Creation;
pub use group_info::{ENCRYPTION_LABEL, REQUEST_LABEL, RESPONSE_LABEL, no_such_room};

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use sabir_mls::group::MemberLeaf;
use sabir_mls::identity::{ClientCredential, ServerCredential, TrustAnchors};
use sabir_mls::keys::SigningKey;
use sabir_mls::observer::Observer;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_mls::{Judge, MlsError};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{ClientUri, Domain, GroupUri, RoomUri, UserUri};
use thiserror::Error;

use self::record::Record;
use crate::Millis;
use crate::room::policy::LeafClient;
use crate::room::{RoomState, StateError};

/// What a provider is as a hub; the same for all its rooms.
#[derive(Debug, Clone)]
pub struct HubIdentity {
    /// The provider's domain, authority of its rooms.
    pub domain: Domain,
    /// The symmetric key of franks.
    pub hub_key: [u8; 32],
    /// The key of franks and of the hub's own proposals.
    pub signing_key: SigningKey,
    /// The provider's certificate over that key.
    pub credential: ServerCredential,
}

/// What every call of a hub engine may look up.
#[derive(Debug, Clone, Copy)]
pub struct HubContext<'a> {
    /// Who the hub is.
    pub identity: &'a HubIdentity,
    /// The provider CAs it knows.
    pub anchors: &'a TrustAnchors,
}

/// Where a request comes from, as the transport proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The provider that speaks.
    pub provider: Domain,
    /// The device, where it is one of the hub's own.
    pub client: Option<ClientUri>,
}

/// Where a Welcome for a key package goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To a device of this provider.
    Device(ClientUri),
    /// To another provider.
    Provider(Domain),
}

/// One entry for the room's log, and who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubEvent {
    /// An encoded `FanoutMessage`.
    pub body: Vec<u8>,
    /// Devices of this provider.
    pub devices: Vec<ClientUri>,
    /// Follower providers.
    pub followers: Vec<Domain>,
}

/// What a call brought about.
#[derive(Debug, Default)]
pub struct Effects {
    /// Rows to persist with the events, before the answer goes out.
    pub changes: RowChanges,
    /// The room's epoch afterwards.
    pub epoch: u64,
    /// Entries of the room's log, in order. Empty where the request was refused.
    pub events: Vec<HubEvent>,
    /// The encoded answer.
    pub reply: Vec<u8>,
}

/// A fault that has no answer of the protocol's own.
#[derive(Debug, Error)]
pub enum HubError {
    /// The stored rows are not a room's.
    #[error("the stored room cannot be read: {0}")]
    Stored(String),
    /// A credential names a provider whose CA is not known yet; the shell may fetch it and try again.
    #[error("the identity of a provider is not known yet")]
    UnknownProvider(Domain),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

/// A room at its hub.
#[derive(Debug)]
pub struct Hub {
    room: RoomUri,
    observer: Observer,
    state: RoomState,
    leaves: BTreeMap<u32, LeafClient>,
    record: Record,
}

impl Hub {
    /// Loads a room from its rows.
    ///
    /// # Errors
    /// [`HubError::Stored`].
    pub fn load(room: RoomUri, rows: &Rows, rng: &mut dyn CryptoRng) -> Result<Self, HubError> {
        let stored = |error: &dyn std::fmt::Display| HubError::Stored(error.to_string());
        let group = group_uri(&room).map_err(|error| stored(&error))?;
        let observer = Observer::load(crate::mls_rows(rows), group.as_str().as_bytes(), rng)
            .map_err(|error| stored(&error))?;
        let record = Record::read(rows).map_err(|error| stored(&error))?;
        let state = read_state(&observer).map_err(|error| stored(&error))?;
        let leaves = leaves(observer.members())?;
        Ok(Self {
            room,
            observer,
            state,
            leaves,
            record,
        })
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &RoomUri {
        &self.room
    }

    /// Current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.observer.epoch()
    }

    /// The room's state.
    #[must_use]
    pub fn state(&self) -> &RoomState {
        &self.state
    }

    /// The confirmed transcript hash, equal to the members'.
    #[must_use]
    pub fn transcript_hash(&self) -> &[u8] {
        self.observer.transcript_hash()
    }

    /// Clients in the group.
    pub fn clients(&self) -> impl Iterator<Item = &ClientUri> {
        self.leaves.values().map(|leaf| &leaf.client)
    }

    /// Providers other than the hub that have clients in the group.
    fn followers(&self, hub: &Domain) -> Vec<Domain> {
        let mut domains: Vec<Domain> = self.clients().map(|client| client.authority().clone()).collect();
        domains.sort();
        domains.dedup();
        domains.retain(|domain| domain != hub);
        domains
    }

    /// Clients of the hub's own users in the group.
    fn local_devices(&self, hub: &Domain) -> Vec<ClientUri> {
        self.clients()
            .filter(|client| client.authority() == hub)
            .cloned()
            .collect()
    }

    /// The hub's time never runs backwards within a room.
    fn accepted_at(&self, now: Millis) -> Millis {
        now.max(self.record.last_accepted)
    }

    fn reload(&mut self) -> Result<(), HubError> {
        self.observer
            .reload()
            .map_err(|error| HubError::Internal(error.to_string()))
    }
}

/// The MLS group id of a room: the group's URI with the same name at the same authority.
///
/// # Errors
/// Where the name does not fit a group's URI.
pub fn group_uri(room: &RoomUri) -> Result<GroupUri, sabir_wire::uri::UriError> {
    GroupUri::parse(&format!("mimi://{}/g/{}", room.authority(), room.name()))
}

fn judge<'a>(cx: HubContext<'a>, at: Millis) -> Judge<'a> {
    Judge {
        anchors: cx.anchors,
        freshness: sabir_mls::identity::Freshness::At(at),
    }
}

fn read_state(observer: &Observer) -> Result<RoomState, StateError> {
    RoomState::read(|component| observer.component(component))
}

fn leaves(members: impl Iterator<Item = MemberLeaf>) -> Result<BTreeMap<u32, LeafClient>, HubError> {
    members
        .map(|member| {
            let credential = ClientCredential::parse(&member.credential)
                .map_err(|error| HubError::Stored(error.to_string()))?;
            let (client, user) = (
                credential.claimed_client().clone(),
                credential.claimed_user().clone(),
            );
            Ok((member.leaf, LeafClient { client, user }))
        })
        .collect()
}

/// A refusal is an answer; a missing anchor is the shell's to mend.
fn unknown_provider(error: &MlsError) -> Option<Domain> {
    match error {
        MlsError::UnknownProvider(domain) => Some(domain.clone()),
        _ => None,
    }
}

fn franking_agent(identity: &HubIdentity) -> FrankingAgentData {
    FrankingAgentData {
        franking_signature_key: sabir_wire::mls::SignaturePublicKey(identity.signing_key.public().to_vec()),
        credential: identity.credential.to_credential(),
    }
}
