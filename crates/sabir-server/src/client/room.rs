use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use sabir_core::hub::Origin;
use sabir_mls::identity::ClientCredential;
use sabir_wire::client_api::{AttachRequest, CreateRoomRequest, HubIdentity};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{MlsMessage, Sender, SignaturePublicKey};
use sabir_wire::protocol::{
    GroupInfoRequest, SubmitMessageRequest, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{RoomUri, UserUri};

use super::Session;
use crate::directory::Endpoint;
use crate::error::Error;
use crate::forward::forward;
use crate::http::{Payload, binary, finish, last_segment};
use crate::key_material::{self, Asker};
use crate::mimi::room;
use crate::rooms::{self, RequestName, Who};
use crate::server::Shared;
use crate::waits::By;

/// `GET hub`
pub(super) async fn hub(State(shared): State<Arc<Shared>>, _: Session) -> Response {
    let identity = HubIdentity {
        key: SignaturePublicKey(shared.hub.signing_key.public().to_vec()),
        credential: shared.hub.credential.to_credential(),
    };
    binary(identity.to_bytes())
}

/// `POST rooms`
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    session: Session,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let body = payload.bytes();
        let request =
            CreateRoomRequest::from_bytes(body).map_err(|_| Error::Malformed("CreateRoomRequest"))?;
        let name = RequestName::new(session.client.as_str(), "rooms", &request.room, body)?;
        rooms::create(&shared, &session.client, &name, &request)
            .await
            .map(binary)
    })
    .await
}

/// `POST update/{roomId}`
pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let room = room(&uri)?;
        let body = payload.bytes();
        let request = UpdateRequest::from_bytes(body).map_err(|_| Error::Malformed("UpdateRequest"))?;
        if is_ours(&shared, &room) {
            let name = RequestName::new(session.client.as_str(), Endpoint::Update.name(), &room, body)?;
            let origin = origin(&shared, &session);
            return rooms::update(&shared, &room, &origin, &name, &request)
                .await
                .map(binary);
        }
        let joins = joins(&request, &session)?;
        let segment = room.to_path_segment();
        let answer = forward(
            &shared,
            By::Device(&session.client),
            room.authority(),
            Endpoint::Update,
            &segment,
            body.clone(),
        )
        .await?;
        // The hub sends what comes after; that the device is there now, only this answer tells.
        if joins && accepted(&answer) {
            rooms::joined_from_outside(&shared, &session.client, &room).await?;
        }
        Ok(binary(answer))
    })
    .await
}

/// `POST submit-message/{roomId}`
pub(super) async fn submit_message(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let room = room(&uri)?;
        let body = payload.bytes();
        let request =
            SubmitMessageRequest::from_bytes(body).map_err(|_| Error::Malformed("SubmitMessageRequest"))?;
        // Nobody but we know whose token it is.
        if request.sending_uri != session.user {
            return Err(Error::Denied("the sender is another user"));
        }
        let endpoint = Endpoint::SubmitMessage;
        if is_ours(&shared, &room) {
            let name = RequestName::new(session.client.as_str(), endpoint.name(), &room, body)?;
            let origin = origin(&shared, &session);
            return rooms::submit(&shared, &room, &origin, &name, request, body)
                .await
                .map(binary);
        }
        let segment = room.to_path_segment();
        let by = By::Device(&session.client);
        forward(&shared, by, room.authority(), endpoint, &segment, body.clone())
            .await
            .map(binary)
    })
    .await
}

/// `POST group-info/{roomId}`
pub(super) async fn group_info(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let room = room(&uri)?;
        let body = payload.bytes();
        let request = GroupInfoRequest::from_bytes(body).map_err(|_| Error::Malformed("GroupInfoRequest"))?;
        let credential = ClientCredential::from_credential(&request.requesting_credential)
            .map_err(|_| Error::Malformed("credential"))?;
        if *credential.claimed_client() != session.client {
            return Err(Error::Denied("the requester is another device"));
        }
        if is_ours(&shared, &room) {
            let origin = origin(&shared, &session);
            return rooms::group_info(&shared, &room, &origin, &request)
                .await
                .map(binary);
        }
        let segment = room.to_path_segment();
        forward(
            &shared,
            By::Device(&session.client),
            room.authority(),
            Endpoint::GroupInfo,
            &segment,
            body.clone(),
        )
        .await
        .map(binary)
    })
    .await
}

/// `POST key-material/{targetUser}`
pub(super) async fn key_material(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let target =
            UserUri::from_path_segment(last_segment(&uri)).map_err(|_| Error::Malformed("target user"))?;
        let body = payload.bytes().clone();
        key_material::request(&shared, &Asker::Device(session), &target, body)
            .await
            .map(binary)
    })
    .await
}

/// `POST rooms/attach`
pub(super) async fn attach(
    State(shared): State<Arc<Shared>>,
    session: Session,
    payload: Payload,
) -> Result<StatusCode, Error> {
    finish(async move {
        let AttachRequest { room } =
            AttachRequest::from_bytes(payload.bytes()).map_err(|_| Error::Malformed("AttachRequest"))?;
        let there = if is_ours(&shared, &room) {
            rooms::is_here_with(&shared, &room, Who::Client(&session.client)).await?
        } else {
            rooms::is_followed_by(&shared, &session.client, &room).await?
        };
        // Whoever entered did it through us. A device's own word alone would show it the events of others.
        if there {
            Ok(StatusCode::OK)
        } else {
            Err(Error::NotFound("room"))
        }
    })
    .await
}

fn is_ours(shared: &Shared, room: &RoomUri) -> bool {
    *room.authority() == shared.domain
}

fn origin(shared: &Shared, session: &Session) -> Origin {
    Origin {
        provider: shared.domain.clone(),
        client: Some(session.client.clone()),
    }
}

/// Whether this is the device's own external commit; another device's is refused.
fn joins(request: &UpdateRequest, session: &Session) -> Result<bool, Error> {
    let MlsMessage::Public(message) = request.bundle.message() else {
        return Ok(false);
    };
    if message.sender() != Sender::NewMemberCommit {
        return Ok(false);
    }
    let path = message.commit().and_then(|commit| commit.path.as_ref());
    let leaf = &path.ok_or(Error::Malformed("external commit"))?.leaf_node;
    let credential =
        ClientCredential::from_credential(&leaf.credential).map_err(|_| Error::Malformed("credential"))?;
    if *credential.claimed_client() == session.client {
        Ok(true)
    } else {
        Err(Error::Denied("the joiner is another device"))
    }
}

fn accepted(answer: &[u8]) -> bool {
    UpdateRoomResponse::from_bytes(answer)
        .is_ok_and(|answer| matches!(answer.outcome, UpdateOutcome::Success { .. }))
}
