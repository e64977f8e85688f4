//! The API for our own users' devices, under `/client/v1/` (docs/client-api.md; structures in
//! `sabir_wire::client_api`).
//!
//! ```text
//! anybody with an invite, or a recovery code --> accounts      device with its key --> devices, challenge, sign-in --> token
//! new device, old device --> pairing            device with a token ----> key packages, devices, rooms, update, submit-message, group-info, key-material, events, CONNECT
//! ```
//!
//! A room whose hub we are goes to its engine, another one's requests go on to its hub, byte for byte.

mod account;
mod challenge;
mod device;
mod packages;
mod pairing;
mod recover;
mod room;
mod session;
mod tunnel;

use std::sync::Arc;

use axum::Router;
use axum::routing::{connect, get, post};
use sabir_wire::client_api::{MAX_BACKUP, MAX_CLIENT_REQUEST, MAX_PUBLISH_REQUEST, path};
use sabir_wire::pairing::{MAX_PAIRING_POST, MAX_PAIRING_REVEAL};
use sabir_wire::protocol::{
    MAX_GROUP_INFO_REQUEST, MAX_KEY_MATERIAL_REQUEST, MAX_SUBMIT_REQUEST, MAX_UPDATE_REQUEST,
};

pub use device::listed_devices;
pub use pairing::Pairings;
pub use session::{Session, Sessions};
pub use tunnel::Tunnels;

use crate::events;
use crate::http::{TUNNEL_PATH, at_most};
use crate::server::Shared;

/// Its routes.
pub fn routes() -> Router<Arc<Shared>> {
    let room = |prefix: &str| format!("{prefix}{{roomId}}");
    let pairing = |slot: &str| format!("{}{{box}}{slot}", path::PAIRING);
    Router::new()
        .route(path::CHALLENGE, at_most(0, post(session::challenge)))
        .route(path::SIGN_IN, at_most(MAX_CLIENT_REQUEST, post(session::sign_in)))
        .route(path::ACCOUNTS, at_most(MAX_CLIENT_REQUEST, post(account::create)))
        .route(path::RECOVER, at_most(MAX_CLIENT_REQUEST, post(recover::recover)))
        .route(
            path::BACKUP,
            at_most(MAX_BACKUP, post(recover::put_backup)).get(recover::backup),
        )
        .route(
            path::DEVICES,
            at_most(MAX_CLIENT_REQUEST, post(device::register)).get(device::list),
        )
        .route(
            &pairing(path::HELLO),
            at_most(MAX_PAIRING_POST, post(pairing::open)).get(pairing::hello),
        )
        .route(
            &pairing(path::REVEAL),
            at_most(MAX_PAIRING_REVEAL, post(pairing::put_reveal)).get(pairing::reveal),
        )
        .route(
            &pairing(path::LETTER),
            at_most(MAX_PAIRING_POST, post(pairing::put_letter)).get(pairing::letter),
        )
        .route(
            path::KEY_PACKAGES,
            at_most(MAX_PUBLISH_REQUEST, post(packages::publish)).get(packages::count),
        )
        .route(path::HUB, get(room::hub))
        .route(path::ROOMS, at_most(MAX_UPDATE_REQUEST, post(room::create)))
        .route(path::ATTACH, at_most(MAX_CLIENT_REQUEST, post(room::attach)))
        .route(path::EVENTS, get(events::stream))
        .route(path::ACK, at_most(MAX_CLIENT_REQUEST, post(events::acknowledge)))
        .route(
            &room(path::UPDATE),
            at_most(MAX_UPDATE_REQUEST, post(room::update)),
        )
        .route(
            &room(path::SUBMIT_MESSAGE),
            at_most(MAX_SUBMIT_REQUEST, post(room::submit_message)),
        )
        .route(
            &room(path::GROUP_INFO),
            at_most(MAX_GROUP_INFO_REQUEST, post(room::group_info)),
        )
        .route(
            &format!("{}{{targetUser}}", path::KEY_MATERIAL),
            at_most(MAX_KEY_MATERIAL_REQUEST, post(room::key_material)),
        )
        .route(TUNNEL_PATH, connect(tunnel::open))
}
