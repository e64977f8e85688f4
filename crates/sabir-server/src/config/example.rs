use std::fmt::Write;

use super::schema::Field;
use super::{Settings, Tls};

/// The commented example: every key with its documentation, its default commented out, and a domain to change.
#[must_use]
pub fn example() -> String {
    // Serialising our own defaults cannot fail; an empty table would show as missing keys in the tests.
    let defaults = toml::Table::try_from(Settings::default()).unwrap_or_default();
    let mut out = String::from("# Configuration of sabird. Every key is optional but `domain`.\n");
    put_fields(&mut out, Settings::FIELDS, &defaults);
    for section in Settings::SECTIONS {
        let _ = write!(out, "\n[{}]\n", section.name);
        for line in section.doc {
            let _ = writeln!(out, "#{line}");
        }
        if let Some(table) = defaults.get(section.name).and_then(toml::Value::as_table) {
            put_fields(&mut out, section.fields, table);
        }
    }
    debug_assert_eq!(Tls::SECTIONS.len(), 0, "one level of tables");
    out
}

fn put_fields(out: &mut String, fields: &[Field], defaults: &toml::Table) {
    for field in fields {
        out.push('\n');
        for line in field.doc {
            let _ = writeln!(out, "#{line}");
        }
        let value = defaults
            .get(field.name)
            .map(toml::Value::to_string)
            .unwrap_or_default();
        let _ = match field.name {
            "domain" => writeln!(out, "domain = \"example.org\""),
            name => writeln!(out, "#{name} = {value}"),
        };
    }
}
