#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
//! Each rule about a feature: what holds, and what breaks it.

use sabir_wire::components::Uri;
use sabir_wire::mls::{Credential, SignaturePublicKey};
use sabir_wire::policy::{
    AppMessagePolicy, Bot, DomainName, DownloadPrivacy, DownloadPrivacyType, ExpirationLimits,
    ExtendedCapabilities, HistorySharing, JoinLink, LinkPreviewProxies, LoggingDetails,
    ProviderAssetUploadDomains,
};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{RoomUri, UserUri};

use super::*;
use crate::room::{GroupRoom, MEMBER, Template};

pub(in crate::room) fn room(template: Template) -> RoomState {
    let dictionary = GroupRoom {
        room: RoomUri::parse("mimi://a.example/r/abc").unwrap(),
        name: String::new(),
        template,
        owner: UserUri::parse("mimi://a.example/u/alice").unwrap(),
        franking_agent: FrankingAgentData {
            franking_signature_key: SignaturePublicKey(vec![1; 32]),
            credential: Credential::Basic { identity: vec![1] },
        },
    }
    .dictionary();
    assert!(dictionary.is_sorted_by(|one, other| one.0 < other.0));
    RoomState::read(|component| {
        let entry = dictionary.iter().find(|(id, _)| *id == component.0);
        entry.map(|(_, data)| data.clone())
    })
    .unwrap()
}

/// What [`check`] says of a room whose features are these, all named by the base policy.
fn says(features: Features) -> Result<(), FeatureError> {
    let mut state = room(Template::Private);
    state.base.policy_component_ids.extend(features.present());
    *state.features = features;
    check(&state)
}

fn uri(text: &str) -> Uri {
    Uri::new(text).unwrap()
}

fn domain(name: &str) -> DomainName {
    DomainName(Domain::parse(name).unwrap())
}

fn time(minimum_time: u64, default_time: u64, maximum_time: u64) -> MinDefaultMaxTime {
    MinDefaultMaxTime {
        minimum_time,
        default_time,
        maximum_time,
    }
}

fn mls() -> OperationalParameters {
    let none = || ExtendedCapabilities {
        versions: Vec::new(),
        cipher_suites: Vec::new(),
        extensions: Vec::new(),
        proposals: Vec::new(),
        credentials: Vec::new(),
        wire_formats: Vec::new(),
        component_ids: Vec::new(),
        safe_aad_types: Vec::new(),
        media_types: Vec::new(),
        content_types: Vec::new(),
    };
    OperationalParameters {
        mandatory_capabilities: none(),
        default_capabilities: none(),
        forbidden_capabilities: none(),
        handshake_formats: vec![WireFormat::PUBLIC_MESSAGE],
        external_proposal_allowed: true,
        external_commit_allowed: true,
        pending_proposal_policy: PendingProposalPolicy::ImmediateCommit,
        leaf_node_update_time: time(1, 2, 3),
        app_message_policy: AppMessagePolicy {
            epoch_tolerance: 1,
            pad_to_size: 0,
            max_generations_skipahead: 1000,
        },
        max_kp_lifetime: 1,
        max_credential_lifetime: 1,
        resumption_psk_lifetime: 1,
        sender_nonce_keypair_lifetime: time(0, 0, 0),
        max_keypairs: 1,
        buffer_incoming_message_time: time(5, 5, 5),
        max_buffered_messages: 1,
    }
}

fn files(location: AssetUploadLocation, providers: &[&str], default: DownloadPrivacyType) -> AssetPolicy {
    AssetPolicy {
        asset_upload_location: location,
        upload_domains: providers
            .iter()
            .map(|provider| ProviderAssetUploadDomains {
                provider: domain(provider),
                asset_upload_destinations: vec![domain(provider)],
            })
            .collect(),
        download_privacy: DownloadPrivacy {
            allowed_download_types: vec![DownloadPrivacyType::Direct, DownloadPrivacyType::Ohttp],
            forbidden_download_types: vec![DownloadPrivacyType::Ohttp],
            default_download_type: default,
        },
        max_image: 1,
        max_audio: 1,
        max_video: 1,
        max_attachment: 1,
        forbidden_media_types: Vec::new(),
        permitted_media_types: None,
    }
}

fn links(count: u8) -> Option<JoinLinksData> {
    Some(JoinLinksData((0..count).map(|n| JoinLink(vec![n])).collect()))
}

fn logging(clients: &[&str], required: bool) -> LoggingPolicy {
    let details = LoggingDetails {
        logging_clients: clients.iter().map(|client| uri(client)).collect(),
        machine_readable_policy: None,
        human_readable_policy: None,
    };
    LoggingPolicy {
        logging: if required {
            Governed::Required(details)
        } else {
            Governed::Optional(details)
        },
    }
}

fn history(roles: &[u32]) -> HistoryPolicy {
    HistoryPolicy {
        history_sharing: Governed::Optional(HistorySharing {
            roles_that_can_share: roles.to_vec(),
            automatically_share: false,
            max_time_period: 60,
        }),
    }
}

fn bot(local_client_bot: bool, bot_role_index: u32) -> BotPolicy {
    BotPolicy {
        allowed_bots: vec![Bot {
            name: "weather".to_owned(),
            description: String::new(),
            homepage: None,
            local_client_bot,
            bot_role_index,
            can_target_message_in_group: false,
            per_user_content: false,
        }],
    }
}

fn expiring(min: u32, max: u32, default: Option<u32>) -> MessageExpiration {
    MessageExpiration {
        expiring_messages: Governed::Required(ExpirationLimits {
            min_expiration_duration: min,
            max_expiration_duration: max,
            default_expiration_duration: default,
        }),
    }
}

fn previews(detect: Optionality, proxies: Governed<LinkPreviewProxies>) -> LinkPreviewPolicy {
    LinkPreviewPolicy {
        autodetect_hyperlinks_in_text: detect,
        send_link_previews: Optionality::Optional,
        automatic_link_previews: Optionality::Forbidden,
        link_preview_proxy_use: proxies,
    }
}

fn join_link(on_request: bool) -> Option<JoinLinkPolicy> {
    Some(JoinLinkPolicy {
        on_request,
        join_link: None,
        multiuser: true,
        expiration: 60,
    })
}

macro_rules! with {
    ($($field:ident: $value:expr),*) => {
        Features { $($field: $value,)* ..Features::default() }
    };
}

#[test]
fn each_rule_has_what_holds_and_what_breaks_it() {
    use AssetUploadLocation::{Hub, LocalProvider};
    use DownloadPrivacyType::{Direct, HubProxy, Ohttp};
    use Optionality::{Forbidden, Optional, Required};
    let proxies = |names: &[&str]| LinkPreviewProxies(names.iter().map(|name| uri(name)).collect());
    let none = || Governed::Forbidden;
    let mls_with = |change: fn(&mut OperationalParameters)| {
        let mut policy = mls();
        change(&mut policy);
        with! { operational: Some(policy) }
    };
    let delay = |least, most| PendingProposalPolicy::RandomDelay {
        minimum_delay_ms: least,
        maximum_delay_ms: most,
    };
    let hold = [
        Features::default(),
        with! { operational: Some(mls()) },
        with! { operational: Some(OperationalParameters { pending_proposal_policy: delay(5, 5), ..mls() }) },
        with! { join_link: join_link(true), join_links: links(1) },
        with! { join_link: join_link(false), join_links: links(9) },
        with! { join_links: links(0) },
        with! { link_preview: Some(previews(Optional, none())) },
        with! { link_preview: Some(previews(Forbidden, Governed::Optional(proxies(&["https://p.example/"])))) },
        with! { assets: Some(files(Hub, &["a.example"], Direct)) },
        with! { assets: Some(files(LocalProvider, &["a.example", "b.example"], Direct)) },
        with! { logging: Some(logging(&["mimi://a.example/d/log"], true)) },
        with! { logging: Some(logging(&[], false)) },
        with! { history: Some(history(&[MEMBER])) },
        with! { bots: Some(bot(true, 0)) },
        with! { bots: Some(bot(false, MEMBER)) },
        with! { expiration: Some(expiring(5, 5, Some(5))) },
        with! { expiration: Some(MessageExpiration { expiring_messages: none_of() }) },
    ];
    for features in hold {
        assert_eq!(says(features.clone()), Ok(()), "{features:?}");
    }
    let broken = [
        mls_with(|policy| policy.leaf_node_update_time = time(3, 2, 4)),
        mls_with(|policy| policy.sender_nonce_keypair_lifetime = time(1, 5, 4)),
        mls_with(|policy| policy.buffer_incoming_message_time = time(9, 5, 4)),
        mls_with(|policy| policy.handshake_formats = vec![WireFormat::PRIVATE_MESSAGE]),
        with! { operational: Some(OperationalParameters { pending_proposal_policy: delay(6, 5), ..mls() }) },
        with! { join_link: join_link(true), join_links: links(2) },
        with! { join_links: links(1) },
        with! { link_preview: Some(previews(Required, none())) },
        with! { link_preview: Some(previews(Optional, Governed::Optional(proxies(&[])))) },
        with! { link_preview: Some(previews(Optional, Governed::Required(proxies(&[])))) },
        with! { assets: Some(files(Hub, &["b.example"], Direct)) },
        with! { assets: Some(files(Hub, &["a.example", "b.example"], Direct)) },
        with! { assets: Some(files(LocalProvider, &["a.example"], HubProxy)) },
        with! { assets: Some(files(LocalProvider, &["a.example"], Ohttp)) },
        with! { logging: Some(logging(&[], true)) },
        with! { logging: Some(logging(&["mimi://a.example/d/one", "mimi://A.example/d/two"], false)) },
        with! { history: Some(history(&[0])) },
        with! { history: Some(history(&[BANNED])) },
        // The hub's role has no active participants; the last one is not defined.
        with! { history: Some(history(&[MEMBER, 6])) },
        with! { history: Some(history(&[77])) },
        with! { bots: Some(bot(true, MEMBER)) },
        with! { bots: Some(bot(false, 77)) },
        with! { expiration: Some(expiring(6, 5, None)) },
        with! { expiration: Some(expiring(0, 0, None)) },
        with! { expiration: Some(expiring(1, 5, Some(6))) },
    ];
    for features in broken {
        let said = says(features.clone());
        assert!(
            matches!(said, Err(FeatureError::Rule(_))),
            "{features:?}: {said:?}"
        );
    }
}

fn none_of<T>() -> Governed<T> {
    Governed::Forbidden
}

#[test]
fn the_base_policy_names_what_is_there() {
    let mut state = room(Template::Private);
    state.features.expiration = Some(expiring(1, 2, None));
    assert_eq!(
        check(&state),
        Err(FeatureError::Unlisted(ComponentId::MESSAGE_EXPIRATION.0))
    );
    state
        .base
        .policy_component_ids
        .push(ComponentId::MESSAGE_EXPIRATION);
    assert_eq!(check(&state), Ok(()));
}

#[test]
fn every_component_goes_through_its_bytes() {
    let features = Features {
        operational: Some(mls()),
        status: Some(StatusNotificationPolicy {
            delivery_notifications: Optionality::Required,
            read_receipts: Optionality::Forbidden,
        }),
        join_link: join_link(false),
        join_links: links(2),
        link_preview: Some(previews(Optionality::Optional, Governed::Forbidden)),
        assets: Some(files(
            AssetUploadLocation::Hub,
            &["a.example"],
            DownloadPrivacyType::Direct,
        )),
        logging: Some(logging(&["mimi://a.example/d/log"], true)),
        history: Some(history(&[MEMBER])),
        bots: Some(bot(true, 0)),
        expiration: Some(expiring(1, 2, Some(2))),
    };
    let entries = features.entries();
    let ids: Vec<u16> = entries.iter().map(|(id, _)| *id).collect();
    let all: Vec<u16> = Features::COMPONENTS.iter().map(|component| component.0).collect();
    assert_eq!(ids, all);
    assert!(ids.is_sorted());
    let read = Features::read(|component| {
        let entry = entries.iter().find(|(id, _)| *id == component.0);
        entry.map(|(_, data)| data.clone())
    });
    assert_eq!(read.as_ref(), Ok(&features));
    // One malformed component is named.
    for (id, data) in &entries {
        let cut = Features::read(|component| {
            (component.0 == *id).then(|| data[..data.len().saturating_sub(1)].to_vec())
        });
        assert_eq!(cut.unwrap_err().0.0, *id);
    }
    // Each can be taken, changed, and go again; the links change by what comes and goes.
    let mut taken = Features::default();
    for (id, data) in &entries {
        let component = ComponentId(*id);
        let update = if component == ComponentId::JOIN_LINKS {
            let update = JoinLinksUpdate {
                removed_indices: Vec::new(),
                added_links: features.join_links.clone().unwrap().0,
            };
            update.to_bytes()
        } else {
            data.clone()
        };
        taken.take(component, Some(&update)).unwrap();
        let before = taken.clone();
        assert!(taken.take(component, Some(&[0xff; 3])).is_err(), "{component:?}");
        assert_eq!(taken, before);
    }
    assert_eq!(taken, features);
    for component in Features::COMPONENTS {
        taken.take(*component, None).unwrap();
    }
    assert_eq!(taken, Features::default());
    assert_eq!(
        taken.take(ComponentId::PARTICIPANT_LIST, None),
        Err(FeatureError::Unknown)
    );
}

#[test]
fn links_are_removed_by_their_old_place_and_are_different() {
    let change = |removed: &[u32], added: &[u8]| {
        let update = JoinLinksUpdate {
            removed_indices: removed.to_vec(),
            added_links: added.iter().map(|n| JoinLink(vec![*n])).collect(),
        };
        super::links(links(3).unwrap(), update)
    };
    let list = |numbers: &[u8]| {
        Ok(JoinLinksData(
            numbers.iter().map(|n| JoinLink(vec![*n])).collect(),
        ))
    };
    assert_eq!(change(&[2, 0], &[7]), list(&[1, 7]));
    // What is removed may come again.
    assert_eq!(change(&[1], &[1]), list(&[0, 2, 1]));
    for (removed, added) in [(&[3][..], &[][..]), (&[0, 0], &[]), (&[], &[2]), (&[], &[8, 8])] {
        assert_eq!(
            change(removed, added),
            Err(FeatureError::Links),
            "{removed:?} {added:?}"
        );
    }
}

#[test]
fn a_template_is_what_its_roles_say() {
    use sabir_wire::policy::CapabilityType;
    for (template, open, members_write) in [
        (Template::Private, false, true),
        (Template::Public, true, true),
        (Template::Announcement, false, false),
    ] {
        assert_eq!(Template::from_name(template.name()), Some(template));
        let state = room(template);
        assert_eq!(check(&state), Ok(()));
        assert_eq!(crate::room::check_roles(&state), Ok(()));
        let zero = state.roles.role(0);
        let is_open = zero.is_some_and(|role| role.has(CapabilityType::CAN_OPEN_JOIN));
        assert_eq!((is_open, state.base.discoverable), (open, open));
        let member = state.roles.role(MEMBER).unwrap();
        assert_eq!(member.has(CapabilityType::CAN_SEND_MESSAGE), members_write);
        assert!(member.has(CapabilityType::CAN_REMOVE_SELF));
        assert!(member.has(CapabilityType::CAN_RECEIVE_MESSAGE));
    }
    assert_eq!(Template::from_name("secret"), None);
}

#[test]
fn what_is_wished_for_is_reached_and_then_nothing_is_left_to_do() {
    use crate::room::policy::operations;
    use sabir_mls::app_data::AppDataOperation;
    use sabir_wire::policy::PreAuthData;
    let id = ComponentId::MESSAGE_EXPIRATION;
    let mut state = room(Template::Private);
    let mut base = state.base.clone();
    base.max_users = Some(9);
    let nobody = PreAuthData::default().to_bytes();
    let wanted = vec![
        (id, Some(expiring(1, 2, None).to_bytes())),
        (ComponentId::BASE_ROOM_POLICY, Some(base.to_bytes())),
        // An empty list is none: were it something to bring about, it would be proposed for ever.
        (ComponentId::PREAUTH_LIST, Some(nobody)),
    ];
    let asked = operations(&state, &wanted);
    assert_eq!(asked.len(), 3, "{asked:?}");
    for (component, operation) in asked {
        match (component, operation) {
            (ComponentId::PREAUTH_LIST, AppDataOperation::Remove) => state.preauth = PreAuthData::default(),
            (ComponentId::BASE_ROOM_POLICY, AppDataOperation::Update(data)) => {
                state.base = sabir_wire::policy::BaseRoomPolicy::from_bytes(&data).unwrap();
            }
            (component, AppDataOperation::Update(data)) => {
                state.features.take(component, Some(&data)).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(check(&state), Ok(()));
    assert_eq!(operations(&state, &wanted), []);
    // The list of components follows when it goes, whatever an older wish says of it.
    let asked = operations(&state, &[(id, None)]);
    assert_eq!(asked[0], (id, AppDataOperation::Remove));
    assert!(matches!(
        &asked[1],
        (ComponentId::BASE_ROOM_POLICY, AppDataOperation::Update(_))
    ));
}
