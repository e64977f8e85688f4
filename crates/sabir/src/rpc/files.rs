//! Parameters of the methods that move files.

use serde::{Deserialize, Serialize};

use super::methods::MessageName;

/// `file.send`. Parameters: [`FileSend`]. Result: `Transfer`.
pub(crate) const FILE_SEND: &str = "file.send";
/// `file.save`. Parameters: [`FileSave`]. Result: `Transfer`.
pub(crate) const FILE_SAVE: &str = "file.save";
/// `file.status`. Parameters: [`FileStatus`]. Result: `Transfer`.
pub(crate) const FILE_STATUS: &str = "file.status";

/// Parameters of `file.send`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSend {
    /// A person's address or identifier, or a room's identifier.
    pub(crate) to: String,
    /// The file: an absolute path.
    pub(crate) path: String,
    /// Words to go with it, 1 to [`super::methods::MAX_TEXT`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// Send a picture with what it says of place, time and camera.
    #[serde(default)]
    pub(crate) keep_metadata: bool,
    /// A text of the caller's choice: the same again means the same transfer, also when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

/// Parameters of `file.save`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSave {
    /// The message.
    pub(crate) message: MessageName,
    /// Which of its files, from 1; the first without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u32>,
    /// An absolute path: a folder, or the file itself.
    pub(crate) path: String,
    /// Replace a file that is there.
    #[serde(default)]
    pub(crate) overwrite: bool,
}

/// Parameters of `file.status`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileStatus {
    /// From the result of `file.send` or `file.save`.
    pub(crate) transfer: u64,
    /// Wait so many milliseconds for the transfer to be over; at most [`super::methods::MAX_WAIT_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait_ms: Option<u64>,
}
