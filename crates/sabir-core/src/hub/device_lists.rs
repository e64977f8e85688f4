//! A new leaf must be on its person's newest device list, so that neither a provider nor a revoked device can
//! bring one in. No two lists of one version may differ: which of them were the newest, nobody could tell.
//!
//! The list is signed by the person's identity key, so that key is remembered with it, and so is the recovery key that
//! alone may replace it. A provider certifies whatever key it likes; under another one nobody comes in without the
//! recovery key's signature, and once that was seen nobody does under the old one.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::identity::{Identity, VerifiedClient};
use sabir_mls::{LeafFact, keys, suite};
use sabir_wire::codec::{Decode, DecodeError, Encode, Reader};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::uri::UserUri;

/// What is remembered of the newest list of a person, and whose signature it takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Listed {
    /// None before the first leaf.
    pub(crate) identity: Option<Identity>,
    /// 0 before the first list under this identity key: a new one counts anew.
    pub(crate) version: u64,
    /// SHA-256 of what is under the signature; none before the first.
    pub(crate) digest: Option<[u8; 32]>,
}

impl Listed {
    fn of(client: &VerifiedClient, list: &SignedDeviceList) -> Self {
        Self {
            identity: Some(client.identity()),
            version: list.version,
            digest: Some(keys::sha256(&list.tbs())),
        }
    }

    /// A person whose list was not seen, or was not good.
    pub(crate) fn unlisted(identity: Identity) -> Self {
        Self {
            identity: Some(identity),
            ..Self::default()
        }
    }

    /// Remembers another list where it says more. One under another identity key was let pass by
    /// [`Listed::refuses_identity`], so it does.
    pub(crate) fn raise(&mut self, other: &Self) {
        if other.identity != self.identity || other.version > self.version {
            self.clone_from(other);
        }
    }

    /// Why a client is not of the person who is remembered here: another identity key needs the proof of recovery, and
    /// the same one cannot come with another recovery key, which whoever holds it could have certified.
    pub(crate) fn refuses_identity(&self, client: &VerifiedClient) -> Option<&'static str> {
        let known = self.identity.as_ref()?;
        if known.key == *client.identity_key() {
            return (known.commitment != *client.recovery_commitment())
                .then_some("a person's recovery key is another than before");
        }
        (!client.replaces(known)).then_some("a person's identity key is another than before")
    }

    /// Why a list cannot stand beside this one.
    fn refuses(&self, other: &Self) -> Option<&'static str> {
        if other.identity != self.identity {
            return None;
        }
        if other.version < self.version {
            return Some("a device list is older than one already seen");
        }
        let differ = matches!((self.digest, other.digest), (Some(one), Some(other)) if one != other);
        (other.version == self.version && differ).then_some("two device lists of one version differ")
    }
}

impl Encode for Listed {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.identity.is_some()));
        if let Some(identity) = &self.identity {
            out.extend_from_slice(&identity.key);
            out.extend_from_slice(&identity.commitment);
        }
        self.version.encode(out);
        out.push(u8::from(self.digest.is_some()));
        out.extend(self.digest.iter().flatten());
    }
}

impl Decode for Listed {
    const NAME: &'static str = "DeviceListSeen";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            identity: match r.flag("identity")? {
                true => Some(Identity {
                    key: r.array("key")?,
                    commitment: r.array("commitment")?,
                }),
                false => None,
            },
            version: r.u64("list_version")?,
            digest: match r.flag("digest")? {
                true => Some(r.array("digest")?),
                false => None,
            },
        })
    }
}

/// The newest list of each person among leaves that come in together, by identity key.
#[derive(Debug, Default)]
pub(crate) struct Newest(BTreeMap<(UserUri, Identity), SignedDeviceList>);

impl Newest {
    /// Why a leaf cannot come in together with these.
    fn refuses(&self, client: &VerifiedClient, list: &SignedDeviceList) -> Option<&'static str> {
        // Which of the two keys were the person's, the order of leaves would decide.
        let others = self.0.keys().filter(|(user, _)| user == client.user());
        if others.clone().any(|(_, identity)| *identity != client.identity()) {
            return Some("a person comes in under two identity keys");
        }
        let newest = self.0.get(&(client.user().clone(), client.identity()))?;
        if newest.version == list.version && newest.key_hashes != list.key_hashes {
            return Some("two device lists of one version differ");
        }
        (newest.version > list.version && !newest.contains(&key_hash(client)))
            .then_some("a new leaf is not on its person's newest device list")
    }
}

/// Reads the newest lists off leaves; a list that does not hold by itself counts for nothing.
pub(crate) fn newest<'a>(leaves: impl IntoIterator<Item = (&'a VerifiedClient, Option<&'a [u8]>)>) -> Newest {
    let mut newest = Newest::default();
    for (client, bytes) in leaves {
        let Ok(list) = read(client, bytes) else { continue };
        let person = (client.user().clone(), client.identity());
        let known = newest.0.get(&person).map(|known| known.version);
        if known.is_none_or(|known| known < list.version) {
            newest.0.insert(person, list);
        }
    }
    newest
}

/// As [`newest`], of leaves as the MLS layer reads them: those that are proved.
pub(crate) fn newest_of<'a>(leaves: impl IntoIterator<Item = &'a LeafFact>) -> Newest {
    newest(leaves.into_iter().filter_map(|leaf| {
        let client = leaf.client.as_ref().ok()?;
        Some((client, leaf.device_list.as_deref()))
    }))
}

/// People's identity keys in a tree that others in it have replaced: their leaves are there until a commit takes them out.
pub(crate) type Replaced = BTreeSet<(UserUri, Identity)>;

/// Finds [`Replaced`] among the leaves of a tree.
pub(crate) fn replaced<'a>(leaves: impl IntoIterator<Item = &'a LeafFact>) -> Replaced {
    let mut people: BTreeMap<&UserUri, Vec<&VerifiedClient>> = BTreeMap::new();
    for client in leaves.into_iter().filter_map(|leaf| leaf.client.as_ref().ok()) {
        let clients = people.entry(client.user()).or_default();
        if clients.iter().all(|known| known.identity() != client.identity()) {
            clients.push(client);
        }
    }
    let mut replaced = Replaced::new();
    for (user, clients) in people.into_iter().filter(|(_, clients)| clients.len() > 1) {
        let old = clients.iter().map(|client| client.identity());
        let old = old.filter(|old| clients.iter().any(|client| client.replaces(old)));
        replaced.extend(old.map(|old| (user.clone(), old)));
    }
    replaced
}

/// The list a leaf carries, where it is signed by the person, names the leaf's key, is not older than the newest one
/// `seen`, and is the same where it has the same version; the person being the one who was `seen`, or having come back by
/// the recovery key. Where another leaf `beside` it brings a newer list, that one must name its key too: a revoked device
/// cannot come in together with the list that revokes it.
///
/// # Errors
/// What does not hold, for the refusal's description.
pub(crate) fn check(
    client: &VerifiedClient,
    device_list: Option<&[u8]>,
    seen: &BTreeMap<UserUri, Listed>,
    beside: &Newest,
) -> Result<Listed, &'static str> {
    let seen = seen.get(client.user());
    if let Some(reason) = seen.and_then(|seen| seen.refuses_identity(client)) {
        return Err(reason);
    }
    let list = read(client, device_list)?;
    let listed = Listed::of(client, &list);
    if let Some(reason) = seen.and_then(|newest| newest.refuses(&listed)) {
        return Err(reason);
    }
    match beside.refuses(client, &list) {
        Some(reason) => Err(reason),
        None => Ok(listed),
    }
}

/// Reads the list a leaf carries, where it is signed by the person and names the leaf's key.
fn read(client: &VerifiedClient, device_list: Option<&[u8]>) -> Result<SignedDeviceList, &'static str> {
    let bytes = device_list.ok_or("a new leaf carries no device list")?;
    let list = SignedDeviceList::from_bytes(bytes).map_err(|_| "a device list is malformed")?;
    if list.user != *client.user() {
        return Err("a device list is another person's");
    }
    suite::verify_ed25519(
        client.identity_key(),
        SignedDeviceList::SIGNATURE_LABEL,
        &list.tbs(),
        &list.signature,
    )
    .map_err(|_| "a device list is not signed by its person")?;
    if !list.contains(&key_hash(client)) {
        return Err("a new leaf is not on its person's device list");
    }
    Ok(list)
}

fn key_hash(client: &VerifiedClient) -> KeyHash {
    KeyHash(keys::sha256(client.device_key()))
}
