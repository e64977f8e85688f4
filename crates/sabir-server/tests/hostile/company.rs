//! A group of five at two providers, whose clients do what honest clients do not: the updates come as each sender can
//! bring them, and a refused one leaves the room as its hub shows it.

use std::sync::Arc;

use sabir_core::conversation::Intent;
use sabir_core::room::{MEMBER, READ_ONLY, RoomState};
use sabir_store::MemoryStore;
use sabir_wire::client_api::path;
use sabir_wire::protocol::{UpdateOutcome, UpdateRoomResponse};

use crate::support::connection::{Answer, Connection};
use crate::support::entry::seen_by;
use crate::support::logs::Logs;
use crate::support::person::{Online, Person};
use crate::support::picture::picture;
use crate::support::scene::room;
use crate::support::talker::Talker;
use crate::support::town::{Running, Town};

/// How a request comes to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a device of the hub's own.
    Local,
    /// From another provider, which checks nothing.
    Peer,
    /// From a device of another provider, through that one.
    Forwarded,
}

pub(crate) struct Company {
    pub(crate) town: Town,
    pub(crate) a: Running,
    b: Running,
    disk: Arc<MemoryStore>,
    /// The owner, of the hub's.
    pub(crate) alice: Talker,
    /// Members, of the other provider and of the hub's.
    pub(crate) bob: Talker,
    pub(crate) carol: Talker,
    /// Read only, of the other provider and of the hub's.
    pub(crate) dave: Talker,
    pub(crate) erin: Talker,
    pub(crate) bobs: Person,
    pub(crate) carols: Person,
    peer: Connection,
}

async fn joined(town: &Town, at: &Running, name: &str, all: &[&Running]) -> (Person, Talker) {
    let person = Person::join(town, at, name).await;
    let online = person.device(&format!("{name}1"), 1).go_online(town, at).await;
    (person, Talker::new(online, all).await)
}

pub(crate) fn epoch(talker: &Talker) -> u64 {
    let conversation = talker.conversation.as_ref();
    conversation.map_or(0, |conversation| conversation.epoch())
}

/// What a talker knows of the room.
pub(crate) fn state(talker: &Talker) -> &RoomState {
    talker.conversation.as_ref().unwrap().state()
}

impl Company {
    pub(crate) async fn new() -> Self {
        let town = Town::new(&["a.example", "b.example"]);
        let disk = Arc::new(MemoryStore::new());
        let a = town.start_on("a.example", &disk).await;
        let b = town.start_on("b.example", &Arc::new(MemoryStore::new())).await;
        let all = [&a, &b];
        let (_, mut alice) = joined(&town, &a, "alice", &all).await;
        let (bobs, bob) = joined(&town, &b, "bob", &all).await;
        let (carols, carol) = joined(&town, &a, "carol", &all).await;
        let (_, dave) = joined(&town, &b, "dave", &all).await;
        let (_, erin) = joined(&town, &a, "erin", &all).await;
        alice.open_group(&room(), "five").await;
        alice.flush().await;
        for (whom, role) in [
            (&bob, MEMBER),
            (&carol, MEMBER),
            (&dave, READ_ONLY),
            (&erin, READ_ONLY),
        ] {
            let user = whom.online.user.clone();
            alice.wish(Intent::Add { user, role }).await;
        }
        let peer = Connection::open(town.peer_tls("b.example"), "a.example", a.address).await;
        let mut company = Self {
            town,
            a,
            b,
            disk,
            alice,
            bob,
            carol,
            dave,
            erin,
            bobs,
            carols,
            peer,
        };
        company.all_hear().await;
        company
    }

    /// Waits until everybody is in the epoch that Alice is in.
    pub(crate) async fn all_hear(&mut self) {
        let now = epoch(&self.alice);
        for talker in [&mut self.bob, &mut self.carol, &mut self.dave, &mut self.erin] {
            talker.listen_until(|talker| epoch(talker) == now).await;
        }
        self.a.settled().await;
        self.b.settled().await;
    }

    /// Sends a body to an endpoint of the room.
    async fn sends(&self, way: Way, by: &Online, local: &str, mimi: &str, body: &[u8]) -> Answer {
        let segment = room().to_path_segment();
        match way {
            Way::Local | Way::Forwarded => by.post(&format!("{local}{segment}"), body).await,
            Way::Peer => {
                let at = format!("/mimi/v1/{mimi}/{segment}");
                self.peer.post_from("b.example", &at, body).await
            }
        }
    }

    pub(crate) async fn updates(&self, way: Way, by: &Online, body: &[u8]) -> UpdateRoomResponse {
        self.sends(way, by, path::UPDATE, "update", body).await.read()
    }

    pub(crate) async fn submits(&self, way: Way, by: &Online, body: &[u8]) -> Answer {
        self.sends(way, by, path::SUBMIT_MESSAGE, "submitMessage", body)
            .await
    }

    /// The update of a device of the hub's, or of somebody of the other provider's, is taken; and everybody hears of it.
    pub(crate) async fn takes(&mut self, body: &[u8], by: Option<&Online>) {
        let way = by.map_or(Way::Peer, |_| Way::Local);
        let answer = self.updates(way, by.unwrap_or(&self.bob.online), body).await;
        let taken = matches!(answer.outcome, UpdateOutcome::Success { .. });
        assert!(taken, "{way:?}: {answer:?}");
        let next = epoch(&self.alice) + 1;
        self.alice.listen_until(|alice| epoch(alice) == next).await;
        self.all_hear().await;
    }

    /// The update is not allowed for this reason, and changes nothing.
    pub(crate) async fn refuses(
        &self,
        logs: &Logs,
        what: &str,
        (way, by): (Way, &Online),
        body: &[u8],
        says: &str,
    ) {
        let what = format!("{what}, {way:?}");
        let before = self.looked_at().await;
        logs.clear();
        let answer = self.updates(way, by, body).await;
        assert_eq!(answer.outcome, UpdateOutcome::NotAllowed, "{what}: {answer:?}");
        let reason = &answer.error_description;
        assert!(reason.contains(says), "{what}: {reason}");
        if way != Way::Forwarded {
            logs.one_refusal("NotAllowed");
        }
        assert!(self.looked_at().await == before, "{what} changed something");
    }

    /// The room as its hub shows it, and all that is stored.
    pub(crate) async fn looked_at(&self) -> impl PartialEq {
        let shown = seen_by(&self.alice.online).await;
        assert_eq!(shown.group_info.group_context.epoch, epoch(&self.alice));
        (shown, self.disk.everything(), picture(&self.b.shared))
    }

    pub(crate) async fn stop(self) {
        let Self { a, b, .. } = self;
        a.stop().await;
        b.stop().await;
    }
}
