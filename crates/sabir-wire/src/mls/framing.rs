use super::{
    Commit, GroupContext, MAX_AUTHENTICATED_DATA, MAX_HASH, MAX_ID, MAX_MESSAGE, MAX_SIGNATURE, Proposal,
    ProtocolVersion, WireFormat,
};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};

/// What a message carries (RFC 9420 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// 1.
    Application,
    /// 2.
    Proposal,
    /// 3.
    Commit,
}

impl Encode for ContentType {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Application => 1,
            Self::Proposal => 2,
            Self::Commit => 3,
        });
    }
}

impl Decode for ContentType {
    const NAME: &'static str = "ContentType";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("value")? {
            1 => Ok(Self::Application),
            2 => Ok(Self::Proposal),
            3 => Ok(Self::Commit),
            other => Err(r.error_at(at, "value", DecodeErrorKind::UnknownValue(other.into()))),
        }
    }
}

/// Who sent a message (RFC 9420 §6).
///
/// ```text
/// struct {
///     SenderType sender_type;
///     select (Sender.sender_type) {
///         case member:              uint32 leaf_index;
///         case external:            uint32 sender_index;
///         case new_member_commit:
///         case new_member_proposal: struct{};
///     };
/// } Sender;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// 1: a member.
    Member {
        /// Its leaf.
        leaf_index: u32,
    },
    /// 2: somebody the group's `external_senders` names.
    External {
        /// The place in that list.
        sender_index: u32,
    },
    /// 3: a client that proposes to add itself.
    NewMemberProposal,
    /// 4: a client that joins by its own commit.
    NewMemberCommit,
}

impl Encode for Sender {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Member { leaf_index } => {
                out.push(1);
                leaf_index.encode(out);
            }
            Self::External { sender_index } => {
                out.push(2);
                sender_index.encode(out);
            }
            Self::NewMemberProposal => out.push(3),
            Self::NewMemberCommit => out.push(4),
        }
    }
}

impl Decode for Sender {
    const NAME: &'static str = "Sender";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("sender_type")? {
            1 => Ok(Self::Member {
                leaf_index: r.u32("leaf_index")?,
            }),
            2 => Ok(Self::External {
                sender_index: r.u32("sender_index")?,
            }),
            3 => Ok(Self::NewMemberProposal),
            4 => Ok(Self::NewMemberCommit),
            other => Err(r.error_at(at, "sender_type", DecodeErrorKind::UnknownValue(other.into()))),
        }
    }
}

/// What a member signs, without its frame (RFC 9420 §6).
///
/// ```text
/// struct {
///     opaque group_id<V>;
///     uint64 epoch;
///     Sender sender;
///     opaque authenticated_data<V>;
///
///     ContentType content_type;
///     select (FramedContent.content_type) {
///         case application: opaque application_data<V>;
///         case proposal:    Proposal proposal;
///         case commit:      Commit commit;
///     };
/// } FramedContent;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramedContent {
    /// At most [`MAX_ID`] bytes.
    pub group_id: Vec<u8>,
    /// The epoch it was sent in.
    pub epoch: u64,
    /// Who sent it.
    pub sender: Sender,
    /// At most [`MAX_AUTHENTICATED_DATA`] bytes; a [`SafeAad`](super::SafeAad) in MIMI.
    pub authenticated_data: Vec<u8>,
    /// What it says.
    pub body: FramedContentBody,
}

/// The part of a [`FramedContent`] that its content type selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FramedContentBody {
    /// `opaque application_data<V>`, at most [`MAX_MESSAGE`] bytes.
    Application(Vec<u8>),
    /// One proposal.
    Proposal(Proposal),
    /// One commit.
    Commit(Box<Commit>),
}

impl FramedContent {
    /// What it carries.
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        match self.body {
            FramedContentBody::Application(_) => ContentType::Application,
            FramedContentBody::Proposal(_) => ContentType::Proposal,
            FramedContentBody::Commit(_) => ContentType::Commit,
        }
    }

    /// `FramedContentTBS` (RFC 9420 §6.1): what the sender signs with the label `FramedContentTBS`. The group's
    /// context is part of it where the sender is a member or joins by a commit, and is left out otherwise.
    ///
    /// ```text
    /// struct {
    ///     ProtocolVersion version = mls10;
    ///     WireFormat wire_format;
    ///     FramedContent content;
    ///     select (FramedContentTBS.content.sender.sender_type) {
    ///         case member:
    ///         case new_member_commit:
    ///             GroupContext context;
    ///         case external:
    ///         case new_member_proposal:
    ///             struct{};
    ///     };
    /// } FramedContentTBS;
    /// ```
    #[must_use]
    pub fn to_be_signed(&self, wire_format: WireFormat, context: &GroupContext) -> Vec<u8> {
        let mut out = self.to_be_signed_outside(wire_format);
        match self.sender {
            Sender::Member { .. } | Sender::NewMemberCommit => context.encode(&mut out),
            Sender::External { .. } | Sender::NewMemberProposal => {}
        }
        out
    }

    /// `FramedContentTBS` up to the group's context: all of it for a sender outside the group, who need not
    /// know that context.
    #[must_use]
    pub fn to_be_signed_outside(&self, wire_format: WireFormat) -> Vec<u8> {
        let mut out = Vec::new();
        ProtocolVersion::MLS10.encode(&mut out);
        wire_format.encode(&mut out);
        self.encode(&mut out);
        out
    }
}

impl Encode for FramedContent {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.group_id);
        self.epoch.encode(out);
        self.sender.encode(out);
        put_opaque(out, &self.authenticated_data);
        self.content_type().encode(out);
        match &self.body {
            FramedContentBody::Application(data) => put_opaque(out, data),
            FramedContentBody::Proposal(proposal) => proposal.encode(out),
            FramedContentBody::Commit(commit) => commit.encode(out),
        }
    }
}

impl Decode for FramedContent {
    const NAME: &'static str = "FramedContent";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.opaque("group_id", MAX_ID)?.to_vec(),
            epoch: r.u64("epoch")?,
            sender: r.read_as("sender")?,
            authenticated_data: r.opaque("authenticated_data", MAX_AUTHENTICATED_DATA)?.to_vec(),
            body: match r.read_as("content_type")? {
                ContentType::Application => {
                    FramedContentBody::Application(r.opaque("application_data", MAX_MESSAGE)?.to_vec())
                }
                ContentType::Proposal => FramedContentBody::Proposal(r.read_as("proposal")?),
                ContentType::Commit => FramedContentBody::Commit(Box::new(r.read_as("commit")?)),
            },
        })
    }
}

/// What proves a [`FramedContent`] (RFC 9420 §6.1).
///
/// ```text
/// struct {
///     /* SignWithLabel(., "FramedContentTBS", FramedContentTBS) */
///     opaque signature<V>;
///     select (FramedContent.content_type) {
///         case commit: MAC confirmation_tag;
///         case application:
///         case proposal: struct{};
///     };
/// } FramedContentAuthData;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramedContentAuthData {
    /// At most [`MAX_SIGNATURE`] bytes.
    pub signature: Vec<u8>,
    /// There exactly where the content is a commit; at most [`MAX_HASH`] bytes.
    pub confirmation_tag: Option<Vec<u8>>,
}

impl FramedContentAuthData {
    /// Reads what belongs to a content of this type.
    ///
    /// # Errors
    /// Those of the fields.
    pub fn decode_for(content_type: ContentType, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            signature: r.opaque("signature", MAX_SIGNATURE)?.to_vec(),
            confirmation_tag: match content_type {
                ContentType::Commit => Some(r.opaque("confirmation_tag", MAX_HASH)?.to_vec()),
                ContentType::Application | ContentType::Proposal => None,
            },
        })
    }
}

impl Encode for FramedContentAuthData {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.signature);
        if let Some(tag) = &self.confirmation_tag {
            put_opaque(out, tag);
        }
    }
}

/// A message the delivery service can read (RFC 9420 §6.2).
///
/// ```text
/// struct {
///     FramedContent content;
///     FramedContentAuthData auth;
///     select (PublicMessage.content.sender.sender_type) {
///         case member: MAC membership_tag;
///         case external:
///         case new_member_commit:
///         case new_member_proposal: struct{};
///     };
/// } PublicMessage;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicMessage {
    /// What it says.
    pub content: FramedContent,
    /// What proves it.
    pub auth: FramedContentAuthData,
    /// There exactly where the sender is a member; at most [`MAX_HASH`] bytes.
    pub membership_tag: Option<Vec<u8>>,
}

impl PublicMessage {
    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.content.sender
    }

    /// The commit, where it is one.
    #[must_use]
    pub fn commit(&self) -> Option<&Commit> {
        match &self.content.body {
            FramedContentBody::Commit(commit) => Some(commit),
            FramedContentBody::Application(_) | FramedContentBody::Proposal(_) => None,
        }
    }

    /// The proposal, where it is one.
    #[must_use]
    pub fn proposal(&self) -> Option<&Proposal> {
        match &self.content.body {
            FramedContentBody::Proposal(proposal) => Some(proposal),
            FramedContentBody::Application(_) | FramedContentBody::Commit(_) => None,
        }
    }

    /// `AuthenticatedContent` (RFC 9420 §6): for a proposal, the value a ProposalRef is the hash of.
    ///
    /// ```text
    /// struct {
    ///     WireFormat wire_format;
    ///     FramedContent content;
    ///     FramedContentAuthData auth;
    /// } AuthenticatedContent;
    /// ```
    #[must_use]
    pub fn authenticated_content(&self) -> Vec<u8> {
        let mut out = Vec::new();
        WireFormat::PUBLIC_MESSAGE.encode(&mut out);
        self.content.encode(&mut out);
        self.auth.encode(&mut out);
        out
    }
}

impl Encode for PublicMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        self.content.encode(out);
        self.auth.encode(out);
        if let Some(tag) = &self.membership_tag {
            put_opaque(out, tag);
        }
    }
}

impl Decode for PublicMessage {
    const NAME: &'static str = "PublicMessage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let content: FramedContent = r.read_as("content")?;
        let auth = FramedContentAuthData::decode_for(content.content_type(), r)?;
        let membership_tag = match content.sender {
            Sender::Member { .. } => Some(r.opaque("membership_tag", MAX_HASH)?.to_vec()),
            Sender::External { .. } | Sender::NewMemberProposal | Sender::NewMemberCommit => None,
        };
        Ok(Self {
            content,
            auth,
            membership_tag,
        })
    }
}

/// A message only members can read (RFC 9420 §6.3).
///
/// ```text
/// struct {
///     opaque group_id<V>;
///     uint64 epoch;
///     ContentType content_type;
///     opaque authenticated_data<V>;
///     opaque encrypted_sender_data<V>;
///     opaque ciphertext<V>;
/// } PrivateMessage;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateMessage {
    /// At most [`MAX_ID`] bytes.
    pub group_id: Vec<u8>,
    /// The epoch it was sent in.
    pub epoch: u64,
    /// What it carries.
    pub content_type: ContentType,
    /// At most [`MAX_AUTHENTICATED_DATA`] bytes; a [`SafeAad`](super::SafeAad) in MIMI.
    pub authenticated_data: Vec<u8>,
    /// Who sent it, under the epoch's key; at most [`MAX_HASH`] bytes.
    pub encrypted_sender_data: Vec<u8>,
    /// At most [`MAX_MESSAGE`] bytes.
    pub ciphertext: Vec<u8>,
}

impl Encode for PrivateMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.group_id);
        self.epoch.encode(out);
        self.content_type.encode(out);
        put_opaque(out, &self.authenticated_data);
        put_opaque(out, &self.encrypted_sender_data);
        put_opaque(out, &self.ciphertext);
    }
}

impl Decode for PrivateMessage {
    const NAME: &'static str = "PrivateMessage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.opaque("group_id", MAX_ID)?.to_vec(),
            epoch: r.u64("epoch")?,
            content_type: r.read_as("content_type")?,
            authenticated_data: r.opaque("authenticated_data", MAX_AUTHENTICATED_DATA)?.to_vec(),
            encrypted_sender_data: r.opaque("encrypted_sender_data", MAX_HASH)?.to_vec(),
            ciphertext: r.opaque("ciphertext", MAX_MESSAGE)?.to_vec(),
        })
    }
}
