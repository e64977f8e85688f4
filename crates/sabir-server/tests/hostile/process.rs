//! A real `sabird` under attack: everything is answered, an honest request is served afterwards, and memory stays within
//! a bound, which is measured.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use sabir_wire::client_api::path;
use sabir_wire::uri::RoomUri;

use crate::http2::reset_rapidly;
use crate::support::PATIENCE;
use crate::support::connection::Connection;
use crate::support::person::{Online, Person};
use crate::support::town::Town;
use crate::table::{ROWS, Row, Takes, Who};

/// What the bodies of one address may hold, in MB.
const BODIES_MB: u64 = 64;
/// What all of it may take, in MB: a growing buffer may be twice as large as what is in it, and there is everything else.
const MOST_MB: u64 = 2 * BODIES_MB + 72;
/// Requests of each row at once, over so many connections.
const AT_ONCE: usize = 1_000;
const CONNECTIONS: usize = 8;
/// Longest time for all of one attack.
const PHASE: Duration = Duration::from_secs(60);

struct Sabird {
    child: Child,
    address: SocketAddr,
    config: String,
}

impl Sabird {
    fn start(town: &Town) -> Self {
        let address = town.address("a.example");
        let config = town.data("a.example").join("sabird.toml");
        let text = town
            .config_text("a.example")
            .replace("[timeouts]\n", "[timeouts]\nbody_seconds = 3\n");
        let bytes = BODIES_MB << 20;
        let text = format!("{text}[limits]\nbody_memory_bytes_per_ip = {bytes}\n");
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sabird"))
            .args(["--config", &config])
            .env_remove("SABIRD_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("serving") {
            assert_ne!(log.read_line(&mut seen).unwrap(), 0, "it ended: {seen}");
        }
        // Whatever it says later must not stop it.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                eprintln!("sabird: {line}")
            }
        });
        Self {
            child,
            address,
            config,
        }
    }

    fn invite(&self) -> String {
        let made = Command::new(env!("CARGO_BIN_EXE_sabird"))
            .args([
                "--config",
                &self.config,
                "invite",
                "create",
                "--uses",
                "10000",
                "--json",
            ])
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        json["token"].as_str().unwrap().to_owned()
    }

    /// The most memory that was resident since it was asked last, in MB.
    fn peak_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        // The peak begins anew (proc(5), clear_refs); where that is not allowed it only grows.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
        kb / 1024
    }
}

impl Drop for Sabird {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole of a phase within its time.
async fn within<T>(phase: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PHASE, work).await;
    done.unwrap_or_else(|_| panic!("{phase} takes longer than {PHASE:?}"))
}

/// Somebody with good manners is served, soon.
async fn serves(device: &Online, phase: &str) {
    let begun = Instant::now();
    let online = device.get(path::HUB).await;
    assert_eq!(online.status, 200, "after {phase}");
    assert!(begun.elapsed() < PATIENCE, "after {phase}");
}

fn path_of(row: &Row, device: &Online) -> String {
    let room = RoomUri::parse("mimi://a.example/r/AAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let segment = if row.route.contains("{targetUser}") {
        device.user.to_path_segment()
    } else if row.route.contains("{url}") {
        "https%3A%2F%2Fa.example%2Fmimi%2Fv1%2Fasset%2Faaaaaaaaaaaaaaaaaaaaaaaa".to_owned()
    } else if row.route.contains("{box}") {
        "A".repeat(43)
    } else if row.route.contains("{assetId}") {
        "aaaaaaaaaaaaaaaaaaaaaaaa".to_owned()
    } else {
        room.to_path_segment()
    };
    match (row.route.find('{'), row.route.find('}')) {
        (Some(open), Some(close)) => format!("{}{segment}{}", &row.route[..open], &row.route[close + 1..]),
        _ => row.route.to_owned(),
    }
}

fn request(row: &Row, device: &Online, body: Body) -> Request<Body> {
    let uri = match row.method {
        "CONNECT" => "b.example:443".to_owned(),
        _ => format!("https://a.example{}", path_of(row, device)),
    };
    let request = Request::builder().method(row.method()).uri(uri);
    let request = match row.who {
        Who::Anybody => request,
        Who::Device => request.header("authorization", device.bearer()),
        Who::Peer => request.header("from", "mimi@b.example"),
    };
    request.body(body).unwrap()
}

/// A thousand requests of a row at once; gives how many were answered with which status.
async fn a_thousand(
    row: &Row,
    connections: &[Connection],
    device: &Online,
) -> std::collections::BTreeMap<u16, usize> {
    let mut answers = Vec::new();
    for nth in 0..AT_ONCE {
        let body = match row.takes {
            Takes::Nothing => Vec::new(),
            // As much as nothing, noise, and a little of each.
            _ => vec![u8::try_from(nth % 251).unwrap(); nth % 600],
        };
        let request = request(row, device, Body::from(body));
        answers.push(connections[nth % connections.len()].start_head(request));
    }
    let mut statuses = std::collections::BTreeMap::new();
    for answer in answers {
        let status = answer.await.expect("every one is answered");
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

/// A body that sends `blocks` of 64 kB and then nothing more.
fn heavy(blocks: usize) -> Body {
    static BLOCK: [u8; 65_536] = [0x5a; 65_536];
    struct Blocks(usize);
    impl futures_core::Stream for Blocks {
        type Item = Result<Frame<Bytes>, std::convert::Infallible>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            let Some(left) = self.0.checked_sub(1) else {
                return std::task::Poll::Pending;
            };
            self.0 = left;
            std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&BLOCK)))))
        }
    }
    Body::new(StreamBody::new(Blocks(blocks)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_within_its_bound_whatever_comes() {
    let town = Town::new(&["a.example", "b.example"]);
    let sabird = Sabird::start(&town);
    let idle = sabird.peak_mb();
    let first = Connection::open(town.device_tls(), "a.example", sabird.address).await;
    let (person, _) = Person::join_over(&first, "a.example", &sabird.invite(), "alice").await;
    let device = person
        .device("alice1", 1)
        .go_online_at(&town, "a.example", sabird.address)
        .await;
    eprintln!("idle: {idle} MB");

    // A thousand at once of everything.
    let mut highest = 0;
    for row in ROWS {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let trust = match row.who {
                Who::Peer => town.peer_tls("b.example"),
                _ => town.device_tls(),
            };
            connections.push(Connection::open(trust, "a.example", sabird.address).await);
        }
        let statuses = within(&row.name(), a_thousand(row, &connections, &device)).await;
        assert_eq!(statuses.values().sum::<usize>(), AT_ONCE);
        let strange: Vec<_> = statuses
            .keys()
            .filter(|status| ![200, 400, 401, 403, 404, 409, 413, 429, 503].contains(*status))
            .collect();
        assert!(strange.is_empty(), "{}: {statuses:?}", row.name());
        drop(connections);
        let peak = sabird.peak_mb();
        highest = highest.max(peak);
        assert!(peak < MOST_MB, "{}: {peak} MB", row.name());
        serves(&device, &row.name()).await;
    }
    eprintln!("a thousand requests at once, each route in turn: {highest} MB");

    // 512 bodies of 1 MB each, which never end: eight times what one address may hold.
    let mut connections = Vec::new();
    for _ in 0..32 {
        connections.push(Connection::open(town.peer_tls("b.example"), "a.example", sabird.address).await);
    }
    let notify = ROWS.iter().find(|row| row.route.contains("/notify/")).unwrap();
    let begun = Instant::now();
    let mut answers = Vec::new();
    for connection in &connections {
        for _ in 0..16 {
            answers.push(connection.start_head(request(notify, &device, heavy(16))));
        }
    }
    // Others are served meanwhile, whatever their bodies are.
    tokio::time::sleep(Duration::from_millis(500)).await;
    serves(&device, "the first heavy bodies").await;
    let (mut slow, mut refused) = (0, 0);
    let cut_off = async {
        for answer in answers {
            match answer.await.unwrap() {
                408 => slow += 1,
                503 => refused += 1,
                other => panic!("{other}"),
            }
        }
    };
    within("heavy bodies", cut_off).await;
    let peak = sabird.peak_mb();
    eprintln!(
        "512 bodies of 1 MB that never end: {peak} MB, {slow} cut off as slow, {refused} refused, {:?}",
        begun.elapsed()
    );
    assert!(slow > 0, "some are held for their time");
    assert!(refused > 0, "no more is held than may be");
    assert!(peak < MOST_MB, "{peak} MB");
    drop(connections);
    serves(&device, "heavy bodies").await;

    // As many connections as one address may have, and some more.
    let mut open = Vec::new();
    let mut closed = 0;
    let opening = async {
        for _ in 0..280 {
            match Connection::try_open(town.device_tls(), "a.example", sabird.address).await {
                Some(connection) => open.push(connection),
                None => closed += 1,
            }
        }
    };
    within("connections", opening).await;
    let peak = sabird.peak_mb();
    eprintln!(
        "{} connections of one address, {closed} refused: {peak} MB",
        open.len()
    );
    assert!(open.len() <= 256 && closed >= 24, "{} {closed}", open.len());
    assert!(peak < MOST_MB, "{peak} MB");
    drop(open);
    serves(&device, "connections").await;

    // Streams that are reset at once.
    let mut taken = 0;
    let resetting = async {
        for _ in 0..10 {
            taken += reset_rapidly(&town, sabird.address).await;
        }
    };
    within("resets", resetting).await;
    let peak = sabird.peak_mb();
    eprintln!("{taken} streams reset at once on 10 connections: {peak} MB");
    assert!(peak < MOST_MB, "{peak} MB");
    serves(&device, "resets").await;
    assert_eq!(
        device.connection.ask(Method::GET, "/", &[], &[]).await.status,
        404
    );
}
