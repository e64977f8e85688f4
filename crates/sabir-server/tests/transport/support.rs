//! A private authority, a provider with small test endpoints, and a raw HTTP/2 client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::{Request, Response, StatusCode};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sabir_server::directory::{Directory, Endpoint};
use sabir_server::http::{
    BodyRules, ConnectionRules, Context, Listener, Payload, PeerIdentity, Rules, at_most, directory_routes,
};
use sabir_server::peer::{PeerClient, PeerRules};
use sabir_server::tls::{self, TlsIdentity};
use sabir_wire::uri::Domain;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Longer than anything here should take; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// A certification authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn anchors(&self) -> Arc<RootCertStore> {
        let mut store = RootCertStore::empty();
        store.add(self.0.der().clone()).unwrap();
        Arc::new(store)
    }

    /// An ordinary server certificate, as public authorities issue them.
    pub(crate) fn identity(&self, names: &[&str]) -> TlsIdentity {
        self.identity_with(names, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    pub(crate) fn identity_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> TlsIdentity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let first = domain(&names[0]);
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        TlsIdentity::new(vec![cert.der().clone()], key, &first).unwrap()
    }
}

pub(crate) fn rules(ours: &str) -> Rules {
    Rules {
        connections: 100,
        connections_per_ip: 100,
        body_memory_per_ip: 1_000_000,
        connection: ConnectionRules {
            domain: domain(ours),
            streams: 16,
            header_bytes: 8192,
            handshake: PATIENCE,
            idle: PATIENCE,
            age: PATIENCE,
            keep_alive: PATIENCE,
            drain: Duration::from_secs(5),
            body: BodyRules {
                limit: 1000,
                timeout: PATIENCE,
                memory: Arc::new(Semaphore::new(1_000_000)),
            },
        },
    }
}

/// A running provider with test endpoints.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    pub(crate) connections_seen: Arc<AtomicUsize>,
}

impl Provider {
    pub(crate) async fn start(authority: &Authority, name: &str) -> Self {
        Self::start_with(authority, rules(name)).await
    }

    pub(crate) async fn start_with(authority: &Authority, rules: Rules) -> Self {
        let name = rules.connection.domain.clone();
        let identity = authority.identity(&[name.as_str()]);
        let tls = tls::server_config(&identity, &authority.anchors()).unwrap();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), tls, rules)
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let connections_seen = Arc::new(AtomicUsize::new(0));
        let serving = tokio::spawn(listener.serve(app(&name, Arc::clone(&connections_seen)), stopped));
        Self {
            address,
            stop,
            serving,
            connections_seen,
        }
    }

    pub(crate) fn order_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) async fn stopped(self) {
        self.order_stop();
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("stops in time")
            .unwrap();
    }
}

/// `notify` says who sent what; `/slow` answers late; `/whoami` shows the context.
fn app(name: &Domain, connections_seen: Arc<AtomicUsize>) -> Router {
    let notify = |PeerIdentity(peer): PeerIdentity, payload: Payload| async move {
        (StatusCode::CREATED, format!("{peer} {}", payload.bytes().len()))
    };
    let last = Arc::new(std::sync::Mutex::new(None));
    let whoami = move |context: Context| async move {
        let mut last = last.lock().unwrap();
        if last.replace(context.remote) != Some(context.remote) {
            connections_seen.fetch_add(1, Ordering::SeqCst);
        }
        let exporter: String = context.exporter().iter().map(|b| format!("{b:02x}")).collect();
        format!("{:?} {exporter}", context.peer_domains())
    };
    let slow = |Path(milliseconds): Path<u64>| async move {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        "done"
    };
    Router::new()
        .route(&Endpoint::Notify.route(), post(notify))
        .route(&Endpoint::Update.route(), post(whoami.clone()))
        .route(
            "/client/v1/devices",
            at_most(5, post(|_: PeerIdentity, _: Payload| async {})),
        )
        .route("/client/v1/accounts", at_most(5, post(|_: Payload| async {})))
        .route("/whoami", get(whoami))
        .route(
            "/upload",
            post(|payload: Payload| async move { payload.bytes().len().to_string() }),
        )
        .route("/slow/{milliseconds}", get(slow))
        .merge(directory_routes(&Directory::ours(
            name,
            &[Endpoint::Notify, Endpoint::Update],
            Some(vec![1, 2]),
        )))
}

/// A client without a certificate, as devices are.
pub(crate) fn device_tls(authority: &Authority) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(authority.anchors())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

pub(crate) fn peer_tls(authority: &Authority, name: &str) -> Arc<ClientConfig> {
    tls::client_config(&authority.identity(&[name]), &authority.anchors()).unwrap()
}

pub(crate) type TlsClient = tokio_rustls::client::TlsStream<TcpStream>;

pub(crate) async fn connect_tls(tls: Arc<ClientConfig>, address: SocketAddr) -> std::io::Result<TlsClient> {
    let tcp = TcpStream::connect(address).await?;
    TlsConnector::from(tls)
        .connect(ServerName::try_from("a.example").unwrap(), tcp)
        .await
}

/// A raw HTTP/2 connection, which can send what `PeerClient` never would.
pub(crate) struct Raw {
    sender: SendRequest<axum::body::Body>,
    pub(crate) exporter: [u8; 32],
}

impl Raw {
    pub(crate) async fn connect(
        tls: Arc<ClientConfig>,
        address: SocketAddr,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let tls = connect_tls(tls, address).await?;
        let exporter = tls.get_ref().1.export_keying_material(
            [0; 32],
            sabir_wire::client_api::AUTH_EXPORTER_LABEL,
            None,
        )?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(tls))
            .await?;
        tokio::spawn(connection);
        let mut raw = Self { sender, exporter };
        // With TLS 1.3 a server's refusal of our certificate arrives with the first answer.
        raw.get("https://a.example/nothing").await?;
        Ok(raw)
    }

    pub(crate) async fn get(&mut self, uri: &str) -> Result<Response<Incoming>, hyper::Error> {
        self.send(Request::get(uri).body(axum::body::Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<axum::body::Body>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        tokio::time::timeout(PATIENCE, self.sender.send_request(request))
            .await
            .expect("answers in time")
    }

    /// Posts to `notify` with these `From` headers.
    pub(crate) async fn notify(&mut self, from: &[&str], body: Vec<u8>) -> Response<Incoming> {
        let mut request = Request::post("https://a.example/mimi/v1/notify/r");
        for value in from {
            request = request.header("from", *value);
        }
        let body = axum::body::Body::new(Full::new(Bytes::from(body)));
        self.send(request.body(body).unwrap()).await.unwrap()
    }
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn peer_client(authority: &Authority, ours: &str, peers: &[(&str, SocketAddr)]) -> PeerClient {
    let resolve: BTreeMap<Domain, SocketAddr> = peers.iter().map(|(name, at)| (domain(name), *at)).collect();
    peer_client_with(
        authority,
        PeerRules {
            domain: domain(ours),
            resolve,
            allow_private: false,
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            keep_alive: PATIENCE,
            response_bytes: 10_000,
            directory_ttl: Duration::from_secs(60),
        },
    )
}

pub(crate) fn peer_client_with(authority: &Authority, rules: PeerRules) -> PeerClient {
    let tls = peer_tls(authority, rules.domain.as_str());
    PeerClient::new(rules, tls)
}
