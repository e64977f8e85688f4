use sabir_core::conversation::{Request, RequestKind};
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode as _, DecodeError};
use sabir_wire::protocol::{KeyMaterialRequest, MAX_GROUP_INFO_RESPONSE, MAX_KEY_MATERIAL_RESPONSE};
use sabir_wire::uri::RoomUri;

/// Bytes of an answer with neither key packages nor a GroupInfo in it.
const MAX_ANSWER: usize = 256 << 10;

/// Where a conversation's request is posted at the own provider, and how many bytes its answer may have.
///
/// # Errors
/// [`DecodeError`] where a request for key material does not say whose.
pub fn route(room: &RoomUri, request: &Request) -> Result<(String, usize), DecodeError> {
    let with_room = |prefix: &str| format!("{prefix}{}", room.to_path_segment());
    Ok(match request.kind {
        RequestKind::CreateRoom => (path::ROOMS.to_owned(), MAX_ANSWER),
        RequestKind::KeyMaterial => {
            let target = KeyMaterialRequest::from_bytes(&request.body)?.target_user;
            let path = format!("{}{}", path::KEY_MATERIAL, target.to_path_segment());
            (path, MAX_KEY_MATERIAL_RESPONSE)
        }
        RequestKind::Update => (with_room(path::UPDATE), MAX_ANSWER),
        RequestKind::Submit => (with_room(path::SUBMIT_MESSAGE), MAX_ANSWER),
        RequestKind::GroupInfo => (with_room(path::GROUP_INFO), MAX_GROUP_INFO_RESPONSE),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sabir_wire::codec::Encode as _;
    use sabir_wire::mls::{CipherSuite, Credential, RequiredCapabilities, SignaturePublicKey};
    use sabir_wire::uri::UserUri;

    use super::*;

    #[test]
    fn each_kind_of_request_has_its_place() {
        let room = RoomUri::parse("mimi://a.example/r/hikers").unwrap();
        let of = |kind, body| route(&room, &Request { kind, body });
        let asked = KeyMaterialRequest {
            requesting_user: UserUri::parse("mimi://a.example/u/alice").unwrap(),
            target_user: UserUri::parse("mimi://b.example/u/bob").unwrap(),
            room_id: Some(room.clone()),
            acceptable_ciphersuites: vec![CipherSuite(1)],
            required_capabilities: RequiredCapabilities {
                extension_types: Vec::new(),
                proposal_types: Vec::new(),
                credential_types: Vec::new(),
            },
            requester_signature_key: SignaturePublicKey(vec![1; 32]),
            requester_credential: Credential::Basic { identity: vec![1] },
            key_material_request_signature: vec![1; 64],
        };
        let segment = room.to_path_segment();
        for (kind, path, most) in [
            (RequestKind::CreateRoom, "/client/v1/rooms".to_owned(), MAX_ANSWER),
            (
                RequestKind::Update,
                format!("/client/v1/update/{segment}"),
                MAX_ANSWER,
            ),
            (
                RequestKind::Submit,
                format!("/client/v1/submit-message/{segment}"),
                MAX_ANSWER,
            ),
            (
                RequestKind::GroupInfo,
                format!("/client/v1/group-info/{segment}"),
                MAX_GROUP_INFO_RESPONSE,
            ),
        ] {
            assert_eq!(of(kind, Vec::new()), Ok((path, most)), "{kind:?}");
        }
        let whose = asked.target_user.to_path_segment();
        assert_eq!(
            of(RequestKind::KeyMaterial, asked.to_bytes()),
            Ok((
                format!("/client/v1/key-material/{whose}"),
                MAX_KEY_MATERIAL_RESPONSE
            )),
            "whose key packages, not the room"
        );
        assert!(of(RequestKind::KeyMaterial, vec![1, 2, 3]).is_err());
    }
}
