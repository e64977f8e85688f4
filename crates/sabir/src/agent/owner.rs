//! The account of the profile, if it has one: the one place that speaks to the client library.

use std::time::Duration;

use sabir_client::types::{Account, Connection, Notice, Outgoing, Room};

use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::message::Failure;
use crate::rpc::methods::{AccountCreate, LogPage, Subscribed};

/// A handle that can be cloned.
#[derive(Debug, Clone)]
pub(crate) struct Owner {}

impl Owner {
    /// Opens what is in the profile.
    pub(crate) async fn open(_profile: &Profile) -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(crate) async fn account(&self) -> Result<Account, Failure> {
        Err(no_account())
    }

    pub(crate) async fn create(
        &self,
        _profile: &Profile,
        _params: AccountCreate,
    ) -> Result<Account, Failure> {
        Err(no_account())
    }

    pub(crate) async fn rooms(&self) -> Result<Vec<Room>, Failure> {
        Err(no_account())
    }

    pub(crate) async fn log(
        &self,
        _room: &str,
        _before: Option<u64>,
        _limit: usize,
    ) -> Result<LogPage, Failure> {
        Err(no_account())
    }

    pub(crate) async fn send(&self, _to: &str, _text: String) -> Result<Outgoing, Failure> {
        Err(no_account())
    }

    pub(crate) async fn status(&self, _local_id: u64, _wait: Duration) -> Result<Outgoing, Failure> {
        Err(no_account())
    }

    pub(crate) async fn subscribe(&self, _after: Option<u64>) -> Result<Subscription, Failure> {
        Err(no_account())
    }

    pub(crate) async fn connection(&self) -> Option<Connection> {
        None
    }

    pub(crate) async fn outstanding(&self) -> Option<u64> {
        Some(0)
    }

    pub(crate) async fn shutdown(&self) {}
}

/// Events as they happen.
#[derive(Debug)]
pub(crate) struct Subscription {
    cursor: u64,
}

impl Subscription {
    pub(crate) fn subscribed(&self, subscription: u64) -> Subscribed {
        Subscribed {
            subscription,
            cursor: self.cursor,
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Notice> {
        None
    }
}

fn no_account() -> Failure {
    Failure::new(Code::NoAccount, "this profile has no account yet")
        .hint("make one with an invite link: sabir account create LINK --name NAME")
}
