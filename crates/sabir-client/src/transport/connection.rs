//! Making the connection, keeping it, and waiting between attempts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sabir_wire::client_api::AUTH_EXPORTER_LABEL;
use sabir_wire::uri::Domain;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::tls::{ALPN_H2, EXPORTER_LEN};
use super::{Inner, Timing, TransportError};
use crate::random;

pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Time for one of several addresses before the next is tried.
const ONE_ADDRESS: Duration = Duration::from_secs(4);
const HTTPS: u16 = 443;

/// A connection that was alive when it was given.
#[derive(Debug, Clone)]
pub(super) struct Live {
    number: u64,
    pub(super) sender: Sender,
    pub(super) exporter: [u8; EXPORTER_LEN],
}

/// The connection, if there is one. The lock is held while connecting, so that one connection serves all who wait.
#[derive(Debug, Default)]
pub(super) struct Slot(tokio::sync::Mutex<State>);

#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    made: u64,
    failures: u32,
    not_before: Option<Instant>,
}

impl Inner {
    /// The connection, made if there is none.
    pub(super) async fn live(&self) -> Result<Live, TransportError> {
        let mut state = self.slot.0.lock().await;
        if let Some(live) = state.live.as_ref().filter(|live| !live.sender.is_closed()) {
            return Ok(live.clone());
        }
        state.live = None;
        let now = Instant::now();
        if let Some(at) = state.not_before.filter(|at| *at > now) {
            return Err(TransportError::Unreachable {
                wait: at.saturating_duration_since(now),
            });
        }
        match timeout(self.timing.connect, self.connect()).await {
            Ok(Ok((sender, exporter))) => {
                state.made = state.made.wrapping_add(1);
                state.failures = 0;
                state.not_before = None;
                let live = Live {
                    number: state.made,
                    sender,
                    exporter,
                };
                state.live = Some(live.clone());
                Ok(live)
            }
            failed => {
                if let Ok(Err(error)) = failed {
                    tracing::debug!(error = %Chain(&*error), "connecting to the provider failed");
                }
                let wait = backoff(state.failures, &self.timing);
                state.failures = state.failures.saturating_add(1);
                state.not_before = Some(Instant::now().checked_add(wait).unwrap_or(now));
                Err(TransportError::Unreachable { wait })
            }
        }
    }

    /// Gives up a connection on which a request failed, so that the next request makes a new one.
    pub(super) async fn drop_connection(&self, failed: &Live) {
        let mut state = self.slot.0.lock().await;
        if state
            .live
            .as_ref()
            .is_some_and(|live| live.number == failed.number)
        {
            state.live = None;
        }
    }

    async fn connect(
        &self,
    ) -> Result<(Sender, [u8; EXPORTER_LEN]), Box<dyn std::error::Error + Send + Sync>> {
        let tcp = match self.connect {
            Some(address) => TcpStream::connect(address).await?,
            None => first_that_connects(&self.domain).await?,
        };
        // Small frames of several streams share packets by HTTP/2's own means.
        let _ = tcp.set_nodelay(true);
        handshake(tcp, &self.domain, &self.tls, &self.timing).await
    }
}

/// TLS and HTTP/2 over a stream that leads to `domain`.
pub(super) async fn handshake<S>(
    stream: S,
    domain: &Domain,
    tls: &Arc<ClientConfig>,
    timing: &Timing,
) -> Result<(Sender, [u8; EXPORTER_LEN]), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let name = ServerName::try_from(domain.as_str().to_owned())?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(ALPN_H2) {
        return Err("the connection did not negotiate h2".into());
    }
    let exporter = session.export_keying_material([0; EXPORTER_LEN], AUTH_EXPORTER_LABEL, None)?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(timing.ping)
        .keep_alive_timeout(timing.ping)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await?;
    // Ends when the provider closes, a probe stays unanswered, or the last sender is gone.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %Chain(&error), "a connection ended");
        }
    });
    Ok((sender, exporter))
}

async fn first_that_connects(domain: &Domain) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(std::io::ErrorKind::HostUnreachable);
    for address in tokio::net::lookup_host((domain.as_str(), HTTPS)).await? {
        match timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = error,
            Err(_) => last = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// The wait after `failures` earlier ones, doubled each time, then shortened by up to a quarter at random so that
/// many devices do not come back at once.
pub(crate) fn backoff(failures: u32, timing: &Timing) -> Duration {
    let doubled = timing
        .first_wait
        .saturating_mul(1 << failures.min(16))
        .min(timing.longest_wait);
    let mut byte = [0];
    // Without randomness the wait is merely whole.
    let _ = random::fill(&mut byte);
    let [byte] = byte;
    doubled.saturating_sub(doubled.mul_f64(f64::from(byte) / 1024.0))
}

/// An error with its causes, for the log.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
