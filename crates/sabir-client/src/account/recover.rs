//! Coming back with the recovery code, on an empty profile (docs/decisions/0008-recovery.md).
//!
//! The same steps as the making of an account, with the recovery key's word in the place of the invite: everything is drawn
//! and written down before anything is sent, and what was sent is sent again byte for byte. The identity key is always a
//! new one, whether the old device is lost or stolen; so is the code.

use std::net::SocketAddr;

use data_encoding::BASE64URL_NOPAD;
use sabir_mls::identity::{Identity, IdentityKey, VerifiedClient, prove_recovery};
use sabir_mls::keys::SigningKey;
use sabir_wire::client_api::{MAX_BACKUP, RecoverAccountRequest, RecoverAccountResponse, path};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::recovery::{MAX_BACKUP_ROOMS, RoomsBackup};
use sabir_wire::uri::{ClientUri, ProviderUri, RoomUri, UserUri};
use zeroize::Zeroizing;

use super::create::{Creation, MAX_ANSWER, Recovering, malformed, resume};
use super::{AccountError, AccountRecord, RecoveryCode, Secret};
use crate::pairing::{open, seal};
use crate::random;
use crate::store::{Name, Store};
use crate::transport::{Call, Reach, Timing, Transport};
use crate::types::Account;

/// Bytes of a backup beside its rooms: the person, lengths, and what sealing adds.
const BACKUP_OVERHEAD: usize = 1024;

/// Somebody who comes back.
#[derive(Debug, Clone)]
pub struct NewRecovery {
    /// Who.
    pub user: UserUri,
    /// What they wrote down.
    pub code: RecoveryCode,
    /// Where their provider listens, if on this machine.
    pub connect: Option<SocketAddr>,
    /// What the person calls this device.
    pub device_name: String,
    /// Trusted authorities for TLS, from [`crate::transport::read_anchors`]; empty for the operating system's.
    pub anchors: Vec<String>,
}

/// Makes this empty profile the person's, and no other device. Where that was begun here before, it goes on, and the code
/// that is given counts where the first one is refused.
///
/// # Errors
/// [`AccountError::Refused`] where it is not this person's code, or was used; nothing has changed then.
/// [`AccountError::Transport`] where it goes on by calling this again.
pub async fn recover(
    store: &mut Store,
    new: &NewRecovery,
    timing: Timing,
) -> Result<(Account, RecoveryCode), AccountError> {
    match store.get::<Creation>(Name::CREATION)? {
        Some(mut begun) if begun.recovering.is_some() && begun.user == new.user.as_str() => {
            // Where the provider is, and whom to trust, is as it is said now.
            begun.reach.connect = new.connect;
            begun.reach.anchors.clone_from(&new.anchors);
            store.transaction("go on with recovery", |tx| tx.put(Name::CREATION, &begun))?;
            match resume(store, timing).await {
                // What was begun is forgotten; perhaps it is the code of now that is right.
                Err(AccountError::Refused(_)) => begin(store, new)?,
                outcome => return outcome,
            }
        }
        Some(_) => return Err(AccountError::InProgress),
        None => begin(store, new)?,
    }
    resume(store, timing).await
}

/// Draws all keys and writes down what will be sent. Nothing is sent.
fn begin(store: &mut Store, new: &NewRecovery) -> Result<(), AccountError> {
    if store.get::<AccountRecord>(Name::ACCOUNT)?.is_some() {
        return Err(AccountError::Exists);
    }
    let domain = new.user.authority();
    let mut rng = random::stream()?;
    let mut name = [0; 16];
    random::fill(&mut name)?;
    let client = ClientUri::new(domain, &BASE64URL_NOPAD.encode(&name))?;
    let mut seed = Zeroizing::new([0; 32]);
    random::fill(seed.as_mut_slice())?;
    let next = RecoveryCode::new(seed);
    let identity = IdentityKey::generate(&mut rng).map_err(AccountError::internal)?;
    let device = SigningKey::ed25519(&mut rng).map_err(AccountError::internal)?;
    let (identity_key, commitment) = (*identity.public(), next.commitment()?);
    let proof = prove_recovery(&new.code.signing_key()?, &new.user, identity_key, commitment);
    let mut request = RecoverAccountRequest {
        user: new.user.clone(),
        identity_key,
        recovery_commitment: commitment,
        proof: proof.map_err(AccountError::internal)?,
        signature: Vec::new(),
    };
    request.signature = identity
        .signing_key()
        .sign_with_label(
            RecoverAccountRequest::SIGNATURE_LABEL,
            &request.tbs(&ProviderUri::from(domain)),
        )
        .map_err(AccountError::internal)?;
    let creation = Creation {
        reach: Reach {
            domain: domain.to_string(),
            connect: new.connect,
            anchors: new.anchors.clone(),
        },
        user: new.user.to_string(),
        client: client.to_string(),
        device_name: new.device_name.clone(),
        identity_key: Some(Secret::new(&identity.signing_key().to_secret_bytes())),
        device_key: Secret::new(&device.to_secret_bytes()),
        recovery: Some(Secret::new(next.seed())),
        account_request: None,
        issued: None,
        registered: false,
        recovering: Some(Recovering {
            request: Secret::new(&request.to_bytes()),
            typed: Secret::new(new.code.seed()),
            has_rooms: false,
        }),
        rooms: Vec::new(),
    };
    Ok(store.transaction("begin recovery", |tx| tx.put(Name::CREATION, &creation))?)
}

/// Asks the provider to put the new identity key in the old one's place: the new user certificate, and whose it is.
pub(super) async fn ask(
    transport: &Transport,
    recovering: &Recovering,
) -> Result<(Vec<u8>, Vec<u8>), AccountError> {
    let request = recovering.request.bytes()?.to_vec();
    let call = Call::post(path::RECOVER, request, MAX_ANSWER).anonymous();
    let answer = transport.call(&call).await?;
    match RecoverAccountResponse::from_bytes(&answer).map_err(malformed)? {
        RecoverAccountResponse::Recovered {
            user_certificate,
            provider_ca,
        } => Ok((user_certificate, provider_ca)),
        RecoverAccountResponse::Refused => Err(AccountError::Refused(
            "this is not the recovery code of this account, or it was used before",
        )),
    }
}

/// What the provider issued must say to everybody that the person came back, or rooms would not let this device in.
pub(super) fn check(recovering: &Recovering, verified: &VerifiedClient) -> Result<(), AccountError> {
    let typed = RecoveryCode::from_seed(&recovering.typed.bytes()?).ok_or(AccountError::Damaged)?;
    let old = Identity {
        key: [0; 32],
        commitment: typed.commitment()?,
    };
    if verified.replaces(&old) {
        Ok(())
    } else {
        let missing = "it lacks the proof that you came back";
        Err(AccountError::Certificate(missing.to_owned()))
    }
}

/// Opens what lies at the provider for the code that was typed, and seals it to the new one before that is shown: whoever
/// loses this device at once still has the rooms.
pub(super) async fn take_rooms(
    store: &mut Store,
    transport: &Transport,
    creation: &mut Creation,
) -> Result<(), AccountError> {
    let (user, rooms) = {
        let Some(recovering) = creation.recovering.as_ref().filter(|it| !it.has_rooms) else {
            return Ok(());
        };
        let next = creation.recovery.as_ref().ok_or(AccountError::Damaged)?;
        let user = UserUri::parse(&creation.user)?;
        let answer = transport.call(&Call::get(path::BACKUP, MAX_BACKUP)).await?;
        // The other way round where this was interrupted behind its upload.
        let rooms = [&recovering.typed, next].into_iter().find_map(|seed| {
            let keys = RecoveryCode::from_seed(&seed.bytes().ok()?)?.backup_keys().ok()?;
            let label = RoomsBackup::ENCRYPTION_LABEL;
            let plain = open(&keys.private, label, &user.to_bytes(), &answer).ok()?;
            RoomsBackup::from_bytes(&plain).ok()
        });
        let rooms = rooms
            .filter(|backup| backup.user == user)
            .map(|backup| backup.rooms);
        (user, rooms.unwrap_or_default())
    };
    let key = creation.backup_key()?.ok_or(AccountError::Damaged)?;
    let key = key.try_into().map_err(|_| AccountError::Damaged)?;
    if !rooms.is_empty() {
        let sealed = seal_rooms(&key, &user, &rooms)?;
        transport.call(&Call::post(path::BACKUP, sealed, 0)).await?;
    }
    creation.rooms = rooms.iter().map(ToString::to_string).collect();
    if let Some(recovering) = &mut creation.recovering {
        recovering.has_rooms = true;
    }
    store.transaction("rooms known", |tx| tx.put(Name::CREATION, &*creation))?;
    Ok(())
}

/// Seals the person's rooms to the key that follows from their recovery code: as many as there is place for.
pub(crate) fn seal_rooms(key: &[u8; 32], user: &UserUri, rooms: &[RoomUri]) -> Result<Vec<u8>, AccountError> {
    let mut length = BACKUP_OVERHEAD;
    let fits = rooms.iter().take(MAX_BACKUP_ROOMS).take_while(|room| {
        length = length.saturating_add(room.as_str().len()).saturating_add(4);
        length <= MAX_BACKUP
    });
    let backup = RoomsBackup {
        user: user.clone(),
        rooms: fits.cloned().collect(),
    };
    let mut rng = random::stream()?;
    let label = RoomsBackup::ENCRYPTION_LABEL;
    seal(key, label, &user.to_bytes(), &backup.to_bytes(), &mut rng).map_err(AccountError::internal)
}
