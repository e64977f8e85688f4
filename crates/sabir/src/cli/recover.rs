//! `sabir recover`, and the rehearsal of a recovery code: what is on paper is typed back before it is needed.

use std::io::IsTerminal as _;
use std::path::Path;

use super::account::{print, read_anchor};
use super::args::RecoverArgs;
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::typed::line;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::methods::{
    ACCOUNT_RECOVER, ACCOUNT_RECOVERY_CODE, AccountCreated, AccountRecover, AccountRecoveryCode, RecoveryCode,
};

/// How often a slip may be mended in one go.
const TRIES: usize = 3;

pub(super) async fn run(path: &Path, args: RecoverArgs, out: &Out) -> Result<(), Failure> {
    let trust_anchor = args.trust_anchor.as_deref().map(read_anchor).transpose()?;
    if std::io::stdin().is_terminal() {
        out.talk("Type your recovery code: 14 groups of four letters and digits.");
    }
    let recovery_code = line("the code").await?;
    if recovery_code.is_empty() {
        let message = "no recovery code was typed: nothing has changed".to_owned();
        return Err(Failure::new(
            Exit::Failed,
            Code::RecoveryCodeWrong.name(),
            message,
        ));
    }
    let profile = Profile::create(path)?;
    let mut agent = Asks::of(profile).await?;
    let params = AccountRecover {
        account: args.account,
        recovery_code,
        device_name: args.device_name,
        trust_anchor,
    };
    let recovered: AccountCreated = agent.ask_once(ACCOUNT_RECOVER, &params).await?;
    if out.json {
        return Ok(out.object(&recovered)?);
    }
    print(&recovered.account, out)?;
    out.line(&format!("recovery  {}", recovered.recovery_code))?;
    out.talk("You are back. Every device that you had is cut off; this one comes into your rooms by itself.");
    out.talk("The code that you typed is worth nothing from now on: the new one takes its place.");
    rehearse(&mut agent, out).await
}

/// Asks a person at a terminal for the code that they have just written down. Where nobody types, or nothing, it is kept
/// until they say so.
pub(super) async fn rehearse(agent: &mut Asks, out: &Out) -> Result<(), Failure> {
    let later = "hint: write it down on paper, then: sabir account recovery-code --written-down";
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        out.talk(later);
        return Ok(());
    }
    out.talk("Write it down on paper, and type it here from the paper. Only Enter: later.");
    for _ in 0..TRIES {
        let typed = line("the code").await?;
        if typed.is_empty() {
            break;
        }
        let params = AccountRecoveryCode {
            written_down: true,
            typed: Some(typed),
        };
        match agent
            .ask_once::<_, RecoveryCode>(ACCOUNT_RECOVERY_CODE, &params)
            .await
            .map_err(Failure::from)
        {
            Ok(_) => {
                out.talk("That is it. It is no longer kept here.");
                return Ok(());
            }
            Err(failure) if failure.name == Code::RecoveryCodeWrong.name() => {
                out.talk("That is not it: look at the paper again.");
            }
            Err(failure) => return Err(failure),
        }
    }
    out.talk(later);
    Ok(())
}

/// What a person types from their paper, or a program pipes; none where nothing comes.
pub(super) async fn typed_back() -> Result<Option<String>, Failure> {
    let typed = line("the code").await?;
    Ok(Some(typed).filter(|typed| !typed.is_empty()))
}
