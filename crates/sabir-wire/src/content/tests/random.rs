//! Random input never panics; what is accepted has one encoding; what is generated comes back.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::content::{
    AeadAlgorithm, ContentKey, Disposition, Expiration, ExtensionKey, Extensions, ExternalPart,
    HashAlgorithm, MessageDerivedValues, MessageId, MimiContent, MultiPart, NestedPart, PartBody,
    PartSemantics, RawValue, Reading, Salt, SinglePart, select,
};
use crate::status::{MessageStatus, MessageStatusReport, PerMessageStatus};

fn id() -> impl Strategy<Value = MessageId> {
    any::<[u8; 31]>().prop_filter_map("the first octet is the hash function", |rest| {
        let mut bytes = [1; 32];
        bytes
            .iter_mut()
            .skip(1)
            .zip(rest)
            .for_each(|(to, from)| *to = from);
        MessageId::new(bytes)
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

fn external() -> impl Strategy<Value = ExternalPart> {
    let names = (".{0,20}", ".{0,40}", ".{0,20}", ".{0,20}");
    let numbers = (any::<u32>(), any::<u64>(), 1_u16.., any::<u8>());
    (names, numbers, (bytes(), bytes(), bytes(), bytes())).prop_map(|(names, numbers, strings)| {
        ExternalPart {
            content_type: names.0,
            url: names.1,
            expires: numbers.0,
            size: numbers.1,
            enc_alg: AeadAlgorithm(numbers.2),
            key: ContentKey::new(strings.0),
            nonce: strings.1,
            aad: strings.2,
            hash_alg: HashAlgorithm(numbers.3),
            content_hash: strings.3,
            description: names.2,
            filename: names.3,
        }
    })
}

fn part() -> impl Strategy<Value = NestedPart> {
    let leaf = prop_oneof![
        Just(PartBody::Null),
        (".{0,30}", bytes()).prop_map(|(content_type, content)| PartBody::Single(SinglePart {
            content_type,
            content
        })),
        external().prop_map(PartBody::External),
    ];
    let nested = |body: BoxedStrategy<PartBody>| {
        (any::<u8>(), "[a-zA-Z, -]{0,12}", body).prop_map(|(disposition, language, body)| NestedPart {
            disposition: Disposition(disposition),
            language,
            body,
        })
    };
    nested(leaf.boxed()).prop_recursive(3, 40, 5, move |inner| {
        let semantics = prop_oneof![
            Just(PartSemantics::ChooseOne),
            Just(PartSemantics::SingleUnit),
            Just(PartSemantics::ProcessAll)
        ];
        let body = (semantics, vec(inner, 2..5))
            .prop_map(|(semantics, parts)| PartBody::Multi(MultiPart { semantics, parts }));
        nested(body.boxed())
    })
}

fn extensions() -> impl Strategy<Value = Extensions> {
    const MAX: i64 = 9_007_199_254_740_991;
    let key = prop_oneof![
        (3..=MAX).prop_map(ExtensionKey::Int),
        (-MAX..0).prop_map(ExtensionKey::Int),
        "[a-zé]{1,60}".prop_map(ExtensionKey::Text),
    ];
    let value = prop_oneof![
        any::<u64>().prop_map(RawValue::uint),
        bytes().prop_map(|b| RawValue::bytes(&b)),
        ".{0,20}".prop_map(|t| RawValue::text(&t)),
    ];
    (vec((key, value), 0..6), ".{0,40}", ".{0,40}").prop_map(|(others, sender, room)| {
        let mut extensions = Extensions::claiming(&sender, &room);
        for (key, value) in others {
            extensions.insert(key, value);
        }
        extensions
    })
}

fn content() -> impl Strategy<Value = MimiContent> {
    let expires = prop_oneof![
        any::<u32>().prop_map(Expiration::Relative),
        any::<u32>().prop_map(Expiration::Absolute)
    ];
    let behaviour = (
        proptest::option::of(id()),
        bytes(),
        proptest::option::of(expires),
        proptest::option::of(id()),
    );
    (any::<[u8; 16]>(), behaviour, extensions(), part()).prop_map(|(salt, behaviour, extensions, part)| {
        MimiContent {
            salt: Salt(salt),
            replaces: behaviour.0,
            topic_id: behaviour.1,
            expires: behaviour.2,
            in_reply_to: behaviour.3,
            extensions,
            part,
        }
    })
}

/// Reads in every way there is; what is accepted must encode to the same bytes.
fn read_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(content) = MimiContent::from_bytes(bytes) {
        prop_assert_eq!(content.to_bytes().ok(), Some(bytes.to_vec()));
        let count = content.parts().count();
        let all = Reading {
            understands: &|_| true,
            languages: &["en"],
        };
        prop_assert!(select(&content.part, &all).len() <= count);
        let _ = (content.text(&["en"]), content.fallback_text(&[]));
    }
    if let Ok(report) = MessageStatusReport::from_bytes(bytes) {
        prop_assert_eq!(report.to_bytes().ok(), Some(bytes.to_vec()));
    }
    if let Ok(values) = MessageDerivedValues::from_bytes(bytes) {
        prop_assert_eq!(values.to_bytes().ok(), Some(bytes.to_vec()));
    }
    if let Ok(value) = RawValue::from_bytes(bytes) {
        prop_assert_eq!(value.encoded(), bytes);
        let _ = (value.as_text(), value.as_bytes(), value.as_uint());
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes)?;
    }

    #[test]
    fn random_extension_values_never_panic(value in vec(any::<u8>(), 0..40)) {
        let mut bytes = vec![0x87, 0x50];
        bytes.extend([0; 16]);
        bytes.extend([0xf6, 0x40, 0xf6, 0xf6, 0xa1, 0x03]);
        bytes.extend(value);
        bytes.extend([0x83, 0x01, 0x60, 0x00]);
        read_all(&bytes)?;
    }

    #[test]
    fn generated_messages_come_back(content in content()) {
        let bytes = content.to_bytes().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        prop_assert_eq!(MimiContent::from_bytes(&bytes).ok(), Some(content));
    }

    #[test]
    fn damaged_messages_are_refused_or_are_other_messages(
        content in content(),
        at in any::<prop::sample::Index>(),
        mask in 1_u8..,
        cut in any::<bool>(),
    ) {
        let mut bytes = content.to_bytes().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
            prop_assert!(MimiContent::from_bytes(&bytes).is_err());
        } else {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
            prop_assert_ne!(MimiContent::from_bytes(&bytes).ok(), Some(content));
        }
        read_all(&bytes)?;
    }

    #[test]
    fn generated_reports_come_back(entries in vec((id(), any::<u8>()), 0..40)) {
        let statuses = entries
            .into_iter()
            .map(|(message_id, status)| PerMessageStatus { message_id, status: MessageStatus(status) })
            .collect();
        let report = MessageStatusReport { statuses };
        let bytes = report.to_bytes().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        prop_assert_eq!(MessageStatusReport::from_bytes(&bytes).ok(), Some(report));
    }
}
