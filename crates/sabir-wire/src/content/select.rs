//! Which parts a receiver processes: indexes, alternatives, languages (draft-ietf-mimi-content §4.4).

use super::{MimiContent, NestedPart, PartBody, PartSemantics};

/// A part with its place in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedPart<'a> {
    /// The draft's part index: zero-based, depth first, containers counted.
    pub index: u32,
    /// How deep the part lies; the outermost is at level 1.
    pub level: u32,
    /// The part.
    pub part: &'a NestedPart,
}

/// All parts of a message in the order of their indexes.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// Parts still to come, the next one last.
    stack: Vec<(u32, &'a NestedPart)>,
    index: u32,
}

impl<'a> Iterator for Parts<'a> {
    type Item = IndexedPart<'a>;

    fn next(&mut self) -> Option<IndexedPart<'a>> {
        let (level, part) = self.stack.pop()?;
        let index = self.index;
        self.index = index.saturating_add(1);
        let below = level.saturating_add(1);
        self.stack
            .extend(part.children().iter().rev().map(|child| (below, child)));
        Some(IndexedPart { index, level, part })
    }
}

impl MimiContent {
    /// All parts in the order of their indexes, containers included.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            stack: vec![(1, &self.part)],
            index: 0,
        }
    }

    /// The inline or external part a content ID URI within this message means. `None` where the URI has
    /// another form or means a container, which it must not (draft-ietf-mimi-content §4.4).
    #[must_use]
    pub fn by_content_id(&self, uri: &str) -> Option<IndexedPart<'_>> {
        let index = content_id_index(uri)?;
        self.parts()
            .find(|found| found.index == index)
            .filter(|found| found.part.content_type().is_some())
    }
}

/// The part index in a content ID URI of the form `cid:5@local.invalid` (draft-ietf-mimi-content §4.4).
#[must_use]
pub fn content_id_index(uri: &str) -> Option<u32> {
    let (scheme, rest) = uri.split_once(':')?;
    let (index, domain) = rest.split_once('@')?;
    let digits = index.bytes().all(|b| b.is_ascii_digit()) && (index == "0" || !index.starts_with('0'));
    if !scheme.eq_ignore_ascii_case("cid") || !domain.eq_ignore_ascii_case("local.invalid") || !digits {
        return None;
    }
    index.parse().ok()
}

/// What a receiver can read, and which languages it prefers.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Whether a single or external part can be processed. It is asked about no other part.
    pub understands: &'a dyn Fn(&NestedPart) -> bool,
    /// Language tags, the most wanted first; may be empty.
    pub languages: &'a [&'a str],
}

/// How much of a part can be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// Nothing.
    None,
    /// Something, or the part is empty.
    Partial,
    /// Everything.
    Full,
}

impl Reading<'_> {
    /// How much of `part` can be processed.
    #[must_use]
    pub fn support(&self, part: &NestedPart) -> Support {
        match &part.body {
            // An empty alternative is the last resort.
            PartBody::Null => Support::Partial,
            PartBody::Single(_) | PartBody::External(_) => {
                if (self.understands)(part) {
                    Support::Full
                } else {
                    Support::None
                }
            }
            PartBody::Multi(multi) => {
                let each = || multi.parts.iter().map(|inner| self.support(inner));
                let best = each().max().unwrap_or(Support::None);
                let worst = each().min().unwrap_or(Support::None);
                match multi.semantics {
                    PartSemantics::ChooseOne => best,
                    // "If the receiver does not understand even one of the nested parts at this level, the
                    // receiver should not process any of them."
                    PartSemantics::SingleUnit => worst,
                    PartSemantics::ProcessAll if worst == best => best,
                    PartSemantics::ProcessAll => Support::Partial,
                }
            }
        }
    }

    /// How well the languages of `part` suit, smaller being better: a wanted language by its place, then parts
    /// without a language, then other languages.
    fn language_rank(&self, part: &NestedPart) -> usize {
        let neutral = self.languages.len().saturating_mul(2);
        if part.language.trim().is_empty() {
            return part
                .children()
                .iter()
                .map(|inner| self.language_rank(inner))
                .min()
                .unwrap_or(neutral);
        }
        let rank = |tag: &str| {
            self.languages.iter().enumerate().find_map(|(place, wanted)| {
                let place = place.saturating_mul(2);
                if is_prefix(wanted, tag) {
                    Some(place)
                } else {
                    is_prefix(tag, wanted).then_some(place.saturating_add(1))
                }
            })
        };
        let best = part.language.split(',').filter_map(|tag| rank(tag.trim())).min();
        best.unwrap_or(neutral.saturating_add(1))
    }
}

/// Basic filtering of RFC 4647 §3.3.1: `en` covers `en-GB`.
fn is_prefix(range: &str, tag: &str) -> bool {
    let Some(head) = tag.get(..range.len()) else {
        return false;
    };
    head.eq_ignore_ascii_case(range)
        && tag
            .get(range.len()..)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Chooses among the alternatives of a `chooseOne` part: what can be processed best, of those what suits the
/// languages best, of those what the sender put first. `None` where nothing can be processed.
///
/// The draft leaves the choice to the receiver ("according to its own policy"); this is ours.
#[must_use]
pub fn choose(alternatives: &[NestedPart], reading: &Reading<'_>) -> Option<usize> {
    alternatives
        .iter()
        .enumerate()
        .map(|(place, part)| {
            (
                std::cmp::Reverse(reading.support(part)),
                reading.language_rank(part),
                place,
            )
        })
        .filter(|(support, _, _)| support.0 != Support::None)
        .min()
        .map(|(_, _, place)| place)
}

/// The single and external parts of `root` to process, in their order: of alternatives the chosen one, of
/// units all or none, else what can be processed. Empty parts are left out.
///
/// A part that another one refers to by content ID is in the list as well; who renders skips what was already
/// shown that way (draft-ietf-mimi-content §4.4).
#[must_use]
pub fn select<'a>(root: &'a NestedPart, reading: &Reading<'_>) -> Vec<IndexedPart<'a>> {
    let mut selection = Selection {
        reading,
        index: 0,
        found: Vec::new(),
    };
    selection.walk(root, 1, true);
    selection.found
}

struct Selection<'a, 'r> {
    reading: &'r Reading<'r>,
    index: u32,
    found: Vec<IndexedPart<'a>>,
}

impl<'a> Selection<'a, '_> {
    /// Visits every part, so that indexes count the ones left out too.
    fn walk(&mut self, part: &'a NestedPart, level: u32, wanted: bool) {
        let index = self.index;
        self.index = index.saturating_add(1);
        match &part.body {
            PartBody::Null => {}
            PartBody::Single(_) | PartBody::External(_) => {
                if wanted && (self.reading.understands)(part) {
                    self.found.push(IndexedPart { index, level, part });
                }
            }
            PartBody::Multi(multi) => {
                let wanted = wanted && self.reading.support(part) != Support::None;
                let chosen = match multi.semantics {
                    PartSemantics::ChooseOne => choose(&multi.parts, self.reading),
                    PartSemantics::SingleUnit | PartSemantics::ProcessAll => None,
                };
                for (place, inner) in multi.parts.iter().enumerate() {
                    let wanted = wanted && chosen.is_none_or(|chosen| chosen == place);
                    self.walk(inner, level.saturating_add(1), wanted);
                }
            }
        }
    }
}
