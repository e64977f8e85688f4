//! The arguments and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sabir_client::types::Choice;

/// Talk to people at other providers, end-to-end encrypted.
#[derive(Debug, Parser)]
#[command(name = "sabir", version, after_help = EXAMPLES, after_long_help = EXAMPLES_AND_MORE)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Cli {
    /// The folder of the profile: one account on this device [default: $XDG_DATA_HOME/sabir/default]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) profile: Option<PathBuf>,
    /// Print JSON: one object, or one per line where there is no end
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an account, or show it
    #[command(subcommand)]
    Account(AccountCommand),
    /// List your devices, link another one, or revoke one
    #[command(subcommand, after_help = DEVICE_EXAMPLES)]
    Device(DeviceCommand),
    /// Come back to your account with the recovery code; every device you had is out
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(RecoverArgs),
    /// Talk to somebody: type lines, see replies as they arrive
    #[command(after_help = CHAT_EXAMPLES)]
    Chat(ChatArgs),
    /// Send one message
    #[command(after_help = SEND_EXAMPLES)]
    Send(SendArgs),
    /// Save a file of a message
    #[command(after_help = SAVE_EXAMPLES)]
    Save(SaveArgs),
    /// Answer a message
    #[command(after_help = REPLY_EXAMPLES)]
    Reply(ReplyArgs),
    /// React to a message, or take a reaction back
    #[command(after_help = REACT_EXAMPLES)]
    React(ReactArgs),
    /// Give one of your messages another text
    #[command(after_help = EDIT_EXAMPLES)]
    Edit(EditArgs),
    /// Take a message back, at everybody who was sent it
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(DeleteArgs),
    /// Say that you have read a conversation
    #[command(after_help = READ_EXAMPLES)]
    Read(ReadArgs),
    /// Show or change what you set for this profile
    #[command(after_help = SETTINGS_EXAMPLES)]
    Settings(SettingsArgs),
    /// Make, change or show a group
    #[command(subcommand, after_help = ROOM_EXAMPLES)]
    Room(RoomCommand),
    /// List conversations
    Rooms,
    /// Print the messages of a conversation, oldest first
    #[command(after_help = LOG_EXAMPLES)]
    Log(LogArgs),
    /// Print what happens, as it happens
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArgs),
    /// Run, look at or stop the process that owns the profile
    #[command(after_help = AGENT_EXAMPLES)]
    Agent(AgentArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum RoomCommand {
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
pub(super) struct LinkRoomArgs {
    /// Which: its name, or its identifier
    #[arg(value_name = "ROOM")]
    pub(super) room: String,
    /// What who comes in becomes: read-only or member
    #[arg(long, value_name = "ROLE", default_value = sabir_client::types::MEMBER_ROLE)]
    pub(super) role: String,
    /// For how long it opens: 30m, 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = span)]
    pub(super) lasts: u64,
    /// How many people may come in by it; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) uses: u32,
    /// Show the links there are
    #[arg(long, conflicts_with_all = ["withdraw", "role", "lasts", "uses"])]
    pub(super) list: bool,
    /// Withdraw this link, by its name or whole; may be given several times
    #[arg(long, value_name = "LINK", conflicts_with_all = ["role", "lasts", "uses"])]
    pub(super) withdraw: Vec<String>,
    #[command(flatten)]
    pub(super) wait: Wait,
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
pub(super) struct PolicyArgs {
    /// Which: its name, or its identifier
    #[arg(value_name = "ROOM")]
    pub(super) room: String,
    /// Whether senders are told what was read: optional, required or forbidden
    #[arg(long, value_name = "CHOICE", value_parser = choice)]
    pub(super) receipts: Option<Choice>,
    /// Whether senders are told what arrived: optional, required or forbidden
    #[arg(long, value_name = "CHOICE", value_parser = choice)]
    pub(super) delivery: Option<Choice>,
    /// Most people; 0 for no limit
    #[arg(long, value_name = "N")]
    pub(super) max_people: Option<u32>,
    /// Most devices; 0 for no limit
    #[arg(long, value_name = "N")]
    pub(super) max_devices: Option<u32>,
    /// Whether a person may have several devices in the room: yes or no
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    pub(super) several_devices: Option<bool>,
    /// Every message expires so long after it was read: 30s, 12h, 7d; or never, which is as people wish
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    pub(super) expire: Option<u32>,
    /// A whole policy component by its registered name, with --data or --remove
    #[arg(long, value_name = "NAME")]
    pub(super) component: Option<String>,
    /// The component's data, as the draft encodes it
    #[arg(long, value_name = "FILE", requires = "component", conflicts_with = "remove")]
    pub(super) data: Option<PathBuf>,
    /// Take the component away
    #[arg(long, requires = "component")]
    pub(super) remove: bool,
    #[command(flatten)]
    pub(super) wait: Wait,
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

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Make an account from an invite link that a provider gave you
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// Show the profile's account
    Show,
    /// Show the recovery code, until you say that you have written it down
    RecoveryCode(RecoveryArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum DeviceCommand {
    /// List your devices
    List,
    /// Make this empty profile a device of an account that you have
    Link(LinkArgs),
    /// Take a new device for one of yours; this device must hold your identity key
    Add {
        /// What the new device shows
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Call a device otherwise; the name stays on this device
    Rename {
        /// Which: its name or identifier, as sabir device list shows it
        #[arg(value_name = "DEVICE")]
        device: String,
        /// What to call it
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Cut a device off that is lost or no longer yours, and take it out of every room
    Revoke {
        /// Which: its name or identifier, as sabir device list shows it
        #[arg(value_name = "DEVICE")]
        device: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct LinkArgs {
    /// Your address, or your provider's domain
    #[arg(value_name = "ADDRESS-or-PROVIDER")]
    pub(super) account: String,
    /// What to call this device
    #[arg(long, value_name = "NAME", default_value = "sabir")]
    pub(super) device_name: String,
    /// Trust these certificates (PEM) for providers, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub(super) trust_anchor: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// Your address; the code is asked for, or read from standard input
    #[arg(value_name = "ADDRESS")]
    pub(super) account: String,
    /// What to call this device
    #[arg(long, value_name = "NAME", default_value = "sabir")]
    pub(super) device_name: String,
    /// Trust these certificates (PEM) for providers, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub(super) trust_anchor: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The invite link: https://DOMAIN/invite/TOKEN
    #[arg(value_name = "INVITE-LINK")]
    pub(super) invite: String,
    /// Your name at the provider, before the @ of your address [default: the name of the profile's folder]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// What to call this device
    #[arg(long, value_name = "NAME", default_value = "sabir")]
    pub(super) device_name: String,
    /// Trust these certificates (PEM) for providers, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub(super) trust_anchor: Option<PathBuf>,
    /// Forget an account that was begun here and not finished
    #[arg(long)]
    pub(super) start_over: bool,
}

#[derive(Debug, Args)]
pub(super) struct RecoveryArgs {
    /// It is on paper: forget it here. Type it back, or pipe it, and it is checked first
    #[arg(long)]
    pub(super) written_down: bool,
}

#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// Who: bob@b.example, mimi://b.example/u/bob, or a room's identifier
    #[arg(value_name = "ADDRESS")]
    pub(super) to: String,
    /// Begin with so many earlier messages [default: 10 on a terminal, otherwise 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=500))]
    pub(super) history: Option<u16>,
    /// After the end of the input, wait so long for what was typed to be accepted
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) wait: u32,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// To whom: bob@b.example, mimi://b.example/u/bob, or a room's identifier
    #[arg(value_name = "TO")]
    pub(super) to: String,
    /// The text; - reads it from standard input
    #[arg(
        value_name = "TEXT|-",
        allow_hyphen_values = true,
        required_unless_present = "file"
    )]
    pub(super) text: Option<String>,
    /// Send this file, with the text where one is given
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
    /// Send a picture as it is, with what it says of place, time and camera
    #[arg(long, requires = "file")]
    pub(super) keep_metadata: bool,
    /// Let it expire so long after it was read: 30s, 12h, 7d; or never. Otherwise as the room prefers
    #[arg(long, value_name = "TIME", value_parser = expiry, conflicts_with = "file")]
    pub(super) expires: Option<u32>,
    /// Return once the message is written down here; the agent sends it
    #[arg(long)]
    pub(super) queue: bool,
    /// Wait so long for the room's provider to accept the message
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "queue")]
    pub(super) wait: u32,
}

/// A time in seconds, or 0 for `never`.
fn expiry(text: &str) -> Result<u32, String> {
    if text == "never" {
        return Ok(0);
    }
    let seconds = span(text).map_err(|error| format!("{error}, or never"))?;
    u32::try_from(seconds).map_err(|_| "it is too long".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct SaveArgs {
    /// Which message: its number, as sabir log shows it, or its message id
    #[arg(value_name = "MESSAGE")]
    pub(super) message: String,
    /// Where to: a folder, where it gets the name that was sent, or the file itself
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
    /// Which file of the message
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) file: u32,
    /// Replace a file that is there
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Return after so long in which nothing came; the agent goes on
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) wait: u32,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(super) struct Wait {
    /// Return once it is written down here; the agent sends it
    #[arg(long)]
    pub(super) queue: bool,
    /// Wait so long for the room's provider to accept it
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "queue")]
    pub(super) wait: u32,
}

#[derive(Debug, Args)]
pub(super) struct ReplyArgs {
    /// Which: the number that sabir log shows, or the message id
    #[arg(value_name = "MESSAGE")]
    pub(super) message: String,
    /// The text; - reads it from standard input
    #[arg(value_name = "TEXT|-", allow_hyphen_values = true)]
    pub(super) text: String,
    #[command(flatten)]
    pub(super) wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct ReactArgs {
    /// Which: the number that sabir log shows, or the message id
    #[arg(value_name = "MESSAGE")]
    pub(super) message: String,
    /// The reaction: an emoji, or a short word
    #[arg(value_name = "EMOJI", allow_hyphen_values = true)]
    pub(super) emoji: String,
    /// Take it back
    #[arg(long)]
    pub(super) remove: bool,
    #[command(flatten)]
    pub(super) wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// Which: the number that sabir log shows, or the message id
    #[arg(value_name = "MESSAGE")]
    pub(super) message: String,
    /// What it says from now on; - reads it from standard input
    #[arg(value_name = "TEXT|-", allow_hyphen_values = true)]
    pub(super) text: String,
    #[command(flatten)]
    pub(super) wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// Which: the number that sabir log shows, or the message id
    #[arg(value_name = "MESSAGE")]
    pub(super) message: String,
    #[command(flatten)]
    pub(super) wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    /// Which: the person's address, or the room's identifier
    #[arg(value_name = "ROOM-or-ADDRESS")]
    pub(super) room: String,
    /// Up to this message, instead of to the end
    #[arg(long, value_name = "MESSAGE")]
    pub(super) until: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// Tell senders that their messages arrived
    #[arg(long, value_name = "on|off")]
    pub(super) delivery_receipts: Option<Switch>,
    /// Tell senders that you have read their messages
    #[arg(long, value_name = "on|off")]
    pub(super) read_receipts: Option<Switch>,
    /// Make new conversations so that quantum computers do not open them either
    #[arg(long, value_name = "on|off")]
    pub(super) post_quantum: Option<Switch>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch == Switch::On
    }
}

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Which: the person's address, or the room's identifier
    #[arg(value_name = "ROOM-or-ADDRESS")]
    pub(super) room: String,
    /// At most so many messages, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(super) limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Continue behind the event with this cursor, instead of from now on
    #[arg(long, value_name = "CURSOR")]
    pub(super) after: Option<u64>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AgentArgs {
    #[command(subcommand)]
    pub(super) command: Option<AgentCommand>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Own the profile until Ctrl-C, SIGTERM or `sabir agent stop`; commands start this by themselves
    Run(RunArgs),
    /// Show whether it runs, and what waits to be sent
    Status,
    /// Stop it, and wait until it has stopped
    Stop,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Stop after so long without a connection and with nothing left to send
    #[arg(long, value_name = "SECONDS")]
    pub(super) idle_exit: Option<u32>,
    /// Leave the session of the command that started it; log to standard error
    #[arg(long, hide = true)]
    pub(super) detached: bool,
}

const EXAMPLES: &str = "\
Examples:
  sabir account create https://a.example/invite/TOKEN --name alice
  sabir chat bob@b.example
  sabir send bob@b.example 'See you at eight'
  sabir log bob@b.example
  sabir help send";

const EXAMPLES_AND_MORE: &str = "\
Examples:
  sabir account create https://a.example/invite/TOKEN --name alice
  sabir chat bob@b.example
  sabir send bob@b.example 'See you at eight'
  sabir log bob@b.example
  sabir help send

Exit codes:
  0  done
  1  failed
  2  the command line was not understood
  3  the provider or the agent cannot be reached

Standard output is data, standard error is talk. Lines that start with `hint:` say what to do next.
One process, the agent, owns a profile; commands start it when it does not run.";

const CREATE_EXAMPLES: &str = "\
Examples:
  sabir account create https://a.example/invite/TOKEN --name alice
  sabir --profile ~/work account create https://corp.example/invite/TOKEN --name a.smith --device-name laptop";

const CHAT_EXAMPLES: &str = "\
Each line you type is a message. Ctrl-D ends the chat, once everything you typed was accepted.

Examples:
  sabir chat bob@b.example
  date | sabir chat bob@b.example";

const SEND_EXAMPLES: &str = "\
Returns when the room's provider has accepted the message.

Examples:
  sabir send bob@b.example 'See you at eight'
  sabir send mimi://b.example/u/bob - < letter.txt
  sabir send --queue bob@b.example 'When you are back online'
  sabir send --file photo.jpg bob@b.example 'Our garden'";

const SAVE_EXAMPLES: &str = "\
Examples:
  sabir save 12 .                     under the name that was sent
  sabir save 12 ~/garden.jpg";

const REPLY_EXAMPLES: &str = "\
Examples:
  sabir reply 12 'Right on!'
  sabir reply 12 - < letter.txt";

const REACT_EXAMPLES: &str = "\
Examples:
  sabir react 12 👍
  sabir react 12 👍 --remove";

const EDIT_EXAMPLES: &str = "\
Others may still see what it said before.

Examples:
  sabir edit 12 'See you at nine'";

const DELETE_EXAMPLES: &str = "\
Programs that keep to the rules forget what it said. Who has read it may remember it.

Examples:
  sabir delete 12";

const READ_EXAMPLES: &str = "\
Senders are told, where the conversation's rules and your settings let them.

Examples:
  sabir read bob@b.example
  sabir read bob@b.example --until 12";

const SETTINGS_EXAMPLES: &str = "\
Examples:
  sabir settings
  sabir settings --read-receipts off";

const DEVICE_EXAMPLES: &str = "\
Both devices show the same number; type on each what the other one shows. Never link a device whose text
somebody sent you.

Examples:
  on the new device:  sabir device link alice@a.example --device-name phone
  on the old device:  sabir device add sabir-device-AS5taW1pOi8v...
  sabir device list
  sabir device revoke phone";

const ROOM_EXAMPLES: &str = "\
A room is named by what it is called, or by its identifier where several are called so.
Commands return when the room's provider has accepted the change; with --queue once it is written down.

Examples:
  sabir room create Hikers bob@b.example carol@c.example
  sabir room create News --template announcement bob@b.example
  sabir room add Hikers dave@b.example
  sabir room role Hikers bob@b.example admin
  sabir room rename Hikers 'Night hikers'
  sabir room remove Hikers carol@c.example
  sabir room show Hikers
  sabir room leave Hikers";

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

const LOG_EXAMPLES: &str = "\
Examples:
  sabir log bob@b.example
  sabir log bob@b.example --limit 0 --json > bob.jsonl";

const WATCH_EXAMPLES: &str = "\
Examples:
  sabir watch
  sabir watch --json --after 1042     continue where a program left off: each line carries its cursor";

const AGENT_EXAMPLES: &str = "\
Examples:
  sabir agent status
  sabir agent stop
  sabir --profile /srv/bot agent      in the foreground, for a service manager";

const RECOVER_EXAMPLES: &str = "\
The profile must be empty. Lost or stolen makes no difference: your old devices are cut off and taken out of every
room, everybody there is told that you came back, and you get a new code.

Examples:
  sabir --profile ./new recover alice@a.example
  sabir recover alice@a.example --json < code.txt";
