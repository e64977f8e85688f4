//! The changes that give a room other policies.

use sabir_mls::app_data::AppDataOperation;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{BaseRoomPolicy, JoinLinkPolicy, JoinLinksUpdate, PreAuthData};

use crate::room::link::LinkTerms;
use crate::room::{Features, RoomState};

/// How join links are made in a room that says nothing of it, from its first link on: for as many as the link says, and
/// 90 days at most.
pub const LINK_POLICY: JoinLinkPolicy = JoinLinkPolicy {
    on_request: false,
    join_link: None,
    multiuser: true,
    expiration: 90 * 24 * 3_600,
};

/// A policy component and the data it is to have, or `None` where it is to go.
pub type Wanted = (ComponentId, Option<Vec<u8>>);

/// What has to be proposed, together, so that these components are as wanted; nothing where they are. The list of
/// components in the base policy is not wished for but follows (draft-ietf-mimi-room-policy-03 §5).
///
/// Join links are not among them: [`link_operations`].
pub(crate) fn operations(state: &RoomState, wanted: &[Wanted]) -> Vec<(ComponentId, AppDataOperation)> {
    let mut operations = Vec::new();
    let mut base = wanted
        .iter()
        .filter(|(component, _)| *component == ComponentId::BASE_ROOM_POLICY)
        .find_map(|(_, data)| BaseRoomPolicy::from_bytes(data.as_deref()?).ok())
        .unwrap_or_else(|| state.base.clone());
    // Whatever the wish says of it, which may be older than what came since.
    base.policy_component_ids
        .clone_from(&state.base.policy_component_ids);
    for (component, data) in wanted {
        // Nobody preauthorised is the same as no list.
        let nobody = *component == ComponentId::PREAUTH_LIST
            && data.as_deref().is_some_and(|data| {
                PreAuthData::from_bytes(data).is_ok_and(|data| data == PreAuthData::default())
            });
        let data = data.as_ref().filter(|_| !nobody);
        if *component == ComponentId::BASE_ROOM_POLICY || state.data(*component).as_ref() == data {
            continue;
        }
        let listed = &mut base.policy_component_ids;
        operations.push((
            *component,
            match data {
                Some(data) => {
                    if Features::COMPONENTS.contains(component) && !listed.contains(component) {
                        listed.push(*component);
                    }
                    AppDataOperation::Update(data.clone())
                }
                None => {
                    listed.retain(|it| it != component);
                    AppDataOperation::Remove
                }
            },
        ));
    }
    if base != state.base {
        operations.push((
            ComponentId::BASE_ROOM_POLICY,
            AppDataOperation::Update(base.to_bytes()),
        ));
    }
    operations
}

/// What has to be proposed, together, so that a link is among the room's, and those with these keys are not; nothing
/// where that is so.
pub(crate) fn link_operations(
    state: &RoomState,
    added: Option<&LinkTerms>,
    removed: &[[u8; 32]],
) -> Vec<(ComponentId, AppDataOperation)> {
    let features = &state.features;
    let mut operations = Vec::new();
    let mut update = JoinLinksUpdate::default();
    let links = features.join_links.iter().flat_map(|links| &links.0);
    let mut is_there = false;
    for (index, link) in links.enumerate() {
        let Some(terms) = LinkTerms::read(link) else {
            continue;
        };
        is_there |= Some(&terms) == added;
        if removed.contains(&terms.key_hash) {
            update.removed_indices.extend(u32::try_from(index));
        }
    }
    update
        .added_links
        .extend(added.filter(|_| !is_there).map(LinkTerms::to_link));
    if update == JoinLinksUpdate::default() {
        return operations;
    }
    operations.push((
        ComponentId::JOIN_LINKS,
        AppDataOperation::Update(update.to_bytes()),
    ));
    if features.join_link.is_none() {
        operations.push((
            ComponentId::JOIN_LINK_POLICY,
            AppDataOperation::Update(LINK_POLICY.to_bytes()),
        ));
    }
    let mut base = state.base.clone();
    for (component, _) in &operations {
        if !base.policy_component_ids.contains(component) {
            base.policy_component_ids.push(*component);
        }
    }
    if base != state.base {
        operations.push((
            ComponentId::BASE_ROOM_POLICY,
            AppDataOperation::Update(base.to_bytes()),
        ));
    }
    operations
}
