//! CONNECT: another provider's directory, read over TLS that our provider cannot look into.

use axum::body::Body;
use axum::http::{Method, Request};
use hyper_util::rt::TokioIo;
use sabir_server::directory::{DIRECTORY_PATH, Directory};
use sabir_wire::client_api::ApiError;
use sabir_wire::client_api::ApiErrorCode;
use sabir_wire::codec::Decode;

use crate::support::connection::{Answer, Connection};
use crate::support::person::Online;
use crate::support::scene::Scene;

fn connect(target: &str, bearer: Option<String>) -> Request<Body> {
    let mut request = Request::builder().method(Method::CONNECT).uri(target);
    if let Some(bearer) = bearer {
        request = request.header("authorization", bearer);
    }
    request.body(Body::empty()).unwrap()
}

async fn refused(device: &Online, target: &str, bearer: Option<String>) -> ApiErrorCode {
    let response = device.connection.send(connect(target, bearer)).await;
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert!(ApiError::from_bytes(&body).is_ok());
    Answer { status, body }.api_error()
}

#[tokio::test]
async fn it_leads_to_directories_of_providers_and_nowhere_else() {
    let scene = Scene::beside(&["c.example"]).await;
    let alice = &scene.alice.online;
    let response = alice
        .connection
        .send(connect("b.example:443", Some(alice.bearer())))
        .await;
    assert_eq!(response.status(), 200);
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    let tls = scene.town.device_tls();
    let b = Connection::open_through(tls, "b.example", TokioIo::new(upgraded)).await;
    let answer = b.ask(Method::GET, DIRECTORY_PATH, &[], &[]).await;
    let directory = Directory::from_json(&answer.body).unwrap();
    assert_eq!(
        directory.provider_ca.unwrap(),
        scene.b.shared.secrets.ca.certificate()
    );
    drop(b);

    let bearer = || Some(alice.bearer());
    assert_eq!(
        refused(alice, "b.example:443", None).await,
        ApiErrorCode::UNAUTHORIZED
    );
    assert_eq!(
        refused(alice, "b.example:80", bearer()).await,
        ApiErrorCode::FORBIDDEN
    );
    assert_eq!(
        refused(alice, "a.example:443", bearer()).await,
        ApiErrorCode::FORBIDDEN
    );
    assert_eq!(
        refused(alice, "127.0.0.1:443", bearer()).await,
        ApiErrorCode::MALFORMED
    );
    // Nobody is there.
    assert_eq!(
        refused(alice, "c.example:443", bearer()).await,
        ApiErrorCode::UNAVAILABLE
    );
    scene.stop().await;
}
