//! The repository on disk: its root, its files, and `cargo` run inside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", "demo-data", "node_modules", "dist"];

/// The crate outside the workspace, with a lock file of its own: see its tests/crosscheck/main.rs.
pub(crate) const CROSSCHECK: &str = "crosscheck";

/// The checkout this tool was built in.
#[derive(Debug)]
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// Finds the root: the parent of this crate's own folder.
    pub(crate) fn find() -> Result<Self, String> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own.parent().ok_or("xtask has no parent folder")?.to_path_buf();
        if root.join("Cargo.lock").exists() {
            Ok(Self { root })
        } else {
            Err(format!("{} is not the root of the workspace", root.display()))
        }
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a file named relative to the root.
    pub(crate) fn read(&self, relative: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(relative)).map_err(|error| format!("{relative}: {error}"))
    }

    /// Whether a path relative to the root exists.
    pub(crate) fn exists(&self, relative: &str) -> bool {
        self.root.join(relative).exists()
    }

    /// Every file below `folder` whose name ends in `.extension`, relative to the root, sorted. Hidden
    /// folders and build output are left out. A folder that does not exist holds no files.
    pub(crate) fn files(&self, folder: &str, extension: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(&self.root.join(folder), &mut |path| {
            if path.extension().is_some_and(|end| end == extension) {
                found.push(self.relative(path));
            }
        });
        found.sort();
        found
    }

    /// A `cargo` command in the root, with no standard input and no colours.
    pub(crate) fn cargo(&self) -> Command {
        self.cargo_in("")
    }

    /// As [`Repo::cargo`], in a folder of the root.
    pub(crate) fn cargo_in(&self, folder: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(self.root.join(folder))
            .stdin(Stdio::null())
            .env("CARGO_TERM_COLOR", "never");
        command
    }

    fn relative(&self, path: &Path) -> String {
        let short = path.strip_prefix(&self.root).unwrap_or(path);
        short.to_string_lossy().replace('\\', "/")
    }

    fn walk(&self, folder: &Path, visit: &mut dyn FnMut(&Path)) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
                    self.walk(&path, visit);
                }
            } else {
                visit(&path);
            }
        }
    }
}
