//! What a provider brings or answers to a client, damaged: it may lie, and other members may too.
//!
//! An error changes nothing; after anything else the stored rows give the same conversation again.

use crate::genuine::damaged;
use crate::town::{Client, Town};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_core::conversation::{
    Conversation, ConversationContext, ConversationError, Effects, Intent, Request, RequestKind,
};
use sabir_mls::Device;
use sabir_mls::identity::TrustAnchors;
use sabir_mls::rows::Rows;
use sabir_wire::uri::{RoomUri, UserUri};

/// A request of Bob's, his rows while it was under way, and the answer.
type Exchange = (Rows, Request, Vec<u8>);

/// Bob's life in a group of three: everything that came to him, with his rows before it.
struct Recorded {
    anchors: TrustAnchors,
    device: Device,
    me: UserUri,
    room: RoomUri,
    now: u64,
    /// Welcomes, each with the rows of the key package it is for.
    welcomes: Vec<(Rows, Vec<u8>)>,
    entries: Vec<(Rows, Vec<u8>)>,
    exchanges: Vec<Exchange>,
}

thread_local! {
    static RECORDED: Recorded = record();
}

fn record() -> Recorded {
    let mut town = Town::new(5, &["alice@a", "bob@b", "carol@c"]);
    town.create_group("alice", "friends");
    town.work();
    let mut welcomes = Vec::new();
    let mut entries = Vec::new();
    let mut exchanges = Vec::new();
    if let Some(bob) = town.clients.get_mut("bob") {
        bob.away = true;
    }
    for (who, role) in [
        ("bob", sabir_core::room::ADMIN),
        ("carol", sabir_core::room::MEMBER),
    ] {
        town.add("alice", who, role);
        town.work();
    }
    // Messages, a name, roles, people who leave: what the log brings, and what Bob himself sends in between.
    town.say("alice", "hello");
    town.work();
    take(&mut town, &mut welcomes, &mut entries);
    town.say("bob", "here");
    speak(&mut town, &mut exchanges);
    let name = "tea".to_owned();
    town.intend("bob", [1; 16], Intent::Rename { name })
        .expect("an admin may");
    speak(&mut town, &mut exchanges);
    take(&mut town, &mut welcomes, &mut entries);
    town.say("carol", "and here");
    town.work();
    town.intend("carol", [2; 16], Intent::Leave)
        .expect("a member may");
    town.work();
    take(&mut town, &mut welcomes, &mut entries);
    town.settle();
    speak(&mut town, &mut exchanges);
    take(&mut town, &mut welcomes, &mut entries);
    town.publish("carol", 2);
    let carol = town.user("carol");
    let back = Intent::Add {
        user: carol,
        role: sabir_core::room::MEMBER,
    };
    town.intend("bob", [3; 16], back).expect("an admin may");
    for _ in 0..4 {
        speak(&mut town, &mut exchanges);
        take(&mut town, &mut welcomes, &mut entries);
    }
    // A commit that never came: the next one shows the gap, and Bob comes back from outside.
    for (number, name) in [(4, "one"), (5, "two")] {
        let name = name.to_owned();
        town.intend("alice", [number; 16], Intent::Rename { name })
            .expect("an owner may");
        town.work();
        if number == 4
            && let Some(bob) = town.clients.get_mut("bob")
        {
            bob.inbox.clear();
        }
    }
    take(&mut town, &mut welcomes, &mut entries);
    speak(&mut town, &mut exchanges);
    take(&mut town, &mut welcomes, &mut entries);
    let asked = |kind| exchanges.iter().any(|(_, request, _)| request.kind == kind);
    assert!(entries.len() >= 8 && welcomes.len() == 1);
    assert!(asked(RequestKind::Submit) && asked(RequestKind::Update));
    assert!(asked(RequestKind::KeyMaterial) && asked(RequestKind::GroupInfo));
    let bob = &town.clients["bob"];
    Recorded {
        device: bob.device.clone(),
        me: bob.me.clone(),
        anchors: town.anchors.clone(),
        room: town.room.clone(),
        now: town.now,
        welcomes,
        entries,
        exchanges,
    }
}

/// Bob takes what came.
fn take(town: &mut Town, welcomes: &mut Vec<(Rows, Vec<u8>)>, entries: &mut Vec<(Rows, Vec<u8>)>) {
    while let Some(entry) = town.clients["bob"].inbox.front().cloned() {
        let bob: &Client = &town.clients["bob"];
        let references = Conversation::welcome_references(&entry);
        match references.iter().find_map(|it| bob.packages.get(it)) {
            Some((_, rows)) => welcomes.push((rows.clone(), entry)),
            None => entries.push((bob.rows.clone(), entry)),
        }
        town.deliver("bob");
    }
}

/// Bob sends what he has to send.
fn speak(town: &mut Town, exchanges: &mut Vec<Exchange>) {
    while let Some(request) = town.draw_up("bob") {
        let rows = town.clients["bob"].rows.clone();
        let response = town.request("bob", &request);
        town.answer("bob", &request, &response);
        exchanges.push((rows, request, response));
        town.work();
    }
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([9; 32])
}

impl Recorded {
    fn cx(&self) -> ConversationContext<'_> {
        ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        }
    }

    fn load(&self, rows: &Rows) -> Conversation {
        Conversation::load(self.room.clone(), rows, &mut rng()).expect("own rows")
    }

    /// Holds the promise of [`crate::client`].
    fn check(&self, before: &Rows, conversation: &Conversation, result: Result<Effects, ConversationError>) {
        match result {
            Ok(effects) => {
                let mut rows = before.clone();
                effects.changes.apply_to(&mut rows);
                let again = self.load(&rows);
                assert_eq!(again.epoch(), conversation.epoch());
                assert_eq!(again.transcript_hash(), conversation.transcript_hash());
                assert_eq!(again.state(), conversation.state());
                assert_eq!(again.queued(), conversation.queued());
            }
            Err(ConversationError::Internal(reason)) => panic!("{reason}"),
            Err(ConversationError::Stored(reason)) => panic!("{reason}"),
            Err(_) => {}
        }
    }
}

fn seconds<A, T: Clone>(of: &[(A, T)]) -> Vec<T> {
    of.iter().map(|(_, second)| second.clone()).collect()
}

/// An entry of the event stream.
pub fn conversation_event(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((index, bytes)) = damaged(&seconds(&recorded.entries), data) else {
            return;
        };
        let Some((rows, _)) = recorded.entries.get(index) else {
            return;
        };
        let mut conversation = recorded.load(rows);
        let result = conversation.incoming(recorded.cx(), recorded.now, &bytes, &mut rng());
        recorded.check(rows, &conversation, result);
    });
}

/// A Welcome, for a client that is not in the room.
pub fn conversation_welcome(data: &[u8]) {
    RECORDED.with(|recorded| {
        let Some((index, bytes)) = damaged(&seconds(&recorded.welcomes), data) else {
            return;
        };
        let Some((rows, _)) = recorded.welcomes.get(index) else {
            return;
        };
        let _ = Conversation::welcome_references(&bytes);
        let room = recorded.room.clone();
        match Conversation::join(recorded.cx(), room, rows.clone(), &bytes, &mut rng()) {
            Ok(joined) => {
                recorded.check(&Rows::new(), &joined.conversation, Ok(joined.effects));
            }
            Err(ConversationError::Internal(reason)) => panic!("{reason}"),
            Err(_) => {}
        }
    });
}

/// The answer to the request that is under way.
pub fn conversation_answer(data: &[u8]) {
    RECORDED.with(|recorded| {
        let genuine: Vec<Vec<u8>> = recorded
            .exchanges
            .iter()
            .map(|(_, _, answer)| answer.clone())
            .collect();
        let Some((index, bytes)) = damaged(&genuine, data) else {
            return;
        };
        let Some((rows, request, _)) = recorded.exchanges.get(index) else {
            return;
        };
        let mut conversation = recorded.load(rows);
        let result = conversation.answered(recorded.cx(), recorded.now, request, &bytes, &mut rng());
        if request.kind == RequestKind::KeyMaterial {
            // Whatever a provider makes of key packages, nobody comes in by the answer alone.
            assert_eq!(conversation.epoch(), recorded.load(rows).epoch());
        }
        recorded.check(rows, &conversation, result);
    });
}
