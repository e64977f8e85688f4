//! Rules of a room as faces see them: what is wanted of them, and what they say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whether something is done in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// As each person wishes.
    Optional,
    /// By everybody.
    Required,
    /// By nobody.
    Forbidden,
}

/// How a room's rules are to be. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether senders are told that a message was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Choice>,
    /// Whether senders are told that a message arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Choice>,
    /// Most people on the list; 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_people: Option<u32>,
    /// Most devices in the room; 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_devices: Option<u32>,
    /// Whether a person may have several devices in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub several_devices: Option<bool>,
    /// Every message expires so many seconds after it was read; 0 for as people wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_s: Option<u32>,
    /// Whole policy components, by their registered names (`asset_policy`): the data in base64, or null to take the
    /// component away.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Option<String>>,
}

/// A role, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolePowers {
    /// The role, by name. People who are not on the list go by `anybody` where the room lets them do anything.
    pub role: String,
    /// What it may do, each in a few words.
    pub may: Vec<String>,
    /// The registered names of its capabilities; a number where there is no name.
    pub capabilities: Vec<String>,
}
