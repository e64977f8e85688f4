use super::{Governed, MAX_POLICY, MAX_POLICY_TEXT, Optionality};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_vec};
use crate::components::Uri;
use crate::field;
use crate::uri::{put_or_empty, read_or_empty};

/// Whether delivery and reading are reported (draft-ietf-mimi-room-policy-03 §6.1), the data of component
/// [`STATUS_NOTIFICATION_POLICY`](crate::mls::ComponentId::STATUS_NOTIFICATION_POLICY), and in whole its update.
///
/// ```text
/// struct {
///   Optionality delivery_notifications;
///   Optionality read_receipts;
/// } StatusNotificationPolicy;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusNotificationPolicy {
    /// Whether clients report that a message arrived.
    pub delivery_notifications: Optionality,
    /// Whether clients report that a message was read.
    pub read_receipts: Optionality,
}

impl Encode for StatusNotificationPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        self.delivery_notifications.encode(out);
        self.read_receipts.encode(out);
    }
}

impl Decode for StatusNotificationPolicy {
    const NAME: &'static str = "StatusNotificationPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            delivery_notifications: r.read_as("delivery_notifications")?,
            read_receipts: r.read_as("read_receipts")?,
        })
    }
}

/// How links are shown (draft-ietf-mimi-room-policy-03 §6.3), the data of component
/// [`LINK_PREVIEW_POLICY`](crate::mls::ComponentId::LINK_PREVIEW_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   Optionality autodetect_hyperlinks_in_text;
///   Optionality send_link_previews;
///   Optionality automatic_link_previews;
///   Optionality link_preview_proxy_use;
///   select (link_preview_proxy_use) {
///     case required:
///       Uri link_preview_proxy<V>;
///     case optional:
///       Uri link_preview_proxy<V>;
///     case forbidden:
///       struct {};
///   };
/// } LinkPreviewPolicy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPreviewPolicy {
    /// Whether a composer finds links in plain text; never [`Optionality::Required`], which the room engine checks.
    pub autodetect_hyperlinks_in_text: Optionality,
    /// Whether senders include previews.
    pub send_link_previews: Optionality,
    /// Whether receivers make previews.
    pub automatic_link_previews: Optionality,
    /// Whether previews are fetched through a proxy, and which proxies there are.
    pub link_preview_proxy_use: Governed<LinkPreviewProxies>,
}

/// `Uri link_preview_proxy<V>`: addresses of proxies for link previews; at most [`MAX_POLICY`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPreviewProxies(pub Vec<Uri>);

impl Encode for LinkPreviewProxies {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.0);
    }
}

impl Decode for LinkPreviewProxies {
    const NAME: &'static str = "LinkPreviewPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.list("link_preview_proxy", MAX_POLICY).map(Self)
    }
}

impl Encode for LinkPreviewPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        self.autodetect_hyperlinks_in_text.encode(out);
        self.send_link_previews.encode(out);
        self.automatic_link_previews.encode(out);
        self.link_preview_proxy_use.encode(out);
    }
}

impl Decode for LinkPreviewPolicy {
    const NAME: &'static str = "LinkPreviewPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            autodetect_hyperlinks_in_text: r.read_as("autodetect_hyperlinks_in_text")?,
            send_link_previews: r.read_as("send_link_previews")?,
            automatic_link_previews: r.read_as("automatic_link_previews")?,
            link_preview_proxy_use: Governed::read(r, "link_preview_proxy_use")?,
        })
    }
}

/// Who logs the room (draft-ietf-mimi-room-policy-03 §6.5), the data of component
/// [`LOGGING_POLICY`](crate::mls::ComponentId::LOGGING_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   Optionality logging;
///   select (logging) {
///     case required:
///       Uri logging_clients<V>;
///       Uri machine_readable_policy;
///       Uri human_readable_policy;
///     case optional:
///       Uri logging_clients<V>;
///       Uri machine_readable_policy;
///       Uri human_readable_policy;
///     case forbidden:
///       struct {};
///   };
/// } LoggingPolicy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingPolicy {
    /// Whether, and by whom.
    pub logging: Governed<LoggingDetails>,
}

/// The part of [`LoggingPolicy`] that is there unless logging is forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingDetails {
    /// Clients that log; with one of them logging is active. At most [`MAX_POLICY`] bytes.
    pub logging_clients: Vec<Uri>,
    /// Where the policy is for machines, if anywhere.
    pub machine_readable_policy: Option<Uri>,
    /// Where the policy is for people, if anywhere.
    pub human_readable_policy: Option<Uri>,
}

impl Encode for LoggingDetails {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.logging_clients);
        put_or_empty(out, self.machine_readable_policy.as_ref());
        put_or_empty(out, self.human_readable_policy.as_ref());
    }
}

impl Decode for LoggingDetails {
    const NAME: &'static str = "LoggingPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            logging_clients: r.list("logging_clients", MAX_POLICY)?,
            machine_readable_policy: read_or_empty(r, "machine_readable_policy")?,
            human_readable_policy: read_or_empty(r, "human_readable_policy")?,
        })
    }
}

impl Encode for LoggingPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        self.logging.encode(out);
    }
}

impl Decode for LoggingPolicy {
    const NAME: &'static str = "LoggingPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            logging: Governed::read(r, "logging")?,
        })
    }
}

/// Whether newcomers get earlier messages (draft-ietf-mimi-room-policy-03 §6.6), the data of component
/// [`CHAT_HISTORY_POLICY`](crate::mls::ComponentId::CHAT_HISTORY_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   Optionality history_sharing;
///   select (history_sharing) {
///     case required:
///       uint32 roles_that_can_share<V>;
///       bool automatically_share;
///       uint32 max_time_period;
///     case optional:
///       uint32 roles_that_can_share<V>;
///       bool automatically_share;
///       uint32 max_time_period;
///     case forbidden:
///       struct {};
///   };
/// } HistoryPolicy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// Whether, by whom and how much.
    pub history_sharing: Governed<HistorySharing>,
}

/// The part of [`HistoryPolicy`] that is there unless sharing is forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistorySharing {
    /// Role indexes; never 0 or 1, which the room engine checks.
    pub roles_that_can_share: Vec<u32>,
    /// Clients may share without being told to.
    pub automatically_share: bool,
    /// How far back, in seconds.
    pub max_time_period: u32,
}

impl Encode for HistorySharing {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.roles_that_can_share);
        field::put_flag(out, self.automatically_share);
        self.max_time_period.encode(out);
    }
}

impl Decode for HistorySharing {
    const NAME: &'static str = "HistoryPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            roles_that_can_share: r.list("roles_that_can_share", MAX_POLICY)?,
            automatically_share: r.flag("automatically_share")?,
            max_time_period: r.u32("max_time_period")?,
        })
    }
}

impl Encode for HistoryPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        self.history_sharing.encode(out);
    }
}

impl Decode for HistoryPolicy {
    const NAME: &'static str = "HistoryPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            history_sharing: Governed::read(r, "history_sharing")?,
        })
    }
}

/// A bot and what it may do (draft-ietf-mimi-room-policy-03 §6.7).
///
/// ```text
/// struct {
///   opaque name<V>;
///   opaque description<V>;
///   Uri homepage;
///   bool local_client_bot;
///   uint32 bot_role_index;
///   bool can_target_message_in_group;
///   bool per_user_content;
/// } Bot;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// For people; at most [`MAX_POLICY_TEXT`] bytes.
    pub name: String,
    /// For people; at most [`MAX_POLICY_TEXT`] bytes.
    pub description: String,
    /// For people, if there is one.
    pub homepage: Option<Uri>,
    /// It acts through somebody's client and is no participant.
    pub local_client_bot: bool,
    /// Its role; 0 for no participant.
    pub bot_role_index: u32,
    /// It may write to single participants.
    pub can_target_message_in_group: bool,
    /// It may write something else to each.
    pub per_user_content: bool,
}

impl Encode for Bot {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_text(out, &self.name);
        field::put_text(out, &self.description);
        put_or_empty(out, self.homepage.as_ref());
        field::put_flag(out, self.local_client_bot);
        self.bot_role_index.encode(out);
        field::put_flag(out, self.can_target_message_in_group);
        field::put_flag(out, self.per_user_content);
    }
}

impl Decode for Bot {
    const NAME: &'static str = "Bot";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: field::text(r, "name", MAX_POLICY_TEXT)?,
            description: field::text(r, "description", MAX_POLICY_TEXT)?,
            homepage: read_or_empty(r, "homepage")?,
            local_client_bot: r.flag("local_client_bot")?,
            bot_role_index: r.u32("bot_role_index")?,
            can_target_message_in_group: r.flag("can_target_message_in_group")?,
            per_user_content: r.flag("per_user_content")?,
        })
    }
}

/// The bots of a room (draft-ietf-mimi-room-policy-03 §6.7), the data of component
/// [`BOT_POLICY`](crate::mls::ComponentId::BOT_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   Bot allowed_bots<V>;
/// } BotPolicy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BotPolicy {
    /// At most [`MAX_POLICY`] bytes.
    pub allowed_bots: Vec<Bot>,
}

impl Encode for BotPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.allowed_bots);
    }
}

impl Decode for BotPolicy {
    const NAME: &'static str = "BotPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            allowed_bots: r.list("allowed_bots", MAX_POLICY)?,
        })
    }
}

/// Whether messages expire (draft-ietf-mimi-room-policy-03 §6.8), the data of component
/// [`MESSAGE_EXPIRATION`](crate::mls::ComponentId::MESSAGE_EXPIRATION), and in whole also its update.
///
/// ```text
/// struct {
///   Optionality expiring_messages;
///   select (expiring_messages) {
///     case required:
///       uint32 min_expiration_duration;
///       uint32 max_expiration_duration;
///       optional uint32 default_expiration_duration;
///     case optional:
///       uint32 min_expiration_duration;
///       uint32 max_expiration_duration;
///       optional uint32 default_expiration_duration;
///     case forbidden:
///       struct {};
///   };
/// } MessageExpiration;
/// ```
///
/// The draft's text sets both durations to zero when forbidden; its syntax has no place for them then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageExpiration {
    /// Whether, and for how long.
    pub expiring_messages: Governed<ExpirationLimits>,
}

/// The part of [`MessageExpiration`] that is there unless expiring is forbidden; all in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpirationLimits {
    /// Shortest.
    pub min_expiration_duration: u32,
    /// Longest.
    pub max_expiration_duration: u32,
    /// Preferred.
    pub default_expiration_duration: Option<u32>,
}

impl Encode for ExpirationLimits {
    fn encode(&self, out: &mut Vec<u8>) {
        self.min_expiration_duration.encode(out);
        self.max_expiration_duration.encode(out);
        put_optional(out, self.default_expiration_duration.as_ref());
    }
}

impl Decode for ExpirationLimits {
    const NAME: &'static str = "MessageExpiration";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            min_expiration_duration: r.u32("min_expiration_duration")?,
            max_expiration_duration: r.u32("max_expiration_duration")?,
            default_expiration_duration: r.optional("default_expiration_duration")?,
        })
    }
}

impl Encode for MessageExpiration {
    fn encode(&self, out: &mut Vec<u8>) {
        self.expiring_messages.encode(out);
    }
}

impl Decode for MessageExpiration {
    const NAME: &'static str = "MessageExpiration";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            expiring_messages: Governed::read(r, "expiring_messages")?,
        })
    }
}
