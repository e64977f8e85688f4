//! A new leaf must be on its person's newest device list, so that neither a provider nor a revoked device can
//! bring one in. No two lists of one version may differ: which of them were the newest, nobody could tell.

use std::collections::BTreeMap;

use sabir_mls::identity::VerifiedClient;
use sabir_mls::{LeafFact, keys, suite};
use sabir_wire::codec::{Decode, DecodeError, Encode, Reader};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::uri::UserUri;

/// What is remembered of the newest list of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Listed {
    /// 0 before the first.
    pub(crate) version: u64,
    /// SHA-256 of what is under the signature; none before the first.
    pub(crate) digest: Option<[u8; 32]>,
}

impl Listed {
    fn of(list: &SignedDeviceList) -> Self {
        Self {
            version: list.version,
            digest: Some(keys::sha256(&list.tbs())),
        }
    }

    /// Remembers another list where it says more.
    pub(crate) fn raise(&mut self, other: &Self) {
        if other.version > self.version {
            self.clone_from(other);
        }
    }

    /// Why a list cannot stand beside this one.
    fn refuses(&self, other: &Self) -> Option<&'static str> {
        if other.version < self.version {
            return Some("a device list is older than one already seen");
        }
        let differ = matches!((self.digest, other.digest), (Some(one), Some(other)) if one != other);
        (other.version == self.version && differ).then_some("two device lists of one version differ")
    }
}

impl Encode for Listed {
    fn encode(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        out.push(u8::from(self.digest.is_some()));
        out.extend(self.digest.iter().flatten());
    }
}

impl Decode for Listed {
    const NAME: &'static str = "DeviceListSeen";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: r.u64("list_version")?,
            digest: match r.flag("digest")? {
                true => Some(r.array("digest")?),
                false => None,
            },
        })
    }
}

/// The newest list of each person among leaves that come in together.
pub(crate) type Newest = BTreeMap<UserUri, SignedDeviceList>;

/// Reads the newest lists off leaves; a list that does not hold by itself counts for nothing.
pub(crate) fn newest<'a>(leaves: impl IntoIterator<Item = (&'a VerifiedClient, Option<&'a [u8]>)>) -> Newest {
    let mut newest = Newest::new();
    for (client, bytes) in leaves {
        let Ok(list) = read(client, bytes) else { continue };
        let known = newest.get(client.user()).map(|known| known.version);
        if known.is_none_or(|known| known < list.version) {
            newest.insert(client.user().clone(), list);
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

/// The list a leaf carries, where it is signed by the person, names the leaf's key, is not older than the newest one
/// `seen`, and is the same where it has the same version. Where another leaf `beside` it brings a newer list, that one
/// must name its key too: a revoked device cannot come in together with the list that revokes it.
///
/// # Errors
/// What does not hold, for the refusal's description.
pub(crate) fn check(
    client: &VerifiedClient,
    device_list: Option<&[u8]>,
    seen: &BTreeMap<UserUri, Listed>,
    beside: &Newest,
) -> Result<Listed, &'static str> {
    let list = read(client, device_list)?;
    let listed = Listed::of(&list);
    if let Some(reason) = seen.get(client.user()).and_then(|newest| newest.refuses(&listed)) {
        return Err(reason);
    }
    if let Some(newest) = beside.get(client.user()) {
        if newest.version == list.version && newest.key_hashes != list.key_hashes {
            return Err("two device lists of one version differ");
        }
        if newest.version > list.version && !newest.contains(&key_hash(client)) {
            return Err("a new leaf is not on its person's newest device list");
        }
    }
    Ok(listed)
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
