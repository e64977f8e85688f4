use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sabir_wire::client_api::{AssetUrl, path};
use tokio::time::timeout;

use super::range::{Part, Range};
use super::stream::{Feeder, fed};
use super::{Assets, Device, Place, serve};
use crate::error::Error;
use crate::http::last_segment;
use crate::peer::{PeerError, PeerStream};

/// How long the other provider may send nothing, and the device take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// `GET download/{url}`
pub(super) async fn download(
    State(assets): State<Arc<Assets>>,
    Device(session): Device,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    debug_assert!(uri.path().starts_with(path::DOWNLOAD));
    let url = AssetUrl::from_path_segment(last_segment(&uri)).ok_or(Error::Malformed("asset URL"))?;
    let range = Range::read(&headers);
    let place = assets.enter(session.client.as_str())?;
    if url.provider == assets.shared.domain {
        if url.path() != serve::path(url.id()) {
            return Err(Error::NotFound("asset"));
        }
        return serve::ours(&assets, url.id(), range, place).await;
    }
    fetch(&assets, &url, range, place).await
}

/// Passes another provider's file on, without keeping any of it.
async fn fetch(
    assets: &Assets,
    url: &AssetUrl,
    range: Option<Range>,
    place: Place,
) -> Result<Response, Error> {
    let wanted = range.map(|range| match range.last {
        Some(last) => format!("bytes={}-{last}", range.first),
        None => format!("bytes={}-", range.first),
    });
    let answer = assets.peers.fetch(url, wanted.as_deref()).await;
    let PeerStream { head, body } = answer.map_err(|error| match error {
        // Its provider says where its files are: nothing that is asked again will help.
        PeerError::NotAnnounced | PeerError::NoEndpoint(_) => Error::NotFound("asset").because(error),
        error => Error::Upstream("the file's provider cannot be reached").because(error),
    })?;
    let (length, part) = match head.status {
        StatusCode::OK => (content_length(&head.headers)?, None),
        StatusCode::PARTIAL_CONTENT => {
            let (part, length) = content_range(&head.headers)?;
            if range.is_none_or(|range| range.first != part.first) {
                return Err(Error::Upstream("it sends another part than was asked for"));
            }
            (length, Some(part))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Error::NotFound("asset")),
        StatusCode::RANGE_NOT_SATISFIABLE => return Err(Error::Range),
        _ => return Err(Error::Upstream("it does not give the file out")),
    };
    if length > assets.shared.config.settings.limits.blob_bytes {
        return Err(Error::Denied("the file is larger than this provider passes on"));
    }
    let (feeder, fed) = fed(assets.shared.stopping(), PATIENCE);
    let expected = part.map_or(length, Part::length);
    tokio::spawn(async move {
        let _place = place;
        pass(body, expected, feeder).await;
    });
    let mut response = Response::new(Body::new(fed));
    serve::head(&mut response, length, part);
    Ok(response)
}

/// Exactly `left` bytes: fewer break the answer off, more are not read.
async fn pass(mut body: Incoming, mut left: u64, mut feeder: Feeder) {
    while left > 0 {
        let frame = match timeout(PATIENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            _ => return tracing::debug!("another provider's file broke off"),
        };
        let Ok(mut data) = frame.into_data() else { continue };
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left = left.saturating_sub(data.len() as u64);
        if !data.is_empty() && !feeder.feed(data).await {
            return;
        }
    }
    feeder.end().await;
}

fn content_length(headers: &HeaderMap) -> Result<u64, Error> {
    let value = headers.get(header::CONTENT_LENGTH);
    value
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or(Error::Upstream("it does not say how long the file is"))
}

/// `bytes 5-9/10`
fn content_range(headers: &HeaderMap) -> Result<(Part, u64), Error> {
    let read = || {
        let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
        let (part, length) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let part = Part {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
        };
        let length: u64 = length.parse().ok()?;
        (part.first <= part.last && part.last < length).then_some((part, length))
    };
    read().ok_or(Error::Upstream("it does not say which part it sends"))
}
