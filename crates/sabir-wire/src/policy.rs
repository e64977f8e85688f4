//! The policy components of a room (draft-ietf-mimi-room-policy-03): roles and what they may do, who is
//! preauthorised, what kind of room it is, and rules about single features.
//!
//! Each top-level structure is the `data` of one component and, as a whole, also its update; only
//! [`JoinLinksUpdate`] differs. Everything here travels and decides nothing: that role indexes are unique, that
//! a fixed room grants no `canAddParticipant` and the like is checked by the room engine.
//!
//! Where the draft's syntax writes `case mandatory`, its enumeration calls the value `required`; they are the
//! same. [`Governed`] stands for "optional, required or forbidden, with details unless forbidden".

mod asset;
mod base;
mod capability;
mod feature;
mod join_link;
mod operational;
mod optionality;
mod preauth;
mod role;
#[cfg(test)]
mod tests;

pub use asset::{
    AssetPolicy, AssetUploadLocation, DomainName, DownloadPrivacy, DownloadPrivacyType, MediaType, Parameter,
    ProviderAssetUploadDomains,
};
pub use base::BaseRoomPolicy;
pub use capability::CapabilityType;
pub use feature::{
    Bot, BotPolicy, ExpirationLimits, HistoryPolicy, HistorySharing, LinkPreviewPolicy, LinkPreviewProxies,
    LoggingDetails, LoggingPolicy, MessageExpiration, StatusNotificationPolicy,
};
pub use join_link::{JoinLink, JoinLinkPolicy, JoinLinksData, JoinLinksUpdate};
pub use operational::{
    AppMessagePolicy, ExtendedCapabilities, MinDefaultMaxTime, OperationalParameters, PendingProposalPolicy,
};
pub use optionality::{Governed, Optionality};
pub use preauth::{Claim, ClaimId, PreAuthData, PreAuthRoleEntry};
pub use role::{Role, RoleData, SingleSourceRoleChangeTargets};

/// Bytes of one policy component, and of any list within: a policy is read by every member on every change.
/// A room of 64 roles with all capabilities takes about 12 KiB.
pub const MAX_POLICY: usize = 128 << 10;

/// Bytes of a name, a description, a claim or a media type in a policy.
pub const MAX_POLICY_TEXT: usize = 4 << 10;
