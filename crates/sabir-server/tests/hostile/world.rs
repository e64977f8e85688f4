//! What the routes are asked about: a.example, which is attacked, with a room of its own and one of b.example's, files,
//! devices; and a valid request for each row of the table.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use sabir_core::key_material;
use sabir_mls::keys::sha256;
use sabir_server::config::Config;
use sabir_store::MemoryStore;
use sabir_wire::client_api::{
    AckRequest, AppendAssetResponse, AssetId, AttachRequest, BeginAssetRequest, BeginAssetResponse,
    FinishAssetResponse, path,
};
use sabir_wire::codec::Encode;
use sabir_wire::protocol::{GroupInfoOutcome, GroupInfoResponse};
use sabir_wire::uri::{ProviderUri, RoomUri, UserUri};

use crate::support::connection::{Answer, Connection};
use crate::support::entry::{external_commit, group_info, opened};
use crate::support::person::{Online, Person, account_request};
use crate::support::rng;
use crate::support::scene::room;
use crate::support::talker::Talker;
use crate::support::town::{Running, Town};
use crate::table::{Row, Who};

/// Bytes of the file that is whole.
pub(crate) const FILE: &[u8] = b"five and twenty bytes....";

/// Bytes of the file of which nothing came yet.
pub(crate) const BEGUN: [u8; 2_000] = [0x42; 2_000];

/// The room of b.example's in which somebody of a.example is.
pub(crate) fn followed() -> RoomUri {
    RoomUri::parse("mimi://b.example/r/BBBBBBBBBBBBBBBBBBBBBB").unwrap()
}

pub(crate) struct World {
    pub(crate) town: Town,
    pub(crate) a: Running,
    pub(crate) b: Running,
    pub(crate) disk: Arc<MemoryStore>,
    pub(crate) routes: Router,
    /// In the room of a.example.
    pub(crate) alice: Talker,
    pub(crate) bob: Talker,
    pub(crate) bert: Person,
    /// In the room of b.example.
    pub(crate) erin: Talker,
    pub(crate) dave: Talker,
    /// Of a.example, in no room.
    pub(crate) fred: Talker,
    /// With an account and no device.
    pub(crate) gina: Person,
    /// A connection of b.example's, and one of somebody who shows no certificate.
    pub(crate) peer: Connection,
    pub(crate) nobody: Connection,
    /// An invite that never ends.
    invite: String,
    /// Alice's: one that is whole, one of which nothing came.
    pub(crate) whole: AssetId,
    pub(crate) begun: AssetId,
    count: usize,
}

async fn joined(town: &Town, at: &Running, name: &str, all: &[&Running]) -> (Person, Talker) {
    let person = Person::join(town, at, name).await;
    let online = person.device(&format!("{name}1"), 1).go_online(town, at).await;
    (person, Talker::new(online, all).await)
}

/// The name of Alice's box, in which everything lies.
fn a_box() -> String {
    data_encoding::BASE64URL_NOPAD.encode(&[7; 32])
}

/// What a box takes.
fn sealed() -> Vec<u8> {
    let sealed = sabir_wire::mls::HpkeCiphertext {
        kem_output: vec![9; 32],
        ciphertext: vec![9; 64],
    };
    sealed.to_bytes()
}

/// Two people in a direct room who have each said a word.
async fn talk(one: &mut Talker, other: &mut Talker, room: &RoomUri) {
    one.open(&other.online.user, room).await;
    one.say("one");
    one.flush().await;
    one.hear(&["one"]).await;
    other.hear(&["one"]).await;
    other.say("two");
    other.flush().await;
    other.hear(&["one", "two"]).await;
    one.hear(&["one", "two"]).await;
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With another configuration of a.example.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let town = Town::new(&["a.example", "b.example"]);
        let disk = Arc::new(MemoryStore::new());
        let mut config = town.config("a.example");
        change(&mut config);
        let (a, routes) = town.start_as(config, &disk).await;
        let b = town.start_on("b.example", &Arc::new(MemoryStore::new())).await;
        let all = [&a, &b];
        let (_, mut alice) = joined(&town, &a, "alice", &all).await;
        let (bert, mut bob) = joined(&town, &b, "bob", &all).await;
        talk(&mut alice, &mut bob, &room()).await;
        let (_, mut erin) = joined(&town, &a, "erin", &all).await;
        let (_, mut dave) = joined(&town, &b, "dave", &all).await;
        talk(&mut dave, &mut erin, &followed()).await;
        let (_, mut fred) = joined(&town, &a, "fred", &all).await;
        let own = RoomUri::parse("mimi://a.example/r/CCCCCCCCCCCCCCCCCCCCCC").unwrap();
        fred.open_group(&own, "alone").await;
        let gina = Person::join(&town, &a, "gina").await;
        let whole = begin(&alice.online, FILE).await;
        let path = format!("{}{whole}?offset=0", path::ASSET);
        let appended: AppendAssetResponse = alice.online.post(&path, FILE).await.read();
        assert!(appended.appended);
        let path = format!("{}{whole}{}", path::ASSET, path::FINISH);
        let finished: FinishAssetResponse = alice.online.post(&path, &[]).await.read();
        assert!(matches!(finished, FinishAssetResponse::Finished { .. }));
        let begun = begin(&alice.online, &BEGUN).await;
        let at = |slot: &str| format!("{}{}{slot}", path::PAIRING, a_box());
        let nobody = Connection::open(town.device_tls(), "a.example", a.address).await;
        assert_eq!(alice.online.post(&at(path::HELLO), &sealed()).await.status, 200);
        assert_eq!(nobody.post(&at(path::REVEAL), &[1; 32]).await.status, 200);
        assert_eq!(alice.online.post(&at(path::LETTER), &sealed()).await.status, 200);
        let peer = Connection::open(town.peer_tls("b.example"), "a.example", a.address).await;
        let invite = a.invite(10_000).await;
        let world = Self {
            town,
            a,
            b,
            disk,
            routes,
            alice,
            bob,
            bert,
            erin,
            dave,
            fred,
            gina,
            peer,
            nobody,
            invite,
            whole,
            begun,
            count: 0,
        };
        world.settled().await;
        world
    }

    pub(crate) async fn settled(&self) {
        for provider in [&self.a, &self.b] {
            provider.settled().await;
        }
    }

    /// All that a.example has stored.
    pub(crate) fn stored(&self) -> String {
        self.disk.everything()
    }

    #[track_caller]
    pub(crate) fn assert_stored(&self, before: &str, what: &str) {
        let now = self.stored();
        if now != before {
            let differ = before
                .lines()
                .zip(now.lines())
                .find(|(before, now)| before != now);
            panic!("{what} changed what is stored: {differ:?}");
        }
    }

    pub(crate) async fn stop(self) {
        let Self {
            a,
            b,
            alice,
            bob,
            erin,
            dave,
            fred,
            peer,
            nobody,
            routes,
            ..
        } = self;
        drop((alice, bob, erin, dave, fred, peer, nobody, routes));
        a.stop().await;
        b.stop().await;
    }

    /// Whose device asks.
    pub(crate) fn device(&self, row: &Row) -> &Online {
        match row.route {
            path::ROOMS => &self.fred.online,
            _ => &self.alice.online,
        }
    }

    /// The connection on which a row is asked.
    pub(crate) fn connection(&self, row: &Row) -> &Connection {
        match row.who {
            Who::Anybody => &self.nobody,
            Who::Device => &self.device(row).connection,
            Who::Peer => &self.peer,
        }
    }

    /// What proves who asks.
    pub(crate) fn headers(&self, row: &Row) -> Vec<(&'static str, String)> {
        match row.who {
            Who::Anybody => Vec::new(),
            Who::Device => vec![("authorization", self.device(row).bearer())],
            Who::Peer => vec![("from", "mimi@b.example".to_owned())],
        }
    }

    /// A path of the row's route that names what is there.
    pub(crate) fn path(&self, row: &Row) -> String {
        let segment = match row.route {
            "/mimi/v1/keyMaterial/{targetUser}" => self.alice.online.user.to_path_segment(),
            "/client/v1/key-material/{targetUser}" => self.bob.online.user.to_path_segment(),
            "/mimi/v1/notify/{roomId}" => followed().to_path_segment(),
            "/mimi/v1/asset/{assetId}" => self.whole.to_string(),
            "/client/v1/download/{url}" => {
                let url = format!("https://a.example/mimi/v1/asset/{}", self.whole);
                url.replace(':', "%3A").replace('/', "%2F")
            }
            "/invite/{token}" => self.invite.clone(),
            route if route.contains("{box}") => a_box(),
            route if route.contains("{assetId}") => self.begun.to_string(),
            _ => room().to_path_segment(),
        };
        let mut path = match (row.route.find('{'), row.route.find('}')) {
            (Some(open), Some(close)) => {
                format!("{}{segment}{}", &row.route[..open], &row.route[close + 1..])
            }
            _ => row.route.to_owned(),
        };
        if (row.method, row.route) == ("POST", "/client/v1/assets/{assetId}") {
            path.push_str("?offset=0");
        }
        path
    }

    /// A request for a row.
    pub(crate) fn request(
        &self,
        row: &Row,
        path: &str,
        headers: &[(&str, String)],
        body: Body,
    ) -> Request<Body> {
        let uri = match row.method() {
            Method::CONNECT => "b.example:443".to_owned(),
            _ => format!("https://a.example{path}"),
        };
        let mut request = Request::builder().method(row.method()).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.body(body).unwrap()
    }

    /// Asks a row with a body.
    pub(crate) async fn ask(&self, row: &Row, body: &[u8]) -> Answer {
        let (path, headers) = (self.path(row), self.headers(row));
        let body = Body::from(body.to_vec());
        let request = self.request(row, &path, &headers, body);
        answer(self.connection(row), request).await
    }

    /// A body that the row takes: each a new one, where the same one again would be a repetition.
    pub(crate) async fn valid(&mut self, row: &Row) -> Vec<u8> {
        self.count += 1;
        let (alice, bob) = (&self.alice.online, &self.bob.online);
        match row.route {
            "/mimi/v1/keyMaterial/{targetUser}" => {
                let request = key_material::build_request(&bob.mls, &bob.user, &alice.user, None);
                request.unwrap().to_bytes()
            }
            "/client/v1/key-material/{targetUser}" => {
                let request = key_material::build_request(&alice.mls, &alice.user, &bob.user, None);
                request.unwrap().to_bytes()
            }
            "/mimi/v1/submitMessage/{roomId}" => {
                self.bob.say("three");
                self.bob.next_request().unwrap().body
            }
            "/client/v1/submit-message/{roomId}" => {
                self.alice.say("three");
                self.alice.next_request().unwrap().body
            }
            "/mimi/v1/update/{roomId}" => entry(&self.bob).await,
            "/client/v1/update/{roomId}" => entry(&self.alice).await,
            "/mimi/v1/groupInfo/{roomId}" => group_info(bob).0,
            "/client/v1/group-info/{roomId}" => group_info(alice).0,
            "/mimi/v1/notify/{roomId}" => {
                let log = self.b.shared.store.room_log(followed().as_str(), 0, 100).unwrap();
                log.last().unwrap().body.to_vec()
            }
            "/client/v1/pairing/{box}/hello" | "/client/v1/pairing/{box}/letter" => sealed(),
            "/client/v1/pairing/{box}/reveal" => vec![1; 32],
            path::SIGN_IN => {
                let challenge = self.nobody.post(path::CHALLENGE, &[]).await.read();
                let sabir_wire::client_api::ClientAuthChallenge { nonce, .. } = challenge;
                alice.signed(nonce, self.nobody.exporter).to_bytes()
            }
            path::ACCOUNTS => {
                let identity = sabir_mls::identity::IdentityKey::generate(&mut rng()).unwrap();
                let us = ProviderUri::from(&self.a.shared.domain);
                let name = format!("new{}", self.count);
                account_request(&identity, &us, &self.invite, &name).to_bytes()
            }
            path::RECOVER => {
                // Of somebody who is not there: it holds, and changes nothing.
                let user = UserUri::parse("mimi://a.example/u/nobody").unwrap();
                let identity = sabir_mls::identity::IdentityKey::generate(&mut rng()).unwrap();
                let recovery = sabir_mls::keys::SigningKey::ed25519(&mut rng()).unwrap();
                let (key, next) = (*identity.public(), [7; 32]);
                let proof = sabir_mls::identity::prove_recovery(&recovery, &user, key, next).unwrap();
                let mut request = sabir_wire::client_api::RecoverAccountRequest {
                    user,
                    identity_key: key,
                    recovery_commitment: next,
                    proof,
                    signature: Vec::new(),
                };
                let tbs = request.tbs(&ProviderUri::from(&self.a.shared.domain));
                let label = sabir_wire::client_api::RecoverAccountRequest::SIGNATURE_LABEL;
                request.signature = identity.signing_key().sign_with_label(label, &tbs).unwrap();
                request.to_bytes()
            }
            path::BACKUP => sabir_wire::mls::HpkeCiphertext {
                kem_output: vec![1; 32],
                ciphertext: vec![2; 99],
            }
            .to_bytes(),
            path::DEVICES => {
                let name = format!("gina-{}", self.count);
                let version = 1 + self.count as u64;
                self.gina.device(&name, version).registration().to_bytes()
            }
            path::KEY_PACKAGES => {
                let package = &alice.packages(1)[0];
                let mut body = Vec::new();
                sabir_wire::codec::put_opaque(&mut body, &package.bytes);
                body
            }
            path::ROOMS => self.fred.next_request().unwrap().body,
            path::ATTACH => AttachRequest { room: room() }.to_bytes(),
            path::ACK => AckRequest {
                cursor: self.alice.cursor,
            }
            .to_bytes(),
            path::ASSETS => announcement(&self.count.to_be_bytes()),
            "/client/v1/assets/{assetId}" => BEGUN.to_vec(),
            _ => Vec::new(),
        }
    }
}

/// The external commit with which a device enters its room once more.
async fn entry(talker: &Talker) -> Vec<u8> {
    let (body, private) = group_info(&talker.online);
    let path = format!("{}{}", path::GROUP_INFO, room().to_path_segment());
    let answer: GroupInfoResponse = talker.online.post(&path, &body).await.read();
    assert!(matches!(answer.outcome, GroupInfoOutcome::Success(_)));
    external_commit(
        &talker.online.mls,
        &talker.anchors,
        &opened(&answer.outcome, &private),
    )
}

fn announcement(file: &[u8]) -> Vec<u8> {
    BeginAssetRequest {
        size: file.len() as u64,
        content_hash: sha256(file),
    }
    .to_bytes()
}

async fn begin(device: &Online, file: &[u8]) -> AssetId {
    match device.post(path::ASSETS, &announcement(file)).await.read() {
        BeginAssetResponse::Ready { asset_id, .. } => asset_id,
        other => panic!("{other:?}"),
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn answer(connection: &Connection, request: Request<Body>) -> Answer {
    let response = connection.send(request).await;
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body());
    let body = tokio::time::timeout(crate::support::PATIENCE, body)
        .await
        .expect("answers in time")
        .unwrap()
        .to_bytes();
    Answer { status, body }
}
