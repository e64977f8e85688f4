use std::fmt;

use sabir_wire::uri::Domain;

/// An https URL with one variable in its path or query, such as `https://a.example/mimi/v1/notify/{roomId}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    host: Domain,
    port: u16,
    /// Starts with a slash and has the variable in braces.
    path: String,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The host, which need not be the provider's domain; the certificate must be for that all the same.
    pub host: Domain,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

const HTTPS_PORT: u16 = 443;

impl UrlTemplate {
    /// A template at a host's default port. `path` starts with a slash.
    pub(super) fn new(host: Domain, path: &str) -> Self {
        Self {
            host,
            port: HTTPS_PORT,
            path: path.to_owned(),
        }
    }

    /// Reads a template; `None` unless it is https, at a named host, and has one variable after it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let at = rest.find('/')?;
        let (authority, path) = rest.split_at_checked(at)?;
        let (host, port) = match authority.split_once(':') {
            None => (authority, HTTPS_PORT),
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
        };
        let host = Domain::parse(&host.to_ascii_lowercase()).ok()?;
        let (before, variable, after) = split(path)?;
        let name_is_sane = !variable.is_empty() && variable.bytes().all(|b| b.is_ascii_alphanumeric());
        let sane = |part: &str| {
            part.bytes()
                .all(|b| b.is_ascii_graphic() && !b"{}\"<>\\^`|#".contains(&b))
        };
        (name_is_sane && sane(before) && sane(after)).then(|| Self {
            host,
            port,
            path: path.to_owned(),
        })
    }

    /// Puts a percent-encoded segment in the variable's place; `None` when it is not one.
    #[must_use]
    pub fn expand(&self, segment: &str) -> Option<Url> {
        let sane = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@".contains(&b);
        if segment.is_empty() || !segment.bytes().all(sane) {
            return None;
        }
        let (before, _, after) = split(&self.path)?;
        Some(Url {
            host: self.host.clone(),
            port: self.port,
            path: format!("{before}{segment}{after}"),
        })
    }
}

fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = path.split_once('{')?;
    let (variable, after) = rest.split_once('}')?;
    Some((before, variable, after))
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            HTTPS_PORT => write!(f, "https://{}{}", self.host, self.path),
            port => write!(f, "https://{}:{port}{}", self.host, self.path),
        }
    }
}
