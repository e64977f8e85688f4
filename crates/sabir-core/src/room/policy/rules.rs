//! Each change against the capabilities of who asks for it (draft-ietf-mimi-room-policy-03 §8.1, §8.2, §8.6).

use std::collections::BTreeSet;

use sabir_wire::components::RoomMetaData;
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{BaseRoomPolicy, CapabilityType, Role};
use sabir_wire::uri::UserUri;

use super::change::{Changes, Move};
use super::{By, Refusal, View, acting_role, authorises, limits, preauthorised_role};
use crate::room::link::LinkTerms;
use crate::room::{BANNED, Features, RoomKind, RoomState, check_features, check_roles};

/// Decides about changes as one action.
pub(super) fn check(view: View<'_>, changes: &Changes) -> Result<(), Refusal> {
    // draft-ietf-mimi-room-policy-03 §5: the participants of a fixed-membership room do not change.
    let changed = !changes.components.is_empty() || !changes.moves.is_empty();
    if view.state.kind() != RoomKind::Group && changed {
        return Err(Refusal::Denied("the state of a direct room is fixed"));
    }
    for change in &changes.moves {
        check_move(view, changes, change)?;
    }
    for (by, leaf) in &changes.removes {
        check_removal(view, changes, by, *leaf)?;
    }
    for (by, user) in &changes.adds {
        check_addition(view, changes, by, user)?;
    }
    if let Some(user) = &changes.joiner {
        check_joiner(view, changes, user)?;
    }
    for (by, component) in &changes.components {
        check_component(view, changes, by, *component)?;
    }
    check_next(changes)?;
    nobody_stays(view, changes)?;
    limits::check(view, changes)
}

fn denied(reason: &'static str) -> Result<(), Refusal> {
    Err(Refusal::Denied(reason))
}

/// Whether somebody acts in a role with this capability.
fn holds(view: View<'_>, by: &By, capability: CapabilityType) -> bool {
    acting_role(view.state, by).is_some_and(|role| role.has(capability))
}

/// Whether somebody acts in a role with this capability that also authorises the change of role.
fn may_move(view: View<'_>, by: &By, capability: CapabilityType, from: u32, to: u32) -> bool {
    acting_role(view.state, by).is_some_and(|role| role.has(capability) && authorises(role, from, to))
}

fn check_move(view: View<'_>, changes: &Changes, change: &Move) -> Result<(), Refusal> {
    let Move { by, user, from, to } = change;
    let allowed = match (*from, *to) {
        (0, to) if by.is(user) => {
            let link = changes.link.filter(|link| link.role == to);
            link.is_some() || may_add_self(view.state, user, to)
        }
        (0, to) => may_move(view, by, CapabilityType::CAN_ADD_PARTICIPANT, 0, to),
        // draft-ietf-mimi-room-policy-03 §8.1.2: canRemoveSelf and canRemoveParticipant.
        (from, 0) if by.is(user) => may_move(view, by, CapabilityType::CAN_REMOVE_SELF, from, 0),
        (from, 0) => {
            may_move(view, by, CapabilityType::CAN_REMOVE_PARTICIPANT, from, 0)
                || is_cleanup(view, changes, change)
        }
        // draft-ietf-mimi-room-policy-03 §8.1.3: canChangeOwnRole, by preauthorisation alone.
        (_, to) if by.is(user) => {
            holds(view, by, CapabilityType::CAN_CHANGE_OWN_ROLE)
                && preauthorised_role(view.state, user) == Some(to)
        }
        (from, to) => {
            // draft-ietf-mimi-room-policy-03 §8.1.3: canBan, canUnban, and canChangeUserRole for every change.
            let special = match (from, to) {
                (_, BANNED) => Some(CapabilityType::CAN_BAN),
                (BANNED, _) => Some(CapabilityType::CAN_UNBAN),
                _ => None,
            };
            let special = special.is_some_and(|capability| may_move(view, by, capability, from, to));
            special || may_move(view, by, CapabilityType::CAN_CHANGE_USER_ROLE, from, to)
        }
    };
    if allowed {
        return Ok(());
    }
    denied(match (*from, *to) {
        (0, _) => "adding this person with this role is not allowed",
        (_, 0) if by.is(user) => "leaving is not allowed",
        (_, 0) => "removing this person is not allowed",
        (_, BANNED) => "banning this person is not allowed",
        (BANNED, _) => "unbanning this person is not allowed",
        _ => "this change of role is not allowed",
    })
}

/// draft-ietf-mimi-room-policy-03 §8.1.1: canOpenJoin of role zero, canJoinIfPreauthorized of the target role. The third
/// way, canUseJoinCode, is what [`crate::room::link`] proves.
fn may_add_self(state: &RoomState, user: &UserUri, to: u32) -> bool {
    let zero = state.roles.role(0);
    let open = zero.is_some_and(|role| role.has(CapabilityType::CAN_OPEN_JOIN) && authorises(role, 0, to));
    let target = state.roles.role(to);
    let preauthorised = target.is_some_and(|role| role.has(CapabilityType::CAN_JOIN_IF_PREAUTHORIZED))
        && preauthorised_role(state, user) == Some(to);
    to != 0 && (open || preauthorised)
}

/// The link without which the joiner could not have come in.
pub(super) fn used_link(view: View<'_>, changes: &Changes) -> Option<LinkTerms> {
    let joiner = changes.joiner.as_ref()?;
    let change = changes.move_of(joiner).filter(|change| change.from == 0)?;
    changes
        .link
        .filter(|_| !may_add_self(view.state, joiner, change.to))
}

/// The role that a person who is not on the list can take alone, by a link with this key where there is one: by the
/// link, as they are preauthorised, or what is open to all.
pub(crate) fn role_to_take(state: &RoomState, user: &UserUri, link: Option<[u8; 32]>) -> Option<u32> {
    let by_link = link.and_then(|hash| {
        let mut links = crate::room::link::links(state);
        links.find(|link| link.key_hash == hash).map(|link| link.role)
    });
    let open = || {
        let mut roles = state.roles.roles.iter().map(|role| role.role_index);
        roles.find(|to| *to > BANNED && may_add_self(state, user, *to))
    };
    by_link
        .or_else(|| preauthorised_role(state, user).filter(|to| may_add_self(state, user, *to)))
        .or_else(open)
}

/// Whether a person who is not on the list could come in alone.
pub(crate) fn may_come_in(view: View<'_>, user: &UserUri) -> bool {
    let mut roles = view.state.roles.roles.iter().map(|role| role.role_index);
    !view.state.base.fixed_membership && roles.any(|to| to != BANNED && may_add_self(view.state, user, to))
}

/// Taking off the list who departed is allowed to every member.
fn is_cleanup(view: View<'_>, changes: &Changes, change: &Move) -> bool {
    let listed = acting_role(view.state, &change.by).is_some();
    if !listed || view.departed.contains(&change.user) {
        return listed;
    }
    // Who came later cannot know of the departure; but nobody's client is removed under this.
    let of_user = |leaf: &u32| {
        view.leaves
            .get(leaf)
            .is_some_and(|client| client.user == change.user)
    };
    let by_others = changes
        .removes
        .iter()
        .any(|(by, leaf)| of_user(leaf) && *by != By::Hub && !by.is(&change.user));
    !view.knows_all && !by_others
}

fn check_removal(view: View<'_>, changes: &Changes, by: &By, leaf: u32) -> Result<(), Refusal> {
    let Some(client) = view.leaves.get(&leaf) else {
        return Err(Refusal::Invalid("a removed leaf is not in the room".to_owned()));
    };
    let user = &client.user;
    let change = changes.move_of(user);
    // The clients of who departed go by whoever comes to it.
    if view.departed.contains(user) {
        return Ok(());
    }
    let allowed = match (by, change) {
        // An external commit replaces its own old leaf; that it removes no other is checked with the commit.
        (By::Joiner(joiner), _) => joiner == user,
        (By::Person(person), Some(change)) if person == user && change.to == 0 => change.by.is(user),
        // draft-ietf-mimi-room-policy-03 §8.1.2: canRemoveOwnClient.
        (By::Person(person), _) if person == user => holds(view, by, CapabilityType::CAN_REMOVE_OWN_CLIENT),
        (_, change) => {
            // draft-ietf-mimi-room-policy-03 §8.1.2, §8.1.3: removing and banning are one action with the removal of
            // the clients; canKick removes clients alone.
            let with = change.is_some_and(|change| match change.to {
                0 => may_move(view, by, CapabilityType::CAN_REMOVE_PARTICIPANT, change.from, 0),
                BANNED => may_move(view, by, CapabilityType::CAN_BAN, change.from, BANNED),
                _ => false,
            });
            with || holds(view, by, CapabilityType::CAN_KICK)
        }
    };
    if allowed {
        Ok(())
    } else {
        denied("a removal is not allowed")
    }
}

fn check_addition(view: View<'_>, changes: &Changes, by: &By, user: &UserUri) -> Result<(), Refusal> {
    let Some(entry) = changes.next.participant(user) else {
        return denied("an added client's user is no participant");
    };
    let role = entry.role_index;
    let allowed = if by.is(user) {
        // draft-ietf-mimi-room-policy-03 §8.1.1: canAddOwnClient, for a holder whose client is a member.
        matches!(by, By::Person(_)) && holds(view, by, CapabilityType::CAN_ADD_OWN_CLIENT)
    } else {
        // draft-ietf-mimi-room-policy-03 §5: in a fixed-membership room "clients of existing participants can be
        // added"; the draft names no capability for it, so every participant may. Elsewhere who may add the person
        // may add the clients (§8.1.1), then or later.
        view.state.base.fixed_membership || may_move(view, by, CapabilityType::CAN_ADD_PARTICIPANT, 0, role)
    };
    if allowed && role != BANNED {
        Ok(())
    } else {
        denied("an added client is not allowed")
    }
}

fn check_joiner(view: View<'_>, changes: &Changes, user: &UserUri) -> Result<(), Refusal> {
    if view.departed.contains(user) {
        return denied("the joiner has left the room");
    }
    // draft-ietf-mimi-room-policy-03 §7: `external_commit_allowed`.
    let operational = view.state.features.operational.as_ref();
    if operational.is_some_and(|policy| !policy.external_commit_allowed) {
        return denied("this room takes no external commits");
    }
    if changes.next.participant(user).is_none() {
        return denied("the joiner is no participant");
    }
    let listed = view.state.participant(user).is_some();
    // draft-ietf-mimi-room-policy-03 §8.1.1: canAddOwnClient. Who is not on the list puts itself there in the same
    // commit, which was checked with the list.
    if listed
        && !holds(
            view,
            &By::Joiner(user.clone()),
            CapabilityType::CAN_ADD_OWN_CLIENT,
        )
    {
        return denied("the joiner may not add own clients");
    }
    Ok(())
}

fn check_component(
    view: View<'_>,
    changes: &Changes,
    by: &By,
    component: ComponentId,
) -> Result<(), Refusal> {
    let role = acting_role(view.state, by).ok_or(Refusal::Denied("only participants change the room"))?;
    match component {
        ComponentId::ROOM_METADATA => check_metadata(role, &view.state.metadata, &changes.next.metadata),
        ComponentId::ROLES_LIST => {
            // draft-ietf-mimi-room-policy-03 §3: "not valid if it appear in the same commit as any Participant List
            // change".
            if !changes.moves.is_empty() {
                return Err(Refusal::Invalid(
                    "roles and participants change in one commit".to_owned(),
                ));
            }
            require(role, CapabilityType::CAN_CHANGE_ROLE_DEFINITIONS)
        }
        ComponentId::PREAUTH_LIST => {
            // draft-ietf-mimi-room-policy-03 §4: not with a participant list change, "except for user removals".
            if changes.moves.iter().any(|change| change.to != 0) {
                return Err(Refusal::Invalid(
                    "preauthorisations and participants change in one commit".to_owned(),
                ));
            }
            require(role, CapabilityType::CAN_CHANGE_PREAUTHORIZED_USER_LIST)
        }
        // Whoever changes which components there are keeps the list of them in the base policy.
        ComponentId::BASE_ROOM_POLICY if lists_alone(view, changes) => Ok(()),
        ComponentId::BASE_ROOM_POLICY => require(role, CapabilityType::CAN_CHANGE_ROOM_MEMBERSHIP_STYLE),
        // draft-ietf-mimi-room-policy-03 §8.7 names the two capabilities that follow and reserves them; the registry
        // has their numbers. No other could be meant for these components.
        ComponentId::MLS_OPERATIONAL_POLICY => {
            require(role, CapabilityType::CAN_CHANGE_MLS_OPERATIONAL_POLICIES)
        }
        ComponentId::JOIN_LINKS => check_links(role, view, changes),
        other if Features::COMPONENTS.contains(&other) => {
            require(role, CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE)
        }
        _ => Err(Refusal::Invalid("this component does not change".to_owned())),
    }
}

/// Whether the base policy changes in nothing but the components it names, and in those alone that come or go beside it:
/// the others stay as they are, in their order.
fn lists_alone(view: View<'_>, changes: &Changes) -> bool {
    let (old, new) = (&view.state.base, &changes.next.base);
    let relisted = BaseRoomPolicy {
        policy_component_ids: new.policy_component_ids.clone(),
        ..old.clone()
    };
    let (before, after) = (&old.policy_component_ids, &new.policy_component_ids);
    let (had, has): (BTreeSet<_>, BTreeSet<_>) = (before.iter().collect(), after.iter().collect());
    let mut differ = had.symmetric_difference(&has).peekable();
    let stays = |of: &BTreeSet<_>, component: &ComponentId| of.contains(component);
    let ordered = before
        .iter()
        .filter(|component| stays(&has, component))
        .eq(after.iter().filter(|component| stays(&had, component)));
    relisted == *new
        && ordered
        && differ.peek().is_some()
        && differ.all(|component| Features::COMPONENTS.contains(component) && changes.changes(**component))
}

/// draft-ietf-mimi-room-policy-03 §8.7 reserves canCreateJoinCode and canDeleteJoinCode, which the registry numbers; the
/// capability for other policies covers both, and is asked for where nothing comes or goes.
fn check_links(role: &Role, view: View<'_>, changes: &Changes) -> Result<(), Refusal> {
    let links = |state: &RoomState| -> Option<BTreeSet<Vec<u8>>> {
        let links = state.features.join_links.as_ref()?;
        Some(links.0.iter().map(|link| link.0.clone()).collect())
    };
    let (old, new) = (links(view.state), links(&changes.next));
    let (had, has) = (old.clone().unwrap_or_default(), new.clone().unwrap_or_default());
    let made = !has.is_subset(&had) || (old.is_none() && new.is_some());
    let withdrawn = !had.is_subset(&has) || (old.is_some() && new.is_none());
    if role.has(CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE) || !(made || withdrawn) {
        return require(role, CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE);
    }
    if made {
        require(role, CapabilityType::CAN_CREATE_JOIN_CODE)?;
    }
    if withdrawn {
        require(role, CapabilityType::CAN_DELETE_JOIN_CODE)?;
    }
    Ok(())
}

fn require(role: &Role, capability: CapabilityType) -> Result<(), Refusal> {
    if role.has(capability) {
        Ok(())
    } else {
        denied("this change of the room's state is not allowed")
    }
}

/// draft-ietf-mimi-room-policy-03 §8.2: each field has its capability.
fn check_metadata(role: &Role, old: &RoomMetaData, new: &RoomMetaData) -> Result<(), Refusal> {
    if old.room_uri != new.room_uri {
        return Err(Refusal::Invalid("a room keeps its URI".to_owned()));
    }
    let fields = [
        (
            old.room_name != new.room_name,
            CapabilityType::CAN_CHANGE_ROOM_NAME,
        ),
        (
            old.room_descriptions != new.room_descriptions,
            CapabilityType::CAN_CHANGE_ROOM_DESCRIPTION,
        ),
        (
            old.room_avatar != new.room_avatar,
            CapabilityType::CAN_CHANGE_ROOM_AVATAR,
        ),
        (
            old.room_subject != new.room_subject,
            CapabilityType::CAN_CHANGE_ROOM_SUBJECT,
        ),
        (
            old.room_mood != new.room_mood,
            CapabilityType::CAN_CHANGE_ROOM_MOOD,
        ),
    ];
    for (changed, capability) in fields {
        if changed {
            require(role, capability)?;
        }
    }
    Ok(())
}

/// The state afterwards holds by itself.
fn check_next(changes: &Changes) -> Result<(), Refusal> {
    let next = &changes.next;
    check_roles(next).map_err(|error| Refusal::Invalid(error.to_string()))?;
    if !changes.components.is_empty() {
        check_features(next).map_err(|error| Refusal::Invalid(error.to_string()))?;
    }
    if changes.changes(ComponentId::BASE_ROOM_POLICY) {
        supported(next)?;
    }
    Ok(())
}

/// Decides about the state of a new room, whose creator is there with its clients.
pub(crate) fn check_new(view: View<'_>) -> Result<(), Refusal> {
    check_roles(view.state).map_err(|error| Refusal::Invalid(error.to_string()))?;
    check_features(view.state).map_err(|error| Refusal::Invalid(error.to_string()))?;
    supported(view.state)?;
    limits::check_new(view)
}

/// Kinds of rooms that are not enforced here are refused rather than half enforced.
fn supported(state: &RoomState) -> Result<(), Refusal> {
    let base = &state.base;
    if base.parent_dependant || base.parent_room.is_some() {
        return denied("rooms that depend on others are not supported");
    }
    if base.pseudonyms_allowed {
        return denied("pseudonyms are not supported");
    }
    if state.kind() == RoomKind::Fixed {
        return denied("fixed rooms of more than two people are not supported");
    }
    Ok(())
}

/// draft-ietf-mimi-protocol-06 §5.3: who goes off the list or is banned goes out of the group in the same commit.
fn nobody_stays(view: View<'_>, changes: &Changes) -> Result<(), Refusal> {
    for change in changes.moves.iter().filter(|change| change.to <= BANNED) {
        let stays = view.leaves.iter().any(|(leaf, client)| {
            client.user == change.user && !changes.removes.iter().any(|(_, removed)| removed == leaf)
        });
        let comes = changes.adds.iter().any(|(_, user)| *user == change.user);
        if stays || comes {
            return denied("a client would stay in the room without its person");
        }
    }
    Ok(())
}
