//! The load generator: pairs of real clients' engines over two real providers, without disks of their own.
//!
//! Each pair is a sender at a.example and a receiver at b.example in a direct room. Clients keep nothing on disk,
//! so that what is measured is the providers: TLS, fsync before each answer on both, fan-out, event streams.

mod client;
mod figures;

pub use figures::{Figures, print};

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::{Town, TownError};
use client::{LoadClient, Pair};
use figures::{Usage, percentile};

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Pairs of people.
    pub pairs: usize,
    /// Messages each sender sends at full speed.
    pub messages: usize,
    /// Messages sent one at a time, for latency.
    pub pings: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            pairs: 32,
            messages: 200,
            pings: 100,
        }
    }
}

/// Runs the plan against two providers of this machine.
///
/// # Errors
/// [`TownError`].
pub fn run(plan: Plan) -> Result<Figures, TownError> {
    let town = Town::quiet(&["a.example", "b.example"])?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(TownError::io("starting a runtime"))?;
    runtime.block_on(measure(&town, plan))
}

async fn measure(town: &Town, plan: Plan) -> Result<Figures, TownError> {
    let idle = [
        town.provider("a.example")?.resident_kib()?,
        town.provider("b.example")?.resident_kib()?,
    ];
    let mut pairs = Vec::new();
    for number in 0..plan.pairs {
        pairs.push(open_pair(town, number).await?);
    }
    let mut pings = Vec::new();
    if let Some(pair) = pairs.first_mut() {
        for _ in 0..plan.pings {
            pings.push(pair.ping().await?);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    pings.sort();
    let before = Usage::read(town)?;
    let started = Instant::now();
    let (done, mut finished) = mpsc::unbounded_channel();
    for pair in pairs {
        let done = done.clone();
        tokio::spawn(async move {
            // The receiver of this channel outlives all senders.
            let _ = done.send(Box::pin(pair.flood(plan.messages)).await);
        });
    }
    drop(done);
    let mut delivered = 0_usize;
    while let Some(count) = finished.recv().await {
        delivered = delivered.saturating_add(count?);
    }
    let elapsed = started.elapsed();
    let after = Usage::read(town)?;
    Ok(Figures {
        pairs: plan.pairs,
        delivered,
        seconds: elapsed.as_secs_f64(),
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        ping_p50: percentile(&pings, 50),
        ping_p99: percentile(&pings, 99),
        idle_kib: idle,
        loaded_kib: after.resident_kib,
    })
}

async fn open_pair(town: &Town, number: usize) -> Result<Pair, TownError> {
    let (sender, _) = LoadClient::create(town, "a.example", &format!("sender{number}")).await?;
    let (receiver, mut disk) = LoadClient::create(town, "b.example", &format!("receiver{number}")).await?;
    let anchors = Arc::new(client::anchors(&[&sender, &receiver]).await?);
    Pair::open(sender, receiver, &mut disk, anchors).await
}
