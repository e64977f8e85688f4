use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use sabir_mls::{key_package, suite};
use sabir_store::{KeyPackageRow, PublishKeyPackages};
use sabir_wire::client_api::{
    KeyPackageCount, KeyPackageCountResponse, PublishKeyPackagesRequest, PublishKeyPackagesResponse,
};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{CipherSuite, KeyPackage};

use super::Session;
use crate::error::Error;
use crate::http::{Payload, binary, finish};
use crate::key_material::fresh_at;
use crate::server::Shared;

/// `POST key-packages`
pub(super) async fn publish(
    State(shared): State<Arc<Shared>>,
    session: Session,
    payload: Payload,
) -> Result<Response, Error> {
    finish(async move {
        let _place = shared.place()?;
        let request = PublishKeyPackagesRequest::from_bytes(payload.bytes())
            .map_err(|_| Error::Malformed("PublishKeyPackagesRequest"))?;
        let now = shared.ambient.now();
        let packages = {
            let (of, session) = (Arc::clone(&shared), session.clone());
            // A hundred of them take some ten milliseconds.
            let judging = move || judged(&of, &session, &request.key_packages, now);
            shared.ambient.aside(judging).await??
        };
        let command = PublishKeyPackages {
            device: session.client.as_str().to_owned(),
            user: session.user.as_str().to_owned(),
            packages,
        };
        let published = shared.store.publish_key_packages(command).await?;
        let answer = PublishKeyPackagesResponse {
            accepted: u32::try_from(published.stored).unwrap_or(u32::MAX),
            available: available(&shared, &session)?,
        };
        Ok(binary(answer.to_bytes()))
    })
    .await
}

/// `GET key-packages`
pub(super) async fn count(State(shared): State<Arc<Shared>>, session: Session) -> Result<Response, Error> {
    let fresh = fresh_at(shared.ambient.now());
    let mut counts = Vec::new();
    for suite in suite::supported() {
        let count = shared
            .store
            .count_key_packages_in(session.client.as_str(), suite, fresh)?;
        counts.push(KeyPackageCount {
            suite: CipherSuite(suite),
            available: u32::try_from(count).unwrap_or(u32::MAX),
        });
    }
    counts.retain(|count| count.available > 0);
    Ok(binary(KeyPackageCountResponse { counts }.to_bytes()))
}

fn available(shared: &Shared, session: &Session) -> Result<u32, Error> {
    let fresh = fresh_at(shared.ambient.now());
    let count = shared.store.count_key_packages(session.client.as_str(), fresh)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// All of them or none: each must hold by itself and be the device's that sends it.
fn judged(
    shared: &Shared,
    session: &Session,
    packages: &[KeyPackage],
    now: u64,
) -> Result<Vec<KeyPackageRow>, Error> {
    let device = shared
        .store
        .device(session.client.as_str())?
        .ok_or(Error::Unauthenticated)?;
    let account = shared
        .store
        .account(session.user.as_str())?
        .ok_or(Error::Unauthenticated)?;
    let anchors = shared.anchors.known();
    let judge = |package: &KeyPackage| {
        let bytes = package.to_bytes();
        let verified = key_package::verify(&bytes, &anchors, now)
            .map_err(|error| Error::Denied("a key package does not hold").because(error))?;
        let client = &verified.client;
        if *client.client() != session.client || client.device_key().as_slice() != device.signature_key {
            return Err(Error::Denied("a key package is another device's"));
        }
        // Under another list than the newest it would be of no use to anybody who has seen that one.
        if verified.device_list.as_deref() != Some(account.device_list.as_slice()) {
            return Err(Error::Conflict("a key package is not of the newest device list"));
        }
        Ok(KeyPackageRow {
            reference: verified.reference,
            bytes,
            suite: verified.suite,
            not_after: verified.not_after.min(client.not_after()),
            published_at: now,
        })
    };
    packages.iter().map(judge).collect()
}
