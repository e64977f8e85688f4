use std::collections::BTreeMap;

use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};
use sabir_wire::uri::UserUri;

use crate::Millis;
use crate::scope::{engine_key, engine_row};

const ROW: &str = "conversation";
const MAX_REQUEST: usize = 16 << 20;
const MAX_PEOPLE: usize = 4 << 20;
const MAX_KEY: usize = 1 << 10;
const MAX_REASON: usize = 1 << 10;

/// How far a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The room is asked for.
    Creating { request: Vec<u8> },
    /// The room is there; the other person's key packages are asked for, not before a time.
    WantsKeys {
        request: Vec<u8>,
        not_before: Millis,
        attempts: u32,
    },
    /// The other person's clients are being added, after so many attempts that failed.
    Adding {
        request: Vec<u8>,
        accepted: bool,
        attempts: u32,
    },
    /// The hub is ahead; the log will bring this client to that epoch.
    CatchingUp { epoch: u64, attempts: u32 },
    /// Messages go out.
    Ready,
    /// This client is out of the room.
    Closed,
}

/// What a client knows a person by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The first identity key seen, or the one a person agreed to since.
    pub(super) identity_key: [u8; 32],
    /// The highest version of the device list that a leaf has carried.
    pub(super) list_version: u64,
}

/// What a conversation remembers beside group and outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) phase: Phase,
    /// How many requests for key packages were made, so that no two are the same.
    pub(super) asked: u64,
    /// Everybody who has or had a client here whose identity was proved.
    pub(super) people: BTreeMap<UserUri, Known>,
    /// Signature keys of leaves that came in without proof, and whose they claim to be.
    pub(super) doubted: BTreeMap<Vec<u8>, Option<UserUri>>,
    /// Why nothing goes out until a person says so.
    pub(super) stopped: Option<String>,
}

impl Record {
    pub(super) fn new(phase: Phase) -> Self {
        Self {
            phase,
            asked: 0,
            people: BTreeMap::new(),
            doubted: BTreeMap::new(),
            stopped: None,
        }
    }

    pub(super) fn read(rows: &Rows) -> Result<Self, DecodeError> {
        Self::from_bytes(engine_row(rows, ROW).unwrap_or_default())
    }

    pub(super) fn write(encoded: Vec<u8>, changes: &mut RowChanges) {
        changes.put(engine_key(ROW), encoded);
    }

    /// Stops sending, for the first of several reasons.
    pub(super) fn stop(&mut self, reason: &str) {
        let cut = (0..=reason.len().min(MAX_REASON))
            .rev()
            .find(|end| reason.is_char_boundary(*end));
        let reason = reason.get(..cut.unwrap_or_default()).unwrap_or_default();
        self.stopped.get_or_insert_with(|| reason.to_owned());
    }
}

impl Encode for Phase {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Creating { request } => {
                out.push(1);
                put_opaque(out, request);
            }
            Self::WantsKeys {
                request,
                not_before,
                attempts,
            } => {
                out.push(2);
                put_opaque(out, request);
                not_before.encode(out);
                attempts.encode(out);
            }
            Self::Adding {
                request,
                accepted,
                attempts,
            } => {
                out.push(3);
                put_opaque(out, request);
                out.push(u8::from(*accepted));
                attempts.encode(out);
            }
            Self::CatchingUp { epoch, attempts } => {
                out.push(4);
                epoch.encode(out);
                attempts.encode(out);
            }
            Self::Ready => out.push(5),
            Self::Closed => out.push(6),
        }
    }
}

impl Decode for Phase {
    const NAME: &'static str = "ConversationPhase";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("phase")? {
            1 => Self::Creating {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
            },
            2 => Self::WantsKeys {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                not_before: r.u64("not_before")?,
                attempts: r.u32("attempts")?,
            },
            3 => Self::Adding {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                accepted: r.flag("accepted")?,
                attempts: r.u32("attempts")?,
            },
            4 => Self::CatchingUp {
                epoch: r.u64("epoch")?,
                attempts: r.u32("attempts")?,
            },
            5 => Self::Ready,
            6 => Self::Closed,
            other => return Err(r.error_at(at, "phase", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}

struct Person(UserUri, Known);

impl Encode for Person {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        out.extend_from_slice(&self.1.identity_key);
        self.1.list_version.encode(out);
    }
}

impl Decode for Person {
    const NAME: &'static str = "KnownPerson";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let user = r.read_as("user")?;
        let known = Known {
            identity_key: r.array("identity_key")?,
            list_version: r.u64("list_version")?,
        };
        Ok(Self(user, known))
    }
}

struct Doubted(Vec<u8>, Option<UserUri>);

impl Encode for Doubted {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.0);
        sabir_wire::codec::put_optional(out, self.1.as_ref());
    }
}

impl Decode for Doubted {
    const NAME: &'static str = "DoubtedLeaf";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(
            r.opaque("signature_key", MAX_KEY)?.to_vec(),
            r.optional("claims")?,
        ))
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        self.phase.encode(out);
        self.asked.encode(out);
        let people = self.people.iter();
        let people: Vec<Person> = people
            .map(|(user, known)| Person(user.clone(), known.clone()))
            .collect();
        put_vec(out, &people);
        let doubted = self.doubted.iter();
        let doubted: Vec<Doubted> = doubted
            .map(|(key, user)| Doubted(key.clone(), user.clone()))
            .collect();
        put_vec(out, &doubted);
        match &self.stopped {
            None => out.push(0),
            Some(reason) => {
                out.push(1);
                put_opaque(out, reason.as_bytes());
            }
        }
    }
}

impl Decode for Record {
    const NAME: &'static str = "ConversationRecord";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let phase = r.read_as("phase")?;
        let asked = r.u64("asked")?;
        let people: Vec<Person> = r.list("people", MAX_PEOPLE)?;
        let doubted: Vec<Doubted> = r.list("doubted", MAX_PEOPLE)?;
        Ok(Self {
            phase,
            asked,
            people: people.into_iter().map(|it| (it.0, it.1)).collect(),
            doubted: doubted.into_iter().map(|it| (it.0, it.1)).collect(),
            stopped: if r.flag("stopped")? {
                Some(r.text("reason", MAX_REASON)?.to_owned())
            } else {
                None
            },
        })
    }
}
