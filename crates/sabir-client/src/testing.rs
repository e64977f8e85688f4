//! A provider for tests: real TLS, HTTP/2, certificates and signatures; rooms that relay without judging.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod hostile;
mod recovery;
mod rooms;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sabir_mls::identity::{Period, ProviderCa, ServerCredential};
use sabir_mls::keys::SigningKey;
use sabir_mls::observer::Observer;
use sabir_mls::suite;
use sabir_wire::client_api::*;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::device_list::SignedDeviceList;
use sabir_wire::mls::{CipherSuite, Credential, KeyPackage, SignaturePublicKey};
use sabir_wire::uri::{Domain, ProviderUri, UserUri};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::account::now;
use crate::invite::Invite;
use crate::random;
use crate::transport::Timing;

pub(crate) use hostile::Serving;

/// Authorities of all test providers' TLS.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) anchors: Vec<String>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let anchors = vec![BASE64.encode(certificate.der())];
        Self {
            issuer: Issuer::new(params, key),
            anchors,
        }
    }
}

/// What happens to the request with this number, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It is lost on its way.
    Before(usize),
    /// It is carried out and its answer is lost.
    After(usize),
}

/// What is lost of every request of a room when it comes for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    Requests,
    Answers,
}

#[derive(Default)]
pub(crate) struct State {
    /// Requests that carry something, as they came.
    pub(crate) requests: Vec<(String, Vec<u8>)>,
    pub(crate) fault: Option<Fault>,
    pub(crate) tunnels: BTreeMap<String, SocketAddr>,
    /// Answered instead of what a path would answer, once.
    pub(crate) instead: BTreeMap<String, (u16, Option<&'static str>, Vec<u8>)>,
    pub(crate) sign_ins: usize,
    pub(crate) loses: Option<Loss>,
    lost: std::collections::BTreeSet<Vec<u8>>,
    peers: BTreeMap<String, FakeProvider>,
    count: usize,
    answered: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    users: BTreeMap<String, Vec<u8>>,
    /// The newest device list of each person.
    pub(crate) lists: BTreeMap<String, SignedDeviceList>,
    devices: BTreeMap<String, Device>,
    nonces: Vec<[u8; 32]>,
    tokens: BTreeMap<Vec<u8>, String>,
    rooms: BTreeMap<String, Vec<String>>,
    /// The epoch of each room's next commit.
    epochs: BTreeMap<String, u64>,
    /// The tree of each room, followed as a hub does.
    observers: BTreeMap<String, Observer>,
    files: hostile::Files,
    /// What lies here for each person's recovery code.
    pub(crate) backups: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct Device {
    user: String,
    credential: Option<Credential>,
    key: Vec<u8>,
    packages: Vec<Vec<u8>>,
    events: Vec<Event>,
    stream: Option<mpsc::UnboundedSender<Bytes>>,
    /// What every event stream begins with, whatever it means.
    prelude: Vec<u8>,
    /// How often a stream was opened.
    opened: usize,
    acknowledged: u64,
}

impl State {
    /// This happens to a request from now on.
    pub(crate) fn restart(&mut self, fault: Fault) {
        self.count = 0;
        self.fault = Some(fault);
    }
}

/// A provider that runs until it is dropped.
#[derive(Clone)]
pub(crate) struct FakeProvider(Arc<Shared>);

struct Shared {
    domain: Domain,
    address: SocketAddr,
    ca: ProviderCa,
    hub_key: SigningKey,
    hub: HubIdentity,
    state: Mutex<State>,
}

impl FakeProvider {
    pub(crate) async fn start(domain: &str, authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let domain = Domain::parse(domain).unwrap();
        let mut rng = random::stream().unwrap();
        let ca = ProviderCa::generate(&domain, now().unwrap(), &mut rng).unwrap();
        let hub_key = SigningKey::ed25519(&mut rng).unwrap();
        let certificate = ca.issue_server(hub_key.public(), year(), &mut rng).unwrap();
        let hub = HubIdentity {
            key: SignaturePublicKey(hub_key.public().to_vec()),
            credential: ServerCredential::new(&certificate).unwrap().to_credential(),
        };
        let shared = Arc::new(Shared {
            domain: domain.clone(),
            address: listener.local_addr().unwrap(),
            ca,
            hub_key,
            hub,
            state: Mutex::default(),
        });
        let acceptor = acceptor(domain.as_str(), authority);
        let this = Self(shared);
        let server = this.clone();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::spawn(server.clone().serve(tcp, acceptor.clone()));
            }
        });
        this
    }

    pub(crate) fn invite(&self, token: &str) -> Invite {
        Invite::parse(&format!(
            "https://{}/invite/{token}#connect={}",
            self.0.domain, self.0.address
        ))
        .unwrap()
    }

    /// The certificate of its identity CA.
    pub(crate) fn authority_der(&self) -> Vec<u8> {
        self.0.ca.certificate().to_vec()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Has a request be lost, counted from the next one on.
    pub(crate) fn fault_from_now(&self, fault: Fault) {
        let mut state = self.state();
        let so_far = state.count;
        state.fault = Some(match fault {
            Fault::Before(number) => Fault::Before(so_far + number),
            Fault::After(number) => Fault::After(so_far + number),
        });
    }

    /// Bodies that came to a path, in order.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        let state = self.state();
        let of_path = state.requests.iter().filter(|(at, _)| at.starts_with(path));
        of_path.map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn acknowledged(&self, client: &str) -> u64 {
        self.state().devices[client].acknowledged
    }

    /// Ends every event stream.
    pub(crate) fn cut_streams(&self) {
        for device in self.state().devices.values_mut() {
            device.stream = None;
        }
    }

    /// Forgets every token.
    pub(crate) fn revoke_tokens(&self) {
        self.state().tokens.clear();
    }

    async fn serve(self, tcp: TcpStream, acceptor: TlsAcceptor) {
        let Ok(tls) = acceptor.accept(tcp).await else {
            return;
        };
        let exporter: [u8; 32] = tls
            .get_ref()
            .1
            .export_keying_material([0; 32], AUTH_EXPORTER_LABEL, None)
            .unwrap();
        let service = service_fn(move |request| {
            let this = self.clone();
            async move { this.handle(request, exporter).await }
        });
        let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = http.serve_connection(TokioIo::new(tls), service).await;
    }

    async fn handle(&self, request: Request<Incoming>, exporter: [u8; 32]) -> Result<Response<Answer>, Lost> {
        if request.method() == Method::CONNECT {
            return Ok(self.tunnel(request));
        }
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_get = request.method() == Method::GET;
        let token = request.headers().get("authorization").cloned();
        let body = request
            .into_body()
            .collect()
            .await
            .map_err(|_| Lost)?
            .to_bytes()
            .to_vec();
        let (lose_before, lose_after) = {
            let mut state = self.state();
            if !is_get && path != path::CHALLENGE && path != path::SIGN_IN {
                state.requests.push((path.clone(), body.clone()));
            }
            state.count += 1;
            let number = state.count;
            (
                state.fault == Some(Fault::Before(number)),
                state.fault == Some(Fault::After(number)),
            )
        };
        if lose_before {
            return Err(Lost);
        }
        let loses = self.state().loses.filter(|_| is_room_request(&path));
        let loses = loses.filter(|_| self.state().lost.insert(body.clone()));
        if loses == Some(Loss::Requests) {
            return Err(Lost);
        }
        let client = self.client_of(token.as_ref());
        let response = self.answer(&path, &query, is_get, &body, client, exporter);
        if lose_after || loses == Some(Loss::Answers) {
            Err(Lost)
        } else {
            Ok(response)
        }
    }

    fn client_of(&self, token: Option<&hyper::header::HeaderValue>) -> Option<String> {
        let token = token?.to_str().ok()?.strip_prefix("Bearer ")?;
        self.state()
            .tokens
            .get(&BASE64URL_NOPAD.decode(token.as_bytes()).ok()?)
            .cloned()
    }

    fn answer(
        &self,
        path: &str,
        query: &str,
        is_get: bool,
        body: &[u8],
        client: Option<String>,
        exporter: [u8; 32],
    ) -> Response<Answer> {
        if let Some((status, retry_after, body)) = self.state().instead.remove(path) {
            let mut response = Response::builder().status(status);
            if let Some(after) = retry_after {
                response = response.header("retry-after", after);
            }
            return response.body(Answer::Whole(Some(body.into()))).unwrap();
        }
        match path {
            "/.well-known/mimi-protocol-directory" => {
                let ca = BASE64.encode(self.0.ca.certificate());
                return whole(format!("{{\"org.sabir.providerCa\":\"{ca}\"}}").into_bytes());
            }
            path::CHALLENGE => return whole(self.challenge()),
            path::SIGN_IN => return self.sign_in(body, exporter),
            path::ACCOUNTS | path::RECOVER => return whole(self.once(path, body)),
            path::DEVICES if !is_get => return whole(self.once(path, body)),
            _ => {}
        }
        let Some(client) = client else {
            return refused(ApiErrorCode::UNAUTHORIZED);
        };
        match (path, is_get) {
            (path::DEVICES, true) => whole(self.devices_of(&client)),
            (path::HUB, true) => whole(self.0.hub.to_bytes()),
            (path::KEY_PACKAGES, true) => {
                let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
                for package in &self.state().devices[&client].packages {
                    let suite = KeyPackage::from_bytes(package).unwrap().cipher_suite;
                    *counts.entry(suite.0).or_default() += 1;
                }
                let counts = counts.into_iter().map(|(suite, available)| KeyPackageCount {
                    suite: CipherSuite(suite),
                    available,
                });
                let counts = counts.collect();
                whole(KeyPackageCountResponse { counts }.to_bytes())
            }
            (path::KEY_PACKAGES, false) => whole(self.publish(&client, body)),
            (path::EVENTS, true) => self.events(&client, query),
            (path::BACKUP, is_get) => whole(self.backup(&client, is_get, body)),
            (path::ACK, false) => {
                let cursor = AckRequest::from_bytes(body).unwrap().cursor;
                self.state().devices.get_mut(&client).unwrap().acknowledged = cursor;
                whole(Vec::new())
            }
            _ if hostile::is_file(path) => self.file(path, is_get, body),
            _ => match self.room_request(&client, path, body) {
                Some(answer) => whole(answer),
                None => refused(ApiErrorCode::NOT_FOUND),
            },
        }
    }

    /// Answers the same bytes with the same answer.
    fn once(&self, path: &str, body: &[u8]) -> Vec<u8> {
        let key = (path.to_owned(), body.to_vec());
        if let Some(answer) = self.state().answered.get(&key) {
            return answer.clone();
        }
        let answer = match path {
            path::ACCOUNTS => self.create_account(body),
            path::RECOVER => self.recover(body),
            _ => self.register(body),
        };
        self.state().answered.insert(key, answer.clone());
        answer
    }

    fn create_account(&self, body: &[u8]) -> Vec<u8> {
        let request = CreateAccountRequest::from_bytes(body).unwrap();
        let provider = ProviderUri::from(&self.0.domain);
        let label = CreateAccountRequest::SIGNATURE_LABEL;
        suite::verify_ed25519(
            &request.identity_key.0,
            label,
            &request.tbs(&provider),
            &request.signature,
        )
        .unwrap();
        let user = UserUri::new(&self.0.domain, &request.user_name).unwrap();
        if request.invite_token.expose() == b"used" {
            return CreateAccountResponse::InviteUsed.to_bytes();
        }
        if self.state().users.contains_key(user.as_str()) {
            return CreateAccountResponse::NameTaken.to_bytes();
        }
        let mut rng = random::stream().unwrap();
        let commitment = request.recovery_commitment;
        let certificate = self
            .0
            .ca
            .issue_user(&user, &request.identity_key.0, commitment, year(), &mut rng)
            .unwrap();
        self.state().users.insert(user.to_string(), certificate.clone());
        CreateAccountResponse::Created {
            user_certificate: certificate,
            provider_ca: self.0.ca.certificate().to_vec(),
        }
        .to_bytes()
    }

    fn register(&self, body: &[u8]) -> Vec<u8> {
        let request = RegisterDeviceRequest::from_bytes(body).unwrap();
        let credential = sabir_mls::identity::ClientCredential::from_credential(&request.credential).unwrap();
        let Credential::X509 { certificates } = &request.credential else {
            panic!("x509")
        };
        let user = credential.claimed_user().to_string();
        let mut state = self.state();
        assert_eq!(state.users[&user], certificates[1]);
        let client = credential.claimed_client().to_string();
        let public = credential.claimed_device_key().to_vec();
        let label = RegisterDeviceRequest::SIGNATURE_LABEL;
        let tbs = request.tbs(&ProviderUri::from(&self.0.domain));
        suite::verify_ed25519(&public, label, &tbs, &request.signature).unwrap();
        state.lists.insert(user.clone(), request.device_list);
        let device = Device {
            user,
            credential: Some(request.credential),
            key: public,
            ..Device::default()
        };
        assert!(state.devices.insert(client, device).is_none(), "registered twice");
        RegisterDeviceResponse {
            code: RegisterDeviceCode::Registered,
        }
        .to_bytes()
    }

    fn devices_of(&self, client: &str) -> Vec<u8> {
        let state = self.state();
        let user = &state.devices[client].user;
        let of_user = state.devices.values().filter(|device| device.user == *user);
        let listed = of_user.map(|device| ListedDevice {
            credential: device.credential.clone().unwrap(),
            added_at: 1,
        });
        DevicesResponse {
            device_list: state.lists[user].clone(),
            devices: listed.collect(),
        }
        .to_bytes()
    }

    fn challenge(&self) -> Vec<u8> {
        let mut nonce = [0; 32];
        random::fill(&mut nonce).unwrap();
        self.state().nonces.push(nonce);
        ClientAuthChallenge {
            nonce,
            expires_at: u64::MAX,
        }
        .to_bytes()
    }

    fn sign_in(&self, body: &[u8], exporter: [u8; 32]) -> Response<Answer> {
        let request = SignInRequest::from_bytes(body).unwrap();
        let mut state = self.state();
        let known = state.nonces.iter().position(|nonce| *nonce == request.nonce);
        let Some(at) = known else {
            return refused(ApiErrorCode::UNAUTHORIZED);
        };
        state.nonces.remove(at);
        let tbs = request.tbs(&ProviderUri::from(&self.0.domain), exporter);
        let Some(device) = state.devices.get(request.client.as_str()) else {
            return refused(ApiErrorCode::UNAUTHORIZED);
        };
        let label = ClientAuthTbs::SIGNATURE_LABEL;
        if suite::verify_ed25519(&device.key, label, &tbs, &request.signature).is_err() {
            return refused(ApiErrorCode::UNAUTHORIZED);
        }
        let token = request.nonce.to_vec();
        state.tokens.insert(token.clone(), request.client.to_string());
        state.sign_ins += 1;
        whole(
            SignInResponse {
                token: SecretBytes::new(token),
                expires_at: u64::MAX,
            }
            .to_bytes(),
        )
    }

    fn publish(&self, client: &str, body: &[u8]) -> Vec<u8> {
        let request = PublishKeyPackagesRequest::from_bytes(body).unwrap();
        let mut state = self.state();
        let device = state.devices.get_mut(client).unwrap();
        let mut accepted = 0;
        for package in request.key_packages {
            let package = package.to_bytes();
            if !device.packages.contains(&package) {
                device.packages.push(package);
                accepted += 1;
            }
        }
        PublishKeyPackagesResponse {
            accepted,
            available: u32::try_from(device.packages.len()).unwrap(),
        }
        .to_bytes()
    }

    fn events(&self, client: &str, query: &str) -> Response<Answer> {
        let after: u64 = query.strip_prefix("after=").unwrap().parse().unwrap();
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.state();
        let device = state.devices.get_mut(client).unwrap();
        device.opened += 1;
        if !device.prelude.is_empty() {
            let _ = sender.send(device.prelude.clone().into());
        }
        for event in device.events.iter().filter(|event| event.cursor > after) {
            send(&sender, event);
        }
        send(
            &sender,
            &Event {
                cursor: after,
                body: EventBody::Keepalive,
            },
        );
        device.stream = Some(sender);
        Response::new(Answer::Stream(receiver))
    }

    fn tunnel(&self, request: Request<Incoming>) -> Response<Answer> {
        let target = request.uri().authority().unwrap().to_string();
        let authorized = self.client_of(request.headers().get("authorization")).is_some();
        let address = self.state().tunnels.get(&target).copied();
        let (true, Some(address)) = (authorized, address) else {
            return refused(ApiErrorCode::FORBIDDEN);
        };
        tokio::spawn(async move {
            let mut near = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
            let mut far = TcpStream::connect(address).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        whole(Vec::new())
    }
}

fn is_room_request(path: &str) -> bool {
    let prefixes = [path::UPDATE, path::SUBMIT_MESSAGE, path::KEY_MATERIAL];
    path == path::ROOMS || prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// Short waits, for tests.
pub(crate) fn quick() -> Timing {
    let second = std::time::Duration::from_secs(1);
    Timing {
        first_wait: second / 100,
        longest_wait: second / 10,
        request: 5 * second,
        report_delay: second / 20,
        report_pause: second / 5,
        ..Timing::default()
    }
}

fn send(stream: &mpsc::UnboundedSender<Bytes>, event: &Event) {
    let mut frame = Vec::new();
    put_frame(&mut frame, event);
    // In two pieces, since frames need not respect anything.
    let rest = frame.split_off(frame.len() / 2);
    let _ = stream.send(frame.into());
    let _ = stream.send(rest.into());
}

fn year() -> Period {
    Period {
        now: now().unwrap(),
        lifetime: 365 * 24 * 3_600_000,
    }
}

fn acceptor(domain: &str, authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![domain.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn whole(body: Vec<u8>) -> Response<Answer> {
    Response::new(Answer::Whole(Some(body.into())))
}

fn refused(code: ApiErrorCode) -> Response<Answer> {
    let mut response = whole(
        ApiError {
            code,
            text: String::new(),
        }
        .to_bytes(),
    );
    *response.status_mut() = StatusCode::from_u16(code.http_status()).unwrap();
    response
}

/// The request or its answer is lost.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lost")
    }
}

impl std::error::Error for Lost {}

enum Answer {
    Whole(Option<Bytes>),
    Stream(mpsc::UnboundedReceiver<Bytes>),
    /// The same bytes again and again.
    Endless(Bytes),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream(receiver) => receiver
                .poll_recv(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Endless(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes.clone())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}
