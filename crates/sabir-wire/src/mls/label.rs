//! What goes into signatures, encryptions and hashes, as bytes. No cryptography happens here.

use super::ComponentId;
use crate::codec::{Encode, put_opaque};

const PREFIX: &[u8] = b"MLS 1.0 ";

fn put_label(out: &mut Vec<u8>, label: &[u8]) {
    put_opaque(out, &[PREFIX, label].concat());
}

/// What `SignWithLabel` signs (RFC 9420 §5.1.2).
///
/// ```text
/// struct {
///     opaque label<V>; /* "MLS 1.0 " + Label */
///     opaque content<V>;
/// } SignContent;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignContent<'a> {
    /// Without the prefix: `FramedContentTBS`, `LeafNodeTBS`, `KeyPackageTBS`, `GroupInfoTBS` or an encoded
    /// [`ComponentOperationLabel`].
    pub label: &'a [u8],
    /// What is signed.
    pub content: &'a [u8],
}

impl Encode for SignContent<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_label(out, self.label);
        put_opaque(out, self.content);
    }
}

/// The `info` of `EncryptWithLabel` (RFC 9420 §5.1.3).
///
/// ```text
/// struct {
///     opaque label<V>; /* "MLS 1.0 " + Label */
///     opaque context<V>;
/// } EncryptContext;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptContext<'a> {
    /// Without the prefix.
    pub label: &'a [u8],
    /// What the encryption is bound to.
    pub context: &'a [u8],
}

impl Encode for EncryptContext<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_label(out, self.label);
        put_opaque(out, self.context);
    }
}

/// The `info` of `ExpandWithLabel` (RFC 9420 §8).
///
/// ```text
/// struct {
///     uint16 length;
///     opaque label<V>; /* "MLS 1.0 " + Label */
///     opaque context<V>;
/// } KDFLabel;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfLabel<'a> {
    /// Bytes wanted.
    pub length: u16,
    /// Without the prefix.
    pub label: &'a [u8],
    /// What the key is bound to.
    pub context: &'a [u8],
}

impl Encode for KdfLabel<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.length.encode(out);
        put_label(out, self.label);
        put_opaque(out, self.context);
    }
}

/// What a KeyPackageRef or ProposalRef is the hash of (RFC 9420 §5.2).
///
/// ```text
/// struct {
///     opaque label<V>;
///     opaque value<V>;
/// } RefHashInput;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefHashInput<'a> {
    /// [`RefHashInput::KEY_PACKAGE`] or [`RefHashInput::PROPOSAL`]; the prefix is part of it.
    pub label: &'a [u8],
    /// An encoded [`KeyPackage`](super::KeyPackage), or
    /// [`PublicMessage::authenticated_content`](super::PublicMessage::authenticated_content).
    pub value: &'a [u8],
}

impl<'a> RefHashInput<'a> {
    /// The label of `MakeKeyPackageRef`.
    pub const KEY_PACKAGE: &'static [u8] = b"MLS 1.0 KeyPackage Reference";
    /// The label of `MakeProposalRef`.
    pub const PROPOSAL: &'static [u8] = b"MLS 1.0 Proposal Reference";

    /// The input of `MakeKeyPackageRef`; `value` is an encoded KeyPackage.
    #[must_use]
    pub fn key_package(value: &'a [u8]) -> Self {
        Self {
            label: Self::KEY_PACKAGE,
            value,
        }
    }

    /// The input of `MakeProposalRef`; `value` is an encoded AuthenticatedContent.
    #[must_use]
    pub fn proposal(value: &'a [u8]) -> Self {
        Self {
            label: Self::PROPOSAL,
            value,
        }
    }
}

impl Encode for RefHashInput<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, self.label);
        put_opaque(out, self.value);
    }
}

/// A label for a component's own use of MLS keys (draft-ietf-mls-extensions §4.1).
///
/// ```text
/// struct {
///     opaque base_label<V>; /* = "MLS Component" */
///     ComponentID component_id;
///     opaque label<V>;
/// } ComponentOperationLabel;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComponentOperationLabel<'a> {
    /// Who performs the operation.
    pub component_id: ComponentId,
    /// Which operation.
    pub label: &'a [u8],
}

impl Encode for ComponentOperationLabel<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, b"MLS Component");
        self.component_id.encode(out);
        put_opaque(out, self.label);
    }
}
