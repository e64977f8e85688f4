//! Join links as faces see them.

use serde::{Deserialize, Serialize};

use super::{MEMBER_ROLE, Outgoing};

/// How long a link lasts unless another time is named, in seconds: a week.
const USUAL: u64 = 7 * 24 * 3_600;

/// A link that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkWish {
    /// What who comes in by it becomes, by name.
    #[serde(default = "member")]
    pub role: String,
    /// For how many seconds it opens.
    #[serde(default = "usual")]
    pub lasts_s: u64,
    /// How many people may come in by it; 0 for no limit.
    #[serde(default)]
    pub uses: u32,
}

impl Default for LinkWish {
    fn default() -> Self {
        Self {
            role: member(),
            lasts_s: usual(),
            uses: 0,
        }
    }
}

fn member() -> String {
    MEMBER_ROLE.to_owned()
}

const fn usual() -> u64 {
    USUAL
}

/// A link of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLink {
    /// What tells it from the room's others: eight letters and digits.
    pub name: String,
    /// What who comes in by it becomes, by name.
    pub role: String,
    /// The last moment at which it opens, in milliseconds since the epoch; absent where it has no end.
    pub until_ms: Option<u64>,
    /// How many people may come in by it in all; 0 for no limit. How many did, the hub alone knows.
    pub uses: u32,
    /// Whether its time is over.
    pub over: bool,
    /// The link itself, where it was made here. Whoever has it comes in.
    pub link: Option<String>,
}

/// A link that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeLink {
    /// The link.
    pub link: RoomLink,
    /// What waits for the hub's word: before that, nobody comes in by it.
    pub asked: Outgoing,
}
