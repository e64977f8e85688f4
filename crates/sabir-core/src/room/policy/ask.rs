//! What a client asks before it proposes anything.

use sabir_mls::app_data::AppDataOperation;
use sabir_wire::codec::Encode;
use sabir_wire::components::{ParticipantListUpdate, UserRolePair, UserindexRolePair};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::CapabilityType;
use sabir_wire::uri::UserUri;

use super::change::{Asked, Changes};
use super::{By, Refusal, View, Wanted, link_operations, operations, rules};
use crate::room::link::LinkTerms;
use crate::room::{BANNED, RoomState, allows};

/// What a person wants to do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// Put somebody on the list, with the index of a role, and add their clients.
    Add(&'a UserUri, u32),
    /// Add clients of somebody who is on the list.
    AddClients(&'a UserUri),
    /// Take somebody off the list, with all their clients.
    Remove(&'a UserUri),
    /// Ban somebody who is on the list.
    Ban(&'a UserUri),
    /// Give somebody who is banned another role.
    Unban(&'a UserUri, u32),
    /// Give somebody another role.
    SetRole(&'a UserUri, u32),
    /// Leave.
    Leave,
    /// Give the room another name.
    Rename(&'a str),
    /// Give the room other policies.
    SetPolicy(&'a [Wanted]),
    /// Make a join link, and withdraw those with these keys.
    ChangeLinks(Option<&'a LinkTerms>, &'a [[u8; 32]]),
    /// Send a message.
    SendMessage,
    /// Add an own client.
    AddOwnClient,
    /// Remove an own client, but not the person from the list.
    RemoveOwnClient,
}

/// Whether a person may do something in the room as it is now.
///
/// # Errors
/// [`Refusal::Denied`] or [`Refusal::Invalid`], the reason in words.
pub(crate) fn may(view: View<'_>, user: &UserUri, action: Action<'_>) -> Result<(), Refusal> {
    let state = view.state;
    if state.participant(user).is_none() || view.departed.contains(user) {
        return Err(Refusal::Denied("you are no participant of this room"));
    }
    let by = By::Person(user.clone());
    let mut asked = Asked::default();
    match action {
        Action::SendMessage => return capability(state, user, CapabilityType::CAN_SEND_MESSAGE),
        Action::RemoveOwnClient => return capability(state, user, CapabilityType::CAN_REMOVE_OWN_CLIENT),
        Action::AddOwnClient => asked.adds.push((by, user.clone())),
        Action::AddClients(other) => asked.adds.push((by, other.clone())),
        Action::Add(other, role) => {
            let update = ParticipantListUpdate {
                added_participants: vec![UserRolePair {
                    user: other.clone(),
                    role_index: role,
                }],
                ..empty()
            };
            asked.app_data.push(list(by, &update));
        }
        Action::Leave | Action::Remove(_) => {
            let gone = match action {
                Action::Remove(other) => other,
                _ => user,
            };
            let update = ParticipantListUpdate {
                removed_indices: vec![index_of(state, gone)?],
                ..empty()
            };
            asked.removes = clients_of(view, gone, &by);
            asked.app_data.push(list(by, &update));
        }
        Action::Ban(other) | Action::Unban(other, _) | Action::SetRole(other, _) => {
            let role_index = match action {
                Action::Unban(_, role) | Action::SetRole(_, role) => role,
                _ => BANNED,
            };
            let from = state.participant(other).map(|entry| entry.role_index);
            if matches!(action, Action::Unban(..)) && from != Some(BANNED) {
                return Err(Refusal::Denied("this person is not banned"));
            }
            let update = ParticipantListUpdate {
                changed_role_participants: vec![UserindexRolePair {
                    user_index: index_of(state, other)?,
                    role_index,
                }],
                ..empty()
            };
            if role_index == BANNED {
                asked.removes = clients_of(view, other, &by);
            }
            asked.app_data.push(list(by, &update));
        }
        Action::Rename(name) => {
            let mut metadata = state.metadata.clone();
            name.clone_into(&mut metadata.room_name);
            let operation = AppDataOperation::Update(metadata.to_bytes());
            asked.app_data.push((by, ComponentId::ROOM_METADATA, operation));
        }
        Action::ChangeLinks(added, removed) => {
            for (component, operation) in link_operations(state, added, removed) {
                asked.app_data.push((by.clone(), component, operation));
            }
        }
        Action::SetPolicy(wanted) => {
            for (component, operation) in operations(state, wanted) {
                asked.app_data.push((by.clone(), component, operation));
            }
        }
    }
    rules::check(view, &Changes::of(state, asked)?)
}

fn capability(state: &RoomState, user: &UserUri, capability: CapabilityType) -> Result<(), Refusal> {
    if allows(state, user, capability) {
        Ok(())
    } else {
        Err(Refusal::Denied("your role does not allow this"))
    }
}

fn clients_of(view: View<'_>, user: &UserUri, by: &By) -> Vec<(By, u32)> {
    let leaves = view.leaves.iter();
    leaves
        .filter(|(_, client)| client.user == *user)
        .map(|(leaf, _)| (by.clone(), *leaf))
        .collect()
}

fn index_of(state: &RoomState, user: &UserUri) -> Result<u32, Refusal> {
    let entries = &state.participants.participants;
    entries
        .iter()
        .position(|entry| entry.user == *user)
        .and_then(|index| u32::try_from(index).ok())
        .ok_or(Refusal::Denied("this person is not on the list"))
}

fn list(by: By, update: &ParticipantListUpdate) -> (By, ComponentId, AppDataOperation) {
    (
        by,
        ComponentId::PARTICIPANT_LIST,
        AppDataOperation::Update(update.to_bytes()),
    )
}

fn empty() -> ParticipantListUpdate {
    ParticipantListUpdate {
        changed_role_participants: Vec::new(),
        removed_indices: Vec::new(),
        added_participants: Vec::new(),
    }
}
