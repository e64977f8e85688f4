//! The outbound side against the inbound one.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use sabir_server::directory::Endpoint;
use sabir_server::peer::{PeerError, PeerRules};

use crate::support::*;

#[tokio::test]
async fn a_directory_travels_and_names_the_endpoints() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let b = peer_client(&authority, "b.example", &[("a.example", provider.address)]);
    let directory = b.directory(&domain("a.example")).await.unwrap();
    assert_eq!(directory.provider_ca, Some(vec![1, 2]));
    assert_eq!(directory.draft.as_deref(), Some("draft-ietf-mimi-protocol-06"));

    let room = "mimi%3A%2F%2Fa.example%2Fr%2F1";
    let body = Bytes::from_static(b"hello");
    let answer = b
        .post(&domain("a.example"), Endpoint::Notify, room, body)
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.body.as_ref()),
        (StatusCode::CREATED, b"b.example 5".as_slice())
    );

    let missing = b
        .post(&domain("a.example"), Endpoint::GroupInfo, room, Bytes::new())
        .await;
    assert!(matches!(missing, Err(PeerError::NoEndpoint("groupInfo"))));
    let raw = b
        .post(
            &domain("a.example"),
            Endpoint::Notify,
            "mimi://a.example/r/1",
            Bytes::new(),
        )
        .await;
    assert!(matches!(raw, Err(PeerError::BadSegment)));
    provider.stopped().await;
}

#[tokio::test]
async fn one_connection_serves_all_requests() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let b = peer_client(&authority, "b.example", &[("a.example", provider.address)]);
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let b = b.clone();
        posts.spawn(async move {
            b.post(&domain("a.example"), Endpoint::Update, "r", Bytes::new())
                .await
        });
    }
    let mut bodies: Vec<Bytes> = posts
        .join_all()
        .await
        .into_iter()
        .map(|answer| answer.unwrap().body)
        .collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one connection has one exporter");
    assert_eq!(provider.connections_seen.load(Ordering::SeqCst), 1);
    provider.stopped().await;
}

#[tokio::test]
async fn a_restarted_peer_is_reached_again() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let b = peer_client(&authority, "b.example", &[("a.example", provider.address)]);
    let post = async || {
        b.post(&domain("a.example"), Endpoint::Update, "r", Bytes::new())
            .await
    };
    let first = post().await.unwrap();
    // The same listener closes the connection by its age; the next request makes a new one.
    provider.stopped().await;
    assert!(matches!(
        post().await,
        Err(PeerError::Connection(_) | PeerError::Http(_))
    ));

    let mut short = rules("a.example");
    short.connection.age = Duration::from_millis(100);
    let provider = Provider::start_with(&authority, short).await;
    let b = peer_client(&authority, "b.example", &[("a.example", provider.address)]);
    let post = async || {
        b.post(&domain("a.example"), Endpoint::Update, "r", Bytes::new())
            .await
    };
    let second = post().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let third = post().await.unwrap();
    assert_ne!(second.body, third.body, "another connection");
    assert_ne!(first.body, second.body);
    provider.stopped().await;
}

#[tokio::test]
async fn a_server_that_is_not_the_peer_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let provider = Provider::start(&authority, "a.example").await;
    // c.example resolves to a.example's server, which cannot prove to be c.example.
    let b = peer_client(&authority, "b.example", &[("c.example", provider.address)]);
    assert!(matches!(
        b.directory(&domain("c.example")).await.unwrap_err().root(),
        PeerError::Connection(_)
    ));
    // A server whose authority we do not trust.
    let b = peer_client(&stranger, "b.example", &[("a.example", provider.address)]);
    assert!(matches!(
        b.directory(&domain("a.example")).await.unwrap_err().root(),
        PeerError::Connection(_)
    ));
    provider.stopped().await;
}

#[tokio::test]
async fn answers_are_bounded_and_private_networks_are_out_of_reach() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let rules = PeerRules {
        domain: domain("b.example"),
        resolve: BTreeMap::from([(domain("a.example"), provider.address)]),
        allow_private: false,
        connect: Duration::from_secs(5),
        request: Duration::from_secs(5),
        keep_alive: PATIENCE,
        response_bytes: 10,
        directory_ttl: Duration::from_secs(60),
    };
    let b = peer_client_with(&authority, rules);
    let large = b
        .post(&domain("a.example"), Endpoint::Update, "r", Bytes::new())
        .await;
    assert!(matches!(large, Err(PeerError::TooLarge)));
    assert!(matches!(
        b.directory(&domain("localhost")).await.unwrap_err().root(),
        PeerError::NoAddress
    ));
    provider.stopped().await;
}

#[tokio::test]
async fn a_silent_peer_costs_bounded_time() {
    let authority = Authority::new();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rules = PeerRules {
        domain: domain("b.example"),
        resolve: BTreeMap::from([(domain("a.example"), silent.local_addr().unwrap())]),
        allow_private: false,
        connect: Duration::from_millis(100),
        request: PATIENCE,
        keep_alive: PATIENCE,
        response_bytes: 10,
        directory_ttl: Duration::from_secs(60),
    };
    let b = peer_client_with(&authority, rules);
    assert!(matches!(
        b.directory(&domain("a.example")).await.unwrap_err().root(),
        PeerError::Timeout
    ));
}

#[tokio::test]
async fn an_old_directory_serves_while_the_peer_is_down() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let rules = PeerRules {
        domain: domain("b.example"),
        resolve: BTreeMap::from([(domain("a.example"), provider.address)]),
        allow_private: false,
        connect: Duration::from_secs(5),
        request: Duration::from_secs(5),
        keep_alive: PATIENCE,
        response_bytes: 10_000,
        directory_ttl: Duration::ZERO,
    };
    let b = peer_client_with(&authority, rules);
    let first = b.directory(&domain("a.example")).await.unwrap();
    provider.stopped().await;
    assert_eq!(b.directory(&domain("a.example")).await.unwrap(), first);
}
