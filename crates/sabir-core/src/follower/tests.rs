#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    unreachable_pub,
    missing_docs,
    reason = "tests; the library judges lifetimes by the wall clock"
)]

mod hostile;
mod rules;
mod synthetic;
mod walk;
#[path = "../../../sabir-mls/tests/world/mod.rs"]
pub(crate) mod world;

use super::*;

const HUB: &str = "a.example";
const OWN: &str = "b.example";

fn own() -> Domain {
    Domain::parse(OWN).unwrap()
}

fn room() -> RoomUri {
    RoomUri::parse("mimi://a.example/r/test").unwrap()
}

fn batch(messages: &[FanoutMessage]) -> Vec<u8> {
    messages.iter().flat_map(Encode::to_bytes).collect()
}

/// A follower with what its shell keeps on disk; every call ends in a restart.
struct Shell {
    follower: Follower,
    rows: Rows,
    routes: BTreeMap<Vec<u8>, ClientUri>,
}

impl Shell {
    fn new() -> Self {
        Self {
            follower: Follower::new(room()),
            rows: Rows::new(),
            routes: BTreeMap::new(),
        }
    }

    /// Takes a batch, and loses everything that is not in the rows.
    fn takes(&mut self, messages: &[FanoutMessage]) -> Effects {
        let effects = self
            .follower
            .handle(&own(), &batch(messages), &self.routes)
            .unwrap();
        assert_eq!(effects.events.len(), messages.len());
        for (event, message) in effects.events.iter().zip(messages) {
            assert_eq!(event.body, message.to_bytes());
            assert_eq!(event.hash, sha256(&message.message().to_bytes()));
            assert!(event.devices.is_sorted());
        }
        self.persist(&effects.changes);
        effects
    }

    /// Takes one message and says who gets it and whether it fit.
    fn take(&mut self, message: &FanoutMessage) -> (Vec<String>, bool) {
        let effects = self.takes(std::slice::from_ref(message));
        (names(&effects.events[0].devices), !effects.out_of_step)
    }

    fn attach(&mut self, client: &ClientUri) {
        let changes = self.follower.attach(client.clone()).unwrap();
        self.persist(&changes);
    }

    fn detach(&mut self, client: &ClientUri) {
        let changes = self.follower.detach(client);
        self.persist(&changes);
    }

    fn persist(&mut self, changes: &RowChanges) {
        changes.apply_to(&mut self.rows);
        let loaded = Follower::load(room(), &self.rows).unwrap();
        assert_eq!(
            image(&loaded),
            image(&self.follower),
            "what is stored is what is known"
        );
        self.follower = loaded;
    }

    fn roster(&self) -> Vec<(u32, String)> {
        let name =
            |client: Option<&ClientUri>| client.map_or("?".to_owned(), |client| client.name().to_owned());
        self.follower
            .roster()
            .map(|(leaf, client)| (leaf, name(client)))
            .collect()
    }

    fn attached(&self) -> Vec<String> {
        self.follower
            .attached()
            .map(|client| client.name().to_owned())
            .collect()
    }
}

fn names(clients: &[ClientUri]) -> Vec<String> {
    clients.iter().map(|client| client.name().to_owned()).collect()
}

/// Everything a follower knows.
fn image(follower: &Follower) -> String {
    let it = &follower.membership;
    format!(
        "{:?}",
        (
            &it.position,
            &it.roster,
            &it.attached,
            &it.proposals,
            &it.added,
            &it.welcomes
        )
    )
}
