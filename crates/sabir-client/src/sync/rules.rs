//! A room's rules in words, and what a person wants of them as the components that the room holds.

use data_encoding::BASE64;
use sabir_core::room::policy::Wanted;
use sabir_core::room::{LONGEST_EXPIRY, RoomState};
use sabir_wire::codec::Encode as _;
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{
    AssetPolicy, AssetUploadLocation, BaseRoomPolicy, BotPolicy, ExpirationLimits, Governed, HistoryPolicy,
    JoinLinkPolicy, LinkPreviewPolicy, LoggingPolicy, MAX_POLICY, MessageExpiration, OperationalParameters,
    Optionality, StatusNotificationPolicy,
};

use super::ClientError;
use crate::types::{Choice, Rules};

/// The components that these rules come to in this room.
pub(super) fn wanted(state: &RoomState, rules: &Rules) -> Result<Vec<Wanted>, ClientError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for (name, data) in &rules.components {
        let component =
            named(name).ok_or_else(|| ClientError::Rules(format!("there is no policy {name}")))?;
        let data = data.as_deref().map(|text| BASE64.decode(text.as_bytes()));
        let data = data
            .transpose()
            .ok()
            .filter(|data| data.as_ref().is_none_or(|data| data.len() <= MAX_POLICY));
        let data =
            data.ok_or_else(|| ClientError::Rules(format!("the data of {name} is no base64, or too long")))?;
        wanted.push((component, data));
    }
    if rules.receipts.is_some() || rules.delivery.is_some() {
        let mut status = state.features.status.unwrap_or(StatusNotificationPolicy {
            delivery_notifications: Optionality::Optional,
            read_receipts: Optionality::Optional,
        });
        status.read_receipts = rules.receipts.map_or(status.read_receipts, optionality);
        status.delivery_notifications = rules.delivery.map_or(status.delivery_notifications, optionality);
        push(
            &mut wanted,
            ComponentId::STATUS_NOTIFICATION_POLICY,
            status.to_bytes(),
        )?;
    }
    match rules.expire_s {
        None => {}
        Some(0) => wanted.push((ComponentId::MESSAGE_EXPIRATION, None)),
        Some(seconds) if seconds > LONGEST_EXPIRY => {
            let most = "a message expires within a year";
            return Err(ClientError::Rules(most.to_owned()));
        }
        Some(seconds) => {
            let limits = ExpirationLimits {
                min_expiration_duration: 1,
                max_expiration_duration: seconds,
                default_expiration_duration: Some(seconds),
            };
            let policy = MessageExpiration {
                expiring_messages: Governed::Required(limits),
            };
            push(&mut wanted, ComponentId::MESSAGE_EXPIRATION, policy.to_bytes())?;
        }
    }
    let limit = |limit: u32| (limit != 0).then_some(limit);
    let base = BaseRoomPolicy {
        max_users: rules.max_people.map_or(state.base.max_users, limit),
        max_clients: rules.max_devices.map_or(state.base.max_clients, limit),
        multi_device: rules.several_devices.unwrap_or(state.base.multi_device),
        ..state.base.clone()
    };
    if base != state.base {
        push(&mut wanted, ComponentId::BASE_ROOM_POLICY, base.to_bytes())?;
    }
    Ok(wanted)
}

fn push(wanted: &mut Vec<Wanted>, component: ComponentId, data: Vec<u8>) -> Result<(), ClientError> {
    if wanted.iter().any(|(there, _)| *there == component) {
        return Err(ClientError::Rules("a rule is given twice".to_owned()));
    }
    wanted.push((component, Some(data)));
    Ok(())
}

/// The same, told again: whole components.
pub(super) fn told(policies: Vec<Wanted>) -> Rules {
    let components = policies.into_iter().map(|(component, data)| {
        let data = data.map(|data| BASE64.encode(&data));
        (name(component), data)
    });
    Rules {
        components: components.collect(),
        ..Rules::default()
    }
}

/// The policy component of that name. Join links are made and withdrawn one by one, and are none of them.
fn named(name: &str) -> Option<ComponentId> {
    let whole = [
        ComponentId::ROLES_LIST,
        ComponentId::PREAUTH_LIST,
        ComponentId::BASE_ROOM_POLICY,
    ];
    let features = sabir_core::room::Features::COMPONENTS.iter().copied();
    whole
        .into_iter()
        .chain(features)
        .filter(|component| *component != ComponentId::JOIN_LINKS)
        .find(|component| component.name() == Some(name))
}

fn name(component: ComponentId) -> String {
    component
        .name()
        .map_or_else(|| format!("{:#06x}", component.0), str::to_owned)
}

fn optionality(choice: Choice) -> Optionality {
    match choice {
        Choice::Optional => Optionality::Optional,
        Choice::Required => Optionality::Required,
        Choice::Forbidden => Optionality::Forbidden,
    }
}

/// Everything that the room's policies say, a sentence each, without full stops.
pub(super) fn sentences(state: &RoomState) -> Vec<String> {
    let all = [ComponentId::BASE_ROOM_POLICY]
        .into_iter()
        .chain(state.features.present());
    all.flat_map(|component| of(state, component)).collect()
}

/// What one component says now; what changed, where it says nothing of itself.
pub(super) fn change(state: &RoomState, component: ComponentId) -> Vec<String> {
    match component {
        ComponentId::ROLES_LIST => vec!["roles may do other things".to_owned()],
        ComponentId::PREAUTH_LIST => vec!["others may take a role unasked".to_owned()],
        component => {
            let said = of(state, component);
            if said.is_empty() {
                return vec![format!("no more rules by {}", name(component))];
            }
            said
        }
    }
}

fn of(state: &RoomState, component: ComponentId) -> Vec<String> {
    let features = &state.features;
    match component {
        ComponentId::BASE_ROOM_POLICY => base(&state.base),
        ComponentId::MLS_OPERATIONAL_POLICY => features.operational.iter().map(operational).collect(),
        ComponentId::STATUS_NOTIFICATION_POLICY => features.status.iter().flat_map(status).collect(),
        ComponentId::JOIN_LINK_POLICY => features.join_link.iter().map(join_link).collect(),
        ComponentId::JOIN_LINKS => {
            let count = features.join_links.as_ref().map_or(0, |links| links.0.len());
            let noun = if count == 1 { "join link" } else { "join links" };
            vec![format!("{count} {noun} on its list")]
        }
        ComponentId::LINK_PREVIEW_POLICY => features.link_preview.iter().map(link_preview).collect(),
        ComponentId::ASSET_POLICY => features.assets.iter().flat_map(assets).collect(),
        ComponentId::LOGGING_POLICY => features.logging.iter().map(logging).collect(),
        ComponentId::CHAT_HISTORY_POLICY => features
            .history
            .iter()
            .map(|policy| history(state, policy))
            .collect(),
        ComponentId::BOT_POLICY => features.bots.iter().flat_map(bots).collect(),
        ComponentId::MESSAGE_EXPIRATION => features.expiration.iter().map(expiration).collect(),
        _ => Vec::new(),
    }
}

fn base(base: &BaseRoomPolicy) -> Vec<String> {
    let people = base.max_users.map(|most| format!("at most {most} people"));
    let devices = base.max_clients.map(|most| format!("at most {most} devices"));
    let one = (!base.multi_device).then(|| "one device for each person".to_owned());
    let fixed = base
        .fixed_membership
        .then(|| "nobody else can come in".to_owned());
    let found = base
        .discoverable
        .then(|| "the room may be searched for".to_owned());
    [fixed, people, devices, one, found]
        .into_iter()
        .flatten()
        .collect()
}

fn operational(policy: &OperationalParameters) -> String {
    let joins = if policy.external_commit_allowed {
        "may"
    } else {
        "may not"
    };
    format!("there are rules for MLS itself; devices {joins} come in by themselves")
}

fn status(policy: &StatusNotificationPolicy) -> [String; 2] {
    let told = |optionality, what: &str| match optionality {
        Optionality::Forbidden => format!("nobody is told what {what}"),
        Optionality::Required => format!("senders are always told what {what}"),
        Optionality::Optional => format!("senders are told what {what}, as each person wishes"),
    };
    [
        told(policy.read_receipts, "was read"),
        told(policy.delivery_notifications, "arrived"),
    ]
}

fn join_link(policy: &JoinLinkPolicy) -> String {
    let many = if policy.multiuser {
        "several people"
    } else {
        "one person"
    };
    let time = span(policy.expiration.into());
    format!("a join link is for {many} and lasts {time} at most")
}

fn link_preview(policy: &LinkPreviewPolicy) -> String {
    match policy.automatic_link_previews {
        Optionality::Forbidden => "readers do not fetch previews of links",
        Optionality::Required => "readers fetch previews of links",
        Optionality::Optional => "readers fetch previews of links as they wish",
    }
    .to_owned()
}

fn assets(policy: &AssetPolicy) -> Vec<String> {
    let mut said = vec![format!(
        "files of at most {}, pictures {}, sound {}, films {}",
        size(policy.max_attachment),
        size(policy.max_image),
        size(policy.max_audio),
        size(policy.max_video)
    )];
    match policy.asset_upload_location {
        AssetUploadLocation::Unspecified => {}
        AssetUploadLocation::LocalProvider => said.push("files lie with the sender's provider".to_owned()),
        AssetUploadLocation::Hub => said.push("files lie with the room's provider".to_owned()),
    }
    let names = |types: &[sabir_wire::policy::MediaType]| {
        let names: Vec<&str> = types.iter().map(|it| it.media_type.as_str()).collect();
        names.join(", ")
    };
    if let Some(permitted) = &policy.permitted_media_types {
        said.push(format!("files of these types alone: {}", names(permitted)));
    }
    if !policy.forbidden_media_types.is_empty() {
        said.push(format!(
            "no files of these types: {}",
            names(&policy.forbidden_media_types)
        ));
    }
    said
}

fn logging(policy: &LoggingPolicy) -> String {
    let clients = |details: &sabir_wire::policy::LoggingDetails| {
        let clients: Vec<&str> = details.logging_clients.iter().map(|uri| uri.as_str()).collect();
        clients.join(", ")
    };
    match &policy.logging {
        Governed::Forbidden => "nobody logs what is said".to_owned(),
        // §6.5: with a client in the list it is active.
        Governed::Optional(details) if details.logging_clients.is_empty() => {
            "what is said may be logged, and is not now".to_owned()
        }
        Governed::Optional(details) | Governed::Required(details) => {
            format!("everything said is logged by {}", clients(details))
        }
    }
}

fn history(state: &RoomState, policy: &HistoryPolicy) -> String {
    let Some(sharing) = policy.history_sharing.details() else {
        return "newcomers are shown nothing from before".to_owned();
    };
    let roles = sharing.roles_that_can_share.iter();
    let roles: Vec<&str> = roles.filter_map(|index| state.role_name(*index)).collect();
    let how = if sharing.automatically_share {
        "are shown"
    } else {
        "may be shown"
    };
    let by = if roles.is_empty() {
        "nobody".to_owned()
    } else {
        roles.join(" or ")
    };
    let time = span(sharing.max_time_period.into());
    format!("newcomers {how} the last {time} before, by {by}")
}

fn bots(policy: &BotPolicy) -> Vec<String> {
    let each = policy.allowed_bots.iter();
    each.map(|bot| format!("the bot \"{}\" may be used", bot.name))
        .collect()
}

fn expiration(policy: &MessageExpiration) -> String {
    let Some(limits) = policy.expiring_messages.details() else {
        return "messages do not expire".to_owned();
    };
    let (least, most) = (
        span(limits.min_expiration_duration.into()),
        span(limits.max_expiration_duration.into()),
    );
    let usual = limits.default_expiration_duration;
    let usual = usual.map_or_else(String::new, |usual| format!(", usually {}", span(usual.into())));
    let must = match policy.expiring_messages {
        Governed::Required(_) => "are to expire",
        _ => "may expire",
    };
    format!("messages {must} after {least} to {most}{usual}")
}

/// A time in its largest whole unit.
pub(super) fn span(seconds: u64) -> String {
    let units = [
        (7 * 86_400, "week"),
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let (unit, name) = units
        .into_iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit))
        .unwrap_or((1, "second"));
    let count = seconds.checked_div(unit).unwrap_or_default();
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{bytes} bytes")
    }
}
