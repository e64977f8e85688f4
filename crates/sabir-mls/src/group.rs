//! A member's view of a group: bytes in, facts and row changes out.
//!
//! A [`Group`] owns its overlay. Every call that changes state leaves the changes in the overlay;
//! [`Group::take_changes`] hands them to the caller, who persists them with its own rows in one transaction.
//! After an error the caller drops the group and loads it again from its rows.

mod blame;
mod commit;
mod join;
mod message;
mod propose;

pub use commit::{CommitPlan, HubCommit, OwnCommit, PublicState};
pub use join::{
    ExternalJoin, ExternalPlan, GroupInfoView, join_external, join_external_with, join_welcome,
    welcome_references,
};
pub use message::{Incoming, Received, StagedGroupCommit};
pub use propose::{OwnProposal, PendingProposal};

pub(crate) use commit::{encode, resolve};
pub(crate) use join::{parse_group_info, parse_tree};
pub(crate) use message::protocol_message;
pub(crate) use propose::facts as proposal_facts;

use openmls::extensions::{AppDataDictionary, AppDataDictionaryExtension, RequiredCapabilitiesExtension};
use openmls::group::{
    GroupId, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
    WireFormatPolicy,
};
use openmls::prelude::{
    Credential, CredentialType, Extension, ExtensionType, Extensions, ExternalSender, OpenMlsProvider as _,
    ProposalType, SenderRatchetConfiguration, SignaturePublicKey,
};
use rand_core::CryptoRng;
use sabir_wire::mls::ComponentId;

use crate::error::MlsError;
use crate::leaf::{self, Device};
use crate::provider::Provider;
use crate::rows::{RowChanges, Rows};

/// How many messages of one sender may be missing before a later one is refused. The hub's log has no gaps for
/// a member, so a skip means that a message of the sender never was accepted.
const MAX_FORWARD: u32 = 10_000;

/// Keys of skipped messages kept per sender and epoch.
const OUT_OF_ORDER: u32 = 32;

/// A group at its creation.
#[derive(Debug, Clone)]
pub struct NewGroup {
    /// MLS group id.
    pub group_id: Vec<u8>,
    /// Entries of the GroupContext's dictionary, component and data.
    pub dictionary: Vec<(u16, Vec<u8>)>,
    /// The hub as external sender: public signature key and x509 credential content
    /// (draft-ietf-mimi-protocol-06 §7.4: the list must hold the hub's certificate).
    pub hub_sender: (Vec<u8>, Vec<u8>),
}

/// A member of a group, as the tree shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberLeaf {
    /// Leaf index.
    pub leaf: u32,
    /// Content of the x509 credential.
    pub credential: Vec<u8>,
    /// Public signature key.
    pub signature_key: Vec<u8>,
}

/// One group, as one of its members holds it.
pub struct Group {
    pub(crate) provider: Provider,
    pub(crate) group: MlsGroup,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

impl Group {
    /// Makes a group of this device alone.
    ///
    /// # Errors
    /// [`MlsError::UnsupportedSuite`], or [`MlsError::Internal`].
    pub fn create(
        device: &Device,
        new: NewGroup,
        now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, MlsError> {
        let provider = Provider::new(rng, Rows::new());
        let mut dictionary = AppDataDictionary::new();
        for (component, data) in new.dictionary {
            dictionary.insert(component, data);
        }
        let (hub_key, hub_credential) = new.hub_sender;
        let hub = ExternalSender::new(
            SignaturePublicKey::from(hub_key),
            Credential::new(CredentialType::X509, hub_credential),
        );
        let extensions = Extensions::from_vec(vec![
            Extension::RequiredCapabilities(required_capabilities()),
            Extension::ExternalSenders(vec![hub]),
            Extension::AppDataDictionary(AppDataDictionaryExtension::new(dictionary)),
        ])
        .map_err(MlsError::internal)?;
        let leaf = device.leaf(provider.rand())?;
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(device.suite()?)
            .capabilities(leaf.capabilities)
            .with_leaf_node_extensions(leaf.extensions)
            .map_err(MlsError::internal)?
            .with_group_context_extensions(extensions)
            .lifetime(leaf::lifetime(now))
            .wire_format_policy(wire_format_policy())
            .use_ratchet_tree_extension(false)
            .max_past_epochs(0)
            .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, MAX_FORWARD))
            .build();
        let group = MlsGroup::new_with_group_id(
            &provider,
            &device.key,
            &config,
            GroupId::from_slice(&new.group_id),
            device.credential_with_key(),
        )
        .map_err(MlsError::internal)?;
        Ok(Self { provider, group })
    }

    /// Loads a group from its rows.
    ///
    /// # Errors
    /// [`MlsError::NoSuchGroup`] where the rows do not hold it.
    pub fn load(rows: Rows, group_id: &[u8], rng: &mut dyn CryptoRng) -> Result<Self, MlsError> {
        let provider = Provider::new(rng, rows);
        let group = MlsGroup::load(provider.storage(), &GroupId::from_slice(group_id))
            .map_err(MlsError::internal)?
            .ok_or(MlsError::NoSuchGroup)?;
        Ok(Self { provider, group })
    }

    /// Drops what was not taken and goes back to the rows as they were.
    ///
    /// # Errors
    /// [`MlsError::NoSuchGroup`] where the group was never taken.
    pub fn reload(self) -> Result<Self, MlsError> {
        let Self { provider, group } = self;
        provider.discard();
        let group = MlsGroup::load(provider.storage(), group.group_id())
            .map_err(MlsError::internal)?
            .ok_or(MlsError::NoSuchGroup)?;
        Ok(Self { provider, group })
    }

    /// Every row of the group with the changes applied, those that were not taken included.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.provider.rows()
    }

    /// What changed since the last call; to be persisted before anything is sent.
    pub fn take_changes(&mut self) -> RowChanges {
        self.provider.take_changes()
    }

    /// The GroupInfo and ratchet tree of the current epoch, signed by this device.
    ///
    /// # Errors
    /// [`MlsError::Internal`] only.
    pub fn public_state(&mut self, device: &Device) -> Result<PublicState, MlsError> {
        let info = self
            .group
            .export_group_info(self.provider.crypto(), &device.key, false)
            .map_err(MlsError::internal)?;
        commit::public_state(info, &self.group.export_ratchet_tree())
    }

    /// MLS group id.
    #[must_use]
    pub fn group_id(&self) -> &[u8] {
        self.group.group_id().as_slice()
    }

    /// Current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.group.epoch().as_u64()
    }

    /// Cipher suite of the group.
    #[must_use]
    pub fn suite(&self) -> u16 {
        self.group.ciphersuite().into()
    }

    /// Whether this client is still a member.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.group.is_active()
    }

    /// Whether a commit of this client waits for the hub's word.
    #[must_use]
    pub fn has_pending_commit(&self) -> bool {
        self.group.pending_commit().is_some()
    }

    /// This client's leaf index.
    #[must_use]
    pub fn own_leaf(&self) -> u32 {
        self.group.own_leaf_index().u32()
    }

    /// Data of a component in the GroupContext.
    #[must_use]
    pub fn component(&self, component: ComponentId) -> Option<Vec<u8>> {
        let dictionary = self.group.extensions().app_data_dictionary()?.dictionary();
        dictionary.get(&component.0).map(<[u8]>::to_vec)
    }

    /// All members, ascending by leaf.
    pub fn members(&self) -> impl Iterator<Item = MemberLeaf> + '_ {
        self.group.members().map(|member| MemberLeaf {
            leaf: member.index.u32(),
            credential: member.credential.serialized_content().to_vec(),
            signature_key: member.signature_key,
        })
    }

    /// The confirmed transcript hash: equal on all members that saw the same commits.
    #[must_use]
    pub fn transcript_hash(&self) -> &[u8] {
        self.group
            .public_group()
            .group_context()
            .confirmed_transcript_hash()
    }
}

/// Handshakes in the clear, so that the hub can check them; application messages encrypted
/// (draft-ietf-mimi-protocol-06 §5.3).
pub(crate) fn wire_format_policy() -> WireFormatPolicy {
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY
}

pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(wire_format_policy())
        .use_ratchet_tree_extension(false)
        .max_past_epochs(0)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, MAX_FORWARD))
        .build()
}

fn required_capabilities() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(
        &[ExtensionType::AppDataDictionary],
        &[ProposalType::AppDataUpdate, ProposalType::SelfRemove],
        &[CredentialType::X509],
    )
}
