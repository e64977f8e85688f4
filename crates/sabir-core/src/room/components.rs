use sabir_mls::app_data::ComponentRules;
use sabir_wire::codec::{Decode, DecodeError, Encode};
use sabir_wire::components::{ParticipantListData, ParticipantListUpdate, RoomMetaData};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{BaseRoomPolicy, PreAuthData, RoleData};
use sabir_wire::protocol::FrankingAgentData;

use super::Features;
use super::participants::apply_updates;

/// How each component of a room takes its updates. Who may send them is decided elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoomRules;

impl ComponentRules for RoomRules {
    fn update(&self, component: u16, current: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String> {
        if ComponentId(component) == ComponentId::PARTICIPANT_LIST {
            return participants(current, updates);
        }
        let [update] = updates else {
            return Err("the component takes one update in a commit".to_owned());
        };
        update_one(ComponentId(component), current, update)
    }

    /// draft-ietf-mimi-protocol-06 §7.5 speaks of "any combination of Participant list updates" in one commit; of
    /// the metadata only one update is valid (§7.6), and of the others no draft allows more.
    fn takes_several(&self, component: u16) -> bool {
        ComponentId(component) == ComponentId::PARTICIPANT_LIST
    }

    fn remove(&self, component: u16) -> Result<(), String> {
        // Only what a room can do without may go: a room without participants, roles or policy has no rules.
        let component = ComponentId(component);
        if component == ComponentId::PREAUTH_LIST || Features::COMPONENTS.contains(&component) {
            Ok(())
        } else {
            Err("this component belongs to every room".to_owned())
        }
    }
}

fn participants(current: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String> {
    let list = match current {
        Some(bytes) => ParticipantListData::from_bytes(bytes).map_err(text)?,
        None => ParticipantListData {
            participants: Vec::new(),
        },
    };
    let updates: Result<Vec<ParticipantListUpdate>, DecodeError> = updates
        .iter()
        .map(|update| ParticipantListUpdate::from_bytes(update))
        .collect();
    apply_updates(&list, &updates.map_err(text)?)
        .map(|list| list.to_bytes())
        .map_err(|error| error.to_string())
}

fn update_one(component: ComponentId, current: Option<&[u8]>, update: &[u8]) -> Result<Vec<u8>, String> {
    match component {
        // These replace the whole value (draft-ietf-mimi-protocol-06 §7.6; draft-ietf-mimi-room-policy-03 §3-5).
        ComponentId::ROOM_METADATA => replaced::<RoomMetaData>(update),
        ComponentId::ROLES_LIST => replaced::<RoleData>(update),
        ComponentId::PREAUTH_LIST => replaced::<PreAuthData>(update),
        ComponentId::BASE_ROOM_POLICY => replaced::<BaseRoomPolicy>(update),
        // draft-ietf-mimi-protocol-06 §5.4.1: an update only adds the agent; a rotation makes a new group.
        ComponentId::FRANKING_AGENT if current.is_none() => replaced::<FrankingAgentData>(update),
        ComponentId::FRANKING_AGENT => Err("the franking agent of a group does not change".to_owned()),
        _ => Features::updated(component, current, update).map_err(|error| error.to_string()),
    }
}

fn replaced<T: Decode>(update: &[u8]) -> Result<Vec<u8>, String> {
    T::from_bytes(update).map_err(text)?;
    Ok(update.to_vec())
}

fn text(error: DecodeError) -> String {
    error.to_string()
}
