//! Decoders. What they accept they encode to the same bytes: one value has one encoding.

use sabir_wire::client_api::{
    AckRequest, ApiError, AppendAssetResponse, AssetStatus, AttachRequest, BeginAssetRequest,
    BeginAssetResponse, ClientAuthChallenge, CreateAccountRequest, CreateAccountResponse, CreateRoomRequest,
    CreateRoomResponse, DevicesResponse, Event, FinishAssetResponse, FrameReader, HubIdentity,
    KeyPackageCountResponse, PublishKeyPackagesRequest, PublishKeyPackagesResponse, RegisterDeviceRequest,
    RegisterDeviceResponse, SignInRequest, SignInResponse,
};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::components::{ParticipantListData, ParticipantListUpdate, RoomMetaData};
use sabir_wire::device_list::SignedDeviceList;
use sabir_wire::mls::{
    AppDataDictionary, Capabilities, ComponentsList, Credential, Extension, ExternalSenders, GroupContext,
    GroupInfo, KeyPackage, LeafNode, MlsMessage, Proposal, RatchetTree, SafeAad, Welcome,
};
use sabir_wire::pairing::{PairingHello, PairingLetter, PairingReveal, PairingText};
use sabir_wire::policy::{
    AssetPolicy, BaseRoomPolicy, BotPolicy, HistoryPolicy, JoinLinkPolicy, JoinLinksData, JoinLinksUpdate,
    LinkPreviewPolicy, LoggingPolicy, MessageExpiration, OperationalParameters, PreAuthData, RoleData,
    StatusNotificationPolicy,
};
use sabir_wire::protocol::{
    AbuseReport, ConsentEntry, FanoutMessage, Frank, FrankAad, FrankingAgentData, GroupInfoRatchetTreeTbe,
    GroupInfoRequest, GroupInfoResponse, IdentifierRequest, IdentifierResponse, KeyMaterialRequest,
    KeyMaterialResponse, ServerFrankingContext, SubmitMessageRequest, SubmitMessageResponse, UpdateRequest,
    UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, Domain, GroupUri, ProviderUri, RoomUri, UserUri};

type Check = fn(&[u8]);

/// What decodes encodes to the bytes it came from.
fn canonical<T: Decode + Encode>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes, "{} has two encodings", T::NAME);
    }
}

/// The first byte picks one of `checks`, the rest is its input.
fn pick(checks: &[Check], data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    if let Some(check) = checks.get(usize::from(*first) % checks.len()) {
        check(rest);
    }
}

/// What providers say to each other.
pub fn protocol(data: &[u8]) {
    pick(
        &[
            canonical::<UpdateRequest>,
            canonical::<FanoutMessage>,
            canonical::<SubmitMessageRequest>,
            canonical::<KeyMaterialRequest>,
            canonical::<KeyMaterialResponse>,
            canonical::<GroupInfoRequest>,
            canonical::<GroupInfoResponse>,
            canonical::<GroupInfoRatchetTreeTbe>,
            canonical::<UpdateRoomResponse>,
            canonical::<SubmitMessageResponse>,
            canonical::<Frank>,
            canonical::<FrankAad>,
            canonical::<FrankingAgentData>,
            canonical::<ServerFrankingContext>,
            canonical::<ConsentEntry>,
            canonical::<IdentifierRequest>,
            canonical::<IdentifierResponse>,
            canonical::<AbuseReport>,
        ],
        data,
    );
}

/// The structures of MLS.
pub fn mls(data: &[u8]) {
    pick(
        &[
            canonical::<MlsMessage>,
            canonical::<GroupInfo>,
            canonical::<Welcome>,
            canonical::<RatchetTree>,
            canonical::<KeyPackage>,
            canonical::<LeafNode>,
            canonical::<GroupContext>,
            canonical::<Proposal>,
            canonical::<Credential>,
            canonical::<Extension>,
            canonical::<ExternalSenders>,
            canonical::<Capabilities>,
            canonical::<AppDataDictionary>,
            canonical::<ComponentsList>,
            canonical::<SafeAad>,
        ],
        data,
    );
}

/// What a room's state consists of.
pub fn policy(data: &[u8]) {
    pick(
        &[
            canonical::<ParticipantListData>,
            canonical::<ParticipantListUpdate>,
            canonical::<RoomMetaData>,
            canonical::<RoleData>,
            canonical::<PreAuthData>,
            canonical::<BaseRoomPolicy>,
            canonical::<StatusNotificationPolicy>,
            canonical::<JoinLinkPolicy>,
            canonical::<JoinLinksData>,
            canonical::<JoinLinksUpdate>,
            canonical::<LinkPreviewPolicy>,
            canonical::<AssetPolicy>,
            canonical::<LoggingPolicy>,
            canonical::<HistoryPolicy>,
            canonical::<BotPolicy>,
            canonical::<MessageExpiration>,
            canonical::<OperationalParameters>,
        ],
        data,
    );
}

/// What devices and their provider say to each other, and frames of the event stream cut anywhere.
pub fn client_api(data: &[u8]) {
    pick(
        &[
            canonical::<Event>,
            canonical::<CreateAccountRequest>,
            canonical::<CreateAccountResponse>,
            canonical::<RegisterDeviceRequest>,
            canonical::<RegisterDeviceResponse>,
            canonical::<DevicesResponse>,
            canonical::<PairingText>,
            canonical::<PairingHello>,
            canonical::<PairingReveal>,
            canonical::<PairingLetter>,
            canonical::<ClientAuthChallenge>,
            canonical::<SignInRequest>,
            canonical::<SignInResponse>,
            canonical::<PublishKeyPackagesRequest>,
            canonical::<PublishKeyPackagesResponse>,
            canonical::<KeyPackageCountResponse>,
            canonical::<HubIdentity>,
            canonical::<CreateRoomRequest>,
            canonical::<CreateRoomResponse>,
            canonical::<AttachRequest>,
            canonical::<AckRequest>,
            canonical::<ApiError>,
            canonical::<SignedDeviceList>,
            canonical::<BeginAssetRequest>,
            canonical::<BeginAssetResponse>,
            canonical::<AppendAssetResponse>,
            canonical::<AssetStatus>,
            canonical::<FinishAssetResponse>,
            frames,
        ],
        data,
    );
}

/// A stream gives the same frames however it is cut.
fn frames(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else {
        return;
    };
    let mut whole = FrameReader::new();
    whole.push(stream);
    let mut cut = FrameReader::new();
    let mut from_cut = Vec::new();
    'feed: for piece in stream.chunks(usize::from(*size).max(1)) {
        cut.push(piece);
        loop {
            match cut.next_frame() {
                Ok(Some(frame)) => from_cut.push(frame),
                Ok(None) => break,
                Err(_) => break 'feed,
            }
        }
    }
    let mut from_whole = Vec::new();
    while let Ok(Some(frame)) = whole.next_frame() {
        from_whole.push(frame);
    }
    assert_eq!(from_cut, from_whole, "frames depend on where the stream is cut");
}

/// Identifiers. What is accepted is canonical already, and survives the way through a path segment.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    macro_rules! same {
        ($($kind:ident),*) => {$(
            if let Ok(parsed) = $kind::parse(text) {
                let again = $kind::parse(parsed.as_str()).expect("canonical text parses");
                assert_eq!(again, parsed);
                let segment = parsed.to_path_segment();
                assert_eq!($kind::from_path_segment(&segment).expect("an own segment parses"), parsed);
            }
            if let Ok(parsed) = $kind::from_path_segment(text) {
                assert_eq!($kind::parse(parsed.as_str()).expect("canonical text parses"), parsed);
            }
        )*};
    }
    same!(UserUri, ClientUri, RoomUri, GroupUri);
    if let Ok(domain) = Domain::parse(text) {
        assert_eq!(
            Domain::parse(domain.as_str()).expect("canonical text parses"),
            domain
        );
    }
    if let Ok(provider) = ProviderUri::parse(text) {
        assert_eq!(
            ProviderUri::parse(provider.as_str()).expect("canonical text parses"),
            provider
        );
    }
}
