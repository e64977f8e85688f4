//! A verified identity, and whether another continues it.

use sabir_wire::uri::{ClientUri, Domain, UserUri};

use super::error::CredentialError;

/// A client whose chain was verified: this device, of this person, of this provider. Only
/// [`super::ClientCredential::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedClient {
    pub(super) client: ClientUri,
    pub(super) user: UserUri,
    pub(super) identity_key: [u8; 32],
    pub(super) device_key: [u8; 32],
    pub(super) user_certificate_hash: [u8; 32],
    pub(super) recovery_commitment: [u8; 32],
    pub(super) replaces: Option<[u8; 32]>,
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

impl VerifiedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &ClientUri {
        &self.client
    }

    /// The user the client belongs to.
    #[must_use]
    pub fn user(&self) -> &UserUri {
        &self.user
    }

    /// The provider of client and user.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        self.user.authority()
    }

    /// The person's Ed25519 identity key: what contacts compare and remember.
    #[must_use]
    pub fn identity_key(&self) -> &[u8; 32] {
        &self.identity_key
    }

    /// The device's Ed25519 key, the signature key of its leaves.
    #[must_use]
    pub fn device_key(&self) -> &[u8; 32] {
        &self.device_key
    }

    /// SHA-256 of the user certificate.
    #[must_use]
    pub fn user_certificate_hash(&self) -> &[u8; 32] {
        &self.user_certificate_hash
    }

    /// The commitment to the key that may replace the identity key.
    #[must_use]
    pub fn recovery_commitment(&self) -> &[u8; 32] {
        &self.recovery_commitment
    }

    /// What others remember the person by.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            key: self.identity_key,
            commitment: self.recovery_commitment,
        }
    }

    /// Whether the person put this identity key in the place of that one, with the recovery key that it committed to.
    #[must_use]
    pub fn replaces(&self, old: &Identity) -> bool {
        self.replaces == Some(old.commitment) && self.identity_key != old.key
    }

    /// The first millisecond since the Unix epoch at which the whole chain, CA included, is valid.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The last millisecond since the Unix epoch at which the whole chain, CA included, is valid. After it a leaf
    /// stays in its tree, but no new leaf may carry the credential.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether the whole chain is valid at `now`, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn is_fresh_at(&self, now: u64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// What a person is remembered by: their identity key, and which recovery key alone may replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The Ed25519 identity key.
    pub key: [u8; 32],
    /// SHA-256 of the recovery key.
    pub commitment: [u8; 32],
}

/// Checks that a leaf's new credential continues its old identity: the same client of the same user, under the
/// same identity key. Device key and certificates may be new.
///
/// MLS asks that the new credential be a valid successor of the old by the application's policy (RFC 9420
/// §5.3.1); this is the policy.
///
/// # Errors
/// [`CredentialError::ContinuityBroken`].
pub fn continues(old: &VerifiedClient, new: &VerifiedClient) -> Result<(), CredentialError> {
    if old.client == new.client && old.user == new.user && old.identity_key == new.identity_key {
        Ok(())
    } else {
        Err(CredentialError::ContinuityBroken)
    }
}
