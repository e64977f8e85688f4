use super::{ComponentId, MAX_HASH, MAX_ID};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};

/// Names a pre-shared key (RFC 9420 §8.4, draft-ietf-mls-extensions §4.5).
///
/// ```text
/// struct {
///     PSKType psktype;
///     select (PreSharedKeyID.psktype) {
///         case external:
///             opaque psk_id<V>;
///         case resumption:
///             ResumptionPSKUsage usage;
///             opaque psk_group_id<V>;
///             uint64 psk_epoch;
///         case application:
///             ComponentID component_id;
///             opaque psk_id<V>;
///     };
///     opaque psk_nonce<V>;
/// } PreSharedKeyID;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreSharedKeyId {
    /// Which key.
    pub psk: Psk,
    /// Fresh randomness, at most [`MAX_HASH`] bytes.
    pub psk_nonce: Vec<u8>,
}

/// Where a pre-shared key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Psk {
    /// 1: given from outside.
    External {
        /// At most [`MAX_ID`] bytes.
        psk_id: Vec<u8>,
    },
    /// 2: from an epoch of a group.
    Resumption {
        /// What for.
        usage: ResumptionPskUsage,
        /// The group, at most [`MAX_ID`] bytes.
        psk_group_id: Vec<u8>,
        /// The epoch.
        psk_epoch: u64,
    },
    /// 3: from a component of the application.
    Application {
        /// The component.
        component_id: ComponentId,
        /// At most [`MAX_ID`] bytes.
        psk_id: Vec<u8>,
    },
}

/// What a resumption key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumptionPskUsage {
    /// 1: the application's own purpose.
    Application,
    /// 2: the successor of a group.
    ReInit,
    /// 3: a part of a group.
    Branch,
}

impl Encode for ResumptionPskUsage {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Application => 1,
            Self::ReInit => 2,
            Self::Branch => 3,
        });
    }
}

impl Decode for ResumptionPskUsage {
    const NAME: &'static str = "ResumptionPSKUsage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("value")? {
            1 => Ok(Self::Application),
            2 => Ok(Self::ReInit),
            3 => Ok(Self::Branch),
            other => Err(r.error_at(at, "value", DecodeErrorKind::UnknownValue(other.into()))),
        }
    }
}

impl Encode for PreSharedKeyId {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.psk {
            Psk::External { psk_id } => {
                out.push(1);
                put_opaque(out, psk_id);
            }
            Psk::Resumption {
                usage,
                psk_group_id,
                psk_epoch,
            } => {
                out.push(2);
                usage.encode(out);
                put_opaque(out, psk_group_id);
                psk_epoch.encode(out);
            }
            Psk::Application { component_id, psk_id } => {
                out.push(3);
                component_id.encode(out);
                put_opaque(out, psk_id);
            }
        }
        put_opaque(out, &self.psk_nonce);
    }
}

impl Decode for PreSharedKeyId {
    const NAME: &'static str = "PreSharedKeyID";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let psk = match r.u8("psktype")? {
            1 => Psk::External {
                psk_id: r.opaque("psk_id", MAX_ID)?.to_vec(),
            },
            2 => Psk::Resumption {
                usage: r.read_as("usage")?,
                psk_group_id: r.opaque("psk_group_id", MAX_ID)?.to_vec(),
                psk_epoch: r.u64("psk_epoch")?,
            },
            3 => Psk::Application {
                component_id: r.read_as("component_id")?,
                psk_id: r.opaque("psk_id", MAX_ID)?.to_vec(),
            },
            other => {
                return Err(r.error_at(at, "psktype", DecodeErrorKind::UnknownValue(other.into())));
            }
        };
        Ok(Self {
            psk,
            psk_nonce: r.opaque("psk_nonce", MAX_HASH)?.to_vec(),
        })
    }
}
