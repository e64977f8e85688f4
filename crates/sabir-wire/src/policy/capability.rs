use std::fmt;

use crate::codec::{Decode, DecodeError, Encode, Reader};

macro_rules! capabilities {
    ($($(#[$doc:meta])* $item:ident = $value:literal, $text:literal;)*) => {
        impl CapabilityType {
            $($(#[$doc])* pub const $item: Self = Self($value);)*

            /// Every registered capability, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$item),*];

            /// The registered name, `None` for a value not known here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }

            /// The capability of that registered name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$item),)*
                    _ => None,
                }
            }
        }
    };
}

/// Something a role allows (draft-ietf-mimi-room-policy-03 §10.2, meanings in §8). Unknown values survive a round
/// trip and grant nothing. `0xF000` and above are for private use.
///
/// ```text
/// /* See MIMI Capability Types IANA registry */
/// uint16 CapabilityType;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapabilityType(pub u16);

capabilities! {
    /// `canAddParticipant`.
    CAN_ADD_PARTICIPANT = 0x0000, "canAddParticipant";
    /// `canRemoveParticipant`.
    CAN_REMOVE_PARTICIPANT = 0x0001, "canRemoveParticipant";
    /// `canAddOwnClient`.
    CAN_ADD_OWN_CLIENT = 0x0002, "canAddOwnClient";
    /// `canRemoveOwnClient`.
    CAN_REMOVE_OWN_CLIENT = 0x0003, "canRemoveOwnClient";
    /// `canOpenJoin`.
    CAN_OPEN_JOIN = 0x0004, "canOpenJoin";
    /// `canJoinIfPreauthorized`.
    CAN_JOIN_IF_PREAUTHORIZED = 0x0005, "canJoinIfPreauthorized";
    /// `canRemoveSelf`.
    CAN_REMOVE_SELF = 0x0006, "canRemoveSelf";
    /// `canCreateJoinCode`, reserved by the registry for future use.
    CAN_CREATE_JOIN_CODE = 0x0007, "canCreateJoinCode";
    /// `canDeleteJoinCode`, reserved by the registry for future use.
    CAN_DELETE_JOIN_CODE = 0x0008, "canDeleteJoinCode";
    /// `canUseJoinCode`.
    CAN_USE_JOIN_CODE = 0x0009, "canUseJoinCode";
    /// `canBan`.
    CAN_BAN = 0x000a, "canBan";
    /// `canUnBan`.
    CAN_UNBAN = 0x000b, "canUnBan";
    /// `canKick`.
    CAN_KICK = 0x000c, "canKick";
    /// `canKnock`, reserved by the registry for future use.
    CAN_KNOCK = 0x000d, "canKnock";
    /// `canAcceptKnock`, reserved by the registry for future use.
    CAN_ACCEPT_KNOCK = 0x000e, "canAcceptKnock";
    /// `canChangeUserRole`.
    CAN_CHANGE_USER_ROLE = 0x000f, "canChangeUserRole";
    /// `canChangeOwnRole`.
    CAN_CHANGE_OWN_ROLE = 0x0010, "canChangeOwnRole";
    /// `canCreateSubgroup`, reserved by the registry for future use.
    CAN_CREATE_SUBGROUP = 0x0011, "canCreateSubgroup";
    /// `canSendMessage`.
    CAN_SEND_MESSAGE = 0x0100, "canSendMessage";
    /// `canReceiveMessage`.
    CAN_RECEIVE_MESSAGE = 0x0101, "canReceiveMessage";
    /// `canCopyMessage`.
    CAN_COPY_MESSAGE = 0x0102, "canCopyMessage";
    /// `canReportAbuse`.
    CAN_REPORT_ABUSE = 0x0103, "canReportAbuse";
    /// `canReplyToMessage`.
    CAN_REPLY_TO_MESSAGE = 0x0104, "canReplyToMessage";
    /// `canReactToMessage`.
    CAN_REACT_TO_MESSAGE = 0x0105, "canReactToMessage";
    /// `canEditReaction`.
    CAN_EDIT_REACTION = 0x0106, "canEditReaction";
    /// `canDeleteOwnReaction`.
    CAN_DELETE_OWN_REACTION = 0x0107, "canDeleteOwnReaction";
    /// `canDeleteOtherReaction`.
    CAN_DELETE_OTHER_REACTION = 0x0108, "canDeleteOtherReaction";
    /// `canEditOwnMessage`.
    CAN_EDIT_OWN_MESSAGE = 0x0109, "canEditOwnMessage";
    /// `canDeleteOwnMessage`.
    CAN_DELETE_OWN_MESSAGE = 0x010a, "canDeleteOwnMessage";
    /// `canDeleteOtherMessage`.
    CAN_DELETE_OTHER_MESSAGE = 0x010b, "canDeleteOtherMessage";
    /// `canStartTopic`.
    CAN_START_TOPIC = 0x010c, "canStartTopic";
    /// `canReplyInTopic`.
    CAN_REPLY_IN_TOPIC = 0x010d, "canReplyInTopic";
    /// `canEditOwnTopic`.
    CAN_EDIT_OWN_TOPIC = 0x010e, "canEditOwnTopic";
    /// `canEditOtherTopic`.
    CAN_EDIT_OTHER_TOPIC = 0x010f, "canEditOtherTopic";
    /// `canSendDirectMessage`, reserved by the registry for future use.
    CAN_SEND_DIRECT_MESSAGE = 0x0110, "canSendDirectMessage";
    /// `canTargetMessage`, reserved by the registry for future use.
    CAN_TARGET_MESSAGE = 0x0111, "canTargetMessage";
    /// `canUploadImage`.
    CAN_UPLOAD_IMAGE = 0x0200, "canUploadImage";
    /// `canUploadAudio`.
    CAN_UPLOAD_AUDIO = 0x0201, "canUploadAudio";
    /// `canUploadVideo`.
    CAN_UPLOAD_VIDEO = 0x0202, "canUploadVideo";
    /// `canUploadAttachment`.
    CAN_UPLOAD_ATTACHMENT = 0x0203, "canUploadAttachment";
    /// `canDownloadImage`.
    CAN_DOWNLOAD_IMAGE = 0x0204, "canDownloadImage";
    /// `canDownloadAudio`.
    CAN_DOWNLOAD_AUDIO = 0x0205, "canDownloadAudio";
    /// `canDownloadVideo`.
    CAN_DOWNLOAD_VIDEO = 0x0206, "canDownloadVideo";
    /// `canDownloadAttachment`.
    CAN_DOWNLOAD_ATTACHMENT = 0x0207, "canDownloadAttachment";
    /// `canSendLink`.
    CAN_SEND_LINK = 0x0208, "canSendLink";
    /// `canSendLinkPreview`.
    CAN_SEND_LINK_PREVIEW = 0x0209, "canSendLinkPreview";
    /// `canFollowLink`.
    CAN_FOLLOW_LINK = 0x020a, "canFollowLink";
    /// `canCopyLink`.
    CAN_COPY_LINK = 0x020b, "canCopyLink";
    /// `canChangeRoomName`.
    CAN_CHANGE_ROOM_NAME = 0x0300, "canChangeRoomName";
    /// `canChangeRoomDescription`.
    CAN_CHANGE_ROOM_DESCRIPTION = 0x0301, "canChangeRoomDescription";
    /// `canChangeRoomAvatar`.
    CAN_CHANGE_ROOM_AVATAR = 0x0302, "canChangeRoomAvatar";
    /// `canChangeRoomSubject`.
    CAN_CHANGE_ROOM_SUBJECT = 0x0303, "canChangeRoomSubject";
    /// `canChangeRoomMood`.
    CAN_CHANGE_ROOM_MOOD = 0x0304, "canChangeRoomMood";
    /// `canChangeOwnName`, reserved by the registry for future use.
    CAN_CHANGE_OWN_NAME = 0x0380, "canChangeOwnName";
    /// `canChangeOwnPresence`, reserved by the registry for future use.
    CAN_CHANGE_OWN_PRESENCE = 0x0381, "canChangeOwnPresence";
    /// `canChangeOwnMood`, reserved by the registry for future use.
    CAN_CHANGE_OWN_MOOD = 0x0382, "canChangeOwnMood";
    /// `canChangeOwnAvatar`, reserved by the registry for future use.
    CAN_CHANGE_OWN_AVATAR = 0x0383, "canChangeOwnAvatar";
    /// `canStartCall`.
    CAN_START_CALL = 0x0400, "canStartCall";
    /// `canJoinCall`.
    CAN_JOIN_CALL = 0x0401, "canJoinCall";
    /// `canSendAudio`.
    CAN_SEND_AUDIO = 0x0402, "canSendAudio";
    /// `canReceiveAudio`.
    CAN_RECEIVE_AUDIO = 0x0403, "canReceiveAudio";
    /// `canSendVideo`.
    CAN_SEND_VIDEO = 0x0404, "canSendVideo";
    /// `canReceiveVideo`.
    CAN_RECEIVE_VIDEO = 0x0405, "canReceiveVideo";
    /// `canShareScreen`.
    CAN_SHARE_SCREEN = 0x0406, "canShareScreen";
    /// `canViewSharedScreen`.
    CAN_VIEW_SHARED_SCREEN = 0x0407, "canViewSharedScreen";
    /// `canCreateRoom`, reserved by the registry for future use.
    CAN_CREATE_ROOM = 0x0500, "canCreateRoom";
    /// `canDestroyRoom`.
    CAN_DESTROY_ROOM = 0x0501, "canDestroyRoom";
    /// `canChangeRoomMembershipStyle`.
    CAN_CHANGE_ROOM_MEMBERSHIP_STYLE = 0x0502, "canChangeRoomMembershipStyle";
    /// `canChangeRoleDefinitions`.
    CAN_CHANGE_ROLE_DEFINITIONS = 0x0503, "canChangeRoleDefinitions";
    /// `canChangePreauthorizedUserList`.
    CAN_CHANGE_PREAUTHORIZED_USER_LIST = 0x0504, "canChangePreauthorizedUserList";
    /// `canChangeOtherPolicyAttribute`, reserved by the registry for future use.
    CAN_CHANGE_OTHER_POLICY_ATTRIBUTE = 0x0505, "canChangeOtherPolicyAttribute";
    /// `canChangeMlsOperationalPolicies`, reserved by the registry for future use.
    CAN_CHANGE_MLS_OPERATIONAL_POLICIES = 0x0600, "canChangeMlsOperationalPolicies";
    /// `canSendMLSReinitProposal`.
    CAN_SEND_MLS_REINIT_PROPOSAL = 0x0601, "canSendMLSReinitProposal";
    /// `canSendMLSUpdateProposal`, reserved by the registry for future use.
    CAN_SEND_MLS_UPDATE_PROPOSAL = 0x0602, "canSendMLSUpdateProposal";
    /// `canSendMLSPSKProposal`, reserved by the registry for future use.
    CAN_SEND_MLS_PSK_PROPOSAL = 0x0603, "canSendMLSPSKProposal";
    /// `canSendMLSExternalProposal`, reserved by the registry for future use.
    CAN_SEND_MLS_EXTERNAL_PROPOSAL = 0x0604, "canSendMLSExternalProposal";
    /// `canSendMLSExternalCommit`, reserved by the registry for future use.
    CAN_SEND_MLS_EXTERNAL_COMMIT = 0x0605, "canSendMLSExternalCommit";
}

impl fmt::Display for CapabilityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for CapabilityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Encode for CapabilityType {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for CapabilityType {
    const NAME: &'static str = "CapabilityType";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.u16("value").map(Self)
    }
}
