//! What people are shown of a room beside its state.

use sabir_wire::uri::{ClientUri, UserUri};

use super::Conversation;

impl Conversation {
    /// Clients in the room's group, each with its person.
    #[must_use]
    pub fn devices(&self) -> Vec<(ClientUri, UserUri)> {
        self.clients()
    }

    /// People who left and whom the next commit takes off the list.
    pub fn departed(&self) -> impl Iterator<Item = &UserUri> {
        self.record.departed.iter()
    }
}
