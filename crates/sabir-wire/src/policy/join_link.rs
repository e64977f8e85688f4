use super::{MAX_POLICY, MAX_POLICY_TEXT};
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};
use crate::components::Uri;
use crate::field;
use crate::uri::{put_or_empty, read_or_empty};

/// How join links of a room are made (draft-ietf-mimi-room-policy-03 §6.2), the data of component
/// [`JOIN_LINK_POLICY`](crate::mls::ComponentId::JOIN_LINK_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   bool on_request;
///   Uri join_link;
///   bool multiuser;
///   uint32 expiration;
/// } JoinLinkPolicy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinLinkPolicy {
    /// At most one link is kept; clients ask for one or make one.
    pub on_request: bool,
    /// Where a client may ask for a link, or none; the draft's text calls it `link_requests`.
    pub join_link: Option<Uri>,
    /// A link may be for several users.
    pub multiuser: bool,
    /// Seconds that a new link is valid.
    pub expiration: u32,
}

impl Encode for JoinLinkPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_flag(out, self.on_request);
        put_or_empty(out, self.join_link.as_ref());
        field::put_flag(out, self.multiuser);
        self.expiration.encode(out);
    }
}

impl Decode for JoinLinkPolicy {
    const NAME: &'static str = "JoinLinkPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            on_request: r.flag("on_request")?,
            join_link: read_or_empty(r, "join_link")?,
            multiuser: r.flag("multiuser")?,
            expiration: r.u32("expiration")?,
        })
    }
}

/// One link into a room (draft-ietf-mimi-room-policy-03 §6.2). The draft prints `opaque join_link` without a
/// length; it is read as `opaque join_link<V>`.
///
/// ```text
/// struct {
///   opaque join_link<V>;
/// } JoinLink;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinLink(pub Vec<u8>);

impl Encode for JoinLink {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.0);
    }
}

impl Decode for JoinLink {
    const NAME: &'static str = "JoinLink";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        field::bytes(r, "join_link", MAX_POLICY_TEXT).map(Self)
    }
}

/// `JoinLink JoinLinksData<V>`: the links that work (draft-ietf-mimi-room-policy-03 §6.2), the data of component
/// [`JOIN_LINKS`](crate::mls::ComponentId::JOIN_LINKS).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinLinksData(pub Vec<JoinLink>);

impl Encode for JoinLinksData {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.0);
    }
}

impl Decode for JoinLinksData {
    const NAME: &'static str = "JoinLinksData";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.list("join_links", MAX_POLICY).map(Self)
    }
}

/// A change of [`JoinLinksData`] (draft-ietf-mimi-room-policy-03 §6.2).
///
/// ```text
/// struct {
///   uint32 removedIndices<V>;
///   JoinLink added_links<V>;
/// } JoinLinksUpdate;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinLinksUpdate {
    /// Places in the list before the change.
    pub removed_indices: Vec<u32>,
    /// Appended after the removals.
    pub added_links: Vec<JoinLink>,
}

impl Encode for JoinLinksUpdate {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.removed_indices);
        put_vec(out, &self.added_links);
    }
}

impl Decode for JoinLinksUpdate {
    const NAME: &'static str = "JoinLinksUpdate";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            removed_indices: r.list("removedIndices", MAX_POLICY)?,
            added_links: r.list("added_links", MAX_POLICY)?,
        })
    }
}
