//! Join links: made, shown, withdrawn, and used.
//!
//! ```text
//! mimi://a.example/r/ROOM#SECRET      the room and the seed of the link's key, 43 letters of base64url
//! ```
//!
//! What is after the `#` is in no request: the room's policy holds the hash of a public key, and who comes in signs with
//! the other half ([`sabir_core::room::link`]). A link that was made here can be shown again here, and nowhere else.

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sabir_core::conversation::{Conversation, ConversationContext, Intent, Rejoin};
use sabir_core::room::RoomState;
use sabir_core::room::link::{LinkKey, LinkTerms, links};
use sabir_core::room::policy::LINK_POLICY;
use sabir_wire::policy::CapabilityType;
use sabir_wire::uri::RoomUri;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::groups::{intend, role_index, role_name};
use super::keeper::{Keeper, Step, Work};
use super::rejoin::{self, Listed, MOST};
use super::rules::span;
use super::{Client, ClientError, view};
use crate::account::now;
use crate::random;
use crate::store::{Change, Name, StoreError, Tx};
use crate::types::{LinkWish, MadeLink, MessageState, Outgoing, RoomLink};

/// Ways into rooms that are remembered after they ended, so that who asked is told.
const REMEMBERED: usize = 64;

/// A link ends so long before the room's longest, in milliseconds: the hub's clock may be behind this one.
const LENIENCE: u64 = 5 * 60_000;

/// Seeds by the hash of the link's key, in hexadecimal.
type Seeds = BTreeMap<String, String>;

/// A way into a room that the person asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Join {
    room: String,
    local_id: u64,
    /// `None` while it is under way.
    decided: Option<Decided>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Decided {
    at: u64,
    problem: Option<String>,
}

impl Client {
    /// Makes a join link. On return it is on disk; it opens once the hub has accepted it ([`Self::outgoing`]).
    ///
    /// # Errors
    /// [`ClientError::Denied`], [`ClientError::Role`], [`ClientError::Link`], [`ClientError::NotAGroup`], and the others;
    /// nothing was written then.
    pub async fn make_link(&self, of: &str, wish: LinkWish) -> Result<MadeLink, ClientError> {
        let of = of.to_owned();
        self.0
            .keep
            .run(move |keeper| keeper.make_link(&of, &wish))
            .await?
    }

    /// The join links of a room.
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn links(&self, of: &str) -> Result<Vec<RoomLink>, ClientError> {
        let of = of.to_owned();
        self.0.keep.run(move |keeper| keeper.links(&of)).await?
    }

    /// Comes into a room by a join link, or by its identifier where it is open. On return it is on disk, and goes on
    /// after a restart; [`Self::outgoing`] says what became of it.
    ///
    /// # Errors
    /// [`ClientError::Link`] for a text that is none, [`ClientError::Denied`] where too many are under way.
    pub async fn join_room(&self, link: &str) -> Result<Outgoing, ClientError> {
        let link = Zeroizing::new(link.to_owned());
        self.0.keep.run(move |keeper| keeper.join_room(&link)).await?
    }
}

/// Room and key of a link; no key where it is the room's identifier alone.
///
/// # Errors
/// [`ClientError::Link`].
fn read(text: &str) -> Result<(RoomUri, Option<LinkKey>), ClientError> {
    let wrong = |why: &str| ClientError::Link(why.to_owned());
    let (room, secret) = match text.trim().split_once('#') {
        Some((room, secret)) => (room, Some(secret)),
        None => (text.trim(), None),
    };
    let room = RoomUri::parse(room).map_err(|_| wrong("a join link begins with the identifier of a room"))?;
    let Some(secret) = secret else {
        return Ok((room, None));
    };
    let seed = BASE64URL_NOPAD.decode(secret.as_bytes()).map(Zeroizing::new);
    let key = seed.ok().and_then(|seed| LinkKey::from_seed(&seed).ok());
    let key = key.ok_or_else(|| wrong("this join link is cut short, or a letter of it is wrong"))?;
    Ok((room, Some(key)))
}

/// What tells a link from the others of its room.
pub(super) fn name(key_hash: &[u8; 32]) -> String {
    let mut name = HEXLOWER.encode(key_hash);
    name.truncate(8);
    name
}

/// Draws up a link, and keeps its secret; says the intent and the terms. Links whose time is over go with it.
pub(super) fn make(step: &mut Step<'_, '_>, wish: &LinkWish) -> Result<(Intent, LinkTerms), ClientError> {
    let state = step.engine.state();
    let role = role_index(state, &wish.role)?;
    let lasts = wish.lasts_s.saturating_mul(1_000);
    if lasts == 0 {
        return Err(ClientError::Link(
            "a join link lasts a second or longer".to_owned(),
        ));
    }
    // Of the room's first link, the policy that comes with it.
    let policy = state.features.join_link.as_ref().unwrap_or(&LINK_POLICY);
    let longest = u64::from(policy.expiration).saturating_mul(1_000);
    if longest != 0 && lasts > longest {
        let most = span(policy.expiration.into());
        return Err(ClientError::Link(format!(
            "a join link of this room lasts {most} at most"
        )));
    }
    let lasts = match longest {
        0 => lasts,
        longest => lasts.min(longest.saturating_sub(LENIENCE.min(longest / 2))),
    };
    let not_after = step.now.saturating_add(lasts);
    let may_withdraw = state.role_of(step.cx.me).is_some_and(|role| {
        role.has(CapabilityType::CAN_DELETE_JOIN_CODE)
            || role.has(CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE)
    });
    let removed: Vec<[u8; 32]> = links(state)
        .filter(|link| may_withdraw && link.is_over(step.now))
        .map(|link| link.key_hash)
        .take(256)
        .collect();
    let key = LinkKey::generate(step.rng).map_err(|error| ClientError::Internal(error.to_string()))?;
    let terms = LinkTerms {
        key_hash: key.key_hash(),
        role,
        not_after,
        uses: wish.uses,
    };
    let mut seeds = seeds(step.tx)?;
    for hash in &removed {
        seeds.remove(&HEXLOWER.encode(hash));
    }
    seeds.insert(
        HEXLOWER.encode(&terms.key_hash),
        BASE64URL_NOPAD.encode(key.seed()),
    );
    step.tx.put(Name::LINKS, &seeds)?;
    let added = Some(terms);
    Ok((Intent::ChangeLinks { added, removed }, terms))
}

/// The withdrawal of links, each named or given whole.
pub(super) fn withdrawal(state: &RoomState, names: &[String]) -> Result<Intent, ClientError> {
    let mut removed = Vec::with_capacity(names.len());
    for text in names {
        let hash = match read(text) {
            Ok((_, Some(key))) => Some(key.key_hash()),
            _ => None,
        };
        let mut found =
            links(state).filter(|link| Some(link.key_hash) == hash || name(&link.key_hash) == *text);
        // Of two with one name neither is meant for certain.
        let found = found.next().filter(|_| found.next().is_none());
        let found = found.ok_or_else(|| ClientError::Link("the room has no such join link".to_owned()))?;
        removed.push(found.key_hash);
    }
    Ok(Intent::ChangeLinks { added: None, removed })
}

fn seeds(tx: &Tx<'_>) -> Result<Seeds, StoreError> {
    Ok(tx.get(Name::LINKS)?.unwrap_or_default())
}

fn shown(state: &RoomState, link: &LinkTerms, seeds: &Seeds, now: u64) -> RoomLink {
    let room = &state.metadata.room_uri;
    RoomLink {
        name: name(&link.key_hash),
        role: role_name(state, link.role),
        until_ms: (link.not_after != 0).then_some(link.not_after),
        uses: link.uses,
        over: link.is_over(now),
        link: seeds
            .get(&HEXLOWER.encode(&link.key_hash))
            .map(|seed| format!("{room}#{seed}")),
    }
}

impl Keeper {
    fn make_link(&mut self, of: &str, wish: &LinkWish) -> Result<MadeLink, ClientError> {
        let room = self.resolve(of)?;
        self.check_group(&room)?;
        let made = self.step(&room, "make link", |step| {
            let (intent, terms) = make(step, wish)?;
            let id = intend(step, intent)?;
            let link = shown(step.engine.state(), &terms, &seeds(step.tx)?, step.now);
            let asked = view::outgoing_of(step.tx, id)?.ok_or(ClientError::NoMessage)?;
            Ok(MadeLink { link, asked })
        })?;
        self.work(Work::Room(room));
        Ok(made)
    }

    fn links(&mut self, of: &str) -> Result<Vec<RoomLink>, ClientError> {
        let room = self.resolve(of)?;
        self.check_group(&room)?;
        self.step(&room, "look at links", |step| {
            let (state, seeds) = (step.engine.state(), seeds(step.tx)?);
            Ok(links(state)
                .map(|link| shown(state, &link, &seeds, step.now))
                .collect())
        })
    }

    fn join_room(&mut self, link: &str) -> Result<Outgoing, ClientError> {
        let (room, key) = read(link)?;
        let now = now()?;
        let record = self.store.read(|tx| tx.room(room.as_str()))?;
        if record.is_some_and(|record| !record.closed) && !self.rejoins.contains_key(&room) {
            // Who is in is in.
            return self.store.transaction("join again", |tx| {
                let local_id = tx.next_local_id()?;
                remember(
                    tx,
                    &room,
                    local_id,
                    Some(Decided {
                        at: now,
                        problem: None,
                    }),
                )?;
                outgoing(tx, local_id)?.ok_or(ClientError::NoMessage)
            });
        }
        let mut list: Listed = self.store.read(rejoin::listed)?;
        let under_way = self.store.read(joins)?.into_iter().rev();
        let mut under_way = under_way.filter(|join| join.decided.is_none() && join.room == room.as_str());
        if let (Some(join), true) = (under_way.next(), self.rejoins.contains_key(&room)) {
            // Asked twice; perhaps with a better link, which takes the place of the first.
            let asked = self.store.read(|tx| outgoing(tx, join.local_id))?;
            let same = self.rejoins.get(&room).and_then(Rejoin::link);
            if key.is_none() || same == key.as_ref().map(LinkKey::key_hash) {
                return asked.ok_or(ClientError::NoMessage);
            }
        } else if self.rejoins.contains_key(&room) {
            let why = "this device is coming into the room already";
            return Err(ClientError::Denied(why.to_owned()));
        } else if list.len() >= MOST {
            let why = format!("{MOST} rooms are being come into already");
            return Err(ClientError::Denied(why));
        }
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let rows = self.store.read(|tx| tx.rows(room.as_str()))?;
        let (rejoin, effects) =
            Conversation::come_in(cx, room.clone(), key, &rows, now, &mut random::stream()?)?;
        let abandoned = self.rejoins.remove(&room).map(|mut rejoin| rejoin.abandon());
        let asked = self.store.transaction("begin to join", |tx| {
            decide(tx, &room, now, Some("another link was tried instead".to_owned()))?;
            if let Some(abandoned) = abandoned {
                tx.apply(room.as_str(), &abandoned.changes)?;
            }
            tx.apply(room.as_str(), &effects.changes)?;
            list.retain(|(listed, _)| listed != room.as_str());
            list.push((room.to_string(), now));
            tx.put(Name::REJOINS, &list)?;
            let local_id = tx.next_local_id()?;
            remember(tx, &room, local_id, None)?;
            outgoing(tx, local_id)?.ok_or(ClientError::NoMessage)
        });
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => {
                // What was under way before goes on.
                self.reload_rejoin(&room);
                return Err(error);
            }
        };
        self.drop_engine(&room);
        self.rejoins.insert(room.clone(), rejoin);
        self.work(Work::Room(room));
        Ok(asked)
    }
}

fn joins(tx: &Tx<'_>) -> Result<Vec<Join>, StoreError> {
    Ok(tx.get(Name::JOINS)?.unwrap_or_default())
}

fn remember(
    tx: &mut Tx<'_>,
    room: &RoomUri,
    local_id: u64,
    decided: Option<Decided>,
) -> Result<(), StoreError> {
    let mut joins = joins(tx)?;
    let over = joins.iter().filter(|join| join.decided.is_some()).count();
    if over >= REMEMBERED
        && let Some(oldest) = joins.iter().position(|join| join.decided.is_some())
    {
        joins.remove(oldest);
    }
    joins.push(Join {
        room: room.to_string(),
        local_id,
        decided,
    });
    tx.put(Name::JOINS, &joins)?;
    tx.append_change(&Change::Asked { local_id })?;
    Ok(())
}

/// Whether the person is coming into a room that is not theirs yet.
pub(super) fn is_joining(tx: &Tx<'_>, room: &str) -> Result<bool, StoreError> {
    let joins = joins(tx)?;
    Ok(joins
        .iter()
        .any(|join| join.room == room && join.decided.is_none()))
}

/// The person is in a room they wanted to come into, or will not be, for a reason.
pub(super) fn decide(
    tx: &mut Tx<'_>,
    room: &RoomUri,
    at: u64,
    problem: Option<String>,
) -> Result<(), StoreError> {
    let mut joins = joins(tx)?;
    let mut told = Vec::new();
    for join in joins
        .iter_mut()
        .filter(|join| join.room == room.as_str() && join.decided.is_none())
    {
        join.decided = Some(Decided {
            at,
            problem: problem.clone(),
        });
        told.push(join.local_id);
    }
    if told.is_empty() {
        return Ok(());
    }
    tx.put(Name::JOINS, &joins)?;
    for local_id in told {
        tx.append_change(&Change::Asked { local_id })?;
    }
    Ok(())
}

/// What became of a way into a room.
pub(super) fn outgoing(tx: &Tx<'_>, local_id: u64) -> Result<Option<Outgoing>, StoreError> {
    let join = joins(tx)?.into_iter().find(|join| join.local_id == local_id);
    Ok(join.map(|join| {
        let (state, accepted_ms, problem) = match join.decided {
            None => (MessageState::Queued, None, None),
            Some(Decided { at, problem: None }) => (MessageState::Sent, Some(at), None),
            Some(Decided { problem, .. }) => (MessageState::Failed, None, problem),
        };
        Outgoing {
            local_id,
            state,
            room: Some(join.room),
            message_id: None,
            accepted_ms,
            problem,
        }
    }))
}

/// What a person is told whom a room did not let in.
pub(super) fn shut_out(reason: Option<String>) -> String {
    let why = "the room lets you in neither by this link nor without one: it does not exist, or the link is wrong, \
               over or used up, or you are banned";
    match reason {
        Some(reason) => format!("the room does not let you in: {reason}"),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_link_is_read_back_and_a_slip_is_none() {
        let key = LinkKey::from_seed(&[3; 32]).unwrap();
        let secret = BASE64URL_NOPAD.encode(key.seed());
        let text = format!("mimi://a.example/r/x#{secret}");
        let (room, read_back) = read(&format!("  {text}\n")).unwrap();
        assert_eq!(room.as_str(), "mimi://a.example/r/x");
        assert_eq!(read_back.unwrap().key_hash(), key.key_hash());
        assert!(read("mimi://a.example/r/x").unwrap().1.is_none());
        let short = text.get(..text.len() - 1).unwrap();
        let slips = [
            short,
            "mimi://a.example/r/x#",
            &format!("{text}A"),
            &text.replace("/r/", "/u/"),
            &format!("#{secret}"),
            "https://a.example/x",
            "",
        ];
        for slip in slips {
            assert!(matches!(read(slip), Err(ClientError::Link(_))), "{slip}");
        }
    }
}
