//! Groups: made, changed and looked at.

use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationError, Intent, NewGroupRoom, WaitsFor,
};
use sabir_core::room::{RoomState, Template};
use sabir_mls::{Device, suite};
use sabir_wire::mls::CipherSuite;
use sabir_wire::uri::{RoomUri, UserUri};

use super::apply::{absorb, engine_id, local_id, new_record};
use super::keeper::{Keeper, Step, Work};
use super::{Client, ClientError, changes, links, permission, powers, rules, view};
use crate::account::now;
use crate::random;
use crate::store::{Change, RoomRecord, Tx};
use crate::types::{
    Asked, AwaitedStep, LinkWish, MEMBER_ROLE, NewRoom, Outgoing, Person, RoomDetails, RoomKind, Rules, Wish,
};

/// People named in one request.
pub const MOST_WISHES: usize = 256;

/// Whom a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A person.
    Person(UserUri),
    /// A room this profile is or was in, or one by its identifier.
    Room(RoomUri),
}

impl Client {
    /// Makes a group with these people, by address. On return it is on disk; the room and each person are waited for
    /// by [`Self::outgoing`].
    ///
    /// # Errors
    /// [`ClientError`]; nothing was written then.
    pub async fn create_group(
        &self,
        name: &str,
        template: Template,
        people: Vec<String>,
    ) -> Result<NewRoom, ClientError> {
        let name = name.to_owned();
        let keep = &self.0.keep;
        keep.run(move |keeper| {
            let post_quantum = keeper.settings()?.post_quantum;
            keeper.create_group(name, template, post_quantum, &people)
        })
        .await?
    }

    /// As [`Self::create_group`], with the cipher suite said, whatever the settings say.
    ///
    /// # Errors
    /// [`ClientError`]; nothing was written then.
    pub async fn create_group_in(
        &self,
        name: &str,
        template: Template,
        post_quantum: bool,
        people: Vec<String>,
    ) -> Result<NewRoom, ClientError> {
        let name = name.to_owned();
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.create_group(name, template, post_quantum, &people))
            .await?
    }

    /// Asks for changes of a group, in this order. On return they are on disk; each is waited for by
    /// [`Self::outgoing`]. What this person's role does not allow is refused, and nothing is written.
    ///
    /// # Errors
    /// [`ClientError::Denied`], [`ClientError::Role`], [`ClientError::NotAGroup`], and the others.
    pub async fn change_room(&self, of: &str, wishes: Vec<Wish>) -> Result<Vec<Outgoing>, ClientError> {
        let of = of.to_owned();
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.change_room(&of, &wishes)).await?
    }

    /// Everything about a room. `of` is as for [`Self::room`].
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn room_details(&self, of: &str) -> Result<RoomDetails, ClientError> {
        let of = of.to_owned();
        self.0.keep.run(move |keeper| keeper.room_details(&of)).await?
    }
}

impl Keeper {
    /// Whom a text names: a person by address or identifier, a room by identifier or by its name.
    pub(super) fn named(&mut self, text: &str) -> Result<Named, ClientError> {
        if let Ok(room) = RoomUri::parse(text) {
            return Ok(Named::Room(room));
        }
        let slip = match UserUri::from_address(text) {
            Ok(person) => return Ok(Named::Person(person)),
            Err(slip) => slip,
        };
        let mut rooms: Vec<RoomRecord> = self.store.read(|tx| tx.rooms())?;
        rooms.retain(|room| room.kind == RoomKind::Group && room.name == text && !text.is_empty());
        // A room that was left does not stand in the way of another of its name.
        if rooms.iter().any(|room| !room.closed) {
            rooms.retain(|room| !room.closed);
        }
        match rooms.as_slice() {
            [] if text.is_empty() || text.contains('@') || text.starts_with("mimi:") => Err(slip.into()),
            [] => Err(ClientError::NoRoom),
            [room] => Ok(Named::Room(RoomUri::parse(&room.room)?)),
            several => {
                let rooms: Vec<&str> = several.iter().map(|room| room.room.as_str()).collect();
                Err(ClientError::Ambiguous(rooms.join(", ")))
            }
        }
    }

    fn create_group(
        &mut self,
        name: String,
        template: Template,
        post_quantum: bool,
        people: &[String],
    ) -> Result<NewRoom, ClientError> {
        check_count(people.len())?;
        let mut members: Vec<UserUri> = Vec::with_capacity(people.len());
        for person in people {
            let person = self.person(person)?;
            if person == self.me {
                return Err(ClientError::Yourself);
            }
            if !members.contains(&person) {
                members.push(person);
            }
        }
        let (room, now, mut rng) = (self.new_room()?, now()?, random::stream()?);
        let new = NewGroupRoom {
            room: room.clone(),
            name,
            template,
            hub: self.franking_agent(),
        };
        let device = self.founder(post_quantum);
        let cx = ConversationContext {
            device: &device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let (mut engine, effects) = Conversation::create_group(cx, new, now, &mut rng)?;
        let role = role_index(engine.state(), MEMBER_ROLE)?;
        let (made, last) = self.store.transaction("make group", |tx| {
            let making = tx.next_local_id()?;
            let mut record = new_record(&engine, cx.me, now);
            record.making = Some(making);
            tx.put_room(&record)?;
            tx.append_change(&Change::RoomAdded {
                room: room.to_string(),
            })?;
            absorb(tx, cx.me, &engine, effects)?;
            changes::ask(tx, room.as_str(), cx.me, making, now)?;
            let mut step = Step {
                tx,
                engine: &mut engine,
                cx,
                rng: &mut rng,
                now,
                is_ready: false,
            };
            let mut local_ids = vec![making];
            for user in members {
                local_ids.push(intend(&mut step, Intent::Add { user, role })?);
            }
            let made = NewRoom {
                room: view::room_of(tx, room.as_str())?,
                asked: outgoing(tx, &local_ids)?,
            };
            Ok::<_, ClientError>((made, tx.last_change()?))
        })?;
        self.keep_engine(engine);
        self.published(last);
        self.work(Work::Room(room));
        Ok(made)
    }

    fn change_room(&mut self, of: &str, wishes: &[Wish]) -> Result<Vec<Outgoing>, ClientError> {
        check_count(wishes.len())?;
        let room = self.resolve(of)?;
        self.check_group(&room)?;
        let wishes = wishes.iter().map(|wish| self.read(wish));
        let wishes = wishes.collect::<Result<Vec<_>, _>>()?;
        let asked = self.step(&room, "change room", |step| {
            let mut local_ids = Vec::with_capacity(wishes.len());
            for wish in wishes {
                let intent = wish.intent(step)?;
                local_ids.push(intend(step, intent)?);
            }
            outgoing(step.tx, &local_ids)
        })?;
        self.work(Work::Room(room));
        Ok(asked)
    }

    /// The room is known here, and is a group.
    pub(super) fn check_group(&mut self, room: &RoomUri) -> Result<(), ClientError> {
        let record = self.store.read(|tx| tx.room(room.as_str()))?;
        match record.ok_or(ClientError::NoRoom)?.kind {
            RoomKind::Direct => Err(ClientError::NotAGroup),
            RoomKind::Group => Ok(()),
        }
    }

    fn room_details(&mut self, of: &str) -> Result<RoomDetails, ClientError> {
        let uri = self.resolve(of)?;
        self.step(&uri, "look at room", |step| {
            let room = view::room_of(step.tx, uri.as_str())?;
            let state = step.engine.state();
            let devices = step.engine.devices();
            let (doubted, me, now) = (step.engine.unverified(), step.cx.me, step.now);
            let departed: Vec<&UserUri> = step.engine.departed().collect();
            let awaited: Vec<(&UserUri, &str)> =
                step.engine.awaited().map(|(user, why, _)| (user, why)).collect();
            let people = state.participants.participants.iter().map(|entry| {
                let user = &entry.user;
                let own = devices.iter().filter(|(_, person)| person == user);
                let waits = awaited.iter().find(|(awaited, _)| *awaited == user);
                Person {
                    address: user.to_address(),
                    role: role_name(state, entry.role_index),
                    own: user == me,
                    devices: own.map(|(client, _)| client.to_string()).collect(),
                    verified: !doubted.contains(user),
                    left: departed.contains(&user),
                    waits: waits.map(|(_, why)| (*why).to_owned()),
                }
            });
            let people = if room.in_room {
                people.collect()
            } else {
                Vec::new()
            };
            let asked = step.engine.intents().into_iter().map(|waiting| Asked {
                local_id: local_id(waiting.local_id).unwrap_or_default(),
                wish: wish_of(state, waiting.intent, now),
                waits_for: match waiting.waits_for {
                    WaitsFor::Turn => AwaitedStep::Turn,
                    WaitsFor::KeyPackages => AwaitedStep::KeyPackages,
                    WaitsFor::Hub => AwaitedStep::Hub,
                },
            });
            Ok(RoomDetails {
                people,
                roles: permission::roles(state)
                    .map(|role| role.role_name.clone())
                    .collect(),
                powers: powers::of(state),
                rules: rules::sentences(state),
                asked: asked.collect(),
                epoch: step.engine.epoch(),
                suite: CipherSuite(step.engine.suite()).to_string(),
                post_quantum: step.engine.suite() == suite::HYBRID,
                room,
            })
        })
    }

    /// This device as the founder of a room with this kind of cipher suite.
    pub(super) fn founder(&self, post_quantum: bool) -> Device {
        let suite = if post_quantum {
            suite::HYBRID
        } else {
            suite::DEFAULT
        };
        Device {
            suite,
            ..self.device.clone()
        }
    }

    fn person(&self, text: &str) -> Result<UserUri, ClientError> {
        Ok(UserUri::parse(text).or_else(|_| UserUri::from_address(text))?)
    }

    fn read(&self, wish: &Wish) -> Result<Read, ClientError> {
        let who = |person: &String| self.person(person);
        Ok(match wish {
            Wish::Add { person, role } => Read::WithRole(who(person)?, role.clone(), |user, role| {
                Intent::Add { user, role }
            }),
            Wish::Unban { person, role } => Read::WithRole(who(person)?, role.clone(), |user, role| {
                Intent::Unban { user, role }
            }),
            Wish::Role { person, role } => Read::WithRole(who(person)?, role.clone(), |user, role| {
                Intent::SetRole { user, role }
            }),
            Wish::Remove { person } => Read::Whole(Intent::Remove { user: who(person)? }),
            Wish::Ban { person } => Read::Whole(Intent::Ban { user: who(person)? }),
            Wish::Rename { name } => Read::Whole(Intent::Rename { name: name.clone() }),
            Wish::Rules { rules } => Read::Rules(rules.clone()),
            Wish::Link { link } => Read::Link(link.clone()),
            Wish::Unlink { links } => Read::Unlink(links.clone()),
            Wish::Leave => Read::Whole(Intent::Leave),
        })
    }
}

/// A wish whose addresses were read; its role is the room's to tell.
enum Read {
    Whole(Intent),
    Rules(Rules),
    Link(LinkWish),
    Unlink(Vec<String>),
    WithRole(UserUri, String, fn(UserUri, u32) -> Intent),
}

impl Read {
    fn intent(self, step: &mut Step<'_, '_>) -> Result<Intent, ClientError> {
        let state = step.engine.state();
        match self {
            Self::Link(wish) => Ok(links::make(step, &wish)?.0),
            Self::Unlink(names) => links::withdrawal(state, &names),
            Self::Whole(intent) => Ok(intent),
            Self::Rules(wanted) => Ok(Intent::SetPolicy {
                policies: rules::wanted(state, &wanted)?,
            }),
            Self::WithRole(user, role, make) => Ok(make(user, role_index(state, &role)?)),
        }
    }
}

fn check_count(count: usize) -> Result<(), ClientError> {
    if count > MOST_WISHES {
        return Err(ClientError::TooMany);
    }
    Ok(())
}

/// Writes an intent down; says its local id.
pub(super) fn intend(step: &mut Step<'_, '_>, intent: Intent) -> Result<u64, ClientError> {
    let id = step.tx.next_local_id()?;
    let why = permission::lacking(step.engine.state(), step.cx.me, &intent);
    let effects = match step.engine.intend(step.cx, engine_id(id), intent) {
        // The room's own words say less than what its roles tell.
        Err(ConversationError::NotAllowed(reason)) => {
            return Err(ClientError::Denied(why.unwrap_or(reason)));
        }
        effects => effects?,
    };
    step.absorb(effects)?;
    changes::ask(step.tx, step.engine.room().as_str(), step.cx.me, id, step.now)?;
    Ok(id)
}

fn outgoing(tx: &Tx<'_>, local_ids: &[u64]) -> Result<Vec<Outgoing>, ClientError> {
    let mut all = Vec::with_capacity(local_ids.len());
    for id in local_ids {
        all.push(view::outgoing_of(tx, *id)?.ok_or(ClientError::NoMessage)?);
    }
    Ok(all)
}

pub(super) fn role_index(state: &RoomState, name: &str) -> Result<u32, ClientError> {
    let role = permission::roles(state).find(|role| role.role_name == name);
    role.map(|role| role.role_index).ok_or_else(|| {
        let names: Vec<&str> = permission::roles(state)
            .map(|role| role.role_name.as_str())
            .collect();
        ClientError::Role(names.join(", "))
    })
}

pub(super) fn role_name(state: &RoomState, index: u32) -> String {
    let name = state.role_name(index);
    name.map_or_else(|| format!("role {index}"), str::to_owned)
}

fn wish_of(state: &RoomState, intent: Intent, now: u64) -> Wish {
    let person = |user: &UserUri| user.to_address();
    let named = |role: u32| role_name(state, role);
    match intent {
        Intent::Add { user, role } => Wish::Add {
            person: person(&user),
            role: named(role),
        },
        Intent::Remove { user } => Wish::Remove {
            person: person(&user),
        },
        Intent::Ban { user } => Wish::Ban {
            person: person(&user),
        },
        Intent::Unban { user, role } => Wish::Unban {
            person: person(&user),
            role: named(role),
        },
        Intent::SetRole { user, role } => Wish::Role {
            person: person(&user),
            role: named(role),
        },
        Intent::Rename { name } => Wish::Rename { name },
        Intent::SetPolicy { policies } => Wish::Rules {
            rules: rules::told(policies),
        },
        Intent::ChangeLinks {
            added: Some(link), ..
        } => Wish::Link {
            link: LinkWish {
                role: named(link.role),
                lasts_s: link.not_after.saturating_sub(now) / 1_000,
                uses: link.uses,
            },
        },
        Intent::ChangeLinks { added: None, removed } => Wish::Unlink {
            links: removed.iter().map(links::name).collect(),
        },
        Intent::Leave => Wish::Leave,
    }
}
