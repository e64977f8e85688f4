//! A door in front of a provider, through which other providers come: it ends TLS in the provider's name, takes down
//! what either side sends, and speaks to the provider in the caller's name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use sabir_server::tls::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::tap::Wire;
use super::town::Trust;

pub(crate) struct Door {
    /// The provider behind it.
    pub(crate) host: String,
    pub(crate) behind: SocketAddr,
    /// What the provider would present.
    pub(crate) tls: Arc<ServerConfig>,
    /// What callers present, by their domain.
    pub(crate) callers: BTreeMap<String, Trust>,
    /// Whoever presents nothing, such as a device at the end of its tunnel.
    pub(crate) nobody: Trust,
}

impl Door {
    /// Serves until the runtime ends.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let door = Arc::new(self);
        while let Ok((tcp, _)) = listener.accept().await {
            let door = Arc::clone(&door);
            // Whatever fails ends the connection; the caller connects anew.
            tokio::spawn(async move { door.pass(tcp).await });
        }
    }

    async fn pass(&self, tcp: TcpStream) -> Option<()> {
        let caller = TlsAcceptor::from(Arc::clone(&self.tls)).accept(tcp).await.ok()?;
        let domains = Peer::of(caller.get_ref().1).ok()?.domains;
        let trust = match domains.first() {
            Some(domain) => self.callers.get(domain.as_str())?,
            None => &self.nobody,
        };
        let name = ServerName::try_from(self.host.clone()).ok()?;
        let tcp = TcpStream::connect(self.behind).await.ok()?;
        let provider = TlsConnector::from(Arc::clone(&trust.config))
            .connect(name, tcp)
            .await
            .ok()?;
        let (from, to) = (trust.name.as_str(), self.host.as_str());
        let (caller, provider) = (
            Wire {
                stream: caller,
                record: trust.tap.begin(from, to, "wire".to_owned()),
            },
            Wire {
                stream: provider,
                record: trust.tap.begin(to, from, "wire".to_owned()),
            },
        );
        let (sender, connection) = client::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(provider))
            .await
            .ok()?;
        let behind = tokio::spawn(connection);
        let (trust, host) = (trust.clone(), self.host.clone());
        let forward = service_fn(move |request: Request<Incoming>| {
            let (parts, body) = request.into_parts();
            let line = format!("{} {}", parts.method, parts.uri.path());
            let (tap, caller, host) = (trust.tap.clone(), trust.name.clone(), host.clone());
            let record = tap.begin(&caller, &host, format!("request {line}"));
            let body = record.message(&format!("{} {}", parts.method, parts.uri), &parts.headers, body);
            let request = Request::from_parts(parts, body);
            let mut sender = sender.clone();
            async move {
                let (parts, body) = sender.send_request(request).await?.into_parts();
                let what = format!("answer {} to {line}", parts.status.as_u16());
                let record = tap.begin(&host, &caller, what);
                let body = record.message(parts.status.as_str(), &parts.headers, body);
                Ok::<_, hyper::Error>(Response::from_parts(parts, body))
            }
        });
        let mut serving = std::pin::pin!(
            server::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(caller), forward)
        );
        tokio::select! {
            _ = serving.as_mut() => {}
            // The provider goes: so does its door's connection.
            _ = behind => {
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            }
        }
        Some(())
    }
}
