//! Rooms of the test provider: it relays what it gets in the order it comes, franks, and judges nothing.

use std::collections::BTreeMap;

use sabir_core::frank::Franker;
use sabir_core::room::RoomRules;

use sabir_mls::group::GroupInfoView;
use sabir_mls::identity::{CaCertificate, Freshness, TrustAnchors};
use sabir_mls::observer::{Observed, Observer};
use sabir_mls::{Judge, key_package, suite};
use sabir_wire::client_api::*;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{ComponentId, MlsMessage, RatchetTree, SafeAad};
use sabir_wire::protocol::*;
use sabir_wire::uri::{ClientUri, RoomUri, UserUri};

use super::{FakeProvider, send};
use crate::account::now;
use crate::random;

impl FakeProvider {
    /// Lets two providers reach each other.
    pub(crate) fn meet(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            one.state().peers.insert(two.0.domain.to_string(), two.clone());
        }
    }

    /// Answers the same bytes with the same answer.
    pub(super) fn room_request(&self, client: &str, path: &str, body: &[u8]) -> Option<Vec<u8>> {
        let key = (path.to_owned(), body.to_vec());
        if let Some(answer) = self.state().answered.get(&key) {
            return Some(answer.clone());
        }
        let answer = if path == path::ROOMS {
            self.create_room(client, body)
        } else if path.starts_with(path::KEY_MATERIAL) {
            self.key_material(body)
        } else {
            let (kind, segment) = path.rsplit_once('/')?;
            let room = RoomUri::from_path_segment(segment).ok()?;
            if room.authority() != &self.0.domain {
                let hub = self.state().peers[room.authority().as_str()].clone();
                return hub.room_request(client, path, body);
            }
            match format!("{kind}/").as_str() {
                path::UPDATE => self.update(&room, body),
                path::SUBMIT_MESSAGE => self.submit(&room, body),
                _ => return None,
            }
        };
        self.state().answered.insert(key, answer.clone());
        Some(answer)
    }

    fn create_room(&self, client: &str, body: &[u8]) -> Vec<u8> {
        let request = CreateRoomRequest::from_bytes(body).unwrap();
        let (GroupInfoOption::Full(info), RatchetTreeOption::Full(tree)) =
            (&request.group_info_option, &request.ratchet_tree_option)
        else {
            panic!("a room is made with all of its group");
        };
        let view = GroupInfoView {
            group_info: &info.to_bytes(),
            ratchet_tree: &tree.to_bytes(),
        };
        let anchors = self.own_anchors();
        let judge = Judge {
            anchors: &anchors,
            freshness: Freshness::Ignored,
        };
        let (mut observer, _) = Observer::create(view, &judge, &mut random::stream().unwrap()).unwrap();
        observer.take_changes();
        self.state().observers.insert(request.room.to_string(), observer);
        let members = vec![client.to_owned()];
        assert!(
            self.state()
                .rooms
                .insert(request.room.to_string(), members)
                .is_none()
        );
        let outcome = CreateRoomOutcome::Created {
            accepted_timestamp: now().unwrap(),
        };
        CreateRoomResponse {
            description: String::new(),
            outcome,
        }
        .to_bytes()
    }

    fn key_material(&self, body: &[u8]) -> Vec<u8> {
        let request = KeyMaterialRequest::from_bytes(body).unwrap();
        let target = request.target_user.clone();
        if target.authority() != &self.0.domain {
            let peer = self.state().peers.get(target.authority().as_str()).cloned();
            return match peer {
                Some(peer) => peer.key_material(body),
                // They have not met: nobody is found.
                None => KeyMaterialResponse {
                    user_status: KeyMaterialUserCode::UserUnknown,
                    user_uri: target,
                    clients: Vec::new(),
                }
                .to_bytes(),
            };
        }
        let mut clients = Vec::new();
        for (client, device) in &mut self.state().devices {
            if device.user != target.as_str() {
                continue;
            }
            let wanted = |bytes: &Vec<u8>| {
                let suite = sabir_wire::mls::KeyPackage::from_bytes(bytes)
                    .unwrap()
                    .cipher_suite;
                request.acceptable_ciphersuites.contains(&suite)
            };
            let last = device.packages.iter().rposition(wanted);
            let status = match last.map(|at| device.packages.remove(at)) {
                Some(package) => ClientKeyStatus::Success(Box::new(Decode::from_bytes(&package).unwrap())),
                None => ClientKeyStatus::KeyMaterialExhausted,
            };
            clients.push(ClientKeyMaterial {
                client_uri: ClientUri::parse(client).unwrap(),
                status,
            });
        }
        let user_status = match clients.first() {
            None => KeyMaterialUserCode::UserUnknown,
            Some(_) => KeyMaterialUserCode::Success,
        };
        KeyMaterialResponse {
            user_status,
            user_uri: target,
            clients,
        }
        .to_bytes()
    }

    fn update(&self, room: &RoomUri, body: &[u8]) -> Vec<u8> {
        let UpdateRequest { bundle } = UpdateRequest::from_bytes(body).unwrap();
        let timestamp = now().unwrap();
        let members = self.state().rooms[room.as_str()].clone();
        let success = || {
            let outcome = UpdateOutcome::Success {
                accepted_timestamp: timestamp,
            };
            UpdateRoomResponse {
                error_description: String::new(),
                outcome,
            }
            .to_bytes()
        };
        let (message, welcome) = match bundle {
            HandshakeBundle::Commit { message, welcome, .. } => (message, welcome),
            HandshakeBundle::Proposal { message, more } => {
                for message in std::iter::once(message.as_ref()).chain(&more) {
                    self.follow(room, message);
                }
                let body = FanoutBody::Proposal {
                    message,
                    more_proposals: more,
                };
                self.deliver(room, &members, &FanoutMessage { timestamp, body });
                return success();
            }
        };
        if let MlsMessage::Public(public) = message.as_ref() {
            let epoch = public.content.epoch;
            let mut state = self.state();
            let next = state.epochs.entry(room.to_string()).or_default();
            // One epoch has one commit.
            if epoch < *next {
                let outcome = UpdateOutcome::WrongEpoch { current_epoch: *next };
                let response = UpdateRoomResponse {
                    error_description: String::new(),
                    outcome,
                };
                return response.to_bytes();
            }
            *next = epoch + 1;
        }
        let ratchet_tree = self.follow(room, &message);
        let commit = FanoutBody::Commit {
            message,
            external_proposals: Vec::new(),
        };
        self.deliver(
            room,
            &members,
            &FanoutMessage {
                timestamp,
                body: commit,
            },
        );
        if let Some(welcome) = welcome {
            let references: Vec<_> = welcome.new_members().map(<[u8]>::to_vec).collect();
            let new: Vec<_> = references.iter().map(|reference| self.owner(reference)).collect();
            let message = Box::new(MlsMessage::Welcome(welcome));
            let welcome = FanoutBody::Welcome {
                message,
                ratchet_tree_option: ratchet_tree,
            };
            self.deliver(
                room,
                &new,
                &FanoutMessage {
                    timestamp,
                    body: welcome,
                },
            );
            let mut state = self.state();
            let members = state.rooms.get_mut(room.as_str()).unwrap();
            members.retain(|member| !new.contains(member));
            members.extend(new);
        }
        success()
    }

    fn own_anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::new();
        let ca = CaCertificate::parse(&self.authority_der()).unwrap();
        anchors.pin(&self.0.domain, ca).unwrap();
        anchors
    }

    /// Follows a handshake message of a room; gives the tree that it leads to.
    fn follow(&self, room: &RoomUri, message: &MlsMessage) -> RatchetTreeOption {
        let anchors = self.own_anchors();
        let judge = Judge {
            anchors: &anchors,
            freshness: Freshness::Ignored,
        };
        let mut state = self.state();
        let observer = state.observers.get_mut(room.as_str()).unwrap();
        match observer.stage(&message.to_bytes(), &judge, &RoomRules).unwrap() {
            Observed::Commit(staged) => observer.merge(*staged).unwrap(),
            Observed::Proposal(proposal) => observer.queue(*proposal).unwrap(),
        }
        observer.take_changes();
        let tree = observer.ratchet_tree().unwrap();
        RatchetTreeOption::Full(RatchetTree::from_bytes(&tree).unwrap())
    }

    fn submit(&self, room: &RoomUri, body: &[u8]) -> Vec<u8> {
        let request = SubmitMessageRequest::from_bytes(body).unwrap();
        let timestamp = now().unwrap();
        let frank = self.frank(room, &request.app_message, &request.sending_uri, timestamp);
        let body = FanoutBody::Application {
            message: Box::new(request.app_message),
            frank: Some(frank.clone()),
        };
        let members = self.state().rooms[room.as_str()].clone();
        self.deliver(room, &members, &FanoutMessage { timestamp, body });
        SubmitMessageResponse::Accepted {
            accepted_timestamp: timestamp,
            frank: Some(frank),
        }
        .to_bytes()
    }

    fn frank(&self, room: &RoomUri, message: &MlsMessage, sender: &UserUri, accepted: u64) -> Frank {
        let MlsMessage::Private(message) = message else {
            panic!("a private message")
        };
        let aad = SafeAad::from_bytes(&message.authenticated_data).unwrap();
        let tag = FrankAad::from_bytes(aad.get(ComponentId::FRANK_AAD).unwrap()).unwrap();
        let franker = Franker {
            hub_key: &[7; 32],
            signing_key: &self.0.hub_key,
            suite: suite::DEFAULT,
        };
        franker.frank(&tag.franking_tag, sender, room, accepted).unwrap()
    }

    /// Whose key package this was.
    fn owner(&self, reference: &[u8]) -> String {
        let mut providers = vec![self.clone()];
        providers.extend(self.state().peers.values().cloned());
        for provider in providers {
            let mut anchors = sabir_mls::identity::TrustAnchors::new();
            anchors
                .pin(&provider.0.domain, provider.0.ca.to_anchor())
                .unwrap();
            let bodies = provider.bodies(path::KEY_PACKAGES);
            for body in bodies {
                for package in PublishKeyPackagesRequest::from_bytes(&body).unwrap().key_packages {
                    let found = key_package::verify(&package.to_bytes(), &anchors, now().unwrap()).unwrap();
                    if found.reference == reference {
                        return found.client.client().to_string();
                    }
                }
            }
        }
        panic!("nobody published it");
    }

    fn deliver(&self, room: &RoomUri, clients: &[String], message: &FanoutMessage) {
        let message = message.to_bytes();
        let mut by_provider: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for client in clients {
            let authority = ClientUri::parse(client).unwrap().authority().to_string();
            by_provider.entry(authority).or_default().push(client);
        }
        for (authority, clients) in by_provider {
            let provider = match authority == self.0.domain.as_str() {
                true => self.clone(),
                false => self.state().peers[&authority].clone(),
            };
            for client in clients {
                provider.deliver_bytes(room.as_str(), client, &message);
            }
        }
    }

    /// Puts an entry into a device's stream.
    pub(crate) fn deliver_bytes(&self, room: &str, client: &str, message: &[u8]) {
        let mut state = self.state();
        let device = state.devices.get_mut(client).unwrap();
        let cursor = device.events.last().map_or(0, |event| event.cursor) + 1;
        let room = RoomUri::parse(room).unwrap();
        let event = Event {
            cursor,
            body: EventBody::Fanout {
                room,
                fanout_message: message.to_vec(),
            },
        };
        if let Some(stream) = &device.stream {
            send(stream, &event);
        }
        device.events.push(event);
    }

    pub(crate) fn key_packages(&self, client: &str) -> usize {
        self.state().devices[client].packages.len()
    }

    pub(crate) fn use_up_key_packages(&self, client: &str, count: usize) {
        self.state()
            .devices
            .get_mut(client)
            .unwrap()
            .packages
            .drain(..count);
    }

    /// Tells a device, which may not listen yet, in which case it looks by itself.
    pub(crate) fn say_key_packages_low(&self, client: &str) {
        let state = self.state();
        let device = &state.devices[client];
        let cursor = device.events.last().map_or(0, |event| event.cursor);
        let event = Event {
            cursor,
            body: EventBody::KeyPackagesLow { available: 0 },
        };
        if let Some(stream) = &device.stream {
            send(stream, &event);
        }
    }
}
