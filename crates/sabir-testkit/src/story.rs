//! The demonstration: what `cargo xtask demo` plays.
//!
//! It asserts on what `sabir log --json` of another process returns, never on its own state.

use std::io::{BufRead as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{Town, TownError};

const PATIENCE: Duration = Duration::from_secs(60);

/// Plays the story into `out`. With `exit` it ends there, otherwise the providers stay up until Enter or the end of
/// standard input.
pub fn play(folder: &Path, exit: bool, out: &mut impl Write) -> ExitCode {
    let started = Instant::now();
    match tell(folder, out) {
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
        Err((step, error)) => {
            let _ = writeln!(out, "\nfailed at: {step}\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(folder: &Path, out: &mut impl Write) -> Result<Town, (&'static str, TownError)> {
    let mut step = Step { out, name: "" };
    step.begin("two providers start, each its own process, with a private certificate authority");
    let mut town =
        Town::in_folder(folder, &["a.example", "b.example"]).map_err(|error| step.failed(error))?;
    for domain in ["a.example", "b.example"] {
        let provider = town.provider(domain).map_err(|error| step.failed(error))?;
        step.say(&format!("{domain} listens on {}", provider.address()));
    }
    step.begin("Alice opens an account at a.example by invite, Bob at b.example");
    let alice = town
        .person("alice", "a.example")
        .map_err(|error| step.failed(error))?;
    let bob = town
        .person("bob", "b.example")
        .map_err(|error| step.failed(error))?;
    step.begin("Alice writes to Bob; Bob reads it at his own provider");
    let first = "Hello Bob, can anybody else read this?";
    step.line("alice", first);
    alice
        .send(bob.address(), first)
        .map_err(|error| step.failed(error))?;
    bob.expect_log(alice.address(), &[first], PATIENCE)
        .map_err(|error| step.failed(error))?;
    step.begin("Bob answers, and both have the same conversation in the same order");
    let second = "Only you and I. Our providers carry it and cannot.";
    step.line("bob", second);
    bob.send(alice.address(), second)
        .map_err(|error| step.failed(error))?;
    for (person, other) in [(&alice, &bob), (&bob, &alice)] {
        person
            .expect_log(other.address(), &[first, second], PATIENCE)
            .map_err(|error| step.failed(error))?;
    }
    step.begin("both providers are killed and started again; nothing is lost");
    for domain in ["a.example", "b.example"] {
        let provider = town.provider_mut(domain).map_err(|error| step.failed(error))?;
        provider.kill();
        provider.start().map_err(|error| step.failed(error))?;
    }
    let third = "Still there?";
    step.line("alice", third);
    alice
        .send(bob.address(), third)
        .map_err(|error| step.failed(error))?;
    let fourth = "Still here.";
    step.line("bob", fourth);
    bob.send(alice.address(), fourth)
        .map_err(|error| step.failed(error))?;
    for (person, other) in [(&alice, &bob), (&bob, &alice)] {
        person
            .expect_log(other.address(), &[first, second, third, fourth], PATIENCE)
            .map_err(|error| step.failed(error))?;
    }
    step.begin("what the providers stored and logged holds none of these words");
    for domain in ["a.example", "b.example"] {
        let provider = town.provider(domain).map_err(|error| step.failed(error))?;
        for text in [first, second, third, fourth] {
            if let Some(file) =
                crate::town::find(provider.folder(), text.as_bytes()).map_err(|error| step.failed(error))?
            {
                return Err(step.failed(TownError::Wrong(format!("{} holds {text:?}", file.display()))));
            }
        }
    }
    Ok(town)
}

/// Keeps the town up until Enter, Ctrl-C or SIGTERM.
fn stay(town: &Town, out: &mut impl Write) {
    let sabir = town.sabir();
    let folder = town.folder().display();
    let _ = writeln!(
        out,
        "\nGo on as either of them from another terminal:\n\n  {0} --profile {folder}/alice chat bob@b.example\n  \
         {0} --profile {folder}/bob chat alice@a.example\n\nThe providers stay up until you press Enter here.",
        sabir.display(),
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

struct Step<'a, W: Write> {
    out: &'a mut W,
    name: &'static str,
}

impl<W: Write> Step<'_, W> {
    fn begin(&mut self, name: &'static str) {
        self.name = name;
        let _ = writeln!(self.out, "\n* {name}");
        let _ = self.out.flush();
    }

    fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "    {text}");
    }

    fn line(&mut self, who: &str, text: &str) {
        let _ = writeln!(self.out, "    {who}: {text}");
    }

    fn failed(&self, error: TownError) -> (&'static str, TownError) {
        (self.name, error)
    }
}
