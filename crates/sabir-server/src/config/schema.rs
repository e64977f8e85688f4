//! One declaration of a section: struct, serde, defaults, documentation.

use super::ConfigError;
use super::nearest::nearest;

/// A key as the example and the check for unknown keys see it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key without its section.
    pub name: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
}

/// A table of the file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The table's name.
    pub name: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
    /// Its keys.
    pub fields: &'static [Field],
}

/// Declares a section. `sections` names the tables nested in it.
macro_rules! settings {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])* pub $field:ident : $type:ty = $default:expr, )*
        }
        sections { $( $section:ident : $section_type:ident ),* $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
            $( #[doc = concat!("The table `[", stringify!($section), "]`.")] pub $section: $section_type, )*
        }

        impl $name {
            /// The section's own documentation.
            pub const DOC: &'static [&'static str] = &[$($doc),*];
            /// Its keys, in the order of the example.
            pub const FIELDS: &'static [Field] =
                &[$(Field { name: stringify!($field), doc: &[$($field_doc),*] }),*];
            /// The tables nested in it.
            pub const SECTIONS: &'static [Section] = &[$(Section {
                name: stringify!($section),
                doc: $section_type::DOC,
                fields: $section_type::FIELDS,
            }),*];
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* $($section: $section_type::default(),)* }
            }
        }
    };
}
pub(super) use settings;

/// Names the first key of `table` that no declaration knows, with the nearest that one does.
pub(super) fn refuse_unknown(
    table: &toml::Table,
    fields: &[Field],
    sections: &[Section],
    prefix: &str,
) -> Result<(), ConfigError> {
    for (key, value) in table {
        let section = sections.iter().find(|section| section.name == key);
        if let (Some(section), Some(inner)) = (section, value.as_table()) {
            refuse_unknown(inner, section.fields, &[], &format!("{prefix}{key}."))?;
        } else if section.is_none() && !fields.iter().any(|field| field.name == key) {
            let names = fields
                .iter()
                .map(|f| f.name)
                .chain(sections.iter().map(|s| s.name));
            return Err(ConfigError::UnknownKey {
                key: format!("{prefix}{key}"),
                nearest: nearest(key, names).map(|name| format!("{prefix}{name}")),
            });
        }
    }
    Ok(())
}
