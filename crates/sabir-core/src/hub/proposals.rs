//! Proposals that come by themselves (draft-ietf-mimi-protocol-06 §5.3): checked as one action, kept, and passed on.

use std::collections::BTreeSet;

use sabir_mls::Author;
use sabir_mls::group::PendingProposal;
use sabir_mls::observer::{Observed, ObservedProposal};
use sabir_mls::rows::RowChanges;
use sabir_wire::codec::Encode;
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{FanoutBody, FanoutMessage};

use super::policy::check_origin;
use super::record::Accepted;
use super::update::{Refused, denied, invalid, mls, refused, success};
use super::{Effects, Hub, HubContext, HubError, HubEvent, LeafClient, Origin, Receivers, judge};
use crate::Millis;
use crate::room::RoomRules;
use crate::room::policy::{self, Departures, Refusal};
use crate::scope::scoped;

/// Proposals that may wait in one epoch. A commit refers to all of them, and an answer lists as many.
pub(super) const MAX_WAITING: usize = 256;

impl Hub {
    /// Takes the proposals of one request, or none of them.
    pub(super) fn propose(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        message: &MlsMessage,
        more: &[MlsMessage],
    ) -> Result<Effects, Refused> {
        let accepted = self.accepted_at(now);
        let messages: Vec<&MlsMessage> = std::iter::once(message).chain(more).collect();
        let staged = self.stage_proposals(cx, accepted, &messages)?;
        let proposer = self.proposer(&staged)?;
        check_origin(&proposer, origin).map_err(refused)?;
        let departures = self.check_action(&proposer, &staged)?;
        for proposal in staged {
            if let Err(error) = self.observer.queue(proposal) {
                self.reload().map_err(Refused::Fault)?;
                return Err(mls(&error));
            }
        }
        // Nothing below can fail.
        let waiting = &mut self.record.waiting;
        waiting.proposals.extend(messages.iter().map(|message| Accepted {
            message: message.to_bytes(),
            at: accepted,
        }));
        waiting.departed.extend(departures.departed);
        waiting.banned = departures.banned;
        self.record.last_accepted = accepted;
        self.find_receivers();
        let mut changes: RowChanges = scoped(self.observer.take_changes());
        self.record.write_time(&mut changes);
        self.record.write_waiting(&mut changes);
        let body = FanoutMessage {
            timestamp: accepted,
            body: FanoutBody::Proposal {
                message: Box::new(message.clone()),
                // draft-ietf-mimi-protocol-06 §5.5: "MUST be the same as the corresponding moreProposals list".
                more_proposals: more.to_vec(),
            },
        };
        let Receivers { devices, followers } = self.all_receivers();
        Ok(Effects {
            changes,
            epoch: self.epoch(),
            events: vec![HubEvent {
                body: body.to_bytes(),
                devices,
                followers,
            }],
            reply: success(accepted),
        })
    }

    fn stage_proposals(
        &mut self,
        cx: HubContext<'_>,
        accepted: Millis,
        messages: &[&MlsMessage],
    ) -> Result<Vec<ObservedProposal>, Refused> {
        if self.record.waiting.proposals.len().saturating_add(messages.len()) > MAX_WAITING {
            return Err(denied("too many proposals wait for a commit"));
        }
        let judge = judge(cx, accepted);
        let mut staged = Vec::new();
        for message in messages {
            let observed = self.observer.stage(&message.to_bytes(), &judge, &RoomRules);
            match observed.map_err(|error| mls(&error))? {
                Observed::Proposal(proposal) => staged.push(*proposal),
                Observed::Commit(_) => return Err(denied("a proposal was announced and a commit came")),
            }
        }
        Ok(staged)
    }

    /// The one client that sent all of them.
    fn proposer(&self, staged: &[ObservedProposal]) -> Result<LeafClient, Refused> {
        let mut authors = staged.iter().map(|proposal| proposal.facts.author);
        let Some(first @ Author::Member(leaf)) = authors.next() else {
            // The hub's own proposals it makes itself, and who is outside comes in by a commit.
            return Err(denied("proposals come from members"));
        };
        if authors.any(|author| author != first) {
            return Err(denied("the proposals of one request have one author"));
        }
        let proposer = self.leaves.get(&leaf).cloned();
        proposer.ok_or_else(|| denied("the proposer is not in the room"))
    }

    /// Decides about the new proposals together with those that wait, as the next commit will hold them.
    fn check_action(
        &self,
        proposer: &LeafClient,
        staged: &[ObservedProposal],
    ) -> Result<Departures, Refused> {
        if !staged
            .iter()
            .all(|proposal| policy::is_taken_alone(&proposal.facts))
        {
            return Err(denied("this type of proposal is not taken by itself"));
        }
        if self.record.waiting.cuts_off(&proposer.user) {
            // draft-ietf-mimi-protocol-06 §5.3: no "proposals except for Remove and SelfRemove proposals for its users".
            let own = |proposal: &ObservedProposal| {
                let removed = proposal.facts.removes.and_then(|leaf| self.leaves.get(&leaf));
                removed.is_some_and(|removed| removed.user == proposer.user)
            };
            if !staged.iter().all(own) {
                return Err(denied("the proposer has left the room"));
            }
        }
        let waiting = self.waiting_proposals()?;
        let known: BTreeSet<&[u8]> = waiting
            .iter()
            .map(|proposal| proposal.reference.as_slice())
            .collect();
        let references = |proposals: &[ObservedProposal]| -> Vec<Vec<u8>> {
            proposals
                .iter()
                .map(|proposal| proposal.facts.reference.clone())
                .collect()
        };
        let mut new: BTreeSet<Vec<u8>> = BTreeSet::new();
        let repeated: Vec<Vec<u8>> = references(staged)
            .into_iter()
            .filter(|reference| known.contains(reference.as_slice()) || !new.insert(reference.clone()))
            .collect();
        if !repeated.is_empty() {
            return Err(invalid("a proposal waits already".to_owned(), repeated));
        }
        let mut all = waiting;
        all.extend(staged.iter().map(|proposal| proposal.facts.clone()));
        policy::check_proposals(self.view(), &all).map_err(|refusal| match refusal {
            // They are one action: with one of them all are invalid.
            Refusal::Invalid(reason) => invalid(reason, references(staged)),
            other => refused(other),
        })
    }

    /// What waits, as the policy sees it.
    pub(super) fn waiting_proposals(&self) -> Result<Vec<PendingProposal>, Refused> {
        if self.record.waiting.proposals.is_empty() {
            return Ok(Vec::new());
        }
        self.observer
            .proposals()
            .map_err(|error| Refused::Fault(HubError::Internal(error.to_string())))
    }
}
