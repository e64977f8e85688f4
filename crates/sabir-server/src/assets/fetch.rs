use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use sabir_wire::client_api::{AssetUrl, path};
use tokio::time::timeout_at;

use super::places::Place;
use super::range::{Part, Range};
use super::stream::{Feeder, fed};
use super::{Assets, Device, serve};
use crate::error::Error;
use crate::http::last_segment;
use crate::peer::{PeerError, PeerStream};

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
    let (feeder, fed) = fed(assets.shared.stopping(), assets.pace());
    let expected = part.map_or(length, Part::length);
    tokio::spawn(async move {
        let _place = place;
        pass(body, expected, feeder).await;
    });
    let mut response = Response::new(axum::body::Body::new(fed));
    serve::head(&mut response, length, part);
    Ok(response)
}

/// Exactly `left` bytes: fewer break the answer off, more are not read. The other provider must send, and the device take,
/// at the feeder's pace.
async fn pass(mut body: impl Body<Data = Bytes> + Unpin, mut left: u64, mut feeder: Feeder) {
    while left > 0 {
        let frame = match timeout_at(feeder.due(), body.frame()).await {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::{Instant, sleep, timeout};

    use super::super::pace::Pace;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Sends so many bytes each second, for as long as somebody takes them, and says how long that was.
    async fn send_slowly(mut feeder: Feeder, bytes: usize) -> Duration {
        let begun = Instant::now();
        while feeder.feed(Bytes::from(vec![0; bytes])).await {
            sleep(Duration::from_secs(1)).await;
        }
        begun.elapsed()
    }

    /// For how long a file of 4 GB is passed on from a provider that sends so many bytes each second to a device that
    /// takes a block in so many; ten minutes is as long as it takes.
    async fn passed_on(bytes: usize, each: Duration) -> u64 {
        let (_stop, stopped) = watch::channel(false);
        let (from, source) = fed(stopped.clone(), Pace::new(Duration::from_secs(3600)));
        let (to, mut sink) = fed(stopped, Pace::new(PATIENCE));
        let begun = Instant::now();
        let sending = tokio::spawn(send_slowly(from, bytes));
        let taking = tokio::spawn(async move {
            while let Some(Ok(_)) = sink.frame().await {
                sleep(each).await;
            }
        });
        let passing = pass(source, 4 << 30, to);
        let _ = timeout(Duration::from_secs(600), passing).await;
        let took = begun.elapsed().as_secs();
        sending.abort();
        taking.abort();
        took
    }

    #[tokio::test(start_paused = true)]
    async fn who_trickles_is_cut_off_on_either_side() {
        assert_eq!(passed_on(1, Duration::ZERO).await, 30, "the other provider");
        assert_eq!(passed_on(500, Duration::ZERO).await, 30, "and a little faster");
        assert!(
            passed_on(100_000, Duration::from_secs(240)).await < 600,
            "the device"
        );
        // Slow, and fast enough.
        assert_eq!(passed_on(1_000, Duration::ZERO).await, 600);
        assert_eq!(passed_on(16_384, Duration::from_secs(20)).await, 600);
    }
}
