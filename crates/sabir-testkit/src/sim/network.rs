//! Links between processes: latency, loss of requests and of answers, repetition, reordering, partitions and holds.
//!
//! Every request travels by itself, so two of them on one link may overtake each other, as on HTTP/2 streams of
//! different connections. Whoever waits for an answer that was lost finds out by a timeout, as in life.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::fate::Fate;

/// How bad links are, and for how long at most.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    /// Longest time of one way, in milliseconds.
    pub(super) latency: u64,
    /// Requests that are lost, of a thousand.
    pub(super) lost_requests: u64,
    /// Answers that are lost, of a thousand.
    pub(super) lost_answers: u64,
    /// Requests that arrive twice, of a thousand.
    pub(super) repeated: u64,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nobody is there, or nobody can be reached.
    Unreachable,
    /// No answer came in time. What was asked may have been done.
    NoAnswer,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    pub(super) there: Duration,
    pub(super) back: Duration,
    pub(super) request_lost: bool,
    pub(super) answer_lost: bool,
    /// When a copy of it arrives, after the request itself.
    pub(super) again: Option<Duration>,
}

/// All links.
#[derive(Debug)]
pub(super) struct Network {
    fate: Fate,
    weather: Mutex<Weather>,
    /// Pairs of places that cannot reach each other, until then.
    cut: Mutex<BTreeMap<(String, String), Instant>>,
    /// Pairs between which everything waits until then, and arrives.
    held: Mutex<BTreeMap<(String, String), Instant>>,
}

/// How long a caller waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(12);

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            fate: Fate::new(seed, "network"),
            weather: Mutex::default(),
            cut: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Sets the weather from now on.
    pub(super) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Ends every cut and hold.
    pub(super) fn heal(&self) {
        self.cut.lock().unwrap().clear();
        self.held.lock().unwrap().clear();
    }

    /// Cuts two places off from each other for a while.
    pub(super) fn cut(&self, a: &str, b: &str, time: Duration) {
        self.cut.lock().unwrap().insert(pair(a, b), Instant::now() + time);
    }

    /// Holds back what two places send each other for a while.
    pub(super) fn hold(&self, a: &str, b: &str, time: Duration) {
        self.held
            .lock()
            .unwrap()
            .insert(pair(a, b), Instant::now() + time);
    }

    /// Whether two places can reach each other now.
    pub(super) fn is_cut(&self, a: &str, b: &str) -> bool {
        let cut = self.cut.lock().unwrap();
        cut.get(&pair(a, b)).is_some_and(|until| Instant::now() < *until)
    }

    /// What happens to the next request.
    pub(super) fn passage(&self) -> Passage {
        let weather = *self.weather.lock().unwrap();
        let fate = &self.fate;
        let one_way = || fate.wait(1, weather.latency.max(1));
        let (there, back, late) = (one_way(), one_way(), fate.wait(1, 20_000));
        Passage {
            there,
            back,
            request_lost: fate.happens(weather.lost_requests),
            answer_lost: fate.happens(weather.lost_answers),
            again: fate.happens(weather.repeated).then_some(late),
        }
    }

    /// Waits until something has got from one place to another.
    pub(super) async fn travel(&self, a: &str, b: &str, time: Duration) -> Result<(), Lost> {
        sleep(time).await;
        let held = self.held.lock().unwrap().get(&pair(a, b)).copied();
        if let Some(until) = held.filter(|until| Instant::now() < *until) {
            sleep_until(until).await;
        }
        if self.is_cut(a, b) {
            Err(Lost::Unreachable)
        } else {
            Ok(())
        }
    }

    /// What whoever sent something that was lost goes through.
    pub(super) async fn nothing_comes(&self) -> Lost {
        sleep(PATIENCE).await;
        Lost::NoAnswer
    }
}

fn pair(a: &str, b: &str) -> (String, String) {
    let (a, b) = (a.to_owned(), b.to_owned());
    if a < b { (a, b) } else { (b, a) }
}
