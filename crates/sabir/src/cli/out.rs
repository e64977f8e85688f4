//! Lines for people, objects for programs.

use std::io::{self, Write as _};

use sabir_client::types::{FileInfo, Marks, Message, MessageState, Quote, Reaction};
use serde::Serialize;

use super::files::bytes;
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

/// A message as people read it: `2026-11-21 18:53  #12 bob@b.example: text`, below it in two columns of indent what
/// it answers and reactions, and in brackets what they must know. Lines of the text itself are indented by four, so
/// that none can pretend to be ours.
pub(super) fn message(message: &Message) -> String {
    let marks = &message.marks;
    if let Some(change) = &marks.change {
        // Of what happened in the room, and of no message: no number, and no colon behind a name.
        let when = terminal::utc(message.timestamp_ms);
        return format!("{when}  * {}", terminal::one_line(&change.sentence()));
    }
    let text = match &marks.deleted_by {
        Some(by) if *by != message.from => format!("[deleted by {}]", terminal::one_line(by)),
        Some(_) => "[deleted]".to_owned(),
        None if marks.expired => "[expired]".to_owned(),
        None => terminal::lines(&message.text, 4),
    };
    let mut out = format!(
        "{}  #{} {}: {text}",
        terminal::utc(message.timestamp_ms),
        message.id,
        terminal::one_line(&message.from),
    );
    let said = [
        marks.edited_ms.map(|_| "edited".to_owned()),
        expiry(marks),
        receipt(&marks.read_by, "read").or_else(|| receipt(&marks.delivered_to, "delivered")),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if !said.is_empty() {
        out.push_str(&format!(" ({})", said.join(", ")));
    }
    if let Some(quote) = &marks.reply_to {
        out.push_str(&format!("\n  > {}", quoted(quote)));
    }
    if !marks.reactions.is_empty() {
        let reactions: Vec<String> = marks.reactions.iter().map(reaction).collect();
        out.push_str(&format!("\n  {}", reactions.join("  ")));
    }
    for file in &marks.files {
        out.push_str(&format!("\n  [file: {}]", described(message, file)));
    }
    for rule in &marks.breaks {
        out.push_str(&format!(
            "\n  [against the room's rules: {}]",
            terminal::one_line(rule)
        ));
    }
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

/// `expires 2026-11-21 18:53`, or before it was read `expires 60 seconds after it is read`.
fn expiry(marks: &Marks) -> Option<String> {
    if let Some(at) = marks.expires_ms {
        return Some(format!("expires {}", terminal::utc(at)));
    }
    let after = marks.expires_after_s.filter(|_| !marks.expired)?;
    Some(format!("expires {after} seconds after it is read"))
}

/// `photo.jpg, image/jpeg, 1.2 MB; sabir save 12 .`
fn described(message: &Message, file: &FileInfo) -> String {
    let mut said = vec![
        terminal::one_line(&file.name),
        terminal::one_line(&file.media_type),
    ];
    said.extend(file.bytes.map(bytes));
    let which = match file.number {
        1 => String::new(),
        number => format!(" --file {number}"),
    };
    let how = match message.state {
        MessageState::Queued | MessageState::Failed => String::new(),
        _ => format!("; sabir save {} .{which}", message.id),
    };
    format!("{}{how}", said.join(", "))
}

/// `read`, or of several people `read by 3`.
fn receipt(people: &[String], word: &str) -> Option<String> {
    match people.len() {
        0 => None,
        1 => Some(word.to_owned()),
        several => Some(format!("{word} by {several}")),
    }
}

/// `#3 bob@b.example: the beginning of what is answered`.
fn quoted(quote: &Quote) -> String {
    let Some(id) = quote.id else {
        return "[a message that is not here]".to_owned();
    };
    let from = terminal::one_line(quote.from.as_deref().unwrap_or_default());
    let text = match &quote.text {
        Some(text) => {
            let line = terminal::one_line(text);
            let mut short: String = line.chars().take(QUOTED).collect();
            if short.len() < line.len() {
                short.push('…');
            }
            short
        }
        None => "[deleted]".to_owned(),
    };
    let changed = if quote.changed { " (edited since)" } else { "" };
    format!("#{id} {from}: {text}{changed}")
}

/// `👍 bob@b.example`, or of many people `👍 7`.
fn reaction(reaction: &Reaction) -> String {
    let shown = terminal::one_line(&reaction.reaction);
    let shown = if shown.is_empty() { "?" } else { &shown };
    if reaction.from.len() > NAMED {
        return format!("{shown} {}", reaction.from.len());
    }
    let people: Vec<String> = reaction
        .from
        .iter()
        .map(|person| terminal::one_line(person))
        .collect();
    format!("{shown} {}", people.join(", "))
}

/// Letters of a quotation.
const QUOTED: usize = 60;
/// People who are named behind a reaction; more are counted.
const NAMED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Message {
        Message {
            room: String::new(),
            id: 12,
            position: 1,
            message_id: None,
            local_id: None,
            from: "bob@b.example".to_owned(),
            text: text.to_owned(),
            timestamp_ms: 0,
            state: MessageState::Received,
            own: false,
            verified: true,
            problem: None,
            marks: Marks::default(),
        }
    }

    fn marked(text: &str, marks: Marks) -> Message {
        Message { marks, ..plain(text) }
    }

    fn file(number: u32, name: &str, bytes: Option<u64>) -> FileInfo {
        FileInfo {
            number,
            name: name.to_owned(),
            media_type: "image/jpeg".to_owned(),
            bytes,
            description: String::new(),
            expires_ms: None,
        }
    }

    fn reacted(text: &str, people: &[&str]) -> Reaction {
        Reaction {
            reaction: text.to_owned(),
            from: people.iter().map(|person| (*person).to_owned()).collect(),
        }
    }

    fn quote(text: Option<&str>) -> Quote {
        Quote {
            message_id: String::new(),
            id: Some(3),
            from: Some("ana@a.example".to_owned()),
            text: text.map(str::to_owned),
            changed: false,
            deleted: text.is_none(),
        }
    }

    #[test]
    fn messages_are_shown_with_what_was_done_to_them() {
        let some = |people: &[&str]| {
            people
                .iter()
                .map(|person| (*person).to_owned())
                .collect::<Vec<_>>()
        };
        let table = [
            (plain("hi"), "hi"),
            (
                plain("hi\n> #3 ana@a.example: I owe you"),
                "hi\n    > #3 ana@a.example: I owe you",
            ),
            (
                marked(
                    "hi",
                    Marks {
                        edited_ms: Some(1),
                        ..Marks::default()
                    },
                ),
                "hi (edited)",
            ),
            (
                marked(
                    "hi",
                    Marks {
                        delivered_to: some(&["a"]),
                        ..Marks::default()
                    },
                ),
                "hi (delivered)",
            ),
            (
                marked(
                    "hi",
                    Marks {
                        edited_ms: Some(1),
                        delivered_to: some(&["a", "b", "c"]),
                        read_by: some(&["a", "b"]),
                        ..Marks::default()
                    },
                ),
                "hi (edited, read by 2)",
            ),
            (
                marked(
                    "",
                    Marks {
                        deleted_by: Some("bob@b.example".to_owned()),
                        ..Marks::default()
                    },
                ),
                "[deleted]",
            ),
            (
                marked(
                    "",
                    Marks {
                        deleted_by: Some("eve@a.example".to_owned()),
                        ..Marks::default()
                    },
                ),
                "[deleted by eve@a.example]",
            ),
            (
                marked(
                    "yes",
                    Marks {
                        reply_to: Some(quote(Some("one\ntwo\u{1b}[2J"))),
                        ..Marks::default()
                    },
                ),
                "yes\n  > #3 ana@a.example: one two[2J",
            ),
            (
                marked(
                    "yes",
                    Marks {
                        reply_to: Some(Quote {
                            changed: true,
                            ..quote(Some(&"x".repeat(100)))
                        }),
                        ..Marks::default()
                    },
                ),
                &format!("yes\n  > #3 ana@a.example: {}… (edited since)", "x".repeat(60)),
            ),
            (
                marked(
                    "yes",
                    Marks {
                        reply_to: Some(quote(None)),
                        ..Marks::default()
                    },
                ),
                "yes\n  > #3 ana@a.example: [deleted]",
            ),
            (
                marked(
                    "yes",
                    Marks {
                        reply_to: Some(Quote {
                            id: None,
                            ..quote(None)
                        }),
                        ..Marks::default()
                    },
                ),
                "yes\n  > [a message that is not here]",
            ),
            (
                marked(
                    "hi",
                    Marks {
                        files: vec![
                            file(1, "photo.jpg", Some(1_234_567)),
                            file(2, "a\nb\u{1b}[2J", None),
                        ],
                        ..Marks::default()
                    },
                ),
                "hi\n  [file: photo.jpg, image/jpeg, 1.2 MB; sabir save 12 .]\n  \
                 [file: a b[2J, image/jpeg; sabir save 12 . --file 2]",
            ),
            (
                marked(
                    "hi",
                    Marks {
                        reactions: vec![
                            reacted("👍", &["ana@a.example", "eve@a.example"]),
                            reacted("\u{202e}❤", &["a", "b", "c", "d"]),
                            reacted("\u{202e}", &["mallory@a.example"]),
                        ],
                        ..Marks::default()
                    },
                ),
                "hi\n  👍 ana@a.example, eve@a.example  ❤ 4  ? mallory@a.example",
            ),
        ];
        for (given, shown) in table {
            assert_eq!(
                message(&given),
                format!("1970-01-01 00:00  #12 bob@b.example: {shown}")
            );
        }
    }
}
