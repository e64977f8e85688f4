use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader};
use crate::field;
use crate::protocol::{GroupInfoOption, MAX_UPDATE_REQUEST, RatchetTreeOption};
use crate::uri::RoomUri;

/// Bytes of a description of an error for people.
const MAX_DESCRIPTION: usize = 4 << 10;

/// A device makes a room at its own provider, which becomes the hub. Its group has the device as only member and
/// the room's policy and participants in its GroupContext.
///
/// ```text
/// struct {
///     IdentifierUri room;
///     GroupInfoOption group_info_option;
///     RatchetTreeOption ratchet_tree_option;
/// } CreateRoomRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRoomRequest {
    /// With the provider as authority.
    pub room: RoomUri,
    /// Of epoch 0.
    pub group_info_option: GroupInfoOption,
    /// Of epoch 0.
    pub ratchet_tree_option: RatchetTreeOption,
}

impl Encode for CreateRoomRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.room.encode(out);
        self.group_info_option.encode(out);
        self.ratchet_tree_option.encode(out);
    }
}

impl Decode for CreateRoomRequest {
    const NAME: &'static str = "CreateRoomRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            room: r.read_as("room")?,
            group_info_option: r.read_as("group_info_option")?,
            ratchet_tree_option: r.read_as("ratchet_tree_option")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_UPDATE_REQUEST)
    }
}

/// The answer to a [`CreateRoomRequest`].
///
/// ```text
/// enum {
///     created(0),
///     alreadyExists(1),
///     notAllowed(2),
///     invalid(3),
///     (255)
/// } CreateRoomCode;
///
/// struct {
///     CreateRoomCode code;
///     opaque description<V>;
///     select (code) {
///         case created:
///             uint64 accepted_timestamp;
///     };
/// } CreateRoomResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRoomResponse {
    /// For developers; names no user; empty on success. At most 4 KiB.
    pub description: String,
    /// The code and what comes with it.
    pub outcome: CreateRoomOutcome,
}

/// The part of [`CreateRoomResponse`] that depends on its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateRoomOutcome {
    /// 0: the room is there; also the answer to a byte-exact repetition.
    Created {
        /// When, in milliseconds since 1970-01-01T00:00:00Z, by the hub's clock.
        accepted_timestamp: u64,
    },
    /// 1: another room has this identifier, or had it.
    AlreadyExists,
    /// 2: the user may make no such room.
    NotAllowed,
    /// 3: group, policy or participants are not what a new room needs.
    Invalid,
}

impl Encode for CreateRoomResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.outcome {
            CreateRoomOutcome::Created { .. } => 0,
            CreateRoomOutcome::AlreadyExists => 1,
            CreateRoomOutcome::NotAllowed => 2,
            CreateRoomOutcome::Invalid => 3,
        });
        field::put_text(out, &self.description);
        if let CreateRoomOutcome::Created { accepted_timestamp } = self.outcome {
            accepted_timestamp.encode(out);
        }
    }
}

impl Decode for CreateRoomResponse {
    const NAME: &'static str = "CreateRoomResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let code = r.u8("code")?;
        if code > 3 {
            return Err(r.error_at(at, "code", DecodeErrorKind::UnknownValue(code.into())));
        }
        let description = field::text(r, "description", MAX_DESCRIPTION)?;
        let outcome = match code {
            0 => CreateRoomOutcome::Created {
                accepted_timestamp: r.u64("accepted_timestamp")?,
            },
            1 => CreateRoomOutcome::AlreadyExists,
            2 => CreateRoomOutcome::NotAllowed,
            _ => CreateRoomOutcome::Invalid,
        };
        Ok(Self { description, outcome })
    }
}

/// A device that joined a room from outside asks for its events: its provider cannot see that it did.
///
/// ```text
/// struct {
///     IdentifierUri room;
/// } AttachRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachRequest {
    /// The room.
    pub room: RoomUri,
}

impl Encode for AttachRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.room.encode(out);
    }
}

impl Decode for AttachRequest {
    const NAME: &'static str = "AttachRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            room: r.read_as("room")?,
        })
    }
}
