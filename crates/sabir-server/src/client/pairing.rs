//! Boxes in which two devices of one person leave what they have to say to each other while one of them is linked
//! (docs/decisions/0007-devices.md).
//!
//! The new device has no token yet. A box is opened by a signed-in device alone, under a name of 256 bits that only who
//! has seen the pairing text can know; a stranger reads what lies there and leaves 32 bytes, once. What matters is sealed and
//! signed between the devices: a box that is lost or spoilt ends the linking and nothing else. So boxes are in memory
//! only, few, and for minutes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use sabir_wire::client_api::path;
use sabir_wire::codec::Decode;
use sabir_wire::mls::HpkeCiphertext;
use sabir_wire::pairing::PAIRING_REVEAL;
use sabir_wire::uri::{ClientUri, UserUri};

use super::Session;
use crate::error::Error;
use crate::http::{Payload, binary};
use crate::server::Shared;

/// How long a box is there, in milliseconds: people carry a text from one device to another meanwhile.
const LIFETIME_MS: u64 = 10 * 60_000;
/// Boxes of one person.
const MOST_OF_ONE: usize = 4;
/// Boxes of all people.
const MOST: usize = 256;

/// Bytes of what X25519 brings to the other side.
const KEM_OUTPUT: usize = 32;
/// Bytes by which AES-GCM makes a text longer.
const TAG: usize = 16;

/// The name of a box.
type Name = [u8; 32];

/// Every box that is open.
#[derive(Debug, Default)]
pub struct Pairings(Mutex<BTreeMap<Name, Open>>);

#[derive(Debug)]
struct Open {
    client: ClientUri,
    user: UserUri,
    expires_at: u64,
    hello: Bytes,
    reveal: Option<Bytes>,
    letter: Option<Bytes>,
}

/// What lies in a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Hello,
    Reveal,
    Letter,
}

impl Pairings {
    /// A signed-in device opens a box with its first word. The same word again changes nothing.
    fn open(&self, name: Name, session: &Session, hello: Bytes, now: u64) -> Result<(), Error> {
        let mut boxes = self.boxes(now);
        if let Some(open) = boxes.get(&name) {
            return if open.client == session.client && open.hello == hello {
                Ok(())
            } else {
                Err(Error::Conflict("the box is in use"))
            };
        }
        // None makes room for another: a name that was open is not opened with other words before its time is over.
        let own = boxes.values().filter(|open| open.user == session.user).count();
        if own >= MOST_OF_ONE || boxes.len() >= MOST {
            return Err(Error::TooMany {
                retry_after: Duration::from_secs(60),
            });
        }
        let open = Open {
            client: session.client.clone(),
            user: session.user.clone(),
            expires_at: now.saturating_add(LIFETIME_MS),
            hello,
            reveal: None,
            letter: None,
        };
        boxes.insert(name, open);
        Ok(())
    }

    /// Puts something into a box, once; `by` is the device where there is one.
    fn put(&self, name: Name, slot: Slot, by: Option<&Session>, bytes: Bytes, now: u64) -> Result<(), Error> {
        let mut boxes = self.boxes(now);
        let open = boxes
            .get_mut(&name)
            .filter(|open| by.is_none_or(|session| open.client == session.client))
            .ok_or(NO_BOX)?;
        let place = match slot {
            Slot::Reveal => &mut open.reveal,
            Slot::Letter => &mut open.letter,
            Slot::Hello => return Err(Error::Internal("a hello opens its box")),
        };
        match place {
            Some(there) if *there != bytes => Err(Error::Conflict("something else lies there")),
            Some(_) => Ok(()),
            None => {
                *place = Some(bytes);
                Ok(())
            }
        }
    }

    fn get(&self, name: Name, slot: Slot, by: Option<&Session>, now: u64) -> Result<Bytes, Error> {
        let boxes = self.boxes(now);
        let open = boxes
            .get(&name)
            .filter(|open| by.is_none_or(|session| open.client == session.client))
            .ok_or(NO_BOX)?;
        match slot {
            Slot::Hello => Some(open.hello.clone()),
            Slot::Reveal => open.reveal.clone(),
            Slot::Letter => open.letter.clone(),
        }
        .ok_or(NO_BOX)
    }

    /// The boxes whose time is not over.
    fn boxes(&self, now: u64) -> std::sync::MutexGuard<'_, BTreeMap<Name, Open>> {
        let mut boxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        boxes.retain(|_, open| now < open.expires_at);
        boxes
    }
}

/// There is no box, its time is over, it is another device's, or nothing lies there yet: alike for who asks.
const NO_BOX: Error = Error::NotFound("what lies in a box");

/// `POST pairing/{box}/hello`
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
    payload: Payload,
) -> Result<StatusCode, Error> {
    let name = name(&uri, path::HELLO)?;
    let hello = sealed(&payload)?;
    shared
        .pairings
        .open(name, &session, hello, shared.ambient.now())?;
    Ok(StatusCode::OK)
}

/// `GET pairing/{box}/hello`
pub(super) async fn hello(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Error> {
    let name = name(&uri, path::HELLO)?;
    let bytes = shared
        .pairings
        .get(name, Slot::Hello, None, shared.ambient.now())?;
    Ok(binary(bytes.to_vec()))
}

/// `POST pairing/{box}/reveal`
pub(super) async fn put_reveal(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    payload: Payload,
) -> Result<StatusCode, Error> {
    let name = name(&uri, path::REVEAL)?;
    if payload.bytes().len() != PAIRING_REVEAL {
        return Err(Error::Malformed("PairingReveal"));
    }
    let reveal = Bytes::copy_from_slice(payload.bytes());
    let now = shared.ambient.now();
    shared.pairings.put(name, Slot::Reveal, None, reveal, now)?;
    Ok(StatusCode::OK)
}

/// `GET pairing/{box}/reveal`
pub(super) async fn reveal(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
) -> Result<Response, Error> {
    let name = name(&uri, path::REVEAL)?;
    let now = shared.ambient.now();
    let bytes = shared.pairings.get(name, Slot::Reveal, Some(&session), now)?;
    Ok(binary(bytes.to_vec()))
}

/// `POST pairing/{box}/letter`
pub(super) async fn put_letter(
    State(shared): State<Arc<Shared>>,
    session: Session,
    uri: Uri,
    payload: Payload,
) -> Result<StatusCode, Error> {
    let name = name(&uri, path::LETTER)?;
    let letter = sealed(&payload)?;
    let now = shared.ambient.now();
    shared
        .pairings
        .put(name, Slot::Letter, Some(&session), letter, now)?;
    Ok(StatusCode::OK)
}

/// `GET pairing/{box}/letter`
pub(super) async fn letter(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Response, Error> {
    let name = name(&uri, path::LETTER)?;
    let bytes = shared
        .pairings
        .get(name, Slot::Letter, None, shared.ambient.now())?;
    Ok(binary(bytes.to_vec()))
}

/// What only the other device can open.
fn sealed(payload: &Payload) -> Result<Bytes, Error> {
    let malformed = Error::Malformed("HPKECiphertext");
    let sealed = HpkeCiphertext::from_bytes(payload.bytes()).map_err(|_| malformed.clone())?;
    if sealed.kem_output.len() != KEM_OUTPUT || sealed.ciphertext.len() < TAG {
        return Err(malformed);
    }
    Ok(Bytes::copy_from_slice(payload.bytes()))
}

fn name(uri: &Uri, slot: &str) -> Result<Name, Error> {
    let text = uri
        .path()
        .strip_prefix(path::PAIRING)
        .and_then(|rest| rest.strip_suffix(slot));
    let bytes = text.and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Error::Malformed("the name of a box"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const NOW: u64 = 1_000_000;

    fn session(user: &str, client: &str) -> Session {
        Session {
            client: ClientUri::parse(&format!("mimi://a.example/d/{client}")).unwrap(),
            user: UserUri::parse(&format!("mimi://a.example/u/{user}")).unwrap(),
            token: [0; 32],
        }
    }

    fn open(pairings: &Pairings, name: u8, session: &Session, now: u64) -> Result<(), Error> {
        pairings.open([name; 32], session, Bytes::from_static(b"hello"), now)
    }

    #[test]
    fn a_box_is_opened_by_a_device_filled_once_and_gone_after_ten_minutes() {
        let pairings = Pairings::default();
        let alice = session("alice", "alice1");
        let mallory = session("mallory", "mallory1");
        let put = |slot, by: Option<&Session>, bytes: &'static [u8]| {
            pairings.put([1; 32], slot, by, Bytes::from_static(bytes), NOW)
        };
        let get = |slot, by: Option<&Session>, now| pairings.get([1; 32], slot, by, now);
        assert_eq!(put(Slot::Reveal, None, b"early"), Err(NO_BOX), "nobody opened it");
        open(&pairings, 1, &alice, NOW).unwrap();
        open(&pairings, 1, &alice, NOW).unwrap();
        assert!(matches!(
            open(&pairings, 1, &mallory, NOW),
            Err(Error::Conflict(_))
        ));
        assert_eq!(
            get(Slot::Reveal, Some(&alice), NOW),
            Err(NO_BOX),
            "nothing there yet"
        );
        put(Slot::Reveal, None, b"half").unwrap();
        put(Slot::Reveal, None, b"half").unwrap();
        assert!(matches!(
            put(Slot::Reveal, None, b"other"),
            Err(Error::Conflict(_))
        ));
        assert_eq!(get(Slot::Reveal, Some(&alice), NOW).unwrap(), "half");
        assert_eq!(get(Slot::Reveal, Some(&mallory), NOW), Err(NO_BOX));
        assert_eq!(put(Slot::Letter, Some(&mallory), b"forged"), Err(NO_BOX));
        put(Slot::Letter, Some(&alice), b"letter").unwrap();
        assert!(put(Slot::Letter, Some(&alice), b"another").is_err());
        assert_eq!(get(Slot::Letter, None, NOW + LIFETIME_MS - 1).unwrap(), "letter");
        assert_eq!(get(Slot::Letter, None, NOW + LIFETIME_MS), Err(NO_BOX));
    }

    #[test]
    fn a_person_has_few_boxes_and_all_people_not_many() {
        let pairings = Pairings::default();
        let alice = session("alice", "alice1");
        for (name, at) in (0..4).zip(NOW..) {
            open(&pairings, name, &alice, at).unwrap();
        }
        // None makes place: what was open under a name stays there until its time is over.
        assert!(matches!(
            open(&pairings, 4, &alice, NOW + 4),
            Err(Error::TooMany { .. })
        ));
        let get = |name| pairings.get([name; 32], Slot::Hello, None, NOW);
        assert!((0..4).all(|name| get(name).is_ok()));
        open(&pairings, 4, &alice, NOW + LIFETIME_MS).unwrap();
        let many = Pairings::default();
        for number in 0..=MOST {
            let name = number.to_be_bytes().repeat(4).try_into().unwrap();
            let person = session(&format!("p{number}"), &format!("d{number}"));
            let opened = many.open(name, &person, Bytes::new(), NOW);
            assert_eq!(opened.is_ok(), number < MOST, "{number}");
        }
    }
}
