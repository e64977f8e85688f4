//! Joining: by Welcome, or by an external commit over a GroupInfo.

use std::collections::BTreeSet;

use openmls::group::{MlsGroup, ProcessedWelcome};
use openmls::messages::Welcome;
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{DeserializeBytes as _, OpenMlsProvider as _, ProtocolMessage, PublicMessageIn};
use openmls::treesync::RatchetTreeIn;
use rand_core::CryptoRng;

use super::{Group, OwnCommit, PublicState, commit};
use crate::app_data::{AppDataOperation, ComponentRules};
use crate::commit_facts::{Judge, LeafFact};
use crate::error::MlsError;
use crate::leaf::{self, Device};
use crate::provider::Provider;
use crate::rows::Rows;

/// The KeyPackageRefs a `Welcome` is addressed to.
///
/// # Errors
/// [`MlsError::Malformed`].
pub fn welcome_references(welcome: &[u8]) -> Result<Vec<Vec<u8>>, MlsError> {
    let welcome = parse_welcome(welcome)?;
    Ok(welcome
        .secrets()
        .iter()
        .map(|secret| secret.new_member().as_slice().to_vec())
        .collect())
}

/// Joins the group a `Welcome` leads to. `rows` are those of the key package it was made for; the group's
/// changes afterwards hold the new group's rows and delete the key package's.
///
/// Every member's credential is judged, and every leaf checked; one that fails refuses the join.
///
/// # Errors
/// [`MlsError`] names what does not hold; nothing is kept.
pub fn join_welcome(
    rows: Rows,
    welcome: &[u8],
    ratchet_tree: &[u8],
    judge: &Judge<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Group, MlsError> {
    let provider = Provider::new(rng, rows);
    let processed =
        ProcessedWelcome::new_from_welcome(&provider, &super::join_config(), parse_welcome(welcome)?)
            .map_err(MlsError::invalid)?;
    // Lifetimes of leaves that sit in the tree are not ours to judge by the wall clock: freshness was judged
    // when they were added.
    let staged = openmls::group::JoinBuilder::new(&provider, processed)
        .with_ratchet_tree(parse_tree(ratchet_tree)?)
        .skip_lifetime_validation()
        .build()
        .map_err(MlsError::invalid)?;
    let group = staged.into_group(&provider).map_err(MlsError::invalid)?;
    let joined = Group { provider, group };
    joined.verify_members(judge, &[])?;
    Ok(joined)
}

/// An external commit of this client, in a disposable overlay: keep the group when the hub accepted it.
#[derive(Debug)]
pub struct ExternalJoin {
    /// The group as it will be; its changes are to be persisted once the hub accepted the commit.
    pub group: Group,
    /// What to send.
    pub commit: OwnCommit,
}

/// What a client needs from the hub to join from outside.
#[derive(Debug, Clone, Copy)]
pub struct GroupInfoView<'a> {
    /// Encoded `GroupInfo` without tree.
    pub group_info: &'a [u8],
    /// Encoded `optional<Node> ratchet_tree<V>`.
    pub ratchet_tree: &'a [u8],
}

/// What goes into an external commit beside the join itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExternalPlan<'a> {
    /// Changes of the room's state, at most one per component.
    pub app_data: &'a [(u16, AppDataOperation)],
    /// The SelfRemove proposals that are pending at the hub, each an encoded `MLSMessage`. An external commit
    /// refers to all of them (draft-ietf-mimi-protocol-06 §5.3). Their membership tags cannot be checked from
    /// outside; the hub did.
    pub self_removes: &'a [Vec<u8>],
    /// Signature keys of leaves whose identity is not proved and that are put up with all the same, since a
    /// person knows of them. Any other one refuses the join.
    pub tolerated: &'a [Vec<u8>],
    /// What the commit's `authenticated_data` holds after its SafeAAD: everybody reads it, and the commit's signature
    /// covers it.
    pub authenticated: &'a [u8],
}

/// Prepares an external commit that only joins and changes the room's state: [`join_external_with`].
///
/// # Errors
/// [`MlsError`] names what does not hold.
pub fn join_external(
    device: &Device,
    view: GroupInfoView<'_>,
    app_data: &[(u16, AppDataOperation)],
    judge: &Judge<'_>,
    rules: &dyn ComponentRules,
    rng: &mut dyn CryptoRng,
) -> Result<ExternalJoin, MlsError> {
    let plan = ExternalPlan {
        app_data,
        ..ExternalPlan::default()
    };
    join_external_with(device, view, plan, judge, rules, rng)
}

/// Prepares an external commit. A leaf of this very device that is still in the tree is replaced.
///
/// # Errors
/// [`MlsError`] names what does not hold.
pub fn join_external_with(
    device: &Device,
    view: GroupInfoView<'_>,
    plan: ExternalPlan<'_>,
    judge: &Judge<'_>,
    rules: &dyn ComponentRules,
    rng: &mut dyn CryptoRng,
) -> Result<ExternalJoin, MlsError> {
    let app_data = plan.app_data;
    let self_removes: Vec<PublicMessageIn> = plan
        .self_removes
        .iter()
        .map(|message| match super::protocol_message(message)? {
            ProtocolMessage::PublicMessage(message) => Ok(*message),
            ProtocolMessage::PrivateMessage(_) => Err(MlsError::Malformed("PublicMessage")),
        })
        .collect::<Result<_, _>>()?;
    let provider = Provider::new(rng, Rows::new());
    let info = parse_group_info(view.group_info)?;
    leaf::suite(info.ciphersuite().into())?;
    let parameters = device.leaf(provider.rand())?.into_parameters();
    let mut builder = MlsGroup::external_commit_builder()
        .with_ratchet_tree(parse_tree(view.ratchet_tree)?)
        .with_config(super::join_config())
        .with_proposals(self_removes)
        .with_aad(plan.authenticated.to_vec())
        .skip_lifetime_validation()
        .build_group(&provider, info, device.credential_with_key())
        .map_err(MlsError::invalid)?
        .leaf_node_parameters(parameters);
    for (component, operation) in app_data {
        let openmls::prelude::Proposal::AppDataUpdate(update) = commit::proposal(*component, operation)
        else {
            return Err(MlsError::Internal("an AppDataUpdate of another type".into()));
        };
        builder = builder.add_app_data_update_proposal(*update);
    }
    let mut builder = builder.load_psks(provider.storage()).map_err(MlsError::invalid)?;
    let changes = commit::resolve(builder.app_data_dictionary_updater(), app_data, rules)?;
    builder.with_app_data_dictionary_updates(changes);
    let (group, bundle) = builder
        .create_group_info(true)
        .use_ratchet_tree_extension(false)
        .build(provider.rand(), provider.crypto(), &device.key, |_| true)
        .map_err(MlsError::invalid)?
        .finalize(&provider)
        .map_err(MlsError::invalid)?;
    let (message, _, info) = bundle.into_contents();
    let info = info.ok_or_else(|| MlsError::Internal("an external commit without group info".into()))?;
    let next = PublicState {
        group_info: commit::encode(&info)?,
        ratchet_tree: commit::encode(&group.export_ratchet_tree())?,
    };
    let commit = OwnCommit {
        commit: message.to_bytes().map_err(MlsError::internal)?,
        welcome: None,
        next,
    };
    let group = Group { provider, group };
    group.verify_members(judge, plan.tolerated)?;
    Ok(ExternalJoin { group, commit })
}

impl Group {
    /// The verdict on every member's credential and leaf, ascending by leaf.
    #[must_use]
    pub fn judge_members(&self, judge: &Judge<'_>) -> Vec<(u32, LeafFact)> {
        let public = self.group.public_group();
        let mut facts = Vec::new();
        for member in self.group.members() {
            if let Some(node) = public.leaf(member.index) {
                facts.push((member.index.u32(), judge.leaf(node)));
            }
        }
        facts
    }

    /// Refuses a group in which a leaf is unfit, a credential is not proved, or a client appears twice. Where an
    /// authority is done without, its people pass: the caller judges the members, and tells of them.
    fn verify_members(&self, judge: &Judge<'_>, tolerated: &[Vec<u8>]) -> Result<(), MlsError> {
        let mut clients = BTreeSet::new();
        for (_, fact) in self.judge_members(judge) {
            if tolerated.contains(&fact.signature_key) {
                continue;
            }
            if !clients.insert(fact.client_or_claim()?.0.clone()) {
                return Err(MlsError::Leaf("a client is in the group twice"));
            }
        }
        Ok(())
    }
}

fn parse_welcome(bytes: &[u8]) -> Result<Welcome, MlsError> {
    Welcome::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed("Welcome"))
}

pub(crate) fn parse_tree(bytes: &[u8]) -> Result<RatchetTreeIn, MlsError> {
    RatchetTreeIn::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed("ratchet_tree"))
}

pub(crate) fn parse_group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, MlsError> {
    VerifiableGroupInfo::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed("GroupInfo"))
}
