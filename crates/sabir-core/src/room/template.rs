//! Kinds of rooms that a person understands. A template says how a room begins; no name of one is on the wire, and a
//! room is what its roles and policies say.

use sabir_wire::policy::{CapabilityType, Optionality, StatusNotificationPolicy};

use super::Features;
use super::direct::DIRECT_CAPABILITIES;

/// How a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Template {
    /// People are added by admins, and all members write.
    #[default]
    Private,
    /// Whoever knows the room can come in, and all members write.
    Public,
    /// Admins and owners write, and all others read.
    Announcement,
}

impl Template {
    /// All of them, the usual one first.
    pub const ALL: &'static [Self] = &[Self::Private, Self::Public, Self::Announcement];

    /// What a person calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::Announcement => "announcement",
        }
    }

    /// The template of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|template| template.name() == name)
    }

    /// What it means, in a sentence without its full stop.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Private => "admins add people; everybody writes",
            Self::Public => "whoever has the room's identifier can come in and write; admins remove and ban",
            Self::Announcement => "admins add people; admins and owners write, everybody else reads",
        }
    }

    /// Whether role zero has canOpenJoin (draft-ietf-mimi-room-policy-03 §8.1.1).
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Public)
    }

    /// What a member may do, beside leaving.
    pub(super) fn member(self) -> &'static [CapabilityType] {
        match self {
            Self::Private | Self::Public => DIRECT_CAPABILITIES,
            Self::Announcement => super::group::READER,
        }
    }

    /// Rules about single features. Among strangers, and in a crowd, nobody learns who read what.
    pub(super) fn features(self) -> Features {
        let silent = StatusNotificationPolicy {
            delivery_notifications: Optionality::Forbidden,
            read_receipts: Optionality::Forbidden,
        };
        Features {
            status: (!matches!(self, Self::Private)).then_some(silent),
            ..Features::default()
        }
    }
}
