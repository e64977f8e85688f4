//! The command line of `sabird`. stdout is data, stderr is talk.

mod admin;
mod run;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};

/// Runs a provider of MIMI messaging, and administers it.
#[derive(Debug, Parser)]
#[command(name = "sabird", version, args_conflicts_with_subcommands = false)]
struct Cli {
    /// The configuration file. Without a command the provider runs.
    #[arg(long, global = true, default_value = "/etc/sabird.toml")]
    config: PathBuf,
    /// Print JSON: one object on stdout; an error is an object on stderr.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print or check a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Invite people.
    #[command(subcommand)]
    Invite(admin::InviteCommand),
    /// Look at accounts.
    #[command(subcommand)]
    Account(admin::AccountCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the commented example.
    Default,
    /// Check a file and say what is wrong with it.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// Why a command failed, in words for stderr.
type Failure = Box<dyn std::error::Error>;

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let as_json = cli.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if as_json => {
            let object = serde_json::json!({ "error": failure.to_string() });
            // Nothing is left to do when stderr is closed.
            let _ = writeln!(std::io::stderr(), "{object}");
            ExitCode::FAILURE
        }
        Err(failure) => {
            let mut text = format!("error: {failure}\n");
            let mut cause = failure.source();
            while let Some(source) = cause {
                text.push_str(&format!("  caused by: {source}\n"));
                cause = source.source();
            }
            // Nothing is left to do when stderr is closed.
            let _ = std::io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        None => run::run(Config::load(&cli.config)?),
        Some(Command::Config(ConfigCommand::Default)) => {
            let settings = serde_json::to_value(config::Settings::default())?;
            admin::show(cli.json, &settings, config::example)
        }
        Some(Command::Config(ConfigCommand::Check { file })) => {
            let config = Config::load(&file)?;
            let good = serde_json::json!({ "ok": true, "domain": config.domain.as_str() });
            admin::show(cli.json, &good, String::new)
        }
        Some(Command::Invite(command)) => admin::invite(&Config::load(&cli.config)?, command, cli.json),
        Some(Command::Account(command)) => admin::account(&Config::load(&cli.config)?, command, cli.json),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
