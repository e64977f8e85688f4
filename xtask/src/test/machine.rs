//! What the machine must have beside Rust, installed where that is possible and named where it is not.
//!
//! The crypto library and SQLite are C, built from source with the system's C compiler; their build needs no
//! cmake and no bindgen on the platforms that ship with generated bindings.

use crate::repo::Repo;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What was found.
#[derive(Debug)]
pub(super) struct Machine {
    /// cargo-nextest runs the tests; `cargo test` otherwise.
    pub(super) nextest: bool,
    /// What is missing and could not be installed: one line each.
    pub(super) missing: Vec<String>,
}

impl Machine {
    /// Looks, and installs what it can.
    pub(super) fn prepare(repo: &Repo) -> Self {
        let mut missing = Vec::new();
        for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
            if !has(repo, tool) {
                let install = Command::new("rustup")
                    .args(["component", "add", component])
                    .status();
                if !install.is_ok_and(|status| status.success()) || !has(repo, tool) {
                    missing.push(format!(
                        "missing: {component}; install it with `rustup component add {component}`"
                    ));
                }
            }
        }
        if !c_compiler() && !apt_install() {
            missing.push(
                "missing: a C compiler with headers; on Debian `apt-get install gcc libc6-dev`".to_owned(),
            );
        }
        for line in &missing {
            println!("{line}");
        }
        Self {
            nextest: has(repo, "nextest"),
            missing,
        }
    }
}

fn has(repo: &Repo, tool: &str) -> bool {
    repo.cargo()
        .args([tool, "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Whether `cc` finds the C library's headers.
fn c_compiler() -> bool {
    let child = Command::new("cc")
        .args(["-E", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let asked = child
        .stdin
        .take()
        .is_some_and(|mut stdin| stdin.write_all(b"#include <stdlib.h>\n").is_ok());
    child.wait().is_ok_and(|status| asked && status.success())
}

/// Installs the compiler where this is Debian and we may.
fn apt_install() -> bool {
    let quiet = |arguments: &[&str]| {
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    quiet(&["update", "-qq"])
        && quiet(&[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "gcc",
            "libc6-dev",
        ])
        && c_compiler()
}
