use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::figures::{Figures, Watch};
use super::process::Process;
use super::xmpp::{Clock, Session, Trust, Writer};
use super::{SITES, Site};
use crate::TownError;

/// Pairs at full speed, and messages of each sender under way.
const PAIRS: usize = 10;
const WINDOW: usize = 32;
/// Between two messages of the pair that does not hurry.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// Ten pairs as fast as they can.
pub(super) async fn flood(trust: &Trust, servers: &[Process], secs: u64) -> Result<Figures, TownError> {
    run(trust, servers, secs, PAIRS, None).await
}

/// One pair, 50 messages a second.
pub(super) async fn steady(trust: &Trust, servers: &[Process], secs: u64) -> Result<Figures, TownError> {
    run(trust, servers, secs, 1, Some(PAUSE)).await
}

struct Pair {
    writer: Writer,
    to: String,
    free: Arc<Semaphore>,
}

async fn run(
    trust: &Trust,
    servers: &[Process],
    secs: u64,
    count: usize,
    pause: Option<Duration>,
) -> Result<Figures, TownError> {
    let clock = Clock::start();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut pairs = Vec::new();
    for number in 0..count {
        pairs.push(open(trust, number, clock, arrived.clone()).await?);
    }
    // One message of each makes the link between the servers.
    for pair in &mut pairs {
        pair.free.acquire().await.map_err(|_| ended())?.forget();
        pair.writer.say(&pair.to, "chat", clock).await?;
    }
    for _ in 0..count {
        let first = tokio::time::timeout(PATIENCE, arrivals.recv()).await;
        first.map_err(|_| TownError::Wrong("no message arrives".to_owned()))?;
    }
    let watch = Watch::start(servers);
    let until = tokio::time::Instant::now() + Duration::from_secs(secs);
    for mut pair in pairs {
        tokio::spawn(async move {
            loop {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => match pair.free.acquire().await {
                        Ok(permit) => permit.forget(),
                        Err(_) => return,
                    },
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
    Ok(watch.stop(servers, delays))
}

fn ended() -> TownError {
    TownError::Wrong("a connection ended".to_owned())
}

async fn open(
    trust: &Trust,
    number: usize,
    clock: Clock,
    arrived: mpsc::UnboundedSender<Duration>,
) -> Result<Pair, TownError> {
    let [here, there]: [Site; 2] = SITES;
    let sender = Session::open(trust, here, &format!("s{number}")).await?;
    let receiver = Session::open(trust, there, &format!("d{number}")).await?;
    let (reader, mut present) = receiver.split();
    present.write("<presence/>").await?;
    let free = Arc::new(Semaphore::new(WINDOW));
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
