use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::SITES;
use super::xmpp::{Clock, Session, Trust};
use crate::TownError;
use crate::load::{Figures, Plan, Watch};

/// How long after the last join the servers are left alone to tell everybody of everybody.
const SETTLE: Duration = Duration::from_secs(4);

/// A few people of a room, all of its side, write as fast as everybody on both sides gets it.
pub(super) async fn flood(trust: &Trust, servers: Vec<u32>, plan: Plan) -> Result<Figures, TownError> {
    let [here, there] = SITES;
    let room = format!("load@{}", here.rooms);
    let clock = Clock::start();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    // One permit for each copy that arrived: a message is made of as many as there are people.
    let copies = Arc::new(Semaphore::new(0));
    let mut writers = Vec::new();
    let mut listeners = Vec::new();
    for number in 0..plan.people {
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
        if number % 2 == 0 && writers.len() < plan.senders {
            writers.push(writer);
        } else {
            listeners.push(writer);
        }
    }
    tokio::time::sleep(SETTLE).await;
    let people = u32::try_from(plan.people).map_err(|_| TownError::Wrong("too many people".to_owned()))?;
    let window = plan.window.unwrap_or(1);
    copies.add_permits(plan.people.saturating_mul(plan.senders).saturating_mul(window));
    let watch = Watch::start(servers)?;
    let until = tokio::time::Instant::now() + plan.time;
    for mut writer in writers {
        let (copies, room) = (Arc::clone(&copies), room.clone());
        tokio::spawn(async move {
            while let Ok(permits) = copies.acquire_many(people).await {
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
    let watched = watch.stop()?;
    drop(listeners);
    Ok(watched.figures(plan.workload, delays))
}
