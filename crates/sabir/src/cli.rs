//! What people type, and what they read. stdout is data, stderr is talk.
//!
//! * [`args`]: the arguments and their help.
//! * [`failure`]: what went wrong, what to do, and the exit code.
//! * [`out`]: lines for people, objects for programs.
//! * One module per command.
//!
//! docs/commands.md is the contract.

mod account;
mod acting;
mod agent;
mod args;
mod asks;
mod chat;
mod device;
mod events;
mod failure;
mod files;
mod history;
mod input;
mod links;
mod out;
mod post;
mod recover;
mod room;
mod send;
#[cfg(test)]
mod tests;
mod typed;

use std::process::ExitCode;

use clap::Parser as _;

use crate::address::{self, To};
use crate::profile::Profile;
use crate::rpc::code::Code;
use args::{AgentCommand, Cli, Command};
use failure::{Exit, Failure};
use out::Out;

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout with success, errors to stderr. A closed pipe leaves nobody to tell.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let out = Out::new(cli.json);
    let runtime = match runtime(&cli.command) {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&out, &Failure::system("the program cannot start", &error)),
    };
    let outcome = runtime.block_on(Box::pin(run(cli, &out)));
    // A thread that waits for input or for a lock is not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&out, &failure),
    }
}

async fn run(cli: Cli, out: &Out) -> Result<(), Failure> {
    let path = Profile::path(cli.profile)?;
    match cli.command {
        Command::Agent(args) => match args.command.unwrap_or(AgentCommand::Run(args.run)) {
            AgentCommand::Run(args) => agent::run(&path, args, out).await,
            AgentCommand::Status => agent::status(&path, out).await,
            AgentCommand::Stop => agent::stop(&path, out).await,
        },
        Command::Account(command) => account::run(&path, command, out).await,
        Command::Recover(args) => recover::run(&path, args, out).await,
        Command::Device(command) => device::run(&path, command, out).await,
        Command::Send(args) => send::run(&path, args, out).await,
        Command::Save(args) => files::save(&path, args, out).await,
        Command::Chat(args) => chat::run(&path, args, out).await,
        Command::Reply(args) => acting::reply(&path, args, out).await,
        Command::React(args) => acting::react(&path, args, out).await,
        Command::Edit(args) => acting::edit(&path, args, out).await,
        Command::Delete(args) => acting::delete(&path, args, out).await,
        Command::Read(args) => acting::read(&path, args, out).await,
        Command::Settings(args) => acting::settings(&path, args, out).await,
        Command::Room(command) => room::run(&path, command, out).await,
        Command::Rooms => history::rooms(&path, out).await,
        Command::Log(args) => history::log(&path, args, out).await,
        Command::Watch(args) => events::watch(&path, args, out).await,
    }
}

/// Reads to whom, so that a slip is told before anything happens.
fn address(text: &str) -> Result<To, Failure> {
    To::parse(text).map_err(|error| {
        Failure::new(Exit::Usage, Code::AddressMalformed.name(), error.to_string()).hint(address::HINT)
    })
}

/// A command waits for one thing at a time; the agent has work for more than one core.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Agent(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}
