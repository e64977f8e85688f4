//! Making an account from an invite, to be continued after any interruption.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use sabir_mls::identity::{
    CaCertificate, ClientCredential, Freshness, IdentityKey, Period, ServerCredential, TrustAnchors,
};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_mls::suite;
use sabir_wire::client_api::{
    CreateAccountRequest, CreateAccountResponse, HubIdentity, RegisterDeviceCode, RegisterDeviceRequest,
    RegisterDeviceResponse, SecretBytes, path,
};
use sabir_wire::codec::{Decode as _, Encode as _, put_opaque};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::mls::SignaturePublicKey;
use sabir_wire::uri::{ClientUri, Domain, ProviderUri, UserUri};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::publish::{self, STOCK};
use super::{AccountError, AccountRecord, RecoveryCode, Secret, recover};
use crate::invite::Invite;
use crate::random;
use crate::store::{Name, Store};
use crate::transport::{Call, Reach, Timing, Transport, TransportError};
use crate::types::Account;

/// How long a device certificate is valid, in milliseconds: two years, as the lifetime of its leaves.
pub(super) const DEVICE_LIFETIME: u64 = 2 * 365 * 24 * 3_600_000;
/// Bytes of an answer with certificates in it.
pub(super) const MAX_ANSWER: usize = 256 << 10;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The invitation.
    pub invite: Invite,
    /// The name before the `@` of the address.
    pub name: String,
    /// What the person calls this device.
    pub device_name: String,
    /// Trusted authorities for TLS, from [`crate::transport::read_anchors`]; empty for the operating system's.
    pub anchors: Vec<String>,
}

/// A creation on its way, written down before anything is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Creation {
    pub(super) reach: Reach,
    pub(super) user: String,
    pub(super) client: String,
    pub(super) device_name: String,
    /// None for a device that is linked: the key stays where it is.
    pub(super) identity_key: Option<Secret>,
    pub(super) device_key: Secret,
    /// None for a device that is linked.
    pub(super) recovery: Option<Secret>,
    /// The encoded `CreateAccountRequest`; none for a device that is linked.
    pub(super) account_request: Option<Secret>,
    /// What was issued, and the registration drawn up from it.
    pub(super) issued: Option<Issued>,
    pub(super) registered: bool,
    /// The encoded `RecoverAccountRequest` and the seed of the code that was typed, where the person comes back.
    #[serde(default)]
    pub(super) recovering: Option<Recovering>,
    /// Rooms that the device comes into once it is there.
    #[serde(default)]
    pub(super) rooms: Vec<String>,
}

/// What coming back needs beside what an account needs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recovering {
    /// The encoded `RecoverAccountRequest`.
    pub(super) request: Secret,
    /// Seed of the code that was typed: what is sealed to it is opened with it, once it is worth nothing else.
    pub(super) typed: Secret,
    /// The rooms are known, and sealed to the new code.
    pub(super) has_rooms: bool,
}

impl Creation {
    /// The public key that the person's rooms are sealed to, where this device has drawn the code itself.
    pub(super) fn backup_key(&self) -> Result<Option<Vec<u8>>, AccountError> {
        let Some(seed) = &self.recovery else {
            return Ok(None);
        };
        let code = RecoveryCode::from_seed(&seed.bytes()?).ok_or(AccountError::Damaged)?;
        Ok(Some(code.backup_keys()?.public))
    }

    /// Whether it is a device of an account that is there.
    pub(super) fn is_link(&self) -> bool {
        self.account_request.is_none() && self.recovering.is_none()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Issued {
    /// Content of the x509 credential, base64.
    pub(super) credential: String,
    /// The signed device list, base64.
    pub(super) device_list: String,
    /// The encoded `RegisterDeviceRequest`, base64.
    pub(super) request: String,
}

/// Makes an account: [`begin`], then [`resume`].
///
/// # Errors
/// [`AccountError`]. After [`AccountError::Transport`] the creation goes on with [`resume`].
pub async fn create(
    store: &mut Store,
    new: &NewAccount,
    timing: Timing,
) -> Result<(Account, RecoveryCode), AccountError> {
    begin(store, new)?;
    resume(store, timing).await
}

/// Draws all keys and writes down what will be sent. Nothing is sent.
///
/// # Errors
/// [`AccountError::Exists`], [`AccountError::InProgress`], [`AccountError::Name`].
pub fn begin(store: &mut Store, new: &NewAccount) -> Result<(), AccountError> {
    if store.get::<AccountRecord>(Name::ACCOUNT)?.is_some() {
        return Err(AccountError::Exists);
    }
    if in_progress(store)? {
        return Err(AccountError::InProgress);
    }
    let domain = &new.invite.domain;
    let mut rng = random::stream()?;
    let user = UserUri::new(domain, &new.name)?;
    let mut name = [0; 16];
    random::fill(&mut name)?;
    let client = ClientUri::new(domain, &BASE64URL_NOPAD.encode(&name))?;
    let mut seed = Zeroizing::new([0; 32]);
    random::fill(seed.as_mut_slice())?;
    let recovery = RecoveryCode::new(seed);
    let identity = IdentityKey::generate(&mut rng).map_err(AccountError::internal)?;
    let device = SigningKey::ed25519(&mut rng).map_err(AccountError::internal)?;
    let mut request = CreateAccountRequest {
        invite_token: SecretBytes::new(new.invite.token.as_bytes().to_vec()),
        user_name: new.name.clone(),
        identity_key: SignaturePublicKey(identity.public().to_vec()),
        recovery_commitment: recovery.commitment()?,
        signature: Vec::new(),
    };
    request.signature = identity
        .signing_key()
        .sign_with_label(
            CreateAccountRequest::SIGNATURE_LABEL,
            &request.tbs(&ProviderUri::from(domain)),
        )
        .map_err(AccountError::internal)?;
    let creation = Creation {
        reach: Reach {
            domain: domain.to_string(),
            connect: new.invite.connect,
            anchors: new.anchors.clone(),
        },
        user: user.to_string(),
        client: client.to_string(),
        device_name: new.device_name.clone(),
        identity_key: Some(Secret::new(&identity.signing_key().to_secret_bytes())),
        device_key: Secret::new(&device.to_secret_bytes()),
        recovery: Some(Secret::new(recovery.seed())),
        account_request: Some(Secret::new(&request.to_bytes())),
        issued: None,
        registered: false,
        recovering: None,
        rooms: Vec::new(),
    };
    Ok(store.transaction("begin account", |tx| tx.put(Name::CREATION, &creation))?)
}

/// Whether a creation was begun and not finished.
///
/// # Errors
/// The store's.
pub fn in_progress(store: &mut Store) -> Result<bool, AccountError> {
    Ok(store.get::<Creation>(Name::CREATION)?.is_some())
}

/// The recovery code of a finished creation, until [`confirm_recovery_code`].
///
/// # Errors
/// The store's.
pub fn recovery_code(store: &mut Store) -> Result<Option<RecoveryCode>, AccountError> {
    let seed = store.read(|tx| tx.get_bytes(Name::RECOVERY))?;
    seed.map(|seed| RecoveryCode::from_seed(&seed).ok_or(AccountError::Damaged))
        .transpose()
}

/// The person has written the recovery code down: the profile forgets it.
///
/// # Errors
/// The store's.
pub fn confirm_recovery_code(store: &mut Store) -> Result<(), AccountError> {
    Ok(store.transaction("recovery code confirmed", |tx| tx.remove(Name::RECOVERY))?)
}

/// Forgets a creation that was begun. Where the provider made the account already, the invite is used up.
///
/// # Errors
/// [`AccountError::InProgress`] for a recovery: where the provider has taken it, what is here is the one way on. Otherwise
/// the store's.
pub fn abandon(store: &mut Store) -> Result<(), AccountError> {
    let begun: Option<Creation> = store.get(Name::CREATION)?;
    if begun.is_some_and(|begun| begun.recovering.is_some()) {
        return Err(AccountError::InProgress);
    }
    forget(store)
}

fn forget(store: &mut Store) -> Result<(), AccountError> {
    Ok(store.transaction("abandon account", |tx| {
        tx.remove(Name::CREATION)?;
        tx.remove(Name::PUBLISHING)
    })?)
}

/// Goes on with a creation, with the same bytes wherever something was sent already.
///
/// # Errors
/// [`AccountError::Missing`] where none was begun; [`AccountError::Refused`] where the provider said no, after which
/// none is begun any more; [`AccountError::Transport`] where it goes on by calling this again.
pub async fn resume(store: &mut Store, timing: Timing) -> Result<(Account, RecoveryCode), AccountError> {
    let creation: Creation = store.get(Name::CREATION)?.ok_or(AccountError::Missing)?;
    let Some(recovery) = creation.recovery else {
        // A device that is being linked is no account of its own.
        return Err(AccountError::InProgress);
    };
    let code = RecoveryCode::from_seed(&recovery.bytes()?).ok_or(AccountError::Damaged)?;
    Ok((finish(store, timing).await?, code))
}

/// Does what is left of a creation, or of a linking.
pub(super) async fn finish(store: &mut Store, timing: Timing) -> Result<Account, AccountError> {
    let mut creation: Creation = store.get(Name::CREATION)?.ok_or(AccountError::Missing)?;
    let transport = Transport::new(&creation.reach, None, timing)?;
    let issued = match &creation.issued {
        Some(issued) => issued.clone(),
        None => match make_account(store, &transport, &creation).await {
            Ok(issued) => {
                creation.issued = Some(issued.clone());
                store.transaction("account made", |tx| tx.put(Name::CREATION, &creation))?;
                issued
            }
            Err(error @ AccountError::Refused(_)) => {
                forget(store)?;
                return Err(error);
            }
            Err(error) => return Err(error),
        },
    };
    if !creation.registered {
        register(&transport, &issued).await?;
        creation.registered = true;
        store.transaction("device registered", |tx| tx.put(Name::CREATION, &creation))?;
    }
    let backup_key = creation.backup_key()?;
    let account = AccountRecord {
        backup_key: backup_key.map(|key| BASE64.encode(&key)),
        user: creation.user.clone(),
        client: creation.client.clone(),
        device_name: creation.device_name.clone(),
        reach: creation.reach.clone(),
        identity_key: creation.identity_key.clone(),
        device_key: creation.device_key.clone(),
        credential: issued.credential,
        device_list: issued.device_list,
        suite: suite::DEFAULT,
    };
    let transport = Transport::new(&creation.reach, Some(account.device_key()?), timing)?;
    let anchors = store.read(|tx| tx.anchors())?;
    let hub = fetch_hub(&transport, &anchors).await?;
    recover::take_rooms(store, &transport, &mut creation).await?;
    let request = publish::prepare(store, &account, &STOCK, now()?)?;
    publish::send(&transport, request).await?;
    let recovery = creation.recovery.as_ref().map(Secret::bytes).transpose()?;
    store.transaction("account complete", |tx| {
        tx.remove(Name::PUBLISHING)?;
        tx.put_bytes(Name::HUB, &hub.to_bytes())?;
        if let Some(seed) = &recovery {
            tx.put_bytes(Name::RECOVERY, seed)?;
        }
        if !creation.rooms.is_empty() {
            tx.put(Name::TO_JOIN, &creation.rooms)?;
        }
        tx.put(Name::ACCOUNT, &account)?;
        tx.remove(Name::CREATION)
    })?;
    account.to_plain()
}

/// Asks who the provider is as a hub, and checks that its own CA says so.
pub(crate) async fn fetch_hub(
    transport: &Transport,
    anchors: &TrustAnchors,
) -> Result<HubIdentity, AccountError> {
    let answer = transport.call(&Call::get(path::HUB, MAX_ANSWER)).await?;
    let hub = HubIdentity::from_bytes(&answer).map_err(malformed)?;
    let now = now()?;
    ServerCredential::from_credential(&hub.credential)
        .and_then(|credential| credential.verify(anchors, transport.domain(), Freshness::At(now), &hub.key.0))
        .map_err(certificate)?;
    Ok(hub)
}

async fn make_account(
    store: &mut Store,
    transport: &Transport,
    creation: &Creation,
) -> Result<Issued, AccountError> {
    let published = transport.own_identities().await?;
    let (user_certificate, provider_ca) = match &creation.recovering {
        Some(recovering) => recover::ask(transport, recovering).await?,
        None => ask_for_account(transport, creation).await?,
    };
    // What the provider tells this device alone must be what it tells everybody.
    if !published.0.iter().any(|ca| ca.der() == provider_ca) {
        return Err(AccountError::Certificate(
            "it is not from the published identity".to_owned(),
        ));
    }
    let domain = Domain::parse(&creation.reach.domain)?;
    let mut anchors = TrustAnchors::new();
    anchors
        .pin(&domain, CaCertificate::parse(&provider_ca).map_err(certificate)?)
        .map_err(certificate)?;
    let issued = issue(creation, &anchors, &user_certificate)?;
    store.transaction("pin own provider", |tx| {
        published.0.iter().try_for_each(|ca| tx.put_anchor(&domain, ca))
    })?;
    Ok(issued)
}

async fn ask_for_account(
    transport: &Transport,
    creation: &Creation,
) -> Result<(Vec<u8>, Vec<u8>), AccountError> {
    let request = secret(creation.account_request.as_ref())?.to_vec();
    let answer = transport
        .call(&Call::post(path::ACCOUNTS, request, MAX_ANSWER).anonymous())
        .await?;
    let answer = CreateAccountResponse::from_bytes(&answer).map_err(malformed)?;
    Ok(match answer {
        CreateAccountResponse::Created {
            user_certificate,
            provider_ca,
        } => (user_certificate, provider_ca),
        CreateAccountResponse::InviteUnknown => return Err(AccountError::Refused("the invite is unknown")),
        CreateAccountResponse::InviteUsed => {
            return Err(AccountError::Refused("the invite was used already"));
        }
        CreateAccountResponse::InviteExpired => return Err(AccountError::Refused("the invite has expired")),
        CreateAccountResponse::NameTaken => return Err(AccountError::Refused("the name is taken")),
        CreateAccountResponse::NameInvalid => return Err(AccountError::Refused("the name is not allowed")),
        CreateAccountResponse::BadSignature => {
            return Err(AccountError::Internal("bad signature".to_owned()));
        }
    })
}

/// Issues the device's certificate and list, checks the whole chain and draws up the registration.
fn issue(
    creation: &Creation,
    anchors: &TrustAnchors,
    user_certificate: &[u8],
) -> Result<Issued, AccountError> {
    let mut rng = random::stream()?;
    let identity_key = secret(creation.identity_key.as_ref())?;
    let key = SigningKey::from_secret_bytes(&identity_key).map_err(AccountError::internal)?;
    let identity = IdentityKey::new(key).map_err(AccountError::internal)?;
    let device =
        SigningKey::from_secret_bytes(&creation.device_key.bytes()?).map_err(AccountError::internal)?;
    let client = ClientUri::parse(&creation.client)?;
    let user = UserUri::parse(&creation.user)?;
    let now = now()?;
    let period = Period {
        now,
        lifetime: DEVICE_LIFETIME,
    };
    let device_certificate = identity
        .issue_device(user_certificate, &client, device.public(), period, &mut rng)
        .map_err(|error| AccountError::Certificate(error.to_string()))?;
    let mut content = Vec::new();
    put_opaque(&mut content, &device_certificate);
    put_opaque(&mut content, user_certificate);
    let credential = ClientCredential::parse(&content).map_err(certificate)?;
    let verified = credential
        .verify(anchors, Freshness::At(now), device.public())
        .map_err(certificate)?;
    let recovery =
        RecoveryCode::from_seed(&secret(creation.recovery.as_ref())?).ok_or(AccountError::Damaged)?;
    if *verified.user() != user || *verified.recovery_commitment() != recovery.commitment()? {
        return Err(AccountError::Certificate("it is for somebody else".to_owned()));
    }
    if let Some(recovering) = &creation.recovering {
        recover::check(recovering, &verified)?;
    }
    let mut list = SignedDeviceList {
        user,
        version: 1,
        key_hashes: vec![KeyHash(sha256(device.public()))],
        signature: Vec::new(),
    };
    list.signature = identity
        .signing_key()
        .sign_with_label(SignedDeviceList::SIGNATURE_LABEL, &list.tbs())
        .map_err(AccountError::internal)?;
    issued(&credential, list, &client, &device)
}

/// A device's registration, signed by its key, and what was issued for it.
pub(super) fn issued(
    credential: &ClientCredential,
    list: SignedDeviceList,
    client: &ClientUri,
    key: &SigningKey,
) -> Result<Issued, AccountError> {
    let request = registration(credential, list, client, key)?;
    Ok(Issued {
        credential: BASE64.encode(&credential.to_bytes()),
        device_list: BASE64.encode(&request.device_list.to_bytes()),
        request: BASE64.encode(&request.to_bytes()),
    })
}

/// What a device registers itself with, or tells its provider of another list with.
pub(super) fn registration(
    credential: &ClientCredential,
    device_list: SignedDeviceList,
    client: &ClientUri,
    key: &SigningKey,
) -> Result<RegisterDeviceRequest, AccountError> {
    let mut request = RegisterDeviceRequest {
        credential: credential.to_credential(),
        device_list,
        signature: Vec::new(),
    };
    let provider = ProviderUri::from(client.authority());
    request.signature = key
        .sign_with_label(RegisterDeviceRequest::SIGNATURE_LABEL, &request.tbs(&provider))
        .map_err(AccountError::internal)?;
    Ok(request)
}

/// A secret of an account that is being made; a device that is linked has none of these.
fn secret(secret: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, AccountError> {
    secret.ok_or(AccountError::Damaged)?.bytes()
}

async fn register(transport: &Transport, issued: &Issued) -> Result<(), AccountError> {
    let request = BASE64
        .decode(issued.request.as_bytes())
        .map_err(|_| AccountError::Damaged)?;
    let answer = transport
        .call(&Call::post(path::DEVICES, request, MAX_ANSWER).anonymous())
        .await?;
    let answer = RegisterDeviceResponse::from_bytes(&answer).map_err(malformed)?;
    match answer.code {
        RegisterDeviceCode::Registered => Ok(()),
        RegisterDeviceCode::UnknownUser => Err(AccountError::DeviceRefused(
            "it does not know the account it made",
        )),
        RegisterDeviceCode::BadCredential => Err(AccountError::DeviceRefused(
            "it does not take the device's certificate",
        )),
        RegisterDeviceCode::BadDeviceList | RegisterDeviceCode::DeviceListTooOld => Err(
            AccountError::DeviceRefused("it does not take the list of devices"),
        ),
        RegisterDeviceCode::BadSignature => Err(AccountError::DeviceRefused(
            "it does not take the device's signature",
        )),
        RegisterDeviceCode::ClientTaken => Err(AccountError::DeviceRefused("the device's name is taken")),
    }
}

/// Milliseconds since the epoch by this machine's clock.
pub(crate) fn now() -> Result<u64, AccountError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|_| AccountError::Internal("the clock is before 1970".to_owned()))?;
    u64::try_from(since.as_millis()).map_err(AccountError::internal)
}

pub(super) fn malformed(error: sabir_wire::codec::DecodeError) -> TransportError {
    TransportError::Malformed(error.to_string())
}

pub(super) fn certificate(error: sabir_mls::identity::CredentialError) -> AccountError {
    AccountError::Certificate(error.to_string())
}
