//! The provider: library and the binary `sabird`.
//!
//! ```text
//!  cli ── bin/sabird: run, config, invite, account
//!   │
//!  server ── Provider::bind, serve; Shared is what handlers share
//!   │   ├── config   one TOML file            ├── keys    CA, server key, hub key (files of mode 0600)
//!   │   ├── admin    Unix socket, JSON lines  └── ambient clock and randomness for the pure crates
//!   │
//!  routes ── what is served where, what the directory announces
//!   │
//!  http ── listener, bounds, Context, PeerIdentity, Payload, authorise_from      (inbound)
//!  peer ── PeerClient: directory cache, one h2 connection per provider           (outbound)
//!   │
//!  tls ── TLS 1.3, certificates of peers verified when presented     directory ── the directory document
//!  error ── one enum to HTTP status and to the client API's codes
//! ```
//!
//! # The way of a request
//! `http` bounds it and gives it a [`http::Context`]. A handler under `/mimi/v1/` takes [`http::PeerIdentity`] (the
//! `From` that the certificate proves), then [`http::Payload`], decodes, and asks [`http::authorise_from`] before it
//! calls an engine. Then, in this order: commit the engine's changes together with everything that depends on them
//! in one command of the store, answer, publish.
//!
//! # Invariants
//! * Nothing is acknowledged before the store says that it is durable.
//! * A handler may be dropped at any await, when its caller resets the stream: an engine's call and its commit run
//!   in a task of their own.
//! * Nothing that waits on another provider holds a lock that a request of a third one needs.
//! * No user data in logs above DEBUG.
//!
//! # Not there yet
//! Handlers: [`routes`] serves the directory and announces no endpoint, so that nobody calls what is not there.

pub mod admin;
pub mod ambient;
pub mod cli;
pub mod config;
pub mod directory;
pub mod error;
pub mod http;
pub mod invite;
pub mod keys;
pub mod peer;
pub mod routes;
pub mod server;
pub mod tls;
