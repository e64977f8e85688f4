//! Every decoder and every engine input as a function of bytes that must not panic, hang or break its promise.
//!
//! ```text
//!   targets/NAME.rs --(nightly, coverage)--> [`TARGETS`] <--(stable, corpus and seeded damage)-- tests/replay.rs
//! ```
//!
//! A target asserts more than that nothing panics: what a decoder accepts has one encoding; what an engine refuses
//! leaves its state as it was; what it accepts can be loaded again.

pub mod content;
pub mod wire;

/// A target: its name, which is also its corpus's folder, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; the first eight are the most exposed.
pub const TARGETS: &[Target] = &[
    ("wire_protocol", wire::protocol),
    ("wire_mls", wire::mls),
    ("wire_client_api", wire::client_api),
    ("content", content::content),
    ("wire_policy", wire::policy),
    ("wire_uri", wire::uri),
    ("status", content::status),
    ("derived", content::derived),
];

/// Runs a target by its name.
///
/// # Panics
/// Where there is no such target, and where the target finds something.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS
        .iter()
        .find(|(other, _)| *other == name)
        .expect("a target of this name");
    target(data);
}
