//! What happened, line by line, with the virtual time and who it happened to.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Mutex;

use tokio::time::Instant;

/// The log of one world.
#[derive(Debug)]
pub(super) struct Story {
    start: Instant,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    hash: DefaultHasher,
    aloud: bool,
}

impl Story {
    /// An empty story that begins now. Told aloud, its lines are printed as they happen.
    pub(super) fn new(aloud: bool) -> Self {
        let told = Told {
            aloud,
            ..Told::default()
        };
        Self {
            start: Instant::now(),
            told: Mutex::new(told),
        }
    }

    /// Adds a line.
    #[allow(clippy::print_stdout, reason = "a story that is told aloud")]
    pub(super) fn say(&self, who: &str, what: &str) {
        let ms = self.start.elapsed().as_millis();
        let (seconds, ms) = (ms / 1000, ms % 1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let line = format!("{hours:3}:{minutes:02}:{seconds:02}.{ms:03}  {who:<14} {what}");
        let mut told = self.told.lock().unwrap();
        line.hash(&mut told.hash);
        if told.aloud {
            println!("{line}");
        }
        told.lines.push(line);
    }

    /// The lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.told.lock().unwrap().lines.clone()
    }

    /// A number that differs between different stories.
    pub(super) fn hash(&self) -> u64 {
        self.told.lock().unwrap().hash.finish()
    }
}
