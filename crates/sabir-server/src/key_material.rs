//! Key packages: asked for by our devices and by other providers, answered from the store or passed on.
//!
//! ```text
//! device --> requester's provider --> hub of the room --> target's provider
//!            (each is us or not)      records where         takes one key package
//!                                     Welcomes go           of each device
//! ```
//!
//! The same bytes get the same key packages again: the store remembers a take by the hash of its request.

use bytes::Bytes;
use sabir_core::key_material::{self, Errand, Offer, Refusal, RequestError};
use sabir_mls::identity::VerifiedClient;
use sabir_mls::keys::sha256;
use sabir_store::{
    Answer, Enqueue, Freshness, KeyPackagePick, Notice, RecordRoutes, RouteRow, TakeKeyPackages,
};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::protocol::{ClientKeyStatus, KeyMaterialRequest, KeyMaterialResponse, KeyMaterialUserCode};
use sabir_wire::uri::{ClientUri, Domain, UserUri};

use crate::client::Session;
use crate::directory::Endpoint;
use crate::error::{Error, log_refused};
use crate::events;
use crate::forward::forward;
use crate::http::{Claim, authorise_from};
use crate::rooms::{self, Who};
use crate::server::Shared;
use crate::waits::By;

const DAY_MS: u64 = 24 * 3_600_000;
/// Key packages published longer ago are not handed out: their credential may be old.
const OLDEST_MS: u64 = 30 * DAY_MS;
/// What is handed out must be good for this long, so that the Welcome finds its keys.
const SPARE_MS: u64 = DAY_MS;
/// How long a hub remembers where a key package of another provider came from.
const ROUTE_MS: u64 = 90 * DAY_MS;
/// With this many left, or fewer, a device is told to publish more.
const FEW: u64 = 20;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Asker {
    /// One of our devices.
    Device(Session),
    /// Another provider.
    Provider(Domain),
}

impl Asker {
    fn by(&self) -> By<'_> {
        match self {
            Self::Device(session) => By::Device(&session.client),
            Self::Provider(domain) => By::Provider(domain),
        }
    }
}

/// Answers a `KeyMaterialRequest` for the user in the path, or has it answered; gives an encoded
/// `KeyMaterialResponse`.
///
/// # Errors
/// [`Error`].
pub async fn request(shared: &Shared, asker: &Asker, target: &UserUri, body: Bytes) -> Result<Bytes, Error> {
    let request =
        KeyMaterialRequest::from_bytes(&body).map_err(|_| Error::Malformed("KeyMaterialRequest"))?;
    if request.target_user != *target {
        return Err(Error::Malformed("target user"));
    }
    let from = match asker {
        Asker::Provider(from) => {
            let claim = Claim::KeyMaterial {
                requester: &request.requesting_user,
                target,
                room: request.room_id.as_ref(),
            };
            authorise_from(from, &shared.domain, claim)?;
            from
        }
        Asker::Device(session) if session.user != request.requesting_user => {
            return Err(Error::Denied("the requester is another user"));
        }
        Asker::Device(_) => &shared.domain,
    };
    let by = asker.by();
    let requester = verified(shared, by, &request).await?;
    if let Asker::Device(session) = asker
        && session.client != *requester.client()
    {
        return Err(Error::Denied("the requester is another device"));
    }
    let place = shared.place()?;
    let errand = key_material::authorise(&request, &requester, from, &shared.domain).map_err(refused)?;
    if let Some(room) = request
        .room_id
        .as_ref()
        .filter(|room| *room.authority() == shared.domain)
        && !rooms::is_here_with(shared, room, Who::Participant(requester.user())).await?
    {
        return Err(Error::Denied("the requester is no participant of the room"));
    }
    match errand {
        Errand::Answer => Ok(answer(shared, &request, &body).await?.into()),
        Errand::Relay(provider) => {
            drop(place);
            relay(shared, by, &request, &provider, body).await
        }
    }
}

/// The key packages of a device that may be handed out now.
#[must_use]
pub fn fresh_at(now: u64) -> Freshness {
    Freshness {
        min_not_after: now.saturating_add(SPARE_MS),
        published_since: now.saturating_sub(OLDEST_MS),
    }
}

async fn verified(
    shared: &Shared,
    by: By<'_>,
    request: &KeyMaterialRequest,
) -> Result<VerifiedClient, Error> {
    let verify = || key_material::verify_request(request, &shared.anchors.known(), shared.ambient.now());
    match verify() {
        Err(RequestError::UnknownProvider(domain)) => {
            shared.anchors.learn(shared, by, &domain).await?;
            verify().map_err(refused)
        }
        verified => verified.map_err(refused),
    }
}

fn refused(error: RequestError) -> Error {
    let told = match error {
        RequestError::NotAuthorised => {
            Error::WrongAuthority("the requester is not its user, the room not its own")
        }
        RequestError::Misdirected => Error::NotFound("user"),
        RequestError::UnknownProvider(_) => Error::Upstream("its identity is not known"),
        _ => Error::Denied("the request does not prove who made it"),
    };
    told.because(error)
}

/// As the target's provider.
async fn answer(shared: &Shared, request: &KeyMaterialRequest, body: &[u8]) -> Result<Vec<u8>, Error> {
    let target = request.target_user.as_str();
    let Some(account) = shared.store.account(target)? else {
        log_refused(
            "a request for key material",
            KeyMaterialUserCode::UserUnknown,
            None,
        );
        return Ok(key_material::refuse(request, Refusal::UserUnknown).to_bytes());
    };
    let now = shared.ambient.now();
    let fresh = fresh_at(now);
    let mut picks = Vec::new();
    for device in crate::client::listed_devices(&account, shared.store.devices(target)?) {
        let mut suites = Vec::new();
        for suite in &request.acceptable_ciphersuites {
            let found = shared
                .store
                .peek_key_package(&device.client_uri, suite.0, fresh)?;
            if found.is_some_and(|row| fits(&row.bytes, request)) {
                suites.push(suite.0);
            }
        }
        picks.push(KeyPackagePick {
            device: device.client_uri,
            suites,
        });
    }
    let request_key = sha256(body);
    let command = TakeKeyPackages {
        request_key,
        picks,
        fresh,
        now,
    };
    let mut offers = Vec::new();
    let mut notices = Vec::new();
    for taken in shared.store.take_key_packages(command).await? {
        let client = ClientUri::parse(&taken.device).map_err(|_| Error::Internal("a stored client URI"))?;
        let left = shared.store.count_key_packages(&taken.device, fresh)?;
        // A device runs out of each suite by itself.
        let few = match &taken.package {
            Some(row) => shared
                .store
                .count_key_packages_in(&taken.device, row.suite, fresh)?,
            None => left,
        };
        let offer = match taken.package {
            // Another request may have taken the one that was looked at.
            Some(row) if fits(&row.bytes, request) => Offer::KeyPackage(row.bytes),
            None if left == 0 => Offer::Exhausted,
            _ => Offer::Incompatible,
        };
        if few <= FEW {
            notices.push(Notice {
                device: taken.device,
                kind: events::KEY_PACKAGES_LOW,
                body: u32::try_from(few).unwrap_or(u32::MAX).to_be_bytes().to_vec(),
            });
        }
        offers.push((client, offer));
    }
    tell(shared, request_key, notices, now).await?;
    let response =
        key_material::respond(request, offers).map_err(|_| Error::Internal("a stored key package"))?;
    Ok(response.to_bytes())
}

/// Tells devices that they run out, once for each request.
async fn tell(shared: &Shared, request_key: [u8; 32], notices: Vec<Notice>, now: u64) -> Result<(), Error> {
    if notices.is_empty() {
        return Ok(());
    }
    let command = Enqueue {
        notices,
        answer: Some(Answer {
            origin: "key-packages-low".to_owned(),
            request_hash: request_key,
            response: Vec::new(),
        }),
        now,
    };
    shared.store.device_enqueue(command).await?;
    Ok(())
}

fn fits(key_package: &[u8], request: &KeyMaterialRequest) -> bool {
    key_material::compatible(key_package, request).unwrap_or(false)
}

/// Passes the request on, and remembers as the hub where its key packages come from.
async fn relay(
    shared: &Shared,
    by: By<'_>,
    request: &KeyMaterialRequest,
    provider: &Domain,
    body: Bytes,
) -> Result<Bytes, Error> {
    let segment = request.target_user.to_path_segment();
    let bytes = forward(shared, by, provider, Endpoint::KeyMaterial, &segment, body).await?;
    let response = KeyMaterialResponse::from_bytes(&bytes)
        .map_err(|_| Error::Upstream("its answer is no KeyMaterialResponse"))?;
    if response.user_uri != request.target_user {
        return Err(Error::Upstream("its answer is about another user"));
    }
    let we_are_hub = request
        .room_id
        .as_ref()
        .is_some_and(|room| *room.authority() == shared.domain);
    if we_are_hub {
        let foreign = |client: &sabir_wire::protocol::ClientKeyMaterial| {
            matches!(client.status, ClientKeyStatus::Success(_)) && client.client_uri.authority() != provider
        };
        if response.clients.iter().any(foreign) {
            return Err(Error::Upstream("its answer names clients of another provider"));
        }
        let references = key_material::references(&response)
            .map_err(|_| Error::Upstream("its answer holds key packages of an unknown suite"))?;
        let expires_at = shared.ambient.now().saturating_add(ROUTE_MS);
        let routes = references.into_iter().map(|(reference, _)| RouteRow {
            reference,
            provider: provider.as_str().to_owned(),
            expires_at,
        });
        // Durable before the answer: the commit that uses them may come at once.
        let routes = routes.collect();
        shared.store.record_routes(RecordRoutes { routes }).await?;
    }
    Ok(bytes)
}
