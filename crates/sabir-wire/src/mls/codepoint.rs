//! Numbers from the MLS registries. A value nobody here knows stays what it is and survives a round trip
//! (RFC 9420 §13.5).

use std::fmt;

use crate::codec::{Decode, DecodeError, Encode, Reader};

macro_rules! code_point {
    ($(#[$doc:meta])* $name:ident, $wire:literal, grease to $last:literal {
        $($(#[$item_doc:meta])* $item:ident = $value:literal, $text:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            $($(#[$item_doc])* pub const $item: Self = Self($value);)*

            /// The registered name, `None` for a value not known here.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }

            /// Whether this is one of the values reserved for GREASE, which everybody must ignore (RFC 9420 §13.5).
            #[must_use]
            pub fn is_grease(self) -> bool {
                let [high, low] = self.0.to_be_bytes();
                high == low && low & 0x0f == 0x0a && high <= $last
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#06x}", self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{}({:#06x} {name})", stringify!($name), self.0),
                    None => write!(f, "{}({:#06x})", stringify!($name), self.0),
                }
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }

        impl Decode for $name {
            const NAME: &'static str = $wire;

            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                r.u16("value").map(Self)
            }
        }
    };
}

code_point! {
    /// `uint16 ProtocolVersion` (RFC 9420 §6).
    ProtocolVersion, "ProtocolVersion", grease to 0xea {
        /// MLS 1.0.
        MLS10 = 0x0001, "mls10";
    }
}

code_point! {
    /// `uint16 CipherSuite` (RFC 9420 §17.1).
    CipherSuite, "CipherSuite", grease to 0xea {
        /// X25519, AES-128-GCM, SHA-256, Ed25519.
        MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519 = 0x0001, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
        /// P-256, AES-128-GCM, SHA-256, ECDSA P-256.
        MLS_128_DHKEMP256_AES128GCM_SHA256_P256 = 0x0002, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256";
        /// X25519, ChaCha20-Poly1305, SHA-256, Ed25519.
        MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_ED25519 = 0x0003, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519";
        /// X448, AES-256-GCM, SHA-512, Ed448.
        MLS_256_DHKEMX448_AES256GCM_SHA512_ED448 = 0x0004, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448";
        /// P-521, AES-256-GCM, SHA-512, ECDSA P-521.
        MLS_256_DHKEMP521_AES256GCM_SHA512_P521 = 0x0005, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521";
        /// X448, ChaCha20-Poly1305, SHA-512, Ed448.
        MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_ED448 = 0x0006, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448";
        /// P-384, AES-256-GCM, SHA-384, ECDSA P-384.
        MLS_256_DHKEMP384_AES256GCM_SHA384_P384 = 0x0007, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384";
        /// ML-KEM-768 with X25519, AES-128-GCM, SHA-256, Ed25519. The number is provisional: the draft asks for one.
        MLS_128_MLKEM768X25519_AES128GCM_SHA256_ED25519 = 0x004f, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519";
    }
}

code_point! {
    /// `uint16 WireFormat` (RFC 9420 §17.2).
    WireFormat, "WireFormat", grease to 0xea {
        /// A [`PublicMessage`](super::PublicMessage).
        PUBLIC_MESSAGE = 0x0001, "mls_public_message";
        /// A [`PrivateMessage`](super::PrivateMessage).
        PRIVATE_MESSAGE = 0x0002, "mls_private_message";
        /// A [`Welcome`](super::Welcome).
        WELCOME = 0x0003, "mls_welcome";
        /// A [`GroupInfo`](super::GroupInfo).
        GROUP_INFO = 0x0004, "mls_group_info";
        /// A [`KeyPackage`](super::KeyPackage).
        KEY_PACKAGE = 0x0005, "mls_key_package";
    }
}

code_point! {
    /// `uint16 ExtensionType` (RFC 9420 §17.3, draft-ietf-mls-extensions §7.1).
    ExtensionType, "ExtensionType", grease to 0xea {
        /// An opaque name of the application for a leaf.
        APPLICATION_ID = 0x0001, "application_id";
        /// A [`RatchetTree`](super::RatchetTree) in a GroupInfo; MIMI sends it beside it instead.
        RATCHET_TREE = 0x0002, "ratchet_tree";
        /// [`RequiredCapabilities`](super::RequiredCapabilities) of a group.
        REQUIRED_CAPABILITIES = 0x0003, "required_capabilities";
        /// An [`HpkePublicKey`](super::HpkePublicKey) for external commits, in a GroupInfo.
        EXTERNAL_PUB = 0x0004, "external_pub";
        /// [`ExternalSenders`](super::ExternalSenders) of a group.
        EXTERNAL_SENDERS = 0x0005, "external_senders";
        /// An [`AppDataDictionary`](super::AppDataDictionary).
        APP_DATA_DICTIONARY = 0x0006, "app_data_dictionary";
        /// [`WireFormats`](super::WireFormats) a leaf supports.
        SUPPORTED_WIRE_FORMATS = 0x0007, "supported_wire_formats";
        /// [`WireFormats`](super::WireFormats) a group requires.
        REQUIRED_WIRE_FORMATS = 0x0008, "required_wire_formats";
        /// The mark of a last-resort KeyPackage in earlier drafts, now the component
        /// [`ComponentId::LAST_RESORT_KEY_PACKAGE`].
        LAST_RESORT = 0x000a, "last_resort_key_package";
    }
}

code_point! {
    /// `uint16 ProposalType` (RFC 9420 §17.4, draft-ietf-mls-extensions §7.2).
    ProposalType, "ProposalType", grease to 0xea {
        /// Adds a client.
        ADD = 0x0001, "add";
        /// Replaces the sender's leaf.
        UPDATE = 0x0002, "update";
        /// Removes a leaf.
        REMOVE = 0x0003, "remove";
        /// Injects a pre-shared key.
        PSK = 0x0004, "psk";
        /// Ends the group in favour of a new one.
        REINIT = 0x0005, "reinit";
        /// Lets a new member derive the epoch from outside.
        EXTERNAL_INIT = 0x0006, "external_init";
        /// Replaces the GroupContext's extensions.
        GROUP_CONTEXT_EXTENSIONS = 0x0007, "group_context_extensions";
        /// Updates or removes one component of the `app_data_dictionary`.
        APP_DATA_UPDATE = 0x0008, "app_data_update";
        /// Attaches application data to one commit.
        APP_EPHEMERAL = 0x0009, "app_ephemeral";
        /// Removes the sender.
        SELF_REMOVE = 0x000a, "self_remove";
    }
}

code_point! {
    /// `uint16 CredentialType` (RFC 9420 §17.5, draft-ietf-mls-extensions §7.3).
    CredentialType, "CredentialType", grease to 0xea {
        /// A bare identity.
        BASIC = 0x0001, "basic";
        /// A chain of X.509 certificates.
        X509 = 0x0002, "x509";
        /// Several credentials, all supported by everybody.
        MULTI = 0x0003, "multi";
        /// Several credentials, at least one supported by everybody.
        WEAK_MULTI = 0x0004, "weak-multi";
    }
}

code_point! {
    /// `uint16 ComponentID` (draft-ietf-mls-extensions §4.1). Values up to 5 are of its §7.5, 0x20 to 0x23 of
    /// draft-ietf-mimi-protocol-06 §10, and the rest those draft-ietf-mimi-room-policy-03 §10.1 suggests.
    ComponentId, "ComponentID", grease to 0x7a {
        /// [`ComponentsList`](super::ComponentsList) of supported or required components.
        APP_COMPONENTS = 0x0001, "app_components";
        /// [`ComponentsList`](super::ComponentsList) of components that use [`SafeAad`](super::SafeAad).
        SAFE_AAD = 0x0002, "safe_aad";
        /// Media types supported or required.
        CONTENT_MEDIA_TYPES = 0x0003, "content_media_types";
        /// Marks a KeyPackage that may be used more than once; its data is empty.
        LAST_RESORT_KEY_PACKAGE = 0x0004, "last_resort_key_package";
        /// Acknowledges application messages in a commit.
        APP_ACK = 0x0005, "app_ack";
        /// The franking tag of a message, in its SafeAAD.
        FRANK_AAD = 0x0020, "frank_aad";
        /// Who franks in a room and with which key. The draft's text calls it `franking_agent`, its registration
        /// `franking_signature_key`.
        FRANKING_AGENT = 0x0021, "franking_agent";
        /// Participants of a room and their roles.
        PARTICIPANT_LIST = 0x0022, "participant_list";
        /// Name, description and picture of a room.
        ROOM_METADATA = 0x0023, "room_metadata";
        /// Rules about MLS itself.
        MLS_OPERATIONAL_POLICY = 0x0024, "mls_operational_policy";
        /// Roles and what they may do.
        ROLES_LIST = 0x0025, "roles_list";
        /// Who may join with which role without being asked.
        PREAUTH_LIST = 0x0026, "preauth_list";
        /// The rules every room has.
        BASE_ROOM_POLICY = 0x0027, "base_room_policy";
        /// Whether delivery and reading are reported.
        STATUS_NOTIFICATION_POLICY = 0x0028, "status_notification_policy";
        /// Rules for join links.
        JOIN_LINK_POLICY = 0x0029, "join_link_policy";
        /// The join links of a room.
        JOIN_LINKS = 0x002a, "join_links";
        /// Rules for previews of links.
        LINK_PREVIEW_POLICY = 0x002b, "link_preview_policy";
        /// Rules for attachments.
        ASSET_POLICY = 0x002c, "asset_policy";
        /// Rules for logging.
        LOGGING_POLICY = 0x002d, "logging_policy";
        /// Whether newcomers may see earlier messages.
        CHAT_HISTORY_POLICY = 0x002e, "chat_history_policy";
        /// Which bots are in a room and what they see.
        BOT_POLICY = 0x002f, "bot_policy";
        /// When messages expire.
        MESSAGE_EXPIRATION = 0x0030, "message_expiration_policy";
    }
}

impl ComponentId {
    /// One of the eight values reserved for GREASE (draft-ietf-mls-extensions §7.5), picked by `choice`. From 0x8000 on
    /// components are private, so they have fewer of them than the other registries.
    #[must_use]
    pub fn grease(choice: u8) -> Self {
        let byte = ((choice & 7) << 4) | 0x0a;
        Self(u16::from_be_bytes([byte, byte]))
    }
}
