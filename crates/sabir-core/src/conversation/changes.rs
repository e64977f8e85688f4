//! What a commit did to the room, for people: who came and went, whose role is another, what the room is called, and
//! who did it.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::PendingProposal;
use sabir_mls::identity::ClientCredential;
use sabir_mls::{Author, CommitFacts};
use sabir_wire::codec::Decode;
use sabir_wire::components::ParticipantListUpdate;
use sabir_wire::mls::ComponentId;
use sabir_wire::uri::UserUri;

use super::event::{ConversationEvent, Joining, Leaving};
use super::{Conversation, Out};
use crate::Millis;
use crate::room::{BANNED, Features, RoomState};

/// Who did what to whom by a commit.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    /// Who changed somebody's place on the list.
    people: BTreeMap<UserUri, Option<UserUri>>,
    /// Who removed a leaf.
    leaves: BTreeMap<u32, Option<UserUri>>,
    /// Who changed which component, the list apart.
    components: BTreeMap<ComponentId, Option<UserUri>>,
    /// Who committed, and answers for the rest.
    pub(super) committer: Option<UserUri>,
}

impl Deeds {
    /// Who changed somebody's place on the list.
    fn of(&self, user: &UserUri) -> Option<UserUri> {
        match self.people.get(user) {
            Some(by) => by.clone(),
            None => self.committer.clone(),
        }
    }

    /// Who changed a component.
    fn author_of(&self, component: ComponentId) -> Option<UserUri> {
        match self.components.get(&component) {
            Some(by) => by.clone(),
            None => self.committer.clone(),
        }
    }
}

impl Conversation {
    /// The deeds of somebody's commit, read before it is merged.
    pub(super) fn deeds_of(&self, facts: &CommitFacts) -> Deeds {
        let committer = match facts.committer {
            Author::NewMember => facts
                .path_leaf
                .as_ref()
                .and_then(|leaf| leaf.claims.as_ref())
                .map(|(_, user)| user.clone()),
            author => self.person(author),
        };
        let person = |author: Author| match author {
            Author::NewMember => committer.clone(),
            author => self.person(author),
        };
        let mut deeds = Deeds {
            committer: committer.clone(),
            ..Deeds::default()
        };
        for update in &facts.app_data {
            let by = person(update.author);
            self.note(&mut deeds, update.component, &update.operation, by);
        }
        for remove in &facts.removes {
            deeds.leaves.insert(remove.removed, person(remove.author));
        }
        deeds
    }

    /// The deeds of this client's own commit, read before it is merged: what does not come from proposals that wait
    /// is its own.
    pub(super) fn own_deeds(&self, me: &UserUri) -> Deeds {
        let mut deeds = Deeds {
            committer: Some(me.clone()),
            ..Deeds::default()
        };
        let proposals: Vec<PendingProposal> = self.group.proposals().collect();
        for proposal in proposals {
            let by = self.person(proposal.author);
            if let Some((component, operation)) = &proposal.app_data {
                self.note(&mut deeds, *component, operation, by.clone());
            }
            if let Some(leaf) = proposal.removes {
                deeds.leaves.insert(leaf, by);
            }
        }
        deeds
    }

    fn note(&self, deeds: &mut Deeds, component: u16, operation: &AppDataOperation, by: Option<UserUri>) {
        if ComponentId(component) != ComponentId::PARTICIPANT_LIST {
            deeds.components.insert(ComponentId(component), by);
            return;
        }
        let AppDataOperation::Update(bytes) = operation else {
            return;
        };
        let Ok(update) = ParticipantListUpdate::from_bytes(bytes) else {
            return;
        };
        let at = |index: &u32| {
            let entries = &self.state.participants.participants;
            let entry = usize::try_from(*index).ok().and_then(|index| entries.get(index));
            entry.map(|entry| entry.user.clone())
        };
        let moved = update
            .changed_role_participants
            .iter()
            .map(|change| change.user_index);
        let named = update.removed_indices.iter().copied().chain(moved);
        let listed: Vec<UserUri> = named.filter_map(|index| at(&index)).collect();
        let added = update.added_participants.into_iter().map(|entry| entry.user);
        for user in listed.into_iter().chain(added) {
            // Who takes somebody off the list that left has not removed them.
            let left = by.as_ref() != Some(&user) && self.record.departed.contains(&user);
            let by = if left { Some(user.clone()) } else { by.clone() };
            deeds.people.insert(user, by);
        }
    }

    fn person(&self, author: Author) -> Option<UserUri> {
        let Author::Member(leaf) = author else {
            return None;
        };
        let member = self.group.members().find(|member| member.leaf == leaf)?;
        let credential = ClientCredential::parse(&member.credential).ok()?;
        Some(credential.claimed_user().clone())
    }

    /// How this client came out of the room by a commit, and who did it.
    pub(super) fn way_out(&self, next: &RoomState, deeds: &Deeds, me: &UserUri) -> (Out, Option<UserUri>) {
        let role = next.participant(me).map(|entry| entry.role_index);
        let by = deeds.of(me);
        match role {
            Some(BANNED) => (Out::Banned, by),
            None if by.as_ref() == Some(me) => (Out::Left, by),
            None => (Out::Removed, by),
            Some(_) if self.record.departed.contains(me) || self.record.leaving => {
                (Out::Left, Some(me.clone()))
            }
            Some(_) => {
                let by = deeds.leaves.get(&self.group.own_leaf());
                (
                    Out::Client,
                    by.cloned().unwrap_or_else(|| deeds.committer.clone()),
                )
            }
        }
    }

    /// What is to be told of the change from `old` to `new`.
    pub(super) fn told(
        old: &RoomState,
        new: &RoomState,
        deeds: &Deeds,
        accepted: Millis,
    ) -> Vec<ConversationEvent> {
        let roles = |state: &RoomState| -> BTreeMap<UserUri, u32> {
            let entries = state.participants.participants.iter();
            entries
                .map(|entry| (entry.user.clone(), entry.role_index))
                .collect()
        };
        let mut events = Vec::new();
        if old.participants != new.participants {
            let (before, after) = (roles(old), roles(new));
            let everybody: BTreeSet<&UserUri> = before.keys().chain(after.keys()).collect();
            let (mut joined, mut left, mut moved) = (Vec::new(), Vec::new(), Vec::new());
            for user in everybody {
                let (user, by) = (user.clone(), deeds.of(user));
                match (before.get(&user).copied(), after.get(&user).copied()) {
                    (None, Some(role)) => joined.push(Joining { user, role, by }),
                    (Some(_), None) => left.push(Leaving { user, by }),
                    (Some(from), Some(to)) if from != to => moved.push(ConversationEvent::RoleChanged {
                        user,
                        from,
                        to,
                        by,
                        accepted,
                    }),
                    _ => {}
                }
            }
            if !joined.is_empty() || !left.is_empty() {
                events.push(ConversationEvent::MembersChanged {
                    joined,
                    left,
                    accepted,
                });
            }
            events.extend(moved);
        }
        if old.metadata.room_name != new.metadata.room_name {
            events.push(ConversationEvent::Renamed {
                name: new.metadata.room_name.clone(),
                by: deeds.author_of(ComponentId::ROOM_METADATA),
                accepted,
            });
        }
        events.extend(policies_told(old, new, deeds, accepted));
        events
    }
}

/// The policies that are others now. That the base policy names other components says nothing by itself.
fn policies_told(
    old: &RoomState,
    new: &RoomState,
    deeds: &Deeds,
    accepted: Millis,
) -> Vec<ConversationEvent> {
    let listed = sabir_wire::policy::BaseRoomPolicy {
        policy_component_ids: new.base.policy_component_ids.clone(),
        ..old.base.clone()
    };
    let base = (listed != new.base).then_some(ComponentId::BASE_ROOM_POLICY);
    let whole = [ComponentId::ROLES_LIST, ComponentId::PREAUTH_LIST];
    let others = whole.iter().chain(Features::COMPONENTS).copied();
    let changed = others.filter(|component| old.data(*component) != new.data(*component));
    base.into_iter()
        .chain(changed)
        .map(|component| ConversationEvent::PolicyChanged {
            component,
            by: deeds.author_of(component),
            accepted,
        })
        .collect()
}
