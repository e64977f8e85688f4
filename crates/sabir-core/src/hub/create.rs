use rand_core::CryptoRng;
use sabir_mls::MlsError;
use sabir_mls::group::GroupInfoView;
use sabir_mls::observer::Observer;
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomRequest, CreateRoomResponse};
use sabir_wire::codec::Encode;
use sabir_wire::mls::{ComponentId, ComponentsList, ExternalSender};
use sabir_wire::protocol::{GroupInfoOption, RatchetTreeOption};
use sabir_wire::uri::ClientUri;

use super::record::Record;
use super::{
    Effects, Hub, HubContext, HubError, device_lists, franking_agent, group_uri, judge, leaves, read_state,
};
use crate::Millis;
use crate::room::{self, RoomKind, policy};
use crate::scope::scoped;

/// A new room, or the refusal to have one.
#[derive(Debug)]
pub struct Creation {
    /// The engine of the new room; `None` where it was refused.
    pub hub: Option<Hub>,
    /// What to persist, and the answer, an encoded `CreateRoomResponse`.
    pub effects: Effects,
}

enum Refusal {
    NotAllowed(&'static str),
    Invalid(String),
}

impl From<MlsError> for Refusal {
    fn from(error: MlsError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl Hub {
    /// Makes a room for one of this provider's own devices.
    ///
    /// # Errors
    /// [`HubError::Internal`] only; a request that cannot be granted is answered.
    pub fn create(
        cx: HubContext<'_>,
        now: Millis,
        creator: &ClientUri,
        request: &CreateRoomRequest,
        rng: &mut dyn CryptoRng,
    ) -> Result<Creation, HubError> {
        let answer = |description: String, outcome| CreateRoomResponse { description, outcome }.to_bytes();
        match try_create(cx, now, creator, request, rng) {
            Ok(mut hub) => {
                let mut changes = scoped(hub.observer.take_changes());
                hub.record.write(&mut changes);
                hub.record.write_lists(&mut changes);
                let reply = answer(
                    String::new(),
                    CreateRoomOutcome::Created {
                        accepted_timestamp: now,
                    },
                );
                let effects = Effects {
                    changes,
                    epoch: hub.epoch(),
                    events: Vec::new(),
                    reply,
                };
                Ok(Creation {
                    hub: Some(hub),
                    effects,
                })
            }
            Err(refusal) => {
                let reply = match refusal {
                    Refusal::NotAllowed(reason) => answer(reason.to_owned(), CreateRoomOutcome::NotAllowed),
                    Refusal::Invalid(reason) => answer(reason, CreateRoomOutcome::Invalid),
                };
                Ok(Creation {
                    hub: None,
                    effects: Effects {
                        reply,
                        ..Effects::default()
                    },
                })
            }
        }
    }
}

fn try_create(
    cx: HubContext<'_>,
    now: Millis,
    creator: &ClientUri,
    request: &CreateRoomRequest,
    rng: &mut dyn CryptoRng,
) -> Result<Hub, Refusal> {
    let invalid = |reason: &str| Refusal::Invalid(reason.to_owned());
    if *request.room.authority() != cx.identity.domain {
        return Err(Refusal::NotAllowed("the room belongs to another provider"));
    }
    let GroupInfoOption::Full(info) = &request.group_info_option else {
        return Err(invalid("a new room needs a full group info"));
    };
    let RatchetTreeOption::Full(tree) = &request.ratchet_tree_option else {
        return Err(invalid("a new room needs a full ratchet tree"));
    };
    let group = group_uri(&request.room).map_err(|_| invalid("the room's name fits no group"))?;
    if info.group_context.group_id != group.as_str().as_bytes() {
        return Err(invalid("the group id is not the room's"));
    }
    if info.group_context.epoch != 0 {
        return Err(invalid("a new room starts at epoch 0"));
    }
    let group_info = info.to_bytes();
    let view = GroupInfoView {
        group_info: &group_info,
        ratchet_tree: &tree.to_bytes(),
    };
    let (observer, facts) = Observer::create(view, &judge(cx, now), rng)?;
    let [(_, leaf)] = facts.leaves.as_slice() else {
        return Err(invalid("a new room starts with its creator alone"));
    };
    let client = leaf.verified()?;
    if client.client() != creator {
        return Err(Refusal::NotAllowed("the group is another device's"));
    }
    check_hub(cx, facts.hub_sender.as_deref()).map_err(invalid)?;
    let state = read_state(&observer).map_err(|error| Refusal::Invalid(error.to_string()))?;
    check_state(cx, &observer, &state, request, client.user()).map_err(invalid)?;
    let leaves = leaves(&observer).map_err(|error| Refusal::Invalid(error.to_string()))?;
    let mut record = Record {
        last_accepted: now,
        group_info,
        ..Record::default()
    };
    let listed = device_lists::check(
        client,
        leaf.device_list.as_deref(),
        &record.device_lists,
        &device_lists::Newest::default(),
    )
    .map_err(invalid)?;
    record.device_lists.insert(client.user().clone(), listed);
    let hub = Hub::new(request.room.clone(), observer, state, leaves, record);
    policy::check_new(hub.view()).map_err(|refusal| invalid(&refusal.to_string()))?;
    Ok(hub)
}

/// draft-ietf-mimi-protocol-06 §7.4: the external senders hold at least the hub's certificate.
fn check_hub(cx: HubContext<'_>, first_sender: Option<&[u8]>) -> Result<(), &'static str> {
    let agent = franking_agent(cx.identity);
    let expected = ExternalSender {
        signature_key: agent.franking_signature_key,
        credential: agent.credential,
    }
    .to_bytes();
    if first_sender == Some(expected.as_slice()) {
        Ok(())
    } else {
        Err("the first external sender is not this hub")
    }
}

fn check_state(
    cx: HubContext<'_>,
    observer: &Observer,
    state: &room::RoomState,
    request: &CreateRoomRequest,
    creator: &sabir_wire::uri::UserUri,
) -> Result<(), &'static str> {
    if state.metadata.room_uri != request.room {
        return Err("the metadata names another room");
    }
    if state.participant(creator).is_none() {
        return Err("the creator is no participant");
    }
    // Whoever else is to be in a group comes by a commit, which is judged.
    if state.kind() == RoomKind::Group && state.participants.participants.len() != 1 {
        return Err("a group starts with its creator alone");
    }
    if state.franking_agent.as_ref() != Some(&franking_agent(cx.identity)) {
        return Err("the franking agent is not this hub");
    }
    let safe_aad = observer.component(ComponentId::SAFE_AAD).unwrap_or_default();
    let list = <ComponentsList as sabir_wire::codec::Decode>::from_bytes(&safe_aad)
        .map_err(|_| "safe_aad is malformed")?;
    if !list.component_ids.contains(&ComponentId::FRANK_AAD) {
        return Err("safe_aad does not require frank_aad");
    }
    Ok(())
}
