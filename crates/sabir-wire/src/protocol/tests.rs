#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
use super::*;
use crate::codec::{Decode, DecodeErrorKind, Encode};
use crate::mls::{CipherSuite, MlsMessage};
use crate::uri::{Domain, RoomUri, UserUri};
use crate::vector_tests::valid;

fn user(text: &str) -> UserUri {
    UserUri::parse(text).unwrap()
}

fn room() -> RoomUri {
    RoomUri::parse("mimi://a.example/r/clubhouse").unwrap()
}

#[test]
fn a_key_material_request_puts_each_field_in_its_place() {
    let bytes = valid("protocol", "KeyMaterialRequest", "for a room");
    let request = KeyMaterialRequest::from_bytes(&bytes).unwrap();
    assert_eq!(request.requesting_user, user("mimi://b.example/u/bob"));
    assert_eq!(request.target_user, user("mimi://c.example/u/cathy"));
    assert_eq!(request.room_id, Some(room()));
    assert_eq!(request.acceptable_ciphersuites, [CipherSuite(1), CipherSuite(3)]);
    let signature = request.key_material_request_signature.len() + 1;
    assert_eq!(
        request.tbs(),
        bytes[..bytes.len() - signature],
        "the TBS is the request without its signature"
    );
}

#[test]
fn a_request_without_room_differs_from_one_with_a_room_only_there() {
    let bytes = valid(
        "protocol",
        "KeyMaterialRequest",
        "for any room: the room is empty",
    );
    assert_eq!(KeyMaterialRequest::from_bytes(&bytes).unwrap().room_id, None);
}

#[test]
fn a_key_material_response_gives_each_clients_status() {
    let bytes = valid("protocol", "KeyMaterialResponse", "one client of each status");
    let response = KeyMaterialResponse::from_bytes(&bytes).unwrap();
    let codes: Vec<_> = response
        .clients
        .iter()
        .map(ClientKeyMaterial::client_status)
        .collect();
    use KeyMaterialClientCode as Code;
    let expected = [
        Code::Success,
        Code::KeyMaterialExhausted,
        Code::NothingCompatible,
        Code::NothingCompatible,
    ];
    assert_eq!(codes, expected);
    let told = |i: usize| {
        matches!(
            &response.clients[i].status,
            ClientKeyStatus::NothingCompatible(Some(_))
        )
    };
    assert!(told(2) && !told(3));
}

#[test]
fn a_bundle_is_told_by_what_its_first_message_carries() {
    let commit = valid(
        "protocol",
        "UpdateRequest",
        "a commit with Welcome, whole GroupInfo and tree",
    );
    let UpdateRequest {
        bundle:
            HandshakeBundle::Commit {
                message,
                welcome,
                group_info,
                ratchet_tree,
            },
    } = UpdateRequest::from_bytes(&commit).unwrap()
    else {
        panic!("not a commit")
    };
    assert_eq!(message.epoch(), Some(7));
    assert!(welcome.is_some());
    assert!(matches!(*group_info, GroupInfoOption::Full(_)));
    assert!(matches!(ratchet_tree, RatchetTreeOption::Full(_)));
    let proposals = valid("protocol", "UpdateRequest", "three proposals");
    let HandshakeBundle::Proposal { more, .. } = UpdateRequest::from_bytes(&proposals).unwrap().bundle else {
        panic!("not proposals")
    };
    assert_eq!(more.len(), 2);
}

#[test]
fn a_submitted_message_names_its_sender() {
    let bytes = valid("protocol", "SubmitMessageRequest", "an application message");
    let request = SubmitMessageRequest::from_bytes(&bytes).unwrap();
    assert_eq!(request.sending_uri, user("mimi://b.example/u/bob"));
    assert!(matches!(request.app_message, MlsMessage::Private(_)));
}

#[test]
fn a_batch_gives_each_message_with_its_own_bytes() {
    let first = valid(
        "protocol",
        "FanoutMessage",
        "an application message with its frank",
    );
    let second = valid("protocol", "FanoutMessage", "a commit with a proposal of the hub");
    let body = [first.as_slice(), &second].concat();
    let batch = FanoutMessage::read_batch(&body).unwrap();
    assert_eq!(batch.len(), 2);
    assert_eq!((batch[0].1, batch[1].1), (first.as_slice(), second.as_slice()));
    assert!(matches!(
        batch[0].0.body,
        FanoutBody::Application { frank: Some(_), .. }
    ));
    assert!(matches!(batch[1].0.body, FanoutBody::Commit { .. }));
}

#[test]
fn a_welcome_with_an_encoded_tree_is_the_same() {
    let bytes = valid("protocol", "FanoutMessage", "a Welcome with the tree");
    let read = FanoutMessage::from_bytes(&bytes).unwrap();
    let FanoutBody::Welcome {
        message,
        ratchet_tree_option: RatchetTreeOption::Full(tree),
    } = read.body
    else {
        panic!("not a Welcome with its tree")
    };
    let written = FanoutMessage::encode_welcome(read.timestamp, &message, &tree.to_bytes());
    assert_eq!(written, bytes);
}

#[test]
fn a_commit_with_what_is_stapled_to_it_is_the_same() {
    let bytes = valid("protocol", "FanoutMessage", "a commit with a proposal of the hub");
    let read = FanoutMessage::from_bytes(&bytes).unwrap();
    let FanoutBody::Commit {
        message,
        external_proposals,
    } = read.body
    else {
        panic!("not a commit")
    };
    let written = FanoutMessage::encode_commit(read.timestamp, &message, &external_proposals);
    assert_eq!(written, bytes);
}

#[test]
fn a_batch_with_a_fault_gives_nothing_and_says_where() {
    let first = valid(
        "protocol",
        "FanoutMessage",
        "an application message with its frank",
    );
    let mut body = [first.as_slice(), &first].concat();
    body.pop();
    let error = FanoutMessage::read_batch(&body).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Truncated);
    assert!(error.offset > first.len());
    let error = FanoutMessage::read_batch(&[]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooShort { min: 1 });
    let error = FanoutMessage::read_batch(&vec![0; MAX_NOTIFY + 1]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLong { max: MAX_NOTIFY });
}

#[test]
fn a_request_over_its_size_is_refused_before_it_is_read() {
    fn refused<T: Decode + std::fmt::Debug>(max: usize) {
        let error = T::from_bytes(&vec![0xff; max + 1]).unwrap_err();
        assert_eq!(
            (error.structure, error.field, error.offset),
            (T::NAME, "whole", 0)
        );
        assert_eq!(error.kind, DecodeErrorKind::TooLong { max });
    }
    refused::<KeyMaterialRequest>(MAX_KEY_MATERIAL_REQUEST);
    refused::<KeyMaterialResponse>(MAX_KEY_MATERIAL_RESPONSE);
    refused::<UpdateRequest>(MAX_UPDATE_REQUEST);
    refused::<SubmitMessageRequest>(MAX_SUBMIT_REQUEST);
    refused::<FanoutMessage>(MAX_NOTIFY);
    refused::<GroupInfoRequest>(MAX_GROUP_INFO_REQUEST);
    refused::<GroupInfoResponse>(MAX_GROUP_INFO_RESPONSE);
    refused::<ConsentEntry>(MAX_CONSENT);
    refused::<IdentifierRequest>(MAX_IDENTIFIER_REQUEST);
    refused::<IdentifierResponse>(MAX_IDENTIFIER_RESPONSE);
    refused::<AbuseReport>(MAX_REPORT_ABUSE);
}

#[test]
fn franking_signs_and_macs_what_the_draft_says() {
    let context = ServerFrankingContext {
        sender_uri: user("mimi://a.example/u/alice"),
        room_uri: room(),
        accepted_timestamp: 1_700_000_000_003,
    };
    assert_eq!(
        context.to_bytes(),
        valid("protocol", "ServerFrankingContext", "a context")
    );
    assert_eq!(
        context.frank_input(&[7; 32]),
        [&[7; 32], context.to_bytes().as_slice()].concat()
    );
    let tbs = FrankingIntegrityTbs {
        server_frank: [9; 32],
        franking_signature_ciphersuite: CipherSuite(1),
        context: context.clone(),
    };
    assert_eq!(tbs.tbs(), [&[9; 32], &[0, 1][..], &context.to_bytes()].concat());
}

#[test]
fn the_joining_code_is_optional_in_the_signed_structure_and_empty_in_the_request() {
    let bytes = valid("protocol", "GroupInfoRequest", "with a joining code");
    let mut request = GroupInfoRequest::from_bytes(&bytes).unwrap();
    assert_eq!(request.joining_code.as_deref(), Some(&b"code"[..]));
    assert!(request.tbs().ends_with(b"\x01\x04code"));
    request.joining_code = None;
    assert!(request.tbs().ends_with(&[0]));
    assert_eq!(
        request.to_bytes(),
        valid("protocol", "GroupInfoRequest", "without a joining code")
    );
}

#[test]
fn a_group_info_response_signs_itself_without_the_signature() {
    let bytes = valid("protocol", "GroupInfoResponse", "success");
    let response = GroupInfoResponse::from_bytes(&bytes).unwrap();
    let GroupInfoOutcome::Success(success) = &response.outcome else {
        panic!("not a success")
    };
    assert_eq!(
        success.tbs(&response.room_id),
        bytes[..bytes.len() - success.signature.len() - 1]
    );
}

#[test]
fn consent_keeps_requester_and_target_apart() {
    let bytes = valid("protocol", "ConsentEntry", "a grant with a KeyPackage");
    let entry = ConsentEntry::from_bytes(&bytes).unwrap();
    assert_eq!(entry.scope.requester_uri, user("mimi://a.example/u/alice"));
    assert_eq!(entry.scope.target_uri, user("mimi://b.example/u/bob"));
    assert_eq!((entry.scope.room_id, entry.client_key_packages.len()), (None, 1));
    assert!(!entry.operation.is_request() && ConsentOperation::Cancel.is_request());
}

#[test]
fn a_directory_makes_urls_with_one_encoded_segment() {
    let directory = Directory {
        notify: Some("https://mimi.a.example/mimi/v1/notify/{roomId}".into()),
        update: Some("https://mimi.a.example/v1/update{roomId}".into()),
        request_consent: Some("https://mimi.a.example/consent/{targetUser}".into()),
        update_consent: Some("https://mimi.a.example/consent/{requesterDomain}".into()),
        identifier_query: Some("https://mimi.a.example/query/{domain}".into()),
        ..Directory::default()
    };
    let bob = user("mimi://b.example/u/bob");
    let segment = "mimi%3A%2F%2Fa.example%2Fr%2Fclubhouse";
    assert_eq!(
        directory.notify_url(&room()).unwrap(),
        format!("https://mimi.a.example/mimi/v1/notify/{segment}")
    );
    assert_eq!(
        directory.update_url(&room()).unwrap(),
        format!("https://mimi.a.example/v1/update{segment}")
    );
    assert_eq!(
        directory.request_consent_url(&bob).unwrap(),
        "https://mimi.a.example/consent/mimi%3A%2F%2Fb.example%2Fu%2Fbob"
    );
    assert_eq!(
        directory.update_consent_url(&bob).unwrap(),
        "https://mimi.a.example/consent/b.example"
    );
    let domain = Domain::parse("b.example").unwrap();
    assert_eq!(
        directory.identifier_query_url(&domain).unwrap(),
        "https://mimi.a.example/query/b.example"
    );
    assert_eq!(directory.key_material_url(&bob), Err(DirectoryError::NotOffered));
}

#[test]
fn templates_that_could_lead_elsewhere_are_refused() {
    for (template, error) in [
        ("https://a.example/notify", DirectoryError::Template),
        ("https://a.example/{other}", DirectoryError::Template),
        ("https://a.example/{roomId}/{roomId}", DirectoryError::Template),
        ("https://a.example/{roomId", DirectoryError::Template),
        ("https://a.example/}{roomId}", DirectoryError::Template),
        ("https://a.example/{roomId}}", DirectoryError::Template),
        ("https://{roomId}/notify", DirectoryError::Template),
        ("https://a.example{roomId}", DirectoryError::Template),
        ("http://a.example/{roomId}", DirectoryError::NotHttps),
        ("file:///etc/{roomId}", DirectoryError::NotHttps),
    ] {
        assert_eq!(expand(template, "roomId", "x"), Err(error), "{template}");
    }
    assert_eq!(
        expand("https://a.example/{v}?x", "v", "../ä?").unwrap(),
        "https://a.example/..%2F%C3%A4%3F?x"
    );
}
