//! A new device becomes one of a person who has an account: the new device's side (docs/decisions/0007-devices.md).
//!
//! Until the old device's letter holds, nothing is written: a linking that is interrupted before is begun anew, with
//! another text. From then on it goes on as the making of an account does, with the same bytes.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use data_encoding::BASE64URL_NOPAD;
use sabir_mls::identity::{ClientCredential, Freshness, TrustAnchors};
use sabir_mls::keys::{HpkeKeyPair, SigningKey, sha256};
use sabir_mls::suite;
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::pairing::{
    MAX_DEVICE_NAME, MAX_PAIRING_POST, PairingHello, PairingLetter, PairingReveal, PairingText,
};
use sabir_wire::uri::{ClientUri, Domain, UserUri};
use tokio::time::Instant;

use super::create::{Creation, abandon, certificate, finish, issued, now};
use super::{AccountError, AccountRecord, Secret};
use crate::pairing::{PATIENCE, Paired, PairingError, is_number, number, open};
use crate::random;
use crate::store::{Name, Store};
use crate::transport::{Call, Reach, Timing, Transport, TransportError, Verdict};
use crate::types::Account;

/// A device to be linked.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The person's provider.
    pub provider: Domain,
    /// The person, where they said who they are.
    pub user: Option<UserUri>,
    /// Where it listens, if on this machine.
    pub connect: Option<SocketAddr>,
    /// What the person calls this device.
    pub device_name: String,
    /// Trusted authorities for TLS, from [`crate::transport::read_anchors`]; empty for the operating system's.
    pub anchors: Vec<String>,
}

/// Whose device this is to be, as the other device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOffer {
    /// The person's address.
    pub address: String,
    /// What the other device must show, too.
    pub number: String,
}

/// A new device that waits to be linked. Nothing of it is written down.
#[derive(Debug)]
pub struct Linking {
    reach: Reach,
    user: Option<UserUri>,
    transport: Transport,
    timing: Timing,
    device_key: SigningKey,
    seal_key: HpkeKeyPair,
    reveal: PairingReveal,
    paired: Paired,
    until: Instant,
    hello: Option<PairingHello>,
}

impl Linking {
    /// Draws the keys of a new device.
    ///
    /// # Errors
    /// [`AccountError::Exists`] and [`AccountError::InProgress`] where the profile is in use, and those of randomness.
    pub fn begin(store: &mut Store, new: &NewLink, timing: Timing) -> Result<Self, AccountError> {
        if store.get::<AccountRecord>(Name::ACCOUNT)?.is_some() {
            return Err(AccountError::Exists);
        }
        if store.get::<Creation>(Name::CREATION)?.is_some() {
            return Err(AccountError::InProgress);
        }
        if new.device_name.len() > MAX_DEVICE_NAME {
            return Err(AccountError::internal("a device's name is too long"));
        }
        let mut rng = random::stream()?;
        let device_key = SigningKey::ed25519(&mut rng).map_err(AccountError::internal)?;
        let seal_key = suite::hpke_key_pair(suite::DEFAULT, &mut rng).map_err(AccountError::internal)?;
        let (mut name, mut nonce) = ([0; 16], [0; 32]);
        random::fill(&mut name)?;
        random::fill(&mut nonce)?;
        let reveal = PairingReveal { nonce };
        let array = |key: &[u8]| <[u8; 32]>::try_from(key).map_err(AccountError::internal);
        let text = PairingText {
            client: ClientUri::new(&new.provider, &BASE64URL_NOPAD.encode(&name))?,
            device_key: array(device_key.public())?,
            seal_key: array(&seal_key.public)?,
            commitment: sha256(&reveal.to_bytes()),
            device_name: new.device_name.clone(),
        };
        let reach = Reach {
            domain: new.provider.to_string(),
            connect: new.connect,
            anchors: new.anchors.clone(),
        };
        Ok(Self {
            transport: Transport::new(&reach, None, timing)?,
            reach,
            user: new.user.clone(),
            timing,
            device_key,
            seal_key,
            reveal,
            paired: Paired::new(text),
            until: Instant::now() + PATIENCE,
            hello: None,
        })
    }

    /// What the person gives to a device that holds the identity key.
    #[must_use]
    pub fn text(&self) -> String {
        self.paired.to_shown()
    }

    /// Waits for that device's answer. Cancel safe.
    ///
    /// # Errors
    /// [`AccountError::Pairing`], and [`AccountError::Transport`] where the provider refuses.
    pub async fn offer(&mut self) -> Result<LinkOffer, AccountError> {
        let hello = match &self.hello {
            Some(hello) => hello.clone(),
            None => self.greeted().await?,
        };
        // Kept before the own half is shown, and never asked for again: who knows that half could choose another hello
        // until the numbers agree.
        self.hello = Some(hello.clone());
        // The other side learns this half once it has shown its own: neither can choose.
        let call = Call::post(self.paired.path(path::REVEAL), self.reveal.to_bytes(), 0).anonymous();
        self.patiently(&call).await?;
        Ok(LinkOffer {
            address: hello.user.to_address(),
            number: number(&self.paired.transcript(&hello, &self.reveal)),
        })
    }

    /// The first word of the other device.
    async fn greeted(&self) -> Result<PairingHello, AccountError> {
        let sealed = self.fetch(path::HELLO).await?;
        let plain = open(
            &self.seal_key.private,
            PairingHello::ENCRYPTION_LABEL,
            self.paired.context(),
            &sealed,
        )?;
        let hello = PairingHello::from_bytes(&plain)
            .map_err(|_| PairingError::Forged("who it is from cannot be read"))?;
        if hello.user.authority().as_str() != self.reach.domain {
            return Err(PairingError::AnotherProvider.into());
        }
        if self.user.as_ref().is_some_and(|user| *user != hello.user) {
            return Err(PairingError::Forged("it is another person's").into());
        }
        Ok(hello)
    }

    /// The person saw this number on the other device: waits for what it sends, and makes this profile the person's.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AccountError::Pairing`] and [`AccountError::Certificate`], after which nothing was written. After
    /// [`AccountError::Transport`] with a letter that held, [`resume_link`] goes on.
    pub async fn confirm(&self, store: &mut Store, typed: &str) -> Result<Account, AccountError> {
        let Some(hello) = &self.hello else {
            return Err(PairingError::Numbers.into());
        };
        let transcript = self.paired.transcript(hello, &self.reveal);
        if !is_number(typed, &number(&transcript)) {
            return Err(PairingError::Numbers.into());
        }
        let sealed = self.fetch(path::LETTER).await?;
        let plain = open(
            &self.seal_key.private,
            PairingLetter::ENCRYPTION_LABEL,
            &transcript,
            &sealed,
        )?;
        let letter = PairingLetter::from_bytes(&plain)
            .map_err(|_| PairingError::Forged("what it sends cannot be read"))?;
        let published = self.transport.own_identities().await?;
        let domain = Domain::parse(&self.reach.domain)?;
        // What the provider tells this device must be what the other one has known it by.
        let mut anchors = TrustAnchors::new();
        let known: Vec<_> = published
            .0
            .into_iter()
            .filter(|ca| letter.provider_ca.iter().any(|known| known == ca.der()))
            .collect();
        if known.is_empty() {
            return Err(AccountError::Certificate(
                "the provider shows this device another identity than your other one".to_owned(),
            ));
        }
        for ca in &known {
            anchors.pin(&domain, ca.clone()).map_err(certificate)?;
        }
        let creation = self.accept(hello, &transcript, &letter, &anchors)?;
        store.transaction("linked", |tx| {
            known.iter().try_for_each(|ca| tx.put_anchor(&domain, ca))?;
            tx.put(Name::CREATION, &creation)
        })?;
        resume_link(store, self.timing).await
    }

    /// Checks a letter, and draws up what is left to do.
    fn accept(
        &self,
        hello: &PairingHello,
        transcript: &[u8; 32],
        letter: &PairingLetter,
        anchors: &TrustAnchors,
    ) -> Result<Creation, AccountError> {
        let forged = |what| AccountError::from(PairingError::Forged(what));
        let label = PairingLetter::SIGNATURE_LABEL;
        let signed = suite::verify_ed25519(&hello.identity_key, label, &letter.tbs(), &letter.signature);
        if letter.transcript != *transcript || signed.is_err() {
            return Err(forged("it is not signed by your identity key"));
        }
        let credential = ClientCredential::from_credential(&letter.credential).map_err(certificate)?;
        let verified = credential
            .verify(anchors, Freshness::At(now()?), self.device_key.public())
            .map_err(certificate)?;
        if *verified.client() != self.paired.text.client
            || *verified.user() != hello.user
            || *verified.identity_key() != hello.identity_key
        {
            return Err(forged("the certificate is for somebody else"));
        }
        let list = &letter.device_list;
        let label = SignedDeviceList::SIGNATURE_LABEL;
        let signed = suite::verify_ed25519(&hello.identity_key, label, &list.tbs(), &list.signature);
        let own = KeyHash(sha256(self.device_key.public()));
        if list.user != hello.user || signed.is_err() || !list.contains(&own) {
            return Err(forged("the list of devices does not name this one"));
        }
        Ok(Creation {
            reach: self.reach.clone(),
            user: hello.user.to_string(),
            client: verified.client().to_string(),
            device_name: self.paired.text.device_name.clone(),
            identity_key: None,
            device_key: Secret::new(&self.device_key.to_secret_bytes()),
            recovery: None,
            account_request: None,
            issued: Some(issued(
                &credential,
                list.clone(),
                verified.client(),
                &self.device_key,
            )?),
            registered: false,
            recovering: None,
            rooms: letter.rooms.iter().map(ToString::to_string).collect(),
        })
    }

    /// What lies in a slot of the box, as soon as there is something.
    async fn fetch(&self, slot: &str) -> Result<Vec<u8>, AccountError> {
        let call = Call::get(self.paired.path(slot), MAX_PAIRING_POST).anonymous();
        self.patiently(&call).await
    }

    async fn patiently(&self, call: &Call) -> Result<Vec<u8>, AccountError> {
        patiently(&self.transport, call, self.until, self.timing).await
    }
}

/// Asks again and again, until there is an answer or the time of a box is over.
pub(crate) async fn patiently(
    transport: &Transport,
    call: &Call,
    until: Instant,
    timing: Timing,
) -> Result<Vec<u8>, AccountError> {
    loop {
        let pause = match transport.call(call).await {
            Ok(answer) => return Ok(answer.to_vec()),
            Err(TransportError::Refused { status: 404, .. }) => timing.first_wait,
            Err(error) => match error.verdict() {
                Verdict::Repeat(asked) => asked.unwrap_or_default().max(timing.first_wait),
                Verdict::Give => return Err(error.into()),
            },
        };
        if Instant::now() + pause >= until {
            return Err(PairingError::Late.into());
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether a letter was taken and what follows from it is not done yet.
///
/// # Errors
/// The store's.
pub fn link_in_progress(store: &mut Store) -> Result<bool, AccountError> {
    let creation = store.get::<Creation>(Name::CREATION)?;
    Ok(creation.is_some_and(|creation| creation.is_link()))
}

/// Goes on where [`Linking::confirm`] was interrupted.
///
/// # Errors
/// [`AccountError::Missing`] where nothing was begun; [`AccountError::DeviceRefused`] where the provider does not take the
/// device, after which it is linked anew; [`AccountError::Transport`] where it goes on by calling this again.
pub async fn resume_link(store: &mut Store, timing: Timing) -> Result<Account, AccountError> {
    if !link_in_progress(store)? {
        return Err(AccountError::Missing);
    }
    match finish(store, timing).await {
        Err(error @ AccountError::DeviceRefused(_)) => {
            // Most likely the list has gone on without this device.
            abandon(store)?;
            Err(error)
        }
        outcome => outcome,
    }
}
