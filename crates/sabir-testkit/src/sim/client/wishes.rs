//! What people do: write, open rooms, want changes of them.

use data_encoding::BASE64URL_NOPAD;
use sabir_core::conversation::{Conversation, Intent, LocalId, NewDirect, NewGroupRoom};
use sabir_core::room;
use sabir_wire::client_api::HubIdentity;
use sabir_wire::content::MimiContent;
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{RoomUri, UserUri};

use super::Client;
use super::disk::Op;
use super::shell::{Fault, Step, Told, last};

impl Client {
    /// Writes a text to a person, in the room shared with them or in a new one.
    pub(in crate::sim) fn write_to(&self, peer: &UserUri, text: &str) -> Result<RoomUri, Fault> {
        match self.direct_room(peer) {
            Some(room) => self.write(&room, text).map(|()| room),
            None => self.open_and_write(peer, text),
        }
    }

    /// Writes a text to a room.
    pub(in crate::sim) fn write(&self, room: &RoomUri, text: &str) -> Result<(), Fault> {
        self.step(room, |step| self.queue(step, text))?;
        self.wake(room);
        Ok(())
    }

    fn queue(&self, step: &mut Step<'_>, text: &str) -> Result<(), Fault> {
        let number = self.lock_disk().next_local;
        let mut id: LocalId = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, text);
        let effects = step.engine.send(step.cx, id, compose, &mut step.rng)?;
        let room = step.engine.room().clone();
        step.absorb(self, effects);
        step.ops.push(Op::NextLocal(number + 1));
        step.ops.push(Op::Text(room.clone(), id, text.to_owned()));
        step.told.push(Told::Wrote(room, text.to_owned()));
        Ok(())
    }

    /// Of several rooms with one person, both sides choose alike among those they know.
    fn direct_room(&self, peer: &UserUri) -> Option<RoomUri> {
        let disk = self.lock_disk();
        let rooms = || {
            disk.rooms
                .iter()
                .filter(|(_, room)| !room.closed && room.direct_with.as_ref() == Some(peer))
        };
        let ready = rooms().find(|(_, room)| room.ready);
        ready.or_else(|| rooms().next()).map(|(room, _)| room.clone())
    }

    fn open_and_write(&self, peer: &UserUri, text: &str) -> Result<RoomUri, Fault> {
        let people = vec![
            (self.user.clone(), room::DIRECT_ROLE),
            (peer.clone(), room::DIRECT_ROLE),
        ];
        self.found(people, Some(peer), text)
    }

    /// Makes a group room, and writes a first text there.
    pub(in crate::sim) fn open_group(&self, text: &str) -> Result<RoomUri, Fault> {
        self.found(vec![(self.user.clone(), room::OWNER)], None, text)
    }

    fn found(
        &self,
        people: Vec<(UserUri, u32)>,
        peer: Option<&UserUri>,
        text: &str,
    ) -> Result<RoomUri, Fault> {
        if !self.is_up() {
            return Err(Fault::Died);
        }
        let Some(hub) = self.lock_disk().hub.clone() else {
            return Err(Fault::NoRoom);
        };
        let name = self.fate.seed();
        let room = RoomUri::new(&self.home, &BASE64URL_NOPAD.encode(&name[..16])).unwrap();
        let memory = self.lock_memory();
        let cx = self.context(&memory);
        let mut rng = self.fate.stream();
        let (mut engine, effects) = match peer {
            Some(peer) => {
                let new = NewDirect {
                    room: room.clone(),
                    peer: peer.clone(),
                    hub: agent(hub),
                };
                Conversation::create_direct(cx, new, self.now(), &mut rng)?
            }
            None => {
                let new = NewGroupRoom {
                    room: room.clone(),
                    name: text.to_owned(),
                    template: sabir_core::room::Template::default(),
                    hub: agent(hub),
                };
                Conversation::create_group(cx, new, self.now(), &mut rng)?
            }
        };
        let mut step = Step::new(&mut engine, cx, self.now(), rng, Vec::new());
        step.ops.push(Op::Room {
            room: room.clone(),
            direct_with: peer.cloned(),
        });
        step.absorb(self, effects);
        step.told.push(Told::Founded(room.clone(), people));
        self.queue(&mut step, text)?;
        let Step { ops, told, .. } = step;
        drop(memory);
        self.commit(ops, told)?;
        self.lock_memory().engines.insert(room.clone(), engine);
        self.wake(&room);
        Ok(room)
    }

    /// Wants a change of a room.
    pub(in crate::sim) fn want(&self, room: &RoomUri, intent: Intent) -> Result<(), Fault> {
        let what = describe(&intent);
        self.step(room, |step| {
            let number = self.lock_disk().next_local;
            let mut id: LocalId = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let effects = step.engine.intend(step.cx, id, intent)?;
            step.absorb(self, effects);
            step.ops.push(Op::NextLocal(number + 1));
            step.told.push(Told::Wants(room.clone(), id, what));
            Ok(())
        })?;
        self.wake(room);
        Ok(())
    }

    /// Lets messages out again in every room where the hub refused one: the person has seen it.
    pub(in crate::sim) fn resume(&self) {
        let rooms: Vec<RoomUri> = self.lock_disk().rooms.keys().cloned().collect();
        for room in rooms {
            let resumed = self.step(&room, |step| {
                if step.engine.sending_stopped().is_none() {
                    return Ok(false);
                }
                let effects = step.engine.resume_sending(step.cx)?;
                step.absorb(self, effects);
                Ok(true)
            });
            if resumed == Ok(true) {
                self.wake(&room);
            }
        }
    }

    /// Group rooms that this client is in.
    pub(in crate::sim) fn groups(&self) -> Vec<RoomUri> {
        let disk = self.lock_disk();
        let open = disk
            .rooms
            .iter()
            .filter(|(_, room)| !room.closed && room.direct_with.is_none());
        open.map(|(room, _)| room.clone()).collect()
    }

    /// A line in every room, so that everybody there hears something.
    pub(in crate::sim) fn write_everywhere(&self) {
        let rooms: Vec<RoomUri> = self.lock_disk().rooms.keys().cloned().collect();
        for (number, room) in rooms.iter().enumerate() {
            let _ = self.write(room, &format!("last line {number} of {}", self.name));
        }
    }
}

fn agent(hub: HubIdentity) -> FrankingAgentData {
    FrankingAgentData {
        franking_signature_key: hub.key,
        credential: hub.credential,
    }
}

fn describe(intent: &Intent) -> String {
    match intent {
        Intent::Add { user, role } => format!("add {} as {role}", last(user.as_str())),
        Intent::Remove { user } => format!("remove {}", last(user.as_str())),
        Intent::Ban { user } => format!("ban {}", last(user.as_str())),
        Intent::Unban { user, role } => format!("unban {} as {role}", last(user.as_str())),
        Intent::SetRole { user, role } => format!("make {} {role}", last(user.as_str())),
        Intent::Rename { name } => format!("call it `{name}`"),
        Intent::SetPolicy { policies } => format!("change {} policies", policies.len()),
        Intent::ChangeLinks { added, removed } => {
            format!(
                "make {} links, withdraw {}",
                u8::from(added.is_some()),
                removed.len()
            )
        }
        Intent::Leave => "leave".to_owned(),
    }
}
