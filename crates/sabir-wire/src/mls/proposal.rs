use super::extension::extensions;
use super::{
    AppDataUpdate, AppEphemeral, CipherSuite, Extension, KeyPackage, LeafNode, MAX_COMPONENT, MAX_ID,
    MAX_KEY, PreSharedKeyId, ProposalType, ProtocolVersion,
};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};

/// One change of a group (RFC 9420 §12.1, draft-ietf-mls-extensions §4.7, §4.8 and §6.3).
///
/// ```text
/// struct {
///     ProposalType proposal_type;
///     select (Proposal.proposal_type) {
///         case add:                      Add;
///         case update:                   Update;
///         case remove:                   Remove;
///         case psk:                      PreSharedKey;
///         case reinit:                   ReInit;
///         case external_init:            ExternalInit;
///         case group_context_extensions: GroupContextExtensions;
///         case app_data_update:          AppDataUpdate;
///         case app_ephemeral:            AppEphemeral;
///         case self_remove:              SelfRemove;
///     };
/// } Proposal;
/// ```
///
/// A type not known here must be one `opaque<V>`; nothing else would have a findable end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// `struct { KeyPackage key_package; } Add;`
    Add(Box<KeyPackage>),
    /// `struct { LeafNode leaf_node; } Update;`
    Update(Box<LeafNode>),
    /// `struct { uint32 removed; } Remove;`
    Remove {
        /// Leaf index of who is removed.
        removed: u32,
    },
    /// `struct { PreSharedKeyID psk; } PreSharedKey;`
    PreSharedKey(PreSharedKeyId),
    /// Ends the group.
    ReInit(ReInit),
    /// `struct { opaque kem_output<V>; } ExternalInit;`
    ExternalInit {
        /// At most [`MAX_KEY`] bytes.
        kem_output: Vec<u8>,
    },
    /// `struct { Extension extensions<V>; } GroupContextExtensions;`
    GroupContextExtensions {
        /// At most [`MAX_ENTRIES`](super::MAX_ENTRIES), no type twice.
        extensions: Vec<Extension>,
    },
    /// Changes one component of the group's dictionary.
    AppDataUpdate(AppDataUpdate),
    /// Application data for this commit alone.
    AppEphemeral(AppEphemeral),
    /// `struct {} SelfRemove;`
    SelfRemove,
    /// A proposal of another type.
    Other {
        /// None of the types above.
        proposal_type: ProposalType,
        /// At most [`MAX_COMPONENT`] bytes.
        content: Vec<u8>,
    },
}

impl Proposal {
    /// The type written first.
    #[must_use]
    pub fn proposal_type(&self) -> ProposalType {
        match self {
            Self::Add(_) => ProposalType::ADD,
            Self::Update(_) => ProposalType::UPDATE,
            Self::Remove { .. } => ProposalType::REMOVE,
            Self::PreSharedKey(_) => ProposalType::PSK,
            Self::ReInit(_) => ProposalType::REINIT,
            Self::ExternalInit { .. } => ProposalType::EXTERNAL_INIT,
            Self::GroupContextExtensions { .. } => ProposalType::GROUP_CONTEXT_EXTENSIONS,
            Self::AppDataUpdate(_) => ProposalType::APP_DATA_UPDATE,
            Self::AppEphemeral(_) => ProposalType::APP_EPHEMERAL,
            Self::SelfRemove => ProposalType::SELF_REMOVE,
            Self::Other { proposal_type, .. } => *proposal_type,
        }
    }
}

impl Encode for Proposal {
    fn encode(&self, out: &mut Vec<u8>) {
        self.proposal_type().encode(out);
        match self {
            Self::Add(key_package) => key_package.encode(out),
            Self::Update(leaf_node) => leaf_node.encode(out),
            Self::Remove { removed } => removed.encode(out),
            Self::PreSharedKey(psk) => psk.encode(out),
            Self::ReInit(reinit) => reinit.encode(out),
            Self::ExternalInit { kem_output } => put_opaque(out, kem_output),
            Self::GroupContextExtensions { extensions } => put_vec(out, extensions),
            Self::AppDataUpdate(update) => update.encode(out),
            Self::AppEphemeral(ephemeral) => ephemeral.encode(out),
            Self::SelfRemove => {}
            Self::Other { content, .. } => put_opaque(out, content),
        }
    }
}

impl Decode for Proposal {
    const NAME: &'static str = "Proposal";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.read_as("proposal_type")? {
            ProposalType::ADD => Self::Add(Box::new(r.read_as("key_package")?)),
            ProposalType::UPDATE => Self::Update(Box::new(r.read_as("leaf_node")?)),
            ProposalType::REMOVE => Self::Remove {
                removed: r.u32("removed")?,
            },
            ProposalType::PSK => Self::PreSharedKey(r.read_as("psk")?),
            ProposalType::REINIT => Self::ReInit(r.read_as("reinit")?),
            ProposalType::EXTERNAL_INIT => Self::ExternalInit {
                kem_output: r.opaque("kem_output", MAX_KEY)?.to_vec(),
            },
            ProposalType::GROUP_CONTEXT_EXTENSIONS => Self::GroupContextExtensions {
                extensions: extensions(r)?,
            },
            ProposalType::APP_DATA_UPDATE => Self::AppDataUpdate(r.read_as("app_data_update")?),
            ProposalType::APP_EPHEMERAL => Self::AppEphemeral(r.read_as("app_ephemeral")?),
            ProposalType::SELF_REMOVE => Self::SelfRemove,
            proposal_type => {
                let content = r.opaque("content", MAX_COMPONENT)?.to_vec();
                Self::Other {
                    proposal_type,
                    content,
                }
            }
        })
    }
}

/// Ends a group in favour of a new one with these parameters (RFC 9420 §12.1.5).
///
/// ```text
/// struct {
///     opaque group_id<V>;
///     ProtocolVersion version;
///     CipherSuite cipher_suite;
///     Extension extensions<V>;
/// } ReInit;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReInit {
    /// The new group, at most [`MAX_ID`] bytes.
    pub group_id: Vec<u8>,
    /// Its version of MLS.
    pub version: ProtocolVersion,
    /// Its cipher suite.
    pub cipher_suite: CipherSuite,
    /// Its extensions, at most [`MAX_ENTRIES`](super::MAX_ENTRIES), no type twice.
    pub extensions: Vec<Extension>,
}

impl Encode for ReInit {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.group_id);
        self.version.encode(out);
        self.cipher_suite.encode(out);
        put_vec(out, &self.extensions);
    }
}

impl Decode for ReInit {
    const NAME: &'static str = "ReInit";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.opaque("group_id", MAX_ID)?.to_vec(),
            version: r.read_as("version")?,
            cipher_suite: r.read_as("cipher_suite")?,
            extensions: extensions(r)?,
        })
    }
}
