use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::MlsError;
use sabir_mls::observer::{Observed, StagedObserved};
use sabir_wire::codec::Encode;
use sabir_wire::mls::{MlsMessage, RatchetTree, Welcome};
use sabir_wire::protocol::{
    FanoutBody, FanoutMessage, GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateOutcome,
    UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, Domain};

use super::policy::check_origin;
use super::{
    Effects, Hub, HubContext, HubError, HubEvent, Origin, Route, judge, leaves, read_state, unknown_provider,
};
use crate::Millis;
use crate::room::RoomRules;
use crate::room::policy::{self, Refusal, View};
use crate::scope::scoped;

/// Why an update is refused, as the answer says it.
enum Refused {
    Answer(UpdateRoomResponse),
    Fault(HubError),
}

impl Hub {
    /// Takes a commit (draft-ietf-mimi-protocol-06 §5.3). `routes` says where the key packages went that its
    /// Welcome is for.
    ///
    /// # Errors
    /// [`HubError::UnknownProvider`] where a CA must be fetched first, or a fault of ours; everything the
    /// protocol has a code for is answered.
    pub fn update(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: &UpdateRequest,
        routes: &BTreeMap<Vec<u8>, Route>,
    ) -> Result<Effects, HubError> {
        match self.try_update(cx, now, origin, request, routes) {
            Ok(effects) => Ok(effects),
            Err(Refused::Answer(response)) => Ok(Effects {
                epoch: self.epoch(),
                reply: response.to_bytes(),
                ..Effects::default()
            }),
            Err(Refused::Fault(fault)) => Err(fault),
        }
    }

    fn try_update(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: &UpdateRequest,
        routes: &BTreeMap<Vec<u8>, Route>,
    ) -> Result<Effects, Refused> {
        let HandshakeBundle::Commit {
            message,
            welcome,
            group_info,
            ratchet_tree,
        } = &request.bundle
        else {
            // Nobody leaves a direct room, and its state is fixed: there is nothing to propose yet.
            return Err(denied("proposals are not supported in direct rooms"));
        };
        let accepted = self.accepted_at(now);
        let judge = judge(cx, accepted);
        let staged = match self
            .observer
            .stage(&message.to_bytes(), &judge, &RoomRules)
            .map_err(|error| mls(&error))?
        {
            Observed::Commit(staged) => *staged,
            Observed::Proposal(_) => return Err(denied("a commit was announced and a proposal came")),
        };
        let departed = std::collections::BTreeSet::new();
        let view = View {
            state: &self.state,
            leaves: &self.leaves,
            device_lists: &self.record.device_lists,
            departed: &departed,
            knows_all: true,
        };
        let allowed = policy::committer(view, &staged.facts)
            .and_then(|committer| check_origin(&committer, origin))
            .and_then(|()| policy::check_commit(view, &staged.facts))
            .map_err(refused)?;
        let group_info = self.check_group_info(&staged, group_info)?;
        let welcome_to = welcome_routes(&staged, welcome.as_ref(), routes)?;
        let before = (
            self.local_devices(&cx.identity.domain),
            self.followers(&cx.identity.domain),
        );
        let mut events = vec![commit_event(accepted, message, before)];
        events.extend(self.merge(staged, ratchet_tree, |hub| {
            let welcome = welcome.as_ref();
            welcome
                .map(|welcome| hub.welcome_event(accepted, welcome, welcome_to))
                .transpose()
        })?);
        // Nothing below can fail: the engine has moved on, and so does its store.
        for (user, version) in allowed.device_lists {
            let newest = self.record.device_lists.entry(user).or_default();
            *newest = (*newest).max(version);
        }
        self.record.group_info = group_info;
        self.record.last_accepted = accepted;
        let mut changes = scoped(self.observer.take_changes());
        self.record.write(&mut changes);
        let outcome = UpdateOutcome::Success {
            accepted_timestamp: accepted,
        };
        let reply = UpdateRoomResponse {
            error_description: String::new(),
            outcome,
        }
        .to_bytes();
        Ok(Effects {
            changes,
            epoch: self.epoch(),
            events,
            reply,
        })
    }

    fn check_group_info(
        &self,
        staged: &StagedObserved,
        option: &GroupInfoOption,
    ) -> Result<Vec<u8>, Refused> {
        let GroupInfoOption::Full(info) = option else {
            return Err(denied("a partial group info is not supported"));
        };
        let bytes = info.to_bytes();
        self.observer
            .check_group_info(staged, &bytes)
            .map_err(|error| mls(&error))?;
        Ok(bytes)
    }

    /// Merges, and goes back to the stored state where the tree that came along is not the new epoch's, or
    /// where the Welcome cannot be told.
    fn merge(
        &mut self,
        staged: StagedObserved,
        tree: &RatchetTreeOption,
        welcome: impl FnOnce(&Self) -> Result<Option<HubEvent>, HubError>,
    ) -> Result<Option<HubEvent>, Refused> {
        let tree = match tree {
            RatchetTreeOption::Full(tree) => Some(tree.to_bytes()),
            // draft-mahy-mls-ratchet-tree-options-03 §3: the hub follows the tree by itself.
            RatchetTreeOption::DistributionService => None,
            _ => return Err(denied("the ratchet tree must come along or be left to the hub")),
        };
        let merged = self.observer.merge(staged, tree.as_deref()).and_then(|()| {
            let state = read_state(&self.observer).map_err(|error| MlsError::Internal(error.to_string()))?;
            let leaves =
                leaves(self.observer.members()).map_err(|error| MlsError::Internal(error.to_string()))?;
            Ok((state, leaves))
        });
        let merged = merged.map_err(|error| mls(&error)).and_then(|(state, leaves)| {
            let event = welcome(self).map_err(Refused::Fault)?;
            Ok((state, leaves, event))
        });
        match merged {
            Ok((state, leaves, event)) => {
                self.state = state;
                self.leaves = leaves;
                Ok(event)
            }
            Err(refused) => {
                self.reload().map_err(Refused::Fault)?;
                Err(refused)
            }
        }
    }

    fn welcome_event(
        &self,
        accepted: Millis,
        welcome: &Welcome,
        (devices, followers): (Vec<ClientUri>, Vec<Domain>),
    ) -> Result<HubEvent, HubError> {
        // draft-ietf-mimi-protocol-06 §5.5: a Welcome travels with the ratchet tree.
        let tree = self
            .observer
            .ratchet_tree()
            .map_err(|error| HubError::Internal(error.to_string()))?;
        let tree = <RatchetTree as sabir_wire::codec::Decode>::from_bytes(&tree)
            .map_err(|error| HubError::Internal(error.to_string()))?;
        let body = FanoutMessage {
            timestamp: accepted,
            body: FanoutBody::Welcome {
                message: Box::new(MlsMessage::Welcome(welcome.clone())),
                ratchet_tree_option: RatchetTreeOption::Full(tree),
            },
        };
        Ok(HubEvent {
            body: body.to_bytes(),
            devices,
            followers,
        })
    }
}

/// Everybody who was in the room before the commit learns of it, the removed included.
fn commit_event(accepted: Millis, message: &MlsMessage, before: (Vec<ClientUri>, Vec<Domain>)) -> HubEvent {
    let body = FanoutMessage {
        timestamp: accepted,
        body: FanoutBody::Commit {
            message: Box::new(message.clone()),
            external_proposals: Vec::new(),
        },
    };
    HubEvent {
        body: body.to_bytes(),
        devices: before.0,
        followers: before.1,
    }
}

/// The Welcome must be for exactly the key packages that are added, each of which went through this hub.
fn welcome_routes(
    staged: &StagedObserved,
    welcome: Option<&Welcome>,
    routes: &BTreeMap<Vec<u8>, Route>,
) -> Result<(Vec<ClientUri>, Vec<Domain>), Refused> {
    let added: BTreeSet<&[u8]> = staged
        .facts
        .adds
        .iter()
        .map(|add| add.reference.as_slice())
        .collect();
    let welcomed: BTreeSet<&[u8]> = welcome.iter().flat_map(|welcome| welcome.new_members()).collect();
    if added != welcomed {
        return Err(denied("the welcome is not for the added clients"));
    }
    let (mut devices, mut followers) = (Vec::new(), BTreeSet::new());
    for add in &staged.facts.adds {
        let client = add.leaf.verified().map_err(|error| mls(&error))?.client();
        match routes.get(&add.reference) {
            Some(Route::Device(device)) if device == client => devices.push(device.clone()),
            Some(Route::Provider(domain)) if domain == client.authority() => {
                followers.insert(domain.clone());
            }
            // draft-ietf-mimi-protocol-06 §5.2: key packages must have been asked for through the hub.
            _ => return Err(denied("a key package was not handed out through this hub")),
        }
    }
    Ok((devices, followers.into_iter().collect()))
}

fn denied(reason: &str) -> Refused {
    Refused::Answer(UpdateRoomResponse {
        error_description: reason.to_owned(),
        outcome: UpdateOutcome::NotAllowed,
    })
}

fn refused(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Denied(reason) => denied(reason),
        Refusal::Invalid(reason) => invalid(reason, Vec::new()),
        Refusal::Leaf(error) => mls(&error),
    }
}

fn invalid(error_description: String, invalid_proposals: Vec<Vec<u8>>) -> Refused {
    Refused::Answer(UpdateRoomResponse {
        error_description,
        outcome: UpdateOutcome::InvalidProposal { invalid_proposals },
    })
}

fn mls(error: &MlsError) -> Refused {
    if let Some(domain) = unknown_provider(error) {
        return Refused::Fault(HubError::UnknownProvider(domain));
    }
    let outcome = match error {
        MlsError::WrongEpoch { group, .. } => UpdateOutcome::WrongEpoch {
            current_epoch: *group,
        },
        MlsError::Internal(reason) => return Refused::Fault(HubError::Internal(reason.clone())),
        MlsError::AppData(_) => UpdateOutcome::InvalidProposal {
            invalid_proposals: Vec::new(),
        },
        _ => UpdateOutcome::NotAllowed,
    };
    Refused::Answer(UpdateRoomResponse {
        error_description: error.to_string(),
        outcome,
    })
}
