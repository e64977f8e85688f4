//! What must be: an account of the world kept from what crosses the wire and from what people did, written from the
//! drafts and RFC 9420 alone. It shares the codecs with the programs under test, and nothing of their logic.
//!
//! ```text
//! answers of hubs ----> which commit took an epoch, which messages are acknowledged   } compared with each
//! entries applied ----> the order of every epoch, and what each of them said          } other after every step
//! people's wishes ----> who wrote what, who is in which room                          }
//! ```

mod room;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::keys::sha256;
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{
    ClientKeyStatus, HandshakeBundle, KeyMaterialResponse, SubmitMessageRequest, SubmitMessageResponse,
    UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{Domain, RoomUri, UserUri};

use room::Room;
pub(super) use room::{Applied, Entry, Line, Standing};

/// A hash that names a message.
pub(super) type Name = [u8; 32];

/// The account.
#[derive(Debug, Default)]
pub(super) struct Model {
    rooms: BTreeMap<RoomUri, Room>,
    /// Who wrote each text, and where.
    written: BTreeMap<String, Written>,
    /// Answers that were given, by who asked whom and for what.
    answers: BTreeMap<Name, Name>,
    /// Requests that key packages were given out for.
    given: BTreeMap<Vec<u8>, Name>,
    /// Messages that nobody can open.
    garbage: BTreeSet<Name>,
    /// What people wanted of rooms: where, what, and whether they have heard of it.
    wishes: BTreeMap<(String, [u8; 16]), Wish>,
    /// Clients whose word counts for nothing.
    cheats: BTreeSet<UserUri>,
}

/// A change of a room that somebody wanted.
#[derive(Debug, Clone)]
struct Wish {
    room: RoomUri,
    what: String,
    settled: bool,
}

/// A text somebody wrote.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Who.
    pub(super) user: UserUri,
    /// Where.
    pub(super) room: RoomUri,
    /// Whether its writer was told that it is in the room.
    pub(super) told: bool,
    /// Whether its writer was told that it will not go out.
    pub(super) unsent: bool,
}

/// A request and its answer, as they crossed the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange<'a> {
    /// Who asked: a place or a domain.
    pub(super) caller: &'a str,
    /// Who answered.
    pub(super) by: &'a Domain,
    pub(super) path: &'a str,
    pub(super) request: &'a [u8],
    pub(super) answer: &'a [u8],
}

type Check = Result<(), String>;

impl Model {
    /// Somebody's word counts for nothing from now on.
    pub(super) fn distrust(&mut self, user: &UserUri) {
        self.cheats.insert(user.clone());
    }

    /// An entry is kept from a client, which follows the room no more until it comes back; `false` where it did not
    /// follow it.
    pub(super) fn rob(&mut self, client: &str, room: &RoomUri, entry: &MlsMessage) -> bool {
        self.rooms
            .get_mut(room)
            .is_some_and(|state| state.rob(client, entry))
    }

    /// Whether a client made a commit.
    pub(super) fn made(&mut self, client: &str, room: &RoomUri, entry: &MlsMessage) -> bool {
        self.rooms
            .get_mut(room)
            .is_some_and(|state| state.made(client, entry))
    }

    /// A client met what it cannot apply.
    pub(super) fn lost(&mut self, client: &str, room: &RoomUri) {
        if let Some(state) = self.rooms.get_mut(room) {
            state.lost(client);
        }
    }

    /// Nobody can open this.
    pub(super) fn expect_garbage(&mut self, name: Name) {
        self.garbage.insert(name);
    }

    /// A room came into being on a client, with these people and roles on its list.
    pub(super) fn founded(
        &mut self,
        room: &RoomUri,
        client: &str,
        user: &UserUri,
        people: Vec<(UserUri, u32)>,
    ) {
        self.rooms
            .entry(room.clone())
            .or_insert_with(|| Room::new(client, user, people));
    }

    /// Somebody wrote a text, and it is on disk.
    pub(super) fn wrote(&mut self, user: &UserUri, room: &RoomUri, text: &str) {
        let written = Written {
            user: user.clone(),
            room: room.clone(),
            told: false,
            unsent: false,
        };
        self.written.insert(text.to_owned(), written);
    }

    /// A writer was told that a text was accepted.
    pub(super) fn told_accepted(&mut self, text: &str) {
        if let Some(written) = self.written.get_mut(text) {
            written.told = true;
        }
    }

    /// A writer was told that a text will not go out.
    pub(super) fn told_unsent(&mut self, text: &str) {
        if let Some(written) = self.written.get_mut(text) {
            written.unsent = true;
        }
    }

    /// Somebody wants a change of a room, and it is on disk.
    pub(super) fn wants(&mut self, client: &str, room: &RoomUri, id: [u8; 16], what: &str) -> Check {
        let wish = Wish {
            room: room.clone(),
            what: what.to_owned(),
            settled: false,
        };
        self.wishes.insert((client.to_owned(), id), wish);
        Ok(())
    }

    /// What somebody wanted.
    pub(super) fn wanted(&self, client: &str, id: [u8; 16]) -> &str {
        let wish = self.wishes.get(&(client.to_owned(), id));
        wish.map_or("something", |wish| wish.what.as_str())
    }

    /// Somebody heard what became of a wish: once.
    pub(super) fn settled(&mut self, client: &str, id: [u8; 16]) -> Check {
        match self.wishes.get_mut(&(client.to_owned(), id)) {
            None => Err(format!("{client} heard of what nobody wanted")),
            Some(wish) if wish.settled => Err(format!("{client} heard twice of `{}`", wish.what)),
            Some(wish) => {
                wish.settled = true;
                Ok(())
            }
        }
    }

    /// A provider answered, successfully, and the answer left its process.
    pub(super) fn answered(&mut self, it: Exchange<'_>) -> Check {
        let Some((kind, room)) = room_request(it.path) else {
            return self.gave_key_packages(it);
        };
        if room.authority() != it.by {
            // Passed on; what the hub said was looked at there.
            return Ok(());
        }
        match kind {
            Kind::Update => self.update_answered(&room, it),
            Kind::Submit => self.submit_answered(&room, it),
        }
    }

    fn update_answered(&mut self, room: &RoomUri, it: Exchange<'_>) -> Check {
        let (Ok(request), Ok(answer)) = (
            UpdateRequest::from_bytes(it.request),
            UpdateRoomResponse::from_bytes(it.answer),
        ) else {
            return Ok(());
        };
        let UpdateOutcome::Success { .. } = answer.outcome else {
            return Ok(());
        };
        self.same_answer(it)?;
        let Some(state) = self.rooms.get_mut(room) else {
            return Ok(());
        };
        match &request.bundle {
            HandshakeBundle::Commit { message, .. } => state.commit_accepted(message),
            HandshakeBundle::Proposal { message, more } => {
                state.note_proposals(std::iter::once(message.as_ref()).chain(more));
                state.acknowledged(message)
            }
        }
    }

    fn submit_answered(&mut self, room: &RoomUri, it: Exchange<'_>) -> Check {
        let (Ok(request), Ok(answer)) = (
            SubmitMessageRequest::from_bytes(it.request),
            SubmitMessageResponse::from_bytes(it.answer),
        ) else {
            return Ok(());
        };
        let SubmitMessageResponse::Accepted { .. } = answer else {
            return Ok(());
        };
        self.same_answer(it)?;
        let Some(state) = self.rooms.get_mut(room) else {
            return Ok(());
        };
        state.acknowledged(&request.app_message)
    }

    /// What was accepted once is answered alike for ever.
    fn same_answer(&mut self, it: Exchange<'_>) -> Check {
        let what = [it.caller.as_bytes(), &[0], it.path.as_bytes(), &[0], it.request].concat();
        let answer = sha256(it.answer);
        let first = *self.answers.entry(sha256(&what)).or_insert(answer);
        if first == answer {
            Ok(())
        } else {
            Err(format!("{} answered the same request in two ways", it.by))
        }
    }

    /// A key package is given out for one request only.
    fn gave_key_packages(&mut self, it: Exchange<'_>) -> Check {
        let is_it = it.path.contains("/key-material/") || it.path.contains("/keyMaterial/");
        let Some(answer) = is_it
            .then(|| KeyMaterialResponse::from_bytes(it.answer).ok())
            .flatten()
        else {
            return Ok(());
        };
        let request = sha256(it.request);
        for client in answer.clients {
            if let ClientKeyStatus::Success(package) = client.status {
                let before = *self.given.entry(package.to_bytes()).or_insert(request);
                if before != request {
                    return Err(format!(
                        "a key package of {} was given out twice",
                        client.client_uri
                    ));
                }
            }
        }
        Ok(())
    }

    /// A client has applied an entry of a room's log, and it is on its disk.
    pub(super) fn applied(&mut self, client: &str, room: &RoomUri, applied: &Applied) -> Check {
        let Some(state) = self.rooms.get_mut(room) else {
            return Ok(());
        };
        state.applied(client, applied, &self.garbage)?;
        for line in &applied.lines {
            let Line::Text { sender, text } = line else {
                continue;
            };
            if self.cheats.contains(sender) {
                continue;
            }
            match self.written.get(text) {
                Some(written) if written.user == *sender && written.room == *room => {}
                Some(_) => {
                    return Err(format!(
                        "{client} shows `{text}` as somebody else's, or elsewhere"
                    ));
                }
                None => return Err(format!("{client} shows `{text}`, which nobody wrote")),
            }
        }
        Ok(())
    }

    /// A client went into a room by itself, or came back, and is at this epoch now.
    pub(super) fn came_back(&mut self, client: &str, room: &RoomUri, epoch: u64) {
        if let Some(state) = self.rooms.get_mut(room) {
            state.came_back(client, epoch);
        }
    }

    /// A client is out of a room.
    pub(super) fn is_out(&mut self, client: &str, room: &RoomUri) {
        if let Some(state) = self.rooms.get_mut(room) {
            state.is_out(client);
        }
    }

    /// How a room looks to a client.
    pub(super) fn stands(&mut self, client: &str, room: &RoomUri, standing: &Standing) -> Check {
        match self.rooms.get_mut(room) {
            Some(state) => state.stands(client, standing),
            None => Ok(()),
        }
    }

    /// What must hold once everything has come to rest.
    pub(super) fn at_rest(&self) -> Check {
        for (room, state) in &self.rooms {
            state.at_rest().map_err(|what| format!("{room}: {what}"))?;
        }
        for (text, written) in &self.written {
            if self.cheats.contains(&written.user) {
                continue;
            }
            let Some(state) = self.rooms.get(&written.room) else {
                continue;
            };
            let is_in = state.has(text);
            if written.told && !is_in {
                return Err(format!("`{text}` was acknowledged to its writer and is missing"));
            }
            if !is_in && !written.unsent && state.can_send(&written.user) {
                return Err(format!("`{text}` was written and never sent"));
            }
        }
        for ((client, _), wish) in &self.wishes {
            let is_there = self.rooms.get(&wish.room).is_some_and(|room| room.holds(client));
            if !wish.settled && is_there {
                return Err(format!("{client} never heard of `{}`", wish.what));
            }
        }
        Ok(())
    }

    /// Entries of all rooms, and lines shown to people.
    pub(super) fn size(&self) -> (usize, usize) {
        let entries = self.rooms.values().map(Room::entries).sum();
        (entries, self.written.len())
    }
}

enum Kind {
    Update,
    Submit,
}

/// The room that a request is about, for devices and for peers.
fn room_request(at: &str) -> Option<(Kind, RoomUri)> {
    let (rest, segment) = at.rsplit_once('/')?;
    let kind = match rest {
        "/mimi/v1/update" => Kind::Update,
        "/mimi/v1/submitMessage" => Kind::Submit,
        _ if format!("{rest}/") == path::UPDATE => Kind::Update,
        _ if format!("{rest}/") == path::SUBMIT_MESSAGE => Kind::Submit,
        _ => return None,
    };
    Some((kind, RoomUri::from_path_segment(segment).ok()?))
}
