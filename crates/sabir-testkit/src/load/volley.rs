//! Firing: senders and streams at work, with or without a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{LoadClient, Sender, submit_path, wrong};
use super::figures::{Figures, Watch};
use super::lane::{self, Lane};
use super::scene::Scene;
use super::shots::Shots;
use super::{DOMAINS, Plan, ticks};
use crate::{Town, TownError};

/// Without any arrival for this long, what is missing is lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// After the last arrival: what comes too often comes then.
const LINGER: Duration = Duration::from_millis(200);

/// Whether figures are taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clock {
    /// Everything is sent.
    None,
    /// For so long, or until the first sender has sent all it has.
    For(Duration),
}

/// What a volley brought about.
pub(super) struct Fired {
    /// Messages.
    pub(super) sent: usize,
    /// Until the last of them had arrived.
    pub(super) took: Duration,
    pub(super) figures: Figures,
}

/// What all rooms share.
pub(super) struct Running {
    pub(super) started: Instant,
    running: AtomicBool,
    stop: AtomicBool,
}

impl Running {
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }
}

/// One room under fire.
pub(super) struct Field {
    pub(super) clock: Arc<Running>,
    pub(super) shots: Shots,
    /// One for each delivery that may be outstanding.
    pub(super) permits: Semaphore,
    /// A delivery to every device that counts.
    price: u32,
    sent: AtomicUsize,
    /// Arrivals on all streams.
    pub(super) arrived: AtomicUsize,
}

#[cfg(test)]
impl Field {
    /// One where nothing happens by itself.
    pub(super) fn quiet(shots: Shots) -> Self {
        Self {
            clock: Arc::new(Running {
                started: Instant::now(),
                running: AtomicBool::new(true),
                stop: AtomicBool::new(false),
            }),
            shots,
            permits: Semaphore::new(0),
            price: 1,
            sent: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
        }
    }
}

impl Field {
    /// What is missing still.
    fn missing(&self, lanes: usize) -> usize {
        let sent = self.sent.load(Ordering::Relaxed);
        sent.saturating_mul(lanes)
            .saturating_sub(self.arrived.load(Ordering::Relaxed))
    }
}

/// A device's place: its scene, its number there, and whether it counts.
type Place = (usize, usize, bool);

/// What becomes of each device's stream.
type Streams = JoinSet<(Place, Result<(LoadClient, Lane), TownError>)>;

/// Everything that goes on at once.
struct Volley {
    running: Arc<Running>,
    fields: Vec<Arc<Field>>,
    senders: JoinSet<Result<(), TownError>>,
    lanes: Streams,
    over: watch::Sender<bool>,
}

/// Prepares `each` messages of every sender, fires them, and checks what arrived.
pub(super) async fn fire(
    town: &Town,
    plan: &Plan,
    scenes: &mut [Scene],
    clock: Clock,
    each: usize,
) -> Result<Fired, TownError> {
    let mut shots = Vec::new();
    for scene in scenes.iter_mut() {
        shots.push(scene.load(each).await?);
    }
    let watch = Watch::start(pids(town)?)?;
    let mut volley = Volley::start(plan, scenes, shots, clock)?;
    if let Clock::For(time) = clock {
        run_out(time, &mut volley.senders, &mut volley.lanes).await?;
    }
    volley.running.running.store(false, Ordering::Relaxed);
    let watched = watch.stop()?;
    if let Clock::For(_) = clock {
        volley.cease(plan);
    }
    volley.land().await?;
    let sent = volley.sent();
    let took = volley.running.started.elapsed();
    let latencies = volley.check(scenes).await?;
    Ok(Fired {
        sent,
        took,
        figures: watched.figures(plan.workload, latencies),
    })
}

/// The processes of both providers.
fn pids(town: &Town) -> Result<Vec<u32>, TownError> {
    let pid = |domain| {
        let pid = town.provider(domain)?.pid();
        pid.ok_or_else(|| TownError::Wrong(format!("{domain} does not run")))
    };
    DOMAINS.into_iter().map(pid).collect()
}

impl Volley {
    fn start(plan: &Plan, scenes: &mut [Scene], shots: Vec<Shots>, clock: Clock) -> Result<Self, TownError> {
        let (over, is_over) = watch::channel(false);
        let running = Arc::new(Running {
            started: Instant::now(),
            running: AtomicBool::new(matches!(clock, Clock::For(_))),
            stop: AtomicBool::new(false),
        });
        let mut volley = Self {
            running,
            fields: Vec::new(),
            senders: JoinSet::new(),
            lanes: JoinSet::new(),
            over,
        };
        for (number, (scene, shots)) in scenes.iter_mut().zip(shots).enumerate() {
            let price = scene.clients.iter().filter(|(_, counts)| *counts).count();
            let of_each = plan.window.unwrap_or_default().saturating_mul(price);
            let field = Arc::new(Field {
                clock: Arc::clone(&volley.running),
                shots,
                permits: Semaphore::new(of_each.saturating_mul(scene.engines.len())),
                price: u32::try_from(price).map_err(wrong)?,
                sent: AtomicUsize::new(0),
                arrived: AtomicUsize::new(0),
            });
            for (at, (client, counts)) in scene.clients.drain(..).enumerate() {
                if at < scene.engines.len() {
                    let turn = (at, scene.engines.len());
                    let (sender, path) = (client.sender(), submit_path(&scene.room));
                    let paced = plan.window.is_none();
                    volley
                        .senders
                        .spawn(send(sender, path, Arc::clone(&field), turn, paced));
                }
                let (field, is_over) = (Arc::clone(&field), is_over.clone());
                volley.lanes.spawn(async move {
                    let read = lane::read(client, field, counts, is_over).await;
                    ((number, at, counts), read)
                });
            }
            volley.fields.push(field);
        }
        Ok(volley)
    }

    /// Nothing more is sent.
    fn cease(&self, plan: &Plan) {
        self.running.stop.store(true, Ordering::Relaxed);
        for field in &self.fields {
            // Whoever waits for a place in the window sees that it is over.
            let all = usize::try_from(field.price).unwrap_or(usize::MAX);
            field.permits.add_permits(all.saturating_mul(plan.senders));
        }
    }

    fn sent(&self) -> usize {
        let sent = self.fields.iter().map(|field| field.sent.load(Ordering::Relaxed));
        sent.sum()
    }

    /// Waits until everything that was sent has arrived everywhere.
    async fn land(&mut self) -> Result<(), TownError> {
        tokio::select! {
            done = finished(&mut self.senders) => done?,
            failed = failure(&mut self.lanes) => return Err(failed),
        }
        let lanes = self
            .lanes
            .len()
            .checked_div(self.fields.len())
            .unwrap_or_default();
        let missing = || {
            self.fields
                .iter()
                .map(|field| field.missing(lanes))
                .sum::<usize>()
        };
        let (mut least, mut since) = (usize::MAX, Instant::now());
        loop {
            let missing = missing();
            if missing == 0 {
                break;
            }
            if missing < least {
                (least, since) = (missing, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err(TownError::Wrong(format!("{missing} deliveries were lost")));
            }
            tokio::select! {
                () = sleep(Duration::from_millis(2)) => {}
                failed = failure(&mut self.lanes) => return Err(failed),
            }
        }
        Ok(())
    }

    /// Ends the streams, gives the clients back and checks what they got; gives the times that the clock saw.
    async fn check(mut self, scenes: &mut [Scene]) -> Result<Vec<Duration>, TownError> {
        tokio::select! {
            () = sleep(LINGER) => {}
            failed = failure(&mut self.lanes) => return Err(failed),
        }
        self.over.send_replace(true);
        let mut back = self.lanes.join_all().await;
        back.sort_by_key(|(place, _)| *place);
        let mut latencies = Vec::new();
        let mut firsts: Vec<Option<Lane>> = self.fields.iter().map(|_| None).collect();
        for ((number, _, counts), read) in back {
            let (client, lane) = read?;
            let (Some(scene), Some(field), Some(first)) = (
                scenes.get_mut(number),
                self.fields.get(number),
                firsts.get_mut(number),
            ) else {
                return Err(TownError::Wrong("no such room".to_owned()));
            };
            if counts {
                latencies.extend_from_slice(&lane.latencies);
            }
            let first = first.get_or_insert_with(|| lane.clone());
            lane.check(field.sent.load(Ordering::Relaxed), first)?;
            scene.clients.push((client, counts));
        }
        for (scene, field) in scenes.iter_mut().zip(self.fields) {
            scene.read(field).await?;
        }
        Ok(latencies)
    }
}

/// Fires one sender's messages: those of its turn.
async fn send(
    sender: Sender,
    path: String,
    field: Arc<Field>,
    (first, step): (usize, usize),
    paced: bool,
) -> Result<(), TownError> {
    let path: Arc<str> = path.into();
    let mut requests = JoinSet::new();
    let mut ticks = ticks();
    let mut place = first;
    while let Some(shot) = field.shots.get(place) {
        if paced {
            ticks.tick().await;
        } else {
            field
                .permits
                .acquire_many(field.price)
                .await
                .map_err(wrong)?
                .forget();
        }
        if field.clock.stop.load(Ordering::Relaxed) {
            break;
        }
        place = place.saturating_add(step);
        shot.send_at(field.clock.started.elapsed());
        field.sent.fetch_add(1, Ordering::Relaxed);
        let (sender, path, request) = (sender.clone(), Arc::clone(&path), shot.request.clone());
        requests.spawn(async move { sender.submit(&path, request).await });
        while let Some(done) = requests.try_join_next() {
            done.map_err(wrong)??;
        }
    }
    requests.join_all().await.into_iter().collect()
}

/// Waits for the end of the time, or for the first sender that has sent all it has and has its answers: with fewer
/// senders it would be another load.
async fn run_out(
    time: Duration,
    senders: &mut JoinSet<Result<(), TownError>>,
    lanes: &mut Streams,
) -> Result<(), TownError> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        Some(done) = senders.join_next() => done.map_err(wrong)?,
        failed = failure(lanes) => Err(failed),
    }
}

async fn finished(senders: &mut JoinSet<Result<(), TownError>>) -> Result<(), TownError> {
    while let Some(done) = senders.join_next().await {
        done.map_err(wrong)??;
    }
    Ok(())
}

/// Why a stream ended, where one does before it is told to.
async fn failure(lanes: &mut Streams) -> TownError {
    match lanes.join_next().await {
        Some(Ok((_, Err(error)))) => error,
        Some(Err(error)) => wrong(error),
        Some(Ok((_, Ok(_)))) | None => TownError::Wrong("an event stream ended early".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const TIME: Duration = Duration::from_secs(6);

    /// How long the clock runs with one sender that is done after so long, and one that never is.
    async fn ran(first: Duration, outcome: Result<(), TownError>) -> (Duration, Result<(), TownError>) {
        let (mut senders, mut lanes) = (JoinSet::new(), Streams::new());
        senders.spawn(async move {
            sleep(first).await;
            outcome
        });
        senders.spawn(pending());
        lanes.spawn(pending());
        let started = tokio::time::Instant::now();
        let ended = run_out(TIME, &mut senders, &mut lanes).await;
        (started.elapsed(), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_sender_without_a_message_ends_the_clock() {
        let (took, ended) = ran(TIME / 2, Ok(())).await;
        assert!(ended.is_ok() && (TIME / 2..TIME).contains(&took), "{took:?}");
        let (took, ended) = ran(TIME * 2, Ok(())).await;
        assert!(ended.is_ok() && took >= TIME, "{took:?}");
        let (_, ended) = ran(TIME / 2, Err(wrong("refused"))).await;
        assert!(ended.is_err(), "what a sender met is told");
    }
}
