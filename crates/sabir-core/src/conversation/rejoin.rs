//! A client comes by itself into a room it holds no state of: its person is on the list, and it has no leaf, or its
//! Welcome does not open; or its person has a join link, or the room is open to them.

use rand_core::CryptoRng;
use sabir_mls::group::Group;
use sabir_mls::keys::sha256;
use sabir_mls::rows::Rows;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::protocol::{FanoutBody, FanoutMessage, UpdateOutcome, UpdateRoomResponse};
use sabir_wire::uri::RoomUri;

use super::commit::bundle;
use super::join::{self, Joined};
use super::outside::{self, Ticket, Way};
use super::record::{Repair, RepairStep};
use super::repair::SHUT_OUT;
use super::work::due;
use super::{Conversation, ConversationContext, ConversationError, Effects, Request, RequestKind};
use crate::Millis;
use crate::hub::group_uri;
use crate::room::link::LinkKey;
use crate::scope::{self, engine_key, engine_row};

const ROW: &str = "rejoin";

/// There where the person is to come in too: the seed of their link, or nothing.
const TICKET: &str = "rejoin-ticket";

/// A way into a room that this client is not in. Its rows are the room's, until the conversation's take their place.
#[derive(Debug)]
pub struct Rejoin {
    room: RoomUri,
    repair: Repair,
    beside: Option<Rows>,
    ticket: Option<Ticket>,
}

/// What a call brought about.
#[derive(Debug)]
pub enum Rejoined {
    /// It goes on: persist the effects.
    Still(Effects),
    /// This client is in the room: persist the effects, and go on with the conversation.
    In(Box<Joined>),
    /// The hub does not let this client in. The effects delete all rows; the reason is there where it is known.
    ShutOut(Effects, Option<String>),
}

impl Conversation {
    /// Begins to come into a room from outside. The room's provider, which its URI names, is the hub.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn rejoin(
        cx: ConversationContext<'_>,
        room: RoomUri,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Rejoin, Effects), ConversationError> {
        let mut rejoin = Rejoin {
            room,
            repair: Repair::new(now, 0),
            beside: None,
            ticket: None,
        };
        let effects = rejoin.prepare(cx, now, rng)?;
        Ok((rejoin, effects))
    }

    /// Begins to come into a room of which this person is no participant, by a join link or because it is open
    /// (draft-ietf-mimi-room-policy-03 §8.1.1: canUseJoinCode, canOpenJoin, canJoinIfPreauthorized). `rows` are the room's
    /// from when this client was in it before, if it was; they stay until it is in again.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn come_in(
        cx: ConversationContext<'_>,
        room: RoomUri,
        link: Option<LinkKey>,
        rows: &Rows,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Rejoin, Effects), ConversationError> {
        let seed = link.as_ref().map(|link| link.seed().to_vec());
        let mut rejoin = Rejoin {
            room,
            repair: Repair::new(now, 0),
            beside: None,
            ticket: Some(Ticket { link }),
        };
        let mut effects = rejoin.prepare(cx, now, rng)?;
        scope::drop_beside(&scope::rows_beside(rows), &mut effects.changes);
        effects.changes.put(engine_key(TICKET), seed.unwrap_or_default());
        Ok((rejoin, effects))
    }
}

impl Rejoin {
    /// Loads it from the room's rows; `None` where they are something else, such as a conversation's.
    ///
    /// # Errors
    /// [`ConversationError::Stored`].
    pub fn load(room: RoomUri, rows: &Rows) -> Result<Option<Self>, ConversationError> {
        let Some(row) = engine_row(rows, ROW) else {
            return Ok(None);
        };
        let repair = Repair::from_bytes(row).map_err(|error| ConversationError::Stored(error.to_string()))?;
        let beside = Some(scope::rows_beside(rows)).filter(|rows| !rows.is_empty());
        let ticket = match engine_row(rows, TICKET) {
            None => None,
            Some([]) => Some(Ticket { link: None }),
            Some(seed) => {
                let link = LinkKey::from_seed(seed);
                let link = link.map_err(|error| ConversationError::Stored(error.to_string()))?;
                Some(Ticket { link: Some(link) })
            }
        };
        Ok(Some(Self {
            room,
            repair,
            beside,
            ticket,
        }))
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &RoomUri {
        &self.room
    }

    /// The hash of the key of the link by which this person comes in, if by one.
    #[must_use]
    pub fn link(&self) -> Option<[u8; 32]> {
        let ticket = self.ticket.as_ref()?;
        ticket.link.as_ref().map(LinkKey::key_hash)
    }

    /// The request that must be sent, or sent again, now.
    #[must_use]
    pub fn outstanding(&self, now: Millis) -> Option<Request> {
        let (kind, body) = match &self.repair.step {
            _ if !due(self.repair.not_before, now) => return None,
            RepairStep::Wanted => return None,
            RepairStep::Asking { request, .. } => (RequestKind::GroupInfo, request),
            RepairStep::Joining { request, .. } => (RequestKind::Update, request),
        };
        Some(Request {
            kind,
            body: body.clone(),
        })
    }

    /// When [`Rejoin::prepare`] may have something although nothing else happens.
    #[must_use]
    pub fn next_timeout(&self) -> Millis {
        self.repair.not_before
    }

    /// Draws up what is to be sent next.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn prepare(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        let mut effects = Effects::default();
        if self.repair.step == RepairStep::Wanted && due(self.repair.not_before, now) {
            let (request, private) = outside::ask(cx, &self.room, self.ticket.as_ref(), rng)?;
            self.repair.step = RepairStep::Asking { request, private };
            self.write(&mut effects);
        }
        Ok(effects)
    }

    /// Takes the answer to `request`.
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a CA must be pinned first (then give the same answer again), or a
    /// fault of ours.
    pub fn answered(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        request: &Request,
        response: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Rejoined, ConversationError> {
        if self.outstanding(Millis::MAX).as_ref() != Some(request) {
            return Ok(Rejoined::Still(Effects::default()));
        }
        if request.kind == RequestKind::Update {
            let response = UpdateRoomResponse::from_bytes(response)
                .map_err(|error| ConversationError::Refused(error.to_string()))?;
            return self.commit_answered(cx, now, &response, rng);
        }
        let mut effects = Effects::default();
        match self.group_info_came(cx, response, rng, &mut effects) {
            Ok(true) if self.ticket.is_some() => {}
            Ok(true) => self.repair.refusals = 0,
            Ok(false) => {
                self.repair.refusals = self.repair.refusals.saturating_add(1);
                // A link does not become good by asking again.
                if self.ticket.is_some() || self.repair.refusals >= SHUT_OUT {
                    return Ok(self.shut_out(None));
                }
                self.repair.again(now);
            }
            Err(ConversationError::Refused(reason)) if self.ticket.is_some() => {
                return Ok(self.shut_out(Some(reason)));
            }
            Err(ConversationError::Refused(_)) => self.repair.again(now),
            Err(error) => return Err(error),
        }
        self.write(&mut effects);
        Ok(Rejoined::Still(effects))
    }

    /// Takes an entry of the room's log: the commit by which this client comes in may be in it before the answer is
    /// here. Everything else of the log is not for who is outside.
    ///
    /// # Errors
    /// As [`Rejoin::answered`].
    pub fn incoming(
        &mut self,
        cx: ConversationContext<'_>,
        entry: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Rejoined, ConversationError> {
        let entry = FanoutMessage::from_bytes(entry)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        if let FanoutBody::Welcome { .. } = &entry.body
            && self.ticket.take().is_some()
        {
            // Somebody added this person meanwhile, so no link is needed: it goes on as somebody's who is on the list,
            // and is not shut out at the first refusal.
            let mut effects = Effects::default();
            effects.changes.delete(engine_key(TICKET));
            return Ok(Rejoined::Still(effects));
        }
        let FanoutBody::Commit { message, .. } = &entry.body else {
            return Ok(Rejoined::Still(Effects::default()));
        };
        match &self.repair.step {
            RepairStep::Joining { commit, .. } if *commit == sha256(&message.to_bytes()) => {
                self.come_in(cx, entry.timestamp, rng)
            }
            _ => Ok(Rejoined::Still(Effects::default())),
        }
    }

    fn group_info_came(
        &mut self,
        cx: ConversationContext<'_>,
        response: &[u8],
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<bool, ConversationError> {
        let RepairStep::Asking { private, .. } = &self.repair.step else {
            return Ok(true);
        };
        let opened = match outside::open(cx, &self.room, private, response, self.repair.at_least)? {
            Way::Open(opened) => opened,
            Way::Shut => return Ok(false),
        };
        let (entered, commit) = outside::enter(cx, &self.room, &opened, &[], self.ticket.as_ref(), rng)?;
        let rows = entered.group.rows();
        scope::put_beside(&rows, &mut effects.changes);
        self.beside = Some(rows);
        self.repair.at_least = self.repair.at_least.max(opened.epoch);
        self.repair.step = RepairStep::Joining {
            request: bundle(&commit)?.to_bytes(),
            commit: sha256(&commit.commit),
        };
        Ok(true)
    }

    fn commit_answered(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        response: &UpdateRoomResponse,
        rng: &mut dyn CryptoRng,
    ) -> Result<Rejoined, ConversationError> {
        match response.outcome {
            UpdateOutcome::Success { accepted_timestamp } => {
                return self.come_in(cx, accepted_timestamp, rng);
            }
            UpdateOutcome::WrongEpoch { .. } => self.repair.raced(now),
            UpdateOutcome::NotAllowed | UpdateOutcome::InvalidProposal { .. } => {
                self.repair.refusals = self.repair.refusals.saturating_add(1);
                if self.ticket.is_some() && self.repair.refusals >= SHUT_OUT {
                    let reason = response.error_description.clone();
                    return Ok(self.shut_out(Some(reason).filter(|reason| !reason.is_empty())));
                }
                self.repair.again(now);
            }
        }
        let mut effects = Effects::default();
        self.drop_beside(&mut effects);
        self.write(&mut effects);
        Ok(Rejoined::Still(effects))
    }

    fn come_in(
        &mut self,
        cx: ConversationContext<'_>,
        accepted: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<Rejoined, ConversationError> {
        let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
        let rows = self
            .beside
            .take()
            .ok_or_else(|| internal(&"no group lies beside"))?;
        let id = group_uri(&self.room).map_err(|error| internal(&error))?;
        let group = Group::load(rows.clone(), id.as_str().as_bytes(), rng)?;
        let entered = join::check(cx, &self.room, group, &[])?;
        let mut effects = Effects::default();
        scope::drop_beside(&rows, &mut effects.changes);
        scope::replace(&Rows::new(), &rows, &mut effects.changes);
        effects.changes.delete(engine_key(ROW));
        effects.changes.delete(engine_key(TICKET));
        let changes = effects.changes;
        let joined = Conversation::begin(self.room.clone(), entered, changes, accepted, Some(false))?;
        Ok(Rejoined::In(Box::new(joined)))
    }

    /// Gives up: the effects delete what it wrote.
    pub fn abandon(&mut self) -> Effects {
        let mut effects = Effects::default();
        self.drop_beside(&mut effects);
        effects.changes.delete(engine_key(ROW));
        effects.changes.delete(engine_key(TICKET));
        effects
    }

    fn shut_out(&mut self, reason: Option<String>) -> Rejoined {
        Rejoined::ShutOut(self.abandon(), reason)
    }

    fn drop_beside(&mut self, effects: &mut Effects) {
        if let Some(beside) = self.beside.take() {
            scope::drop_beside(&beside, &mut effects.changes);
        }
    }

    fn write(&self, effects: &mut Effects) {
        effects.changes.put(engine_key(ROW), self.repair.to_bytes());
    }
}
