//! The arguments and their help.

mod room;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::room::expiry;
pub(super) use self::room::{LinkRoomArgs, PolicyArgs, RoomCommand};

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
