//! Messages altered on the wire and signed anew by their author: what a client can send that no library builds.
//! Tags that only members can compute stay as they were; a hub cannot check them.

use sabir_mls::keys::SigningKey;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{Commit, FramedContentBody, GroupInfo, MlsMessage, PublicMessage, WireFormat};

/// A message for the epoch of `group_info`, changed.
pub fn resign_message(
    message: &[u8],
    group_info: &[u8],
    key: &SigningKey,
    change: impl FnOnce(&mut PublicMessage),
) -> Vec<u8> {
    let context = GroupInfo::from_bytes(group_info).unwrap().group_context;
    let MlsMessage::Public(mut message) = MlsMessage::from_bytes(message).unwrap() else {
        panic!("a public message");
    };
    change(&mut message);
    let tbs = message.content.to_be_signed(WireFormat::PUBLIC_MESSAGE, &context);
    message.auth.signature = key.sign_with_label("FramedContentTBS", &tbs).unwrap();
    MlsMessage::Public(message).to_bytes()
}

/// A commit for the epoch of `group_info`, changed.
pub fn resign(
    commit: &[u8],
    group_info: &[u8],
    key: &SigningKey,
    change: impl FnOnce(&mut Commit),
) -> Vec<u8> {
    resign_message(commit, group_info, key, |message| {
        let FramedContentBody::Commit(body) = &mut message.content.body else {
            panic!("a commit");
        };
        change(body);
    })
}
