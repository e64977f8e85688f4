use super::{CipherSuite, CredentialType, ExtensionType, MAX_CODE_POINTS, ProposalType, ProtocolVersion};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_vec};

/// What a client understands (RFC 9420 §7.2). Each list has at most [`MAX_CODE_POINTS`] bytes; order and
/// repetition are kept as they came.
///
/// ```text
/// struct {
///     ProtocolVersion versions<V>;
///     CipherSuite cipher_suites<V>;
///     ExtensionType extensions<V>;
///     ProposalType proposals<V>;
///     CredentialType credentials<V>;
/// } Capabilities;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Versions of MLS.
    pub versions: Vec<ProtocolVersion>,
    /// Cipher suites.
    pub cipher_suites: Vec<CipherSuite>,
    /// Extensions beyond those of RFC 9420.
    pub extensions: Vec<ExtensionType>,
    /// Proposals beyond those of RFC 9420.
    pub proposals: Vec<ProposalType>,
    /// Credentials.
    pub credentials: Vec<CredentialType>,
}

impl Encode for Capabilities {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.versions);
        put_vec(out, &self.cipher_suites);
        put_vec(out, &self.extensions);
        put_vec(out, &self.proposals);
        put_vec(out, &self.credentials);
    }
}

impl Decode for Capabilities {
    const NAME: &'static str = "Capabilities";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            versions: r.list("versions", MAX_CODE_POINTS)?,
            cipher_suites: r.list("cipher_suites", MAX_CODE_POINTS)?,
            extensions: r.list("extensions", MAX_CODE_POINTS)?,
            proposals: r.list("proposals", MAX_CODE_POINTS)?,
            credentials: r.list("credentials", MAX_CODE_POINTS)?,
        })
    }
}

/// What every member of a group must understand (RFC 9420 §11.1), the data of
/// [`ExtensionType::REQUIRED_CAPABILITIES`].
///
/// ```text
/// struct {
///     ExtensionType extension_types<V>;
///     ProposalType proposal_types<V>;
///     CredentialType credential_types<V>;
/// } RequiredCapabilities;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequiredCapabilities {
    /// Extensions beyond those of RFC 9420.
    pub extension_types: Vec<ExtensionType>,
    /// Proposals beyond those of RFC 9420.
    pub proposal_types: Vec<ProposalType>,
    /// Credentials.
    pub credential_types: Vec<CredentialType>,
}

impl Encode for RequiredCapabilities {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.extension_types);
        put_vec(out, &self.proposal_types);
        put_vec(out, &self.credential_types);
    }
}

impl Decode for RequiredCapabilities {
    const NAME: &'static str = "RequiredCapabilities";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            extension_types: r.list("extension_types", MAX_CODE_POINTS)?,
            proposal_types: r.list("proposal_types", MAX_CODE_POINTS)?,
            credential_types: r.list("credential_types", MAX_CODE_POINTS)?,
        })
    }
}

/// When a KeyPackage may be used (RFC 9420 §7.2), in seconds since 1970-01-01T00:00:00Z.
///
/// ```text
/// struct {
///     uint64 not_before;
///     uint64 not_after;
/// } Lifetime;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// First second.
    pub not_before: u64,
    /// Last second.
    pub not_after: u64,
}

impl Encode for Lifetime {
    fn encode(&self, out: &mut Vec<u8>) {
        self.not_before.encode(out);
        self.not_after.encode(out);
    }
}

impl Decode for Lifetime {
    const NAME: &'static str = "Lifetime";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            not_before: r.u64("not_before")?,
            not_after: r.u64("not_after")?,
        })
    }
}
