use super::MAX_POLICY;
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_optional, put_vec};
use crate::field;
use crate::mls::ComponentId;
use crate::uri::RoomUri;

/// What kind of room it is (draft-ietf-mimi-room-policy-03 §5), the data of component
/// [`BASE_ROOM_POLICY`](ComponentId::BASE_ROOM_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///     bool fixed_membership;
///     bool parent_dependant;
///     Uri parent_room<V>;
///     bool multi_device;
///     optional uint32 max_clients;
///     optional uint32 max_users;
///     bool pseudonyms_allowed;
///     bool persistent_room;
///     bool discoverable;
///     ComponentID policy_component_ids<V>;
/// } BaseRoomPolicy;
/// ```
///
/// `parent_room` is printed as a vector of URIs and described as one URI or "zero-length": it is read as a
/// vector of at most one. `policy_component_ids` is printed with the undefined type `Component`: read as
/// `ComponentID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseRoomPolicy {
    /// The participants are those the room started with; direct and group direct messages.
    pub fixed_membership: bool,
    /// Participants must be participants of `parent_room`.
    pub parent_dependant: bool,
    /// Set if and only if `parent_dependant` is; the room engine checks that.
    pub parent_room: Option<RoomUri>,
    /// A user may have more than one client in the group.
    pub multi_device: bool,
    /// Most clients in the group.
    pub max_clients: Option<u32>,
    /// Most participants that are not banned.
    pub max_users: Option<u32>,
    /// Clients may use pseudonyms in their credentials.
    pub pseudonyms_allowed: bool,
    /// The room outlives its group.
    pub persistent_room: bool,
    /// The room can be searched for.
    pub discoverable: bool,
    /// The other policy components of the room; at most [`MAX_POLICY`] bytes.
    pub policy_component_ids: Vec<ComponentId>,
}

impl Encode for BaseRoomPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_flag(out, self.fixed_membership);
        field::put_flag(out, self.parent_dependant);
        put_vec(out, &self.parent_room);
        field::put_flag(out, self.multi_device);
        put_optional(out, self.max_clients.as_ref());
        put_optional(out, self.max_users.as_ref());
        field::put_flag(out, self.pseudonyms_allowed);
        field::put_flag(out, self.persistent_room);
        field::put_flag(out, self.discoverable);
        put_vec(out, &self.policy_component_ids);
    }
}

impl Decode for BaseRoomPolicy {
    const NAME: &'static str = "BaseRoomPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            fixed_membership: r.flag("fixed_membership")?,
            parent_dependant: r.flag("parent_dependant")?,
            parent_room: parent_room(r)?,
            multi_device: r.flag("multi_device")?,
            max_clients: r.optional("max_clients")?,
            max_users: r.optional("max_users")?,
            pseudonyms_allowed: r.flag("pseudonyms_allowed")?,
            persistent_room: r.flag("persistent_room")?,
            discoverable: r.flag("discoverable")?,
            policy_component_ids: r.list("policy_component_ids", MAX_POLICY)?,
        })
    }
}

fn parent_room(r: &mut Reader<'_>) -> Result<Option<RoomUri>, DecodeError> {
    let mut inner = r.nested("parent_room", MAX_POLICY)?;
    if inner.is_empty() {
        return Ok(None);
    }
    let parent = inner.read_as("parent_room")?;
    if !inner.is_empty() {
        return Err(inner.error("parent_room", DecodeErrorKind::TooLong { max: 1 }));
    }
    Ok(Some(parent))
}
