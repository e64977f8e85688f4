//! The targets by name.

/// A target: its name, which is also its corpus's folder, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; the first eight are the most exposed.
pub const TARGETS: &[Target] = &[
    ("wire_protocol", crate::wire::protocol),
    ("wire_mls", crate::wire::mls),
    ("wire_client_api", crate::wire::client_api),
    ("content", crate::content::content),
    ("hub_update", crate::provider::hub_update),
    ("follower_notify", crate::provider::follower_notify),
    ("conversation_event", crate::client::conversation_event),
    ("conversation_welcome", crate::client::conversation_welcome),
    ("hub_submit", crate::provider::hub_submit),
    ("hub_group_info", crate::provider::hub_group_info),
    ("hub_create", crate::provider::hub_create),
    ("conversation_answer", crate::client::conversation_answer),
    ("key_material", crate::provider::key_material),
    ("credential", crate::provider::credential),
    ("wire_policy", crate::wire::policy),
    ("wire_uri", crate::wire::uri),
    ("status", crate::content::status),
    ("derived", crate::content::derived),
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
