//! The person's devices: looked at, and linked by the one that holds the identity key (docs/decisions/0007-devices.md).
//!
//! ```text
//! look:  GET devices --> the newest list, adopted where it is newer; where the own one is newer, the provider is told
//! add:   text --> hello, reveal, number --confirmed--> next list signed, on disk --> registered --> letter
//! ```
//!
//! A list is on disk before anybody else sees it, and is registered by [`look`] after any interruption. A device of which
//! the provider has not heard is left out of the next list: its letter never arrived.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use sabir_core::conversation::{Conversation, ConversationContext};
use sabir_mls::identity::ClientCredential;
use sabir_mls::keys::sha256;
use sabir_wire::client_api::{
    DevicesResponse, MAX_DEVICES_RESPONSE, RegisterDeviceCode, RegisterDeviceResponse, path,
};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::device_list::{KeyHash, MAX_DEVICES};
use sabir_wire::pairing::{
    MAX_DEVICE_NAME, MAX_PAIRING_ROOMS, PAIRING_REVEAL, PairingHello, PairingLetter, PairingReveal,
};
use sabir_wire::uri::RoomUri;
use tokio::time::Instant;

use super::apply::alarm;
use super::keeper::{Keep, Keeper, NO_ROOM, Work};
use super::rejoin::{self, Listed};
use super::{Client, ClientError};
use crate::account::{AccountError, Adopted, PairingError, now, patiently};
use crate::pairing::{PATIENCE, Paired, is_number, number, seal};
use crate::random;
use crate::store::{Name, StoreError, Tx};
use crate::transport::{Call, Timing, Transport};
use crate::types::{Device, Devices};

/// Bytes of the answer to a registration.
const MAX_ANSWER: usize = 4 << 10;
/// What an alarm about the list of devices begins with.
const LIST_ALARM: &str = "Your provider shows a list of your devices that cannot be right";

type Names = BTreeMap<String, String>;

impl Client {
    /// The person's devices, as the newest signed list and the provider know them.
    ///
    /// # Errors
    /// [`ClientError::Transport`], and [`ClientError::Account`] where the list does not hold.
    pub async fn devices(&self) -> Result<Devices, ClientError> {
        let seen = look(&self.0.keep, &self.0.transport).await?;
        self.0.keep.run(move |keeper| keeper.describe(&seen)).await?
    }

    /// Takes a device off the list: the provider cuts it off at once, and this device takes it out of every room, now or
    /// after a restart. `which` is its identifier, or its name where only one has it.
    ///
    /// # Errors
    /// [`ClientError::NoDevice`], [`PairingError::MayNot`], and [`ClientError::Denied`] for this very device. Where the
    /// provider is not reached, the list is signed and goes to it later.
    pub async fn revoke_device(&self, which: &str) -> Result<Devices, ClientError> {
        let (keep, transport) = (&self.0.keep, &self.0.transport);
        let seen = look(keep, transport).await?;
        let which = which.to_owned();
        keep.run(move |keeper| keeper.revoke(&seen, &which)).await??;
        let seen = look(keep, transport).await?;
        keep.run(move |keeper| keeper.describe(&seen)).await?
    }

    /// Calls a device otherwise: this one, or another as this profile shows it. `which` is as for [`Self::revoke_device`]. The
    /// name stays on this device.
    ///
    /// # Errors
    /// [`ClientError::NoDevice`], [`ClientError::DeviceName`], and those of [`Self::devices`].
    pub async fn rename_device(&self, which: &str, name: &str) -> Result<Devices, ClientError> {
        let (keep, transport) = (&self.0.keep, &self.0.transport);
        let seen = look(keep, transport).await?;
        let (which, name) = (which.to_owned(), name.to_owned());
        let (devices, own) = keep
            .run(move |keeper| {
                let own = keeper.rename(&seen, &which, &name)?;
                Ok::<_, ClientError>((keeper.describe(&seen)?, own))
            })
            .await??;
        if let Some(name) = own {
            let mut account = self.0.account.write().unwrap_or_else(PoisonError::into_inner);
            account.device_name = name;
        }
        Ok(devices)
    }

    /// Answers a new device whose text the person gave. Nothing changes before [`Adding::confirm`].
    ///
    /// # Errors
    /// [`PairingError`] within [`ClientError::Account`], and those of the transport.
    pub async fn begin_adding(&self, shown: &str) -> Result<Adding, ClientError> {
        let paired = Paired::read(shown).map_err(AccountError::from)?;
        let transport = self.0.transport.clone();
        if paired.text.client.authority() != transport.domain() {
            return Err(AccountError::from(PairingError::AnotherProvider).into());
        }
        let seen = look(&self.0.keep, &transport).await?;
        let key_hash = KeyHash(sha256(&paired.text.device_key));
        let client = paired.text.client.to_string();
        let hello = self
            .0
            .keep
            .run(move |keeper| keeper.greet(&seen, key_hash, &client))
            .await??;
        let sealed = seal(
            &paired.text.seal_key,
            PairingHello::ENCRYPTION_LABEL,
            paired.context(),
            &hello.to_bytes(),
            &mut random::stream()?,
        )
        .map_err(|_| AccountError::from(PairingError::Text))?;
        let (until, timing) = (Instant::now() + PATIENCE, self.0.timing);
        let call = Call::post(paired.path(path::HELLO), sealed, 0);
        transport.call(&call).await?;
        Ok(Adding {
            keep: self.0.keep.clone(),
            transport,
            timing,
            until,
            paired,
            hello,
            transcript: None,
        })
    }
}

/// A new device that waits for the person's word.
#[derive(Debug)]
pub struct Adding {
    keep: Keep,
    transport: Transport,
    timing: Timing,
    until: Instant,
    paired: Paired,
    hello: PairingHello,
    transcript: Option<[u8; 32]>,
}

impl Adding {
    /// Waits for the new device's half of the number that both must show. Cancel safe.
    ///
    /// # Errors
    /// [`PairingError`] within [`ClientError::Account`], and those of the transport.
    pub async fn number(&mut self) -> Result<String, ClientError> {
        if let Some(transcript) = &self.transcript {
            return Ok(number(transcript));
        }
        let call = Call::get(self.paired.path(path::REVEAL), PAIRING_REVEAL);
        let reveal = patiently(&self.transport, &call, self.until, self.timing).await?;
        let forged = PairingError::Forged("its half of the number is not the one it settled on before");
        let reveal = PairingReveal::from_bytes(&reveal)
            .ok()
            .filter(|reveal| self.paired.commits_to(reveal))
            .ok_or(AccountError::from(forged))?;
        let transcript = self.paired.transcript(&self.hello, &reveal);
        self.transcript = Some(transcript);
        Ok(number(&transcript))
    }

    /// What the new device calls itself.
    #[must_use]
    pub fn device_name(&self) -> &str {
        &self.paired.text.device_name
    }

    /// The person saw this number on the new device: it is one of theirs from now on.
    ///
    /// # Errors
    /// [`PairingError::Numbers`], after which nothing has changed. Where the provider is not reached, the list is signed
    /// and goes to it later; the new device is then linked anew.
    pub async fn confirm(self, typed: &str) -> Result<Devices, ClientError> {
        let transcript = self.transcript.filter(|it| is_number(typed, &number(it)));
        let transcript = transcript.ok_or(AccountError::from(PairingError::Numbers))?;
        let seen = look(&self.keep, &self.transport).await?;
        let paired = self.paired.clone();
        let letter = self
            .keep
            .run(move |keeper| keeper.add_device(&seen, &paired, transcript))
            .await??;
        // The new device must not come before the list that names it.
        let seen = look(&self.keep, &self.transport).await?;
        let sealed = seal(
            &self.paired.text.seal_key,
            PairingLetter::ENCRYPTION_LABEL,
            &transcript,
            &letter.to_bytes(),
            &mut random::stream()?,
        )
        .map_err(|error| ClientError::Internal(error.to_string()))?;
        let call = Call::post(self.paired.path(path::LETTER), sealed, 0);
        patiently(&self.transport, &call, self.until, self.timing).await?;
        self.keep.run(move |keeper| keeper.describe(&seen)).await?
    }
}

/// Asks the provider for the newest list and takes it, or tells it of the one here.
pub(super) async fn look(keep: &Keep, transport: &Transport) -> Result<DevicesResponse, ClientError> {
    for _ in 0..3 {
        let answer = transport
            .call(&Call::get(path::DEVICES, MAX_DEVICES_RESPONSE))
            .await?;
        let seen = DevicesResponse::from_bytes(&answer)
            .map_err(|error| crate::transport::TransportError::Malformed(error.to_string()))?;
        let heard = seen.clone();
        let registration = keep
            .run(move |keeper| {
                keeper.heard(&heard)?;
                keeper.adopt(&heard.device_list)
            })
            .await??;
        let Some(registration) = registration else {
            return Ok(seen);
        };
        let call = Call::post(path::DEVICES, registration, MAX_ANSWER).anonymous();
        let answer = transport.call(&call).await?;
        let answer = RegisterDeviceResponse::from_bytes(&answer)
            .map_err(|error| crate::transport::TransportError::Malformed(error.to_string()))?;
        match answer.code {
            // Then what it has is looked at.
            RegisterDeviceCode::Registered | RegisterDeviceCode::DeviceListTooOld => {}
            _ => return Err(AccountError::DeviceRefused("it does not take the list of devices").into()),
        }
    }
    Err(AccountError::DeviceRefused("it does not keep the list of devices").into())
}

impl Keeper {
    /// Takes the list that the provider gives out. Gives a registration where the provider's is older than the own.
    fn adopt(
        &mut self,
        list: &sabir_wire::device_list::SignedDeviceList,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let mut account = self.account.clone();
        match account.adopt(list) {
            Ok(Adopted::Same) => Ok(None),
            Ok(Adopted::Older) => Ok(Some(account.registration()?)),
            Ok(Adopted::Newer) => {
                self.relist(account, |_| Ok(()))?;
                Ok(None)
            }
            Err(error) => {
                // Told once, however often it is asked for.
                let digest = sha256(&list.to_bytes()).to_vec();
                if self.store.get::<Vec<u8>>(Name::LIST_ALARMED)?.as_ref() == Some(&digest) {
                    return Err(error.into());
                }
                let text = format!("{LIST_ALARM}: {error}");
                let last = self.store.transaction("tell alarm", |tx| {
                    alarm(tx, NO_ROOM, &text)?;
                    tx.put(Name::LIST_ALARMED, &digest)?;
                    tx.last_change()
                })?;
                self.published(last);
                Err(error.into())
            }
        }
    }

    /// Of a device that the provider has once heard of it can keep silent as long as it likes.
    fn heard(&mut self, seen: &DevicesResponse) -> Result<(), ClientError> {
        let awaited: Vec<[u8; 32]> = self.store.get(Name::DEVICES_AWAITED)?.unwrap_or_default();
        let registered = clients(seen);
        let missing: Vec<[u8; 32]> = awaited
            .iter()
            .filter(|hash| !registered.iter().any(|(_, known)| known.0 == **hash))
            .copied()
            .collect();
        if missing != awaited {
            self.store
                .transaction("device arrived", |tx| tx.put(Name::DEVICES_AWAITED, &missing))?;
        }
        Ok(())
    }

    /// Takes another list for the newest: what is made from now on carries it.
    fn relist(
        &mut self,
        account: crate::account::AccountRecord,
        also: impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError>,
    ) -> Result<(), ClientError> {
        let device = account.device()?;
        self.store.transaction("device list", |tx| {
            // These carry the old one, and the provider does not take them any more.
            tx.remove(Name::PUBLISHING)?;
            tx.put(Name::ACCOUNT, &account)?;
            also(tx)
        })?;
        self.account = account;
        self.device = device;
        // Whom the list does not name any more goes out of them.
        for record in self.store.read(|tx| tx.rooms())? {
            if record.is_in_use() {
                self.work(Work::Room(RoomUri::parse(&record.room)?));
            }
        }
        self.work(Work::KeyPackages);
        Ok(())
    }

    /// What a new device is answered with, where it may be linked.
    fn greet(
        &mut self,
        seen: &DevicesResponse,
        key_hash: KeyHash,
        client: &str,
    ) -> Result<PairingHello, ClientError> {
        if !self.account.may_link() {
            return Err(AccountError::from(PairingError::MayNot).into());
        }
        let known = clients(seen);
        if seen.device_list.contains(&key_hash) || known.iter().any(|known| known.0 == client) {
            return Err(AccountError::from(PairingError::Already).into());
        }
        if known.len() >= MAX_DEVICES {
            return Err(AccountError::from(PairingError::TooMany).into());
        }
        let mut nonce = [0; 32];
        random::fill(&mut nonce)?;
        Ok(PairingHello {
            user: self.me.clone(),
            identity_key: self.account.identity_public()?,
            nonce,
        })
    }

    /// Signs the list with the new device on it, and what the new device is sent.
    fn add_device(
        &mut self,
        seen: &DevicesResponse,
        paired: &Paired,
        transcript: [u8; 32],
    ) -> Result<PairingLetter, ClientError> {
        let mut account = self.account.clone();
        let text = &paired.text;
        let credential = account.issue(&text.client, &text.device_key, &mut random::stream()?)?;
        let new = KeyHash(sha256(&text.device_key));
        let mut hashes = self.arrived(seen)?;
        hashes.push(new);
        let device_list = account.sign_next(hashes)?;
        let mut records = self.store.read(|tx| tx.rooms())?;
        records.retain(|record| record.is_in_use() && record.making.is_none());
        let rooms = records.iter().map(|record| RoomUri::parse(&record.room));
        let mut letter = PairingLetter {
            transcript,
            credential,
            device_list,
            provider_ca: self
                .anchors
                .get(self.me.authority())
                .iter()
                .map(|ca| ca.der().to_vec())
                .collect(),
            rooms: rooms.take(MAX_PAIRING_ROOMS).collect::<Result<_, _>>()?,
            signature: Vec::new(),
        };
        letter.signature = account.sign(PairingLetter::SIGNATURE_LABEL, &letter.tbs())?;
        let (client, name) = (text.client.to_string(), text.device_name.clone());
        self.relist(account, |tx| {
            let mut names: Names = tx.get(Name::DEVICE_NAMES)?.unwrap_or_default();
            names.insert(client, name);
            tx.put(Name::DEVICES_AWAITED, &[new.0])?;
            tx.put(Name::DEVICE_NAMES, &names)
        })?;
        Ok(letter)
    }

    /// Signs the list without a device.
    /// Says the name where it is this device's.
    fn rename(
        &mut self,
        seen: &DevicesResponse,
        which: &str,
        name: &str,
    ) -> Result<Option<String>, ClientError> {
        if name.trim().is_empty() || name.len() > MAX_DEVICE_NAME || name.chars().any(char::is_control) {
            return Err(ClientError::DeviceName);
        }
        let mut names: Names = self.store.get(Name::DEVICE_NAMES)?.unwrap_or_default();
        let own = self.account.client.clone();
        let called = |client: &str| {
            let name = names.get(client).map(String::as_str);
            name.or_else(|| (client == own).then_some(self.account.device_name.as_str()))
        };
        let mut meant = clients(seen);
        meant.retain(|(client, _)| client == which || called(client) == Some(which));
        let [(client, _)] = meant.as_slice() else {
            return Err(ClientError::NoDevice);
        };
        if *client != own {
            names.insert(client.clone(), name.to_owned());
            self.store
                .transaction("rename device", |tx| tx.put(Name::DEVICE_NAMES, &names))?;
            return Ok(None);
        }
        let mut account = self.account.clone();
        name.clone_into(&mut account.device_name);
        self.store
            .transaction("rename device", |tx| tx.put(Name::ACCOUNT, &account))?;
        self.account = account;
        Ok(Some(name.to_owned()))
    }

    fn revoke(&mut self, seen: &DevicesResponse, which: &str) -> Result<(), ClientError> {
        if !self.account.may_link() {
            return Err(AccountError::from(PairingError::MayNot).into());
        }
        let names: Names = self.store.get(Name::DEVICE_NAMES)?.unwrap_or_default();
        let is_meant = |client: &str| client == which || names.get(client).is_some_and(|name| name == which);
        let mut meant = clients(seen);
        meant.retain(|(client, _)| is_meant(client));
        let (client, gone) = match meant.as_slice() {
            [one] => one.clone(),
            _ => return Err(ClientError::NoDevice),
        };
        if client == self.account.client {
            let reason = "a device cannot take itself off the list: do it on another that may";
            return Err(ClientError::Denied(reason.to_owned()));
        }
        let mut hashes = self.arrived(seen)?;
        hashes.retain(|hash| *hash != gone);
        let mut account = self.account.clone();
        account.sign_next(hashes)?;
        self.relist(account, |tx| {
            let mut names = names;
            names.remove(&client);
            tx.put(Name::DEVICE_NAMES, &names)
        })
    }

    /// Who is on the list, without devices that were put there from here and of which the provider has not heard. What
    /// the provider says counts for these alone: others it cannot take off by keeping silent about them.
    fn arrived(&mut self, seen: &DevicesResponse) -> Result<Vec<KeyHash>, ClientError> {
        let awaited: Vec<[u8; 32]> = self.store.get(Name::DEVICES_AWAITED)?.unwrap_or_default();
        let registered = clients(seen);
        let mut hashes = self.account.list()?.key_hashes;
        hashes.retain(|hash| !awaited.contains(&hash.0) || registered.iter().any(|(_, known)| known == hash));
        Ok(hashes)
    }

    /// The devices for people. What the list names and the provider does not know was never there, or is on its way.
    fn describe(&mut self, seen: &DevicesResponse) -> Result<Devices, ClientError> {
        let names: Names = self.store.get(Name::DEVICE_NAMES)?.unwrap_or_default();
        let registered = clients(seen);
        let list = self.account.list()?;
        let missing = list
            .key_hashes
            .iter()
            .filter(|hash| !registered.iter().any(|(_, known)| known == *hash));
        let missing = missing.count();
        let added = seen.devices.iter().filter_map(|device| {
            let credential = ClientCredential::from_credential(&device.credential).ok()?;
            Some((credential.claimed_client().to_string(), device.added_at))
        });
        let added: BTreeMap<String, u64> = added.collect();
        let devices = registered.into_iter().map(|(client, _)| {
            let this = client == self.account.client;
            Device {
                this,
                name: if this {
                    Some(self.account.device_name.clone())
                } else {
                    names.get(&client).cloned()
                },
                may_link: this.then(|| self.account.may_link()),
                added_ms: added.get(&client).copied().unwrap_or_default(),
                client,
            }
        });
        Ok(Devices {
            version: list.version,
            devices: devices.collect(),
            missing: u64::try_from(missing).unwrap_or(u64::MAX),
        })
    }

    /// Begins to come into the rooms of the person that this device was linked for.
    pub(super) fn begin_joins(&mut self) -> Result<(), ClientError> {
        let rooms: Vec<String> = self.store.get(Name::TO_JOIN)?.unwrap_or_default();
        let now = now()?;
        for room in rooms {
            let room = RoomUri::parse(&room)?;
            let is_there = self.store.read(|tx| tx.room(room.as_str()))?.is_some();
            if is_there || self.rejoins.contains_key(&room) {
                continue;
            }
            let cx = ConversationContext {
                device: &self.device,
                me: &self.me,
                anchors: &self.anchors,
            };
            let (rejoin, effects) = Conversation::rejoin(cx, room.clone(), now, &mut random::stream()?)?;
            self.store.transaction("begin to come in", |tx| {
                tx.apply(room.as_str(), &effects.changes)?;
                let mut list: Listed = rejoin::listed(tx)?;
                list.push((room.to_string(), now));
                tx.put(Name::REJOINS, &list)
            })?;
            self.rejoins.insert(room.clone(), rejoin);
            self.work(Work::Room(room));
        }
        Ok(())
    }
}

/// Whether this device was linked for a room and comes into it for the first time.
pub(super) fn is_to_join(tx: &Tx<'_>, room: &str) -> Result<bool, StoreError> {
    let rooms: Vec<String> = tx.get(Name::TO_JOIN)?.unwrap_or_default();
    Ok(rooms.iter().any(|listed| listed == room))
}

/// A room that this device was linked for was come into, or will not be.
pub(super) fn no_longer_to_join(tx: &mut Tx<'_>, room: &RoomUri) -> Result<(), StoreError> {
    let mut rooms: Vec<String> = tx.get(Name::TO_JOIN)?.unwrap_or_default();
    let before = rooms.len();
    rooms.retain(|listed| listed != room.as_str());
    if rooms.len() == before {
        return Ok(());
    }
    if rooms.is_empty() {
        tx.remove(Name::TO_JOIN)
    } else {
        tx.put(Name::TO_JOIN, &rooms)
    }
}

/// The devices that the provider knows and the list names, with what their certificates say of them. The list is signed and
/// was adopted; a certificate that names a key of it is this device's, whoever shows it.
fn clients(seen: &DevicesResponse) -> Vec<(String, KeyHash)> {
    let known = seen.devices.iter().filter_map(|device| {
        let credential = ClientCredential::from_credential(&device.credential).ok()?;
        let hash = KeyHash(sha256(credential.claimed_device_key()));
        seen.device_list
            .contains(&hash)
            .then(|| (credential.claimed_client().to_string(), hash))
    });
    known.collect()
}
