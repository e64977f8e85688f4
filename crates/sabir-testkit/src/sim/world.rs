//! A whole world: providers, people, links, the account of what must be, and the story of what is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use sabir_wire::client_api::{Event, FrameReader};
use sabir_wire::uri::{Domain, RoomUri};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::bugs::Bug;
use super::cheats::{Cheat, Cheats};
use super::client::Client;
use super::fate::Fate;
use super::model::{Exchange, Model};
use super::network::{Lost, Network};
use super::plan::Plan;
use super::provider::{Answer, Caller, Process, Provider};
use super::story::Story;

/// The world.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) start: Instant,
    pub(super) bug: Option<Bug>,
    pub(super) cheat: Option<Cheat>,
    cheats: Mutex<Cheats>,
    pub(super) network: Network,
    pub(super) story: Story,
    pub(super) fate: Fate,
    pub(super) providers: BTreeMap<Domain, Provider>,
    clients: Mutex<BTreeMap<String, Arc<Client>>>,
    model: Mutex<Model>,
    rooms: Mutex<BTreeMap<RoomUri, usize>>,
    wrong: Mutex<Option<String>>,
    /// Wakes whoever waits for something to be wrong.
    pub(super) alarm: Notify,
    pub(super) counts: Mutex<Counts>,
}

/// How much happened.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    /// Requests that arrived.
    pub(super) requests: u64,
    /// Processes that died.
    pub(super) deaths: u64,
    /// Requests and answers that were lost.
    pub(super) lost: u64,
}

impl World {
    pub(super) fn new(seed: u64, plan: &Plan, bug: Option<Bug>, aloud: bool) -> Arc<Self> {
        let start = Instant::now();
        let providers = ["a", "b", "c", "d", "e", "f"].into_iter().take(plan.providers);
        let providers = providers.map(|name| {
            let domain = Domain::parse(&format!("{name}.example")).unwrap();
            (domain.clone(), Provider::new(domain, start, seed))
        });
        Arc::new(Self {
            seed,
            start,
            bug,
            cheat: plan.cheat,
            cheats: Mutex::new(Cheats::new(seed)),
            network: Network::new(seed),
            story: Story::new(aloud),
            fate: Fate::new(seed, "world"),
            providers: providers.collect(),
            clients: Mutex::default(),
            model: Mutex::default(),
            rooms: Mutex::default(),
            wrong: Mutex::default(),
            alarm: Notify::new(),
            counts: Mutex::default(),
        })
    }

    pub(super) fn provider(&self, domain: &Domain) -> &Provider {
        self.providers.get(domain).unwrap()
    }

    pub(super) fn add(&self, client: Arc<Client>) {
        self.clients.lock().unwrap().insert(client.name.clone(), client);
    }

    pub(super) fn client(&self, name: &str) -> Option<Arc<Client>> {
        self.clients.lock().unwrap().get(name).cloned()
    }

    pub(super) fn clients(&self) -> Vec<Arc<Client>> {
        self.clients.lock().unwrap().values().cloned().collect()
    }

    pub(super) fn cheats(&self) -> MutexGuard<'_, Cheats> {
        self.cheats.lock().unwrap()
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    /// What the story calls a room: its number.
    pub(super) fn short(&self, room: &RoomUri) -> String {
        let mut rooms = self.rooms.lock().unwrap();
        let next = rooms.len() + 1;
        let number = *rooms.entry(room.clone()).or_insert(next);
        format!("r{number}@{}", room.authority())
    }

    pub(super) fn say(&self, who: &str, what: &str) {
        self.story.say(who, what);
    }

    /// Something is as it must not be. The first such thing ends the world.
    pub(super) fn wrong(&self, what: &str) {
        self.say("WRONG", what);
        self.wrong.lock().unwrap().get_or_insert_with(|| what.to_owned());
        self.alarm.notify_one();
    }

    /// What was wrong first.
    pub(super) fn verdict(&self) -> Option<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Nothing more is to befall anybody.
    pub(super) fn spare(&self) {
        for provider in self.providers.values() {
            if let Some(process) = provider.process() {
                process.store.spare();
            }
        }
        for client in self.clients() {
            client.spare();
        }
    }

    /// Ends every process.
    pub(super) fn end(&self) {
        for client in self.clients() {
            client.kill();
        }
        for provider in self.providers.values() {
            provider.kill();
        }
        self.clients.lock().unwrap().clear();
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().unwrap());
    }

    /// A provider's process has died; it comes back after a while.
    pub(super) fn provider_died(self: &Arc<Self>, domain: &Domain, when: &str) {
        self.say(domain.as_str(), &format!("dies {when}"));
        self.count(|counts| counts.deaths += 1);
        let (world, domain) = (Arc::clone(self), domain.clone());
        let away = self.fate.wait(50, 30_000);
        tokio::spawn(async move {
            world.provider(&domain).kill();
            sleep(away).await;
            world.say(domain.as_str(), "is back");
            world.provider(&domain).boot(&world);
        });
    }

    /// A client's process has died; it comes back after a while.
    pub(super) fn client_died(self: &Arc<Self>, name: &str, moment: &str) {
        self.say(name, &format!("dies {moment} a transaction"));
        self.count(|counts| counts.deaths += 1);
        let Some(client) = self.client(name) else { return };
        let away = self.fate.wait(50, 30_000);
        client.kill();
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep(away).await;
            world.say(&client.name, "is back");
            client.boot();
        });
    }

    pub(super) async fn post(
        self: &Arc<Self>,
        caller: &Caller,
        to: &Domain,
        at: &str,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, Lost> {
        self.exchange(caller, to, request(Method::POST, to, at, token, body))
            .await
    }

    pub(super) async fn get(
        self: &Arc<Self>,
        caller: &Caller,
        to: &Domain,
        at: &str,
        token: Option<&str>,
    ) -> Result<Answer, Lost> {
        self.exchange(caller, to, request(Method::GET, to, at, token, Vec::new()))
            .await
    }

    /// Carries a request over a link and its answer back, with everything that may befall them.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        caller: &Caller,
        to: &Domain,
        request: Request<Bytes>,
    ) -> Result<Answer, Lost> {
        let (here, there) = (caller.place().to_owned(), to.as_str());
        let passage = self.network.passage();
        let what = || format!("{} {}", request.method(), label(request.uri().path()));
        self.steals(&here, &request);
        self.impersonates(caller, to, &request);
        self.network.travel(&here, there, passage.there).await?;
        if passage.request_lost {
            self.say(&here, &format!("{} to {there} is lost", what()));
            self.count(|counts| counts.lost += 1);
            return Err(self.network.nothing_comes().await);
        }
        let process = self.provider(to).process().ok_or(Lost::Unreachable)?;
        if let Some(late) = passage.again {
            self.arrive_again(caller, to, copy(&request), late);
        }
        let answer = self.handle(&process, caller, to, copy(&request)).await;
        let Some(mut answer) = answer else {
            return Err(Lost::Unreachable);
        };
        self.forges_packages(there, request.uri().path(), &mut answer);
        if passage.answer_lost {
            self.say(&here, &format!("the answer to {} from {there} is lost", what()));
            self.count(|counts| counts.lost += 1);
            return Err(self.network.nothing_comes().await);
        }
        self.network.travel(&here, there, passage.back).await?;
        Ok(answer)
    }

    /// A copy of a request arrives later; nobody waits for its answer.
    fn arrive_again(self: &Arc<Self>, caller: &Caller, to: &Domain, request: Request<Bytes>, late: Duration) {
        let (world, caller, to) = (Arc::clone(self), caller.clone(), to.clone());
        tokio::spawn(async move {
            sleep(late).await;
            if let Some(process) = world.provider(&to).process() {
                let what = format!("{} {}", request.method(), label(request.uri().path()));
                world.say(caller.place(), &format!("{what} arrives at {to} again"));
                world.handle(&process, &caller, &to, request).await;
            }
        });
    }

    /// Has a process handle a request. No answer comes from one that dies meanwhile.
    async fn handle(
        &self,
        process: &Process,
        caller: &Caller,
        to: &Domain,
        request: Request<Bytes>,
    ) -> Option<Answer> {
        self.count(|counts| counts.requests += 1);
        let (at, body) = (request.uri().path().to_owned(), request.body().clone());
        let response = process.handle(caller, request).await;
        let answer = Answer::of(response).await;
        if !process.is_alive() {
            return None;
        }
        if answer.status.is_success() {
            let exchange = Exchange {
                caller: caller.place(),
                by: to,
                path: &at,
                request: &body,
                answer: &answer.body,
            };
            let checked = self.model().answered(exchange);
            if let Err(wrong) = checked {
                self.wrong(&wrong);
            }
        }
        Some(answer)
    }

    /// Opens an event stream; the status where it is refused.
    pub(super) async fn stream(
        self: &Arc<Self>,
        caller: &Caller,
        to: &Domain,
        at: &str,
        token: &str,
    ) -> Result<Result<Stream, StatusCode>, Lost> {
        let (here, there) = (caller.place().to_owned(), to.as_str());
        let passage = self.network.passage();
        self.network.travel(&here, there, passage.there).await?;
        if passage.request_lost || passage.answer_lost {
            return Err(self.network.nothing_comes().await);
        }
        let process = self.provider(to).process().ok_or(Lost::Unreachable)?;
        let request = request(Method::GET, to, at, Some(token), Vec::new());
        let response = process.handle(caller, request).await;
        if !response.status().is_success() {
            return Ok(Err(response.status()));
        }
        Ok(Ok(Stream {
            here,
            to: to.clone(),
            process,
            body: response.into_body(),
            frames: FrameReader::new(),
        }))
    }
}

/// An open event stream.
pub(super) struct Stream {
    here: String,
    to: Domain,
    process: Arc<Process>,
    body: Body,
    frames: FrameReader,
}

impl Stream {
    /// The next event; `None` where the stream broke.
    pub(super) async fn next(&mut self, world: &World) -> Option<Event> {
        loop {
            if let Ok(Some(event)) = self.frames.next_event() {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            let passage = world.network.passage();
            let arrived = world
                .network
                .travel(&self.here, self.to.as_str(), passage.there)
                .await;
            if arrived.is_err() || passage.request_lost || !self.process.is_alive() {
                return None;
            }
            self.frames.push(frame.data_ref()?);
        }
    }
}

fn request(method: Method, to: &Domain, at: &str, token: Option<&str>, body: Vec<u8>) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(format!("https://{to}{at}"));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Bytes::from(body)).unwrap()
}

pub(super) fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// A path without its identifiers.
fn label(at: &str) -> &str {
    let rest = at
        .trim_start_matches("/client/v1/")
        .trim_start_matches("/mimi/v1/");
    rest.split('/').next().unwrap_or_default()
}
