use super::{Protocol, RatchetTreeOption};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};
use crate::field;
use crate::mls::{
    CipherSuite, ContentType, Credential, ExternalSender, GroupInfo, HpkeCiphertext, HpkePublicKey,
    MAX_MESSAGE, MAX_SIGNATURE, MlsMessage, SignaturePublicKey,
};
use crate::protocol::update::public_content;
use crate::uri::RoomUri;

/// Bytes of a [`GroupInfoRequest`]: a credential of at most 64 KiB and small fields.
pub const MAX_GROUP_INFO_REQUEST: usize = 128 << 10;

/// Bytes of a [`GroupInfoResponse`]: everything large in it is one ciphertext of at most 8 MiB.
pub const MAX_GROUP_INFO_RESPONSE: usize = 9 << 20;

/// Bytes of a joining code: a random value of any sensible encoding.
const MAX_JOINING_CODE: usize = 1024;

/// A request for what an external join needs (draft-ietf-mimi-protocol-06 §5.6).
///
/// ```text
/// struct {
///   Protocol protocol;
///   select (protocol) {
///     case mls10:
///       CipherSuite cipher_suite;
///       SignaturePublicKey requestingSignatureKey;
///       Credential requestingCredential;
///       HPKEPublicKey groupInfoPublicKey;
///       opaque joiningCode<V>;
///       /* SignWithLabel(requestingSignatureKey,          */
///       /*    "GroupInfoRequestTBS", GroupInfoRequestTBS) */
///       opaque signature<V>;
///   };
/// } GroupInfoRequest;
///
/// struct {
///   Protocol protocol;
///   select (protocol) {
///     case mls10:
///       CipherSuite cipher_suite;
///       SignaturePublicKey requestingSignatureKey;
///       Credential requestingCredential;
///       HPKEPublicKey groupInfoPublicKey;
///       optional<opaque> joiningCode<V>;
///   };
/// } GroupInfoRequestTBS;
/// ```
///
/// The two structures print `joiningCode` differently, and each is followed as printed: in the request an empty
/// code means none, in the signed structure none is one zero octet and a code is an octet 1 and the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfoRequest {
    /// Names the algorithms of the signatures; any suite that both sides have.
    pub cipher_suite: CipherSuite,
    /// Verifies the signature.
    pub requesting_signature_key: SignaturePublicKey,
    /// Who wants to join.
    pub requesting_credential: Credential,
    /// The answer is encrypted to it.
    pub group_info_public_key: HpkePublicKey,
    /// Proves a permission to join; never empty, at most 1 KiB.
    pub joining_code: Option<Vec<u8>>,
    /// Over [`GroupInfoRequest::tbs`].
    pub signature: Vec<u8>,
}

impl GroupInfoRequest {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "GroupInfoRequestTBS";

    /// `GroupInfoRequestTBS`.
    #[must_use]
    pub fn tbs(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_head(&mut out);
        match &self.joining_code {
            None => out.push(0),
            Some(code) => {
                out.push(1);
                put_opaque(&mut out, code);
            }
        }
        out
    }

    fn encode_head(&self, out: &mut Vec<u8>) {
        Protocol::Mls10.encode(out);
        self.cipher_suite.encode(out);
        self.requesting_signature_key.encode(out);
        self.requesting_credential.encode(out);
        self.group_info_public_key.encode(out);
    }
}

impl Encode for GroupInfoRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_head(out);
        put_opaque(out, self.joining_code.as_deref().unwrap_or_default());
        put_opaque(out, &self.signature);
    }
}

impl Decode for GroupInfoRequest {
    const NAME: &'static str = "GroupInfoRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.read_as::<Protocol>("protocol")?;
        Ok(Self {
            cipher_suite: r.read_as("cipher_suite")?,
            requesting_signature_key: r.read_as("requestingSignatureKey")?,
            requesting_credential: r.read_as("requestingCredential")?,
            group_info_public_key: r.read_as("groupInfoPublicKey")?,
            joining_code: Some(field::bytes(r, "joiningCode", MAX_JOINING_CODE)?).filter(|c| !c.is_empty()),
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_GROUP_INFO_REQUEST)
    }
}

/// A proposal of the current epoch that no commit has taken up (draft-ietf-mimi-protocol-06 §5.6).
///
/// ```text
/// struct {
///     MLSMessage proposal;
///     uint64 hub_accepted_time;
/// } PendingProposal;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingProposal {
    /// A PublicMessage with a proposal.
    pub proposal: MlsMessage,
    /// When the hub accepted it, in milliseconds since 1970-01-01T00:00:00Z.
    pub hub_accepted_time: u64,
}

impl Encode for PendingProposal {
    fn encode(&self, out: &mut Vec<u8>) {
        self.proposal.encode(out);
        self.hub_accepted_time.encode(out);
    }
}

impl Decode for PendingProposal {
    const NAME: &'static str = "PendingProposal";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let proposal = r.read_as("proposal")?;
        if public_content(&proposal) != Some(ContentType::Proposal) {
            return Err(r.error_at(
                at,
                "proposal",
                DecodeErrorKind::Invalid("not a proposal in the clear"),
            ));
        }
        Ok(Self {
            proposal,
            hub_accepted_time: r.u64("hub_accepted_time")?,
        })
    }
}

/// What is encrypted to whoever wants to join (draft-ietf-mimi-protocol-06 §5.6).
///
/// ```text
/// struct {
///   GroupInfo groupInfo;   /* without embedded ratchet_tree */
///   RatchetTreeOption ratchetTreeOption;
///   /* A list of valid pending proposals accepted by the hub */
///   /* during the current epoch                              */
///   PendingProposal pending_proposals<V>;
/// } GroupInfoRatchetTreeTBE;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfoRatchetTreeTbe {
    /// Of the current epoch, without the tree.
    pub group_info: GroupInfo,
    /// The tree of the current epoch.
    pub ratchet_tree_option: RatchetTreeOption,
    /// Not yet committed.
    pub pending_proposals: Vec<PendingProposal>,
}

impl GroupInfoRatchetTreeTbe {
    /// The label of `EncryptWithLabel` (RFC 9420 §5.1.3); its context is the room's URI as bytes, without a length.
    pub const ENCRYPTION_LABEL: &'static str = "GroupInfo and ratchet_tree encryption";
}

impl Encode for GroupInfoRatchetTreeTbe {
    fn encode(&self, out: &mut Vec<u8>) {
        self.group_info.encode(out);
        self.ratchet_tree_option.encode(out);
        put_vec(out, &self.pending_proposals);
    }
}

impl Decode for GroupInfoRatchetTreeTbe {
    const NAME: &'static str = "GroupInfoRatchetTreeTBE";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group_info: r.read_as("groupInfo")?,
            ratchet_tree_option: r.read_as("ratchetTreeOption")?,
            pending_proposals: r.list("pending_proposals", MAX_MESSAGE)?,
        })
    }
}

/// The answer to a [`GroupInfoRequest`] (draft-ietf-mimi-protocol-06 §5.6).
///
/// ```text
/// enum {
///   reserved(0),
///   success(1),
///   notAuthorized(2),
///   noSuchRoom(3),
///   (255)
/// } GroupInfoCode;
///
/// struct {
///   Protocol version;
///   opaque room_id<V>;
///   GroupInfoCode status;
///   select (status) {
///     case success:
///       select (version) {
///         case mls10:
///           CipherSuite cipher_suite;
///           ExternalSender hub_sender;
///           HPKECiphertext encrypted_groupinfo_and_tree;
///           /* SignWithLabel(hub_sender.signature_key,        */
///           /*  "GroupInfoResponseTBS", GroupInfoResponseTBS) */
///           opaque signature<V>;
///       };
///     default: struct{};
///   };
/// } GroupInfoResponse;
/// ```
///
/// The draft selects by `protocol`, a field it calls `version` here: they are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfoResponse {
    /// The room asked about.
    pub room_id: RoomUri,
    /// The code and what comes with it.
    pub outcome: GroupInfoOutcome,
}

/// The part of [`GroupInfoResponse`] that depends on its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupInfoOutcome {
    /// 1: here it is.
    Success(Box<GroupInfoSuccess>),
    /// 2: the requester may not have it; also the answer that hides 3.
    NotAuthorized,
    /// 3: there is no such room.
    NoSuchRoom,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfoSuccess {
    /// Names the algorithms of encryption and signature; that of the request.
    pub cipher_suite: CipherSuite,
    /// The hub, as in the room's `external_senders`.
    pub hub_sender: ExternalSender,
    /// A [`GroupInfoRatchetTreeTbe`], encrypted to the key of the request.
    pub encrypted_groupinfo_and_tree: HpkeCiphertext,
    /// Over [`GroupInfoSuccess::tbs`], by `hub_sender`.
    pub signature: Vec<u8>,
}

impl GroupInfoSuccess {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "GroupInfoResponseTBS";

    /// `GroupInfoResponseTBS`: the answer for `room_id` without its signature.
    ///
    /// ```text
    /// struct {
    ///   Protocol version;
    ///   opaque room_id<V>;
    ///   GroupInfoCode status;
    ///   select (protocol) {
    ///     case mls10:
    ///       CipherSuite cipher_suite;
    ///       ExternalSender hub_sender;
    ///       HPKECiphertext encrypted_groupinfo_and_tree;
    ///   };
    /// } GroupInfoResponseTBS;
    /// ```
    #[must_use]
    pub fn tbs(&self, room_id: &RoomUri) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_tbs(room_id, &mut out);
        out
    }

    fn encode_tbs(&self, room_id: &RoomUri, out: &mut Vec<u8>) {
        Protocol::Mls10.encode(out);
        room_id.encode(out);
        out.push(1);
        self.cipher_suite.encode(out);
        self.hub_sender.encode(out);
        self.encrypted_groupinfo_and_tree.encode(out);
    }
}

impl Encode for GroupInfoResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        let refusal = match &self.outcome {
            GroupInfoOutcome::Success(success) => {
                success.encode_tbs(&self.room_id, out);
                put_opaque(out, &success.signature);
                return;
            }
            GroupInfoOutcome::NotAuthorized => 2,
            GroupInfoOutcome::NoSuchRoom => 3,
        };
        Protocol::Mls10.encode(out);
        self.room_id.encode(out);
        out.push(refusal);
    }
}

impl Decode for GroupInfoResponse {
    const NAME: &'static str = "GroupInfoResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.read_as::<Protocol>("version")?;
        let room_id = r.read_as("room_id")?;
        let at = r.offset();
        let outcome = match r.u8("status")? {
            1 => GroupInfoOutcome::Success(Box::new(GroupInfoSuccess {
                cipher_suite: r.read_as("cipher_suite")?,
                hub_sender: r.read_as("hub_sender")?,
                encrypted_groupinfo_and_tree: r.read_as("encrypted_groupinfo_and_tree")?,
                signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
            })),
            2 => GroupInfoOutcome::NotAuthorized,
            3 => GroupInfoOutcome::NoSuchRoom,
            other => return Err(r.error_at(at, "status", DecodeErrorKind::UnknownValue(other.into()))),
        };
        Ok(Self { room_id, outcome })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_GROUP_INFO_RESPONSE)
    }
}
