//! The account of the profile, if it has one: the one place that speaks to the client library.
//!
//! * [`create`]: an account is made.
//! * [`acting`]: what a person does to messages, and what they set.
//! * [`devices`]: the person's devices, and linking on both sides.
//! * [`tracker`]: which messages wait, and who waits for them.
//! * [`files`]: files on their way.
//! * [`failures`]: the library's errors in the codes of the registry.

mod acting;
mod create;
mod devices;
mod failures;
mod files;
mod rooms;
mod tracker;

use std::sync::Arc;
use std::time::Duration;

use sabir_client::account::AccountError;
use sabir_client::store::{Store, StoreError};
use sabir_client::transport::Timing;
use sabir_client::types::{Account, Connection, Message, MessageState, Notice, Outgoing, Room};
use sabir_client::{Client, ClientError};
use tokio::sync::{Mutex, watch};

use crate::address::{self, To};
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::message::Failure;
use crate::rpc::methods::{
    AccountCreate, AccountCreated, AccountRecover, LogPage, PAGE_BYTES, RecoveryCode, Subscribed,
};
use tracker::Tracker;

/// A handle that can be cloned.
#[derive(Debug, Clone)]
pub(crate) struct Owner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: watch::Sender<Option<Open>>,
    /// One account is made at a time.
    creating: Mutex<()>,
    /// This device, which is to become one of somebody's.
    linking: Mutex<Option<sabir_client::account::Linking>>,
    /// Another device, which is to become one of this person's.
    adding: Mutex<Option<sabir_client::Adding>>,
}

/// A profile that has an account.
#[derive(Debug, Clone)]
struct Open {
    client: Client,
    tracker: Tracker,
}

impl Owner {
    /// Opens what is in the profile: an account, or nothing yet.
    ///
    /// # Errors
    /// Why the account that is there cannot be used.
    pub(crate) async fn open(profile: &Profile) -> Result<Self, Failure> {
        let open = if Store::exists(profile.folder()) {
            open(profile).await?
        } else {
            None
        };
        Ok(Self(Arc::new(Inner {
            open: watch::Sender::new(open),
            creating: Mutex::new(()),
            linking: Mutex::default(),
            adding: Mutex::default(),
        })))
    }

    /// `account.show`.
    pub(crate) fn account(&self) -> Result<Account, Failure> {
        Ok(self.get()?.client.account().clone())
    }

    /// `account.create`.
    pub(crate) async fn create(
        &self,
        profile: &Profile,
        params: AccountCreate,
    ) -> Result<AccountCreated, Failure> {
        let Ok(_one) = self.0.creating.try_lock() else {
            return Err(Failure::new(Code::Busy, "an account is being made already"));
        };
        if self.get().is_ok() {
            return Err(failures::account(AccountError::Exists));
        }
        let created = create::create(profile, params).await?;
        self.0.open.send_replace(open(profile).await?);
        Ok(created)
    }

    /// `account.recover`.
    pub(crate) async fn recover(
        &self,
        profile: &Profile,
        params: AccountRecover,
    ) -> Result<AccountCreated, Failure> {
        let Ok(_one) = self.0.creating.try_lock() else {
            return Err(Failure::new(Code::Busy, "an account is being made already"));
        };
        if self.get().is_ok() {
            return Err(failures::account(AccountError::Exists));
        }
        let recovered = create::recover(profile, &params).await?;
        self.0.open.send_replace(open(profile).await?);
        Ok(recovered)
    }

    /// `account.recovery_code`.
    pub(crate) async fn recovery_code(
        &self,
        written_down: bool,
        typed: Option<&str>,
    ) -> Result<RecoveryCode, Failure> {
        let client = self.get()?.client;
        if let Some(typed) = typed {
            let typed = create::read_code(typed)?;
            let kept = client.recovery_code().await.map_err(failures::client)?;
            if kept.is_some_and(|kept| kept != typed) {
                return Err(Failure::new(
                    Code::RecoveryCodeWrong,
                    "this is a recovery code, but not the one of this account",
                ));
            }
        }
        if written_down {
            client.confirm_recovery_code().await.map_err(failures::client)?;
        }
        let code = client.recovery_code().await.map_err(failures::client)?;
        Ok(RecoveryCode {
            recovery_code: code.map(|code| code.to_text().to_string()),
        })
    }

    /// `rooms.list`.
    pub(crate) async fn rooms(&self) -> Result<Vec<Room>, Failure> {
        let mut rooms = self.get()?.client.rooms().await.map_err(failures::client)?;
        for last in rooms.iter_mut().filter_map(|room| room.last.as_mut()) {
            shorten(&mut last.text);
        }
        Ok(rooms)
    }

    /// `room.log`.
    pub(crate) async fn log(
        &self,
        room: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<LogPage, Failure> {
        let of = address(room)?;
        let most = u32::try_from(limit).unwrap_or(u32::MAX);
        let client = self.get()?.client;
        let messages = client
            .timeline(&of, before, most)
            .await
            .map_err(failures::client)?;
        Ok(page(messages, limit))
    }

    /// `message.send`.
    pub(crate) async fn send(
        &self,
        to: &str,
        text: &str,
        expires_s: Option<u32>,
    ) -> Result<Outgoing, Failure> {
        let to = address(to)?;
        let client = self.get()?.client;
        let sent = client.send_expiring(&to, text, expires_s).await;
        let local_id = sent.map_err(failures::client)?;
        Ok(self.written_down(local_id).await)
    }

    /// `message.status`: at once when the message's fate is known, otherwise when it is, or after `wait`.
    pub(crate) async fn status(&self, local_id: u64, wait: Duration) -> Result<Outgoing, Failure> {
        let Open { client, tracker } = self.get()?;
        let mut news = tracker.news();
        let late = tokio::time::sleep(wait);
        tokio::pin!(late);
        loop {
            let outgoing = client.outgoing(local_id).await.map_err(failures::client)?;
            if outgoing.state != MessageState::Queued || wait.is_zero() {
                return Ok(outgoing);
            }
            tokio::select! {
                () = &mut late => return client.outgoing(local_id).await.map_err(failures::client),
                () = news.of(local_id) => {}
            }
        }
    }

    /// `events.subscribe`.
    pub(crate) fn subscribe(&self, after: Option<u64>) -> Result<Subscription, Failure> {
        let client = self.get()?.client;
        let cursor = after.unwrap_or_else(|| client.cursor());
        Ok(Subscription {
            cursor,
            events: client.subscribe(Some(cursor)),
        })
    }

    /// How the provider is reached; nothing without an account.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.get().ok().map(|open| open.client.connection())
    }

    /// Messages that wait to be accepted; nothing while they are being counted.
    pub(crate) fn outstanding(&self) -> Option<usize> {
        match self.get() {
            Ok(open) => open.tracker.waiting(),
            Err(_) => Some(0),
        }
    }

    /// Closes the profile.
    pub(crate) async fn shutdown(&self) {
        if let Ok(open) = self.get() {
            open.client.shutdown().await;
        }
    }

    fn get(&self) -> Result<Open, Failure> {
        self.0.open.borrow().clone().ok_or_else(failures::no_account)
    }
}

async fn open(profile: &Profile) -> Result<Option<Open>, Failure> {
    match Client::open(profile.folder(), None, Timing::default()).await {
        Ok(client) => {
            let tracker = Tracker::start(client.clone());
            Ok(Some(Open { client, tracker }))
        }
        // A profile without an account, or with one that was begun.
        Err(ClientError::Account(AccountError::Missing) | ClientError::Store(StoreError::Missing)) => {
            Ok(None)
        }
        Err(error) => Err(failures::client(error)),
    }
}

/// Events as they happen.
#[derive(Debug)]
pub(crate) struct Subscription {
    cursor: u64,
    events: sabir_client::Subscription,
}

impl Subscription {
    /// What the subscriber is answered.
    pub(crate) fn subscribed(&self, subscription: u64) -> Subscribed {
        Subscribed {
            subscription,
            cursor: self.cursor,
        }
    }

    /// The next event; nothing when there will be none any more.
    pub(crate) async fn next(&mut self) -> Option<Notice> {
        match self.events.next().await {
            Ok(notice) => Some(notice),
            Err(error) => {
                tracing::debug!(%error, "a subscription ended");
                None
            }
        }
    }
}

/// Checks an address, and spells it as the library does.
fn address(text: &str) -> Result<String, Failure> {
    match To::parse(text) {
        Ok(to) => Ok(to.name()),
        Err(error) => Err(Failure::new(Code::AddressMalformed, error.to_string()).hint(address::HINT)),
    }
}

/// The newest of `messages` whose texts fit into an answer, one at least.
fn page(mut messages: Vec<Message>, limit: usize) -> LogPage {
    let full = messages.len() >= limit;
    let mut bytes = 0_usize;
    let fitting = messages.iter().rev().take_while(|message| {
        let quote = message.marks.reply_to.as_ref();
        let quoted = quote.and_then(|quote| quote.text.as_ref()).map_or(0, String::len);
        bytes = bytes.saturating_add(message.text.len()).saturating_add(quoted);
        bytes <= PAGE_BYTES
    });
    let keep = fitting.count().max(1).min(messages.len());
    let cut = messages.len().saturating_sub(keep);
    messages.drain(..cut);
    let more = full || cut > 0;
    let before = messages.first().filter(|_| more).map(|first| first.position);
    LogPage { messages, before }
}

/// Cuts a text to what a list shows of it.
fn shorten(text: &mut String) {
    if text.len() > PREVIEW {
        let end = (0..=PREVIEW)
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        text.truncate(end);
    }
}

/// Bytes of the last message's text in the list of rooms.
const PREVIEW: usize = 1000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn message(position: u64, text: String) -> Message {
        Message {
            room: "mimi://a.example/r/x".to_owned(),
            id: position,
            position,
            message_id: None,
            local_id: None,
            from: "bob@b.example".to_owned(),
            text,
            timestamp_ms: 0,
            state: MessageState::Received,
            own: false,
            verified: true,
            problem: None,
            marks: sabir_client::types::Marks::default(),
        }
    }

    fn positions(page: &LogPage) -> Vec<u64> {
        page.messages.iter().map(|message| message.position).collect()
    }

    #[test]
    fn a_page_says_where_the_one_before_it_ends() {
        let messages: Vec<_> = (3..6).map(|at| message(at, "x".to_owned())).collect();
        let whole = page(messages.clone(), 4);
        assert_eq!((positions(&whole), whole.before), (vec![3, 4, 5], None));
        let full = page(messages, 3);
        assert_eq!((positions(&full), full.before), (vec![3, 4, 5], Some(3)));
        assert_eq!(page(Vec::new(), 3).before, None);
    }

    #[test]
    fn a_page_of_long_texts_ends_early_and_is_never_empty() {
        let half = "x".repeat(PAGE_BYTES / 2);
        let cut = page((0..5).map(|at| message(at, half.clone())).collect(), 9);
        assert_eq!((positions(&cut), cut.before), (vec![3, 4], Some(3)));
        let huge = "x".repeat(PAGE_BYTES + 1);
        let one = page((0..2).map(|at| message(at, huge.clone())).collect(), 9);
        assert_eq!((positions(&one), one.before), (vec![1], Some(1)));
    }

    #[test]
    fn previews_are_cut_between_letters() {
        let mut text = format!("x{}", "é".repeat(1000));
        shorten(&mut text);
        assert_eq!(text.len(), 999);
    }
}
