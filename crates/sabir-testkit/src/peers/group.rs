use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::SITES;
use super::figures::{Figures, Watch};
use super::process::Process;
use super::xmpp::{Clock, Session, Trust};
use crate::TownError;

/// People in the room, half of them on each side.
const PEOPLE: u32 = 50;
/// Of them, those who send, all from the side of the room; messages of each under way.
const SENDERS: usize = 4;
const WINDOW: usize = 4;
/// How long after the last join the servers are left alone to tell everybody of everybody.
const SETTLE: Duration = Duration::from_secs(4);

/// Four people of a room of fifty write as fast as everybody gets it.
pub(super) async fn flood(trust: &Trust, servers: &[Process], secs: u64) -> Result<Figures, TownError> {
    let [here, there] = SITES;
    let room = format!("load@{}", here.rooms);
    let clock = Clock::start();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    // One permit for each copy that arrived: a message is made of as many as there are people.
    let copies = Arc::new(Semaphore::new(0));
    let mut writers = Vec::new();
    let mut listeners = Vec::new();
    for number in 0..PEOPLE {
        let site = if number % 2 == 0 { here } else { there };
        let session = Session::open(trust, site, &format!("m{number}")).await?;
        let (reader, mut writer) = session.split();
        let (arrived, copies) = (arrived.clone(), Arc::clone(&copies));
        tokio::spawn(reader.each(clock, move |delay| {
            copies.add_permits(1);
            // Nobody counts any more at the end.
            let _ = arrived.send(delay);
        }));
        writer
            .write(&format!(
                "<presence to='{room}/n{number}'><x xmlns='http://jabber.org/protocol/muc'>\
                 <history maxstanzas='0'/></x></presence>"
            ))
            .await?;
        if number == 0 {
            // The first one makes the room.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if number % 2 == 0 && writers.len() < SENDERS {
            writers.push(writer);
        } else {
            listeners.push(writer);
        }
    }
    tokio::time::sleep(SETTLE).await;
    let people = PEOPLE as usize;
    copies.add_permits(people * SENDERS * WINDOW);
    let watch = Watch::start(servers);
    let until = tokio::time::Instant::now() + Duration::from_secs(secs);
    for mut writer in writers {
        let (copies, room) = (Arc::clone(&copies), room.clone());
        tokio::spawn(async move {
            while let Ok(permits) = copies.acquire_many(PEOPLE).await {
                permits.forget();
                if tokio::time::Instant::now() > until || writer.say(&room, "groupchat", clock).await.is_err()
                {
                    break;
                }
            }
            // The connection stays, so that nobody leaves the room.
            std::future::pending::<()>().await;
        });
    }
    let mut delays = Vec::new();
    while let Ok(Some(delay)) = tokio::time::timeout_at(until, arrivals.recv()).await {
        delays.push(delay);
    }
    let figures = watch.stop(servers, delays);
    drop(listeners);
    Ok(figures)
}
