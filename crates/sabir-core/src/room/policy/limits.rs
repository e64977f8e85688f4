//! How many people and clients a room and its roles may have (draft-ietf-mimi-room-policy-03 §3, §5).

use std::collections::{BTreeMap, BTreeSet};

use sabir_wire::mls::ComponentId;
use sabir_wire::uri::UserUri;

use super::change::Changes;
use super::{Refusal, View};
use crate::room::{BANNED, RoomState};

/// How many have a role, and how many of them have clients.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    people: usize,
    active: usize,
}

/// A limit binds whoever comes nearer to it or changes it; a room that is past it already can be mended.
pub(super) fn check(view: View<'_>, changes: &Changes) -> Result<(), Refusal> {
    if changes.are_none() {
        return Ok(());
    }
    let before = clients(view, None);
    let after = clients(view, Some(changes));
    let redefined = changes.changes(ComponentId::ROLES_LIST);
    // People who departed are counted as gone, unless this brings them back.
    let back: BTreeSet<&UserUri> = changes.adds.iter().map(|(_, user)| user).collect();
    let gone = |user: &UserUri| view.departed.contains(user);
    let old = counts(view.state, &before, gone);
    let new = counts(&changes.next, &after, |user| gone(user) && !back.contains(user));
    check_counts(&changes.next, &old, &new, redefined)?;
    let redefined = changes.changes(ComponentId::BASE_ROOM_POLICY);
    check_base(view.state, &changes.next, (&before, &after), redefined)
}

/// Every limit, for a room as it is made.
pub(super) fn check_new(view: View<'_>) -> Result<(), Refusal> {
    let clients = clients(view, None);
    let counts = counts(view.state, &clients, |_| false);
    check_counts(view.state, &BTreeMap::new(), &counts, true)?;
    check_base(view.state, view.state, (&clients, &clients), true)
}

fn check_counts(
    next: &RoomState,
    old: &BTreeMap<u32, Count>,
    new: &BTreeMap<u32, Count>,
    redefined: bool,
) -> Result<(), Refusal> {
    for role in &next.roles.roles {
        let old = old.get(&role.role_index).copied().unwrap_or_default();
        let new = new.get(&role.role_index).copied().unwrap_or_default();
        let bounds = [
            (
                old.people,
                new.people,
                role.minimum_participants_constraint,
                role.maximum_participants_constraint,
            ),
            (
                old.active,
                new.active,
                role.minimum_active_participants_constraint,
                role.maximum_active_participants_constraint,
            ),
        ];
        for (old, new, minimum, maximum) in bounds {
            if new < size(minimum) && (new < old || redefined) {
                return Err(Refusal::Denied("too few people would have a role"));
            }
            if maximum.is_some_and(|maximum| new > size(maximum)) && (new > old || redefined) {
                return Err(Refusal::Denied("too many people would have a role"));
            }
        }
    }
    Ok(())
}

fn check_base(
    state: &RoomState,
    next: &RoomState,
    (before, after): (&BTreeMap<&UserUri, usize>, &BTreeMap<&UserUri, usize>),
    redefined: bool,
) -> Result<(), Refusal> {
    let base = &next.base;
    let exceeds = |old: usize, new: usize, maximum: Option<u32>| {
        maximum.is_some_and(|maximum| new > size(maximum)) && (new > old || redefined)
    };
    // draft-ietf-mimi-room-policy-03 §5: max_users counts "non-banned entries in the participant list".
    if exceeds(listed(state), listed(next), base.max_users) {
        return Err(Refusal::Denied("the room would have too many people"));
    }
    if exceeds(before.values().sum(), after.values().sum(), base.max_clients) {
        return Err(Refusal::Denied("the room would have too many clients"));
    }
    // draft-ietf-mimi-room-policy-03 §5: "If false only a single client can be an MLS member at one time".
    let several = |user: &UserUri, count: usize| {
        count > 1 && (redefined || count > before.get(user).copied().unwrap_or_default())
    };
    if !base.multi_device && after.iter().any(|(user, count)| several(user, *count)) {
        return Err(Refusal::Denied("a person would have more than one client"));
    }
    Ok(())
}

fn listed(state: &RoomState) -> usize {
    let entries = state.participants.participants.iter();
    entries.filter(|entry| entry.role_index != BANNED).count()
}

/// Clients in the group by person, now or after the changes.
fn clients<'a>(view: View<'a>, changes: Option<&'a Changes>) -> BTreeMap<&'a UserUri, usize> {
    let removed: BTreeSet<u32> = changes
        .iter()
        .flat_map(|changes| changes.removes.iter().map(|(_, leaf)| *leaf))
        .collect();
    let staying = view
        .leaves
        .iter()
        .filter(|(leaf, _)| !removed.contains(leaf))
        .map(|(_, client)| &client.user);
    let added = changes
        .iter()
        .flat_map(|changes| changes.adds.iter().map(|(_, user)| user).chain(&changes.joiner));
    let mut clients = BTreeMap::new();
    for user in staying.chain(added) {
        let count: &mut usize = clients.entry(user).or_default();
        *count = count.saturating_add(1);
    }
    clients
}

fn counts(
    state: &RoomState,
    clients: &BTreeMap<&UserUri, usize>,
    gone: impl Fn(&UserUri) -> bool,
) -> BTreeMap<u32, Count> {
    let mut counts: BTreeMap<u32, Count> = BTreeMap::new();
    let entries = state.participants.participants.iter();
    for entry in entries.filter(|entry| !gone(&entry.user)) {
        let count = counts.entry(entry.role_index).or_default();
        count.people = count.people.saturating_add(1);
        let active = usize::from(clients.contains_key(&entry.user));
        count.active = count.active.saturating_add(active);
    }
    counts
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
