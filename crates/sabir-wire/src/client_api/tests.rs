#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
use super::*;
use crate::codec::{Decode, DecodeErrorKind, Encode, put_varint};
use crate::uri::{ProviderUri, RoomUri};
use crate::vector_tests::valid;

fn provider() -> ProviderUri {
    ProviderUri::parse("mimi://b.example").unwrap()
}

#[test]
fn a_sign_in_signs_provider_client_nonce_and_connection() {
    let request = SignInRequest::from_bytes(&valid("protocol", "SignInRequest", "a sign-in")).unwrap();
    let expected = [
        provider().to_bytes().as_slice(),
        request.client.to_bytes().as_slice(),
        &request.nonce,
        &[0x77; 32],
    ]
    .concat();
    assert_eq!(request.tbs(&provider(), [0x77; 32]), expected);
}

#[test]
fn account_and_device_requests_sign_the_provider_before_themselves() {
    let bytes = valid("protocol", "CreateAccountRequest", "an account");
    let request = CreateAccountRequest::from_bytes(&bytes).unwrap();
    let unsigned = &bytes[..bytes.len() - request.signature.len() - 1];
    assert_eq!(
        request.tbs(&provider()),
        [provider().to_bytes().as_slice(), unsigned].concat()
    );
    let bytes = valid("protocol", "RegisterDeviceRequest", "a device");
    let request = RegisterDeviceRequest::from_bytes(&bytes).unwrap();
    let unsigned = &bytes[..bytes.len() - request.signature.len() - 1];
    assert_eq!(
        request.tbs(&provider()),
        [provider().to_bytes().as_slice(), unsigned].concat()
    );
    let list = &request.device_list;
    assert_eq!(
        list.tbs(),
        list.to_bytes()[..list.to_bytes().len() - list.signature.len() - 1]
    );
    assert!(list.contains(&list.key_hashes[1]));
}

#[test]
fn a_recovery_is_signed_whole_and_for_one_provider() {
    let request = RecoverAccountRequest {
        user: crate::uri::UserUri::parse("mimi://b.example/u/alice").unwrap(),
        identity_key: [1; 32],
        recovery_commitment: [2; 32],
        proof: crate::recovery::RecoveryProof {
            recovery_key: [3; 32],
            signature: [4; 64],
        },
        signature: vec![5; 64],
    };
    let bytes = request.to_bytes();
    let unsigned = &bytes[..bytes.len() - request.signature.len() - 2];
    let expected = [provider().to_bytes().as_slice(), unsigned].concat();
    assert_eq!(request.tbs(&provider()), expected);
    assert_eq!(RecoverAccountRequest::from_bytes(&bytes).unwrap(), request);
    let recovered = RecoverAccountResponse::Recovered {
        user_certificate: vec![1],
        provider_ca: vec![2],
    };
    for answer in [recovered, RecoverAccountResponse::Refused] {
        let bytes = answer.to_bytes();
        assert_eq!(RecoverAccountResponse::from_bytes(&bytes).unwrap(), answer);
        assert!(RecoverAccountResponse::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
    assert!(RecoverAccountResponse::from_bytes(&[2]).is_err());
}

#[test]
fn secrets_do_not_show_themselves() {
    let response = SignInResponse::from_bytes(&valid("protocol", "SignInResponse", "signed in")).unwrap();
    assert_eq!(
        format!("{response:?}"),
        "SignInResponse { token: SecretBytes(..), expires_at: 9 }"
    );
    let request =
        CreateAccountRequest::from_bytes(&valid("protocol", "CreateAccountRequest", "an account")).unwrap();
    assert!(format!("{request:?}").contains("invite_token: SecretBytes(..)"));
}

#[test]
fn error_codes_have_names_and_statuses() {
    for code in 1..=11 {
        let code = ApiErrorCode(code);
        assert!(
            code.name().is_some() && (400..=599).contains(&code.http_status()),
            "{code:?}"
        );
    }
    assert_eq!(ApiErrorCode(999).http_status(), 500);
    let error = ApiError {
        code: ApiErrorCode::NOT_FOUND,
        text: "no such room".into(),
    };
    assert_eq!(error.to_string(), "notFound: no such room");
}

fn stream() -> (Vec<Event>, Vec<u8>) {
    let events: Vec<Event> = ["a message", "few KeyPackages", "alive", "a message"]
        .iter()
        .map(|name| Event::from_bytes(&valid("protocol", "Event", name)).unwrap())
        .collect();
    let mut bytes = Vec::new();
    for event in &events {
        put_frame(&mut bytes, event);
    }
    (events, bytes)
}

#[test]
fn a_fanout_frame_is_that_of_its_event() {
    for size in [1, 63, 64, 200, 16_383, 20_000] {
        let room = RoomUri::parse("mimi://a.example/r/x").unwrap();
        let fanout_message = vec![7; size];
        let (mut short, mut long) = (vec![1], vec![1]);
        put_fanout_frame(&mut short, 5, room.as_str(), &fanout_message);
        let body = EventBody::Fanout { room, fanout_message };
        put_frame(&mut long, &Event { cursor: 5, body });
        assert_eq!(short, long);
    }
}

#[test]
fn frames_are_found_whatever_the_pieces() {
    let (events, bytes) = stream();
    for size in [1, 2, 3, 7, 100, bytes.len()] {
        let mut reader = FrameReader::new();
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            reader.push(piece);
            while let Some(event) = reader.next_event().unwrap() {
                found.push(event);
            }
        }
        assert_eq!(found, events, "pieces of {size}");
        assert!(!reader.is_inside_frame());
    }
}

#[test]
fn a_cut_stream_is_known_as_cut() {
    let (_, bytes) = stream();
    let mut reader = FrameReader::new();
    reader.push(&bytes[..bytes.len() - 1]);
    for _ in 0..3 {
        assert!(reader.next_event().unwrap().is_some());
    }
    assert!(reader.next_event().unwrap().is_none());
    assert!(reader.is_inside_frame());
}

#[test]
fn a_frame_too_long_is_refused_by_its_header_and_stays_refused() {
    let (_, mut bytes) = stream();
    let start = bytes.len();
    put_varint(&mut bytes, MAX_EVENT + 1);
    let mut reader = FrameReader::new();
    reader.push(&bytes);
    for _ in 0..4 {
        assert!(reader.next_frame().unwrap().is_some());
    }
    let error = reader.next_frame().unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (DecodeErrorKind::TooLong { max: MAX_EVENT }, start)
    );
    reader.push(&[0; 64]);
    assert_eq!(reader.next_frame().unwrap_err(), error);
    assert!(!reader.is_inside_frame());
}

#[test]
fn a_bad_event_is_told_with_its_place_in_the_stream() {
    let mut reader = FrameReader::new();
    reader.push(b"\x09\0\0\0\0\0\0\0\x01\x03");
    assert!(reader.next_event().unwrap().is_some());
    reader.push(b"\x09\0\0\0\0\0\0\0\x02\x07");
    let error = reader.next_event().unwrap_err();
    assert_eq!(
        (error.structure, error.field, error.offset),
        ("Event", "event_type", 10 + 1 + 8)
    );
    assert!(!reader.is_lost());
    // The next ones are read all the same.
    reader.push(b"\x09\0\0\0\0\0\0\0\x03\x03\x00\x09\x80\0\0\0\0\0\0\0\x03");
    assert_eq!(reader.next_event().unwrap().unwrap().cursor, 3);
    assert_eq!(reader.next_event().unwrap_err().kind, DecodeErrorKind::Truncated);
    let error = reader.next_event().unwrap_err();
    assert_eq!(
        (error.field, error.offset),
        ("cursor", 32),
        "a cursor that no store keeps"
    );
    assert!(reader.next_event().unwrap().is_none() && !reader.is_lost());
    let mut reader = FrameReader::new();
    reader.push(b"\xc0");
    assert_eq!(
        reader.next_frame().unwrap_err().kind,
        DecodeErrorKind::BadLengthHeader
    );
    let mut reader = FrameReader::new();
    reader.push(b"\x40\x01");
    assert_eq!(
        reader.next_frame().unwrap_err().kind,
        DecodeErrorKind::BadLengthHeader
    );
}

#[test]
fn an_event_keeps_the_hubs_bytes_and_reads_them_on_demand() {
    let event = Event::from_bytes(&valid("protocol", "Event", "a message")).unwrap();
    let message = event.body.fanout_message().unwrap().unwrap();
    let EventBody::Fanout { fanout_message, .. } = &event.body else {
        panic!("not a fanout")
    };
    assert_eq!(&message.to_bytes(), fanout_message);
    assert!(EventBody::Keepalive.fanout_message().is_none());
}
