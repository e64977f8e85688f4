//! How long things are kept that nobody needs any more.

/// How long to keep what carries no end of its own, in milliseconds.
///
/// Key packages, routes, tokens and invites carry their own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Bodies of the room log. A body that a device queue or the outbox still refers to stays in any case.
    pub log_ms: u64,
    /// Hashes for the deduplication of messages; must outlast a hub's retries.
    pub hashes_ms: u64,
    /// Answers to requests and to takes of key packages; must outlast a peer's or a client's retries.
    pub answers_ms: u64,
}

/// How many rows went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Bodies of the room log.
    pub bodies: u64,
    /// Hashes of messages.
    pub hashes: u64,
    /// Answers to requests.
    pub answers: u64,
    /// Answers to takes of key packages.
    pub takes: u64,
    /// Key packages, those handed out included.
    pub key_packages: u64,
    /// Routes of key package references.
    pub routes: u64,
    /// Tokens.
    pub tokens: u64,
    /// Invites.
    pub invites: u64,
}
