//! What a message is for, read off its content.

use sabir_wire::content::{Disposition, MessageId, MimiContent, NestedPart, PartBody, media_type};
use sabir_wire::status::{MIMI_MESSAGE_STATUS, MessageStatusReport};

use super::Refusal;

/// Bytes of one reaction: the longest emoji of Unicode, a kiss of two people with skin tones, has 35.
pub const MAX_REACTION: usize = 64;
/// Reactions in one message. No draft bounds them.
pub const MAX_REACTIONS: usize = 16;

/// What a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It says something new.
    Say,
    /// It answers a version of a message.
    Reply {
        /// The version.
        to: MessageId,
    },
    /// It reacts to a version of a message.
    React {
        /// The version.
        to: MessageId,
        /// At least one, each fit by [`is_reaction`].
        reactions: Vec<String>,
    },
    /// It is a new version of a message or reaction.
    Edit {
        /// The first instance.
        of: MessageId,
        /// What it becomes.
        becomes: Becomes,
    },
    /// It takes a message or reaction back.
    Delete {
        /// The first instance.
        of: MessageId,
    },
    /// It says what became of messages at its sender.
    Report(MessageStatusReport),
}

/// What an edit makes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Becomes {
    /// Another message.
    Message,
    /// Other reactions.
    Reactions(Vec<String>),
}

/// Whether a text can be one reaction: 1 to [`MAX_REACTION`] bytes without white space and control characters. Which
/// of them a receiver can draw is for it to know (draft-ietf-mimi-content §5.3).
#[must_use]
pub fn is_reaction(text: &str) -> bool {
    let fits = (1..=MAX_REACTION).contains(&text.len());
    fits && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

impl Act {
    /// Reads what a message is for. A reaction that cannot be one, for example a picture or a long text, is a reply:
    /// draft-ietf-mimi-content §5.3 suggests that for what a client does not recognise.
    ///
    /// # Errors
    /// [`Refusal::Report`] where a report does not decode.
    pub fn read(content: &MimiContent) -> Result<Self, Refusal> {
        if let Some(report) = report(&content.part) {
            return report.map(Self::Report);
        }
        let reactions = reactions(&content.part);
        Ok(match (content.replaces, content.in_reply_to, reactions) {
            (Some(of), _, _) if content.part.body == PartBody::Null => Self::Delete { of },
            (Some(of), _, Some(reactions)) => Self::Edit {
                of,
                becomes: Becomes::Reactions(reactions),
            },
            (Some(of), _, None) => Self::Edit {
                of,
                becomes: Becomes::Message,
            },
            (None, Some(to), Some(reactions)) => Self::React { to, reactions },
            (None, Some(to), None) => Self::Reply { to },
            (None, None, _) => Self::Say,
        })
    }

    /// The message it is about, whose [`super::Fact`] decides.
    #[must_use]
    pub fn target(&self) -> Option<&MessageId> {
        match self {
            Self::Reply { to: id }
            | Self::React { to: id, .. }
            | Self::Edit { of: id, .. }
            | Self::Delete { of: id } => Some(id),
            Self::Say | Self::Report(_) => None,
        }
    }

    /// Whether it is a line of its own in the timeline.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Say | Self::Reply { .. })
    }
}

/// The report, where the message is one. The draft names no disposition for it; the media type says enough
/// (draft-mahy-mimi-message-status-01 §3).
fn report(part: &NestedPart) -> Option<Result<MessageStatusReport, Refusal>> {
    let PartBody::Single(single) = &part.body else {
        return None;
    };
    media_type(&single.content_type)
        .eq_ignore_ascii_case(MIMI_MESSAGE_STATUS)
        .then(|| MessageStatusReport::from_bytes(&single.content).map_err(|_| Refusal::Report))
}

/// The reactions of a part, in order and without repetitions; `None` where it is something else. Each stands in a part
/// of its own (draft-ietf-mimi-content §5.3).
fn reactions(part: &NestedPart) -> Option<Vec<String>> {
    if part.disposition != Disposition::REACTION {
        return None;
    }
    let parts = match &part.body {
        PartBody::Multi(multi) => multi.parts.as_slice(),
        _ => std::slice::from_ref(part),
    };
    let mut found: Vec<String> = Vec::new();
    for part in parts {
        let PartBody::Single(single) = &part.body else {
            return None;
        };
        let is_text = media_type(&single.content_type).eq_ignore_ascii_case("text/plain");
        let text = std::str::from_utf8(&single.content).ok()?;
        if !is_text || part.disposition != Disposition::REACTION || !is_reaction(text) {
            return None;
        }
        if !found.iter().any(|reaction| reaction == text) {
            found.push(text.to_owned());
        }
    }
    (1..=MAX_REACTIONS).contains(&found.len()).then_some(found)
}
