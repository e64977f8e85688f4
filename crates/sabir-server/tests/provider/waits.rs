//! Providers that do not answer, and those who ask for them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use sabir_server::config::Config;
use sabir_store::MemoryStore;
use sabir_wire::client_api::{ApiErrorCode, path};
use sabir_wire::uri::RoomUri;

use crate::support::PATIENCE;
use crate::support::entry::group_info;
use crate::support::person::Person;
use crate::support::town::Town;

const AT_WORK: usize = 8;
const ASKING: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_silent_provider_holds_up_nothing_else() {
    let town = Town::new(&["a.example", "c.example"]);
    // It accepts connections and says nothing.
    let silent = TcpListener::bind(town.address("c.example")).unwrap();
    let text = town
        .config_text("a.example")
        .replace("[timeouts]\n", "[timeouts]\nconnect_seconds = 3\n");
    let config = Config::parse(&format!("{text}[limits]\nstore_queue = {AT_WORK}\n")).unwrap();
    let (a, _) = town.start_as(config, &Arc::new(MemoryStore::new())).await;
    let alice = Person::join(&town, &a, "alice").await;
    let alice = alice.device("alice1", 1).go_online(&town, &a).await;

    let there = RoomUri::parse("mimi://c.example/r/CCCCCCCCCCCCCCCCCCCCCC").unwrap();
    let (body, _) = group_info(&alice);
    let (path, bearer) = (
        format!("{}{}", path::GROUP_INFO, there.to_path_segment()),
        alice.bearer(),
    );
    let asking: Vec<_> = (0..ASKING)
        .map(|_| {
            let headers = [("authorization", bearer.as_str())];
            let request = alice.connection.request(Method::POST, &path, &headers, &body);
            alice.connection.start(request)
        })
        .collect();
    let told = async {
        while asking.iter().filter(|asking| asking.is_finished()).count() < ASKING - AT_WORK {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told)
        .await
        .expect("most are told at once that many wait");
    assert!(
        asking.iter().any(|asking| !asking.is_finished()),
        "some wait for c.example"
    );
    alice.publish_some(1).await;

    // Those who waited are told after one time to connect, not one after the other.
    for asking in asking {
        let answer = tokio::time::timeout(Duration::from_secs(5), asking).await;
        let answer = answer.expect("in time").unwrap();
        assert_eq!(answer.api_error(), ApiErrorCode::UNAVAILABLE);
    }
    drop(silent);
    a.stop().await;
}
