//! What a client holds against its hub. A commit of the log is merged whatever it says, since a room must not
//! fork on what one client knows; but one that the hub should have refused stops this client from sending, and
//! leaves that came in without proof are remembered, until a person says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::group::PendingProposal;
use sabir_mls::identity::{ClientCredential, CredentialError, Identity, VerifiedClient};
use sabir_mls::{Author, CommitFacts, LeafFact, MlsError};
use sabir_wire::codec::Decode;
use sabir_wire::components::ParticipantListData;
use sabir_wire::mls::ComponentId;
use sabir_wire::uri::{ClientUri, Domain, UserUri};

use super::event::{Alarm, ConversationEvent};
use super::join::judge;
use super::record::{Doubt, LetIn, Why};
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
    proved: Vec<(Vec<u8>, UserUri, Listed)>,
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
        // Whose leaf is replaced is who they are.
        let doubted = self.record.doubted.values();
        let doubted = doubted.filter(|doubt| doubt.why != Why::Replaced);
        let mut people: Vec<UserUri> = doubted.filter_map(|doubt| doubt.user.clone()).collect();
        people.sort();
        people.dedup();
        people
    }

    /// Providers without whose authority people of theirs in the group cannot be proved
    /// ([`Conversation::reconsider`]).
    #[must_use]
    pub fn missed_authorities(&self) -> BTreeSet<Domain> {
        let missed = self
            .record
            .doubted
            .values()
            .filter(|doubt| doubt.why == Why::Missed);
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
            let doubt = self.record.doubted.get(&leaf.signature_key);
            // An identity key that its person has replaced is not theirs again by anybody's agreement here.
            if listed && doubt.is_some_and(|doubt| doubt.why != Why::Replaced) {
                self.record.doubted.remove(&leaf.signature_key);
                let known = self.record.people.entry(client.user().clone()).or_default();
                if known.identity != Some(client.identity()) {
                    *known = Listed::unlisted(client.identity());
                }
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
            if !doubt.is_some_and(|doubt| doubt.why == Why::Missed) {
                continue;
            }
            // One after the other: the first of a person's devices decides which identity key is theirs. As with all
            // who are in the tree, an older list does where the newest names the device too.
            let mut verdict = Verdict::default();
            let known = (&self.state.participants, &BTreeMap::new(), &beside);
            match self.judge_leaf(leaf, known, &mut verdict) {
                Ok(()) => effects.events.extend(self.heed(verdict, None)),
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
        let beside = policy::newest(facts);
        let mut verdict = Verdict::default();
        let next = facts
            .dictionary
            .iter()
            .find(|(component, _)| *component == ComponentId::PARTICIPANT_LIST.0)
            .and_then(|(_, list)| ParticipantListData::from_bytes(list).ok());
        let list = next.as_ref().unwrap_or(&self.state.participants);
        for leaf in facts.leaves() {
            self.judge_leaf(leaf, (list, &self.record.people, &beside), &mut verdict)?;
        }
        if verdict.is_defect {
            return Ok(verdict);
        }
        let reason = match policy::check_commit(self.view(&self.seen()), facts) {
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
        policy::check_proposals(self.view(&self.seen()), &proposals)
            .map(|departures| departures.departed)
            .map_err(|refusal| refusal.to_string())
    }

    /// Judges the members of a group this client was welcomed to.
    pub(super) fn judge_group(&self, leaves: &[LeafFact]) -> Result<Verdict, ConversationError> {
        let replaced = device_lists::replaced(leaves);
        let is_replaced = |leaf: &LeafFact| match &leaf.client {
            Ok(client) => replaced.contains(&(client.user().clone(), client.identity())),
            Err(_) => false,
        };
        let beside = device_lists::newest_of(leaves.iter().filter(|leaf| !is_replaced(leaf)));
        let mut verdict = Verdict::default();
        let mut keys = BTreeMap::new();
        for leaf in leaves {
            if is_replaced(leaf) {
                // Its person came back since, as another leaf proves. Nothing is wrong, but nobody is who says something there.
                let doubt = Doubt {
                    user: leaf.claims.as_ref().map(|(_, user)| user.clone()),
                    why: Why::Replaced,
                };
                verdict.doubted.insert(leaf.signature_key.clone(), doubt);
                continue;
            }
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
                        why: Why::Defect,
                    };
                    verdict.doubted.insert(leaf.signature_key.clone(), doubt);
                    verdict.is_defect = true;
                    verdict.alarms.push(Alarm::Unverified { reason });
                }
            }
        }
        Ok(verdict)
    }

    /// Takes a verdict on what is merged now: remembers, stops where it must, and gives the alarms, and who came back by the
    /// recovery code with what the hub `accepted` at that time.
    pub(super) fn heed(&mut self, verdict: Verdict, accepted: Option<Millis>) -> Vec<ConversationEvent> {
        let mut events = Vec::new();
        for (key, user, listed) in verdict.proved {
            self.record.doubted.remove(&key);
            let known = self.record.people.entry(user.clone()).or_default();
            let came_back = known.identity.is_some() && known.identity != listed.identity;
            known.raise(&listed);
            if came_back {
                self.doubt_replaced(&user, listed.identity);
                events.extend(accepted.map(|accepted| ConversationEvent::CameBack { user, accepted }));
            }
        }
        self.record.doubted.extend(verdict.doubted);
        for alarm in verdict.alarms {
            if let Alarm::Unverified { reason } | Alarm::Forbidden { reason } = &alarm {
                self.record.stop(reason);
            }
            events.push(ConversationEvent::Alarm(alarm));
        }
        events
    }

    /// Leaves of a person under another identity key than this one are theirs no more.
    fn doubt_replaced(&mut self, user: &UserUri, identity: Option<Identity>) {
        let old = self.group.members().filter(|member| {
            ClientCredential::parse(&member.credential).is_ok_and(|credential| {
                credential.claimed_user() == user
                    && identity.is_some_and(|identity| identity.key != *credential.claimed_identity_key())
            })
        });
        let doubt = Doubt {
            user: Some(user.clone()),
            why: Why::Replaced,
        };
        let old: Vec<Vec<u8>> = old.map(|member| member.signature_key).collect();
        self.record
            .doubted
            .extend(old.into_iter().map(|key| (key, doubt.clone())));
    }

    /// Remembers who is in the group, after a commit of this client that added them.
    pub(super) fn remember_members(
        &mut self,
        cx: ConversationContext<'_>,
        accepted: Option<Millis>,
    ) -> Result<Vec<ConversationEvent>, ConversationError> {
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
        Ok(self.heed(verdict, accepted))
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

    /// What the policy's view of the group is made of.
    pub(super) fn seen(&self) -> Seen {
        let leaves = self.leaf_clients();
        let mut replaced = BTreeSet::new();
        if self
            .record
            .doubted
            .values()
            .any(|doubt| doubt.why == Why::Replaced)
        {
            let doubts = |key: &[u8]| self.record.doubted.get(key);
            let old = self.group.members().filter(|member| {
                doubts(&member.signature_key).is_some_and(|doubt| doubt.why == Why::Replaced)
            });
            let old = old.filter_map(|member| leaves.get(&member.leaf));
            replaced.extend(old.map(|leaf| leaf.client.clone()));
        }
        Seen {
            leaves,
            lists: self.record.people.clone(),
            replaced,
        }
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
                verdict
                    .proved
                    .push((leaf.signature_key.clone(), client.user().clone(), listed));
                return Ok(());
            }
            Err(Refusal::Leaf(MlsError::UnknownProvider(domain))) => {
                return Err(ConversationError::UnknownProvider(domain));
            }
            Err(refusal) => refusal,
        };
        let missed = matches!(
            refusal,
            Refusal::Leaf(MlsError::Credential(CredentialError::NoAuthority))
        );
        let why = if missed { Why::Missed } else { Why::Defect };
        let doubt = Doubt { user, why };
        verdict.is_defect |= !missed;
        // What was told once, and is as it was, stops nobody again.
        let is_told = missed && self.record.doubted.get(&leaf.signature_key) == Some(&doubt);
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
        // Whatever the list: of a tree's leaves the versions seen are not asked for, but whose they are is.
        let known = self.record.people.get(client.user());
        if let Some(reason) = known.and_then(|known| known.refuses_identity(client)) {
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

/// What this client knows of the group and its people.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) leaves: BTreeMap<u32, LeafClient>,
    /// The newest device lists, and whose signature they take.
    pub(super) lists: BTreeMap<UserUri, Listed>,
    /// Clients whose identity key was replaced.
    pub(super) replaced: BTreeSet<ClientUri>,
}
