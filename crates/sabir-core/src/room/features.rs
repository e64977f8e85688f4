//! The policy components of single features (draft-ietf-mimi-room-policy-03 §6, §7): what a room says about receipts,
//! join links, previews, files, logging, history, bots, expiry and MLS itself. Each is there or not; what is there holds
//! by itself and beside the rest of the state.

use std::collections::BTreeSet;

use sabir_wire::codec::{Decode, DecodeError, Encode};
use sabir_wire::mls::{ComponentId, WireFormat};
use sabir_wire::policy::{
    AssetPolicy, AssetUploadLocation, BotPolicy, Governed, HistoryPolicy, JoinLinkPolicy, JoinLinksData,
    JoinLinksUpdate, LinkPreviewPolicy, LoggingPolicy, MessageExpiration, MinDefaultMaxTime,
    OperationalParameters, Optionality, PendingProposalPolicy, StatusNotificationPolicy,
};
use sabir_wire::uri::Domain;
use thiserror::Error;

use super::link::LinkTerms;
use super::{BANNED, RoomState};

macro_rules! features {
    ($($(#[$doc:meta])* $field:ident: $data:ty = $component:ident;)*) => {
        /// What a room says about single features, where it says anything.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Features {
            $($(#[$doc])* pub $field: Option<$data>,)*
        }

        impl Features {
            /// Every component of them, ascending.
            pub const COMPONENTS: &'static [ComponentId] = &[$(ComponentId::$component),*];

            /// Reads what is there through `component`, which looks up the dictionary.
            ///
            /// # Errors
            /// The component that does not decode, and why.
            pub(super) fn read(
                component: impl Fn(ComponentId) -> Option<Vec<u8>>,
            ) -> Result<Self, (ComponentId, DecodeError)> {
                Ok(Self {
                    $($field: component(ComponentId::$component)
                        .map(|data| <$data>::from_bytes(&data))
                        .transpose()
                        .map_err(|error| (ComponentId::$component, error))?,)*
                })
            }

            /// The components that are there, ascending.
            pub fn present(&self) -> impl Iterator<Item = ComponentId> + use<> {
                [$((self.$field.is_some(), ComponentId::$component)),*]
                    .into_iter()
                    .filter_map(|(present, component)| present.then_some(component))
            }

            /// What is there, as the dictionary holds it, ascending.
            pub(super) fn entries(&self) -> Vec<(u16, Vec<u8>)> {
                let entries = [$(self
                    .$field
                    .as_ref()
                    .map(|data| (ComponentId::$component.0, data.to_bytes()))),*];
                entries.into_iter().flatten().collect()
            }

            /// Takes the data that a component has from now on, or that it has none.
            ///
            /// # Errors
            /// [`FeatureError`], where the component is none of these or the data does not decode.
            fn set(&mut self, component: ComponentId, data: Option<&[u8]>) -> Result<(), FeatureError> {
                match component {
                    $(ComponentId::$component => {
                        self.$field = data.map(<$data>::from_bytes).transpose()?;
                    })*
                    _ => return Err(FeatureError::Unknown),
                }
                Ok(())
            }

            pub(super) fn data(&self, component: ComponentId) -> Option<Vec<u8>> {
                match component {
                    $(ComponentId::$component => self.$field.as_ref().map(Encode::to_bytes),)*
                    _ => None,
                }
            }
        }
    };
}

features! {
    /// How MLS itself is used (§7).
    operational: OperationalParameters = MLS_OPERATIONAL_POLICY;
    /// Reports of arrival and reading (§6.1).
    status: StatusNotificationPolicy = STATUS_NOTIFICATION_POLICY;
    /// How join links are made (§6.2).
    join_link: JoinLinkPolicy = JOIN_LINK_POLICY;
    /// The join links that work (§6.2), as hashes.
    join_links: JoinLinksData = JOIN_LINKS;
    /// Previews of links (§6.3).
    link_preview: LinkPreviewPolicy = LINK_PREVIEW_POLICY;
    /// Files (§6.4).
    assets: AssetPolicy = ASSET_POLICY;
    /// Who logs (§6.5).
    logging: LoggingPolicy = LOGGING_POLICY;
    /// Who shares what was before with newcomers (§6.6).
    history: HistoryPolicy = CHAT_HISTORY_POLICY;
    /// Bots (§6.7).
    bots: BotPolicy = BOT_POLICY;
    /// When messages expire (§6.8).
    expiration: MessageExpiration = MESSAGE_EXPIRATION;
}

/// Components that a base policy names at most. The draft knows fewer than twenty.
const MAX_LISTED: usize = 256;

/// Why the policy of a feature cannot be a room's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// The component is not known here.
    #[error("the component is not known here")]
    Unknown,
    /// The data or the update does not decode.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A link that is not on the list, or one twice.
    #[error("a join link is removed that is not there, or one is added twice")]
    Links,
    /// A component that the base policy does not name.
    #[error("the base policy does not name component {0:#06x}")]
    Unlisted(u16),
    /// A rule of the draft, in words.
    #[error("{0}")]
    Rule(&'static str),
}

impl Features {
    /// The data that a component has after an update.
    ///
    /// # Errors
    /// [`FeatureError`]; whether the data then holds is [`check`]'s question.
    pub(super) fn updated(
        component: ComponentId,
        current: Option<&[u8]>,
        update: &[u8],
    ) -> Result<Vec<u8>, FeatureError> {
        if component == ComponentId::JOIN_LINKS {
            let current = current.map(JoinLinksData::from_bytes).transpose()?;
            let update = JoinLinksUpdate::from_bytes(update)?;
            return Ok(links(current.unwrap_or_default(), update)?.to_bytes());
        }
        // All others are replaced as a whole.
        Self::default().set(component, Some(update))?;
        Ok(update.to_vec())
    }

    /// Takes an update, or with `None` that the component goes.
    ///
    /// # Errors
    /// [`FeatureError`]; nothing is changed then.
    pub(super) fn take(&mut self, component: ComponentId, update: Option<&[u8]>) -> Result<(), FeatureError> {
        let data = match update {
            Some(update) => Some(Self::updated(component, self.data(component).as_deref(), update)?),
            None => None,
        };
        self.set(component, data.as_deref())
    }
}

/// draft-ietf-mimi-room-policy-03 §6.2: what an update of the links makes of them. A removed index is of the list before.
fn links(before: JoinLinksData, update: JoinLinksUpdate) -> Result<JoinLinksData, FeatureError> {
    let removed: BTreeSet<usize> = update
        .removed_indices
        .iter()
        .map(|index| usize::try_from(*index).unwrap_or(usize::MAX))
        .collect();
    if removed.len() != update.removed_indices.len()
        || removed.last().is_some_and(|last| *last >= before.0.len())
    {
        return Err(FeatureError::Links);
    }
    let staying = before.0.into_iter().enumerate();
    let mut links: Vec<_> = staying
        .filter(|(index, _)| !removed.contains(index))
        .map(|(_, link)| link)
        .collect();
    links.extend(update.added_links);
    let different: BTreeSet<_> = links.iter().collect();
    if different.len() == links.len() {
        Ok(JoinLinksData(links))
    } else {
        Err(FeatureError::Links)
    }
}

/// Checks the policies of single features, each by itself and beside the rest of the state.
///
/// # Errors
/// [`FeatureError`].
pub(crate) fn check(state: &RoomState) -> Result<(), FeatureError> {
    let features = &state.features;
    // draft-ietf-mimi-room-policy-03 §5: the base policy lists "the Component IDs of the other policy components".
    let listed = &state.base.policy_component_ids;
    let different: BTreeSet<_> = listed.iter().collect();
    if different.len() != listed.len() || listed.len() > MAX_LISTED {
        return Err(FeatureError::Rule(
            "the base policy names a component twice, or too many",
        ));
    }
    if let Some(unlisted) = features.present().find(|component| !listed.contains(component)) {
        return Err(FeatureError::Unlisted(unlisted.0));
    }
    let rules = [
        features.operational.as_ref().map(operational),
        Some(join_links(features)),
        features.link_preview.as_ref().map(link_preview),
        features
            .assets
            .as_ref()
            .map(|policy| assets(policy, state.metadata.room_uri.authority())),
        features.logging.as_ref().map(logging),
        features.history.as_ref().map(|policy| history(policy, state)),
        features.bots.as_ref().map(|policy| bots(policy, state)),
        features.expiration.as_ref().map(expiration),
    ];
    rules
        .into_iter()
        .flatten()
        .collect::<Result<(), &str>>()
        .map_err(FeatureError::Rule)
}

type Held = Result<(), &'static str>;

fn held(holds: bool, otherwise: &'static str) -> Held {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// draft-ietf-mimi-room-policy-03 §7 gives three times an order by their names; a room whose handshakes nobody here
/// can send or read would stand still.
fn operational(policy: &OperationalParameters) -> Held {
    let ordered = |time: &MinDefaultMaxTime| {
        time.minimum_time <= time.default_time && time.default_time <= time.maximum_time
    };
    let times = [
        &policy.leaf_node_update_time,
        &policy.sender_nonce_keypair_lifetime,
        &policy.buffer_incoming_message_time,
    ];
    held(
        times.into_iter().all(ordered),
        "a time of the operational policy is not between its least and its most",
    )?;
    let delay_holds = match policy.pending_proposal_policy {
        PendingProposalPolicy::RandomDelay {
            minimum_delay_ms,
            maximum_delay_ms,
        } => minimum_delay_ms <= maximum_delay_ms,
        _ => true,
    };
    held(delay_holds, "a delay's least is more than its most")?;
    let formats = &policy.handshake_formats;
    held(
        formats.is_empty() || formats.contains(&WireFormat::PUBLIC_MESSAGE),
        "handshakes have to be allowed as PublicMessage",
    )
}

/// draft-ietf-mimi-room-policy-03 §6.2: with `on_request` "a maximum of one joining link".
fn join_links(features: &Features) -> Held {
    let count = features.join_links.as_ref().map_or(0, |links| links.0.len());
    match &features.join_link {
        // The policy bounds how long a link lives: without one there is no link.
        None => held(count == 0, "a room without a policy for join links has none"),
        Some(policy) => {
            held(!policy.on_request || count <= 1, "the room keeps one join link")?;
            let links = features.join_links.iter().flat_map(|links| &links.0);
            let terms: Vec<LinkTerms> = links.filter_map(LinkTerms::read).collect();
            let keys: BTreeSet<[u8; 32]> = terms.iter().map(|link| link.key_hash).collect();
            held(keys.len() == terms.len(), "two join links have one key")?;
            // draft-ietf-mimi-room-policy-03 §6.2: "If links can be generated for multiple users, `multiuser` is true."
            held(
                policy.multiuser || terms.iter().all(|link| link.uses == 1),
                "a join link of this room is for one person",
            )
        }
    }
}

fn link_preview(policy: &LinkPreviewPolicy) -> Held {
    // draft-ietf-mimi-room-policy-03 §6.3: it "MUST NOT be mandatory".
    held(
        policy.autodetect_hyperlinks_in_text != Optionality::Required,
        "detecting links in text is never mandatory",
    )?;
    // §6.3: "MUST include the URI of a link preview proxy if [its use] is mandatory or optional".
    let proxies = policy.link_preview_proxy_use.details();
    held(
        proxies.is_none_or(|proxies| !proxies.0.is_empty()),
        "a proxy for previews has to be named where it may be used",
    )
}

fn assets(policy: &AssetPolicy, hub: &Domain) -> Held {
    // draft-ietf-mimi-room-policy-03 §6.4: with `hub`, "only one provider matching the hub domain".
    let hub_alone = match policy.upload_domains.as_slice() {
        [one] => one.provider.0 == *hub,
        _ => false,
    };
    held(
        policy.asset_upload_location != AssetUploadLocation::Hub || hub_alone,
        "where files are with the hub, the hub alone is named",
    )?;
    // Silent: what is suggested is one of those that are allowed.
    let download = &policy.download_privacy;
    let suggested = &download.default_download_type;
    held(
        !download.forbidden_download_types.contains(suggested)
            && (download.allowed_download_types.is_empty()
                || download.allowed_download_types.contains(suggested)),
        "the suggested way to download is not allowed",
    )
}

fn logging(policy: &LoggingPolicy) -> Held {
    let Some(details) = policy.logging.details() else {
        return Ok(());
    };
    // draft-ietf-mimi-room-policy-03 §6.5: "If logging is required, the list [...] needs to contain at least one".
    held(
        !details.logging_clients.is_empty() || matches!(policy.logging, Governed::Optional(_)),
        "a room that has to be logged names who logs it",
    )?;
    // §6.5: "Each provider should have no more than one logging client at a time in a room".
    let authority = |uri: &str| {
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_ascii_lowercase()
    };
    let clients = &details.logging_clients;
    let providers: BTreeSet<String> = clients.iter().map(|uri| authority(uri.as_str())).collect();
    held(
        providers.len() == clients.len(),
        "a provider has more than one logging client",
    )
}

/// draft-ietf-mimi-room-policy-03 §6.6: roles 0 and 1 and roles without active participants share nothing.
fn history(policy: &HistoryPolicy, state: &RoomState) -> Held {
    let Some(sharing) = policy.history_sharing.details() else {
        return Ok(());
    };
    let shares = |index: &u32| {
        *index > BANNED
            && state
                .roles
                .role(*index)
                .is_some_and(|role| role.maximum_active_participants_constraint != Some(0))
    };
    held(
        sharing.roles_that_can_share.iter().all(shares),
        "a role that can have nobody in the room cannot share history",
    )
}

/// draft-ietf-mimi-room-policy-03 §6.7: "A bot with `local_client_bot` set to true has a `bot_role_index` of 0".
fn bots(policy: &BotPolicy, state: &RoomState) -> Held {
    let fits = |index: u32, local: bool| index == 0 || (!local && state.roles.role(index).is_some());
    held(
        policy
            .allowed_bots
            .iter()
            .all(|bot| fits(bot.bot_role_index, bot.local_client_bot)),
        "a bot has a role that it cannot have",
    )
}

/// draft-ietf-mimi-room-policy-03 §6.8: the shortest, the preferred and the longest duration.
fn expiration(policy: &MessageExpiration) -> Held {
    let Some(limits) = policy.expiring_messages.details() else {
        return Ok(());
    };
    let (least, most) = (limits.min_expiration_duration, limits.max_expiration_duration);
    let preferred = limits.default_expiration_duration;
    held(
        least <= most && most > 0 && preferred.is_none_or(|it| (least..=most).contains(&it)),
        "the durations after which messages expire do not fit each other",
    )
}

#[cfg(test)]
pub(super) mod tests;
