//! The rooms of a run, and who is in them.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use sabir_mls::identity::TrustAnchors;
use sabir_wire::uri::RoomUri;

use super::client::{LoadClient, wrong};
use super::member::Member;
use super::shots::Shots;
use super::volley::Field;
use super::{DOMAINS, Plan, Workload};
use crate::{Town, TownError};

/// One room.
pub(super) struct Scene {
    pub(super) room: RoomUri,
    /// Devices, and whether what they get counts as delivered. Those who send come first.
    pub(super) clients: Vec<(LoadClient, bool)>,
    /// The engines of those who send, in their order.
    pub(super) engines: Vec<Member>,
    /// Engines of others, who read everything after the clock.
    readers: Vec<Member>,
}

/// Makes the people and rooms of a plan.
pub(super) async fn build(town: &Town, plan: Plan) -> Result<Vec<Scene>, TownError> {
    let mut scenes = Vec::new();
    match plan.workload {
        Workload::OneToOne | Workload::Low => {
            for number in 0..plan.people {
                scenes.push(Box::pin(direct(town, number)).await?);
            }
        }
        Workload::Group => scenes.push(Box::pin(group(town, plan)).await?),
    }
    Ok(scenes)
}

async fn direct(town: &Town, number: usize) -> Result<Scene, TownError> {
    let [here, there] = DOMAINS;
    let mut sender = LoadClient::create(town, here, &format!("sender{number}")).await?;
    let mut receiver = LoadClient::create(town, there, &format!("receiver{number}")).await?;
    let anchors = anchors(&[&sender, &receiver]).await?;
    let room = new_room(&sender)?;
    let sending = Member::open_direct(&mut sender, &receiver.me, &room, &anchors).await?;
    let receiving = Member::join(&mut receiver, sending.epoch(), &anchors).await?;
    Ok(Scene {
        room,
        // Of a message the sender gets an echo, which is no delivery.
        clients: vec![(sender, false), (receiver, true)],
        engines: vec![sending],
        readers: vec![receiving],
    })
}

async fn group(town: &Town, plan: Plan) -> Result<Scene, TownError> {
    let mut people = Vec::new();
    for (number, domain) in DOMAINS.iter().cycle().take(plan.people).enumerate() {
        people.push(LoadClient::create(town, domain, &format!("member{number}")).await?);
    }
    // Those of the first provider, then those of the second: so the first ones can be who sends.
    let (mut clients, others): (Vec<_>, Vec<_>) = people
        .into_iter()
        .partition(|client| client.me.authority().as_str() == DOMAINS[0]);
    if clients.len() <= plan.senders || others.is_empty() {
        return Err(TownError::Wrong("a group needs more people".to_owned()));
    }
    let first_there = clients.len();
    clients.extend(others);
    let all: Vec<&LoadClient> = clients.iter().collect();
    let anchors = anchors(&all).await?;
    let mut users: Vec<_> = clients.iter().map(|client| client.me.clone()).collect();
    let owner = clients.first_mut().ok_or_else(|| wrong("nobody"))?;
    users.remove(0);
    let room = new_room(owner)?;
    let mut engines = vec![Member::open_group(owner, &users, &room, &anchors).await?];
    let epoch = engines.first().map_or(0, Member::epoch);
    let mut readers = Vec::new();
    for (number, client) in clients.iter_mut().enumerate().skip(1) {
        // One reader at each provider, beside those who send.
        if number < plan.senders {
            engines.push(Member::join(client, epoch, &anchors).await?);
        } else if number == plan.senders || number == first_there {
            readers.push(Member::join(client, epoch, &anchors).await?);
        }
    }
    Ok(Scene {
        room,
        clients: clients.into_iter().map(|client| (client, true)).collect(),
        engines,
        readers,
    })
}

impl Scene {
    /// Prepares `each` messages of everybody who sends.
    pub(super) async fn load(&mut self, each: usize) -> Result<Shots, TownError> {
        let loading: Vec<_> = self
            .engines
            .drain(..)
            .map(|mut engine| {
                tokio::task::spawn_blocking(move || engine.load(each).map(|loaded| (engine, loaded)))
            })
            .collect();
        let mut loaded = Vec::new();
        for engine in loading {
            let (engine, messages) = engine.await.map_err(wrong)??;
            self.engines.push(engine);
            loaded.push(messages);
        }
        Shots::new(loaded)
    }

    /// Reads everything that arrived, as members of the room do.
    pub(super) async fn read(&mut self, field: Arc<Field>) -> Result<(), TownError> {
        let reading: Vec<_> = self
            .readers
            .drain(..)
            .map(|mut reader| {
                let field = Arc::clone(&field);
                tokio::task::spawn_blocking(move || {
                    field.shots.copies().try_for_each(|copy| reader.read(copy))?;
                    Ok::<_, TownError>(reader)
                })
            })
            .collect();
        for reader in reading {
            self.readers.push(reader.await.map_err(wrong)??);
        }
        Ok(())
    }
}

/// The identity CAs of the clients' providers.
async fn anchors(clients: &[&LoadClient]) -> Result<Arc<TrustAnchors>, TownError> {
    let mut anchors = TrustAnchors::new();
    for domain in DOMAINS {
        let of_it = |client: &&&LoadClient| client.me.authority().as_str() == domain;
        if let Some(client) = clients.iter().find(of_it) {
            client.pin(&mut anchors).await?;
        }
    }
    Ok(Arc::new(anchors))
}

/// A room at the client's provider, with a random name.
fn new_room(client: &LoadClient) -> Result<RoomUri, TownError> {
    let mut name = [0; 16];
    sabir_client::random::fill(&mut name).map_err(wrong)?;
    RoomUri::new(client.me.authority(), &BASE64URL_NOPAD.encode(&name)).map_err(wrong)
}
