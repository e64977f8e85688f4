use sabir_wire::codec::{Decode, DecodeError, Encode};
use sabir_wire::components::{ParticipantListData, RoomMetaData, UserRolePair};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{BaseRoomPolicy, PreAuthData, Role, RoleData};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{Domain, UserUri};
use thiserror::Error;

use super::Features;

/// A room's state as the GroupContext's dictionary holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomState {
    /// Who takes part, with which role.
    pub participants: ParticipantListData,
    /// The roles.
    pub roles: RoleData,
    /// Who may take a role without being on the list.
    pub preauth: PreAuthData,
    /// The base policy.
    pub base: BaseRoomPolicy,
    /// Name and description.
    pub metadata: RoomMetaData,
    /// Whose signature is on franks, where the room has them.
    pub franking_agent: Option<FrankingAgentData>,
    /// What it says about single features; large, and mostly empty.
    pub features: Box<Features>,
}

/// What kind of room it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomKind {
    /// Two people, fixed from the start.
    Direct,
    /// People come and go.
    Group,
    /// Fixed membership, of another number of people than two: not supported.
    Fixed,
}

/// Why a dictionary is not a room's state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// A component that every room has is missing.
    #[error("component {0:#06x} is missing")]
    Missing(u16),
    /// A component does not decode.
    #[error("component {component:#06x} is malformed")]
    Malformed {
        /// Which.
        component: u16,
        /// Where and why.
        source: DecodeError,
    },
}

impl RoomState {
    /// Reads the state through `component`, which looks up the dictionary.
    ///
    /// # Errors
    /// [`StateError`] names the component.
    pub fn read(component: impl Fn(ComponentId) -> Option<Vec<u8>>) -> Result<Self, StateError> {
        Ok(Self {
            participants: required(&component, ComponentId::PARTICIPANT_LIST)?,
            roles: required(&component, ComponentId::ROLES_LIST)?,
            preauth: optional(&component, ComponentId::PREAUTH_LIST)?.unwrap_or_default(),
            base: required(&component, ComponentId::BASE_ROOM_POLICY)?,
            metadata: required(&component, ComponentId::ROOM_METADATA)?,
            franking_agent: optional(&component, ComponentId::FRANKING_AGENT)?,
            features: Box::new(Features::read(&component).map_err(|(component, source)| {
                StateError::Malformed {
                    component: component.0,
                    source,
                }
            })?),
        })
    }

    /// The data of a component that is a policy of the room; `None` too where it has none.
    #[must_use]
    pub fn data(&self, component: ComponentId) -> Option<Vec<u8>> {
        match component {
            ComponentId::ROLES_LIST => Some(self.roles.to_bytes()),
            ComponentId::PREAUTH_LIST if self.preauth == PreAuthData::default() => None,
            ComponentId::PREAUTH_LIST => Some(self.preauth.to_bytes()),
            ComponentId::BASE_ROOM_POLICY => Some(self.base.to_bytes()),
            other => self.features.data(other),
        }
    }

    /// The participant list's entry of a user.
    #[must_use]
    pub fn participant(&self, user: &UserUri) -> Option<&UserRolePair> {
        self.participants
            .participants
            .iter()
            .find(|entry| entry.user == *user)
    }

    /// The role of a user who is on the list.
    #[must_use]
    pub fn role_of(&self, user: &UserUri) -> Option<&Role> {
        let index = self.participant(user)?.role_index;
        self.roles.roles.iter().find(|role| role.role_index == index)
    }

    /// What kind of room it is.
    #[must_use]
    pub fn kind(&self) -> RoomKind {
        if !self.base.fixed_membership {
            RoomKind::Group
        } else if self.is_direct() {
            RoomKind::Direct
        } else {
            RoomKind::Fixed
        }
    }

    /// Index of the role of that name, as this room defines it; names are matched exactly.
    #[must_use]
    pub fn role_index(&self, name: &str) -> Option<u32> {
        let role = self.roles.roles.iter().find(|role| role.role_name == name)?;
        Some(role.role_index)
    }

    /// Name of the role of that index, as this room defines it.
    #[must_use]
    pub fn role_name(&self, index: u32) -> Option<&str> {
        self.roles.role(index).map(|role| role.role_name.as_str())
    }

    /// Providers of all participants.
    pub fn providers(&self) -> impl Iterator<Item = &Domain> {
        self.participants
            .participants
            .iter()
            .map(|entry| entry.user.authority())
    }
}

fn required<T: Decode>(
    component: impl Fn(ComponentId) -> Option<Vec<u8>>,
    id: ComponentId,
) -> Result<T, StateError> {
    optional(component, id)?.ok_or(StateError::Missing(id.0))
}

fn optional<T: Decode>(
    component: impl Fn(ComponentId) -> Option<Vec<u8>>,
    id: ComponentId,
) -> Result<Option<T>, StateError> {
    let Some(bytes) = component(id) else {
        return Ok(None);
    };
    T::from_bytes(&bytes)
        .map(Some)
        .map_err(|source| StateError::Malformed {
            component: id.0,
            source,
        })
}
