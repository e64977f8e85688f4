//! Files: ciphertext that devices put here, and that devices and other providers fetch by URL.
//!
//! ```text
//!  device ── begin ──> store: size, hash, owner, quota          (the record comes first)
//!         ── append ─> DATA/assets/partial/ID                   streamed to disk, resumed by its length
//!         ── finish ─> fsync, hash compared, rename, fsync of the folders, then the record; then the answer
//!                      DATA/assets/whole/ID
//!  device ── download/{url} ──┬─ ours ────────────────────────> whole/ID
//!                             └─ b.example's ── mutual TLS ───> b.example: GET /mimi/v1/asset/ID
//! ```
//!
//! A URL is `https://DOMAIN/mimi/v1/asset/ID` with 144 random bits in ID: who was not told cannot find it. Its host is
//! the provider's domain, so whoever holds a URL can tell whose certificate must answer, and a device's wish makes us
//! connect to nobody but providers: their directory must announce exactly this URL.
//!
//! Invariants:
//! * Bytes are on disk only while a record of the store counts them: the record is made before and dropped after them.
//! * `whole/` holds nothing but what had the announced hash and was fsynced.
//! * Memory does not grow with the file.

mod blobs;
mod fetch;
mod range;
mod serve;
mod stream;
mod tidy;
mod upload;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};
use sabir_wire::client_api::{MAX_CLIENT_REQUEST, path};
use sabir_wire::uri::Domain;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use tidy::keep_tidy;

use crate::client::Session;
use crate::error::Error;
use crate::http::at_most;
use crate::peer::FilePeers;
use crate::server::Shared;
use blobs::Blobs;

/// Transfers of one device at once.
const PER_DEVICE: usize = 8;
/// Files that one other provider fetches at once.
const PER_PEER: usize = 128;
/// Files that are sent or passed on at once.
const ALL: usize = 512;

/// What requests about files share.
#[derive(Debug)]
pub(crate) struct Assets {
    shared: Arc<Shared>,
    blobs: Arc<Blobs>,
    peers: FilePeers,
    all: Arc<Semaphore>,
    /// How many files each device, by URI, and each provider, by domain, moves.
    movers: Mutex<HashMap<String, usize>>,
}

/// The right to move one file, given back when dropped.
#[derive(Debug)]
struct Place {
    assets: Arc<Assets>,
    mover: String,
    _of_all: OwnedSemaphorePermit,
}

/// The routes under which files are put and fetched.
pub(crate) fn routes(assets: &Arc<Assets>) -> Router {
    let asset = format!("{}{{assetId}}", path::ASSET);
    Router::new()
        .route(path::ASSETS, at_most(MAX_CLIENT_REQUEST, post(upload::begin)))
        .route(
            &asset,
            post(upload::append).get(upload::status).delete(upload::give_up),
        )
        .route(
            &format!("{asset}{}", path::FINISH),
            at_most(0, post(upload::finish_upload)),
        )
        .route(&format!("{}{{url}}", path::DOWNLOAD), get(fetch::download))
        .route(serve::PEER_ROUTE, get(serve::for_peer))
        .with_state(Arc::clone(assets))
}

impl Assets {
    /// The files in a provider's data folder, whose subfolders are made where they are missing.
    pub(crate) fn open(shared: Arc<Shared>, data_dir: &Path, peers: FilePeers) -> std::io::Result<Self> {
        Ok(Self {
            shared,
            blobs: Arc::new(Blobs::open(&data_dir.join("assets"))?),
            peers,
            all: Arc::new(Semaphore::new(ALL)),
            movers: Mutex::default(),
        })
    }

    /// A place for a device; an error when it has enough.
    fn enter(self: &Arc<Self>, device: &str) -> Result<Place, Error> {
        self.enter_as(device, PER_DEVICE)
    }

    /// A place for another provider, whose people are many; one that takes its files slowly leaves places for others.
    fn enter_peer(self: &Arc<Self>, provider: &Domain) -> Result<Place, Error> {
        self.enter_as(provider.as_str(), PER_PEER)
    }

    fn enter_as(self: &Arc<Self>, mover: &str, most: usize) -> Result<Place, Error> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| TOO_MANY)?;
        let mut movers = self.movers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = movers.entry(mover.to_owned()).or_default();
        if *count >= most {
            return Err(TOO_MANY);
        }
        *count = count.saturating_add(1);
        Ok(Place {
            assets: Arc::clone(self),
            mover: mover.to_owned(),
            _of_all: of_all,
        })
    }
}

/// Another transfer has to end first.
const TOO_MANY: Error = Error::TooMany {
    retry_after: std::time::Duration::from_secs(1),
};

impl Drop for Place {
    fn drop(&mut self) {
        let mut movers = self.assets.movers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = movers.get_mut(&self.mover) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                movers.remove(&self.mover);
            }
        }
    }
}

/// The signed-in device that asks.
struct Device(Session);

impl FromRequestParts<Arc<Assets>> for Device {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, assets: &Arc<Assets>) -> Result<Self, Error> {
        Session::from_request_parts(parts, &assets.shared).await.map(Self)
    }
}
