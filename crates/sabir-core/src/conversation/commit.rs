//! Commits of this client, from the plan to the hub's answer.

use rand_core::CryptoRng;
use sabir_mls::app_data::ComponentRules;
use sabir_mls::group::{CommitPlan, HubCommit, PublicState};
use sabir_wire::codec::{Decode, DecodeError, Encode};
use sabir_wire::mls::{GroupInfo, MlsMessage, RatchetTree, Welcome};
use sabir_wire::protocol::{
    GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::UserUri;

use super::record::{Phase, Work};
use super::work::{MAX_REFUSALS, PATIENCE, wait};
use super::{Conversation, ConversationContext, ConversationError, ConversationEvent, Effects};
use crate::Millis;
use crate::room::RoomRules;

/// How long to wait at first for proposals of which the hub knows and this client does not.
const BEHIND: Millis = 1_000;

impl Conversation {
    /// Commits what waits and what is planned; the request is outstanding afterwards.
    pub(super) fn commit_plan(
        &mut self,
        cx: ConversationContext<'_>,
        plan: CommitPlan,
        intent: Option<u64>,
        added: Vec<UserUri>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ConversationError> {
        let rules: &dyn ComponentRules = &RoomRules;
        let commit = self.group.commit_leaving_tree(cx.device, plan, rules, rng)?;
        self.record.work = Work::Commit {
            request: bundle(&commit)?.to_bytes(),
            accepted: None,
            intent,
            added,
        };
        Ok(())
    }

    pub(super) fn update_answered(
        &mut self,
        now: Millis,
        response: &[u8],
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let response = UpdateRoomResponse::from_bytes(response)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        match (&response.outcome, &self.record.work) {
            (UpdateOutcome::Success { .. }, _) => self.update_accepted(now, effects),
            // The commit stays pending: the one that took the epoch may be this very one, its answer lost and
            // forgotten since. The log tells; whatever it brings drops or merges it.
            (UpdateOutcome::WrongEpoch { current_epoch }, _) if *current_epoch > self.group.epoch() => {
                self.record.phase = Phase::CatchingUp {
                    epoch: *current_epoch,
                    since: now,
                };
                if let Work::Leave { references, .. } = &self.record.work {
                    let references = references.clone();
                    self.group.withdraw(&references)?;
                    self.record.work = Work::Idle;
                }
            }
            (UpdateOutcome::WrongEpoch { .. }, _) => {
                self.update_refused(now, "the room's provider lags behind".to_owned(), true, effects)?;
            }
            (UpdateOutcome::InvalidProposal { invalid_proposals }, Work::Commit { .. })
                if !invalid_proposals.is_empty() =>
            {
                // Proposals of which this client learns in a moment, or has learned since.
                let reason = response.error_description.clone();
                self.update_refused(now, reason, true, effects)?;
            }
            (UpdateOutcome::NotAllowed | UpdateOutcome::InvalidProposal { .. }, _) => {
                let reason = response.error_description.clone();
                self.update_refused(now, reason, false, effects)?;
            }
        }
        Ok(())
    }

    pub(super) fn update_accepted(&mut self, now: Millis, effects: &mut Effects) {
        match &mut self.record.work {
            // It takes effect when the log brings it, which it does in a moment.
            Work::Commit { accepted, .. } => *accepted = Some(now),
            Work::Leave { accepted, intent, .. } => {
                *accepted = true;
                self.record.leaving = true;
                if let Some(number) = intent.take() {
                    self.intent_done(number, effects);
                }
            }
            Work::Idle | Work::Keys { .. } => {}
        }
    }

    /// The hub took nothing of it. It is drawn up anew; what was refused too often is given up.
    fn update_refused(
        &mut self,
        now: Millis,
        reason: String,
        behind: bool,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let work = std::mem::take(&mut self.record.work);
        let (intent, added) = match work {
            Work::Commit { intent, added, .. } => {
                self.group.drop_own()?;
                (intent, added)
            }
            Work::Leave {
                intent, references, ..
            } => {
                self.group.withdraw(&references)?;
                (intent, Vec::new())
            }
            Work::Idle | Work::Keys { .. } => return Ok(()),
        };
        if behind {
            let since = *self.record.behind.get_or_insert(now);
            let over = since.saturating_add(PATIENCE);
            if over <= now {
                // What the log should have brought never comes.
                self.start_repair(now, self.group.epoch(), effects);
            }
            let wait = BEHIND.max(now.saturating_sub(since) / 2);
            self.record.retry_at = now.saturating_add(wait).min(over.max(now));
            return Ok(());
        }
        // Other key packages may be taken.
        self.record.asked = self.record.asked.saturating_add(1);
        match intent {
            Some(number) => {
                let refusals = self.intents.refused(number, &mut effects.changes);
                if refusals >= MAX_REFUSALS {
                    self.intent_refused(number, reason, effects);
                } else {
                    self.record.retry_at = now.saturating_add(wait(refusals));
                }
            }
            None if !added.is_empty() => {
                for user in added {
                    self.still_owed(user, now, &reason, effects);
                }
            }
            None => {
                self.record.refusals = self.record.refusals.saturating_add(1);
                self.record.retry_at = now.saturating_add(wait(self.record.refusals));
            }
        }
        Ok(())
    }

    /// Somebody's clients could not be added this time.
    pub(super) fn still_owed(&mut self, user: UserUri, now: Millis, reason: &str, effects: &mut Effects) {
        self.owe(user.clone(), now);
        let Some(owed) = self.record.owed.get_mut(&user) else {
            return;
        };
        owed.attempts = owed.attempts.saturating_add(1);
        owed.not_before = now.saturating_add(wait(owed.attempts));
        owed.reason = super::record::cut(reason);
        effects.events.push(ConversationEvent::Waiting {
            user,
            reason: reason.to_owned(),
            until: owed.not_before,
        });
    }
}

/// The request that carries a commit.
///
/// draft-mahy-mls-ratchet-tree-options-03 §3: the hub follows the tree by itself, and the GroupInfo, which names the
/// tree's hash, shows it that both have one. The tree of a thousand members is larger than a megabyte.
pub(super) fn bundle(commit: &HubCommit) -> Result<UpdateRequest, ConversationError> {
    let internal = |error: DecodeError| ConversationError::Internal(error.to_string());
    let group_info = GroupInfo::from_bytes(&commit.group_info).map_err(internal)?;
    let welcome = commit.welcome.as_deref().map(Welcome::from_bytes);
    let bundle = HandshakeBundle::Commit {
        message: Box::new(MlsMessage::from_bytes(&commit.commit).map_err(internal)?),
        welcome: welcome.transpose().map_err(internal)?,
        group_info: Box::new(GroupInfoOption::Full(group_info)),
        ratchet_tree: RatchetTreeOption::DistributionService,
    };
    Ok(UpdateRequest { bundle })
}

pub(super) fn options(
    public: &PublicState,
) -> Result<(GroupInfoOption, RatchetTreeOption), ConversationError> {
    let internal = |error: DecodeError| ConversationError::Internal(error.to_string());
    let info = GroupInfo::from_bytes(&public.group_info).map_err(internal)?;
    let tree = RatchetTree::from_bytes(&public.ratchet_tree).map_err(internal)?;
    Ok((GroupInfoOption::Full(info), RatchetTreeOption::Full(tree)))
}
