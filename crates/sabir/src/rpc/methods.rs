//! Parameters and results of each method. Unknown parameters are refused, so that a misspelt one is noticed.

use sabir_client::types::{Account, Message, Notice, Room};
use serde::{Deserialize, Serialize};

use super::devices::{
    DEVICE_ADD, DEVICE_ADD_CONFIRM, DEVICE_ADD_NUMBER, DEVICE_LINK, DEVICE_LINK_CONFIRM, DEVICE_LINK_NUMBER,
    DEVICE_LIST, DEVICE_RENAME, DEVICE_REVOKE,
};
use super::files::{FILE_SAVE, FILE_SEND, FILE_STATUS};

/// `account.show`. Result: [`Account`].
pub(crate) const ACCOUNT_SHOW: &str = "account.show";
/// `account.create`. Parameters: [`AccountCreate`]. Result: [`AccountCreated`].
pub(crate) const ACCOUNT_CREATE: &str = "account.create";
/// `account.recovery_code`. Parameters: [`AccountRecoveryCode`]. Result: [`RecoveryCode`].
pub(crate) const ACCOUNT_RECOVERY_CODE: &str = "account.recovery_code";
/// `rooms.list`. Result: [`RoomList`].
pub(crate) const ROOMS_LIST: &str = "rooms.list";
/// `room.log`. Parameters: [`RoomLog`]. Result: [`LogPage`].
pub(crate) const ROOM_LOG: &str = "room.log";
/// `message.send`. Parameters: [`MessageSend`]. Result: `Outgoing`.
pub(crate) const MESSAGE_SEND: &str = "message.send";
/// `message.status`. Parameters: [`MessageStatus`]. Result: `Outgoing`.
pub(crate) const MESSAGE_STATUS: &str = "message.status";
/// `message.reply`. Parameters: [`MessageReply`]. Result: `Outgoing`.
pub(crate) const MESSAGE_REPLY: &str = "message.reply";
/// `message.react`. Parameters: [`MessageReact`]. Result: `Outgoing`.
pub(crate) const MESSAGE_REACT: &str = "message.react";
/// `message.edit`. Parameters: [`MessageEdit`]. Result: `Outgoing`.
pub(crate) const MESSAGE_EDIT: &str = "message.edit";
/// `message.delete`. Parameters: [`MessageDelete`]. Result: `Outgoing`.
pub(crate) const MESSAGE_DELETE: &str = "message.delete";
/// `message.show`. Parameters: [`MessageShow`]. Result: [`MessageShown`].
pub(crate) const MESSAGE_SHOW: &str = "message.show";
/// `room.read`. Parameters: [`RoomRead`]. Result: `Room`.
pub(crate) const ROOM_READ: &str = "room.read";
/// `room.create`. Parameters: [`super::rooms::RoomCreate`]. Result: `NewRoom`.
pub(crate) const ROOM_CREATE: &str = "room.create";
/// `room.show`. Parameters: [`super::rooms::RoomName`]. Result: `RoomDetails`.
pub(crate) const ROOM_SHOW: &str = "room.show";
/// `room.add`. Parameters: [`super::rooms::RoomRole`]. Result: [`super::rooms::RoomAsked`], as of those that follow.
pub(crate) const ROOM_ADD: &str = "room.add";
/// `room.remove`. Parameters: [`super::rooms::RoomPeople`].
pub(crate) const ROOM_REMOVE: &str = "room.remove";
/// `room.ban`. Parameters: [`super::rooms::RoomPeople`].
pub(crate) const ROOM_BAN: &str = "room.ban";
/// `room.unban`. Parameters: [`super::rooms::RoomRole`].
pub(crate) const ROOM_UNBAN: &str = "room.unban";
/// `room.role`. Parameters: [`super::rooms::RoomRole`].
pub(crate) const ROOM_ROLE: &str = "room.role";
/// `room.rename`. Parameters: [`super::rooms::RoomRename`].
pub(crate) const ROOM_RENAME: &str = "room.rename";
/// `room.rules`. Parameters: [`super::rooms::RoomRules`].
pub(crate) const ROOM_RULES: &str = "room.rules";
/// `room.link`. Parameters: [`super::rooms::RoomLinkWish`]. Result: `MadeLink`.
pub(crate) const ROOM_LINK: &str = "room.link";
/// `room.links`. Parameters: [`super::rooms::RoomName`]. Result: [`super::rooms::RoomLinks`].
pub(crate) const ROOM_LINKS: &str = "room.links";
/// `room.unlink`. Parameters: [`super::rooms::RoomUnlink`]. Result: [`super::rooms::RoomAsked`].
pub(crate) const ROOM_UNLINK: &str = "room.unlink";
/// `room.join`. Parameters: [`super::rooms::RoomJoin`]. Result: `Outgoing`.
pub(crate) const ROOM_JOIN: &str = "room.join";
/// `room.leave`. Parameters: [`super::rooms::RoomName`].
pub(crate) const ROOM_LEAVE: &str = "room.leave";
/// `room.resume`. Parameters: [`super::rooms::RoomName`]. Result: `Room`.
pub(crate) const ROOM_RESUME: &str = "room.resume";
/// `settings.show`. Result: `Settings`.
pub(crate) const SETTINGS_SHOW: &str = "settings.show";
/// `settings.set`. Parameters: [`SettingsChange`]. Result: `Settings`.
pub(crate) const SETTINGS_SET: &str = "settings.set";
/// `events.subscribe`. Parameters: [`Subscribe`]. Result: [`Subscribed`]; then [`EVENT`] notifications.
pub(crate) const EVENTS_SUBSCRIBE: &str = "events.subscribe";
/// `agent.status`. Result: [`AgentStatus`].
pub(crate) const AGENT_STATUS: &str = "agent.status";
/// `agent.stop`. Result: [`Stopping`].
pub(crate) const AGENT_STOP: &str = "agent.stop";
/// The notification that carries an event: [`Told`].
pub(crate) const EVENT: &str = "event";
/// The notification that a subscription has ended, because the agent stops. Its number is in `subscription`.
pub(crate) const SUBSCRIPTION_ENDED: &str = "subscription.ended";
/// Every method.
pub(crate) const ALL: &[&str] = &[
    ACCOUNT_SHOW,
    ACCOUNT_CREATE,
    ACCOUNT_RECOVER,
    ACCOUNT_RECOVERY_CODE,
    DEVICE_LIST,
    DEVICE_LINK,
    DEVICE_LINK_NUMBER,
    DEVICE_LINK_CONFIRM,
    DEVICE_ADD,
    DEVICE_ADD_NUMBER,
    DEVICE_ADD_CONFIRM,
    DEVICE_RENAME,
    DEVICE_REVOKE,
    ROOMS_LIST,
    ROOM_LOG,
    MESSAGE_SEND,
    MESSAGE_STATUS,
    MESSAGE_REPLY,
    MESSAGE_REACT,
    MESSAGE_EDIT,
    MESSAGE_DELETE,
    MESSAGE_SHOW,
    FILE_SEND,
    FILE_SAVE,
    FILE_STATUS,
    ROOM_READ,
    ROOM_CREATE,
    ROOM_SHOW,
    ROOM_ADD,
    ROOM_REMOVE,
    ROOM_BAN,
    ROOM_UNBAN,
    ROOM_ROLE,
    ROOM_RENAME,
    ROOM_RULES,
    ROOM_LINK,
    ROOM_LINKS,
    ROOM_UNLINK,
    ROOM_JOIN,
    ROOM_LEAVE,
    ROOM_RESUME,
    SETTINGS_SHOW,
    SETTINGS_SET,
    EVENTS_SUBSCRIBE,
    AGENT_STATUS,
    AGENT_STOP,
];

/// Bytes of a request's line: a text of [`MAX_TEXT`] in which JSON escapes every byte (six for one), with room for
/// the rest.
pub(crate) const MAX_REQUEST: usize = 512 * 1024;
/// Bytes of an answer's line that a caller reads: [`PAGE_BYTES`] of text escaped six for one, with room for the
/// rest.
pub(crate) const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Bytes of a text to send.
pub(crate) const MAX_TEXT: usize = 64 * 1024;
/// Messages in a page of a room's log.
pub(crate) const MAX_PAGE: usize = 500;
/// Bytes of text after which a page of a room's log ends early.
pub(crate) const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Milliseconds that `message.status` waits at most.
pub(crate) const MAX_WAIT_MS: u64 = 60_000;

/// No parameters.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Parameters of `account.create`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountCreate {
    /// The invite link.
    pub(crate) invite: String,
    /// The user name that is wished for: the part of the address before the `@`.
    pub(crate) name: String,
    /// What to call this device.
    pub(crate) device_name: String,
    /// Certificates in PEM to trust for providers, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trust_anchor: Option<String>,
    /// Forget an account that was begun and not finished.
    #[serde(default)]
    pub(crate) start_over: bool,
}

/// `account.recover`. Parameters: [`AccountRecover`]. Result: [`AccountCreated`].
pub(crate) const ACCOUNT_RECOVER: &str = "account.recover";

/// Parameters of `account.recover`. Its code is a secret, so there is no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRecover {
    /// The person's address.
    pub(crate) account: String,
    /// What the person wrote down.
    pub(crate) recovery_code: String,
    /// What to call this device.
    pub(crate) device_name: String,
    /// Certificates in PEM to trust for providers, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trust_anchor: Option<String>,
}

/// Result of `account.create` and `account.recover`.
#[derive(Serialize, Deserialize)]
pub(crate) struct AccountCreated {
    /// The account.
    #[serde(flatten)]
    pub(crate) account: Account,
    /// What the person is to write down.
    pub(crate) recovery_code: String,
}

/// Parameters of `account.recovery_code`. No `Debug`: it may hold the code.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRecoveryCode {
    /// The person has it on paper: forget it.
    #[serde(default)]
    pub(crate) written_down: bool,
    /// The code as the person has it on paper: where it is given and another one, nothing is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typed: Option<String>,
}

/// Result of `account.recovery_code`.
#[derive(Serialize, Deserialize)]
pub(crate) struct RecoveryCode {
    /// Null once it was written down.
    pub(crate) recovery_code: Option<String>,
}

/// Result of `rooms.list`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoomList {
    /// Every room.
    pub(crate) rooms: Vec<Room>,
}

/// Parameters of `room.log`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomLog {
    /// A room's identifier, or a person's address or identifier for the direct room with them.
    pub(crate) room: String,
    /// Only messages before this position; from the newest on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<u64>,
    /// At most so many, 1 to [`MAX_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<usize>,
}

/// Result of `room.log`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogPage {
    /// Oldest first.
    pub(crate) messages: Vec<Message>,
    /// What `before` is in the request for the page before this one; null when this is the first.
    pub(crate) before: Option<u64>,
}

/// Parameters of `message.send`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageSend {
    /// A person's address or identifier, or a room's identifier.
    pub(crate) to: String,
    /// The text, 1 to [`MAX_TEXT`] bytes.
    pub(crate) text: String,
    /// After how many seconds it expires once it was read; 0 for never. As the room prefers without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_s: Option<u32>,
}

/// Parameters of `message.status`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageStatus {
    /// From the result of `message.send`.
    pub(crate) local_id: u64,
    /// Wait so many milliseconds for the message to be accepted or to fail; at most [`MAX_WAIT_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait_ms: Option<u64>,
}

/// Which message: its number in the profile, or its message id in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum MessageName {
    /// The number.
    Number(u64),
    /// Either, as text.
    Text(String),
}

impl MessageName {
    /// Reads what a person typed: a number, with or without the `#` before it, or 64 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = digits.parse()
        {
            return Some(Self::Number(number));
        }
        let is_id = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self::Text(text.to_owned()))
    }

    /// As the client library takes it.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

/// Parameters of `message.reply`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageReply {
    /// What is answered.
    pub(crate) message: MessageName,
    /// The answer, 1 to [`MAX_TEXT`] bytes.
    pub(crate) text: String,
}

/// Parameters of `message.react`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageReact {
    /// What is reacted to.
    pub(crate) message: MessageName,
    /// The reaction.
    pub(crate) reaction: String,
    /// Take it back.
    #[serde(default)]
    pub(crate) remove: bool,
}

/// Parameters of `message.edit`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageEdit {
    /// Which.
    pub(crate) message: MessageName,
    /// What it says from then on, 1 to [`MAX_TEXT`] bytes.
    pub(crate) text: String,
}

/// Parameters of `message.delete`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageDelete {
    /// Which.
    pub(crate) message: MessageName,
}

/// Parameters of `message.show`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageShow {
    /// Which.
    pub(crate) message: MessageName,
}

/// Result of `message.show`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MessageShown {
    /// The message as it is now.
    pub(crate) message: Message,
    /// What it said before and says now, oldest first; empty where it was deleted.
    pub(crate) versions: Vec<sabir_client::types::Version>,
}

/// Parameters of `room.read`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomRead {
    /// A room's identifier, or a person's address or identifier for the direct room with them.
    pub(crate) room: String,
    /// Up to this message; to the end without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<MessageName>,
}

/// Parameters of `settings.set`: what is absent stays.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsChange {
    /// Whether senders are told that their messages arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_receipts: Option<bool>,
    /// Whether senders are told that their messages were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) read_receipts: Option<bool>,
    /// Whether new conversations are made with the post-quantum suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) post_quantum: Option<bool>,
}

/// Parameters of `events.subscribe`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscribe {
    /// Continue behind the event with this cursor; from now on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u64>,
}

/// Result of `events.subscribe`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Subscribed {
    /// The subscription's number within this connection.
    pub(crate) subscription: u64,
    /// Subscribing after this cursor gives the same events.
    pub(crate) cursor: u64,
}

/// Parameters of the notification `event`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Which subscription.
    pub(crate) subscription: u64,
    /// The event, with the cursor behind it.
    #[serde(flatten)]
    pub(crate) notice: Notice,
}

/// Result of `agent.status`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AgentStatus {
    /// Process id.
    pub(crate) pid: u32,
    /// Version of the program.
    pub(crate) version: String,
    /// The profile's folder.
    pub(crate) profile: String,
    /// For how long it has run.
    pub(crate) uptime_ms: u64,
    /// Open connections, this one included.
    pub(crate) connections: usize,
    /// Whether the provider is reached; absent without an account.
    pub(crate) connection: Option<sabir_client::types::Connection>,
    /// Messages that wait to be accepted; null until they were counted.
    pub(crate) outstanding: Option<usize>,
    /// The account; absent without one.
    pub(crate) account: Option<Account>,
}

/// Result of `agent.stop`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stopping {
    /// True.
    pub(crate) stopping: bool,
    /// Process id, to be waited for.
    pub(crate) pid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_describes_every_method_and_limit() {
        let page = include_str!("../../../../docs/json-rpc.md");
        for method in ALL {
            assert!(
                page.contains(&format!("### `{method}`")),
                "docs/json-rpc.md lacks {method}"
            );
        }
        for limit in [MAX_REQUEST, MAX_ANSWER, MAX_TEXT, MAX_PAGE] {
            assert!(
                page.contains(&grouped(limit)),
                "docs/json-rpc.md lacks {}",
                grouped(limit)
            );
        }
    }

    fn grouped(number: usize) -> String {
        let digits = number.to_string();
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    }
}
