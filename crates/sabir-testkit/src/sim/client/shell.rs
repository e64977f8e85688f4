//! The steps of a client: each runs an engine, commits what it brought about in one transaction, and then tells.

use rand_chacha::ChaCha20Rng;
use sabir_core::conversation::{
    Alarm, Conversation, ConversationContext, ConversationError, ConversationEvent, Effects, FrankState,
    LocalId, MessageEvent, Request,
};
use sabir_mls::identity::CaCertificate;
use sabir_mls::key_package;
use sabir_wire::client_api::{HubIdentity, PublishKeyPackagesRequest};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::MimiContent;
use sabir_wire::mls::KeyPackage;
use sabir_wire::uri::{Domain, RoomUri, UserUri};

use super::disk::{Died, Op};
use super::{Client, Memory};
use crate::sim::bugs::Bug;
use crate::sim::cheats::Cheat;
use crate::sim::model::{Applied, Line, Standing};

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
pub(super) enum Told {
    Founded(RoomUri, Vec<(UserUri, u32)>),
    Wrote(RoomUri, String),
    Accepted(String),
    Applied(RoomUri, Applied),
    Stands(RoomUri, Standing),
    Out(RoomUri),
    Lost(RoomUri),
    CameBack(RoomUri, u64),
    Unsent(String),
    Wants(RoomUri, LocalId, String),
    Settled(RoomUri, LocalId, String),
    Wrong(String),
}

/// One step on its way to the disk.
pub(super) struct Step<'a> {
    pub(super) engine: &'a mut Conversation,
    pub(super) cx: ConversationContext<'a>,
    pub(super) rng: ChaCha20Rng,
    pub(super) now: u64,
    pub(super) ops: Vec<Op>,
    pub(super) lines: Vec<Line>,
    pub(super) told: Vec<Told>,
    /// Whether the frank of the entry at hand was altered on its way.
    pub(super) altered: bool,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        engine: &'a mut Conversation,
        cx: ConversationContext<'a>,
        now: u64,
        rng: ChaCha20Rng,
        ops: Vec<Op>,
    ) -> Self {
        Self {
            engine,
            cx,
            rng,
            now,
            ops,
            lines: Vec::new(),
            told: Vec::new(),
            altered: false,
        }
    }

    /// Writes down what a call of the engine brought about.
    pub(super) fn absorb(&mut self, client: &Client, effects: Effects) {
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

    pub(super) fn stand(&mut self) {
        self.told
            .push(Told::Stands(self.engine.room().clone(), standing(self.engine)));
    }
}

impl Client {
    /// What there is to send for a room, drawn up now where it is its turn.
    pub(super) fn next(&self, room: &RoomUri) -> Result<Next, Fault> {
        if let Some(next) = self.next_of_rejoin(room)? {
            return Ok(next);
        }
        self.step(room, |step| {
            if let Some(request) = step.engine.outstanding(step.now) {
                return Ok(Next::Send(request));
            }
            if self.has_forgotten(room, step.engine.next_timeout()) {
                return Ok(Next::Wait(None));
            }
            let effects = self.prepare(step)?;
            step.absorb(self, effects);
            if self.has(Bug::RequestNotWritten) {
                step.ops.clear();
            }
            Ok(match step.engine.outstanding(step.now) {
                Some(request) => Next::Send(request),
                None => Next::Wait(self.remembers(room, step.now, step.engine.next_timeout())),
            })
        })
    }

    /// The time until which a room waits; a planted bug forgets it where it is some minutes away.
    fn remembers(&self, room: &RoomUri, now: u64, at: Option<u64>) -> Option<u64> {
        let at = at?;
        if !self.has(Bug::LongTimersLost) || at < now + 5 * 60_000 {
            return Some(at);
        }
        self.lock_disk().forgotten.insert(room.clone(), at);
        None
    }

    fn has_forgotten(&self, room: &RoomUri, at: Option<u64>) -> bool {
        at.is_some_and(|at| self.lock_disk().forgotten.get(room) == Some(&at))
    }

    fn prepare(&self, step: &mut Step<'_>) -> Result<Effects, Fault> {
        Ok(step.engine.prepare(step.cx, step.now, &mut step.rng)?)
    }

    /// Takes the answer to a room's request.
    pub(super) fn answered(&self, room: &RoomUri, request: &Request, answer: &[u8]) -> Result<(), Fault> {
        if self.answered_rejoin(room, request, answer)? {
            return Ok(());
        }
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

    /// Who this client is, to an engine.
    pub(super) fn context<'a>(&'a self, memory: &'a Memory) -> ConversationContext<'a> {
        ConversationContext {
            device: &self.device,
            me: &self.user,
            anchors: &memory.anchors,
        }
    }

    /// Runs one step of a room's engine in one transaction. After a fault the engine is as its rows say.
    pub(super) fn step<T>(
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
        let cx = self.context(&memory);
        let mut step = Step::new(&mut engine, cx, self.now(), self.fate.stream(), Vec::new());
        let value = body(&mut step)?;
        let Step { ops, told, .. } = step;
        drop(memory);
        self.commit(ops, told)?;
        self.lock_memory().engines.insert(room.clone(), engine);
        Ok(value)
    }

    fn load(&self, room: &RoomUri) -> Result<Conversation, Fault> {
        let disk = self.lock_disk();
        let rows = disk.rooms.get(room).filter(|room| !room.rejoining);
        let rows = rows
            .map(|room| &room.rows)
            .filter(|rows| !rows.is_empty())
            .ok_or(Fault::NoRoom)?;
        Ok(Conversation::load(room.clone(), rows, &mut self.fate.stream())?)
    }

    /// One transaction, and then what is told of it.
    pub(super) fn commit(&self, ops: Vec<Op>, told: Vec<Told>) -> Result<(), Fault> {
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
            Told::Lost(room) => {
                model.lost(client, room);
                Ok(())
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
        self.commit(vec![Op::Publishing(None)], Vec::new())
    }

    /// Pins what a provider published, where nothing is pinned for it.
    pub(super) fn pin(&self, domain: &Domain, der: Vec<u8>) -> Result<(), Fault> {
        if self.knows(domain) {
            return Ok(());
        }
        let ca = CaCertificate::parse(&der).map_err(|error| Fault::Refused(error.to_string()))?;
        self.commit(vec![Op::Anchor(domain.clone(), der)], Vec::new())?;
        let mut memory = self.lock_memory();
        memory.anchors.pin(domain, ca).unwrap();
        self.believe_more(domain, &mut memory.anchors);
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

    pub(super) fn holds(&self, room: &RoomUri) -> bool {
        let disk = self.lock_disk();
        disk.rooms.get(room).is_some_and(|room| !room.rows.is_empty())
    }

    /// Whether an alarm has its cause in how this world is, and not in a fault.
    fn expects(&self, alarm: &Alarm) -> bool {
        match alarm {
            Alarm::SendingRefused { .. } => true,
            Alarm::Gap { .. } => self.is_cheated_by(Cheat::Withholds),
            // Whoever made it is named, and nobody else.
            // A Welcome can be kept back or altered on its way.
            Alarm::BadWelcome { .. } => self.world.upgrade().is_some_and(|world| world.cheat.is_some()),
            Alarm::BadCommit { by: Some(by), .. } => {
                let mallory = self.world.upgrade().and_then(|world| world.mallory());
                self.is_cheated_by(Cheat::Spoils) && mallory.is_some_and(|mallory| mallory.user == *by)
            }
            _ => false,
        }
    }

    fn is_cheated_by(&self, cheat: Cheat) -> bool {
        self.world
            .upgrade()
            .is_some_and(|world| world.cheat == Some(cheat))
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

/// The last segment of an identifier.
pub(super) fn last(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or_default()
}

fn standing(engine: &Conversation) -> Standing {
    let people = engine.state().participants.participants.iter();
    Standing {
        epoch: engine.epoch(),
        transcript: engine.transcript_hash().to_vec(),
        people: people.map(|it| (it.user.clone(), it.role_index)).collect(),
    }
}
