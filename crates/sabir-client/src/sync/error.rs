use sabir_core::conversation::ConversationError;
use sabir_core::timeline::Refusal;
use sabir_wire::uri::{Domain, RoomUri, UriError};

use crate::account::AccountError;
use crate::random::NoRandomness;
use crate::store::StoreError;
use crate::transport::TransportError;

/// Why a request to a client failed. Nothing has changed where one is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The text is neither an address nor the identifier of a room or person.
    #[error("this is no address: {0}")]
    Address(#[from] UriError),
    /// There is no such room, or none with that person.
    #[error("there is no such room")]
    NoRoom,
    /// Several rooms have this name; these are their identifiers.
    #[error("several rooms are called so: {0}")]
    Ambiguous(String),
    /// The room is a conversation of two people, and stays one.
    #[error("this is a conversation of two people, and no group")]
    NotAGroup,
    /// The room has no such role; these it has.
    #[error("the room has no such role; its roles are {0}")]
    Role(String),
    /// These rules cannot be a room's; the text says which and why.
    #[error("{0}")]
    Rules(String),
    /// It is no join link, or cannot be made so; the text says why.
    #[error("{0}")]
    Link(String),
    /// The person may not change the room so; the text says what is missing.
    #[error("{0}")]
    Denied(String),
    /// More is asked for at once than [`super::MOST_WISHES`].
    #[error("more than {} changes at once", super::MOST_WISHES)]
    TooMany,
    /// The conversation goes on in another room with the same person.
    #[error("this conversation goes on in {0}")]
    GoesOnIn(RoomUri),
    /// The person has no such device, or several are called so.
    #[error("you have no such device, or several that are called so")]
    NoDevice,
    /// No device can be called so.
    #[error(
        "a device's name has 1 to {} bytes and no control characters",
        sabir_wire::pairing::MAX_DEVICE_NAME
    )]
    DeviceName,
    /// There is no such message.
    #[error("there is no such message")]
    NoMessage,
    /// The message has no such file.
    #[error("there is no such file in this message")]
    NoFile,
    /// There is no such transfer, or it was over long ago.
    #[error("there is no such transfer")]
    NoTransfer,
    /// The file cannot be sent or saved; says why.
    #[error("{0}")]
    File(String),
    /// One cannot write to oneself.
    #[error("this is your own address")]
    Yourself,
    /// The text is empty or longer than [`super::MAX_TEXT`].
    #[error("a message has one to {} bytes of text", super::MAX_TEXT)]
    Text,
    /// The rules of the room do not let this person do it, or not to this message.
    #[error("not allowed: {0}")]
    NotAllowed(Refusal),
    /// It is no reaction, or is there already, or is not there.
    #[error("{0}")]
    Reaction(&'static str),
    /// The message waits to be sent, and nothing can refer to it before.
    #[error("the message was not sent yet")]
    NotSentYet,
    /// The message holds more than text, which a new text would take away.
    #[error("only a message of text alone can be edited")]
    NotText,
    /// Nothing can be sent in this room any more.
    #[error("{0}")]
    Closed(&'static str),
    /// The client was shut down.
    #[error("the client is shut down")]
    Stopped,
    /// The account cannot be used.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The profile failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The identity of a provider has to be fetched first.
    #[error("the identity of a provider is not known yet")]
    UnknownProvider(Domain),
    /// What came from outside is not what it should be.
    #[error("refused: {0}")]
    Refused(String),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<ConversationError> for ClientError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::UnknownProvider(domain) => Self::UnknownProvider(domain),
            ConversationError::TooLarge => Self::Text,
            ConversationError::Closed(reason) => Self::Closed(reason),
            ConversationError::NotAllowed(reason) => Self::Denied(reason),
            ConversationError::Refused(reason) => Self::Refused(reason),
            ConversationError::Stored(reason) => {
                tracing::warn!(reason, "a room's rows cannot be read");
                Self::Store(StoreError::Damaged("rows"))
            }
            ConversationError::Internal(reason) => Self::Internal(reason),
        }
    }
}
