use std::collections::{BTreeMap, BTreeSet};

use sabir_core::hub::{self, Effects, Hub, HubContext, HubError, Origin, Route};
use sabir_mls::identity::{ClientCredential, TrustAnchors};
use sabir_store::{Apply, CreateRoom, Once, RoomEvent, RoomKind, RoomVersion, RoomWrite, StoreError};
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomRequest, CreateRoomResponse};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::protocol::{
    GroupInfoOutcome, GroupInfoRequest, GroupInfoResponse, HandshakeBundle, SubmitMessageRequest,
    SubmitMessageResponse, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, RoomUri, UserUri};

use super::answer::RequestName;
use super::registry::{HubRoom, Loaded};
use super::{FANOUT, TRIES};
use crate::error::{Error, log_refused};
use crate::server::Shared;

const NO_ROOM: Error = Error::NotFound("room");

/// Takes an application message for one of our rooms, which was read from `body`; gives the encoded
/// `SubmitMessageResponse`.
///
/// The room is free for the next message as soon as this one is on its way to the store, so that messages of one room
/// share the store's transactions.
///
/// # Errors
/// [`Error::NotFound`] for a room that is not here, [`Error::Unavailable`] where too much is at work, those of the store,
/// [`Error::Internal`].
pub async fn submit(
    shared: &Shared,
    room: &RoomUri,
    origin: &Origin,
    name: &RequestName,
    request: SubmitMessageRequest,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let _place = shared.place()?;
    let slot = shared.rooms.slot(room);
    let mut decoded = Some(request);
    for _ in 0..TRIES {
        // The engine takes it whole; another try reads it again.
        let request = match decoded.take() {
            Some(request) => request,
            None => SubmitMessageRequest::from_bytes(body).map_err(|_| Error::Malformed("request"))?,
        };
        let mut locked = slot.lock().await;
        let looked = slot.looks_first();
        if looked && let Some(answer) = name.answered(&shared.store)? {
            return Ok(answer);
        }
        let HubRoom { mut engine, version } =
            slot.take_hub(&mut locked, shared, room).await?.ok_or(NO_ROOM)?;
        let now = shared.ambient.now();
        let anchors = shared.anchors.known();
        let effects = engine
            .submit(context(shared, &anchors), now, origin, request)
            .map_err(fault)?;
        if effects.events.is_empty() {
            *locked = Some(Loaded::Hub(Box::new(HubRoom { engine, version })));
            // What is refused now may have been accepted before.
            if !looked && let Some(answer) = name.answered(&shared.store)? {
                slot.repeated();
                return Ok(answer);
            }
            log_refused_message(&effects.reply);
            return Ok(effects.reply);
        }
        let (write, reply) = room_write(room, effects, Vec::new(), name, now);
        let next = version_after(version, &write);
        let on_its_way = slot.on_its_way().await;
        let writing = shared.store.apply(Apply {
            expect: version,
            write,
        });
        *locked = Some(Loaded::Hub(Box::new(HubRoom {
            engine,
            version: next,
        })));
        drop(locked);
        let written = writing.await;
        drop(on_its_way);
        match written {
            Ok(Once::Done(_)) => return Ok(reply),
            Ok(Once::AlreadyAnswered(answer)) => {
                tracing::debug!("request repeated");
                slot.repeated();
                slot.forget().await;
                return Ok(answer);
            }
            Err(error) => {
                slot.forget().await;
                again(error)?;
            }
        }
    }
    Err(busy())
}

/// Takes a commit for one of our rooms; gives the encoded `UpdateRoomResponse`.
///
/// # Errors
/// As [`submit`]; [`Error::Upstream`] where the identity of a provider that it names cannot be learned.
pub async fn update(
    shared: &Shared,
    room: &RoomUri,
    origin: &Origin,
    name: &RequestName,
    request: &UpdateRequest,
) -> Result<Vec<u8>, Error> {
    let slot = shared.rooms.slot(room);
    let spent = welcome_references(request);
    for _ in 0..TRIES {
        let place = shared.place()?;
        let mut locked = slot.lock().await;
        if let Some(answer) = name.answered(&shared.store)? {
            return Ok(answer);
        }
        let HubRoom { mut engine, version } =
            slot.take_hub(&mut locked, shared, room).await?.ok_or(NO_ROOM)?;
        let routes = routes(shared, &spent)?;
        let now = shared.ambient.now();
        let anchors = shared.anchors.known();
        let effects = match engine.update(context(shared, &anchors), now, origin, request, &routes) {
            Ok(effects) => effects,
            Err(HubError::UnknownProvider(domain)) => {
                // Nothing has changed; and nobody waits for the other provider with the room or a place in hand.
                *locked = Some(Loaded::Hub(Box::new(HubRoom { engine, version })));
                drop(locked);
                drop(place);
                shared.anchors.learn(shared, origin.into(), &domain).await?;
                continue;
            }
            Err(error) => return Err(fault(error)),
        };
        if effects.events.is_empty() {
            *locked = Some(Loaded::Hub(Box::new(HubRoom { engine, version })));
            log_refused_update(&effects.reply);
            return Ok(effects.reply);
        }
        let spent = spent.iter().cloned().collect();
        let (write, reply) = room_write(room, effects, spent, name, now);
        // The room stays locked until the commit is durable: what is refused because of it is refused for good.
        match shared
            .store
            .apply(Apply {
                expect: version,
                write,
            })
            .await
        {
            Ok(Once::Done(applied)) => {
                *locked = Some(Loaded::Hub(Box::new(HubRoom {
                    engine,
                    version: applied.version,
                })));
                return Ok(reply);
            }
            Ok(Once::AlreadyAnswered(answer)) => return Ok(answer),
            Err(error) => again(error)?,
        }
    }
    Err(busy())
}

/// Makes a room for one of our devices; gives the encoded `CreateRoomResponse`.
///
/// # Errors
/// As [`submit`].
pub async fn create(
    shared: &Shared,
    creator: &ClientUri,
    name: &RequestName,
    request: &CreateRoomRequest,
) -> Result<Vec<u8>, Error> {
    let room = &request.room;
    if *room.authority() != shared.domain {
        return Ok(not_created(CreateRoomOutcome::NotAllowed));
    }
    let _place = shared.place()?;
    let slot = shared.rooms.slot(room);
    let mut locked = slot.lock().await;
    if let Some(answer) = name.answered(&shared.store)? {
        return Ok(answer);
    }
    if let Some(existing) = slot.take_hub(&mut locked, shared, room).await? {
        *locked = Some(Loaded::Hub(Box::new(existing)));
        return Ok(not_created(CreateRoomOutcome::AlreadyExists));
    }
    let now = shared.ambient.now();
    let anchors = shared.anchors.known();
    let mut rng = shared.ambient.rng()?;
    let creation = Hub::create(context(shared, &anchors), now, creator, request, &mut rng).map_err(fault)?;
    let Some(engine) = creation.hub else {
        let reply = creation.effects.reply;
        if let Ok(answer) = CreateRoomResponse::from_bytes(&reply) {
            log_refused("a room", answer.outcome, Some(&answer.description));
        }
        return Ok(reply);
    };
    let (write, reply) = room_write(room, creation.effects, Vec::new(), name, now);
    let command = CreateRoom {
        kind: RoomKind::Hub,
        hub_domain: shared.domain.as_str().to_owned(),
        write,
    };
    match shared.store.create_room(command).await {
        Ok(Once::Done(applied)) => {
            let version = applied.version;
            *locked = Some(Loaded::Hub(Box::new(HubRoom { engine, version })));
            Ok(reply)
        }
        Ok(Once::AlreadyAnswered(answer)) => Ok(answer),
        Err(StoreError::Conflict { .. }) => Ok(not_created(CreateRoomOutcome::AlreadyExists)),
        Err(error) => Err(error.into()),
    }
}

/// Answers a request for the GroupInfo of one of our rooms with an encoded `GroupInfoResponse`.
///
/// # Errors
/// As [`update`].
pub async fn group_info(
    shared: &Shared,
    room: &RoomUri,
    origin: &Origin,
    request: &GroupInfoRequest,
) -> Result<Vec<u8>, Error> {
    let credential = ClientCredential::from_credential(&request.requesting_credential)
        .map_err(|_| Error::Malformed("credential"))?;
    let domain = credential.claimed_domain();
    shared.anchors.learn(shared, origin.into(), domain).await?;
    let _place = shared.place()?;
    let slot = shared.rooms.slot(room);
    let mut locked = slot.lock().await;
    let Some(HubRoom { engine, version }) = slot.take_hub(&mut locked, shared, room).await? else {
        let answer = hub::no_such_room(room);
        log_refused_group_info(&answer);
        return Ok(answer);
    };
    let anchors = shared.anchors.known();
    let mut rng = shared.ambient.rng()?;
    let answer = engine
        .group_info(
            context(shared, &anchors),
            shared.ambient.now(),
            origin,
            request,
            &mut rng,
        )
        .map_err(fault);
    *locked = Some(Loaded::Hub(Box::new(HubRoom { engine, version })));
    answer.inspect(|answer| log_refused_group_info(answer))
}

/// Whether one of our rooms is here and what `holds` says of its clients and participants.
///
/// # Errors
/// [`Error::NotFound`], those of the store.
pub async fn is_here_with(shared: &Shared, room: &RoomUri, who: Who<'_>) -> Result<bool, Error> {
    let slot = shared.rooms.slot(room);
    let mut locked = slot.lock().await;
    let hub = slot.take_hub(&mut locked, shared, room).await?.ok_or(NO_ROOM)?;
    let there = match who {
        Who::Participant(user) => hub.engine.takes_part(user),
        Who::Client(client) => hub.engine.clients().any(|there| there == client),
    };
    *locked = Some(Loaded::Hub(Box::new(hub)));
    Ok(there)
}

/// Somebody who may be in a room.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// A person on the participant list who has not left.
    Participant(&'a UserUri),
    /// A device in the group.
    Client(&'a ClientUri),
}

fn context<'a>(shared: &'a Shared, anchors: &'a TrustAnchors) -> HubContext<'a> {
    HubContext {
        identity: &shared.hub,
        anchors,
    }
}

/// The command's content, and the answer to give once it is durable.
fn room_write(
    room: &RoomUri,
    effects: Effects,
    spent_routes: Vec<Vec<u8>>,
    name: &RequestName,
    now: u64,
) -> (RoomWrite, Vec<u8>) {
    let Effects {
        mut changes,
        epoch,
        events,
        reply,
    } = effects;
    let event = |event: hub::HubEvent| RoomEvent {
        kind: FANOUT,
        body: event.body,
        message_hash: None,
        devices: event.devices.iter().map(|d| d.as_str().to_owned()).collect(),
        followers: event.followers.iter().map(|f| f.as_str().to_owned()).collect(),
    };
    let write = RoomWrite {
        room: room.as_str().to_owned(),
        new_epoch: epoch,
        row_deletes: std::mem::take(&mut changes.deletes).into_iter().collect(),
        row_puts: std::mem::take(&mut changes.puts).into_iter().collect(),
        events: events.into_iter().map(event).collect(),
        spent_routes,
        answer: Some(name.answer(&reply)),
        now,
    };
    (write, reply)
}

/// What the store's version will be after a write whose events carry no hash, so that each is appended.
fn version_after(before: RoomVersion, write: &RoomWrite) -> RoomVersion {
    let appended = u64::try_from(write.events.len()).unwrap_or(u64::MAX);
    RoomVersion {
        epoch: write.new_epoch,
        next_seq: before.next_seq.saturating_add(appended),
        fence: before.fence,
    }
}

/// Whether a failed command is worth another look: it lost a race, or nobody knows whether it happened, which the next
/// look at the stored answers tells.
pub(super) fn again(error: StoreError) -> Result<(), Error> {
    if error.is_conflict() || error.maybe_applied() {
        tracing::debug!(%error, "a room is loaded again");
        Ok(())
    } else {
        Err(error.into())
    }
}

pub(super) fn busy() -> Error {
    Error::Unavailable {
        what: "the room",
        retry_after: std::time::Duration::from_secs(1),
    }
}

fn fault(error: HubError) -> Error {
    // What it says is about our state, not about users.
    Error::Internal("hub engine").because(error)
}

/// The KeyPackageRefs that an update's Welcome is for.
fn welcome_references(request: &UpdateRequest) -> BTreeSet<Vec<u8>> {
    match &request.bundle {
        HandshakeBundle::Commit {
            welcome: Some(welcome),
            ..
        } => welcome.new_members().map(<[u8]>::to_vec).collect(),
        _ => BTreeSet::new(),
    }
}

fn routes(shared: &Shared, references: &BTreeSet<Vec<u8>>) -> Result<BTreeMap<Vec<u8>, Route>, Error> {
    let mut routes = BTreeMap::new();
    for reference in references {
        let route = match shared.store.route(reference)? {
            Some(sabir_store::Route::Device(device)) => ClientUri::parse(&device).ok().map(Route::Device),
            Some(sabir_store::Route::Provider(domain)) => domain.parse().ok().map(Route::Provider),
            None => None,
        };
        if let Some(route) = route {
            routes.insert(reference.clone(), route);
        }
    }
    Ok(routes)
}

fn not_created(outcome: CreateRoomOutcome) -> Vec<u8> {
    log_refused("a room", outcome, None);
    CreateRoomResponse {
        description: String::new(),
        outcome,
    }
    .to_bytes()
}

fn log_refused_message(reply: &[u8]) {
    if let Ok(answer) = SubmitMessageResponse::from_bytes(reply) {
        log_refused("a message", answer.status_code(), None);
    }
}

fn log_refused_update(reply: &[u8]) {
    if let Ok(answer) = UpdateRoomResponse::from_bytes(reply)
        && !matches!(answer.outcome, UpdateOutcome::Success { .. })
    {
        log_refused(
            "an update",
            answer.outcome.code(),
            Some(&answer.error_description),
        );
    }
}

fn log_refused_group_info(reply: &[u8]) {
    if let Ok(answer) = GroupInfoResponse::from_bytes(reply)
        && !matches!(answer.outcome, GroupInfoOutcome::Success(_))
    {
        log_refused("a request for a GroupInfo", &answer.outcome, None);
    }
}
