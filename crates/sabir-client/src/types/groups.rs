//! Groups as faces see them: who is in one, what happens to it, what is wanted of it.
//!
//! Roles go by the names that the room gives them: `owner`, `admin`, `member`, `read-only`, `banned`.

use serde::{Deserialize, Serialize};

use super::{LinkWish, Outgoing, RolePowers, Room, Rules};

/// The role that somebody who is added has unless another is named.
pub const MEMBER_ROLE: &str = "member";

/// Something that happened to a room: a line of its timeline that is no message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RoomChange {
    /// Somebody came onto the list.
    Joined {
        /// Who.
        who: String,
        /// Their role.
        role: String,
        /// Who added them, where that is known; themselves, where they came in by a link or the room is open.
        by: Option<String>,
    },
    /// Somebody left.
    Left {
        /// Who.
        who: String,
    },
    /// Somebody was removed.
    Removed {
        /// Who.
        who: String,
        /// By whom, where that is known.
        by: Option<String>,
    },
    /// Somebody was banned.
    Banned {
        /// Who.
        who: String,
        /// By whom, where that is known.
        by: Option<String>,
    },
    /// Somebody is no longer banned.
    Unbanned {
        /// Who.
        who: String,
        /// Their role now.
        role: String,
        /// By whom, where that is known.
        by: Option<String>,
    },
    /// Somebody has another role.
    Role {
        /// Who.
        who: String,
        /// Their role before.
        from: String,
        /// Their role now.
        to: String,
        /// By whom, where that is known.
        by: Option<String>,
    },
    /// The room has another name.
    Renamed {
        /// The name, unaltered; may be empty.
        name: String,
        /// By whom, where that is known.
        by: Option<String>,
    },
    /// The room has other rules.
    Rules {
        /// What they say now, a sentence each without its full stop.
        rules: Vec<String>,
        /// By whom, where that is known.
        by: Option<String>,
    },
    /// This device lost the thread of the room and came back, or came in by itself.
    Returned {
        /// Whether messages of the time in between may be missing here.
        lost: bool,
    },
    /// This device came into the room for its person, linked or by the recovery code: what was said before is not on it.
    Linked,
    /// Another device of somebody who was in the room came in.
    DeviceJoined {
        /// Whose.
        who: String,
        /// The device's identifier.
        device: String,
    },
    /// A device of somebody who stays is no longer in the room.
    DeviceLeft {
        /// Whose.
        who: String,
        /// The device's identifier.
        device: String,
    },
    /// Somebody came back with their recovery code: all devices that they had before are out.
    CameBack {
        /// Who.
        who: String,
    },
    /// This device alone is out of the room.
    DeviceOut {
        /// By whom, where that is known.
        by: Option<String>,
    },
}

impl RoomChange {
    /// The same, with every person named by `name`.
    #[must_use]
    pub fn with_people(self, name: impl Fn(&str) -> String) -> Self {
        let other = |by: Option<String>| by.map(|by| name(&by));
        match self {
            Self::Joined { who, role, by } => Self::Joined {
                who: name(&who),
                role,
                by: other(by),
            },
            Self::Left { who } => Self::Left { who: name(&who) },
            Self::Removed { who, by } => Self::Removed {
                who: name(&who),
                by: other(by),
            },
            Self::Banned { who, by } => Self::Banned {
                who: name(&who),
                by: other(by),
            },
            Self::Unbanned { who, role, by } => Self::Unbanned {
                who: name(&who),
                role,
                by: other(by),
            },
            Self::Role { who, from, to, by } => Self::Role {
                who: name(&who),
                from,
                to,
                by: other(by),
            },
            Self::Renamed { name: called, by } => Self::Renamed {
                name: called,
                by: other(by),
            },
            Self::Rules { rules, by } => Self::Rules { rules, by: other(by) },
            Self::Returned { lost } => Self::Returned { lost },
            Self::Linked => Self::Linked,
            Self::DeviceJoined { who, device } => Self::DeviceJoined {
                who: name(&who),
                device,
            },
            Self::DeviceLeft { who, device } => Self::DeviceLeft {
                who: name(&who),
                device,
            },
            Self::CameBack { who } => Self::CameBack { who: name(&who) },
            Self::DeviceOut { by } => Self::DeviceOut { by: other(by) },
        }
    }

    /// The change as a sentence without its full stop. It holds names that others chose: strip control characters and
    /// direction marks before you show it.
    #[must_use]
    pub fn sentence(&self) -> String {
        let passive = |who: &str, what: &str, by: &Option<String>| match by {
            Some(by) => format!("{by} {what} {who}"),
            None => format!("{who} was {what}"),
        };
        match self {
            Self::Joined { who, role, by } if by.as_ref() == Some(who) => format!("{who} came in as {role}"),
            Self::Joined { who, role, by } => format!("{} as {role}", passive(who, "added", by)),
            Self::Left { who } => format!("{who} left"),
            Self::Removed { who, by: None } => format!("{who} is no longer in the room"),
            Self::Removed { who, by } => passive(who, "removed", by),
            Self::Banned { who, by } => passive(who, "banned", by),
            Self::Unbanned { who, role, by } => {
                format!("{}, who is {role} again", passive(who, "unbanned", by))
            }
            Self::Role { who, from, to, by: None } => format!("{who} is {to} now, and was {from}"),
            Self::Role { who, from, to, by: Some(by) } => format!("{by} made {who} {to}, who was {from}"),
            Self::Renamed { name, by } => {
                let what = if name.is_empty() {
                    "took the name of the room away".to_owned()
                } else {
                    format!("called the room \"{name}\"")
                };
                format!("{} {what}", by.as_deref().unwrap_or("somebody"))
            }
            Self::Rules { rules, by } => format!(
                "{} changed the rules: {}",
                by.as_deref().unwrap_or("somebody"),
                rules.join("; ")
            ),
            Self::Returned { lost: true } => {
                "this device lost the thread of the room and came back; messages in between may be missing here"
                    .to_owned()
            }
            Self::Returned { lost: false } => "this device came into the room".to_owned(),
            Self::Linked => {
                "this device came into the room; what was said before is not on it".to_owned()
            }
            Self::DeviceJoined { who, .. } => format!("another device of {who} came in"),
            Self::DeviceLeft { who, .. } => format!("a device of {who} is no longer in the room"),
            Self::CameBack { who } => {
                format!("{who} came back with the recovery code: all earlier devices are out")
            }
            Self::DeviceOut { by: Some(by) } => format!("{by} took this device out of the room"),
            Self::DeviceOut { by: None } => "this device was taken out of the room".to_owned(),
        }
    }
}

/// What a person wants of a group. People are addresses or identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Wish {
    /// Put somebody on the list and add their devices.
    Add {
        /// Whom.
        person: String,
        /// With which role.
        role: String,
    },
    /// Take somebody off the list, with all their devices.
    Remove {
        /// Whom.
        person: String,
    },
    /// Remove somebody, and let nobody add them.
    Ban {
        /// Whom.
        person: String,
    },
    /// Give somebody who is banned a role, and add their devices.
    Unban {
        /// Whom.
        person: String,
        /// Which role.
        role: String,
    },
    /// Give somebody another role.
    Role {
        /// Whom.
        person: String,
        /// Which role.
        role: String,
    },
    /// Call the room otherwise.
    Rename {
        /// The new name; may be empty.
        name: String,
    },
    /// Give the room other rules.
    Rules {
        /// Which.
        rules: Rules,
    },
    /// Make a join link.
    Link {
        /// Which.
        link: LinkWish,
    },
    /// Withdraw join links.
    Unlink {
        /// Their names, or the links themselves.
        links: Vec<String>,
    },
    /// Leave, with all one's devices.
    Leave,
}

/// A group that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRoom {
    /// The room.
    pub room: Room,
    /// What waits for the hub: the room itself first, then a line for each person.
    pub asked: Vec<Outgoing>,
}

/// A wish that is not fulfilled yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What asking for it returned.
    pub local_id: u64,
    /// What is wanted; people by address.
    pub wish: Wish,
    /// What it waits for.
    pub waits_for: AwaitedStep,
}

/// What a wish waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwaitedStep {
    /// Its turn.
    Turn,
    /// Key packages of the person.
    KeyPackages,
    /// The hub's word.
    Hub,
}

/// Somebody on a room's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their address.
    pub address: String,
    /// Their role, by name.
    pub role: String,
    /// Whether it is the person of this profile.
    pub own: bool,
    /// Identifiers of their devices in the room.
    pub devices: Vec<String>,
    /// Whether the identity of all these devices was proved.
    pub verified: bool,
    /// Whether they left, and only the commit that takes them off the list is to come.
    pub left: bool,
    /// Why this device could not add their devices yet, where it is to: a sentence for people.
    pub waits: Option<String>,
}

/// A room, with everything about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomDetails {
    /// The room as lists have it: fields of the object itself in JSON.
    #[serde(flatten)]
    pub room: Room,
    /// Everybody on the list, in its order.
    pub people: Vec<Person>,
    /// Roles that the room has, by name, from the least to the most powerful.
    pub roles: Vec<String>,
    /// What each role may do, in the same order; first what anybody may who is not on the list, where that is anything.
    pub powers: Vec<RolePowers>,
    /// What the room's policies say, a sentence each without its full stop.
    pub rules: Vec<String>,
    /// What was wanted from here and is not done yet, in order.
    pub asked: Vec<Asked>,
    /// How often the room's keys changed.
    pub epoch: u64,
    /// The name of its cipher suite, of which the keys are.
    pub suite: String,
    /// Whether what is said in it stays sealed when there are quantum computers.
    pub post_quantum: bool,
}
