//! Lines for people, objects for programs.

use std::io::{self, Write as _};

use sabir_client::types::{Message, MessageState};
use serde::Serialize;

use crate::terminal;

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    /// For programs.
    pub(super) json: bool,
}

impl Out {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Writes a line of data.
    pub(super) fn line(&self, line: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    /// Writes a value as one line of JSON.
    pub(super) fn object<T: Serialize>(&self, value: &T) -> io::Result<()> {
        self.line(&json(value)?)
    }

    /// Says a line on stderr. When nobody listens there is nobody to tell.
    pub(super) fn talk(&self, line: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(format!("{line}\n").as_bytes());
    }
}

/// A value as one line of JSON.
pub(super) fn json<T: Serialize>(value: &T) -> io::Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// A message as people read it: `2026-11-21 18:53  bob@b.example: text`, and in brackets what they must know.
pub(super) fn message(message: &Message) -> String {
    let mut out = format!(
        "{}  {}: {}",
        terminal::utc(message.timestamp_ms),
        terminal::one_line(&message.from),
        terminal::lines(&message.text, 2)
    );
    let state = match message.state {
        MessageState::Queued => Some("not sent yet"),
        MessageState::Failed => Some("not sent"),
        MessageState::Received if !message.verified => Some("sender not verified"),
        MessageState::Sent | MessageState::Received => None,
    };
    let notes: Vec<String> = state
        .map(str::to_owned)
        .into_iter()
        .chain(message.problem.as_deref().map(terminal::one_line))
        .collect();
    if !notes.is_empty() {
        out.push_str(&format!("\n  [{}]", notes.join(": ")));
    }
    out
}
