//! Requests: made by a client, verified and passed on by up to three providers.

use sabir_mls::Device;
use sabir_mls::identity::{ClientCredential, CredentialError, Freshness, TrustAnchors, VerifiedClient};
use sabir_mls::keys::KeyError;
use sabir_mls::suite;
use sabir_wire::mls::{
    CipherSuite, CredentialType, ExtensionType, ProposalType, RequiredCapabilities, SignaturePublicKey,
};
use sabir_wire::protocol::KeyMaterialRequest;
use sabir_wire::uri::{Domain, RoomUri, UserUri};
use thiserror::Error;

/// Why a request is refused.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The requester's credential does not prove what it must.
    #[error("the requester's credential is refused: {0}")]
    Credential(CredentialError),
    /// No identity CA is known for the requester's provider; it can be fetched and the call repeated.
    #[error("no identity authority is known for the requester's provider")]
    UnknownProvider(Domain),
    /// The credential belongs to another user than the requesting one.
    #[error("the requester's credential is another user's")]
    NotRequester,
    /// The signature is not the requester's over this request.
    #[error("the request's signature does not verify")]
    Signature,
    /// The provider that sent it may not speak for this requester or room.
    #[error("the sending provider may not make this request")]
    NotAuthorised,
    /// The request is neither for a user of ours nor ours to pass on.
    #[error("the request is for another provider")]
    Misdirected,
    /// No cipher suite was given to ask for.
    #[error("no cipher suite to ask for")]
    NoSuite,
    /// The request could not be signed: a fault of ours.
    #[error("the request cannot be signed")]
    Signing(#[source] KeyError),
}

/// What a provider has to do with a request it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Answer it: the target is a user of its own.
    Answer,
    /// Pass on the same bytes to this provider, and its answer back.
    Relay(Domain),
}

/// What every client of a MIMI room must understand, as the rooms of this implementation require it.
#[must_use]
pub fn required_capabilities() -> RequiredCapabilities {
    RequiredCapabilities {
        extension_types: vec![ExtensionType::APP_DATA_DICTIONARY],
        proposal_types: vec![ProposalType::APP_DATA_UPDATE, ProposalType::SELF_REMOVE],
        credential_types: vec![CredentialType::X509],
    }
}

/// Makes `device`'s request for the key packages of `target` in any suite we implement. `me` is the device's user.
///
/// # Errors
/// As [`build_request_for`].
pub fn build_request(
    device: &Device,
    me: &UserUri,
    target: &UserUri,
    room: Option<&RoomUri>,
) -> Result<KeyMaterialRequest, RequestError> {
    build_request_for(device, me, target, room, &suite::supported())
}

/// As [`build_request`], with the acceptable cipher suites, by preference. Where the room's group exists its suite is
/// the only useful one: a key package of another cannot be added, and asking for it wastes it.
///
/// # Errors
/// [`RequestError::NotRequester`] where the device is another user's, [`RequestError::NoSuite`],
/// [`RequestError::Credential`], [`RequestError::Signing`].
pub fn build_request_for(
    device: &Device,
    me: &UserUri,
    target: &UserUri,
    room: Option<&RoomUri>,
    suites: &[u16],
) -> Result<KeyMaterialRequest, RequestError> {
    let credential = ClientCredential::parse(&device.credential).map_err(RequestError::Credential)?;
    if credential.claimed_user() != me {
        return Err(RequestError::NotRequester);
    }
    if suites.is_empty() {
        return Err(RequestError::NoSuite);
    }
    let mut request = KeyMaterialRequest {
        requesting_user: me.clone(),
        target_user: target.clone(),
        room_id: room.cloned(),
        acceptable_ciphersuites: suites.iter().copied().map(CipherSuite).collect(),
        required_capabilities: required_capabilities(),
        requester_signature_key: SignaturePublicKey(device.key.public().to_vec()),
        requester_credential: credential.to_credential(),
        key_material_request_signature: Vec::new(),
    };
    request.key_material_request_signature = device
        .key
        .sign_with_label(KeyMaterialRequest::SIGNATURE_LABEL, &request.tbs())
        .map_err(RequestError::Signing)?;
    Ok(request)
}

/// Verifies who makes a request: the signature by `requesterSignatureKey`, the credential over that key at `at`, and
/// that it is the requesting user's.
///
/// The list of suites may mix signature schemes and names none for this signature; the credential does: Ed25519.
///
/// # Errors
/// [`RequestError::UnknownProvider`], or what does not hold.
pub fn verify_request(
    request: &KeyMaterialRequest,
    anchors: &TrustAnchors,
    at: crate::Millis,
) -> Result<VerifiedClient, RequestError> {
    let credential =
        ClientCredential::from_credential(&request.requester_credential).map_err(RequestError::Credential)?;
    if *credential.claimed_user() != request.requesting_user {
        return Err(RequestError::NotRequester);
    }
    let key = request.requester_signature_key.0.as_slice();
    let verified = credential
        .verify(anchors, Freshness::At(at), key)
        .map_err(|error| match error {
            CredentialError::UnknownProvider => {
                RequestError::UnknownProvider(credential.claimed_domain().clone())
            }
            error => RequestError::Credential(error),
        })?;
    // draft-ietf-mimi-protocol-06 §5.2: SignWithLabel(., "KeyMaterialRequestTBS", KeyMaterialRequestTBS).
    let signature = &request.key_material_request_signature;
    suite::verify_ed25519(
        key,
        KeyMaterialRequest::SIGNATURE_LABEL,
        &request.tbs(),
        signature,
    )
    .map_err(|_| RequestError::Signature)?;
    Ok(verified)
}

/// Decides what the provider `own` does with a verified request that `from` sent: another provider by its proved
/// domain, or `own` itself for a device of its own.
///
/// | who we are | `from` must be | then |
/// |---|---|---|
/// | the requester's provider, asked by its device | `own` | to the hub; without a room to the target's provider |
/// | the room's hub | the requester's provider | answer, or to the target's provider |
/// | the target's provider, for a room hubbed elsewhere | the room's authority | answer |
/// | the target's provider, without a room | the requester's provider | answer |
///
/// # Errors
/// [`RequestError::NotAuthorised`], [`RequestError::Misdirected`].
pub fn authorise(
    request: &KeyMaterialRequest,
    requester: &VerifiedClient,
    from: &Domain,
    own: &Domain,
) -> Result<Errand, RequestError> {
    let target = request.target_user.authority();
    let hub = request.room_id.as_ref().map(RoomUri::authority);
    // draft-ietf-mimi-protocol-06 §5.2: requests "MUST be sent via the hub provider of whatever room" they are for.
    let speaker = match hub {
        Some(hub) if hub != own && from != own => hub,
        _ => requester.domain(),
    };
    if from != speaker {
        return Err(RequestError::NotAuthorised);
    }
    let next = match hub {
        Some(hub) if hub != own && from == own => hub,
        _ => target,
    };
    if next == own {
        return Ok(Errand::Answer);
    }
    // Only the requester's own provider and the hub pass anything on.
    if from == own || hub == Some(own) {
        Ok(Errand::Relay(next.clone()))
    } else {
        Err(RequestError::Misdirected)
    }
}
