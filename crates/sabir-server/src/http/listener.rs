use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::body::BodyRules;
use super::connection::{self, ConnectionRules, Remote};
use super::quota::Quota;
use crate::config::Config;

/// Bounds of the listener.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address.
    pub connections_per_ip: usize,
    /// Bytes that the bodies of one address may hold in memory.
    pub body_memory_per_ip: usize,
    /// Each connection.
    pub connection: ConnectionRules,
}

impl Rules {
    /// The bounds that a configuration names.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let (limits, timeouts) = (&config.settings.limits, &config.settings.timeouts);
        Self {
            connections: limits.connections,
            connections_per_ip: limits.connections_per_ip,
            body_memory_per_ip: limits.body_memory_bytes_per_ip,
            connection: ConnectionRules {
                domain: config.domain.clone(),
                streams: limits.streams_per_connection,
                header_bytes: limits.header_bytes,
                handshake: Duration::from_secs(timeouts.handshake_seconds),
                idle: Duration::from_secs(timeouts.idle_seconds),
                age: Duration::from_secs(timeouts.connection_age_seconds),
                keep_alive: Duration::from_secs(timeouts.keep_alive_seconds),
                drain: Duration::from_secs(timeouts.drain_seconds),
                body: BodyRules {
                    limit: limits.body_bytes,
                    timeout: Duration::from_secs(timeouts.body_seconds),
                    memory: Arc::new(Semaphore::new(
                        limits.body_memory_bytes.min(Semaphore::MAX_PERMITS),
                    )),
                },
            },
        }
    }
}

/// A bound listener that has not begun to accept.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Arc<ServerConfig>,
    rules: Rules,
}

/// Wait after an error of `accept` that may last, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// Those of the system, such as an address in use.
    pub async fn bind(address: SocketAddr, tls: Arc<ServerConfig>, rules: Rules) -> std::io::Result<Self> {
        Ok(Self {
            tcp: TcpListener::bind(address).await?,
            tls,
            rules,
        })
    }

    /// The bound address, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves `app` until `stop` turns true (or its sender is gone), then lets the requests in flight finish
    /// within the time to drain.
    pub async fn serve(self, app: Router, mut stop: watch::Receiver<bool>) {
        let Self { tcp, tls, rules } = self;
        let acceptor = TlsAcceptor::from(tls);
        let quota = Quota::new(
            rules.connections,
            rules.connections_per_ip,
            rules.body_memory_per_ip,
        );
        let rules = Arc::new(rules.connection);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = tcp.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Without a place the connection is closed at once: waiting would let it hold a file descriptor.
            let Some(place) = quota.enter(remote.ip()) else {
                tracing::debug!(open = quota.in_use(), "connection refused: too many");
                continue;
            };
            let (acceptor, app, rules, stop) =
                (acceptor.clone(), app.clone(), Arc::clone(&rules), stop.clone());
            connections.spawn(async move {
                let from = Remote {
                    address: remote,
                    memory: place.memory.clone(),
                };
                connection::serve(stream, from, acceptor, app, rules, stop).await;
                drop(place);
            });
        }
        drop(tcp);
        // Each connection bounds its own end by the time to drain; the handshakes in progress end at once.
        let all_done = async { while connections.join_next().await.is_some() {} };
        if timeout(rules.drain.saturating_mul(2), all_done).await.is_err() {
            tracing::warn!("connections were still open after the time to drain");
        }
    }
}
