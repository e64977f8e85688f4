//! What the hub proposes itself: that the clients of people who departed go, after an external commit has made their
//! own proposals invalid (draft-ietf-mimi-protocol-06 §5.5).

use std::collections::BTreeSet;

use sabir_mls::observer::Observed;
use sabir_wire::codec::Encode;
use sabir_wire::mls::{
    ComponentId, FramedContent, FramedContentAuthData, FramedContentBody, MlsMessage, Proposal,
    PublicMessage, SafeAad, Sender, WireFormat,
};
use sabir_wire::uri::UserUri;

use super::{Hub, HubContext, HubError, HubIdentity, judge};
use crate::room::RoomRules;

/// Label of a signature over framed content (RFC 9420 §6.1).
const TBS_LABEL: &str = "FramedContentTBS";

/// A proposal of the hub.
#[derive(Debug)]
pub(super) struct Stapled {
    pub(super) message: MlsMessage,
    pub(super) bytes: Vec<u8>,
}

impl Hub {
    /// Proposes to remove the leaves of people who departed, in the observer's new epoch, and queues it there.
    pub(super) fn remove_departed(
        &mut self,
        cx: HubContext<'_>,
        departed: &BTreeSet<UserUri>,
    ) -> Result<Vec<Stapled>, HubError> {
        let internal = |error: &dyn std::fmt::Display| HubError::Internal(error.to_string());
        let mut stapled = Vec::new();
        // The time plays no part: a removal brings no leaf in.
        let judge = judge(cx, self.record.last_accepted);
        let leaves: Vec<u32> = self
            .leaves
            .iter()
            .filter(|(_, client)| departed.contains(&client.user))
            .map(|(leaf, _)| *leaf)
            .collect();
        for leaf in leaves {
            let message = self.removal(cx.identity, leaf)?;
            let bytes = message.to_bytes();
            let observed = self.observer.stage(&bytes, &judge, &RoomRules);
            match observed.map_err(|error| internal(&error))? {
                Observed::Proposal(proposal) => {
                    self.observer.queue(*proposal).map_err(|error| internal(&error))?;
                }
                Observed::Commit(_) => return Err(internal(&"a proposal of ours is a commit")),
            }
            stapled.push(Stapled { message, bytes });
        }
        Ok(stapled)
    }

    /// A Remove by the first external sender.
    fn removal(&self, identity: &HubIdentity, removed: u32) -> Result<MlsMessage, HubError> {
        // draft-ietf-mls-extensions §4.9: where the group has safe_aad, all authenticated data is framed by it.
        let authenticated_data = match self.observer.component(ComponentId::SAFE_AAD) {
            Some(_) => SafeAad::default().to_bytes(),
            None => Vec::new(),
        };
        let content = FramedContent {
            group_id: self.observer.group_id().to_vec(),
            epoch: self.observer.epoch(),
            sender: Sender::External { sender_index: 0 },
            authenticated_data,
            body: FramedContentBody::Proposal(Proposal::Remove { removed }),
        };
        // RFC 9420 §6.1: an external sender signs without the group's context.
        let tbs = content.to_be_signed_outside(WireFormat::PUBLIC_MESSAGE);
        let signature = identity
            .signing_key
            .sign_with_label(TBS_LABEL, &tbs)
            .map_err(|error| HubError::Internal(error.to_string()))?;
        Ok(MlsMessage::Public(Box::new(PublicMessage {
            content,
            auth: FramedContentAuthData {
                signature,
                confirmation_tag: None,
            },
            membership_tag: None,
        })))
    }
}
