//! A new leaf must be on its person's newest device list, so that neither a provider nor a revoked device can
//! bring one in.

use std::collections::BTreeMap;

use sabir_mls::identity::VerifiedClient;
use sabir_mls::{keys, suite};
use sabir_wire::codec::Decode;
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::uri::UserUri;

/// The version of the list a leaf carries, where the list is signed by the person, names the leaf's key, and is
/// not older than the newest version `seen`.
///
/// # Errors
/// What does not hold, for the refusal's description.
pub(crate) fn check(
    client: &VerifiedClient,
    device_list: Option<&[u8]>,
    seen: &BTreeMap<UserUri, u64>,
) -> Result<u64, &'static str> {
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
    if !list.contains(&KeyHash(keys::sha256(client.device_key()))) {
        return Err("a new leaf is not on its person's device list");
    }
    if seen
        .get(client.user())
        .is_some_and(|newest| list.version < *newest)
    {
        return Err("a device list is older than one already seen");
    }
    Ok(list.version)
}
