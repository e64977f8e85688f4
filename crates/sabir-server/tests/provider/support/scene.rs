use std::sync::Arc;

use sabir_core::conversation::{Request, RequestKind};
use sabir_store::MemoryStore;
use sabir_wire::uri::RoomUri;

use super::connection::{Answer, Connection};
use super::person::Person;
use super::talker::Talker;
use super::town::{Running, Town};

/// The room of every scene, hubbed at a.example.
pub(crate) fn room() -> RoomUri {
    RoomUri::parse("mimi://a.example/r/AAAAAAAAAAAAAAAAAAAAAA").unwrap()
}

/// Alice at a.example and Bob at b.example.
pub(crate) struct Scene {
    pub(crate) town: Town,
    pub(crate) a: Running,
    pub(crate) b: Running,
    pub(crate) disk_a: Arc<MemoryStore>,
    pub(crate) disk_b: Arc<MemoryStore>,
    pub(crate) alice: Talker,
    pub(crate) bob: Talker,
    outstanding: Option<Request>,
}

pub(crate) async fn talker(town: &Town, at: &Running, name: &str, providers: &[&Running]) -> Talker {
    let person = Person::join(town, at, name).await;
    let online = person.device(&format!("{name}1"), 1).go_online(town, at).await;
    Talker::new(online, providers).await
}

impl Scene {
    /// Strangers yet.
    pub(crate) async fn new() -> Self {
        Self::beside(&[]).await
    }

    /// Strangers yet, in a town where these domains have addresses, too.
    pub(crate) async fn beside(others: &[&str]) -> Self {
        let town = Town::new(&[&["a.example", "b.example"], others].concat());
        let (disk_a, disk_b) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        let a = town.start_on("a.example", &disk_a).await;
        let b = town.start_on("b.example", &disk_b).await;
        let alice = talker(&town, &a, "alice", &[&a, &b]).await;
        let bob = talker(&town, &b, "bob", &[&a, &b]).await;
        Self {
            town,
            a,
            b,
            disk_a,
            disk_b,
            alice,
            bob,
            outstanding: None,
        }
    }

    /// In a room, with "one" and "two" said and everything delivered.
    pub(crate) async fn talking() -> Self {
        Self::talking_beside(&[]).await
    }

    pub(crate) async fn talking_beside(others: &[&str]) -> Self {
        let mut scene = Self::beside(others).await;
        scene.alice.open(&scene.bob.online.user, &room()).await;
        scene.alice.say("one");
        scene.alice.flush().await;
        scene.alice.hear(&["one"]).await;
        scene.bob.hear(&["one"]).await;
        scene.bob.say("two");
        scene.bob.flush().await;
        scene.alice.hear(&["one", "two"]).await;
        scene.bob.hear(&["one", "two"]).await;
        scene.settled().await;
        scene
    }

    /// Waits until nothing is in the hub's outbox.
    pub(crate) async fn settled(&self) {
        self.a.settled().await;
    }

    /// A connection to a.example with a certificate of this name.
    pub(crate) async fn peer(&self, name: &str) -> Connection {
        self.peer_of(name, &self.a).await
    }

    pub(crate) async fn peer_of(&self, name: &str, to: &Running) -> Connection {
        Connection::open(self.town.peer_tls(name), to.name(), to.address).await
    }

    /// The body of a request with Bob's next message, which his provider would pass on.
    pub(crate) fn bob_s_submit(&mut self, line: &str) -> Vec<u8> {
        self.bob.say(line);
        let request = self.bob.next_request().unwrap();
        assert_eq!(request.kind, RequestKind::Submit);
        self.outstanding = Some(request.clone());
        request.body
    }

    pub(crate) fn bob_s_answer(&mut self, answer: &Answer) {
        let request = self.outstanding.take().unwrap();
        self.bob.take_answer(&request, answer);
    }

    pub(crate) async fn stop(self) {
        self.a.stop().await;
        self.b.stop().await;
    }
}
