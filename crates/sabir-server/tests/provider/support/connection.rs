use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use sabir_wire::client_api::{ApiError, ApiErrorCode, Event, FrameReader};
use sabir_wire::codec::Decode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::PATIENCE;
use super::tap::{Tap, Taped, Wire};
use super::town::Trust;

/// A raw HTTP/2 connection to a provider.
pub(crate) struct Connection {
    sender: SendRequest<Body>,
    host: String,
    pub(crate) exporter: [u8; 32],
    /// Whom the provider speaks to here, and where what it says is taken down.
    name: String,
    tap: Tap,
}

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn read<T: Decode>(&self) -> T {
        assert_eq!(self.status, 200, "{self:?}");
        T::from_bytes(&self.body).unwrap()
    }

    /// The client API's error, whose status must be the one it travels with.
    pub(crate) fn api_error(&self) -> ApiErrorCode {
        let error = ApiError::from_bytes(&self.body).unwrap();
        assert_eq!(self.status, error.code.http_status(), "{error:?}");
        error.code
    }
}

impl Connection {
    pub(crate) async fn open(trust: Trust, host: &str, address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let tls = TlsConnector::from(trust.config).connect(name, tcp).await.unwrap();
        let exporter = tls
            .get_ref()
            .1
            .export_keying_material([0; 32], sabir_wire::client_api::AUTH_EXPORTER_LABEL, None)
            .unwrap();
        Self::over(tls, host, exporter, trust.name, trust.tap).await
    }

    /// As [`Self::open`]; none where the provider closes at once.
    pub(crate) async fn try_open(trust: Trust, host: &str, address: SocketAddr) -> Option<Self> {
        let tcp = TcpStream::connect(address).await.ok()?;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let tls = TlsConnector::from(trust.config).connect(name, tcp).await.ok()?;
        Some(Self::over(tls, host, [0; 32], trust.name, trust.tap).await)
    }

    /// A connection to `host` through a stream that leads there.
    pub(crate) async fn open_through(
        trust: Trust,
        host: &str,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let tls = TlsConnector::from(trust.config)
            .connect(name, stream)
            .await
            .unwrap();
        Self::over(tls, host, [0; 32], trust.name, trust.tap).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
        exporter: [u8; 32],
        name: String,
        tap: Tap,
    ) -> Self {
        let record = tap.begin(host, &name, "wire".to_owned());
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(Wire { stream, record }))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            host: host.to_owned(),
            exporter,
            name,
            tap,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Taped<Incoming>> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let response = tokio::time::timeout(PATIENCE, self.sender.clone().send_request(request))
            .await
            .expect("answers in time")
            .unwrap();
        let (parts, body) = response.into_parts();
        let what = format!("answer {} to {line}", parts.status.as_u16());
        let record = self.tap.begin(&self.host, &self.name, what);
        let body = record.message(parts.status.as_str(), &parts.headers, body);
        Response::from_parts(parts, body)
    }

    /// Sends a request and reads its whole answer beside whatever else goes on; an error where the provider breaks off.
    pub(crate) fn start(&self, request: Request<Body>) -> JoinHandle<Answer> {
        let mut sender = self.sender.clone();
        tokio::spawn(async move {
            let response = sender.send_request(request).await.unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            Answer { status, body }
        })
    }

    /// As [`Self::start`], for the status alone: an answer may have no end.
    pub(crate) fn start_head(&self, request: Request<Body>) -> JoinHandle<u16> {
        let mut sender = self.sender.clone();
        tokio::spawn(async move { sender.send_request(request).await.unwrap().status().as_u16() })
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.host));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
            .body(Body::new(Full::new(Bytes::copy_from_slice(body))))
            .unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let response = self.send(self.request(method, path, headers, body)).await;
        let status = response.status().as_u16();
        let body = tokio::time::timeout(PATIENCE, response.into_body().collect())
            .await
            .expect("answers in time")
            .unwrap()
            .to_bytes();
        Answer { status, body }
    }

    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.ask(Method::POST, path, &[], body).await
    }

    /// Posts as the provider `from`.
    pub(crate) async fn post_from(&self, from: &str, path: &str, body: &[u8]) -> Answer {
        let from = format!("mimi@{from}");
        self.ask(Method::POST, path, &[("from", &from)], body).await
    }
}

/// An open event stream.
pub(crate) struct Stream {
    body: Taped<Incoming>,
    frames: FrameReader,
}

impl Stream {
    pub(crate) fn new(response: Response<Taped<Incoming>>) -> Self {
        assert_eq!(response.status().as_u16(), 200);
        Self {
            body: response.into_body(),
            frames: FrameReader::new(),
        }
    }

    /// The next event, keepalives included; `None` at the end of the stream, which must be between two frames.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.frames.next_event().unwrap() {
                return Some(event);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("events come in time");
            match frame {
                Some(frame) => {
                    if let Ok(bytes) = frame.unwrap().into_data() {
                        self.frames.push(&bytes);
                    }
                }
                None => {
                    assert!(!self.frames.is_inside_frame());
                    return None;
                }
            }
        }
    }
}
