//! `sabir device list`, `link`, `add`, `rename` and `revoke`.

use std::path::Path;

use sabir_client::types::{Account, Devices};

use super::account::{print, read_anchor};
use super::args::{DeviceCommand, LinkArgs};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::typed::line;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::devices::{
    AddNumber, Adding, Confirm, DEVICE_ADD, DEVICE_ADD_CONFIRM, DEVICE_ADD_NUMBER, DEVICE_LINK,
    DEVICE_LINK_CONFIRM, DEVICE_LINK_NUMBER, DEVICE_LIST, DEVICE_RENAME, DEVICE_REVOKE, DeviceAdd,
    DeviceLink, DeviceName, DeviceRename, LinkNumber, Linked, Linking, Patience,
};
use crate::rpc::methods::Nothing;
use crate::terminal;

/// Milliseconds of one question to the agent, which others may have to wait for.
const STEP_MS: u64 = 5000;

pub(super) async fn run(path: &Path, command: DeviceCommand, out: &Out) -> Result<(), Failure> {
    match command {
        DeviceCommand::List => {
            let devices: Devices = Asks::open(path).await?.ask(DEVICE_LIST, &Nothing {}).await?;
            show(&devices, out)
        }
        DeviceCommand::Link(args) => link(path, args, out).await,
        DeviceCommand::Rename { device, name } => {
            let params = DeviceRename { device, name };
            let devices: Devices = Asks::open(path).await?.ask(DEVICE_RENAME, &params).await?;
            show(&devices, out)
        }
        DeviceCommand::Revoke { device } => {
            let params = DeviceName { device };
            let devices: Devices = Asks::open(path).await?.ask_once(DEVICE_REVOKE, &params).await?;
            show(&devices, out)?;
            out.talk("The device is cut off, and goes out of your rooms now. What it has read it keeps.");
            Ok(())
        }
        DeviceCommand::Add { text } => add(path, text, out).await,
    }
}

async fn link(path: &Path, args: LinkArgs, out: &Out) -> Result<(), Failure> {
    let trust_anchor = args.trust_anchor.as_deref().map(read_anchor).transpose()?;
    let profile = Profile::create(path)?;
    let mut agent = Asks::of(profile).await?;
    let params = DeviceLink {
        account: args.account,
        device_name: args.device_name,
        trust_anchor,
    };
    let begun: Linking = agent.ask_once(DEVICE_LINK, &params).await?;
    if let Some(account) = begun.account {
        return linked(&account, out);
    }
    let text = begun.text.unwrap_or_default();
    if out.json {
        out.object(&serde_json::json!({ "text": text }))?;
    } else {
        out.talk("On your other device, the one that you made the account with:");
        out.line(&format!("sabir device add {text}"))?;
    }
    let patience = Patience {
        wait_ms: Some(STEP_MS),
    };
    let (address, number) = loop {
        let offer: LinkNumber = agent.ask_once(DEVICE_LINK_NUMBER, &patience).await?;
        if let (Some(address), Some(number)) = (offer.address, offer.number) {
            break (address, number);
        }
    };
    if out.json {
        out.object(&serde_json::json!({ "address": address, "number": number }))?;
    } else {
        out.line(&format!("account   {}", terminal::one_line(&address)))?;
        out.line(&format!("number    {number}"))?;
    }
    let params = Confirm {
        number: typed(out).await?,
        wait_ms: Some(STEP_MS),
    };
    loop {
        let done: Linked = agent.ask_once(DEVICE_LINK_CONFIRM, &params).await?;
        if let Some(account) = done.account {
            return linked(&account, out);
        }
    }
}

fn linked(account: &Account, out: &Out) -> Result<(), Failure> {
    if out.json {
        return Ok(out.object(account)?);
    }
    print(account, out)?;
    out.talk("This device is linked. It comes into your rooms by itself; what was said before is on your other one.");
    Ok(())
}

async fn add(path: &Path, text: String, out: &Out) -> Result<(), Failure> {
    let mut agent = Asks::open(path).await?;
    let begun: Adding = agent.ask_once(DEVICE_ADD, &DeviceAdd { text }).await?;
    let patience = Patience {
        wait_ms: Some(STEP_MS),
    };
    let number = loop {
        let answer: AddNumber = agent.ask_once(DEVICE_ADD_NUMBER, &patience).await?;
        if let Some(number) = answer.number {
            break number;
        }
    };
    if out.json {
        out.object(&serde_json::json!({ "device_name": begun.device_name, "number": number }))?;
    } else {
        out.line(&format!("device    {}", terminal::one_line(&begun.device_name)))?;
        out.line(&format!("number    {number}"))?;
    }
    let params = Confirm {
        number: typed(out).await?,
        wait_ms: None,
    };
    let devices: Devices = agent.ask_once(DEVICE_ADD_CONFIRM, &params).await?;
    show(&devices, out)?;
    out.talk("The new device is yours from now on, and comes into your rooms by itself.");
    Ok(())
}

/// What the person types, who looks at the other device. Programs do the same: there is no way around the number.
async fn typed(out: &Out) -> Result<String, Failure> {
    out.talk("Type the number that the OTHER device shows. Where it is not the same, stop here: Ctrl-C.");
    let line = line("the number").await?;
    if line.is_empty() {
        let message = "no number was typed: nothing was linked".to_owned();
        return Err(Failure::new(Exit::Failed, Code::PairingFailed.name(), message));
    }
    Ok(line)
}

fn show(devices: &Devices, out: &Out) -> Result<(), Failure> {
    if out.json {
        return Ok(out.object(devices)?);
    }
    for device in &devices.devices {
        let name = device.name.as_deref().unwrap_or("another device");
        let mut line = format!(
            "{}  {}  {}",
            terminal::utc(device.added_ms),
            terminal::one_line(name),
            terminal::one_line(&device.client)
        );
        if device.this {
            line.push_str("  (this one)");
        }
        if device.may_link == Some(true) {
            line.push_str("  (may link others)");
        }
        out.line(&line)?;
    }
    if devices.missing > 0 {
        out.line(&format!(
            "{} more on the list, not seen by the provider yet",
            devices.missing
        ))?;
    }
    Ok(())
}
