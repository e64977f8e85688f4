//! The hub: the one sequencer of a room (draft-ietf-mimi-protocol-06 §5.3 to §5.6).
//!
//! It follows the room's MLS group from the plaintext handshakes, decides what is allowed, franks what it cannot
//! read, and says who gets what. One epoch has one commit: the shell commits an effect's changes with a
//! compare-and-set on epoch and sequence, and drops the engine when it lost.
//!
//! Proposals wait for the next commit, which must refer to all of them. Who goes off the list by one has departed at
//! that moment: no message in or out, no commit, no GroupInfo. What is sent in the clear still reaches their clients
//! until the commit that removes them, which they need to follow it.
//!
//! Invariant: a call that is refused changes nothing, in memory or in the rows.

mod create;
pub(crate) mod device_lists;
mod group_info;
mod links;
mod own;
mod policy;
mod proposals;
mod record;
mod submit;
mod update;

pub use create::Creation;
pub use group_info::{ENCRYPTION_LABEL, REQUEST_LABEL, RESPONSE_LABEL, no_such_room};

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use sabir_mls::identity::{ServerCredential, TrustAnchors};
use sabir_mls::keys::SigningKey;
use sabir_mls::observer::Observer;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_mls::{Judge, MlsError};
use sabir_wire::policy::CapabilityType;
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{ClientUri, Domain, GroupUri, RoomUri, UserUri};
use thiserror::Error;

use self::record::Record;
use crate::Millis;
use crate::room::policy::{LeafClient, View};
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
    /// Who gets application messages; follows from the above.
    receivers: Receivers,
}

/// Devices of this provider, and other providers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Receivers {
    devices: Vec<ClientUri>,
    followers: Vec<Domain>,
}

impl Receivers {
    fn of<'a>(clients: impl Iterator<Item = &'a ClientUri>, hub: &Domain) -> Self {
        let mut followers = BTreeSet::new();
        let mut devices = Vec::new();
        for client in clients {
            if client.authority() == hub {
                devices.push(client.clone());
            } else if !followers.contains(client.authority()) {
                followers.insert(client.authority().clone());
            }
        }
        Self {
            devices,
            followers: followers.into_iter().collect(),
        }
    }
}

impl Hub {
    fn new(
        room: RoomUri,
        observer: Observer,
        state: RoomState,
        leaves: BTreeMap<u32, LeafClient>,
        record: Record,
    ) -> Self {
        let mut hub = Self {
            room,
            observer,
            state,
            leaves,
            record,
            receivers: Receivers::default(),
        };
        hub.find_receivers();
        hub
    }

    /// draft-ietf-mimi-room-policy-03 §8.3: the hub "can also withhold fanout of application messages to clients of
    /// a user", of one without canReceiveMessage; draft-ietf-mimi-protocol-06 §5.3: it must of who was removed.
    fn find_receivers(&mut self) {
        let roles: BTreeSet<u32> = self
            .state
            .roles
            .roles
            .iter()
            .filter(|role| role.has(CapabilityType::CAN_RECEIVE_MESSAGE))
            .map(|role| role.role_index)
            .collect();
        let people: BTreeSet<&UserUri> = self
            .state
            .participants
            .participants
            .iter()
            .filter(|entry| roles.contains(&entry.role_index) && !self.record.waiting.cuts_off(&entry.user))
            .map(|entry| &entry.user)
            .collect();
        let leaves = self.leaves.values();
        let clients = leaves
            .filter(|leaf| people.contains(&leaf.user))
            .map(|leaf| &leaf.client);
        self.receivers = Receivers::of(clients, self.room.authority());
    }

    /// The room as the policy looks at it.
    fn view(&self) -> View<'_> {
        View {
            state: &self.state,
            leaves: &self.leaves,
            device_lists: &self.record.device_lists,
            replaced: &self.record.replaced,
            departed: &self.record.waiting.departed,
            knows_all: true,
            takes_claims: false,
        }
    }

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
        let leaves = leaves(&observer)?;
        Ok(Self::new(room, observer, state, leaves, record))
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

    /// People whose departure was accepted and who are on the list still. They are cut off.
    pub fn departed(&self) -> impl Iterator<Item = &UserUri> {
        self.record.waiting.departed.iter()
    }

    /// How many proposals wait for a commit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.record.waiting.proposals.len()
    }

    /// Whether a person takes part in what happens from now on: on the list and not cut off.
    #[must_use]
    pub fn takes_part(&self, user: &UserUri) -> bool {
        self.state.participant(user).is_some() && !self.record.waiting.cuts_off(user)
    }

    /// Everybody with a client in the group gets what travels in the clear.
    fn all_receivers(&self) -> Receivers {
        Receivers::of(self.clients(), self.room.authority())
    }

    /// The hub's time never runs backwards within a room.
    fn accepted_at(&self, now: Millis) -> Millis {
        now.max(self.record.last_accepted)
    }

    fn reload(&mut self) -> Result<(), HubError> {
        self.observer
            .reload()
            .map_err(|error| HubError::Internal(error.to_string()))?;
        self.leaves = leaves(&self.observer)?;
        Ok(())
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

fn leaves(observer: &Observer) -> Result<BTreeMap<u32, LeafClient>, HubError> {
    let strange = || HubError::Stored("a member's credential names no client".to_owned());
    observer
        .clients()
        .map(|(leaf, claims)| {
            let (client, user) = claims.ok_or_else(strange)?;
            Ok((leaf, LeafClient { client, user }))
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
