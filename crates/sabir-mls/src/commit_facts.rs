//! What a staged commit would do, read off before anybody merges it.

use std::collections::{BTreeMap, BTreeSet};

use openmls::group::{GroupContext, PublicGroup, QueuedProposal, StagedCommit};
use openmls::prelude::{
    LeafNode, LeafNodeIndex, ProcessedMessage, Proposal, ProposalOrRefType, Sender, SenderExtensionIndex,
};
use openmls::treesync::TreeSync;
use sabir_wire::device_list::DEVICE_LIST;
use sabir_wire::mls::ComponentId;
use sabir_wire::uri::{ClientUri, UserUri};
use tls_codec::Serialize as _;

use crate::app_data::AppDataOperation;
use crate::error::MlsError;
use crate::identity::{ClientCredential, CredentialError, Freshness, Identity, TrustAnchors, VerifiedClient};
use crate::key_package;
use crate::leaf;
use crate::provider::{Provider, Touched};

/// Who sent a proposal or commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// The member at this leaf.
    Member(u32),
    /// The external sender at this index of the GroupContext's list (the hub).
    External(u32),
    /// A client that joins by this very message.
    NewMember,
}

/// A leaf that a commit brings in or changes, with the verdict on its credential.
#[derive(Debug, Clone)]
pub struct LeafFact {
    /// The client and user the credential names, proved or not.
    pub claims: Option<(ClientUri, UserUri)>,
    /// The verdict, judged by the caller's anchors at the caller's time.
    pub client: Result<VerifiedClient, CredentialError>,
    /// Whether the leaf announces what a room requires of members; the text names what it lacks.
    pub fit: Result<(), &'static str>,
    /// The leaf's public signature key.
    pub signature_key: Vec<u8>,
    /// The signed device list it carries, as encoded.
    pub device_list: Option<Vec<u8>>,
}

/// An Add proposal of a commit.
#[derive(Debug, Clone)]
pub struct AddFact {
    /// Who proposed it.
    pub author: Author,
    /// The new leaf.
    pub leaf: LeafFact,
    /// KeyPackageRef of the package used.
    pub reference: Vec<u8>,
}

/// A proposal that removes a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveFact {
    /// Who proposed it.
    pub author: Author,
    /// Which leaf goes.
    pub removed: u32,
    /// Whether it is a SelfRemove.
    pub self_remove: bool,
}

/// An AppDataUpdate proposal of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppDataFact {
    /// Who proposed it.
    pub author: Author,
    /// Component.
    pub component: u16,
    /// What it asks.
    pub operation: AppDataOperation,
}

/// Everything a policy decision about a commit needs.
#[derive(Debug, Clone)]
pub struct CommitFacts {
    /// Who committed.
    pub committer: Author,
    /// The committer's leaf in the new epoch.
    pub committer_leaf: u32,
    /// The leaf of the commit's path, where there is one: an update of the committer, or the external joiner.
    pub path_leaf: Option<LeafFact>,
    /// Added clients, in order.
    pub adds: Vec<AddFact>,
    /// Removed leaves, in no order (the library keeps none).
    pub removes: Vec<RemoveFact>,
    /// Leaves changed by Update proposals: author's leaf and the new leaf.
    pub updates: Vec<(Author, LeafFact)>,
    /// The old leaves of members that an update or the path of a member's commit replaces.
    pub replaced: Vec<(u32, LeafFact)>,
    /// AppDataUpdate proposals.
    pub app_data: Vec<AppDataFact>,
    /// Types of proposals this reader has no field for (GroupContextExtensions, ReInit, PSK, custom).
    pub others: Vec<u16>,
    /// The epoch the commit leads to.
    pub epoch: u64,
    /// The dictionary of the GroupContext after the commit, ascending by component.
    pub dictionary: Vec<(u16, Vec<u8>)>,
    /// Whether a component comes with this commit that a member who stays does not announce: that member could not
    /// follow its changes.
    pub unannounced: bool,
    /// What follows the SafeAAD in the commit's `authenticated_data`, unread.
    pub authenticated: Vec<u8>,
}

impl CommitFacts {
    /// Every leaf the commit brings in or changes.
    pub fn leaves(&self) -> impl Iterator<Item = &LeafFact> {
        self.path_leaf
            .iter()
            .chain(self.adds.iter().map(|add| &add.leaf))
            .chain(self.updates.iter().map(|(_, leaf)| leaf))
    }

    /// Which leaves of the tree it is about to change it may change; every other node that changes is above one.
    pub(crate) fn touched(&self, tree: &TreeSync) -> Touched {
        let mut touched: BTreeSet<u32> = self.removes.iter().map(|remove| remove.removed).collect();
        // RFC 9420 §12.4.2: removals come first, and a new leaf takes the leftmost place that is free then.
        let leaves = tree.leaves();
        let free = (0_u32..)
            .zip(&leaves)
            .filter(|(index, leaf)| leaf.is_none() || touched.contains(index));
        let added: Vec<u32> = free.map(|(index, _)| index).take(self.adds.len()).collect();
        touched.extend(added);
        touched.extend(self.updates.iter().filter_map(|(author, _)| match author {
            Author::Member(leaf) => Some(*leaf),
            Author::External(_) | Author::NewMember => None,
        }));
        touched.insert(self.committer_leaf);
        Touched::new(leaves.len(), touched)
    }

    /// Refuses the commit if any leaf it brings in is unfit or its credential is not proved.
    ///
    /// # Errors
    /// The first defect.
    pub fn require_verified(&self) -> Result<(), MlsError> {
        for leaf in self.leaves() {
            leaf.verified()?;
        }
        Ok(())
    }
}

impl LeafFact {
    /// The client, where the leaf is fit and its credential proved.
    ///
    /// # Errors
    /// [`MlsError::UnknownProvider`] where no CA of the claimed provider is known, [`MlsError::Credential`] or
    /// [`MlsError::Leaf`] where something does not hold.
    pub fn verified(&self) -> Result<&VerifiedClient, MlsError> {
        let client = self
            .client
            .as_ref()
            .map_err(|error| match (&self.claims, error) {
                (Some((_, user)), CredentialError::UnknownProvider) => {
                    MlsError::UnknownProvider(user.authority().clone())
                }
                (_, error) => MlsError::Credential(error.clone()),
            })?;
        self.fit.map_err(MlsError::Leaf)?;
        Ok(client)
    }

    /// Whose the leaf is, proved or, where its provider's authority is done without, as it claims
    /// ([`super::identity::TrustAnchors::do_without`]): then somebody has to be told.
    ///
    /// # Errors
    /// As [`LeafFact::verified`], save for [`CredentialError::NoAuthority`].
    pub fn client_or_claim(&self) -> Result<(&ClientUri, &UserUri), MlsError> {
        if let (Some((client, user)), Err(CredentialError::NoAuthority)) = (&self.claims, &self.client) {
            self.fit.map_err(MlsError::Leaf)?;
            return Ok((client, user));
        }
        let client = self.verified()?;
        Ok((client.client(), client.user()))
    }

    /// As [`LeafFact::verified`], taking the fact apart.
    ///
    /// # Errors
    /// As [`LeafFact::verified`].
    pub fn into_client(self) -> Result<VerifiedClient, MlsError> {
        self.verified().cloned()
    }
}

/// How credentials are judged: against which anchors, at which time.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Provider CAs that are known.
    pub anchors: &'a TrustAnchors,
    /// At which time validity is judged, or not at all.
    pub freshness: Freshness,
}

impl Judge<'_> {
    /// A leaf that comes into a group which requires these components.
    pub(crate) fn leaf_in(&self, node: &LeafNode, required: &BTreeSet<ComponentId>) -> LeafFact {
        let mut fact = self.leaf(node);
        if fact.fit.is_ok() && !leaf::announces(node, required) {
            fact.fit = Err("app_components lacks a component of this room");
        }
        fact
    }

    pub(crate) fn leaf(&self, node: &LeafNode) -> LeafFact {
        let key = node.signature_key().as_slice();
        let credential = ClientCredential::parse(node.credential().serialized_content());
        let claims = credential
            .as_ref()
            .ok()
            .map(|it| (it.claimed_client().clone(), it.claimed_user().clone()));
        let client = credential.and_then(|credential| credential.verify(self.anchors, self.freshness, key));
        let fit = match leaf::check_leaf(node) {
            Ok(()) => Ok(()),
            Err(MlsError::Leaf(reason)) => Err(reason),
            Err(_) => Err("its component lists are malformed"),
        };
        LeafFact {
            claims,
            client,
            fit,
            signature_key: key.to_vec(),
            device_list: leaf::component_of_leaf(node, DEVICE_LIST),
        }
    }
}

pub(crate) fn author(sender: &Sender) -> Author {
    match sender {
        Sender::Member(index) => Author::Member(index.u32()),
        Sender::External(index) => Author::External(external_index(*index)),
        Sender::NewMemberCommit | Sender::NewMemberProposal => Author::NewMember,
    }
}

/// The library keeps the number to itself but encodes it, as uint32.
fn external_index(index: SenderExtensionIndex) -> u32 {
    let bytes = index.tls_serialize_detached().unwrap_or_default();
    <[u8; 4]>::try_from(bytes.as_slice()).map_or(u32::MAX, u32::from_be_bytes)
}

/// What is around a commit.
pub(crate) struct Framing {
    pub(crate) sender: Sender,
    /// What follows the SafeAAD in `authenticated_data`.
    pub(crate) authenticated: Vec<u8>,
}

impl Framing {
    pub(crate) fn of(processed: &ProcessedMessage) -> Self {
        Self {
            sender: processed.sender().clone(),
            authenticated: processed.tail_aad().to_vec(),
        }
    }
}

/// Reads the facts off a commit staged in `group`.
pub(crate) fn read(
    staged: &StagedCommit,
    framing: Framing,
    judge: &Judge<'_>,
    provider: &Provider,
    group: &PublicGroup,
) -> Result<CommitFacts, MlsError> {
    let Framing {
        sender,
        authenticated,
    } = framing;
    let committer = author(&sender);
    let committer_leaf = match committer {
        Author::Member(leaf) => leaf,
        Author::NewMember => group
            .ext_commit_sender_index(staged)
            .map_err(MlsError::internal)?
            .u32(),
        Author::External(_) => return Err(MlsError::Malformed("Commit")),
    };
    let context = staged.group_context();
    let dictionary = dictionary_of(context);
    let required = leaf::required(&dictionary);
    let mut facts = CommitFacts {
        committer,
        committer_leaf,
        path_leaf: staged
            .update_path_leaf_node()
            .map(|node| judge.leaf_in(node, &required)),
        adds: Vec::new(),
        removes: Vec::new(),
        updates: Vec::new(),
        replaced: Vec::new(),
        app_data: Vec::new(),
        others: Vec::new(),
        epoch: context.epoch().as_u64(),
        dictionary,
        unannounced: false,
        authenticated,
    };
    if facts.path_leaf.is_some() {
        facts.replaced.extend(old_leaf(group, committer, judge));
    }
    for queued in staged.queued_proposals() {
        let author = author(queued.sender());
        match queued.proposal() {
            Proposal::Add(add) => facts.adds.push(AddFact {
                author,
                leaf: judge.leaf_in(add.key_package().leaf_node(), &required),
                reference: key_package::reference(provider, add.key_package())?,
            }),
            Proposal::Remove(remove) => {
                facts.removes.push(RemoveFact {
                    author,
                    removed: remove.removed().u32(),
                    self_remove: false,
                });
            }
            Proposal::SelfRemove => facts.removes.push(RemoveFact {
                author,
                removed: self_removed(queued, committer)?,
                self_remove: true,
            }),
            Proposal::Update(update) => {
                facts.replaced.extend(old_leaf(group, author, judge));
                let fact = judge.leaf_in(update.leaf_node(), &required);
                facts.updates.push((author, fact));
            }
            Proposal::AppDataUpdate(update) => facts.app_data.push(AppDataFact {
                author,
                component: update.component_id(),
                operation: operation(update.operation()),
            }),
            Proposal::ExternalInit(_) => {}
            other => facts.others.push(other.proposal_type().into()),
        }
    }
    judge_continuity(&mut facts, group, provider);
    facts.unannounced = comes_unannounced(&facts, group, &required);
    Ok(facts)
}

pub(crate) fn dictionary_of(context: &GroupContext) -> Vec<(u16, Vec<u8>)> {
    match context.extensions().app_data_dictionary() {
        Some(dictionary) => leaf::entries(dictionary.dictionary()).collect(),
        None => Vec::new(),
    }
}

fn comes_unannounced(facts: &CommitFacts, group: &PublicGroup, required: &BTreeSet<ComponentId>) -> bool {
    let before = leaf::required(&dictionary_of(group.group_context()));
    let new: BTreeSet<ComponentId> = required.difference(&before).copied().collect();
    if new.is_empty() {
        return false;
    }
    // Leaves that are replaced were judged as what replaces them.
    let removed = facts.removes.iter().map(|remove| remove.removed);
    let gone: BTreeSet<u32> = removed
        .chain(facts.replaced.iter().map(|(leaf, _)| *leaf))
        .collect();
    let mut staying = group
        .treesync()
        .full_leaves()
        .filter(|(index, _)| !gone.contains(&index.u32()));
    !staying.all(|(_, node)| leaf::announces(node, &new))
}

/// A person is in a group under one identity key: a new leaf under another one is refused, whatever the provider
/// attests, or a provider could add a reader in the person's name. It is let pass with the recovery key's proof that it
/// takes the place of one that is there; that nobody comes back under the old one is for those to see to who remember
/// which is which. The leaves that are there were verified when
/// they came in; whether their CA is still known is not asked.
fn judge_continuity(facts: &mut CommitFacts, group: &PublicGroup, provider: &Provider) {
    let new: BTreeSet<UserUri> = facts
        .leaves()
        .filter_map(|leaf| Some(leaf.client.as_ref().ok()?.user().clone()))
        .collect();
    if new.is_empty() {
        return;
    }
    let mut known: BTreeMap<UserUri, BTreeSet<Identity>> = BTreeMap::new();
    for (index, leaf) in group.treesync().full_leaves() {
        let content = leaf.credential().serialized_content();
        provider.claims().with(index.u32(), content, |old| {
            if let Some(old) = old.filter(|old| new.contains(&old.user)) {
                let keys = known.entry(old.user.clone()).or_default();
                keys.insert(old.identity);
            }
        });
    }
    let path = facts.path_leaf.iter_mut();
    let adds = facts.adds.iter_mut().map(|add| &mut add.leaf);
    let updates = facts.updates.iter_mut().map(|(_, leaf)| leaf);
    for leaf in path.chain(adds).chain(updates) {
        let Ok(new) = &leaf.client else { continue };
        let keys = known.entry(new.user().clone()).or_default();
        let same = |old: &Identity| old.key == *new.identity_key() || new.replaces(old);
        if keys.is_empty() || keys.iter().any(same) {
            keys.insert(new.identity());
        } else {
            leaf.client = Err(CredentialError::ContinuityBroken);
        }
    }
}

/// The leaf that goes by a SelfRemove. The library takes one by value too, where it would remove the committer, whose
/// path puts the leaf back.
fn self_removed(queued: &QueuedProposal, committer: Author) -> Result<u32, MlsError> {
    // draft-ietf-mls-extensions §6.3.1: "SelfRemove proposals are only allowed in a Commit by reference".
    if queued.proposal_or_ref_type() != ProposalOrRefType::Reference {
        return Err(MlsError::invalid("a SelfRemove proposal by value"));
    }
    match author(queued.sender()) {
        // RFC 9420 §12.2: nobody commits their own removal.
        by if by == committer => Err(MlsError::invalid("the committer removes itself")),
        Author::Member(removed) => Ok(removed),
        // draft-ietf-mls-extensions §6.3.1: "SelfRemove cannot be sent as an external proposal".
        _ => Err(MlsError::invalid("a SelfRemove proposal of no member")),
    }
}

/// A member's leaf as it is now. It is in the tree already, so its validity in time is not asked.
fn old_leaf(group: &PublicGroup, author: Author, judge: &Judge<'_>) -> Option<(u32, LeafFact)> {
    let Author::Member(leaf) = author else { return None };
    let judge = Judge {
        anchors: judge.anchors,
        freshness: Freshness::Ignored,
    };
    Some((leaf, judge.leaf(group.leaf(LeafNodeIndex::new(leaf))?)))
}

pub(crate) fn operation(
    operation: &openmls::messages::proposals::AppDataUpdateOperation,
) -> AppDataOperation {
    use openmls::messages::proposals::AppDataUpdateOperation;
    match operation {
        AppDataUpdateOperation::Update(bytes) => AppDataOperation::Update(bytes.as_slice().to_vec()),
        AppDataUpdateOperation::Remove => AppDataOperation::Remove,
    }
}
