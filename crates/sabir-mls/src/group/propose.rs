//! Proposals: this client's own, and those of the log that wait for a commit.
//!
//! A proposal of this client waits here from the moment it is made, for the commit that will refer to it. While any
//! waits, nothing can be encrypted (RFC 9420 §12.4).

use openmls::group::QueuedProposal;
use openmls::messages::proposals::AppDataUpdateOperation;
use openmls::prelude::{LeafNodeIndex, OpenMlsProvider as _, Proposal};
use rand_core::CryptoRng;

use super::Group;
use crate::app_data::AppDataOperation;
use crate::commit_facts::{self, Author};
use crate::error::MlsError;
use crate::leaf::Device;

/// A proposal of this client, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnProposal {
    /// Encoded `MLSMessage`, a PublicMessage.
    pub message: Vec<u8>,
    /// Its ProposalRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
}

/// A proposal that waits for a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingProposal {
    /// Who sent it.
    pub author: Author,
    /// The leaf that goes by it: the one a Remove names, or the author's own for a SelfRemove.
    pub removes: Option<u32>,
    /// Whether it is a SelfRemove.
    pub self_remove: bool,
    /// What it asks of the room's state: component and operation.
    pub app_data: Option<(u16, AppDataOperation)>,
    /// Its type.
    pub proposal_type: u16,
    /// Its ProposalRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
}

impl Group {
    /// Proposes that this client's own leaf goes (draft-ietf-mls-extensions §6.3).
    ///
    /// # Errors
    /// [`MlsError::Evicted`], [`MlsError::CommitPending`], or [`MlsError::Invalid`].
    pub fn propose_self_remove(
        &mut self,
        device: &Device,
        rng: &mut dyn CryptoRng,
    ) -> Result<OwnProposal, MlsError> {
        self.may_propose(rng)?;
        let message = self
            .group
            .leave_group_via_self_remove(&self.provider, &device.key)
            .map_err(MlsError::invalid)?;
        let reference = self
            .group
            .pending_proposals()
            .last()
            .map(|queued| queued.proposal_reference_ref().as_slice().to_vec())
            .ok_or_else(|| MlsError::Internal("a proposal was made and does not wait".into()))?;
        let message = message.to_bytes().map_err(MlsError::internal)?;
        Ok(OwnProposal { message, reference })
    }

    /// Proposes that a leaf goes.
    ///
    /// # Errors
    /// As [`Group::propose_self_remove`].
    pub fn propose_remove(
        &mut self,
        device: &Device,
        leaf: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<OwnProposal, MlsError> {
        self.may_propose(rng)?;
        let (message, reference) = self
            .group
            .propose_remove_member(&self.provider, &device.key, LeafNodeIndex::new(leaf))
            .map_err(MlsError::invalid)?;
        Ok(OwnProposal {
            message: message.to_bytes().map_err(MlsError::internal)?,
            reference: reference.as_slice().to_vec(),
        })
    }

    /// Proposes a change of the room's state.
    ///
    /// # Errors
    /// As [`Group::propose_self_remove`].
    pub fn propose_app_data(
        &mut self,
        device: &Device,
        component: u16,
        operation: &AppDataOperation,
        rng: &mut dyn CryptoRng,
    ) -> Result<OwnProposal, MlsError> {
        self.may_propose(rng)?;
        let operation = match operation {
            AppDataOperation::Update(bytes) => AppDataUpdateOperation::Update(bytes.clone().into()),
            AppDataOperation::Remove => AppDataUpdateOperation::Remove,
        };
        let (message, reference) = self
            .group
            .propose_app_data_update(&self.provider, &device.key, component, operation)
            .map_err(MlsError::invalid)?;
        Ok(OwnProposal {
            message: message.to_bytes().map_err(MlsError::internal)?,
            reference: reference.as_slice().to_vec(),
        })
    }

    /// Takes back proposals of this client that the hub did not accept. Those that do not wait are passed over.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn withdraw(&mut self, references: &[Vec<u8>]) -> Result<(), MlsError> {
        let waiting: Vec<_> = self
            .group
            .pending_proposals()
            .map(|queued| queued.proposal_reference_ref().clone())
            .filter(|waiting| references.iter().any(|reference| reference == waiting.as_slice()))
            .collect();
        for reference in waiting {
            self.group
                .remove_pending_proposal(self.provider.storage(), &reference)
                .map_err(MlsError::internal)?;
        }
        Ok(())
    }

    /// The proposals that wait for a commit, oldest first.
    pub fn proposals(&self) -> impl Iterator<Item = PendingProposal> + '_ {
        self.group.pending_proposals().map(facts)
    }

    pub(super) fn has_proposal(&self, reference: &[u8]) -> bool {
        self.group
            .pending_proposals()
            .any(|queued| queued.proposal_reference_ref().as_slice() == reference)
    }

    pub(super) fn has_pending_removes(&self) -> bool {
        let removes = |proposal: &Proposal| matches!(proposal, Proposal::Remove(_) | Proposal::SelfRemove);
        self.group
            .pending_proposals()
            .any(|queued| removes(queued.proposal()))
    }

    fn may_propose(&mut self, rng: &mut dyn CryptoRng) -> Result<(), MlsError> {
        if !self.group.is_active() {
            return Err(MlsError::Evicted);
        }
        if self.group.pending_commit().is_some() {
            return Err(MlsError::CommitPending);
        }
        self.provider.reseed(rng);
        Ok(())
    }
}

pub(crate) fn facts(queued: &QueuedProposal) -> PendingProposal {
    let author = commit_facts::author(queued.sender());
    let mut facts = PendingProposal {
        author,
        removes: None,
        self_remove: false,
        app_data: None,
        proposal_type: queued.proposal().proposal_type().into(),
        reference: queued.proposal_reference_ref().as_slice().to_vec(),
    };
    match (queued.proposal(), author) {
        (Proposal::Remove(remove), _) => facts.removes = Some(remove.removed().u32()),
        (Proposal::SelfRemove, Author::Member(leaf)) => {
            facts.removes = Some(leaf);
            facts.self_remove = true;
        }
        (Proposal::AppDataUpdate(update), _) => {
            facts.app_data = Some((update.component_id(), commit_facts::operation(update.operation())));
        }
        _ => {}
    }
    facts
}
