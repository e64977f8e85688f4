//! Files: put by devices, fetched by them and by other providers, within limits.

use axum::http::Method;
use sabir_mls::keys::sha256;
use sabir_server::directory::{DIRECTORY_PATH, Directory};
use sabir_store::GiveUpAsset;
use sabir_wire::client_api::{
    ApiErrorCode, AppendAssetResponse, AssetId, AssetStatus, AssetUrl, BeginAssetRequest, BeginAssetResponse,
    FinishAssetResponse, path,
};
use sabir_wire::codec::Encode;

use crate::support::connection::{Answer, Connection};
use crate::support::now;
use crate::support::person::{Online, Person};
use crate::support::scene::Scene;
use crate::support::town::{Running, Town};

const UNKNOWN: &str = "aaaaaaaaaaaaaaaaaaaaaaaa";

async fn begin(device: &Online, bytes: &[u8]) -> BeginAssetResponse {
    announce(device, bytes.len() as u64, sha256(bytes)).await
}

async fn announce(device: &Online, size: u64, content_hash: [u8; 32]) -> BeginAssetResponse {
    let request = BeginAssetRequest { size, content_hash };
    device.post(path::ASSETS, &request.to_bytes()).await.read()
}

fn ready(answer: BeginAssetResponse) -> (AssetId, u64) {
    match answer {
        BeginAssetResponse::Ready {
            asset_id, received, ..
        } => (asset_id, received),
        other => panic!("{other:?}"),
    }
}

async fn append(device: &Online, id: &AssetId, offset: u64, bytes: &[u8]) -> Answer {
    device
        .post(&format!("{}{id}?offset={offset}", path::ASSET), bytes)
        .await
}

async fn finish(device: &Online, id: &AssetId) -> FinishAssetResponse {
    let path = format!("{}{id}{}", path::ASSET, path::FINISH);
    device.post(&path, &[]).await.read()
}

async fn put(device: &Online, bytes: &[u8]) -> AssetUrl {
    let (id, _) = ready(begin(device, bytes).await);
    append(device, &id, 0, bytes).await.read::<AppendAssetResponse>();
    match finish(device, &id).await {
        FinishAssetResponse::Finished { url, .. } => url,
        other => panic!("{other:?}"),
    }
}

async fn fetch(device: &Online, url: &str, range: Option<&str>) -> Answer {
    let segment = url.replace(':', "%3A").replace('/', "%2F");
    let bearer = device.bearer();
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(range.map(|range| ("range", range)));
    let path = format!("{}{segment}", path::DOWNLOAD);
    device.connection.ask(Method::GET, &path, &headers, &[]).await
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

async fn alone(settings: &str) -> (Town, Running, Online) {
    let town = Town::new(&["a.example"]);
    let a = town.start_with("a.example", settings).await;
    let alice = online(&town, &a, "alice").await;
    (town, a, alice)
}

async fn online(town: &Town, at: &Running, name: &str) -> Online {
    let person = Person::join(town, at, name).await;
    person.device(&format!("{name}1"), 1).go_online(town, at).await
}

#[tokio::test]
async fn a_file_is_put_in_pieces_and_fetched_whole_and_in_part() {
    let (_town, a, alice) = alone("").await;
    let file = bytes(700_000);
    let (id, received) = ready(begin(&alice, &file).await);
    assert_eq!(received, 0);
    let answer: AppendAssetResponse = append(&alice, &id, 0, &file[..300_000]).await.read();
    assert_eq!(
        answer,
        AppendAssetResponse {
            appended: true,
            received: 300_000
        }
    );
    for offset in [0, 299_999, 300_001] {
        let answer: AppendAssetResponse = append(&alice, &id, offset, &file[300_000..]).await.read();
        assert_eq!(
            answer,
            AppendAssetResponse {
                appended: false,
                received: 300_000
            },
            "at {offset}"
        );
    }
    assert_eq!(
        finish(&alice, &id).await,
        FinishAssetResponse::Incomplete { received: 300_000 }
    );
    // Asking again finds what is there.
    assert_eq!(ready(begin(&alice, &file).await), (id.clone(), 300_000));
    let url = AssetUrl::parse(&format!("https://a.example/mimi/v1/asset/{id}")).unwrap();
    let early = fetch(&alice, &url.to_string(), None).await;
    assert_eq!(
        early.api_error(),
        ApiErrorCode::NOT_FOUND,
        "not before it is whole"
    );
    append(&alice, &id, 300_000, &file[300_000..])
        .await
        .read::<AppendAssetResponse>();
    let finished = finish(&alice, &id).await;
    assert!(matches!(&finished, FinishAssetResponse::Finished { url: at, .. } if *at == url));
    assert_eq!(finish(&alice, &id).await, finished, "again");
    let status: AssetStatus = alice.get(&format!("{}{id}", path::ASSET)).await.read();
    assert_eq!(
        (status.finished, status.size, status.received),
        (true, 700_000, 700_000)
    );
    let more: AppendAssetResponse = append(&alice, &id, 700_000, b"more").await.read();
    assert!(!more.appended, "what is whole stays");

    assert_eq!(fetch(&alice, &url.to_string(), None).await.body, file);
    for (range, status, part) in [
        ("bytes=0-", 206, &file[..]),
        ("bytes=699999-", 206, &file[699_999..]),
        ("bytes=100-199", 206, &file[100..200]),
        ("bytes=5-4", 200, &file[..]),
        ("lines=5-", 200, &file[..]),
    ] {
        let answer = fetch(&alice, &url.to_string(), Some(range)).await;
        assert_eq!((answer.status, &answer.body[..]), (status, part), "{range}");
    }
    let behind = fetch(&alice, &url.to_string(), Some("bytes=700000-")).await;
    assert_eq!(behind.api_error(), ApiErrorCode::RANGE);
    a.stop().await;
}

#[tokio::test]
async fn limit_and_quota_are_told_before_a_byte_is_sent() {
    let (town, a, alice) = alone("[limits]\nblob_bytes = 1000\nblob_quota_bytes = 2500\n").await;
    assert_eq!(
        begin(&alice, &bytes(1001)).await,
        BeginAssetResponse::TooLarge { limit: 1000 }
    );
    put(&alice, &bytes(1000)).await;
    let (second, _) = ready(begin(&alice, &bytes(999)).await);
    assert_eq!(
        begin(&alice, &bytes(600)).await,
        BeginAssetResponse::QuotaExceeded { available: 501 },
        "what is begun counts"
    );
    let bob = online(&town, &a, "bob").await;
    ready(begin(&bob, &bytes(600)).await);
    let asset = format!("{}{second}", path::ASSET);
    let foreign = bob.get(&asset).await;
    assert_eq!(foreign.api_error(), ApiErrorCode::NOT_FOUND, "another's upload");
    for foreign in [append(&bob, &second, 0, b"x").await, give_up(&bob, &second).await] {
        assert_eq!(foreign.api_error(), ApiErrorCode::NOT_FOUND, "another's upload");
    }
    assert_eq!(give_up(&alice, &second).await.status, 200);
    assert_eq!(alice.get(&asset).await.api_error(), ApiErrorCode::NOT_FOUND);
    ready(begin(&alice, &bytes(600)).await);
    a.stop().await;
}

async fn give_up(device: &Online, id: &AssetId) -> Answer {
    let bearer = device.bearer();
    let path = format!("{}{id}", path::ASSET);
    device
        .connection
        .ask(Method::DELETE, &path, &[("authorization", &bearer)], &[])
        .await
}

#[tokio::test]
async fn what_is_not_what_was_announced_is_refused() {
    let (town, a, alice) = alone("").await;
    let file = bytes(5000);
    let (id, _) = ready(begin(&alice, &file).await);
    let long = append(&alice, &id, 0, &bytes(5001)).await;
    assert_eq!(long.api_error(), ApiErrorCode::TOO_LARGE);
    append(&alice, &id, 0, &bytes(4000))
        .await
        .read::<AppendAssetResponse>();
    append(&alice, &id, 4000, &[9; 1000])
        .await
        .read::<AppendAssetResponse>();
    assert_eq!(finish(&alice, &id).await, FinishAssetResponse::HashMismatch);
    assert_eq!(
        ready(begin(&alice, &file).await),
        (id.clone(), 0),
        "from the beginning"
    );
    append(&alice, &id, 0, &file).await.read::<AppendAssetResponse>();
    assert!(matches!(
        finish(&alice, &id).await,
        FinishAssetResponse::Finished { .. }
    ));
    for query in [
        "",
        "?offset=",
        "?offset=-1",
        "?offset=1x",
        "?at=0",
        "?offset=99999999999999999999",
    ] {
        let answer = alice.post(&format!("{}{id}{query}", path::ASSET), b"x").await;
        assert_eq!(answer.api_error(), ApiErrorCode::MALFORMED, "{query}");
    }
    for name in [
        "x",
        "..%2F..%2Fkeys%2Fhub-key",
        "aaaaaaaaaaaaaaaaaaaaaaa.",
        UNKNOWN,
    ] {
        let answer = alice.get(&format!("{}{name}", path::ASSET)).await;
        let expected = if name == UNKNOWN {
            ApiErrorCode::NOT_FOUND
        } else {
            ApiErrorCode::MALFORMED
        };
        assert_eq!(answer.api_error(), expected, "{name}");
    }
    let empty = alice.post(path::ASSETS, &[0; 40]).await;
    assert_eq!(empty.api_error(), ApiErrorCode::MALFORMED);
    let nobody = Connection::open(town.device_tls(), "a.example", a.address).await;
    for (method, path) in [
        (Method::POST, path::ASSETS.to_owned()),
        (Method::POST, format!("{}{id}?offset=0", path::ASSET)),
        (Method::GET, format!("{}{id}", path::ASSET)),
        (Method::DELETE, format!("{}{id}", path::ASSET)),
        (
            Method::GET,
            format!("{}https%3A%2F%2Fa.example%2F{id}", path::DOWNLOAD),
        ),
    ] {
        let answer = nobody.ask(method, &path, &[], &[]).await;
        assert_eq!(answer.api_error(), ApiErrorCode::UNAUTHORIZED, "{path}");
    }
    a.stop().await;
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_and_ends_with_its_time() {
    let (town, a, mut alice) = alone("").await;
    let file = bytes(100_000);
    let (id, _) = ready(begin(&alice, &file).await);
    append(&alice, &id, 0, &file[..60_000])
        .await
        .read::<AppendAssetResponse>();
    a.stop().await;
    let a = town.start("a.example").await;
    alice.reconnect().await;
    assert_eq!(ready(begin(&alice, &file).await), (id.clone(), 60_000));
    append(&alice, &id, 60_000, &file[60_000..])
        .await
        .read::<AppendAssetResponse>();
    let FinishAssetResponse::Finished { url, expires_at } = finish(&alice, &id).await else {
        panic!("not finished")
    };
    assert!(expires_at > now() + 80 * 24 * 3_600_000, "kept for its days");
    let url = url.to_string();
    assert_eq!(fetch(&alice, &url, None).await.status, 200);
    // Its time is over.
    let expire = GiveUpAsset {
        id: id.as_str().to_owned(),
        owner: alice.user.as_str().to_owned(),
        now: now(),
    };
    assert!(a.shared.store.give_up_asset(expire).await.unwrap());
    assert_eq!(
        fetch(&alice, &url, None).await.api_error(),
        ApiErrorCode::NOT_FOUND
    );
    let on_disk = town.data("a.example").join("assets/whole").join(id.as_str());
    assert!(on_disk.exists());
    a.stop().await;
    let a = town.start("a.example").await;
    let gone = async {
        while on_disk.exists() || a.shared.store.asset(id.as_str()).unwrap().is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, gone)
        .await
        .expect("deleted at the start");
    a.stop().await;
}

#[tokio::test]
async fn a_provider_passes_on_what_another_one_stores() {
    let scene = Scene::beside(&["c.example"]).await;
    let (alice, bob) = (&scene.alice.online, &scene.bob.online);
    let file = bytes(400_000);
    let url = put(alice, &file).await;
    let answer = fetch(bob, &url.to_string(), None).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &file[..]));
    let part = fetch(bob, &url.to_string(), Some("bytes=399000-")).await;
    assert_eq!((part.status, &part.body[..]), (206, &file[399_000..]));
    let behind = fetch(bob, &url.to_string(), Some("bytes=400000-")).await;
    assert_eq!(behind.api_error(), ApiErrorCode::RANGE);

    let id = url.id();
    for (wrong, code) in [
        (
            format!("https://a.example/mimi/v1/asset/{UNKNOWN}"),
            ApiErrorCode::NOT_FOUND,
        ),
        // Not where a.example's directory says that files are.
        (
            format!("https://a.example/client/v1/assets/{id}"),
            ApiErrorCode::NOT_FOUND,
        ),
        (format!("https://a.example/{id}"), ApiErrorCode::NOT_FOUND),
        // Nobody is there, and a host that is no provider.
        (
            format!("https://c.example/mimi/v1/asset/{id}"),
            ApiErrorCode::UNAVAILABLE,
        ),
        (
            format!("https://localhost/mimi/v1/asset/{id}"),
            ApiErrorCode::UNAVAILABLE,
        ),
        (format!("https://b.example/{id}"), ApiErrorCode::NOT_FOUND),
        (
            format!("http://a.example/mimi/v1/asset/{id}"),
            ApiErrorCode::MALFORMED,
        ),
        (
            format!("https://a.example:8443/mimi/v1/asset/{id}"),
            ApiErrorCode::MALFORMED,
        ),
        (
            format!("https://127.0.0.1/mimi/v1/asset/{id}"),
            ApiErrorCode::MALFORMED,
        ),
        (
            format!("https://a.example/mimi/v1/asset/{id}?x"),
            ApiErrorCode::MALFORMED,
        ),
    ] {
        let answer = fetch(bob, &wrong.replace('?', "%3F"), None).await;
        assert_eq!(answer.api_error(), code, "{wrong}");
    }

    let peer = scene.peer("b.example").await;
    let from = [("from", "mimi@b.example")];
    assert_eq!(peer.ask(Method::GET, url.path(), &from, &[]).await.body, file);
    assert_eq!(
        peer.ask(Method::GET, url.path(), &[("from", "mimi@c.example")], &[])
            .await
            .status,
        403
    );
    let stranger = Connection::open(scene.town.device_tls(), "a.example", scene.a.address).await;
    assert_eq!(
        stranger.ask(Method::GET, url.path(), &from, &[]).await.status,
        403
    );
    let directory = stranger.ask(Method::GET, DIRECTORY_PATH, &[], &[]).await;
    let announced = Directory::from_json(&directory.body).unwrap().assets.unwrap();
    assert_eq!(announced.to_string(), "https://a.example/mimi/v1/asset/{assetId}");
    drop((peer, stranger));
    scene.stop().await;
}

#[tokio::test]
async fn a_file_larger_than_a_provider_passes_on_is_forbidden() {
    let town = Town::new(&["a.example", "b.example"]);
    let a = town.start("a.example").await;
    let b = town
        .start_with("b.example", "[limits]\nblob_bytes = 1000\n")
        .await;
    let (alice, bob) = (online(&town, &a, "alice").await, online(&town, &b, "bob").await);
    for (length, range) in [(1001, None), (1001, Some("bytes=1000-"))] {
        let url = put(&alice, &bytes(length)).await.to_string();
        let answer = fetch(&bob, &url, range).await;
        assert_eq!(answer.api_error(), ApiErrorCode::FORBIDDEN, "{range:?}");
    }
    let url = put(&alice, &bytes(1000)).await.to_string();
    assert_eq!(fetch(&bob, &url, None).await.status, 200);
    a.stop().await;
    b.stop().await;
}
