//! A provider of the simulated world: the server's own handlers and outbox over a disk that outlives the process.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use sabir_mls::identity::{Period, ProviderCa, ServerCredential};
use sabir_mls::keys::SigningKey;
use sabir_server::ambient::{Ambient, Source};
use sabir_server::config::Config;
use sabir_server::http::{BodyRules, Context, parse_from};
use sabir_server::keys::Secrets;
use sabir_server::peer::{PeerAnswer, PeerClient, PeerError, PeerRules, PeerWire};
use sabir_server::routes;
use sabir_server::server::{AnyStore, Parts, Shared, work};
use sabir_store::MemoryStore;
use sabir_wire::uri::Domain;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::bugs::Bug;
use super::cheats::false_ca;
use super::fate::Fate;
use super::network::Lost;
use super::store::{Blow, FragileStore};
use super::world::World;

/// Virtual time begins here, on 2026-11-01. The MLS library compares lifetimes of two years with the clock on the
/// wall: when that is no longer within two years of this, this has to move.
pub(super) const EPOCH_MS: u64 = 1_793_491_200_000;

const YEARS_MS: u64 = 5 * 365 * 24 * 3_600_000;

/// Time and randomness of one process. Its clock is off by a little.
pub(super) struct Clock {
    start: Instant,
    off: u64,
    fate: Fate,
}

impl Clock {
    pub(super) fn new(start: Instant, seed: u64, name: &str) -> Arc<Self> {
        let fate = Fate::new(seed, &format!("process {name}"));
        Arc::new(Self {
            start,
            off: fate.below(2_000),
            fate,
        })
    }
}

impl Source for Clock {
    fn now(&self) -> u64 {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or_default();
        EPOCH_MS + passed + self.off
    }

    fn seed(&self) -> [u8; 32] {
        self.fate.seed()
    }
}

/// A provider: what outlives its process, and the process.
pub(super) struct Provider {
    pub(super) domain: Domain,
    pub(super) disk: Mutex<MemoryStore>,
    ca: Vec<u8>,
    ca_key: SigningKey,
    server_key: SigningKey,
    server_credential: ServerCredential,
    hub_key: [u8; 32],
    clock: Arc<Clock>,
    process: Mutex<Option<Arc<Process>>>,
}

/// A running process.
pub(super) struct Process {
    router: Router,
    shared: Arc<Shared>,
    pub(super) store: Arc<FragileStore>,
    alive: Arc<AtomicBool>,
    bodies: Arc<Semaphore>,
    bug: Option<Bug>,
    beside: Mutex<JoinSet<()>>,
}

/// Who a request comes from, as its connection proves it.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// A device, with its connection's exporter.
    Device { place: String, exporter: [u8; 32] },
    /// Another provider.
    Provider(Domain),
}

impl Caller {
    /// Where it is.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Device { place, .. } => place,
            Self::Provider(domain) => domain.as_str(),
        }
    }
}

impl Provider {
    pub(super) fn new(domain: Domain, start: Instant, seed: u64) -> Self {
        let clock = Clock::new(start, seed, domain.as_str());
        let mut rng = clock.fate.stream();
        let ca = ProviderCa::generate(&domain, EPOCH_MS, &mut rng).unwrap();
        let server_key = SigningKey::ed25519(&mut rng).unwrap();
        let period = Period {
            now: EPOCH_MS,
            lifetime: YEARS_MS,
        };
        let server = ca.issue_server(server_key.public(), period, &mut rng).unwrap();
        Self {
            domain,
            disk: Mutex::default(),
            ca: ca.certificate().to_vec(),
            ca_key: ca.signing_key().clone(),
            server_key,
            server_credential: ServerCredential::new(&server).unwrap(),
            hub_key: clock.fate.seed(),
            clock,
            process: Mutex::default(),
        }
    }

    /// Starts a process on the disk.
    pub(super) fn boot(&self, world: &Arc<World>) {
        let mut disk = self.disk.lock().unwrap();
        *disk = disk.reopen();
        let alive = Arc::new(AtomicBool::new(true));
        let (on_death, on_wrong) = {
            let (domain, weak) = (self.domain.clone(), Arc::downgrade(world));
            let died: Box<dyn Fn(&'static str, _) + Send + Sync> = Box::new(move |command, moment| {
                if let Some(world) = weak.upgrade() {
                    world.provider_died(&domain, &format!("{moment:?} {command}").to_lowercase());
                }
            });
            let (domain, weak) = (self.domain.clone(), Arc::downgrade(world));
            let wrong: Box<dyn Fn(String) + Send + Sync> = Box::new(move |what| {
                if let Some(world) = weak.upgrade() {
                    world.wrong(&format!("{domain}: {what}"));
                }
            });
            (died, wrong)
        };
        let bug = world.bug;
        let store = Arc::new(FragileStore::new(
            disk.clone(),
            Arc::clone(&alive),
            bug,
            on_death,
            on_wrong,
        ));
        drop(disk);
        let config = config(&self.domain);
        let wire = Wire {
            world: Arc::downgrade(world),
            from: self.domain.clone(),
            alive: Arc::clone(&alive),
        };
        let rules = PeerRules::from_config(&config);
        let parts = Parts {
            config,
            secrets: Secrets {
                ca: ProviderCa::from_parts(self.ca_key.clone(), &self.ca).unwrap(),
                server_key: self.server_key.clone(),
                server_credential: self.server_credential.clone(),
                hub_key: Zeroizing::new(self.hub_key),
            },
            store: AnyStore(Arc::clone(&store) as Arc<dyn sabir_store::Store>),
            peers: PeerClient::over(rules, Arc::new(wire)),
            ambient: Ambient::given(Arc::clone(&self.clock) as Arc<dyn Source>),
        };
        let shared = Shared::new(parts).unwrap();
        if bug == Some(Bug::ProviderTrustsAnybody) {
            for (domain, provider) in &world.providers {
                let other = false_ca(world.seed, domain);
                shared.anchors.pin(domain, &provider.ca).unwrap();
                shared.anchors.pin(domain, other.certificate()).unwrap();
            }
        }
        let process = Process {
            router: routes::all(&shared),
            beside: Mutex::new(work(&shared)),
            bodies: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            bug,
            shared,
            store,
            alive,
        };
        *self.process.lock().unwrap() = Some(Arc::new(process));
    }

    /// The process, where one runs.
    pub(super) fn process(&self) -> Option<Arc<Process>> {
        let process = self.process.lock().unwrap();
        process.clone().filter(|process| process.is_alive())
    }

    /// Ends the process without a word.
    pub(super) fn kill(&self) {
        if let Some(process) = self.process.lock().unwrap().take() {
            process.alive.store(false, Ordering::Relaxed);
            // What still runs of it finds a dead store, and nobody hears its answers.
            process.shared.stop();
            process.beside.lock().unwrap().abort_all();
        }
    }

    /// Has something happen to the process at a command.
    pub(super) fn strike(&self, nth: u64, blow: Blow) {
        if let Some(process) = self.process() {
            process.store.strike(nth, blow);
        }
    }
}

impl Process {
    /// Whether it has not died.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Handles a request that has arrived. The body of the answer is still open.
    pub(super) async fn handle(&self, caller: &Caller, request: Request<Bytes>) -> Response<Body> {
        let (mut domains, exporter) = match caller {
            Caller::Device { exporter, .. } => (Vec::new(), *exporter),
            Caller::Provider(domain) => (vec![domain.clone()], [0; 32]),
        };
        if self.bug == Some(Bug::FromBelieved) && !domains.is_empty() {
            domains.extend(parse_from(request.headers()));
        }
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
        let mut request = request.map(Body::from);
        request
            .extensions_mut()
            .insert(Context::new(remote, domains, exporter));
        request.extensions_mut().insert(BodyRules {
            limit: 16 << 20,
            timeout: Duration::from_secs(30),
            memory: Arc::clone(&self.bodies),
        });
        match TowerToHyperService::new(self.router.clone()).call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// What carries a provider's requests to others.
struct Wire {
    world: Weak<World>,
    from: Domain,
    alive: Arc<AtomicBool>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire(..)")
    }
}

impl PeerWire for Wire {
    fn carry(
        &self,
        peer: &Domain,
        request: Request<Full<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<PeerAnswer, PeerError>> + Send>> {
        let (world, from, peer) = (self.world.upgrade(), self.from.clone(), peer.clone());
        let alive = Arc::clone(&self.alive);
        Box::pin(async move {
            let gone = || PeerError::Connection(std::io::ErrorKind::ConnectionRefused.into());
            let world = world.ok_or_else(gone)?;
            if !alive.load(Ordering::Relaxed) {
                return Err(gone());
            }
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(never) => match never {},
            };
            let request = Request::from_parts(parts, body);
            let answer = world.exchange(&Caller::Provider(from), &peer, request).await;
            match answer {
                Ok(answer) => Ok(PeerAnswer {
                    status: answer.status,
                    retry_after: answer.retry_after,
                    body: answer.body,
                }),
                Err(Lost::NoAnswer) => Err(PeerError::Timeout),
                Err(Lost::Unreachable) => Err(gone()),
            }
        })
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl Answer {
    /// Reads a response to its end.
    pub(super) async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let seconds = parts.headers.get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            status: parts.status,
            retry_after: seconds.map(Duration::from_secs),
            body: body
                .collect()
                .await
                .map(|body| body.to_bytes())
                .unwrap_or_default(),
        }
    }
}

/// Small enough that rooms are unloaded and loaded again all the time.
fn config(domain: &Domain) -> Config {
    let mut config = Config::parse(&format!("domain = \"{domain}\"")).unwrap();
    config.settings.limits.loaded_rooms = 2;
    config.settings.limits.stream_queue = 8;
    config.settings.timeouts.keep_alive_seconds = 900;
    config
}
