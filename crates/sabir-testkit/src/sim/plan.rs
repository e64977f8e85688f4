//! What a seed's world is like, and what befalls it.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::conversation::Intent;
use sabir_core::room;
use sabir_wire::uri::{Domain, RoomUri};
use tokio::time::sleep;

use super::cheats::Cheat;
use super::client::{Client, Person};
use super::fate::Fate;
use super::network::Weather;
use super::store::{Blow, Moment};
use super::world::World;

/// Size and temper of a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) providers: usize,
    pub(super) people: usize,
    /// Things that people do.
    pub(super) deeds: u64,
    /// Longest time between two of them, in milliseconds.
    pub(super) leisure: u64,
    pub(super) weather: Weather,
    /// Time between two blows of fate at least, in milliseconds; none where it is 0.
    pub(super) blows: u64,
    /// Deeds in groups, of a thousand.
    pub(super) group_deeds: u64,
    pub(super) cheat: Option<Cheat>,
    /// People with two devices, of a thousand.
    pub(super) second_devices: u64,
    /// For how long the last provider is down from soon after the beginning.
    pub(super) outage: Duration,
}

impl Plan {
    /// The plan of a seed: most worlds are small, few are large; some are calm, and in some a deed takes hours.
    pub(super) fn of(seed: u64) -> Self {
        let fate = Fate::new(seed, "plan");
        let (providers, people, deeds) = match fate.below(100) {
            0..80 => (2, fate.between(2, 4), fate.between(6, 16)),
            80..97 => (fate.between(2, 4), fate.between(4, 8), fate.between(14, 30)),
            _ => (fate.between(4, 6), fate.between(12, 24), fate.between(30, 60)),
        };
        let leisure = *fate.one_of(&[200, 2_000, 2_000, 20_000, 3_600_000]).unwrap();
        let weather = match fate.below(4) {
            0 => Weather {
                latency: 20,
                ..Weather::default()
            },
            1 => Weather {
                latency: 400,
                lost_requests: 20,
                lost_answers: 20,
                repeated: 20,
            },
            _ => Weather {
                latency: fate.between(5, 3_000),
                lost_requests: fate.between(0, 150),
                lost_answers: fate.between(0, 150),
                repeated: fate.between(0, 100),
            },
        };
        Self {
            providers: usize::try_from(providers).unwrap(),
            people: usize::try_from(people).unwrap(),
            deeds,
            leisure,
            weather,
            blows: *fate.one_of(&[0, 1_000, 4_000, 15_000]).unwrap(),
            group_deeds: *fate.one_of(&[0, 600, 900]).unwrap(),
            cheat: match fate.below(15) {
                0 => Some(Cheat::Withholds),
                1 => Some(Cheat::Repeats),
                2 => Some(Cheat::AltersFranks),
                3 => Some(Cheat::Steals),
                4 => Some(Cheat::Garbles),
                5 => Some(Cheat::Forges),
                6 => Some(Cheat::Spoils),
                7 => Some(Cheat::Impersonates),
                _ => None,
            },
            second_devices: *fate.one_of(&[0, 0, 300]).unwrap(),
            outage: Duration::ZERO,
        }
    }

    /// Three providers with two people each, the last one down for a week, and nothing else that befalls anybody.
    pub(super) fn week(seed: u64) -> Self {
        Self {
            providers: 3,
            people: 6,
            deeds: 60,
            leisure: 5 * 3_600_000,
            weather: Weather {
                latency: 20,
                ..Weather::default()
            },
            blows: 0,
            group_deeds: Fate::new(seed, "week").between(300, 900),
            cheat: None,
            second_devices: 0,
            outage: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

const NAMES: [&str; 24] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl", "laura",
    "mike", "nina", "oscar", "peggy", "quinn", "rosa", "sybil", "trent", "uma", "victor", "wendy", "yara",
];

/// Makes accounts, one provider after the other.
pub(super) async fn settle(world: &Arc<World>, plan: &Plan) {
    for provider in world.providers.values() {
        provider.boot(world);
    }
    let fate = Fate::new(world.seed, "people");
    let homes: Vec<Domain> = world.providers.keys().cloned().collect();
    for (number, name) in NAMES.into_iter().take(plan.people).enumerate() {
        let home = homes.get(number % homes.len()).unwrap();
        let devices = if fate.happens(plan.second_devices) { 2 } else { 1 };
        for client in Person::join(world, home, name, devices).await.clients {
            world.add(Arc::clone(&client));
            client.boot();
        }
    }
    // Key packages are published, or people could not reach each other at first.
    sleep(Duration::from_secs(5)).await;
}

/// What people do.
pub(super) async fn live(world: Arc<World>, plan: Plan) {
    let fate = Fate::new(world.seed, "deeds");
    let clients = world.clients();
    let mut rooms: Vec<(Arc<Client>, RoomUri)> = Vec::new();
    for number in 0..plan.deeds {
        sleep(fate.wait(0, plan.leisure)).await;
        world.mischief();
        let client = fate.one_of(&clients).unwrap();
        let text = format!("text {number} of {}", client.name);
        let writes_on = fate.happens(600);
        let room = fate.one_of(&rooms).filter(|_| writes_on).cloned();
        if fate.happens(plan.group_deeds) {
            group_deed(&world, &fate, client, &clients, number);
            continue;
        }
        let written = match room {
            Some((author, room)) => {
                let text = format!("text {number} of {}", author.name);
                author.write(&room, &text).map(|()| None)
            }
            None => {
                let peer = fate.one_of(&clients).unwrap();
                if peer.user == client.user {
                    continue;
                }
                if fate.happens(150) {
                    // Both at once.
                    let back = format!("text {number} of {}, at once", peer.name);
                    if let Ok(room) = peer.write_to(&client.user, &back) {
                        rooms.push((Arc::clone(peer), room));
                    }
                }
                client
                    .write_to(&peer.user, &text)
                    .map(|room| Some((Arc::clone(client), room)))
            }
        };
        match written {
            Ok(new) => rooms.extend(new),
            Err(fault) => world.say(&client.name, &format!("cannot write: {fault:?}")),
        }
    }
}

/// What people do in groups: open one, write, and change who is there. Not all of it is allowed.
fn group_deed(world: &World, fate: &Fate, client: &Arc<Client>, clients: &[Arc<Client>], number: u64) {
    let text = format!("text {number} of {} to all", client.name);
    let somebody = fate.one_of(clients).unwrap().user.clone();
    let role = fate.between(u64::from(room::READ_ONLY), u64::from(room::ADMIN));
    let role = u32::try_from(role).unwrap();
    let groups = client.groups();
    let opens = fate.happens(100);
    let done = match fate.one_of(&groups).filter(|_| !opens) {
        None => client.open_group(&text).and_then(|room| {
            let user = somebody;
            if user == client.user {
                return Ok(());
            }
            client.want(
                &room,
                Intent::Add {
                    user,
                    role: room::MEMBER,
                },
            )
        }),
        Some(room) => {
            let user = somebody;
            match fate.below(20) {
                0..8 => client.write(room, &text),
                8..13 => client.want(
                    room,
                    Intent::Add {
                        user,
                        role: role.max(room::MEMBER),
                    },
                ),
                13 => client.want(room, Intent::Remove { user }),
                14 => client.want(room, Intent::Ban { user }),
                15 => client.want(room, Intent::Unban { user, role }),
                16 | 17 => client.want(room, Intent::SetRole { user, role }),
                18 => client.want(room, Intent::Rename { name: text }),
                _ => client.want(room, Intent::Leave),
            }
        }
    };
    if let Err(fault) = done {
        world.say(&client.name, &format!("cannot do that: {fault:?}"));
    }
}

/// The last provider goes down and comes back.
pub(super) async fn fail_for_long(world: Arc<World>, plan: Plan) {
    if plan.outage.is_zero() {
        return;
    }
    // Some rooms there are by then.
    sleep(Duration::from_secs(12 * 3600)).await;
    let (domain, provider) = world.providers.last_key_value().unwrap();
    world.say(domain.as_str(), &format!("is down for {:?}", plan.outage));
    provider.kill();
    sleep(plan.outage).await;
    world.say(domain.as_str(), "is back");
    provider.boot(&world);
}

/// What befalls processes and links.
pub(super) async fn befall(world: Arc<World>, plan: Plan) {
    if plan.blows == 0 {
        return std::future::pending().await;
    }
    let fate = Fate::new(world.seed, "blows");
    let domains: Vec<Domain> = world.providers.keys().cloned().collect();
    let clients = world.clients();
    loop {
        sleep(fate.wait(plan.blows, plan.blows * 3)).await;
        let domain = fate.one_of(&domains).unwrap();
        let client = fate.one_of(&clients).unwrap();
        let moment = *fate.one_of(&[Moment::Before, Moment::After]).unwrap();
        let nth = fate.between(1, 6);
        match fate.below(10) {
            0..3 => world.provider(domain).strike(nth, Blow::Kill(moment)),
            3 => world.provider(domain).strike(nth, Blow::Fail(moment)),
            4..7 => client.strike(nth, moment),
            7 => {
                let time = fate.wait(1_000, 120_000);
                world.say(
                    &client.name,
                    &format!("is cut off from {} for {time:?}", client.home),
                );
                world.network.cut(&client.name, client.home.as_str(), time);
            }
            8 => {
                let other = fate.one_of(&domains).unwrap();
                let time = fate.wait(1_000, 300_000);
                world.say(domain.as_str(), &format!("is cut off from {other} for {time:?}"));
                world.network.cut(domain.as_str(), other.as_str(), time);
            }
            _ => {
                let other = fate.one_of(&domains).unwrap();
                let time = fate.wait(1_000, 60_000);
                world.say(
                    domain.as_str(),
                    &format!("and {other} are held back for {time:?}"),
                );
                world.network.hold(domain.as_str(), other.as_str(), time);
            }
        }
    }
}
