//! The folder of a profile, and where its agent's socket is.
//!
//! ```text
//! PROFILE/            0700, one person's account on this device
//!   agent.sock        0600, the agent's socket; where the path would be too long for a socket, a symbolic link
//!                     to one in a private folder with a short name
//!   agent.lock        held by the agent for as long as it lives; holds its process id
//!   agent.start       held by whoever is starting the agent, so that one does
//!   agent.log         0600
//! ```
//!
//! The rest of the folder belongs to the client library. Invariant: everything that is opened here belongs to
//! this user and to nobody else.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Why a profile's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    /// Neither `--profile` nor a variable says where.
    #[error("there is no home folder to keep a profile in")]
    NoHome,
    /// Nothing is there.
    #[error("there is no profile in {}", .0.display())]
    Missing(PathBuf),
    /// It is a file, or it belongs to another user.
    #[error("{} is not a folder of yours", .0.display())]
    NotOurs(PathBuf),
    /// Others may look inside.
    #[error("{} can be read by other users of this machine", .0.display())]
    NotPrivate(PathBuf),
    /// The file system failed.
    #[error("{} cannot be used", .path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
}

/// A profile's folder, which exists and is private.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    folder: PathBuf,
}

impl Profile {
    /// Where the profile is that `--profile` names, or else the default one. Nothing is touched.
    ///
    /// # Errors
    /// [`ProfileError::NoHome`].
    pub(crate) fn path(option: Option<PathBuf>) -> Result<PathBuf, ProfileError> {
        let variable = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        match option {
            Some(path) => Ok(path),
            None => variable("XDG_DATA_HOME")
                .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
                .map(|data| data.join("sabir/default"))
                .ok_or(ProfileError::NoHome),
        }
    }

    /// The profile at `path`, which must be there.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub(crate) fn open(path: &Path) -> Result<Self, ProfileError> {
        match fs::canonicalize(path) {
            Ok(folder) => {
                private_folder(&folder)?;
                Ok(Self { folder })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ProfileError::Missing(path.to_owned()))
            }
            Err(error) => Err(failed(path)(error)),
        }
    }

    /// The profile at `path`, whose folder is made where it is missing.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub(crate) fn create(path: &Path) -> Result<Self, ProfileError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed(path))?;
        Self::open(path)
    }

    /// The folder, absolute and without symbolic links.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that the living agent holds locked.
    pub(crate) fn agent_lock(&self) -> Result<File, ProfileError> {
        self.private_file("agent.lock")
    }

    /// The file that whoever starts an agent holds locked meanwhile.
    pub(crate) fn start_lock(&self) -> Result<File, ProfileError> {
        self.private_file("agent.start")
    }

    /// The agent's log, to be appended to. One that has grown is put aside first; what was put aside before it is
    /// dropped, so that logs never fill a disk.
    pub(crate) fn log(&self) -> Result<File, ProfileError> {
        let path = self.folder.join("agent.log");
        if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_KEPT) {
            fs::rename(&path, self.folder.join("agent.log.1")).map_err(failed(&path))?;
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed(&path))
    }

    /// Where an agent's socket is to be: in the folder, or elsewhere with [`Profile::socket_link`] leading to it.
    /// The folder it is in exists and is private.
    pub(crate) fn new_socket(&self) -> Result<PathBuf, ProfileError> {
        let near = self.socket_link();
        if near.as_os_str().len() <= LONGEST_SOCKET {
            return Ok(near);
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(|folder| PathBuf::from(folder).join("sabir"))
            .filter(|folder| folder.is_absolute() && folder.as_os_str().len() + 40 <= LONGEST_SOCKET);
        let folder = runtime.unwrap_or_else(|| PathBuf::from(format!("/tmp/sabir-{}", our_uid())));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(failed(&folder))?;
        private_folder(&folder)?;
        let digest = Sha256::digest(self.folder.as_os_str().as_encoded_bytes());
        let name = HEXLOWER.encode(digest.get(..12).unwrap_or_default());
        Ok(folder.join(format!("{name}.sock")))
    }

    /// The name in the folder under which the socket is found.
    pub(crate) fn socket_link(&self) -> PathBuf {
        self.folder.join("agent.sock")
    }

    /// The socket of the agent that runs, or ran last.
    ///
    /// # Errors
    /// [`ProfileError::Missing`] where there has been none; [`ProfileError::NotOurs`] or
    /// [`ProfileError::NotPrivate`] for the folder a link leads to.
    pub(crate) fn socket(&self) -> Result<PathBuf, ProfileError> {
        let link = self.socket_link();
        let file = fs::symlink_metadata(&link).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ProfileError::Missing(link.clone()),
            _ => failed(&link)(error),
        })?;
        if !file.file_type().is_symlink() {
            return Ok(link);
        }
        let target = fs::read_link(&link).map_err(failed(&link))?;
        match target.parent() {
            Some(folder) => private_folder(folder)?,
            None => return Err(ProfileError::NotOurs(target)),
        }
        Ok(target)
    }

    fn private_file(&self, name: &str) -> Result<File, ProfileError> {
        let path = self.folder.join(name);
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed(&path))
    }
}

/// The user this process acts as.
pub(crate) fn our_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Refuses a folder that is none, that is another user's, or that others may enter.
fn private_folder(path: &Path) -> Result<(), ProfileError> {
    let folder = fs::symlink_metadata(path).map_err(failed(path))?;
    if !folder.is_dir() || folder.uid() != our_uid() {
        return Err(ProfileError::NotOurs(path.to_owned()));
    }
    if folder.mode() & 0o077 != 0 {
        return Err(ProfileError::NotPrivate(path.to_owned()));
    }
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ProfileError {
    let path = path.to_owned();
    move |source| ProfileError::Io {
        path: path.clone(),
        source,
    }
}

/// Bytes of a path that fit a socket's address on every Unix (macOS: 104 with its final NUL), less the few that a
/// temporary name beside it takes.
const LONGEST_SOCKET: usize = 98;

/// Bytes of log that are kept before a new file is begun.
const LOG_KEPT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_folder_is_private_and_its_socket_is_inside() {
        let base = tempfile::tempdir().unwrap();
        let profile = Profile::create(&base.path().join("a/b")).unwrap();
        assert_eq!(fs::metadata(profile.folder()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(profile.new_socket().unwrap(), profile.socket_link());
        assert!(matches!(profile.socket(), Err(ProfileError::Missing(_))));
    }

    #[test]
    fn a_long_path_gets_a_short_socket_behind_a_link() {
        let base = tempfile::tempdir().unwrap();
        let profile = Profile::create(&base.path().join("x".repeat(120))).unwrap();
        let other = Profile::create(&base.path().join("y".repeat(120))).unwrap();
        let socket = profile.new_socket().unwrap();
        assert!(socket.as_os_str().len() <= LONGEST_SOCKET, "{}", socket.display());
        assert_eq!(
            fs::metadata(socket.parent().unwrap()).unwrap().mode() & 0o777,
            0o700
        );
        assert_eq!(socket, profile.new_socket().unwrap());
        assert_ne!(socket, other.new_socket().unwrap());
        std::os::unix::fs::symlink(&socket, profile.socket_link()).unwrap();
        assert_eq!(profile.socket().unwrap(), socket);
    }

    #[test]
    fn a_link_into_a_folder_of_others_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let profile = Profile::create(&base.path().join("p")).unwrap();
        let open = base.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(open.join("s"), profile.socket_link()).unwrap();
        assert!(matches!(profile.socket(), Err(ProfileError::NotPrivate(_))));
    }

    #[test]
    fn folders_that_are_not_private_are_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("p");
        assert!(matches!(Profile::open(&folder), Err(ProfileError::Missing(_))));
        fs::create_dir(&folder).unwrap();
        for mode in [0o750, 0o705, 0o701, 0o770] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(Profile::open(&folder), Err(ProfileError::NotPrivate(_))),
                "{mode:o}"
            );
            assert!(
                matches!(Profile::create(&folder), Err(ProfileError::NotPrivate(_))),
                "{mode:o}"
            );
        }
        let file = base.path().join("f");
        fs::write(&file, "").unwrap();
        assert!(matches!(Profile::open(&file), Err(ProfileError::NotOurs(_))));
    }

    #[test]
    fn a_log_that_has_grown_is_put_aside() {
        let base = tempfile::tempdir().unwrap();
        let profile = Profile::create(&base.path().join("p")).unwrap();
        profile.log().unwrap().set_len(LOG_KEPT + 1).unwrap();
        assert_eq!(profile.log().unwrap().metadata().unwrap().len(), 0);
        let old = fs::metadata(profile.folder().join("agent.log.1")).unwrap();
        assert_eq!((old.len(), old.mode() & 0o777), (LOG_KEPT + 1, 0o600));
    }
}
