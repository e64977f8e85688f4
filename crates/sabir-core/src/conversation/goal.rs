//! What an intent asks of the room as it is now.

use std::collections::BTreeSet;

use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_mls::identity::ClientCredential;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::components::{ParticipantListUpdate, UserRolePair, UserindexRolePair};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::BaseRoomPolicy;
use sabir_wire::uri::UserUri;

use super::intent::{MAX_NAME, MAX_POLICIES, MAX_WITHDRAWN};
use super::watch::Seen;
use super::{Conversation, ConversationContext, Intent};
use crate::room::policy::{self, Action, View};
use crate::room::{BANNED, Features, link};

/// What is to be done for an intent.
#[derive(Debug)]
pub(super) enum Goal {
    /// Nothing: the room is so already.
    Reached,
    /// Nothing but adding this person's clients, which goes on beside.
    Owed(UserUri),
    /// It cannot be.
    Denied(String),
    /// This person's key packages are asked for first.
    Keys(UserUri),
    /// This is committed.
    Commit(Box<CommitPlan>),
    /// This person departs.
    Leave,
}

impl Conversation {
    /// Why this person may not do something in the room as it is now, if so.
    pub(super) fn may(&self, cx: ConversationContext<'_>, action: Action<'_>) -> Result<(), String> {
        policy::may(self.view(&self.seen()), cx.me, action).map_err(|refusal| refusal.to_string())
    }

    pub(super) fn view<'a>(&'a self, seen: &'a Seen) -> View<'a> {
        View {
            state: &self.state,
            leaves: &seen.leaves,
            device_lists: &seen.lists,
            replaced: &seen.replaced,
            departed: &self.record.departed,
            knows_all: self.record.knows_all,
            takes_claims: true,
        }
    }

    /// Whether an intent may be written down: the person may do it now, or it is done already.
    pub(super) fn check_intent(&self, cx: ConversationContext<'_>, intent: &Intent) -> Result<(), String> {
        if let Intent::Rename { name } = intent
            && name.len() > MAX_NAME
        {
            return Err(format!("the name is longer than {MAX_NAME} bytes"));
        }
        if let Intent::SetPolicy { policies } = intent {
            let different: BTreeSet<_> = policies.iter().map(|(component, _)| component).collect();
            if different.len() != policies.len() || policies.len() > MAX_POLICIES as usize {
                return Err("a policy is named twice, or too many are".to_owned());
            }
            let known = |component: &ComponentId| {
                [
                    ComponentId::BASE_ROOM_POLICY,
                    ComponentId::ROLES_LIST,
                    ComponentId::PREAUTH_LIST,
                ]
                .contains(component)
                    || (Features::COMPONENTS.contains(component) && *component != ComponentId::JOIN_LINKS)
            };
            if !policies.iter().all(|(component, _)| known(component)) {
                return Err("this component does not change as a whole".to_owned());
            }
            let base = policies
                .iter()
                .find(|(component, _)| *component == ComponentId::BASE_ROOM_POLICY);
            if let Some((_, data)) = base {
                let data = data.as_deref().ok_or("the base policy belongs to every room")?;
                BaseRoomPolicy::from_bytes(data).map_err(|error| error.to_string())?;
            }
        }
        if let Intent::ChangeLinks { removed, .. } = intent
            && removed.len() > MAX_WITHDRAWN as usize
        {
            return Err("too many links are withdrawn at once".to_owned());
        }
        match self.goal(cx, intent) {
            Goal::Denied(reason) => Err(reason),
            _ => Ok(()),
        }
    }

    pub(super) fn goal(&self, cx: ConversationContext<'_>, intent: &Intent) -> Goal {
        let role_of = |user: &UserUri| self.state.participant(user).map(|entry| entry.role_index);
        let checked = |action: Action<'_>, goal: Goal| match self.may(cx, action) {
            Ok(()) => goal,
            Err(reason) => Goal::Denied(reason),
        };
        match intent {
            Intent::Add { user, role } => match role_of(user) {
                None => checked(Action::Add(user, *role), Goal::Keys(user.clone())),
                Some(BANNED) => Goal::Denied("this person is banned".to_owned()),
                Some(_) if self.is_present(user) => Goal::Reached,
                Some(_) => checked(Action::AddClients(user), Goal::Owed(user.clone())),
            },
            Intent::Remove { user } if user == cx.me => self.goal(cx, &Intent::Leave),
            Intent::Remove { user } => match role_of(user) {
                None => Goal::Reached,
                Some(_) => checked(Action::Remove(user), self.planned(intent)),
            },
            Intent::Ban { user } => match role_of(user) {
                Some(BANNED) => Goal::Reached,
                _ => checked(Action::Ban(user), self.planned(intent)),
            },
            Intent::Unban { user, role } => match role_of(user) {
                Some(BANNED) => checked(Action::Unban(user, *role), Goal::Keys(user.clone())),
                Some(now) if now == *role && self.is_present(user) => Goal::Reached,
                Some(now) if now == *role => Goal::Owed(user.clone()),
                _ => Goal::Denied("this person is not banned".to_owned()),
            },
            Intent::SetRole { user, role } => match role_of(user) {
                Some(now) if now == *role => Goal::Reached,
                Some(BANNED) => checked(Action::Unban(user, *role), Goal::Keys(user.clone())),
                _ if *role == BANNED => checked(Action::Ban(user), self.planned(intent)),
                _ => checked(Action::SetRole(user, *role), self.planned(intent)),
            },
            Intent::Rename { name } if self.state.metadata.room_name == *name => Goal::Reached,
            Intent::Rename { name } => checked(Action::Rename(name), self.planned(intent)),
            Intent::SetPolicy { policies } if policy::operations(&self.state, policies).is_empty() => {
                Goal::Reached
            }
            Intent::SetPolicy { policies } => checked(Action::SetPolicy(policies), self.planned(intent)),
            Intent::ChangeLinks { added, removed }
                if policy::link_operations(&self.state, added.as_ref(), removed).is_empty() =>
            {
                Goal::Reached
            }
            Intent::ChangeLinks { added, removed } => {
                if added.is_some_and(|link| !link::leads_in(&self.state, &link)) {
                    return Goal::Denied("the roles of this room let nobody in by such a link".to_owned());
                }
                checked(Action::ChangeLinks(added.as_ref(), removed), self.planned(intent))
            }
            Intent::Leave => checked(Action::Leave, Goal::Leave),
        }
    }

    fn planned(&self, intent: &Intent) -> Goal {
        match self.plan(intent) {
            Some(plan) => Goal::Commit(Box::new(plan)),
            None => Goal::Denied("this person is not on the list".to_owned()),
        }
    }

    /// The change of the room's state that an intent asks for, and the leaves that go with it.
    pub(super) fn plan(&self, intent: &Intent) -> Option<CommitPlan> {
        let mut plan = CommitPlan::default();
        let mut update = ParticipantListUpdate::default();
        match intent {
            Intent::Add { user, role } => update.added_participants.push(UserRolePair {
                user: user.clone(),
                role_index: *role,
            }),
            Intent::Remove { user } => {
                update.removed_indices.push(self.index_of(user)?);
                plan.removes = self.leaves_of(user);
            }
            Intent::Ban { user } => {
                update.changed_role_participants.push(self.moved(user, BANNED)?);
                plan.removes = self.leaves_of(user);
            }
            Intent::Unban { user, role } | Intent::SetRole { user, role } => {
                update.changed_role_participants.push(self.moved(user, *role)?);
                if *role == BANNED {
                    plan.removes = self.leaves_of(user);
                }
            }
            Intent::Rename { name } => {
                let mut metadata = self.state.metadata.clone();
                metadata.room_name.clone_from(name);
                let operation = AppDataOperation::Update(metadata.to_bytes());
                plan.app_data.push((ComponentId::ROOM_METADATA.0, operation));
                return Some(plan);
            }
            Intent::SetPolicy { policies } => {
                let operations = policy::operations(&self.state, policies);
                let operations = operations.into_iter().map(|(component, it)| (component.0, it));
                plan.app_data.extend(operations);
                return Some(plan);
            }
            Intent::ChangeLinks { added, removed } => {
                let operations = policy::link_operations(&self.state, added.as_ref(), removed);
                let operations = operations.into_iter().map(|(component, it)| (component.0, it));
                plan.app_data.extend(operations);
                return Some(plan);
            }
            Intent::Leave => return None,
        }
        plan.app_data.push(list_change(&update));
        Some(plan)
    }

    fn moved(&self, user: &UserUri, role_index: u32) -> Option<UserindexRolePair> {
        Some(UserindexRolePair {
            user_index: self.index_of(user)?,
            role_index,
        })
    }

    pub(super) fn index_of(&self, user: &UserUri) -> Option<u32> {
        let entries = &self.state.participants.participants;
        let position = entries.iter().position(|entry| entry.user == *user)?;
        u32::try_from(position).ok()
    }

    /// The leaves of a person, ascending.
    pub(super) fn leaves_of(&self, user: &UserUri) -> Vec<u32> {
        let members = self.group.members().filter(|member| {
            ClientCredential::parse(&member.credential)
                .is_ok_and(|credential| credential.claimed_user() == user)
        });
        members.map(|member| member.leaf).collect()
    }

    /// Whether something waits for a commit: proposals of the log, or people who departed and are on the list still.
    pub(super) fn must_commit(&self) -> bool {
        self.group.has_proposals() || !self.gone_but_listed().is_empty()
    }

    /// People who departed, whom no proposal that waits takes off the list.
    fn gone_but_listed(&self) -> Vec<UserUri> {
        if self.record.departed.is_empty() {
            return Vec::new();
        }
        let mut gone: Vec<UserUri> = self.record.departed.iter().cloned().collect();
        gone.retain(|user| self.state.participant(user).is_some());
        for proposal in self.group.proposals() {
            let Some((component, AppDataOperation::Update(bytes))) = proposal.app_data else {
                continue;
            };
            if ComponentId(component) != ComponentId::PARTICIPANT_LIST {
                continue;
            }
            let Ok(update) = ParticipantListUpdate::from_bytes(&bytes) else {
                continue;
            };
            gone.retain(|user| {
                self.index_of(user)
                    .is_none_or(|index| !update.removed_indices.contains(&index))
            });
        }
        gone
    }

    /// What a commit does beside taking up all proposals: it takes people off the list who departed and whose own
    /// proposal for it an external commit made invalid, with what clients of theirs are left.
    pub(super) fn cleanup(&self) -> CommitPlan {
        let mut plan = CommitPlan::default();
        let mut update = ParticipantListUpdate::default();
        for user in self.gone_but_listed() {
            update.removed_indices.extend(self.index_of(&user));
            plan.removes.extend(self.leaves_of(&user));
        }
        if !update.removed_indices.is_empty() {
            plan.app_data.push(list_change(&update));
        }
        // One removal of a leaf is enough, and those that wait must be taken.
        for proposal in self.group.proposals() {
            plan.removes.retain(|leaf| Some(*leaf) != proposal.removes);
        }
        plan
    }
}

pub(super) fn list_change(update: &ParticipantListUpdate) -> (u16, AppDataOperation) {
    (
        ComponentId::PARTICIPANT_LIST.0,
        AppDataOperation::Update(update.to_bytes()),
    )
}
