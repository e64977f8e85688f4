use super::group::mls10;
use super::{
    ContentType, GroupInfo, KeyPackage, PrivateMessage, ProtocolVersion, PublicMessage, Welcome, WireFormat,
};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader};

/// Any message of MLS 1.0 (RFC 9420 §6).
///
/// ```text
/// struct {
///     ProtocolVersion version = mls10;
///     WireFormat wire_format;
///     select (MLSMessage.wire_format) {
///         case mls_public_message:  PublicMessage public_message;
///         case mls_private_message: PrivateMessage private_message;
///         case mls_welcome:         Welcome welcome;
///         case mls_group_info:      GroupInfo group_info;
///         case mls_key_package:     KeyPackage key_package;
///     };
/// } MLSMessage;
/// ```
///
/// Another version or wire format is refused, for its end cannot be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MlsMessage {
    /// 1: a handshake in the clear.
    Public(Box<PublicMessage>),
    /// 2: something encrypted.
    Private(PrivateMessage),
    /// 3.
    Welcome(Welcome),
    /// 4.
    GroupInfo(Box<GroupInfo>),
    /// 5.
    KeyPackage(Box<KeyPackage>),
}

impl MlsMessage {
    /// The wire format written after the version.
    #[must_use]
    pub fn wire_format(&self) -> WireFormat {
        match self {
            Self::Public(_) => WireFormat::PUBLIC_MESSAGE,
            Self::Private(_) => WireFormat::PRIVATE_MESSAGE,
            Self::Welcome(_) => WireFormat::WELCOME,
            Self::GroupInfo(_) => WireFormat::GROUP_INFO,
            Self::KeyPackage(_) => WireFormat::KEY_PACKAGE,
        }
    }

    /// The group it says it belongs to; a Welcome hides its group, a KeyPackage has none.
    #[must_use]
    pub fn group_id(&self) -> Option<&[u8]> {
        match self {
            Self::Public(message) => Some(&message.content.group_id),
            Self::Private(message) => Some(&message.group_id),
            Self::GroupInfo(info) => Some(&info.group_context.group_id),
            Self::Welcome(_) | Self::KeyPackage(_) => None,
        }
    }

    /// The epoch it says it belongs to.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        match self {
            Self::Public(message) => Some(message.content.epoch),
            Self::Private(message) => Some(message.epoch),
            Self::GroupInfo(info) => Some(info.group_context.epoch),
            Self::Welcome(_) | Self::KeyPackage(_) => None,
        }
    }

    /// What a framed message says it carries.
    #[must_use]
    pub fn content_type(&self) -> Option<ContentType> {
        match self {
            Self::Public(message) => Some(message.content.content_type()),
            Self::Private(message) => Some(message.content_type),
            Self::Welcome(_) | Self::GroupInfo(_) | Self::KeyPackage(_) => None,
        }
    }

    /// The `authenticated_data` of a framed message.
    #[must_use]
    pub fn authenticated_data(&self) -> Option<&[u8]> {
        match self {
            Self::Public(message) => Some(&message.content.authenticated_data),
            Self::Private(message) => Some(&message.authenticated_data),
            Self::Welcome(_) | Self::GroupInfo(_) | Self::KeyPackage(_) => None,
        }
    }
}

impl Encode for MlsMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        ProtocolVersion::MLS10.encode(out);
        self.wire_format().encode(out);
        match self {
            Self::Public(message) => message.encode(out),
            Self::Private(message) => message.encode(out),
            Self::Welcome(welcome) => welcome.encode(out),
            Self::GroupInfo(info) => info.encode(out),
            Self::KeyPackage(key_package) => key_package.encode(out),
        }
    }
}

impl Decode for MlsMessage {
    const NAME: &'static str = "MLSMessage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        mls10(r)?;
        let at = r.offset();
        match r.read_as("wire_format")? {
            WireFormat::PUBLIC_MESSAGE => Ok(Self::Public(Box::new(r.read_as("public_message")?))),
            WireFormat::PRIVATE_MESSAGE => r.read_as("private_message").map(Self::Private),
            WireFormat::WELCOME => r.read_as("welcome").map(Self::Welcome),
            WireFormat::GROUP_INFO => Ok(Self::GroupInfo(Box::new(r.read_as("group_info")?))),
            WireFormat::KEY_PACKAGE => Ok(Self::KeyPackage(Box::new(r.read_as("key_package")?))),
            other => Err(r.error_at(at, "wire_format", DecodeErrorKind::UnknownValue(other.0.into()))),
        }
    }
}
