//! Making the profile's account, once, however often it is interrupted.

use sabir_client::account::{self, AccountError, NewAccount};
use sabir_client::invite::Invite;
use sabir_client::store::Store;
use sabir_client::transport::{Timing, read_anchors};

use super::failures;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::message::Failure;
use crate::rpc::methods::{AccountCreate, AccountCreated};

/// Makes the account, or goes on with one that was begun. The store is closed again at the end.
pub(super) async fn create(profile: &Profile, params: AccountCreate) -> Result<AccountCreated, Failure> {
    let new = new_account(&params)?;
    let mut store = open_store(profile)?;
    if params.start_over {
        account::abandon(&mut store).map_err(failures::account)?;
    }
    let outcome = match account::begin(&mut store, &new) {
        Ok(()) => account::resume(&mut store, Timing::default()).await,
        // Begun before and interrupted: what was sent then must be sent again, not something else.
        Err(AccountError::InProgress) => match account::resume(&mut store, Timing::default()).await {
            Err(AccountError::Refused(_)) => account::create(&mut store, &new, Timing::default()).await,
            outcome => outcome,
        },
        Err(error) => Err(error),
    };
    let (account, recovery) = outcome.map_err(failures::account)?;
    Ok(AccountCreated {
        account,
        recovery_code: recovery.to_text().to_string(),
    })
}

fn new_account(params: &AccountCreate) -> Result<NewAccount, Failure> {
    let invite = Invite::parse(&params.invite).map_err(|error| {
        Failure::new(Code::InviteMalformed, error.to_string())
            .hint("copy the whole link that your provider gave you")
    })?;
    let anchors = match &params.trust_anchor {
        Some(pem) => read_anchors(pem.as_bytes()).map_err(failures::anchors)?,
        None => Vec::new(),
    };
    check_device_name(&params.device_name)?;
    Ok(NewAccount {
        invite,
        name: params.name.clone(),
        device_name: params.device_name.clone(),
        anchors,
    })
}

/// The profile's store, made where there is none.
pub(super) fn open_store(profile: &Profile) -> Result<Store, Failure> {
    let folder = profile.folder();
    let opened = if Store::exists(folder) {
        Store::open(folder, None)
    } else {
        Store::create(folder, None)
    };
    opened.map_err(failures::store)
}

pub(super) fn check_device_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > MAX_DEVICE_NAME {
        let message = format!("device_name has 1 to {MAX_DEVICE_NAME} bytes");
        return Err(Failure::new(Code::InvalidParams, message));
    }
    Ok(())
}

/// Bytes of a device's name.
const MAX_DEVICE_NAME: usize = 128;
