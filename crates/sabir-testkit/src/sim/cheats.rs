//! Peers that cheat, on the wire: what they do to others must not hurt those who are honest.

mod forge;
mod impersonate;
mod spoil;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Request;
use bytes::Bytes;
use sabir_mls::keys::sha256;
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::protocol::{
    FanoutBody, FanoutMessage, SubmitMessageRequest, SubmitMessageResponse, UpdateOutcome, UpdateRoomResponse,
};
use sabir_wire::uri::RoomUri;

pub(super) use forge::{PlaceOfMember, false_ca};

use super::client::Client;
use super::fate::Fate;
use super::model::Name;
use super::world::World;

/// How somebody cheats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cheat {
    /// Providers keep commits from devices of theirs: those lose the thread, and come back by themselves.
    Withholds,
    /// Providers give devices entries again, as new ones.
    Repeats,
    /// Providers alter franks.
    AltersFranks,
    /// A device sends what others send, as its own.
    Steals,
    /// A device sends messages that nobody can open.
    Garbles,
    /// Providers give out key packages, and a device makes leaves, with credentials of somebody else under a CA that is
    /// not their provider's.
    Forges,
    /// A device makes commits whose path, membership tag or Welcome is wrong, for one or for all.
    Spoils,
    /// A provider sends what is another's to say, under that name or under its own.
    Impersonates,
}

impl Cheat {
    /// Whether it is a device that cheats.
    pub(super) fn is_a_devices(self) -> bool {
        matches!(self, Self::Steals | Self::Garbles | Self::Forges | Self::Spoils)
    }
}

/// What the cheats of a world have done.
#[derive(Debug)]
pub(super) struct Cheats {
    fate: Fate,
    /// Entries kept from a device, by client and cursor.
    withheld: BTreeSet<(String, u64)>,
    /// Entries that were altered.
    altered: BTreeSet<Name>,
    /// Key packages that were forged.
    forged: BTreeSet<Name>,
    /// They have been found out, and do no more.
    pub(super) over: bool,
}

impl Cheats {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            fate: Fate::new(seed, "cheats"),
            withheld: BTreeSet::new(),
            altered: BTreeSet::new(),
            forged: BTreeSet::new(),
            over: false,
        }
    }
}

impl World {
    /// What a device that cheats does beside what its person wants.
    pub(super) fn mischief(self: &Arc<Self>) {
        match self.cheat {
            Some(Cheat::Forges) => self.forges_a_leaf(),
            Some(Cheat::Spoils) => {
                self.spoils_a_path();
                self.lures();
            }
            _ => {}
        }
    }

    /// Whether whoever cheats does so now.
    fn strikes(&self, per_mille: u64) -> bool {
        let cheats = self.cheats();
        let strikes = cheats.fate.happens(per_mille);
        strikes && !cheats.over
    }

    /// Whether a provider keeps an entry from a device.
    pub(super) fn withholds(&self, client: &Client, room: &RoomUri, cursor: u64, entry: &[u8]) -> bool {
        if self.cheat != Some(Cheat::Withholds) {
            return false;
        }
        let mut cheats = self.cheats();
        let place = (client.name.clone(), cursor);
        if cheats.withheld.contains(&place) {
            return true;
        }
        let Ok(FanoutMessage {
            body: FanoutBody::Commit { message, .. },
            ..
        }) = FanoutMessage::from_bytes(entry)
        else {
            return false;
        };
        // Its own commit is one that nothing else may tell it of.
        let is_own = self.model().made(client.uri.as_str(), room, &message);
        let strikes = !cheats.over && cheats.fate.happens(if is_own { 500 } else { 150 });
        if !strikes || !self.model().rob(client.uri.as_str(), room, &message) {
            return false;
        }
        cheats.withheld.insert(place);
        drop(cheats);
        self.say(
            &client.name,
            &format!("{} is not told of a commit", self.short(room)),
        );
        true
    }

    /// Whether a provider gives an entry again.
    pub(super) fn repeats(&self) -> bool {
        self.cheat == Some(Cheat::Repeats) && self.cheats().fate.happens(150)
    }

    /// Alters the frank of an entry, where this is such a world and its time has come.
    pub(super) fn alters(&self, entry: Vec<u8>) -> Vec<u8> {
        if self.cheat != Some(Cheat::AltersFranks) || !self.cheats().fate.happens(200) {
            return entry;
        }
        let Ok(FanoutMessage {
            timestamp,
            body:
                FanoutBody::Application {
                    message,
                    frank: Some(frank),
                },
        }) = FanoutMessage::from_bytes(&entry)
        else {
            return entry;
        };
        // The frank says when the message was accepted: it is not this one's any more.
        let frank = Some(frank);
        let body = FanoutBody::Application { message, frank };
        let altered = FanoutMessage {
            timestamp: timestamp + 1,
            body,
        }
        .to_bytes();
        self.cheats().altered.insert(sha256(&altered));
        altered
    }

    /// Whether an entry was altered.
    pub(super) fn is_altered(&self, entry: &[u8]) -> bool {
        self.cheat == Some(Cheat::AltersFranks) && self.cheats().altered.contains(&sha256(entry))
    }

    /// The device that cheats.
    pub(super) fn mallory(&self) -> Option<Arc<Client>> {
        self.clients().into_iter().next_back()
    }

    /// Sends what another device sends, before it.
    pub(super) fn steals(self: &Arc<Self>, from: &str, request: &Request<Bytes>) {
        if self.cheat != Some(Cheat::Steals) || !self.cheats().fate.happens(300) {
            return;
        }
        let at = request.uri().path().to_owned();
        let is_it = at.starts_with(path::UPDATE) || at.starts_with(path::SUBMIT_MESSAGE);
        let Some(mallory) = self.mallory().filter(|_| is_it) else {
            return;
        };
        // What another device of the same person says is theirs to say.
        if self
            .client(from)
            .is_some_and(|client| client.user == mallory.user)
        {
            return;
        }
        let (world, body) = (Arc::clone(self), request.body().to_vec());
        tokio::spawn(async move {
            let Some(answer) = mallory.posts(&at, &body).await else {
                return;
            };
            let taken = is_taken(at.starts_with(path::UPDATE), &answer);
            world.say(
                &mallory.name,
                &format!("sends what somebody else sent; taken: {taken}"),
            );
            if taken {
                world.wrong("a device sent what is another's, and it was taken");
            }
        });
    }

    /// Makes a message unreadable that the cheating device sends.
    pub(super) fn garbles(&self, client: &Client, at: &str, body: &[u8]) -> Option<Vec<u8>> {
        let is_it = self.cheat == Some(Cheat::Garbles) && at.starts_with(path::SUBMIT_MESSAGE);
        if !is_it || self.mallory()?.name != client.name || !self.cheats().fate.happens(500) {
            return None;
        }
        let mut request = SubmitMessageRequest::from_bytes(body).ok()?;
        let sabir_wire::mls::MlsMessage::Private(message) = &mut request.app_message else {
            return None;
        };
        *message.ciphertext.last_mut()? ^= 1;
        let name = sha256(&request.app_message.to_bytes());
        self.model().expect_garbage(name);
        self.say(&client.name, "sends what nobody can open");
        Some(request.to_bytes())
    }
}

/// Whether an answer says that a change, or else a message, was accepted.
fn is_taken(is_update: bool, answer: &[u8]) -> bool {
    if is_update {
        UpdateRoomResponse::from_bytes(answer)
            .is_ok_and(|answer| matches!(answer.outcome, UpdateOutcome::Success { .. }))
    } else {
        SubmitMessageResponse::from_bytes(answer)
            .is_ok_and(|answer| matches!(answer, SubmitMessageResponse::Accepted { .. }))
    }
}
