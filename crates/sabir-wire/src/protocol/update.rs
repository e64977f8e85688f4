use super::{MAX_ERROR_TEXT, MAX_SMALL_RESPONSE, PartialGroupInfo, RatchetTreeOption};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_optional, put_vec};
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::{ContentType, GroupInfo, MAX_ID, MAX_MESSAGE, MlsMessage, Welcome};

/// Bytes of an [`UpdateRequest`]: a ratchet tree of at most 8 MiB, and 4 MiB for the commit, its Welcome and the
/// GroupInfo.
pub const MAX_UPDATE_REQUEST: usize = 12 << 20;

const MAX_INVALID_PROPOSALS: usize = 256;

/// A handshake and what belongs to it (draft-ietf-mimi-protocol-06 §5.3).
///
/// ```text
/// struct {
///   /* A Proposal or Commit which is either a PublicMessage; */
///   /* or a SemiPrivateMessage                               */
///   MLSMessage proposalOrCommit;
///   select (proposalOrCommit.content.content_type) {
///     case commit:
///       /* Both the Welcome and GroupInfo omit the ratchet_tree */
///       optional<Welcome> welcome;
///       GroupInfoOption groupInfoOption;
///       RatchetTreeOption ratchetTreeOption;
///     case proposal:
///       /* a list of additional proposals, each represented */
///       /* as either PublicMessage or SemiPrivateMessage    */
///       MLSMessage moreProposals<V>;
///   };
/// } HandshakeBundle;
/// ```
///
/// Only a PublicMessage is accepted as handshake: of a PrivateMessage no provider could check anything, and the
/// SemiPrivateMessage is not implemented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeBundle {
    /// A commit.
    Commit {
        /// A PublicMessage with a commit.
        message: Box<MlsMessage>,
        /// For the members it adds.
        welcome: Option<Welcome>,
        /// Of the epoch the commit starts.
        group_info: Box<GroupInfoOption>,
        /// Of the epoch the commit starts.
        ratchet_tree: RatchetTreeOption,
    },
    /// One or more proposals.
    Proposal {
        /// A PublicMessage with a proposal.
        message: Box<MlsMessage>,
        /// Each a PublicMessage with a proposal.
        more: Vec<MlsMessage>,
    },
}

impl HandshakeBundle {
    /// The commit or the first proposal.
    #[must_use]
    pub fn message(&self) -> &MlsMessage {
        match self {
            Self::Commit { message, .. } | Self::Proposal { message, .. } => message,
        }
    }
}

impl Encode for HandshakeBundle {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Commit {
                message,
                welcome,
                group_info,
                ratchet_tree,
            } => {
                message.encode(out);
                put_optional(out, welcome.as_ref());
                group_info.encode(out);
                ratchet_tree.encode(out);
            }
            Self::Proposal { message, more } => {
                message.encode(out);
                put_vec(out, more);
            }
        }
    }
}

impl Decode for HandshakeBundle {
    const NAME: &'static str = "HandshakeBundle";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let message: MlsMessage = r.read_as("proposalOrCommit")?;
        match public_content(&message) {
            Some(ContentType::Commit) => Ok(Self::Commit {
                message: Box::new(message),
                welcome: r.optional("welcome")?,
                group_info: Box::new(r.read_as("groupInfoOption")?),
                ratchet_tree: r.read_as("ratchetTreeOption")?,
            }),
            Some(ContentType::Proposal) => Ok(Self::Proposal {
                message: Box::new(message),
                more: proposals(r, "moreProposals")?,
            }),
            _ => {
                let kind = DecodeErrorKind::Invalid("not a commit or proposal in the clear");
                Err(r.error_at(at, "proposalOrCommit", kind))
            }
        }
    }
}

/// What a PublicMessage carries; `None` for every other message.
pub(super) fn public_content(message: &MlsMessage) -> Option<ContentType> {
    match message {
        MlsMessage::Public(_) => message.content_type(),
        _ => None,
    }
}

/// Reads a list of proposals in the clear.
pub(super) fn proposals(r: &mut Reader<'_>, field: &'static str) -> Result<Vec<MlsMessage>, DecodeError> {
    let mut inner = r.nested(field, MAX_MESSAGE)?;
    let mut list = Vec::new();
    while !inner.is_empty() {
        let at = inner.offset();
        let message: MlsMessage = inner.read_as(field)?;
        if public_content(&message) != Some(ContentType::Proposal) {
            return Err(inner.error_at(at, field, DecodeErrorKind::Invalid("not a proposal in the clear")));
        }
        list.push(message);
    }
    Ok(list)
}

/// The GroupInfo of a new epoch, whole or in the part a hub cannot know (draft-ietf-mimi-protocol-06 §5.3).
///
/// ```text
/// enum {
///   reserved(0),
///   full(1),
///   partial(2),
///   (255)
/// } GroupInfoRepresentation;
///
/// struct {
///    GroupInfoRepresentation representation;
///    select (representation) {
///      case full:
///        GroupInfo groupInfo;
///      case partial:
///        PartialGroupInfo partialGroupInfo;
///    };
/// } GroupInfoOption;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupInfoOption {
    /// 1.
    Full(GroupInfo),
    /// 2.
    Partial(PartialGroupInfo),
}

impl Encode for GroupInfoOption {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Full(info) => {
                out.push(1);
                info.encode(out);
            }
            Self::Partial(info) => {
                out.push(2);
                info.encode(out);
            }
        }
    }
}

impl Decode for GroupInfoOption {
    const NAME: &'static str = "GroupInfoOption";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("representation")? {
            1 => r.read_as("groupInfo").map(Self::Full),
            2 => r.read_as("partialGroupInfo").map(Self::Partial),
            other => Err(r.error_at(at, "representation", DecodeErrorKind::UnknownValue(other.into()))),
        }
    }
}

/// A change of a room (draft-ietf-mimi-protocol-06 §5.3).
///
/// ```text
/// struct {
///   select (room.protocol) {
///     case mls10:
///       HandshakeBundle bundle;
///   };
/// } UpdateRequest;
/// ```
///
/// `room.protocol` is the protocol of the room as the hub knows it: nothing of it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRequest {
    /// The handshake.
    pub bundle: HandshakeBundle,
}

impl Encode for UpdateRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.bundle.encode(out);
    }
}

impl Decode for UpdateRequest {
    const NAME: &'static str = "UpdateRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            bundle: r.read_as("bundle")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_UPDATE_REQUEST)
    }
}

enumeration! {
    /// What became of an [`UpdateRequest`] (draft-ietf-mimi-protocol-06 §5.3).
    ///
    /// ```text
    /// enum {
    ///   success(0),
    ///   wrongEpoch(1),
    ///   notAllowed(2),
    ///   invalidProposal(3),
    ///   (255)
    /// } UpdateResponseCode;
    /// ```
    UpdateResponseCode, "UpdateResponseCode" {
        /// Accepted; it will be distributed.
        Success = 0;
        /// The group is in another epoch.
        WrongEpoch = 1;
        /// Policy or authorisation forbids it.
        NotAllowed = 2;
        /// At least one proposal is invalid.
        InvalidProposal = 3;
    }
}

/// The answer to an [`UpdateRequest`] (draft-ietf-mimi-protocol-06 §5.3).
///
/// ```text
/// struct {
///   UpdateResponseCode responseCode;
///   string errorDescription;
///   select (responseCode) {
///     case success:
///       /* the hub acceptance time (in milliseconds from the UNIX epoch) */
///       uint64 accepted_timestamp;
///     case wrongEpoch:
///       /* current MLS epoch for the MLS group */
///       uint64 currentEpoch;
///     case invalidProposal:
///       ProposalRef invalidProposals<V>;
///   };
/// } UpdateRoomResponse;
/// ```
///
/// `string` is not a type of the language: it is read as `opaque errorDescription<V>` in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRoomResponse {
    /// For developers; names no user; empty on success. At most 4 KiB.
    pub error_description: String,
    /// The code and what comes with it.
    pub outcome: UpdateOutcome,
}

/// The part of [`UpdateRoomResponse`] that depends on its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// Accepted.
    Success {
        /// When, in milliseconds since 1970-01-01T00:00:00Z, by the hub's clock.
        accepted_timestamp: u64,
    },
    /// The group is in another epoch.
    WrongEpoch {
        /// That epoch.
        current_epoch: u64,
    },
    /// Not allowed.
    NotAllowed,
    /// Some proposals are invalid.
    InvalidProposal {
        /// Their `ProposalRef`s (RFC 9420 §5.2).
        invalid_proposals: Vec<Vec<u8>>,
    },
}

impl UpdateOutcome {
    /// The code alone.
    #[must_use]
    pub fn code(&self) -> UpdateResponseCode {
        match self {
            Self::Success { .. } => UpdateResponseCode::Success,
            Self::WrongEpoch { .. } => UpdateResponseCode::WrongEpoch,
            Self::NotAllowed => UpdateResponseCode::NotAllowed,
            Self::InvalidProposal { .. } => UpdateResponseCode::InvalidProposal,
        }
    }
}

impl Encode for UpdateRoomResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        self.outcome.code().encode(out);
        field::put_text(out, &self.error_description);
        match &self.outcome {
            UpdateOutcome::Success { accepted_timestamp } => accepted_timestamp.encode(out),
            UpdateOutcome::WrongEpoch { current_epoch } => current_epoch.encode(out),
            UpdateOutcome::NotAllowed => {}
            UpdateOutcome::InvalidProposal { invalid_proposals } => {
                field::put_byte_lists(out, invalid_proposals);
            }
        }
    }
}

impl Decode for UpdateRoomResponse {
    const NAME: &'static str = "UpdateRoomResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.read_as("responseCode")?;
        let error_description = field::text(r, "errorDescription", MAX_ERROR_TEXT)?;
        let outcome = match code {
            UpdateResponseCode::Success => UpdateOutcome::Success {
                accepted_timestamp: r.u64("accepted_timestamp")?,
            },
            UpdateResponseCode::WrongEpoch => UpdateOutcome::WrongEpoch {
                current_epoch: r.u64("currentEpoch")?,
            },
            UpdateResponseCode::NotAllowed => UpdateOutcome::NotAllowed,
            UpdateResponseCode::InvalidProposal => UpdateOutcome::InvalidProposal {
                invalid_proposals: field::byte_lists(r, "invalidProposals", MAX_ID, MAX_INVALID_PROPOSALS)?,
            },
        };
        Ok(Self {
            error_description,
            outcome,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_SMALL_RESPONSE)
    }
}
