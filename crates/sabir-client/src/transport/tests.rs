#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_wire::client_api::{EventBody, path};

use super::*;
use crate::account::{AccountRecord, NewAccount, create};
use crate::store::Store;
use crate::testing::{Authority, FakeProvider, quick};

const MAX: usize = 1 << 16;

struct World {
    authority: Authority,
    provider: FakeProvider,
    account: AccountRecord,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let authority = Authority::new();
        let provider = FakeProvider::start("a.example", &authority).await;
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::create(&directory.path().join("p"), None).unwrap();
        let new = NewAccount {
            invite: provider.invite("good"),
            name: "alice".to_owned(),
            device_name: "desk".to_owned(),
            anchors: authority.anchors.clone(),
        };
        create(&mut store, &new, quick()).await.unwrap();
        let account = AccountRecord::load(&mut store).unwrap();
        Self {
            authority,
            provider,
            account,
            _directory: directory,
        }
    }

    fn transport(&self) -> Transport {
        Transport::new(
            &self.account.reach,
            Some(self.account.device_key().unwrap()),
            quick(),
        )
        .unwrap()
    }
}

fn hub() -> Call {
    Call::get(path::HUB, MAX)
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_is_replaced_once() {
    let world = World::new().await;
    let transport = world.transport();
    let before = world.provider.state().sign_ins;
    transport.call(&hub()).await.unwrap();
    transport.call(&hub()).await.unwrap();
    assert_eq!(world.provider.state().sign_ins, before + 1);
    world.provider.revoke_tokens();
    let hub = hub();
    let (first, second) = tokio::join!(transport.call(&hub), transport.events(0));
    first.unwrap();
    second.unwrap();
    assert_eq!(world.provider.state().sign_ins, before + 2);
}

#[tokio::test]
async fn an_unknown_device_is_refused_for_good() {
    let world = World::new().await;
    let mut account = world.account.clone();
    account.client = "mimi://a.example/d/unknown".to_owned();
    let transport = Transport::new(&account.reach, Some(account.device_key().unwrap()), quick()).unwrap();
    let error = transport.call(&hub()).await.unwrap_err();
    assert!(matches!(error, TransportError::SignInRefused), "{error}");
    assert_eq!(error.verdict(), Verdict::Give);
}

#[tokio::test]
async fn refusals_are_told_apart_from_delays() {
    let world = World::new().await;
    let transport = world.transport();
    let fails = async |status, after| {
        world
            .provider
            .state()
            .instead
            .insert(path::HUB.to_owned(), (status, after, Vec::new()));
        transport.call(&hub()).await.unwrap_err()
    };
    let error = fails(503, Some("7")).await;
    assert_eq!(
        error.verdict(),
        Verdict::Repeat(Some(Duration::from_secs(7))),
        "{error}"
    );
    assert_eq!(
        fails(429, Some("999999")).await.verdict(),
        Verdict::Repeat(Some(Duration::from_secs(3600)))
    );
    assert_eq!(fails(500, Some("soon")).await.verdict(), Verdict::Repeat(None));
    assert_eq!(fails(404, None).await.verdict(), Verdict::Give);
    assert_eq!(fails(400, None).await.verdict(), Verdict::Give);
}

#[tokio::test]
async fn answers_are_bounded() {
    let world = World::new().await;
    let transport = world.transport();
    let long = (200, None, vec![0; MAX + 1]);
    world.provider.state().instead.insert(path::HUB.to_owned(), long);
    let error = transport.call(&hub()).await.unwrap_err();
    assert!(matches!(error, TransportError::Malformed(_)), "{error}");
}

#[tokio::test]
async fn a_wrong_certificate_is_no_connection() {
    let world = World::new().await;
    let mut reach = world.account.reach.clone();
    reach.domain = "b.example".to_owned();
    let transport = Transport::new(&reach, None, quick()).unwrap();
    let error = transport.own_identities().await.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");

    let mut reach = world.account.reach.clone();
    reach.anchors = Authority::new().anchors;
    let transport = Transport::new(&reach, None, quick()).unwrap();
    assert!(matches!(
        transport.own_identities().await,
        Err(TransportError::Unreachable { .. })
    ));
    // The next attempt has to wait, and says how long.
    assert!(matches!(
        transport.own_identities().await,
        Err(TransportError::Unreachable { .. })
    ));
}

#[tokio::test]
async fn the_event_stream_ends_with_an_error_and_goes_on_anew() {
    let world = World::new().await;
    let transport = world.transport();
    let mut stream = transport.events(0).await.unwrap();
    assert_eq!(stream.next().await.unwrap().body, EventBody::Keepalive);
    world.provider.cut_streams();
    assert!(matches!(stream.next().await, Err(TransportError::Broken(_))));
    let mut stream = transport.events(5).await.unwrap();
    assert_eq!(stream.next().await.unwrap().cursor, 5);
}

#[tokio::test]
async fn silence_ends_the_event_stream() {
    let world = World::new().await;
    let timing = Timing {
        silence: Duration::from_millis(50),
        ..quick()
    };
    let transport = Transport::new(
        &world.account.reach,
        Some(world.account.device_key().unwrap()),
        timing,
    )
    .unwrap();
    let mut stream = transport.events(0).await.unwrap();
    stream.next().await.unwrap();
    assert!(matches!(stream.next().await, Err(TransportError::Timeout)));
}

#[tokio::test]
async fn another_providers_identity_comes_through_a_tunnel() {
    let world = World::new().await;
    let other = FakeProvider::start("b.example", &world.authority).await;
    let domain = Domain::parse("b.example").unwrap();
    let transport = world.transport();
    let error = transport.identities_of(&domain).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Refused { status: 403, .. }),
        "{error}"
    );
    world
        .provider
        .state()
        .tunnels
        .insert("b.example:443".to_owned(), other.address());
    let identities = transport.identities_of(&domain).await.unwrap();
    assert_eq!(identities.0[0].domain(), &domain);

    // A tunnel that leads elsewhere is noticed: the certificate inside is for another name.
    world
        .provider
        .state()
        .tunnels
        .insert("b.example:443".to_owned(), world.provider.address());
    assert!(matches!(
        transport.identities_of(&domain).await,
        Err(TransportError::Broken(_))
    ));
}

#[tokio::test]
async fn a_directory_speaks_for_its_own_domain_alone() {
    let world = World::new().await;
    let transport = world.transport();
    let other = FakeProvider::start("b.example", &world.authority).await;
    let ca = data_encoding::BASE64.encode(&other.authority_der());
    for (document, why) in [
        (
            format!("{{\"org.sabir.providerCa\":\"{ca}\"}}"),
            "another domain's",
        ),
        ("{}".to_owned(), "publishes no identity"),
        ("[]".to_owned(), "not a JSON object"),
        ("{\"org.sabir.providerCa\":\"?\"}".to_owned(), "not base64"),
        ("{\"org.sabir.providerCa\":\"AAAA\"}".to_owned(), "malformed"),
    ] {
        let path = "/.well-known/mimi-protocol-directory".to_owned();
        world
            .provider
            .state()
            .instead
            .insert(path, (200, None, document.into_bytes()));
        let error = transport.own_identities().await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn anchors_are_read_from_pem() {
    let pem = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()])
        .unwrap()
        .cert
        .pem();
    assert_eq!(read_anchors(pem.as_bytes()).unwrap().len(), 1);
    for bad in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert_eq!(read_anchors(bad.as_bytes()), Err(AnchorError::File), "{bad}");
    }
    assert_eq!(read_anchors(pem.repeat(65).as_bytes()), Err(AnchorError::TooMany));
}
