//! A file on its way to the own provider.

use std::path::PathBuf;
use std::sync::Arc;

use sabir_wire::client_api::{
    AppendAssetResponse, AssetId, AssetUrl, BeginAssetRequest, BeginAssetResponse, FinishAssetResponse, path,
};
use sabir_wire::codec::{Decode, Encode as _};

use super::record::{OpenPlan, Sending, TransferState};
use super::source::Source;
use super::{Trouble, Work, blocking};
use crate::transport::{Call, Transport};

/// Bytes of an answer about an upload.
const MAX_ANSWER: usize = 4 << 10;
/// Times that bytes may be sent of which the provider keeps none, or that it has another hash than we.
const FRUITLESS: u32 = 5;

/// Where the provider keeps a file, and until when (milliseconds since the epoch).
pub(super) struct Stored {
    pub(super) url: AssetUrl,
    pub(super) expires_ms: u64,
}

/// Draws up the plan of a file that has none yet.
pub(super) async fn plan(work: &Work, sending: &Sending) -> Result<OpenPlan, Trouble> {
    let progress = work.progress(TransferState::Preparing, 0, sending.stamp.size);
    let stopped = work.stopped.clone();
    let mut source = open(work, sending).await?;
    blocking(move || {
        source.plan(|done| {
            progress.set(done);
            !*stopped.borrow()
        })
    })
    .await
}

/// Uploads a file as far as it is missing there.
pub(super) async fn upload(work: &Work, sending: &Sending, plan: OpenPlan) -> Result<Stored, Trouble> {
    let plan = Arc::new(plan);
    let mut source = open(work, sending).await?;
    let transport = &work.transport;
    let (id, mut received) = begin(transport, &plan).await?;
    let progress = work.progress(TransferState::Moving, received, plan.total());
    let mut fruitless = 0;
    loop {
        while received < plan.total() {
            let (with, from) = (Arc::clone(&plan), received);
            let (back, piece) = blocking(move || {
                let piece = source.sealed(&with, from);
                Ok((source, piece))
            })
            .await?;
            source = back;
            let piece = match piece {
                Ok(piece) => piece,
                Err(trouble) => {
                    // What is there is of no use to anybody: it need not count against the quota.
                    let _ = transport
                        .call(&Call::delete(format!("{}{id}", path::ASSET)))
                        .await;
                    return Err(trouble);
                }
            };
            let append = format!("{}{id}?offset={received}", path::ASSET);
            let answer: AppendAssetResponse = ask(transport, &Call::post(append, piece, MAX_ANSWER)).await?;
            if answer.received <= received {
                fruitless += 1;
            }
            if fruitless > FRUITLESS || answer.received > plan.total() {
                return Err(Trouble::fails("The provider does not keep what is uploaded"));
            }
            received = answer.received;
            progress.set(received);
        }
        let finish = Call::post(
            format!("{}{id}{}", path::ASSET, path::FINISH),
            Vec::new(),
            MAX_ANSWER,
        );
        match ask(transport, &finish).await? {
            FinishAssetResponse::Finished { url, expires_at } if url.provider == *transport.domain() => {
                return Ok(Stored {
                    url,
                    expires_ms: expires_at,
                });
            }
            FinishAssetResponse::Finished { .. } => {
                return Err(Trouble::fails(
                    "The provider keeps the file under a name that is not its own",
                ));
            }
            FinishAssetResponse::Incomplete { received: there } => received = there,
            FinishAssetResponse::HashMismatch => received = 0,
        }
        fruitless += 1;
        if fruitless > FRUITLESS {
            return Err(Trouble::fails("The provider does not keep what is uploaded"));
        }
    }
}

async fn open(work: &Work, sending: &Sending) -> Result<Source, Trouble> {
    let view = work.view();
    let (path, media_type) = (PathBuf::from(view.path), view.media_type);
    let (stamp, keep_metadata) = (sending.stamp, sending.keep_metadata);
    blocking(move || Source::open(&path, &stamp, &media_type, keep_metadata)).await
}

async fn begin(transport: &Transport, plan: &OpenPlan) -> Result<(AssetId, u64), Trouble> {
    let request = BeginAssetRequest {
        size: plan.total(),
        content_hash: plan.hash,
    };
    match ask(
        transport,
        &Call::post(path::ASSETS, request.to_bytes(), MAX_ANSWER),
    )
    .await?
    {
        BeginAssetResponse::Ready {
            asset_id, received, ..
        } => Ok((asset_id, received)),
        BeginAssetResponse::TooLarge { limit } => Err(Trouble::Fails(format!(
            "The file is larger than your provider takes ({limit} bytes at most)"
        ))),
        BeginAssetResponse::QuotaExceeded { available } => Err(Trouble::Fails(format!(
            "Your files at your provider take up all the room it gives you ({available} bytes are left)"
        ))),
    }
}

async fn ask<T: Decode>(transport: &Transport, call: &Call) -> Result<T, Trouble> {
    let answer = transport.call(call).await?;
    T::from_bytes(&answer).map_err(|_| Trouble::Waits(None, "the provider's answer is malformed".to_owned()))
}
