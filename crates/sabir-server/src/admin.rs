//! Administration over a Unix socket in the data directory: `sabird invite create` and its like ask the running
//! server.
//!
//! ```text
//! -> {"command":"invite-create","uses":1,"days":7}
//! <- {"ok":{"token":"…","link":"https://…","expires_at":…,"uses":1}}      or  {"error":"…"}
//! ```
//!
//! One line of JSON each way, any number of times. Who may open the socket is decided by the file system: mode
//! 0600 in a folder of mode 0700.

mod commands;
mod socket;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use commands::answer;
pub use socket::{AdminSocket, ask};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Make an invite.
    InviteCreate {
        /// Accounts that it may create.
        uses: u32,
        /// Days until it expires.
        days: u32,
    },
    /// List the accounts.
    AccountList,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// The command's result.
    Ok(Value),
    /// Why there is none.
    Error(String),
}

/// A new invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// What to give to the person. It is not stored and cannot be shown again.
    pub token: String,
    /// The token as a link, which clients take.
    pub link: String,
    /// Milliseconds since 1970.
    pub expires_at: u64,
    /// Accounts that it may create.
    pub uses: u32,
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// The user's URI.
    pub user: String,
    /// Devices of the account.
    pub devices: usize,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// Where the socket of a data directory is.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}
