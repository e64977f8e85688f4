use super::{CapabilityType, MAX_POLICY, MAX_POLICY_TEXT};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_optional, put_vec};
use crate::field;

/// Which roles a holder may give to somebody who has `from_role_index` (draft-ietf-mimi-room-policy-03 §3).
///
/// ```text
/// struct {
///    uint32 from_role_index;
///    uint32 target_role_indexes<V>;
/// } SingleSourceRoleChangeTargets;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleSourceRoleChangeTargets {
    /// The role somebody has; 0 for nobody in the list.
    pub from_role_index: u32,
    /// The roles they may get; 0 for removal from the list.
    pub target_role_indexes: Vec<u32>,
}

impl Encode for SingleSourceRoleChangeTargets {
    fn encode(&self, out: &mut Vec<u8>) {
        self.from_role_index.encode(out);
        put_vec(out, &self.target_role_indexes);
    }
}

impl Decode for SingleSourceRoleChangeTargets {
    const NAME: &'static str = "SingleSourceRoleChangeTargets";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            from_role_index: r.u32("from_role_index")?,
            target_role_indexes: r.list("target_role_indexes", MAX_POLICY)?,
        })
    }
}

/// A role and what its holders may do (draft-ietf-mimi-room-policy-03 §3).
///
/// ```text
/// struct {
///   uint32 role_index;
///   opaque role_name<V>;
///   opaque role_description<V>;
///   CapabilityType role_capabilities<V>;
///   uint32 minimum_participants_constraint;
///   optional uint32 maximum_participants_constraint;
///   uint32 minimum_active_participants_constraint;
///   optional uint32 maximum_active_participants_constraint;
///   SingleSourceRoleChangeTargets authorized_role_changes<V>;
/// } Role;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// How other structures refer to it; 0 is everybody outside the list, 1 with the name `banned` the banned.
    pub role_index: u32,
    /// For people; at most [`MAX_POLICY_TEXT`] bytes.
    pub role_name: String,
    /// For people, may be empty; at most [`MAX_POLICY_TEXT`] bytes.
    pub role_description: String,
    /// What holders may do.
    pub role_capabilities: Vec<CapabilityType>,
    /// How many must keep this role; 0 for no minimum.
    pub minimum_participants_constraint: u32,
    /// How many may have this role.
    pub maximum_participants_constraint: Option<u32>,
    /// How many with this role must have clients in the group; 0 for no minimum.
    pub minimum_active_participants_constraint: u32,
    /// How many with this role may have clients in the group; 0 allows none.
    pub maximum_active_participants_constraint: Option<u32>,
    /// Which role changes holders may make, where a capability demands an entry.
    pub authorized_role_changes: Vec<SingleSourceRoleChangeTargets>,
}

impl Role {
    /// Whether the role lists this capability.
    #[must_use]
    pub fn has(&self, capability: CapabilityType) -> bool {
        self.role_capabilities.contains(&capability)
    }
}

impl Encode for Role {
    fn encode(&self, out: &mut Vec<u8>) {
        self.role_index.encode(out);
        field::put_text(out, &self.role_name);
        field::put_text(out, &self.role_description);
        put_vec(out, &self.role_capabilities);
        self.minimum_participants_constraint.encode(out);
        put_optional(out, self.maximum_participants_constraint.as_ref());
        self.minimum_active_participants_constraint.encode(out);
        put_optional(out, self.maximum_active_participants_constraint.as_ref());
        put_vec(out, &self.authorized_role_changes);
    }
}

impl Decode for Role {
    const NAME: &'static str = "Role";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            role_index: r.u32("role_index")?,
            role_name: field::text(r, "role_name", MAX_POLICY_TEXT)?,
            role_description: field::text(r, "role_description", MAX_POLICY_TEXT)?,
            role_capabilities: r.list("role_capabilities", MAX_POLICY)?,
            minimum_participants_constraint: r.u32("minimum_participants_constraint")?,
            maximum_participants_constraint: r.optional("maximum_participants_constraint")?,
            minimum_active_participants_constraint: r.u32("minimum_active_participants_constraint")?,
            maximum_active_participants_constraint: r.optional("maximum_active_participants_constraint")?,
            authorized_role_changes: r.list("authorized_role_changes", MAX_POLICY)?,
        })
    }
}

/// All roles of a room (draft-ietf-mimi-room-policy-03 §3), the data of component
/// [`ROLES_LIST`](crate::mls::ComponentId::ROLES_LIST), and in whole also its update.
///
/// ```text
/// struct {
///   Role roles<V>;
/// } RoleData;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleData {
    /// At most [`MAX_POLICY`] bytes.
    pub roles: Vec<Role>,
}

impl RoleData {
    /// The role of that index.
    #[must_use]
    pub fn role(&self, role_index: u32) -> Option<&Role> {
        self.roles.iter().find(|role| role.role_index == role_index)
    }
}

impl Encode for RoleData {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.roles);
    }
}

impl Decode for RoleData {
    const NAME: &'static str = "RoleData";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            roles: r.list("roles", MAX_POLICY)?,
        })
    }
}
