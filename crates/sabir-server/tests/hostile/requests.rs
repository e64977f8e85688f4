//! Wrong methods, strange paths, and requests that come again.

use axum::body::Body;
use axum::http::{Method, Request};
use sabir_wire::client_api::{ApiErrorCode, path};
use sabir_wire::codec::Decode;

use crate::bodies::assert_refused;
use crate::support::logs::Logs;
use crate::table::{ROWS, Row, Takes, Who};
use crate::world::{World, answer};

#[tokio::test]
async fn another_method_is_refused() {
    let logs = Logs::capture();
    let world = World::new().await;
    let before = world.stored();
    for row in ROWS {
        let path = world.path(row);
        for method in [
            "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "BREW", "PRI",
        ] {
            let served = |it: &Row| {
                it.route == row.route && (it.method == method || (it.method, method) == ("GET", "HEAD"))
            };
            if ROWS.iter().any(served) {
                continue;
            }
            logs.clear();
            let mut request = Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(format!("https://a.example{path}"));
            for (name, value) in world.headers(row) {
                request = request.header(name, value);
            }
            let answer = answer(world.connection(row), request.body(Body::empty()).unwrap()).await;
            if method == "HEAD" {
                let status = if row.is_api() { 400 } else { 405 };
                assert_eq!(answer.status, status, "HEAD {}", row.route);
            } else {
                assert_refused(row, method, &answer, 405, ApiErrorCode::MALFORMED);
            }
            logs.one_refusal(if row.is_api() { 400 } else { 405 });
        }
    }
    world.assert_stored(&before, "another method");
    world.stop().await;
}

/// Segments that name nothing, in every way that a path can be written.
fn strange() -> Vec<String> {
    let mut strange: Vec<String> = [
        "%00",
        "%2e%2e",
        "..",
        ".",
        "%",
        "%Z",
        "%ZZ",
        "%2",
        "%FF%FE",
        "%C0%AF",
        "%E2%80%AE",
        "mimi%3A%2F%2Fa.example",
        "mimi%3A%2F%2Fa.example%2Fr%2F",
        "mimi%3A%2F%2FA.EXAMPLE%2Fr%2Fx",
        "mimi%3a%2f%2fa.example%2fr%2fx%00",
        "mimi%253A%252F%252Fa.example%252Fr%252Fx",
        "mimi:%2F%2Fa.example:443%2Fr%2Fx",
        "https%3A%2F%2Fa.example%2Fr%2Fx",
        "mimi%3A%2F%2Fa.example%2Fr%2Fx%20",
        "+",
        "*",
        "{roomId}",
        ";a=b",
        "'%20OR%201=1--",
    ]
    .map(str::to_owned)
    .into();
    strange.push("a".repeat(6_000));
    strange.push("%41".repeat(2_000));
    strange
}

#[tokio::test]
async fn paths_that_name_nothing_are_refused() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    for row in ROWS {
        let (Some(open), Some(close)) = (row.route.find('{'), row.route.find('}')) else {
            continue;
        };
        // Whatever its token is, an invitation is one; who takes it is asked later.
        if row.route == "/invite/{token}" {
            continue;
        }
        let valid = world.valid(row).await;
        let before = world.stored();
        for segment in strange() {
            let Ok(uri) = format!(
                "https://a.example{}{segment}{}",
                &row.route[..open],
                &row.route[close + 1..]
            )
            .parse::<axum::http::Uri>() else {
                continue;
            };
            logs.clear();
            let path = uri.path_and_query().unwrap().as_str();
            let request = world.request(row, path, &world.headers(row), Body::from(valid.clone()));
            let answer = answer(world.connection(row), request).await;
            let what = segment.get(..40).unwrap_or(&segment);
            assert!(
                [400, 404].contains(&answer.status),
                "{} of {what}: {answer:?}",
                row.name()
            );
            logs.one_refusal(answer.status);
        }
        world.assert_stored(&before, &row.name());
    }
    world.stop().await;
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_refused() {
    let logs = Logs::capture();
    let world = World::new().await;
    let before = world.stored();
    for path in [
        "/",
        "//",
        "/mimi",
        "/mimi/v1/",
        "/mimi/v2/notify/x",
        "/MIMI/v1/notify/x",
        "/mimi/v1/notify",
        "/mimi/v1/notify/",
        "/mimi/v1/notify/x/y",
        "/mimi//v1/notify/x",
        "/mimi/v1/%6eotify/x",
        "/mimi/v1/reportAbuse/x",
        "/client",
        "/client/",
        "/client/v1/",
        "/client/v2/hub",
        "/client/v1/hub/",
        "/client/v1/../../etc/passwd",
        "/client/v1/rooms/",
        "/.well-known/",
        "/.well-known/mimi-protocol-directory/x",
        "/invite",
        "/admin.sock",
    ] {
        for (connection, headers) in [
            (&world.peer, vec![("from", "mimi@b.example".to_owned())]),
            (
                &world.nobody,
                vec![("authorization", world.alice.online.bearer())],
            ),
        ] {
            logs.clear();
            let request = world.request(&ROWS[0], path, &headers, Body::empty());
            let answer = answer(connection, request).await;
            assert_eq!(answer.status, 404, "{path}");
            logs.one_refusal(404);
        }
    }
    world.assert_stored(&before, "a path that leads nowhere");
    world.stop().await;
}

/// What a request is answered that comes once more, byte for byte.
enum Again {
    /// The same.
    Same,
    /// Something of the same kind: it holds what is new each time.
    Anew,
    /// That it came before.
    Refused(ApiErrorCode),
}

fn again(row: &Row) -> Again {
    match row.route {
        path::SIGN_IN => Again::Refused(ApiErrorCode::UNAUTHORIZED),
        path::CHALLENGE => Again::Anew,
        route if route.contains("roup") && route.contains("nfo") => Again::Anew,
        _ => Again::Same,
    }
}

#[tokio::test]
async fn a_request_that_comes_again_changes_nothing_more() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    let posts = ROWS.iter().filter(|row| row.method == "POST");
    // Whoever enters a room anew is another one for its engine: messages first.
    let (updates, others): (Vec<&Row>, Vec<&Row>) = posts.partition(|row| row.route.contains("/update/"));
    for row in others.into_iter().chain(updates) {
        let body = world.valid(row).await;
        let first = world.ask(row, &body).await;
        assert!((200..300).contains(&first.status), "{}: {first:?}", row.name());
        world.settled().await;
        let before = world.stored();
        for _ in 0..3 {
            logs.clear();
            let second = world.ask(row, &body).await;
            match again(row) {
                Again::Refused(code) => {
                    assert_eq!(second.api_error(), code, "{}", row.name());
                    logs.one_refusal(second.status);
                }
                Again::Anew => assert_eq!(second.status, first.status, "{}", row.name()),
                Again::Same if row.takes == Takes::File => {
                    let answer =
                        sabir_wire::client_api::AppendAssetResponse::from_bytes(&second.body).unwrap();
                    assert!(!answer.appended, "those bytes are there");
                }
                Again::Same if row.route == path::KEY_PACKAGES => {
                    let answer = sabir_wire::client_api::PublishKeyPackagesResponse::from_bytes(&second.body);
                    assert_eq!(answer.unwrap().accepted, 0, "no key package twice");
                }
                Again::Same => assert_eq!(second, first, "{}", row.name()),
            }
        }
        world.settled().await;
        world.assert_stored(&before, &row.name());
        if row.route.contains("submit") {
            // Its sender takes the answer, so that the next message is another one.
            let talker = match row.who {
                Who::Peer => &mut world.bob,
                _ => &mut world.alice,
            };
            let request = talker.next_request().unwrap();
            talker.take_answer(&request, &first);
        }
    }
    world.stop().await;
}
