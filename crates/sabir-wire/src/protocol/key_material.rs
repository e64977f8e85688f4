use super::Protocol;
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_optional, put_vec};
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::{
    Capabilities, CipherSuite, Credential, KeyPackage, MAX_CODE_POINTS, MAX_SIGNATURE, RequiredCapabilities,
    SignaturePublicKey,
};
use crate::uri::{ClientUri, RoomUri, UserUri, put_or_empty, read_or_empty};

/// Bytes of a [`KeyMaterialRequest`]: a credential of at most 64 KiB and small lists.
pub const MAX_KEY_MATERIAL_REQUEST: usize = 128 << 10;

/// Bytes of a [`KeyMaterialResponse`]: 200 clients with KeyPackages of 20 KiB, as post-quantum suites make them.
pub const MAX_KEY_MATERIAL_RESPONSE: usize = 4 << 20;

/// A request for one KeyPackage of each client of a user (draft-ietf-mimi-protocol-06 §5.2).
///
/// ```text
/// struct {
///     Protocol protocol;
///     IdentifierUri requestingUser;
///     IdentifierUri targetUser;
///     IdentifierUri roomId;
///     select (protocol) {
///         case mls10:
///             CipherSuite acceptableCiphersuites<V>;
///             RequiredCapabilities requiredCapabilities;
///             SignaturePublicKey requesterSignatureKey;
///             Credential requesterCredential;
///             /* SignWithLabel(requesterSignatureKey,              */
///             /*   "KeyMaterialRequestTBS", KeyMaterialRequestTBS) */
///             opaque key_material_request_signature<V>;
///     };
/// } KeyMaterialRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMaterialRequest {
    /// Who asks.
    pub requesting_user: UserUri,
    /// Whose KeyPackages.
    pub target_user: UserUri,
    /// The room they are for. The draft demands it only "in the context of adding the target user to a room",
    /// so an empty field is read as none.
    pub room_id: Option<RoomUri>,
    /// Not empty; at most [`MAX_CODE_POINTS`] bytes.
    pub acceptable_ciphersuites: Vec<CipherSuite>,
    /// What each KeyPackage must support.
    pub required_capabilities: RequiredCapabilities,
    /// Verifies the signature.
    pub requester_signature_key: SignaturePublicKey,
    /// Of the asking client.
    pub requester_credential: Credential,
    /// Over [`KeyMaterialRequest::tbs`].
    pub key_material_request_signature: Vec<u8>,
}

impl KeyMaterialRequest {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "KeyMaterialRequestTBS";

    /// `KeyMaterialRequestTBS`: the request without its signature.
    #[must_use]
    pub fn tbs(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_tbs(&mut out);
        out
    }

    fn encode_tbs(&self, out: &mut Vec<u8>) {
        Protocol::Mls10.encode(out);
        self.requesting_user.encode(out);
        self.target_user.encode(out);
        put_or_empty(out, self.room_id.as_ref());
        put_vec(out, &self.acceptable_ciphersuites);
        self.required_capabilities.encode(out);
        self.requester_signature_key.encode(out);
        self.requester_credential.encode(out);
    }
}

impl Encode for KeyMaterialRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_tbs(out);
        put_opaque(out, &self.key_material_request_signature);
    }
}

impl Decode for KeyMaterialRequest {
    const NAME: &'static str = "KeyMaterialRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.read_as::<Protocol>("protocol")?;
        Ok(Self {
            requesting_user: r.read_as("requestingUser")?,
            target_user: r.read_as("targetUser")?,
            room_id: read_or_empty(r, "roomId")?,
            acceptable_ciphersuites: ciphersuites(r)?,
            required_capabilities: r.read_as("requiredCapabilities")?,
            requester_signature_key: r.read_as("requesterSignatureKey")?,
            requester_credential: r.read_as("requesterCredential")?,
            key_material_request_signature: field::bytes(r, "key_material_request_signature", MAX_SIGNATURE)?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_KEY_MATERIAL_REQUEST)
    }
}

fn ciphersuites(r: &mut Reader<'_>) -> Result<Vec<CipherSuite>, DecodeError> {
    let at = r.offset();
    let list: Vec<CipherSuite> = r.list("acceptableCiphersuites", MAX_CODE_POINTS)?;
    if list.is_empty() {
        // draft-ietf-mimi-protocol-06 §5.2: "a non-empty list of acceptable MLS ciphersuites".
        return Err(r.error_at(at, "acceptableCiphersuites", DecodeErrorKind::TooShort { min: 1 }));
    }
    Ok(list)
}

enumeration! {
    /// What became of a [`KeyMaterialRequest`] as a whole (draft-ietf-mimi-protocol-06 §5.2).
    ///
    /// ```text
    /// enum {
    ///     success(0),
    ///     partialSuccess(1),
    ///     incompatibleProtocol(2),
    ///     noCompatibleMaterial(3),
    ///     userUnknown(4),
    ///     noConsent(5),
    ///     noConsentForThisRoom(6),
    ///     userDeleted(7),
    ///     (255)
    /// } KeyMaterialUserCode;
    /// ```
    KeyMaterialUserCode, "KeyMaterialUserCode" {
        /// A KeyPackage of every client.
        Success = 0;
        /// A KeyPackage of at least one client.
        PartialSuccess = 1;
        /// The protocol is not supported.
        IncompatibleProtocol = 2;
        /// No client has what is required.
        NoCompatibleMaterial = 3;
        /// Nobody of that name.
        UserUnknown = 4;
        /// The user has not agreed; also the answer that hides every other one.
        NoConsent = 5;
        /// The user has not agreed to this room.
        NoConsentForThisRoom = 6;
        /// There was such a user.
        UserDeleted = 7;
    }
}

enumeration! {
    /// What one client gave (draft-ietf-mimi-protocol-06 §5.2).
    ///
    /// ```text
    /// enum {
    ///     success(0),
    ///     keyMaterialExhausted(1),
    ///     nothingCompatible(2),
    ///     (255)
    /// } KeyMaterialClientCode;
    /// ```
    KeyMaterialClientCode, "KeyMaterialClientCode" {
        /// A KeyPackage.
        Success = 0;
        /// All were given away.
        KeyMaterialExhausted = 1;
        /// None has what is required.
        NothingCompatible = 2;
    }
}

/// The answer of one client (draft-ietf-mimi-protocol-06 §5.2).
///
/// ```text
/// struct {
///     KeyMaterialClientCode clientStatus;
///     IdentifierUri clientUri;
///     select (protocol) {
///         case mls10:
///             select (clientStatus) {
///                 case success:
///                     KeyPackage keyPackage;
///                 case nothingCompatible:
///                     optional<Capabilities> clientCapabilities;
///             };
///     };
/// } ClientKeyMaterial;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeyMaterial {
    /// Which client.
    pub client_uri: ClientUri,
    /// What it gave.
    pub status: ClientKeyStatus,
}

/// The part of [`ClientKeyMaterial`] that depends on its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKeyStatus {
    /// A KeyPackage for this request alone.
    Success(Box<KeyPackage>),
    /// All were given away.
    KeyMaterialExhausted,
    /// None has what is required; what the client can do may be told.
    NothingCompatible(Option<Capabilities>),
}

impl ClientKeyMaterial {
    /// The code alone.
    #[must_use]
    pub fn client_status(&self) -> KeyMaterialClientCode {
        match self.status {
            ClientKeyStatus::Success(_) => KeyMaterialClientCode::Success,
            ClientKeyStatus::KeyMaterialExhausted => KeyMaterialClientCode::KeyMaterialExhausted,
            ClientKeyStatus::NothingCompatible(_) => KeyMaterialClientCode::NothingCompatible,
        }
    }
}

impl Encode for ClientKeyMaterial {
    fn encode(&self, out: &mut Vec<u8>) {
        self.client_status().encode(out);
        self.client_uri.encode(out);
        match &self.status {
            ClientKeyStatus::Success(key_package) => key_package.encode(out),
            ClientKeyStatus::KeyMaterialExhausted => {}
            ClientKeyStatus::NothingCompatible(capabilities) => put_optional(out, capabilities.as_ref()),
        }
    }
}

impl Decode for ClientKeyMaterial {
    const NAME: &'static str = "ClientKeyMaterial";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = r.read_as("clientStatus")?;
        let client_uri = r.read_as("clientUri")?;
        let status = match code {
            KeyMaterialClientCode::Success => ClientKeyStatus::Success(Box::new(r.read_as("keyPackage")?)),
            KeyMaterialClientCode::KeyMaterialExhausted => ClientKeyStatus::KeyMaterialExhausted,
            KeyMaterialClientCode::NothingCompatible => {
                ClientKeyStatus::NothingCompatible(r.optional("clientCapabilities")?)
            }
        };
        Ok(Self { client_uri, status })
    }
}

/// The answer to a [`KeyMaterialRequest`] (draft-ietf-mimi-protocol-06 §5.2).
///
/// ```text
/// struct {
///     Protocol protocol;
///     KeyMaterialUserCode userStatus;
///     IdentifierUri userUri;
///     ClientKeyMaterial clients<V>;
/// } KeyMaterialResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMaterialResponse {
    /// The outcome as a whole.
    pub user_status: KeyMaterialUserCode,
    /// The user whose clients these are.
    pub user_uri: UserUri,
    /// Empty unless `user_status` is `success`, `partialSuccess` or `noCompatibleMaterial`.
    pub clients: Vec<ClientKeyMaterial>,
}

impl Encode for KeyMaterialResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        Protocol::Mls10.encode(out);
        self.user_status.encode(out);
        self.user_uri.encode(out);
        put_vec(out, &self.clients);
    }
}

impl Decode for KeyMaterialResponse {
    const NAME: &'static str = "KeyMaterialResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        use KeyMaterialUserCode as Code;
        r.read_as::<Protocol>("protocol")?;
        let user_status = r.read_as("userStatus")?;
        let user_uri = r.read_as("userUri")?;
        let at = r.offset();
        let clients: Vec<_> = r.list("clients", MAX_KEY_MATERIAL_RESPONSE)?;
        // draft-ietf-mimi-protocol-06 §5.2: "For any other user code, the provider MUST NOT populate".
        if !clients.is_empty()
            && !matches!(
                user_status,
                Code::Success | Code::PartialSuccess | Code::NoCompatibleMaterial
            )
        {
            return Err(r.error_at(at, "clients", DecodeErrorKind::Invalid("clients after a refusal")));
        }
        Ok(Self {
            user_status,
            user_uri,
            clients,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_KEY_MATERIAL_RESPONSE)
    }
}
