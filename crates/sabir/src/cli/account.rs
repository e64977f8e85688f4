//! `sabir account create` and `sabir account show`.

use std::io::Read as _;
use std::path::Path;

use sabir_client::invite::Invite;
use sabir_client::types::Account;

use super::args::{AccountCommand, CreateArgs};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::recover;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::methods::{
    ACCOUNT_CREATE, ACCOUNT_RECOVERY_CODE, ACCOUNT_SHOW, AccountCreate, AccountCreated, AccountRecoveryCode,
    Nothing, RecoveryCode,
};
use crate::terminal;

pub(super) async fn run(path: &Path, command: AccountCommand, out: &Out) -> Result<(), Failure> {
    match command {
        AccountCommand::Show => {
            let account: Account = Asks::open(path).await?.ask(ACCOUNT_SHOW, &Nothing {}).await?;
            if out.json {
                Ok(out.object(&account)?)
            } else {
                print(&account, out)
            }
        }
        AccountCommand::RecoveryCode(args) => {
            let typed = if args.written_down {
                recover::typed_back().await?
            } else {
                None
            };
            let params = AccountRecoveryCode {
                written_down: args.written_down,
                typed,
            };
            let code: RecoveryCode = Asks::open(path)
                .await?
                .ask(ACCOUNT_RECOVERY_CODE, &params)
                .await?;
            if out.json {
                return Ok(out.object(&code)?);
            }
            match &code.recovery_code {
                Some(code) => out.line(code)?,
                None => out.talk("You have it on paper; it is no longer kept here."),
            }
            Ok(())
        }
        AccountCommand::Create(args) => create(path, args, out).await,
    }
}

pub(super) fn print(account: &Account, out: &Out) -> Result<(), Failure> {
    out.line(&format!("address   {}", terminal::one_line(&account.address)))?;
    out.line(&format!("provider  {}", terminal::one_line(&account.provider)))?;
    out.line(&format!("device    {}", terminal::one_line(&account.device_name)))?;
    Ok(())
}

/// Who names a profile's folder `alice` has said who they are.
fn name_of(path: &Path) -> Result<String, Failure> {
    let folder = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if folder.is_empty() || folder == "default" {
        let message = "say what stands before the @ of your address".to_owned();
        let failure = Failure::new(Exit::Usage, Code::NameRefused.name(), message);
        return Err(failure.hint("sabir account create LINK --name alice"));
    }
    Ok(folder.to_owned())
}

async fn create(path: &Path, args: CreateArgs, out: &Out) -> Result<(), Failure> {
    // What is wrong with the command line is said before anything is made.
    let name = match args.name {
        Some(name) => name,
        None => name_of(path)?,
    };
    if let Err(error) = Invite::parse(&args.invite) {
        let failure = Failure::new(Exit::Usage, Code::InviteMalformed.name(), error.to_string());
        return Err(failure.hint("copy the whole link that your provider gave you"));
    }
    let trust_anchor = args.trust_anchor.as_deref().map(read_anchor).transpose()?;
    let profile = Profile::create(path)?;
    let mut agent = Asks::of(profile).await?;
    let params = AccountCreate {
        invite: args.invite,
        name,
        device_name: args.device_name,
        trust_anchor,
        start_over: args.start_over,
    };
    let created: AccountCreated = agent.ask_once(ACCOUNT_CREATE, &params).await?;
    if out.json {
        return Ok(out.object(&created)?);
    }
    print(&created.account, out)?;
    out.line(&format!("recovery  {}", created.recovery_code))?;
    out.talk("Your account is ready. The recovery code is the one way back to it when all devices are lost.");
    recover::rehearse(&mut agent, out).await?;
    out.talk("hint: say hello to somebody: sabir chat ADDRESS");
    Ok(())
}

pub(super) fn read_anchor(path: &Path) -> Result<String, Failure> {
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
