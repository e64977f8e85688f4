//! Nothing that a provider stored, sent or logged is what somebody wrote, or a device's private key: every byte of a
//! story is searched, and the search finds what is known to be there.

use std::collections::BTreeSet;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use axum::body::Body;
use axum::http::{Method, Request};
use hyper_util::rt::TokioIo;
use sabir_server::directory::DIRECTORY_PATH;
use sabir_wire::client_api::path;
use sabir_wire::protocol::{GroupInfoResponse, UpdateOutcome, UpdateRoomResponse};

use crate::support::connection::Connection;
use crate::support::entry::{external_commit, group_info, opened};
use crate::support::logs::Logs;
use crate::support::person::{Person, recovery_key};
use crate::support::scene::room;
use crate::support::search::Search;
use crate::support::talker::Talker;
use crate::support::tap::Sent;
use crate::support::town::{Running, Town};

const WORDS: [&str; 4] = [
    "the-heron-flies-at-noon",
    "bring-the-umbrella-and-the-map",
    "nobody-saw-us-at-the-lighthouse",
    "then-burn-this-letter-at-once",
];

/// The HPKE private keys among all that a device ever held: of key packages, of its leaf, of the path above it. They
/// are the byte strings whose public half is there, too.
fn hpke_private_keys(held: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
    // A row is CBOR: 0x58 0x20 begins a byte string of 32 bytes.
    let strings: BTreeSet<&[u8]> = held
        .iter()
        .flat_map(|row| row.windows(34))
        .filter(|window| window.starts_with(&[0x58, 0x20]))
        .map(|window| &window[2..])
        .collect();
    let is_private = |bytes: &&&[u8]| {
        let key = PrivateKey::from_private_key(&X25519, bytes).unwrap();
        let public = key.compute_public_key().unwrap();
        strings.contains(public.as_ref())
    };
    strings
        .iter()
        .filter(is_private)
        .map(|key| key.to_vec())
        .collect()
}

/// A person, and the person's first device.
async fn join(town: &Town, at: &Running, name: &str, providers: &[&Running]) -> (Person, Talker) {
    let person = Person::join(town, at, name).await;
    let online = person.device(&format!("{name}1"), 1).go_online(town, at).await;
    (person, Talker::new(online, providers).await)
}

/// Reads b.example's directory as a device of a.example does.
async fn look_through_a_tunnel(town: &Town, device: &Talker) {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("b.example:443")
        .header("authorization", device.online.bearer())
        .body(Body::empty())
        .unwrap();
    let response = device.online.connection.send(request).await;
    assert_eq!(response.status(), 200);
    let stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let b = Connection::open_through(town.device_tls(), "b.example", stream).await;
    assert_eq!(b.ask(Method::GET, DIRECTORY_PATH, &[], &[]).await.status, 200);
}

/// Bob's device enters anew from outside; gives the private key that his request for the GroupInfo named.
async fn enter_anew(bob: &Talker) -> Vec<u8> {
    let segment = room().to_path_segment();
    let (body, private) = group_info(&bob.online);
    let path = format!("{}{segment}", path::GROUP_INFO);
    let answer: GroupInfoResponse = bob.online.post(&path, &body).await.read();
    let update = external_commit(&bob.online.mls, &bob.anchors, &opened(&answer.outcome, &private));
    let path = format!("{}{segment}", path::UPDATE);
    let answer: UpdateRoomResponse = bob.online.post(&path, &update).await.read();
    assert!(
        matches!(answer.outcome, UpdateOutcome::Success { .. }),
        "{answer:?}"
    );
    private
}

/// Each path of the protocol, from whom the request came; answers went the other way. And what devices were answered.
fn assert_everything_was_taken_down(sent: &[Sent]) {
    let was_sent = |from: &str, to: &str, start: &str, part: &str| {
        let fits = |sent: &&Sent| {
            (sent.from.as_str(), sent.to.as_str()) == (from, to)
                && sent.what.starts_with(start)
                && sent.what.contains(part)
                && !sent.bytes.is_empty()
        };
        assert!(
            sent.iter().any(|sent| fits(&sent)),
            "{from} to {to}: {start} {part}"
        );
    };
    let (a, b) = ("a.example", "b.example");
    for (from, to, request) in [
        (a, b, "GET /.well-known/"),
        (b, a, "GET /.well-known/"),
        (a, b, "POST /mimi/v1/keyMaterial/"),
        (a, b, "POST /mimi/v1/notify/"),
        (b, a, "POST /mimi/v1/submitMessage/"),
        (b, a, "POST /mimi/v1/groupInfo/"),
        (b, a, "POST /mimi/v1/update/"),
    ] {
        was_sent(from, to, "request", request);
        was_sent(to, from, "answer 20", request);
    }
    for provider in [a, b] {
        for path in [
            path::ACCOUNTS,
            path::DEVICES,
            path::CHALLENGE,
            path::SIGN_IN,
            path::KEY_PACKAGES,
            path::EVENTS,
            path::ACK,
            path::SUBMIT_MESSAGE,
        ] {
            was_sent(provider, "a device", "answer 200", path);
        }
        was_sent(provider, "a device", "wire", "");
    }
    for path in [path::HUB, path::ROOMS, path::KEY_MATERIAL, path::UPDATE] {
        was_sent(a, "a device", "answer 200", path);
    }
    was_sent(b, "a device", "answer 200", path::GROUP_INFO);
    // Over the tunnel.
    was_sent(b, "a device", "answer 200", DIRECTORY_PATH);
    was_sent(a, b, "wire", "");
    was_sent(b, a, "wire", "");
}

#[tokio::test]
async fn no_byte_stored_sent_or_logged_is_a_word_or_a_private_key() {
    let logs = Logs::capture();
    let town = Town::with_doors(&["a.example", "b.example"]).await;
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    let (anne, mut alice) = join(&town, &a, "alice", &[&a, &b]).await;
    let (bert, mut bob) = join(&town, &b, "bob", &[&a, &b]).await;
    look_through_a_tunnel(&town, &alice).await;
    alice.open(&bob.online.user, &room()).await;
    alice.say(WORDS[0]);
    alice.flush().await;
    alice.hear(&WORDS[..1]).await;
    bob.hear(&WORDS[..1]).await;
    bob.say(WORDS[1]);
    bob.flush().await;
    bob.hear(&WORDS[..2]).await;
    alice.hear(&WORDS[..2]).await;
    a.stop().await;
    b.stop().await;
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    alice.online.reconnect().await;
    bob.online.reconnect().await;
    bob.say(WORDS[2]);
    bob.flush().await;
    alice.hear(&WORDS[..3]).await;
    alice.say(WORDS[3]);
    alice.flush().await;
    alice.hear(&WORDS).await;
    bob.hear(&WORDS).await;
    let asked_with = enter_anew(&bob).await;
    let log = a.shared.store.room_log(room().as_str(), 0, 100).unwrap();
    let ca = a.shared.secrets.ca.certificate().to_vec();
    a.stop().await;
    b.stop().await;

    let mut secrets = Search::default();
    for word in WORDS {
        secrets.text(word);
    }
    secrets.bytes("recovery code", recovery_key().private());
    secrets.bytes("key of a GroupInfo request", &asked_with);
    for (person, talker) in [(&anne, &alice), (&bert, &bob)] {
        let name = person.user.as_str();
        secrets.bytes(
            &format!("identity key of {name}"),
            person.identity.signing_key().private(),
        );
        secrets.bytes(
            &format!("signature key of {name}"),
            talker.online.mls.key.private(),
        );
        let hpke = hpke_private_keys(&talker.held);
        // Three key packages, each with an init key and a leaf key.
        assert!(hpke.len() >= 6, "{}", hpke.len());
        for key in hpke {
            secrets.bytes(&format!("hpke key of {name}"), &key);
        }
    }
    let sent = town.tap.sent();
    let logged = logs.all();
    for sent in &sent {
        let hits = secrets.hits(&sent.bytes);
        assert!(hits.is_empty(), "{} sent {}: {hits:?}", sent.from, sent.what);
    }
    for file in town.files() {
        let hits = secrets.hits(&file);
        assert!(hits.is_empty(), "stored {hits:?}");
    }
    for logged in &logged {
        assert!(secrets.hits(logged.text.as_bytes()).is_empty(), "{logged:?}");
    }

    // The same search finds what was sent and stored: ciphertexts, in batches and in events; public halves; the
    // session's token; as base64 the provider's certificate in its directory.
    assert_everything_was_taken_down(&sent);
    let found = |name: &str, bytes: &[u8]| -> Vec<&Sent> {
        let mut known = Search::default();
        known.bytes(name, bytes);
        let found: Vec<_> = sent
            .iter()
            .filter(|sent| !known.hits(&sent.bytes).is_empty())
            .collect();
        assert!(!found.is_empty(), "{name}");
        found
    };
    let is_to = |to: &str, part: &str| {
        let (to, part) = (to.to_owned(), part.to_owned());
        move |sent: &&&Sent| sent.to == to && sent.what.contains(&part)
    };
    found("room", room().as_str().as_bytes());
    assert!(
        found("certificate", &ca)
            .iter()
            .any(|sent| is_to("b.example", DIRECTORY_PATH)(&sent))
    );
    let last = &log[log.len() - 2].body;
    let carried = found("ciphertext", last);
    assert!(
        carried
            .iter()
            .any(|sent| is_to("b.example", "request POST /mimi/v1/notify")(&sent))
    );
    assert!(carried.iter().any(|sent| is_to("a device", path::EVENTS)(&sent)));
    for talker in [&alice, &bob] {
        let mut public = Search::default();
        public.bytes("public key", talker.online.mls.key.public());
        assert!(town.files().iter().any(|file| !public.hits(file).is_empty()));
        found("public key", talker.online.mls.key.public());
        let token = data_encoding::BASE64URL_NOPAD
            .decode(talker.online.token.as_bytes())
            .unwrap();
        found("token", &token);
    }
    let decoded = sent.iter().filter(|sent| sent.what == "wire").count();
    assert!(
        decoded >= 8,
        "connections of two providers before and after a restart: {decoded}"
    );
}
