//! The load generator: prepared messages of real clients' engines, through two real providers.
//!
//! ```text
//!   engines --encrypt--> shots --senders, by window or pace--> sabird a.example --> sabird b.example
//!                          |                                        |                    |
//!                          +--<-- compared byte by byte <-- lanes: an event stream for each device
//!   engines <--decrypted, franks verified, after the clock-- one copy of each message
//! ```
//!
//! Two processes, TLS 1.3 and HTTP/2 between everything, an fsync before each answer on both. The generator shares the
//! machine with what it measures, so it does while the clock runs only what must happen then: messages are encrypted
//! before, and decrypted after.
//!
//! What is checked, of every message: each device that should have it got it once, under cursors without a gap, in the
//! same order as the others of its room, in the same bytes; and a member's engine decrypts those bytes and finds
//! identity and frank in order. Anything else is an error.
//!
//! The workloads are those of the other servers' figures: see docs/performance.md. [`crate::peers`] puts the same on
//! those servers, and takes [`Workload`], [`Plan`] and [`Figures`] from here.

mod client;
mod figures;
mod lane;
mod member;
mod scene;
mod shots;
mod volley;

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{Town, TownError};

pub use figures::Figures;
pub(crate) use figures::Watch;

/// Both providers of a run.
const DOMAINS: [&str; 2] = ["a.example", "b.example"];
/// Bytes of a message's text.
pub(crate) const BODY: usize = 300;
/// Messages per second at the leisurely pace.
const PACE: u32 = 50;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Pairs, each a sender at the first server and a receiver at the second, at full speed. A delivery is a message
    /// that reached its receiver.
    OneToOne,
    /// One such pair, at a leisurely pace, for latency.
    Low,
    /// A room at the first server with people of both in turn, a few of the first sending at full speed. A delivery is a
    /// message that reached one of its people; the sender is one of them.
    Group,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OneToOne, Self::Low, Self::Group];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneToOne => "1to1",
            Self::Low => "low",
            Self::Group => "group",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What is done.
    pub workload: Workload,
    /// How long the clock runs.
    pub time: Duration,
    /// Pairs of people; people of a group.
    pub people: usize,
    /// Those of a group who send.
    pub senders: usize,
    /// Messages of each sender that have not arrived everywhere; `None`: they are sent at a pace.
    pub window: Option<usize>,
    /// Messages of each sender to our providers before the clock starts.
    pub warm_up: usize,
}

impl Plan {
    /// The workload in the size of the other servers' figures.
    #[must_use]
    pub fn new(workload: Workload, time: Duration) -> Self {
        let (people, senders, window) = match workload {
            Workload::OneToOne => (10, 10, Some(32)),
            Workload::Low => (1, 1, None),
            Workload::Group => (50, 4, Some(4)),
        };
        Self {
            workload,
            time,
            people,
            senders,
            window,
            warm_up: if window.is_some() { 400 } else { 10 },
        }
    }
}

/// The leisurely pace. Who is late does not hurry afterwards.
pub(crate) fn ticks() -> Interval {
    let mut ticks = interval(Duration::from_secs(1) / PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Runs the plan against two providers of this machine.
///
/// # Errors
/// [`TownError`]; [`TownError::Wrong`] where a message was lost, came twice, came altered or does not verify.
pub fn run(plan: Plan) -> Result<Figures, TownError> {
    let town = Town::of_providers(&DOMAINS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(TownError::io("starting a runtime"))?;
    runtime.block_on(Box::pin(measure(&town, plan)))
}

async fn measure(town: &Town, plan: Plan) -> Result<Figures, TownError> {
    let mut scenes = scene::build(town, plan).await?;
    let warm = volley::fire(town, &plan, &mut scenes, volley::Clock::None, plan.warm_up).await?;
    let each = match plan.window {
        // For a speed half as high again as that of the warm-up: the first sender that runs out ends the clock.
        Some(window) => {
            let sent = warm.sent.saturating_mul(3) / plan.senders.saturating_mul(2).max(1);
            let times = plan.time.as_millis().div_ceil(warm.took.as_millis().max(1));
            let enough = sent.saturating_mul(usize::try_from(times).unwrap_or(usize::MAX));
            // Nobody may be done before anything has arrived, however slow the warm-up was: so more than the windows hold.
            enough.max(window.saturating_mul(plan.senders).saturating_mul(2))
        }
        None => usize::try_from(plan.time.as_millis() * u128::from(PACE) / 1000).unwrap_or(usize::MAX),
    };
    let each = each.saturating_add(plan.warm_up);
    volley::fire(town, &plan, &mut scenes, volley::Clock::For(plan.time), each)
        .await
        .map(|measured| measured.figures)
}
