//! What every client of a MIMI room announces in its leaf, and the check that it did.
//!
//! The library accepts a leaf whose capabilities name the dictionary extension but which carries none, and
//! does not compare announced components with required ones; [`check_leaf`] does.

use std::collections::BTreeSet;

use openmls::component::ComponentData as MlsComponentData;
use openmls::extensions::{AppDataDictionary as MlsDictionary, AppDataDictionaryExtension};
use openmls::prelude::{
    Capabilities, Ciphersuite, Credential, CredentialType, CredentialWithKey, Extension, ExtensionType,
    Extensions, LeafNode, LeafNodeParameters, Lifetime, ProposalType, ProtocolVersion, SignaturePublicKey,
};
use openmls_traits::random::OpenMlsRand as _;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::device_list::DEVICE_LIST;
use sabir_wire::mls::{ComponentId, ComponentsList};

use crate::error::MlsError;
use crate::keys::SigningKey;
use crate::provider::Rand;

/// How far a lifetime reaches back, in seconds. The library judges an added leaf by the wall clock of whoever
/// follows the commit, so a member whose clock is slower than this could not follow the room any more.
const LIFETIME_MARGIN: u64 = 30 * 24 * 60 * 60;

/// How long the library may accept a leaf, in seconds: 24 months. Freshness is judged by our own rules with a
/// passed-in time; this bound only keeps a client that replays an old Add from sticking.
const LIFETIME: u64 = 2 * 365 * 24 * 60 * 60;

/// Components a client of this implementation understands, ascending.
pub const SUPPORTED_COMPONENTS: &[ComponentId] = &[
    ComponentId::APP_COMPONENTS,
    ComponentId::SAFE_AAD,
    ComponentId::FRANK_AAD,
    ComponentId::FRANKING_AGENT,
    ComponentId::PARTICIPANT_LIST,
    ComponentId::ROOM_METADATA,
    ComponentId::MLS_OPERATIONAL_POLICY,
    ComponentId::ROLES_LIST,
    ComponentId::PREAUTH_LIST,
    ComponentId::BASE_ROOM_POLICY,
    ComponentId::STATUS_NOTIFICATION_POLICY,
    ComponentId::JOIN_LINK_POLICY,
    ComponentId::JOIN_LINKS,
    ComponentId::LINK_PREVIEW_POLICY,
    ComponentId::ASSET_POLICY,
    ComponentId::LOGGING_POLICY,
    ComponentId::CHAT_HISTORY_POLICY,
    ComponentId::BOT_POLICY,
    ComponentId::MESSAGE_EXPIRATION,
    DEVICE_LIST,
];

/// What a leaf announces and what it carries.
pub(crate) struct LeafContent {
    pub(crate) capabilities: Capabilities,
    pub(crate) extensions: Extensions<LeafNode>,
}

impl LeafContent {
    pub(crate) fn into_parameters(self) -> LeafNodeParameters {
        LeafNodeParameters::builder()
            .with_capabilities(self.capabilities)
            .with_extensions(self.extensions)
            .build()
    }
}

/// draft-ietf-mls-extensions §5.1: where a leaf has GREASE among its components.
struct ComponentGrease {
    supported: ComponentId,
    safe_aad: ComponentId,
    /// An entry of the dictionary, with up to three bytes.
    entry: (ComponentId, Vec<u8>),
}

impl ComponentGrease {
    fn draw(rand: &Rand) -> Result<Self, MlsError> {
        let drawn: [u8; 4] = rand.random_array().map_err(MlsError::internal)?;
        let [supported, safe_aad, entry, length] = drawn;
        let data = rand
            .random_vec(usize::from(length & 3))
            .map_err(MlsError::internal)?;
        Ok(Self {
            supported: ComponentId::grease(supported),
            safe_aad: ComponentId::grease(safe_aad),
            entry: (ComponentId::grease(entry), data),
        })
    }
}

/// A device as it acts in groups: its credential, its key and what its leaf carries.
#[derive(Debug, Clone)]
pub struct Device {
    /// Content of the MLS x509 credential: `[device, user]`, each `opaque cert_data<V>`.
    pub credential: Vec<u8>,
    /// The leaf's signature key; its public half is the device certificate's.
    pub key: SigningKey,
    /// The signed device list (an encoded `SignedDeviceList`), carried in every leaf and key package.
    pub device_list: Vec<u8>,
    /// Cipher suite of key packages and new groups.
    pub suite: u16,
}

impl Device {
    pub(crate) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: Credential::new(CredentialType::X509, self.credential.clone()),
            signature_key: SignaturePublicKey::from(self.key.public()),
        }
    }

    /// What a new leaf of this device announces and what it carries, with GREASE among both: one value in each list,
    /// drawn anew for each leaf, some 16 bytes in all.
    pub(crate) fn leaf(&self, rand: &Rand) -> Result<LeafContent, MlsError> {
        let grease = ComponentGrease::draw(rand)?;
        let announced = |known: &[ComponentId], grease: ComponentId| {
            ComponentsList {
                component_ids: [known, &[grease]].concat(),
            }
            .to_bytes()
        };
        let mut dictionary = MlsDictionary::new();
        let components = announced(SUPPORTED_COMPONENTS, grease.supported);
        dictionary.insert(ComponentId::APP_COMPONENTS.0, components);
        let safe_aad = announced(&[ComponentId::FRANK_AAD], grease.safe_aad);
        dictionary.insert(ComponentId::SAFE_AAD.0, safe_aad);
        dictionary.insert(DEVICE_LIST.0, self.device_list.clone());
        dictionary.insert(grease.entry.0.0, grease.entry.1);
        let dictionary = AppDataDictionaryExtension::new(dictionary);
        let extensions =
            Extensions::single(Extension::AppDataDictionary(dictionary)).map_err(MlsError::internal)?;
        // RFC 9420 §7.2: "the creator of a capabilities field SHOULD include some random GREASE values".
        let capabilities = Capabilities::new(
            Some(&[ProtocolVersion::Mls10]),
            Some(crate::provider::SUITES),
            Some(&[ExtensionType::AppDataDictionary]),
            Some(&[ProposalType::AppDataUpdate, ProposalType::SelfRemove]),
            Some(&[CredentialType::X509]),
        )
        .with_grease(rand);
        Ok(LeafContent {
            capabilities,
            extensions,
        })
    }

    pub(crate) fn suite(&self) -> Result<Ciphersuite, MlsError> {
        suite(self.suite)
    }
}

pub(crate) fn suite(number: u16) -> Result<Ciphersuite, MlsError> {
    let suite = Ciphersuite::try_from(number).map_err(|_| MlsError::UnsupportedSuite(number))?;
    if crate::provider::SUITES.contains(&suite) {
        Ok(suite)
    } else {
        Err(MlsError::UnsupportedSuite(number))
    }
}

/// The MLS lifetime of a leaf made at `now` (milliseconds since the epoch).
pub(crate) fn lifetime(now: u64) -> Lifetime {
    let seconds = now.checked_div(1000).unwrap_or_default();
    Lifetime::init(
        seconds.saturating_sub(LIFETIME_MARGIN),
        seconds.saturating_add(LIFETIME),
    )
}

/// Checks that a leaf announces and carries what a MIMI room requires of each member.
///
/// # Errors
/// [`MlsError::Leaf`] names what is missing.
pub(crate) fn check_leaf(leaf: &LeafNode) -> Result<(), MlsError> {
    let capabilities = leaf.capabilities();
    let has_extension = capabilities
        .extensions()
        .contains(&ExtensionType::AppDataDictionary);
    let has_proposals = [ProposalType::AppDataUpdate, ProposalType::SelfRemove]
        .iter()
        .all(|proposal| capabilities.proposals().contains(proposal));
    if !has_extension {
        return Err(MlsError::Leaf("the dictionary extension is not announced"));
    }
    if !has_proposals {
        return Err(MlsError::Leaf("AppDataUpdate or SelfRemove is not announced"));
    }
    if !capabilities.credentials().contains(&CredentialType::X509) {
        return Err(MlsError::Leaf("x509 credentials are not announced"));
    }
    if leaf.credential().credential_type() != CredentialType::X509 {
        return Err(MlsError::Leaf("the credential is not x509"));
    }
    let Some(dictionary) = leaf
        .extensions()
        .app_data_dictionary()
        .map(AppDataDictionaryExtension::dictionary)
    else {
        return Err(MlsError::Leaf("the dictionary is missing"));
    };
    // draft-ietf-mls-extensions §4.6: whoever announces the dictionary must understand app_components and
    // safe_aad; the components a MIMI room requires are those of every room we make.
    let components = components_of(dictionary, ComponentId::APP_COMPONENTS)?;
    let required = [
        ComponentId::FRANKING_AGENT,
        ComponentId::PARTICIPANT_LIST,
        ComponentId::ROOM_METADATA,
    ];
    if !required.iter().all(|component| components.contains(component)) {
        return Err(MlsError::Leaf(
            "app_components lacks a component that rooms require",
        ));
    }
    if !components_of(dictionary, ComponentId::SAFE_AAD)?.contains(&ComponentId::FRANK_AAD) {
        return Err(MlsError::Leaf("safe_aad lacks frank_aad"));
    }
    Ok(())
}

/// The components that members of a group have to understand: those it requires by name, and those of ours that have
/// data in it, whose updates every member follows.
pub(crate) fn required(dictionary: &[(u16, Vec<u8>)]) -> BTreeSet<ComponentId> {
    let named = dictionary
        .iter()
        .find(|(id, _)| *id == ComponentId::APP_COMPONENTS.0)
        .and_then(|(_, data)| ComponentsList::from_bytes(data).ok())
        .map_or_else(Vec::new, |list| list.component_ids);
    let present = dictionary.iter().map(|(id, _)| ComponentId(*id));
    let mut required: BTreeSet<ComponentId> = present
        .filter(|component| SUPPORTED_COMPONENTS.contains(component))
        .collect();
    // RFC 9420 §13.5: GREASE asks for nothing, wherever it stands.
    required.extend(named.into_iter().filter(|component| !component.is_grease()));
    required
}

/// Whether a leaf announces all of these components (draft-ietf-mls-extensions §4.6, §5).
pub(crate) fn announces(leaf: &LeafNode, required: &BTreeSet<ComponentId>) -> bool {
    let Some(extension) = leaf.extensions().app_data_dictionary() else {
        return required.is_empty();
    };
    components_of(extension.dictionary(), ComponentId::APP_COMPONENTS)
        .is_ok_and(|announced| required.iter().all(|component| announced.contains(component)))
}

fn components_of(dictionary: &MlsDictionary, component: ComponentId) -> Result<Vec<ComponentId>, MlsError> {
    let bytes = dictionary
        .get(&component.0)
        .ok_or(MlsError::Leaf("app_components or safe_aad is missing"))?;
    let list = ComponentsList::from_bytes(bytes).map_err(|_| MlsError::Malformed("ComponentsList"))?;
    Ok(list.component_ids)
}

/// The entry of a leaf's dictionary, if it has one.
pub(crate) fn component_of_leaf(leaf: &LeafNode, component: ComponentId) -> Option<Vec<u8>> {
    let dictionary = leaf.extensions().app_data_dictionary()?.dictionary();
    dictionary.get(&component.0).map(<[u8]>::to_vec)
}

/// The library's dictionary entries as component number and data.
pub(crate) fn entries(dictionary: &MlsDictionary) -> impl Iterator<Item = (u16, Vec<u8>)> + '_ {
    dictionary
        .entries()
        .cloned()
        .map(MlsComponentData::into_parts)
        .map(|(id, data)| (id, data.into()))
}
