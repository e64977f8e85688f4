//! CONNECT: a device reads another provider's directory over TLS that ends there and not here.
//!
//! What comes through is a directory document: so a tunnel leads to the directory host of a provider and nowhere else,
//! and is bounded in bytes, time and number. Whether a host is a provider's, its directory tells, which we read first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sabir_wire::uri::Domain;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Session;
use crate::counts::Counts;
use crate::error::Error;
use crate::http::TunnelTarget;
use crate::server::Shared;

/// Tunnels of one device at once.
const MOST: usize = 4;
/// Life of a tunnel.
const LIFE: Duration = Duration::from_secs(30);
/// Bytes from the device: a handshake and some requests.
const UP: u64 = 64 * 1024;
/// Bytes to the device: certificates, and directories of at most 64 KiB.
const DOWN: u64 = 512 * 1024;

/// How many tunnels each device has open.
#[derive(Debug, Default)]
pub struct Tunnels(Mutex<Counts<String>>);

struct Place(Arc<Tunnels>, String);

impl Tunnels {
    fn enter(self: &Arc<Self>, device: &str) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.of(device) >= MOST {
            return None;
        }
        open.up(device.to_owned());
        Some(Place(Arc::clone(self), device.to_owned()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.down(&self.1);
    }
}

/// `CONNECT host:443`
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    session: Session,
    mut request: Request,
) -> Result<StatusCode, Error> {
    let TunnelTarget(target) = request
        .extensions_mut()
        .remove()
        .ok_or(Error::Malformed("CONNECT"))?;
    let host = Domain::parse(target.host()).map_err(|_| Error::Malformed("host"))?;
    if target.port_u16() != Some(443) || host == shared.domain {
        return Err(Error::Denied("tunnels lead to other providers' port 443"));
    }
    let upgrade: OnUpgrade = request
        .extensions_mut()
        .remove()
        .ok_or(Error::Internal("a CONNECT that cannot be upgraded"))?;
    let place = shared
        .tunnels
        .enter(session.client.as_str())
        .ok_or(Error::TooMany { retry_after: LIFE })?;
    shared
        .peers
        .directory(&host)
        .await
        .map_err(|error| Error::Upstream("it is no provider, or cannot be reached").because(error))?;
    let peer = shared
        .peers
        .dial(&host, 443)
        .await
        .map_err(|error| Error::Upstream("it cannot be reached").because(error))?;
    let mut stop = shared.stopping();
    tokio::spawn(async move {
        let _place = place;
        let Ok(device) = upgrade.await else { return };
        tokio::select! {
            _ = timeout(LIFE, join(TokioIo::new(device), peer)) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    });
    Ok(StatusCode::OK)
}

/// Copies both ways until both have ended or one has sent more than it may.
async fn join(device: impl AsyncRead + AsyncWrite, peer: impl AsyncRead + AsyncWrite) {
    let (from_device, mut to_device) = tokio::io::split(device);
    let (from_peer, mut to_peer) = tokio::io::split(peer);
    let up = async {
        let copied = tokio::io::copy(&mut from_device.take(UP), &mut to_peer).await;
        let _ = to_peer.shutdown().await;
        copied
    };
    let down = async {
        let copied = tokio::io::copy(&mut from_peer.take(DOWN), &mut to_device).await;
        let _ = to_device.shutdown().await;
        copied
    };
    let (up, down) = tokio::join!(up, down);
    tracing::debug!(up = up.unwrap_or(0), down = down.unwrap_or(0), "a tunnel ended");
}
