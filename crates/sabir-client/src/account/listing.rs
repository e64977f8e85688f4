//! The signed list of the person's devices: read, checked, signed.

use data_encoding::BASE64;
use rand_core::CryptoRng;
use sabir_mls::identity::{ClientCredential, IdentityKey, Period};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_mls::suite;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::device_list::{KeyHash, MAX_DEVICES, SignedDeviceList};
use sabir_wire::mls::Credential;
use sabir_wire::uri::ClientUri;

use super::create::{DEVICE_LIFETIME, now, registration};
use super::{AccountError, AccountRecord};
use crate::pairing::PairingError;

/// What a list is beside the one that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// The same.
    Same,
    /// It is newer, and in its place from now on.
    Newer,
    /// It is older: the provider has yet to be told of the one here.
    Older,
}

impl AccountRecord {
    /// Whether this device holds the identity key: it signs lists of devices, and links others.
    pub(crate) fn may_link(&self) -> bool {
        self.identity_key.is_some()
    }

    /// The newest list known here.
    pub(crate) fn list(&self) -> Result<SignedDeviceList, AccountError> {
        let bytes = BASE64
            .decode(self.device_list.as_bytes())
            .map_err(|_| AccountError::Damaged)?;
        SignedDeviceList::from_bytes(&bytes).map_err(|_| AccountError::Damaged)
    }

    /// The person's public identity key, as this device's own credential has it.
    pub(crate) fn identity_public(&self) -> Result<[u8; 32], AccountError> {
        Ok(*self.credential()?.claimed_identity_key())
    }

    /// SHA-256 of this device's key, as lists name it.
    pub(crate) fn key_hash(&self) -> Result<KeyHash, AccountError> {
        Ok(KeyHash(sha256(self.key()?.public())))
    }

    /// Looks at a list that the provider gives out. One that does not hold, that lacks this device, or that is another
    /// of the same version, is refused: the person has to know.
    ///
    /// # Errors
    /// [`AccountError::Certificate`] says what is wrong.
    pub(crate) fn adopt(&mut self, list: &SignedDeviceList) -> Result<Adopted, AccountError> {
        let wrong = |what: &str| Err(AccountError::Certificate(what.to_owned()));
        let own = self.list()?;
        let signed = suite::verify_ed25519(
            &self.identity_public()?,
            SignedDeviceList::SIGNATURE_LABEL,
            &list.tbs(),
            &list.signature,
        );
        if list.user.as_str() != self.user || signed.is_err() {
            return wrong("the list of your devices is not signed by you");
        }
        if !list.contains(&self.key_hash()?) {
            return wrong("the list of your devices does not name this one");
        }
        if list.version < own.version {
            return Ok(Adopted::Older);
        }
        if list.version == own.version {
            return if list.key_hashes == own.key_hashes {
                Ok(Adopted::Same)
            } else {
                wrong("there are two lists of your devices with the same version")
            };
        }
        self.device_list = BASE64.encode(&list.to_bytes());
        Ok(Adopted::Newer)
    }

    /// Signs the next list, with these devices, and takes it for the newest.
    ///
    /// # Errors
    /// [`PairingError::MayNot`] and [`PairingError::TooMany`].
    pub(crate) fn sign_next(
        &mut self,
        mut key_hashes: Vec<KeyHash>,
    ) -> Result<SignedDeviceList, AccountError> {
        key_hashes.sort_unstable();
        key_hashes.dedup();
        if key_hashes.len() > MAX_DEVICES {
            return Err(PairingError::TooMany.into());
        }
        let own = self.list()?;
        let mut list = SignedDeviceList {
            user: own.user,
            version: own.version.saturating_add(1),
            key_hashes,
            signature: Vec::new(),
        };
        list.signature = self.sign(SignedDeviceList::SIGNATURE_LABEL, &list.tbs())?;
        self.device_list = BASE64.encode(&list.to_bytes());
        Ok(list)
    }

    /// Signs with the identity key.
    ///
    /// # Errors
    /// [`PairingError::MayNot`].
    pub(crate) fn sign(&self, label: &str, content: &[u8]) -> Result<Vec<u8>, AccountError> {
        let identity = self.identity()?;
        let key = identity.signing_key();
        key.sign_with_label(label, content)
            .map_err(AccountError::internal)
    }

    /// A credential for another device of this person.
    ///
    /// # Errors
    /// [`PairingError::MayNot`], and [`AccountError::Certificate`] where the key cannot be certified.
    pub(crate) fn issue(
        &self,
        client: &ClientUri,
        key: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Credential, AccountError> {
        let period = Period {
            now: now()?,
            lifetime: DEVICE_LIFETIME,
        };
        let user = self.user_certificate()?;
        let device = self
            .identity()?
            .issue_device(&user, client, key, period, rng)
            .map_err(|error| AccountError::Certificate(error.to_string()))?;
        let credential = ClientCredential::new(&device, &user)
            .map_err(|error| AccountError::Certificate(error.to_string()))?;
        Ok(credential.to_credential())
    }

    /// What tells the provider of the newest list: this device, registered once more.
    ///
    /// # Errors
    /// [`AccountError::Damaged`].
    pub(crate) fn registration(&self) -> Result<Vec<u8>, AccountError> {
        let client = ClientUri::parse(&self.client).map_err(|_| AccountError::Damaged)?;
        let request = registration(&self.credential()?, self.list()?, &client, &self.key()?)?;
        Ok(request.to_bytes())
    }

    fn identity(&self) -> Result<IdentityKey, AccountError> {
        let secret = self.identity_key.as_ref().ok_or(PairingError::MayNot)?;
        let key = SigningKey::from_secret_bytes(&secret.bytes()?).map_err(|_| AccountError::Damaged)?;
        IdentityKey::new(key).map_err(|_| AccountError::Damaged)
    }

    fn credential(&self) -> Result<ClientCredential, AccountError> {
        let content = BASE64
            .decode(self.credential.as_bytes())
            .map_err(|_| AccountError::Damaged)?;
        ClientCredential::parse(&content).map_err(|_| AccountError::Damaged)
    }

    fn user_certificate(&self) -> Result<Vec<u8>, AccountError> {
        match self.credential()?.to_credential() {
            Credential::X509 { certificates } => certificates.into_iter().nth(1),
            _ => None,
        }
        .ok_or(AccountError::Damaged)
    }
}
