//! The simulated world: real engines and handlers, providers and clients on one thread, under one seed.
//!
//! ```text
//!  deeds of people --> clients (real conversation engines, shell on a disk in memory) --+
//!  blows of fate ----> deaths between two store commands, cuts, holds                   | links: latency, loss,
//!                                                                                       | repetition, reordering
//!  model <--- answers, entries, states --- providers (the server's own router and outbox, MemoryStore) <--+
//! ```
//!
//! Time is virtual (tokio's paused clock), every choice comes from the seed, and whatever is wrong after a step ends the
//! world with that seed. The same seed gives the same story. See `docs/decisions/0005-simulation.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the world is a test: what must not be ends it"
)]

mod bugs;
mod cheats;
mod client;
mod fate;
mod model;
mod network;
mod plan;
mod provider;
#[path = "../../sabir-mls/tests/world/rogue.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    unused_imports,
    missing_docs,
    missing_debug_implementations,
    reason = "the members that cheat in the tests of sabir-mls; not all of it is used here"
)]
mod rogue;
mod store;
mod story;
mod world;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

pub use bugs::Bug;
use cheats::Cheat;
use network::Weather;
use plan::Plan;
use sabir_store::Store as _;
use world::World;

/// What became of a world.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What was wrong first.
    pub wrong: Option<String>,
    /// What happened, line by line.
    pub story: Vec<String>,
    /// Differs between different stories.
    pub hash: u64,
    /// Entries in the logs of all rooms.
    pub entries: usize,
    /// Texts that people wrote.
    pub texts: usize,
    /// Requests that arrived somewhere.
    pub requests: u64,
    /// Processes that died.
    pub deaths: u64,
    /// Requests and answers that were lost.
    pub lost: u64,
    /// Virtual time that passed.
    pub lasted: Duration,
}

/// Lives through the world of a seed. `aloud` prints its story as it happens.
///
/// # Panics
/// Where the world cannot even be made.
#[must_use]
pub fn run(seed: u64, bug: Option<Bug>, aloud: bool) -> Outcome {
    begin(Plan::of(seed), seed, bug, aloud)
}

/// Lives through a world in which one of three providers is down for a week, while people go on.
///
/// # Panics
/// Where the world cannot even be made.
#[must_use]
pub fn week(seed: u64, bug: Option<Bug>, aloud: bool) -> Outcome {
    begin(Plan::week(seed), seed, bug, aloud)
}

fn begin(plan: Plan, seed: u64, bug: Option<Bug>, aloud: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(world(plan, seed, bug, aloud))
}

async fn world(plan: Plan, seed: u64, bug: Option<Bug>, aloud: bool) -> Outcome {
    let world = World::new(seed, &plan, bug, aloud);
    world.say("seed", &format!("{seed}: {plan:?}"));
    plan::settle(&world, &plan).await;
    world.network.set(plan.weather);
    if let (Some(cheat), Some(mallory)) = (plan.cheat, world.mallory())
        && cheat.is_a_devices()
    {
        world.model().distrust(&mallory.user);
    }
    let story = tokio::spawn(story(Arc::clone(&world), plan));
    tokio::select! {
        biased;
        () = world.alarm.notified() => {}
        done = story => done.expect("a story does not panic"),
    }
    let (entries, texts) = world.model().size();
    let counts = *world.counts.lock().unwrap();
    let outcome = Outcome {
        seed,
        wrong: world.verdict(),
        story: world.story.lines(),
        hash: world.story.hash(),
        entries,
        texts,
        requests: counts.requests,
        deaths: counts.deaths,
        lost: counts.lost,
        lasted: world.start.elapsed(),
    };
    world.end();
    outcome
}

/// Deeds and blows, then peace, then the reckoning.
async fn story(world: Arc<World>, plan: Plan) {
    tokio::select! {
        biased;
        () = plan::befall(Arc::clone(&world), plan) => {}
        ((), ()) = async { tokio::join!(
            plan::live(Arc::clone(&world), plan),
            plan::fail_for_long(Arc::clone(&world), plan),
        ) } => {}
    }
    world.say("peace", "links are whole, nobody dies any more");
    let calm = Weather {
        latency: 5,
        ..Weather::default()
    };
    world.network.set(calm);
    world.network.heal();
    world.spare();
    world.cheats().over = true;
    if plan.cheat == Some(Cheat::Withholds) {
        // Who was robbed notices by what comes next.
        sleep(Duration::from_secs(600)).await;
        for client in world.clients() {
            client.write_everywhere();
        }
    }
    // Longest waits are minutes; what has not come to rest after a day never will.
    for _ in 0..(24 * 30) {
        sleep(Duration::from_secs(120)).await;
        for client in world.clients() {
            client.resume();
        }
        if is_at_rest(&world) {
            break;
        }
    }
    world.say("rest", "");
    let reckoned = world.model().at_rest();
    if let Err(wrong) = reckoned {
        world.wrong(&wrong);
    }
}

fn is_at_rest(world: &World) -> bool {
    let providers = world.providers.values().all(|provider| {
        let disk = provider.disk.lock().unwrap().clone();
        provider.process().is_some() && disk.outbox_due_after(0).is_ok_and(|due| due.is_none())
    });
    providers
        && world
            .clients()
            .iter()
            .all(|client| client.is_up() && client.is_at_rest())
}
