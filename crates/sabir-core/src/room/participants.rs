//! Changes of the participant list (draft-ietf-mimi-protocol-06 §7.5).

use std::collections::BTreeSet;

use sabir_wire::components::{ParticipantListData, ParticipantListUpdate, UserRolePair};
use sabir_wire::uri::UserUri;
use thiserror::Error;

/// Why a participant list update is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParticipantError {
    /// An index beyond the list.
    #[error("participant index {0} is not in the list")]
    NoSuchIndex(u32),
    /// One user is changed more than once.
    #[error("a user is changed more than once")]
    Repeated,
    /// A user is added who is on the list.
    #[error("an added user is on the list already")]
    AlreadyListed,
    /// Role 0 is reserved for those who are not on the list.
    #[error("role 0 cannot be given")]
    RoleZero,
}

/// The list after an update. All indices refer to the list before it: role changes come first, then removals,
/// then additions at the end.
///
/// # Errors
/// [`ParticipantError`] names the broken rule.
pub fn apply_update(
    list: &ParticipantListData,
    update: &ParticipantListUpdate,
) -> Result<ParticipantListData, ParticipantError> {
    apply_updates(list, std::slice::from_ref(update))
}

/// The list after all updates of one commit, whoever proposed them. They are united: every index refers to the list
/// before the commit, all role changes come first, then all removals, then all additions in the order of the commit.
///
/// # Errors
/// [`ParticipantError`] names the broken rule.
pub fn apply_updates(
    list: &ParticipantListData,
    updates: &[ParticipantListUpdate],
) -> Result<ParticipantListData, ParticipantError> {
    let listed: BTreeSet<&UserUri> = list.participants.iter().map(|entry| &entry.user).collect();
    let mut touched: BTreeSet<UserUri> = BTreeSet::new();
    let mut participants: Vec<Option<UserRolePair>> = list.participants.iter().cloned().map(Some).collect();
    for change in updates
        .iter()
        .flat_map(|update| &update.changed_role_participants)
    {
        // draft-ietf-mimi-room-policy-03 §3: role index 0 is reserved for a user who is not on the list.
        if change.role_index == 0 {
            return Err(ParticipantError::RoleZero);
        }
        let slot = participants.get_mut(position(change.user_index)?);
        let entry = slot
            .and_then(Option::as_mut)
            .ok_or(ParticipantError::NoSuchIndex(change.user_index))?;
        // draft-ietf-mimi-protocol-06 §7.5: one commit may operate on the same user only once.
        if !touched.insert(entry.user.clone()) {
            return Err(ParticipantError::Repeated);
        }
        entry.role_index = change.role_index;
    }
    for index in updates.iter().flat_map(|update| &update.removed_indices) {
        let slot = participants
            .get_mut(position(*index)?)
            .ok_or(ParticipantError::NoSuchIndex(*index))?;
        let entry = slot.take().ok_or(ParticipantError::Repeated)?;
        if !touched.insert(entry.user) {
            return Err(ParticipantError::Repeated);
        }
    }
    for added in updates.iter().flat_map(|update| &update.added_participants) {
        if added.role_index == 0 {
            return Err(ParticipantError::RoleZero);
        }
        if !touched.insert(added.user.clone()) {
            return Err(ParticipantError::Repeated);
        }
        if listed.contains(&added.user) {
            return Err(ParticipantError::AlreadyListed);
        }
        participants.push(Some(added.clone()));
    }
    Ok(ParticipantListData {
        participants: participants.into_iter().flatten().collect(),
    })
}

fn position(index: u32) -> Result<usize, ParticipantError> {
    usize::try_from(index).map_err(|_| ParticipantError::NoSuchIndex(index))
}
