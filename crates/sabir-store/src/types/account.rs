//! Accounts of the provider's users, their devices, invites and tokens.

use crate::StoreError;
use crate::types::{Hash, bounded};

/// Makes an invite. An invite that exists is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateInvite {
    /// Hash of the invite's token.
    pub token_hash: Hash,
    /// Milliseconds since 1970; from then on it is expired.
    pub expires_at: u64,
    /// How many accounts it may create.
    pub uses: u32,
}

/// What became of an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteOutcome {
    /// New.
    Created,
    /// It existed; nothing changed.
    Same,
}

/// Creates an account and spends one use of the invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAccount {
    /// Hash of the invite's token.
    pub invite: Hash,
    /// The user's URI.
    pub user: String,
    /// The name that is unique at this provider.
    pub name: String,
    /// The public identity key.
    pub identity_key: Vec<u8>,
    /// The user certificate.
    pub user_certificate: Vec<u8>,
    /// The commitment to the recovery key.
    pub recovery_commitment: Vec<u8>,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// What became of a new account. Only `Created` changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewAccountOutcome {
    /// New.
    Created,
    /// The user exists with this identity key; the invite was not touched.
    Same,
    /// There is no such invite.
    InviteUnknown,
    /// No use is left.
    InviteUsed,
    /// Its time is over.
    InviteExpired,
    /// The user URI exists with another identity key, or the name belongs to another user.
    NameTaken,
}

/// Puts another identity key in the place of an account's, for whoever has the recovery key. What hung on the old key is
/// over: no device is on the list any more, tokens end, and key packages that were not taken are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverAccount {
    /// The user's URI.
    pub user: String,
    /// Hash of the recovery key that was shown: what the account's commitment must be.
    pub shown: Vec<u8>,
    /// The new public identity key.
    pub identity_key: Vec<u8>,
    /// The new user certificate.
    pub user_certificate: Vec<u8>,
    /// The commitment to the next recovery key.
    pub recovery_commitment: Vec<u8>,
}

/// What became of a recovery. Only `Recovered` changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoverOutcome {
    /// The account has the new identity key.
    Recovered,
    /// It had this one, with this commitment, already: a repetition.
    Same,
    /// There is no such account, or it commits to another recovery key.
    Refused,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's URI.
    pub user: String,
    /// The name that is unique at this provider.
    pub name: String,
    /// The public identity key.
    pub identity_key: Vec<u8>,
    /// The user certificate.
    pub user_certificate: Vec<u8>,
    /// The commitment to the recovery key.
    pub recovery_commitment: Vec<u8>,
    /// The newest device list; empty before the first device.
    pub device_list: Vec<u8>,
    /// Version of the device list; 0 before the first device.
    pub device_list_version: u64,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// Adds a device together with the device list that names it, or renews its credential. Where the list is newer than the
/// account's, all key packages of the user that were not taken are gone: they carry an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddDevice {
    /// The user's URI.
    pub user: String,
    /// The identity key that signed the device list: nothing changes where it is not the account's.
    pub identity_key: Vec<u8>,
    /// The device's client URI.
    pub client_uri: String,
    /// The device's credential.
    pub credential: Vec<u8>,
    /// The device's public signature key.
    pub signature_key: Vec<u8>,
    /// The signed device list.
    pub device_list: Vec<u8>,
    /// Its version, at least 1.
    pub device_list_version: u64,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// What became of a device. Only `Added` and `Updated` change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceOutcome {
    /// New.
    Added,
    /// The device existed with this signature key; its credential or the account's device list is newer now.
    Updated,
    /// The device existed with this key and credential, and the account's list is at least as new: a repetition.
    Same,
    /// There is no such account.
    AccountUnknown,
    /// The account has another identity key.
    AnotherIdentity,
    /// The client URI belongs to another user or has another signature key.
    ClientTaken,
    /// The list is older than the account's, or another one of the same version.
    ListNotNewer {
        /// The account's version.
        current: u64,
    },
}

/// A device of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's client URI.
    pub client_uri: String,
    /// The user's URI.
    pub user: String,
    /// The device's credential.
    pub credential: Vec<u8>,
    /// The device's public signature key.
    pub signature_key: Vec<u8>,
    /// Milliseconds since 1970.
    pub added_at: u64,
}

/// Makes or replaces a token of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutToken {
    /// Hash of the token.
    pub token_hash: Hash,
    /// The device's client URI.
    pub client_uri: String,
    /// Milliseconds since 1970; from then on it is worth nothing.
    pub expires_at: u64,
}

impl CreateInvite {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.expires_at])
    }
}

impl CreateAccount {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.now])
    }
}

impl AddDevice {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.device_list_version == 0 {
            return Err(StoreError::Misuse("device list versions start at 1"));
        }
        bounded(&[self.device_list_version, self.now])
    }
}

impl PutToken {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.expires_at])
    }
}
