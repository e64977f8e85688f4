//! What a proposal does to the roster, without the rest of it: a cached KeyPackage of some kilobytes becomes a name.

use sabir_mls::identity::ClientCredential;
use sabir_mls::keys::sha256;
use sabir_wire::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_optional};
use sabir_wire::mls::{LeafNode, Proposal, PublicMessage, RefHashInput, Sender};
use sabir_wire::uri::ClientUri;

use crate::key_material;

/// What a proposal does to the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A client comes in.
    Add {
        /// Who, where the credential says so in our form.
        client: Option<ClientUri>,
        /// The KeyPackageRef of the package used, where its suite hashes with SHA-256.
        reference: Option<[u8; 32]>,
    },
    /// A leaf becomes blank.
    Remove {
        /// Which.
        leaf: u32,
        /// Who wants it so.
        by: Remover,
    },
    /// A leaf is replaced.
    Replace {
        /// Which.
        leaf: u32,
        /// Who it belongs to now.
        client: Option<ClientUri>,
    },
    /// Nothing.
    Nothing,
}

/// Who proposes that a leaf becomes blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remover {
    /// The leaf's own client, by SelfRemove.
    Itself,
    /// Another member, or the same by an ordinary Remove.
    Member(u32),
    /// The hub, as external sender.
    Hub,
}

impl Step {
    /// Reads a proposal by `sender`; `None` where such a sender cannot make it.
    pub(super) fn read(proposal: &Proposal, sender: Sender) -> Option<Self> {
        match (proposal, sender) {
            (Proposal::Add(package), _) => Some(Self::Add {
                client: client(&package.leaf_node),
                reference: key_material::reference(package),
            }),
            (Proposal::Remove { removed }, sender) => Some(Self::Remove {
                leaf: *removed,
                by: match sender {
                    Sender::Member { leaf_index } => Remover::Member(leaf_index),
                    Sender::External { .. } => Remover::Hub,
                    // An external commit blanks the joiner's own old leaf.
                    Sender::NewMemberCommit | Sender::NewMemberProposal => Remover::Itself,
                },
            }),
            (Proposal::SelfRemove, Sender::Member { leaf_index }) => Some(Self::Remove {
                leaf: leaf_index,
                by: Remover::Itself,
            }),
            (Proposal::Update(node), Sender::Member { leaf_index }) => Some(Self::Replace {
                leaf: leaf_index,
                client: client(node),
            }),
            (Proposal::SelfRemove | Proposal::Update(_), _) => None,
            _ => Some(Self::Nothing),
        }
    }
}

/// The ProposalRef of a proposal sent by itself (RFC 9420 §5.2), as suites with SHA-256 make it. References of other
/// suites are never found, and the roster waits for the next tree.
pub(super) fn proposal_reference(message: &PublicMessage) -> [u8; 32] {
    sha256(&RefHashInput::proposal(&message.authenticated_content()).to_bytes())
}

/// The client a leaf's credential names. Nothing is proved by it.
pub(super) fn client(node: &LeafNode) -> Option<ClientUri> {
    let credential = ClientCredential::from_credential(&node.credential).ok()?;
    Some(credential.claimed_client().clone())
}

/// The client that joins by this external commit, where it is one and names its client in our form.
pub(super) fn external_joiner(message: &PublicMessage) -> Option<ClientUri> {
    match message.sender() {
        Sender::NewMemberCommit => client(&message.commit()?.path.as_ref()?.leaf_node),
        Sender::Member { .. } | Sender::External { .. } | Sender::NewMemberProposal => None,
    }
}

const ADD: u8 = 1;
const REMOVE: u8 = 2;
const REPLACE: u8 = 3;
const NOTHING: u8 = 4;

const BY_ITSELF: u8 = 0;
const BY_MEMBER: u8 = 1;
const BY_HUB: u8 = 2;

impl Encode for Step {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Add { client, reference } => {
                out.push(ADD);
                put_optional(out, client.as_ref());
                out.push(u8::from(reference.is_some()));
                out.extend_from_slice(reference.as_ref().map_or(&[], <[u8; 32]>::as_slice));
            }
            Self::Remove { leaf, by } => {
                out.push(REMOVE);
                leaf.encode(out);
                match by {
                    Remover::Itself => out.push(BY_ITSELF),
                    Remover::Member(member) => {
                        out.push(BY_MEMBER);
                        member.encode(out);
                    }
                    Remover::Hub => out.push(BY_HUB),
                }
            }
            Self::Replace { leaf, client } => {
                out.push(REPLACE);
                leaf.encode(out);
                put_optional(out, client.as_ref());
            }
            Self::Nothing => out.push(NOTHING),
        }
    }
}

impl Decode for Step {
    const NAME: &'static str = "Step";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("kind")? {
            ADD => Self::Add {
                client: r.optional("client")?,
                reference: if r.flag("reference")? {
                    Some(r.array("reference")?)
                } else {
                    None
                },
            },
            REMOVE => {
                let leaf = r.u32("leaf")?;
                let at = r.offset();
                let by = match r.u8("by")? {
                    BY_ITSELF => Remover::Itself,
                    BY_MEMBER => Remover::Member(r.u32("member")?),
                    BY_HUB => Remover::Hub,
                    other => return Err(r.error_at(at, "by", DecodeErrorKind::UnknownValue(other.into()))),
                };
                Self::Remove { leaf, by }
            }
            REPLACE => Self::Replace {
                leaf: r.u32("leaf")?,
                client: r.optional("client")?,
            },
            NOTHING => Self::Nothing,
            other => return Err(r.error_at(at, "kind", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}
