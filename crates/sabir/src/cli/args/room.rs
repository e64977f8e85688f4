//! What `sabir room` takes, and the values that only people write so.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sabir_client::types::Choice;

use super::{Switch, Wait};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RoomCommand {
    /// Make a group with some people
    Create {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
        /// How it begins: private, public or announcement (see: sabir room template)
        #[arg(long, value_name = "TEMPLATE", default_value = "private")]
        template: String,
        /// Whether quantum computers shall not open it either (see: sabir settings)
        #[arg(long, value_name = "on|off")]
        post_quantum: Option<Switch>,
        /// Whom to add: bob@b.example
        #[arg(value_name = "ADDRESS")]
        people: Vec<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Add people
    Add {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        /// Whom to add
        #[arg(value_name = "ADDRESS", required = true)]
        people: Vec<String>,
        /// As what: read-only, member, admin or owner
        #[arg(long, value_name = "ROLE", default_value = sabir_client::types::MEMBER_ROLE)]
        role: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove people; they keep what was said while they were there
    Remove {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        /// Whom to remove
        #[arg(value_name = "ADDRESS", required = true)]
        people: Vec<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove people, and let nobody add them again
    Ban {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        /// Whom to ban
        #[arg(value_name = "ADDRESS", required = true)]
        people: Vec<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Take people back who were banned
    Unban {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        /// Whom to take back
        #[arg(value_name = "ADDRESS", required = true)]
        people: Vec<String>,
        /// As what: read-only, member, admin or owner
        #[arg(long, value_name = "ROLE", default_value = sabir_client::types::MEMBER_ROLE)]
        role: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Give somebody another role
    Role {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        /// Whose role
        #[arg(value_name = "ADDRESS")]
        person: String,
        /// Which role: read-only, member, admin or owner
        #[arg(value_name = "ROLE")]
        role: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Call a group otherwise
    Rename {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        /// The new name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show a group's rules, or give it others
    #[command(after_help = POLICY_EXAMPLES)]
    Policy(PolicyArgs),
    /// Show what kinds of groups there are
    Template,
    /// Make a join link, show those there are, or withdraw some
    #[command(after_help = LINK_EXAMPLES)]
    Link(LinkRoomArgs),
    /// Come into a room by a join link, or by its identifier where it is open to all
    Join {
        /// The link as you got it: mimi://a.example/r/...#...; - reads it from standard input
        #[arg(value_name = "LINK|-")]
        link: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Leave a group; what was said stays readable here
    Leave {
        /// Which: its name, or its identifier
        #[arg(value_name = "ROOM")]
        room: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Send again in a conversation that stopped because something was wrong
    Resume {
        /// Which: the room's name or identifier, or the other person's address
        #[arg(value_name = "ROOM")]
        room: String,
    },
    /// Show who is in a room, with which role, and what waits
    Show {
        /// Which: its name, its identifier, or the other person's address
        #[arg(value_name = "ROOM-or-ADDRESS")]
        room: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LinkRoomArgs {
    /// Which: its name, or its identifier
    #[arg(value_name = "ROOM")]
    pub(in crate::cli) room: String,
    /// What who comes in becomes: read-only or member
    #[arg(long, value_name = "ROLE", default_value = sabir_client::types::MEMBER_ROLE)]
    pub(in crate::cli) role: String,
    /// For how long it opens: 30m, 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = span)]
    pub(in crate::cli) lasts: u64,
    /// How many people may come in by it; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) uses: u32,
    /// Show the links there are
    #[arg(long, conflicts_with_all = ["withdraw", "role", "lasts", "uses"])]
    pub(in crate::cli) list: bool,
    /// Withdraw this link, by its name or whole; may be given several times
    #[arg(long, value_name = "LINK", conflicts_with_all = ["role", "lasts", "uses"])]
    pub(in crate::cli) withdraw: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) wait: Wait,
}

/// A time in seconds: a number and `s`, `m`, `h` or `d`.
fn span(text: &str) -> Result<u64, String> {
    let wrong = || "it is a number and s, m, h or d, as in 12h".to_owned();
    let at = text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at));
    let (number, unit) = text.split_at(at.ok_or_else(wrong)?);
    let unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(wrong)
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PolicyArgs {
    /// Which: its name, or its identifier
    #[arg(value_name = "ROOM")]
    pub(in crate::cli) room: String,
    /// Whether senders are told what was read: optional, required or forbidden
    #[arg(long, value_name = "CHOICE", value_parser = choice)]
    pub(in crate::cli) receipts: Option<Choice>,
    /// Whether senders are told what arrived: optional, required or forbidden
    #[arg(long, value_name = "CHOICE", value_parser = choice)]
    pub(in crate::cli) delivery: Option<Choice>,
    /// Most people; 0 for no limit
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_people: Option<u32>,
    /// Most devices; 0 for no limit
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_devices: Option<u32>,
    /// Whether a person may have several devices in the room: yes or no
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    pub(in crate::cli) several_devices: Option<bool>,
    /// Every message expires so long after it was read: 30s, 12h, 7d; or never, which is as people wish
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    pub(in crate::cli) expire: Option<u32>,
    /// A whole policy component by its registered name, with --data or --remove
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) component: Option<String>,
    /// The component's data, as the draft encodes it
    #[arg(long, value_name = "FILE", requires = "component", conflicts_with = "remove")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// Take the component away
    #[arg(long, requires = "component")]
    pub(in crate::cli) remove: bool,
    #[command(flatten)]
    pub(in crate::cli) wait: Wait,
}

fn choice(text: &str) -> Result<Choice, String> {
    match text {
        "optional" => Ok(Choice::Optional),
        "required" => Ok(Choice::Required),
        "forbidden" => Ok(Choice::Forbidden),
        _ => Err("it is optional, required or forbidden".to_owned()),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("it is yes or no".to_owned()),
    }
}

/// A time in seconds, or 0 for `never`.
pub(super) fn expiry(text: &str) -> Result<u32, String> {
    if text == "never" {
        return Ok(0);
    }
    let seconds = span(text).map_err(|error| format!("{error}, or never"))?;
    u32::try_from(seconds).map_err(|_| "it is too long".to_owned())
}

const POLICY_EXAMPLES: &str = "\
Without options it shows the rules. What is not named stays as it is.

Examples:
  sabir room policy Hikers
  sabir room policy Hikers --receipts forbidden
  sabir room policy Hikers --max-people 30 --several-devices no
  sabir room policy Hikers --component asset_policy --data assets.bin
  sabir room policy Hikers --component asset_policy --remove";

const LINK_EXAMPLES: &str = "\
Whoever has the link comes in by it, once this is accepted: sabir room join LINK

Examples:
  sabir room link Hikers
  sabir room link Hikers --uses 1 --lasts 12h --role read-only
  sabir room link Hikers --list
  sabir room link Hikers --withdraw 1f0c22ab";
