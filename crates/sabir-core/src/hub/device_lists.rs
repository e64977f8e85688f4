//! A new leaf must be on its person's newest device list, so that neither a provider nor a revoked device can
//! bring one in.

use std::collections::BTreeMap;

use sabir_mls::identity::VerifiedClient;
use sabir_mls::{keys, suite};
use sabir_wire::codec::Decode;
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::uri::UserUri;

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

/// The version of the list a leaf carries, where the list is signed by the person, names the leaf's key, and is
/// not older than the newest version `seen`. Where another leaf `beside` it brings a newer list, that one must
/// name its key too: a revoked device cannot come in together with the list that revokes it.
///
/// # Errors
/// What does not hold, for the refusal's description.
pub(crate) fn check(
    client: &VerifiedClient,
    device_list: Option<&[u8]>,
    seen: &BTreeMap<UserUri, u64>,
    beside: &Newest,
) -> Result<u64, &'static str> {
    let list = read(client, device_list)?;
    if seen
        .get(client.user())
        .is_some_and(|newest| list.version < *newest)
    {
        return Err("a device list is older than one already seen");
    }
    let revoked = beside
        .get(client.user())
        .is_some_and(|newest| newest.version > list.version && !newest.contains(&key_hash(client)));
    if revoked {
        return Err("a new leaf is not on its person's newest device list");
    }
    Ok(list.version)
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
