//! `cargo metadata`, reduced to what the checks ask about.

use crate::repo::{CROSSCHECK, Repo};
use serde_json::Value;

/// How a crate uses another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In the shipped code.
    Normal,
    /// In tests, examples and benchmarks.
    Dev,
    /// In a build script.
    Build,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// One package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression, where the manifest has one.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` is a path inside the workspace.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// The packages of this workspace alone.
pub(crate) fn members(repo: &Repo) -> Result<Vec<Package>, String> {
    read(repo, "", &["--no-deps"])
}

/// The crate outside the workspace.
pub(crate) fn crosscheck(repo: &Repo) -> Result<Vec<Package>, String> {
    read(repo, CROSSCHECK, &["--no-deps"])
}

/// Every package of the lock file in `folder`, for every platform; the workspace's is in the folder "".
pub(crate) fn everything(repo: &Repo, folder: &str) -> Result<Vec<Package>, String> {
    read(repo, folder, &["--locked", "--all-features"])
}

/// Packages that a build on this machine's platform uses.
pub(crate) fn on_this_platform(repo: &Repo, triple: &str) -> Result<Vec<Package>, String> {
    read(repo, "", &["--locked", "--filter-platform", triple])
}

fn read(repo: &Repo, folder: &str, arguments: &[&str]) -> Result<Vec<Package>, String> {
    let output = repo
        .cargo_in(folder)
        .args(["metadata", "--format-version", "1", "--quiet"])
        .args(arguments)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata failed in ./{folder}: {}", said.trim()));
    }
    let json: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    packages(&json).ok_or_else(|| "cargo metadata has an unknown shape".to_owned())
}

fn packages(json: &Value) -> Option<Vec<Package>> {
    json.get("packages")?.as_array()?.iter().map(package).collect()
}

fn package(json: &Value) -> Option<Package> {
    let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Package {
        name: text("name")?,
        version: text("version")?,
        license: text("license"),
        source: text("source"),
        dependencies: json
            .get("dependencies")?
            .as_array()?
            .iter()
            .map(dependency)
            .collect::<Option<_>>()?,
    })
}

fn dependency(json: &Value) -> Option<Dependency> {
    let kind = match json.get("kind").and_then(Value::as_str) {
        None => Kind::Normal,
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        Some(_) => return None,
    };
    Some(Dependency {
        name: json.get("name")?.as_str()?.to_owned(),
        kind,
    })
}
