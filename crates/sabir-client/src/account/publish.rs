//! Key packages: made, written down, published, in this order.

use sabir_mls::{key_package, suite};
use sabir_wire::client_api::{
    KeyPackageCountResponse, PublishKeyPackagesRequest, PublishKeyPackagesResponse, path,
};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{CipherSuite, KeyPackage};

use super::{AccountError, AccountRecord};
use crate::random;
use crate::store::{Name, Store};
use crate::transport::{Call, Transport, TransportError};

/// How many key packages the provider should have in store of each cipher suite; with fewer than half, more are made.
/// Those of the hybrid suite are fewer, as they are wanted less often and take thrice the space.
pub(crate) const STOCK: [(u16, u32); 2] = [(suite::DEFAULT, 50), (suite::HYBRID, 20)];

/// Bytes of an answer without key packages in it.
const MAX_ANSWER: usize = 4 << 10;
/// How long the private part of a package is kept, in milliseconds: a provider hands out packages for 30 days, and a
/// Welcome may wait for a device that was away.
const KEPT: u64 = 180 * 24 * 3_600_000;

/// What to publish, drawn up earlier or now: the same bytes until [`published`].
pub(crate) fn prepare(
    store: &mut Store,
    account: &AccountRecord,
    wanted: &[(u16, u32)],
    now: u64,
) -> Result<Vec<u8>, AccountError> {
    if let Some(request) = store.read(|tx| tx.get_bytes(Name::PUBLISHING))? {
        return Ok(request.to_vec());
    }
    let mut device = account.device()?;
    let mut rng = random::stream()?;
    let mut made = Vec::new();
    for (suite, count) in wanted {
        device.suite = *suite;
        let count = usize::try_from(*count).map_err(AccountError::internal)?;
        made.extend(key_package::generate(&device, count, now, &mut rng).map_err(AccountError::internal)?);
    }
    let packages = made
        .iter()
        .map(|made| KeyPackage::from_bytes(&made.bytes))
        .collect::<Result<Vec<_>, _>>();
    let request = PublishKeyPackagesRequest {
        key_packages: packages.map_err(AccountError::internal)?,
    }
    .to_bytes();
    store.transaction("make key packages", |tx| {
        tx.remove_key_packages_before(now.saturating_sub(KEPT))?;
        for made in &made {
            tx.put_key_package(&made.reference, &made.private, now)?;
        }
        tx.put_bytes(Name::PUBLISHING, &request)
    })?;
    Ok(request)
}

/// The provider has them.
pub(crate) fn published(store: &mut Store) -> Result<(), AccountError> {
    Ok(store.transaction("key packages published", |tx| tx.remove(Name::PUBLISHING))?)
}

/// Sends what [`prepare`] drew up; says how many the provider has now.
pub(crate) async fn send(transport: &Transport, request: Vec<u8>) -> Result<u32, TransportError> {
    let answer = transport
        .call(&Call::post(path::KEY_PACKAGES, request, MAX_ANSWER))
        .await?;
    let answer = PublishKeyPackagesResponse::from_bytes(&answer);
    Ok(answer
        .map_err(|error| TransportError::Malformed(error.to_string()))?
        .available)
}

/// What the provider lacks of the [`STOCK`]: suites of which it has less than half, and how many are missing.
pub(crate) async fn missing(transport: &Transport) -> Result<Vec<(u16, u32)>, TransportError> {
    let answer = transport.call(&Call::get(path::KEY_PACKAGES, MAX_ANSWER)).await?;
    let counted = KeyPackageCountResponse::from_bytes(&answer)
        .map_err(|error| TransportError::Malformed(error.to_string()))?;
    let mut missing = Vec::new();
    for (suite, stock) in STOCK {
        let available = counted.of(CipherSuite(suite));
        if available < stock / 2 {
            missing.push((suite, stock.saturating_sub(available)));
        }
    }
    Ok(missing)
}
