use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use sabir_wire::uri::Domain;

use crate::error::Error;
use crate::tls::{EXPORTER_LEN, Peer};

/// What the connection says about a request.
#[derive(Debug, Clone)]
pub struct Context {
    /// The other end's address.
    pub remote: SocketAddr,
    pub(super) peer: Arc<Peer>,
}

impl Context {
    /// What a connection would say whose other end proved to be `domains`. The listener makes its own; this is for
    /// whoever takes its place, such as the simulated world.
    #[must_use]
    pub fn new(remote: SocketAddr, domains: Vec<Domain>, exporter: [u8; EXPORTER_LEN]) -> Self {
        let peer = Arc::new(Peer { domains, exporter });
        Self { remote, peer }
    }

    /// The domains that the connection's verified certificate names; empty without one.
    #[must_use]
    pub fn peer_domains(&self) -> &[Domain] {
        &self.peer.domains
    }

    /// Keying material that only both ends of this connection can compute.
    #[must_use]
    pub fn exporter(&self) -> &[u8; EXPORTER_LEN] {
        &self.peer.exporter
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Error::Internal("a request without a context"))
    }
}

/// The provider that sent the request: the domain in `From`, which is one that its certificate proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity(pub Domain);

impl<S: Sync> FromRequestParts<S> for PeerIdentity {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let context = Context::from_request_parts(parts, state).await?;
        if context.peer_domains().is_empty() {
            return Err(Error::NoCertificate);
        }
        let from = parse_from(&parts.headers)?;
        // "The certificates presented in the TLS handshake MUST authenticate the source and target provider
        // domains" (draft-ietf-mimi-protocol-06 §4.1).
        if context.peer_domains().contains(&from) {
            Ok(Self(from))
        } else {
            Err(Error::NotThePeer)
        }
    }
}

/// The domain of `From: mimi@a.example`.
///
/// The header must be there once, hold an `addr-spec` and nothing else, and its local part must be `mimi`
/// (draft-ietf-mimi-protocol-06 §4.1). The domain may be in any case, as host names may.
///
/// # Errors
/// [`Error::Malformed`].
pub fn parse_from(headers: &HeaderMap) -> Result<Domain, Error> {
    const MALFORMED: Error = Error::Malformed("From header");
    let mut values = headers.get_all(header::FROM).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(MALFORMED);
    };
    let domain = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("mimi@"))
        .ok_or(MALFORMED)?;
    Domain::parse(&domain.to_ascii_lowercase()).map_err(|_| MALFORMED)
}

/// Refuses a request that names another provider than `ours`. A port is ignored
/// (draft-ietf-mimi-protocol-06 §4.1); `:authority` and `Host` must agree where both are there.
pub(super) fn check_host(uri: &Uri, headers: &HeaderMap, ours: &Domain) -> Result<(), Error> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, None) = (hosts.next(), hosts.next()) else {
        return Err(Error::Malformed("Host header"));
    };
    let host = match host {
        None => None,
        Some(value) => {
            Some(Authority::try_from(value.as_bytes()).map_err(|_| Error::Malformed("Host header"))?)
        }
    };
    let mut named = false;
    for authority in uri.authority().into_iter().chain(host.as_ref()) {
        named = true;
        if authority.as_str().contains('@') {
            return Err(Error::Malformed("Host header"));
        }
        if !authority.host().eq_ignore_ascii_case(ours.as_str()) {
            return Err(Error::WrongHost);
        }
    }
    if named {
        Ok(())
    } else {
        Err(Error::Malformed("Host header"))
    }
}

/// The last segment of a path, still percent-encoded, as [`sabir_wire::uri::RoomUri::from_path_segment`] and its
/// siblings want it.
#[must_use]
pub fn last_segment(uri: &Uri) -> &str {
    uri.path().rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(&name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    #[test]
    fn from_is_strict() {
        let parse = |values: &[&str]| parse_from(&headers(header::FROM, values));
        assert_eq!(parse(&["mimi@a.example"]).unwrap().as_str(), "a.example");
        assert_eq!(parse(&["mimi@A.Example"]).unwrap().as_str(), "a.example");
        for refused in [
            &[][..],
            &[""],
            &["mimi@a.example", "mimi@a.example"],
            &["Mimi@a.example"],
            &["mimi@"],
            &["a.example"],
            &["alice@a.example"],
            &["<mimi@a.example>"],
            &["A <mimi@a.example>"],
            &["mimi@a.example, mimi@b.example"],
            &["mimi@a.example:443"],
            &["mimi@a.example."],
            &["mimi@127.0.0.1"],
            &["mimi@@a.example"],
            &["mimi@ a.example"],
            &["mimi@a.example\u{e9}"],
        ] {
            assert_eq!(
                parse(refused),
                Err(Error::Malformed("From header")),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn host_must_be_ours() {
        let ours = Domain::parse("a.example").unwrap();
        let check = |uri: &str, hosts: &[&str]| {
            check_host(&uri.parse().unwrap(), &headers(header::HOST, hosts), &ours)
        };
        for (uri, hosts) in [
            ("https://a.example/x", &[][..]),
            ("https://a.example:8443/x", &[]),
            ("https://A.Example/x", &[]),
            ("/x", &["a.example"]),
            ("/x", &["a.example:1"]),
            ("https://a.example/x", &["a.example"]),
        ] {
            assert_eq!(check(uri, hosts), Ok(()), "{uri} {hosts:?}");
        }
        for (uri, hosts) in [
            ("https://b.example/x", &[][..]),
            ("https://a.example.b.example/x", &[]),
            ("https://a.example/x", &["b.example"]),
            ("https://b.example/x", &["a.example"]),
            ("https://127.0.0.1/x", &[]),
            ("https://a.example./x", &[]),
        ] {
            assert_eq!(check(uri, hosts), Err(Error::WrongHost), "{uri} {hosts:?}");
        }
        for (uri, hosts) in [
            ("/x", &[][..]),
            ("/x", &["a.example", "a.example"]),
            ("/x", &["x@a.example"]),
            ("/x", &["a.example/y"]),
            ("/x", &[""]),
        ] {
            assert_eq!(
                check(uri, hosts),
                Err(Error::Malformed("Host header")),
                "{uri} {hosts:?}"
            );
        }
    }

    #[test]
    fn last_segments_stay_encoded() {
        assert_eq!(
            last_segment(&"/mimi/v1/notify/mimi%3A%2F%2Fa%2Fr%2Fb".parse().unwrap()),
            "mimi%3A%2F%2Fa%2Fr%2Fb"
        );
        assert_eq!(last_segment(&"/".parse().unwrap()), "");
    }
}
