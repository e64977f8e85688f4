use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::{Binaries, TownError, until};

/// A person's profile, asked through the commands a person types.
#[derive(Debug, Clone)]
pub struct Profile {
    folder: PathBuf,
    address: String,
    binaries: Binaries,
}

impl Profile {
    pub(crate) fn new(folder: PathBuf, address: String, binaries: Binaries) -> Self {
        Self {
            folder,
            address,
            binaries,
        }
    }

    /// The person's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The profile's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `sabir --profile DIR` and arguments.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binaries.sabir());
        command.arg("--profile").arg(&self.folder).args(arguments);
        command
    }

    /// Runs a command with `--json` and reads what it prints: one value, or an array of its lines.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn ask(&self, arguments: &[&str]) -> Result<Value, TownError> {
        let mut command = self.command(arguments);
        command.arg("--json");
        run_json(command, "")
    }

    /// Sends a message and waits until the room's hub accepted it.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn send(&self, to: &str, text: &str) -> Result<Value, TownError> {
        self.ask(&["send", to, text])
    }

    /// The messages of a conversation, oldest first, as `sabir log --json` shows them; what happened to the room is
    /// left out.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn messages(&self, with: &str) -> Result<Vec<Value>, TownError> {
        let mut command = self.command(&["log", with, "--limit", "0", "--json"]);
        let mut lines = run_lines(&mut command, "")?;
        lines.retain(|line| line.get("change").is_none_or(Value::is_null));
        Ok(lines)
    }

    /// The texts of a conversation, oldest first, with their senders.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn log(&self, with: &str) -> Result<Vec<(String, String)>, TownError> {
        let field = |message: &Value, name: &str| -> Result<String, TownError> {
            let text = message.get(name).and_then(Value::as_str);
            text.map(str::to_owned).ok_or_else(|| TownError::NotJson {
                command: "sabir log --json".to_owned(),
                output: message.to_string(),
            })
        };
        self.messages(with)?
            .iter()
            .map(|message| Ok((field(message, "from")?, field(message, "text")?)))
            .collect()
    }

    /// Whether a conversation holds this text, from this person.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn has_read(&self, with: &str, from: &str, text: &str) -> Result<bool, TownError> {
        let log = self.log(with)?;
        Ok(log.iter().any(|(who, what)| who == from && what == text))
    }

    /// The types of what happened in a room, oldest first.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn changes(&self, room: &str) -> Result<Vec<String>, TownError> {
        let lines = match self.ask(&["log", room, "--limit", "0"])? {
            Value::Array(lines) => lines,
            line => vec![line],
        };
        let kinds = lines
            .iter()
            .filter_map(|line| line.pointer("/change/type")?.as_str());
        Ok(kinds.map(str::to_owned).collect())
    }

    /// How many devices of a person, by address, are in a room; none where there is no such room here.
    #[must_use]
    pub fn devices_in(&self, room: &str, of: &str) -> usize {
        let details = self.ask(&["room", "show", room]).unwrap_or_default();
        let people = details.get("people").and_then(Value::as_array);
        let theirs = people.and_then(|people| people.iter().find(|it| it.get("address") == Some(&of.into())));
        let devices = theirs.and_then(|person| person.get("devices")?.as_array());
        devices.map_or(0, Vec::len)
    }

    /// Waits until a conversation holds exactly these texts, in this order.
    ///
    /// # Errors
    /// [`TownError::Late`] with what it holds instead.
    pub fn expect_log(&self, with: &str, texts: &[&str], patience: Duration) -> Result<(), TownError> {
        let what = format!("that {} has {texts:?}", self.address);
        let mut log = None;
        let found = until(&what, patience, || {
            let log = log.insert(self.log(with)).as_ref().ok()?.iter();
            let same = log.map(|(_, text)| text.as_str()).eq(texts.iter().copied());
            same.then_some(())
        });
        match found {
            Err(TownError::Late { what, seconds, .. }) => Err(TownError::Late {
                what,
                seconds,
                last: format!("{log:?}"),
            }),
            found => found,
        }
    }

    /// Those who are in a room with a device, in its order: address and role.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn people(&self, room: &str) -> Result<Vec<(String, String)>, TownError> {
        let details = self.ask(&["room", "show", room])?;
        let people = || {
            let people = details.get("people")?.as_array()?.iter();
            let in_room = people.filter(|person| {
                let devices = person.get("devices").and_then(Value::as_array);
                devices.is_some_and(|devices| !devices.is_empty())
                    && person.get("left") == Some(&Value::Bool(false))
            });
            let text = |person: &Value, name: &str| Some(person.get(name)?.as_str()?.to_owned());
            in_room
                .map(|person| Some((text(person, "address")?, text(person, "role")?)))
                .collect::<Option<Vec<_>>>()
        };
        people().ok_or_else(|| TownError::NotJson {
            command: "sabir room show --json".to_owned(),
            output: details.to_string(),
        })
    }

    /// The process id of the agent that owns the profile, where one runs.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn agent_pid(&self) -> Result<Option<u32>, TownError> {
        let status = match self.ask(&["agent", "status"]) {
            // Exit code 3: no agent runs.
            Err(TownError::Failed { code, .. }) if code == "3" => return Ok(None),
            status => status?,
        };
        Ok(status
            .get("pid")
            .and_then(Value::as_u64)
            .and_then(|pid| u32::try_from(pid).ok()))
    }

    /// Kills the agent with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn kill_agent(&self) -> Result<(), TownError> {
        if let Some(pid) = self.agent_pid()? {
            let kill = Command::new("kill").args(["-9", &pid.to_string()]).status();
            kill.map_err(TownError::io("kill"))?;
        }
        Ok(())
    }

    /// Stops the agent, if one runs.
    pub fn stop_agent(&self) {
        // There may be none; then there is nothing to stop.
        let _ = self.command(&["agent", "stop"]).stdin(Stdio::null()).output();
    }

    /// Starts a command that stays, with its streams piped.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn spawn(&self, arguments: &[&str]) -> Result<Child, TownError> {
        self.command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(TownError::io("starting sabir"))
    }
}

/// Runs a command to its end and reads its output as one JSON value.
pub(crate) fn run_json(mut command: Command, input: &str) -> Result<Value, TownError> {
    let lines = run_lines(&mut command, input)?;
    match <[Value; 1]>::try_from(lines) {
        Ok([value]) => Ok(value),
        Err(lines) => Ok(Value::Array(lines)),
    }
}

pub(crate) fn run_lines(command: &mut Command, input: &str) -> Result<Vec<Value>, TownError> {
    let line = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(TownError::io(line.clone()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input may have closed it.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(TownError::io(line.clone()))?;
    if !output.status.success() {
        return Err(TownError::Failed {
            command: line,
            code: output
                .status
                .code()
                .map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |part: &str| serde_json::from_str(part);
    let lines: Result<Vec<Value>, _> = text
        .lines()
        .filter(|part| !part.trim().is_empty())
        .map(parse)
        .collect();
    lines.map_err(|_| TownError::NotJson {
        command: line,
        output: text,
    })
}
