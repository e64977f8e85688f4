#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod interop;
mod meaning;
mod vectors;

use super::*;
use crate::codec::{Decode, DecodeError, Encode};

/// A structure's name, and decoding one and encoding it again.
type Structure = (&'static str, fn(&[u8]) -> Result<Vec<u8>, DecodeError>);

fn again<T: Decode + Encode>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    T::from_bytes(bytes).map(|value| value.to_bytes())
}

fn entry<T: Decode + Encode>() -> Structure {
    (T::NAME, again::<T>)
}

/// Every structure of this module.
fn structures() -> Vec<Structure> {
    vec![
        entry::<ProtocolVersion>(),
        entry::<CipherSuite>(),
        entry::<WireFormat>(),
        entry::<ExtensionType>(),
        entry::<ProposalType>(),
        entry::<CredentialType>(),
        entry::<ComponentId>(),
        entry::<SignaturePublicKey>(),
        entry::<HpkePublicKey>(),
        entry::<HpkeCiphertext>(),
        entry::<Credential>(),
        entry::<Capabilities>(),
        entry::<RequiredCapabilities>(),
        entry::<Lifetime>(),
        entry::<Extension>(),
        entry::<ExternalSender>(),
        entry::<ExternalSenders>(),
        entry::<LeafNode>(),
        entry::<KeyPackage>(),
        entry::<ParentNode>(),
        entry::<Node>(),
        entry::<RatchetTree>(),
        entry::<GroupContext>(),
        entry::<GroupInfo>(),
        entry::<EncryptedGroupSecrets>(),
        entry::<Welcome>(),
        entry::<ResumptionPskUsage>(),
        entry::<PreSharedKeyId>(),
        entry::<ReInit>(),
        entry::<Proposal>(),
        entry::<ProposalOrRef>(),
        entry::<UpdatePathNode>(),
        entry::<UpdatePath>(),
        entry::<Commit>(),
        entry::<ContentType>(),
        entry::<Sender>(),
        entry::<FramedContent>(),
        entry::<PublicMessage>(),
        entry::<PrivateMessage>(),
        entry::<MlsMessage>(),
        entry::<ComponentData>(),
        entry::<AppEphemeral>(),
        entry::<SafeAadItem>(),
        entry::<AppDataDictionary>(),
        entry::<AppDataUpdate>(),
        entry::<SafeAad>(),
        entry::<ComponentsList>(),
        entry::<WireFormats>(),
    ]
}

/// Decodes `bytes` as the structure called `name` and encodes it again.
fn decode_again(name: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let (_, again) = structures()
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect(name);
    again(bytes)
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "half a byte in {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
