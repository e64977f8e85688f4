//! As much of an XMPP client as a load needs: TLS, registration in band, PLAIN, one resource, bodies in and out.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use memchr::memmem::Finder;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{CLIENT_PORT, START, Site};
use crate::TownError;
use crate::load::BODY;

type Stream = TlsStream<TcpStream>;

/// What a body begins with; behind it stands when it was sent, in 16 hexadecimal digits.
const MARK: &str = "<body>T";
/// Digits of the time.
const DIGITS: usize = 16;
/// How long a server may take for a step of signing in.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that may pass without a body in them.
const MOST_OTHER: usize = 1 << 20;

/// Which servers a client believes.
#[derive(Clone)]
pub(super) struct Trust(TlsConnector);

impl Trust {
    /// Waits until a server speaks XMPP: it listens some seconds before it knows its certificates and names.
    pub(super) async fn answers(&self, site: Site) -> Result<(), TownError> {
        let deadline = Instant::now() + START;
        loop {
            let answered = match connect(self, site.host, site.address).await {
                Ok(stream) => {
                    let open = stream_head(site.host);
                    let mut session = Session { stream };
                    session.ask(&open, &["</stream:features>"]).await.map(|_| ())
                }
                Err(error) => Err(error),
            };
            if answered.is_ok() || Instant::now() > deadline {
                return answered;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) fn read(anchor: &Path) -> Result<Self, TownError> {
        let wrong = |error: &dyn std::fmt::Display| TownError::Wrong(format!("the trust anchor: {error}"));
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(anchor).map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

/// A clock for the times in bodies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    fn nanos(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A person's connection, signed in and bound.
pub(super) struct Session {
    stream: Stream,
}

/// Its two directions.
pub(super) struct Writer(WriteHalf<Stream>);
pub(super) struct Reader(ReadHalf<Stream>);

impl Session {
    /// Registers `user` and signs in.
    pub(super) async fn open(trust: &Trust, site: Site, user: &str) -> Result<Self, TownError> {
        let stream = connect(trust, site.host, site.address).await?;
        let mut session = Self { stream };
        let host = site.host;
        let open = stream_head(host);
        session.ask(&open, &["</stream:features>"]).await?;
        let register = format!(
            "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{user}</username>\
             <password>pw{user}</password></query></iq>"
        );
        session
            .ask(&register, &["</iq>", "type='result'", "type=\"result\""])
            .await?;
        let plain = BASE64.encode(format!("\0{user}\0pw{user}").as_bytes());
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        let answer = session.ask(&auth, &["<success", "<failure"]).await?;
        if answer.contains("<failure") {
            return Err(TownError::Wrong(format!(
                "{host} does not let {user} in: {answer}"
            )));
        }
        session.ask(&open, &["</stream:features>"]).await?;
        let bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>r</resource></bind></iq>";
        session.ask(bind, &["</iq>"]).await?;
        Ok(session)
    }

    /// Writes, and reads until one of these is there.
    async fn ask(&mut self, text: &str, answers: &[&str]) -> Result<String, TownError> {
        let broken = TownError::io("a server's connection");
        if let Err(error) = self.stream.write_all(text.as_bytes()).await {
            return Err(broken(error));
        }
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if answers.iter().any(|answer| text.contains(answer)) {
                return Ok(text);
            }
            let more = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut read)).await;
            match more {
                Ok(Ok(1..)) => {}
                Ok(Ok(0)) => return Err(TownError::Wrong(format!("a server hung up after {text:?}"))),
                Ok(Err(error)) => return Err(TownError::io("a server's connection")(error)),
                Err(_) => {
                    return Err(TownError::Late {
                        what: format!("one of {answers:?}"),
                        seconds: PATIENCE.as_secs(),
                        last: text,
                    });
                }
            }
        }
    }

    pub(super) fn split(self) -> (Reader, Writer) {
        let (read, write) = tokio::io::split(self.stream);
        (Reader(read), Writer(write))
    }
}

fn stream_head(host: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream to='{host}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

async fn connect(trust: &Trust, host: &'static str, address: Ipv4Addr) -> Result<Stream, TownError> {
    let socket = TcpStream::connect((address, CLIENT_PORT))
        .await
        .map_err(TownError::io("connecting"))?;
    socket.set_nodelay(true).map_err(TownError::io("connecting"))?;
    let name = ServerName::try_from(host).map_err(|_| TownError::Wrong(format!("{host} is no name")))?;
    trust
        .0
        .connect(name, socket)
        .await
        .map_err(TownError::io("TLS with a server"))
}

impl Writer {
    pub(super) async fn write(&mut self, stanza: &str) -> Result<(), TownError> {
        self.0
            .write_all(stanza.as_bytes())
            .await
            .map_err(TownError::io("a server's connection"))?;
        self.0
            .flush()
            .await
            .map_err(TownError::io("a server's connection"))
    }

    /// Sends a body that carries the time.
    pub(super) async fn say(&mut self, to: &str, kind: &str, clock: Clock) -> Result<(), TownError> {
        let mut body = format!("T{:0DIGITS$x}", clock.nanos());
        body.extend(('a'..='z').cycle().take(BODY.saturating_sub(body.len())));
        self.write(&format!(
            "<message to='{to}' type='{kind}' id='x'><body>{body}</body></message>"
        ))
        .await
    }
}

impl Reader {
    /// Reads until the connection ends. For each body `seen` is told how long it was under way.
    pub(super) async fn each(mut self, clock: Clock, mut seen: impl FnMut(Duration)) {
        let mut buffer: Vec<u8> = Vec::with_capacity(1 << 16);
        let mark = Finder::new(MARK);
        while let Ok(1..) = self.0.read_buf(&mut buffer).await {
            let mut at = 0;
            while let Some(rest) = buffer.get(at..)
                && let Some(found) = mark.find(rest)
                && let Some(digits) = rest.get(found + MARK.len()..found + MARK.len() + DIGITS)
            {
                let sent = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok());
                if let Some(sent) = sent {
                    seen(Duration::from_nanos(clock.nanos().saturating_sub(sent)));
                }
                at += found + MARK.len() + DIGITS;
            }
            // A mark may be cut in two by the end of what was read.
            let keep = buffer.len().saturating_sub(MARK.len() + DIGITS).max(at);
            buffer.drain(..keep);
            if buffer.len() > MOST_OTHER {
                buffer.clear();
            }
        }
    }
}
