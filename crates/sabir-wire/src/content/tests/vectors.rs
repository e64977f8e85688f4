//! Our own vectors, `vectors/content/*.json`: `good` ones decode and encode to the same bytes, `bad` ones are
//! refused for the reason, in the field and at the offset they name. They never skip.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use serde_json::Value;

use crate::codec::DecodeError;
use crate::content::{MessageDerivedValues, MimiContent};
use crate::status::MessageStatusReport;

type Recode = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

/// Hexadecimal digits; `(78 x 300)` stands for 300 times `78`.
fn unhex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(run) = rest.strip_prefix('(') {
            let (run, behind) = run.split_once(')').unwrap();
            let (pattern, times) = run.split_once(" x ").unwrap();
            bytes.extend(unhex(pattern).repeat(times.parse().unwrap()));
            rest = behind;
        } else {
            let (digits, behind) = rest.split_at(2);
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = behind;
        }
    }
    bytes
}

fn check(json: &str, recode: Recode) -> Value {
    let file: Value = serde_json::from_str(json).unwrap();
    let (good, bad) = (file["good"].as_array().unwrap(), file["bad"].as_array().unwrap());
    assert!(bad.len() > good.len(), "negative vectors outnumber positive ones");
    for vector in good {
        let bytes = unhex(vector["hex"].as_str().unwrap());
        match recode(&bytes) {
            Ok(again) => assert_eq!(again, bytes, "{}", vector["name"]),
            Err(error) => panic!("{}: {error}", vector["name"]),
        }
    }
    for vector in bad {
        let name = &vector["name"];
        let Err(error) = recode(&unhex(vector["hex"].as_str().unwrap())) else {
            panic!("{name}: must be refused")
        };
        let expected = &vector["error"];
        let got = (
            error.structure,
            error.field,
            error.offset,
            format!("{:?}", error.kind),
        );
        let wanted = (
            expected["structure"].as_str().unwrap(),
            expected["field"].as_str().unwrap(),
            usize::try_from(expected["offset"].as_u64().unwrap()).unwrap(),
            expected["kind"].as_str().unwrap().to_owned(),
        );
        assert_eq!(got, wanted, "{name}");
    }
    file
}

#[test]
fn messages() {
    let json = include_str!("../../../../../vectors/content/message.json");
    let file = check(json, |bytes| {
        Ok(MimiContent::from_bytes(bytes)?.to_bytes().unwrap())
    });
    for vector in file["good"].as_array().unwrap() {
        let content = MimiContent::from_bytes(&unhex(vector["hex"].as_str().unwrap())).unwrap();
        let id = content.message_id(
            vector["sender"].as_str().unwrap(),
            vector["room"].as_str().unwrap(),
        );
        assert_eq!(
            id.unwrap().to_string(),
            vector["message_id"].as_str().unwrap(),
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn status_reports() {
    let json = include_str!("../../../../../vectors/content/status.json");
    check(json, |bytes| {
        Ok(MessageStatusReport::from_bytes(bytes)?.to_bytes().unwrap())
    });
}

#[test]
fn derived_values() {
    let json = include_str!("../../../../../vectors/content/derived.json");
    check(json, |bytes| {
        Ok(MessageDerivedValues::from_bytes(bytes)?.to_bytes().unwrap())
    });
}
