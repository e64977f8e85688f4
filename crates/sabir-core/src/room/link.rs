//! Join links: what a person gives another, so that they come into a room by themselves.
//!
//! ```text
//!   the link: room + seed        the room's policy: SHA-256 of the public key, role, last moment, most uses
//!        |                                                     ^
//!        +-- key pair -- signs the way in, twice --------------+-- checked by hub and members
//!                          for the GroupInfo, and for the external commit that comes of it
//! ```
//!
//! The seed goes to nobody but whom the link is given to. What hub, followers and members see lets nobody in, so none of
//! them can pass it on; and the hub alone cannot let in somebody without a link, since members look at the signature
//! themselves. The hub counts, and looks at the clock.
//!
//! The draft leaves open what a link holds (draft-ietf-mimi-room-policy-03 §6.2) and how a code is shown to be right
//! (§8.1.1); what is here is ours. A link of another form is carried, and lets nobody in.

use rand_core::CryptoRng;
use sabir_mls::CommitFacts;
use sabir_mls::keys::{KeyError, SigningKey, sha256};
use sabir_mls::suite;
use sabir_wire::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};
use sabir_wire::policy::{CapabilityType, JoinLink};
use sabir_wire::uri::RoomUri;

use super::{BANNED, RoomState};
use crate::Millis;

/// Label under which a link's key signs a request for the GroupInfo.
pub const REQUEST_LABEL: &str = "SabirJoinLinkRequest";

/// Label under which a link's key signs the commit that comes in.
pub const COMMIT_LABEL: &str = "SabirJoinLinkCommit";

/// Bytes of a link's secret.
pub const SEED_LEN: usize = 32;

/// Bytes of a key or signature.
const MAX_FIELD: usize = 128;

/// What the room's policy says of a link.
///
/// ```text
/// struct {
///   opaque key_hash[32];     /* SHA-256 of the link's public key, Ed25519 */
///   uint32 role_index;       /* what who comes in becomes */
///   uint64 not_after;        /* milliseconds since the epoch; 0: no end */
///   uint32 uses;             /* at most so often; 0: no limit */
/// } SabirJoinLink;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkTerms {
    /// SHA-256 of the link's public key.
    pub key_hash: [u8; 32],
    /// Index of the role that it leads to.
    pub role: u32,
    /// The last moment at which it opens, in milliseconds since the epoch; 0 for no end.
    pub not_after: Millis,
    /// How many times it opens; 0 for no limit.
    pub uses: u32,
}

impl Encode for LinkTerms {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key_hash);
        self.role.encode(out);
        self.not_after.encode(out);
        self.uses.encode(out);
    }
}

impl Decode for LinkTerms {
    const NAME: &'static str = "SabirJoinLink";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key_hash: r.array("key_hash")?,
            role: r.u32("role_index")?,
            not_after: r.u64("not_after")?,
            uses: r.u32("uses")?,
        })
    }
}

impl LinkTerms {
    /// Reads an entry of the room's list; `None` where it is of another form.
    #[must_use]
    pub fn read(link: &JoinLink) -> Option<Self> {
        Self::from_bytes(&link.0).ok()
    }

    /// The entry of the room's list.
    #[must_use]
    pub fn to_link(&self) -> JoinLink {
        JoinLink(self.to_bytes())
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn is_over(&self, now: Millis) -> bool {
        self.not_after != 0 && now > self.not_after
    }
}

/// The links of a room that are of our form.
pub fn links(state: &RoomState) -> impl Iterator<Item = LinkTerms> {
    let links = state.features.join_links.iter().flat_map(|links| &links.0);
    links.filter_map(LinkTerms::read)
}

/// The secret half of a link. `Debug` shows its public half.
#[derive(Debug, Clone)]
pub struct LinkKey(SigningKey);

impl LinkKey {
    /// A fresh one.
    ///
    /// # Errors
    /// A fault of the library.
    pub fn generate(rng: &mut dyn CryptoRng) -> Result<Self, KeyError> {
        SigningKey::ed25519(rng).map(Self)
    }

    /// The key of a link's secret, [`SEED_LEN`] bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        SigningKey::ed25519_from_seed(seed).map(Self)
    }

    /// The secret.
    #[must_use]
    pub fn seed(&self) -> &[u8] {
        self.0.private()
    }

    /// What the room's policy knows it by.
    #[must_use]
    pub fn key_hash(&self) -> [u8; 32] {
        sha256(self.0.public())
    }

    /// The `joiningCode` of a request for the GroupInfo that is signed with `requester`.
    ///
    /// # Errors
    /// A fault of the library.
    pub fn code(&self, room: &RoomUri, requester: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.proof(REQUEST_LABEL, &request_tbs(room, requester, self.0.public()))
    }

    /// What goes with the external commit that leads to this epoch, of the leaf with this signature key.
    ///
    /// # Errors
    /// A fault of the library.
    pub fn entry(&self, room: &RoomUri, epoch: u64, leaf: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.proof(COMMIT_LABEL, &commit_tbs(room, epoch, leaf, self.0.public()))
    }

    fn proof(&self, label: &str, tbs: &[u8]) -> Result<Vec<u8>, KeyError> {
        let proof = JoinProof {
            link_key: self.0.public().to_vec(),
            signature: self.0.sign_with_label(label, tbs)?,
        };
        Ok(proof.to_bytes())
    }
}

/// Shows that somebody has a link, without giving it away.
///
/// ```text
/// struct {
///   opaque link_key<V>;
///   opaque signature<V>;     /* SignWithLabel over what it is for */
/// } SabirJoinProof;
/// ```
struct JoinProof {
    link_key: Vec<u8>,
    signature: Vec<u8>,
}

impl Encode for JoinProof {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.link_key);
        put_opaque(out, &self.signature);
    }
}

impl Decode for JoinProof {
    const NAME: &'static str = "SabirJoinProof";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let link_key = r.opaque("link_key", MAX_FIELD)?.to_vec();
        if link_key.len() != SEED_LEN {
            return Err(r.error_at(at, "link_key", DecodeErrorKind::Invalid("no Ed25519 key")));
        }
        Ok(Self {
            link_key,
            signature: r.opaque("signature", MAX_FIELD)?.to_vec(),
        })
    }
}

impl JoinProof {
    /// The link of the room's list that this is a proof of.
    fn of(state: &RoomState, label: &str, bytes: &[u8], tbs: impl Fn(&[u8]) -> Vec<u8>) -> Option<LinkTerms> {
        let proof = Self::from_bytes(bytes).ok()?;
        let hash = sha256(&proof.link_key);
        let link = links(state).find(|link| link.key_hash == hash)?;
        suite::verify_ed25519(&proof.link_key, label, &tbs(&proof.link_key), &proof.signature).ok()?;
        leads_in(state, &link).then_some(link)
    }
}

/// ```text
/// struct {
///   RoomUri room;
///   opaque requesting_signature_key<V>;
///   opaque link_key<V>;
/// } SabirJoinRequestTBS;
/// ```
fn request_tbs(room: &RoomUri, requester: &[u8], link_key: &[u8]) -> Vec<u8> {
    let mut tbs = room.to_bytes();
    put_opaque(&mut tbs, requester);
    put_opaque(&mut tbs, link_key);
    tbs
}

/// ```text
/// struct {
///   RoomUri room;
///   uint64 epoch;            /* to which the commit leads */
///   opaque leaf_signature_key<V>;
///   opaque link_key<V>;
/// } SabirJoinCommitTBS;
/// ```
fn commit_tbs(room: &RoomUri, epoch: u64, leaf: &[u8], link_key: &[u8]) -> Vec<u8> {
    let mut tbs = room.to_bytes();
    epoch.encode(&mut tbs);
    put_opaque(&mut tbs, leaf);
    put_opaque(&mut tbs, link_key);
    tbs
}

/// draft-ietf-mimi-room-policy-03 §8.1.1, canUseJoinCode: "provided the join code is valid, the join code refers to a
/// valid target role". The holder is who has no place on the list, so it is role zero that has the capability (§A.2,
/// §A.3) and says where it may lead.
pub(crate) fn leads_in(state: &RoomState, link: &LinkTerms) -> bool {
    let zero = state.roles.role(0);
    link.role > BANNED
        && state.roles.role(link.role).is_some()
        && zero.is_some_and(|zero| {
            zero.has(CapabilityType::CAN_USE_JOIN_CODE) && super::policy::authorises(zero, 0, link.role)
        })
}

/// The link that a request's joining code proves.
pub(crate) fn requested(state: &RoomState, requester: &[u8], code: &[u8]) -> Option<LinkTerms> {
    let room = &state.metadata.room_uri;
    JoinProof::of(state, REQUEST_LABEL, code, |key| {
        request_tbs(room, requester, key)
    })
}

/// The link that an external commit proves.
pub(crate) fn entered(state: &RoomState, facts: &CommitFacts) -> Option<LinkTerms> {
    let leaf = facts.path_leaf.as_ref()?;
    let room = &state.metadata.room_uri;
    JoinProof::of(state, COMMIT_LABEL, &facts.authenticated, |key| {
        commit_tbs(room, facts.epoch, &leaf.signature_key, key)
    })
}
