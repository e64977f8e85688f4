//! A person's account on this device: who they are, with which keys, at which provider.
//!
//! ```text
//! begin --durable--> directory --> account --> device --> hub --> key packages --durable--> account
//! ```
//!
//! Everything random is drawn and everything that is sent is written down before it is sent, so a creation that is
//! killed at any point goes on with the same bytes, and a provider that answered already answers the same again.

mod create;
mod link;
mod listing;
pub(crate) mod publish;
mod recover;
mod recovery;
#[cfg(test)]
mod tests;

use data_encoding::BASE64;
use sabir_mls::Device;
use sabir_mls::identity::ClientCredential;
use sabir_mls::keys::SigningKey;
use sabir_wire::uri::{ClientUri, UserUri};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use crate::pairing::PairingError;
pub use create::{
    NewAccount, abandon, begin, confirm_recovery_code, create, in_progress, recovery_code, resume,
};
pub(crate) use create::{fetch_hub, now};
pub(crate) use link::patiently;
pub use link::{LinkOffer, Linking, NewLink, link_in_progress, resume_link};
pub(crate) use listing::Adopted;
pub(crate) use recover::seal_rooms;
pub use recover::{NewRecovery, recover};
pub use recovery::{RecoveryCode, RecoveryCodeError};

use crate::random::NoRandomness;
use crate::store::{Name, Store, StoreError};
use crate::transport::{AnchorError, DeviceKey, Reach, TransportError};
use crate::types::Account;

/// Why an account cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The profile has an account already.
    #[error("the profile has an account already")]
    Exists,
    /// The profile has no account.
    #[error("the profile has no account")]
    Missing,
    /// Another creation was begun here and has to be finished or abandoned first.
    #[error("the creation of an account was begun here and not finished")]
    InProgress,
    /// The name cannot be part of an address.
    #[error("the name cannot be used: {0}")]
    Name(#[from] sabir_wire::uri::UriError),
    /// The provider said no, and why. The creation is forgotten.
    #[error("the provider refused: {0}")]
    Refused(&'static str),
    /// The provider made the account and refuses its first device, and why. Only a fault of one of both can bring
    /// this about; the creation stays as it is.
    #[error("the provider refused the device: {0}")]
    DeviceRefused(&'static str),
    /// What the provider issued does not hold; nothing of it is used.
    #[error("the provider's certificate does not hold: {0}")]
    Certificate(String),
    /// What the profile holds is not an account.
    #[error("the profile's account is damaged")]
    Damaged,
    /// Two devices are not linked.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The provider was not reached; the creation goes on with [`resume`].
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The trusted authorities cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorError),
    /// The profile failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness for keys.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl AccountError {
    fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

/// A key or another secret as the profile's sealed values hold it: base64, wiped when dropped, hidden by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    fn new(bytes: &[u8]) -> Self {
        Self(BASE64.encode(bytes))
    }

    fn bytes(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, AccountError> {
        let bytes = BASE64
            .decode(self.0.as_bytes())
            .map_err(|_| AccountError::Damaged)?;
        Ok(zeroize::Zeroizing::new(bytes))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The account as the profile keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The person.
    pub user: String,
    /// This device.
    pub client: String,
    /// What the person called this device.
    pub device_name: String,
    /// The provider.
    pub reach: Reach,
    /// What the person's rooms are sealed to for the recovery code, base64; none where this device does not know it.
    #[serde(default)]
    backup_key: Option<String>,
    /// The person's identity key, where this device holds it: then it may link others.
    identity_key: Option<Secret>,
    /// The key of this device's leaves.
    device_key: Secret,
    /// `[device, user]`, base64 of the content of an x509 credential.
    credential: String,
    /// The encoded, signed device list, base64.
    device_list: String,
    /// Cipher suite of key packages and new rooms.
    suite: u16,
}

impl AccountRecord {
    /// Reads the account of a profile.
    ///
    /// # Errors
    /// [`AccountError::Missing`], or the store's.
    pub fn load(store: &mut Store) -> Result<Self, AccountError> {
        store.get(Name::ACCOUNT)?.ok_or(AccountError::Missing)
    }

    /// The device as it acts in groups.
    ///
    /// # Errors
    /// [`AccountError::Damaged`].
    pub fn device(&self) -> Result<Device, AccountError> {
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| AccountError::Damaged);
        let credential = decode(&self.credential)?;
        ClientCredential::parse(&credential).map_err(|_| AccountError::Damaged)?;
        Ok(Device {
            credential,
            key: self.key()?,
            device_list: decode(&self.device_list)?,
            suite: self.suite,
        })
    }

    /// The device as it signs in.
    ///
    /// # Errors
    /// [`AccountError::Damaged`].
    pub fn device_key(&self) -> Result<DeviceKey, AccountError> {
        let client = ClientUri::parse(&self.client).map_err(|_| AccountError::Damaged)?;
        Ok(DeviceKey {
            client,
            key: self.key()?,
        })
    }

    /// The person.
    ///
    /// # Errors
    /// [`AccountError::Damaged`].
    pub fn user(&self) -> Result<UserUri, AccountError> {
        UserUri::parse(&self.user).map_err(|_| AccountError::Damaged)
    }

    /// The account as faces see it.
    ///
    /// # Errors
    /// [`AccountError::Damaged`].
    pub fn to_plain(&self) -> Result<Account, AccountError> {
        Ok(Account {
            address: self.user()?.to_address(),
            user: self.user.clone(),
            client: self.client.clone(),
            provider: self.reach.domain.clone(),
            device_name: self.device_name.clone(),
        })
    }

    /// What the person's rooms are sealed to, where this device knows it.
    pub(crate) fn backup_key(&self) -> Result<Option<[u8; 32]>, AccountError> {
        let Some(key) = &self.backup_key else {
            return Ok(None);
        };
        let key = BASE64.decode(key.as_bytes()).map_err(|_| AccountError::Damaged)?;
        key.try_into().map(Some).map_err(|_| AccountError::Damaged)
    }

    fn key(&self) -> Result<SigningKey, AccountError> {
        SigningKey::from_secret_bytes(&self.device_key.bytes()?).map_err(|_| AccountError::Damaged)
    }
}
