//! The thread that owns store and engines, and how others ask it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use sabir_core::conversation::{Conversation, ConversationContext, Effects, Rejoin};
use sabir_mls::Device;
use sabir_mls::identity::{CaCertificate, TrustAnchors};
use sabir_wire::client_api::HubIdentity;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::uri::{Domain, RoomUri, UserUri};
use tokio::sync::{mpsc, oneshot, watch};

use super::ClientError;
use super::apply::{absorb, alarm};
use super::rejoin;
use crate::account::{AccountError, AccountRecord, now, publish};
use crate::random;
use crate::store::{Name, Passphrase, Store, Tx};
use crate::transport::{Chain, DeviceKey, Reach};
use crate::types::{Account, RoomKind};

/// Jobs that may wait for the keeper; who comes later waits for a place, in order.
const JOBS: usize = 256;
/// In place of a room: an alarm about the provider.
pub(super) const NO_ROOM: &str = "";
/// Engines that stay loaded. Loading one costs milliseconds.
const ENGINES: usize = 256;

/// What workers have to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// A room may have a request to send.
    Room(RoomUri),
    /// Entries of a room wait for a provider's identity.
    Identity {
        /// The room.
        room: RoomUri,
        /// The provider.
        domain: Domain,
    },
    /// The identity of a provider is done without, or found: [`Keeper::missed`].
    Seek,
    /// Arrivals in a room may have to be reported.
    Arrivals(RoomUri),
    /// A direct room came to be: there may be two with one person.
    Unite(RoomUri),
    /// The provider may need more key packages.
    KeyPackages,
    /// A message may expire sooner than those before.
    Expire,
}

/// What the own provider did that it should not do, and that is about no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    /// An event that cannot be read.
    Event,
    /// A stream in which nobody can tell where the next event begins.
    Stream,
    /// A room came whose hub cannot be identified.
    Hub,
}

impl Odd {
    const fn text(self) -> &'static str {
        match self {
            Self::Event => {
                "Your provider sent something that this program does not understand; it was skipped. \
                 A newer version may know it"
            }
            Self::Stream => "Your provider sends what cannot be read; what it has for you may be delayed",
            Self::Hub => {
                "You were let into a room whose provider cannot be reached to learn who it is; the room waits for that"
            }
        }
    }
}

/// What a freshly opened keeper tells about itself.
pub(super) struct Opened {
    pub(super) account: Account,
    pub(super) reach: Reach,
    pub(super) device_key: DeviceKey,
    pub(super) changes: watch::Receiver<u64>,
    pub(super) work: mpsc::UnboundedReceiver<Work>,
}

type Job = Box<dyn FnOnce(&mut Keeper) + Send>;

enum Order {
    Job(Job),
    /// Ends the thread; the sender is dropped when the profile is closed.
    Stop(oneshot::Sender<()>),
}

/// A way to the keeper. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keep(mpsc::Sender<Order>);

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep(..)")
    }
}

impl Keep {
    /// Has the keeper do `job`, after the jobs asked for before.
    ///
    /// Where the returned future is dropped after its first poll, the job may still be done.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Keeper) -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |keeper| {
            // Nobody waits for the answer where the asker is gone.
            let _ = answer.send(job(keeper));
        });
        self.0
            .send(Order::Job(job))
            .await
            .map_err(|_| ClientError::Stopped)?;
        answered.await.map_err(|_| ClientError::Stopped)
    }

    /// Asks the keeper to end, where it has room for the wish; otherwise it ends when the last way to it is gone.
    pub(super) fn stop(&self) {
        let (done, _) = oneshot::channel();
        let _ = self.0.try_send(Order::Stop(done));
    }

    /// Ends the keeper; on return its profile is closed.
    pub(super) async fn stop_and_wait(&self) {
        let (done, closed) = oneshot::channel();
        if self.0.send(Order::Stop(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

/// Owns the store and the engines.
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) account: AccountRecord,
    pub(super) me: UserUri,
    pub(super) device: Device,
    pub(super) anchors: TrustAnchors,
    pub(super) hub: HubIdentity,
    pub(super) cursor: u64,
    /// Rooms that this device comes into by itself.
    pub(super) rejoins: BTreeMap<RoomUri, Rejoin>,
    /// Those of them that were late already, and since when they get their last try.
    pub(super) last_tries: BTreeMap<RoomUri, u64>,
    engines: BTreeMap<RoomUri, Conversation>,
    /// Alarms about the provider, each told once while the profile is open.
    odd: BTreeSet<Odd>,
    changes: watch::Sender<u64>,
    work: mpsc::UnboundedSender<Work>,
}

/// Opens a profile on a thread of its own.
pub(super) async fn open(
    directory: PathBuf,
    passphrase: Option<Passphrase>,
) -> Result<(Keep, Opened), ClientError> {
    let (orders, mut inbox) = mpsc::channel(JOBS);
    let (answer, answered) = oneshot::channel();
    std::thread::Builder::new()
        .name("sabir-keeper".to_owned())
        .spawn(move || {
            let (mut keeper, opened) = match Keeper::open(&directory, passphrase.as_ref()) {
                Ok(both) => both,
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return;
                }
            };
            if answer.send(Ok(opened)).is_err() {
                return;
            }
            let mut done = None;
            while let Some(order) = inbox.blocking_recv() {
                match order {
                    Order::Job(job) => job(&mut keeper),
                    Order::Stop(stopped) => {
                        done = Some(stopped);
                        break;
                    }
                }
            }
            // Whoever waits for the end may open the profile at once.
            drop(keeper);
            drop(inbox);
            drop(done);
        })
        .map_err(|error| ClientError::Store(error.into()))?;
    let opened = answered.await.map_err(|_| ClientError::Stopped)??;
    Ok((Keep(orders), opened))
}

/// One transaction and one engine, and what a step of it needs.
pub(super) struct Step<'a, 't> {
    pub(super) tx: &'a mut Tx<'t>,
    pub(super) engine: &'a mut Conversation,
    pub(super) cx: ConversationContext<'a>,
    pub(super) rng: &'a mut ChaCha20Rng,
    pub(super) now: u64,
    /// Whether the room is ready from this step on.
    pub(super) is_ready: bool,
}

impl Step<'_, '_> {
    /// Writes what a call of the engine brought about.
    pub(super) fn absorb(&mut self, effects: Effects) -> Result<(), ClientError> {
        self.is_ready |= absorb(self.tx, self.cx.me, self.engine, effects)?;
        Ok(())
    }
}

impl Keeper {
    fn open(
        directory: &std::path::Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<(Self, Opened), ClientError> {
        let mut store = Store::open(directory, passphrase)?;
        let account = AccountRecord::load(&mut store)?;
        let (anchors, hub, cursor, last, rooms, parked) = store.read(|tx| {
            let hub = tx.get_bytes(Name::HUB)?;
            let cursor = tx.get::<u64>(Name::CURSOR)?.unwrap_or_default();
            let (rooms, parked) = (tx.rooms()?, tx.parked_rooms()?);
            Ok::<_, ClientError>((tx.anchors()?, hub, cursor, tx.last_change()?, rooms, parked))
        })?;
        let rejoins = rejoin::load(&mut store)?;
        let damaged = || ClientError::Account(AccountError::Damaged);
        let hub = HubIdentity::from_bytes(&hub.ok_or_else(damaged)?).map_err(|_| damaged())?;
        let (changes, changed) = watch::channel(last);
        let (work, inbox) = mpsc::unbounded_channel();
        // What was under way when the profile was last open goes on.
        for record in rooms {
            let room = RoomUri::parse(&record.room)?;
            let _ = work.send(Work::Room(room.clone()));
            let _ = work.send(Work::Arrivals(room.clone()));
            if record.is_in_use() && record.kind == RoomKind::Direct {
                let _ = work.send(Work::Unite(room));
            }
        }
        for room in rejoins.keys() {
            let _ = work.send(Work::Room(room.clone()));
        }
        for room in parked {
            let room = RoomUri::parse(&room)?;
            // Which provider is missing shows when the entry is tried; the room's own is as good a start as any.
            let domain = room.authority().clone();
            let _ = work.send(Work::Identity { room, domain });
        }
        let _ = work.send(Work::Seek);
        let opened = Opened {
            account: account.to_plain()?,
            reach: account.reach.clone(),
            device_key: account.device_key()?,
            changes: changed,
            work: inbox,
        };
        let mut keeper = Self {
            me: account.user()?,
            device: account.device()?,
            store,
            account,
            anchors,
            hub,
            cursor,
            rejoins,
            last_tries: BTreeMap::new(),
            engines: BTreeMap::new(),
            odd: BTreeSet::new(),
            changes,
            work,
        };
        keeper.begin_joins()?;
        // Before anything is shown.
        if let Err(error) = keeper.expire() {
            tracing::error!(%error, "messages that are over cannot be deleted");
        }
        Ok((keeper, opened))
    }

    /// Runs one step of a room's engine in one transaction. After an error the engine is as its rows say.
    pub(super) fn step<T>(
        &mut self,
        room: &RoomUri,
        name: &'static str,
        body: impl FnOnce(&mut Step<'_, '_>) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        // Taken out, so that an error leaves none behind.
        let mut engine = self.take_engine(room)?;
        let mut rng = random::stream()?;
        let now = now()?;
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let (value, is_ready, is_timed, last) = self.store.transaction(name, |tx| {
            let mut step = Step {
                tx,
                engine: &mut engine,
                cx,
                rng: &mut rng,
                now,
                is_ready: false,
            };
            let value = body(&mut step)?;
            let is_ready = step.is_ready;
            Ok::<_, ClientError>((value, is_ready, tx.has_timed(), tx.last_change()?))
        })?;
        self.keep_engine(engine);
        self.published(last);
        if is_ready {
            self.work(Work::Unite(room.clone()));
        }
        if is_timed {
            self.work(Work::Expire);
        }
        Ok(value)
    }

    /// Takes an engine out, loaded from its rows where it must be. It is put back by [`Self::keep_engine`], or
    /// forgotten.
    pub(super) fn take_engine(&mut self, room: &RoomUri) -> Result<Conversation, ClientError> {
        if let Some(engine) = self.engines.remove(room) {
            return Ok(engine);
        }
        let rows = self.store.read(|tx| tx.rows(room.as_str()))?;
        if rows.is_empty() || self.rejoins.contains_key(room) {
            return Err(ClientError::NoRoom);
        }
        Ok(Conversation::load(room.clone(), &rows, &mut random::stream()?)?)
    }

    /// Keeps an engine loaded.
    pub(super) fn keep_engine(&mut self, engine: Conversation) {
        if self.engines.len() >= ENGINES {
            self.engines.pop_first();
        }
        self.engines.insert(engine.room().clone(), engine);
    }

    /// Forgets a loaded engine.
    pub(super) fn drop_engine(&mut self, room: &RoomUri) {
        self.engines.remove(room);
    }

    /// Tells subscribers that changes up to `last` are committed.
    pub(super) fn published(&self, last: u64) {
        self.changes.send_if_modified(|known| {
            let newer = last > *known;
            *known = last.max(*known);
            newer
        });
    }

    /// Tells the person what the own provider did. However often it does it, it is told once.
    pub(super) fn provider_alarm(&mut self, odd: Odd) -> Result<(), ClientError> {
        if self.odd.contains(&odd) {
            return Ok(());
        }
        let last = self.store.transaction("tell alarm", |tx| {
            alarm(tx, NO_ROOM, odd.text())?;
            tx.last_change()
        })?;
        self.odd.insert(odd);
        self.published(last);
        Ok(())
    }

    /// Tells the workers.
    pub(super) fn work(&self, work: Work) {
        // Without workers nobody is there to be told.
        let _ = self.work.send(work);
    }

    /// Whether an identity of this provider is pinned.
    pub(super) fn knows(&self, domain: &Domain) -> bool {
        !self.anchors.get(domain).is_empty()
    }

    /// Pins what a provider published, where nothing is pinned for it: the first sight counts.
    pub(super) fn pin(&mut self, domain: &Domain, identities: Vec<CaCertificate>) -> Result<(), ClientError> {
        if self.knows(domain) {
            return Ok(());
        }
        let mut anchors = self.anchors.clone();
        for ca in &identities {
            let pinned = anchors.pin(domain, ca.clone());
            pinned.map_err(|error| ClientError::Refused(error.to_string()))?;
        }
        self.store.transaction("pin provider", |tx| {
            identities.iter().try_for_each(|ca| tx.put_anchor(domain, ca))
        })?;
        let was_missed = self.anchors.done_without().any(|missed| missed == domain);
        self.anchors = anchors;
        if was_missed {
            self.work(Work::Seek);
        }
        Ok(())
    }

    /// Whether a provider's identity is known, or done without.
    pub(super) fn is_settled(&self, domain: &Domain) -> bool {
        self.knows(domain) || self.anchors.done_without().any(|missed| missed == domain)
    }

    /// Goes on without the identity of a provider that could not be had: its people come in unproved, and the rooms
    /// they come into say so. It is looked for all the same.
    pub(super) fn do_without(&mut self, domain: &Domain) {
        if !self.is_settled(domain) {
            tracing::warn!(provider = %domain, "the identity of a provider cannot be had; its people are unproved");
            self.anchors.do_without(domain);
            self.work(Work::Seek);
        }
    }

    /// The providers whose identity is done without and still looked for. Where one of them has been found, the people
    /// who could not be proved without are looked at again.
    pub(super) fn missed(&mut self) -> Result<Vec<Domain>, ClientError> {
        for record in self.store.read(|tx| tx.rooms())? {
            if record.closed || record.missed.is_empty() {
                continue;
            }
            let mut is_found = false;
            for domain in &record.missed {
                let domain = Domain::parse(domain)?;
                is_found |= self.knows(&domain);
                self.anchors.do_without(&domain);
            }
            if !is_found {
                continue;
            }
            let room = RoomUri::parse(&record.room)?;
            let looked = self.step(&room, "look again", |step| {
                let effects = step.engine.reconsider(step.cx)?;
                step.absorb(effects)?;
                Ok(())
            });
            if let Err(error) = looked {
                tracing::warn!(error = %Chain(&error), "the people of a room were not looked at again");
            }
        }
        Ok(self.anchors.done_without().cloned().collect())
    }

    /// Remembers who the own provider is as a hub.
    pub(super) fn set_hub(&mut self, hub: HubIdentity) -> Result<(), ClientError> {
        if hub != self.hub {
            self.store
                .transaction("remember hub", |tx| tx.put_bytes(Name::HUB, &hub.to_bytes()))?;
            self.hub = hub;
        }
        Ok(())
    }

    /// A batch of key packages to publish: the one that was drawn up, or so many new ones of each suite.
    pub(super) fn key_packages(&mut self, wanted: &[(u16, u32)]) -> Result<Vec<u8>, ClientError> {
        Ok(publish::prepare(&mut self.store, &self.account, wanted, now()?)?)
    }

    /// Whether a batch was drawn up that the provider may not have.
    pub(super) fn is_publishing(&mut self) -> Result<bool, ClientError> {
        Ok(self.store.read(|tx| tx.get_bytes(Name::PUBLISHING))?.is_some())
    }
}
