use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sabir_store::{DropAssets, StoreError};
use sabir_wire::client_api::AssetId;

use super::{Assets, Blobs};
use crate::ambient;
use crate::server::AnyStore;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(3600);

/// Expired assets looked at in one go.
const AT_ONCE: usize = 256;
/// A file without a record is deleted when it is older: it came back with a copy of the folder, or lost its record with
/// a copy of the database.
const STRAY: Duration = Duration::from_secs(7 * 24 * 3600);

/// Deletes what has expired, until the server stops.
pub(crate) async fn keep_tidy(assets: Arc<Assets>) {
    let mut stop = assets.shared.stopping();
    loop {
        let (store, blobs) = (assets.shared.store.clone(), Arc::clone(&assets.blobs));
        let round = tokio::task::spawn_blocking(move || tidy(&store, &blobs, ambient::now()));
        match round.await {
            Ok(Ok(0)) => {}
            Ok(Ok(gone)) => tracing::debug!(gone, "expired files deleted"),
            Ok(Err(error)) => tracing::warn!(%error, "expired files cannot be deleted; it is tried again"),
            Err(error) => tracing::error!(%error, "the deletion of expired files was interrupted"),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Deletes the bytes of expired assets, then their records, then files that no record knows. Blocks.
///
/// # Errors
/// Those of the store. What the disk refuses is logged and tried again another time.
fn tidy(store: &AnyStore, blobs: &Arc<Blobs>, now: u64) -> Result<u64, StoreError> {
    let mut gone = 0_u64;
    loop {
        let expired = store.expired_assets(now, AT_ONCE)?;
        let mut deleted = Vec::new();
        for id in &expired {
            // Who is still at work on it finds no record when he is done.
            let hold = AssetId::parse(id).map(|id| blobs.hold(&id));
            if matches!(hold, Some(None)) {
                continue;
            }
            match blobs.delete(id) {
                Ok(()) => deleted.push(id.clone()),
                Err(error) => tracing::warn!(%error, "an expired file cannot be deleted"),
            }
        }
        let all = expired.len() < AT_ONCE || deleted.is_empty();
        gone = gone.saturating_add(store.drop_assets(DropAssets { ids: deleted, now }).wait()?);
        if all {
            break;
        }
    }
    let old = SystemTime::now()
        .checked_sub(STRAY)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    match blobs.names(old) {
        Ok(names) => {
            for name in names {
                if store.asset(&name)?.is_none()
                    && let Err(error) = blobs.delete(&name)
                {
                    tracing::warn!(%error, "a stray file cannot be deleted");
                }
            }
        }
        Err(error) => tracing::warn!(%error, "the folder of files cannot be read"),
    }
    Ok(gone)
}
