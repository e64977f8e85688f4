//! The owner of a profile at work: every conversation, the connection, and what faces ask.
//!
//! ```text
//!  faces --> Client --jobs--> keeper (one thread: store, engines) --commit--> work --> room workers --requests-->
//!              ^                 ^        |                                              event worker <--events---
//!              +--- changes -----|--------+                                              identity fetches
//!                                +------------- answers, entries --------------------------------+
//! ```
//!
//! One thread, the keeper, owns the store and the engines, so that there is one writer and every step of an engine
//! is one transaction with what it brought about. Workers own the network and hold nothing that the disk does not:
//! killed at any moment, they begin again from the store, with the same bytes.
//!
//! * An event is applied in stream order, its cursor in the same transaction, and acknowledged afterwards. An entry
//!   that needs the identity of a provider not yet known waits beside the stream, and so does what follows it in its
//!   room; everything else goes on.
//! * A room has one request under way at a time, repeated byte for byte until it is answered.
//! * What a subscriber is told was committed before.

mod acting;
#[cfg(test)]
mod acting_tests;
mod apply;
mod backup;
mod changes;
mod devices;
mod error;
mod expiry;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod group_tests;
mod groups;
#[cfg(test)]
mod hostile_tests;
mod incoming;
mod keeper;
#[cfg(test)]
mod kill_tests;
mod links;
mod outgoing;
mod permission;
mod powers;
mod receipts;
mod received;
mod rejoin;
mod reporter;
mod room_worker;
mod rules;
#[cfg(test)]
mod rules_tests;
mod subscription;
#[cfg(test)]
mod tests;
mod transfers;
mod unite;
mod view;
mod workers;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

pub use devices::Adding;
pub use error::ClientError;
pub use groups::MOST_WISHES;
pub use receipts::MOST_PEOPLE;
pub use subscription::Subscription;
pub(crate) use transfers::{FileMessage, Records};

use crate::account::{self, RecoveryCode};
use crate::files::{Files, SaveFile, SendFile, Transfer};
use crate::store::Passphrase;
use crate::transport::{Timing, Transport};
use crate::types::{Account, Connection, Message, Notice, Outgoing, Room};
use keeper::Keep;
use workers::Workers;

/// Longest text of a message, in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// An open profile. Clones share it; it works until [`Client::shutdown`] or until the last clone is gone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    account: RwLock<Account>,
    keep: Keep,
    changes: watch::Receiver<u64>,
    connection: watch::Receiver<Connection>,
    stop: watch::Sender<bool>,
    files: Files,
    transport: Transport,
    timing: Timing,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.keep.stop();
    }
}

impl Client {
    /// Opens the profile in `directory`, which has an account, and goes to work on the current tokio runtime. It
    /// comes back as soon as the profile is open, whether or not the provider can be reached.
    ///
    /// # Errors
    /// [`ClientError::Store`] and [`ClientError::Account`] say why the profile cannot be used.
    pub async fn open(
        directory: &Path,
        passphrase: Option<&Passphrase>,
        timing: Timing,
    ) -> Result<Self, ClientError> {
        let (keep, opened) = keeper::open(directory.to_owned(), passphrase.cloned()).await?;
        let (stop, stopped) = watch::channel(false);
        let transport = || {
            Transport::new(&opened.reach, Some(opened.device_key.clone()), timing)
                .map_err(account::AccountError::from)
        };
        let files = Files::new(Records(keep.clone()), transport()?, timing, stopped.clone());
        let main = transport()?;
        let (workers, connection) = Workers::new(keep.clone(), main.clone(), timing, stopped);
        files.resume().await?;
        tokio::spawn(workers.run(opened.work));
        Ok(Self(Arc::new(Inner {
            account: RwLock::new(opened.account),
            keep,
            changes: opened.changes,
            connection,
            stop,
            files,
            transport: main,
            timing,
        })))
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> Account {
        let account = self.0.account.read().unwrap_or_else(PoisonError::into_inner);
        account.clone()
    }

    /// Whether the provider is reached.
    #[must_use]
    pub fn connection(&self) -> Connection {
        *self.0.connection.borrow()
    }

    /// Every room, the one with the latest message first.
    ///
    /// # Errors
    /// [`ClientError::Store`], or [`ClientError::Stopped`].
    pub async fn rooms(&self) -> Result<Vec<Room>, ClientError> {
        self.0.keep.run(|keeper| keeper.rooms()).await?
    }

    /// One room, by its identifier or by the address of the person it is shared with.
    ///
    /// # Errors
    /// [`ClientError::NoRoom`], and the others.
    pub async fn room(&self, of: &str) -> Result<Room, ClientError> {
        let of = of.to_owned();
        self.0.keep.run(move |keeper| keeper.room(&of)).await?
    }

    /// The last `limit` messages of a room before position `before`, oldest first. `of` is as for [`Self::room`].
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn timeline(
        &self,
        of: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Message>, ClientError> {
        let of = of.to_owned();
        self.0
            .keep
            .run(move |keeper| keeper.timeline(&of, before, limit))
            .await?
    }

    /// What happened after `cursor`, at most `limit` events, oldest first.
    ///
    /// # Errors
    /// [`ClientError::Store`], or [`ClientError::Stopped`].
    pub async fn log(&self, cursor: u64, limit: u32) -> Result<Vec<Notice>, ClientError> {
        self.0
            .keep
            .run(move |keeper| keeper.notices(cursor, limit).map(|page| page.notices))
            .await?
    }

    /// The cursor after the last event.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        *self.0.changes.borrow()
    }

    /// Sends a text to a room or to an address, with whom a room is opened where there is none. On return the message
    /// is on disk and will go out; the number names it for [`Self::outgoing`] and in [`Message::local_id`].
    ///
    /// # Errors
    /// [`ClientError`]; nothing was written then.
    pub async fn send_text(&self, to: &str, text: &str) -> Result<u64, ClientError> {
        self.send_expiring(to, text, None).await
    }

    /// As [`Self::send_text`]; the message expires so many seconds after it was read, or with 0 never, instead of as the room
    /// prefers.
    ///
    /// # Errors
    /// [`ClientError::Denied`] where the room's rules are against it, and those of [`Self::send_text`].
    pub async fn send_expiring(
        &self,
        to: &str,
        text: &str,
        expires_s: Option<u32>,
    ) -> Result<u64, ClientError> {
        let (to, text) = (to.to_owned(), text.to_owned());
        let wish = expires_s.map_or_else(Default::default, expiry::wish);
        self.0
            .keep
            .run(move |keeper| keeper.send_text(&to, &text, wish))
            .await?
    }

    /// Sends a file to a room or to an address, as [`Self::send_text`] does a text. On return it is written down that it
    /// goes out, now or after a restart; the file must stay as it is until the transfer is done. The same file to the same
    /// people again, while it is under way, is the same transfer.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was written then.
    pub async fn send_file(&self, to: &str, file: SendFile) -> Result<Transfer, ClientError> {
        self.0.files.send(to, file).await
    }

    /// Saves a file of a message. On return it is written down that it is fetched, now or after a restart.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was written then.
    pub async fn save_file(&self, file: SaveFile) -> Result<Transfer, ClientError> {
        self.0.files.save(file).await
    }

    /// How a transfer stands, at once or after at most `patience` while it is not over.
    ///
    /// # Errors
    /// [`ClientError::NoTransfer`].
    pub async fn transfer(&self, number: u64, patience: Duration) -> Result<Transfer, ClientError> {
        let view = self.0.files.settled(number, patience).await;
        view.ok_or(ClientError::NoTransfer)
    }

    /// Transfers that are under way.
    #[must_use]
    pub fn transfers_under_way(&self) -> usize {
        self.0.files.under_way()
    }

    /// Lets messages out again in a room where sending stopped because something was wrong ([`Room::blocked`] says
    /// what): the person has seen it and decided. `of` is as for [`Self::room`].
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn resume_sending(&self, of: &str) -> Result<(), ClientError> {
        let of = of.to_owned();
        self.0
            .keep
            .run(move |keeper| {
                let room = keeper.resolve(&of)?;
                keeper.resume_sending(&room)
            })
            .await?
    }

    /// What became of a message that was sent from here.
    ///
    /// # Errors
    /// [`ClientError::NoMessage`], and the others.
    pub async fn outgoing(&self, local_id: u64) -> Result<Outgoing, ClientError> {
        self.0.keep.run(move |keeper| keeper.outgoing(local_id)).await?
    }

    /// What happens after `cursor`, or from now on, without an end.
    #[must_use]
    pub fn subscribe(&self, cursor: Option<u64>) -> Subscription {
        let cursor = cursor.unwrap_or_else(|| self.cursor());
        Subscription::new(
            self.0.keep.clone(),
            self.0.changes.clone(),
            self.0.connection.clone(),
            cursor,
        )
    }

    /// The recovery code, until [`Self::confirm_recovery_code`].
    ///
    /// # Errors
    /// [`ClientError::Account`], or [`ClientError::Stopped`].
    pub async fn recovery_code(&self) -> Result<Option<RecoveryCode>, ClientError> {
        Ok(self
            .0
            .keep
            .run(|keeper| account::recovery_code(&mut keeper.store))
            .await??)
    }

    /// The person has written the recovery code down.
    ///
    /// # Errors
    /// [`ClientError::Account`], or [`ClientError::Stopped`].
    pub async fn confirm_recovery_code(&self) -> Result<(), ClientError> {
        Ok(self
            .0
            .keep
            .run(|keeper| account::confirm_recovery_code(&mut keeper.store))
            .await??)
    }

    /// Ends all work and closes the profile; other clones get [`ClientError::Stopped`] from then on. On return the
    /// profile can be opened by somebody else.
    pub async fn shutdown(&self) {
        self.0.stop.send_replace(true);
        self.0.keep.stop_and_wait().await;
    }
}
