//! This person leaves: proposals for all of their clients and for their place on the list, as one action
//! (draft-ietf-mimi-protocol-06 §5.3).

use rand_core::CryptoRng;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::components::ParticipantListUpdate;
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{HandshakeBundle, UpdateRequest};

use super::goal::list_change;
use super::record::Work;
use super::{Conversation, ConversationContext, ConversationError};

impl Conversation {
    /// References of this client's proposals of which it does not know yet that the hub took them.
    pub(super) fn unaccepted(&self) -> &[Vec<u8>] {
        match &self.record.work {
            Work::Leave {
                references,
                accepted: false,
                ..
            } => references,
            _ => &[],
        }
    }

    /// Makes the departure's proposals; the request is outstanding afterwards.
    pub(super) fn draw_departure(
        &mut self,
        cx: ConversationContext<'_>,
        intent: Option<u64>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ConversationError> {
        let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
        let Some(index) = self.index_of(cx.me) else {
            return Ok(());
        };
        let waiting: Vec<u32> = self
            .group
            .proposals()
            .filter_map(|proposal| proposal.removes)
            .collect();
        let own = self.group.own_leaf();
        let others = self.leaves_of(cx.me).into_iter();
        let others: Vec<u32> = others
            .filter(|leaf| *leaf != own && !waiting.contains(leaf))
            .collect();
        let mut made = vec![self.group.propose_self_remove(cx.device, rng)?];
        for leaf in others {
            made.push(self.group.propose_remove(cx.device, leaf, rng)?);
        }
        let update = ParticipantListUpdate {
            removed_indices: vec![index],
            ..ParticipantListUpdate::default()
        };
        let (component, operation) = list_change(&update);
        made.push(
            self.group
                .propose_app_data(cx.device, component, &operation, rng)?,
        );
        let mut messages = Vec::with_capacity(made.len());
        for proposal in &made {
            messages.push(MlsMessage::from_bytes(&proposal.message).map_err(|error| internal(&error))?);
        }
        let mut messages = messages.into_iter();
        let first = messages.next().ok_or_else(|| internal(&"no proposal was made"))?;
        let bundle = HandshakeBundle::Proposal {
            message: Box::new(first),
            more: messages.collect(),
        };
        self.record.work = Work::Leave {
            request: UpdateRequest { bundle }.to_bytes(),
            accepted: false,
            intent,
            references: made.into_iter().map(|proposal| proposal.reference).collect(),
        };
        Ok(())
    }
}
