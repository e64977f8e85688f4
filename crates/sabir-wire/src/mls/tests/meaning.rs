//! What the helpers read out of the structures of `vectors/mls/valid.json`.

use std::collections::BTreeSet;

use super::*;

/// The first valid vector of a structure whose reason is `why`.
fn sample<T: Decode>(structure: &str, why: &str) -> T {
    let json = include_str!("../../../../../vectors/mls/valid.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(json).unwrap();
    let vector = vectors
        .iter()
        .find(|v| v["structure"] == structure && v["why"] == why)
        .unwrap();
    T::from_bytes(&unhex(vector["hex"].as_str().unwrap())).unwrap()
}

fn public(why: &str) -> PublicMessage {
    match sample("MLSMessage", why) {
        MlsMessage::Public(message) => *message,
        other => panic!("{:?}", other.wire_format()),
    }
}

#[test]
fn a_hub_reads_a_commit() {
    let message: MlsMessage = sample("MLSMessage", "commit of a member");
    assert_eq!(
        (message.group_id(), message.epoch()),
        (Some(b"g".as_slice()), Some(7))
    );
    assert_eq!(message.content_type(), Some(ContentType::Commit));
    let message = public("commit of a member");
    assert_eq!(message.sender(), Sender::Member { leaf_index: 3 });
    assert_eq!(message.membership_tag.as_deref(), Some(b"\x3e".as_slice()));
    assert!(message.proposal().is_none());
    let commit = message.commit().unwrap();
    let by_value: Vec<_> = commit.proposals_by_value().collect();
    assert_eq!(by_value, [&Proposal::Remove { removed: 5 }]);
    let by_reference: Vec<_> = commit.proposals_by_reference().collect();
    assert_eq!(by_reference, [[0x12, 0x34]]);
    let path = commit.path.as_ref().unwrap();
    assert_eq!(path.leaf_node.credential.credential_type(), CredentialType::X509);
    assert_eq!(path.nodes[0].encrypted_path_secret.len(), 2);
}

#[test]
fn only_members_have_membership_tags() {
    let hub = public("remove proposed by the hub, no membership tag");
    assert_eq!(hub.sender(), Sender::External { sender_index: 0 });
    assert_eq!(hub.membership_tag, None);
    assert_eq!(hub.proposal(), Some(&Proposal::Remove { removed: 5 }));
    let joiner = public("external commit");
    assert_eq!(joiner.sender(), Sender::NewMemberCommit);
    assert_eq!(joiner.membership_tag, None);
    assert!(joiner.auth.confirmation_tag.is_some());
}

#[test]
fn a_tree_lists_its_leaves_by_leaf_index() {
    let tree: RatchetTree = sample("RatchetTree", "leaves 0, 1 and 3");
    let leaves: Vec<u32> = tree.leaves().map(|(index, _)| index).collect();
    assert_eq!(leaves, [0, 1, 3]);
    assert_eq!(
        tree.leaf(3).map(|leaf| &leaf.leaf_node_source),
        Some(&LeafNodeSource::Update)
    );
    assert!(tree.leaf(2).is_none() && tree.leaf(4).is_none() && tree.leaf(u32::MAX).is_none());
}

#[test]
fn a_dictionary_keeps_its_order() {
    let mut dictionary = AppDataDictionary::default();
    for id in [0x22_u16, 1, 0x30, 0x22] {
        dictionary.set(ComponentId(id), id.to_be_bytes().to_vec());
    }
    let ids: Vec<u16> = dictionary
        .component_data
        .iter()
        .map(|c| c.component_id.0)
        .collect();
    assert_eq!(ids, [1, 0x22, 0x30]);
    assert_eq!(
        AppDataDictionary::from_bytes(&dictionary.to_bytes()),
        Ok(dictionary.clone())
    );
    assert_eq!(dictionary.remove(ComponentId(1)), Some(vec![0, 1]));
    assert_eq!(dictionary.remove(ComponentId(1)), None);
    assert_eq!(
        dictionary.get(ComponentId::PARTICIPANT_LIST),
        Some([0, 0x22].as_slice())
    );
}

#[test]
fn extensions_are_found_and_decoded() {
    let context: GroupContext = sample_context();
    let found: Option<AppDataDictionary> =
        decode_extension(&context.extensions, ExtensionType::APP_DATA_DICTIONARY).unwrap();
    assert_eq!(
        found.unwrap().get(ComponentId::PARTICIPANT_LIST),
        Some([1, 2, 3].as_slice())
    );
    let absent = decode_extension::<ExternalSenders>(&context.extensions, ExtensionType::EXTERNAL_SENDERS);
    assert_eq!(absent, Ok(None));
    let wrong =
        decode_extension::<RequiredCapabilities>(&context.extensions, ExtensionType::APP_DATA_DICTIONARY);
    assert!(wrong.is_err());
}

fn sample_context() -> GroupContext {
    let info: GroupInfo = sample("GroupInfo", "external_pub, no tree");
    assert!(info.to_bytes().starts_with(&info.to_be_signed()));
    info.group_context
}

#[test]
fn a_signature_covers_the_group_where_the_sender_knows_it() {
    let context = sample_context();
    let frame = [0, 1, 0, 1];
    let message = public("commit of a member");
    assert_eq!(
        message.content.to_be_signed(WireFormat::PUBLIC_MESSAGE, &context),
        [frame.as_slice(), &message.content.to_bytes(), &context.to_bytes()].concat()
    );
    let message = public("remove proposed by the hub, no membership tag");
    assert_eq!(
        message.content.to_be_signed(WireFormat::PUBLIC_MESSAGE, &context),
        [frame.as_slice(), &message.content.to_bytes()].concat()
    );
    let leaf: LeafNode = sample("LeafNode", "from an Update");
    let signed = leaf.to_be_signed(b"g", 3);
    assert!(signed.ends_with(&[1, b'g', 0, 0, 0, 3]));
    let leaf: LeafNode = sample("LeafNode", "from a KeyPackage");
    assert!(leaf.to_bytes().starts_with(&leaf.to_be_signed(b"g", 3)));
}

#[test]
fn labels_carry_their_prefix() {
    let sign = SignContent {
        label: b"x",
        content: b"y",
    };
    assert_eq!(sign.to_bytes(), b"\x09MLS 1.0 x\x01y");
    let encrypt = EncryptContext {
        label: b"x",
        context: b"",
    };
    assert_eq!(encrypt.to_bytes(), b"\x09MLS 1.0 x\x00");
    let kdf = KdfLabel {
        length: 32,
        label: b"x",
        context: b"",
    };
    assert_eq!(kdf.to_bytes(), b"\x00\x20\x09MLS 1.0 x\x00");
    let component = ComponentOperationLabel {
        component_id: ComponentId::FRANK_AAD,
        label: b"x",
    };
    assert_eq!(component.to_bytes(), b"\x0dMLS Component\x00\x20\x01x");
    assert_eq!(
        RefHashInput::key_package(b"y").to_bytes(),
        b"\x1cMLS 1.0 KeyPackage Reference\x01y"
    );
}

#[test]
fn code_points_print_their_names() {
    assert_eq!(ProposalType::SELF_REMOVE.to_string(), "self_remove");
    assert_eq!(
        format!("{:?}", ComponentId(0x20)),
        "ComponentId(0x0020 frank_aad)"
    );
    assert_eq!(CipherSuite(0x4e).to_string(), "0x004e");
    assert!(CipherSuite(0x0a0a).is_grease() && CipherSuite(0xeaea).is_grease());
    assert!(!CipherSuite(0xfafa).is_grease() && !CipherSuite(0x0a1a).is_grease());
}

#[test]
fn components_have_fewer_grease_values_than_the_rest() {
    let values: Vec<u16> = (0..=u8::MAX).map(|it| ComponentId::grease(it).0).collect();
    assert_eq!(
        values.iter().copied().collect::<BTreeSet<_>>(),
        [0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a].into()
    );
    let all: Vec<u16> = (0..=u16::MAX).filter(|it| ComponentId(*it).is_grease()).collect();
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|it| values.contains(it)));
    // From 0x8000 on they are private, and ours is among those.
    assert!(!ComponentId(0x8a8a).is_grease());
}
