//! Members that keep no rule but the library's own: they call it directly, past our builder and validator.

#[path = "spoil.rs"]
mod spoil;

use openmls::extensions::{AppDataDictionary, AppDataDictionaryExtension};
use openmls::group::{
    AppDataDictionaryUpdater, GroupId, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig,
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    AppDataUpdateOperation, Capabilities, Credential, CredentialType, CredentialWithKey,
    DeserializeBytes as _, Extension, ExtensionType, Extensions, KeyPackage, LeafNode, LeafNodeParameters,
    Lifetime, MlsMessageIn, MlsMessageOut, NewSignerBundle, OpenMlsProvider as _, ProcessedMessageContent,
    Proposal, ProposalType, ProtocolVersion, SignaturePublicKey, UnknownExtension,
};
use openmls::treesync::{RatchetTree, RatchetTreeIn};
use rand_chacha::ChaCha20Rng;
use sabir_mls::group::{OwnCommit, PublicState};
use sabir_mls::keys::SigningKey;
use sabir_mls::provider::{Provider, SUITES};
use sabir_mls::rows::Rows;
use sabir_mls::{Device, SUPPORTED_COMPONENTS};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::device_list::DEVICE_LIST;
use sabir_wire::mls::{self as wire, ComponentId, ComponentsList, Node};
use tls_codec::Serialize as _;

pub use spoil::Spoil;
use spoil::Spoiling;

pub type Made<T> = Result<T, String>;

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What a leaf is made of, whether or not anybody should accept it.
#[derive(Clone)]
pub struct Leaf {
    pub credential: Credential,
    pub key: SigningKey,
    pub capabilities: Capabilities,
    /// Entries of the leaf's dictionary; `None` for a leaf without one.
    pub dictionary: Option<Vec<(u16, Vec<u8>)>>,
    /// Extensions beside the dictionary.
    pub others: Vec<Extension>,
    /// Extensions of a key package around the leaf.
    pub beside: Vec<Extension>,
}

impl Leaf {
    /// The leaf an honest device makes.
    pub fn of(device: &Device) -> Self {
        let list = |ids: &[ComponentId]| {
            ComponentsList {
                component_ids: ids.to_vec(),
            }
            .to_bytes()
        };
        Self {
            credential: Credential::new(CredentialType::X509, device.credential.clone()),
            key: device.key.clone(),
            capabilities: capabilities(
                &[ExtensionType::AppDataDictionary],
                &[ProposalType::AppDataUpdate, ProposalType::SelfRemove],
                &[CredentialType::X509],
            ),
            dictionary: Some(vec![
                (ComponentId::APP_COMPONENTS.0, list(SUPPORTED_COMPONENTS)),
                (ComponentId::SAFE_AAD.0, list(&[ComponentId::FRANK_AAD])),
                (DEVICE_LIST.0, device.device_list.clone()),
            ]),
            others: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// The same with all in it that nobody has to know: each GREASE value in each list that may hold them, in front of
    /// what means something, and some as entries, beside numbers that nobody has registered. GREASE as an extension is
    /// left out: the library refuses it, see `tests/grease.rs`.
    pub fn greased(mut self) -> Self {
        let values: Vec<u16> = (0..15).map(|digit| 0x0a0a + digit * 0x1010).collect();
        let mut capabilities =
            wire::Capabilities::from_bytes(&self.capabilities.tls_serialize_detached().unwrap()).unwrap();
        let strange = || values.iter().copied().chain([0xf123]);
        capabilities
            .cipher_suites
            .splice(..0, strange().map(wire::CipherSuite));
        capabilities
            .extensions
            .splice(..0, strange().map(wire::ExtensionType));
        capabilities
            .proposals
            .splice(..0, strange().map(wire::ProposalType));
        capabilities
            .credentials
            .splice(..0, strange().map(wire::CredentialType));
        self.capabilities = Capabilities::tls_deserialize_exact_bytes(&capabilities.to_bytes()).unwrap();
        let entries = self.dictionary.get_or_insert_default();
        for list in [ComponentId::APP_COMPONENTS, ComponentId::SAFE_AAD] {
            let Some((_, data)) = entries.iter_mut().find(|(id, _)| *id == list.0) else {
                continue;
            };
            let mut components = ComponentsList::from_bytes(data).unwrap();
            components
                .component_ids
                .splice(..0, (0..8).map(ComponentId::grease).chain([ComponentId(0xf123)]));
            *data = components.to_bytes();
        }
        let strange = (0..8).map(|it| ComponentId::grease(it).0).chain([0x0fff, 0xf123]);
        entries.extend(strange.enumerate().map(|(length, id)| (id, vec![0xa5; length])));
        self.others = vec![Extension::Unknown(0xf123, UnknownExtension(vec![0x5a; 7]))];
        self.beside = self.others.clone();
        self
    }

    /// Replaces an entry of the dictionary, or takes it out.
    pub fn with_entry(mut self, component: ComponentId, data: Option<Vec<u8>>) -> Self {
        let entries = self.dictionary.get_or_insert_default();
        entries.retain(|(id, _)| *id != component.0);
        entries.extend(data.map(|data| (component.0, data)));
        self
    }

    fn extensions(&self) -> Made<Extensions<LeafNode>> {
        let dictionary = self.dictionary.as_deref().map(dictionary);
        let mut extensions = self.others.clone();
        extensions.extend(dictionary.map(Extension::AppDataDictionary));
        Extensions::from_vec(extensions).map_err(text)
    }

    fn parameters(&self) -> Made<LeafNodeParameters> {
        Ok(LeafNodeParameters::builder()
            .with_capabilities(self.capabilities.clone())
            .with_extensions(self.extensions()?)
            .build())
    }

    fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: self.credential.clone(),
            signature_key: SignaturePublicKey::from(self.key.public()),
        }
    }

    /// A key package, its KeyPackage and its private rows.
    pub fn key_package(&self, rng: &mut ChaCha20Rng) -> Made<(Vec<u8>, KeyPackage, Rows)> {
        let provider = Provider::new(rng, Rows::new());
        let bundle = KeyPackage::builder()
            .key_package_lifetime(Lifetime::default())
            .leaf_node_capabilities(self.capabilities.clone())
            .leaf_node_extensions(self.extensions()?)
            .key_package_extensions(Extensions::from_vec(self.beside.clone()).map_err(text)?)
            .build(SUITES[0], &provider, &self.key, self.credential_with_key())
            .map_err(text)?;
        let package = bundle.key_package().clone();
        let bytes = package.tls_serialize_detached().map_err(text)?;
        Ok((bytes, package, provider.into_rows()))
    }
}

pub fn capabilities(
    extensions: &[ExtensionType],
    proposals: &[ProposalType],
    credentials: &[CredentialType],
) -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(SUITES),
        Some(extensions),
        Some(proposals),
        Some(credentials),
    )
}

pub fn dictionary(entries: &[(u16, Vec<u8>)]) -> AppDataDictionaryExtension {
    let mut dictionary = AppDataDictionary::new();
    for (component, data) in entries {
        dictionary.insert(*component, data.clone());
    }
    AppDataDictionaryExtension::new(dictionary)
}

/// A member's group in the library's hands.
pub struct Rogue {
    provider: Provider,
    group: MlsGroup,
    /// What becomes of path secrets on their way.
    pub spoil: Spoil,
}

impl Rogue {
    /// Takes over a member's state; its rows stay as they are.
    pub fn load(rows: &Rows, group_id: &[u8], rng: &mut ChaCha20Rng) -> Self {
        Self::try_load(rows, group_id, rng).unwrap()
    }

    /// As [`Rogue::load`]; nothing where the rows are not a group's.
    pub fn try_load(rows: &Rows, group_id: &[u8], rng: &mut ChaCha20Rng) -> Option<Self> {
        let provider = Provider::new(rng, rows.clone());
        let group = MlsGroup::load(provider.storage(), &GroupId::from_slice(group_id)).ok()??;
        Some(Self {
            provider,
            group,
            spoil: Spoil::Nothing,
        })
    }

    /// Makes a group of this leaf alone, with these extensions of its context.
    pub fn create(
        leaf: &Leaf,
        group_id: &[u8],
        context: Vec<Extension>,
        rng: &mut ChaCha20Rng,
    ) -> Made<Self> {
        let provider = Provider::new(rng, Rows::new());
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITES[0])
            .capabilities(leaf.capabilities.clone())
            .with_leaf_node_extensions(leaf.extensions()?)
            .map_err(text)?
            .with_group_context_extensions(Extensions::from_vec(context).map_err(text)?)
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(false)
            .build();
        let id = GroupId::from_slice(group_id);
        let group =
            MlsGroup::new_with_group_id(&provider, &leaf.key, &config, id, leaf.credential_with_key())
                .map_err(text)?;
        Ok(Self {
            provider,
            group,
            spoil: Spoil::Nothing,
        })
    }

    pub fn rows(self) -> Rows {
        self.provider.into_rows()
    }

    pub fn public_state(&self, key: &SigningKey) -> PublicState {
        let info = self
            .group
            .export_group_info(self.provider.crypto(), key, false)
            .unwrap();
        let info = match info.body() {
            openmls::prelude::MlsMessageBodyOut::GroupInfo(info) => info.tls_serialize_detached().unwrap(),
            _ => unreachable!("asked for a group info"),
        };
        PublicState {
            group_info: info,
            ratchet_tree: self.group.export_ratchet_tree().tls_serialize_detached().unwrap(),
        }
    }

    /// The keys to which path secrets for a leaf are encrypted: its own, and those of the nodes above it, which it may
    /// share with neighbours.
    pub fn keys_of(&self, leaf: u32) -> Vec<Vec<u8>> {
        let tree = self.group.export_ratchet_tree().tls_serialize_detached().unwrap();
        let nodes = sabir_wire::mls::RatchetTree::from_bytes(&tree).unwrap().0;
        let leaf = usize::try_from(leaf).unwrap();
        // Array places of RFC 9420, appendix C.
        let places = (0..24).map(|level| ((leaf >> level) << (level + 1)) + (1 << level) - 1);
        let keys = places.filter_map(|place| match nodes.get(place)?.as_ref()? {
            Node::Leaf(node) => Some(node.encryption_key.0.clone()),
            Node::Parent(node) => Some(node.encryption_key.0.clone()),
        });
        keys.collect()
    }

    pub fn leaves(&self) -> Vec<u32> {
        self.group.members().map(|member| member.index.u32()).collect()
    }

    pub fn own_leaf(&self) -> u32 {
        self.group.own_leaf_index().u32()
    }

    /// Commits to a new leaf and nothing more.
    pub fn refresh(&mut self, key: &SigningKey) -> Made<OwnCommit> {
        self.commit_as(key, None, true, (Vec::new(), Vec::new()), |_| {})
    }

    pub fn merge(&mut self) {
        self.group.merge_pending_commit(&self.provider).unwrap();
    }

    /// A proposal to change the room's state.
    pub fn propose_app_data(
        &mut self,
        key: &SigningKey,
        component: u16,
        operation: AppDataUpdateOperation,
    ) -> Vec<u8> {
        let (message, _) = self
            .group
            .propose_app_data_update(&self.provider, key, component, operation)
            .unwrap();
        message.to_bytes().unwrap()
    }

    /// A proposal to be removed.
    pub fn propose_leave(&mut self, key: &SigningKey) -> Vec<u8> {
        let message = self
            .group
            .leave_group_via_self_remove(&self.provider, key)
            .unwrap();
        message.to_bytes().unwrap()
    }

    /// A proposal to replace the own leaf.
    pub fn propose_update(&mut self, key: &SigningKey, leaf: &Leaf) -> Made<Vec<u8>> {
        let bundle = NewSignerBundle {
            signer: &leaf.key,
            credential_with_key: leaf.credential_with_key(),
        };
        let (message, _) = self
            .group
            .propose_self_update_with_new_signer(&self.provider, key, bundle, leaf.parameters()?)
            .map_err(text)?;
        message.to_bytes().map_err(text)
    }

    /// Takes in somebody's proposal, for the next commit to refer to.
    pub fn queue(&mut self, proposal: &[u8]) -> Made<()> {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(proposal).map_err(text)?;
        let message = message.try_into_protocol_message().map_err(text)?;
        let processed = self
            .group
            .process_message(&self.provider, message)
            .map_err(text)?;
        let ProcessedMessageContent::ProposalMessage(proposal) = processed.into_content() else {
            return Err("no proposal".into());
        };
        self.group
            .store_pending_proposal(self.provider.storage(), *proposal)
            .map_err(text)
    }

    /// Commits these proposals by value, and whatever was queued. `leaf` replaces the own one; `fold` says what
    /// becomes of the dictionary.
    pub fn commit(
        &mut self,
        key: &SigningKey,
        leaf: Option<&Leaf>,
        (adds, proposals): (Vec<KeyPackage>, Vec<Proposal>),
        fold: impl FnOnce(&mut AppDataDictionaryUpdater<'_>),
    ) -> Made<OwnCommit> {
        self.commit_as(key, leaf, false, (adds, proposals), fold)
    }

    fn commit_as(
        &mut self,
        key: &SigningKey,
        leaf: Option<&Leaf>,
        refresh: bool,
        (adds, proposals): (Vec<KeyPackage>, Vec<Proposal>),
        fold: impl FnOnce(&mut AppDataDictionaryUpdater<'_>),
    ) -> Made<OwnCommit> {
        let tree = self.group.export_ratchet_tree();
        let mut builder = self
            .group
            .commit_builder()
            .force_self_update(refresh)
            .propose_adds(adds)
            .add_proposals(proposals);
        if let Some(leaf) = leaf {
            builder = builder.leaf_node_parameters(leaf.parameters()?);
        }
        let mut builder = builder.load_psks(self.provider.storage()).map_err(text)?;
        let changes = {
            let mut updater = builder.app_data_dictionary_updater();
            fold(&mut updater);
            updater.changes()
        };
        builder.with_app_data_dictionary_updates(changes);
        let builder = builder.create_group_info(true).use_ratchet_tree_extension(false);
        let rand = self.provider.rand();
        let crypto = &Spoiling::new(self.provider.crypto(), self.spoil.clone());
        let built = match leaf {
            Some(leaf) => {
                let bundle = NewSignerBundle {
                    signer: &leaf.key,
                    credential_with_key: leaf.credential_with_key(),
                };
                builder.build_with_new_signer(rand, crypto, key, bundle, |_| true)
            }
            None => builder.build(rand, crypto, key, |_| true),
        };
        let bundle = built.map_err(text)?.stage_commit(&self.provider).map_err(text)?;
        let (message, welcome, info) = bundle.into_contents();
        let pending = self.group.pending_commit().unwrap();
        let next = pending
            .export_ratchet_tree(self.provider.crypto(), tree)
            .map_err(text)?
            .unwrap();
        Ok(own_commit(
            &message,
            welcome.map(|welcome| welcome.tls_serialize_detached().unwrap()),
            &info.unwrap(),
            &next,
        ))
    }
}

/// An external commit with this leaf.
pub fn external(leaf: &Leaf, state: &PublicState, rng: &mut ChaCha20Rng) -> Made<OwnCommit> {
    let provider = Provider::new(rng, Rows::new());
    let config = MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(false)
        .build();
    let info = VerifiableGroupInfo::tls_deserialize_exact_bytes(&state.group_info).map_err(text)?;
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&state.ratchet_tree).map_err(text)?;
    let (group, bundle) = MlsGroup::external_commit_builder()
        .with_ratchet_tree(tree)
        .with_config(config)
        .build_group(&provider, info, leaf.credential_with_key())
        .map_err(text)?
        .leaf_node_parameters(leaf.parameters()?)
        .load_psks(provider.storage())
        .map_err(text)?
        .create_group_info(true)
        .use_ratchet_tree_extension(false)
        .build(provider.rand(), provider.crypto(), &leaf.key, |_| true)
        .map_err(text)?
        .finalize(&provider)
        .map_err(text)?;
    let (message, _, info) = bundle.into_contents();
    Ok(own_commit(
        &message,
        None,
        &info.unwrap(),
        &group.export_ratchet_tree(),
    ))
}

fn own_commit(
    message: &MlsMessageOut,
    welcome: Option<Vec<u8>>,
    info: &impl tls_codec::Serialize,
    tree: &RatchetTree,
) -> OwnCommit {
    OwnCommit {
        commit: message.to_bytes().unwrap(),
        welcome,
        next: PublicState {
            group_info: info.tls_serialize_detached().unwrap(),
            ratchet_tree: tree.tls_serialize_detached().unwrap(),
        },
    }
}
