use super::{CredentialType, MAX_CERTIFICATES, MAX_CREDENTIAL};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};

/// Who a client says it is (RFC 9420 §5.3).
///
/// ```text
/// struct {
///     opaque cert_data<V>;
/// } Certificate;
///
/// struct {
///     CredentialType credential_type;
///     select (Credential.credential_type) {
///         case basic:
///             opaque identity<V>;
///         case x509:
///             Certificate certificates<V>;
///     };
/// } Credential;
/// ```
///
/// A type not known here must be one `opaque<V>`, which holds for every type defined so far; nothing else
/// would have a findable end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A bare identity, at most [`MAX_CREDENTIAL`] bytes.
    Basic {
        /// What the application calls the client.
        identity: Vec<u8>,
    },
    /// A chain of at most [`MAX_CERTIFICATES`] certificates and [`MAX_CREDENTIAL`] bytes, the client's first.
    X509 {
        /// Each certificate in DER.
        certificates: Vec<Vec<u8>>,
    },
    /// A credential of another type.
    Other {
        /// Neither [`CredentialType::BASIC`] nor [`CredentialType::X509`].
        credential_type: CredentialType,
        /// At most [`MAX_CREDENTIAL`] bytes.
        content: Vec<u8>,
    },
}

impl Credential {
    /// The type written first.
    #[must_use]
    pub fn credential_type(&self) -> CredentialType {
        match self {
            Self::Basic { .. } => CredentialType::BASIC,
            Self::X509 { .. } => CredentialType::X509,
            Self::Other { credential_type, .. } => *credential_type,
        }
    }
}

impl Encode for Credential {
    fn encode(&self, out: &mut Vec<u8>) {
        self.credential_type().encode(out);
        match self {
            Self::Basic { identity } => put_opaque(out, identity),
            Self::X509 { certificates } => {
                let mut chain = Vec::new();
                for certificate in certificates {
                    put_opaque(&mut chain, certificate);
                }
                put_opaque(out, &chain);
            }
            Self::Other { content, .. } => put_opaque(out, content),
        }
    }
}

impl Decode for Credential {
    const NAME: &'static str = "Credential";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.read_as("credential_type")? {
            CredentialType::BASIC => Ok(Self::Basic {
                identity: r.opaque("identity", MAX_CREDENTIAL)?.to_vec(),
            }),
            CredentialType::X509 => {
                let mut chain = r.nested("certificates", MAX_CREDENTIAL)?;
                let mut certificates = Vec::new();
                while !chain.is_empty() {
                    if certificates.len() >= MAX_CERTIFICATES {
                        let kind = DecodeErrorKind::TooLong {
                            max: MAX_CERTIFICATES,
                        };
                        return Err(chain.error("certificates", kind));
                    }
                    certificates.push(chain.opaque("cert_data", MAX_CREDENTIAL)?.to_vec());
                }
                Ok(Self::X509 { certificates })
            }
            credential_type => {
                let content = r.opaque("content", MAX_CREDENTIAL)?.to_vec();
                Ok(Self::Other {
                    credential_type,
                    content,
                })
            }
        }
    }
}
