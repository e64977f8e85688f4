use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sabir_store::DeviceItem;
use sabir_wire::client_api::{Event, EventBody, put_fanout_frame, put_frame};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::KEY_PACKAGES_LOW;
use super::wakers::Listening;
use crate::client::Session;
use crate::error::Error;
use crate::rooms::FANOUT;
use crate::server::Shared;

/// Bytes of events in one page.
const PAGE_BYTES: usize = 1 << 20;
/// A device that takes nothing for this long has its stream closed, and resumes by cursor.
const STALLED: Duration = Duration::from_secs(60);

/// Feeds one stream until the device leaves, its token is over, or the server stops.
pub(super) async fn feed(
    shared: Arc<Shared>,
    session: Session,
    after: u64,
    listening: Listening,
    frames: mpsc::Sender<Bytes>,
) {
    let mut stop = shared.stopping();
    tokio::select! {
        biased;
        ended = pages(&shared, &session, after, &listening, &frames) => {
            if let Err(error) = ended {
                error.log(error.status(), "an event stream ends");
            }
        }
        _ = stop.wait_for(|stop| *stop) => {}
        () = frames.closed() => {}
    }
}

async fn pages(
    shared: &Shared,
    session: &Session,
    mut cursor: u64,
    listening: &Listening,
    frames: &mpsc::Sender<Bytes>,
) -> Result<(), Error> {
    let settings = &shared.config.settings;
    let page = settings.limits.stream_queue;
    let keep_alive = Duration::from_secs(settings.timeouts.keep_alive_seconds.max(1));
    loop {
        // Before each page: a token that was taken away, or is over, ends its streams too, however much there is to tell.
        shared
            .sessions
            .find(&shared.store, session.token, shared.ambient.now())?;
        let items = shared
            .store
            .device_read(session.client.as_str(), cursor, page, PAGE_BYTES)?;
        let mut out = Vec::new();
        if items.is_empty() {
            tokio::select! {
                biased;
                () = listening.woken() => continue,
                () = sleep(keep_alive) => {}
            }
            let body = EventBody::Keepalive;
            put_frame(&mut out, &Event { cursor, body });
        }
        for item in &items {
            cursor = item.cursor;
            put_item(&mut out, item)?;
        }
        match timeout(STALLED, frames.send(out.into())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(Error::Denied("the device reads nothing")),
        }
    }
}

/// Appends the frame of an item. Its parts are not read again: they were checked when they were stored.
fn put_item(out: &mut Vec<u8>, item: &DeviceItem) -> Result<(), Error> {
    let DeviceItem {
        cursor,
        place,
        kind,
        body,
        ..
    } = item;
    match (*kind, place) {
        (FANOUT, Some(place)) => put_fanout_frame(out, *cursor, &place.room, body),
        (KEY_PACKAGES_LOW, None) => {
            let available = <[u8; 4]>::try_from(&**body)
                .map(u32::from_be_bytes)
                .map_err(|_| Error::Internal("a stored notice"))?;
            let body = EventBody::KeyPackagesLow { available };
            put_frame(
                out,
                &Event {
                    cursor: *cursor,
                    body,
                },
            );
        }
        _ => return Err(Error::Internal("a stored event of unknown kind")),
    }
    Ok(())
}
