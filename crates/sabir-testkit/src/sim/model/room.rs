//! One room: its commits, the order of each epoch, and how far every client is.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::keys::sha256;
use sabir_wire::codec::{Decode as _, Encode as _, put_opaque};
use sabir_wire::mls::{MlsMessage, Sender};
use sabir_wire::protocol::{FanoutBody, FanoutMessage};
use sabir_wire::uri::UserUri;

use super::tree::{Membership, Proposals};
use super::{Check, Name};

/// The least role of a group that sends (docs/decisions/0003-groups.md).
const MEMBER: u32 = 3;

#[derive(Debug)]
pub(super) struct Room {
    is_group: bool,
    epochs: Vec<Epoch>,
    /// Members in each epoch, as far as the commits are known.
    members: Vec<Membership>,
    proposals: Proposals,
    places: BTreeMap<String, Place>,
    /// Clients that were in an epoch before the commit that led there was seen by anybody else.
    ahead: Vec<(String, Standing)>,
    texts: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Epoch {
    /// Names of entries in the order of the log.
    entries: Vec<Name>,
    /// What each of them shows.
    shown: BTreeMap<Name, Vec<Line>>,
    /// What the hub said it accepted.
    acknowledged: BTreeSet<Name>,
    /// The commit that ends the epoch.
    commit: Option<(Name, MlsMessage)>,
    transcript: Option<Vec<u8>>,
}

/// How far a client is.
#[derive(Debug, Clone, Copy)]
struct Place {
    epoch: u64,
    position: usize,
    /// It has come in by itself: what its stream still brings of earlier epochs is not for it.
    returned: bool,
}

/// One entry of a log, read.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Entry {
    name: Name,
    message: FanoutMessage,
}

/// An entry, and what it did to a client.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Applied {
    pub(in crate::sim) entry: Entry,
    /// The epoch it was welcomed to, where it was.
    pub(in crate::sim) joined: Option<u64>,
    /// What people see of it.
    pub(in crate::sim) lines: Vec<Line>,
}

/// What people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim) enum Line {
    Text { sender: UserUri, text: String },
    Unreadable(String),
}

/// A client's view of a room.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Standing {
    pub(in crate::sim) epoch: u64,
    pub(in crate::sim) transcript: Vec<u8>,
    pub(in crate::sim) people: Vec<(UserUri, u32)>,
}

impl Entry {
    pub(in crate::sim) fn read(bytes: &[u8]) -> Result<Self, String> {
        let message = FanoutMessage::from_bytes(bytes).map_err(|error| error.to_string())?;
        let name = sha256(&message.message().to_bytes());
        Ok(Self { name, message })
    }

    fn is_commit(&self) -> bool {
        matches!(self.message.body, FanoutBody::Commit { .. })
    }
}

impl Room {
    pub(super) fn new(client: &str, user: &UserUri, people: Vec<(UserUri, u32)>) -> Self {
        let place = Place {
            epoch: 0,
            position: 0,
            returned: false,
        };
        Self {
            is_group: people.len() == 1,
            epochs: Vec::new(),
            members: vec![Membership::founded(client, user, people)],
            proposals: Proposals::new(),
            places: BTreeMap::from([(client.to_owned(), place)]),
            ahead: Vec::new(),
            texts: BTreeSet::new(),
        }
    }

    fn epoch(&mut self, number: u64) -> &mut Epoch {
        let index = usize::try_from(number).unwrap();
        while self.epochs.len() <= index {
            self.epochs.push(Epoch::default());
        }
        self.epochs.get_mut(index).unwrap()
    }

    /// One epoch, one commit.
    pub(super) fn commit_accepted(&mut self, message: &MlsMessage) -> Check {
        let (name, number) = (sha256(&message.to_bytes()), message.epoch().unwrap_or_default());
        let epoch = self.epoch(number);
        match &epoch.commit {
            Some((taken, _)) if *taken != name => Err(format!("epoch {number} was ended by two commits")),
            Some(_) => Ok(()),
            None => {
                epoch.commit = Some((name, message.clone()));
                Ok(())
            }
        }
    }

    pub(super) fn acknowledged(&mut self, message: &MlsMessage) -> Check {
        let (name, number) = (sha256(&message.to_bytes()), message.epoch().unwrap_or_default());
        let epoch = self.epoch(number);
        epoch.acknowledged.insert(name);
        epoch.is_whole(number)
    }

    pub(super) fn applied(&mut self, client: &str, applied: &Applied, garbage: &BTreeSet<Name>) -> Check {
        let entry = &applied.entry;
        self.note_entry(entry);
        if entry.is_commit() {
            // Whether or not this client could make anything of it, and whether or not the hub lived to answer for it.
            self.commit_accepted(entry.message.message())?;
        }
        if let Some(epoch) = applied.joined {
            self.came_back(client, epoch);
            if let Some(place) = self.places.get_mut(client) {
                place.returned = false;
            }
            return Ok(());
        }
        let Some(place) = self.places.get(client).copied() else {
            return Ok(());
        };
        let message = entry.message.message();
        if let FanoutBody::Welcome { .. } = entry.message.body {
            return Ok(());
        }
        let number = message.epoch().unwrap_or_default();
        if number < place.epoch && place.returned {
            return Ok(());
        }
        if number != place.epoch {
            return Err(format!(
                "{client} is in epoch {} and got an entry of {number}",
                place.epoch
            ));
        }
        let is_commit = entry.is_commit();
        if is_commit && self.lets_go(client, number) {
            // Whoever leaves is cut off from then on and hears only this.
            self.places.remove(client);
            return Ok(());
        }
        let epoch = self.epoch(number);
        match epoch.entries.get(place.position) {
            Some(name) if *name == entry.name => {}
            Some(_) => {
                return Err(format!(
                    "{client} got another entry {} of epoch {number}",
                    place.position
                ));
            }
            None if epoch.entries.contains(&entry.name) => {
                return Err(format!("{client} applied an entry of epoch {number} twice"));
            }
            None => epoch.entries.push(entry.name),
        }
        if garbage.contains(&entry.name) {
            if applied.lines.iter().any(|line| matches!(line, Line::Text { .. })) {
                return Err(format!("{client} reads what nobody can open"));
            }
            self.places.insert(
                client.to_owned(),
                Place {
                    position: place.position + 1,
                    ..place
                },
            );
            return Ok(());
        }
        let shown = epoch
            .shown
            .entry(entry.name)
            .or_insert_with(|| applied.lines.clone());
        if *shown != applied.lines {
            return Err(format!("{client} shows {:?}, others {shown:?}", applied.lines));
        }
        epoch.is_whole(number)?;
        for line in &applied.lines {
            match line {
                Line::Text { text, .. } => {
                    self.texts.insert(text.clone());
                }
                Line::Unreadable(reason) => return Err(format!("{client} cannot read an entry: {reason}")),
            }
        }
        let next = if is_commit {
            Place {
                epoch: number + 1,
                position: 0,
                returned: false,
            }
        } else {
            Place {
                position: place.position + 1,
                ..place
            }
        };
        self.places.insert(client.to_owned(), next);
        Ok(())
    }

    pub(super) fn came_back(&mut self, client: &str, epoch: u64) {
        let place = Place {
            epoch,
            position: 0,
            returned: true,
        };
        self.places.insert(client.to_owned(), place);
    }

    pub(super) fn rob(&mut self, client: &str, entry: &MlsMessage) -> bool {
        let number = entry.epoch().unwrap_or_default();
        let is_members = match entry {
            MlsMessage::Public(public) => matches!(public.sender(), Sender::Member { .. }),
            _ => false,
        };
        // Of an epoch that it is out of already it would miss nothing.
        let follows = self.places.get(client).is_some_and(|place| place.epoch == number);
        is_members && follows && self.places.remove(client).is_some()
    }

    pub(super) fn made(&mut self, client: &str, entry: &MlsMessage) -> bool {
        let MlsMessage::Public(public) = entry else {
            return false;
        };
        let Sender::Member { leaf_index } = public.sender() else {
            return false;
        };
        let members = self.members(public.content.epoch);
        members.is_some_and(|members| members.at(leaf_index) == Some(client))
    }

    /// A client cannot follow the log any more, until it comes back.
    pub(super) fn lost(&mut self, client: &str) {
        self.places.remove(client);
    }

    pub(super) fn is_out(&mut self, client: &str) {
        self.places.remove(client);
    }

    /// Everybody who is in an epoch agrees on how it came about and on who is there.
    pub(super) fn stands(&mut self, client: &str, standing: &Standing) -> Check {
        let Some(place) = self.places.get(client) else {
            return Ok(());
        };
        let number = standing.epoch;
        if place.epoch != number {
            return Err(format!(
                "{client} stands in epoch {number}, its log leads to {}",
                place.epoch
            ));
        }
        let epoch = self.epoch(number);
        let transcript = epoch
            .transcript
            .get_or_insert_with(|| standing.transcript.clone());
        if *transcript != standing.transcript {
            return Err(format!("{client} has another transcript of epoch {number}"));
        }
        self.compare(client, standing)?;
        for (client, standing) in std::mem::take(&mut self.ahead) {
            self.compare(&client, &standing)?;
        }
        Ok(())
    }

    /// A client's view against what the commits make of the room.
    fn compare(&mut self, client: &str, standing: &Standing) -> Check {
        let number = standing.epoch;
        let Some(members) = self.members(number) else {
            self.ahead.push((client.to_owned(), standing.clone()));
            return Ok(());
        };
        if members.people != standing.people {
            return Err(format!(
                "{client} lists {:?} in epoch {number}, the commits make it {:?}",
                standing.people, members.people
            ));
        }
        if !members.clients().any(|there| there == client) {
            return Err(format!("{client} stands in epoch {number}, where it has no leaf"));
        }
        Ok(())
    }

    fn members(&mut self, epoch: u64) -> Option<&Membership> {
        let index = usize::try_from(epoch).unwrap();
        while self.members.len() <= index {
            let (_, commit) = self.epochs.get(self.members.len() - 1)?.commit.as_ref()?;
            let next = self.members.last()?.after(commit, &self.proposals)?;
            self.members.push(next);
        }
        self.members.get(index)
    }

    /// Whether the commit that ends an epoch takes a client out that left.
    fn lets_go(&mut self, client: &str, number: u64) -> bool {
        let commit = self.epoch(number).commit.as_ref();
        let refers = commit.is_some_and(|(_, message)| match message {
            MlsMessage::Public(public) => public
                .commit()
                .is_some_and(|commit| commit.proposals_by_reference().next().is_some()),
            _ => false,
        });
        refers
            && self
                .members(number + 1)
                .is_none_or(|members| !members.clients().any(|there| there == client))
    }

    fn note_entry(&mut self, entry: &Entry) {
        let messages = match &entry.message.body {
            FanoutBody::Proposal {
                message,
                more_proposals,
            } => std::iter::once(message.as_ref()).chain(more_proposals).collect(),
            FanoutBody::Commit {
                external_proposals, ..
            } => external_proposals.iter().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        self.note_proposals(messages.into_iter());
    }

    pub(super) fn note_proposals<'a>(&mut self, messages: impl Iterator<Item = &'a MlsMessage>) {
        for message in messages {
            if let MlsMessage::Public(public) = message
                && let Some(proposal) = public.proposal()
            {
                let reference = proposal_reference(&public.authenticated_content());
                self.proposals
                    .insert(reference, (public.sender(), proposal.clone()));
            }
        }
    }

    pub(super) fn at_rest(&self) -> Check {
        if let Some((client, standing)) = self.ahead.first() {
            return Err(format!(
                "nobody saw how {client} came into epoch {}",
                standing.epoch
            ));
        }
        let last = self.epochs.iter().filter(|epoch| epoch.commit.is_some()).count();
        for (number, epoch) in self.epochs.iter().enumerate() {
            if epoch.commit.is_some() != (number < last) {
                return Err(format!("epoch {number} was not ended, a later one was"));
            }
            if let Some(name) = epoch
                .acknowledged
                .iter()
                .find(|name| !epoch.entries.contains(*name))
            {
                return Err(format!(
                    "{name:02x?} of epoch {number} was acknowledged and is missing"
                ));
            }
        }
        let entries = self.epochs.get(last).map_or(0, |epoch| epoch.entries.len());
        let clients = self.clients();
        for (client, place) in &self.places {
            // Who left, or was removed, hears nothing any more.
            if !clients.contains(client) {
                continue;
            }
            if (usize::try_from(place.epoch).unwrap(), place.position) != (last, entries) {
                return Err(format!(
                    "{client} came to rest at {}/{}, the room at {last}/{entries}",
                    place.epoch, place.position
                ));
            }
        }
        for client in clients {
            if !self.places.contains_key(&client) {
                return Err(format!("{client} was added and never came in"));
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    /// Whether somebody has a client that is in the room and knows it.
    pub(super) fn can_send(&self, user: &UserUri) -> bool {
        self.members.last().is_some_and(|members| {
            let mut people = members.people.iter();
            people.any(|(there, role)| there == user && (!self.is_group || *role >= MEMBER))
        })
    }

    /// Whether a client is in the room and knows it.
    pub(super) fn holds(&self, client: &str) -> bool {
        self.places.contains_key(client) && self.clients().iter().any(|there| there == client)
    }

    pub(super) fn entries(&self) -> usize {
        self.epochs.iter().map(|epoch| epoch.entries.len()).sum()
    }

    /// The clients in the last known epoch.
    pub(super) fn clients(&self) -> Vec<String> {
        let members = self.members.last();
        members.map_or_else(Vec::new, |members| members.clients().map(str::to_owned).collect())
    }
}

impl Epoch {
    /// What was acknowledged in an epoch comes before the commit that ends it.
    fn is_whole(&self, number: u64) -> Check {
        let Some((commit, _)) = &self.commit else {
            return Ok(());
        };
        if self.entries.last() != Some(commit) {
            return Ok(());
        }
        match self
            .acknowledged
            .iter()
            .find(|name| !self.entries.contains(*name))
        {
            None => Ok(()),
            Some(name) => Err(format!(
                "{name:02x?} was acknowledged in epoch {number}, which ended without it"
            )),
        }
    }
}

/// `MakeProposalRef` (RFC 9420 §5.2).
fn proposal_reference(content: &[u8]) -> Vec<u8> {
    let mut input = Vec::new();
    put_opaque(&mut input, b"MLS 1.0 Proposal Reference");
    put_opaque(&mut input, content);
    sha256(&input).to_vec()
}
