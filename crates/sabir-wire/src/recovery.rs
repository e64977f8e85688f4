//! The proof that a person replaced their identity key with the recovery key: ours, carried in the user certificate.
//!
//! The certificate of the old identity key commits to a recovery key by its hash. Whoever remembers that hash can check
//! without asking anybody that the new identity key is the person's wish: the proof shows the recovery key, and its
//! signature over what takes the old key's place. A provider that certifies another key has no such proof.

use crate::codec::{Decode, DecodeError, Encode, Reader, put_vec};
use crate::uri::{RoomUri, UserUri};

/// What the recovery key signs: who gets which new identity key, and which recovery key may replace that one.
///
/// ```text
/// struct {
///     IdentifierUri user;
///     opaque recovery_key[32];
///     opaque identity_key[32];
///     opaque recovery_commitment[32];
/// } RecoveryTBS;
/// ```
///
/// It names no provider's challenge: a recovery key is drawn anew with each identity key, so that its proof replaces that
/// one key and never another, however often it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryTbs {
    /// Whose identity key is replaced.
    pub user: UserUri,
    /// The Ed25519 recovery key, to whose SHA-256 the old user certificate commits.
    pub recovery_key: [u8; 32],
    /// The new Ed25519 identity key.
    pub identity_key: [u8; 32],
    /// SHA-256 of the next recovery key.
    pub recovery_commitment: [u8; 32],
}

impl Encode for RecoveryTbs {
    fn encode(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        out.extend_from_slice(&self.recovery_key);
        out.extend_from_slice(&self.identity_key);
        out.extend_from_slice(&self.recovery_commitment);
    }
}

/// The recovery key and its signature.
///
/// ```text
/// struct {
///     opaque recovery_key[32];
///     /* SignWithLabel(recovery_key, "SabirRecoveryTBS", RecoveryTBS) */
///     opaque signature[64];
/// } RecoveryProof;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryProof {
    /// The Ed25519 recovery key.
    pub recovery_key: [u8; 32],
    /// Over [`RecoveryTbs`].
    pub signature: [u8; 64],
}

impl RecoveryProof {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirRecoveryTBS";
    /// Bytes of an encoded proof.
    pub const LEN: usize = 96;
}

impl Encode for RecoveryProof {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.recovery_key);
        out.extend_from_slice(&self.signature);
    }
}

impl Decode for RecoveryProof {
    const NAME: &'static str = "RecoveryProof";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            recovery_key: r.array("recovery_key")?,
            signature: r.array("signature")?,
        })
    }
}

/// Most rooms of a [`RoomsBackup`]; what is longer than its bytes allow is cut short before.
pub const MAX_BACKUP_ROOMS: usize = 4096;

/// What a device that comes back with nothing but the recovery code has to know: the person's rooms. It lies at the
/// provider, sealed to a key that follows from the code.
///
/// ```text
/// struct {
///     IdentifierUri user;
///     IdentifierUri rooms<V>;
/// } RoomsBackup;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomsBackup {
    /// Whose rooms.
    pub user: UserUri,
    /// At most [`MAX_BACKUP_ROOMS`].
    pub rooms: Vec<RoomUri>,
}

impl RoomsBackup {
    /// The label of `EncryptWithLabel`; its context is the person's encoded URI.
    pub const ENCRYPTION_LABEL: &'static str = "SabirRoomsBackup";
}

impl Encode for RoomsBackup {
    fn encode(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        put_vec(out, &self.rooms);
    }
}

impl Decode for RoomsBackup {
    const NAME: &'static str = "RoomsBackup";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.read_as("user")?,
            rooms: r.list("rooms", crate::client_api::MAX_BACKUP)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_proof_is_96_bytes_and_a_signature_is_over_all_that_changes() {
        let proof = RecoveryProof {
            recovery_key: [1; 32],
            signature: [2; 64],
        };
        let bytes = proof.to_bytes();
        assert_eq!(bytes.len(), RecoveryProof::LEN);
        assert_eq!(RecoveryProof::from_bytes(&bytes).unwrap(), proof);
        assert!(RecoveryProof::from_bytes(&bytes[..95]).is_err());
        assert!(RecoveryProof::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
        let user = UserUri::parse("mimi://a.example/u/alice").unwrap();
        let tbs = RecoveryTbs {
            user: user.clone(),
            recovery_key: [1; 32],
            identity_key: [2; 32],
            recovery_commitment: [3; 32],
        };
        let expected = [user.to_bytes().as_slice(), &[1; 32], &[2; 32], &[3; 32]].concat();
        assert_eq!(tbs.to_bytes(), expected);
    }

    #[test]
    fn a_backup_survives_a_round_trip() {
        let backup = RoomsBackup {
            user: UserUri::parse("mimi://a.example/u/alice").unwrap(),
            rooms: vec![RoomUri::parse("mimi://b.example/r/x").unwrap()],
        };
        assert_eq!(RoomsBackup::from_bytes(&backup.to_bytes()).unwrap(), backup);
    }
}
