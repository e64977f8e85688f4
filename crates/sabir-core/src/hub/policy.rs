//! Who may speak for whom at a hub. What a commit may do in a room is [`crate::room::policy`]'s.

use sabir_wire::uri::{Domain, UserUri};

use super::Origin;
use crate::room::policy::{LeafClient, Refusal};

pub(crate) fn check_origin(client: &LeafClient, origin: &Origin) -> Result<(), Refusal> {
    // draft-ietf-mimi-protocol-06 §5.3: the update comes from the provider of the committer's leaf.
    if !speaks_for(&origin.provider, &client.user) {
        return Err(Refusal::Denied("the committer belongs to another provider"));
    }
    if origin
        .client
        .as_ref()
        .is_some_and(|device| *device != client.client)
    {
        return Err(Refusal::Denied("the committer is another device"));
    }
    Ok(())
}

/// Whether somebody of this provider may act for a user.
pub(crate) fn speaks_for(provider: &Domain, user: &UserUri) -> bool {
    user.authority() == provider
}
