//! What went wrong, what to do, and the exit code.

use std::io;
use std::process::ExitCode;

use super::out::Out;
use crate::agent::run::RunError;
use crate::agent::start::{Refusal, StartError};
use crate::profile::ProfileError;
use crate::rpc::caller::CallError;
use crate::rpc::code::Code;
use crate::rpc::message::ErrorObject;
use crate::terminal;

/// The exit codes. Their meaning never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It failed.
    Failed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// The provider or the agent cannot be reached.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// How the process ends.
    pub(super) exit: Exit,
    /// A stable name: one of the codes of docs/json-rpc.md, or one of docs/commands.md.
    pub(super) name: String,
    /// A sentence for people.
    pub(super) message: String,
    /// What to do next, a line each.
    pub(super) hints: Vec<String>,
    /// Nobody reads any more: say nothing.
    pub(super) silent: bool,
}

impl Failure {
    /// A failure without hints.
    pub(super) fn new(exit: Exit, name: &str, message: impl Into<String>) -> Self {
        Self {
            exit,
            name: name.to_owned(),
            message: message.into(),
            hints: Vec::new(),
            silent: false,
        }
    }

    /// Adds what to do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The operating system failed.
    pub(super) fn system(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Failed, "system_error", format!("{what}: {error}"))
    }
}

/// Tells the failure on stderr, for people or as one JSON object.
pub(super) fn report(out: &Out, failure: &Failure) -> ExitCode {
    if failure.silent {
        return ExitCode::SUCCESS;
    }
    if out.json {
        out.talk(
            &serde_json::json!({
                "error": { "name": failure.name, "message": failure.message, "hints": failure.hints }
            })
            .to_string(),
        );
    } else {
        // The provider's words may be in it.
        out.talk(&format!("error: {}", terminal::one_line(&failure.message)));
        for hint in &failure.hints {
            out.talk(&format!("hint: {}", terminal::one_line(hint)));
        }
    }
    failure.exit.into()
}

impl From<io::Error> for Failure {
    /// Writing to stdout failed.
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self {
            silent,
            ..Self::system("the output cannot be written", &error)
        }
    }
}

impl From<ErrorObject> for Failure {
    fn from(error: ErrorObject) -> Self {
        let exit = match Code::from_number(error.code) {
            Some(Code::ProviderUnreachable | Code::Stopping | Code::Busy) => Exit::Unreachable,
            Some(Code::InviteMalformed | Code::AddressMalformed | Code::AnchorMalformed) => Exit::Usage,
            _ => Exit::Failed,
        };
        let mut failure = Self::new(exit, &error.data.name, error.message);
        failure.hints.extend(error.data.hint);
        if error.code == Code::MethodNotFound.number() {
            failure.hints = vec!["the agent that runs is another version: sabir agent stop".to_owned()];
        }
        failure
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let message = match &error {
            CallError::NoAgent(cause) => format!("{error}: {cause}"),
            _ => error.to_string(),
        };
        match error {
            CallError::Refused(error) => error.into(),
            CallError::Gone => Self::new(Exit::Unreachable, "agent_gone", message)
                .hint("what was asked may have been done or not: look before you repeat it")
                .hint("agent.log in the profile's folder may say why"),
            CallError::Malformed => Self::new(Exit::Failed, "agent_not_understood", message)
                .hint("the agent that runs may be another version: sabir agent stop"),
            CallError::NotOurs => Self::new(Exit::Failed, "agent_not_ours", message)
                .hint("nothing was said to it; find out who put a socket into your profile's folder"),
            CallError::NoAgent(_) => Self::new(Exit::Unreachable, "no_agent", message),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::Profile(error) => error.into(),
            StartError::Call(error) => error.into(),
            StartError::Refused(refusal) => Self {
                exit: match refusal.exit {
                    2 => Exit::Usage,
                    3 => Exit::Unreachable,
                    _ => Exit::Failed,
                },
                name: refusal.name,
                message: refusal.message,
                hints: refusal.hints,
                silent: false,
            },
            StartError::Ended | StartError::Slow => {
                Self::new(Exit::Unreachable, "agent_not_started", message)
                    .hint("agent.log in the profile's folder says more")
                    .hint("to see it start: sabir agent run")
            }
            StartError::System(cause) => Self::new(
                Exit::Unreachable,
                "agent_not_started",
                format!("{message}: {cause}"),
            ),
        }
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        let message = match &error {
            ProfileError::Io { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        match error {
            ProfileError::NoHome => {
                Self::new(Exit::Usage, "no_home", message).hint("say where: --profile DIR")
            }
            ProfileError::Missing(_) => Self::new(Exit::Failed, Code::NoAccount.name(), message)
                .hint("make an account with an invite link: sabir account create LINK --name NAME")
                .hint("if it is elsewhere, say where: --profile DIR"),
            ProfileError::NotPrivate(path) => Self::new(Exit::Failed, "not_private", message)
                .hint(format!("if nobody else needs it: chmod 700 {}", path.display())),
            ProfileError::NotOurs(_) | ProfileError::Io { .. } => {
                Self::new(Exit::Failed, "profile_unusable", message)
            }
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let message = match &error {
            RunError::System { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        match error {
            RunError::Owned => Self::new(Exit::Failed, "agent_runs", message)
                .hint("look at it: sabir agent status")
                .hint("its process id is in agent.lock in the profile's folder"),
            RunError::Profile(error) => error.into(),
            RunError::Open(failure) => ErrorObject::from(failure).into(),
            RunError::System { .. } => Self::new(Exit::Failed, "system_error", message),
        }
    }
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Self {
        Self {
            exit: failure.exit as u8,
            name: failure.name.clone(),
            message: failure.message.clone(),
            hints: failure.hints.clone(),
        }
    }
}
