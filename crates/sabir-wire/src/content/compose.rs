//! Messages a client writes, and what it reads off one without rendering it.

use super::media::is_readable_text;
use super::{
    Disposition, Expiration, Extensions, MessageId, MimiContent, NestedPart, PartBody, PartSemantics,
    Reading, Salt, TEXT_MARKDOWN, TEXT_PLAIN, select,
};

/// What a new message carries whatever it says.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Fresh random bytes, never used before.
    pub salt: Salt,
    /// The sender's user URI, as the room knows it.
    pub sender_uri: &'a str,
    /// The room's URI.
    pub room_uri: &'a str,
}

impl MimiContent {
    /// A message that says `part`, with every other field empty.
    #[must_use]
    pub fn new(origin: Origin<'_>, part: NestedPart) -> Self {
        Self {
            salt: origin.salt,
            replaces: None,
            topic_id: Vec::new(),
            expires: None,
            in_reply_to: None,
            extensions: Extensions::claiming(origin.sender_uri, origin.room_uri),
            part,
        }
    }

    /// Text as it was typed.
    #[must_use]
    pub fn plain(origin: Origin<'_>, text: &str) -> Self {
        Self::new(origin, NestedPart::single(Disposition::RENDER, TEXT_PLAIN, text))
    }

    /// Text in GFM-MIMI Markdown. The caller has replaced the opening bracket of HTML tags by `&lt;`
    /// (draft-ietf-mimi-content §7.1.1).
    #[must_use]
    pub fn markdown(origin: Origin<'_>, text: &str) -> Self {
        Self::new(
            origin,
            NestedPart::single(Disposition::RENDER, TEXT_MARKDOWN, text),
        )
    }

    /// One reaction, such as an emoji, to `target`.
    #[must_use]
    pub fn reaction(origin: Origin<'_>, target: MessageId, reaction: &str) -> Self {
        Self::new(origin, reaction_part(reaction)).replying_to(target)
    }

    /// Several reactions to `target`, each in a part of its own: joined into one text they could mean something
    /// else (draft-ietf-mimi-content §5.3). At least two.
    #[must_use]
    pub fn reactions(origin: Origin<'_>, target: MessageId, reactions: &[&str]) -> Self {
        let parts = reactions.iter().map(|reaction| reaction_part(reaction)).collect();
        let part = NestedPart::multi(Disposition::REACTION, PartSemantics::ProcessAll, parts);
        Self::new(origin, part).replying_to(target)
    }

    /// A new version of `previous`, whose first instance is `first`. Only the body changes
    /// (draft-ietf-mimi-content §9.3: nobody may change the semantics of the rest).
    #[must_use]
    pub fn edit(origin: Origin<'_>, first: MessageId, previous: &Self, part: NestedPart) -> Self {
        Self {
            topic_id: previous.topic_id.clone(),
            expires: previous.expires,
            in_reply_to: previous.in_reply_to,
            ..Self::new(origin, part).replacing(first)
        }
    }

    /// Takes back `previous`, a message or a reaction, whose first instance is `first`
    /// (draft-ietf-mimi-content §5.6, §5.7).
    #[must_use]
    pub fn delete(origin: Origin<'_>, first: MessageId, previous: &Self) -> Self {
        Self::edit(
            origin,
            first,
            previous,
            NestedPart::null(previous.part.disposition),
        )
    }

    /// The same message as an answer to the version `target`.
    #[must_use]
    pub fn replying_to(mut self, target: MessageId) -> Self {
        self.in_reply_to = Some(target);
        self
    }

    /// The same message in place of the one whose first instance is `first`.
    #[must_use]
    pub fn replacing(mut self, first: MessageId) -> Self {
        self.replaces = Some(first);
        self
    }

    /// The same message within a topic: at most [`super::MAX_TOPIC_ID`] bytes.
    #[must_use]
    pub fn in_topic(mut self, topic_id: impl Into<Vec<u8>>) -> Self {
        self.topic_id = topic_id.into();
        self
    }

    /// The same message with a time at which it asks to be deleted.
    #[must_use]
    pub fn expiring(mut self, expires: Expiration) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Whether the message takes another back: it replaces one and says nothing.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.replaces.is_some() && self.part.body == PartBody::Null
    }

    /// Whether the message is a new version of another.
    #[must_use]
    pub fn is_edit(&self) -> bool {
        self.replaces.is_some() && self.part.body != PartBody::Null
    }

    /// Whether the message reacts to another (or, as a deletion, takes a reaction back).
    #[must_use]
    pub fn is_reaction(&self) -> bool {
        self.part.disposition == Disposition::REACTION
    }

    /// The first text of the message that can be shown as it is, choosing alternatives by `languages`, the
    /// reader's first choice first. `None` where the message has no such text.
    #[must_use]
    pub fn text(&self, languages: &[&str]) -> Option<&str> {
        let understands = |part: &NestedPart| readable(part).is_some();
        select(
            &self.part,
            &Reading {
                understands: &understands,
                languages,
            },
        )
        .into_iter()
        .find_map(|found| readable(found.part))
    }

    /// What to show where the message cannot be rendered: a text anywhere in it, else the description or the
    /// file name of external content. `None` where there is nothing to say.
    #[must_use]
    pub fn fallback_text(&self, languages: &[&str]) -> Option<&str> {
        let anywhere = || self.parts().find_map(|found| readable(found.part));
        let described = || {
            self.parts().find_map(|found| match &found.part.body {
                PartBody::External(external) => [&external.description, &external.filename]
                    .into_iter()
                    .find(|text| !text.is_empty()),
                _ => None,
            })
        };
        self.text(languages)
            .or_else(anywhere)
            .or_else(|| described().map(String::as_str))
    }
}

fn reaction_part(reaction: &str) -> NestedPart {
    NestedPart::single(Disposition::REACTION, TEXT_PLAIN, reaction)
}

/// The text of a part that holds plain text or Markdown.
fn readable(part: &NestedPart) -> Option<&str> {
    match &part.body {
        PartBody::Single(single) if is_readable_text(&single.content_type) => {
            std::str::from_utf8(&single.content).ok()
        }
        _ => None,
    }
}
