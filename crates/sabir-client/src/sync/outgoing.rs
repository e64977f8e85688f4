//! What is written here: into the right room, onto the disk, and out of it request by request.

use data_encoding::BASE64URL_NOPAD;
use sabir_core::conversation::{Conversation, ConversationContext, NewDirect, Request};
use sabir_core::room::ExpiryWish;
use sabir_wire::content::{Expiration, MimiContent, Origin};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{RoomUri, UserUri};

use super::apply::{absorb, engine_id, new_record};
use super::expiry::chosen;
use super::groups::Named;
use super::keeper::{Keeper, Step, Work};
use super::{ClientError, MAX_TEXT};
use crate::account::now;
use crate::random;
use crate::store::{Change, Entry, Marks};
use crate::types::MessageState;

/// What a room's worker does next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this until it is answered.
    Send(Request),
    /// Wait for news of the room, and not longer than this time, in milliseconds since the epoch.
    Wait(Option<u64>),
}

impl Keeper {
    /// Writes a text down for a room or a person; says its local id.
    pub(super) fn send_text(&mut self, to: &str, text: &str, expiry: ExpiryWish) -> Result<u64, ClientError> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(ClientError::Text);
        }
        let me = self.me.clone();
        self.send_with(to, "queue message", |step| queue_text(step, &me, text, expiry))
    }

    /// Queues a message for a room or a person, whose room is opened where there is none; says its local id.
    pub(super) fn send_with(
        &mut self,
        to: &str,
        name: &'static str,
        queue: impl FnOnce(&mut Step<'_, '_>) -> Result<u64, ClientError>,
    ) -> Result<u64, ClientError> {
        let (room, local_id) = match self.recipient(to)? {
            Some(room) => {
                let local_id = self.step(&room, name, queue)?;
                (room, local_id)
            }
            None => self.open_and_send(UserUri::from_address(to)?, queue)?,
        };
        self.work(Work::Room(room));
        Ok(local_id)
    }

    /// Refuses a recipient to whom nothing can be sent.
    pub(super) fn check_recipient(&mut self, to: &str) -> Result<Option<RoomUri>, ClientError> {
        match self.recipient(to)? {
            Some(at) => match self.store.read(|tx| tx.room(at.as_str()))? {
                Some(room) if room.closed => Err(ClientError::Closed("you are no longer in this room")),
                Some(_) => Ok(Some(at)),
                None => Err(ClientError::NoRoom),
            },
            None => Ok(None),
        }
    }

    /// The room that an address, an identifier or a name means; `None` where it is still to be made.
    fn recipient(&mut self, to: &str) -> Result<Option<RoomUri>, ClientError> {
        match self.named(to)? {
            Named::Room(room) => match self.place_of(&room)? {
                Some(next) => Err(ClientError::GoesOnIn(next)),
                None => Ok(Some(room)),
            },
            Named::Person(person) => self.direct_room(&person),
        }
    }

    fn open_and_send(
        &mut self,
        peer: UserUri,
        queue: impl FnOnce(&mut Step<'_, '_>) -> Result<u64, ClientError>,
    ) -> Result<(RoomUri, u64), ClientError> {
        let mut rng = random::stream()?;
        let now = now()?;
        let room = self.new_room()?;
        let hub = self.franking_agent();
        let post_quantum = self.settings()?.post_quantum;
        let device = self.founder(post_quantum);
        let cx = ConversationContext {
            device: &device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let new = NewDirect {
            room: room.clone(),
            peer,
            hub,
        };
        let (mut engine, effects) = Conversation::create_direct(cx, new, now, &mut rng)?;
        let (local_id, last) = self.store.transaction("open room", |tx| {
            tx.put_room(&new_record(&engine, cx.me, now))?;
            tx.append_change(&Change::RoomAdded {
                room: room.to_string(),
            })?;
            absorb(tx, cx.me, &engine, effects)?;
            let mut step = Step {
                tx,
                engine: &mut engine,
                cx,
                rng: &mut rng,
                now,
                is_ready: false,
            };
            let local_id = queue(&mut step)?;
            Ok::<_, ClientError>((local_id, tx.last_change()?))
        })?;
        self.keep_engine(engine);
        self.published(last);
        Ok((room, local_id))
    }

    /// A name for a room at the own provider that nobody else has.
    pub(super) fn new_room(&self) -> Result<RoomUri, ClientError> {
        let mut name = [0; 16];
        random::fill(&mut name)?;
        Ok(RoomUri::new(self.me.authority(), &BASE64URL_NOPAD.encode(&name))?)
    }

    /// The own provider as a new room's hub.
    pub(super) fn franking_agent(&self) -> FrankingAgentData {
        FrankingAgentData {
            franking_signature_key: self.hub.key.clone(),
            credential: self.hub.credential.clone(),
        }
    }

    /// What to send for a room, drawn up now where it is its turn.
    pub(super) fn next(&mut self, room: &RoomUri) -> Result<Next, ClientError> {
        if let Some(next) = self.next_of_rejoin(room)? {
            return Ok(next);
        }
        self.step(room, "next request", |step| {
            if let Some(request) = step.engine.outstanding(step.now) {
                return Ok(Next::Send(request));
            }
            let effects = step.engine.prepare(step.cx, step.now, step.rng)?;
            step.absorb(effects)?;
            Ok(match step.engine.outstanding(step.now) {
                Some(request) => Next::Send(request),
                None => Next::Wait(step.engine.next_timeout()),
            })
        })
    }

    /// Takes the answer to a room's request.
    pub(super) fn answered(
        &mut self,
        room: &RoomUri,
        request: &Request,
        answer: &[u8],
    ) -> Result<(), ClientError> {
        if self.answered_rejoin(room, request, answer)? {
            return Ok(());
        }
        self.step(room, "apply answer", |step| {
            let effects = step
                .engine
                .answered(step.cx, step.now, request, answer, step.rng)?;
            step.absorb(effects)
        })
    }

    /// The provider of the person whose key packages are asked for cannot be reached: the room goes on without them.
    pub(super) fn unreachable(&mut self, room: &RoomUri, request: &Request) -> Result<(), ClientError> {
        self.step(room, "key packages unreachable", |step| {
            let effects = step.engine.unreachable(step.cx, step.now, request, step.rng)?;
            step.absorb(effects)
        })
    }

    /// Lets messages out again after the person has seen what was wrong.
    pub(super) fn resume_sending(&mut self, room: &RoomUri) -> Result<(), ClientError> {
        self.step(room, "resume sending", |step| {
            if step.engine.sending_stopped().is_none() {
                return Ok(());
            }
            let effects = step.engine.resume_sending(step.cx)?;
            step.absorb(effects)?;
            let room = step.engine.room().as_str();
            // Where the room waits for something else, no event says so.
            if let Some(mut record) = step.tx.room(room)?
                && record.blocked.take().is_some()
            {
                step.tx.put_room(&record)?;
                step.tx.append_change(&Change::RoomChanged {
                    room: room.to_owned(),
                })?;
            }
            Ok(())
        })?;
        self.work(Work::Room(room.clone()));
        Ok(())
    }

    /// Says of a room why nothing goes out at present, or that it does.
    pub(super) fn set_blocked(&mut self, room: &RoomUri, reason: Option<&str>) -> Result<(), ClientError> {
        let last = self.store.transaction("block room", |tx| {
            if let Some(mut record) = tx.room(room.as_str())?
                && record.blocked.as_deref() != reason
            {
                record.blocked = reason.map(str::to_owned);
                tx.put_room(&record)?;
                tx.append_change(&Change::RoomChanged {
                    room: room.to_string(),
                })?;
            }
            tx.last_change()
        })?;
        self.published(last);
        Ok(())
    }
}

/// Puts a message into the engine's outbox and its text into the timeline.
pub(super) fn queue(
    step: &mut Step<'_, '_>,
    me: &UserUri,
    text: &str,
    (mut marks, expiry): (Marks, ExpiryWish),
    compose: impl FnOnce(Origin<'_>) -> MimiContent,
) -> Result<u64, ClientError> {
    let local_id = step.tx.next_local_id()?;
    marks.expires_after = chosen(step, expiry)?;
    let after = marks.expires_after.map(Expiration::Relative);
    let compose = |origin: Origin<'_>| match after {
        Some(after) => compose(origin).expiring(after),
        None => compose(origin),
    };
    let effects = step
        .engine
        .send(step.cx, engine_id(local_id), compose, step.rng)?;
    step.absorb(effects)?;
    let entry = Entry {
        sender: me.to_string(),
        text: text.to_owned(),
        content: String::new(),
        frank: None,
        message_id: None,
        timestamp: step.now,
        state: MessageState::Queued,
        own: true,
        verified: true,
        problem: None,
        marks,
    };
    let room = step.engine.room().to_string();
    let id = step.tx.append_queued(&room, local_id, &entry)?;
    step.tx.append_change(&Change::MessageAdded { room, id })?;
    Ok(local_id)
}

/// Puts a text into the engine's outbox and into the timeline.
fn queue_text(
    step: &mut Step<'_, '_>,
    me: &UserUri,
    text: &str,
    expiry: ExpiryWish,
) -> Result<u64, ClientError> {
    let compose = |origin: Origin<'_>| MimiContent::plain(origin, text);
    queue(step, me, text, (Marks::default(), expiry), compose)
}
