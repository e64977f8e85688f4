use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use bytes::BytesMut;
use data_encoding::BASE64URL_NOPAD;
use http_body_util::BodyExt;
use sabir_store::{Asset, BeginAsset, BeginAssetOutcome, DropAssets, FinishAsset, GiveUpAsset, MAX_NUMBER};
use sabir_wire::client_api::{
    AppendAssetResponse, AssetId, AssetStatus, AssetUrl, BeginAssetRequest, BeginAssetResponse,
    FinishAssetResponse, path,
};
use sabir_wire::codec::{Decode, Encode};
use tokio::time::{timeout, timeout_at};

use super::blobs::{Hold, Sealed};
use super::pace::Pace;
use super::places::TOO_MANY;
use super::{Assets, Device, serve};
use crate::ambient;
use crate::client::Session;
use crate::error::Error;
use crate::http::{Payload, binary, check_content_type, finish};
use crate::server::Shared;

/// Random bytes of an identifier.
const ID_BYTES: usize = 18;
/// Written to disk at a time.
const BLOCK: usize = 256 * 1024;
/// One request, however much it appends.
const LONGEST: Duration = Duration::from_secs(3600);
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// `POST assets`
pub(super) async fn begin(
    State(assets): State<Arc<Assets>>,
    Device(session): Device,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let shared = &assets.shared;
        let _place = shared.place()?;
        let request = BeginAssetRequest::from_bytes(payload.bytes())
            .map_err(|_| Error::Malformed("BeginAssetRequest"))?;
        let limits = &shared.config.settings.limits;
        if request.size > limits.blob_bytes {
            let limit = limits.blob_bytes;
            return Ok(binary(BeginAssetResponse::TooLarge { limit }.to_bytes()));
        }
        let mut id = [0; ID_BYTES];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| Error::Internal("no randomness"))?;
        let now = ambient::now();
        let quota = limits.blob_quota_bytes.min(MAX_NUMBER);
        let hours = u64::from(shared.config.settings.retention.upload_hours);
        let command = BeginAsset {
            id: BASE64URL_NOPAD.encode(&id),
            owner: session.user.as_str().to_owned(),
            size: request.size,
            hash: request.content_hash,
            quota,
            most: limits.blobs_per_person.min(MAX_NUMBER),
            expires_at: now.saturating_add(hours.saturating_mul(HOUR_MS)),
            now,
        };
        let answer = match shared.store.begin_asset(command).await? {
            BeginAssetOutcome::Begun(asset) | BeginAssetOutcome::Same(asset) => {
                let asset_id = AssetId::parse(&asset.id).ok_or(Error::Internal("a stored asset's name"))?;
                BeginAssetResponse::Ready {
                    received: received(&assets, &asset_id).await?,
                    asset_id,
                    expires_at: asset.expires_at,
                }
            }
            BeginAssetOutcome::QuotaExceeded { used } => BeginAssetResponse::QuotaExceeded {
                available: quota.saturating_sub(used),
            },
            BeginAssetOutcome::TooMany => BeginAssetResponse::QuotaExceeded { available: 0 },
            BeginAssetOutcome::IdTaken => return Err(Error::Internal("random names that repeat")),
        };
        Ok(binary(answer.to_bytes()))
    })
    .await
}

/// `POST assets/{id}?offset=N`
pub(super) async fn append(
    State(assets): State<Arc<Assets>>,
    Device(session): Device,
    request: Request,
) -> Result<Response, Error> {
    check_content_type(request.headers())?;
    // In a task of its own, which keeps the upload until the last block is written whatever becomes of the caller.
    finish(async move {
        let (asset, id) = theirs(&assets, &session, request.uri())?;
        let offset = offset(request.uri().query())?;
        let _place = assets.enter(session.client.as_str())?;
        let hold = hold(&assets, &id)?;
        let received = received(&assets, &id).await?;
        let answer = |appended, received| Ok(binary(AppendAssetResponse { appended, received }.to_bytes()));
        if asset.finished || offset != received {
            return answer(false, received);
        }
        let room = asset.size.saturating_sub(received);
        let appended = timeout(LONGEST, write(assets.pace(), &hold, request, room)).await;
        let appended = appended.map_err(|_| Error::BodyTooSlow)??;
        answer(true, received.saturating_add(appended))
    })
    .await
}

/// `GET assets/{id}`
pub(super) async fn status(
    State(assets): State<Arc<Assets>>,
    Device(session): Device,
    uri: Uri,
) -> Result<Response, Error> {
    let (asset, id) = theirs(&assets, &session, &uri)?;
    let answer = AssetStatus {
        finished: asset.finished,
        size: asset.size,
        received: received(&assets, &id).await?,
        expires_at: asset.expires_at,
    };
    Ok(binary(answer.to_bytes()))
}

/// `POST assets/{id}/finish`
pub(super) async fn finish_upload(
    State(assets): State<Arc<Assets>>,
    Device(session): Device,
    uri: Uri,
    _: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let (asset, id) = theirs(&assets, &session, &uri)?;
        let answer = if asset.finished {
            finished(&assets.shared, &id, &asset)?
        } else {
            seal(&assets, &id, asset).await?
        };
        Ok(binary(answer.to_bytes()))
    })
    .await
}

/// `DELETE assets/{id}`
pub(super) async fn give_up(
    State(assets): State<Arc<Assets>>,
    Device(session): Device,
    uri: Uri,
) -> Result<StatusCode, Error> {
    finish(async move {
        let (_, id) = theirs(&assets, &session, &uri)?;
        let _hold = hold(&assets, &id)?;
        let now = ambient::now();
        let command = GiveUpAsset {
            id: id.as_str().to_owned(),
            owner: session.user.as_str().to_owned(),
            now,
        };
        assets.shared.store.give_up_asset(command).await?;
        let blobs = Arc::clone(&assets.blobs);
        let name = id.as_str().to_owned();
        blocking(move || blobs.delete(&name)).await?;
        let ids = vec![id.as_str().to_owned()];
        assets.shared.store.drop_assets(DropAssets { ids, now }).await?;
        Ok(StatusCode::OK)
    })
    .await
}

async fn seal(assets: &Assets, id: &AssetId, asset: Asset) -> Result<FinishAssetResponse, Error> {
    let hold = hold(assets, id)?;
    let received = received(assets, id).await?;
    if received < asset.size {
        return Ok(FinishAssetResponse::Incomplete { received });
    }
    let hash = asset.hash;
    let (_hold, sealed) = blocking(move || hold.seal(&hash).map(|sealed| (hold, sealed))).await?;
    if sealed == Sealed::Mismatch {
        return Ok(FinishAssetResponse::HashMismatch);
    }
    let now = ambient::now();
    let days = u64::from(assets.shared.config.settings.retention.blob_days);
    let command = FinishAsset {
        id: id.as_str().to_owned(),
        expires_at: now.saturating_add(days.saturating_mul(DAY_MS)),
        now,
    };
    match assets.shared.store.finish_asset(command).await? {
        Some(asset) => finished(&assets.shared, id, &asset),
        None => Err(Error::NotFound("asset")),
    }
}

fn finished(shared: &Shared, id: &AssetId, asset: &Asset) -> Result<FinishAssetResponse, Error> {
    let url = AssetUrl::parse(&serve::url(&shared.domain, id));
    Ok(FinishAssetResponse::Finished {
        url: url.ok_or(Error::Internal("an asset's URL"))?,
        expires_at: asset.expires_at,
    })
}

/// The asset that a path names, if it is of the device's user: nobody else learns that it is there.
fn theirs(assets: &Assets, session: &Session, uri: &Uri) -> Result<(Asset, AssetId), Error> {
    let name = uri.path().strip_prefix(path::ASSET).unwrap_or_default();
    let name = name.strip_suffix(path::FINISH).unwrap_or(name);
    let id = AssetId::parse(name).ok_or(Error::Malformed("asset"))?;
    let now = ambient::now();
    let asset = assets.shared.store.asset(id.as_str())?;
    let asset = asset.filter(|asset| asset.owner == session.user.as_str() && asset.expires_at > now);
    Ok((asset.ok_or(Error::NotFound("asset"))?, id))
}

fn hold(assets: &Assets, id: &AssetId) -> Result<Hold, Error> {
    assets.blobs.hold(id).ok_or(TOO_MANY)
}

async fn received(assets: &Assets, id: &AssetId) -> Result<u64, Error> {
    let (blobs, id) = (Arc::clone(&assets.blobs), id.clone());
    blocking(move || blobs.received(&id)).await
}

/// Writes a body of at most `room` bytes behind what is there. What came before a failure stays.
async fn write(mut pace: Pace, hold: &Hold, request: Request, room: u64) -> Result<u64, Error> {
    let too_large = Error::BodyTooLarge {
        limit: usize::try_from(room).unwrap_or(usize::MAX),
    };
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared: Option<u64> = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|declared| declared > room) {
        return Err(too_large);
    }
    let mut body = request.into_body();
    let mut file = hold.append().map_err(serve::disk)?;
    let mut block = BytesMut::new();
    let (mut taken, mut outcome) = (0_u64, Ok(()));
    loop {
        let frame = match timeout_at(pace.due(), body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                outcome = Err(Error::Malformed("body"));
                break;
            }
            Err(_) => {
                outcome = Err(Error::BodyTooSlow);
                break;
            }
        };
        // Trailers mean nothing here.
        let Ok(data) = frame.into_data() else { continue };
        taken = taken.saturating_add(data.len() as u64);
        if taken > room {
            // Nothing of what goes too far: the rest stays good.
            outcome = Err(too_large);
            break;
        }
        pace.moved(data.len());
        block.extend_from_slice(&data);
        if block.len() >= BLOCK {
            file = write_block(file, block.split()).await?;
        }
    }
    write_block(file, block).await?;
    outcome.map(|()| taken)
}

async fn write_block(mut file: File, block: BytesMut) -> Result<File, Error> {
    if block.is_empty() {
        return Ok(file);
    }
    blocking(move || file.write_all(&block).map(|()| file)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(serve::disk),
        Err(_) => Err(Error::Internal("a request's task ended early")),
    }
}

/// `offset=N` in decimal.
fn offset(query: Option<&str>) -> Result<u64, Error> {
    const MALFORMED: Error = Error::Malformed("query");
    let digits = query
        .and_then(|query| query.strip_prefix("offset="))
        .ok_or(MALFORMED)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    digits.parse().map_err(|_| MALFORMED)
}
