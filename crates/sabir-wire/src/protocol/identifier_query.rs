use super::MAX_SMALL_RESPONSE;
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::AppDataDictionary;
use crate::uri::UserUri;

/// Bytes of an [`IdentifierRequest`]: a few names.
pub const MAX_IDENTIFIER_REQUEST: usize = 64 << 10;

/// Bytes of an [`IdentifierResponse`]: some hundred profiles.
pub const MAX_IDENTIFIER_RESPONSE: usize = MAX_SMALL_RESPONSE;

const MAX_NAME: usize = 255;
const MAX_VALUE: usize = 8 << 10;

enumeration! {
    /// What is searched for (draft-ietf-mimi-protocol-06 §5.8).
    ///
    /// ```text
    /// enum {
    ///   reserved(0),
    ///   handle(1),
    ///   nick(2),
    ///   email(3),
    ///   phone(4),
    ///   partialName(5),
    ///   wholeProfile(6),
    ///   oidcStdClaim(7),
    ///   vcardField(8),
    ///   (255)
    /// } SearchIdentifierType;
    /// ```
    SearchIdentifierType, "SearchIdentifierType" {
        /// A whole handle, exactly.
        Handle = 1;
        /// A nickname or the user part of a handle, exactly.
        Nick = 2;
        /// An e-mail address, exactly.
        Email = 3;
        /// A telephone number in international form, exactly.
        Phone = 4;
        /// A part of any name, in any case.
        PartialName = 5;
        /// A part of any field that may be searched.
        WholeProfile = 6;
        /// A claim of OpenID Connect, exactly.
        OidcStdClaim = 7;
        /// A property of vCard, exactly.
        VcardField = 8;
    }
}

/// One condition of a search (draft-ietf-mimi-protocol-06 §5.8).
///
/// ```text
/// struct {
///   SearchIdentifierType searchType;
///   select (searchType) {
///     case oidcStdClaim:
///       opaque claimName<V>;
///     case vcardField:
///       opaque propertyName<V>;
///   };
///   opaque searchValue<V>;  /* a UTF8 string */
/// } QueryElement;
/// ```
///
/// The draft selects by `type`, a field it calls `searchType`: they are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryElement {
    /// What is searched for.
    pub search_type: SearchIdentifierType,
    /// The claim or property; empty for every other type. At most 255 bytes.
    pub name: String,
    /// Its value; at most 8 KiB.
    pub search_value: String,
}

impl QueryElement {
    fn is_named(search_type: SearchIdentifierType) -> bool {
        matches!(
            search_type,
            SearchIdentifierType::OidcStdClaim | SearchIdentifierType::VcardField
        )
    }
}

impl Encode for QueryElement {
    fn encode(&self, out: &mut Vec<u8>) {
        self.search_type.encode(out);
        if Self::is_named(self.search_type) {
            field::put_text(out, &self.name);
        }
        field::put_text(out, &self.search_value);
    }
}

impl Decode for QueryElement {
    const NAME: &'static str = "QueryElement";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let search_type = r.read_as("searchType")?;
        let name = match search_type {
            SearchIdentifierType::OidcStdClaim => field::text(r, "claimName", MAX_NAME)?,
            SearchIdentifierType::VcardField => field::text(r, "propertyName", MAX_NAME)?,
            _ => String::new(),
        };
        Ok(Self {
            search_type,
            name,
            search_value: field::text(r, "searchValue", MAX_VALUE)?,
        })
    }
}

/// A search for people (draft-ietf-mimi-protocol-06 §5.8).
///
/// ```text
/// struct {
///   QueryElement query_elements<V>;
///   AppDataDictionary id_request_extensions;
/// } IdentifierRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierRequest {
    /// All must match.
    pub query_elements: Vec<QueryElement>,
    /// Extension point.
    pub id_request_extensions: AppDataDictionary,
}

impl Encode for IdentifierRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.query_elements);
        self.id_request_extensions.encode(out);
    }
}

impl Decode for IdentifierRequest {
    const NAME: &'static str = "IdentifierRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            query_elements: r.list("query_elements", MAX_IDENTIFIER_REQUEST)?,
            id_request_extensions: r.read_as("id_request_extensions")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_IDENTIFIER_REQUEST)
    }
}

enumeration! {
    /// What became of an [`IdentifierRequest`] (draft-ietf-mimi-protocol-06 §5.8).
    ///
    /// ```text
    /// enum {
    ///   success(0),
    ///   notFound(1),
    ///   ambiguous(2),
    ///   forbidden(3),
    ///   unsupportedField(4),
    ///   (255)
    /// } IdentifierQueryCode;
    /// ```
    IdentifierQueryCode, "IdentifierQueryCode" {
        /// At least one match.
        Success = 0;
        /// No match.
        NotFound = 1;
        /// The provider answers exact matches only.
        Ambiguous = 2;
        /// Not allowed, at all or with these fields.
        Forbidden = 3;
        /// A field cannot be searched.
        UnsupportedField = 4;
    }
}

enumeration! {
    /// Where a field of a profile is defined (draft-ietf-mimi-protocol-06 §5.8).
    ///
    /// ```text
    /// enum {
    ///   reserved(0),
    ///   oidcStdClaim(7),
    ///   vcardField(8),
    ///   (255)
    /// } FieldSource;
    /// ```
    FieldSource, "FieldSource" {
        /// By OpenID Connect.
        OidcStdClaim = 7;
        /// By vCard.
        VcardField = 8;
    }
}

/// One field of a profile (draft-ietf-mimi-protocol-06 §5.8).
///
/// ```text
/// struct {
///   FieldSource fieldSource;
///   string fieldName;
///   opaque fieldValue<V>;
/// } ProfileField;
/// ```
///
/// `string` is not a type of the language: it is read as `opaque fieldName<V>` in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileField {
    /// Where it is defined.
    pub field_source: FieldSource,
    /// Its name there; not empty, at most 255 bytes.
    pub field_name: String,
    /// At most 8 KiB.
    pub field_value: Vec<u8>,
}

impl Encode for ProfileField {
    fn encode(&self, out: &mut Vec<u8>) {
        self.field_source.encode(out);
        field::put_text(out, &self.field_name);
        put_opaque(out, &self.field_value);
    }
}

impl Decode for ProfileField {
    const NAME: &'static str = "ProfileField";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let field_source = r.read_as("fieldSource")?;
        let at = r.offset();
        let field_name = field::text(r, "fieldName", MAX_NAME)?;
        if field_name.is_empty() {
            return Err(r.error_at(at, "fieldName", DecodeErrorKind::TooShort { min: 1 }));
        }
        Ok(Self {
            field_source,
            field_name,
            field_value: field::bytes(r, "fieldValue", MAX_VALUE)?,
        })
    }
}

/// Somebody who was found (draft-ietf-mimi-protocol-06 §5.8).
///
/// ```text
/// struct {
///   IdentifierUri stableUri;
///   ProfileField fields<V>;
/// } UserProfile;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserProfile {
    /// Their identifier.
    pub stable_uri: UserUri,
    /// What they show of themselves.
    pub fields: Vec<ProfileField>,
}

impl Encode for UserProfile {
    fn encode(&self, out: &mut Vec<u8>) {
        self.stable_uri.encode(out);
        put_vec(out, &self.fields);
    }
}

impl Decode for UserProfile {
    const NAME: &'static str = "UserProfile";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            stable_uri: r.read_as("stableUri")?,
            fields: r.list("fields", MAX_IDENTIFIER_RESPONSE)?,
        })
    }
}

/// The answer to an [`IdentifierRequest`] (draft-ietf-mimi-protocol-06 §5.8).
///
/// ```text
/// struct {
///   IdentifierQueryCode responseCode;
///   IdentifierUri uri<V>;
///   UserProfile foundProfiles<V>;
///   AppDataDictionary id_response_extensions;
/// } IdentifierResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierResponse {
    /// The outcome.
    pub response_code: IdentifierQueryCode,
    /// Identifiers that match.
    pub uri: Vec<UserUri>,
    /// Profiles that match.
    pub found_profiles: Vec<UserProfile>,
    /// Extension point.
    pub id_response_extensions: AppDataDictionary,
}

impl Encode for IdentifierResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        self.response_code.encode(out);
        put_vec(out, &self.uri);
        put_vec(out, &self.found_profiles);
        self.id_response_extensions.encode(out);
    }
}

impl Decode for IdentifierResponse {
    const NAME: &'static str = "IdentifierResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            response_code: r.read_as("responseCode")?,
            uri: r.list("uri", MAX_IDENTIFIER_RESPONSE)?,
            found_profiles: r.list("foundProfiles", MAX_IDENTIFIER_RESPONSE)?,
            id_response_extensions: r.read_as("id_response_extensions")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_IDENTIFIER_RESPONSE)
    }
}
