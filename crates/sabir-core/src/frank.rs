//! Franking (draft-ietf-mimi-protocol-06 §5.4.1): the sender commits to a message, the hub stamps what it
//! could not read, receivers check both.

use sabir_mls::keys::{self, SigningKey};
use sabir_mls::suite;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::{CipherSuite, ComponentId};
use sabir_wire::protocol::{Frank, FrankAad, FrankingAgentData, FrankingIntegrityTbs, ServerFrankingContext};
use sabir_wire::uri::{RoomUri, UserUri};
use thiserror::Error;

use crate::Millis;

/// Label of the hub's signature.
const INTEGRITY_LABEL: &str = "FrankingIntegrityTBS";

/// The sender's commitment: HMAC-SHA256 of the application data under the content's salt.
#[must_use]
pub fn franking_tag(salt: &[u8; 16], application_data: &[u8]) -> [u8; 32] {
    keys::hmac_sha256(salt, application_data)
}

/// The SafeAAD item that carries the commitment.
#[must_use]
pub fn safe_aad_item(tag: [u8; 32]) -> (u16, Vec<u8>) {
    (
        ComponentId::FRANK_AAD.0,
        FrankAad { franking_tag: tag }.to_bytes(),
    )
}

/// What the hub needs to frank: its secret key and its signature key.
#[derive(Debug, Clone, Copy)]
pub struct Franker<'a> {
    /// The symmetric key by which the hub knows its own franks again.
    pub hub_key: &'a [u8; 32],
    /// The private half of the room's `franking_signature_key`.
    pub signing_key: &'a SigningKey,
    /// Cipher suite of the room's group.
    pub suite: u16,
}

impl Franker<'_> {
    /// Franks a message the hub accepted.
    ///
    /// # Errors
    /// Where the signature cannot be made; the message is then not accepted.
    pub fn frank(
        &self,
        tag: &[u8; 32],
        sender: &UserUri,
        room: &RoomUri,
        accepted: Millis,
    ) -> Result<Frank, keys::KeyError> {
        let context = context(sender, room, accepted);
        let server_frank = keys::hmac_sha256(self.hub_key, &context.frank_input(tag));
        let suite = CipherSuite(self.suite);
        let tbs = integrity(server_frank, suite, context);
        let signature = self.signing_key.sign_with_label(INTEGRITY_LABEL, &tbs)?;
        Ok(Frank {
            server_frank,
            franking_signature_ciphersuite: suite,
            franking_integrity_signature: signature,
        })
    }
}

/// Why a message is not franked as it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrankError {
    /// The message carries no frank, though its room franks.
    #[error("the message carries no frank")]
    Missing,
    /// The room has no franking agent.
    #[error("the room has no franking agent")]
    NoAgent,
    /// The frank's cipher suite is not the group's.
    #[error("the frank is of another cipher suite")]
    Suite,
    /// The commitment does not match the content.
    #[error("the franking tag does not match the content")]
    Tag,
    /// The content names another sender than the leaf's user.
    #[error("the content names another sender")]
    Sender,
    /// The content names another room.
    #[error("the content names another room")]
    Room,
    /// The hub's signature does not match.
    #[error("the hub's signature does not match")]
    Signature,
}

/// What a receiver knows about a decrypted message.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The application data, exactly as decrypted.
    pub application_data: &'a [u8],
    /// The same, decoded.
    pub content: &'a MimiContent,
    /// SafeAAD items, component and data.
    pub safe_aad: &'a [(u16, Vec<u8>)],
    /// User of the sender's leaf.
    pub sender: &'a UserUri,
    /// The room.
    pub room: &'a RoomUri,
    /// When the hub accepted it.
    pub accepted: Millis,
    /// The frank that came with it.
    pub frank: Option<&'a Frank>,
    /// Cipher suite of the group.
    pub suite: u16,
}

/// Checks a frank as a receiver. The agent is the one of the message's epoch.
///
/// # Errors
/// [`FrankError`] names what does not hold.
pub fn verify(message: Received<'_>, agent: Option<&FrankingAgentData>) -> Result<(), FrankError> {
    // The sender's claims bind sender and room whether or not the hub franked.
    if message.content.extensions.sender_uri() != Some(message.sender.as_str()) {
        return Err(FrankError::Sender);
    }
    if message.content.extensions.room_uri() != Some(message.room.as_str()) {
        return Err(FrankError::Room);
    }
    let item = message
        .safe_aad
        .iter()
        .find(|(component, _)| *component == ComponentId::FRANK_AAD.0);
    let tag = item
        .and_then(|(_, data)| FrankAad::from_bytes(data).ok())
        .ok_or(FrankError::Tag)?
        .franking_tag;
    if tag != franking_tag(&message.content.salt.0, message.application_data) {
        return Err(FrankError::Tag);
    }
    let agent = agent.ok_or(FrankError::NoAgent)?;
    let frank = message.frank.ok_or(FrankError::Missing)?;
    if frank.franking_signature_ciphersuite.0 != message.suite {
        return Err(FrankError::Suite);
    }
    let context = context(message.sender, message.room, message.accepted);
    let tbs = integrity(frank.server_frank, frank.franking_signature_ciphersuite, context);
    suite::verify_with_label(
        message.suite,
        &agent.franking_signature_key.0,
        INTEGRITY_LABEL,
        &tbs,
        &frank.franking_integrity_signature,
    )
    .map_err(|_| FrankError::Signature)
}

fn context(sender: &UserUri, room: &RoomUri, accepted: Millis) -> ServerFrankingContext {
    ServerFrankingContext {
        sender_uri: sender.clone(),
        room_uri: room.clone(),
        accepted_timestamp: accepted,
    }
}

fn integrity(server_frank: [u8; 32], suite: CipherSuite, context: ServerFrankingContext) -> Vec<u8> {
    FrankingIntegrityTbs {
        server_frank,
        franking_signature_ciphersuite: suite,
        context,
    }
    .to_bytes()
}
