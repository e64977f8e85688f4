//! How many durable writes a second, with one writer and with 64.
//!
//! `cargo run --release -p sabir-store --example bench [directory] [seconds]`. Each write is one accepted message: a
//! 400-byte body, one follower, two local devices, the room's version and the kept answer.
#![allow(clippy::print_stdout, reason = "its output is the result")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sabir_store::{
    Answer, Apply, CreateRoom, Once, RoomEvent, RoomKind, RoomVersion, RoomWrite, SqliteStore, Store,
    StoreError,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    println!("{:>8} {:>10} {:>14}", "writers", "writes/s", "CPU s per 10k");
    for writers in [1, 8, 64] {
        let directory = parent.join(format!("sabir-store-bench-{}", std::process::id()));
        measure(&directory, writers, Duration::from_secs(seconds))?;
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(())
}

fn measure(directory: &Path, writers: u64, time: Duration) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(directory)?;
    let before = cpu_seconds();
    let started = Instant::now();
    let counts: Vec<Result<u64, StoreError>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|n| {
                scope.spawn({
                    let store = &store;
                    move || send(store, n, time)
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let elapsed = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - before;
    let mut total = 0_u64;
    for count in counts {
        total = total.saturating_add(count?);
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of writes is far below 2^52")]
    let total = total as f64;
    println!(
        "{writers:>8} {:>10.0} {:>14.3}",
        total / elapsed,
        cpu / total * 10_000.0
    );
    Ok(())
}

/// One writer with a room of its own.
fn send(store: &SqliteStore, writer: u64, time: Duration) -> Result<u64, StoreError> {
    let room = format!("mimi://a.example/r/{writer}");
    let write = RoomWrite {
        room: room.clone(),
        ..RoomWrite::default()
    };
    store
        .create_room(CreateRoom {
            kind: RoomKind::Hub,
            hub_domain: "a.example".into(),
            write,
        })
        .wait()?;
    let mut expect = RoomVersion {
        epoch: 0,
        next_seq: 1,
        fence: 1,
    };
    let started = Instant::now();
    let mut sent = 0_u64;
    while started.elapsed() < time {
        let write = message(&room, writer, sent);
        if let Once::Done(applied) = store.apply(Apply { expect, write }).wait()? {
            expect = applied.version;
        }
        sent = sent.saturating_add(1);
    }
    Ok(sent)
}

fn message(room: &str, writer: u64, number: u64) -> RoomWrite {
    let mut request_hash = [0; 32];
    for (chunk, value) in
        request_hash
            .chunks_mut(8)
            .zip([number.wrapping_mul(0x9E37_79B9_7F4A_7C15), writer, number])
    {
        chunk.copy_from_slice(&value.to_be_bytes());
    }
    let device = |n: u64| format!("mimi://a.example/d/user{writer}/{n}");
    let event = RoomEvent {
        kind: 1,
        body: vec![7; 400],
        message_hash: None,
        devices: vec![device(1), device(2)],
        followers: vec!["b.example".to_owned()],
    };
    RoomWrite {
        room: room.to_owned(),
        events: vec![event],
        answer: Some(Answer {
            origin: device(1),
            request_hash,
            response: vec![1; 20],
        }),
        now: number,
        ..RoomWrite::default()
    }
}

/// User and system time of this process, where the system tells it in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
