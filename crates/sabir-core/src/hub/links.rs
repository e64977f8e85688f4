//! What a hub alone can say of join links: the time, and how often each was used (draft-ietf-mimi-room-policy-03 §6.2).
//!
//! An unknown link, one that has ended and one that was used up are answered alike.

use super::Hub;
use crate::Millis;
use crate::room::link::{self, LinkTerms};
use crate::room::policy::{Allowed, Refusal};

impl Hub {
    /// Whether somebody who signs with `requester` has shown a link that opens now.
    pub(super) fn link_opens(&self, now: Millis, requester: &[u8], code: &[u8]) -> bool {
        link::requested(&self.state, requester, code).is_some_and(|link| self.is_good(&link, now))
    }

    fn is_good(&self, link: &LinkTerms, now: Millis) -> bool {
        let used = self.record.links.get(&link.key_hash).copied().unwrap_or_default();
        !link.is_over(now) && (link.uses == 0 || used < link.uses)
    }

    /// Whether a commit's link opens, and the links that it makes end as the room's policy says.
    pub(super) fn check_links(&self, accepted: Millis, allowed: &Allowed) -> Result<(), Refusal> {
        if let Some(link) = &allowed.link
            && !self.is_good(link, accepted)
        {
            return Err(Refusal::Denied(
                "adding this person with this role is not allowed",
            ));
        }
        let features = &allowed.next.features;
        let Some(policy) = features.join_link.as_ref() else {
            return Ok(());
        };
        if features.join_links == self.state.features.join_links || policy.expiration == 0 {
            return Ok(());
        }
        let old: Vec<LinkTerms> = link::links(&self.state).collect();
        let latest = accepted.saturating_add(u64::from(policy.expiration).saturating_mul(1_000));
        let holds = |link: &LinkTerms| link.not_after != 0 && link.not_after <= latest;
        // "The duration in seconds that a new link can be valid after creation".
        if link::links(&allowed.next).all(|link| old.contains(&link) || holds(&link)) {
            Ok(())
        } else {
            Err(Refusal::Denied(
                "a join link would last longer than this room allows",
            ))
        }
    }

    /// Counts a use, and forgets the links that the room has no more; says whether anything changed.
    pub(super) fn count_links(&mut self, used: Option<&LinkTerms>) -> bool {
        let before = self.record.links.clone();
        if let Some(link) = used {
            let times = self.record.links.entry(link.key_hash).or_default();
            *times = times.saturating_add(1);
        }
        let state = &self.state;
        self.record
            .links
            .retain(|hash, _| link::links(state).any(|link| link.key_hash == *hash));
        self.record.links != before
    }
}
