//! What the provider logs, captured on this thread: a test on one thread sees its own providers' records and no
//! other's.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) level: Level,
    pub(crate) message: String,
    /// Without quotes, where it is a text.
    pub(crate) code: String,
    /// Everything: target, message, all fields.
    pub(crate) text: String,
}

/// Every record of every level, until it is dropped.
pub(crate) struct Logs {
    records: Arc<Mutex<Vec<Logged>>>,
    _guard: DefaultGuard,
}

/// Ends of connections and the like, which come when they come.
const BESIDE: [&str; 7] = [
    "connection ended",
    "connection to a peer ended",
    "connection cut after its time to drain",
    "a pooled connection failed; connecting anew",
    "learned the identity of a provider",
    "a tunnel ended",
    "housekeeping done",
];

/// What nobody above DEBUG may read in a log of these tests: people, devices, rooms, words.
const USERS: [&str; 6] = ["mimi://", "alice", "bob", "carol", "AAAAAAAA", "/r/"];

impl Logs {
    pub(crate) fn capture() -> Self {
        let records = Arc::default();
        let layer = Capture(Arc::clone(&records));
        let subscriber = tracing_subscriber::registry().with(layer);
        Self {
            records,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// What was logged so far, by anybody.
    pub(crate) fn all(&self) -> Vec<Logged> {
        self.records.lock().unwrap().clone()
    }

    /// Forgets what was logged so far.
    pub(crate) fn clear(&self) {
        self.records.lock().unwrap().clear();
    }

    /// What the providers logged since it was asked last, but for what is always beside.
    fn take(&self) -> Vec<Logged> {
        std::mem::take(&mut *self.records.lock().unwrap())
            .into_iter()
            .filter(|logged| logged.text.starts_with("sabir") && !BESIDE.contains(&logged.message.as_str()))
            .inspect(|logged| {
                let told = |user: &&&str| logged.text.contains(**user);
                let user = USERS.iter().find(told);
                assert!(logged.level >= Level::DEBUG || user.is_none(), "{logged:?}");
            })
            .collect()
    }

    /// Since it was asked last, one request was refused with this code: one record says so, and nothing else was said.
    #[track_caller]
    pub(crate) fn one_refusal(&self, code: impl std::fmt::Display) {
        self.one("request refused", &code.to_string());
    }

    /// Since it was asked last, a hub refused a request that its requester's provider had passed on: each of the two
    /// said so once.
    #[track_caller]
    pub(crate) fn one_refusal_each_of_two(&self, code: u16) {
        let records = self.take();
        assert_eq!(records.len(), 2, "{records:#?}");
        for logged in records {
            assert_eq!(logged.message, "request refused");
            assert_eq!(logged.code, code.to_string());
        }
    }

    /// Since it was asked last, this is the one record.
    #[track_caller]
    pub(crate) fn one(&self, message: &str, code: &str) {
        let records = self.take();
        let [logged] = records.as_slice() else {
            panic!("one record of {message} {code}: {records:#?}")
        };
        assert_eq!((logged.message.as_str(), logged.code.as_str()), (message, code));
        assert!(code.is_empty() || logged.text.contains("reason="), "{logged:?}");
    }

    /// Since it was asked last, nothing was logged.
    #[track_caller]
    pub(crate) fn nothing(&self) {
        let records = self.take();
        assert!(records.is_empty(), "{records:#?}");
    }
}

struct Capture(Arc<Mutex<Vec<Logged>>>);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut logged = Logged {
            level: *metadata.level(),
            message: String::new(),
            code: String::new(),
            text: metadata.target().to_owned(),
        };
        event.record(&mut logged);
        self.0.lock().unwrap().push(logged);
    }
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}");
        write!(self.text, " {}={value}", field.name()).unwrap();
        match field.name() {
            "message" => self.message = value,
            "code" => self.code = value,
            _ => {}
        }
    }
}
