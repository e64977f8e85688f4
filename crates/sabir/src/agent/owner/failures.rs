//! What the client library says, in the codes of the registry.

use sabir_client::ClientError;
use sabir_client::account::{AccountError, PairingError};
use sabir_client::store::{KeyFileError, StoreError};
use sabir_client::transport::{AnchorError, TransportError};

use crate::address;
use crate::rpc::code::Code;
use crate::rpc::message::Failure;

/// There is no account.
pub(super) fn no_account() -> Failure {
    Failure::new(Code::NoAccount, "this profile has no account yet")
        .hint("make one with an invite link: sabir account create LINK --name NAME")
}

/// Of accounts.
pub(super) fn account(error: AccountError) -> Failure {
    let message = error.to_string();
    match error {
        AccountError::Exists => Failure::new(Code::AccountExists, message)
            .hint("one profile is one account; for another, choose another folder: --profile DIR"),
        AccountError::Missing => no_account(),
        AccountError::Name(_) => Failure::new(Code::NameRefused, message),
        AccountError::Refused(why) if why.contains("invite") => {
            Failure::new(Code::InviteRefused, message).hint("ask your provider for a new invite link")
        }
        AccountError::Refused(why) if why.contains("recovery") => {
            Failure::new(Code::RecoveryCodeWrong, message)
                .hint("nothing has changed; a code is used once, and the newest one counts")
        }
        AccountError::Refused(_) => {
            Failure::new(Code::NameRefused, message).hint("choose another name: --name NAME")
        }
        AccountError::DeviceRefused(_) => Failure::new(Code::ProviderRefused, message),
        AccountError::Pairing(PairingError::MayNot) => Failure::new(Code::NotIdentityHolder, message)
            .hint("do it on the device that you made the account with: sabir device list"),
        AccountError::Pairing(_) => Failure::new(Code::PairingFailed, message)
            .hint("begin anew on the new device, and compare the numbers: sabir device link ADDRESS"),
        AccountError::Certificate(_) => Failure::new(Code::ProviderUnverified, message)
            .hint("nothing of what the provider sent is used; tell its operator"),
        AccountError::Transport(error) => {
            let failure = transport(&error);
            match failure.code {
                Code::ProviderUnreachable => failure.hint(
                    "the same command goes on where this one ended; `account create` begins anew with --start-over",
                ),
                _ => failure,
            }
        }
        AccountError::InProgress => Failure::new(Code::AccountExists, message)
            .hint("go on with the command that was begun here, or use another profile: --profile DIR"),
        AccountError::Anchors(error) => anchors(error),
        AccountError::Store(error) => store(error),
        _ => internal(&error),
    }
}

/// Of the client at work.
pub(super) fn client(error: ClientError) -> Failure {
    let message = error.to_string();
    match error {
        ClientError::Address(_) => Failure::new(Code::AddressMalformed, message).hint(address::HINT),
        ClientError::Yourself => Failure::new(Code::AddressMalformed, message).hint("write to somebody else"),
        ClientError::NoRoom => Failure::new(Code::RoomUnknown, message)
            .hint("to see which there are: sabir rooms; people are written like bob@b.example"),
        ClientError::Ambiguous(_) => Failure::new(Code::RoomAmbiguous, message)
            .hint("name the one you mean by its identifier; to see who is in them: sabir rooms"),
        ClientError::NotAGroup => Failure::new(Code::NotAGroup, message)
            .hint("to talk with more people make a group: sabir room create NAME ADDRESS..."),
        ClientError::Role(_) => Failure::new(Code::RoleUnknown, message),
        ClientError::Rules(_) => Failure::new(Code::RulesMalformed, message),
        ClientError::DeviceName => Failure::new(Code::InvalidParams, message),
        ClientError::Link(_) => Failure::new(Code::LinkMalformed, message),
        ClientError::Denied(_) => Failure::new(Code::NotAllowed, message)
            .hint("to see who has which role: sabir room show ROOM"),
        ClientError::TooMany => Failure::new(Code::InvalidParams, message).hint("ask for them in parts"),
        ClientError::GoesOnIn(_) => Failure::new(Code::RoomBlocked, message)
            .hint("both of you had opened a conversation at once; write to the address, and it goes to the right one"),
        ClientError::NoDevice => {
            Failure::new(Code::DeviceUnknown, message).hint("name it by its identifier: sabir device list")
        }
        ClientError::NoMessage => Failure::new(Code::MessageUnknown, message)
            .hint("messages have the numbers that sabir log shows, as in #12"),
        ClientError::NotAllowed(sabir_client::Refusal::Deleted) => {
            Failure::new(Code::NotAllowed, message).hint("nothing can be done to it any more")
        }
        ClientError::NotAllowed(_) => Failure::new(Code::NotAllowed, message).hint(
            "people change and delete what they wrote themselves; more is for the room's rules to allow",
        ),
        ClientError::Reaction(_) => Failure::new(Code::ReactionRefused, message)
            .hint("one emoji or word of at most 64 bytes; sabir log shows which are there"),
        ClientError::NotSentYet => {
            Failure::new(Code::MessageNotSent, message).hint("wait until the room's provider has accepted it")
        }
        ClientError::NotText => {
            Failure::new(Code::MessageNotText, message).hint("delete it and send it anew")
        }
        ClientError::NoFile => {
            Failure::new(Code::FileRefused, message).hint("sabir log shows which files a message has")
        }
        ClientError::File(_) => Failure::new(Code::FileRefused, message),
        ClientError::NoTransfer => Failure::new(Code::TransferUnknown, message),
        ClientError::Text => Failure::new(Code::TextRefused, message),
        ClientError::Closed(_) => Failure::new(Code::RoomBlocked, message),
        ClientError::Stopped => Failure::new(Code::Stopping, "the agent is stopping"),
        ClientError::Account(error) => account(error),
        ClientError::Store(error) => store(error),
        ClientError::Transport(error) => transport(&error),
        ClientError::UnknownProvider(_) => Failure::new(Code::ProviderUnreachable, message),
        ClientError::Refused(_) => Failure::new(Code::ProviderRefused, message),
        _ => internal(&error),
    }
}

/// Of trust anchors.
pub(super) fn anchors(error: AnchorError) -> Failure {
    Failure::new(Code::AnchorMalformed, error.to_string())
}

/// Of the connection to the provider.
pub(super) fn transport(error: &TransportError) -> Failure {
    let message = causes(error);
    match error {
        TransportError::Unreachable { .. }
        | TransportError::Broken(_)
        | TransportError::Timeout
        | TransportError::Busy { .. } => Failure::new(Code::ProviderUnreachable, message),
        TransportError::Identity { .. } => Failure::new(Code::ProviderUnverified, message),
        _ => Failure::new(Code::ProviderRefused, message),
    }
}

/// Of the profile on disk.
pub(super) fn store(error: StoreError) -> Failure {
    match &error {
        StoreError::Missing => no_account(),
        StoreError::Key(KeyFileError::PassphraseNeeded | KeyFileError::WrongPassphrase) => {
            Failure::new(Code::Locked, causes(&error))
        }
        StoreError::Locked => Failure::new(Code::StoreFailed, causes(&error))
            .hint("only the agent may have it open: find the process that holds the file named lock"),
        _ => {
            tracing::error!(error = %causes(&error), "the profile cannot be used");
            Failure::new(Code::StoreFailed, causes(&error))
        }
    }
}

/// A fault of ours.
pub(super) fn internal(error: &dyn std::error::Error) -> Failure {
    tracing::error!(error = %causes(error), "a fault of the program");
    Failure::new(Code::Internal, causes(error))
}

/// An error and what it came from, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let part = source.to_string();
        // Transparent errors say what their cause says.
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = source.source();
    }
    text
}
