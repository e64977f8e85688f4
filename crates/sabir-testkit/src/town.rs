use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::provider::free_address;
use crate::{Authority, Binaries, Profile, Provider, TownError};

/// Providers and people on this machine. Everything ends when it is dropped.
pub struct Town {
    folder: PathBuf,
    /// Removes the folder last.
    _temporary: Option<TempDir>,
    authority: Authority,
    binaries: Binaries,
    providers: BTreeMap<String, Provider>,
    profiles: Vec<Profile>,
}

impl Town {
    /// A town in a temporary folder, with these providers running.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn new(domains: &[&str]) -> Result<Self, TownError> {
        let temporary = TempDir::with_prefix("sabir-").map_err(TownError::io("making a folder"))?;
        let folder = temporary.path().to_owned();
        Self::build(
            folder,
            Some(temporary),
            Binaries::beside_this()?,
            domains,
            "debug",
        )
    }

    /// As [`Town::new`], with providers that log only what may wake somebody.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn quiet(domains: &[&str]) -> Result<Self, TownError> {
        Self::quiet_of(Binaries::beside_this()?, domains)
    }

    /// As [`Town::quiet`], where nobody asks for the client's program.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn of_providers(domains: &[&str]) -> Result<Self, TownError> {
        Self::quiet_of(Binaries::provider_beside_this()?, domains)
    }

    fn quiet_of(binaries: Binaries, domains: &[&str]) -> Result<Self, TownError> {
        let temporary = TempDir::with_prefix("sabir-").map_err(TownError::io("making a folder"))?;
        let folder = temporary.path().to_owned();
        Self::build(folder, Some(temporary), binaries, domains, "warn")
    }

    /// A town in a folder that stays.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn in_folder(folder: &Path, domains: &[&str]) -> Result<Self, TownError> {
        std::fs::create_dir_all(folder).map_err(TownError::io("making a folder"))?;
        Self::build(
            folder.to_owned(),
            None,
            Binaries::beside_this()?,
            domains,
            "debug",
        )
    }

    fn build(
        folder: PathBuf,
        temporary: Option<TempDir>,
        binaries: Binaries,
        domains: &[&str],
        log: &str,
    ) -> Result<Self, TownError> {
        let authority = Authority::create(&folder)?;
        let mut town = Self {
            folder,
            _temporary: temporary,
            authority,
            binaries,
            providers: BTreeMap::new(),
            profiles: Vec::new(),
        };
        for domain in domains {
            let provider_folder = town.folder.join(domain);
            std::fs::create_dir_all(&provider_folder).map_err(TownError::io("making a folder"))?;
            let provider = Provider::new(domain, provider_folder, free_address()?, town.binaries.clone());
            town.providers.insert((*domain).to_owned(), provider);
        }
        for domain in domains {
            town.write_config(domain, log)?;
        }
        for provider in town.providers.values_mut() {
            provider.start()?;
        }
        Ok(town)
    }

    fn write_config(&self, domain: &str, log: &str) -> Result<(), TownError> {
        let provider = self.provider(domain)?;
        let (certificate, key) = self.authority.issue(domain, provider.folder())?;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "domain = {domain:?}\nlisten = \"{}\"\ndata_dir = {:?}\n\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n\
             trust = {:?}\n\n[log]\nfilter = {log:?}\n\n[peers.resolve]",
            provider.address(),
            provider.folder().join("data"),
            self.authority.certificate(),
        );
        for other in self.providers.values().filter(|other| other.domain() != domain) {
            let _ = writeln!(text, "{:?} = \"{}\"", other.domain(), other.address());
        }
        std::fs::write(provider.config(), text).map_err(TownError::io("writing a configuration"))
    }

    /// The town's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The client's program.
    #[must_use]
    pub fn sabir(&self) -> PathBuf {
        self.binaries.sabir()
    }

    /// The certificate that people of the town trust.
    #[must_use]
    pub fn trust_anchor(&self) -> &Path {
        self.authority.certificate()
    }

    /// A provider of the town.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where it has no such provider.
    pub fn provider(&self, domain: &str) -> Result<&Provider, TownError> {
        self.providers
            .get(domain)
            .ok_or_else(|| TownError::Wrong(format!("no provider {domain}")))
    }

    /// A provider of the town, to stop and start.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where it has no such provider.
    pub fn provider_mut(&mut self, domain: &str) -> Result<&mut Provider, TownError> {
        self.providers
            .get_mut(domain)
            .ok_or_else(|| TownError::Wrong(format!("no provider {domain}")))
    }

    /// Makes an account for `name@domain` by invite.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn person(&mut self, name: &str, domain: &str) -> Result<Profile, TownError> {
        let profile = Profile::new(
            self.folder.join(name),
            format!("{name}@{domain}"),
            self.binaries.clone(),
        );
        let invite = self.provider(domain)?.invite()?;
        let anchor = self.trust_anchor().display().to_string();
        self.profiles.push(profile.clone());
        profile.ask(&[
            "account",
            "create",
            &invite,
            "--name",
            name,
            "--trust-anchor",
            &anchor,
        ])?;
        Ok(profile)
    }

    /// A profile without an account, which is to become one more device of the person with this address.
    pub fn device(&mut self, name: &str, address: &str) -> Profile {
        let profile = Profile::new(self.folder.join(name), address.to_owned(), self.binaries.clone());
        self.profiles.push(profile.clone());
        profile
    }

    /// Links `new` as a device of `old`'s person, as people do: the text from one to the other, and the number typed on
    /// both.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn link(&self, old: &Profile, new: &Profile) -> Result<(), TownError> {
        let mut linking = self.begin_link(new)?;
        let text = linking.line()?;
        let mut adding = Dialogue::start(old, &["device", "add", text_of(&text, "text")?, "--json"])?;
        let (shown, other) = (linking.line()?, adding.line()?);
        let (number, same) = (text_of(&shown, "number")?, text_of(&other, "number")?);
        if number != same {
            return Err(TownError::Wrong(format!("{number} is not {same}")));
        }
        // Each is told what the other one shows.
        linking.say(same)?;
        adding.say(number)?;
        adding.line()?;
        linking.line()?;
        adding.end()?;
        linking.end()
    }

    /// Comes back with a recovery code on an empty profile, as people do: the code is typed. Gives what is printed.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn recover(&self, new: &Profile, code: &str) -> Result<serde_json::Value, TownError> {
        let domain = new.address().split_once('@').map_or("", |(_, domain)| domain);
        let account = format!("{}#connect={}", new.address(), self.provider(domain)?.address());
        let anchor = self.trust_anchor().display().to_string();
        let command = ["recover", &account, "--trust-anchor", &anchor, "--json"];
        let mut dialogue = Dialogue::start(new, &command)?;
        dialogue.say(code)?;
        let line = dialogue.line()?;
        dialogue.end()?;
        Ok(line)
    }

    /// Begins to link a new device.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn begin_link(&self, new: &Profile) -> Result<Dialogue, TownError> {
        let domain = new.address().split_once('@').map_or("", |(_, domain)| domain);
        let account = format!("{}#connect={}", new.address(), self.provider(domain)?.address());
        let anchor = self.trust_anchor().display().to_string();
        let command = [
            "device",
            "link",
            &account,
            "--device-name",
            "phone",
            "--trust-anchor",
            &anchor,
            "--json",
        ];
        Dialogue::start(new, &command)
    }
}

/// A field of a line of JSON.
///
/// # Errors
/// [`TownError::NotJson`] where it is no text.
pub fn text_of<'a>(line: &'a serde_json::Value, field: &str) -> Result<&'a str, TownError> {
    line.get(field)
        .and_then(serde_json::Value::as_str)
        .ok_or_else(|| TownError::NotJson {
            command: format!("a line with {field}"),
            output: line.to_string(),
        })
}

/// A command that asks back.
pub struct Dialogue {
    child: std::process::Child,
    lines: std::io::BufReader<std::process::ChildStdout>,
}

impl Dialogue {
    /// Starts a command.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn start(profile: &Profile, arguments: &[&str]) -> Result<Self, TownError> {
        let mut child = profile.spawn(arguments)?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| TownError::Wrong("a command without output".to_owned()))?;
        Ok(Self {
            child,
            lines: std::io::BufReader::new(stdout),
        })
    }

    /// The next line of JSON.
    ///
    /// # Errors
    /// [`TownError::Wrong`] with what it says on stderr where it ended.
    pub fn line(&mut self) -> Result<serde_json::Value, TownError> {
        use std::io::{BufRead as _, Read as _};
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        read.map_err(TownError::io("reading a command's output"))?;
        if line.is_empty() {
            let mut said = String::new();
            if let Some(stderr) = &mut self.child.stderr {
                // What can be read is enough to tell.
                let _ = stderr.read_to_string(&mut said);
            }
            return Err(TownError::Wrong(format!("the command ended: {said}")));
        }
        serde_json::from_str(&line).map_err(|_| TownError::NotJson {
            command: "a dialogue".to_owned(),
            output: line,
        })
    }

    /// Types a line.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn say(&mut self, line: &str) -> Result<(), TownError> {
        use std::io::Write as _;
        let stdin = self.child.stdin.as_mut();
        let stdin = stdin.ok_or_else(|| TownError::Wrong("a command without input".to_owned()))?;
        writeln!(stdin, "{line}").map_err(TownError::io("writing to a command"))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where it did not succeed.
    pub fn end(mut self) -> Result<(), TownError> {
        let status = self
            .child
            .wait()
            .map_err(TownError::io("waiting for a command"))?;
        if status.success() {
            Ok(())
        } else {
            Err(TownError::Wrong(format!("the command ended with {status}")))
        }
    }

    /// Kills it.
    pub fn kill(mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        for profile in &self.profiles {
            profile.stop_agent();
        }
    }
}

/// The first file below `folder` that holds `needle`.
///
/// # Errors
/// [`TownError`] where a folder cannot be read.
pub fn find(folder: &Path, needle: &[u8]) -> Result<Option<PathBuf>, TownError> {
    let entries =
        std::fs::read_dir(folder).map_err(TownError::io(format!("reading {}", folder.display())))?;
    for entry in entries {
        let path = entry.map_err(TownError::io("reading a folder"))?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, needle)? {
                return Ok(Some(found));
            }
        } else if path.is_file() {
            // A file may go while we look, as a write-ahead log does.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            if bytes.windows(needle.len()).any(|window| window == needle) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}
