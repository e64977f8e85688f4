//! Putting a provider together, running it and stopping it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sabir_core::hub::HubIdentity;
use sabir_store::{Hint, OpenError, Retention, SqliteStore, Store, StoreError};
use sabir_wire::uri::Domain;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;

use crate::admin::{AdminSocket, socket_path};
use crate::ambient::Ambient;
use crate::anchors::Anchors;
use crate::assets::{self, Assets};
use crate::client::{Pairings, Sessions, Tunnels};
use crate::config::Config;
use crate::error::Error;
use crate::events::Wakers;
use crate::http::{Listener, Rules};
use crate::keys::{Secrets, SecretsError, WhenAbsent};
use crate::peer::{FilePeers, PeerClient, PeerRules};
use crate::rooms::Rooms;
use crate::tls::{self, TlsError, TlsIdentity};
use crate::waits::Waits;
use crate::{outbox, routes};

/// Set in the store once a provider has its keys, so that their loss is noticed.
const KEYS_MADE: &str = "keys-made";
/// Between two rounds of deleting what is over.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
const DAY_MS: u64 = 24 * 3_600_000;

/// Why a provider cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be opened.
    #[error("cannot open the store")]
    Open(#[from] OpenError),
    /// The database does not answer.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The keys cannot be used.
    #[error("cannot use the provider's keys")]
    Secrets(#[from] SecretsError),
    /// The certificate or the anchors cannot be used.
    #[error("cannot set up tls")]
    Tls(#[from] TlsError),
    /// The system has no randomness, or our own CA makes no sense.
    #[error("cannot start")]
    Other(#[from] Error),
    /// The folder of files cannot be used.
    #[error("cannot use the folder of files")]
    Files(#[source] std::io::Error),
    /// The address or the admin socket cannot be bound.
    #[error("cannot listen on {what}")]
    Listen {
        /// The address or path.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What every handler shares.
pub struct Shared {
    /// Our domain.
    pub domain: Domain,
    /// The configuration.
    pub config: Config,
    /// CA, server key and hub key.
    pub secrets: Secrets,
    /// Who we are as a hub.
    pub hub: HubIdentity,
    /// The identity CAs of providers.
    pub anchors: Anchors,
    /// The storage.
    pub store: AnyStore,
    /// Other providers.
    pub peers: PeerClient,
    /// Rooms in memory.
    pub rooms: Rooms,
    /// Signed-in devices.
    pub sessions: Sessions,
    /// Devices that are being linked.
    pub pairings: Pairings,
    /// Who listens to events.
    pub wakers: Arc<Wakers>,
    /// Devices' tunnels to directories.
    pub tunnels: Arc<Tunnels>,
    /// Time and randomness.
    pub ambient: Ambient,
    /// Requests that wait for other providers.
    pub waits: Arc<Waits>,
    places: Semaphore,
    stop: watch::Sender<bool>,
}

/// What a provider is put together from.
#[derive(Debug)]
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// CA, server key and hub key.
    pub secrets: Secrets,
    /// The storage.
    pub store: AnyStore,
    /// Other providers.
    pub peers: PeerClient,
    /// Time and randomness.
    pub ambient: Ambient,
}

impl Shared {
    /// A provider that listens nowhere: [`crate::routes::all`] are its requests, [`work`] is what it does by itself.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system has no randomness, or the CA is not our domain's.
    pub fn new(parts: Parts) -> Result<Arc<Self>, Error> {
        let Parts {
            config,
            secrets,
            store,
            peers,
            ambient,
        } = parts;
        let domain = config.domain.clone();
        let hub = HubIdentity {
            domain: domain.clone(),
            hub_key: *secrets.hub_key,
            signing_key: secrets.server_key.clone(),
            credential: secrets.server_credential.clone(),
        };
        let limits = &config.settings.limits;
        Ok(Arc::new(Self {
            domain,
            hub,
            anchors: Anchors::new(secrets.ca.to_anchor())?,
            store,
            peers,
            rooms: Rooms::new(limits.loaded_rooms),
            sessions: Sessions::new()?,
            pairings: Pairings::default(),
            wakers: Arc::default(),
            tunnels: Arc::default(),
            ambient,
            waits: Waits::new(limits.store_queue),
            places: Semaphore::new(limits.store_queue.min(Semaphore::MAX_PERMITS)),
            stop: watch::Sender::new(false),
            config,
            secrets,
        }))
    }

    /// Has everything end that [`Shared::stopping`] ends.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Turns true when the server is to stop.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// A place among the requests at work on the store. Nobody keeps one while he waits for another provider:
    /// [`Shared::waits`] is for that.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none left.
    pub fn place(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.places.try_acquire().map_err(|_| Error::Unavailable {
            what: "the server is busy",
            retry_after: Duration::from_secs(1),
        })
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// A store of either kind, which `Debug` does not show.
#[derive(Clone)]
pub struct AnyStore(pub Arc<dyn Store>);

impl std::fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyStore(..)")
    }
}

impl std::ops::Deref for AnyStore {
    type Target = dyn Store;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A provider that is bound and has not begun to serve.
#[derive(Debug)]
pub struct Provider {
    shared: Arc<Shared>,
    assets: Arc<Assets>,
    listener: Listener,
    admin: AdminSocket,
    identity: TlsIdentity,
}

impl Provider {
    /// Opens the store (whose lock makes this the only process on the data directory), the keys, the certificate,
    /// and binds. Blocks for the files.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let data_dir = config.settings.data_dir.clone();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&data_dir.join("store"))?);
        Self::bind_on(config, store).await
    }

    /// As [`Self::bind`], on a store that is open already. The caller is the only one on the data directory.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind_on(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let data_dir = config.settings.data_dir.clone();
        let secrets = open_secrets(&*store, &config).await?;
        let tls_files = &config.settings.tls;
        let identity = TlsIdentity::load(&tls_files.certificate, &tls_files.key, &config.domain)?;
        let anchors = tls::load_anchors(&config.trust)?;
        let peers = PeerClient::new(
            PeerRules::from_config(&config),
            tls::client_config(&identity, &anchors)?,
        );
        let files = FilePeers::new(
            peers.clone(),
            &PeerRules::from_config(&config),
            tls::client_config(&identity, &anchors)?,
        );
        let listen = config.settings.listen;
        let tls = tls::server_config(&identity, &anchors)?;
        let listener = Listener::bind(listen, tls, Rules::from_config(&config))
            .await
            .map_err(|source| StartError::Listen {
                what: listen.to_string(),
                source,
            })?;
        let socket = socket_path(&data_dir);
        let admin = AdminSocket::bind(&socket).map_err(|source| StartError::Listen {
            what: socket.display().to_string(),
            source,
        })?;
        let parts = Parts {
            config,
            secrets,
            store: AnyStore(store),
            peers,
            ambient: Ambient::system(),
        };
        let shared = Shared::new(parts)?;
        let assets = Assets::open(Arc::clone(&shared), &data_dir, files).map_err(StartError::Files)?;
        Ok(Self {
            shared,
            assets: Arc::new(assets),
            listener,
            admin,
            identity,
        })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// What its handlers share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The certificate it presents, and the files to reload it from.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        let files = &self.shared.config.settings.tls;
        Reloader {
            identity: self.identity.clone(),
            domain: self.shared.domain.clone(),
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        }
    }

    /// Every route that it serves.
    pub fn routes(&self) -> Router {
        routes::all(&self.shared).merge(assets::routes(&self.assets))
    }

    /// Serves until `stop` turns true, then finishes what is in flight.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let all = self.routes();
        let Self {
            shared,
            assets,
            listener,
            admin,
            ..
        } = self;
        let mut beside = work(&shared);
        beside.spawn(admin.serve(
            Arc::clone(&shared.store.0),
            shared.domain.clone(),
            shared.stopping(),
        ));
        beside.spawn(assets::keep_tidy(Arc::clone(&assets)));
        drop(assets);
        let serving = listener.serve(all, shared.stopping());
        let told = async {
            // The sender's end means the same.
            let _ = stop.wait_for(|stop| *stop).await;
            shared.stop();
        };
        tokio::join!(serving, told);
        beside.join_all().await;
    }
}

/// Starts what a provider does by itself, beside its requests: fan-out, hints, deleting what is over. It ends when
/// [`Shared::stopping`] says so.
#[must_use]
pub fn work(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut beside = JoinSet::new();
    let outbox = Arc::new(outbox::Ready::default());
    beside.spawn(housekeeping(Arc::clone(shared)));
    // Listening starts before anything can change, so that nothing is missed.
    let hints = shared.store.watch();
    beside.spawn(pass_hints_on(Arc::clone(shared), hints, Arc::clone(&outbox)));
    beside.spawn(outbox::run(Arc::clone(shared), outbox));
    beside.spawn(outbox::expire(Arc::clone(shared)));
    beside
}

/// Renews the certificate of a running provider.
#[derive(Debug, Clone)]
pub struct Reloader {
    identity: TlsIdentity,
    domain: Domain,
    certificate: PathBuf,
    key: PathBuf,
}

impl Reloader {
    /// Reads the files again; on an error the old certificate stays.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self) -> Result<(), TlsError> {
        self.identity.reload(&self.certificate, &self.key, &self.domain)
    }
}

async fn open_secrets(store: &dyn Store, config: &Config) -> Result<Secrets, StartError> {
    let folder = config.settings.data_dir.join("keys");
    let absent = match store.setting(KEYS_MADE)? {
        Some(_) => WhenAbsent::Refuse,
        None => WhenAbsent::Make,
    };
    let secrets = Secrets::open(&folder, &config.domain, absent)?;
    if absent == WhenAbsent::Make {
        store.put_setting(KEYS_MADE, vec![1]).await?;
    }
    Ok(secrets)
}

/// Tells event streams and the outbox what the store hints at.
async fn pass_hints_on(
    shared: Arc<Shared>,
    mut hints: broadcast::Receiver<Hint>,
    outbox: Arc<outbox::Ready>,
) {
    let mut stop = shared.stopping();
    loop {
        let hint = tokio::select! {
            biased;
            hint = hints.recv() => hint,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match hint {
            Ok(Hint::Device(device)) => shared.wakers.wake(&device),
            Ok(Hint::Outbox { room, follower }) => outbox.add(&room, &follower),
            Err(RecvError::Lagged(_)) => {
                shared.wakers.wake_all();
                outbox.add_all();
            }
            // The store is gone with all its handles; nothing changes any more.
            Err(RecvError::Closed) => return,
        }
    }
}

/// Deletes what nobody needs any more and whose time is over.
async fn housekeeping(shared: Arc<Shared>) {
    let mut stop = shared.stopping();
    let days = &shared.config.settings.retention;
    let ms = |days: u32| u64::from(days).saturating_mul(DAY_MS);
    let retention = Retention {
        log_ms: ms(days.log_days),
        // A hub repeats a batch until it gives up; ours and others' patience is assumed to be alike.
        hashes_ms: ms(days.outbox_days.max(days.answers_days)),
        answers_ms: ms(days.answers_days),
    };
    loop {
        let (store, now) = (shared.store.clone(), shared.ambient.now());
        let round = shared.ambient.aside(move || store.expire(now, retention));
        match round.await {
            Ok(Ok(expired)) => tracing::debug!(?expired, "housekeeping done"),
            Ok(Err(error)) => tracing::warn!(%error, "housekeeping failed; it is tried again"),
            Err(error) => tracing::error!(%error, "housekeeping was interrupted"),
        }
        tokio::select! {
            () = tokio::time::sleep(HOUSEKEEPING) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
