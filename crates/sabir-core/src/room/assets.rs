//! Which files a room takes (draft-ietf-mimi-room-policy-03 §6.4, §8.4). No hub sees them: each client keeps to it in what
//! it sends.

use sabir_wire::content::{media_type, parameter};
use sabir_wire::policy::{AssetPolicy, AssetUploadLocation, CapabilityType, MediaType};
use sabir_wire::uri::{Domain, UserUri};
use thiserror::Error;

use super::{RoomState, allows};

/// A file that somebody would send.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// Its media type, parameters included.
    pub content_type: &'a str,
    /// Its size in bytes, unencrypted.
    pub size: u64,
    /// Whether it is shown in the conversation; else it is an attachment.
    pub shown: bool,
    /// The host it was uploaded to, once that is known.
    pub host: Option<&'a str>,
}

/// Why a room does not take a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileRefusal {
    /// The sender's role lacks a capability.
    #[error("your role lacks {0}")]
    Role(CapabilityType),
    /// Files of this type are not taken.
    #[error("the room takes no files of the type {0}")]
    Type(String),
    /// The file is larger than the room takes.
    #[error("the room takes files of this kind of at most {0} bytes")]
    Size(u64),
    /// It lies, or would lie, elsewhere than the room says.
    #[error("the room takes no files that lie with this provider")]
    Place,
}

/// What a file is to the policy. One that is not shown is an attachment, whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Audio,
    Video,
    Attachment,
}

/// Whether a person may send a file into a room.
///
/// # Errors
/// [`FileRefusal`].
pub fn may_send_file(state: &RoomState, user: &UserUri, file: FileFacts<'_>) -> Result<(), FileRefusal> {
    let kind = kind(file);
    let needed = match kind {
        Kind::Image => CapabilityType::CAN_UPLOAD_IMAGE,
        Kind::Audio => CapabilityType::CAN_UPLOAD_AUDIO,
        Kind::Video => CapabilityType::CAN_UPLOAD_VIDEO,
        Kind::Attachment => CapabilityType::CAN_UPLOAD_ATTACHMENT,
    };
    if !allows(state, user, needed) {
        return Err(FileRefusal::Role(needed));
    }
    let Some(policy) = &state.features.assets else {
        return Ok(());
    };
    let listed = |types: &[MediaType]| types.iter().any(|entry| matches(entry, file.content_type));
    let permitted = policy.permitted_media_types.as_deref().is_none_or(listed);
    // §6.4: "media types MUST be one of the entries in the permitted_media_types list, and MUST NOT be in the
    // forbidden_media_types list".
    if !permitted || listed(&policy.forbidden_media_types) {
        return Err(FileRefusal::Type(media_type(file.content_type).to_owned()));
    }
    let most = match kind {
        Kind::Image => policy.max_image,
        Kind::Audio => policy.max_audio,
        Kind::Video => policy.max_video,
        Kind::Attachment => policy.max_attachment,
    };
    if file.size > most {
        return Err(FileRefusal::Size(most));
    }
    if lies_well(
        policy,
        state.metadata.room_uri.authority(),
        user.authority(),
        file.host,
    ) {
        Ok(())
    } else {
        Err(FileRefusal::Place)
    }
}

/// The host that a URL names.
#[must_use]
pub fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.split_once(':').map_or(host, |(host, _)| host))
}

fn kind(file: FileFacts<'_>) -> Kind {
    let main = media_type(file.content_type)
        .split('/')
        .next()
        .unwrap_or_default();
    match main.to_ascii_lowercase().as_str() {
        "image" if file.shown => Kind::Image,
        "audio" if file.shown => Kind::Audio,
        "video" if file.shown => Kind::Video,
        _ => Kind::Attachment,
    }
}

/// §6.4: an entry with no parameters "matches all media types of that type and subtype that contain additional
/// parameters"; one with parameters, those that have them.
fn matches(entry: &MediaType, content_type: &str) -> bool {
    entry.media_type.eq_ignore_ascii_case(media_type(content_type))
        && entry.parameters.iter().all(|wanted| {
            parameter(content_type, &wanted.parameter_name)
                .is_some_and(|value| value == wanted.parameter_value)
        })
}

/// §6.4: the host corresponds to an entry of the domains: of the sender's provider, or of the hub.
fn lies_well(policy: &AssetPolicy, hub: &Domain, own: &Domain, host: Option<&str>) -> bool {
    let provider = match policy.asset_upload_location {
        AssetUploadLocation::Unspecified => return true,
        AssetUploadLocation::LocalProvider => own,
        AssetUploadLocation::Hub => hub,
    };
    let mut places = policy
        .upload_domains
        .iter()
        .filter(|entry| entry.provider.0 == *provider)
        .flat_map(|entry| &entry.asset_upload_destinations)
        .peekable();
    match host {
        None => places.peek().is_some(),
        Some(host) => places.any(|place| place.0.as_str().eq_ignore_ascii_case(host)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use sabir_wire::mls::{Credential, SignaturePublicKey};
    use sabir_wire::policy::{
        DomainName, DownloadPrivacy, DownloadPrivacyType, Parameter, ProviderAssetUploadDomains,
    };
    use sabir_wire::protocol::FrankingAgentData;
    use sabir_wire::uri::RoomUri;

    use super::*;
    use crate::room::{DirectRoom, RoomState};

    fn user(text: &str) -> UserUri {
        UserUri::parse(text).unwrap()
    }

    fn domain(name: &str) -> DomainName {
        DomainName(Domain::parse(name).unwrap())
    }

    fn entry(media_type: &str, parameters: &[(&str, &str)]) -> MediaType {
        MediaType {
            media_type: media_type.to_owned(),
            parameters: parameters
                .iter()
                .map(|(name, value)| Parameter {
                    parameter_name: (*name).to_owned(),
                    parameter_value: (*value).to_owned(),
                })
                .collect(),
        }
    }

    /// Alice of a.example, whose provider is the hub, and Bob of b.example.
    fn room(change: impl FnOnce(&mut AssetPolicy)) -> RoomState {
        let dictionary = DirectRoom {
            room: RoomUri::parse("mimi://a.example/r/abc").unwrap(),
            people: [user("mimi://a.example/u/alice"), user("mimi://b.example/u/bob")],
            franking_agent: FrankingAgentData {
                franking_signature_key: SignaturePublicKey(vec![1; 32]),
                credential: Credential::Basic { identity: vec![1] },
            },
        }
        .dictionary();
        let mut state = RoomState::read(|component| {
            let entry = dictionary.iter().find(|(id, _)| *id == component.0);
            entry.map(|(_, data)| data.clone())
        })
        .unwrap();
        let place = |provider: &str, host: &str| ProviderAssetUploadDomains {
            provider: domain(provider),
            asset_upload_destinations: vec![domain(host)],
        };
        let mut policy = AssetPolicy {
            asset_upload_location: AssetUploadLocation::Unspecified,
            upload_domains: vec![
                place("a.example", "files.a.example"),
                place("b.example", "b.example"),
            ],
            download_privacy: DownloadPrivacy {
                allowed_download_types: Vec::new(),
                forbidden_download_types: Vec::new(),
                default_download_type: DownloadPrivacyType::Direct,
            },
            max_image: 100,
            max_audio: 200,
            max_video: 300,
            max_attachment: 400,
            forbidden_media_types: Vec::new(),
            permitted_media_types: None,
        };
        change(&mut policy);
        state.features.assets = Some(policy);
        state
    }

    fn says(state: &RoomState, content_type: &str, size: u64, shown: bool) -> Result<(), FileRefusal> {
        let file = FileFacts {
            content_type,
            size,
            shown,
            host: None,
        };
        may_send_file(state, &user("mimi://b.example/u/bob"), file)
    }

    #[test]
    fn each_kind_has_its_size_and_its_capability() {
        let state = room(|_| ());
        for (content_type, shown, most, needed) in [
            ("image/png", true, 100, CapabilityType::CAN_UPLOAD_IMAGE),
            ("Audio/ogg", true, 200, CapabilityType::CAN_UPLOAD_AUDIO),
            ("video/mp4", true, 300, CapabilityType::CAN_UPLOAD_VIDEO),
            ("image/png", false, 400, CapabilityType::CAN_UPLOAD_ATTACHMENT),
            ("text/plain", true, 400, CapabilityType::CAN_UPLOAD_ATTACHMENT),
        ] {
            assert_eq!(says(&state, content_type, most, shown), Ok(()));
            assert_eq!(
                says(&state, content_type, most + 1, shown),
                Err(FileRefusal::Size(most))
            );
            let mut without = room(|_| ());
            for role in &mut without.roles.roles {
                role.role_capabilities.retain(|held| *held != needed);
            }
            assert_eq!(
                says(&without, content_type, 1, shown),
                Err(FileRefusal::Role(needed))
            );
        }
    }

    #[test]
    fn types_are_permitted_and_forbidden() {
        let state = room(|policy| {
            policy.permitted_media_types = Some(vec![
                entry("text/markdown", &[]),
                entry("text/plain", &[("charset", "utf-8")]),
                entry("image/png", &[]),
            ]);
            policy.forbidden_media_types = vec![entry("text/markdown", &[("variant", "GFM")])];
        });
        for (content_type, taken) in [
            ("text/markdown", true),
            ("TEXT/Markdown; variant=CommonMark", true),
            ("text/markdown;variant=GFM", false),
            ("text/plain; charset=utf-8", true),
            ("text/plain; charset=latin1", false),
            ("text/plain", false),
            ("image/png", true),
            ("image/jpeg", false),
        ] {
            assert_eq!(
                says(&state, content_type, 1, true).is_ok(),
                taken,
                "{content_type}"
            );
        }
    }

    #[test]
    fn files_lie_where_the_room_says() {
        let bob = user("mimi://b.example/u/bob");
        let carol = user("mimi://c.example/u/carol");
        for (location, who, host, taken) in [
            (AssetUploadLocation::Unspecified, &bob, Some("x.example"), true),
            (AssetUploadLocation::LocalProvider, &bob, Some("B.example"), true),
            (
                AssetUploadLocation::LocalProvider,
                &bob,
                Some("files.a.example"),
                false,
            ),
            (AssetUploadLocation::LocalProvider, &bob, None, true),
            (AssetUploadLocation::LocalProvider, &carol, None, false),
            (AssetUploadLocation::Hub, &bob, Some("files.a.example"), true),
            (AssetUploadLocation::Hub, &bob, Some("b.example"), false),
        ] {
            let mut state = room(|policy| policy.asset_upload_location = location);
            if *who == carol {
                state.participants.participants.last_mut().unwrap().user = carol.clone();
            }
            let file = FileFacts {
                content_type: "text/plain",
                size: 1,
                shown: false,
                host,
            };
            let said = may_send_file(&state, who, file);
            assert_eq!(said.is_ok(), taken, "{location:?} {who} {host:?}: {said:?}");
        }
    }
}
