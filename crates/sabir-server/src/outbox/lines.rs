use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use super::ready::Key;

/// Rooms that wait in memory for one follower; of what is more, the store knows.
pub(super) const QUEUE: usize = 64;

/// What waits for a place: a bounded line for each follower, and whose turn it is.
///
/// Invariant: a room stands in a follower's line once.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: BTreeMap<String, Line>,
    /// Who was served last.
    last: String,
}

#[derive(Debug, Default)]
struct Line {
    rooms: VecDeque<String>,
    known: BTreeSet<String>,
    /// The store has others.
    more: bool,
}

impl Lines {
    /// Notes a batch, at the end of its follower's line.
    pub(super) fn push(&mut self, (room, follower): Key) {
        let line = self.lines.entry(follower).or_default();
        if line.known.contains(&room) {
            return;
        }
        if line.rooms.len() >= QUEUE {
            line.more = true;
            return;
        }
        line.known.insert(room.clone());
        line.rooms.push_back(room);
    }

    /// The first in a follower's line. Where the line is empty it is forgotten.
    pub(super) fn pop(&mut self, follower: &str) -> Next {
        let Some(line) = self.lines.get_mut(follower) else {
            return Next::Nothing;
        };
        if let Some(room) = line.rooms.pop_front() {
            line.known.remove(&room);
            return Next::Room(room);
        }
        let more = line.more;
        self.lines.remove(follower);
        if more { Next::Look } else { Next::Nothing }
    }

    /// Forgets all that waits for a follower.
    pub(super) fn forget(&mut self, follower: &str) {
        self.lines.remove(follower);
    }

    /// The followers for whom something waits and whom `free` lets through, beginning behind the one served last.
    pub(super) fn turns(&self, mut free: impl FnMut(&str) -> bool) -> Vec<String> {
        let behind = (Bound::Excluded(self.last.as_str()), Bound::Unbounded);
        let before = (Bound::Unbounded, Bound::Included(self.last.as_str()));
        let behind = self.lines.range::<str, _>(behind);
        let all = behind.chain(self.lines.range::<str, _>(before));
        all.map(|(follower, _)| follower)
            .filter(|follower| free(follower))
            .cloned()
            .collect()
    }

    /// It was this follower's turn.
    pub(super) fn served(&mut self, follower: &str) {
        follower.clone_into(&mut self.last);
    }
}

/// What is next for a follower.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A batch of this room.
    Room(String),
    /// Something that only the store knows.
    Look,
    /// Nothing.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(room: usize, follower: &str) -> Key {
        (room.to_string(), follower.to_owned())
    }

    #[test]
    fn lines_are_bounded_and_hold_a_room_once() {
        let mut lines = Lines::default();
        for _ in 0..2 {
            for room in 0..QUEUE {
                lines.push(key(room, "b"));
            }
        }
        lines.push(key(0, "c"));
        for room in 0..QUEUE {
            assert_eq!(lines.pop("b"), Next::Room(room.to_string()));
        }
        assert_eq!(lines.pop("b"), Next::Nothing, "what came twice is no more");
        for room in 0..=QUEUE {
            lines.push(key(room, "b"));
        }
        for _ in 0..QUEUE {
            assert!(matches!(lines.pop("b"), Next::Room(_)));
        }
        assert_eq!(lines.pop("b"), Next::Look);
        assert_eq!(lines.pop("b"), Next::Nothing);
        assert_eq!(
            lines.pop("c"),
            Next::Room("0".to_owned()),
            "others are not concerned"
        );
    }

    #[test]
    fn turns_go_round() {
        let mut lines = Lines::default();
        for follower in ["a", "b", "c", "d"] {
            lines.push(key(1, follower));
        }
        let all = |_: &str| true;
        assert_eq!(lines.turns(all), ["a", "b", "c", "d"]);
        lines.served("b");
        assert_eq!(lines.turns(all), ["c", "d", "a", "b"]);
        assert_eq!(lines.turns(|follower| follower != "d"), ["c", "a", "b"]);
        lines.served("d");
        assert_eq!(lines.turns(all), ["a", "b", "c", "d"]);
    }
}
