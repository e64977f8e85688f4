//! What providers say to each other (draft-ietf-mimi-protocol-06 §5), one module per endpoint.
//!
//! | endpoint | request | answer |
//! |---|---|---|
//! | directory | | [`Directory`] (as JSON, elsewhere) |
//! | keyMaterial | [`KeyMaterialRequest`] | [`KeyMaterialResponse`] |
//! | update | [`UpdateRequest`] | [`UpdateRoomResponse`] |
//! | submitMessage | [`SubmitMessageRequest`] | [`SubmitMessageResponse`] |
//! | notify | one or more [`FanoutMessage`] | status code only |
//! | groupInfo | [`GroupInfoRequest`] | [`GroupInfoResponse`] |
//! | requestConsent, updateConsent | [`ConsentEntry`] | status code only |
//! | identifierQuery | [`IdentifierRequest`] | [`IdentifierResponse`] |
//! | reportAbuse | [`AbuseReport`] | status code only |
//!
//! Structures follow the draft under its names. Where it prints one thing and means another, the
//! documentation of the structure says which reading is taken. A structure's `tbs` gives the bytes to sign
//! under its `SIGNATURE_LABEL` with MLS's `SignWithLabel` (RFC 9420 §5.1.2).
//!
//! Each outermost structure has a bound on its whole size, checked before anything is read; a server must
//! apply the same bound to the body it buffers.

mod abuse;
mod consent;
mod directory;
mod fanout;
mod franking;
mod group_info;
mod identifier_query;
mod key_material;
mod submit;
#[cfg(test)]
mod tests;
mod tree_option;
mod update;

pub use abuse::{AbuseReport, AbuseType, AbusiveMessage, MAX_REPORT_ABUSE};
pub use consent::{ConsentEntry, ConsentOperation, ConsentScope, MAX_CONSENT};
pub use directory::{Directory, DirectoryError, WELL_KNOWN_PATH, expand, member};
pub use fanout::{FanoutBody, FanoutMessage, MAX_NOTIFY};
pub use franking::{Frank, FrankAad, FrankingAgentData, FrankingIntegrityTbs, ServerFrankingContext};
pub use group_info::{
    GroupInfoOutcome, GroupInfoRatchetTreeTbe, GroupInfoRequest, GroupInfoResponse, GroupInfoSuccess,
    MAX_GROUP_INFO_REQUEST, MAX_GROUP_INFO_RESPONSE, PendingProposal,
};
pub use identifier_query::{
    FieldSource, IdentifierQueryCode, IdentifierRequest, IdentifierResponse, MAX_IDENTIFIER_REQUEST,
    MAX_IDENTIFIER_RESPONSE, ProfileField, QueryElement, SearchIdentifierType, UserProfile,
};
pub use key_material::{
    ClientKeyMaterial, ClientKeyStatus, KeyMaterialClientCode, KeyMaterialRequest, KeyMaterialResponse,
    KeyMaterialUserCode, MAX_KEY_MATERIAL_REQUEST, MAX_KEY_MATERIAL_RESPONSE,
};
pub use submit::{MAX_SUBMIT_REQUEST, SubmitMessageRequest, SubmitMessageResponse, SubmitResponseCode};
pub use tree_option::{PartialGroupInfo, RatchetTreeOption, RatchetTreePresence};
pub use update::{
    GroupInfoOption, HandshakeBundle, MAX_UPDATE_REQUEST, UpdateOutcome, UpdateRequest, UpdateResponseCode,
    UpdateRoomResponse,
};

use crate::enumeration::enumeration;

enumeration! {
    /// The end-to-end encryption of a request (draft-ietf-mimi-protocol-06 §5).
    ///
    /// ```text
    /// enum {
    ///     reserved(0),
    ///     mls10(1),
    ///     (255)
    /// } Protocol;
    /// ```
    ///
    /// Everything after a protocol depends on it, so another one is refused; structures whose only form is
    /// that of MLS 1.0 do not keep the value.
    Protocol, "Protocol" {
        /// MLS 1.0 (RFC 9420).
        Mls10 = 1;
    }
}

/// Bytes of a description of an error for people.
const MAX_ERROR_TEXT: usize = 4 << 10;

/// Every answer without keys, trees or messages in it fits easily.
const MAX_SMALL_RESPONSE: usize = 256 << 10;
