use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque};
use crate::field;
use crate::mls::{CipherSuite, Credential, MAX_SIGNATURE, SignaturePublicKey};
use crate::uri::{RoomUri, UserUri};

/// A sender's commitment to its content (draft-ietf-mimi-protocol-06 §5.4.1), the data of component
/// [`FRANK_AAD`](crate::mls::ComponentId::FRANK_AAD) in a message's SafeAAD.
///
/// ```text
/// struct {
///   uint8 franking_tag[32];
/// } FrankAAD;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrankAad {
    /// HMAC-SHA-256 of the application data under the content's salt.
    pub franking_tag: [u8; 32],
}

impl Encode for FrankAad {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.franking_tag);
    }
}

impl Decode for FrankAad {
    const NAME: &'static str = "FrankAAD";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            franking_tag: r.array("franking_tag")?,
        })
    }
}

/// Whose franks count in a room (draft-ietf-mimi-protocol-06 §5.4.1), the data of component
/// [`FRANKING_AGENT`](crate::mls::ComponentId::FRANKING_AGENT), and in whole also its update.
///
/// ```text
/// struct {
///   SignaturePublicKey franking_signature_key;
///   Credential credential;
/// } FrankingAgentData;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrankingAgentData {
    /// Of the signature algorithm of the group's cipher suite.
    pub franking_signature_key: SignaturePublicKey,
    /// The hub's.
    pub credential: Credential,
}

impl Encode for FrankingAgentData {
    fn encode(&self, out: &mut Vec<u8>) {
        self.franking_signature_key.encode(out);
        self.credential.encode(out);
    }
}

impl Decode for FrankingAgentData {
    const NAME: &'static str = "FrankingAgentData";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            franking_signature_key: r.read_as("franking_signature_key")?,
            credential: r.read_as("credential")?,
        })
    }
}

/// A hub's stamp on a message (draft-ietf-mimi-protocol-06 §5.4).
///
/// ```text
/// struct {
///   uint8 server_frank[32];
///   CipherSuite franking_signature_ciphersuite;
///   opaque franking_integrity_signature<V>;
/// } Frank;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frank {
    /// HMAC-SHA-256 of [`ServerFrankingContext::frank_input`] under a key only the hub has.
    pub server_frank: [u8; 32],
    /// The group's suite when the message was accepted.
    pub franking_signature_ciphersuite: CipherSuite,
    /// Over [`FrankingIntegrityTbs`].
    pub franking_integrity_signature: Vec<u8>,
}

impl Encode for Frank {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.server_frank);
        self.franking_signature_ciphersuite.encode(out);
        put_opaque(out, &self.franking_integrity_signature);
    }
}

impl Decode for Frank {
    const NAME: &'static str = "Frank";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            server_frank: r.array("server_frank")?,
            franking_signature_ciphersuite: r.read_as("franking_signature_ciphersuite")?,
            franking_integrity_signature: field::bytes(r, "franking_integrity_signature", MAX_SIGNATURE)?,
        })
    }
}

/// What a hub says about a message it accepted (draft-ietf-mimi-protocol-06 §5.4.1.2).
///
/// ```text
/// struct {
///     IdentifierUri sender_uri;
///     IdentifierUri room_uri;
///     uint64 accepted_timestamp;
/// } ServerFrankingContext;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFrankingContext {
    /// Who sent it; the hub tells nobody but the sender.
    pub sender_uri: UserUri,
    /// Where.
    pub room_uri: RoomUri,
    /// When the hub accepted it, in milliseconds since 1970-01-01T00:00:00Z.
    pub accepted_timestamp: u64,
}

impl ServerFrankingContext {
    /// `franking_tag || context`: what `server_frank` is the HMAC of.
    #[must_use]
    pub fn frank_input(&self, franking_tag: &[u8; 32]) -> Vec<u8> {
        let mut out = franking_tag.to_vec();
        self.encode(&mut out);
        out
    }
}

impl Encode for ServerFrankingContext {
    fn encode(&self, out: &mut Vec<u8>) {
        self.sender_uri.encode(out);
        self.room_uri.encode(out);
        self.accepted_timestamp.encode(out);
    }
}

impl Decode for ServerFrankingContext {
    const NAME: &'static str = "ServerFrankingContext";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sender_uri: r.read_as("sender_uri")?,
            room_uri: r.read_as("room_uri")?,
            accepted_timestamp: r.u64("accepted_timestamp")?,
        })
    }
}

/// What a frank's signature covers (draft-ietf-mimi-protocol-06 §5.4.1.2).
///
/// ```text
/// struct {
///     opaque server_frank[32];
///     CipherSuite franking_signature_ciphersuite;
///     ServerFrankingContext context;
/// } FrankingIntegrityTBS;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrankingIntegrityTbs {
    /// As in [`Frank`].
    pub server_frank: [u8; 32],
    /// As in [`Frank`].
    pub franking_signature_ciphersuite: CipherSuite,
    /// As the receiver reconstructs it.
    pub context: ServerFrankingContext,
}

impl FrankingIntegrityTbs {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "FrankingIntegrityTBS";

    /// The bytes to sign.
    #[must_use]
    pub fn tbs(&self) -> Vec<u8> {
        self.to_bytes()
    }
}

impl Encode for FrankingIntegrityTbs {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.server_frank);
        self.franking_signature_ciphersuite.encode(out);
        self.context.encode(out);
    }
}
