//! Who is in a room: leaves by RFC 9420 §7.7 and §12.1, people by draft-ietf-mimi-protocol-06 §7.5.

use std::collections::BTreeMap;

use sabir_mls::identity::ClientCredential;
use sabir_wire::codec::Decode as _;
use sabir_wire::components::{ParticipantListUpdate, UserRolePair};
use sabir_wire::mls::{
    AppDataUpdateOperation, ComponentId, LeafNode, MlsMessage, Proposal, ProposalOrRef, Sender,
};
use sabir_wire::uri::UserUri;

/// A room's members and people in one epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Membership {
    /// The client at each leaf.
    leaves: Vec<Option<(String, UserUri)>>,
    /// The list, in its order.
    pub(super) people: Vec<(UserUri, u32)>,
}

/// Proposals seen on the wire, by their reference.
pub(super) type Proposals = BTreeMap<Vec<u8>, (Sender, Proposal)>;

impl Membership {
    pub(super) fn founded(client: &str, user: &UserUri, people: Vec<(UserUri, u32)>) -> Self {
        Self {
            leaves: vec![Some((client.to_owned(), user.clone()))],
            people,
        }
    }

    /// The client at a leaf.
    pub(super) fn at(&self, leaf: u32) -> Option<&str> {
        let leaf = self.leaves.get(usize::try_from(leaf).unwrap())?.as_ref()?;
        Some(leaf.0.as_str())
    }

    /// The clients, by leaf.
    pub(super) fn clients(&self) -> impl Iterator<Item = &str> {
        self.leaves.iter().flatten().map(|(client, _)| client.as_str())
    }

    /// The membership that a commit leads to; `None` where one of its proposals was not seen.
    pub(super) fn after(&self, message: &MlsMessage, seen: &Proposals) -> Option<Self> {
        let MlsMessage::Public(public) = message else {
            return None;
        };
        let commit = public.commit()?;
        let mut proposals = Vec::new();
        for proposal in &commit.proposals {
            match proposal {
                ProposalOrRef::Proposal(proposal) => proposals.push((public.sender(), proposal.clone())),
                ProposalOrRef::Reference(reference) => proposals.push(seen.get(reference)?.clone()),
            }
        }
        let mut next = self.clone();
        for (sender, proposal) in &proposals {
            match (sender, proposal) {
                (_, Proposal::Remove { removed }) => next.blank(*removed),
                (Sender::Member { leaf_index }, Proposal::SelfRemove) => next.blank(*leaf_index),
                _ => {}
            }
        }
        while next.leaves.last().is_some_and(Option::is_none) {
            next.leaves.pop();
        }
        for (_, proposal) in &proposals {
            if let Proposal::Add(package) = proposal {
                next.put(&package.leaf_node)?;
            }
        }
        if public.sender() == Sender::NewMemberCommit {
            next.put(&commit.path.as_ref()?.leaf_node)?;
        }
        next.list(&proposals, &self.people);
        Some(next)
    }

    /// All updates refer to the list before the commit: roles, then removals, then additions.
    fn list(&mut self, proposals: &[(Sender, Proposal)], before: &[(UserUri, u32)]) {
        let updates: Vec<ParticipantListUpdate> = proposals
            .iter()
            .filter_map(|(_, proposal)| match proposal {
                Proposal::AppDataUpdate(update) if update.component_id == ComponentId::PARTICIPANT_LIST => {
                    match &update.op {
                        AppDataUpdateOperation::Update(bytes) => {
                            ParticipantListUpdate::from_bytes(bytes).ok()
                        }
                        AppDataUpdateOperation::Remove => None,
                    }
                }
                _ => None,
            })
            .collect();
        let mut list: Vec<Option<(UserUri, u32)>> = before.iter().cloned().map(Some).collect();
        let place = |index: u32| usize::try_from(index).unwrap();
        for update in &updates {
            for changed in &update.changed_role_participants {
                if let Some(Some(entry)) = list.get_mut(place(changed.user_index)) {
                    entry.1 = changed.role_index;
                }
            }
        }
        for update in &updates {
            for removed in &update.removed_indices {
                if let Some(entry) = list.get_mut(place(*removed)) {
                    *entry = None;
                }
            }
        }
        self.people = list.into_iter().flatten().collect();
        for update in updates {
            let added = update.added_participants.into_iter();
            self.people
                .extend(added.map(|UserRolePair { user, role_index }| (user, role_index)));
        }
    }

    fn blank(&mut self, leaf: u32) {
        if let Some(leaf) = self.leaves.get_mut(usize::try_from(leaf).unwrap()) {
            *leaf = None;
        }
    }

    /// A new leaf takes the leftmost free place.
    fn put(&mut self, node: &LeafNode) -> Option<()> {
        let credential = ClientCredential::from_credential(&node.credential).ok()?;
        let client = credential.claimed_client().as_str().to_owned();
        let leaf = Some((client, credential.claimed_user().clone()));
        match self.leaves.iter_mut().find(|leaf| leaf.is_none()) {
            Some(free) => *free = leaf,
            None => self.leaves.push(leaf),
        }
        Some(())
    }
}
