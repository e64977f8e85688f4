use super::bounds::bounded_list;
use super::{CipherSuite, HpkeCiphertext, MAX_ID, MAX_MESSAGE, MAX_PROPOSALS};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};

/// One new member's part of a Welcome (RFC 9420 §12.4.3.1).
///
/// ```text
/// struct {
///     KeyPackageRef new_member;
///     HPKECiphertext encrypted_group_secrets;
/// } EncryptedGroupSecrets;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedGroupSecrets {
    /// The hash of the new member's KeyPackage, at most [`MAX_ID`] bytes.
    pub new_member: Vec<u8>,
    /// Encrypted to the KeyPackage's `init_key`.
    pub encrypted_group_secrets: HpkeCiphertext,
}

impl Encode for EncryptedGroupSecrets {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.new_member);
        self.encrypted_group_secrets.encode(out);
    }
}

impl Decode for EncryptedGroupSecrets {
    const NAME: &'static str = "EncryptedGroupSecrets";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            new_member: r.opaque("new_member", MAX_ID)?.to_vec(),
            encrypted_group_secrets: r.read_as("encrypted_group_secrets")?,
        })
    }
}

/// Lets those a commit added join (RFC 9420 §12.4.3.1).
///
/// ```text
/// struct {
///     CipherSuite cipher_suite;
///     EncryptedGroupSecrets secrets<V>;
///     opaque encrypted_group_info<V>;
/// } Welcome;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The group's cipher suite.
    pub cipher_suite: CipherSuite,
    /// One entry per new member, at most [`MAX_PROPOSALS`].
    pub secrets: Vec<EncryptedGroupSecrets>,
    /// A GroupInfo under a key from the group secrets, at most [`MAX_MESSAGE`] bytes.
    pub encrypted_group_info: Vec<u8>,
}

impl Welcome {
    /// The hashes of the KeyPackages it is for, in the order of the entries.
    pub fn new_members(&self) -> impl Iterator<Item = &[u8]> {
        self.secrets.iter().map(|entry| entry.new_member.as_slice())
    }
}

impl Encode for Welcome {
    fn encode(&self, out: &mut Vec<u8>) {
        self.cipher_suite.encode(out);
        put_vec(out, &self.secrets);
        put_opaque(out, &self.encrypted_group_info);
    }
}

impl Decode for Welcome {
    const NAME: &'static str = "Welcome";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            cipher_suite: r.read_as("cipher_suite")?,
            secrets: bounded_list(r, "secrets", MAX_MESSAGE, MAX_PROPOSALS)?,
            encrypted_group_info: r.opaque("encrypted_group_info", MAX_MESSAGE)?.to_vec(),
        })
    }
}
