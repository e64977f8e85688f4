//! A line that a person types, or a program pipes.

use std::io::{BufRead as _, Read as _};

use super::failure::Failure;

/// Bytes of a line; what stands behind them is another one.
const MAX_LINE: u64 = 4_096;

/// The next line of standard input without the space around it; empty where there is none. `what` it is, for people.
pub(super) async fn line(what: &'static str) -> Result<String, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        let mut input = std::io::stdin().lock().take(MAX_LINE);
        input.read_line(&mut line).map(|_| line)
    });
    let failed = |error: &std::io::Error| Failure::system(&format!("{what} cannot be read"), error);
    let line = read
        .await
        .map_err(|error| failed(&std::io::Error::other(error)))?;
    Ok(line.map_err(|error| failed(&error))?.trim().to_owned())
}
