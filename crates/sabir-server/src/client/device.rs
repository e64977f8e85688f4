use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use rustls::pki_types::CertificateDer;
use sabir_mls::identity::{ClientCredential, Freshness};
use sabir_mls::keys::sha256;
use sabir_mls::suite::verify_ed25519;
use sabir_store::{Account, AddDevice, Device, DeviceOutcome, Enqueue, Notice};
use sabir_wire::client_api::{
    DevicesResponse, ListedDevice, RegisterDeviceCode, RegisterDeviceRequest, RegisterDeviceResponse,
};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::mls::Credential;
use sabir_wire::uri::ProviderUri;

use super::Session;
use crate::error::{Error, log_refused};
use crate::events;
use crate::http::{Payload, binary, finish};
use crate::server::Shared;

/// The devices of an account that its newest list names.
#[must_use]
pub fn listed_devices(account: &Account, devices: Vec<Device>) -> Vec<Device> {
    let Ok(list) = SignedDeviceList::from_bytes(&account.device_list) else {
        return Vec::new();
    };
    devices
        .into_iter()
        .filter(|device| list.contains(&key_hash(&device.signature_key)))
        .collect()
}

/// Whether the account's newest list names the device.
pub(super) fn is_listed(account: &Account, device: &Device) -> bool {
    SignedDeviceList::from_bytes(&account.device_list)
        .is_ok_and(|list| list.contains(&key_hash(&device.signature_key)))
}

/// `POST devices`
pub(super) async fn register(State(shared): State<Arc<Shared>>, payload: Payload) -> Result<Response, Error> {
    finish(async move {
        let _place = shared.place()?;
        let request = RegisterDeviceRequest::from_bytes(payload.bytes())
            .map_err(|_| Error::Malformed("RegisterDeviceRequest"))?;
        let code = try_register(&shared, &request).await?;
        if code != RegisterDeviceCode::Registered {
            log_refused("a device", code, None);
        }
        Ok(binary(RegisterDeviceResponse { code }.to_bytes()))
    })
    .await
}

async fn try_register(shared: &Shared, request: &RegisterDeviceRequest) -> Result<RegisterDeviceCode, Error> {
    use RegisterDeviceCode as Code;
    let Ok(credential) = ClientCredential::from_credential(&request.credential) else {
        return Ok(Code::BadCredential);
    };
    let user = credential.claimed_user();
    if user.authority() != &shared.domain {
        return Ok(Code::UnknownUser);
    }
    let Some(account) = shared.store.account(user.as_str())? else {
        return Ok(Code::UnknownUser);
    };
    let Some(key) = device_key(&request.credential) else {
        return Ok(Code::BadCredential);
    };
    let now = shared.ambient.now();
    let Ok(client) = credential.verify(&shared.anchors.known(), Freshness::At(now), &key) else {
        return Ok(Code::BadCredential);
    };
    // An identity key that was replaced speaks for nobody any more, whatever its certificate says.
    if client.identity_key().as_slice() != account.identity_key {
        return Ok(Code::BadCredential);
    }
    let list = &request.device_list;
    let signed = verify_ed25519(
        client.identity_key(),
        SignedDeviceList::SIGNATURE_LABEL,
        &list.tbs(),
        &list.signature,
    );
    if list.user != *user || signed.is_err() || !list.contains(&key_hash(&key)) {
        return Ok(Code::BadDeviceList);
    }
    let tbs = request.tbs(&ProviderUri::from(&shared.domain));
    if verify_ed25519(
        &key,
        RegisterDeviceRequest::SIGNATURE_LABEL,
        &tbs,
        &request.signature,
    )
    .is_err()
    {
        return Ok(Code::BadSignature);
    }
    // Of the first list there is nobody to tell.
    let raises = (1..list.version).contains(&account.device_list_version);
    let command = AddDevice {
        user: user.as_str().to_owned(),
        // Once more, with the change: a recovery may come between.
        identity_key: client.identity_key().to_vec(),
        client_uri: client.client().as_str().to_owned(),
        credential: credential.to_bytes(),
        signature_key: key.to_vec(),
        device_list: list.to_bytes(),
        device_list_version: list.version,
        now,
    };
    match shared.store.add_device(command).await? {
        DeviceOutcome::Added | DeviceOutcome::Updated | DeviceOutcome::Same => {}
        DeviceOutcome::AccountUnknown => return Ok(Code::UnknownUser),
        DeviceOutcome::AnotherIdentity => return Ok(Code::BadCredential),
        DeviceOutcome::ClientTaken => return Ok(Code::ClientTaken),
        DeviceOutcome::ListNotNewer { .. } => return Ok(Code::DeviceListTooOld),
    }
    sign_out_unlisted(shared, user.as_str()).await?;
    if raises {
        tell_of_new_list(shared, user.as_str(), now).await?;
    }
    Ok(Code::Registered)
}

/// `GET devices`
pub(super) async fn list(State(shared): State<Arc<Shared>>, session: Session) -> Result<Response, Error> {
    let account = shared
        .store
        .account(session.user.as_str())?
        .ok_or(Error::Unauthenticated)?;
    let device_list = SignedDeviceList::from_bytes(&account.device_list)
        .map_err(|_| Error::Internal("a stored device list"))?;
    let listed = |device: Device| {
        let credential = ClientCredential::parse(&device.credential)
            .map_err(|_| Error::Internal("a stored credential"))?
            .to_credential();
        Ok(ListedDevice {
            credential,
            added_at: device.added_at,
        })
    };
    let devices = listed_devices(&account, shared.store.devices(session.user.as_str())?);
    let devices = devices.into_iter().map(listed).collect::<Result<_, Error>>()?;
    Ok(binary(DevicesResponse { device_list, devices }.to_bytes()))
}

/// The key packages that lay here went with the old list; the devices of the new one look at it and make others.
async fn tell_of_new_list(shared: &Shared, user: &str, now: u64) -> Result<(), Error> {
    let Some(account) = shared.store.account(user)? else {
        return Ok(());
    };
    let notice = |device: Device| Notice {
        device: device.client_uri,
        kind: events::KEY_PACKAGES_LOW,
        body: 0_u32.to_be_bytes().to_vec(),
    };
    let devices = listed_devices(&account, shared.store.devices(user)?);
    let command = Enqueue {
        notices: devices.into_iter().map(notice).collect(),
        answer: None,
        now,
    };
    shared.store.device_enqueue(command).await?;
    Ok(())
}

/// Takes the tokens from devices that the newest list does not name.
pub(super) async fn sign_out_unlisted(shared: &Shared, user: &str) -> Result<(), Error> {
    let Some(account) = shared.store.account(user)? else {
        return Ok(());
    };
    for device in shared.store.devices(user)? {
        if !is_listed(&account, &device) {
            shared.sessions.revoke(&shared.store, &device.client_uri).await?;
        }
    }
    Ok(())
}

fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash(sha256(key))
}

/// The key in the device certificate. Verifying the credential checks that it is: this only finds it.
fn device_key(credential: &Credential) -> Option<[u8; 32]> {
    let Credential::X509 { certificates } = credential else {
        return None;
    };
    let der = CertificateDer::from(certificates.first()?.as_slice());
    let certificate = webpki::EndEntityCert::try_from(&der).ok()?;
    let info = certificate.subject_public_key_info();
    // An Ed25519 SubjectPublicKeyInfo ends with the 32 bytes of the key (RFC 8410 §4).
    info.as_ref().last_chunk::<32>().copied()
}
