//! Who may connect and say what.

use axum::http::{Request, StatusCode};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use sabir_server::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

#[tokio::test]
async fn a_peer_speaks_as_the_domain_of_its_certificate() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let mut b = Raw::connect(peer_tls(&authority, "b.example"), provider.address)
        .await
        .unwrap();

    let accepted = b.notify(&["mimi@b.example"], b"hello".to_vec()).await;
    assert_eq!(accepted.status(), StatusCode::CREATED);
    assert_eq!(text(accepted).await, "b.example 5");

    for (from, status) in [
        (&["mimi@c.example"][..], StatusCode::FORBIDDEN),
        (&["mimi@a.example"], StatusCode::FORBIDDEN),
        (&["mimi@sub.b.example"], StatusCode::FORBIDDEN),
        (&[], StatusCode::BAD_REQUEST),
        (&["bob@b.example"], StatusCode::BAD_REQUEST),
        (&["mimi@b.example", "mimi@b.example"], StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(b.notify(from, Vec::new()).await.status(), status, "{from:?}");
    }
    provider.stopped().await;
}

#[tokio::test]
async fn a_certificate_of_two_domains_speaks_as_either() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let identity = authority.identity(&["b.example", "C.example", "*.d.example"]);
    let tls = tls::client_config(&identity, &authority.anchors()).unwrap();
    let mut peer = Raw::connect(tls, provider.address).await.unwrap();
    for (from, status) in [
        ("mimi@b.example", StatusCode::CREATED),
        ("mimi@c.example", StatusCode::CREATED),
        ("mimi@x.d.example", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(peer.notify(&[from], Vec::new()).await.status(), status, "{from}");
    }
    provider.stopped().await;
}

#[tokio::test]
async fn without_a_certificate_only_what_is_public_or_a_devices() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    assert_eq!(
        device.notify(&["mimi@b.example"], Vec::new()).await.status(),
        StatusCode::FORBIDDEN
    );

    let directory = device
        .get("https://a.example/.well-known/mimi-protocol-directory")
        .await
        .unwrap();
    assert_eq!(directory.status(), StatusCode::OK);
    assert_eq!(directory.headers()["content-type"], "application/json");

    let whoami = text(device.get("https://a.example/whoami").await.unwrap()).await;
    let exporter: String = device.exporter.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        whoami,
        format!("[] {exporter}"),
        "both ends have the same exporter"
    );
    provider.stopped().await;
}

#[tokio::test]
async fn certificates_that_are_no_proof_end_the_handshake() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let provider = Provider::start(&authority, "a.example").await;
    let usage =
        |purpose| move |params: &mut rcgen::CertificateParams| params.extended_key_usages = vec![purpose];
    for (what, identity, accepted) in [
        ("for servers", authority.identity(&["b.example"]), true),
        (
            "for clients",
            authority.identity_with(&["b.example"], usage(ExtendedKeyUsagePurpose::ClientAuth)),
            true,
        ),
        (
            "for anything",
            authority.identity_with(&["b.example"], |_| ()),
            true,
        ),
        (
            "for e-mail",
            authority.identity_with(&["b.example"], usage(ExtendedKeyUsagePurpose::EmailProtection)),
            false,
        ),
        (
            "expired",
            authority.identity_with(&["b.example"], |params| {
                params.not_after = date_time_ymd(2020, 1, 1)
            }),
            false,
        ),
        (
            "not yet valid",
            authority.identity_with(&["b.example"], |params| {
                params.not_before = date_time_ymd(2999, 1, 1)
            }),
            false,
        ),
        (
            "of a stranger's authority",
            stranger.identity(&["b.example"]),
            false,
        ),
    ] {
        let tls = tls::client_config(&identity, &authority.anchors()).unwrap();
        assert_eq!(
            Raw::connect(tls, provider.address).await.is_ok(),
            accepted,
            "{what}"
        );
    }
    provider.stopped().await;
}

#[tokio::test]
async fn another_providers_host_is_refused() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    for (uri, host, status) in [
        ("https://a.example/whoami", None, StatusCode::OK),
        ("https://a.example:8443/whoami", None, StatusCode::OK),
        ("https://b.example/whoami", None, StatusCode::MISDIRECTED_REQUEST),
        ("https://127.0.0.1/whoami", None, StatusCode::MISDIRECTED_REQUEST),
        (
            "https://a.example/whoami",
            Some("b.example"),
            StatusCode::MISDIRECTED_REQUEST,
        ),
        ("https://a.example/nothing", None, StatusCode::NOT_FOUND),
    ] {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = device
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{uri} {host:?}");
    }
    provider.stopped().await;
}

#[tokio::test]
async fn what_is_not_http2_over_tls13_is_closed() {
    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;

    // Plain text on the TLS port.
    let mut plain = TcpStream::connect(provider.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer))
        .await
        .expect("closes");
    assert!(!answer.starts_with(b"HTTP"));

    // HTTP/1.1 inside TLS that promised h2.
    let mut liar = connect_tls(device_tls(&authority), provider.address)
        .await
        .unwrap();
    liar.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await
        .unwrap();
    let _ = tokio::time::timeout(PATIENCE, liar.read_to_end(&mut answer))
        .await
        .expect("closes");
    assert!(!answer.starts_with(b"HTTP"));

    // No ALPN, or another.
    for protocols in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config = (*device_tls(&authority)).clone();
        config.alpn_protocols = protocols;
        let closed = match connect_tls(config.into(), provider.address).await {
            Err(_) => true,
            Ok(mut tls) => !matches!(
                tokio::time::timeout(PATIENCE, tls.read(&mut [0]))
                    .await
                    .expect("closes"),
                Ok(1)
            ),
        };
        assert!(closed);
    }

    // The listener serves on.
    assert!(
        Raw::connect(device_tls(&authority), provider.address)
            .await
            .is_ok()
    );
    provider.stopped().await;
}

#[tokio::test]
async fn devices_are_told_in_their_own_words() {
    use http_body_util::BodyExt;
    use sabir_wire::client_api::{ApiError, ApiErrorCode};
    use sabir_wire::codec::Decode;

    let authority = Authority::new();
    let provider = Provider::start(&authority, "a.example").await;
    let mut device = Raw::connect(device_tls(&authority), provider.address)
        .await
        .unwrap();
    for (method, uri, body, code) in [
        (
            "POST",
            "https://a.example/client/v1/accounts",
            "123456",
            ApiErrorCode::TOO_LARGE,
        ),
        (
            "POST",
            "https://a.example/client/v1/devices",
            "1",
            ApiErrorCode::FORBIDDEN,
        ),
        (
            "GET",
            "https://a.example/client/v1/devices",
            "",
            ApiErrorCode::MALFORMED,
        ),
        (
            "GET",
            "https://a.example/client/v1/nothing",
            "",
            ApiErrorCode::NOT_FOUND,
        ),
        (
            "POST",
            "https://b.example/client/v1/accounts",
            "",
            ApiErrorCode::NOT_FOUND,
        ),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(axum::body::Body::from(body));
        let response = device.send(request.unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), code.http_status(), "{method} {uri}");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(ApiError::from_bytes(&bytes).unwrap().code, code, "{method} {uri}");
    }
    let request = Request::post("https://a.example/client/v1/accounts").body(axum::body::Body::from("12345"));
    assert_eq!(
        device.send(request.unwrap()).await.unwrap().status(),
        StatusCode::OK
    );
    provider.stopped().await;
}
