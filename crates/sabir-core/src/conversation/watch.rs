//! What a client holds against its hub. A commit of the log is merged whatever it says, since a room must not
//! fork on what one client knows; but one that the hub should have refused stops this client from sending, and
//! leaves that came in without proof are remembered, until a person says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::group::PendingProposal;
use sabir_mls::identity::{ClientCredential, Freshness, VerifiedClient};
use sabir_mls::{CommitFacts, Judge, LeafFact, MlsError};
use sabir_wire::codec::Decode;
use sabir_wire::components::ParticipantListData;
use sabir_wire::mls::ComponentId;
use sabir_wire::uri::UserUri;

use super::event::{Alarm, ConversationEvent};
use super::record::Known;
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::hub::device_lists::{self, Listed, Newest};
use crate::room::RoomKind;
use crate::room::policy::{self, LeafClient, Refusal};

/// What is wrong with a commit.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) alarms: Vec<Alarm>,
    /// Signature keys of leaves without proof, and whose they claim to be.
    doubted: BTreeMap<Vec<u8>, Option<UserUri>>,
    proved: Vec<(Vec<u8>, UserUri, Known)>,
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
        let mut people: Vec<UserUri> = self.record.doubted.values().flatten().cloned().collect();
        people.sort();
        people.dedup();
        people
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
        let judge = Judge {
            anchors: cx.anchors,
            freshness: Freshness::Ignored,
        };
        for (_, leaf) in self.group.judge_members(&judge) {
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
        if !verdict.alarms.is_empty() {
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
        let proposals: Vec<PendingProposal> = self.group.proposals().collect();
        let leaves = self.leaf_clients();
        let seen = self.seen_lists();
        policy::check_proposals(self.view(&leaves, &seen), &proposals)
            .map(|departures| departures.departed)
            .map_err(|refusal| refusal.to_string())
    }

    /// Judges the members of a group this client was welcomed to.
    pub(super) fn judge_group(&self, leaves: &[LeafFact]) -> Result<Verdict, ConversationError> {
        let clients = leaves.iter().filter_map(|leaf| {
            let client = leaf.client.as_ref().ok()?;
            Some((client, leaf.device_list.as_deref()))
        });
        let beside = device_lists::newest(clients);
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
                    verdict
                        .doubted
                        .insert(leaf.signature_key.clone(), Some(user.clone()));
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
        let judge = Judge {
            anchors: cx.anchors,
            freshness: Freshness::Ignored,
        };
        let leaves: Vec<LeafFact> = self
            .group
            .judge_members(&judge)
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
        if !self.record.doubted.is_empty() {
            let keys: Vec<Vec<u8>> = self.group.members().map(|member| member.signature_key).collect();
            self.record.doubted.retain(|key, _| keys.contains(key));
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
        let reason = match self.leaf_version(leaf, known) {
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
            Err(refusal) => refusal.to_string(),
        };
        verdict.doubted.insert(leaf.signature_key.clone(), user);
        verdict.alarms.push(Alarm::Unverified { reason });
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
