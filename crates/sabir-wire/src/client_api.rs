//! What a device and its own provider say to each other: our own API, version 1, over HTTPS under `/client/v1/`.
//!
//! Where MIMI has a structure for something, the same bytes are used ([`crate::protocol`]): update, submit, key
//! material, group info, consent. Only the rest is defined here, in the same presentation language.
//!
//! ```text
//! POST auth/challenge    -> ClientAuthChallenge
//! POST auth/sign-in      SignInRequest            -> SignInResponse      (then: Authorization: Bearer …)
//! POST accounts          CreateAccountRequest     -> CreateAccountResponse
//! POST accounts/recover  RecoverAccountRequest    -> RecoverAccountResponse
//! POST devices           RegisterDeviceRequest    -> RegisterDeviceResponse
//! GET  devices           -> DevicesResponse
//! POST, GET pairing/{box}/hello, …/reveal, …/letter: what two devices of one person say to each other while one is
//!                        linked ([`crate::pairing`])
//! POST, GET backup:      what the person's recovery code opens, opaque to the provider, at most 64 KiB
//! POST key-packages      PublishKeyPackagesRequest-> PublishKeyPackagesResponse
//! GET  key-packages      -> KeyPackageCountResponse
//! GET  hub               -> HubIdentity
//! POST rooms             CreateRoomRequest        -> CreateRoomResponse
//! POST rooms/attach      AttachRequest            -> no body
//! GET  events?after=N    -> stream of frames, each an Event
//! POST events/ack        AckRequest               -> no body
//! POST assets, assets/{id}?offset=N, assets/{id}/finish; GET, DELETE assets/{id}; GET download/{url}:
//!                        files, see below
//! POST update/{roomId}, submit-message/{roomId}, group-info/{roomId}, key-material/{targetUser}:
//!                        bodies and answers of MIMI
//! ```
//!
//! Every answer outside 2xx has an [`ApiError`] as its body. What a request asks and is refused for a reason the
//! request itself defines (a name that is taken) is a 200 with that code.
//!
//! A device signs with its MLS leaf key; the labels keep such signatures apart from MLS's own. Each signed
//! structure names the provider, so that no other provider can use the signature.

mod account;
mod asset;
mod auth;
mod device;
mod devices;
mod error;
mod event;
mod frame;
mod hub;
mod key_packages;
mod room;
mod secret;
#[cfg(test)]
mod tests;

pub use account::{
    CreateAccountRequest, CreateAccountResponse, MAX_INVITE_TOKEN, MAX_USER_NAME, RecoverAccountRequest,
    RecoverAccountResponse,
};
pub use asset::{
    AppendAssetResponse, AssetId, AssetStatus, AssetUrl, BeginAssetRequest, BeginAssetResponse,
    FinishAssetResponse, MAX_ASSET_PIECE, MAX_ASSET_URL,
};
pub use auth::{
    AUTH_EXPORTER_LABEL, ClientAuthChallenge, ClientAuthTbs, MAX_TOKEN, SignInRequest, SignInResponse,
};
pub use device::{RegisterDeviceCode, RegisterDeviceRequest, RegisterDeviceResponse};
pub use devices::{DevicesResponse, ListedDevice, MAX_DEVICES_RESPONSE};
pub use error::{ApiError, ApiErrorCode};
pub use event::{AckRequest, Event, EventBody, MAX_CURSOR};
pub use frame::{FrameReader, MAX_EVENT, put_fanout_frame, put_frame};
pub use hub::HubIdentity;
pub use key_packages::{
    KeyPackageCount, KeyPackageCountResponse, MAX_COUNTED_SUITES, MAX_PUBLISHED_KEY_PACKAGES,
    PublishKeyPackagesRequest, PublishKeyPackagesResponse,
};
pub use room::{AttachRequest, CreateRoomOutcome, CreateRoomRequest, CreateRoomResponse};
pub use secret::SecretBytes;

/// Bytes of a request without key packages, trees or messages in it: a credential of at most 64 KiB and a list of
/// devices.
pub const MAX_CLIENT_REQUEST: usize = 128 << 10;

/// Bytes of a request to publish KeyPackages: 100 of 20 KiB, as post-quantum suites make them.
pub const MAX_PUBLISH_REQUEST: usize = 2 << 20;

/// Bytes of the backup that a recovery code opens: an `HPKECiphertext`.
pub const MAX_BACKUP: usize = 64 << 10;

/// Paths of the API. Those that end in a slash are followed by an identifier as one path segment.
pub mod path {
    /// Before every path.
    pub const PREFIX: &str = "/client/v1/";
    /// POST, no body, answer [`super::ClientAuthChallenge`].
    pub const CHALLENGE: &str = "/client/v1/auth/challenge";
    /// POST [`super::SignInRequest`].
    pub const SIGN_IN: &str = "/client/v1/auth/sign-in";
    /// POST [`super::CreateAccountRequest`].
    pub const ACCOUNTS: &str = "/client/v1/accounts";
    /// POST [`super::RecoverAccountRequest`].
    pub const RECOVER: &str = "/client/v1/accounts/recover";
    /// POST or GET the person's backup, an `HPKECiphertext` of a [`crate::recovery::RoomsBackup`].
    pub const BACKUP: &str = "/client/v1/backup";
    /// POST [`super::RegisterDeviceRequest`], GET [`super::DevicesResponse`].
    pub const DEVICES: &str = "/client/v1/devices";
    /// A box follows, 32 bytes in base64url, and one of the next three: POST or GET what lies there.
    pub const PAIRING: &str = "/client/v1/pairing/";
    /// Behind [`PAIRING`] and a box: an `HPKECiphertext` of a [`crate::pairing::PairingHello`].
    pub const HELLO: &str = "/hello";
    /// Behind [`PAIRING`] and a box: a [`crate::pairing::PairingReveal`].
    pub const REVEAL: &str = "/reveal";
    /// Behind [`PAIRING`] and a box: an `HPKECiphertext` of a [`crate::pairing::PairingLetter`].
    pub const LETTER: &str = "/letter";
    /// POST [`super::PublishKeyPackagesRequest`], GET [`super::KeyPackageCountResponse`].
    pub const KEY_PACKAGES: &str = "/client/v1/key-packages";
    /// GET [`super::HubIdentity`].
    pub const HUB: &str = "/client/v1/hub";
    /// POST [`super::CreateRoomRequest`].
    pub const ROOMS: &str = "/client/v1/rooms";
    /// POST [`super::AttachRequest`].
    pub const ATTACH: &str = "/client/v1/rooms/attach";
    /// GET with the query `after`, the last cursor in decimal; a stream of frames.
    pub const EVENTS: &str = "/client/v1/events";
    /// POST [`super::AckRequest`].
    pub const ACK: &str = "/client/v1/events/ack";
    /// POST [`super::BeginAssetRequest`].
    pub const ASSETS: &str = "/client/v1/assets";
    /// An asset's identifier follows: POST bytes with the query `offset` in decimal, answer
    /// [`super::AppendAssetResponse`]; GET [`super::AssetStatus`]; DELETE.
    pub const ASSET: &str = "/client/v1/assets/";
    /// Behind [`ASSET`] and an identifier: POST, no body, answer [`super::FinishAssetResponse`].
    pub const FINISH: &str = "/finish";
    /// GET, perhaps with `Range: bytes=N-`; an asset's URL follows.
    pub const DOWNLOAD: &str = "/client/v1/download/";
    /// POST [`crate::protocol::UpdateRequest`]; a room follows.
    pub const UPDATE: &str = "/client/v1/update/";
    /// POST [`crate::protocol::SubmitMessageRequest`]; a room follows.
    pub const SUBMIT_MESSAGE: &str = "/client/v1/submit-message/";
    /// POST [`crate::protocol::GroupInfoRequest`]; a room follows.
    pub const GROUP_INFO: &str = "/client/v1/group-info/";
    /// POST [`crate::protocol::KeyMaterialRequest`]; the target user follows.
    pub const KEY_MATERIAL: &str = "/client/v1/key-material/";
}
