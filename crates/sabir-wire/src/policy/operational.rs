use super::{MAX_POLICY, MediaType};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_vec};
use crate::field;
use crate::mls::{
    CipherSuite, ComponentId, ContentType, CredentialType, ExtensionType, ProposalType, ProtocolVersion,
    WireFormat,
};

/// Everything a client may support (draft-ietf-mimi-room-policy-03 §7.1).
///
/// ```text
/// struct {
///   ProtocolVersion versions<V>;
///   CipherSuite cipher_suites<V>;
///   ExtensionType extensions<V>;
///   ProposalType proposals<V>;
///   CredentialType credentials<V>;
///   WireFormat wire_formats<V>;
///   ComponentID component_ids<V>;
///   ComponentID safe_aad_types<V>;
///   MediaType media_types<V>;
///   ContentType content_types<V>;
/// } ExtendedCapabilities;
/// ```
///
/// The draft prints `WireFormats wire_formats<V>`, a vector of what is itself a list: it is read as a list of
/// `WireFormat`. `ContentType` is that of MLS (RFC 9420 §6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtendedCapabilities {
    /// Versions of MLS.
    pub versions: Vec<ProtocolVersion>,
    /// Cipher suites.
    pub cipher_suites: Vec<CipherSuite>,
    /// Extensions.
    pub extensions: Vec<ExtensionType>,
    /// Proposals.
    pub proposals: Vec<ProposalType>,
    /// Credentials.
    pub credentials: Vec<CredentialType>,
    /// Wire formats.
    pub wire_formats: Vec<WireFormat>,
    /// Components.
    pub component_ids: Vec<ComponentId>,
    /// Components of the SafeAAD.
    pub safe_aad_types: Vec<ComponentId>,
    /// Media types of messages.
    pub media_types: Vec<MediaType>,
    /// Kinds of framed content.
    pub content_types: Vec<ContentType>,
}

impl Encode for ExtendedCapabilities {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.versions);
        put_vec(out, &self.cipher_suites);
        put_vec(out, &self.extensions);
        put_vec(out, &self.proposals);
        put_vec(out, &self.credentials);
        put_vec(out, &self.wire_formats);
        put_vec(out, &self.component_ids);
        put_vec(out, &self.safe_aad_types);
        put_vec(out, &self.media_types);
        put_vec(out, &self.content_types);
    }
}

impl Decode for ExtendedCapabilities {
    const NAME: &'static str = "ExtendedCapabilities";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            versions: r.list("versions", MAX_POLICY)?,
            cipher_suites: r.list("cipher_suites", MAX_POLICY)?,
            extensions: r.list("extensions", MAX_POLICY)?,
            proposals: r.list("proposals", MAX_POLICY)?,
            credentials: r.list("credentials", MAX_POLICY)?,
            wire_formats: r.list("wire_formats", MAX_POLICY)?,
            component_ids: r.list("component_ids", MAX_POLICY)?,
            safe_aad_types: r.list("safe_aad_types", MAX_POLICY)?,
            media_types: r.list("media_types", MAX_POLICY)?,
            content_types: r.list("content_types", MAX_POLICY)?,
        })
    }
}

/// When members commit what others proposed (draft-ietf-mimi-room-policy-03 §7.1).
///
/// ```text
/// enum {
///   unspecified(0),
///   immediate_commit(1),
///   random_delay(2),
///   (255)
/// } PendingProposalStrategy;
///
/// struct {
///   PendingProposalStrategy pending_proposal_strategy;
///   select (pending_proposal_strategy) {
///     case unspecified:
///       struct {};
///     case immediate_commit:
///       struct {};
///     case random_delay:
///       uint64 minimum_delay_ms;
///       uint64 maximum_delay_ms;
///     case extension:
///       ComponentID id_of_strategy_params;
///   };
/// } PendingProposalPolicy;
/// ```
///
/// The draft gives `extension` no number, so nobody can send it; other numbers are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingProposalPolicy {
    /// 0: the room says nothing.
    Unspecified,
    /// 1: at once.
    ImmediateCommit,
    /// 2: after a random time.
    RandomDelay {
        /// Shortest, in milliseconds.
        minimum_delay_ms: u64,
        /// Longest, in milliseconds.
        maximum_delay_ms: u64,
    },
}

impl Encode for PendingProposalPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unspecified => out.push(0),
            Self::ImmediateCommit => out.push(1),
            Self::RandomDelay {
                minimum_delay_ms,
                maximum_delay_ms,
            } => {
                out.push(2);
                minimum_delay_ms.encode(out);
                maximum_delay_ms.encode(out);
            }
        }
    }
}

impl Decode for PendingProposalPolicy {
    const NAME: &'static str = "PendingProposalPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("pending_proposal_strategy")? {
            0 => Self::Unspecified,
            1 => Self::ImmediateCommit,
            2 => Self::RandomDelay {
                minimum_delay_ms: r.u64("minimum_delay_ms")?,
                maximum_delay_ms: r.u64("maximum_delay_ms")?,
            },
            other => {
                let kind = DecodeErrorKind::UnknownValue(other.into());
                return Err(r.error_at(at, "pending_proposal_strategy", kind));
            }
        })
    }
}

/// A range of times and the one to use (draft-ietf-mimi-room-policy-03 §7.1). The draft does not say the unit;
/// like MLS lifetimes they are read as seconds.
///
/// ```text
/// struct {
///   uint64 minimum_time;
///   uint64 default_time;
///   uint64 maximum_time;
/// } MinDefaultMaxTime;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MinDefaultMaxTime {
    /// Shortest.
    pub minimum_time: u64,
    /// Where nothing speaks against it.
    pub default_time: u64,
    /// Longest.
    pub maximum_time: u64,
}

impl Encode for MinDefaultMaxTime {
    fn encode(&self, out: &mut Vec<u8>) {
        self.minimum_time.encode(out);
        self.default_time.encode(out);
        self.maximum_time.encode(out);
    }
}

impl Decode for MinDefaultMaxTime {
    const NAME: &'static str = "MinDefaultMaxTime";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            minimum_time: r.u64("minimum_time")?,
            default_time: r.u64("default_time")?,
            maximum_time: r.u64("maximum_time")?,
        })
    }
}

/// How application messages are encrypted and accepted (draft-ietf-mimi-room-policy-03 §7.1).
///
/// ```text
/// struct {
///   uint8  epoch_tolerance;
///   uint16 pad_to_size;
///   uint32 max_generations_skipahead;
/// } AppMessagePolicy;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppMessagePolicy {
    /// How many epochs back a message may be.
    pub epoch_tolerance: u8,
    /// Messages are padded to a multiple of it, in bytes.
    pub pad_to_size: u16,
    /// How many messages of one sender may be missing before one that is accepted.
    pub max_generations_skipahead: u32,
}

impl Encode for AppMessagePolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        self.epoch_tolerance.encode(out);
        self.pad_to_size.encode(out);
        self.max_generations_skipahead.encode(out);
    }
}

impl Decode for AppMessagePolicy {
    const NAME: &'static str = "AppMessagePolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch_tolerance: r.u8("epoch_tolerance")?,
            pad_to_size: r.u16("pad_to_size")?,
            max_generations_skipahead: r.u32("max_generations_skipahead")?,
        })
    }
}

/// Rules about MLS itself (draft-ietf-mimi-room-policy-03 §7.1), the data of component
/// [`MLS_OPERATIONAL_POLICY`](ComponentId::MLS_OPERATIONAL_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   ExtendedCapabilities mandatory_capabilities;
///   ExtendedCapabilities default_capabilities;
///   ExtendedCapabilities forbidden_capabilities;
///   WireFormat handshake_formats<V>;
///   bool external_proposal_allowed;
///   bool external_commit_allowed;
///   PendingProposalPolicy pending_proposal_policy;
///   MinDefaultMaxTime LeafNode_update_time;
///   AppMessagePolicy app_message_policy;
///   uint64 max_kp_lifetime;
///   uint64 max_credential_lifetime;
///   uint64 resumption_psk_lifetime;
///   MinDefaultMaxTime sender_nonce_keypair_lifetime;
///   uint32 max_keypairs;
///   MinDefaultMaxTime buffer_incoming_message_time;
///   uint32 max_buffered_messages;
/// } OperationalParameters;
/// ```
///
/// `WireFormats handshake_formats<V>` is read as in [`ExtendedCapabilities`], `unit64` as `uint64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationalParameters {
    /// Every client must support these.
    pub mandatory_capabilities: ExtendedCapabilities,
    /// Clients use these where nothing speaks against it.
    pub default_capabilities: ExtendedCapabilities,
    /// Nobody may use these.
    pub forbidden_capabilities: ExtendedCapabilities,
    /// How handshakes may be framed.
    pub handshake_formats: Vec<WireFormat>,
    /// Proposals from outside are taken.
    pub external_proposal_allowed: bool,
    /// Clients may join by external commit.
    pub external_commit_allowed: bool,
    /// When proposals are committed.
    pub pending_proposal_policy: PendingProposalPolicy,
    /// How long a member may go without renewing its leaf.
    pub leaf_node_update_time: MinDefaultMaxTime,
    /// How application messages are encrypted and accepted.
    pub app_message_policy: AppMessagePolicy,
    /// Longest lifetime of a KeyPackage.
    pub max_kp_lifetime: u64,
    /// Longest lifetime of a credential.
    pub max_credential_lifetime: u64,
    /// How long resumption PSKs are kept.
    pub resumption_psk_lifetime: u64,
    /// How long unused message keys are kept.
    pub sender_nonce_keypair_lifetime: MinDefaultMaxTime,
    /// How many unused message keys are kept.
    pub max_keypairs: u32,
    /// How long messages that came early are kept.
    pub buffer_incoming_message_time: MinDefaultMaxTime,
    /// How many messages that came early are kept.
    pub max_buffered_messages: u32,
}

impl Encode for OperationalParameters {
    fn encode(&self, out: &mut Vec<u8>) {
        self.mandatory_capabilities.encode(out);
        self.default_capabilities.encode(out);
        self.forbidden_capabilities.encode(out);
        put_vec(out, &self.handshake_formats);
        field::put_flag(out, self.external_proposal_allowed);
        field::put_flag(out, self.external_commit_allowed);
        self.pending_proposal_policy.encode(out);
        self.leaf_node_update_time.encode(out);
        self.app_message_policy.encode(out);
        self.max_kp_lifetime.encode(out);
        self.max_credential_lifetime.encode(out);
        self.resumption_psk_lifetime.encode(out);
        self.sender_nonce_keypair_lifetime.encode(out);
        self.max_keypairs.encode(out);
        self.buffer_incoming_message_time.encode(out);
        self.max_buffered_messages.encode(out);
    }
}

impl Decode for OperationalParameters {
    const NAME: &'static str = "OperationalParameters";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            mandatory_capabilities: r.read_as("mandatory_capabilities")?,
            default_capabilities: r.read_as("default_capabilities")?,
            forbidden_capabilities: r.read_as("forbidden_capabilities")?,
            handshake_formats: r.list("handshake_formats", MAX_POLICY)?,
            external_proposal_allowed: r.flag("external_proposal_allowed")?,
            external_commit_allowed: r.flag("external_commit_allowed")?,
            pending_proposal_policy: r.read_as("pending_proposal_policy")?,
            leaf_node_update_time: r.read_as("LeafNode_update_time")?,
            app_message_policy: r.read_as("app_message_policy")?,
            max_kp_lifetime: r.u64("max_kp_lifetime")?,
            max_credential_lifetime: r.u64("max_credential_lifetime")?,
            resumption_psk_lifetime: r.u64("resumption_psk_lifetime")?,
            sender_nonce_keypair_lifetime: r.read_as("sender_nonce_keypair_lifetime")?,
            max_keypairs: r.u32("max_keypairs")?,
            buffer_incoming_message_time: r.read_as("buffer_incoming_message_time")?,
            max_buffered_messages: r.u32("max_buffered_messages")?,
        })
    }
}
