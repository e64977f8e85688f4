//! Where the public test vectors of the MLS implementers (`mls-implementations`) are found.

use std::path::PathBuf;

use serde_json::Value;

/// Reads `mls/<name>.json`, or says that it is absent and gives nothing.
///
/// The vectors are not part of the project. `SABIR_VECTORS` names their folder; without it they are looked for
/// in `shared/vectors` beside the checkout.
pub(crate) fn vectors(name: &str) -> Vec<Value> {
    let folder = std::env::var_os("SABIR_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let path = folder.join("mls").join(name).with_extension("json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        skipped(&format!(
            "no test vectors at {}; set SABIR_VECTORS",
            path.display()
        ));
        return Vec::new();
    };
    serde_json::from_str(&text).unwrap()
}

/// Says so on the terminal and in the file that `SABIR_SKIP_LOG` names.
#[allow(
    clippy::explicit_write,
    clippy::disallowed_types,
    reason = "the test runner hides eprintln! while tests pass"
)]
fn skipped(why: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "SKIPPED: {why}").unwrap();
    if let Some(log) = std::env::var_os("SABIR_SKIP_LOG") {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        file.write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}

/// The bytes of a field in hexadecimal.
pub(crate) fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    unhex(
        vector[field]
            .as_str()
            .unwrap_or_else(|| panic!("no field {field}")),
    )
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// A number that fits.
pub(crate) fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(value: &Value) -> T {
    value.as_u64().unwrap().try_into().unwrap()
}
