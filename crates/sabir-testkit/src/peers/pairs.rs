use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::xmpp::{Clock, Session, Trust, Writer};
use super::{SITES, Site};
use crate::TownError;
use crate::load::{Figures, Plan, Watch, ticks};

/// How long the first message of each pair may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct Pair {
    writer: Writer,
    to: String,
    free: Arc<Semaphore>,
}

/// Pairs, as fast as the window lets them or at the leisurely pace.
pub(super) async fn run(trust: &Trust, servers: Vec<u32>, plan: Plan) -> Result<Figures, TownError> {
    let clock = Clock::start();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut pairs = Vec::new();
    for number in 0..plan.people {
        pairs.push(open(trust, number, plan, clock, arrived.clone()).await?);
    }
    // One message of each makes the link between the servers.
    for pair in &mut pairs {
        pair.free.acquire().await.map_err(|_| ended())?.forget();
        pair.writer.say(&pair.to, "chat", clock).await?;
    }
    for _ in 0..plan.people {
        let first = tokio::time::timeout(PATIENCE, arrivals.recv()).await;
        first.map_err(|_| TownError::Wrong("no message arrives".to_owned()))?;
    }
    let watch = Watch::start(servers)?;
    let until = tokio::time::Instant::now() + plan.time;
    for mut pair in pairs {
        tokio::spawn(async move {
            let mut ticks = ticks();
            loop {
                if plan.window.is_none() {
                    ticks.tick().await;
                } else {
                    match pair.free.acquire().await {
                        Ok(permit) => permit.forget(),
                        Err(_) => return,
                    }
                }
                if tokio::time::Instant::now() > until
                    || pair.writer.say(&pair.to, "chat", clock).await.is_err()
                {
                    break;
                }
            }
            // The connection stays, so that nothing is sent back.
            std::future::pending::<()>().await;
        });
    }
    let mut delays = Vec::new();
    while let Ok(Some(delay)) = tokio::time::timeout_at(until, arrivals.recv()).await {
        delays.push(delay);
    }
    Ok(watch.stop()?.figures(plan.workload, delays))
}

fn ended() -> TownError {
    TownError::Wrong("a connection ended".to_owned())
}

async fn open(
    trust: &Trust,
    number: usize,
    plan: Plan,
    clock: Clock,
    arrived: mpsc::UnboundedSender<Duration>,
) -> Result<Pair, TownError> {
    let [here, there]: [Site; 2] = SITES;
    let sender = Session::open(trust, here, &format!("s{number}")).await?;
    let receiver = Session::open(trust, there, &format!("d{number}")).await?;
    let (reader, mut present) = receiver.split();
    present.write("<presence/>").await?;
    let free = Arc::new(Semaphore::new(plan.window.unwrap_or(1)));
    let more = Arc::clone(&free);
    tokio::spawn(async move {
        let _present = present;
        let seen = |delay| {
            more.add_permits(1);
            // Nobody counts any more at the end.
            let _ = arrived.send(delay);
        };
        reader.each(clock, seen).await;
    });
    let (bounces, writer) = sender.split();
    tokio::spawn(bounces.each(clock, |_| {}));
    Ok(Pair {
        writer,
        to: format!("d{number}@{}/r", there.host),
        free,
    })
}
