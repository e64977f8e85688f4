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
//! * Whoever moves a file moves it at a least speed, or gives its place back.

mod blobs;
mod fetch;
mod pace;
mod places;
mod range;
mod serve;
mod stream;
mod tidy;
mod upload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};
use sabir_wire::client_api::{MAX_CLIENT_REQUEST, path};
use sabir_wire::uri::Domain;

pub(crate) use tidy::keep_tidy;

use crate::client::Session;
use crate::error::Error;
use crate::http::at_most;
use crate::peer::FilePeers;
use crate::server::Shared;
use blobs::Blobs;
use pace::Pace;
use places::{Place, Places};

/// Transfers of one device at once.
const PER_DEVICE: usize = 8;
/// Files that one other provider fetches at once.
const PER_PEER: usize = 128;
/// Files that devices move at once, and as many again that other providers fetch.
const ALL: usize = 512;

/// What requests about files share.
#[derive(Debug)]
pub(crate) struct Assets {
    shared: Arc<Shared>,
    blobs: Arc<Blobs>,
    peers: FilePeers,
    devices: Arc<Places>,
    providers: Arc<Places>,
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
            devices: Places::new(ALL, PER_DEVICE),
            providers: Places::new(ALL, PER_PEER),
        })
    }

    /// A place for a device; an error when it has enough.
    fn enter(&self, device: &str) -> Result<Place, Error> {
        self.devices.enter(device)
    }

    /// A place for another provider, whose people are many; one that takes its files slowly leaves places for others.
    fn enter_peer(&self, provider: &Domain) -> Result<Place, Error> {
        self.providers.enter(provider.as_str())
    }

    /// How fast a file must come or go at least.
    fn pace(&self) -> Pace {
        Pace::new(Duration::from_secs(
            self.shared.config.settings.timeouts.body_seconds,
        ))
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
