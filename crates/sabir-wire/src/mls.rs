//! The structures of MLS (RFC 9420) and of its extensions draft, as far as they travel in MIMI.
//!
//! MIMI puts MLS structures into its own without a length around them: `MLSMessage`, `Welcome`, `GroupInfo`,
//! `KeyPackage`, `Credential`, the ratchet tree. So this crate must know where each of them ends, and a hub
//! or a follower must read group, epoch, sender, proposals and leaves of plaintext handshakes.
//!
//! Invariant: bytes that decode encode to the same bytes. Decoding says that bytes have the form of a
//! structure within the [bounds](self#constants), and nothing about keys, signatures, membership or whether
//! proposals fit together; that is `sabir-mls`'s part. Extension data, component data and unknown proposals
//! and credentials stay opaque until somebody asks for them.
//!
//! * [`CipherSuite`], [`ExtensionType`], [`ProposalType`], [`ComponentId`] …: code points; unknown ones survive.
//! * [`MlsMessage`] → [`PublicMessage`] → [`FramedContent`] → [`Proposal`] or [`Commit`].
//! * [`KeyPackage`] → [`LeafNode`] → [`Credential`], [`Capabilities`]; [`RatchetTree`] of [`Node`].
//! * [`GroupContext`], [`GroupInfo`], [`Welcome`].
//! * [`AppDataDictionary`], [`AppDataUpdate`], [`SafeAad`], [`ComponentsList`]: draft-ietf-mls-extensions.
//! * [`SignContent`], [`EncryptContext`], [`RefHashInput`]: what is signed, encrypted or hashed, as bytes.

mod bounds;
mod capabilities;
mod codepoint;
mod commit;
mod component;
mod credential;
mod extension;
mod framing;
mod group;
mod key;
mod key_package;
mod label;
mod leaf_node;
mod message;
mod proposal;
mod psk;
#[cfg(test)]
mod tests;
mod tree;
mod welcome;

pub use bounds::*;
pub use capabilities::{Capabilities, Lifetime, RequiredCapabilities};
pub use codepoint::{
    CipherSuite, ComponentId, CredentialType, ExtensionType, ProposalType, ProtocolVersion, WireFormat,
};
pub use commit::{Commit, ProposalOrRef, UpdatePath, UpdatePathNode};
pub use component::{
    AppDataDictionary, AppDataUpdate, AppDataUpdateOperation, AppEphemeral, ComponentData, ComponentsList,
    SafeAad, SafeAadItem, WireFormats,
};
pub use credential::Credential;
pub use extension::{Extension, ExternalSender, ExternalSenders, decode_extension, find_extension};
pub use framing::{
    ContentType, FramedContent, FramedContentAuthData, FramedContentBody, PrivateMessage, PublicMessage,
    Sender,
};
pub use group::{GroupContext, GroupInfo};
pub use key::{HpkeCiphertext, HpkePublicKey, SignaturePublicKey};
pub use key_package::KeyPackage;
pub use label::{ComponentOperationLabel, EncryptContext, KdfLabel, RefHashInput, SignContent};
pub use leaf_node::{LeafNode, LeafNodeSource};
pub use message::MlsMessage;
pub use proposal::{Proposal, ReInit};
pub use psk::{PreSharedKeyId, Psk, ResumptionPskUsage};
pub use tree::{Node, ParentNode, RatchetTree};
pub use welcome::{EncryptedGroupSecrets, Welcome};
