//! Answers: made by the target's provider, read by the hub, checked by the client that asked.

use std::collections::BTreeSet;

use sabir_mls::MlsError;
use sabir_mls::identity::TrustAnchors;
use sabir_mls::key_package::{self, VerifiedKeyPackage};
use sabir_wire::codec::{Decode, DecodeError, Encode};
use sabir_wire::mls::{
    CredentialType, ExtensionType, KeyPackage, LeafNodeSource, ProposalType, ProtocolVersion,
    RequiredCapabilities,
};
use sabir_wire::protocol::{
    ClientKeyMaterial, ClientKeyStatus, KeyMaterialRequest, KeyMaterialResponse, KeyMaterialUserCode,
};
use sabir_wire::uri::ClientUri;
use thiserror::Error;

use crate::Millis;

/// What a client of the target has for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// An encoded KeyPackage, taken for this answer alone and [`compatible`] with the request.
    KeyPackage(Vec<u8>),
    /// All were given away, or have expired.
    Exhausted,
    /// None of those there are fits.
    Incompatible,
}

/// Why a target's provider gives no key packages.
///
/// A provider that does not tell strangers who its users are answers [`Refusal::NoConsent`] in every case
/// (draft-ietf-mimi-protocol-06 §5.2: "as a catch all").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The target has not consented, or the provider does not say why.
    NoConsent,
    /// The target has consented to other rooms.
    NoConsentForThisRoom,
    /// There is no such user.
    UserUnknown,
    /// There was such a user.
    UserDeleted,
    /// No client of the target speaks the protocol.
    IncompatibleProtocol,
}

/// Why an answer is refused.
#[derive(Debug, Error)]
pub enum ResponseError {
    /// The answer is about another user.
    #[error("the answer is about another user")]
    WrongUser,
    /// The code contradicts the clients listed.
    #[error("the answer contradicts itself")]
    Inconsistent,
    /// A client is listed twice.
    #[error("a client is listed twice")]
    ClientTwice,
    /// A key package is another client's than the one it is listed under.
    #[error("a key package belongs to another client or user")]
    WrongClient,
    /// A key package's suite or capabilities are not those asked for.
    #[error("a key package is not of the kind asked for")]
    NotCompatible,
    /// A key package may not be used now.
    #[error("a key package has expired or is not valid yet")]
    Expired,
    /// A key package does not hold: signature, leaf or credential. After [`MlsError::UnknownProvider`] the call can be
    /// repeated with that provider's anchor.
    #[error("a key package is refused: {0}")]
    Mls(#[source] MlsError),
    /// A key package's suite has a hash by which it cannot be referred to here.
    #[error("a key package's cipher suite is not supported")]
    Suite,
}

/// Whether an encoded KeyPackage is of an acceptable suite and its client has what the request requires. Times are not
/// judged here.
///
/// What RFC 9420 makes everybody understand need not be announced, and GREASE asks for nothing (RFC 9420 §7.2, §13.5).
///
/// # Errors
/// [`DecodeError`] where it is no KeyPackage.
pub fn compatible(key_package: &[u8], request: &KeyMaterialRequest) -> Result<bool, DecodeError> {
    Ok(is_compatible(&KeyPackage::from_bytes(key_package)?, request))
}

/// Answers a request that was granted, from what each client of the target has. Clients are listed in this order.
///
/// Where no client has anything the answer is `noCompatibleMaterial`, also if all is merely exhausted: the draft has
/// no other code for it, and the clients' codes tell.
///
/// # Errors
/// [`DecodeError`] where a key package is none: a fault of whoever stored it.
pub fn respond(
    request: &KeyMaterialRequest,
    clients: Vec<(ClientUri, Offer)>,
) -> Result<KeyMaterialResponse, DecodeError> {
    let mut listed = Vec::with_capacity(clients.len());
    for (client_uri, offer) in clients {
        let status = match offer {
            Offer::KeyPackage(bytes) => ClientKeyStatus::Success(Box::new(KeyPackage::from_bytes(&bytes)?)),
            Offer::Exhausted => ClientKeyStatus::KeyMaterialExhausted,
            // draft-ietf-mimi-protocol-06 §5.2: "could be omitted for privacy reasons".
            Offer::Incompatible => ClientKeyStatus::NothingCompatible(None),
        };
        listed.push(ClientKeyMaterial { client_uri, status });
    }
    let given = listed.iter().filter(|client| is_success(client)).count();
    // draft-ietf-mimi-protocol-06 §5.2: every client, at least one, or none of them.
    let user_status = match given {
        0 => KeyMaterialUserCode::NoCompatibleMaterial,
        all if all == listed.len() => KeyMaterialUserCode::Success,
        _ => KeyMaterialUserCode::PartialSuccess,
    };
    Ok(KeyMaterialResponse {
        user_status,
        user_uri: request.target_user.clone(),
        clients: listed,
    })
}

/// Refuses a request. It lists no clients (draft-ietf-mimi-protocol-06 §5.2: "MUST NOT populate the `clients` list").
#[must_use]
pub fn refuse(request: &KeyMaterialRequest, why: Refusal) -> KeyMaterialResponse {
    let user_status = match why {
        Refusal::NoConsent => KeyMaterialUserCode::NoConsent,
        Refusal::NoConsentForThisRoom => KeyMaterialUserCode::NoConsentForThisRoom,
        Refusal::UserUnknown => KeyMaterialUserCode::UserUnknown,
        Refusal::UserDeleted => KeyMaterialUserCode::UserDeleted,
        Refusal::IncompatibleProtocol => KeyMaterialUserCode::IncompatibleProtocol,
    };
    KeyMaterialResponse {
        user_status,
        user_uri: request.target_user.clone(),
        clients: Vec::new(),
    }
}

/// The KeyPackageRefs an answer gives away, each with its client: what the target's provider and the hub keep so that
/// the Welcomes find their way.
///
/// # Errors
/// [`ResponseError::Suite`] for a key package whose suite's hash is not SHA-256; the answer must not be passed on.
pub fn references(response: &KeyMaterialResponse) -> Result<Vec<(Vec<u8>, ClientUri)>, ResponseError> {
    let mut list = Vec::new();
    for client in &response.clients {
        if let ClientKeyStatus::Success(package) = &client.status {
            let reference = super::reference(package).ok_or(ResponseError::Suite)?;
            list.push((reference.to_vec(), client.client_uri.clone()));
        }
    }
    Ok(list)
}

/// Checks the answer to `request` and gives its key packages, ready to be added, in its order; none where its code
/// refuses, which is an answer too.
///
/// Every one must be of the target user and of the client it is listed under, be of the kind asked for, be valid at
/// `at` and hold by itself ([`key_package::verify`]). One that is not refuses the whole answer: it names a fault of
/// the target's provider, which should have checked it when it was published.
///
/// # Errors
/// [`ResponseError`].
pub fn check_response(
    request: &KeyMaterialRequest,
    response: &KeyMaterialResponse,
    anchors: &TrustAnchors,
    at: Millis,
) -> Result<Vec<VerifiedKeyPackage>, ResponseError> {
    if response.user_uri != request.target_user {
        return Err(ResponseError::WrongUser);
    }
    let given = response
        .clients
        .iter()
        .filter(|client| is_success(client))
        .count();
    match response.user_status {
        KeyMaterialUserCode::Success if given == 0 || given < response.clients.len() => {
            return Err(ResponseError::Inconsistent);
        }
        KeyMaterialUserCode::PartialSuccess if given == 0 => return Err(ResponseError::Inconsistent),
        KeyMaterialUserCode::Success | KeyMaterialUserCode::PartialSuccess => {}
        _ => return Ok(Vec::new()),
    }
    let mut seen = BTreeSet::new();
    let mut packages = Vec::with_capacity(given);
    for client in &response.clients {
        if !seen.insert(&client.client_uri) {
            return Err(ResponseError::ClientTwice);
        }
        if let ClientKeyStatus::Success(package) = &client.status {
            packages.push(check_package(request, &client.client_uri, package, anchors, at)?);
        }
    }
    Ok(packages)
}

fn check_package(
    request: &KeyMaterialRequest,
    client: &ClientUri,
    package: &KeyPackage,
    anchors: &TrustAnchors,
    at: Millis,
) -> Result<VerifiedKeyPackage, ResponseError> {
    if !is_compatible(package, request) {
        return Err(ResponseError::NotCompatible);
    }
    // draft-ietf-mimi-protocol-06 §5.2: expired key material MUST NOT be provided.
    if !is_valid_at(package, at) {
        return Err(ResponseError::Expired);
    }
    let verified = key_package::verify(&package.to_bytes(), anchors, at).map_err(ResponseError::Mls)?;
    if verified.client.user() != &request.target_user || verified.client.client() != client {
        return Err(ResponseError::WrongClient);
    }
    Ok(verified)
}

fn is_success(client: &ClientKeyMaterial) -> bool {
    matches!(client.status, ClientKeyStatus::Success(_))
}

fn is_valid_at(package: &KeyPackage, at: Millis) -> bool {
    let seconds = at / 1000;
    match package.leaf_node.leaf_node_source {
        LeafNodeSource::KeyPackage(lifetime) => (lifetime.not_before..=lifetime.not_after).contains(&seconds),
        LeafNodeSource::Update | LeafNodeSource::Commit { .. } => false,
    }
}

fn is_compatible(package: &KeyPackage, request: &KeyMaterialRequest) -> bool {
    let capabilities = &package.leaf_node.capabilities;
    let RequiredCapabilities {
        extension_types,
        proposal_types,
        credential_types,
    } = &request.required_capabilities;
    package.version == ProtocolVersion::MLS10
        && request.acceptable_ciphersuites.contains(&package.cipher_suite)
        && extension_types
            .iter()
            .all(|it| it.is_grease() || is_default_extension(*it) || capabilities.extensions.contains(it))
        && proposal_types
            .iter()
            .all(|it| it.is_grease() || is_default_proposal(*it) || capabilities.proposals.contains(it))
        && credential_types
            .iter()
            .all(|it| it.is_grease() || has_credential(package, *it))
}

/// Extensions of RFC 9420 itself, which a client need not announce (RFC 9420 §7.2).
fn is_default_extension(extension: ExtensionType) -> bool {
    (ExtensionType::APPLICATION_ID..=ExtensionType::EXTERNAL_SENDERS).contains(&extension)
}

/// Proposals of RFC 9420 itself, which a client need not announce (RFC 9420 §7.2).
fn is_default_proposal(proposal: ProposalType) -> bool {
    (ProposalType::ADD..=ProposalType::GROUP_CONTEXT_EXTENSIONS).contains(&proposal)
}

fn has_credential(package: &KeyPackage, credential: CredentialType) -> bool {
    package.leaf_node.capabilities.credentials.contains(&credential)
}
