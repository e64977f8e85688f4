//! The event stream, entry by entry.

use sabir_core::conversation::Conversation;
use sabir_core::room::RoomKind;
use sabir_mls::rows::Rows;
use sabir_wire::client_api::{Event, EventBody};
use sabir_wire::uri::{Domain, RoomUri, UserUri};

use super::Client;
use super::disk::Op;
use super::shell::{Fault, Step, Told};
use crate::sim::bugs::Bug;
use crate::sim::model::{Applied, Entry, Line};

impl Client {
    /// Applies an event of the stream.
    pub(super) fn incoming(&self, event: &Event) -> Result<(), Fault> {
        let EventBody::Fanout { room, fanout_message } = &event.body else {
            return Ok(());
        };
        if event.cursor <= self.lock_disk().cursor {
            return Ok(());
        }
        let mark = Op::Cursor(event.cursor);
        let waits = self.lock_disk().parked.contains_key(room);
        if waits && !self.has(Bug::ParkedOvertaken) {
            return self.park(room, fanout_message, mark);
        }
        match self.apply(room, fanout_message, mark) {
            Err(Fault::Unknown(domain)) => {
                if self.has(Bug::UnknownThrownAway) {
                    self.start_unparking(room.clone(), domain);
                    return self.commit(vec![Op::Cursor(event.cursor)], Vec::new());
                }
                self.say(&format!(
                    "{} waits for the identity of {domain}",
                    self.short(room)
                ));
                self.park(room, fanout_message, Op::Cursor(event.cursor))?;
                self.start_unparking(room.clone(), domain);
                Ok(())
            }
            result => result,
        }
    }

    fn park(&self, room: &RoomUri, entry: &[u8], mark: Op) -> Result<(), Fault> {
        self.commit(vec![Op::Park(room.clone(), entry.to_vec()), mark], Vec::new())
    }

    /// Applies what waits for a room; says which identity is needed now, if one is.
    pub(super) fn unpark(&self, room: &RoomUri) -> Result<Option<Domain>, Fault> {
        loop {
            let first = self
                .lock_disk()
                .parked
                .get(room)
                .and_then(|parked| parked.front().cloned());
            let Some(entry) = first else { return Ok(None) };
            match self.apply(room, &entry, Op::Unpark(room.clone())) {
                Err(Fault::Unknown(domain)) => return Ok(Some(domain)),
                result => result?,
            }
        }
    }

    /// Applies an entry; one that cannot be applied is left behind, which no honest hub gives cause for.
    fn apply(&self, room: &RoomUri, bytes: &[u8], mark: Op) -> Result<(), Fault> {
        let entry = match Entry::read(bytes) {
            Ok(entry) => entry,
            Err(error) => return self.skip(room, &error, mark),
        };
        let references = Conversation::welcome_references(bytes);
        let is_held = self.holds(room);
        let mut mark = Some(mark);
        let mut later = None;
        let mut forgotten = false;
        if self.has(Bug::CursorFirst) {
            self.commit(mark.take().into_iter().collect(), Vec::new())?;
        } else if self.has(Bug::EffectsFirst) {
            later = mark.take();
        }
        let done = if self.is_rejoining(room) {
            self.rejoin_entry(room, bytes, &mut mark)
        } else if !references.is_empty() && is_held {
            self.welcome(room, entry, bytes, &references, &mut mark)
        } else if references.is_empty() {
            let altered = self.world()?.is_altered(bytes);
            let forgotten = &mut forgotten;
            self.step(room, |step| {
                step.altered = altered;
                let followed = !step.engine.is_repairing();
                let effects = step.engine.incoming(step.cx, step.now, bytes, &mut step.rng)?;
                let lost = followed && step.engine.is_repairing();
                step.absorb(self, effects);
                if lost && self.has(Bug::BadCommitPassedOver) {
                    step.ops.clear();
                    *forgotten = true;
                }
                step.ops.extend(mark.take());
                let applied = Applied {
                    entry,
                    joined: None,
                    lines: std::mem::take(&mut step.lines),
                };
                // Before whatever else came of it.
                step.told
                    .insert(0, Told::Applied(step.engine.room().clone(), applied));
                if lost {
                    step.told.insert(0, Told::Lost(step.engine.room().clone()));
                }
                if step.engine.is_member() && !step.engine.is_repairing() && !step.engine.is_leaving() {
                    step.stand();
                }
                Ok(())
            })
        } else {
            self.join(room, entry, bytes, &references, &mut mark)
        };
        match done {
            Ok(()) => {
                if forgotten {
                    self.lock_memory().engines.remove(room);
                }
                self.commit(later.into_iter().collect(), Vec::new())?;
                self.wake(room);
                Ok(())
            }
            // What was said before its Welcome is not for it.
            Err(Fault::NoRoom) => self.commit(mark.into_iter().chain(later).collect(), Vec::new()),
            Err(Fault::Refused(reason)) => {
                let mark = mark
                    .or(later)
                    .unwrap_or_else(|| Op::Cursor(self.lock_disk().cursor + 1));
                self.skip(room, &reason, mark)
            }
            Err(fault) => Err(fault),
        }
    }

    /// A Welcome for a room that this client holds: it was out of it, or had lost its thread, or it came twice.
    fn welcome(
        &self,
        room: &RoomUri,
        entry: Entry,
        bytes: &[u8],
        references: &[Vec<u8>],
        mark: &mut Option<Op>,
    ) -> Result<(), Fault> {
        let found = self.package(references);
        let used = found.as_ref().map(|(reference, _)| reference.clone());
        let done = self.step(room, |step| {
            if let Some((reference, rows)) = found
                && step.engine.wants_welcome()
            {
                let effects = step
                    .engine
                    .welcomed(step.cx, step.now, rows, bytes, &mut step.rng)?;
                let applied = Applied {
                    entry,
                    joined: Some(step.engine.epoch()),
                    lines: Vec::new(),
                };
                step.absorb(self, effects);
                // Where it came back, the Welcome says at which epoch.
                step.told.retain(|told| !matches!(told, Told::CameBack(..)));
                step.told.insert(0, Told::Applied(room.clone(), applied));
                step.ops.push(Op::Closed(room.clone(), false));
                step.ops.push(Op::PackageUsed(reference));
                step.stand();
            }
            step.ops.extend(mark.take());
            Ok(())
        });
        match (done, used) {
            (Err(Fault::Refused(reason)), Some(reference)) => {
                self.say(&format!("{} a Welcome does not open: {reason}", self.short(room)));
                self.begin_rejoin(room, reference, mark)
            }
            (done, _) => done,
        }
    }

    fn package(&self, references: &[Vec<u8>]) -> Option<(Vec<u8>, Rows)> {
        let disk = self.lock_disk();
        let mut found = references.iter();
        let found =
            found.find_map(|reference| Some((reference.clone(), disk.packages.get(reference)?.clone())));
        drop(disk);
        found.or_else(|| self.unwritten_package(references))
    }

    /// One that a planted bug keeps in memory alone.
    fn unwritten_package(&self, references: &[Vec<u8>]) -> Option<(Vec<u8>, Rows)> {
        let memory = self.lock_memory();
        memory.unwritten.iter().find_map(|op| match op {
            Op::Package(reference, private) if references.contains(reference) => {
                let mut rows = Rows::new();
                private.apply_to(&mut rows);
                Some((reference.clone(), rows))
            }
            _ => None,
        })
    }

    fn skip(&self, room: &RoomUri, reason: &str, mark: Op) -> Result<(), Fault> {
        self.lock_memory().engines.remove(room);
        let wrong = format!("{} an entry cannot be applied: {reason}", self.short(room));
        self.commit(vec![mark], vec![Told::Wrong(wrong)])
    }

    fn join(
        &self,
        room: &RoomUri,
        entry: Entry,
        bytes: &[u8],
        references: &[Vec<u8>],
        mark: &mut Option<Op>,
    ) -> Result<(), Fault> {
        let Some((reference, rows)) = self.package(references) else {
            let wrong = Told::Wrong(format!(
                "{} a Welcome names no key package here",
                self.short(room)
            ));
            return self.commit(mark.take().into_iter().collect(), vec![wrong]);
        };
        let mut memory = self.lock_memory();
        memory.engines.remove(room);
        let cx = self.context(&memory);
        let mut rng = self.fate.stream();
        let joined = match Conversation::join(cx, room.clone(), rows, bytes, &mut rng).map_err(Fault::from) {
            Ok(joined) => joined,
            Err(Fault::Refused(reason)) => {
                drop(memory);
                self.say(&format!("{} a Welcome does not open: {reason}", self.short(room)));
                return self.begin_rejoin(room, reference, mark);
            }
            Err(fault) => return Err(fault),
        };
        let mut engine = joined.conversation;
        let mut step = Step::new(&mut engine, cx, self.now(), rng, Vec::new());
        let with = self.other_of(step.engine);
        step.ops.push(Op::Clear(room.clone()));
        step.ops.push(Op::Room {
            room: room.clone(),
            direct_with: with,
        });
        let epoch = step.engine.epoch();
        let applied = Applied {
            entry,
            joined: Some(epoch),
            lines: Vec::new(),
        };
        step.told.push(Told::Applied(room.clone(), applied));
        step.absorb(self, joined.effects);
        step.ops.push(Op::PackageUsed(reference));
        step.ops.extend(mark.take());
        step.stand();
        let Step { ops, told, .. } = step;
        drop(memory);
        self.say(&format!("{} joined in epoch {epoch}", self.short(room)));
        self.commit(ops, told)?;
        self.lock_memory().engines.insert(room.clone(), engine);
        Ok(())
    }

    /// The other person, of a direct room.
    pub(super) fn other_of(&self, engine: &Conversation) -> Option<UserUri> {
        let direct = engine.state().kind() == RoomKind::Direct;
        let people = engine.state().participants.participants.iter();
        let mut people = people.map(|it| &it.user);
        people.find(|user| **user != self.user && direct).cloned()
    }

    /// Takes an entry that its provider gives again, as if it were new: nothing is shown twice.
    pub(super) fn repeated(&self, room: &RoomUri, bytes: &[u8]) -> Result<(), Fault> {
        self.step(room, |step| {
            let effects = step.engine.incoming(step.cx, step.now, bytes, &mut step.rng)?;
            step.absorb(self, effects);
            if step.lines.iter().any(|line| matches!(line, Line::Text { .. })) {
                step.told
                    .push(Told::Wrong("an entry that came again is shown again".to_owned()));
            }
            Ok(())
        })
    }
}
