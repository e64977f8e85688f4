use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sabir_store::Store;
use sabir_wire::uri::Domain;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Reply, Request, answer};

/// Longest line either way, in bytes. A list of accounts may be long.
const MAX_REQUEST: u64 = 64 * 1024;
const MAX_REPLY: u64 = 256 * 1024 * 1024;
/// How long the asking side waits for a reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Wait after an error of `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bound socket; its file goes when this is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Binds the socket. The caller holds the lock of the data directory, so a file that is there is a leftover.
    ///
    /// # Errors
    /// Those of the system.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Serves until `stop` turns true.
    pub async fn serve(self, store: Arc<dyn Store>, domain: Domain, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (store, domain, mut stop) = (Arc::clone(&store), domain.clone(), stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            served = serve_one(stream, store, domain) => {
                                if let Err(error) = served {
                                    tracing::debug!(%error, "admin connection ended");
                                }
                            }
                            _ = stop.wait_for(|stop| *stop) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept admin connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve_one(stream: UnixStream, store: Arc<dyn Store>, domain: Domain) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        (&mut stream)
            .take(MAX_REQUEST)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(());
        }
        let reply = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => answer(&store, &domain, request).await,
            Err(error) => Reply::Error(format!("malformed request: {error}")),
        };
        let mut reply = serde_json::to_vec(&reply)?;
        reply.push(b'\n');
        stream.get_mut().write_all(&reply).await?;
        if !line.ends_with(b"\n") {
            return Ok(());
        }
    }
}

/// Asks the running server.
///
/// # Errors
/// Those of the system: `NotFound` and `ConnectionRefused` mean that no server runs on this data directory.
pub async fn ask(path: &Path, request: &Request) -> io::Result<Reply> {
    let asking = async {
        let mut stream = BufReader::new(UnixStream::connect(path).await?);
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.get_mut().write_all(&line).await?;
        let mut reply = Vec::new();
        (&mut stream)
            .take(MAX_REPLY)
            .read_until(b'\n', &mut reply)
            .await?;
        Ok(serde_json::from_slice(&reply)?)
    };
    timeout(PATIENCE, asking)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::admin::{AccountRow, Invite};
    use sabir_store::MemoryStore;

    #[tokio::test]
    async fn commands_travel() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let missing = ask(&path, &Request::AccountList).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);

        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(AdminSocket::bind(&path).unwrap().serve(
            Arc::clone(&store),
            Domain::parse("a.example").unwrap(),
            stopped,
        ));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let Reply::Ok(value) = ask(&path, &Request::InviteCreate { uses: 2, days: 7 })
            .await
            .unwrap()
        else {
            panic!("an invite")
        };
        let invite: Invite = serde_json::from_value(value).unwrap();
        assert_eq!((invite.uses, invite.token.len()), (2, 22));
        assert_eq!(invite.link, format!("https://a.example/invite/{}", invite.token));
        let Reply::Ok(value) = ask(&path, &Request::AccountList).await.unwrap() else {
            panic!("a list")
        };
        assert_eq!(serde_json::from_value::<Vec<AccountRow>>(value).unwrap(), []);
        for (uses, days) in [(0, 7), (1, 0), (1, 3651)] {
            let refused = ask(&path, &Request::InviteCreate { uses, days }).await.unwrap();
            assert!(matches!(refused, Reply::Error(_)));
        }

        // Several requests on one connection, the malformed ones answered.
        let mut stream = BufReader::new(UnixStream::connect(&path).await.unwrap());
        stream
            .get_mut()
            .write_all(b"{}\n{\"command\":\"account-list\"}\n")
            .await
            .unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("{\"error\":\"malformed request"), "{line}");
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, "{\"ok\":[]}\n");

        stop.send_replace(true);
        serving.await.unwrap();
        assert!(!path.exists());
    }
}
