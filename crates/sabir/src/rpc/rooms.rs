//! Parameters and results of the methods that make, change and show groups.

use sabir_client::types::{LinkWish, MEMBER_ROLE, Outgoing, RoomLink, Rules, Template};
use serde::{Deserialize, Serialize};

/// Parameters of `room.create`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomCreate {
    /// What the group is called; may be empty.
    pub(crate) name: String,
    /// How it begins: `private`, `public` or `announcement`.
    #[serde(default = "private")]
    pub(crate) template: String,
    /// Whether it is made with the post-quantum suite; as the settings say without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) post_quantum: Option<bool>,
    /// Who is in it beside oneself, by address or identifier.
    pub(crate) people: Vec<String>,
}

/// Parameters of `room.show`, `room.links`, `room.leave` and `room.resume`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomName {
    /// The room: its identifier or its name.
    pub(crate) room: String,
}

/// Parameters of `room.remove` and `room.ban`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomPeople {
    /// The room: its identifier or its name.
    pub(crate) room: String,
    /// Whom, by address or identifier.
    pub(crate) people: Vec<String>,
}

/// Parameters of `room.add`, `room.unban` and `room.role`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomRole {
    /// The room: its identifier or its name.
    pub(crate) room: String,
    /// Whom, by address or identifier.
    pub(crate) people: Vec<String>,
    /// Their role, by name.
    #[serde(default = "member")]
    pub(crate) role: String,
}

/// Parameters of `room.rename`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomRename {
    /// The room: its identifier or its name.
    pub(crate) room: String,
    /// The new name; may be empty.
    pub(crate) name: String,
}

/// Parameters of `room.rules`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomRules {
    /// The room: its identifier or its name.
    pub(crate) room: String,
    /// How its rules are to be; what is absent stays.
    pub(crate) rules: Rules,
}

/// Parameters of `room.link`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomLinkWish {
    /// The room: its identifier or its name.
    pub(crate) room: String,
    /// The link; each of its members may be absent.
    #[serde(default)]
    pub(crate) link: LinkWish,
}

/// Result of `room.links`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoomLinks {
    /// The room's join links.
    pub(crate) links: Vec<RoomLink>,
}

/// Parameters of `room.unlink`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomUnlink {
    /// The room: its identifier or its name.
    pub(crate) room: String,
    /// Names of its links, or the links themselves.
    pub(crate) links: Vec<String>,
}

/// Parameters of `room.join`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomJoin {
    /// A join link, or the identifier of a room that is open.
    pub(crate) link: String,
}

/// Result of the methods that change a room.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoomAsked {
    /// What was asked for, one for each person.
    pub(crate) asked: Vec<Outgoing>,
}

pub(crate) fn private() -> String {
    Template::Private.name().to_owned()
}

fn member() -> String {
    MEMBER_ROLE.to_owned()
}
