//! Application messages and whatever else the hub's log brings.

use openmls::framing::SafeAadItem;
use openmls::prelude::{
    DeserializeBytes as _, MlsMessageIn, OpenMlsProvider as _, ProcessMessageError, ProcessedMessage,
    ProcessedMessageContent, ProtocolMessage, StagedCommit,
};
use rand_core::CryptoRng;

use super::{Group, PendingProposal, commit};
use crate::app_data::{AppDataOperation, ComponentRules};
use crate::commit_facts::{self, Author, CommitFacts, Framing, Judge};
use crate::error::MlsError;
use crate::leaf::Device;

/// A decrypted application message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender's leaf.
    pub leaf: u32,
    /// Content of the sender's x509 credential.
    pub credential: Vec<u8>,
    /// What was encrypted.
    pub plaintext: Vec<u8>,
    /// Items of the SafeAAD, component and data, ascending.
    pub safe_aad: Vec<(u16, Vec<u8>)>,
    /// Epoch it was sent in.
    pub epoch: u64,
}

/// Somebody else's commit, checked and not yet merged.
#[derive(Debug)]
pub struct StagedGroupCommit {
    /// What it would do.
    pub facts: CommitFacts,
    /// Whether it removes this client.
    pub removes_self: bool,
    staged: Box<StagedCommit>,
}

/// What a message of the hub's log is to this client.
#[derive(Debug)]
pub enum Incoming {
    /// An application message of another client.
    Message(Received),
    /// An application message this client sent; its content is not readable from here.
    OwnMessage,
    /// Somebody's proposal; it was queued for the next commit.
    Proposal(Box<PendingProposal>),
    /// Somebody's commit; merge it with [`Group::merge`].
    Commit(Box<StagedGroupCommit>),
    /// The pending commit of this client; merge it with [`Group::merge_own`].
    OwnCommit,
}

impl Group {
    /// Encrypts an application message with the given SafeAAD items (component and data).
    ///
    /// # Errors
    /// [`MlsError::Evicted`], or [`MlsError::Invalid`] where proposals wait for a commit.
    pub fn encrypt(
        &mut self,
        device: &Device,
        safe_aad: Vec<(u16, Vec<u8>)>,
        plaintext: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, MlsError> {
        if !self.group.is_active() {
            return Err(MlsError::Evicted);
        }
        self.provider.reseed(rng);
        let items = safe_aad
            .into_iter()
            .map(|(component, data)| SafeAadItem::new(component, data))
            .collect();
        self.group.set_safe_aad(items).map_err(MlsError::invalid)?;
        self.group
            .create_message(&self.provider, &device.key, plaintext)
            .map_err(MlsError::invalid)?
            .to_bytes()
            .map_err(MlsError::internal)
    }

    /// Processes an `MLSMessage` of the hub's log. Commits come back staged; everything else takes effect.
    ///
    /// # Errors
    /// [`MlsError::WrongEpoch`] for a message of another epoch; [`MlsError::Invalid`] or
    /// [`MlsError::AppData`] where MLS or the room's rules refuse it; then the group must be dropped and
    /// loaded again.
    pub fn process(
        &mut self,
        message: &[u8],
        judge: &Judge<'_>,
        rules: &dyn ComponentRules,
        rng: &mut dyn CryptoRng,
    ) -> Result<Incoming, MlsError> {
        if !self.group.is_active() {
            return Err(MlsError::Evicted);
        }
        let message = protocol_message(message)?;
        if message.group_id() != self.group.group_id() {
            return Err(MlsError::WrongGroup);
        }
        if message.epoch() != self.group.epoch() {
            return Err(MlsError::WrongEpoch {
                message: message.epoch().as_u64(),
                group: self.epoch(),
            });
        }
        self.provider.reseed(rng);
        let processed = self
            .group
            .process_message(&self.provider, message)
            .map_err(|error| match error {
                ProcessMessageError::StorageError(error) => MlsError::internal(error),
                error => MlsError::invalid(error),
            })?;
        let framing = Framing::of(&processed);
        let received = received(&processed);
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(content) => {
                let Author::Member(leaf) = commit_facts::author(&framing.sender) else {
                    return Err(MlsError::Malformed("PrivateMessage"));
                };
                Ok(Incoming::Message(Received {
                    leaf,
                    plaintext: content.into_bytes(),
                    ..received
                }))
            }
            ProcessedMessageContent::OwnPrivateMessage => Ok(Incoming::OwnMessage),
            ProcessedMessageContent::OwnPendingCommit => Ok(Incoming::OwnCommit),
            ProcessedMessageContent::ProposalMessage(proposal)
            | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
                let facts = super::propose::facts(&proposal);
                // It came twice, or it is this client's own, which waits here since it was made.
                if !self.has_proposal(&facts.reference) {
                    self.group
                        .store_pending_proposal(self.provider.storage(), *proposal)
                        .map_err(MlsError::internal)?;
                }
                Ok(Incoming::Proposal(Box::new(facts)))
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => self.staged(staged, framing, judge),
            ProcessedMessageContent::UnresolvedAppDataCommit(unresolved) => {
                let operations: Vec<(u16, AppDataOperation)> = unresolved
                    .app_data_update_proposals()
                    .map(|update| (update.component_id(), commit_facts::operation(update.operation())))
                    .collect();
                let changes = commit::resolve(self.group.app_data_dictionary_updater(), &operations, rules)?;
                let staged = self
                    .group
                    .stage_app_data_commit(&self.provider, *unresolved, changes)
                    .map_err(MlsError::invalid)?;
                self.staged(Box::new(staged), framing, judge)
            }
        }
    }

    fn staged(
        &self,
        staged: Box<StagedCommit>,
        framing: Framing,
        judge: &Judge<'_>,
    ) -> Result<Incoming, MlsError> {
        let facts = commit_facts::read(&staged, framing, judge, &self.provider, self.group.public_group())?;
        let removes_self = staged.self_removed();
        Ok(Incoming::Commit(Box::new(StagedGroupCommit {
            facts,
            removes_self,
            staged,
        })))
    }

    /// Merges somebody else's commit. A pending commit of this client is dropped with the epoch it was for.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn merge(&mut self, commit: StagedGroupCommit) -> Result<(), MlsError> {
        let touched = commit.facts.touched(self.group.public_group().treesync());
        self.provider.expect_touched(Some(touched));
        let merged = self.group.merge_staged_commit(&self.provider, *commit.staged);
        self.provider.expect_touched(None);
        merged.map_err(MlsError::internal)
    }
}

fn received(processed: &ProcessedMessage) -> Received {
    let items = processed
        .safe_aad()
        .map(openmls::framing::SafeAad::items)
        .unwrap_or_default();
    Received {
        leaf: 0,
        credential: processed.credential().serialized_content().to_vec(),
        plaintext: Vec::new(),
        safe_aad: items
            .iter()
            .map(|item| (item.component_id(), item.data().to_vec()))
            .collect(),
        epoch: processed.epoch().as_u64(),
    }
}

pub(crate) fn protocol_message(bytes: &[u8]) -> Result<ProtocolMessage, MlsError> {
    let message =
        MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed("MLSMessage"))?;
    message
        .try_into_protocol_message()
        .map_err(|_| MlsError::Malformed("MLSMessage"))
}
