//! Who made a commit that cannot be applied.
//!
//! A hub checks signature and state of a commit, but neither its membership tag nor what its path encrypts to each
//! member. So a member's client can make a commit that the hub takes and some members cannot apply.

use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{FramedContentBody, GroupContext, MlsMessage, Sender, WireFormat};

use super::{Group, encode};
use crate::identity::ClientCredential;
use crate::suite;

impl Group {
    /// The content of the committer's x509 credential, where the commit's signature proves who made it: a member
    /// of this epoch, or whoever comes in by it. Nothing is said about a message that is no commit of this epoch,
    /// or whose signature does not hold: that one is the hub's fault, whatever it claims.
    #[must_use]
    pub fn committer_of(&self, message: &[u8]) -> Option<Vec<u8>> {
        let Ok(MlsMessage::Public(message)) = MlsMessage::from_bytes(message) else {
            return None;
        };
        let content = &message.content;
        let FramedContentBody::Commit(commit) = &content.body else {
            return None;
        };
        if content.group_id != self.group_id() || content.epoch != self.epoch() {
            return None;
        }
        let (credential, key) = match content.sender {
            Sender::Member { leaf_index } => {
                let member = self.members().find(|member| member.leaf == leaf_index)?;
                (member.credential, member.signature_key)
            }
            Sender::NewMemberCommit => {
                let leaf = &commit.path.as_ref()?.leaf_node;
                let credential = ClientCredential::from_credential(&leaf.credential).ok()?;
                (credential.to_bytes(), leaf.signature_key.0.clone())
            }
            _ => return None,
        };
        let context = encode(self.group.public_group().group_context()).ok()?;
        let context = GroupContext::from_bytes(&context).ok()?;
        let tbs = content.to_be_signed(WireFormat::PUBLIC_MESSAGE, &context);
        suite::verify_with_label(
            self.suite(),
            &key,
            "FramedContentTBS",
            &tbs,
            &message.auth.signature,
        )
        .ok()?;
        Some(credential)
    }
}
