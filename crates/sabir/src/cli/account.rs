//! `sabir account create` and `sabir account show`.

use std::io::Read as _;
use std::path::Path;

use sabir_client::invite::Invite;
use sabir_client::types::Account;

use super::args::{AccountCommand, CreateArgs};
use super::connect;
use super::failure::{Exit, Failure};
use super::out::Out;
use crate::agent::start;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::methods::{ACCOUNT_CREATE, ACCOUNT_SHOW, AccountCreate, Nothing};
use crate::terminal;

pub(super) async fn run(path: &Path, command: AccountCommand, out: &Out) -> Result<(), Failure> {
    let account: Account = match command {
        AccountCommand::Show => connect(path).await?.call(ACCOUNT_SHOW, &Nothing {}).await?,
        AccountCommand::Create(args) => create(path, args, out).await?,
    };
    if out.json {
        return Ok(out.object(&account)?);
    }
    out.line(&format!("address   {}", terminal::one_line(&account.address)))?;
    out.line(&format!("provider  {}", terminal::one_line(&account.provider)))?;
    out.line(&format!("device    {}", terminal::one_line(&account.device_name)))?;
    Ok(())
}

async fn create(path: &Path, args: CreateArgs, out: &Out) -> Result<Account, Failure> {
    // What is wrong with the command line is said before anything is made.
    if let Err(error) = Invite::parse(&args.invite) {
        let failure = Failure::new(Exit::Usage, Code::InviteMalformed.name(), error.to_string());
        return Err(failure.hint("copy the whole link that your provider gave you"));
    }
    let trust_anchor = args.trust_anchor.as_deref().map(read_anchor).transpose()?;
    let profile = Profile::create(path)?;
    let mut agent = start::connect(&profile).await?;
    let params = AccountCreate {
        invite: args.invite,
        name: args.name,
        device_name: args.device_name,
        trust_anchor,
    };
    let account: Account = agent.call(ACCOUNT_CREATE, &params).await?;
    if !out.json {
        out.talk(&format!(
            "Your account is ready in {}.",
            profile.folder().display()
        ));
        out.talk("hint: say hello to somebody: sabir chat ADDRESS");
    }
    Ok(account)
}

fn read_anchor(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(MAX_ANCHOR).read_to_string(&mut text));
    match file {
        Ok(_) if text.contains("-----BEGIN CERTIFICATE-----") => Ok(text),
        Ok(_) => Err(anchor(path, "it holds no certificate in PEM")),
        Err(error) => Err(anchor(path, &error.to_string())),
    }
}

fn anchor(path: &Path, why: &str) -> Failure {
    let message = format!("{} cannot be a trust anchor: {why}", path.display());
    Failure::new(Exit::Usage, Code::AnchorMalformed.name(), message)
}

/// Bytes of a file of certificates; some hundreds fit.
const MAX_ANCHOR: u64 = 256 * 1024;
