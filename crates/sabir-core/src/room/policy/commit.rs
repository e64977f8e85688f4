//! Commits and sets of proposals, as the MLS layer reads them.

use std::collections::BTreeSet;

use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::PendingProposal;
use sabir_mls::identity::{VerifiedClient, continues};
use sabir_mls::{Author, CommitFacts, LeafFact, MlsError};
use sabir_wire::mls::{ComponentId, ProposalType};
use sabir_wire::uri::{ClientUri, UserUri};

use super::change::{Asked, Changes};
use super::{Allowed, By, LeafClient, Refusal, View, rules};
use crate::hub::device_lists::{self, Listed};
use crate::room::link;

/// Decides about a commit, the proposals it refers to included.
pub(crate) fn check_commit(view: View<'_>, facts: &CommitFacts) -> Result<Allowed, Refusal> {
    if !facts.others.is_empty() {
        return Err(Refusal::Denied("a proposal type is not allowed in this room"));
    }
    let committer = committer(view, facts)?;
    let mut asked = Asked {
        joiner: (facts.committer == Author::NewMember).then(|| committer.user.clone()),
        link: (facts.committer == Author::NewMember)
            .then(|| link::entered(view.state, facts))
            .flatten(),
        ..Asked::default()
    };
    let by = |author: Author| by(view, author, Some(&committer));
    for update in &facts.app_data {
        asked.app_data.push((
            by(update.author)?,
            ComponentId(update.component),
            update.operation.clone(),
        ));
    }
    for remove in &facts.removes {
        asked.removes.push((by(remove.author)?, remove.removed));
    }
    for add in &facts.adds {
        let Some((_, user)) = &add.leaf.claims else {
            add.leaf.verified()?;
            return Err(Refusal::Denied("an added client names no person"));
        };
        asked.adds.push((by(add.author)?, user.clone()));
    }
    let changes = Changes::of(view.state, asked)?;
    // Before anything is learned about strangers: nobody fetches the authority of somebody who may not come in.
    for leaf in facts.leaves() {
        if let Some((_, user)) = &leaf.claims
            && changes.next.participant(user).is_none()
        {
            return Err(Refusal::Denied("a new leaf's user is no participant"));
        }
    }
    for leaf in facts.leaves() {
        client_of(view, leaf)?;
    }
    for remove in facts
        .removes
        .iter()
        .filter(|remove| remove.author == Author::NewMember)
    {
        // An external commit replaces this very client's old leaf, and no other.
        if view.leaves.get(&remove.removed) != Some(&committer) {
            return Err(Refusal::Denied("an external commit removes another client"));
        }
    }
    if facts.adds.iter().any(|add| add.author != facts.committer) {
        return Err(Refusal::Denied("clients are added by the committer alone"));
    }
    check_changed(view, facts, &committer)?;
    if facts.unannounced {
        // draft-ietf-mls-extensions §4.7: an update of a component that is not known is invalid, so that member would
        // refuse the commit which the others take.
        return Err(Refusal::Denied(
            "a member does not understand a component that would come",
        ));
    }
    check_clients_once(view, facts)?;
    rules::check(view, &changes)?;
    Ok(Allowed {
        device_lists: new_device_lists(view, facts)?,
        link: rules::used_link(view, &changes),
        added: changes.adds.into_iter().map(|(_, user)| user).collect(),
        next: changes.next,
    })
}

/// Whose a new leaf is.
fn client_of<'a>(view: View<'_>, leaf: &'a LeafFact) -> Result<(&'a ClientUri, &'a UserUri), MlsError> {
    if view.takes_claims {
        return leaf.client_or_claim();
    }
    let client = leaf.verified()?;
    Ok((client.client(), client.user()))
}

/// Decides about proposals that wait for a commit together, as one action; gives the people who go off the list by
/// them, and those who are banned.
pub(crate) fn check_proposals(view: View<'_>, proposals: &[PendingProposal]) -> Result<Departures, Refusal> {
    let mut asked = Asked::default();
    for proposal in proposals {
        let by = by(view, proposal.author, None)?;
        match (&proposal.app_data, proposal.removes) {
            (Some((component, operation)), _) => {
                let component = ComponentId(*component);
                // Every commit has to hold what waits, and none could if a member does not understand what would come:
                // what is not there comes by a commit, which is judged with its members.
                let there = component == ComponentId::PARTICIPANT_LIST
                    || component == ComponentId::ROOM_METADATA
                    || view.state.data(component).is_some();
                if !there && matches!(operation, AppDataOperation::Update(_)) {
                    return Err(Refusal::Denied("a component that is not there comes by a commit"));
                }
                // How long a new link lasts is measured from when it is there.
                if component == ComponentId::JOIN_LINKS {
                    return Err(Refusal::Denied("join links change by a commit"));
                }
                asked.app_data.push((by, component, operation.clone()));
            }
            (None, Some(leaf)) => asked.removes.push((by, leaf)),
            // Add, Update and whatever else there is: not by themselves.
            (None, None) => return Err(Refusal::Denied("this type of proposal is not taken by itself")),
        }
    }
    let mut leaves = BTreeSet::new();
    if !asked.removes.iter().all(|(_, leaf)| leaves.insert(*leaf)) {
        // A commit holds one removal for each leaf (RFC 9420 §12.2), and it must refer to all that wait.
        return Err(Refusal::Invalid("a leaf's removal waits already".to_owned()));
    }
    let changes = Changes::of(view.state, asked)?;
    rules::check(view, &changes)?;
    let to = |role: u32| {
        let moves = changes.moves.iter().filter(move |change| change.to == role);
        moves.map(|change| change.user.clone()).collect()
    };
    Ok(Departures {
        departed: to(0),
        banned: to(crate::room::BANNED),
    })
}

/// Who is cut off by proposals that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Departures {
    /// They go off the list.
    pub(crate) departed: BTreeSet<UserUri>,
    /// They are banned.
    pub(crate) banned: BTreeSet<UserUri>,
}

/// Whether a proposal is of a type that is taken by itself.
pub(crate) fn is_taken_alone(proposal: &PendingProposal) -> bool {
    let kind = ProposalType(proposal.proposal_type);
    matches!(
        kind,
        ProposalType::REMOVE | ProposalType::SELF_REMOVE | ProposalType::APP_DATA_UPDATE
    )
}

/// The client that commits; of an external commit, the one that comes in, verified.
pub(crate) fn committer(view: View<'_>, facts: &CommitFacts) -> Result<LeafClient, Refusal> {
    match facts.committer {
        Author::Member(leaf) => member(view, leaf)?
            .cloned()
            .ok_or(Refusal::Denied("the committer is not in the room")),
        Author::NewMember => {
            let leaf = facts
                .path_leaf
                .as_ref()
                .ok_or(Refusal::Denied("an external commit has no path"))?;
            let Some((client, user)) = &leaf.claims else {
                leaf.verified()?;
                return Err(Refusal::Denied("the joiner names no person"));
            };
            Ok(LeafClient {
                client: client.clone(),
                user: user.clone(),
            })
        }
        Author::External(_) => Err(Refusal::Denied("only clients commit")),
    }
}

fn by(view: View<'_>, author: Author, joiner: Option<&LeafClient>) -> Result<By, Refusal> {
    match author {
        Author::Member(leaf) => member(view, leaf)?
            .map(|client| By::Person(client.user.clone()))
            .ok_or(Refusal::Denied("a proposal's author is not in the room")),
        // draft-ietf-mimi-protocol-06 §7.4: the first external sender is the hub.
        Author::External(0) => Ok(By::Hub),
        Author::External(_) => Err(Refusal::Denied("an external sender is not known")),
        Author::NewMember => joiner
            .map(|client| By::Joiner(client.user.clone()))
            .ok_or(Refusal::Denied("who is outside proposes nothing")),
    }
}

/// The client at a leaf, unless its person came back with the recovery code: then whoever has it is not that person.
fn member(view: View<'_>, leaf: u32) -> Result<Option<&LeafClient>, Refusal> {
    let client = view.leaves.get(&leaf);
    if client.is_some_and(|client| view.replaced.contains(&client.client)) {
        return Err(Refusal::Denied(
            "a client's identity key was replaced by its person",
        ));
    }
    Ok(client)
}

/// A leaf that changes stays the same client of the same person under the same identity key.
fn check_changed(view: View<'_>, facts: &CommitFacts, committer: &LeafClient) -> Result<(), Refusal> {
    let path = facts.path_leaf.iter().map(|leaf| (facts.committer, leaf));
    for (author, leaf) in path.chain(facts.updates.iter().map(|(author, leaf)| (*author, leaf))) {
        let (client, user) = client_of(view, leaf)?;
        let old = match author {
            Author::Member(index) => view.leaves.get(&index),
            _ => Some(committer),
        };
        let same = old.is_some_and(|old| old.client == *client && old.user == *user);
        if !same {
            return Err(Refusal::Denied("a leaf changes its client"));
        }
        if let (Some(before), Ok(new)) = (before(facts, author), leaf.verified()) {
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
    const TWICE: Refusal = Refusal::Denied("a client would be in the room twice");
    let joiner = facts
        .path_leaf
        .iter()
        .filter(|_| facts.committer == Author::NewMember);
    let mut coming = BTreeSet::new();
    for leaf in facts.adds.iter().map(|add| &add.leaf).chain(joiner) {
        if !coming.insert(client_of(view, leaf)?.0) {
            return Err(TWICE);
        }
    }
    if coming.is_empty() {
        return Ok(());
    }
    let removed: BTreeSet<u32> = facts.removes.iter().map(|remove| remove.removed).collect();
    let mut staying = view.leaves.iter().filter(|(leaf, _)| !removed.contains(leaf));
    if staying.any(|(_, leaf)| coming.contains(&leaf.client)) {
        return Err(TWICE);
    }
    Ok(())
}

fn new_device_lists(view: View<'_>, facts: &CommitFacts) -> Result<Vec<(LeafClient, Listed)>, Refusal> {
    let beside = newest(facts);
    let check = |leaf: &LeafFact| -> Result<(LeafClient, Listed), Refusal> {
        let client = leaf.verified()?;
        let list = leaf.device_list.as_deref();
        let listed =
            device_lists::check(client, list, view.device_lists, &beside).map_err(Refusal::Denied)?;
        let leaf = LeafClient {
            client: client.client().clone(),
            user: client.user().clone(),
        };
        Ok((leaf, listed))
    };
    // A claim's list is signed with a key that is only claimed.
    let proved = facts
        .leaves()
        .filter(|leaf| !view.takes_claims || leaf.client.is_ok());
    proved.map(check).collect()
}

/// The newest device lists that the leaves of a commit carry.
pub(crate) fn newest(facts: &CommitFacts) -> device_lists::Newest {
    device_lists::newest_of(facts.leaves())
}
