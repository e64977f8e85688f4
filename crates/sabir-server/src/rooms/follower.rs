use std::collections::{BTreeMap, BTreeSet};

use sabir_core::follower::{self, FollowerError};
use sabir_store::{AcceptFanout, Once, Placed, RoomEvent, RoomWrite, Route};
use sabir_wire::uri::{ClientUri, Domain, RoomUri};

use super::answer::RequestName;
use super::hub::{again, busy};
use super::registry::{FollowerRoom, Loaded};
use super::{FANOUT, TRIES};
use crate::error::Error;
use crate::server::Shared;

/// Takes what the hub of a room fans out. When it returns, the events are durable and on their way to our devices.
///
/// # Errors
/// [`Error::Malformed`]; [`Error::NotFound`] for a room in which none of our devices is; [`Error::Unavailable`] where too
/// much is at work; those of the store.
pub async fn notify(
    shared: &Shared,
    hub: &Domain,
    room: &RoomUri,
    name: &RequestName,
    batch: &[u8],
) -> Result<(), Error> {
    let references = follower::welcome_references(batch).map_err(refused)?;
    let _place = shared.place()?;
    let slot = shared.rooms.slot(room);
    for _ in 0..TRIES {
        let mut locked = slot.lock().await;
        let looked = slot.looks_first();
        if looked && name.answered(&shared.store)?.is_some() {
            return Ok(());
        }
        // What is refused now may have been accepted before.
        let accepted_before = || -> Result<bool, Error> {
            let before = !looked && name.answered(&shared.store)?.is_some();
            if before {
                slot.repeated();
            }
            Ok(before)
        };
        let routes = routes(shared, &references)?;
        let FollowerRoom { mut engine, version } =
            slot.take_follower(&mut locked, &shared.store, room).await?;
        let mut effects = match engine.handle(&shared.domain, batch, &routes) {
            Ok(effects) => effects,
            Err(_) if accepted_before()? => return Ok(()),
            Err(error) => return Err(refused(error)),
        };
        let events: Vec<RoomEvent> = std::mem::take(&mut effects.events)
            .into_iter()
            // What concerns none of our devices nobody will read.
            .filter(|event| !event.devices.is_empty())
            .map(|event| RoomEvent {
                kind: FANOUT,
                body: event.body,
                message_hash: Some(event.hash),
                devices: event.devices.iter().map(|d| d.as_str().to_owned()).collect(),
                followers: Vec::new(),
            })
            .collect();
        if version.is_none() && events.is_empty() {
            return if accepted_before()? {
                Ok(())
            } else {
                Err(Error::NotFound("room"))
            };
        }
        let epoch = engine.epoch().or(version.map(|version| version.epoch));
        let write = RoomWrite {
            room: room.as_str().to_owned(),
            new_epoch: epoch.unwrap_or_default(),
            row_deletes: std::mem::take(&mut effects.changes.deletes).into_iter().collect(),
            row_puts: std::mem::take(&mut effects.changes.puts).into_iter().collect(),
            events,
            spent_routes: routes.into_keys().collect(),
            answer: Some(name.answer(&[])),
            now: shared.ambient.now(),
        };
        let command = AcceptFanout {
            hub_domain: hub.as_str().to_owned(),
            expect: version,
            write,
        };
        match shared.store.accept_fanout(command).await {
            Ok(Once::Done(applied)) => {
                if effects.out_of_step {
                    tracing::debug!("a followed room is out of step until the next welcome");
                }
                let again = |placed: &Placed| matches!(placed, Placed::Duplicate(_));
                if !applied.events.is_empty() && applied.events.iter().all(again) {
                    tracing::debug!(reason = "in another batch", "request repeated");
                }
                *locked = Some(Loaded::Follower(Box::new(FollowerRoom {
                    engine,
                    version: Some(applied.version),
                })));
                return Ok(());
            }
            Ok(Once::AlreadyAnswered(_)) => {
                tracing::debug!("request repeated");
                slot.repeated();
                return Ok(());
            }
            Err(error) => again(error)?,
        }
    }
    Err(busy())
}

/// Notes that a device of ours entered a room elsewhere by an external commit, which its hub accepted.
///
/// # Errors
/// [`Error::Denied`] when too many wait in the room already; those of the store.
pub async fn joined_from_outside(shared: &Shared, device: &ClientUri, room: &RoomUri) -> Result<(), Error> {
    let slot = shared.rooms.slot(room);
    for _ in 0..TRIES {
        let mut locked = slot.lock().await;
        let FollowerRoom { mut engine, version } =
            slot.take_follower(&mut locked, &shared.store, room).await?;
        let mut changes = engine
            .attach(device.clone())
            .map_err(|_| Error::Denied("too many devices wait in this room"))?;
        if changes.is_empty() && version.is_some() {
            *locked = Some(Loaded::Follower(Box::new(FollowerRoom { engine, version })));
            return Ok(());
        }
        let epoch = engine.epoch().or(version.map(|version| version.epoch));
        let command = AcceptFanout {
            hub_domain: room.authority().as_str().to_owned(),
            expect: version,
            write: RoomWrite {
                room: room.as_str().to_owned(),
                new_epoch: epoch.unwrap_or_default(),
                row_deletes: std::mem::take(&mut changes.deletes).into_iter().collect(),
                row_puts: std::mem::take(&mut changes.puts).into_iter().collect(),
                now: shared.ambient.now(),
                ..RoomWrite::default()
            },
        };
        match shared.store.accept_fanout(command).await {
            Ok(Once::Done(applied)) => {
                *locked = Some(Loaded::Follower(Box::new(FollowerRoom {
                    engine,
                    version: Some(applied.version),
                })));
                return Ok(());
            }
            Ok(Once::AlreadyAnswered(_)) => return Err(Error::Internal("an answer to no request")),
            Err(error) => again(error)?,
        }
    }
    Err(busy())
}

/// Whether this device of ours gets the events of a room elsewhere.
///
/// # Errors
/// Those of the store.
pub async fn is_followed_by(shared: &Shared, device: &ClientUri, room: &RoomUri) -> Result<bool, Error> {
    let slot = shared.rooms.slot(room);
    let mut locked = slot.lock().await;
    let follower = slot.take_follower(&mut locked, &shared.store, room).await?;
    let there = follower.engine.attached().any(|there| there == device)
        || follower.engine.roster().any(|(_, there)| there == Some(device));
    if follower.version.is_some() {
        *locked = Some(Loaded::Follower(Box::new(follower)));
    }
    Ok(there)
}

/// Our devices that these key packages were of.
fn routes(shared: &Shared, references: &BTreeSet<Vec<u8>>) -> Result<BTreeMap<Vec<u8>, ClientUri>, Error> {
    let mut routes = BTreeMap::new();
    for reference in references {
        if let Some(Route::Device(device)) = shared.store.route(reference)?
            && let Ok(device) = ClientUri::parse(&device)
        {
            routes.insert(reference.clone(), device);
        }
    }
    Ok(routes)
}

fn refused(error: FollowerError) -> Error {
    match error {
        FollowerError::Malformed(error) => Error::Malformed("batch of FanoutMessages").because(error),
        error => Error::Internal("follower engine").because(error),
    }
}
