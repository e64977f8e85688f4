//! Devices that this person took off their list go out of the room: whichever of their clients comes to it first takes
//! them out. Nothing is sent to them before.

use sabir_mls::identity::ClientCredential;
use sabir_mls::keys::sha256;
use sabir_wire::codec::Decode;
use sabir_wire::device_list::{KeyHash, SignedDeviceList};

use super::{Conversation, ConversationContext};
use crate::room::policy::Action;

impl Conversation {
    /// Leaves of this person that this device's list does not name and whose removal does not wait already. Where the
    /// room has seen a newer list, that one decides, and this device will learn of it.
    pub(super) fn revoked(&self, cx: ConversationContext<'_>) -> Vec<u32> {
        let Ok(list) = SignedDeviceList::from_bytes(&cx.device.device_list) else {
            return Vec::new();
        };
        let Ok(own) = ClientCredential::parse(&cx.device.credential) else {
            return Vec::new();
        };
        if let Some(known) = self.record.people.get(cx.me) {
            // Under another identity key than this device's the person came back without it: it decides nothing more.
            let same = known
                .identity
                .is_none_or(|known| known.key == *own.claimed_identity_key());
            if !same || known.version > list.version {
                return Vec::new();
            }
        }
        if list.user != *cx.me {
            return Vec::new();
        }
        let own = self.group.own_leaf();
        let others = self.group.members().filter(|member| member.leaf != own);
        let mut gone: Vec<u32> = others
            .filter(|member| !list.contains(&KeyHash(sha256(&member.signature_key))))
            .filter(|member| {
                ClientCredential::parse(&member.credential)
                    .is_ok_and(|credential| credential.claimed_user() == cx.me)
            })
            .map(|member| member.leaf)
            .collect();
        if gone.is_empty() || self.may(cx, Action::RemoveOwnClient).is_err() {
            return Vec::new();
        }
        for proposal in self.group.proposals() {
            gone.retain(|leaf| Some(*leaf) != proposal.removes);
        }
        gone
    }
}
