use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};
use sabir_wire::uri::{ClientUri, UserUri};

use super::device_lists::Listed;
use crate::Millis;
use crate::scope::{engine_key, engine_row};

const ROW: &str = "hub";

/// The time alone, written with every message; the record itself is only with commits.
const TIME: &str = "hub-time";

/// The newest device lists and who was replaced, written when one is newer: a large room has many people.
const LISTS: &str = "hub-lists";

/// How often links were used, written when one was.
const LINKS: &str = "hub-links";

/// What waits for a commit; written with proposals and with commits.
const WAITING: &str = "hub-waiting";
const MAX_USERS: usize = 4 << 20;
const MAX_GROUP_INFO: usize = 8 << 20;

/// What a hub remembers of a room beside the group itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The latest acceptance time; later ones are not earlier.
    pub(super) last_accepted: Millis,
    /// The newest of each person's device lists that a leaf of theirs has carried.
    pub(super) device_lists: BTreeMap<UserUri, Listed>,
    /// Clients in the group whose identity key was replaced by their person.
    pub(super) replaced: BTreeSet<ClientUri>,
    /// The encoded GroupInfo of the current epoch, without tree.
    pub(super) group_info: Vec<u8>,
    /// What waits for a commit.
    pub(super) waiting: Waiting,
    /// How many people came in by each join link of the room that was used, by the hash of its key.
    pub(super) links: BTreeMap<[u8; 32], u32>,
}

/// What waits for the next commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The proposals accepted in this epoch, oldest first.
    pub(super) proposals: Vec<Accepted>,
    /// People whose going off the list was accepted, and who are on it still.
    pub(super) departed: BTreeSet<UserUri>,
    /// Leaves that came in while somebody who departed was on the list, so that they cannot know of it.
    pub(super) newcomers: BTreeSet<u32>,
    /// People whom a proposal of this epoch bans.
    pub(super) banned: BTreeSet<UserUri>,
}

/// A proposal the hub accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The encoded `MLSMessage`.
    pub(super) message: Vec<u8>,
    /// When.
    pub(super) at: Millis,
}

impl Waiting {
    /// Whether a person is cut off: no message in or out, no commit, no GroupInfo.
    pub(super) fn cuts_off(&self, user: &UserUri) -> bool {
        self.departed.contains(user) || self.banned.contains(user)
    }
}

impl Record {
    pub(super) fn read(rows: &Rows) -> Result<Self, DecodeError> {
        let mut record = match engine_row(rows, ROW) {
            Some(bytes) => Self::from_bytes(bytes)?,
            None => Self::default(),
        };
        if let Some(bytes) = engine_row(rows, TIME) {
            record.last_accepted = record.last_accepted.max(Reader::new(bytes).u64("last_accepted")?);
        }
        if let Some(bytes) = engine_row(rows, LISTS) {
            let mut reader = Reader::new(bytes);
            let seen: Vec<Seen> = reader.list("device_lists", MAX_USERS)?;
            let replaced: Vec<ClientUri> = reader.list("replaced", MAX_USERS)?;
            reader.finish("HubLists")?;
            record.replaced = replaced.into_iter().collect();
            record.device_lists = seen.into_iter().map(|seen| (seen.user, seen.listed)).collect();
        }
        if let Some(bytes) = engine_row(rows, LINKS) {
            let mut reader = Reader::new(bytes);
            let used: Vec<Used> = reader.list("links", MAX_USERS)?;
            reader.finish("HubLinks")?;
            record.links = used.into_iter().map(|used| (used.key_hash, used.times)).collect();
        }
        if let Some(bytes) = engine_row(rows, WAITING) {
            record.waiting = Waiting::from_bytes(bytes)?;
        }
        Ok(record)
    }

    /// Writes what waits alone.
    pub(super) fn write_waiting(&self, changes: &mut RowChanges) {
        changes.put(engine_key(WAITING), self.waiting.to_bytes());
    }

    /// Writes the latest acceptance time alone.
    pub(super) fn write_time(&self, changes: &mut RowChanges) {
        changes.put(engine_key(TIME), self.last_accepted.to_bytes());
    }

    /// Writes the newest device lists, and who was replaced, alone.
    pub(super) fn write_lists(&self, changes: &mut RowChanges) {
        let seen: Vec<Seen> = self
            .device_lists
            .iter()
            .map(|(user, listed)| Seen {
                user: user.clone(),
                listed: listed.clone(),
            })
            .collect();
        let mut bytes = Vec::new();
        put_vec(&mut bytes, &seen);
        let replaced: Vec<ClientUri> = self.replaced.iter().cloned().collect();
        put_vec(&mut bytes, &replaced);
        changes.put(engine_key(LISTS), bytes);
    }

    /// Writes how often links were used alone.
    pub(super) fn write_links(&self, changes: &mut RowChanges) {
        let used: Vec<Used> = self
            .links
            .iter()
            .map(|(key_hash, times)| Used {
                key_hash: *key_hash,
                times: *times,
            })
            .collect();
        let mut bytes = Vec::new();
        put_vec(&mut bytes, &used);
        changes.put(engine_key(LINKS), bytes);
    }

    /// Writes the rest.
    pub(super) fn write(&self, changes: &mut RowChanges) {
        changes.put(engine_key(ROW), self.to_bytes());
    }
}

struct Used {
    key_hash: [u8; 32],
    times: u32,
}

impl Encode for Used {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key_hash);
        self.times.encode(out);
    }
}

impl Decode for Used {
    const NAME: &'static str = "UsedLink";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key_hash: r.array("key_hash")?,
            times: r.u32("times")?,
        })
    }
}

struct Seen {
    user: UserUri,
    listed: Listed,
}

impl Encode for Seen {
    fn encode(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        self.listed.encode(out);
    }
}

impl Decode for Seen {
    const NAME: &'static str = "Seen";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.read_as("user")?,
            listed: r.read_as("listed")?,
        })
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        self.last_accepted.encode(out);
        put_opaque(out, &self.group_info);
    }
}

impl Decode for Record {
    const NAME: &'static str = "HubRecord";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            waiting: Waiting::default(),
            links: BTreeMap::new(),
            last_accepted: r.u64("last_accepted")?,
            device_lists: BTreeMap::new(),
            replaced: BTreeSet::new(),
            group_info: r.opaque("group_info", MAX_GROUP_INFO)?.to_vec(),
        })
    }
}

impl Encode for Accepted {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.message);
        self.at.encode(out);
    }
}

impl Decode for Accepted {
    const NAME: &'static str = "Accepted";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            message: r.opaque("message", MAX_GROUP_INFO)?.to_vec(),
            at: r.u64("at")?,
        })
    }
}

impl Encode for Waiting {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.proposals);
        for people in [&self.departed, &self.banned] {
            let people: Vec<UserUri> = people.iter().cloned().collect();
            put_vec(out, &people);
        }
        let newcomers: Vec<u32> = self.newcomers.iter().copied().collect();
        put_vec(out, &newcomers);
    }
}

impl Decode for Waiting {
    const NAME: &'static str = "Waiting";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let proposals = r.list("proposals", MAX_USERS)?;
        let mut people = |field| -> Result<BTreeSet<UserUri>, DecodeError> {
            Ok(r.list::<UserUri>(field, MAX_USERS)?.into_iter().collect())
        };
        Ok(Self {
            proposals,
            departed: people("departed")?,
            banned: people("banned")?,
            newcomers: r.list::<u32>("newcomers", MAX_USERS)?.into_iter().collect(),
        })
    }
}
