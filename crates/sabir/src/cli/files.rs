//! `sabir send --file` and `sabir save`. The agent moves the bytes; the command shows how far they are.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sabir_client::types::{MessageState, Outgoing, Transfer, TransferState};
use serde::Serialize;
use tokio::time::Instant;

use super::acting::name;
use super::args::{SaveArgs, SendArgs};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::post;
use super::{address, send};
use crate::rpc::code::Code;
use crate::rpc::files::{FILE_SAVE, FILE_SEND, FILE_STATUS, FileSave, FileSend, FileStatus};
use crate::rpc::methods::{MESSAGE_STATUS, MessageStatus};
use crate::terminal;

/// What `sabir send --file --json` prints.
#[derive(Serialize)]
struct Sent {
    #[serde(flatten)]
    message: Option<Outgoing>,
    transfer: Transfer,
}

/// Sends a file. The key makes asking twice asking once, where the agent dies over the answer; and the same file to the
/// same people is one transfer while it is under way, whoever asks.
pub(super) async fn send(path: &Path, file: &Path, args: SendArgs, out: &Out) -> Result<(), Failure> {
    let to = address(&args.to)?.name();
    let params = FileSend {
        to,
        path: absolute(file)?,
        text: args.text.map(send::text).transpose()?,
        keep_metadata: args.keep_metadata,
        key: Some(key()?),
    };
    let mut asks = Asks::open(path).await?;
    let mut transfer: Transfer = asks.ask(FILE_SEND, &params).await?;
    let wait = Duration::from_secs(args.wait.into());
    if args.queue {
        if !out.json {
            out.talk("The file is being sent by the agent; leave it as it is until then.");
        }
        return print(out, None, transfer);
    }
    transfer = follow(&mut asks, transfer, wait, out).await?;
    let Some(local_id) = transfer.local_id else {
        let failure = ended(&transfer);
        print(out, None, transfer)?;
        return failure;
    };
    let params = MessageStatus {
        local_id,
        wait_ms: None,
    };
    let sent = asks.ask(MESSAGE_STATUS, &params).await?;
    let sent: Outgoing = post::settle(&mut asks, sent, wait).await?;
    print(out, Some(sent.clone()), transfer)?;
    match sent.state {
        MessageState::Failed => Err(post::failed(&sent)),
        MessageState::Queued => Err(post::waiting(1, sent.problem.as_deref())),
        _ => Ok(()),
    }
}

/// Saves a file of a message.
pub(super) async fn save(path: &Path, args: SaveArgs, out: &Out) -> Result<(), Failure> {
    let params = FileSave {
        message: name(&args.message)?,
        number: Some(args.file),
        path: absolute(&args.path)?,
        overwrite: args.overwrite,
    };
    let mut asks = Asks::open(path).await?;
    let transfer: Transfer = asks.ask(FILE_SAVE, &params).await?;
    let transfer = follow(&mut asks, transfer, Duration::from_secs(args.wait.into()), out).await?;
    if out.json {
        out.object(&transfer)?;
    }
    ended(&transfer)?;
    if !out.json {
        out.line(&terminal::one_line(&transfer.path))?;
    }
    Ok(())
}

/// A text that no other command chooses.
fn key() -> Result<String, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, "system_error", error.to_string());
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|error| failed(&error))?;
    Ok(format!("{}-{}", std::process::id(), now.as_nanos()))
}

fn print(out: &Out, message: Option<Outgoing>, transfer: Transfer) -> Result<(), Failure> {
    if out.json {
        out.object(&Sent { message, transfer })?;
    }
    Ok(())
}

/// Shows how far a transfer is until it is over, or until nothing moved for `patience`.
async fn follow(
    asks: &mut Asks,
    mut transfer: Transfer,
    patience: Duration,
    out: &Out,
) -> Result<Transfer, Failure> {
    let mut bar = Bar::new(!out.json && io::stderr().is_terminal());
    let mut moved = Instant::now();
    while !transfer.state.is_over() {
        bar.show(&transfer);
        if moved.elapsed() > patience {
            break;
        }
        let params = FileStatus {
            transfer: transfer.transfer,
            wait_ms: Some(LOOK_MS),
        };
        let next: Transfer = asks.ask(FILE_STATUS, &params).await?;
        if (next.state, next.bytes_done) != (transfer.state, transfer.bytes_done) {
            moved = Instant::now();
        }
        transfer = next;
    }
    bar.show(&transfer);
    bar.end();
    Ok(transfer)
}

/// How a transfer that is not followed any more ended, as the command's end.
fn ended(transfer: &Transfer) -> Result<(), Failure> {
    let why = transfer.problem.as_deref();
    match transfer.state {
        TransferState::Done => Ok(()),
        TransferState::Failed => {
            let why = why.unwrap_or("no reason was given").to_owned();
            Err(Failure::new(Exit::Failed, "transfer_failed", why))
        }
        _ => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!("the file is not there yet{why}");
            Err(Failure::new(Exit::Unreachable, "transfer_waits", message)
                .hint("the agent goes on with it; the same command shows how far it is"))
        }
    }
}

/// The agent has a working folder of its own.
fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute =
        std::path::absolute(path).map_err(|error| Failure::system("the path cannot be used", &error))?;
    let text = absolute.into_os_string().into_string();
    text.map_err(|path| {
        let message = format!("the path is not UTF-8: {}", PathBuf::from(path).display());
        Failure::new(Exit::Usage, Code::FileRefused.name(), message)
    })
}

/// A line on a terminal's stderr that is written anew as bytes move.
struct Bar {
    on: bool,
    shown: usize,
}

impl Bar {
    fn new(on: bool) -> Self {
        Self { on, shown: 0 }
    }

    fn show(&mut self, transfer: &Transfer) {
        if !self.on {
            return;
        }
        let line = line(transfer);
        let columns = line.chars().map(terminal::width).sum::<usize>();
        let blank = " ".repeat(self.shown.saturating_sub(columns));
        self.shown = columns;
        let mut stderr = io::stderr().lock();
        // When nobody listens there is nobody to tell.
        let _ = stderr.write_all(format!("\r{line}{blank}").as_bytes());
        let _ = stderr.flush();
    }

    fn end(&mut self) {
        if self.on && self.shown > 0 {
            let mut stderr = io::stderr().lock();
            let _ = stderr.write_all(b"\n");
        }
    }
}

/// `photo.jpg  [########------------]  42 %  1.2 MB of 2.9 MB`
fn line(transfer: &Transfer) -> String {
    let name: String = terminal::one_line(&transfer.name).chars().take(NAME).collect();
    let what = match transfer.state {
        TransferState::Waiting => "waits",
        TransferState::Preparing => "reading",
        TransferState::Moving => "moving",
        TransferState::Done => "done",
        TransferState::Failed => "failed",
    };
    let (done, total) = (transfer.bytes_done, transfer.bytes_total);
    let part = |of: u64| done.saturating_mul(of).checked_div(total).unwrap_or(of).min(of);
    let full = usize::try_from(part(BAR)).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0).saturating_sub(full);
    format!(
        "{name}  [{}{}] {:>3} %  {} of {}  {what}",
        "#".repeat(full),
        "-".repeat(empty),
        part(100),
        bytes(done),
        bytes(total)
    )
}

/// A number of bytes as people read it, in powers of ten.
pub(super) fn bytes(number: u64) -> String {
    let (mut tenths, mut unit) = (u128::from(number).saturating_mul(10), 0_usize);
    while tenths >= 10_000 && unit < UNITS.len().saturating_sub(1) {
        tenths /= 1000;
        unit = unit.saturating_add(1);
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{number} {name}")
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB", "PB", "EB"];
/// Columns of the bar.
const BAR: u64 = 24;
/// Letters of the name beside it.
const NAME: usize = 28;
/// Milliseconds between two looks.
const LOOK_MS: u64 = 200;

#[cfg(test)]
mod tests {
    use sabir_client::types::Direction;

    use super::*;

    #[test]
    fn sizes_are_short() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (999_999, "999.9 kB"),
            (2_147_483_648, "2.1 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn the_bar_says_how_far_it_is() {
        let transfer = |bytes_done, bytes_total| Transfer {
            transfer: 1,
            direction: Direction::Send,
            state: TransferState::Moving,
            path: String::new(),
            name: "a\u{1b}[2Jb.txt".to_owned(),
            media_type: String::new(),
            bytes_done,
            bytes_total,
            problem: None,
            local_id: None,
        };
        let half = line(&transfer(1000, 2000));
        assert_eq!(
            half,
            "a[2Jb.txt  [############------------]  50 %  1.0 kB of 2.0 kB  moving"
        );
        assert!(line(&transfer(0, 0)).contains("100 %"));
        assert!(line(&transfer(9, 3)).contains("100 %"));
    }
}
