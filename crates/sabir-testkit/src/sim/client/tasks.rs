//! What a client's process does by itself. Every task may end at any await: what matters is on disk before.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use sabir_client::transport::route;
use sabir_core::conversation::{Request, RequestKind};
use sabir_server::directory::{DIRECTORY_PATH, Directory};
use sabir_wire::client_api::{
    AckRequest, ClientAuthChallenge, ClientAuthTbs, Event, EventBody, HubIdentity, KeyPackageCountResponse,
    SignInRequest, SignInResponse, path,
};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::CipherSuite;
use sabir_wire::protocol::SubmitMessageResponse;
use sabir_wire::uri::{Domain, ProviderUri, RoomUri};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Client;
use super::shell::{Fault, Next};
use crate::sim::bugs::Bug;
use crate::sim::provider::{Answer, Caller};

/// Key packages the provider should have, and with how few it gets more.
const PACKAGES: u32 = 4;
const FEW: u32 = 2;
/// After a request was refused as such.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often in a row, a millisecond apart, a room may have nothing to send and not want to wait. One that goes on
/// like this burns a processor, and is stuck.
const MOST_IDLE: u32 = 5000;
/// A stream that is silent for longer is taken for broken.
const SILENCE: Duration = Duration::from_secs(1000);

/// Why a request brought no answer that can be used.
enum Failed {
    Died,
    /// Try again.
    Again(Option<Duration>),
    /// It was refused with this status.
    Refused(StatusCode),
}

impl Client {
    pub(super) fn start_tasks(self: &Arc<Self>) {
        let rooms: Vec<RoomUri> = self.lock_disk().rooms.keys().cloned().collect();
        let parked: Vec<RoomUri> = self.lock_disk().parked.keys().cloned().collect();
        self.spawn(Arc::clone(self).follow_events());
        self.spawn(Arc::clone(self).supply_key_packages());
        for room in rooms {
            self.wake(&room);
        }
        for room in parked {
            let domain = room.authority().clone();
            self.start_unparking(room, domain);
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    fn this(&self) -> Option<Arc<Self>> {
        self.world.upgrade()?.client(&self.name)
    }

    /// Tells a room's worker, which there is from now on.
    pub(super) fn wake(&self, room: &RoomUri) {
        let mut memory = self.lock_memory();
        if let Some(news) = memory.news.get(room) {
            return news.notify_one();
        }
        let news = Arc::new(Notify::new());
        memory.news.insert(room.clone(), Arc::clone(&news));
        drop(memory);
        if let Some(this) = self.this() {
            self.spawn(this.serve_room(room.clone(), news));
        }
    }

    /// The requests of one room: one at a time, the same bytes until they are answered.
    async fn serve_room(self: Arc<Self>, room: RoomUri, news: Arc<Notify>) {
        let (mut failures, mut idle) = (0, 0);
        loop {
            let request = match self.next(&room) {
                Ok(Next::Send(request)) => request,
                Ok(Next::Wait(until)) => {
                    let wait = until.map(|until| Duration::from_millis(until.saturating_sub(self.now())));
                    let wait = wait.unwrap_or(Duration::from_secs(1 << 24));
                    idle = if wait.is_zero() { idle + 1 } else { 0 };
                    if idle > MOST_IDLE {
                        let what = format!("{} has nothing to send, and will not wait", self.short(&room));
                        self.say(&what);
                        if let Ok(world) = self.world() {
                            world.wrong(&format!("{}: {what}", self.name));
                        }
                        return;
                    }
                    // Time passes even for those who do not want to wait.
                    let _ = timeout(wait.max(Duration::from_millis(1)), news.notified()).await;
                    continue;
                }
                Err(Fault::Died) => return,
                // A room that only an entry of the log can bring back.
                Err(_) => {
                    news.notified().await;
                    continue;
                }
            };
            match self.exchange(&room, &request).await {
                Ok(()) => failures = 0,
                Err(Failed::Died) => return,
                Err(Failed::Refused(status)) => {
                    self.say(&format!(
                        "{} {:?} refused: {status}",
                        self.short(&room),
                        request.kind
                    ));
                    let _ = timeout(REFUSED_PAUSE, news.notified()).await;
                }
                Err(Failed::Again(asked)) => {
                    if request.kind == RequestKind::Submit && self.has(Bug::RepeatsAnew) {
                        // As if it were known that nobody got it.
                        let answer = SubmitMessageResponse::NotAllowed;
                        let _ = self.answered(&room, &request, &answer.to_bytes());
                        self.resume();
                    }
                    self.pause(failures, asked).await;
                    failures += 1;
                }
            }
        }
    }

    async fn exchange(&self, room: &RoomUri, request: &Request) -> Result<(), Failed> {
        let (at, _) = route(room, request).unwrap();
        let answer = self.call(&at, &request.body).await?;
        loop {
            match self.answered(room, request, &answer) {
                Ok(()) => return Ok(()),
                Err(Fault::Unknown(domain)) => self.identify(&domain).await?,
                Err(Fault::Died) => return Err(Failed::Died),
                Err(fault) => {
                    self.say(&format!("{} answer: {fault:?}", self.short(room)));
                    return Err(Failed::Again(None));
                }
            }
        }
    }

    /// Applies the event stream, event by event, for as long as there is one; then the next.
    async fn follow_events(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            match self.follow_one_stream(&mut failures).await {
                Err(Failed::Died) => return,
                Err(Failed::Again(asked)) => self.pause(failures, asked).await,
                Err(Failed::Refused(_)) | Ok(()) => self.pause(failures, None).await,
            }
            failures += 1;
        }
    }

    async fn follow_one_stream(&self, failures: &mut u32) -> Result<(), Failed> {
        let world = self.world().map_err(|_| Failed::Died)?;
        let after = self.lock_disk().cursor;
        let at = format!("{}?after={after}", path::EVENTS);
        let token = self.token().await?;
        let caller = self.caller();
        let mut stream = match world.stream(&caller, &self.home, &at, &token).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(status)) => return Err(self.refused(status, None)),
            Err(_) => return Err(Failed::Again(None)),
        };
        *failures = 0;
        self.lock_memory().supply.notify_one();
        self.acknowledge(after);
        let mut last = after;
        loop {
            let Ok(Some(mut event)) = timeout(SILENCE, stream.next(&world)).await else {
                return Err(Failed::Again(None));
            };
            if let EventBody::Fanout { room, fanout_message } = &mut event.body {
                if world.withholds(self, room, event.cursor, fanout_message) {
                    last = event.cursor;
                    continue;
                }
                *fanout_message = world.alters(std::mem::take(fanout_message));
            }
            last = self.check_cursor(&event, last);
            match self.incoming(&event) {
                Ok(()) => {}
                Err(Fault::Died) => return Err(Failed::Died),
                Err(fault) => world.wrong(&format!("{}: an event: {fault:?}", self.name)),
            }
            // What waits behind others has not been taken yet: it would overtake them.
            if let EventBody::Fanout { room, fanout_message } = &event.body
                && world.repeats()
                && !self.lock_disk().parked.contains_key(room)
            {
                match self.repeated(room, fanout_message) {
                    Err(Fault::Died) => return Err(Failed::Died),
                    told => self.say(&format!("{} an entry came again: {told:?}", self.short(room))),
                }
            }
            match event.body {
                EventBody::KeyPackagesLow { .. } => self.lock_memory().supply.notify_one(),
                EventBody::Fanout { .. } => self.acknowledge(event.cursor),
                EventBody::Keepalive => {}
            }
        }
    }

    /// Cursors of a device's stream are dense.
    fn check_cursor(&self, event: &Event, last: u64) -> u64 {
        let expected = match event.body {
            EventBody::Fanout { .. } | EventBody::KeyPackagesLow { .. } => last + 1,
            EventBody::Keepalive => last,
        };
        if event.cursor != expected
            && let Ok(world) = self.world()
        {
            let cursor = event.cursor;
            world.wrong(&format!("{}: event {cursor} came after {last}", self.name));
        }
        event.cursor
    }

    /// Tells the provider what it may forget. Not always: an acknowledgement covers all before.
    fn acknowledge(&self, cursor: u64) {
        if cursor == 0 || self.fate.happens(300) {
            return;
        }
        if let Some(this) = self.this() {
            self.spawn(async move {
                let _ = this.call(path::ACK, &AckRequest { cursor }.to_bytes()).await;
            });
        }
    }

    async fn supply_key_packages(self: Arc<Self>) {
        let wanted = Arc::clone(&self.lock_memory().supply);
        loop {
            wanted.notified().await;
            let mut failures = 0;
            while let Err(failed) = self.supply_once().await {
                match failed {
                    Failed::Died => return,
                    Failed::Again(asked) => self.pause(failures, asked).await,
                    Failed::Refused(_) => self.pause(failures, Some(LONGEST_PAUSE)).await,
                }
                failures += 1;
            }
        }
    }

    async fn supply_once(&self) -> Result<(), Failed> {
        if self.lock_disk().publishing.is_some() {
            self.publish(0).await?;
        }
        let answer = self.fetch(path::KEY_PACKAGES).await?;
        let count = KeyPackageCountResponse::from_bytes(&answer).map_err(|_| Failed::Again(None))?;
        let available = count.of(CipherSuite(sabir_mls::suite::DEFAULT));
        if available < FEW {
            self.publish((PACKAGES - available) as usize).await?;
        }
        let answer = self.fetch(path::HUB).await?;
        let hub = HubIdentity::from_bytes(&answer).map_err(|_| Failed::Again(None))?;
        self.identify(&self.home).await?;
        self.set_hub(hub).map_err(|_| Failed::Died)
    }

    async fn publish(&self, count: usize) -> Result<(), Failed> {
        let batch = self.key_packages(count).map_err(|_| Failed::Died)?;
        self.call(path::KEY_PACKAGES, &batch).await?;
        self.published().map_err(|_| Failed::Died)
    }

    /// Applies what waits for a room, fetching one identity after the other.
    pub(super) fn start_unparking(&self, room: RoomUri, mut domain: Domain) {
        let Some(this) = self.this() else { return };
        self.spawn(async move {
            loop {
                if this.identify(&domain).await.is_err() {
                    return;
                }
                match this.unpark(&room) {
                    Ok(Some(next)) => domain = next,
                    Ok(None) | Err(_) => return,
                }
            }
        });
    }

    /// Fetches and pins the identity of a provider, however long it takes.
    async fn identify(&self, domain: &Domain) -> Result<(), Failed> {
        let mut failures = 0;
        while !self.knows(domain) {
            let world = self.world().map_err(|_| Failed::Died)?;
            let answer = world.get(&self.caller(), domain, DIRECTORY_PATH, None).await;
            let der = answer
                .ok()
                .filter(|answer| answer.status == StatusCode::OK)
                .and_then(|answer| Directory::from_json(&answer.body).ok())
                .and_then(|directory| directory.provider_ca);
            match der.map(|der| self.pin(domain, der)) {
                Some(Ok(())) => {}
                Some(Err(Fault::Died)) => return Err(Failed::Died),
                Some(Err(_)) | None => {
                    self.pause(failures, None).await;
                    failures += 1;
                }
            }
        }
        Ok(())
    }

    async fn call(&self, at: &str, body: &[u8]) -> Result<Vec<u8>, Failed> {
        let world = self.world().map_err(|_| Failed::Died)?;
        let token = self.token().await?;
        world.looks_for_forged(&self.name, at, body);
        let worse = world
            .garbles(self, at, body)
            .or_else(|| world.spoils(self, at, body));
        let body = worse.unwrap_or_else(|| body.to_vec());
        let answer = world
            .post(&self.caller(), &self.home, at, Some(&token), body)
            .await;
        self.used(answer)
    }

    /// Sends something that is not its own.
    pub(in crate::sim) async fn posts(&self, at: &str, body: &[u8]) -> Option<Vec<u8>> {
        let world = self.world().ok()?;
        let token = self.token().await.ok()?;
        let answer = world
            .post(&self.caller(), &self.home, at, Some(&token), body.to_vec())
            .await;
        self.used(answer).ok()
    }

    async fn fetch(&self, at: &str) -> Result<Vec<u8>, Failed> {
        let world = self.world().map_err(|_| Failed::Died)?;
        let token = self.token().await?;
        let answer = world.get(&self.caller(), &self.home, at, Some(&token)).await;
        self.used(answer)
    }

    fn used<E>(&self, answer: Result<Answer, E>) -> Result<Vec<u8>, Failed> {
        let answer = answer.map_err(|_| Failed::Again(None))?;
        if answer.status.is_success() {
            return Ok(answer.body.to_vec());
        }
        Err(self.refused(answer.status, answer.retry_after))
    }

    fn refused(&self, status: StatusCode, asked: Option<Duration>) -> Failed {
        match status {
            StatusCode::UNAUTHORIZED => {
                self.lock_memory().token = None;
                Failed::Again(None)
            }
            StatusCode::TOO_MANY_REQUESTS => Failed::Again(asked),
            status if status.is_server_error() => Failed::Again(asked),
            status => Failed::Refused(status),
        }
    }

    /// The token of this process, after signing in where there is none.
    async fn token(&self) -> Result<String, Failed> {
        if let Some(token) = self.lock_memory().token.clone() {
            return Ok(token);
        }
        let world = self.world().map_err(|_| Failed::Died)?;
        let caller = self.caller();
        let ask = |at, body| world.post(&caller, &self.home, at, None, body);
        let again = |_| Failed::Again(None);
        let answer = ask(path::CHALLENGE, Vec::new()).await.map_err(again)?;
        let challenge = ClientAuthChallenge::from_bytes(&answer.body).map_err(|_| Failed::Again(None))?;
        let mut request = SignInRequest {
            client: self.uri.clone(),
            nonce: challenge.nonce,
            signature: Vec::new(),
        };
        let tbs = request.tbs(&ProviderUri::from(&self.home), self.exporter);
        request.signature = self
            .device
            .key
            .sign_with_label(ClientAuthTbs::SIGNATURE_LABEL, &tbs)
            .unwrap();
        let answer = ask(path::SIGN_IN, request.to_bytes()).await.map_err(again)?;
        let answer = SignInResponse::from_bytes(&answer.body).map_err(|_| Failed::Again(None))?;
        let token = BASE64URL_NOPAD.encode(answer.token.expose());
        self.lock_memory().token = Some(token.clone());
        Ok(token)
    }

    fn caller(&self) -> Caller {
        Caller::Device {
            place: self.name.clone(),
            exporter: self.exporter,
        }
    }

    async fn pause(&self, failures: u32, asked: Option<Duration>) {
        let full = Duration::from_millis(500)
            .saturating_mul(1 << failures.min(10))
            .min(LONGEST_PAUSE);
        let wait = self
            .fate
            .wait(250, u64::try_from(full.as_millis()).unwrap_or_default());
        sleep(wait.max(asked.unwrap_or_default())).await;
    }
}
