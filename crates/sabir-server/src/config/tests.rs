#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use sabir_wire::protocol::MAX_NOTIFY;

use super::{Config, ConfigError, Settings, Trust, example};

#[test]
fn a_domain_is_enough() {
    let config = Config::parse("domain = \"a.example\"").unwrap();
    assert_eq!(config.domain.as_str(), "a.example");
    assert_eq!(config.trust, Trust::WebPki);
    assert_eq!(
        config.settings.tls.key.to_str().unwrap(),
        "/var/lib/sabird/tls/key.pem"
    );
}

#[test]
fn the_example_is_valid_and_complete() {
    let text = example();
    Config::parse(&text).unwrap();
    // With every default switched on it is still valid, and says what the defaults are.
    let on: String = text
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = Config::parse(&on).unwrap();
    let mut defaults = Config::parse("domain = \"example.org\"").unwrap().settings;
    defaults.domain = config.settings.domain.clone();
    assert_eq!(format!("{:?}", config.settings), format!("{defaults:?}"));
    for field in Settings::FIELDS
        .iter()
        .chain(Settings::SECTIONS.iter().flat_map(|s| s.fields))
    {
        assert!(!field.doc.is_empty(), "{} is documented", field.name);
        assert!(
            text.contains(&format!("{} = ", field.name)),
            "{} is in the example",
            field.name
        );
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (text, expected) in [
        (
            "domian = \"a.example\"",
            "unknown key `domian`; did you mean `domain`?",
        ),
        (
            "domain = \"a.example\"\n[limits]\nbody_byte = 1",
            "unknown key `limits.body_byte`; did you mean `limits.body_bytes`?",
        ),
        (
            "domain = \"a.example\"\n[limit]\nbody_bytes = 1",
            "unknown key `limit`; did you mean `limits`?",
        ),
        ("domain = \"a.example\"\nxyzzy = 1", "unknown key `xyzzy`"),
    ] {
        assert_eq!(Config::parse(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn bad_values_are_refused() {
    let refused = |text: &str| Config::parse(text).unwrap_err();
    assert!(matches!(refused(""), ConfigError::NoDomain));
    assert!(matches!(
        refused("domain = \"A.example\""),
        ConfigError::Domain { .. }
    ));
    assert!(matches!(
        refused("domain = \"a.example\"\nlisten = \"here\""),
        ConfigError::Syntax(_)
    ));
    assert!(matches!(
        refused("domain = \"a.example\"\nlimits = 3"),
        ConfigError::Syntax(_)
    ));
    assert!(matches!(
        refused("domain = \"a.example\"\n[limits]\nconnections = 0"),
        ConfigError::Zero("limits.connections")
    ));
    for key in ["body_bytes", "body_memory_bytes", "body_memory_bytes_per_ip"] {
        let with = |value: usize| format!("domain = \"a.example\"\n[limits]\n{key} = {value}");
        let error = refused(&with(MAX_NOTIFY - 1));
        assert_eq!(
            error.to_string(),
            format!(
                "`limits.{key}` must be at least 16777216: a smaller one would refuse what rooms of other providers need"
            )
        );
        Config::parse(&with(MAX_NOTIFY)).unwrap();
    }
    assert!(matches!(
        refused(
            "domain = \"a.example\"\n[peers]\nresolve = { \"B\" = \"127.0.0.1:1\", \"x y\" = \"127.0.0.1:1\" }"
        ),
        ConfigError::Domain { .. }
    ));
    assert!(matches!(refused("domain = \"a.example"), ConfigError::Syntax(_)));
}
