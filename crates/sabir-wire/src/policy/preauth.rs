use super::{MAX_POLICY, MAX_POLICY_TEXT, Role};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};
use crate::field;
use crate::mls::CredentialType;

/// Which claim of a credential is meant (draft-ietf-mimi-room-policy-03 §4).
///
/// ```text
/// struct {
///   CredentialType credential_type;
///   /* the binary representation of an X.509 OID, a JWT claim name  */
///   /* string, or the CBOR map claim key in a CWT (an int or tstr)  */
///   opaque id<V>;
/// } ClaimId;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimId {
    /// The kind of credential that has the claim.
    pub credential_type: CredentialType,
    /// The claim's name there; at most [`MAX_POLICY_TEXT`] bytes.
    pub id: Vec<u8>,
}

impl Encode for ClaimId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.credential_type.encode(out);
        put_opaque(out, &self.id);
    }
}

impl Decode for ClaimId {
    const NAME: &'static str = "ClaimId";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            credential_type: r.read_as("credential_type")?,
            id: field::bytes(r, "id", MAX_POLICY_TEXT)?,
        })
    }
}

/// A claim and the value it must have (draft-ietf-mimi-room-policy-03 §4).
///
/// ```text
/// struct {
///   ClaimId claim_id;
///   opaque claim_value<V>;
/// } Claim;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which claim.
    pub claim_id: ClaimId,
    /// Exactly this value; at most [`MAX_POLICY_TEXT`] bytes.
    pub claim_value: Vec<u8>,
}

impl Encode for Claim {
    fn encode(&self, out: &mut Vec<u8>) {
        self.claim_id.encode(out);
        put_opaque(out, &self.claim_value);
    }
}

impl Decode for Claim {
    const NAME: &'static str = "Claim";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            claim_id: r.read_as("claim_id")?,
            claim_value: field::bytes(r, "claim_value", MAX_POLICY_TEXT)?,
        })
    }
}

/// Whoever satisfies every claim may take the role (draft-ietf-mimi-room-policy-03 §4).
///
/// ```text
/// struct {
///   Claim claimset<V>;
///   Role target_role;
/// } PreAuthRoleEntry;
/// ```
///
/// The draft puts a whole [`Role`] here, not its index. Which role is meant follows from its `role_index`; that
/// it equals the room's role of that index is for the room engine to demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreAuthRoleEntry {
    /// All must be satisfied. An empty list is satisfied by everybody.
    pub claimset: Vec<Claim>,
    /// The role they may take.
    pub target_role: Role,
}

impl Encode for PreAuthRoleEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.claimset);
        self.target_role.encode(out);
    }
}

impl Decode for PreAuthRoleEntry {
    const NAME: &'static str = "PreAuthRoleEntry";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            claimset: r.list("claimset", MAX_POLICY)?,
            target_role: r.read_as("target_role")?,
        })
    }
}

/// Who may take which role unasked (draft-ietf-mimi-room-policy-03 §4), the data of component
/// [`PREAUTH_LIST`](crate::mls::ComponentId::PREAUTH_LIST), and in whole also its update.
///
/// ```text
/// struct {
///   PreAuthRoleEntry preauthorized_entries<V>;
/// } PreAuthData;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreAuthData {
    /// The first entry that matches counts; at most [`MAX_POLICY`] bytes.
    pub preauthorized_entries: Vec<PreAuthRoleEntry>,
}

impl Encode for PreAuthData {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.preauthorized_entries);
    }
}

impl Decode for PreAuthData {
    const NAME: &'static str = "PreAuthData";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            preauthorized_entries: r.list("preauthorized_entries", MAX_POLICY)?,
        })
    }
}
