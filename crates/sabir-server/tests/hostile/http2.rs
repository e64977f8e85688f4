//! HTTP/2 as nobody's library speaks it: streams that are reset at once, headers without an end, floods of small frames.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use rustls::pki_types::ServerName;
use sabir_server::directory::DIRECTORY_PATH;
use sabir_store::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::PATIENCE;
use crate::support::connection::Connection;
use crate::support::town::{Running, Town};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const DATA: u8 = 0;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET /` or `POST PATH` of a.example, in HPACK without a table.
fn head(post: Option<&str>) -> Vec<u8> {
    let mut block = vec![if post.is_some() { 0x83 } else { 0x82 }, 0x87];
    match post {
        Some(path) => {
            block.extend([0x04, u8::try_from(path.len()).unwrap()]);
            block.extend(path.as_bytes());
        }
        None => block.push(0x84),
    }
    block.extend([0x01, 9]);
    block.extend(b"a.example");
    block
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A connection on which frames are written by hand.
pub(crate) struct Raw {
    read: ReadHalf<TlsStream<TcpStream>>,
    write: WriteHalf<TlsStream<TcpStream>>,
}

/// What came back until the provider closed, or said nothing for a while.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Kind, stream, and payload.
    frames: Vec<(u8, u32, Vec<u8>)>,
    pub(crate) closed: bool,
}

impl Said {
    fn of(&self, kind: u8) -> impl Iterator<Item = &(u8, u32, Vec<u8>)> {
        self.frames.iter().filter(move |frame| frame.0 == kind)
    }

    /// The code of the last GOAWAY.
    fn goodbye(&self) -> Option<u32> {
        let (_, _, payload) = self.of(GOAWAY).last()?;
        Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
    }
}

impl Raw {
    pub(crate) async fn open(town: &Town, address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("a.example").unwrap();
        let tls = TlsConnector::from(town.device_tls().config)
            .connect(name, tcp)
            .await
            .unwrap();
        let (read, write) = tokio::io::split(tls);
        Self { read, write }
    }

    /// As a client begins.
    pub(crate) async fn begun(town: &Town, address: SocketAddr) -> Self {
        let mut raw = Self::open(town, address).await;
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.send(&frame(SETTINGS, 0, 0, &[])).await;
        raw
    }

    /// Sends bytes; false when the provider takes no more.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        matches!(
            timeout(Duration::from_secs(2), self.write.write_all(bytes)).await,
            Ok(Ok(()))
        ) && self.write.flush().await.is_ok()
    }

    /// Sends `block` again and again, at most `times`; says how often it was taken. What comes back is read meanwhile.
    async fn flood(self, times: usize, block: impl Fn(usize) -> Vec<u8>) -> (usize, Said) {
        let Self { mut read, mut write } = self;
        let reading = tokio::spawn(async move { hear(&mut read).await });
        let mut taken = 0;
        while taken < times {
            match timeout(Duration::from_secs(2), write.write_all(&block(taken))).await {
                Ok(Ok(())) => taken += 1,
                _ => break,
            }
        }
        let _ = write.flush().await;
        let said = reading.await.unwrap();
        drop(write);
        (taken, said)
    }

    async fn hear(mut self) -> Said {
        hear(&mut self.read).await
    }
}

/// Reads until the provider closes or says nothing for a second.
async fn hear(read: &mut ReadHalf<TlsStream<TcpStream>>) -> Said {
    hear_on(read, |_| true).await
}

/// Goes on reading until the provider closes, or has said enough and then nothing for a second; at most [`PATIENCE`].
async fn hear_on(read: &mut ReadHalf<TlsStream<TcpStream>>, enough: impl Fn(&Said) -> bool) -> Said {
    let (mut bytes, mut block) = (Vec::new(), vec![0; 65_536]);
    let begun = Instant::now();
    loop {
        let closed = match timeout(Duration::from_secs(1), read.read(&mut block)).await {
            Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(count)) => {
                bytes.extend_from_slice(&block[..count]);
                continue;
            }
            Err(_) => false,
        };
        let mut said = frames(&bytes);
        said.closed = closed;
        if closed || enough(&said) || begun.elapsed() > PATIENCE {
            return said;
        }
    }
}

fn frames(bytes: &[u8]) -> Said {
    let (mut said, mut rest) = (Said::default(), bytes);
    while rest.len() >= 9 {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        let stream = u32::from_be_bytes(rest[5..9].try_into().unwrap());
        let Some(payload) = rest.get(9..9 + length) else {
            break;
        };
        said.frames.push((rest[3], stream, payload.to_vec()));
        rest = &rest[9 + length..];
    }
    said
}

pub(crate) fn resets(number: usize) -> Vec<u8> {
    (0..100)
        .flat_map(|nth| {
            let stream = u32::try_from((number * 100 + nth) * 2 + 1).unwrap();
            let mut both = frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(None));
            both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            both
        })
        .collect()
}

/// Resets streams as fast as it can, until the provider has had enough. Says how many it took.
pub(crate) async fn reset_rapidly(town: &Town, address: SocketAddr) -> usize {
    let (taken, said) = Raw::begun(town, address).await.flood(500, resets).await;
    assert!(
        said.closed,
        "after {taken} hundreds of resets the connection is open"
    );
    // ENHANCE_YOUR_CALM, where it could still be said.
    assert!(
        said.goodbye().is_none_or(|code| code == 0xb),
        "{:?}",
        said.goodbye()
    );
    taken * 100
}

async fn alone() -> (Town, Running) {
    let town = Town::new(&["a.example"]);
    let a = town.start_on("a.example", &Arc::new(MemoryStore::new())).await;
    (town, a)
}

/// Somebody with good manners is served.
async fn serves(town: &Town, a: &Running) {
    let begun = Instant::now();
    let honest = Connection::open(town.device_tls(), "a.example", a.address).await;
    assert_eq!(
        honest.ask(Method::GET, DIRECTORY_PATH, &[], &[]).await.status,
        200
    );
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let (town, a) = alone().await;
    for _ in 0..3 {
        let taken = reset_rapidly(&town, a.address).await;
        assert!(taken < 50_000, "{taken}");
    }
    serves(&town, &a).await;
    a.stop().await;
}

#[tokio::test]
async fn streams_are_counted() {
    let (town, a) = alone().await;
    let mut raw = Raw::begun(&town, a.address).await;
    // Each waits for its body.
    let open = |nth: u32| {
        frame(
            HEADERS,
            END_HEADERS,
            nth * 2 + 1,
            &head(Some("/client/v1/accounts")),
        )
    };
    for nth in 0..200 {
        assert!(raw.send(&open(nth)).await);
    }
    let refused = |said: &Said| -> Vec<u32> {
        said.of(RST_STREAM)
            .filter(|(_, _, code)| **code == 7_u32.to_be_bytes())
            .map(|(_, stream, _)| *stream)
            .collect()
    };
    // A machine that is busy may say nothing for a while.
    let said = hear_on(&mut raw.read, |said| !refused(said).is_empty()).await;
    let refused = refused(&said);
    drop(raw);
    assert_eq!(
        refused.len(),
        200 - 128,
        "REFUSED_STREAM for each beyond the bound: {refused:?}"
    );
    // It may be closed by now, for it answers no PING.
    assert_eq!(said.of(GOAWAY).count(), 0);
    serves(&town, &a).await;
    a.stop().await;
}

#[tokio::test]
async fn headers_have_an_end() {
    let (town, a) = alone().await;
    // A field of 12 kB in one frame, three times: beyond the bound for all fields.
    let field = |byte: u8| {
        let mut field = vec![0x00, 1, b'x', 0x7f, 0x81, 0x5d];
        field.extend(vec![byte; 12_000]);
        field
    };
    let mut raw = Raw::begun(&town, a.address).await;
    raw.send(&frame(
        HEADERS,
        END_STREAM,
        1,
        &[head(None), field(b'a')].concat(),
    ))
    .await;
    raw.send(&frame(CONTINUATION, 0, 1, &field(b'b'))).await;
    raw.send(&frame(CONTINUATION, END_HEADERS, 1, &field(b'c'))).await;
    let said = raw.hear().await;
    let answered = said.of(HEADERS).next().is_some() || said.of(RST_STREAM).next().is_some();
    assert!(answered || said.goodbye().is_some(), "{said:?}");
    assert!(
        said.of(HEADERS).all(|(_, _, block)| block.first() != Some(&0x88)),
        "not 200"
    );
    // Without an end.
    let mut raw = Raw::begun(&town, a.address).await;
    raw.send(&frame(HEADERS, END_STREAM, 1, &head(None))).await;
    let (taken, said) = raw
        .flood(20_000, |_| frame(CONTINUATION, 0, 1, &field(b'd')))
        .await;
    assert!(taken < 2_000, "{taken} frames of 12 kB");
    assert!(said.closed);
    serves(&town, &a).await;
    a.stop().await;
}

#[tokio::test]
async fn floods_of_small_frames_stop_nobody_else() {
    let (town, a) = alone().await;
    let pings = |_| frame(PING, 0, 0, &[7; 8]).repeat(1_000);
    let settings = |_| frame(SETTINGS, 0, 0, &[]).repeat(1_000);
    let nothing = |_| frame(DATA, 0, 1, &[]).repeat(1_000);
    let windows = |_| frame(WINDOW_UPDATE, 0, 0, &0_u32.to_be_bytes()).repeat(1_000);
    let unknown = |_| frame(0xfa, 0, 0, &[1; 20]).repeat(1_000);
    let stranger = |_| frame(DATA, 0, 99, &[0; 100]).repeat(100);
    let flood = async |what: &str, block: &dyn Fn(usize) -> Vec<u8>| {
        let mut raw = Raw::begun(&town, a.address).await;
        raw.send(&frame(
            HEADERS,
            END_HEADERS,
            1,
            &head(Some("/client/v1/accounts")),
        ))
        .await;
        let (flooding, serving) = tokio::join!(raw.flood(20, block), serves(&town, &a));
        let () = serving;
        let (_, said) = flooding;
        // It answers pings and settings, or has had enough; it never answers more than it was asked.
        assert!(said.frames.len() <= 20_010, "{what}: {}", said.frames.len());
    };
    flood("pings", &pings).await;
    flood("settings", &settings).await;
    flood("empty data", &nothing).await;
    flood("windows of nothing", &windows).await;
    flood("unknown frames", &unknown).await;
    flood("data of no stream", &stranger).await;
    serves(&town, &a).await;
    a.stop().await;
}

#[tokio::test]
async fn what_is_no_http2_is_closed() {
    let (town, a) = alone().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        &[0; 100],
        b"SSH-2.0-x\r\n",
    ] {
        let mut raw = Raw::open(&town, a.address).await;
        raw.send(bytes).await;
        // More of the same, so that whatever it waits for has come.
        raw.send(&[0; 1_000]).await;
        assert!(raw.hear().await.closed, "{bytes:?}");
    }
    // Without TLS, or with something else that begins like it.
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff\x01",
    ] {
        let mut tcp = TcpStream::connect(a.address).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        tcp.write_all(&[0x5a; 70_000]).await.ok();
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, tcp.read_to_end(&mut rest))
            .await
            .expect("closes");
    }
    serves(&town, &a).await;
    a.stop().await;
}

#[tokio::test]
async fn whoever_stops_halfway_is_closed_when_idle() {
    let town = Town::new(&["a.example"]);
    let mut config = town.config("a.example");
    config.settings.timeouts.idle_seconds = 1;
    config.settings.timeouts.handshake_seconds = 1;
    config.settings.timeouts.drain_seconds = 1;
    let (a, _) = town.start_as(config, &Arc::new(MemoryStore::new())).await;
    let begun = Instant::now();
    let mut waiting = tokio::task::JoinSet::new();
    // Half a preface, a preface alone, headers without their end.
    for bytes in [
        b"PRI * HT".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            &frame(SETTINGS, 0, 0, &[]),
            &frame(HEADERS, END_STREAM, 1, &head(None)),
        ]
        .concat(),
    ] {
        let mut raw = Raw::open(&town, a.address).await;
        raw.send(&bytes).await;
        waiting.spawn(async move {
            let mut rest = Vec::new();
            let _ = raw.read.read_to_end(&mut rest).await;
            drop(raw.write);
        });
    }
    // Half a handshake, and nothing of one.
    for bytes in [&b"\x16\x03\x01\x02\x00\x01"[..], b""] {
        let mut tcp = TcpStream::connect(a.address).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        waiting.spawn(async move {
            let mut rest = Vec::new();
            let _ = tcp.read_to_end(&mut rest).await;
        });
    }
    timeout(PATIENCE, waiting.join_all())
        .await
        .expect("closes them all");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    serves(&town, &a).await;
    a.stop().await;
}
