//! Who a leaf is: certificates and credentials of providers, persons and devices.
//!
//! ```text
//! provider identity CA    self-signed, dNSName a.example                 pinned (TrustAnchors)
//!   ├─ server             URI mimi://a.example                           external_senders, franking_agent
//!   └─ user               URI mimi://a.example/u/alice, path length 0    ┐ a leaf's credential,
//!        └─ device        URIs mimi://a.example/d/…, …/u/alice           ┘ [device, user]
//! ```
//!
//! The drafts leave the binding of client to user to provider open; this is ours. The provider attests persons, a
//! person's identity key attests devices: a provider can add nobody's device under a key that contacts know.
//! Everything is Ed25519.
//!
//! Invariant: a [`VerifiedClient`] exists only after every rule below held. Bytes become a [`ClientCredential`]
//! (shape checked) and that becomes a [`VerifiedClient`] (chain checked). No clock and no randomness are read
//! here: times are milliseconds since the Unix epoch, and [`Freshness::Ignored`] judges a leaf that is already
//! in a tree, which no expiry removes.
//!
//! # Defects
//! Each is refused with a [`CredentialError`] of this [`id`](CredentialError::id); the tests build every one.
//!
//! | id | what is wrong |
//! |---|---|
//! | `credential_encoding` | the vector of certificates is cut short or a length is not in its shortest form |
//! | `credential_type` | a credential of another type than x509 |
//! | `oversized` | a certificate over [`MAX_CERTIFICATE_LEN`] or a credential over [`MAX_CREDENTIAL_LEN`] |
//! | `certificate_count` | not two certificates for a client (an intermediate among them), not one for a server |
//! | `malformed` | not an X.509 certificate in DER, or an extension that does not parse exactly |
//! | `trailing_data` | bytes after the certificate or inside its unsigned wrapping |
//! | `version` | not X.509 version 3 |
//! | `duplicate_extension` | an extension twice |
//! | `unknown_critical_extension` | a critical extension other than the four used here |
//! | `key_algorithm` | a certified key that is not Ed25519 |
//! | `signature_algorithm` | a signature that is not Ed25519 |
//! | `validity_empty` | `notBefore` after `notAfter` |
//! | `name_missing`, `name_extra` | fewer or more alternative names than the role has |
//! | `name_kind` | an alternative name that is not a URI (provider: not a dNSName) |
//! | `name_invalid` | a name that is not canonical, or not the kind of identifier due in its place |
//! | `not_issuer` | a provider or user certificate without `cA` |
//! | `is_issuer` | a device or server certificate with `cA` |
//! | `path_length` | user: not 0; provider: 0; device, server: any |
//! | `key_usage` | issuers need keyCertSign; devices and servers digitalSignature without keyCertSign |
//! | `recovery_commitment` | a user certificate without a 32-byte commitment |
//! | `recovery_proof` | a proof of recovery that is not 96 bytes, not signed by the recovery key over this user, identity key and commitment, or for the same recovery key again |
//! | `user_mismatch` | the device certificate's user is not the user certificate's |
//! | `authority_mismatch` | client and user, CA and domain, or server and domain differ in their authority |
//! | `unknown_provider` | no CA is pinned for the user's domain |
//! | `issuer_name` | the issuer field is not the subject of the certificate above |
//! | `bad_signature` | the device is not signed by the user's key, or the user or server not by a pinned CA |
//! | `leaf_key_mismatch` | the leaf's signature key is not the certified one |
//! | `not_yet_valid`, `expired` | a certificate of the chain, CA included, is not valid at the judged time |
//! | `rotation_key_mismatch` | a rotation certificate for another key than the new CA's |
//! | `too_many_authorities` | a ninth CA for a domain |
//! | `continuity_broken` | another client, user or identity key than the leaf had ([`continues`]) |

mod anchors;
mod cache;
mod certificate;
mod credential;
mod error;
mod issue;
mod key;
mod recovery;
mod server;
mod verified;

pub use anchors::{CaCertificate, MAX_CAS_PER_DOMAIN, TrustAnchors};
pub use cache::IssuerCache;
pub use certificate::MAX_CERTIFICATE_LEN;
pub use credential::{ClientCredential, MAX_CREDENTIAL_LEN};
pub use error::{CredentialError, IssueError, Role};
pub use issue::{BACKDATE_MS, CA_LIFETIME_MS, IdentityKey, Period, ProviderCa};
pub use recovery::prove_recovery;
pub use server::{ServerCredential, VerifiedServer};
pub use verified::{Identity, VerifiedClient, continues};

/// Whether and at which time the validity of certificates is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// At this time, in milliseconds since the Unix epoch: for every new leaf, at the hub's accepted timestamp.
    At(u64),
    /// Not at all: for a leaf that is in a tree already.
    Ignored,
}
