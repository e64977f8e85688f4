//! Commits of this client: built, then merged or dropped as the hub decides.

use openmls::group::AppDataDictionaryUpdater;
use openmls::prelude::{
    AppDataUpdateProposal, LeafNodeIndex, LeafNodeParameters, MlsMessageOut, OpenMlsProvider as _, Proposal,
    tls_codec,
};
use openmls::treesync::RatchetTree;
use rand_core::CryptoRng;

use super::Group;
use crate::app_data::{self, AppDataChanges, AppDataOperation, ComponentRules};
use crate::commit_facts;
use crate::error::MlsError;
use crate::key_package::VerifiedKeyPackage;
use crate::leaf::Device;
use crate::rows::RowChanges;

/// What a commit is to do.
#[derive(Debug, Clone, Default)]
pub struct CommitPlan {
    /// Clients to add.
    pub adds: Vec<VerifiedKeyPackage>,
    /// Leaves to remove.
    pub removes: Vec<u32>,
    /// Changes of the room's state, at most one per component.
    pub app_data: Vec<(u16, AppDataOperation)>,
    /// Whether to renew this client's own leaf even if nothing else requires it.
    pub refresh: bool,
}

/// GroupInfo and ratchet tree of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicState {
    /// Encoded `GroupInfo` without a ratchet_tree extension.
    pub group_info: Vec<u8>,
    /// Encoded `optional<Node> ratchet_tree<V>`.
    pub ratchet_tree: Vec<u8>,
}

/// A commit of this client, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCommit {
    /// Encoded `MLSMessage` with the commit.
    pub commit: Vec<u8>,
    /// Encoded `Welcome` for the clients it adds.
    pub welcome: Option<Vec<u8>>,
    /// GroupInfo and tree of the epoch the commit leads to.
    pub next: PublicState,
}

/// A commit of this client for a hub that follows the tree by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubCommit {
    /// Encoded `MLSMessage` with the commit.
    pub commit: Vec<u8>,
    /// Encoded `Welcome` for the clients it adds.
    pub welcome: Option<Vec<u8>>,
    /// Encoded `GroupInfo`, without a ratchet_tree extension, of the epoch the commit leads to.
    pub group_info: Vec<u8>,
}

impl From<OwnCommit> for HubCommit {
    fn from(own: OwnCommit) -> Self {
        Self {
            commit: own.commit,
            welcome: own.welcome,
            group_info: own.next.group_info,
        }
    }
}

impl Group {
    /// As [`Group::commit_leaving_tree`], with the tree of the epoch it leads to, which the library builds and checks
    /// anew for the purpose.
    ///
    /// # Errors
    /// As [`Group::commit_leaving_tree`].
    pub fn commit(
        &mut self,
        device: &Device,
        plan: CommitPlan,
        rules: &dyn ComponentRules,
        rng: &mut dyn CryptoRng,
    ) -> Result<OwnCommit, MlsError> {
        let HubCommit {
            commit,
            welcome,
            group_info,
        } = self.commit_leaving_tree(device, plan, rules, rng)?;
        let pending = self
            .group
            .pending_commit()
            .ok_or_else(|| MlsError::Internal("no pending commit".into()))?;
        let tree = pending
            .export_ratchet_tree(self.provider.crypto(), self.group.export_ratchet_tree())
            .map_err(MlsError::internal)?
            .ok_or_else(|| MlsError::Internal("a commit of our own without a tree".into()))?;
        Ok(OwnCommit {
            commit,
            welcome,
            next: PublicState {
                group_info,
                ratchet_tree: encode(&tree)?,
            },
        })
    }

    /// Builds a commit and leaves it pending until [`Group::merge_own`] or [`Group::drop_own`]. It refers to every
    /// proposal that waits, and holds what the plan asks for by value.
    ///
    /// # Errors
    /// [`MlsError::CommitPending`] where one is pending already; [`MlsError::AppData`] where the plan breaks a
    /// rule of the room's state; [`MlsError::Invalid`] where MLS forbids it.
    pub fn commit_leaving_tree(
        &mut self,
        device: &Device,
        plan: CommitPlan,
        rules: &dyn ComponentRules,
        rng: &mut dyn CryptoRng,
    ) -> Result<HubCommit, MlsError> {
        if !self.group.is_active() {
            return Err(MlsError::Evicted);
        }
        if self.group.pending_commit().is_some() {
            return Err(MlsError::CommitPending);
        }
        self.provider.reseed(rng);
        // A leaf that is renewed carries what the device carries today, its newest device list above all.
        let renews = plan.refresh || !plan.removes.is_empty() || self.has_pending_removes();
        let parameters = if renews {
            device.leaf(self.provider.rand())?.into_parameters()
        } else {
            LeafNodeParameters::default()
        };
        let mut builder = self
            .group
            .commit_builder()
            .force_self_update(plan.refresh)
            .leaf_node_parameters(parameters)
            .propose_adds(plan.adds.into_iter().map(|package| package.inner))
            .propose_removals(plan.removes.into_iter().map(LeafNodeIndex::new))
            .add_proposals(
                plan.app_data
                    .iter()
                    .map(|(component, operation)| proposal(*component, operation)),
            )
            .load_psks(self.provider.storage())
            .map_err(MlsError::invalid)?;
        let changes = {
            let updater = builder.app_data_dictionary_updater();
            let operations: Vec<(u16, AppDataOperation)> = builder
                .app_data_update_proposals()
                .map(|update| (update.component_id(), commit_facts::operation(update.operation())))
                .collect();
            resolve(updater, &operations, rules)?
        };
        builder.with_app_data_dictionary_updates(changes);
        let bundle = builder
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build(self.provider.rand(), self.provider.crypto(), &device.key, |_| {
                true
            })
            .map_err(MlsError::invalid)?
            .stage_commit(&self.provider)
            .map_err(MlsError::invalid)?;
        let (commit, welcome, info) = bundle.into_contents();
        let info = info.ok_or_else(|| MlsError::Internal("a commit without group info".into()))?;
        Ok(HubCommit {
            commit: commit.to_bytes().map_err(MlsError::internal)?,
            welcome: welcome.map(|welcome| encode(&welcome)).transpose()?,
            group_info: encode(&info)?,
        })
    }

    /// Merges the pending commit of this client: the hub's log has come to it.
    ///
    /// # Errors
    /// [`MlsError::NoCommitPending`].
    pub fn merge_own(&mut self) -> Result<(), MlsError> {
        if self.group.pending_commit().is_none() {
            return Err(MlsError::NoCommitPending);
        }
        self.group
            .merge_pending_commit(&self.provider)
            .map_err(MlsError::internal)
    }

    /// Drops the pending commit of this client: the hub refused it.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn drop_own(&mut self) -> Result<(), MlsError> {
        self.group
            .clear_pending_commit(self.provider.storage())
            .map_err(MlsError::internal)
    }

    /// Whether proposals of the log wait for a commit. While they do, nothing can be encrypted.
    #[must_use]
    pub fn has_proposals(&self) -> bool {
        self.group.has_pending_proposals()
    }

    /// Forgets the proposals that wait for a commit, so that none of them gets into one of this client's.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn drop_proposals(&mut self) -> Result<(), MlsError> {
        self.group
            .clear_pending_proposals(self.provider.storage())
            .map_err(MlsError::internal)
    }

    /// Forgets the group and removes all its rows; the changes hold the deletions.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn forget(mut self) -> Result<RowChanges, MlsError> {
        self.group
            .delete(self.provider.storage())
            .map_err(MlsError::internal)?;
        Ok(self.provider.take_changes())
    }
}

pub(crate) fn proposal(component: u16, operation: &AppDataOperation) -> Proposal {
    Proposal::AppDataUpdate(Box::new(match operation {
        AppDataOperation::Update(bytes) => AppDataUpdateProposal::update(component, bytes.as_slice()),
        AppDataOperation::Remove => AppDataUpdateProposal::remove(component),
    }))
}

/// Applies the list rules and the component rules and turns the result into the library's form.
pub(crate) fn resolve(
    mut updater: AppDataDictionaryUpdater<'_>,
    operations: &[(u16, AppDataOperation)],
    rules: &dyn ComponentRules,
) -> Result<Option<openmls::group::AppDataUpdates>, MlsError> {
    let changes: AppDataChanges = app_data::fold(
        operations
            .iter()
            .map(|(component, operation)| (*component, operation)),
        |component| updater.old_value(component).map(<[u8]>::to_vec),
        rules,
    )?;
    for (component, data) in changes {
        match data {
            Some(data) => updater.set(openmls::component::ComponentData::from_parts(
                component,
                data.into(),
            )),
            None => updater.remove(&component),
        }
    }
    Ok(updater.changes())
}

pub(crate) fn encode(value: &impl tls_codec::Serialize) -> Result<Vec<u8>, MlsError> {
    value.tls_serialize_detached().map_err(MlsError::internal)
}

pub(crate) fn public_state(info: MlsMessageOut, tree: &RatchetTree) -> Result<PublicState, MlsError> {
    let openmls::prelude::MlsMessageBodyOut::GroupInfo(info) = info.body() else {
        return Err(MlsError::Internal(
            "the library exported something else than a group info".into(),
        ));
    };
    Ok(PublicState {
        group_info: encode(info)?,
        ratchet_tree: encode(tree)?,
    })
}
