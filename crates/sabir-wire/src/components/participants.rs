use crate::codec::{Decode, DecodeError, Encode, Reader, put_vec};
use crate::uri::UserUri;

/// Bytes of a participant list and of an update of one: about 20,000 entries of 50 bytes, twice the largest
/// room that is planned for. It equals what one component may hold.
pub const MAX_PARTICIPANT_LIST: usize = 1 << 20;

/// One participant and the role they have (draft-ietf-mimi-protocol-06 §7.5).
///
/// ```text
/// struct {
///   opaque user<V>;
///   uint32 role_index;
/// } UserRolePair;
/// ```
///
/// The draft leaves the content of `user` open; the examples give user URIs, and nothing else is accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserRolePair {
    /// Who.
    pub user: UserUri,
    /// Which role of the room's list of roles.
    pub role_index: u32,
}

impl Encode for UserRolePair {
    fn encode(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        self.role_index.encode(out);
    }
}

impl Decode for UserRolePair {
    const NAME: &'static str = "UserRolePair";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.read_as("user")?,
            role_index: r.u32("role_index")?,
        })
    }
}

/// Everybody in a room (draft-ietf-mimi-protocol-06 §7.5), the data of component
/// [`PARTICIPANT_LIST`](crate::mls::ComponentId::PARTICIPANT_LIST). Order counts: updates refer to entries by index.
///
/// ```text
/// struct {
///   UserRolePair participants<V>;
/// } ParticipantListData;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParticipantListData {
    /// At most [`MAX_PARTICIPANT_LIST`] bytes.
    pub participants: Vec<UserRolePair>,
}

impl Encode for ParticipantListData {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.participants);
    }
}

impl Decode for ParticipantListData {
    const NAME: &'static str = "ParticipantListData";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            participants: r.list("participants", MAX_PARTICIPANT_LIST)?,
        })
    }
}

/// A participant, by place in the list before the commit, and the role they get (draft-ietf-mimi-protocol-06 §7.5).
///
/// ```text
/// struct {
///   uint32 user_index;
///   uint32 role_index;
/// } UserindexRolePair;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserindexRolePair {
    /// Index into [`ParticipantListData::participants`], from 0.
    pub user_index: u32,
    /// The new role.
    pub role_index: u32,
}

impl Encode for UserindexRolePair {
    fn encode(&self, out: &mut Vec<u8>) {
        self.user_index.encode(out);
        self.role_index.encode(out);
    }
}

impl Decode for UserindexRolePair {
    const NAME: &'static str = "UserindexRolePair";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user_index: r.u32("user_index")?,
            role_index: r.u32("role_index")?,
        })
    }
}

/// A change of the list (draft-ietf-mimi-protocol-06 §7.5), the `update` of an `AppDataUpdate` for
/// [`PARTICIPANT_LIST`](crate::mls::ComponentId::PARTICIPANT_LIST).
///
/// ```text
/// struct {
///   UserindexRolePair changedRoleParticipants<V>;
///   uint32 removedIndices<V>;
///   UserRolePair addedParticipants<V>;
/// } ParticipantListUpdate;
/// ```
///
/// All indices refer to the list before the commit. Whether they exist and name each user at most once is not
/// visible here; the room engine checks it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParticipantListUpdate {
    /// Applied first.
    pub changed_role_participants: Vec<UserindexRolePair>,
    /// Applied second.
    pub removed_indices: Vec<u32>,
    /// Appended last, in this order.
    pub added_participants: Vec<UserRolePair>,
}

impl Encode for ParticipantListUpdate {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.changed_role_participants);
        put_vec(out, &self.removed_indices);
        put_vec(out, &self.added_participants);
    }
}

impl Decode for ParticipantListUpdate {
    const NAME: &'static str = "ParticipantListUpdate";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            changed_role_participants: r.list("changedRoleParticipants", MAX_PARTICIPANT_LIST)?,
            removed_indices: r.list("removedIndices", MAX_PARTICIPANT_LIST)?,
            added_participants: r.list("addedParticipants", MAX_PARTICIPANT_LIST)?,
        })
    }
}
