//! An identity key is replaced by the recovery key, and by nothing else.

use sabir_wire::codec::Encode;
use sabir_wire::recovery::{RecoveryProof, RecoveryTbs};
use sabir_wire::uri::UserUri;

use super::error::{CredentialError, IssueError};
use crate::keys::{SigningKey, sha256};
use crate::suite::verify_ed25519;

/// Signs with the recovery key that `identity_key` takes the place of the key that committed to it.
///
/// # Errors
/// [`IssueError::Key`] where the recovery key is not Ed25519.
pub fn prove_recovery(
    recovery_key: &SigningKey,
    user: &UserUri,
    identity_key: [u8; 32],
    recovery_commitment: [u8; 32],
) -> Result<RecoveryProof, IssueError> {
    let public = recovery_key.public().try_into().map_err(|_| IssueError::Key)?;
    let tbs = RecoveryTbs {
        user: user.clone(),
        recovery_key: public,
        identity_key,
        recovery_commitment,
    };
    let signature = recovery_key
        .sign_with_label(RecoveryProof::SIGNATURE_LABEL, &tbs.to_bytes())
        .map_err(|_| IssueError::Key)?;
    Ok(RecoveryProof {
        recovery_key: public,
        signature: signature.try_into().map_err(|_| IssueError::Key)?,
    })
}

/// Checks a proof by itself; gives the commitment of the identity key that is replaced. Whether somebody's key has that
/// commitment is for those to say who remember it.
///
/// # Errors
/// [`CredentialError::RecoveryProof`] where the signature is not the recovery key's over just this, and where the same
/// recovery key would go on: it is written down, was typed, and is used once.
pub(super) fn check(
    proof: &RecoveryProof,
    user: &UserUri,
    identity_key: &[u8; 32],
    recovery_commitment: [u8; 32],
) -> Result<[u8; 32], CredentialError> {
    let tbs = RecoveryTbs {
        user: user.clone(),
        recovery_key: proof.recovery_key,
        identity_key: *identity_key,
        recovery_commitment,
    };
    let signed = verify_ed25519(
        &proof.recovery_key,
        RecoveryProof::SIGNATURE_LABEL,
        &tbs.to_bytes(),
        &proof.signature,
    );
    let replaced = sha256(&proof.recovery_key);
    if signed.is_err() || replaced == recovery_commitment {
        return Err(CredentialError::RecoveryProof);
    }
    Ok(replaced)
}
