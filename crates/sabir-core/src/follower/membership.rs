//! The roster's state machine: where it stands, what it waits for, and who receives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sabir_mls::rows::RowChanges;
use sabir_wire::mls::{FramedContentBody, ProposalOrRef, PublicMessage, RatchetTree};
use sabir_wire::uri::{ClientUri, Domain};

use super::record;
use super::roster::Roster;
use super::step::{self, Remover, Step};

/// Proposals of one epoch that are remembered for the commit that refers to them. A room's members may each renew
/// their leaf or leave; more than this in one epoch makes the roster stale.
pub const MAX_PROPOSALS: usize = 4096;

/// Devices of ours that may be attached to one room.
pub const MAX_ATTACHED: usize = 1024;

/// Welcomes whose repetition is recognised.
const MAX_WELCOMES: usize = 64;

/// KeyPackageRefs of our devices remembered of one commit.
const MAX_ADDED: usize = 1024;

/// Where the roster stands in the hub's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Position {
    /// No tree was seen yet: the roster is empty.
    #[default]
    Nowhere,
    /// The roster is that of this epoch.
    At(u64),
    /// The roster is that of a Welcome's tree, whose commit was not seen before it.
    Unplaced(Awaited),
}

/// What came with a tree whose commit was not seen before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Awaited {
    /// The Welcome's KeyPackageRefs that are ours: a commit that adds one of them leads into the tree.
    pub(super) references: BTreeSet<[u8; 32]>,
    /// Our devices that were in the roster and are not in the tree: that commit may remove them, so they get it.
    pub(super) leaving: BTreeSet<ClientUri>,
}

/// What the last commit added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    /// The epoch it led into.
    pub(super) epoch: u64,
    /// KeyPackageRefs of our devices.
    pub(super) references: BTreeSet<[u8; 32]>,
}

/// Everything a follower remembers of a room.
#[derive(Debug, Default)]
pub(super) struct Membership {
    pub(super) position: Position,
    pub(super) roster: Roster,
    /// Our devices that receive though the roster does not show them, and whether the hub's log showed them
    /// coming in.
    pub(super) attached: BTreeMap<ClientUri, bool>,
    /// Proposals of the roster's epoch by ProposalRef.
    pub(super) proposals: BTreeMap<[u8; 32], Step>,
    pub(super) added: Option<Added>,
    /// Hashes of Welcomes whose trees were seen, oldest first.
    pub(super) welcomes: VecDeque<[u8; 32]>,
    /// What differs from the rows, the head apart.
    pub(super) changes: RowChanges,
    /// The head as it was stored.
    pub(super) stored_head: Vec<u8>,
}

impl Membership {
    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(super) fn attached(&self) -> impl Iterator<Item = &ClientUri> {
        self.attached.keys()
    }

    pub(super) fn epoch(&self) -> Option<u64> {
        match self.position {
            Position::At(epoch) => Some(epoch),
            Position::Nowhere | Position::Unplaced(_) => None,
        }
    }

    /// Our devices that get what the hub sends, save Welcomes.
    pub(super) fn receivers(&self, own: &Domain) -> BTreeSet<ClientUri> {
        let mut all = self.roster.clients_of(own);
        all.extend(self.attached.keys().cloned());
        if let Position::Unplaced(awaited) = &self.position {
            all.extend(awaited.leaving.iter().cloned());
        }
        all
    }

    /// Our devices that get application messages: all receivers but those of people who are leaving. The hub has
    /// accepted that they go, and cut them off (draft-ietf-mimi-protocol-06 §5.3); this provider may still be sent
    /// messages for others of its people.
    ///
    /// A removal that somebody else only proposed does not count: an external commit may drop it, and the device
    /// would have missed messages.
    pub(super) fn readers(&self, own: &Domain) -> BTreeSet<ClientUri> {
        let mut all = self.receivers(own);
        let by = |wanted: fn(Remover) -> bool| {
            self.proposals.values().filter_map(move |step| match step {
                Step::Remove { leaf, by } if wanted(*by) => Some((*leaf, *by)),
                _ => None,
            })
        };
        let leavers: BTreeSet<u32> = by(|by| by == Remover::Itself).map(|(leaf, _)| leaf).collect();
        // With their own leaf, leavers propose to remove the other leaves of their person, and nobody else's.
        let others = by(|by| matches!(by, Remover::Member(_))).filter_map(|(leaf, by)| match by {
            Remover::Member(member) if leavers.contains(&member) => Some(leaf),
            _ => None,
        });
        let by_hub = by(|by| by == Remover::Hub).map(|(leaf, _)| leaf);
        for leaf in leavers.iter().copied().chain(others).chain(by_hub) {
            if let Some(Some(client)) = self.roster.0.get(&leaf) {
                all.remove(client);
            }
        }
        all
    }

    /// Whether a message of this epoch fits the roster. A tree not yet placed fits any: a hub may accept
    /// application messages of the epoch before.
    pub(super) fn is_at(&self, epoch: Option<u64>) -> bool {
        match self.position {
            Position::Nowhere => false,
            Position::At(at) => epoch == Some(at),
            Position::Unplaced(_) => true,
        }
    }

    /// Takes note of a proposal; says whether it fits.
    pub(super) fn proposal(&mut self, message: &PublicMessage) -> bool {
        if !self.place(message.content.epoch) {
            return false;
        }
        let Some(proposal) = message.proposal() else {
            return false;
        };
        let reference = step::proposal_reference(message);
        if self.proposals.contains_key(&reference) {
            return true;
        }
        let Some(step) = Step::read(proposal, message.sender()) else {
            return false;
        };
        if self.proposals.len() >= MAX_PROPOSALS {
            return false;
        }
        record::put_proposal(&mut self.changes, &reference, &step);
        self.proposals.insert(reference, step);
        true
    }

    /// Follows a commit; says whether the roster is in step afterwards.
    pub(super) fn commit(&mut self, own: &Domain, message: &PublicMessage) -> bool {
        let epoch = message.content.epoch;
        let (steps, resolved) = self.steps(message);
        let references: BTreeSet<[u8; 32]> = steps
            .iter()
            .filter_map(|step| added_reference(own, step))
            .take(MAX_ADDED)
            .collect();
        let Some(next_epoch) = epoch.checked_add(1) else {
            return false;
        };
        let repeated = matches!(self.position, Position::At(at) if epoch < at);
        let leads_into_tree = match &self.position {
            Position::Unplaced(awaited) => !awaited.references.is_disjoint(&references),
            Position::Nowhere | Position::At(_) => false,
        };
        let in_step = if leads_into_tree {
            true
        } else if self.place(epoch) && resolved {
            let next = self.roster.after(message, &steps);
            next.map(|next| self.set_roster(next)).is_some()
        } else {
            false
        };
        if in_step {
            self.position = Position::At(next_epoch);
            self.forget_proposals();
            self.detach_shown();
        }
        if repeated {
            return in_step;
        }
        if let Some(joiner) = step::external_joiner(message).filter(|joiner| joiner.authority() == own) {
            // Attached where the roster does not show it. Beyond the bound it is the room that is unsound.
            self.attach(joiner, true);
        }
        self.added = (!references.is_empty()).then_some(Added {
            epoch: next_epoch,
            references,
        });
        in_step
    }

    /// Follows a Welcome for `devices`, named by `references`; says whether its tree fits what was followed.
    pub(super) fn welcome(
        &mut self,
        own: &Domain,
        hash: [u8; 32],
        references: BTreeSet<[u8; 32]>,
        tree: Option<&RatchetTree>,
        devices: &BTreeSet<ClientUri>,
    ) -> bool {
        let mut fits = true;
        // A repeated Welcome's tree may be long past.
        if let Some(tree) = tree.filter(|_| !self.welcomes.contains(&hash)) {
            self.welcomes.push_back(hash);
            if self.welcomes.len() > MAX_WELCOMES {
                self.welcomes.pop_front();
            }
            fits = self.take_tree(own, Roster::from_tree(tree), references);
        }
        let shown = self.roster.clients_of(own);
        for device in devices.difference(&shown) {
            fits &= self.attach(device.clone(), true);
        }
        fits
    }

    /// Attaches a device unless the roster shows it; `false` beyond [`MAX_ATTACHED`].
    pub(super) fn attach(&mut self, client: ClientUri, entered: bool) -> bool {
        if self.roster.0.values().flatten().any(|shown| *shown == client) {
            return true;
        }
        let known = self.attached.get(&client).copied();
        if known.is_none() && self.attached.len() >= MAX_ATTACHED {
            return false;
        }
        let entered = entered || known == Some(true);
        if known != Some(entered) {
            record::put_attached(&mut self.changes, &client, entered);
            self.attached.insert(client, entered);
        }
        true
    }

    pub(super) fn detach(&mut self, client: &ClientUri) {
        if self.attached.remove(client).is_some() {
            record::delete_attached(&mut self.changes, client);
        }
    }

    /// What differs from the stored rows.
    pub(super) fn take_changes(&mut self) -> RowChanges {
        let head = record::head(self);
        if head != self.stored_head {
            record::put_head(&mut self.changes, &head);
            self.stored_head = head;
        }
        std::mem::take(&mut self.changes)
    }

    /// Replaces the roster by a Welcome's tree; says whether it is what was followed.
    fn take_tree(&mut self, own: &Domain, tree: Roster, references: BTreeSet<[u8; 32]>) -> bool {
        let epoch = self
            .added
            .as_ref()
            .filter(|added| !added.references.is_disjoint(&references));
        let (position, fits) = match epoch.map(|added| added.epoch) {
            Some(epoch) => {
                let followed = self.position == Position::At(epoch);
                (Position::At(epoch), !followed || self.roster == tree)
            }
            None => {
                let mut leaving = self.receivers(own);
                let waiting = self
                    .attached
                    .iter()
                    .filter(|(_, entered)| !**entered)
                    .map(|(client, _)| client);
                for client in tree.0.values().flatten().chain(waiting) {
                    leaving.remove(client);
                }
                (Position::Unplaced(Awaited { references, leaving }), true)
            }
        };
        self.position = position;
        self.set_roster(tree);
        self.detach_shown();
        // Whoever the log showed coming in and the tree does not show has left again, or leaves by its commit.
        let gone: Vec<ClientUri> = self
            .attached
            .iter()
            .filter(|(_, entered)| **entered)
            .map(|(client, _)| client.clone())
            .collect();
        for client in gone {
            self.detach(&client);
        }
        fits
    }

    /// Whether a handshake of this epoch is of the roster's. A tree not yet placed belongs to the epoch of the first
    /// handshake after it, for the hub accepts no others.
    fn place(&mut self, epoch: u64) -> bool {
        match self.position {
            Position::Nowhere => false,
            Position::At(at) => at == epoch,
            Position::Unplaced(_) => {
                self.position = Position::At(epoch);
                self.forget_proposals();
                true
            }
        }
    }

    /// The steps of a commit that are known, in order, and whether they are all.
    fn steps(&self, message: &PublicMessage) -> (Vec<Step>, bool) {
        let FramedContentBody::Commit(commit) = &message.content.body else {
            return (Vec::new(), false);
        };
        let step = |entry: &ProposalOrRef| match entry {
            ProposalOrRef::Proposal(proposal) => Step::read(proposal, message.sender()),
            ProposalOrRef::Reference(reference) => self
                .proposals
                .get(&<[u8; 32]>::try_from(reference.as_slice()).ok()?)
                .cloned(),
        };
        let steps: Vec<Step> = commit.proposals.iter().filter_map(step).collect();
        let resolved = steps.len() == commit.proposals.len();
        (steps, resolved)
    }

    fn set_roster(&mut self, next: Roster) {
        for leaf in self.roster.0.keys().filter(|leaf| !next.0.contains_key(leaf)) {
            record::delete_leaf(&mut self.changes, *leaf);
        }
        for (leaf, client) in &next.0 {
            if self.roster.0.get(leaf) != Some(client) {
                record::put_leaf(&mut self.changes, *leaf, client.as_ref());
            }
        }
        self.roster = next;
    }

    fn forget_proposals(&mut self) {
        for reference in std::mem::take(&mut self.proposals).keys() {
            record::delete_proposal(&mut self.changes, reference);
        }
    }

    /// Detaches whom the roster shows.
    fn detach_shown(&mut self) {
        if self.attached.is_empty() {
            return;
        }
        let shown: BTreeSet<&ClientUri> = self.roster.0.values().flatten().collect();
        let shown: Vec<ClientUri> = self
            .attached
            .keys()
            .filter(|client| shown.contains(client))
            .cloned()
            .collect();
        for client in shown {
            self.detach(&client);
        }
    }
}

/// The KeyPackageRef by which a device of ours comes in.
fn added_reference(own: &Domain, step: &Step) -> Option<[u8; 32]> {
    match step {
        Step::Add {
            client: Some(client),
            reference,
        } if client.authority() == own => *reference,
        _ => None,
    }
}
