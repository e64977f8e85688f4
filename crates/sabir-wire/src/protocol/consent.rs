use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_vec};
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::{AppDataDictionary, KeyPackage};
use crate::uri::{RoomUri, UserUri};

/// Bytes of a [`ConsentEntry`]: 50 clients with KeyPackages of 20 KiB, as post-quantum suites make them.
pub const MAX_CONSENT: usize = 1 << 20;

enumeration! {
    /// What is done about consent (draft-ietf-mimi-protocol-06 §5.7). The first two belong to `requestConsent`,
    /// the others to `updateConsent`.
    ///
    /// ```text
    /// enum {
    ///   cancel(0),
    ///   request(1),
    ///   grant(2),
    ///   revoke(3),
    ///   (255)
    /// } ConsentOperation;
    /// ```
    ConsentOperation, "ConsentOperation" {
        /// Takes a request back.
        Cancel = 0;
        /// Asks for consent.
        Request = 1;
        /// Gives consent.
        Grant = 2;
        /// Refuses or withdraws consent.
        Revoke = 3;
    }
}

impl ConsentOperation {
    /// Whether it belongs to the endpoint `requestConsent`, and not to `updateConsent`.
    #[must_use]
    pub fn is_request(self) -> bool {
        matches!(self, Self::Cancel | Self::Request)
    }
}

/// Who may fetch whose KeyPackages, and where (draft-ietf-mimi-protocol-06 §5.7).
///
/// ```text
/// struct {
///   IdentifierUri requesterUri;
///   IdentifierUri targetUri;
///   optional<IdentifierUri> roomId;
/// } ConsentScope;
/// ```
///
/// The draft prints the undefined type `RoomId`: it is read as the `IdentifierUri` of a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsentScope {
    /// Who wants to fetch.
    pub requester_uri: UserUri,
    /// Whose KeyPackages.
    pub target_uri: UserUri,
    /// This room only, or any.
    pub room_id: Option<RoomUri>,
}

impl Encode for ConsentScope {
    fn encode(&self, out: &mut Vec<u8>) {
        self.requester_uri.encode(out);
        self.target_uri.encode(out);
        put_optional(out, self.room_id.as_ref());
    }
}

impl Decode for ConsentScope {
    const NAME: &'static str = "ConsentScope";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            requester_uri: r.read_as("requesterUri")?,
            target_uri: r.read_as("targetUri")?,
            room_id: r.optional("roomId")?,
        })
    }
}

/// One act of consent (draft-ietf-mimi-protocol-06 §5.7).
///
/// ```text
/// struct {
///   ConsentOperation consentOperation;
///   IdentifierUri requesterUri;
///   IdentifierUri targetUri;
///   optional<IdentifierUri> roomId;
///   select (consentOperation) {
///       case grant:
///           KeyPackage clientKeyPackages<V>;
///   };
///   AppDataDictionary consent_extensions;
/// } ConsentEntry;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentEntry {
    /// What is done.
    pub operation: ConsentOperation,
    /// About what.
    pub scope: ConsentScope,
    /// Of the target's clients, in a grant; empty in everything else.
    pub client_key_packages: Vec<KeyPackage>,
    /// Extension point.
    pub consent_extensions: AppDataDictionary,
}

impl Encode for ConsentEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.operation.encode(out);
        self.scope.encode(out);
        if self.operation == ConsentOperation::Grant {
            put_vec(out, &self.client_key_packages);
        }
        self.consent_extensions.encode(out);
    }
}

impl Decode for ConsentEntry {
    const NAME: &'static str = "ConsentEntry";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let operation = r.read_as("consentOperation")?;
        let scope: ConsentScope = r.read_as("scope")?;
        let client_key_packages = match operation {
            ConsentOperation::Grant => r.list("clientKeyPackages", MAX_CONSENT)?,
            _ => Vec::new(),
        };
        Ok(Self {
            operation,
            scope,
            client_key_packages,
            consent_extensions: r.read_as("consent_extensions")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_CONSENT)
    }
}
