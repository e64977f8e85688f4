//! The steps of a client: each runs an engine, commits what it brought about in one transaction, and then tells.

use data_encoding::BASE64URL_NOPAD;
use rand_chacha::ChaCha20Rng;
use sabir_core::conversation::{
    Alarm, Conversation, ConversationContext, ConversationError, ConversationEvent, Effects, FrankState,
    Intent, LocalId, MessageEvent, NewDirect, NewGroupRoom, Request,
};
use sabir_core::room::{self, RoomKind};
use sabir_mls::identity::CaCertificate;
use sabir_mls::key_package;
use sabir_mls::rows::Rows;
use sabir_wire::client_api::{Event, EventBody, HubIdentity, PublishKeyPackagesRequest};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::KeyPackage;
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{Domain, RoomUri, UserUri};

use super::Client;
use super::disk::{Died, Op};
use crate::sim::bugs::Bug;
use crate::sim::cheats::Cheat;
use crate::sim::model::{Applied, Entry, Line, Standing};

/// Why a step did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim) enum Fault {
    /// The process is dead. It may have died of this step.
    Died,
    /// The identity of a provider is needed first.
    Unknown(Domain),
    /// The engine refused what came.
    Refused(String),
    /// This client has no such room.
    NoRoom,
    /// The person may not do that.
    NotAllowed(String),
}

impl From<Died> for Fault {
    fn from(_: Died) -> Self {
        Self::Died
    }
}

impl From<ConversationError> for Fault {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::UnknownProvider(domain) => Self::Unknown(domain),
            ConversationError::NotAllowed(reason) => Self::NotAllowed(reason),
            ConversationError::Closed(reason) => Self::NotAllowed(reason.to_owned()),
            error => Self::Refused(error.to_string()),
        }
    }
}

/// What there is to do for a room.
#[derive(Debug)]
pub(super) enum Next {
    Send(Request),
    Wait(Option<u64>),
}

/// What is told once it is on disk.
#[derive(Debug)]
enum Told {
    Founded(RoomUri, Vec<(UserUri, u32)>),
    Wrote(RoomUri, String),
    Accepted(String),
    Applied(RoomUri, Applied),
    Stands(RoomUri, Standing),
    Out(RoomUri),
    CameBack(RoomUri, u64),
    Unsent(String),
    Wants(RoomUri, LocalId, String),
    Settled(RoomUri, LocalId, String),
    Wrong(String),
}

/// One step on its way to the disk.
struct Step<'a> {
    engine: &'a mut Conversation,
    cx: ConversationContext<'a>,
    rng: ChaCha20Rng,
    now: u64,
    ops: Vec<Op>,
    lines: Vec<Line>,
    told: Vec<Told>,
    /// Whether the frank of the entry at hand was altered on its way.
    altered: bool,
}

impl Step<'_> {
    /// Writes down what a call of the engine brought about.
    fn absorb(&mut self, client: &Client, effects: Effects) {
        let room = self.engine.room().clone();
        self.ops.push(Op::Rows(room.clone(), effects.changes));
        for event in effects.events {
            self.event(client, &room, event);
        }
    }

    fn event(&mut self, client: &Client, room: &RoomUri, event: ConversationEvent) {
        match event {
            ConversationEvent::Accepted { local_id, .. } => {
                if let Some(text) = client.text_of(room, local_id) {
                    self.told.push(Told::Accepted(text));
                }
            }
            ConversationEvent::Message(message) => self.message(client, room, *message),
            ConversationEvent::Unreadable { reason, .. } => self.lines.push(Line::Unreadable(reason)),
            ConversationEvent::Ready => self.ops.push(Op::Ready(room.clone(), true)),
            ConversationEvent::Removed { .. } => {
                self.ops.push(Op::Closed(room.clone(), true));
                self.told.push(Told::Out(room.clone()));
            }
            ConversationEvent::Unsent { local_id, .. } => {
                self.told.extend(client.text_of(room, local_id).map(Told::Unsent));
            }
            ConversationEvent::IntentDone { local_id } => {
                let settled = Told::Settled(room.clone(), local_id, "done".to_owned());
                self.told.push(settled);
            }
            ConversationEvent::IntentRefused { local_id, reason } => {
                self.told.push(Told::Settled(room.clone(), local_id, reason));
            }
            ConversationEvent::Rejoined { .. } => {
                let epoch = self.engine.epoch();
                self.told.push(Told::CameBack(room.clone(), epoch));
            }
            // What somebody wrote crossed the change that took the right to write from them.
            ConversationEvent::Alarm(alarm) if client.expects(&alarm) => {
                client.say(&format!("{} {alarm:?}", client.short(room)));
            }
            ConversationEvent::Alarm(alarm) => {
                client.say(&format!("{} alarm: {alarm:?}", client.short(room)));
                self.told.push(Told::Wrong(format!(
                    "an alarm in a world of honest people: {alarm:?}"
                )));
            }
            ConversationEvent::Members { added, removed, .. } => {
                let names = |clients: &[(sabir_wire::uri::ClientUri, UserUri)]| {
                    let names: Vec<&str> = clients.iter().map(|(client, _)| last(client.as_str())).collect();
                    names.join(", ")
                };
                let (added, removed) = (names(&added), names(&removed));
                client.say(&format!(
                    "{} came: [{added}], went: [{removed}]",
                    client.short(room)
                ));
            }
            ConversationEvent::Waiting { user, reason, .. } => {
                let user = last(user.as_str());
                client.say(&format!("{} waits for {user}: {reason}", client.short(room)));
            }
            event => client.say(&format!("{} {event:?}", client.short(room))),
        }
    }

    fn message(&mut self, client: &Client, room: &RoomUri, message: MessageEvent) {
        let text = MimiContent::from_bytes(&message.content)
            .ok()
            .and_then(|content| content.fallback_text(&[]).map(str::to_owned))
            .unwrap_or_default();
        if self.altered == (message.frank_state == FrankState::Verified) || !message.verified {
            let state = (message.frank_state, message.verified);
            self.told.push(Told::Wrong(format!("`{text}` came as {state:?}")));
        }
        if client.has_seen(room, &message.message_id) {
            self.told.push(Told::Wrong(format!("`{text}` is shown twice")));
        }
        self.ops.push(Op::Seen(room.clone(), message.message_id));
        self.lines.push(Line::Text {
            sender: message.sender,
            text,
        });
    }

    fn stand(&mut self) {
        self.told
            .push(Told::Stands(self.engine.room().clone(), standing(self.engine)));
    }
}

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
        let cx = ConversationContext {
            device: &self.device,
            me: &self.user,
            anchors: &memory.anchors,
        };
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
                    hub: agent(hub),
                };
                Conversation::create_group(cx, new, self.now(), &mut rng)?
            }
        };
        let mut step = Step {
            engine: &mut engine,
            cx,
            rng,
            now: self.now(),
            ops: Vec::new(),
            lines: Vec::new(),
            told: Vec::new(),
            altered: false,
        };
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

    /// What there is to send for a room, drawn up now where it is its turn.
    pub(super) fn next(&self, room: &RoomUri) -> Result<Next, Fault> {
        self.step(room, |step| {
            if let Some(request) = step.engine.outstanding(step.now) {
                return Ok(Next::Send(request));
            }
            let effects = self.prepare(step)?;
            step.absorb(self, effects);
            if self.has(Bug::RequestNotWritten) {
                step.ops.clear();
            }
            Ok(match step.engine.outstanding(step.now) {
                Some(request) => Next::Send(request),
                None => Next::Wait(step.engine.next_timeout()),
            })
        })
    }

    fn prepare(&self, step: &mut Step<'_>) -> Result<Effects, Fault> {
        Ok(step.engine.prepare(step.cx, step.now, &mut step.rng)?)
    }

    /// Takes the answer to a room's request.
    pub(super) fn answered(&self, room: &RoomUri, request: &Request, answer: &[u8]) -> Result<(), Fault> {
        self.step(room, |step| {
            let effects = step
                .engine
                .answered(step.cx, step.now, request, answer, &mut step.rng)?;
            step.absorb(self, effects);
            if self.has(Bug::AnswerNotWritten) {
                step.ops.clear();
            }
            Ok(())
        })
    }

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
        if self.has(Bug::CursorFirst) {
            self.commit(mark.take().into_iter().collect(), Vec::new())?;
        } else if self.has(Bug::EffectsFirst) {
            later = mark.take();
        }
        let done = if !references.is_empty() && is_held {
            self.welcome(room, entry, bytes, &references, &mut mark)
        } else if references.is_empty() {
            let altered = self.world()?.is_altered(bytes);
            self.step(room, |step| {
                step.altered = altered;
                let effects = step.engine.incoming(step.cx, step.now, bytes, &mut step.rng)?;
                step.absorb(self, effects);
                step.ops.extend(mark.take());
                let applied = Applied {
                    entry,
                    joined: None,
                    lines: std::mem::take(&mut step.lines),
                };
                // Before whatever else came of it.
                step.told
                    .insert(0, Told::Applied(step.engine.room().clone(), applied));
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
        self.step(room, |step| {
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
        })
    }

    fn package(&self, references: &[Vec<u8>]) -> Option<(Vec<u8>, Rows)> {
        let disk = self.lock_disk();
        let mut found = references.iter();
        found.find_map(|reference| Some((reference.clone(), disk.packages.get(reference)?.clone())))
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
        let cx = ConversationContext {
            device: &self.device,
            me: &self.user,
            anchors: &memory.anchors,
        };
        let mut rng = self.fate.stream();
        let joined = Conversation::join(cx, room.clone(), rows, bytes, &mut rng)?;
        let mut engine = joined.conversation;
        let mut step = Step {
            engine: &mut engine,
            cx,
            rng,
            now: self.now(),
            ops: Vec::new(),
            lines: Vec::new(),
            told: Vec::new(),
            altered: false,
        };
        let direct = step.engine.state().kind() == RoomKind::Direct;
        let people = step.engine.state().participants.participants.iter();
        let with = people
            .map(|it| &it.user)
            .find(|user| **user != self.user && direct)
            .cloned();
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

    /// Runs one step of a room's engine in one transaction. After a fault the engine is as its rows say.
    fn step<T>(
        &self,
        room: &RoomUri,
        body: impl FnOnce(&mut Step<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if !self.is_up() {
            return Err(Fault::Died);
        }
        let mut memory = self.lock_memory();
        let mut engine = match memory.engines.remove(room) {
            Some(engine) => engine,
            None => self.load(room)?,
        };
        let cx = ConversationContext {
            device: &self.device,
            me: &self.user,
            anchors: &memory.anchors,
        };
        let mut step = Step {
            engine: &mut engine,
            cx,
            rng: self.fate.stream(),
            now: self.now(),
            ops: Vec::new(),
            lines: Vec::new(),
            told: Vec::new(),
            altered: false,
        };
        let value = body(&mut step)?;
        let Step { ops, told, .. } = step;
        drop(memory);
        self.commit(ops, told)?;
        self.lock_memory().engines.insert(room.clone(), engine);
        Ok(value)
    }

    fn load(&self, room: &RoomUri) -> Result<Conversation, Fault> {
        let disk = self.lock_disk();
        let rows = disk.rooms.get(room).map(|room| &room.rows);
        let rows = rows.filter(|rows| !rows.is_empty()).ok_or(Fault::NoRoom)?;
        Ok(Conversation::load(room.clone(), rows, &mut self.fate.stream())?)
    }

    /// One transaction, and then what is told of it.
    fn commit(&self, ops: Vec<Op>, told: Vec<Told>) -> Result<(), Fault> {
        if !self.is_up() {
            return Err(Fault::Died);
        }
        let ops: Vec<Op> = ops
            .into_iter()
            .filter(|op| !matches!(op, Op::Rows(_, changes) if changes.is_empty()))
            .collect();
        if ops.is_empty() && told.is_empty() {
            return Ok(());
        }
        let committed = self.lock_disk().commit(ops);
        let world = self.world()?;
        let died = match committed {
            Err(died) => Some((died, "before")),
            Ok(died) => {
                for told in told {
                    self.tell(told);
                }
                died.map(|died| (died, "after"))
            }
        };
        match died {
            None => Ok(()),
            Some((died, moment)) => {
                world.client_died(&self.name, moment);
                Err(died.into())
            }
        }
    }

    fn tell(&self, told: Told) {
        let Ok(world) = self.world() else { return };
        let client = self.uri.as_str();
        let mut model = world.model();
        let checked = match &told {
            Told::Founded(room, people) => {
                model.founded(room, client, &self.user, people.clone());
                self.say(&format!("{} founded", self.short(room)));
                Ok(())
            }
            Told::Wrote(room, text) => {
                model.wrote(&self.user, room, text);
                self.say(&format!("{} wrote `{text}`", self.short(room)));
                Ok(())
            }
            Told::Accepted(text) => {
                model.told_accepted(text);
                self.say(&format!("`{text}` is accepted"));
                Ok(())
            }
            Told::Applied(room, applied) => {
                for line in &applied.lines {
                    if let Line::Text { text, .. } = line {
                        self.say(&format!("{} reads `{text}`", self.short(room)));
                    }
                }
                model.applied(client, room, applied)
            }
            Told::Stands(room, standing) => model.stands(client, room, standing),
            Told::CameBack(room, epoch) => {
                model.came_back(client, room, *epoch);
                self.say(&format!("{} came back in epoch {epoch}", self.short(room)));
                Ok(())
            }
            Told::Unsent(text) => {
                model.told_unsent(text);
                self.say(&format!("`{text}` will not go out"));
                Ok(())
            }
            Told::Wants(room, id, what) => {
                self.say(&format!("{} wants: {what}", self.short(room)));
                model.wants(client, room, *id, what)
            }
            Told::Settled(room, id, how) => {
                self.say(&format!(
                    "{} {}: {how}",
                    self.short(room),
                    model.wanted(client, *id)
                ));
                model.settled(client, *id)
            }
            Told::Out(room) => {
                model.is_out(client, room);
                self.say(&format!("{} is out", self.short(room)));
                Ok(())
            }
            Told::Wrong(what) => Err(format!("{}: {what}", self.name)),
        };
        drop(model);
        if let Err(wrong) = checked {
            world.wrong(&wrong);
        }
    }

    /// A batch of key packages to publish: the one that was drawn up, or new ones.
    pub(super) fn key_packages(&self, count: usize) -> Result<Vec<u8>, Fault> {
        if let Some(batch) = self.lock_disk().publishing.clone() {
            return Ok(batch);
        }
        let made = key_package::generate(&self.device, count, self.now(), &mut self.fate.stream()).unwrap();
        let key_packages = made
            .iter()
            .map(|made| KeyPackage::from_bytes(&made.bytes).unwrap())
            .collect();
        let batch = PublishKeyPackagesRequest { key_packages }.to_bytes();
        let mut ops: Vec<Op> = made
            .into_iter()
            .map(|made| Op::Package(made.reference, made.private))
            .collect();
        if self.has(Bug::PackagesNotWritten) {
            self.lock_memory().unwritten.append(&mut ops);
        }
        ops.push(Op::Publishing(Some(batch.clone())));
        self.commit(ops, Vec::new())?;
        Ok(batch)
    }

    /// The provider has the batch.
    pub(super) fn published(&self) -> Result<(), Fault> {
        let mut ops = std::mem::take(&mut self.lock_memory().unwritten);
        ops.push(Op::Publishing(None));
        self.commit(ops, Vec::new())
    }

    /// Pins what a provider published, where nothing is pinned for it.
    pub(super) fn pin(&self, domain: &Domain, der: Vec<u8>) -> Result<(), Fault> {
        if self.knows(domain) {
            return Ok(());
        }
        let ca = CaCertificate::parse(&der).map_err(|error| Fault::Refused(error.to_string()))?;
        self.commit(vec![Op::Anchor(domain.clone(), der)], Vec::new())?;
        self.lock_memory().anchors.pin(domain, ca).unwrap();
        Ok(())
    }

    pub(super) fn knows(&self, domain: &Domain) -> bool {
        !self.lock_memory().anchors.get(domain).is_empty()
    }

    pub(super) fn set_hub(&self, hub: HubIdentity) -> Result<(), Fault> {
        if self.lock_disk().hub.as_ref() == Some(&hub) {
            return Ok(());
        }
        self.commit(vec![Op::Hub(hub)], Vec::new())
    }

    /// Whether nothing waits in a room.
    pub(super) fn room_is_at_rest(&self, room: &RoomUri) -> Result<bool, Fault> {
        let mut memory = self.lock_memory();
        if !memory.engines.contains_key(room) {
            let engine = self.load(room)?;
            memory.engines.insert(room.clone(), engine);
        }
        let engine = memory.engines.get(room).ok_or(Fault::NoRoom)?;
        Ok(!engine.is_member()
            || engine.sending_stopped().is_some()
            || (engine.queued() == 0
                && engine.next_timeout().is_none()
                && engine.outstanding(u64::MAX).is_none()))
    }

    fn holds(&self, room: &RoomUri) -> bool {
        let disk = self.lock_disk();
        disk.rooms.get(room).is_some_and(|room| !room.rows.is_empty())
    }

    /// Whether an alarm has its cause in how this world is, and not in a fault.
    fn expects(&self, alarm: &Alarm) -> bool {
        match alarm {
            Alarm::SendingRefused { .. } => true,
            Alarm::Gap { .. } | Alarm::BadCommit { .. } => self
                .world
                .upgrade()
                .is_some_and(|world| world.cheat == Some(Cheat::Withholds)),
            _ => false,
        }
    }

    /// A line in every room, so that everybody there hears something.
    pub(in crate::sim) fn write_everywhere(&self) {
        let rooms: Vec<RoomUri> = self.lock_disk().rooms.keys().cloned().collect();
        for (number, room) in rooms.iter().enumerate() {
            let _ = self.write(room, &format!("last line {number} of {}", self.name));
        }
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

    fn text_of(&self, room: &RoomUri, id: LocalId) -> Option<String> {
        self.lock_disk().rooms.get(room)?.texts.get(&id).cloned()
    }

    fn has_seen(&self, room: &RoomUri, message: &[u8; 32]) -> bool {
        let disk = self.lock_disk();
        disk.rooms
            .get(room)
            .is_some_and(|room| room.seen.contains(message))
    }

    /// What the story calls a room.
    pub(super) fn short(&self, room: &RoomUri) -> String {
        self.world()
            .map_or_else(|_| room.to_string(), |world| world.short(room))
    }
}

fn agent(hub: HubIdentity) -> FrankingAgentData {
    FrankingAgentData {
        franking_signature_key: hub.key,
        credential: hub.credential,
    }
}

/// The last segment of an identifier.
fn last(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or_default()
}

fn describe(intent: &Intent) -> String {
    match intent {
        Intent::Add { user, role } => format!("add {} as {role}", last(user.as_str())),
        Intent::Remove { user } => format!("remove {}", last(user.as_str())),
        Intent::Ban { user } => format!("ban {}", last(user.as_str())),
        Intent::Unban { user, role } => format!("unban {} as {role}", last(user.as_str())),
        Intent::SetRole { user, role } => format!("make {} {role}", last(user.as_str())),
        Intent::Rename { name } => format!("call it `{name}`"),
        Intent::Leave => "leave".to_owned(),
    }
}

fn standing(engine: &Conversation) -> Standing {
    let people = engine.state().participants.participants.iter();
    Standing {
        epoch: engine.epoch(),
        transcript: engine.transcript_hash().to_vec(),
        people: people.map(|it| (it.user.clone(), it.role_index)).collect(),
    }
}
