#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
use serde_json::Value;

use super::*;
use crate::codec::{DecodeErrorKind, Encode};

fn vectors(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn kind(uri: &MimiUri) -> &'static str {
    match uri {
        MimiUri::Provider(_) => "provider",
        MimiUri::User(_) => "user",
        MimiUri::Client(_) => "client",
        MimiUri::Room(_) => "room",
        MimiUri::Group(_) => "group",
    }
}

#[test]
fn valid_vectors_parse_into_their_parts() {
    for v in vectors(include_str!("../../../../vectors/uri/valid.json")) {
        let text = v["uri"].as_str().unwrap();
        let uri = MimiUri::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(uri.to_string(), text);
        assert_eq!(kind(&uri), v["kind"], "{text}");
        assert_eq!(uri.authority().as_str(), v["authority"], "{text}");
        assert_eq!(uri.name(), v["name"], "{text}");
        assert_eq!(uri.to_path_segment(), v["segment"], "{text}");
        assert_eq!(
            MimiUri::from_path_segment(v["segment"].as_str().unwrap()).unwrap(),
            uri
        );
        assert_eq!(MimiUri::from_bytes(&uri.to_bytes()).unwrap(), uri);
        if let Some(address) = v["address"].as_str() {
            let user = UserUri::parse(text).unwrap();
            assert_eq!(user.to_address(), address);
            assert_eq!(UserUri::from_address(address).unwrap(), user);
            assert_eq!(
                UserUri::new(user.authority(), &user.decoded_name()).unwrap(),
                user
            );
        }
    }
}

#[test]
fn invalid_vectors_fail_as_named() {
    for v in vectors(include_str!("../../../../vectors/uri/invalid.json")) {
        let text = v["uri"].as_str().unwrap();
        let error = MimiUri::parse(text).map(|u| u.to_string()).unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            v["error"].as_str().unwrap(),
            "{text:?}: {}",
            v["why"]
        );
    }
}

#[test]
fn a_type_takes_only_its_own_kind() {
    assert_eq!(
        UserUri::parse("mimi://a.example/r/x").unwrap_err(),
        UriError::Kind
    );
    assert_eq!(
        RoomUri::parse("mimi://a.example/g/x").unwrap_err(),
        UriError::Kind
    );
    assert_eq!(
        ProviderUri::parse("mimi://a.example/u/x").unwrap_err(),
        UriError::Kind
    );
    assert_eq!(ClientUri::parse("mimi://a.example").unwrap_err(), UriError::Kind);
}

#[test]
fn the_wire_form_names_what_is_wrong() {
    let error = RoomUri::from_bytes(b"\x10mimi://a.example").unwrap_err();
    assert_eq!(
        (error.structure, error.field, error.offset, error.kind),
        ("IdentifierUri", "uri", 0, DecodeErrorKind::BadUri)
    );
    let error = MimiUri::from_bytes(b"\x02\xff\xff").unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::BadUri);
    let mut long = Vec::new();
    put_opaque(&mut long, &[b'a'; 261]);
    assert_eq!(
        MimiUri::from_bytes(&long).unwrap_err().kind,
        DecodeErrorKind::TooLong { max: 260 }
    );
}

#[test]
fn the_longest_names_and_domains_fit_and_one_more_does_not() {
    let domain = Domain::parse("a.example").unwrap();
    assert!(UserUri::new(&domain, &"a".repeat(236)).is_ok());
    assert_eq!(
        UserUri::new(&domain, &"a".repeat(237)).unwrap_err(),
        UriError::TooLong
    );
    let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
    let domain = Domain::parse(&longest).unwrap();
    let uri = ProviderUri::from(&domain);
    assert_eq!(ProviderUri::parse(uri.as_str()).unwrap(), uri);
    assert_eq!(ProviderUri::from_bytes(&uri.to_bytes()).unwrap(), uri);
    assert_eq!(
        Domain::parse(&format!("{longest}a")).unwrap_err(),
        UriError::Authority
    );
}

#[test]
fn addresses_are_forgiving_about_the_case_of_the_host_only() {
    let uri = UserUri::from_address("Bob@B.Example").unwrap();
    assert_eq!(uri.as_str(), "mimi://b.example/u/Bob");
    assert_eq!(UserUri::from_address("mimi://b.example/u/Bob").unwrap(), uri);
    for bad in [
        "bob",
        "@b.example",
        "bob@",
        "bob@b.example:1",
        "bob@b_c",
        "a\nb@b.example",
    ] {
        assert!(UserUri::from_address(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_path_segment_is_decoded_once_and_holds_one_segment() {
    let room = RoomUri::parse("mimi://a.example/r/club").unwrap();
    assert_eq!(
        RoomUri::from_path_segment("mimi:%2f%2fa.example%2Fr%2Fclub").unwrap(),
        room
    );
    for bad in [
        "mimi://a.example/r/club",
        "mimi%253A%252F%252Fa.example%252Fr%252Fclub",
        "mimi%3",
        "%FF",
    ] {
        assert!(RoomUri::from_path_segment(bad).is_err(), "{bad}");
    }
}

#[test]
fn names_that_are_dot_segments_cannot_be_made() {
    let domain = Domain::parse("a.example").unwrap();
    for bad in ["", ".", "..", "a\0", "\u{7f}"] {
        assert!(RoomUri::new(&domain, bad).is_err(), "{bad:?}");
    }
}
