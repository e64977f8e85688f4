//! The changes that give a room other policies.

use sabir_mls::app_data::AppDataOperation;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{BaseRoomPolicy, PreAuthData};

use crate::room::{Features, RoomState};

/// A policy component and the data it is to have, or `None` where it is to go.
pub type Wanted = (ComponentId, Option<Vec<u8>>);

/// What has to be proposed, together, so that these components are as wanted; nothing where they are. The list of
/// components in the base policy is not wished for but follows (draft-ietf-mimi-room-policy-03 §5).
///
/// Join links are not among them: they change by what is added and removed.
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
