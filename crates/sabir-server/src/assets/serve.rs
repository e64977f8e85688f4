use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use sabir_wire::client_api::AssetId;
use sabir_wire::uri::Domain;

use super::Assets;
use super::range::{Part, Range};
use super::stream::{Feeder, fed};
use crate::ambient;
use crate::directory::MIMI_PREFIX;
use crate::error::Error;
use crate::http::{PeerIdentity, last_segment};

/// Where other providers fetch our assets, in the router's notation.
pub(super) const PEER_ROUTE: &str = "/mimi/v1/asset/{assetId}";
/// Read and sent at a time.
const BLOCK: usize = 64 * 1024;

/// The URL of an asset of ours.
pub(super) fn url(domain: &Domain, id: &AssetId) -> String {
    format!("https://{domain}{}", path(id))
}

/// Its path.
pub(super) fn path(id: &AssetId) -> String {
    format!("{MIMI_PREFIX}/asset/{id}")
}

/// `GET /mimi/v1/asset/{assetId}`
pub(super) async fn for_peer(
    State(assets): State<Arc<Assets>>,
    PeerIdentity(from): PeerIdentity,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let id = AssetId::parse(last_segment(&uri)).ok_or(Error::Malformed("asset"))?;
    let place = assets.enter_peer(&from)?;
    ours(&assets, &id, Range::read(&headers), place).await
}

/// A finished asset of ours, or a part of it. `place` is kept until its last byte is handed over.
pub(super) async fn ours(
    assets: &Assets,
    id: &AssetId,
    range: Option<Range>,
    place: impl Send + 'static,
) -> Result<Response, Error> {
    const NONE: Error = Error::NotFound("asset");
    let shared = &assets.shared;
    let now = ambient::now();
    let asset = shared.store.asset(id.as_str())?;
    let asset = asset
        .filter(|asset| asset.finished && asset.expires_at > now)
        .ok_or(NONE)?;
    let (blobs, id) = (Arc::clone(&assets.blobs), id.clone());
    let opened = tokio::task::spawn_blocking(move || blobs.read(&id)).await;
    let opened = opened.map_err(|_| Error::Internal("a request's task ended early"))?;
    let opened = opened.map_err(disk)?;
    // A record without its bytes: they went with a disk that lied, or by hand.
    let (file, length) = opened.filter(|(_, length)| *length == asset.size).ok_or(NONE)?;
    let part = range.map(|range| range.of(length)).transpose()?;
    let whole = Part {
        first: 0,
        last: length.saturating_sub(1),
    };
    let (feeder, body) = fed(shared.stopping(), assets.pace());
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) = send(file, part.unwrap_or(whole), feeder).await {
            tracing::warn!(%error, "a stored file cannot be read");
        }
    });
    let mut response = Response::new(Body::new(body));
    head(&mut response, length, part);
    Ok(response)
}

/// The head of an answer with a file of `length` bytes, or a part of it.
pub(super) fn head<B>(response: &mut Response<B>, length: u64, part: Option<Part>) {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sent = part.map_or(length, Part::length);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
    if let Some(Part { first, last }) = part {
        if let Ok(value) = HeaderValue::try_from(format!("bytes {first}-{last}/{length}")) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
}

async fn send(file: File, part: Part, mut feeder: Feeder) -> io::Result<()> {
    let mut file = file;
    let mut left = part.length();
    let mut at = Some(part.first);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK);
        let seek = at.take();
        let read = tokio::task::spawn_blocking(move || {
            let read = read_block(&mut file, seek, wanted);
            (file, read)
        });
        let (back, block) = read.await.map_err(|_| io::Error::from(ErrorKind::Interrupted))?;
        file = back;
        let block = block?;
        left = left.saturating_sub(block.len() as u64);
        if !feeder.feed(block).await {
            return Ok(());
        }
    }
    feeder.end().await;
    Ok(())
}

fn read_block(file: &mut File, seek: Option<u64>, wanted: usize) -> io::Result<Bytes> {
    if let Some(at) = seek {
        file.seek(SeekFrom::Start(at))?;
    }
    let mut block = vec![0; wanted];
    file.read_exact(&mut block)?;
    Ok(block.into())
}

/// The disk failed.
pub(super) fn disk(error: io::Error) -> Error {
    Error::Unavailable {
        what: "storage",
        retry_after: Duration::from_secs(5),
    }
    .because(error)
}
