//! What a person wants of a room, written down like a message in the outbox and done one at a time, in order.

use std::collections::VecDeque;

use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_optional};
use sabir_wire::policy::MAX_POLICY;
use sabir_wire::uri::UserUri;

use super::LocalId;
use crate::room::link::LinkTerms;
use crate::room::policy::Wanted;
use crate::scope::engine_key;

const PREFIX: &str = "intent/";

/// Policies that one intent changes.
pub(super) const MAX_POLICIES: u32 = 32;

/// Links that one intent withdraws.
pub(super) const MAX_WITHDRAWN: u32 = 256;

/// Bytes of a room's name that this client gives.
pub const MAX_NAME: usize = 1 << 10;

/// A change of a room that a person asks for. Roles are indexes into the room's list
/// ([`crate::room::RoomState::role_index`] finds one by name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Put somebody on the list with a role and add their clients. Where there are none to be had, the person is
    /// on the list all the same, and it is tried again later.
    Add {
        /// Whom.
        user: UserUri,
        /// Index of the role.
        role: u32,
    },
    /// Take somebody off the list, with all their clients.
    Remove {
        /// Whom.
        user: UserUri,
    },
    /// Ban somebody who is on the list: all their clients go, and nobody can add them until they are unbanned.
    Ban {
        /// Whom.
        user: UserUri,
    },
    /// Give somebody who is banned a role again, and add their clients.
    Unban {
        /// Whom.
        user: UserUri,
        /// Index of the role.
        role: u32,
    },
    /// Give somebody on the list another role.
    SetRole {
        /// Whom.
        user: UserUri,
        /// Index of the role.
        role: u32,
    },
    /// Call the room otherwise.
    Rename {
        /// The new name, of at most [`MAX_NAME`] bytes; may be empty.
        name: String,
    },
    /// Leave, with all clients of this person.
    Leave,
    /// Give the room these policies; the later of two that change one component stands.
    SetPolicy {
        /// Each component once; at most 32.
        policies: Vec<Wanted>,
    },
    /// Make a join link, withdraw others, or both.
    ChangeLinks {
        /// The link to make.
        added: Option<LinkTerms>,
        /// The keys of links to withdraw; at most 256.
        removed: Vec<[u8; 32]>,
    },
}

/// An intent that is not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingIntent {
    /// The shell's name for it.
    pub local_id: LocalId,
    /// What is wanted.
    pub intent: Intent,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What an intent waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// Its turn: another intent, a message on its way, or the room itself comes first.
    Turn,
    /// Key packages of the person.
    KeyPackages,
    /// The hub's word.
    Hub,
}

/// An intent as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) number: u64,
    pub(super) local_id: LocalId,
    pub(super) intent: Intent,
    /// Messages of the outbox with smaller numbers were written before it.
    pub(super) after: u64,
    /// How often the hub refused a commit for it that looked right from here.
    pub(super) refusals: u32,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct Intents {
    entries: VecDeque<Stored>,
    next: u64,
}

impl Intents {
    pub(super) fn read(rows: &Rows) -> Result<Self, DecodeError> {
        let prefix = engine_key(PREFIX);
        let mut entries = VecDeque::new();
        let range = rows.range(prefix.clone()..);
        for (_, value) in range.take_while(|(key, _)| key.starts_with(&prefix)) {
            entries.push_back(Stored::from_bytes(value)?);
        }
        let next = entries
            .back()
            .map_or(0, |entry: &Stored| entry.number.saturating_add(1));
        Ok(Self { entries, next })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.entries.iter()
    }

    pub(super) fn first(&self) -> Option<&Stored> {
        self.entries.front()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Stored> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    pub(super) fn push(&mut self, local_id: LocalId, intent: Intent, after: u64, changes: &mut RowChanges) {
        let entry = Stored {
            number: self.next,
            local_id,
            intent,
            after,
            refusals: 0,
        };
        self.next = self.next.saturating_add(1);
        changes.put(entry.key(), entry.to_bytes());
        self.entries.push_back(entry);
    }

    /// Counts a refusal of the hub; says how many there were.
    pub(super) fn refused(&mut self, number: u64, changes: &mut RowChanges) -> u32 {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) else {
            return 0;
        };
        entry.refusals = entry.refusals.saturating_add(1);
        changes.put(entry.key(), entry.to_bytes());
        entry.refusals
    }

    pub(super) fn take(&mut self, number: u64, changes: &mut RowChanges) -> Option<Stored> {
        let position = self.entries.iter().position(|entry| entry.number == number)?;
        let entry = self.entries.remove(position)?;
        changes.delete(entry.key());
        Some(entry)
    }

    pub(super) fn take_all(&mut self, changes: &mut RowChanges) -> Vec<Stored> {
        let all: Vec<Stored> = self.entries.drain(..).collect();
        for entry in &all {
            changes.delete(entry.key());
        }
        all
    }
}

impl Stored {
    fn key(&self) -> Vec<u8> {
        // The number in fixed-width decimal sorts as a number.
        engine_key(&format!("{PREFIX}{:020}", self.number))
    }
}

/// Data of a component.
struct Data(Vec<u8>);

impl Encode for Data {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.0);
    }
}

impl Decode for Data {
    const NAME: &'static str = "ComponentData";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.opaque("data", MAX_POLICY).map(|data| Self(data.to_vec()))
    }
}

impl Encode for Intent {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut about = |kind: u8, user: &UserUri, role: Option<u32>| {
            out.push(kind);
            user.encode(out);
            if let Some(role) = role {
                role.encode(out);
            }
        };
        match self {
            Self::Add { user, role } => about(1, user, Some(*role)),
            Self::Remove { user } => about(2, user, None),
            Self::Ban { user } => about(3, user, None),
            Self::Unban { user, role } => about(4, user, Some(*role)),
            Self::SetRole { user, role } => about(5, user, Some(*role)),
            Self::Rename { name } => {
                out.push(6);
                put_opaque(out, name.as_bytes());
            }
            Self::Leave => out.push(7),
            Self::SetPolicy { policies } => {
                out.push(8);
                policies.len().try_into().unwrap_or(u32::MAX).encode(out);
                for (component, data) in policies {
                    component.encode(out);
                    put_optional(out, data.clone().map(Data).as_ref());
                }
            }
            Self::ChangeLinks { added, removed } => {
                out.push(9);
                put_optional(out, added.as_ref());
                removed.len().try_into().unwrap_or(u32::MAX).encode(out);
                for key_hash in removed {
                    out.extend_from_slice(key_hash);
                }
            }
        }
    }
}

impl Decode for Intent {
    const NAME: &'static str = "Intent";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("kind")? {
            1 => Self::Add {
                user: r.read_as("user")?,
                role: r.u32("role")?,
            },
            2 => Self::Remove {
                user: r.read_as("user")?,
            },
            3 => Self::Ban {
                user: r.read_as("user")?,
            },
            4 => Self::Unban {
                user: r.read_as("user")?,
                role: r.u32("role")?,
            },
            5 => Self::SetRole {
                user: r.read_as("user")?,
                role: r.u32("role")?,
            },
            6 => Self::Rename {
                name: r.text("name", MAX_NAME)?.to_owned(),
            },
            7 => Self::Leave,
            8 => {
                let count = r.u32("policies")?;
                let mut policies = Vec::new();
                for _ in 0..count.min(MAX_POLICIES) {
                    let component = r.read_as("component")?;
                    let data = r.optional::<Data>("data")?;
                    policies.push((component, data.map(|data| data.0)));
                }
                Self::SetPolicy { policies }
            }
            9 => {
                let added = r.optional("added")?;
                let count = r.u32("removed")?;
                let removed: Result<Vec<_>, _> = (0..count.min(MAX_WITHDRAWN))
                    .map(|_| r.array("removed"))
                    .collect();
                Self::ChangeLinks {
                    added,
                    removed: removed?,
                }
            }
            other => return Err(r.error_at(at, "kind", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}

impl Encode for Stored {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        out.extend_from_slice(&self.local_id);
        self.intent.encode(out);
        self.after.encode(out);
        self.refusals.encode(out);
    }
}

impl Decode for Stored {
    const NAME: &'static str = "StoredIntent";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            number: r.u64("number")?,
            local_id: r.array("local_id")?,
            intent: r.read_as("intent")?,
            after: r.u64("after")?,
            refusals: r.u32("refusals")?,
        })
    }
}
