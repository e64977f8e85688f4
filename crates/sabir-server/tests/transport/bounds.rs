//! Sizes, times, numbers and the end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::*;

fn upload(body: Body) -> Request<Body> {
    Request::post("https://a.example/upload").body(body).unwrap()
}

/// A body that sends `chunks` of 100 bytes and then never ends.
fn endless(chunks: usize) -> Body {
    Body::new(StreamBody::new(Chunks(chunks)))
}

struct Chunks(usize);

impl futures_core::Stream for Chunks {
    type Item = Result<Frame<Bytes>, Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Pending;
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 100])))))
    }
}

#[tokio::test]
async fn oversized_bodies_are_refused() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    let status = device
        .send(upload(Body::from(vec![0; 1000])))
        .await
        .unwrap()
        .status();
    assert_eq!(status, StatusCode::OK, "the limit itself");
    let status = device
        .send(upload(Body::from(vec![0; 1001])))
        .await
        .unwrap()
        .status();
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "declared");
    let status = device.send(upload(endless(11))).await.unwrap().status();
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "undeclared");
    let big = Request::get("https://a.example/whoami").header("x-big", "x".repeat(10_000));
    match device.send(big.body(Body::empty()).unwrap()).await {
        Ok(response) => assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(reset) => assert!(!reset.is_timeout()),
    }
    provider.stopped().await;
}

#[tokio::test]
async fn bodies_share_bounded_memory() {
    let authority = Authority::new();
    let mut rules = rules("a.example");
    rules.connection.body.memory = std::sync::Arc::new(tokio::sync::Semaphore::new(500));
    let provider = Provider::start_with(&authority, rules).await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    let response = device.send(upload(Body::from(vec![0; 600]))).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    for _ in 0..3 {
        let status = device
            .send(upload(Body::from(vec![0; 400])))
            .await
            .unwrap()
            .status();
        assert_eq!(status, StatusCode::OK, "memory is given back");
    }
    provider.stopped().await;
}

#[tokio::test]
async fn slow_bodies_are_given_up() {
    let authority = Authority::new();
    let mut rules = rules("a.example");
    rules.connection.body.timeout = Duration::from_millis(200);
    let provider = Provider::start_with(&authority, rules).await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    let status = device.send(upload(endless(2))).await.unwrap().status();
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    let status = device.send(upload(Body::from("quick"))).await.unwrap().status();
    assert_eq!(status, StatusCode::OK, "the connection serves on");
    provider.stopped().await;
}

#[tokio::test]
async fn silent_handshakes_and_idle_connections_are_closed() {
    let authority = Authority::new();
    let mut rules = rules("a.example");
    rules.connection.handshake = Duration::from_millis(200);
    rules.connection.idle = Duration::from_millis(200);
    rules.connection.drain = Duration::from_millis(200);
    let provider = Provider::start_with(&authority, rules).await;
    let closes = async |mut io: Box<dyn tokio::io::AsyncRead + Unpin + Send>| {
        let begun = Instant::now();
        let _ = tokio::time::timeout(PATIENCE, io.read_to_end(&mut Vec::new()))
            .await
            .expect("closes");
        assert!(begun.elapsed() >= Duration::from_millis(150), "not at once");
    };
    closes(Box::new(TcpStream::connect(provider.address).await.unwrap())).await;
    // TLS, but never HTTP.
    closes(Box::new(
        connect_tls(device_tls(&authority), provider.address)
            .await
            .unwrap(),
    ))
    .await;

    // A request that takes longer than the idle time is not idle.
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    assert_eq!(
        text(device.get("https://a.example/slow/500").await.unwrap()).await,
        "done"
    );
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(
        device.get("https://a.example/slow/500").await.is_err(),
        "closed after it"
    );
    provider.stopped().await;
}

#[tokio::test]
async fn connections_are_counted() {
    let authority = Authority::new();
    let mut rules = rules("a.example");
    rules.connections_per_ip = 2;
    let provider = Provider::start_with(&authority, rules).await;
    let tls = device_tls(&authority);
    let first = Raw::connect(tls.clone(), provider.address).await.unwrap();
    let mut second = Raw::connect(tls.clone(), provider.address).await.unwrap();
    assert!(
        Raw::connect(tls.clone(), provider.address).await.is_err(),
        "the third"
    );
    assert_eq!(
        second.get("https://a.example/whoami").await.unwrap().status(),
        StatusCode::OK
    );
    drop(first);
    let begun = Instant::now();
    while Raw::connect(tls.clone(), provider.address).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the place is never freed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    provider.stopped().await;
}

#[tokio::test]
async fn stopping_lets_requests_finish() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    let _idle = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    let slow =
        tokio::spawn(async move { text(device.get("https://a.example/slow/500").await.unwrap()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = provider.address;
    let begun = Instant::now();
    provider.stopped().await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "does not wait for idle connections"
    );
    assert_eq!(slow.await.unwrap(), "done");
    assert!(TcpStream::connect(address).await.is_err(), "accepts no more");
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let authority = Authority::new();
    let mut rules = rules("a.example");
    rules.connection.drain = Duration::from_millis(100);
    let provider = Provider::start_with(&authority, rules).await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    let slow = tokio::spawn(async move { device.get("https://a.example/slow/9000").await.is_err() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    provider.stopped().await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "cut after the time to drain"
    );
    assert!(slow.await.unwrap());
}
