//! Who may do what in a room (draft-ietf-mimi-room-policy-03 §8): the one place that decides, for the hub before it
//! accepts, and for clients before they propose and after the hub accepted.
//!
//! ```text
//!   commit, proposals or an intent --> Changes: who asks what, and the state afterwards --> allowed, or why not
//! ```
//!
//! Everything goes by capability number and `authorized_role_changes` of the asker's role before the change, never by
//! a role's name. A set of proposals is decided as one action: what is pending and what is new, together, as the
//! commit will hold them; so two owners cannot each leave because the other stays.
//!
//! Invariant: nothing here depends on who decides, save what only a hub knows ([`View::knows_all`]), and people whom a
//! client cannot prove ([`View::takes_claims`]).

mod ask;
mod change;
mod commit;
mod limits;
mod rules;
mod set;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::MlsError;
use sabir_wire::mls::CredentialType;
use sabir_wire::policy::Role;
use sabir_wire::uri::{ClientUri, Domain, UserUri};

use super::RoomState;
use super::link::LinkTerms;
use crate::hub::device_lists::Listed;

pub use ask::Action;
pub(crate) use ask::may;
pub(crate) use commit::{Departures, check_commit, check_proposals, committer, is_taken_alone, newest};
pub(crate) use rules::{check_new, may_come_in, role_to_take};
pub use set::{LINK_POLICY, Wanted};
pub(crate) use set::{link_operations, operations};

/// The object identifier of a certificate's subjectAltName, 2.5.29.17, as a claim of draft-ietf-mimi-room-policy-03 §4
/// names it.
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// A client in the room's group. It was verified when it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeafClient {
    pub(crate) client: ClientUri,
    pub(crate) user: UserUri,
}

/// A room as the policy looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a RoomState,
    pub(crate) leaves: &'a BTreeMap<u32, LeafClient>,
    pub(crate) device_lists: &'a BTreeMap<UserUri, Listed>,
    /// Clients under an identity key that their person has replaced since. They are in the group until a commit takes them
    /// out, and do nothing in it any more.
    pub(crate) replaced: &'a BTreeSet<ClientUri>,
    /// People whose departure the hub accepted and who are on the list still.
    pub(crate) departed: &'a BTreeSet<UserUri>,
    /// Whether `departed` names everybody who departed. A client that came later does not know: it accepts that
    /// somebody without a client goes off the list.
    pub(crate) knows_all: bool,
    /// Whether people count as who they claim to be where their provider's authority is done without
    /// ([`sabir_mls::LeafFact::client_or_claim`]): to a client, that has told of them.
    pub(crate) takes_claims: bool,
}

/// What an allowed commit makes of the room.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// The new leaves, each with its device list.
    pub(crate) device_lists: Vec<(LeafClient, Listed)>,
    /// The join link by which a person came in who could not have come without.
    pub(crate) link: Option<LinkTerms>,
    /// People of whom a client was added.
    pub(crate) added: BTreeSet<UserUri>,
    /// The room's state afterwards.
    pub(crate) next: RoomState,
}

/// Why something is not allowed. The text goes into an answer's description and names nobody.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Not allowed.
    Denied(&'static str),
    /// A proposal is invalid by itself or beside the others, whoever sent it.
    Invalid(String),
    /// Something about a leaf's credential or capabilities.
    Leaf(MlsError),
}

impl From<MlsError> for Refusal {
    fn from(error: MlsError) -> Self {
        Self::Leaf(error)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(reason) => f.write_str(reason),
            Self::Invalid(reason) => f.write_str(reason),
            Self::Leaf(error) => error.fmt(f),
        }
    }
}

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// A person with a client in the group.
    Person(UserUri),
    /// A person whose client comes in by this very commit.
    Joiner(UserUri),
    /// The hub, as external sender.
    Hub,
}

impl By {
    fn is(&self, user: &UserUri) -> bool {
        matches!(self, Self::Person(by) | Self::Joiner(by) if by == user)
    }
}

/// The role in which somebody acts, where they have one.
fn acting_role<'a>(state: &'a RoomState, by: &By) -> Option<&'a Role> {
    match by {
        By::Person(user) | By::Joiner(user) => state.role_of(user),
        // draft-ietf-mimi-room-policy-03 §4: a preauthorised role can allow the hub to remove.
        By::Hub => {
            let hub = provider_claim(state.metadata.room_uri.authority());
            let index = preauthorised(state, &[hub])?;
            state.roles.role(index)
        }
    }
}

/// The role for which a person is preauthorised (draft-ietf-mimi-room-policy-03 §4).
pub(crate) fn preauthorised_role(state: &RoomState, user: &UserUri) -> Option<u32> {
    preauthorised(
        state,
        &[user.as_str().to_owned(), provider_claim(user.authority())],
    )
}

/// Index of the first role whose claims are all among `names`, the subjectAltNames of a certificate chain.
fn preauthorised(state: &RoomState, names: &[String]) -> Option<u32> {
    let entry = state.preauth.preauthorized_entries.iter().find(|entry| {
        entry.claimset.iter().all(|claim| {
            claim.claim_id.credential_type == CredentialType::X509
                && claim.claim_id.id == SUBJECT_ALT_NAME
                && names
                    .iter()
                    .any(|name| name.as_bytes() == claim.claim_value.as_slice())
        })
    })?;
    Some(entry.target_role.role_index)
}

/// How a provider's certificate names it.
pub(super) fn provider_claim(domain: &Domain) -> String {
    format!("mimi://{domain}")
}

/// Whether a role's `authorized_role_changes` let somebody be moved.
pub(super) fn authorises(role: &Role, from: u32, to: u32) -> bool {
    role.authorized_role_changes
        .iter()
        .any(|entry| entry.from_role_index == from && entry.target_role_indexes.contains(&to))
}
