//! The provider's own secrets: files of mode 0600 in `data_dir/keys`.
//!
//! | file | what |
//! |---|---|
//! | `identity-ca.key`, `identity-ca.der` | the provider identity CA, which certifies users |
//! | `server.key`, `server.der` | the key of `external_senders` and `franking_agent`, and its certificate |
//! | `hub.key` | 32 bytes with which the hub knows its own franks again |
//!
//! Losing the CA means that no contact recognises the provider's users again, so nothing is ever replaced: what is
//! missing is made only for a provider that has none of it. A half set is refused. A file becomes visible whole,
//! key before certificate.

mod files;

use std::path::{Path, PathBuf};

use sabir_mls::identity::{CredentialError, IssueError, Period, ProviderCa, ServerCredential};
use sabir_mls::keys::{KeyError, SigningKey};
use sabir_wire::uri::Domain;
use zeroize::Zeroizing;

use crate::ambient;

/// How long the server certificate is valid: five years, in milliseconds. Rooms keep the one that they were created
/// with, and franks are verified with it.
const SERVER_LIFETIME_MS: u64 = 5 * 365 * 24 * 3_600_000;

/// Why the secrets cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// The file system failed.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Other users of the machine may read it.
    #[error("{0} may be read by others (expected mode 0600)")]
    NotPrivate(PathBuf),
    /// Some of the files are there, this one is not.
    #[error("{0} is missing while others of the keys are there; restore it from the backup")]
    Missing(PathBuf),
    /// The keys are gone and the provider has been in use.
    #[error("the keys of this provider are missing; restore the folder `keys` from the backup")]
    Lost,
    /// The content of a file is not what its name says.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
    /// The CA is that of another domain.
    #[error("the keys are those of {0}; a provider cannot change its domain")]
    OtherDomain(Domain),
    /// A key cannot be made.
    #[error("cannot make keys")]
    Key(#[from] KeyError),
    /// A certificate cannot be issued.
    #[error("cannot issue certificates")]
    Issue(#[from] IssueError),
    /// What was issued is not usable.
    #[error("cannot use the server certificate")]
    Credential(#[from] CredentialError),
    /// The system has no randomness to give.
    #[error("no randomness")]
    NoRandomness,
}

/// The provider's secrets, loaded.
pub struct Secrets {
    /// Certifies users and the server key.
    pub ca: ProviderCa,
    /// Signs external proposals and franks.
    pub server_key: SigningKey,
    /// The certificate of `server_key`.
    pub server_credential: ServerCredential,
    /// Makes the franks' symmetric part.
    pub hub_key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("domain", self.ca.domain())
            .finish_non_exhaustive()
    }
}

/// Whether secrets may be made when there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAbsent {
    /// A new provider: make them.
    Make,
    /// A provider that has been in use: refuse.
    Refuse,
}

const FILES: [&str; 5] = [
    "identity-ca.key",
    "identity-ca.der",
    "server.key",
    "server.der",
    "hub.key",
];

impl Secrets {
    /// Loads the secrets in `folder`, or makes them. The caller holds the lock of the data directory.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn open(folder: &Path, domain: &Domain, absent: WhenAbsent) -> Result<Self, SecretsError> {
        let missing = FILES
            .map(|name| folder.join(name))
            .into_iter()
            .find(|path| !path.exists());
        let none = FILES.iter().all(|name| !folder.join(name).exists());
        match (missing, none, absent) {
            (None, _, _) => {}
            (_, true, WhenAbsent::Make) => Self::make(folder, domain)?,
            (_, true, WhenAbsent::Refuse) => return Err(SecretsError::Lost),
            (Some(path), false, _) => return Err(SecretsError::Missing(path)),
        }
        Self::load(folder, domain)
    }

    fn make(folder: &Path, domain: &Domain) -> Result<(), SecretsError> {
        let mut rng = ambient::rng().map_err(|_| SecretsError::NoRandomness)?;
        let now = ambient::now();
        let ca = ProviderCa::generate(domain, now, &mut rng)?;
        let server_key = SigningKey::generate(&mut rng, ca.signing_key().scheme())?;
        let period = Period {
            now,
            lifetime: SERVER_LIFETIME_MS,
        };
        let server = ca.issue_server(server_key.public(), period, &mut rng)?;
        let mut hub_key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(hub_key.as_mut_slice()).map_err(|_| SecretsError::NoRandomness)?;

        // All of them or none: a folder becomes visible under its name when it is whole.
        let making = folder.with_extension("new");
        files::empty_private_folder(&making)?;
        let [ca_key, ca_der, key, der, hub] = FILES.map(|name| making.join(name));
        files::write(&ca_key, &ca.signing_key().to_secret_bytes())?;
        files::write(&ca_der, ca.certificate())?;
        files::write(&key, &server_key.to_secret_bytes())?;
        files::write(&der, &server)?;
        files::write(&hub, hub_key.as_slice())?;
        files::put_in_place(&making, folder)
    }

    fn load(folder: &Path, domain: &Domain) -> Result<Self, SecretsError> {
        let [ca_key, ca_der, key, der, hub] = FILES.map(|name| folder.join(name));
        let damaged = |path: &PathBuf| SecretsError::Damaged(path.clone());
        let read_key =
            |path: &PathBuf| SigningKey::from_secret_bytes(&files::read(path)?).map_err(|_| damaged(path));
        let ca = ProviderCa::from_parts(read_key(&ca_key)?, &files::read(&ca_der)?)
            .map_err(|_| damaged(&ca_der))?;
        if ca.domain() != domain {
            return Err(SecretsError::OtherDomain(ca.domain().clone()));
        }
        let hub_bytes = files::read(&hub)?;
        let hub_key: [u8; 32] = hub_bytes.as_slice().try_into().map_err(|_| damaged(&hub))?;
        Ok(Self {
            ca,
            server_key: read_key(&key)?,
            server_credential: ServerCredential::new(&files::read(&der)?).map_err(|_| damaged(&der))?,
            hub_key: Zeroizing::new(hub_key),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(folder: &Path, name: &str, absent: WhenAbsent) -> Result<Secrets, SecretsError> {
        Secrets::open(folder, &Domain::parse(name).unwrap(), absent)
    }

    #[test]
    fn made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        assert!(matches!(
            open(&folder, "a.example", WhenAbsent::Refuse),
            Err(SecretsError::Lost)
        ));
        let made = open(&folder, "a.example", WhenAbsent::Make).unwrap();
        for name in FILES {
            let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let again = open(&folder, "a.example", WhenAbsent::Refuse).unwrap();
        assert_eq!(again.ca.certificate(), made.ca.certificate());
        assert_eq!(*again.hub_key, *made.hub_key);
        assert_eq!(again.server_key.public(), made.server_key.public());
        assert_eq!(again.server_credential.claimed_domain().as_str(), "a.example");
        let shown = format!("{made:?}");
        assert_eq!(shown, "Secrets { domain: Domain(a.example), .. }");
    }

    #[test]
    fn a_half_set_is_refused_and_not_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        open(&folder, "a.example", WhenAbsent::Make).unwrap();
        fs::remove_file(folder.join("hub.key")).unwrap();
        for absent in [WhenAbsent::Make, WhenAbsent::Refuse] {
            assert!(matches!(
                open(&folder, "a.example", absent),
                Err(SecretsError::Missing(_))
            ));
        }
        assert!(!folder.join("hub.key").exists());
    }

    #[test]
    fn damage_foreign_domains_and_open_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        open(&folder, "a.example", WhenAbsent::Make).unwrap();
        assert!(matches!(
            open(&folder, "b.example", WhenAbsent::Make),
            Err(SecretsError::OtherDomain(_))
        ));
        let hub = folder.join("hub.key");
        fs::write(&hub, [0; 31]).unwrap();
        assert!(matches!(
            open(&folder, "a.example", WhenAbsent::Make),
            Err(SecretsError::Damaged(_))
        ));
        fs::write(&hub, [0; 32]).unwrap();
        fs::set_permissions(&hub, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            open(&folder, "a.example", WhenAbsent::Make),
            Err(SecretsError::NotPrivate(_))
        ));
    }

    #[test]
    fn an_interrupted_making_leaves_no_half_set() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let making = dir.path().join("keys.new");
        fs::create_dir(&making).unwrap();
        fs::write(making.join("hub.key"), [0; 32]).unwrap();
        let made = open(&folder, "a.example", WhenAbsent::Make).unwrap();
        assert_ne!(*made.hub_key, [0; 32]);
        assert!(!making.exists());
    }
}
