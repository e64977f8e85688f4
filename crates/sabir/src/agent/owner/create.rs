//! Making the profile's account, once, however often it is interrupted.

use sabir_client::account::{self, AccountError, NewAccount, NewRecovery, RecoveryCode};
use sabir_client::invite::{Invite, read_provider};
use sabir_client::store::Store;
use sabir_client::transport::{Timing, read_anchors};

use super::failures;
use crate::address;
use crate::profile::Profile;
use crate::rpc::code::Code;
use crate::rpc::message::Failure;
use crate::rpc::methods::{AccountCreate, AccountCreated, AccountRecover};

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

/// Comes back with a recovery code, or goes on with that. The store is closed again at the end.
pub(super) async fn recover(profile: &Profile, params: &AccountRecover) -> Result<AccountCreated, Failure> {
    let malformed = || Failure::new(Code::AddressMalformed, "this is no address").hint(address::HINT);
    let (_, user, connect) = read_provider(&params.account).map_err(|_| malformed())?;
    let new = NewRecovery {
        user: user.ok_or_else(malformed)?,
        code: read_code(&params.recovery_code)?,
        connect,
        device_name: params.device_name.clone(),
        anchors: match &params.trust_anchor {
            Some(pem) => read_anchors(pem.as_bytes()).map_err(failures::anchors)?,
            None => Vec::new(),
        },
    };
    check_device_name(&params.device_name)?;
    let mut store = open_store(profile)?;
    let outcome = account::recover(&mut store, &new, Timing::default()).await;
    let (account, recovery) = outcome.map_err(failures::account)?;
    Ok(AccountCreated {
        account,
        recovery_code: recovery.to_text().to_string(),
    })
}

/// A recovery code as a person typed it.
pub(super) fn read_code(text: &str) -> Result<RecoveryCode, Failure> {
    RecoveryCode::parse(text).map_err(|error| {
        Failure::new(Code::RecoveryCodeWrong, error.to_string())
            .hint("it has 14 groups of four letters and digits; nothing was sent")
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
