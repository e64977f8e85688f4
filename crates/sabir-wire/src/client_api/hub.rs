use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::mls::{Credential, SignaturePublicKey};

/// Who the provider is as a hub: what a new room's `external_senders` and `franking_agent` must hold.
///
/// ```text
/// struct {
///     SignaturePublicKey key;
///     Credential credential;
/// } HubIdentity;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubIdentity {
    /// The key that the provider signs with as a hub.
    pub key: SignaturePublicKey,
    /// X.509: the server certificate of that key, alone.
    pub credential: Credential,
}

impl Encode for HubIdentity {
    fn encode(&self, out: &mut Vec<u8>) {
        self.key.encode(out);
        self.credential.encode(out);
    }
}

impl Decode for HubIdentity {
    const NAME: &'static str = "HubIdentity";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: r.read_as("key")?,
            credential: r.read_as("credential")?,
        })
    }
}
