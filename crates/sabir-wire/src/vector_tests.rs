//! Every structure of protocol, policy, components and client API against the vectors of the project, and
//! against random damage to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
use proptest::prelude::*;
use serde_json::Value;

use crate::client_api::*;
use crate::codec::{Decode, DecodeError, Encode};
use crate::components::*;
use crate::device_list::SignedDeviceList;
use crate::policy::*;
use crate::protocol::*;

type Recode = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

fn recode<T: Decode + Encode>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    T::from_bytes(bytes).map(|value| value.to_bytes())
}

macro_rules! structures {
    ($($name:ident),* $(,)?) => {
        [$((<$name as Decode>::NAME, recode::<$name> as Recode)),*]
    };
}

fn structures() -> Vec<(&'static str, Recode)> {
    let protocol = structures![
        KeyMaterialRequest,
        KeyMaterialResponse,
        UpdateRequest,
        UpdateRoomResponse,
        SubmitMessageRequest,
        SubmitMessageResponse,
        FanoutMessage,
        FrankAad,
        Frank,
        FrankingAgentData,
        ServerFrankingContext,
        GroupInfoRequest,
        GroupInfoResponse,
        GroupInfoRatchetTreeTbe,
        ConsentEntry,
        IdentifierRequest,
        IdentifierResponse,
        AbuseReport,
        ParticipantListData,
        ParticipantListUpdate,
        RoomMetaData,
    ];
    let policy = structures![
        Role,
        RoleData,
        PreAuthData,
        BaseRoomPolicy,
        StatusNotificationPolicy,
        JoinLinkPolicy,
        JoinLinksData,
        JoinLinksUpdate,
        LinkPreviewPolicy,
        AssetPolicy,
        LoggingPolicy,
        HistoryPolicy,
        BotPolicy,
        MessageExpiration,
        OperationalParameters,
    ];
    let client = structures![
        SignedDeviceList,
        ClientAuthChallenge,
        SignInRequest,
        SignInResponse,
        CreateAccountRequest,
        CreateAccountResponse,
        RegisterDeviceRequest,
        RegisterDeviceResponse,
        PublishKeyPackagesRequest,
        PublishKeyPackagesResponse,
        KeyPackageCountResponse,
        HubIdentity,
        CreateRoomRequest,
        CreateRoomResponse,
        AttachRequest,
        Event,
        AckRequest,
        BeginAssetRequest,
        BeginAssetResponse,
        AppendAssetResponse,
        AssetStatus,
        FinishAssetResponse,
        ApiError,
    ];
    protocol.into_iter().chain(policy).chain(client).collect()
}

/// Also for the tests of single modules: the bytes of a valid vector.
pub(crate) fn valid(file: &str, structure: &str, name: &str) -> Vec<u8> {
    let found = load(file)
        .into_iter()
        .find(|v| v["structure"] == structure && v["name"] == name);
    bytes(&found.unwrap_or_else(|| panic!("no vector {structure}: {name}")))
}

fn load(file: &str) -> Vec<Value> {
    serde_json::from_str(match file {
        "protocol" => include_str!("../../../vectors/protocol/valid.json"),
        "protocol, invalid" => include_str!("../../../vectors/protocol/invalid.json"),
        "policy" => include_str!("../../../vectors/policy/valid.json"),
        "policy, invalid" => include_str!("../../../vectors/policy/invalid.json"),
        other => panic!("no vectors {other}"),
    })
    .unwrap()
}

fn bytes(vector: &Value) -> Vec<u8> {
    let hex: String = vector["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p[0].as_str().unwrap())
        .collect();
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}

fn find(structure: &str) -> Recode {
    let found = structures().into_iter().find(|(name, _)| *name == structure);
    found.unwrap_or_else(|| panic!("no structure {structure}")).1
}

fn all_valid() -> Vec<(String, String, Vec<u8>)> {
    let vectors = load("protocol").into_iter().chain(load("policy"));
    vectors
        .map(|v| {
            let text = |field: &str| v[field].as_str().unwrap().to_owned();
            (text("structure"), text("name"), bytes(&v))
        })
        .collect()
}

#[test]
fn valid_vectors_decode_and_encode_to_themselves() {
    for (structure, name, input) in all_valid() {
        let output = find(&structure)(&input).unwrap_or_else(|e| panic!("{structure}: {name}: {e}"));
        assert_eq!(output, input, "{structure}: {name}");
    }
}

#[test]
fn invalid_vectors_fail_as_named() {
    let mut wrong = Vec::new();
    for v in load("protocol, invalid")
        .into_iter()
        .chain(load("policy, invalid"))
    {
        let structure = v["structure"].as_str().unwrap();
        let found = match find(structure)(&bytes(&v)) {
            Ok(_) => Value::from("accepted"),
            Err(e) => serde_json::json!({
                "structure": e.structure,
                "field": e.field,
                "offset": e.offset,
                "kind": format!("{:?}", e.kind),
            }),
        };
        if found != v["error"] {
            wrong.push(format!(
                "{structure}: {}: {found} instead of {}",
                v["name"], v["error"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_structure_has_a_vector_and_negatives_outnumber_positives() {
    let valid = all_valid();
    for (name, _) in structures() {
        assert!(
            valid.iter().any(|(structure, ..)| structure == name),
            "{name} has no valid vector"
        );
    }
    assert!(load("protocol, invalid").len() > load("protocol").len());
    assert!(load("policy, invalid").len() > load("policy").len());
}

#[test]
fn no_valid_vector_can_be_cut_or_extended() {
    for (structure, name, input) in all_valid() {
        let recode = find(&structure);
        for end in 0..input.len() {
            // A cut may by chance leave another valid value; then it must be exactly that value.
            if let Ok(output) = recode(&input[..end]) {
                assert_eq!(output, &input[..end], "{structure}: {name} cut at {end}");
            }
        }
        let mut long = input.clone();
        long.push(0);
        assert!(recode(&long).is_err(), "{structure}: {name} with a byte more");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (_, recode) in structures() {
            if let Ok(output) = recode(&input) {
                prop_assert_eq!(&output, &input);
            }
        }
    }

    #[test]
    fn damaged_vectors_never_panic_and_what_decodes_is_canonical(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let vectors = all_valid();
        let (structure, _, input) = &vectors[which.index(vectors.len())];
        let mut input = input.clone();
        for (at, byte) in damage {
            let len = input.len();
            if len > 0 {
                input[at.index(len)] = byte;
            }
        }
        if let Ok(output) = find(structure)(&input) {
            prop_assert_eq!(output, input);
        }
    }
}
