//! Questions to the agent, which may die and be replaced between any two of them.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::agent::start;
use crate::profile::Profile;
use crate::rpc::caller::{CallError, Caller};

/// A connection to the agent of a profile.
#[derive(Debug)]
pub(super) struct Asks {
    profile: Profile,
    caller: Caller,
}

impl Asks {
    /// Finds or starts the agent of a profile that must be there.
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        Self::of(Profile::open(path)?).await
    }

    /// Finds or starts the agent of a profile.
    pub(super) async fn of(profile: Profile) -> Result<Self, Failure> {
        let caller = start::connect(&profile).await?;
        Ok(Self { profile, caller })
    }

    /// Asks something that may be asked twice, and asks again when the agent dies over it.
    pub(super) async fn ask<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
    ) -> Result<R, Failure> {
        for _ in 1..ATTEMPTS {
            match self.caller.call(method, params).await {
                Err(CallError::Gone) => self.again().await?,
                outcome => return Ok(outcome?),
            }
        }
        Ok(self.caller.call(method, params).await?)
    }

    /// Asks something that must not be done twice: [`CallError::Gone`] leaves open whether it was done.
    pub(super) async fn ask_once<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
    ) -> Result<R, CallError> {
        self.caller.call(method, params).await
    }

    /// Finds or starts the next agent.
    pub(super) async fn again(&mut self) -> Result<(), Failure> {
        self.caller = start::connect(&self.profile).await?;
        Ok(())
    }

    /// The connection itself.
    pub(super) fn into_caller(self) -> Caller {
        self.caller
    }
}

/// How many agents may die over one question.
pub(super) const ATTEMPTS: usize = 8;
