//! The rows of a followed room.
//!
//! | key | value |
//! |---|---|
//! | `follower` | the head: version, position, what the last commit added, Welcomes seen |
//! | `follower/leaf/` leaf index in hex | `optional<IdentifierUri>` |
//! | `follower/attached/` client | whether the hub's log showed it coming in |
//! | `follower/proposal/` ProposalRef in hex | the [`Step`] |
//!
//! A row for each leaf, so that a commit in a large room writes what it changes and a message writes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_optional};
use sabir_wire::uri::ClientUri;

use super::membership::{Added, Awaited, Membership, Position};
use super::step::Step;
use crate::scope::{engine_key, engine_row};

const HEAD: &str = "follower";
const LEAF: &str = "follower/leaf/";
const ATTACHED: &str = "follower/attached/";
const PROPOSAL: &str = "follower/proposal/";

/// Version of the head.
const VERSION: u8 = 1;

const NOWHERE: u8 = 0;
const AT: u8 = 1;
const UNPLACED: u8 = 2;

/// Reads the rows; none are those of a room of which nothing is known.
pub(super) fn read(rows: &Rows) -> Result<Membership, &'static str> {
    let mut membership = Membership::default();
    if let Some(bytes) = engine_row(rows, HEAD) {
        read_head(bytes, &mut membership).map_err(|_| "head")?;
        membership.stored_head = bytes.to_vec();
    }
    for (key, value) in under(rows, LEAF) {
        let leaf = std::str::from_utf8(key)
            .ok()
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .ok_or("leaf")?;
        let mut r = Reader::new(value);
        let client: Option<ClientUri> = r.optional("client").map_err(|_| "leaf")?;
        r.finish("leaf").map_err(|_| "leaf")?;
        membership.roster.0.insert(leaf, client);
    }
    for (key, value) in under(rows, ATTACHED) {
        let client = std::str::from_utf8(key)
            .ok()
            .and_then(|text| ClientUri::parse(text).ok());
        let entered = match value {
            [0] => false,
            [1] => true,
            _ => return Err("attached device"),
        };
        membership
            .attached
            .insert(client.ok_or("attached device")?, entered);
    }
    for (key, value) in under(rows, PROPOSAL) {
        let reference = unhex(key).ok_or("proposal")?;
        membership
            .proposals
            .insert(reference, Step::from_bytes(value).map_err(|_| "proposal")?);
    }
    Ok(membership)
}

/// The head's bytes.
pub(super) fn head(membership: &Membership) -> Vec<u8> {
    let mut out = vec![VERSION];
    match &membership.position {
        Position::Nowhere => out.push(NOWHERE),
        Position::At(epoch) => {
            out.push(AT);
            epoch.encode(&mut out);
        }
        Position::Unplaced(awaited) => {
            out.push(UNPLACED);
            put_hashes(&mut out, awaited.references.iter());
            put_count(&mut out, awaited.leaving.len());
            for client in &awaited.leaving {
                client.encode(&mut out);
            }
        }
    }
    put_optional(
        &mut out,
        membership.added.as_ref().map(|added| added.epoch).as_ref(),
    );
    if let Some(added) = &membership.added {
        put_hashes(&mut out, added.references.iter());
    }
    put_hashes(&mut out, membership.welcomes.iter());
    out
}

fn read_head(bytes: &[u8], membership: &mut Membership) -> Result<(), DecodeError> {
    let mut r = Reader::new(bytes);
    let at = r.offset();
    let version = r.u8("version")?;
    if version != VERSION {
        return Err(r.error_at(at, "version", DecodeErrorKind::UnknownValue(version.into())));
    }
    let at = r.offset();
    membership.position = match r.u8("position")? {
        NOWHERE => Position::Nowhere,
        AT => Position::At(r.u64("epoch")?),
        UNPLACED => {
            let references: BTreeSet<[u8; 32]> = hashes(&mut r)?;
            let mut leaving = BTreeSet::new();
            for _ in 0..r.u32("leaving")? {
                leaving.insert(r.read_as("leaving")?);
            }
            Position::Unplaced(Awaited { references, leaving })
        }
        other => return Err(r.error_at(at, "position", DecodeErrorKind::UnknownValue(other.into()))),
    };
    membership.added = match r.optional("added")? {
        Some(epoch) => Some(Added {
            epoch,
            references: hashes(&mut r)?,
        }),
        None => None,
    };
    membership.welcomes = hashes::<VecDeque<[u8; 32]>>(&mut r)?;
    r.finish("head")
}

pub(super) fn put_head(changes: &mut RowChanges, head: &[u8]) {
    changes.put(engine_key(HEAD), head.to_vec());
}

pub(super) fn put_leaf(changes: &mut RowChanges, leaf: u32, client: Option<&ClientUri>) {
    let mut value = Vec::new();
    put_optional(&mut value, client);
    changes.put(leaf_key(leaf), value);
}

pub(super) fn delete_leaf(changes: &mut RowChanges, leaf: u32) {
    changes.delete(leaf_key(leaf));
}

pub(super) fn put_attached(changes: &mut RowChanges, client: &ClientUri, entered: bool) {
    changes.put(attached_key(client), vec![u8::from(entered)]);
}

pub(super) fn delete_attached(changes: &mut RowChanges, client: &ClientUri) {
    changes.delete(attached_key(client));
}

pub(super) fn put_proposal(changes: &mut RowChanges, reference: &[u8; 32], step: &Step) {
    changes.put(proposal_key(reference), step.to_bytes());
}

pub(super) fn delete_proposal(changes: &mut RowChanges, reference: &[u8; 32]) {
    changes.delete(proposal_key(reference));
}

fn leaf_key(leaf: u32) -> Vec<u8> {
    engine_key(&format!("{LEAF}{leaf:08x}"))
}

fn attached_key(client: &ClientUri) -> Vec<u8> {
    engine_key(&format!("{ATTACHED}{client}"))
}

fn proposal_key(reference: &[u8; 32]) -> Vec<u8> {
    let mut key = PROPOSAL.to_owned();
    for byte in reference {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    engine_key(&key)
}

fn unhex(hex: &[u8]) -> Option<[u8; 32]> {
    let pairs = std::str::from_utf8(hex)
        .ok()
        .filter(|hex| hex.len() == 64 && hex.is_ascii())?;
    let mut reference = [0; 32];
    for (at, byte) in reference.iter_mut().enumerate() {
        let from = at.checked_mul(2)?;
        *byte = u8::from_str_radix(pairs.get(from..from.checked_add(2)?)?, 16).ok()?;
    }
    Some(reference)
}

/// The rows whose names begin with `prefix`, by the rest of their names.
fn under<'a>(
    rows: &'a BTreeMap<Vec<u8>, Vec<u8>>,
    prefix: &str,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let prefix = engine_key(prefix);
    let from = rows.range(prefix.clone()..);
    from.map_while(move |(key, value)| Some((key.strip_prefix(prefix.as_slice())?, value.as_slice())))
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    u32::try_from(count).unwrap_or(u32::MAX).encode(out);
}

fn put_hashes<'a>(out: &mut Vec<u8>, hashes: impl ExactSizeIterator<Item = &'a [u8; 32]>) {
    put_count(out, hashes.len());
    for hash in hashes {
        out.extend_from_slice(hash);
    }
}

fn hashes<C: FromIterator<[u8; 32]>>(r: &mut Reader<'_>) -> Result<C, DecodeError> {
    let count = r.u32("hashes")?;
    (0..count).map(|_| r.array("hashes")).collect()
}
