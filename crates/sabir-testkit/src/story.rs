//! The demonstration: what `cargo xtask demo` plays.
//!
//! Four people at three providers, each provider and each person's agent a process of its own. The story asserts on
//! what `sabir ... --json` of another process returns, never on its own state.

mod scenes;
mod teller;

use std::io::{BufRead as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::Town;
use scenes::GROUP;
use teller::Teller;

/// Plays the story into `out`. With `exit` it ends there, otherwise the providers stay up until Enter or the end of
/// standard input.
pub fn play(folder: &Path, exit: bool, out: &mut impl Write) -> ExitCode {
    let started = Instant::now();
    let mut teller = Teller::new(out);
    match scenes::tell(folder, &mut teller) {
        Ok(town) => {
            let _ = writeln!(
                out,
                "\nThe story holds, {:.1} seconds.",
                started.elapsed().as_secs_f64()
            );
            if !exit {
                stay(&town, out);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let step = teller.step();
            let _ = writeln!(out, "\nfailed at: {step}\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Keeps the town up until Enter, Ctrl-C or SIGTERM.
fn stay(town: &Town, out: &mut impl Write) {
    let sabir = town.sabir();
    let sabir = sabir.display();
    let folder = town.folder().display();
    let _ = writeln!(
        out,
        "\nGo on as any of them from other terminals:\n\n  {sabir} --profile {folder}/alice chat bob@b.example\n  \
         {sabir} --profile {folder}/bob chat alice@a.example\n  {sabir} --profile {folder}/alice send {GROUP:?} 'Where next?'\n  \
         {sabir} --profile {folder}/dave watch\n\nThe providers stay up until you press Enter here.",
    );
    let _ = out.flush();
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    else {
        return;
    };
    runtime.block_on(async {
        let enter = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .is_ok_and(|read| read > 0)
        });
        // Without a terminal there is no Enter: only a signal ends it then.
        let entered = async {
            if !enter.await.unwrap_or(false) {
                std::future::pending::<()>().await;
            }
        };
        let terminated = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => signal.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = entered => {}
            _ = terminated => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    });
    // A read of the terminal that never ends must not hold the end up.
    runtime.shutdown_background();
}
