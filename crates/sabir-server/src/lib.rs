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
//!   │   ├── mimi     endpoints for other providers      ┐
//!   │   └── client   the API for our users' devices     ┴─> rooms         engines of rooms, their commits
//!   │                  └── events  a stream per device       key_material  key packages, asked and passed on
//!   │                                                        forward       a device's request for another hub
//!  assets ── files: ciphertext put by devices, fetched by URL, here and from other providers
//!  outbox ── fan-out to followers                            anchors       identity CAs of providers
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
//! `From` that the certificate proves), one under `/client/v1/` a [`client::Session`] (the device behind the token),
//! then [`http::Payload`]; it decodes, and asks [`http::authorise_from`] before it calls an engine. Then, in this order:
//! commit the engine's changes together with everything that depends on them in one command of the store, answer.
//! The store's hints wake event streams and the outbox.
//!
//! # Invariants
//! * Nothing is acknowledged before the store says that it is durable.
//! * A handler may be dropped at any await, when its caller resets the stream: an engine's call and its commit run
//!   in a task of their own ([`http::finish`]).
//! * Nothing that waits on another provider holds a lock that a request of a third one needs.
//! * No user data in logs above DEBUG.

pub mod admin;
pub mod ambient;
pub mod anchors;
mod assets;
pub mod cli;
pub mod client;
pub mod config;
mod counts;
pub mod directory;
pub mod error;
pub mod events;
pub mod forward;
pub mod http;
pub mod invite;
pub mod key_material;
pub mod keys;
pub mod mimi;
pub mod outbox;
pub mod peer;
pub mod rooms;
pub mod routes;
pub mod server;
pub mod tls;
pub mod waits;
