//! A follower: a provider whose users take part in a room hubbed elsewhere (draft-ietf-mimi-protocol-06 §5.5).
//!
//! ```text
//!   hub --notify--> shell (verified From) --> Follower::handle --> events: exact bytes, and which of our devices
//!                                                                 changes: rows of the roster
//! ```
//!
//! A follower cannot read Welcomes, GroupInfo or messages. It keeps a roster, leaf index to client, from the full
//! tree beside a Welcome and from the commits in the clear that follow, and verifies nothing of it: within its
//! room the hub is the authority on who gets what, and the devices verify everything themselves.
//!
//! * Application messages, proposals and commits go to our devices in the roster, as it was before the commit: so
//!   a removed device still gets the commit that removes it.
//! * A Welcome goes to the devices whose key packages it names.
//! * A device that entered by a way the roster cannot show is *attached*: it gets everything until the roster shows
//!   it or it detaches.
//!
//! Invariant: nothing the hub sends is lost. The roster is either *in step*, and then exact, or it is stale; while
//! it is stale no device is taken out of it, so that the receivers are those it should have and perhaps more. It
//! becomes stale when a commit does not fit: of another epoch, or referring to a proposal never seen. The next
//! Welcome's tree repairs it.
//!
//! Which epoch a tree belongs to is not visible in a Welcome. The hub's log is the room's order, in which a Welcome
//! and its commit are neighbours, in either order, and the commit's Adds carry the key packages the Welcome names.
//! So a tree belongs to the epoch after the last commit where that commit added one of our devices that the
//! Welcome names; otherwise its commit is still to come, or never comes to us: then the next commit that adds one
//! of them leads into it, and any other handshake is of its epoch.

mod membership;
mod record;
mod roster;
mod step;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::keys::sha256;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{DecodeError, Encode};
use sabir_wire::mls::{MlsMessage, PublicMessage, RatchetTree};
use sabir_wire::protocol::{FanoutBody, FanoutMessage, RatchetTreeOption};
use sabir_wire::uri::{ClientUri, Domain, RoomUri};
use thiserror::Error;

use self::membership::Membership;

pub use self::membership::{MAX_ATTACHED, MAX_PROPOSALS};
pub use self::roster::MAX_ROSTER;

/// A room hubbed elsewhere, as a provider of some of its clients follows it.
#[derive(Debug)]
pub struct Follower {
    room: RoomUri,
    membership: Membership,
}

/// What a batch brought about.
#[derive(Debug, Default)]
pub struct Effects {
    /// Rows to persist with the events, before the batch is acknowledged.
    pub changes: RowChanges,
    /// One for each message of the batch, in its order.
    pub events: Vec<FollowerEvent>,
    /// Whether a message was of another epoch than the roster, or a commit or tree did not fit it. For the log:
    /// every message was passed on nevertheless.
    pub out_of_step: bool,
}

/// One entry for the follower's copy of the room's log, and who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerEvent {
    /// The `FanoutMessage`, exactly as the hub sent it.
    pub body: Vec<u8>,
    /// SHA-256 of its `MLSMessage`, by which the shell and receivers know a repeat.
    pub hash: [u8; 32],
    /// Our devices that get it, ascending; none where nobody of ours is concerned.
    pub devices: Vec<ClientUri>,
}

/// Why a batch or a device was refused. Nothing has changed.
#[derive(Debug, Error)]
pub enum FollowerError {
    /// The body of the request is no list of `FanoutMessage`s.
    #[error("the batch cannot be read")]
    Malformed(#[from] DecodeError),
    /// The stored rows are not a followed room's.
    #[error("the stored follower cannot be read: {0}")]
    Stored(&'static str),
    /// [`MAX_ATTACHED`] devices are attached already.
    #[error("too many devices are attached to the room")]
    TooManyAttached,
}

impl Follower {
    /// Begins to follow a room of which nothing is known yet.
    #[must_use]
    pub fn new(room: RoomUri) -> Self {
        Self {
            room,
            membership: Membership::default(),
        }
    }

    /// Loads a followed room from its rows; from none, as [`Self::new`].
    ///
    /// # Errors
    /// [`FollowerError::Stored`].
    pub fn load(room: RoomUri, rows: &Rows) -> Result<Self, FollowerError> {
        let membership = record::read(rows).map_err(FollowerError::Stored)?;
        Ok(Self { room, membership })
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &RoomUri {
        &self.room
    }

    /// The provider that must have sent a batch: the room's authority.
    #[must_use]
    pub fn hub(&self) -> &Domain {
        self.room.authority()
    }

    /// Reads the body of a `notify` request, one or more `FanoutMessage`s after each other, and says which devices
    /// of `own` get each. `routes` are the devices whose key packages were handed out, by KeyPackageRef; it must
    /// hold those the batch's Welcomes name ([`welcome_references`]), as far as they are ours.
    ///
    /// # Errors
    /// [`FollowerError::Malformed`]; nothing of a batch with a fault in it is taken.
    pub fn handle(
        &mut self,
        own: &Domain,
        batch: &[u8],
        routes: &BTreeMap<Vec<u8>, ClientUri>,
    ) -> Result<Effects, FollowerError> {
        // The only fault there can be is found before anything changes.
        let batch = FanoutMessage::read_batch(batch)?;
        let mut effects = Effects::default();
        // The readers, while nothing changes them; a thousand messages in a row must not search the roster each.
        let mut readers: Option<Vec<ClientUri>> = None;
        for (message, body) in batch {
            let hash = sha256(&message.message().to_bytes());
            let (devices, fits) = match &message.body {
                FanoutBody::Application { message, .. } => {
                    let devices = readers
                        .get_or_insert_with(|| self.membership.readers(own).into_iter().collect())
                        .clone();
                    (devices, self.membership.is_at(message.epoch()))
                }
                FanoutBody::Proposal {
                    message,
                    more_proposals,
                } => {
                    let devices = self.membership.receivers(own).into_iter().collect();
                    let fits = self.proposals(std::iter::once(message.as_ref()).chain(more_proposals));
                    readers = None;
                    (devices, fits)
                }
                FanoutBody::Commit {
                    message,
                    external_proposals,
                } => {
                    let outcome = self.commit(own, message, external_proposals);
                    readers = None;
                    outcome
                }
                FanoutBody::Welcome {
                    message,
                    ratchet_tree_option,
                } => {
                    let outcome = self.welcome(own, hash, message, ratchet_tree_option, routes);
                    readers = None;
                    outcome
                }
            };
            effects.out_of_step |= !fits;
            effects.events.push(FollowerEvent {
                body: body.to_vec(),
                hash,
                devices,
            });
        }
        effects.changes = self.membership.take_changes();
        Ok(effects)
    }

    /// Notes that a device of ours is in the room though no batch said so: the hub accepted its external commit.
    /// It gets everything from now on. Gives the rows to persist.
    ///
    /// # Errors
    /// [`FollowerError::TooManyAttached`].
    pub fn attach(&mut self, client: ClientUri) -> Result<RowChanges, FollowerError> {
        if !self.membership.attach(client, false) {
            return Err(FollowerError::TooManyAttached);
        }
        Ok(self.membership.take_changes())
    }

    /// Notes that an attached device is not in the room: its commit was refused, or it found itself removed. The
    /// roster is the hub's word and not touched. Gives the rows to persist.
    pub fn detach(&mut self, client: &ClientUri) -> RowChanges {
        self.membership.detach(client);
        self.membership.take_changes()
    }

    /// Whether no device of `own` is in the room any more, as far as is known: the shell may forget the room once
    /// the events are delivered.
    #[must_use]
    pub fn leaves_room(&self, own: &Domain) -> bool {
        self.membership.receivers(own).is_empty()
    }

    /// The epoch the roster is of; `None` where there is no roster, or its epoch is not known yet.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.membership.epoch()
    }

    /// The roster, ascending by leaf. `None` stands for a leaf whose credential names no client in our form.
    pub fn roster(&self) -> impl Iterator<Item = (u32, Option<&ClientUri>)> {
        self.membership.roster().iter()
    }

    /// The attached devices, ascending.
    pub fn attached(&self) -> impl Iterator<Item = &ClientUri> {
        self.membership.attached()
    }

    fn proposals<'a>(&mut self, messages: impl Iterator<Item = &'a MlsMessage>) -> bool {
        let mut fits = true;
        for message in messages {
            if let MlsMessage::Public(public) = message {
                fits &= self.membership.proposal(public);
            }
        }
        fits
    }

    fn commit(
        &mut self,
        own: &Domain,
        message: &MlsMessage,
        external_proposals: &[MlsMessage],
    ) -> (Vec<ClientUri>, bool) {
        let mut devices = self.membership.receivers(own);
        let MlsMessage::Public(public) = message else {
            return (devices.into_iter().collect(), false);
        };
        let fits = self.membership.commit(own, public);
        // The stapled proposals are of the new epoch, and whoever joins by this very commit needs them.
        devices.extend(joiner(own, public));
        let stapled = self.proposals(external_proposals.iter());
        (devices.into_iter().collect(), fits && stapled)
    }

    fn welcome(
        &mut self,
        own: &Domain,
        hash: [u8; 32],
        message: &MlsMessage,
        tree: &RatchetTreeOption,
        routes: &BTreeMap<Vec<u8>, ClientUri>,
    ) -> (Vec<ClientUri>, bool) {
        let MlsMessage::Welcome(welcome) = message else {
            return (Vec::new(), false);
        };
        let ours: BTreeMap<&[u8], &ClientUri> = welcome
            .new_members()
            .filter_map(|reference| Some((reference, routes.get(reference)?)))
            .collect();
        let devices: BTreeSet<ClientUri> = ours.values().copied().cloned().collect();
        if devices.is_empty() {
            return (Vec::new(), true);
        }
        let references = ours
            .keys()
            .filter_map(|reference| <[u8; 32]>::try_from(*reference).ok())
            .collect();
        let tree: Option<&RatchetTree> = match tree {
            RatchetTreeOption::Full(tree) => Some(tree),
            RatchetTreeOption::HttpsUri { .. }
            | RatchetTreeOption::OutOfBand { .. }
            | RatchetTreeOption::DistributionService => None,
        };
        let fits = self.membership.welcome(own, hash, references, tree, &devices);
        (devices.into_iter().collect(), fits)
    }
}

/// The KeyPackageRefs that the Welcomes of a batch name, for which [`Follower::handle`] wants the routes.
///
/// # Errors
/// [`FollowerError::Malformed`].
pub fn welcome_references(batch: &[u8]) -> Result<BTreeSet<Vec<u8>>, FollowerError> {
    let batch = FanoutMessage::read_batch(batch)?;
    let references = batch.iter().filter_map(|(message, _)| match message.message() {
        MlsMessage::Welcome(welcome) => Some(welcome.new_members().map(<[u8]>::to_vec)),
        _ => None,
    });
    Ok(references.flatten().collect())
}

/// Our device that joins by this external commit, if it is one.
fn joiner(own: &Domain, commit: &PublicMessage) -> Option<ClientUri> {
    step::external_joiner(commit).filter(|client| client.authority() == own)
}
