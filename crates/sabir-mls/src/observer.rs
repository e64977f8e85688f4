//! A hub's view of a group: it follows every handshake, decides before anything changes, and reads no message.
//!
//! [`Observer::stage`] checks a commit and says what it would do; nothing has changed yet. The caller applies
//! its policy to the facts, checks the GroupInfo that came along with [`Observer::check_group_info`], then
//! [`Observer::merge`]s. After an error in `merge` the caller drops the observer and loads it again.

use openmls::group::{GroupId, ProposalStore, PublicGroup, QueuedProposal, StagedCommit};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    ConfirmationTag, ContentType, LeafNode, LeafNodeIndex, OpenMlsProvider as _, ProcessedMessageContent,
    ProtocolMessage, SignaturePublicKey, Verifiable as _,
};
use rand_core::CryptoRng;
use sabir_wire::mls::{ComponentId, RatchetTree};
use sabir_wire::uri::{ClientUri, UserUri};

use crate::app_data::{AppDataOperation, ComponentRules};
use crate::commit_facts::{self, CommitFacts, Framing, Judge, LeafFact};
use crate::error::MlsError;
use crate::group::{self, GroupInfoView, MemberLeaf, PendingProposal};
use crate::leaf;
use crate::provider::Provider;
use crate::rows::{RowChanges, Rows};
use crate::tree;

/// One group, as its hub follows it.
pub struct Observer {
    provider: Provider,
    group: PublicGroup,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer")
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

/// A commit that MLS and the room's rules allow, not yet merged.
#[derive(Debug)]
pub struct StagedObserved {
    /// What it would do.
    pub facts: CommitFacts,
    staged: StagedCommit,
    confirmation_tag: ConfirmationTag,
}

/// A proposal that MLS allows, not yet queued.
#[derive(Debug)]
pub struct ObservedProposal {
    /// Who asks what.
    pub facts: PendingProposal,
    queued: QueuedProposal,
}

/// A handshake message, checked.
#[derive(Debug)]
pub enum Observed {
    /// A commit.
    Commit(Box<StagedObserved>),
    /// A proposal.
    Proposal(Box<ObservedProposal>),
}

impl Observer {
    /// Begins to follow a group from its GroupInfo and tree. Every leaf must be fit and its credential proved.
    ///
    /// # Errors
    /// [`MlsError`] names what does not hold.
    pub fn create(
        view: GroupInfoView<'_>,
        judge: &Judge<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, CreatedFacts), MlsError> {
        let provider = Provider::new(rng, Rows::new());
        let info = group::parse_group_info(view.group_info)?;
        leaf::suite(info.ciphersuite().into())?;
        if info.extensions().external_pub().is_none() {
            return Err(MlsError::GroupInfo("external_pub is missing"));
        }
        let tree = group::parse_tree(view.ratchet_tree)?;
        let (group, _) = PublicGroup::from_external(
            provider.crypto(),
            provider.storage(),
            tree,
            info,
            ProposalStore::new(),
        )
        .map_err(MlsError::invalid)?;
        let observer = Self { provider, group };
        let leaves = observer.judge_members(judge);
        for (_, fact) in &leaves {
            fact.verified()?;
        }
        let facts = CreatedFacts {
            leaves,
            hub_sender: observer.external_senders().into_iter().next(),
        };
        Ok((observer, facts))
    }

    /// Loads a group from its rows.
    ///
    /// # Errors
    /// [`MlsError::NoSuchGroup`] where the rows do not hold it.
    pub fn load(rows: Rows, group_id: &[u8], rng: &mut dyn CryptoRng) -> Result<Self, MlsError> {
        let provider = Provider::new(rng, rows);
        let group = PublicGroup::load(provider.storage(), &GroupId::from_slice(group_id))
            .map_err(MlsError::internal)?
            .ok_or(MlsError::NoSuchGroup)?;
        Ok(Self { provider, group })
    }

    /// Drops what was not taken and goes back to the rows as they were.
    ///
    /// # Errors
    /// [`MlsError::NoSuchGroup`] where the group was never taken.
    pub fn reload(&mut self) -> Result<(), MlsError> {
        self.provider.discard();
        self.group = PublicGroup::load(self.provider.storage(), self.group.group_id())
            .map_err(MlsError::internal)?
            .ok_or(MlsError::NoSuchGroup)?;
        Ok(())
    }

    /// What changed since the last call; to be persisted before anything is answered.
    pub fn take_changes(&mut self) -> RowChanges {
        self.provider.take_changes()
    }

    /// Checks a handshake message without changing anything.
    ///
    /// # Errors
    /// [`MlsError::WrongEpoch`] for another epoch; otherwise what does not hold. Credentials are judged but
    /// left in the facts: [`CommitFacts::require_verified`] refuses them.
    pub fn stage(
        &mut self,
        message: &[u8],
        judge: &Judge<'_>,
        rules: &dyn ComponentRules,
    ) -> Result<Observed, MlsError> {
        let message = group::protocol_message(message)?;
        if message.group_id() != self.group.group_id() {
            return Err(MlsError::WrongGroup);
        }
        if message.epoch() != self.group.group_context().epoch() {
            return Err(MlsError::WrongEpoch {
                message: message.epoch().as_u64(),
                group: self.epoch(),
            });
        }
        let ProtocolMessage::PublicMessage(public) = &message else {
            return Err(MlsError::Malformed("PublicMessage"));
        };
        if public.content_type() == ContentType::Application {
            return Err(MlsError::Malformed("PublicMessage"));
        }
        let tag = public.confirmation_tag().cloned();
        let processed = self
            .group
            .process_message(self.provider.crypto(), message)
            .map_err(MlsError::invalid)?;
        let framing = Framing::of(&processed);
        match processed.into_content() {
            ProcessedMessageContent::ProposalMessage(queued)
            | ProcessedMessageContent::ExternalJoinProposalMessage(queued) => {
                Ok(Observed::Proposal(Box::new(ObservedProposal {
                    facts: group::proposal_facts(&queued),
                    queued: *queued,
                })))
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => self.staged(*staged, framing, tag, judge),
            ProcessedMessageContent::UnresolvedAppDataCommit(unresolved) => {
                let operations: Vec<(u16, AppDataOperation)> = unresolved
                    .app_data_update_proposals()
                    .map(|update| (update.component_id(), commit_facts::operation(update.operation())))
                    .collect();
                let changes = group::resolve(self.group.app_data_dictionary_updater(), &operations, rules)?;
                let staged = self
                    .group
                    .stage_app_data_commit(self.provider.crypto(), *unresolved, changes)
                    .map_err(MlsError::invalid)?;
                self.staged(staged, framing, tag, judge)
            }
            _ => Err(MlsError::Malformed("PublicMessage")),
        }
    }

    fn staged(
        &self,
        staged: StagedCommit,
        framing: Framing,
        tag: Option<ConfirmationTag>,
        judge: &Judge<'_>,
    ) -> Result<Observed, MlsError> {
        let facts = commit_facts::read(&staged, framing, judge, &self.provider, &self.group)?;
        let confirmation_tag = tag.ok_or(MlsError::Malformed("PublicMessage"))?;
        Ok(Observed::Commit(Box::new(StagedObserved {
            facts,
            staged,
            confirmation_tag,
        })))
    }

    /// Checks that an encoded `GroupInfo` is the one of the epoch a staged commit leads to: signed by the
    /// committer's new leaf, with that epoch's context and the commit's confirmation tag, and with
    /// `external_pub`.
    ///
    /// A hub cannot check the value of `external_pub`: only members know the epoch's secret.
    ///
    /// # Errors
    /// [`MlsError::GroupInfo`] names what does not match.
    pub fn check_group_info(&self, staged: &StagedObserved, group_info: &[u8]) -> Result<(), MlsError> {
        let info = group::parse_group_info(group_info)?;
        if info.extensions().external_pub().is_none() {
            return Err(MlsError::GroupInfo("external_pub is missing"));
        }
        if info.extensions().ratchet_tree().is_some() {
            // draft-ietf-mimi-protocol-06 §5.3: "Both the Welcome and GroupInfo omit the ratchet_tree".
            return Err(MlsError::GroupInfo("it carries a ratchet_tree extension"));
        }
        let signer = LeafNodeIndex::new(staged.facts.committer_leaf);
        let key = staged
            .staged
            .update_path_leaf_node()
            .or_else(|| self.group.leaf(signer))
            .map(LeafNode::signature_key)
            .ok_or(MlsError::GroupInfo("the committer has no leaf"))?
            .clone();
        let key = signature_key(key, self.group.ciphersuite());
        let verified = info
            .clone()
            .verify(self.provider.crypto(), &key)
            .map_err(|_| MlsError::GroupInfo("its signature is not the committer's"))?;
        let expected = VerifiableGroupInfo::new(
            staged.staged.group_context().clone(),
            verified.extensions().clone(),
            staged.confirmation_tag.clone(),
            signer,
            verified.signature().clone(),
        );
        if expected == info {
            Ok(())
        } else {
            Err(MlsError::GroupInfo("it is not of the epoch the commit leads to"))
        }
    }

    /// Checks that a tree that came along is the one of the epoch a staged commit leads to.
    ///
    /// # Errors
    /// [`MlsError::RatchetTree`].
    pub fn check_tree(&self, staged: &StagedObserved, given: &RatchetTree) -> Result<(), MlsError> {
        // The library computed the hash of its own tree when it staged the commit.
        if tree::hash(self.group.ciphersuite(), given) == staged.staged.group_context().tree_hash() {
            Ok(())
        } else {
            Err(MlsError::RatchetTree)
        }
    }

    /// Merges a staged commit.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only; the observer must then be dropped or reloaded, and its changes with it.
    pub fn merge(&mut self, commit: StagedObserved) -> Result<(), MlsError> {
        let touched = commit.facts.touched(self.group.treesync());
        self.provider.expect_touched(Some(touched));
        let merged = self.group.merge_commit(self.provider.storage(), commit.staged);
        self.provider.expect_touched(None);
        merged.map_err(MlsError::internal)?;
        let end = self
            .full_leaves()
            .last()
            .map_or(0, |(leaf, _)| leaf.saturating_add(1));
        self.provider.claims().forget_from(end);
        Ok(())
    }

    /// Queues a proposal that the hub accepted; later commits may refer to it.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn queue(&mut self, proposal: ObservedProposal) -> Result<(), MlsError> {
        self.group
            .add_proposal(self.provider.storage(), proposal.queued)
            .map_err(MlsError::internal)
    }

    /// The proposals queued in this epoch, in the order in which they were.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn proposals(&self) -> Result<Vec<PendingProposal>, MlsError> {
        let queued = self
            .group
            .queued_proposals(self.provider.storage())
            .map_err(MlsError::internal)?;
        Ok(queued
            .iter()
            .map(|(_, queued)| group::proposal_facts(queued))
            .collect())
    }

    /// The encoded tree of the current epoch.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn ratchet_tree(&self) -> Result<Vec<u8>, MlsError> {
        tree::encode(self.group.treesync())
    }

    /// Current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.group.group_context().epoch().as_u64()
    }

    /// MLS group id.
    #[must_use]
    pub fn group_id(&self) -> &[u8] {
        self.group.group_id().as_slice()
    }

    /// Cipher suite of the group.
    #[must_use]
    pub fn suite(&self) -> u16 {
        self.group.ciphersuite().into()
    }

    /// Data of a component in the GroupContext.
    #[must_use]
    pub fn component(&self, component: ComponentId) -> Option<Vec<u8>> {
        let extensions = self.group.group_context().extensions();
        extensions
            .app_data_dictionary()?
            .dictionary()
            .get(&component.0)
            .map(<[u8]>::to_vec)
    }

    /// The external senders of the GroupContext: public key and credential, each as the extension encodes it.
    #[must_use]
    pub fn external_senders(&self) -> Vec<Vec<u8>> {
        let senders = self.group.group_context().extensions().external_senders();
        senders
            .map(|list| {
                list.iter()
                    .filter_map(|sender| group::encode(sender).ok())
                    .collect()
            })
            .unwrap_or_default()
    }

    /// All members, ascending by leaf.
    pub fn members(&self) -> impl Iterator<Item = MemberLeaf> + '_ {
        self.full_leaves().map(|(leaf, node)| MemberLeaf {
            leaf,
            credential: node.credential().serialized_content().to_vec(),
            signature_key: node.signature_key().as_slice().to_vec(),
        })
    }

    /// The client and user each member's credential claims, ascending by leaf; `None` where it does not have our
    /// form. They were proved when they came in.
    pub fn clients(&self) -> impl Iterator<Item = (u32, Option<(ClientUri, UserUri)>)> + '_ {
        self.full_leaves()
            .map(|(index, leaf)| (index, self.claim(index, leaf)))
    }

    /// The indices of the leaves that are not blank, ascending.
    pub fn leaf_indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.full_leaves().map(|(index, _)| index)
    }

    /// As [`Observer::clients`], of one leaf; `None` too where it is blank.
    #[must_use]
    pub fn client(&self, leaf: u32) -> Option<(ClientUri, UserUri)> {
        self.claim(leaf, self.group.leaf(LeafNodeIndex::new(leaf))?)
    }

    fn claim(&self, index: u32, leaf: &LeafNode) -> Option<(ClientUri, UserUri)> {
        let content = leaf.credential().serialized_content();
        let claim = self.provider.claims().of(index, content)?;
        Some((claim.client, claim.user))
    }

    /// The verdict on every member, ascending by leaf.
    #[must_use]
    pub fn judge_members(&self, judge: &Judge<'_>) -> Vec<(u32, LeafFact)> {
        let required = leaf::required(&commit_facts::dictionary_of(self.group.group_context()));
        self.full_leaves()
            .map(|(index, leaf)| (index, judge.leaf_in(leaf, &required)))
            .collect()
    }

    /// The leaves that are not blank, ascending.
    fn full_leaves(&self) -> impl Iterator<Item = (u32, &LeafNode)> {
        let leaves = self.group.treesync().full_leaves();
        leaves.map(|(index, leaf)| (index.u32(), leaf))
    }

    /// The confirmed transcript hash, equal to the members'.
    #[must_use]
    pub fn transcript_hash(&self) -> &[u8] {
        self.group.group_context().confirmed_transcript_hash()
    }
}

/// What a new room's group looks like.
#[derive(Debug, Clone)]
pub struct CreatedFacts {
    /// Its members, ascending by leaf.
    pub leaves: Vec<(u32, LeafFact)>,
    /// The encoded first external sender, if there is one.
    pub hub_sender: Option<Vec<u8>>,
}

fn signature_key(
    key: SignaturePublicKey,
    suite: openmls::prelude::Ciphersuite,
) -> openmls::prelude::OpenMlsSignaturePublicKey {
    openmls::prelude::OpenMlsSignaturePublicKey::from_signature_key(key, suite.signature_algorithm())
}
