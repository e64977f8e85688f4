//! Bodies that are malformed, cut off, too long, of another type, or slow.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use sabir_wire::client_api::ApiErrorCode;
use sabir_wire::codec::Decode as _;
use tokio::time::{Sleep, sleep};

use crate::support::PATIENCE;
use crate::support::connection::Answer;
use crate::support::logs::Logs;
use crate::table::{ROWS, Row, Takes};
use crate::world::{World, answer};

/// A refusal: by status under `/mimi`, by code under `/client`.
#[track_caller]
pub(crate) fn assert_refused(row: &Row, what: &str, answer: &Answer, status: u16, code: ApiErrorCode) {
    if row.is_api() {
        assert_eq!(answer.api_error(), code, "{}: {what}", row.name());
    } else {
        assert_eq!(answer.status, status, "{}: {what}: {answer:?}", row.name());
    }
}

/// How long a body's beginning may be: all short ones, where a length header ends and a few beyond, those just before the end.
fn cuts(length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..24).collect();
    cuts.extend([
        31, 32, 33, 63, 64, 65, 66, 127, 128, 255, 256, 257, 16_383, 16_384,
    ]);
    cuts.extend((1..8).map(|eighth| length * eighth / 8));
    cuts.extend((1..4).map(|less| length.saturating_sub(less)));
    cuts.retain(|cut| *cut < length);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

#[tokio::test]
async fn what_is_malformed_or_cut_off_is_refused() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    for row in ROWS {
        let Takes::Structure(most) = row.takes else {
            continue;
        };
        let valid = world.valid(row).await;
        assert!(valid.len() < most, "{}", row.name());
        let before = world.stored();
        logs.clear();
        let mut bodies: Vec<Vec<u8>> = cuts(valid.len())
            .iter()
            .map(|cut| valid[..*cut].to_vec())
            .collect();
        bodies.push([valid.as_slice(), &[0]].concat());
        bodies.push([valid.as_slice(), &valid].concat());
        bodies.push(valid[1..].to_vec());
        for byte in [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff] {
            bodies.push(vec![byte; 4]);
            bodies.push(vec![byte; 300]);
        }
        // Twice one announcement is two in a batch.
        if row.route.contains("/notify/") {
            bodies.retain(|body| *body != [valid.as_slice(), &valid].concat());
        }
        // Few bytes may be a ciphertext, if one that nobody can open.
        if row.route.ends_with("/backup") {
            bodies.retain(|body| sabir_wire::mls::HpkeCiphertext::from_bytes(body).is_err());
        }
        // Numbers alone: any eight bytes are a cursor, if one that was never given.
        if row.route.ends_with("/ack") {
            bodies.retain(|body| body.len() != 8);
        }
        for body in bodies {
            let answer = world.ask(row, &body).await;
            let what = format!("{} bytes of {}", body.len(), valid.len());
            assert_refused(row, &what, &answer, 400, ApiErrorCode::MALFORMED);
            logs.one_refusal(400);
        }
        world.assert_stored(&before, &row.name());
    }
    world.stop().await;
}

#[tokio::test]
async fn what_is_too_long_is_refused_announced_or_not() {
    let logs = Logs::capture();
    let world = World::new().await;
    let before = world.stored();
    for row in ROWS {
        let Some(most) = row.most() else { continue };
        logs.clear();
        let answer_to = async |what: &str, length: Option<u64>, body: Body| {
            let mut headers = world.headers(row);
            headers.extend(length.map(|length| ("content-length", length.to_string())));
            let request = world.request(row, &world.path(row), &headers, body);
            let answer = answer(world.connection(row), request).await;
            assert_refused(row, what, &answer, 413, ApiErrorCode::TOO_LARGE);
            logs.one_refusal(413);
        };
        answer_to("one byte more", None, Body::from(vec![0; most + 1])).await;
        // Refused by its announcement: nothing ever comes.
        answer_to("announced", Some(1 << 40), Body::new(Trickle::silent())).await;
        answer_to("without an end", None, Body::new(Endless)).await;
    }
    // Where no body is looked at, one without an end is nobody's.
    for row in ROWS
        .iter()
        .filter(|row| row.takes == Takes::Nothing && row.method == "GET")
    {
        let request = world.request(row, &world.path(row), &world.headers(row), Body::new(Endless));
        let response = world.connection(row).send(request).await;
        assert_eq!(response.status(), 200, "{}", row.name());
    }
    world.assert_stored(&before, "a body that is too long");
    world.stop().await;
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let logs = Logs::capture();
    let mut world = World::new().await;
    for row in ROWS {
        if row.takes == Takes::Nothing {
            continue;
        }
        let valid = world.valid(row).await;
        let before = world.stored();
        logs.clear();
        for types in [
            &["application/json"][..],
            &["text/plain"],
            &["application/x-www-form-urlencoded"],
            &["multipart/form-data; boundary=x"],
            &[""],
            &["application/octet-streams"],
            &["application/octet-stream", "application/octet-stream"],
            &["\u{fc}"],
        ] {
            let mut headers = world.headers(row);
            headers.extend(types.iter().map(|value| ("content-type", (*value).to_owned())));
            let request = world.request(row, &world.path(row), &headers, Body::from(valid.clone()));
            let answer = answer(world.connection(row), request).await;
            assert_refused(row, &format!("{types:?}"), &answer, 415, ApiErrorCode::MALFORMED);
            logs.one_refusal(if row.is_api() { 400 } else { 415 });
        }
        world.assert_stored(&before, &row.name());
        let Takes::Structure(_) = row.takes else { continue };
        for good in [
            "application/octet-stream",
            "Application/Octet-Stream; x=y",
            "message/mls",
        ] {
            let mut headers = world.headers(row);
            headers.push(("content-type", good.to_owned()));
            // It is read: that it means nothing is what is told.
            let request = world.request(row, &world.path(row), &headers, Body::from(vec![0xff; 9]));
            let answer = answer(world.connection(row), request).await;
            assert_refused(row, good, &answer, 400, ApiErrorCode::MALFORMED);
            logs.one_refusal(400);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn who_trickles_is_cut_off() {
    let logs = Logs::capture();
    let mut world = World::with(|config| config.settings.timeouts.body_seconds = 1).await;
    let before = world.stored();
    logs.clear();
    let begun = Instant::now();
    let mut asked = Vec::new();
    for row in ROWS.iter().filter(|row| row.takes != Takes::Nothing) {
        // Nothing after the beginning, and a byte now and then.
        for every in [None, Some(Duration::from_millis(150))] {
            // Of one file one upload at a time: the one that would go on for minutes.
            if (every, row.takes) == (None, Takes::File) {
                continue;
            }
            let valid = world.valid(row).await;
            let body = match (every, row.takes) {
                (_, Takes::Empty) | (None, _) => Trickle::silent(),
                (Some(every), _) => Trickle::of(valid, every),
            };
            let request = world.request(row, &world.path(row), &world.headers(row), Body::new(body));
            asked.push((row, world.connection(row).start(request)));
        }
    }
    let count = asked.len();
    for (row, answer) in asked {
        let answer = tokio::time::timeout(PATIENCE, answer)
            .await
            .expect("cut off")
            .unwrap();
        assert_refused(row, "slow", &answer, 408, ApiErrorCode::UNAVAILABLE);
    }
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "{count} slow bodies held for {took:?}"
    );
    assert_eq!(
        logs.all()
            .iter()
            .filter(|logged| logged.message == "request refused")
            .count(),
        count
    );
    // A connection that did this serves on.
    let row = &ROWS[0];
    let answer = world.ask(row, &[]).await;
    assert_eq!(answer.status, 400);
    world.assert_stored(&before, "slow bodies");
    world.stop().await;
}

/// A body that never ends.
pub(crate) struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static BLOCK: [u8; 16_384] = [0; 16_384];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&BLOCK)))))
    }
}

/// A body that comes a byte at a time, and does not end.
pub(crate) struct Trickle {
    bytes: std::vec::IntoIter<u8>,
    every: Duration,
    next: Option<Pin<Box<Sleep>>>,
}

impl Trickle {
    /// Nothing comes.
    pub(crate) fn silent() -> Self {
        Self::of(Vec::new(), Duration::MAX)
    }

    pub(crate) fn of(bytes: Vec<u8>, every: Duration) -> Self {
        Self {
            bytes: bytes.into_iter(),
            every,
            next: None,
        }
    }
}

impl HttpBody for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.len() == 0 {
            return Poll::Pending;
        }
        let every = self.every;
        let next = self.next.get_or_insert_with(|| Box::pin(sleep(every)));
        std::task::ready!(next.as_mut().poll(cx));
        self.next = None;
        let byte = self.bytes.next().unwrap();
        Poll::Ready(Some(Ok(Frame::data(vec![byte].into()))))
    }
}
