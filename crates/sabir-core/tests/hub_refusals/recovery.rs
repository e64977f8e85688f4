//! Another identity key of a person who is known in the room.

use sabir_mls::group::CommitPlan;
use sabir_mls::identity::IdentityKey;
use sabir_mls::keys::sha256;
use sabir_wire::uri::UserUri;

use super::clients::added;
use super::room::{Attempt, Room};
use super::world::{self, Person, period, recovered, recovery_key};
use super::{Case, clients, not_allowed};
use crate::room::local;

pub const RECOVERY: &[Case] = &[
    (
        "a key that the provider alone certifies",
        |room| {
            let person = room.world.person('b', "bob");
            comes(room, &person)
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "proved with another person's recovery key",
        |room| {
            let person = back(room, ("alice", 0), 1);
            comes(room, &person)
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "proved with the recovery key of a key that was not seen",
        |room| {
            let person = back(room, ("bob", 1), 2);
            comes(room, &person)
        },
        not_allowed,
        "does not continue the old identity",
    ),
    (
        "the key that is known, with another recovery key",
        |room| {
            let person = recertified(room);
            comes(room, &person)
        },
        not_allowed,
        "recovery key is another than before",
    ),
    (
        "the new key and the old one together",
        |room| {
            let new = back(room, ("bob", 0), 1);
            let old = clients::listed(room, "bob2");
            let adds = [&new.device, &old].map(|device| room.key_package(device).0);
            let commit = room.alice_commits(CommitPlan {
                adds: adds.into(),
                ..CommitPlan::default()
            });
            room.attempt(local("alice1"), &commit)
        },
        not_allowed,
        "two identity keys",
    ),
];

/// Bob, back with the recovery key of somebody's nth identity key.
pub fn back(room: &mut Room, (whose, nth): (&str, u8), next: u8) -> Person {
    let recovery = recovery_key(whose, nth);
    let now = room.world.now;
    let mut rng = room.world.seed();
    let mut person = recovered(&room.world.b, "bob", &recovery, next, &mut rng, now);
    person.device = world::device(&person, &format!("bob-back{next}"), &mut rng, now);
    person
}

/// Alice adds this person's device.
pub fn comes(room: &mut Room, person: &Person) -> Attempt {
    let mut device = person.device.clone();
    device.device_list = world::device_list(person, 1, &[&device.key]);
    added(room, &device)
}

/// What a thief of the identity key could have a provider certify, so as to come back later as the person.
fn recertified(room: &mut Room) -> Person {
    let mut rng = room.world.seed();
    let user = UserUri::new(room.world.b.domain(), "bob").unwrap();
    let key = room.bob.person.identity.signing_key().clone();
    let identity = IdentityKey::new(key).unwrap();
    let commitment = sha256(recovery_key("mallory", 0).public());
    let user_certificate = room
        .world
        .b
        .issue_user(
            &user,
            identity.public(),
            commitment,
            period(room.world.now),
            &mut rng,
        )
        .unwrap();
    let mut person = Person {
        device: room.bob.person.device.clone(),
        identity,
        user_certificate,
    };
    person.device = world::device(&person, "bob5", &mut rng, room.world.now);
    person
}
