//! The configuration: one TOML file, every key optional but `domain`.
//!
//! `settings!` declares each section once: names, types, defaults and documentation. From that one
//! declaration come the structs, the check for unknown keys and the commented example of
//! `sabird config default`, so they cannot disagree.
//!
//! Units are part of a key's name. A key that is not known is refused with the nearest one that is.

mod error;
mod example;
mod nearest;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sabir_wire::protocol::MAX_NOTIFY;
use sabir_wire::uri::Domain;

pub use error::ConfigError;
pub use example::example;
use schema::{Field, Section, settings};

settings! {
    /// How `sabird` runs. See `sabird config default` for the file.
    pub struct Settings {
        /// The provider's domain, as it stands after the @ of an address. The only key that must be set.
        pub domain: String = String::new(),
        /// Where devices and other providers connect. Use port 0 in tests only.
        pub listen: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 443)),
        /// Where the database, the keys and the admin socket live; created with mode 0700.
        pub data_dir: PathBuf = PathBuf::from("/var/lib/sabird"),
    }
    sections {
        tls: Tls, peers: Peers, limits: Limits, timeouts: Timeouts, retention: Retention, log: Log,
    }
}

settings! {
    /// The certificate of this provider. Relative paths start at `data_dir`.
    pub struct Tls {
        /// Certificate chain in PEM, leaf first; the domain must be among its DNS names.
        pub certificate: PathBuf = PathBuf::from("tls/cert.pem"),
        /// Private key of the leaf in PEM.
        pub key: PathBuf = PathBuf::from("tls/key.pem"),
        /// Who may vouch for other providers: "web-pki" (the system's authorities) or the path of a PEM file.
        pub trust: String = String::from("web-pki"),
    }
    sections {}
}

settings! {
    /// How other providers are reached.
    pub struct Peers {
        /// Accept addresses of private networks from DNS. Off, so that nobody can point this server at its own network.
        pub allow_private_addresses: bool = false,
        /// How long another provider's directory document is used, in seconds.
        pub directory_ttl_seconds: u64 = 3600,
        /// Fixed addresses that take the place of DNS, such as { "b.example" = "127.0.0.1:8443" }.
        pub resolve: BTreeMap<String, SocketAddr> = BTreeMap::new(),
    }
    sections {}
}

settings! {
    /// Upper bounds that keep one peer or device from exhausting the server.
    pub struct Limits {
        /// Connections in all.
        pub connections: usize = 16_384,
        /// Connections of one address (of one /64 for IPv6).
        pub connections_per_ip: usize = 256,
        /// Requests in flight on one connection, open event streams included.
        pub streams_per_connection: u32 = 128,
        /// Size of all header fields of one request, in bytes.
        pub header_bytes: u32 = 16_384,
        /// Size of a request's body, in bytes; endpoints with small requests take less. This and the two below are at
        /// least 16777216, which other providers may have to send in one request.
        pub body_bytes: usize = 16 * 1024 * 1024,
        /// Memory for the bodies of all requests together, in bytes; above it requests are answered 503.
        pub body_memory_bytes: usize = 512 * 1024 * 1024,
        /// The part of it that one address (one /64 for IPv6) may take, so that nobody alone can take it from all others.
        pub body_memory_bytes_per_ip: usize = 128 * 1024 * 1024,
        /// Size of one file, in bytes (already encrypted by the client), uploaded here or fetched from another provider.
        pub blob_bytes: u64 = 4 * 1024 * 1024 * 1024,
        /// Size of all files of one person together, in bytes, unfinished uploads included.
        pub blob_quota_bytes: u64 = 16 * 1024 * 1024 * 1024,
        /// Files of one person, unfinished uploads included.
        pub blobs_per_person: u64 = 100_000,
        /// Size of an answer from another provider, in bytes.
        pub response_bytes: usize = 16 * 1024 * 1024,
        /// Events read ahead for one event stream; a device that is slower leaves the others in the store.
        pub stream_queue: usize = 256,
        /// Requests at work on the store, and as many again that wait for other providers; above it they are answered 503.
        pub store_queue: usize = 4096,
        /// Rooms kept in memory; the ones used longest ago are loaded again when needed.
        pub loaded_rooms: usize = 1024,
    }
    sections {}
}

settings! {
    /// How long things may take.
    pub struct Timeouts {
        /// The TLS handshake.
        pub handshake_seconds: u64 = 10,
        /// Receiving the whole body of a request.
        pub body_seconds: u64 = 30,
        /// A connection without a request in flight.
        pub idle_seconds: u64 = 300,
        /// Age at which a connection is closed and made anew, so that renewed certificates take effect.
        pub connection_age_seconds: u64 = 86_400,
        /// Time between liveness probes of an open connection.
        pub keep_alive_seconds: u64 = 30,
        /// Connecting to another provider, TLS handshake included.
        pub connect_seconds: u64 = 10,
        /// One request to another provider, answer included.
        pub request_seconds: u64 = 30,
        /// Finishing requests after the order to stop.
        pub drain_seconds: u64 = 20,
    }
    sections {}
}

settings! {
    /// How long things are kept.
    pub struct Retention {
        /// Messages of a room that a device has not fetched.
        pub log_days: u32 = 90,
        /// Uploaded files.
        pub blob_days: u32 = 90,
        /// Uploads that were begun and not finished.
        pub upload_hours: u32 = 48,
        /// Answers kept to recognise repeated requests.
        pub answers_days: u32 = 14,
        /// How long delivery to an unreachable provider is tried.
        pub outbox_days: u32 = 14,
    }
    sections {}
}

settings! {
    /// What is written to stderr. Never holds user data above the level "debug".
    pub struct Log {
        /// A filter such as "info" or "sabir_server=debug"; the variable SABIRD_LOG overrides it.
        pub filter: String = String::from("info"),
    }
    sections {}
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The provider's domain.
    pub domain: Domain,
    /// Everything as written, defaults filled in; `data_dir` and the paths of `tls` made absolute or
    /// relative to the working directory.
    pub settings: Settings,
    /// `peers.resolve` with its domains parsed.
    pub resolve: BTreeMap<Domain, SocketAddr>,
    /// `tls.trust` parsed.
    pub trust: Trust,
}

/// Who may vouch for other providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The certification authorities that the operating system trusts.
    WebPki,
    /// The authorities in this PEM file and no others.
    File(PathBuf),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Checks a configuration's text.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table =
            toml::from_str(text).map_err(|source| ConfigError::Syntax(Box::new(source)))?;
        schema::refuse_unknown(&table, Settings::FIELDS, Settings::SECTIONS, "")?;
        let settings: Settings =
            toml::from_str(text).map_err(|source| ConfigError::Syntax(Box::new(source)))?;
        Self::check(settings)
    }

    fn check(mut settings: Settings) -> Result<Self, ConfigError> {
        if settings.domain.is_empty() {
            return Err(ConfigError::NoDomain);
        }
        let domain = Domain::parse(&settings.domain).map_err(|source| ConfigError::Domain {
            key: "domain".to_owned(),
            source,
        })?;
        let mut resolve = BTreeMap::new();
        for (name, address) in &settings.peers.resolve {
            let peer = Domain::parse(name).map_err(|source| ConfigError::Domain {
                key: format!("peers.resolve.{name}"),
                source,
            })?;
            resolve.insert(peer, *address);
        }
        for (key, value) in [
            ("limits.connections", settings.limits.connections),
            ("limits.connections_per_ip", settings.limits.connections_per_ip),
            ("limits.response_bytes", settings.limits.response_bytes),
            ("limits.stream_queue", settings.limits.stream_queue),
            ("limits.store_queue", settings.limits.store_queue),
            ("limits.loaded_rooms", settings.limits.loaded_rooms),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero(key));
            }
        }
        for (key, value) in [
            ("limits.body_bytes", settings.limits.body_bytes),
            ("limits.body_memory_bytes", settings.limits.body_memory_bytes),
            (
                "limits.body_memory_bytes_per_ip",
                settings.limits.body_memory_bytes_per_ip,
            ),
        ] {
            // A hub repeats a batch that is refused for weeks, and nothing behind it in the room comes through.
            if value < MAX_NOTIFY {
                let least = MAX_NOTIFY;
                return Err(ConfigError::TooLow { key, least });
            }
        }
        let base = settings.data_dir.clone();
        settings.tls.certificate = base.join(&settings.tls.certificate);
        settings.tls.key = base.join(&settings.tls.key);
        let trust = match settings.tls.trust.as_str() {
            "web-pki" => Trust::WebPki,
            path => Trust::File(base.join(path)),
        };
        Ok(Self {
            domain,
            settings,
            resolve,
            trust,
        })
    }
}
