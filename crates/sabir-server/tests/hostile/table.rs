//! Every route, who may ask it, and how much it takes.

use std::collections::BTreeSet;

use axum::http::Method;
use sabir_wire::client_api::{MAX_BACKUP, MAX_CLIENT_REQUEST, MAX_PUBLISH_REQUEST};
use sabir_wire::pairing::{MAX_PAIRING_POST, MAX_PAIRING_REVEAL};
use sabir_wire::protocol::{
    MAX_GROUP_INFO_REQUEST, MAX_KEY_MATERIAL_REQUEST, MAX_NOTIFY, MAX_SUBMIT_REQUEST, MAX_UPDATE_REQUEST,
};

use crate::world::World;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Anybody,
    /// A device with a token.
    Device,
    /// Another provider.
    Peer,
}

/// What a route takes as a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// It is not looked at.
    Nothing,
    /// Nothing may be there.
    Empty,
    /// A structure of at most so many bytes.
    Structure(usize),
    /// Bytes of a file.
    File,
}

/// One method of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) method: &'static str,
    /// In the router's notation.
    pub(crate) route: &'static str,
    pub(crate) who: Who,
    pub(crate) takes: Takes,
}

const fn row(method: &'static str, route: &'static str, who: Who, takes: Takes) -> Row {
    Row {
        method,
        route,
        who,
        takes,
    }
}

use Takes::{Empty, File, Nothing, Structure};
use Who::{Anybody, Device, Peer};

pub(crate) const ROWS: &[Row] = &[
    row(
        "POST",
        "/mimi/v1/keyMaterial/{targetUser}",
        Peer,
        Structure(MAX_KEY_MATERIAL_REQUEST),
    ),
    row(
        "POST",
        "/mimi/v1/update/{roomId}",
        Peer,
        Structure(MAX_UPDATE_REQUEST),
    ),
    row(
        "POST",
        "/mimi/v1/submitMessage/{roomId}",
        Peer,
        Structure(MAX_SUBMIT_REQUEST),
    ),
    row("POST", "/mimi/v1/notify/{roomId}", Peer, Structure(MAX_NOTIFY)),
    row(
        "POST",
        "/mimi/v1/groupInfo/{roomId}",
        Peer,
        Structure(MAX_GROUP_INFO_REQUEST),
    ),
    row("GET", "/mimi/v1/asset/{assetId}", Peer, Nothing),
    row("GET", "/.well-known/mimi-protocol-directory", Anybody, Nothing),
    row("GET", "/invite/{token}", Anybody, Nothing),
    row("POST", "/client/v1/auth/challenge", Anybody, Empty),
    row(
        "POST",
        "/client/v1/auth/sign-in",
        Anybody,
        Structure(MAX_CLIENT_REQUEST),
    ),
    row(
        "POST",
        "/client/v1/accounts",
        Anybody,
        Structure(MAX_CLIENT_REQUEST),
    ),
    row(
        "POST",
        "/client/v1/accounts/recover",
        Anybody,
        Structure(MAX_CLIENT_REQUEST),
    ),
    row("GET", "/client/v1/backup", Device, Nothing),
    row("POST", "/client/v1/backup", Device, Structure(MAX_BACKUP)),
    row(
        "POST",
        "/client/v1/devices",
        Anybody,
        Structure(MAX_CLIENT_REQUEST),
    ),
    row("GET", "/client/v1/devices", Device, Nothing),
    row(
        "POST",
        "/client/v1/pairing/{box}/hello",
        Device,
        Structure(MAX_PAIRING_POST),
    ),
    row("GET", "/client/v1/pairing/{box}/hello", Anybody, Nothing),
    row(
        "POST",
        "/client/v1/pairing/{box}/reveal",
        Anybody,
        Structure(MAX_PAIRING_REVEAL),
    ),
    row("GET", "/client/v1/pairing/{box}/reveal", Device, Nothing),
    row(
        "POST",
        "/client/v1/pairing/{box}/letter",
        Device,
        Structure(MAX_PAIRING_POST),
    ),
    row("GET", "/client/v1/pairing/{box}/letter", Anybody, Nothing),
    row(
        "POST",
        "/client/v1/key-packages",
        Device,
        Structure(MAX_PUBLISH_REQUEST),
    ),
    row("GET", "/client/v1/key-packages", Device, Nothing),
    row("GET", "/client/v1/hub", Device, Nothing),
    row("POST", "/client/v1/rooms", Device, Structure(MAX_UPDATE_REQUEST)),
    row(
        "POST",
        "/client/v1/rooms/attach",
        Device,
        Structure(MAX_CLIENT_REQUEST),
    ),
    row("GET", "/client/v1/events", Device, Nothing),
    row(
        "POST",
        "/client/v1/events/ack",
        Device,
        Structure(MAX_CLIENT_REQUEST),
    ),
    row(
        "POST",
        "/client/v1/submit-message/{roomId}",
        Device,
        Structure(MAX_SUBMIT_REQUEST),
    ),
    row(
        "POST",
        "/client/v1/group-info/{roomId}",
        Device,
        Structure(MAX_GROUP_INFO_REQUEST),
    ),
    row(
        "POST",
        "/client/v1/key-material/{targetUser}",
        Device,
        Structure(MAX_KEY_MATERIAL_REQUEST),
    ),
    row(
        "POST",
        "/client/v1/update/{roomId}",
        Device,
        Structure(MAX_UPDATE_REQUEST),
    ),
    row("CONNECT", "/client/v1/tunnel", Device, Nothing),
    row("POST", "/client/v1/assets", Device, Structure(MAX_CLIENT_REQUEST)),
    row("POST", "/client/v1/assets/{assetId}", Device, File),
    row("GET", "/client/v1/assets/{assetId}", Device, Nothing),
    row("GET", "/client/v1/download/{url}", Device, Nothing),
    row("POST", "/client/v1/assets/{assetId}/finish", Device, Empty),
    row("DELETE", "/client/v1/assets/{assetId}", Device, Nothing),
];

impl Row {
    pub(crate) fn method(&self) -> Method {
        Method::from_bytes(self.method.as_bytes()).unwrap()
    }

    /// Whether its refusals are those of the client API.
    pub(crate) fn is_api(&self) -> bool {
        self.route.starts_with("/client/")
    }

    /// Where a test says which row it is at.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.route)
    }

    /// The largest body.
    pub(crate) fn most(&self) -> Option<usize> {
        match self.takes {
            Nothing => None,
            Empty => Some(0),
            Structure(most) => Some(most),
            // What the world's file is announced to have.
            File => Some(crate::world::BEGUN.len()),
        }
    }
}

/// Methods and routes as the router prints itself: nothing that is served can be missing in there.
fn served(router: &str) -> BTreeSet<(String, String)> {
    let mut served = BTreeSet::new();
    // `routes: {RouteId(1): MethodRouter(MethodRouter { get: .., ..}), ..}` and `paths: {RouteId(1): "/..", ..}`.
    let (routes, paths) = router.split_once("paths: {").expect("a router's paths");
    let paths = paths.split_once('}').map(|(paths, _)| paths);
    // Braces stand in the paths, too: up to the map's end every path is between quotes.
    let paths = paths.map(|_| router.split_once("paths: {").unwrap().1).unwrap();
    let mut rest = paths;
    while let Some(after) = rest.strip_prefix("RouteId(") {
        let (id, after) = after.split_once("): \"").unwrap();
        let (path, after) = after.split_once('"').unwrap();
        let start = routes
            .find(&format!("RouteId({id}): MethodRouter"))
            .expect("its methods");
        let of_route = &routes[start..];
        let of_route = of_route.split("RouteId(").nth(1).unwrap();
        for method in [
            "get", "head", "delete", "options", "patch", "post", "put", "trace", "connect",
        ] {
            let (_, state) = of_route.split_once(&format!("{method}: ")).expect("every method");
            if !state.starts_with("None") {
                served.insert((method.to_uppercase(), path.to_owned()));
            }
        }
        rest = after.strip_prefix(", ").unwrap_or_default();
    }
    served
}

#[tokio::test]
async fn every_route_has_a_row() {
    let world = World::new().await;
    let served = served(&format!("{:?}", world.routes));
    let rows: BTreeSet<(String, String)> = ROWS
        .iter()
        .map(|row| (row.method.to_owned(), row.route.to_owned()))
        .collect();
    assert_eq!(rows.len(), ROWS.len(), "a row twice");
    let missing: Vec<_> = served.difference(&rows).collect();
    assert!(missing.is_empty(), "served, and not in the table: {missing:#?}");
    let gone: Vec<_> = rows.difference(&served).collect();
    assert!(gone.is_empty(), "in the table, and not served: {gone:#?}");
    world.stop().await;
}
