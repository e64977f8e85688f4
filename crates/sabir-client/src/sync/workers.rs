//! What goes on beside the keeper: the event stream, acknowledgements, key packages, identities of other providers.
//!
//! Every task may be ended at any await: what matters is on disk before it is acted upon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_wire::client_api::{AckRequest, EventBody, path};
use sabir_wire::codec::Encode as _;
use sabir_wire::uri::{Domain, RoomUri};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::ClientError;
use super::backup;
use super::devices::look;
use super::keeper::{Keep, Keeper, Odd, Work};
use crate::account::{fetch_hub, now, publish};
use crate::transport::{Call, Chain, Timing, Transport, TransportError, Verdict, backoff};
use crate::types::Connection;

/// Between acknowledgements, which each cover everything before.
const ACK_PAUSE: Duration = Duration::from_millis(200);
/// After the provider refused to sign this device in, or refused a room's request: long enough to be no burden, short
/// enough that a fault that was mended there is noticed.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(300);
/// Providers that are looked for at a time.
const SOUGHT_AT_ONCE: usize = 8;
/// Between looks for messages whose time is over, at most, while there is one to come; in milliseconds.
const EXPIRY_PAUSE: u64 = 60_000;
/// Acknowledgements have no body.
const NO_ANSWER: usize = 1 << 10;

/// What all tasks share.
#[derive(Clone)]
pub(super) struct Workers(Arc<Shared>);

struct Shared {
    keep: Keep,
    transport: Transport,
    timing: Timing,
    stopped: watch::Receiver<bool>,
    connection: watch::Sender<Connection>,
    applied: watch::Sender<u64>,
    key_packages: Notify,
    /// Perhaps something expires sooner than it did.
    expiry: Notify,
    /// A room came.
    backup: Notify,
    /// Some provider's identity is done without, or found.
    missed: Notify,
    /// One fetch at a time for each provider.
    fetches: Mutex<BTreeMap<Domain, Arc<tokio::sync::Mutex<()>>>>,
}

impl Workers {
    pub(super) fn new(
        keep: Keep,
        transport: Transport,
        timing: Timing,
        stopped: watch::Receiver<bool>,
    ) -> (Self, watch::Receiver<Connection>) {
        let (connection, state) = watch::channel(Connection::Connecting);
        let shared = Shared {
            keep,
            transport,
            timing,
            stopped,
            connection,
            applied: watch::Sender::new(0),
            key_packages: Notify::new(),
            expiry: Notify::new(),
            backup: Notify::new(),
            missed: Notify::new(),
            fetches: Mutex::default(),
        };
        (Self(Arc::new(shared)), state)
    }

    pub(super) fn keep(&self) -> &Keep {
        &self.0.keep
    }

    pub(super) fn timing(&self) -> &Timing {
        &self.0.timing
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Works until it is stopped.
    pub(super) async fn run(self, mut work: mpsc::UnboundedReceiver<Work>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().follow_events());
        tasks.spawn(self.clone().acknowledge());
        tasks.spawn(self.clone().supply_key_packages());
        tasks.spawn(self.clone().back_up());
        tasks.spawn(self.clone().seek());
        tasks.spawn(self.clone().let_expire());
        let (arrivals, arrived) = mpsc::unbounded_channel();
        tasks.spawn(self.clone().report_arrivals(arrived));
        let mut rooms: BTreeMap<RoomUri, Arc<Notify>> = BTreeMap::new();
        let mut stopped = self.0.stopped.clone();
        loop {
            let next = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                next = work.recv() => next,
            };
            match next {
                Some(Work::Room(room)) => match rooms.get(&room) {
                    Some(news) => news.notify_one(),
                    None => {
                        // A worker begins by looking.
                        let news = Arc::new(Notify::new());
                        rooms.insert(room.clone(), Arc::clone(&news));
                        tasks.spawn(self.clone().serve_room(room, news));
                        self.0.backup.notify_one();
                    }
                },
                Some(Work::Identity { room, domain }) => {
                    tasks.spawn(self.clone().unpark(room, domain));
                }
                Some(Work::Seek) => self.0.missed.notify_one(),
                Some(Work::Arrivals(room)) => {
                    // The task ends with this one.
                    let _ = arrivals.send(room);
                }
                Some(Work::Unite(room)) => {
                    let keep = self.0.keep.clone();
                    tasks.spawn(async move {
                        if let Ok(Err(error)) = keep.run(move |keeper| keeper.unite(&room)).await {
                            tracing::warn!(error = %Chain(&error), "two rooms with one person are not united");
                        }
                    });
                }
                Some(Work::KeyPackages) => self.0.key_packages.notify_one(),
                Some(Work::Expire) => self.0.expiry.notify_one(),
                // The keeper is gone.
                None => break,
            }
            while tasks.try_join_next().is_some() {}
        }
        tasks.shutdown().await;
        self.0.connection.send_replace(Connection::Offline);
    }

    /// Lets messages go whose time is over.
    async fn let_expire(self) {
        loop {
            let next = match self.0.keep.run(Keeper::expire).await {
                Ok(Ok(next)) => next,
                Ok(Err(error)) => {
                    tracing::error!(error = %Chain(&error), "messages that are over cannot be deleted");
                    now().ok().map(|now| now.saturating_add(EXPIRY_PAUSE))
                }
                Err(_) => return,
            };
            let news = self.0.expiry.notified();
            match next {
                None => news.await,
                Some(at) => {
                    let left = at.saturating_sub(now().unwrap_or(at));
                    // The clock may be set meanwhile, and a machine that slept counts no seconds.
                    let left = Duration::from_millis(left.clamp(1, EXPIRY_PAUSE));
                    let _ = timeout(left, news).await;
                }
            }
        }
    }

    /// Applies the event stream, event by event, for as long as there is one; then the next.
    async fn follow_events(self) {
        let mut failures = 0;
        loop {
            let error = match self.follow_one_stream(&mut failures).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            if matches!(error, ClientError::Transport(TransportError::Malformed(_))) {
                self.tell(Odd::Stream).await;
            }
            let refused = matches!(error, ClientError::Transport(TransportError::SignInRefused));
            self.set_connection(if refused {
                Connection::Refused
            } else {
                Connection::Connecting
            });
            tracing::debug!(error = %Chain(&error), "the event stream ended");
            match &error {
                ClientError::Stopped => return,
                _ if refused => sleep(REFUSED_PAUSE).await,
                _ => sleep(self.pause(&error, failures)).await,
            }
            failures = failures.saturating_add(1);
        }
    }

    pub(super) async fn tell(&self, odd: Odd) {
        let told = self.0.keep.run(move |keeper| keeper.provider_alarm(odd)).await;
        if let Ok(Err(error)) = told {
            tracing::warn!(error = %Chain(&error), "an alarm cannot be written down");
        }
    }

    async fn follow_one_stream(&self, failures: &mut u32) -> Result<std::convert::Infallible, ClientError> {
        let cursor = self.0.keep.run(|keeper| keeper.cursor).await?;
        let mut stream = self.0.transport.events(cursor).await?;
        let mut begins = true;
        self.set_connection(Connection::Online);
        self.0.key_packages.notify_one();
        // What was applied and not acknowledged before is acknowledged now.
        self.0.applied.send_replace(cursor);
        loop {
            let event = match stream.next().await {
                Err(TransportError::BadEvent(reason)) => {
                    tracing::debug!(reason, "an event was skipped");
                    self.0
                        .keep
                        .run(|keeper| keeper.provider_alarm(Odd::Event))
                        .await??;
                    continue;
                }
                event => event?,
            };
            if std::mem::take(&mut begins) {
                // A stream that ends before its first event is none: the next one waits longer.
                *failures = 0;
            }
            let is_fanout = matches!(event.body, EventBody::Fanout { .. });
            let cursor = self
                .0
                .keep
                .run(move |keeper| keeper.incoming(&event).map(|()| keeper.cursor))
                .await??;
            if is_fanout {
                self.0.applied.send_replace(cursor);
            }
        }
    }

    /// Tells the provider what it may forget.
    async fn acknowledge(self) {
        let mut applied = self.0.applied.subscribe();
        let mut failures = 0;
        let mut told = 0;
        loop {
            let cursor = *applied.borrow_and_update();
            if cursor > told {
                let call = Call::post(path::ACK, AckRequest { cursor }.to_bytes(), NO_ANSWER);
                match self.0.transport.call(&call).await {
                    Ok(_) => {
                        told = cursor;
                        failures = 0;
                        sleep(ACK_PAUSE).await;
                    }
                    Err(error) => {
                        sleep(self.pause(&error.into(), failures)).await;
                        failures = failures.saturating_add(1);
                    }
                }
            } else if applied.changed().await.is_err() {
                return;
            }
        }
    }

    /// Keeps the provider supplied with key packages, and knows who it is as a hub. Both are looked at whenever the
    /// event stream begins and when the provider says that key packages are running out.
    async fn supply_key_packages(self) {
        loop {
            self.0.key_packages.notified().await;
            let mut failures = 0;
            while let Err(error) = self.supply_once().await {
                if matches!(error, ClientError::Stopped) {
                    return;
                }
                tracing::debug!(error = %Chain(&error), "key packages or hub could not be looked at");
                sleep(self.pause(&error, failures)).await;
                failures = failures.saturating_add(1);
            }
        }
    }

    /// Leaves the list of rooms with the provider, once it has changed and until it is there.
    async fn back_up(self) {
        loop {
            self.0.backup.notified().await;
            for pause in backup::PAUSES {
                sleep(pause).await;
                let mut failures = 0;
                while let Err(error) = backup::back_up(&self.0.keep, &self.0.transport).await {
                    if matches!(error, ClientError::Stopped) {
                        return;
                    }
                    tracing::debug!(error = %Chain(&error), "the list of rooms is not with the provider yet");
                    sleep(self.pause(&error, failures)).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    async fn supply_once(&self) -> Result<(), ClientError> {
        let (transport, keep) = (&self.0.transport, &self.0.keep);
        // Key packages carry the list of devices, and the provider takes them with the newest alone.
        look(keep, transport).await?;
        if keep.run(|keeper| keeper.is_publishing()).await?? {
            self.publish(Vec::new()).await?;
        }
        let missing = publish::missing(transport).await?;
        if !missing.is_empty() {
            self.publish(missing).await?;
        }
        let anchors = keep.run(|keeper| keeper.anchors.clone()).await?;
        let hub = fetch_hub(transport, &anchors).await?;
        keep.run(move |keeper| keeper.set_hub(hub)).await?
    }

    async fn publish(&self, wanted: Vec<(u16, u32)>) -> Result<(), ClientError> {
        let request = self
            .0
            .keep
            .run(move |keeper| keeper.key_packages(&wanted))
            .await??;
        publish::send(&self.0.transport, request).await?;
        Ok(self
            .0
            .keep
            .run(|keeper| publish::published(&mut keeper.store))
            .await??)
    }

    /// Applies what waits for a room, fetching one identity after the other. Only for the room's hub it is waited
    /// without end.
    async fn unpark(self, room: RoomUri, mut domain: Domain) {
        loop {
            self.identify(&domain).await;
            let of = room.clone();
            let next = self.0.keep.run(move |keeper| keeper.unpark(&of)).await;
            match next {
                Ok(Ok(None)) | Err(_) => return,
                Ok(Ok(Some(next))) => {
                    if next == domain {
                        // Anybody but a hub is done without.
                        self.tell(Odd::Hub).await;
                        sleep(self.0.timing.longest_wait).await;
                    }
                    domain = next;
                }
                Ok(Err(error)) => {
                    tracing::debug!(error = %Chain(&error), "what waits for a room cannot be applied");
                    sleep(self.0.timing.longest_wait).await;
                }
            }
        }
    }

    /// Fetches and pins the identity of a provider. Where that fails for [`Timing::identity_patience`] while the own
    /// provider can be reached, it is done without.
    pub(super) async fn identify(&self, domain: &Domain) {
        let lock = {
            let mut fetches = self.0.fetches.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetches.entry(domain.clone()).or_default())
        };
        let _one_at_a_time = lock.lock().await;
        let mut failures = 0;
        let mut since = None;
        loop {
            let wanted = domain.clone();
            if !matches!(
                self.0.keep.run(move |keeper| keeper.is_settled(&wanted)).await,
                Ok(false)
            ) {
                return;
            }
            // What this device itself is cut off from is no sign.
            since = match since {
                _ if *self.0.connection.borrow() != Connection::Online => None,
                None => Some(Instant::now()),
                since => since,
            };
            let patience = self.0.timing.identity_patience;
            let left = since.map(|since: Instant| patience.saturating_sub(since.elapsed()));
            if left == Some(Duration::ZERO) {
                let wanted = domain.clone();
                // Where the keeper is gone, nobody waits.
                let _ = self.0.keep.run(move |keeper| keeper.do_without(&wanted)).await;
                return;
            }
            let attempt = async {
                let Err(error) = self.identify_once(domain).await else {
                    return;
                };
                tracing::debug!(error = %Chain(&error), "the identity of a provider cannot be fetched");
                self.pause_or_online(&error, failures).await;
            };
            // Whether it came to an end or not shows in the next round.
            let _ = timeout(left.unwrap_or(patience), attempt).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Looks for the identities that are done without, again and again.
    async fn seek(self) {
        loop {
            self.0.missed.notified().await;
            loop {
                let missed = match self.0.keep.run(Keeper::missed).await {
                    Ok(Ok(missed)) => missed,
                    Ok(Err(error)) => {
                        tracing::warn!(error = %Chain(&error), "what is still to be proved cannot be read");
                        Vec::new()
                    }
                    Err(_) => return,
                };
                if missed.is_empty() {
                    break;
                }
                for some in missed.chunks(SOUGHT_AT_ONCE) {
                    let mut attempts = JoinSet::new();
                    for domain in some {
                        let (us, domain) = (self.clone(), domain.clone());
                        // What it is found by, or not, shows in the next round.
                        attempts.spawn(async move { us.identify_once(&domain).await.is_ok() });
                    }
                    attempts.join_all().await;
                }
                let pause = sleep(self.0.timing.longest_wait);
                tokio::select! {
                    () = pause => {}
                    () = self.0.missed.notified() => {}
                }
            }
        }
    }

    async fn identify_once(&self, domain: &Domain) -> Result<(), ClientError> {
        let wanted = domain.clone();
        if self.0.keep.run(move |keeper| keeper.knows(&wanted)).await? {
            return Ok(());
        }
        let identities = self.0.transport.identities_of(domain).await?;
        let domain = domain.clone();
        self.0
            .keep
            .run(move |keeper| keeper.pin(&domain, identities.0))
            .await?
    }

    fn set_connection(&self, state: Connection) {
        self.0
            .connection
            .send_if_modified(|known| std::mem::replace(known, state) != state);
    }

    /// How long to wait after an error that came `failures` times before.
    pub(super) fn pause(&self, error: &ClientError, failures: u32) -> Duration {
        let growing = backoff(failures, &self.0.timing);
        let asked = match error {
            ClientError::Transport(error) => match error.verdict() {
                Verdict::Repeat(asked) => asked.unwrap_or_default(),
                Verdict::Give => self.0.timing.longest_wait,
            },
            _ => Duration::ZERO,
        };
        growing.max(asked)
    }

    /// Waits after an error. Where the provider could not be reached, its return ends the wait.
    pub(super) async fn pause_or_online(&self, error: &ClientError, failures: u32) {
        let pause = sleep(self.pause(error, failures));
        let lost = matches!(
            error,
            ClientError::Transport(
                TransportError::Unreachable { .. } | TransportError::Broken(_) | TransportError::Timeout
            )
        );
        if !lost {
            return pause.await;
        }
        let mut connection = self.0.connection.subscribe();
        connection.mark_unchanged();
        let online = async {
            while connection.changed().await.is_ok() {
                if *connection.borrow_and_update() == Connection::Online {
                    return;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            () = pause => {}
            () = online => {}
        }
    }
}
