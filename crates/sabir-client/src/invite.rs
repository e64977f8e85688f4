//! Invite links: `https://DOMAIN/invite/TOKEN`, where a fragment `#connect=127.0.0.1:PORT` may name a provider
//! on this very machine.
//!
//! The fragment exists for demonstrations and tests. It is honoured for loopback addresses only, so that a link
//! can never lead a name that somebody trusts to an address that somebody else chose; certificates are checked
//! against the domain all the same.

use std::net::SocketAddr;
use std::str::FromStr;

use sabir_wire::uri::{Domain, UserUri};

/// A link's token is at most this long, in bytes.
pub const MAX_TOKEN: usize = 128;

/// Why a text is no invite link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// It does not start with `https://`.
    #[error("an invite link starts with https://")]
    Scheme,
    /// The host is not a lower-case host name, or has a port or a user name.
    #[error("the invite link's host is not a provider's domain")]
    Host,
    /// The path is not `/invite/TOKEN`.
    #[error("the invite link's path is not /invite/ and a token")]
    Path,
    /// The token has characters outside of base64url, or is too long.
    #[error("the invite link's token is malformed")]
    Token,
    /// The fragment is not `connect=` and an address with a port.
    #[error("the invite link's fragment is not connect=ADDRESS:PORT")]
    Fragment,
    /// The fragment names an address beyond this machine.
    #[error("the invite link's fragment names an address that is not of this machine")]
    NotLoopback,
}

/// An invitation to open an account with a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// The provider.
    pub domain: Domain,
    /// What proves the invitation: a secret until it is used.
    pub token: String,
    /// Where the provider listens, if on this machine.
    pub connect: Option<SocketAddr>,
}

impl Invite {
    /// Reads a link.
    ///
    /// # Errors
    /// [`InviteError`].
    pub fn parse(link: &str) -> Result<Self, InviteError> {
        let rest = link.trim().strip_prefix("https://").ok_or(InviteError::Scheme)?;
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (host, path) = rest.split_once('/').ok_or(InviteError::Path)?;
        let domain = Domain::parse(&host.to_ascii_lowercase()).map_err(|_| InviteError::Host)?;
        let token = path.strip_prefix("invite/").ok_or(InviteError::Path)?;
        let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(in_alphabet) {
            return Err(InviteError::Token);
        }
        Ok(Self {
            domain,
            token: token.to_owned(),
            connect: fragment.map(connect).transpose()?,
        })
    }
}

/// Reads where somebody has an account: a provider's domain, or their address; behind either a fragment as in links.
///
/// # Errors
/// [`InviteError::Host`], [`InviteError::Fragment`] and [`InviteError::NotLoopback`].
pub fn read_provider(text: &str) -> Result<(Domain, Option<UserUri>, Option<SocketAddr>), InviteError> {
    let (name, fragment) = match text.trim().split_once('#') {
        Some((name, fragment)) => (name, Some(fragment)),
        None => (text.trim(), None),
    };
    let connect = fragment.map(connect).transpose()?;
    if name.contains('@') {
        let user = UserUri::from_address(name).map_err(|_| InviteError::Host)?;
        return Ok((user.authority().clone(), Some(user), connect));
    }
    let domain = Domain::parse(&name.to_ascii_lowercase()).map_err(|_| InviteError::Host)?;
    Ok((domain, None, connect))
}

impl FromStr for Invite {
    type Err = InviteError;

    fn from_str(link: &str) -> Result<Self, InviteError> {
        Self::parse(link)
    }
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invite")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

fn connect(fragment: &str) -> Result<SocketAddr, InviteError> {
    let address = fragment.strip_prefix("connect=").ok_or(InviteError::Fragment)?;
    let address: SocketAddr = address.parse().map_err(|_| InviteError::Fragment)?;
    if address.port() == 0 {
        return Err(InviteError::Fragment);
    }
    if !address.ip().is_loopback() {
        return Err(InviteError::NotLoopback);
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn links_are_read() {
        for (link, domain, token, connect) in [
            ("https://a.example/invite/Zm9v-_1", "a.example", "Zm9v-_1", None),
            ("  https://A.Example/invite/x\n", "a.example", "x", None),
            (
                "https://a.example/invite/x#connect=127.0.0.1:8443",
                "a.example",
                "x",
                Some("127.0.0.1:8443"),
            ),
            (
                "https://a.example/invite/x#connect=127.9.9.9:1",
                "a.example",
                "x",
                Some("127.9.9.9:1"),
            ),
            (
                "https://a.example/invite/x#connect=[::1]:8443",
                "a.example",
                "x",
                Some("[::1]:8443"),
            ),
        ] {
            let invite = Invite::parse(link).unwrap();
            assert_eq!(invite.domain.as_str(), domain, "{link}");
            assert_eq!(invite.token, token, "{link}");
            assert_eq!(
                invite.connect,
                connect.map(|text| text.parse().unwrap()),
                "{link}"
            );
        }
    }

    #[test]
    fn what_is_no_link_is_refused_with_its_cause() {
        let long = format!("https://a.example/invite/{}", "x".repeat(MAX_TOKEN + 1));
        for (link, error) in [
            ("", InviteError::Scheme),
            ("http://a.example/invite/x", InviteError::Scheme),
            ("sabir://a.example/invite/x", InviteError::Scheme),
            ("https://a.example", InviteError::Path),
            ("https://a.example/x", InviteError::Path),
            ("https://a.example//invite/x", InviteError::Path),
            ("https:///invite/x", InviteError::Host),
            ("https://a.example:443/invite/x", InviteError::Host),
            ("https://bob@a.example/invite/x", InviteError::Host),
            ("https://127.0.0.1/invite/x", InviteError::Host),
            ("https://a_b.example/invite/x", InviteError::Host),
            ("https://a.example/invite/", InviteError::Token),
            ("https://a.example/invite/x/y", InviteError::Token),
            ("https://a.example/invite/x?y", InviteError::Token),
            ("https://a.example/invite/x%20", InviteError::Token),
            (&long, InviteError::Token),
            ("https://a.example/invite/x#", InviteError::Fragment),
            ("https://a.example/invite/x#to=127.0.0.1:1", InviteError::Fragment),
            (
                "https://a.example/invite/x#connect=localhost:1",
                InviteError::Fragment,
            ),
            (
                "https://a.example/invite/x#connect=127.0.0.1",
                InviteError::Fragment,
            ),
            (
                "https://a.example/invite/x#connect=127.0.0.1:0",
                InviteError::Fragment,
            ),
            (
                "https://a.example/invite/x#connect=192.0.2.1:443",
                InviteError::NotLoopback,
            ),
            (
                "https://a.example/invite/x#connect=0.0.0.0:443",
                InviteError::NotLoopback,
            ),
            (
                "https://a.example/invite/x#connect=[2001:db8::1]:443",
                InviteError::NotLoopback,
            ),
        ] {
            assert_eq!(Invite::parse(link), Err(error), "{link}");
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let invite = Invite::parse("https://a.example/invite/secret").unwrap();
        assert!(!format!("{invite:?}").contains("secret"));
    }
}
