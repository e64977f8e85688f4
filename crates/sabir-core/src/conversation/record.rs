use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};

use crate::Millis;
use crate::scope::{engine_key, engine_row};

const ROW: &str = "conversation";
const MAX_REQUEST: usize = 16 << 20;

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
    /// The other person's clients are being added.
    Adding { request: Vec<u8>, accepted: bool },
    /// The hub is ahead; the log will bring this client to that epoch.
    CatchingUp { epoch: u64 },
    /// Messages go out.
    Ready,
    /// This client is out of the room.
    Closed,
}

/// What a conversation remembers beside group and outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) phase: Phase,
}

impl Record {
    pub(super) fn read(rows: &Rows) -> Result<Self, DecodeError> {
        Self::from_bytes(engine_row(rows, ROW).unwrap_or_default())
    }

    pub(super) fn write(&self, changes: &mut RowChanges) {
        changes.put(engine_key(ROW), self.to_bytes());
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.phase {
            Phase::Creating { request } => {
                out.push(1);
                put_opaque(out, request);
            }
            Phase::WantsKeys {
                request,
                not_before,
                attempts,
            } => {
                out.push(2);
                put_opaque(out, request);
                not_before.encode(out);
                attempts.encode(out);
            }
            Phase::Adding { request, accepted } => {
                out.push(3);
                put_opaque(out, request);
                out.push(u8::from(*accepted));
            }
            Phase::CatchingUp { epoch } => {
                out.push(4);
                epoch.encode(out);
            }
            Phase::Ready => out.push(5),
            Phase::Closed => out.push(6),
        }
    }
}

impl Decode for Record {
    const NAME: &'static str = "ConversationRecord";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let phase = match r.u8("phase")? {
            1 => Phase::Creating {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
            },
            2 => Phase::WantsKeys {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                not_before: r.u64("not_before")?,
                attempts: r.u32("attempts")?,
            },
            3 => Phase::Adding {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                accepted: r.flag("accepted")?,
            },
            4 => Phase::CatchingUp {
                epoch: r.u64("epoch")?,
            },
            5 => Phase::Ready,
            6 => Phase::Closed,
            other => return Err(r.error_at(at, "phase", DecodeErrorKind::UnknownValue(other.into()))),
        };
        Ok(Self { phase })
    }
}
