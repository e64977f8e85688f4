//! `sabir send`.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use sabir_client::types::MessageState;

use super::address;
use super::args::SendArgs;
use super::failure::{Exit, Failure};
use super::files;
use super::out::Out;
use super::post::{self, Post};
use crate::rpc::code::Code;
use crate::rpc::methods::MAX_TEXT;

pub(super) async fn run(path: &Path, args: SendArgs, out: &Out) -> Result<(), Failure> {
    if let Some(file) = args.file.clone() {
        return files::send(path, &file, args, out).await;
    }
    address(&args.to)?;
    let text = text(args.text.unwrap_or_default())?;
    let mut post = Post::open(path, &args.to).await?;
    let mut sent = post.write_down(&text, args.expires).await?;
    if !args.queue {
        sent = post.settle(sent, Duration::from_secs(args.wait.into())).await?;
    }
    if out.json {
        out.object(&sent)?;
    }
    match sent.state {
        MessageState::Failed => Err(post::failed(&sent)),
        MessageState::Queued if !args.queue => Err(post::waiting(1, sent.problem.as_deref())),
        MessageState::Queued if !out.json => {
            out.talk("The message is written down; the agent sends it.");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The text that was typed, or for `-` standard input, where it can be sent.
pub(super) fn text(typed: String) -> Result<String, Failure> {
    let text = if typed == "-" { read_input()? } else { typed };
    check_text(&text)?;
    Ok(text)
}

/// Refuses an empty text and one that is too long.
fn check_text(text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(
            Failure::new(Exit::Usage, Code::TextRefused.name(), "there is nothing to send")
                .hint("to read the text from standard input, give - in its place"),
        );
    }
    if text.len() > MAX_TEXT {
        return Err(too_long());
    }
    Ok(())
}

fn too_long() -> Failure {
    let message = format!("the text is longer than {MAX_TEXT} bytes");
    Failure::new(Exit::Usage, Code::TextRefused.name(), message).hint("send it in parts")
}

/// Standard input to its end, without the line feed at the end.
fn read_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // Enough to tell a text that is too long from one that just fits with its line feed.
    let most = u64::try_from(MAX_TEXT).unwrap_or(u64::MAX).saturating_add(2);
    std::io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::system("standard input cannot be read", &error))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() > MAX_TEXT {
        // Perhaps cut within a character: its length is said before anything else.
        return Err(too_long());
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            Exit::Usage,
            Code::TextRefused.name(),
            "standard input is not UTF-8 text",
        )
    })
}
