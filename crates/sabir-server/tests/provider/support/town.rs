use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore};
use sabir_server::admin::{self, Invite, Reply};
use sabir_server::config::Config;
use sabir_server::server::{Provider, Shared};
use sabir_server::tls::{self, TlsIdentity};
use sabir_store::{MemoryStore, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::door::Door;
use super::tap::Tap;
use super::{PATIENCE, domain};

/// Providers on loopback under one authority. Their files go with it.
pub(crate) struct Town {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
    addresses: BTreeMap<String, SocketAddr>,
    /// Where providers find each other when their traffic is taken down.
    doors: BTreeMap<String, SocketAddr>,
    /// What providers send to devices and raw connections of tests and, with doors, to each other.
    pub(crate) tap: Tap,
}

/// What an end of a connection trusts and presents, its name, and where what it receives is taken down.
#[derive(Clone)]
pub(crate) struct Trust {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: String,
    pub(crate) tap: Tap,
}

/// A running provider.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Town {
    /// The bytes of every file of every provider.
    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    files.push(std::fs::read(path).unwrap());
                }
            }
        }
        files
    }

    /// Prepares providers of these domains.
    pub(crate) fn new(domains: &[&str]) -> Self {
        if let Ok(filter) = std::env::var("SABIRD_LOG") {
            let _ = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(false)
                .try_init();
        }
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // All at once, so that no port is given twice.
        let listeners: Vec<_> = domains
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let addresses = domains
            .iter()
            .zip(&listeners)
            .map(|(name, listener)| ((*name).to_owned(), listener.local_addr().unwrap()))
            .collect();
        let town = Self {
            authority,
            folder,
            addresses,
            doors: BTreeMap::new(),
            tap: Tap::default(),
        };
        for name in domains {
            town.write_files(name);
        }
        town
    }

    /// As [`Self::new`], with a door in front of each provider: all that they send to each other is taken down.
    pub(crate) async fn with_doors(domains: &[&str]) -> Self {
        let mut town = Self::new(domains);
        for name in domains {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            town.doors
                .insert((*name).to_owned(), listener.local_addr().unwrap());
            let anchors = Arc::new(town.anchors());
            let door = Door {
                host: (*name).to_owned(),
                behind: town.addresses[*name],
                tls: tls::server_config(&town.identity(name), &anchors).unwrap(),
                callers: domains
                    .iter()
                    .map(|caller| ((*caller).to_owned(), town.peer_tls(caller)))
                    .collect(),
                nobody: town.device_tls(),
            };
            tokio::spawn(door.serve(listener));
        }
        town
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_files(&self, name: &str) {
        let tls = self.data(name).join("tls");
        fs::create_dir_all(&tls).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec![name.to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &self.authority)
            .unwrap();
        fs::write(tls.join("cert.pem"), certificate.pem()).unwrap();
        fs::write(tls.join("key.pem"), key.serialize_pem()).unwrap();
        fs::write(tls.join("ca.pem"), self.authority.pem()).unwrap();
    }

    pub(crate) fn config(&self, name: &str) -> Config {
        Config::parse(&self.config_text(name)).unwrap()
    }

    pub(crate) fn config_text(&self, name: &str) -> String {
        let mut text = format!(
            "domain = {name:?}\nlisten = \"{}\"\ndata_dir = {:?}\n[tls]\ntrust = \"tls/ca.pem\"\n\
             [timeouts]\nkeep_alive_seconds = 1\ndrain_seconds = 5\n[peers.resolve]\n",
            self.addresses[name],
            self.data(name)
        );
        for (other, address) in &self.addresses {
            let address = self.doors.get(other).unwrap_or(address);
            text.push_str(&format!("{other:?} = \"{address}\"\n"));
        }
        text
    }

    /// Starts a provider on its files.
    pub(crate) async fn start(&self, name: &str) -> Running {
        Running::serve(Provider::bind(self.config(name)).await.unwrap())
    }

    /// Starts a provider with more settings: sections that [`Self::config`] does not have.
    pub(crate) async fn start_with(&self, name: &str, settings: &str) -> Running {
        let config = Config::parse(&format!("{}{settings}", self.config_text(name))).unwrap();
        Running::serve(Provider::bind(config).await.unwrap())
    }

    /// Starts a provider on a store in memory, which can be made to fail.
    pub(crate) async fn start_on(&self, name: &str, store: &Arc<MemoryStore>) -> Running {
        let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
        Running::serve(Provider::bind_on(self.config(name), store).await.unwrap())
    }

    /// As [`Self::start_on`], with a configuration that may differ from [`Self::config`].
    pub(crate) async fn start_as(&self, config: Config, store: &Arc<MemoryStore>) -> (Running, Router) {
        let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
        let provider = Provider::bind_on(config, store).await.unwrap();
        let routes = provider.routes();
        (Running::serve(provider), routes)
    }

    /// What a device trusts: the authority, and it presents nothing.
    pub(crate) fn device_tls(&self) -> Trust {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.anchors())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        self.trust(Arc::new(config), "a device")
    }

    /// What a provider of this name presents.
    pub(crate) fn peer_tls(&self, name: &str) -> Trust {
        let config = tls::client_config(&self.identity(name), &Arc::new(self.anchors())).unwrap();
        self.trust(config, name)
    }

    fn trust(&self, config: Arc<ClientConfig>, name: &str) -> Trust {
        Trust {
            config,
            name: name.to_owned(),
            tap: self.tap.clone(),
        }
    }

    fn identity(&self, name: &str) -> TlsIdentity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        TlsIdentity::new(vec![certificate.der().clone()], key, &domain(name)).unwrap()
    }

    fn anchors(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(self.authority.der().clone()).unwrap();
        store
    }
}

impl Running {
    fn serve(provider: Provider) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self {
            shared: Arc::clone(provider.shared()),
            address: provider.local_addr().unwrap(),
            stop,
            serving: tokio::spawn(provider.serve(stopped)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.shared.domain.as_str()
    }

    /// An invite's token, as `sabird invite create` gives it.
    pub(crate) async fn invite(&self, uses: u32) -> String {
        let request = admin::Request::InviteCreate { uses, days: 1 };
        let answer = admin::answer(&self.shared.store.0, &self.shared.domain, request).await;
        let Reply::Ok(value) = answer else {
            panic!("{answer:?}")
        };
        serde_json::from_value::<Invite>(value).unwrap().token
    }

    /// Waits until nothing is in its outbox.
    pub(crate) async fn settled(&self) {
        let empty = async {
            while self.shared.store.outbox_due_after(0).unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, empty).await.expect("settles");
    }

    /// Stops it gracefully and waits until it is gone.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("stops in time")
            .unwrap();
        // What was cut off is dropped by tasks of its own, which a busy machine may run a little later.
        let held = async {
            while Arc::strong_count(&self.shared) > 1 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, held)
            .await
            .expect("nobody holds the provider any more");
    }
}
