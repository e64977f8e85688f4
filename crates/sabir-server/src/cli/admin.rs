use std::fmt::Write;
use std::io::ErrorKind;

use clap::Subcommand;
use serde::de::DeserializeOwned;

use super::{Failure, print};
use crate::admin::{self, AccountRow, Invite, Reply, Request, socket_path};
use crate::config::Config;

/// Commands about invites.
#[derive(Debug, Subcommand)]
pub(super) enum InviteCommand {
    /// Make an invite and print its link, which cannot be shown again.
    Create {
        /// How many accounts it may create.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// In how many days it expires.
        #[arg(long, default_value_t = 7)]
        days: u32,
    },
}

/// Commands about accounts.
#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// List the accounts.
    List,
}

pub(super) fn invite(config: &Config, command: InviteCommand, as_json: bool) -> Result<(), Failure> {
    let InviteCommand::Create { uses, days } = command;
    let (mut json, mut invite): (_, Invite) = ask(config, &Request::InviteCreate { uses, days })?;
    let listen = config.settings.listen;
    if listen.ip().is_loopback() && listen.port() != 0 {
        // Nobody's DNS leads to a provider of this machine: the link says where it is.
        invite.link = format!("{}#connect={listen}", invite.link);
        if let Some(link) = json.get_mut("link") {
            *link = serde_json::Value::String(invite.link.clone());
        }
    }
    show(as_json, &json, || format!("{}\n", invite.link))
}

pub(super) fn account(config: &Config, command: AccountCommand, as_json: bool) -> Result<(), Failure> {
    let AccountCommand::List = command;
    let (json, accounts): (_, Vec<AccountRow>) = ask(config, &Request::AccountList)?;
    show(as_json, &json, || {
        let mut text = String::new();
        for account in &accounts {
            let plural = if account.devices == 1 { "" } else { "s" };
            let _ = writeln!(text, "{}\t{} device{plural}", account.user, account.devices);
        }
        text
    })
}

/// The reply, as JSON and as what it stands for.
fn ask<T: DeserializeOwned>(config: &Config, request: &Request) -> Result<(serde_json::Value, T), Failure> {
    let socket = socket_path(&config.settings.data_dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let reply = runtime
        .block_on(admin::ask(&socket, request))
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::from(format!(
                "no server runs on {}\nhint: start it with `sabird --config FILE`",
                socket.display()
            )),
            _ => Failure::from(error),
        })?;
    match reply {
        Reply::Ok(value) => Ok((value.clone(), serde_json::from_value(value)?)),
        Reply::Error(reason) => Err(reason.into()),
    }
}

pub(super) fn show(
    as_json: bool,
    json: &serde_json::Value,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if as_json {
        print(&format!("{json}\n"))
    } else {
        print(&text())
    }
}
