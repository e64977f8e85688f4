//! What a commit or a set of proposals asks for, sorted by whom and about whom, and the state it leads to.

use std::collections::BTreeSet;

use sabir_mls::app_data::AppDataOperation;
use sabir_wire::codec::{Decode, DecodeError};
use sabir_wire::components::ParticipantListUpdate;
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::PreAuthData;
use sabir_wire::uri::UserUri;

use super::{By, Refusal};
use crate::room::link::LinkTerms;
use crate::room::{Features, RoomState, apply_updates};

/// Somebody's place on the list changes. Role 0 stands for not being on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) by: By,
    pub(super) user: UserUri,
    pub(super) from: u32,
    pub(super) to: u32,
}

/// What is asked, before its meaning for the state is known.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) app_data: Vec<(By, ComponentId, AppDataOperation)>,
    pub(super) removes: Vec<(By, u32)>,
    pub(super) adds: Vec<(By, UserUri)>,
    pub(super) joiner: Option<UserUri>,
    /// The join link of which the joiner has shown that they have it.
    pub(super) link: Option<LinkTerms>,
}

/// What is asked, and the state it leads to.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) moves: Vec<Move>,
    pub(super) removes: Vec<(By, u32)>,
    pub(super) adds: Vec<(By, UserUri)>,
    pub(super) joiner: Option<UserUri>,
    pub(super) link: Option<LinkTerms>,
    /// Changed components, the participant list apart.
    pub(super) components: Vec<(By, ComponentId)>,
    pub(super) next: RoomState,
}

impl Changes {
    /// Whether nobody comes, goes or changes, and the state stays.
    pub(super) fn are_none(&self) -> bool {
        self.moves.is_empty()
            && self.removes.is_empty()
            && self.adds.is_empty()
            && self.joiner.is_none()
            && self.components.is_empty()
    }

    pub(super) fn of(state: &RoomState, asked: Asked) -> Result<Self, Refusal> {
        let mut next = state.clone();
        let mut updates: Vec<(By, ParticipantListUpdate)> = Vec::new();
        let mut components: Vec<(By, ComponentId)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (by, component, operation) in asked.app_data {
            if let (ComponentId::PARTICIPANT_LIST, AppDataOperation::Update(bytes)) = (component, &operation)
            {
                updates.push((by, read(bytes)?));
                continue;
            }
            if !seen.insert(component) {
                return Err(Refusal::Invalid(
                    "a component is changed more than once in one commit".to_owned(),
                ));
            }
            take(&mut next, component, &operation)?;
            components.push((by, component));
        }
        let moves = moves(state, &updates)?;
        let lists: Vec<ParticipantListUpdate> = updates.into_iter().map(|(_, update)| update).collect();
        next.participants = apply_updates(&state.participants, &lists)
            .map_err(|error| Refusal::Invalid(error.to_string()))?;
        Ok(Self {
            moves,
            removes: asked.removes,
            adds: asked.adds,
            joiner: asked.joiner,
            link: asked.link,
            components,
            next,
        })
    }

    pub(super) fn move_of(&self, user: &UserUri) -> Option<&Move> {
        self.moves.iter().find(|change| change.user == *user)
    }

    pub(super) fn changes(&self, component: ComponentId) -> bool {
        self.components.iter().any(|(_, changed)| *changed == component)
    }
}

fn moves(state: &RoomState, updates: &[(By, ParticipantListUpdate)]) -> Result<Vec<Move>, Refusal> {
    let entry = |index: u32| {
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let entry = state.participants.participants.get(position);
        entry.ok_or_else(|| Refusal::Invalid(format!("participant index {index} is not in the list")))
    };
    let mut moves = Vec::new();
    for (by, update) in updates {
        let mut push = |user: &UserUri, from, to| {
            moves.push(Move {
                by: by.clone(),
                user: user.clone(),
                from,
                to,
            });
        };
        for change in &update.changed_role_participants {
            let entry = entry(change.user_index)?;
            push(&entry.user, entry.role_index, change.role_index);
        }
        for index in &update.removed_indices {
            let entry = entry(*index)?;
            push(&entry.user, entry.role_index, 0);
        }
        for added in &update.added_participants {
            push(&added.user, 0, added.role_index);
        }
    }
    Ok(moves)
}

fn take(next: &mut RoomState, component: ComponentId, operation: &AppDataOperation) -> Result<(), Refusal> {
    match (component, operation) {
        (ComponentId::ROOM_METADATA, AppDataOperation::Update(bytes)) => next.metadata = read(bytes)?,
        (ComponentId::ROLES_LIST, AppDataOperation::Update(bytes)) => next.roles = read(bytes)?,
        (ComponentId::BASE_ROOM_POLICY, AppDataOperation::Update(bytes)) => next.base = read(bytes)?,
        (ComponentId::PREAUTH_LIST, AppDataOperation::Update(bytes)) => next.preauth = read(bytes)?,
        (ComponentId::PREAUTH_LIST, AppDataOperation::Remove) => next.preauth = PreAuthData::default(),
        (component, operation) if Features::COMPONENTS.contains(&component) => {
            let update = match operation {
                AppDataOperation::Update(bytes) => Some(bytes.as_slice()),
                AppDataOperation::Remove => None,
            };
            let taken = next.features.take(component, update);
            taken.map_err(|error| Refusal::Invalid(error.to_string()))?;
        }
        (_, AppDataOperation::Update(_)) => {
            return Err(Refusal::Invalid("this component does not change".to_owned()));
        }
        (_, AppDataOperation::Remove) => {
            return Err(Refusal::Invalid(
                "this component belongs to every room".to_owned(),
            ));
        }
    }
    Ok(())
}

fn read<T: Decode>(bytes: &[u8]) -> Result<T, Refusal> {
    T::from_bytes(bytes).map_err(|error: DecodeError| Refusal::Invalid(error.to_string()))
}
