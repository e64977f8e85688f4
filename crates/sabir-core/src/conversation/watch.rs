//! What a client holds against its hub. A commit of the log is merged whatever it says, since a room must not
//! fork on what one client knows; but one that the hub should have refused stops this client from sending, and
//! leaves that came in without proof are remembered, until a person says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::group::PendingProposal;
use sabir_mls::identity::{ClientCredential, CredentialError, VerifiedClient};
use sabir_mls::{Author, CommitFacts, LeafFact, MlsError};
use sabir_wire::codec::Decode;
use sabir_wire::components::ParticipantListData;
use sabir_wire::mls::ComponentId;
use sabir_wire::uri::{Domain, UserUri};

use super::event::{Alarm, ConversationEvent};
use super::join::judge;
use super::record::{Doubt, Known, LetIn};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::hub::device_lists::{self, Listed, Newest};
use crate::room::RoomKind;
use crate::room::policy::{self, LeafClient, Refusal};

/// Leaves that came in and have not been heard of: so many are remembered, the last, and for so long.
const MOST_LET_IN: usize = 32;
const LET_IN: Millis = 24 * 3_600_000;

/// What is wrong with a commit.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) alarms: Vec<Alarm>,
    /// Leaves without proof, by signature key.
    doubted: BTreeMap<Vec<u8>, Doubt>,
    proved: Vec<(Vec<u8>, UserUri, Known)>,
    /// Whether something is proved to be wrong, and not only unproved.
    is_defect: bool,
}

impl Conversation {
    /// Why nothing goes out here, where something came up that a person has to decide. Messages can be written
    /// meanwhile; they wait.
    #[must_use]
    pub fn sending_stopped(&self) -> Option<&str> {
        self.record.stopped.as_deref()
    }

    /// People of whom a client is in the group whose identity is not proved.
    #[must_use]
    pub fn unverified(&self) -> Vec<UserUri> {
        let doubted = self.record.doubted.values();
        let mut people: Vec<UserUri> = doubted.filter_map(|doubt| doubt.user.clone()).collect();
        people.sort();
        people.dedup();
        people
    }

    /// Providers without whose authority people of theirs in the group cannot be proved
    /// ([`Conversation::reconsider`]).
    #[must_use]
    pub fn missed_authorities(&self) -> BTreeSet<Domain> {
        let missed = self.record.doubted.values().filter(|doubt| doubt.missed);
        missed
            .filter_map(|doubt| Some(doubt.user.as_ref()?.authority().clone()))
            .collect()
    }

    /// A person knows what was wrong and wants messages to go out again. Identities that hold by themselves are
    /// taken as those people's from now on; others stay unverified.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn resume_sending(&mut self, cx: ConversationContext<'_>) -> Result<Effects, ConversationError> {
        if self.record.stopped.take().is_none() {
            return Ok(Effects::default());
        }
        if self.group.has_proposals() && self.state.kind() == RoomKind::Direct {
            // Whatever came there was forbidden.
            self.group.drop_proposals()?;
        }
        for (_, leaf) in self.group.judge_members(&judge(cx)) {
            let Ok(client) = leaf.verified() else { continue };
            let listed = self.state.participant(client.user()).is_some();
            if listed && self.record.doubted.remove(&leaf.signature_key).is_some() {
                let known = self.record.people.entry(client.user().clone());
                let known = known.or_insert_with(|| known_by(client, Listed::default()));
                known.identity_key = *client.identity_key();
            }
        }
        // Where it is ready now, that is told.
        Ok(self.finish(Effects::default()))
    }

    /// Looks again at the people who could not be proved without an authority that is pinned now. Who holds by it is
    /// proved from now on, and what they write is marked so; who does not is told of, and sending stops once more. A
    /// stop there was goes on until a person has it end.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn reconsider(&mut self, cx: ConversationContext<'_>) -> Result<Effects, ConversationError> {
        let mut effects = Effects::default();
        if self.missed_authorities().is_empty() {
            return Ok(effects);
        }
        let leaves = self.group.judge_members(&judge(cx));
        let beside = device_lists::newest_of(leaves.iter().map(|(_, leaf)| leaf));
        for (_, leaf) in &leaves {
            let doubt = self.record.doubted.get(&leaf.signature_key);
            if !doubt.is_some_and(|doubt| doubt.missed) {
                continue;
            }
            // One after the other: the first of a person's devices decides which identity key is theirs. As with all
            // who are in the tree, an older list does where the newest names the device too.
            let mut verdict = Verdict::default();
            let known = (&self.state.participants, &BTreeMap::new(), &beside);
            match self.judge_leaf(leaf, known, &mut verdict) {
                Ok(()) => effects.events.extend(self.heed(verdict)),
                Err(ConversationError::UnknownProvider(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.finish(effects))
    }

    /// Judges a commit before it is merged.
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a participant's CA must be pinned first.
    pub(super) fn judge_commit(&self, facts: &CommitFacts) -> Result<Verdict, ConversationError> {
        let seen = self.seen_lists();
        let beside = policy::newest(facts);
        let mut verdict = Verdict::default();
        let next = facts
            .dictionary
            .iter()
            .find(|(component, _)| *component == ComponentId::PARTICIPANT_LIST.0)
            .and_then(|(_, list)| ParticipantListData::from_bytes(list).ok());
        let list = next.as_ref().unwrap_or(&self.state.participants);
        for leaf in facts.leaves() {
            self.judge_leaf(leaf, (list, &seen, &beside), &mut verdict)?;
        }
        if verdict.is_defect {
            return Ok(verdict);
        }
        let leaves = self.leaf_clients();
        let reason = match policy::check_commit(self.view(&leaves, &seen), facts) {
            Ok(_) => return Ok(verdict),
            Err(Refusal::Leaf(MlsError::UnknownProvider(domain))) => {
                return Err(ConversationError::UnknownProvider(domain));
            }
            Err(refusal) => refusal.to_string(),
        };
        verdict.alarms.push(Alarm::Forbidden { reason });
        Ok(verdict)
    }

    /// Judges all proposals that wait, as the next commit will hold them. Says who departs by them, or what is
    /// forbidden.
    pub(super) fn judge_proposals(&self) -> Result<BTreeSet<UserUri>, String> {
        // This client's own lie in the group before the hub has taken them, which it does not where another client of
        // this person was first.
        let own = self.unaccepted();
        let waiting = self.group.proposals();
        let proposals: Vec<PendingProposal> = waiting
            .filter(|proposal| !own.contains(&proposal.reference))
            .collect();
        let leaves = self.leaf_clients();
        let seen = self.seen_lists();
        policy::check_proposals(self.view(&leaves, &seen), &proposals)
            .map(|departures| departures.departed)
            .map_err(|refusal| refusal.to_string())
    }

    /// Judges the members of a group this client was welcomed to.
    pub(super) fn judge_group(&self, leaves: &[LeafFact]) -> Result<Verdict, ConversationError> {
        let beside = device_lists::newest_of(leaves);
        let mut verdict = Verdict::default();
        let mut keys = BTreeMap::new();
        for leaf in leaves {
            // A leaf that is in the tree may be on an older list, so long as the newest names it too.
            let known = (&self.state.participants, &BTreeMap::new(), &beside);
            self.judge_leaf(leaf, known, &mut verdict)?;
            if let Ok(client) = &leaf.client {
                let (user, key) = (client.user(), client.identity_key());
                if keys.entry(user.clone()).or_insert(*key) != key {
                    let reason = "a person is in the room under two identity keys".to_owned();
                    verdict
                        .proved
                        .retain(|(proved, ..)| *proved != leaf.signature_key);
                    let doubt = Doubt {
                        user: Some(user.clone()),
                        missed: false,
                    };
                    verdict.doubted.insert(leaf.signature_key.clone(), doubt);
                    verdict.is_defect = true;
                    verdict.alarms.push(Alarm::Unverified { reason });
                }
            }
        }
        Ok(verdict)
    }

    /// Takes a verdict on what is merged now: remembers, stops where it must, and gives the alarms.
    pub(super) fn heed(&mut self, verdict: Verdict) -> Vec<ConversationEvent> {
        for (key, user, known) in verdict.proved {
            self.record.doubted.remove(&key);
            let entry = self.record.people.entry(user).or_insert_with(|| known.clone());
            entry.listed.raise(&known.listed);
        }
        self.record.doubted.extend(verdict.doubted);
        let mut events = Vec::new();
        for alarm in verdict.alarms {
            if let Alarm::Unverified { reason } | Alarm::Forbidden { reason } = &alarm {
                self.record.stop(reason);
            }
            events.push(ConversationEvent::Alarm(alarm));
        }
        events
    }

    /// Remembers who is in the group, after a commit of this client that added them.
    pub(super) fn remember_members(&mut self, cx: ConversationContext<'_>) -> Result<(), ConversationError> {
        let leaves: Vec<LeafFact> = self
            .group
            .judge_members(&judge(cx))
            .into_iter()
            .map(|(_, leaf)| leaf)
            .collect();
        let mut verdict = self.judge_group(&leaves)?;
        // These were judged when they came in, or when this client chose to add them.
        verdict.alarms.clear();
        verdict.doubted.clear();
        self.heed(verdict);
        Ok(())
    }

    /// Forgets doubts about leaves that are gone.
    pub(super) fn forget_gone(&mut self) {
        if !self.record.doubted.is_empty() || !self.record.let_in.is_empty() {
            let members = self.group.members();
            let keys: BTreeSet<Vec<u8>> = members.map(|member| member.signature_key).collect();
            self.record.doubted.retain(|key, _| keys.contains(key));
            self.record.let_in.retain(|it| keys.contains(&it.key));
        }
    }

    /// Looks at who comes in by a commit: says who let in a client that now comes by itself, with no other member's
    /// commit in between that could be the reason. No hub can check what is in a Welcome.
    pub(super) fn let_in_by(
        &mut self,
        facts: &CommitFacts,
        accepted: Millis,
        committer: Option<&UserUri>,
    ) -> Option<Alarm> {
        if facts.committer == Author::NewMember {
            let key = &facts.path_leaf.as_ref()?.signature_key;
            let known = self.record.let_in.iter().position(|it| it.key == *key)?;
            let LetIn { by, at, .. } = self.record.let_in.remove(known);
            let of = committer?.clone();
            return (accepted.saturating_sub(at) <= LET_IN).then_some(Alarm::BadWelcome { by, of });
        }
        // Whoever finds no way after this one may have lost it by this one.
        self.record.let_in.clear();
        for add in &facts.adds {
            self.record.let_in.push(LetIn {
                key: add.leaf.signature_key.clone(),
                by: committer?.clone(),
                at: accepted,
            });
        }
        let excess = self.record.let_in.len().saturating_sub(MOST_LET_IN);
        self.record.let_in.drain(..excess);
        None
    }

    /// A client found its way in: it has said something.
    pub(super) fn heard_of(&mut self, leaf: u32) {
        if self.record.let_in.is_empty() {
            return;
        }
        let member = self.group.members().find(|member| member.leaf == leaf);
        if let Some(member) = member {
            self.record.let_in.retain(|it| it.key != member.signature_key);
        }
    }

    /// Whether the identity of the client at a leaf was proved when it came in.
    pub(super) fn is_proved(&self, leaf: u32) -> bool {
        self.record.doubted.is_empty()
            || self
                .group
                .members()
                .find(|member| member.leaf == leaf)
                .is_some_and(|member| !self.record.doubted.contains_key(&member.signature_key))
    }

    /// The highest versions of device lists seen.
    pub(super) fn seen_lists(&self) -> BTreeMap<UserUri, Listed> {
        let people = self.record.people.iter();
        people
            .map(|(user, known)| (user.clone(), known.listed.clone()))
            .collect()
    }

    /// Why a client is not who it must be, as far as this client knows its person.
    pub(super) fn known_otherwise(&self, client: &VerifiedClient) -> Option<&'static str> {
        let known = self.record.people.get(client.user())?;
        (known.identity_key != *client.identity_key())
            .then_some("a person's identity key is another than before")
    }

    fn judge_leaf(
        &self,
        leaf: &LeafFact,
        known: (&ParticipantListData, &BTreeMap<UserUri, Listed>, &Newest),
        verdict: &mut Verdict,
    ) -> Result<(), ConversationError> {
        let user = leaf.claims.as_ref().map(|(_, user)| user.clone());
        let refusal = match self.leaf_version(leaf, known) {
            Ok((client, listed)) => {
                let known = known_by(client, listed);
                verdict
                    .proved
                    .push((leaf.signature_key.clone(), client.user().clone(), known));
                return Ok(());
            }
            Err(Refusal::Leaf(MlsError::UnknownProvider(domain))) => {
                return Err(ConversationError::UnknownProvider(domain));
            }
            Err(refusal) => refusal,
        };
        let doubt = Doubt {
            missed: matches!(
                refusal,
                Refusal::Leaf(MlsError::Credential(CredentialError::NoAuthority))
            ),
            user,
        };
        verdict.is_defect |= !doubt.missed;
        // What was told once, and is as it was, stops nobody again.
        let is_told = doubt.missed && self.record.doubted.get(&leaf.signature_key) == Some(&doubt);
        if !is_told {
            let reason = match &doubt.user {
                Some(user) => format!("{}: {refusal}", user.to_address()),
                None => refusal.to_string(),
            };
            verdict.alarms.push(Alarm::Unverified { reason });
        }
        verdict.doubted.insert(leaf.signature_key.clone(), doubt);
        Ok(())
    }

    fn leaf_version<'a>(
        &self,
        leaf: &'a LeafFact,
        (list, seen, beside): (&ParticipantListData, &BTreeMap<UserUri, Listed>, &Newest),
    ) -> Result<(&'a VerifiedClient, Listed), Refusal> {
        // Strangers first: nobody is asked for the authority of a person who has no place here.
        let listed = leaf
            .claims
            .as_ref()
            .is_some_and(|(_, user)| list.participants.iter().any(|entry| entry.user == *user));
        if !listed {
            return Err(Refusal::Denied(
                "a client is nobody's who takes part in this room",
            ));
        }
        let client = leaf.verified()?;
        if let Some(reason) = self.known_otherwise(client) {
            return Err(Refusal::Denied(reason));
        }
        let list = leaf.device_list.as_deref();
        let listed = device_lists::check(client, list, seen, beside).map_err(Refusal::Denied)?;
        Ok((client, listed))
    }

    /// The clients in the group. One whose credential says nothing has no place in the policy's view.
    pub(super) fn leaf_clients(&self) -> BTreeMap<u32, LeafClient> {
        let clients = self.group.members().filter_map(|member| {
            let credential = ClientCredential::parse(&member.credential).ok()?;
            let client = LeafClient {
                client: credential.claimed_client().clone(),
                user: credential.claimed_user().clone(),
            };
            Some((member.leaf, client))
        });
        clients.collect()
    }
}

fn known_by(client: &VerifiedClient, listed: Listed) -> Known {
    Known {
        identity_key: *client.identity_key(),
        listed,
    }
}
