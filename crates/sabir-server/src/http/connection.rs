use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sabir_wire::client_api::path;
use sabir_wire::uri::Domain;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::body::{AddressMemory, BodyRules};
use super::client_errors;
use super::context::{Context, check_host};
use super::cork::cork;
use super::tunnel;
use crate::error::{Error, REFUSED, log_refused};
use crate::tls::Peer;

/// Streams that the other end reset before they were looked at; one more ends the connection ("rapid reset").
const PENDING_RESETS: usize = 20;
/// Streams that we had to reset for the other end's faults; one more ends the connection.
const ERROR_RESETS: usize = 256;
/// What the other end may send on a stream, and on all streams of a connection, before we have taken it.
const STREAM_WINDOW: u32 = 1 << 20;
/// As above.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bounds of one connection.
#[derive(Debug, Clone)]
pub struct ConnectionRules {
    /// Our domain, which every request must name.
    pub domain: Domain,
    /// Requests in flight.
    pub streams: u32,
    /// Header fields of a request, in bytes.
    pub header_bytes: u32,
    /// The TLS handshake.
    pub handshake: Duration,
    /// Without a request in flight.
    pub idle: Duration,
    /// In all, so that renewed certificates take effect.
    pub age: Duration,
    /// Between liveness probes; an unanswered one ends the connection after the same time again.
    pub keep_alive: Duration,
    /// For the requests in flight when the connection is to end.
    pub drain: Duration,
    /// Bodies.
    pub body: BodyRules,
}

/// Who is at the other end, before anything is proved.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) address: SocketAddr,
    /// What the bodies of its address share.
    pub(super) memory: AddressMemory,
}

/// Serves one accepted connection to its end. `stop` turns true when the server is to stop.
pub(super) async fn serve(
    tcp: TcpStream,
    remote: Remote,
    acceptor: TlsAcceptor,
    app: Router,
    rules: Arc<ConnectionRules>,
    mut stop: watch::Receiver<bool>,
) {
    // Small frames of several streams share packets by HTTP/2's own means; waiting for more only adds latency.
    let _ = tcp.set_nodelay(true);
    let tls = tokio::select! {
        tls = timeout(rules.handshake, acceptor.accept(tcp)) => tls,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let tls = match tls {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return tracing::debug!(%error, "tls handshake failed"),
        Err(_) => return tracing::debug!("tls handshake timed out"),
    };
    match Peer::of(tls.get_ref().1) {
        Ok(peer) => requests(tls, remote, peer, app, rules, stop).await,
        Err(error) => tracing::debug!(%error, "connection refused"),
    }
}

async fn requests(
    tls: TlsStream<TcpStream>,
    remote: Remote,
    peer: Peer,
    app: Router,
    rules: Arc<ConnectionRules>,
    mut stop: watch::Receiver<bool>,
) {
    let activity = Arc::new(Activity::default());
    let context = Context {
        remote: remote.address,
        peer: Arc::new(peer),
    };
    let memory = remote.memory;
    let app = TowerToHyperService::new(app);
    let gate = {
        let (rules, activity) = (Arc::clone(&rules), Arc::clone(&activity));
        service_fn(move |mut request: Request<Incoming>| {
            let busy = activity.begin();
            let hosted = if request.method() == Method::CONNECT {
                tunnel::name_target(&mut request)
            } else {
                check_host(request.uri(), request.headers(), &rules.domain)
            };
            let is_head = request.method() == Method::HEAD;
            let for_device = request.uri().path().starts_with(path::PREFIX);
            request.extensions_mut().insert(context.clone());
            request.extensions_mut().insert(rules.body.clone());
            request.extensions_mut().insert(memory.clone());
            let app = app.clone();
            async move {
                let response = match hosted {
                    Err(refused) => refused.into_response(),
                    Ok(()) => match app.call(request.map(Body::new)).await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    },
                };
                let response = if for_device {
                    client_errors::told(response)
                } else {
                    response
                };
                log_refusal(&response);
                // An answer to HEAD with a body breaks the stream (RFC 9113 §8.1.1).
                let response = if is_head {
                    response.map(|_| Body::empty())
                } else {
                    response
                };
                Ok::<Response<Busy>, Infallible>(response.map(|body| Busy { body, _busy: busy }))
            }
        })
    };
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(rules.streams)
        .max_header_list_size(rules.header_bytes)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(ERROR_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(rules.keep_alive)
        .keep_alive_timeout(rules.keep_alive);
    let (stream, cork) = cork(tls);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), gate));

    let end = tokio::select! {
        end = cork.drive(connection.as_mut()) => Some(end),
        () = activity.idle_for(rules.idle) => None,
        () = tokio::time::sleep(rules.age) => None,
        _ = stop.wait_for(|stop| *stop) => None,
    };
    let end = match end {
        Some(end) => Ok(end),
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(rules.drain, cork.drive(connection.as_mut())).await
        }
    };
    match end {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "connection ended"),
        Err(_) => tracing::debug!("connection cut after its time to drain"),
    }
}

/// Every refusal leaves here, whichever layer it is of; so here it is logged, once and with the status that it has.
fn log_refusal(response: &Response<Body>) {
    let status = response.status();
    match response.extensions().get::<Error>() {
        Some(error) => error.log(status, REFUSED),
        None if status.is_client_error() || status.is_server_error() => {
            log_refused("by the router", status.as_u16(), None);
        }
        None => {}
    }
}

/// How many requests are in flight, and since when there are none.
#[derive(Debug)]
struct Activity {
    state: Mutex<(usize, Instant)>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            state: Mutex::new((0, Instant::now())),
        }
    }
}

impl Activity {
    fn begin(self: &Arc<Self>) -> InFlight {
        self.change(|n| n.saturating_add(1));
        InFlight(Arc::clone(self))
    }

    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = (change(state.0), Instant::now());
    }

    /// Completes when no request was in flight for `idle`.
    async fn idle_for(&self, idle: Duration) {
        loop {
            let (in_flight, since) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let from = if in_flight == 0 { since } else { Instant::now() };
            let Some(due) = from.checked_add(idle) else {
                return std::future::pending().await;
            };
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// One request, until the last byte of its response is handed over.
#[derive(Debug)]
struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.change(|n| n.saturating_sub(1));
    }
}

/// A response's body that counts as a request in flight while it is being sent.
#[derive(Debug)]
struct Busy {
    body: Body,
    _busy: InFlight,
}

impl HttpBody for Busy {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
