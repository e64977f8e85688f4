//! The endpoints for other providers, under `/mimi/v1/`.
//!
//! Each handler takes the proved `From` first and the body last, so that a stranger's bytes are never waited for. What
//! it does runs in a task of its own: a caller that goes away does not stop it halfway.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::post;
use sabir_core::hub::Origin;
use sabir_mls::identity::ClientCredential;
use sabir_wire::codec::Decode;
use sabir_wire::mls::{MlsMessage, Sender};
use sabir_wire::protocol::{
    GroupInfoRequest, MAX_GROUP_INFO_REQUEST, MAX_KEY_MATERIAL_REQUEST, MAX_NOTIFY, MAX_SUBMIT_REQUEST,
    MAX_UPDATE_REQUEST, SubmitMessageRequest, UpdateRequest,
};
use sabir_wire::uri::{Domain, RoomUri, UserUri};

use crate::directory::Endpoint;
use crate::error::Error;
use crate::http::{Claim, Payload, PeerIdentity, at_most, authorise_from, binary, finish, last_segment};
use crate::key_material::{self, Asker};
use crate::rooms::{self, RequestName};
use crate::server::Shared;

/// The endpoints for other providers that are served, and therefore announced.
pub const OFFERED: &[Endpoint] = &[
    Endpoint::KeyMaterial,
    Endpoint::Update,
    Endpoint::SubmitMessage,
    Endpoint::Notify,
    Endpoint::GroupInfo,
];

/// Their routes.
pub fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            &Endpoint::KeyMaterial.route(),
            at_most(MAX_KEY_MATERIAL_REQUEST, post(key_material)),
        )
        .route(
            &Endpoint::Update.route(),
            at_most(MAX_UPDATE_REQUEST, post(update)),
        )
        .route(
            &Endpoint::SubmitMessage.route(),
            at_most(MAX_SUBMIT_REQUEST, post(submit_message)),
        )
        .route(&Endpoint::Notify.route(), at_most(MAX_NOTIFY, post(notify)))
        .route(
            &Endpoint::GroupInfo.route(),
            at_most(MAX_GROUP_INFO_REQUEST, post(group_info)),
        )
}

/// draft-ietf-mimi-protocol-06 §5.2
async fn key_material(
    State(shared): State<Arc<Shared>>,
    PeerIdentity(from): PeerIdentity,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let target =
            UserUri::from_path_segment(last_segment(&uri)).map_err(|_| Error::Malformed("target user"))?;
        let body = payload.bytes().clone();
        key_material::request(&shared, &Asker::Provider(from), &target, body)
            .await
            .map(binary)
    })
    .await
}

/// draft-ietf-mimi-protocol-06 §5.3
async fn update(
    State(shared): State<Arc<Shared>>,
    PeerIdentity(from): PeerIdentity,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let room = room(&uri)?;
        let body = payload.bytes();
        let request = UpdateRequest::from_bytes(body).map_err(|_| Error::Malformed("UpdateRequest"))?;
        // A member's leaf is in the hub's tree: the engine knows its authority. A joiner's comes along.
        let joiner = joiner(&request)?;
        let actor = joiner.as_ref().unwrap_or(&from);
        authorise_from(&from, &shared.domain, Claim::Update { room: &room, actor })?;
        let name = RequestName::new(from.as_str(), Endpoint::Update.name(), &room, body)?;
        let origin = Origin {
            provider: from,
            client: None,
        };
        rooms::update(&shared, &room, &origin, &name, &request)
            .await
            .map(binary)
    })
    .await
}

/// draft-ietf-mimi-protocol-06 §5.4
async fn submit_message(
    State(shared): State<Arc<Shared>>,
    PeerIdentity(from): PeerIdentity,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let room = room(&uri)?;
        let body = payload.bytes();
        let request =
            SubmitMessageRequest::from_bytes(body).map_err(|_| Error::Malformed("SubmitMessageRequest"))?;
        let claim = Claim::SubmitMessage {
            room: &room,
            sender: &request.sending_uri,
        };
        authorise_from(&from, &shared.domain, claim)?;
        let name = RequestName::new(from.as_str(), Endpoint::SubmitMessage.name(), &room, body)?;
        let origin = Origin {
            provider: from,
            client: None,
        };
        rooms::submit(&shared, &room, &origin, &name, request, body)
            .await
            .map(binary)
    })
    .await
}

/// draft-ietf-mimi-protocol-06 §5.5
async fn notify(
    State(shared): State<Arc<Shared>>,
    PeerIdentity(from): PeerIdentity,
    uri: Uri,
    payload: Payload,
) -> Result<StatusCode, Error> {
    finish(async move {
        let room = room(&uri)?;
        authorise_from(&from, &shared.domain, Claim::Notify { room: &room })?;
        let body = payload.bytes();
        let name = RequestName::new(from.as_str(), Endpoint::Notify.name(), &room, body)?;
        rooms::notify(&shared, &from, &room, &name, body).await?;
        Ok(StatusCode::CREATED)
    })
    .await
}

/// draft-ietf-mimi-protocol-06 §5.6
async fn group_info(
    State(shared): State<Arc<Shared>>,
    PeerIdentity(from): PeerIdentity,
    uri: Uri,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let room = room(&uri)?;
        let request = GroupInfoRequest::from_bytes(payload.bytes())
            .map_err(|_| Error::Malformed("GroupInfoRequest"))?;
        let credential = ClientCredential::from_credential(&request.requesting_credential)
            .map_err(|_| Error::Malformed("credential"))?;
        let claim = Claim::GroupInfo {
            room: &room,
            requester: credential.claimed_domain(),
        };
        authorise_from(&from, &shared.domain, claim)?;
        let origin = Origin {
            provider: from,
            client: None,
        };
        rooms::group_info(&shared, &room, &origin, &request)
            .await
            .map(binary)
    })
    .await
}

/// The room in the path.
pub(crate) fn room(uri: &Uri) -> Result<RoomUri, Error> {
    RoomUri::from_path_segment(last_segment(uri)).map_err(|_| Error::Malformed("room"))
}

/// The provider of the client that joins by this external commit, where it is one.
fn joiner(request: &UpdateRequest) -> Result<Option<Domain>, Error> {
    let MlsMessage::Public(message) = request.bundle.message() else {
        return Ok(None);
    };
    if message.sender() != Sender::NewMemberCommit {
        return Ok(None);
    }
    let path = message.commit().and_then(|commit| commit.path.as_ref());
    let leaf = &path.ok_or(Error::Malformed("external commit"))?.leaf_node;
    let credential =
        ClientCredential::from_credential(&leaf.credential).map_err(|_| Error::Malformed("credential"))?;
    Ok(Some(credential.claimed_domain().clone()))
}
