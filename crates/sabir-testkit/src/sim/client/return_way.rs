//! Rooms that a client comes into by itself, since its Welcome does not open; and what of a room a client that cheats
//! lays hands on.

use sabir_core::conversation::{Conversation, ConversationContext, Rejoin, Rejoined, Request};
use sabir_core::hub::group_uri;
use sabir_wire::uri::RoomUri;

use super::Client;
use super::disk::Op;
use super::shell::{Fault, Next, Step};
use crate::sim::bugs::Bug;
use crate::sim::cheats::PlaceOfMember;

impl Client {
    pub(super) fn is_rejoining(&self, room: &RoomUri) -> bool {
        self.lock_disk()
            .rooms
            .get(room)
            .is_some_and(|room| room.rejoining)
    }

    /// Goes on without a Welcome that does not open, made for this key package.
    pub(super) fn begin_rejoin(
        &self,
        room: &RoomUri,
        reference: Vec<u8>,
        mark: &mut Option<Op>,
    ) -> Result<(), Fault> {
        let is_member = match self.step(room, |step| Ok(step.engine.is_member())) {
            Err(Fault::NoRoom) => false,
            other => other?,
        };
        let mut ops: Vec<Op> = mark.take().into_iter().collect();
        if is_member || self.has(Bug::WelcomeGivenUp) {
            return self.commit(ops, Vec::new());
        }
        let memory = self.lock_memory();
        let cx = self.context(&memory);
        let mut rng = self.fate.stream();
        let (_, effects) = Conversation::rejoin(cx, room.clone(), self.now(), &mut rng)?;
        drop(memory);
        ops.push(Op::Clear(room.clone()));
        ops.push(Op::Rows(room.clone(), effects.changes));
        ops.push(Op::Rejoining(room.clone(), true));
        ops.push(Op::PackageUsed(reference));
        self.commit(ops, Vec::new())?;
        self.lock_memory().engines.remove(room);
        Ok(())
    }

    /// What to send next for a room that is come into; nothing where the room is another.
    pub(super) fn next_of_rejoin(&self, room: &RoomUri) -> Result<Option<Next>, Fault> {
        let mut next = None;
        self.with_rejoin(room, &mut None, |rejoin, cx, now, rng| {
            let effects = rejoin.prepare(cx, now, rng)?;
            next = Some(match rejoin.outstanding(now) {
                Some(request) => Next::Send(request),
                None => Next::Wait(Some(rejoin.next_timeout())),
            });
            Ok(Rejoined::Still(effects))
        })?;
        Ok(next)
    }

    /// Takes the answer to a request of a room that is come into; says whether there is such a room.
    pub(super) fn answered_rejoin(
        &self,
        room: &RoomUri,
        request: &Request,
        answer: &[u8],
    ) -> Result<bool, Fault> {
        self.with_rejoin(room, &mut None, |rejoin, cx, now, rng| {
            Ok(rejoin.answered(cx, now, request, answer, rng)?)
        })
    }

    /// An entry of the log of a room that is come into.
    pub(super) fn rejoin_entry(
        &self,
        room: &RoomUri,
        entry: &[u8],
        mark: &mut Option<Op>,
    ) -> Result<(), Fault> {
        self.with_rejoin(room, mark, |rejoin, cx, _, rng| {
            Ok(rejoin.incoming(cx, entry, rng)?)
        })
        .map(|_| ())
    }

    fn with_rejoin(
        &self,
        room: &RoomUri,
        mark: &mut Option<Op>,
        call: impl FnOnce(
            &mut Rejoin,
            ConversationContext<'_>,
            u64,
            &mut rand_chacha::ChaCha20Rng,
        ) -> Result<Rejoined, Fault>,
    ) -> Result<bool, Fault> {
        if !self.is_up() {
            return Err(Fault::Died);
        }
        if !self.is_rejoining(room) {
            return Ok(false);
        }
        let rows = self.lock_disk().rooms.get(room).map(|room| room.rows.clone());
        let Some(mut rejoin) = Rejoin::load(room.clone(), &rows.unwrap_or_default())? else {
            return Err(Fault::NoRoom);
        };
        let memory = self.lock_memory();
        let cx = self.context(&memory);
        let mut rng = self.fate.stream();
        let rejoined = call(&mut rejoin, cx, self.now(), &mut rng)?;
        let mut ops: Vec<Op> = mark.take().into_iter().collect();
        match rejoined {
            Rejoined::Still(effects) => {
                drop(memory);
                ops.push(Op::Rows(room.clone(), effects.changes));
                self.commit(ops, Vec::new())?;
            }
            Rejoined::ShutOut(effects, _) => {
                drop(memory);
                ops.push(Op::Rows(room.clone(), effects.changes));
                ops.push(Op::Rejoining(room.clone(), false));
                self.say(&format!("{} is shut out of it", self.short(room)));
                self.commit(ops, Vec::new())?;
            }
            Rejoined::In(joined) => {
                let mut engine = joined.conversation;
                let mut step = Step::new(&mut engine, cx, self.now(), rng, ops);
                step.ops.push(Op::Rejoining(room.clone(), false));
                step.ops.push(Op::Room {
                    room: room.clone(),
                    direct_with: self.other_of(step.engine),
                });
                step.absorb(self, joined.effects);
                step.stand();
                let Step { ops, told, .. } = step;
                drop(memory);
                self.say(&format!("{} came in by itself", self.short(room)));
                self.commit(ops, told)?;
                self.lock_memory().engines.insert(room.clone(), engine);
                self.wake(room);
            }
        }
        Ok(true)
    }

    /// Rooms in which this client is a member.
    pub(in crate::sim) fn member_of(&self) -> Vec<RoomUri> {
        let disk = self.lock_disk();
        let open = disk.rooms.iter().filter(|(_, room)| room.ready && !room.closed);
        open.map(|(room, _)| room.clone()).collect()
    }

    /// What somebody who controls this client has of a room, where the client follows it.
    pub(in crate::sim) fn place_in(&self, room: &RoomUri) -> Option<PlaceOfMember> {
        let follows = self.step(room, |step| {
            Ok(step.engine.is_member() && !step.engine.is_repairing() && !step.engine.is_leaving())
        });
        if follows != Ok(true) {
            return None;
        }
        let rows = self.lock_disk().rooms.get(room)?.rows.clone();
        Some(PlaceOfMember {
            room: room.clone(),
            group: group_uri(room).ok()?.as_str().as_bytes().to_vec(),
            rows: sabir_core::mls_rows(&rows),
            key: self.device.key.clone(),
        })
    }
}
