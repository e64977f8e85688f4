//! What a commit may do in a room (draft-ietf-mimi-room-policy-03 §8). Today's rooms are direct rooms: their
//! participants and policy are fixed, and only clients come and go.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::identity::{VerifiedClient, continues};
use sabir_mls::{Author, CommitFacts, LeafFact, MlsError};
use sabir_wire::policy::CapabilityType;
use sabir_wire::uri::{Domain, UserUri};

use super::{LeafClient, Origin, device_lists};
use crate::room::{RoomState, allows};

/// Why a request is not allowed. The text goes into the answer's description and names nobody.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Not allowed.
    Denied(&'static str),
    /// Something about a leaf's credential or capabilities.
    Leaf(MlsError),
}

impl From<MlsError> for Refusal {
    fn from(error: MlsError) -> Self {
        Self::Leaf(error)
    }
}

/// A room as the policy looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a RoomState,
    pub(crate) leaves: &'a BTreeMap<u32, LeafClient>,
    pub(crate) device_lists: &'a BTreeMap<UserUri, u64>,
}

/// What an allowed commit makes of the room.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// Device list versions of the new leaves.
    pub(crate) device_lists: Vec<(UserUri, u64)>,
}

/// Decides about a commit. Clients decide alike, without knowing its origin.
pub(crate) fn check_commit(
    view: View<'_>,
    facts: &CommitFacts,
    origin: Option<&Origin>,
) -> Result<Allowed, Refusal> {
    // Before anything is learned about strangers: nobody fetches the authority of somebody who may not come in.
    for leaf in facts.leaves() {
        if let Some((_, user)) = &leaf.claims
            && view.state.participant(user).is_none()
        {
            return Err(Refusal::Denied("a new leaf's user is no participant"));
        }
    }
    let committer = committer(view, facts)?;
    if let Some(origin) = origin {
        check_origin(&committer, origin)?;
    }
    if !facts.others.is_empty() {
        return Err(Refusal::Denied("a proposal type is not allowed in this room"));
    }
    if !facts.app_data.is_empty() {
        // draft-ietf-mimi-room-policy-03 §5: the participants of a fixed-membership room do not change.
        return Err(Refusal::Denied("the state of a direct room is fixed"));
    }
    check_removes(view, facts, &committer)?;
    check_adds(view, facts, &committer)?;
    check_changed(view, facts, &committer)?;
    check_clients_once(view, facts)?;
    Ok(Allowed {
        device_lists: new_device_lists(view, facts)?,
    })
}

fn check_origin(committer: &LeafClient, origin: &Origin) -> Result<(), Refusal> {
    // draft-ietf-mimi-protocol-06 §5.3: the update comes from the provider of the committer's leaf.
    if *committer.user.authority() != origin.provider {
        return Err(Refusal::Denied("the committer belongs to another provider"));
    }
    if origin
        .client
        .as_ref()
        .is_some_and(|client| *client != committer.client)
    {
        return Err(Refusal::Denied("the committer is another device"));
    }
    Ok(())
}

fn committer(view: View<'_>, facts: &CommitFacts) -> Result<LeafClient, Refusal> {
    let committer = match facts.committer {
        Author::Member(leaf) => view
            .leaves
            .get(&leaf)
            .cloned()
            .ok_or(Refusal::Denied("the committer is not in the room"))?,
        Author::NewMember => {
            let leaf = facts
                .path_leaf
                .as_ref()
                .ok_or(Refusal::Denied("an external commit has no path"))?;
            let client = leaf.verified()?;
            // draft-ietf-mimi-room-policy-03 §8.1.1: canAddOwnClient.
            if !allows(view.state, client.user(), CapabilityType::CAN_ADD_OWN_CLIENT) {
                return Err(Refusal::Denied(
                    "the joiner is no participant who may add own clients",
                ));
            }
            LeafClient {
                client: client.client().clone(),
                user: client.user().clone(),
            }
        }
        Author::External(_) => return Err(Refusal::Denied("only clients commit")),
    };
    if view.state.participant(&committer.user).is_none() {
        return Err(Refusal::Denied("the committer is no participant"));
    }
    Ok(committer)
}

fn check_removes(view: View<'_>, facts: &CommitFacts, committer: &LeafClient) -> Result<(), Refusal> {
    for remove in &facts.removes {
        let removed = view
            .leaves
            .get(&remove.removed)
            .ok_or(Refusal::Denied("a removed leaf is not in the room"))?;
        if facts.committer == Author::NewMember {
            // An external commit replaces this very client's old leaf, and no other.
            if removed != committer {
                return Err(Refusal::Denied("an external commit removes another client"));
            }
            continue;
        }
        let author = match remove.author {
            Author::Member(leaf) => view.leaves.get(&leaf),
            _ => None,
        };
        let author = author.ok_or(Refusal::Denied("a removal has no author in the room"))?;
        // draft-ietf-mimi-room-policy-03 §8.1.2: canRemoveOwnClient.
        let own = author.user == removed.user;
        if !own || !allows(view.state, &author.user, CapabilityType::CAN_REMOVE_OWN_CLIENT) {
            return Err(Refusal::Denied("a removal is not allowed"));
        }
    }
    Ok(())
}

fn check_adds(view: View<'_>, facts: &CommitFacts, committer: &LeafClient) -> Result<(), Refusal> {
    for add in &facts.adds {
        let added = add.leaf.verified()?;
        if add.author != facts.committer {
            return Err(Refusal::Denied("clients are added by the committer alone"));
        }
        if view.state.participant(added.user()).is_none() {
            return Err(Refusal::Denied("an added client's user is no participant"));
        }
        let own = *added.user() == committer.user;
        let may_add_own = allows(view.state, &committer.user, CapabilityType::CAN_ADD_OWN_CLIENT);
        // draft-ietf-mimi-room-policy-03 §5: in a fixed-membership room "clients of existing participants can be
        // added"; the draft names no capability for it, so every participant may.
        if (own && !may_add_own) || (!own && !view.state.base.fixed_membership) {
            return Err(Refusal::Denied("an added client is not allowed"));
        }
    }
    Ok(())
}

/// A leaf that changes stays the same client of the same person under the same identity key.
fn check_changed(view: View<'_>, facts: &CommitFacts, committer: &LeafClient) -> Result<(), Refusal> {
    let path = facts.path_leaf.iter().map(|leaf| (facts.committer, leaf));
    for (author, leaf) in path.chain(facts.updates.iter().map(|(author, leaf)| (*author, leaf))) {
        let new = leaf.verified()?;
        let old = match author {
            Author::Member(index) => view.leaves.get(&index),
            _ => Some(committer),
        };
        let same = old.is_some_and(|old| old.client == *new.client() && old.user == *new.user());
        if !same {
            return Err(Refusal::Denied("a leaf changes its client"));
        }
        if let Some(before) = before(facts, author) {
            continues(before, new).map_err(|error| Refusal::Leaf(MlsError::Credential(error)))?;
        }
    }
    Ok(())
}

/// The old leaf's client, where the facts hold it.
fn before(facts: &CommitFacts, author: Author) -> Option<&VerifiedClient> {
    facts
        .replaced
        .iter()
        .find(|(leaf, _)| Author::Member(*leaf) == author)?
        .1
        .client
        .as_ref()
        .ok()
}

fn check_clients_once(view: View<'_>, facts: &CommitFacts) -> Result<(), Refusal> {
    let removed: BTreeSet<u32> = facts.removes.iter().map(|remove| remove.removed).collect();
    let staying = view
        .leaves
        .iter()
        .filter(|(leaf, _)| !removed.contains(leaf))
        .map(|(_, leaf)| leaf.client.clone());
    let mut clients: BTreeSet<_> = staying.collect();
    let joiner = facts
        .path_leaf
        .iter()
        .filter(|_| facts.committer == Author::NewMember);
    for leaf in facts.adds.iter().map(|add| &add.leaf).chain(joiner) {
        if !clients.insert(leaf.verified()?.client().clone()) {
            return Err(Refusal::Denied("a client would be in the room twice"));
        }
    }
    let multi_device = view.state.base.multi_device;
    let too_many = view
        .state
        .base
        .max_clients
        .is_some_and(|max| clients.len() > usize::try_from(max).unwrap_or(usize::MAX));
    if too_many {
        // draft-ietf-mimi-room-policy-03 §5: max_clients.
        return Err(Refusal::Denied("the room would have too many clients"));
    }
    if !multi_device {
        return Err(Refusal::Denied(
            "rooms of one device per person are not supported",
        ));
    }
    Ok(())
}

fn new_device_lists(view: View<'_>, facts: &CommitFacts) -> Result<Vec<(UserUri, u64)>, Refusal> {
    let beside = newest(facts);
    let check = |leaf: &LeafFact| -> Result<(UserUri, u64), Refusal> {
        let client = leaf.verified()?;
        let list = leaf.device_list.as_deref();
        let version =
            device_lists::check(client, list, view.device_lists, &beside).map_err(Refusal::Denied)?;
        Ok((client.user().clone(), version))
    };
    facts.leaves().map(check).collect()
}

/// The newest device lists that the leaves of a commit carry.
pub(crate) fn newest(facts: &CommitFacts) -> device_lists::Newest {
    device_lists::newest(facts.leaves().filter_map(|leaf| {
        let client = leaf.client.as_ref().ok()?;
        Some((client, leaf.device_list.as_deref()))
    }))
}

/// Whether somebody of this provider may act for a user.
pub(crate) fn speaks_for(provider: &Domain, user: &UserUri) -> bool {
    user.authority() == provider
}
