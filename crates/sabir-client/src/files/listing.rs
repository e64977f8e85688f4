//! The files of a message: how they are told, found and composed.

use sabir_wire::content::{
    AeadAlgorithm, ContentKey, Disposition, ExternalPart, HashAlgorithm, MimiContent, NestedPart, Origin,
    PartBody, PartSemantics, TEXT_PLAIN,
};
use serde::{Deserialize, Serialize};

use super::gcm::FileKey;
use super::{media, name};

/// Files of one message that are told; what comes beyond stays in the message.
const MAX_FILES: usize = 64;
/// Bytes of a description that is told.
const MAX_DESCRIPTION: usize = 1000;

/// A file of a message, as faces see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its number in the message, from 1.
    pub number: u32,
    /// What to call it: the sender's suggestion, made safe.
    pub name: String,
    /// Its media type, as the sender says.
    pub media_type: String,
    /// Its size in bytes, as the sender says; absent where he does not.
    pub bytes: Option<u64>,
    /// What it is, in the sender's words, unaltered; may be empty.
    pub description: String,
    /// When it is gone from its provider, in milliseconds since the epoch; absent where the sender does not say.
    pub expires_ms: Option<u64>,
}

/// The files of an encoded message, in their order.
pub(crate) fn listing(content: &[u8]) -> Vec<FileInfo> {
    let content = MimiContent::from_bytes(content).ok();
    let parts = content.iter().flat_map(external);
    (1..)
        .zip(parts)
        .take(MAX_FILES)
        .map(|(number, part)| info(number, part))
        .collect()
}

/// The file with this number.
pub(crate) fn find(content: &[u8], number: u32) -> Option<ExternalPart> {
    let content = MimiContent::from_bytes(content).ok()?;
    let at = usize::try_from(number.checked_sub(1)?).ok()?;
    external(&content).take(MAX_FILES).nth(at).cloned()
}

fn external(content: &MimiContent) -> impl Iterator<Item = &ExternalPart> {
    content.parts().filter_map(|found| match &found.part.body {
        // A session is joined, not fetched (draft-ietf-mimi-content §5.10).
        PartBody::External(part) if found.part.disposition != Disposition::SESSION => Some(part),
        _ => None,
    })
}

pub(crate) fn info(number: u32, part: &ExternalPart) -> FileInfo {
    let mut description = part.description.clone();
    if description.len() > MAX_DESCRIPTION {
        let end = (0..=MAX_DESCRIPTION)
            .rev()
            .find(|end| description.is_char_boundary(*end));
        description.truncate(end.unwrap_or(0));
    }
    FileInfo {
        number,
        name: name::sanitised(&part.filename),
        media_type: part.content_type.clone(),
        bytes: Some(part.size).filter(|size| *size > 0),
        description,
        expires_ms: Some(u64::from(part.expires).saturating_mul(1000)).filter(|at| *at > 0),
    }
}

/// What an uploaded file is in a message.
pub(super) struct Uploaded<'a> {
    pub(super) name: &'a str,
    pub(super) media_type: &'a str,
    pub(super) url: String,
    /// When its provider deletes it, in milliseconds since the epoch.
    pub(super) expires_ms: u64,
    /// Bytes of the file itself.
    pub(super) size: u64,
    pub(super) key: &'a FileKey,
    /// SHA-256 of the ciphertext with its tag: "hash of the content at the target url"
    /// (draft-ietf-mimi-content §4.5).
    pub(super) hash: [u8; 32],
}

impl Uploaded<'_> {
    /// Its part. `size` is that of the file: what the hash is of is said there to be the content at the URL, what the size
    /// is of is not, and readers are shown it before they fetch anything.
    pub(super) fn part(&self) -> ExternalPart {
        ExternalPart {
            content_type: self.media_type.to_owned(),
            url: self.url.clone(),
            expires: u32::try_from(self.expires_ms / 1000).unwrap_or(0),
            size: self.size,
            enc_alg: AeadAlgorithm::AES_128_GCM,
            key: ContentKey::new(self.key.key().to_vec()),
            nonce: self.key.nonce().to_vec(),
            aad: Vec::new(),
            hash_alg: HashAlgorithm::SHA256,
            content_hash: self.hash.to_vec(),
            description: String::new(),
            filename: self.name.to_owned(),
        }
    }
}

/// Whether a file of this type is shown in the conversation.
pub(crate) fn is_shown(content_type: &str) -> bool {
    media::is_picture(content_type)
}

/// A message with a file, and perhaps with words before it.
pub(crate) fn compose(origin: Origin<'_>, text: Option<&str>, part: ExternalPart) -> MimiContent {
    // Pictures are shown in the conversation, everything else is fetched on demand (draft-ietf-mimi-content §5.9).
    let disposition = if is_shown(&part.content_type) {
        Disposition::INLINE
    } else {
        Disposition::ATTACHMENT
    };
    let file = NestedPart::external(disposition, part);
    let body = match text {
        None => file,
        Some(text) => {
            let words = NestedPart::single(Disposition::RENDER, TEXT_PLAIN, text);
            NestedPart::multi(Disposition::RENDER, PartSemantics::ProcessAll, vec![words, file])
        }
    };
    MimiContent::new(origin, body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use sabir_wire::content::Salt;

    use super::super::record::KeptPart;
    use super::*;

    fn part(change: impl FnOnce(&mut ExternalPart)) -> ExternalPart {
        let key = FileKey::new(&[1; 16], &[2; 12]).unwrap();
        let uploaded = Uploaded {
            name: "photo.jpg",
            media_type: "image/jpeg",
            url: "https://a.example/mimi/v1/asset/abcdefghijklmnopqrstuvwx".to_owned(),
            expires_ms: 1_795_000_000_999,
            size: 1234,
            key: &key,
            hash: [3; 32],
        };
        let mut part = uploaded.part();
        change(&mut part);
        part
    }

    fn message(text: Option<&str>, part: ExternalPart) -> Vec<u8> {
        let origin = Origin {
            salt: Salt([7; 16]),
            sender_uri: "mimi://a.example/u/alice",
            room_uri: "mimi://a.example/r/x",
        };
        compose(origin, text, part).to_bytes().unwrap()
    }

    #[test]
    fn a_file_is_told_as_it_was_composed() {
        let told = FileInfo {
            number: 1,
            name: "photo.jpg".to_owned(),
            media_type: "image/jpeg".to_owned(),
            bytes: Some(1234),
            description: String::new(),
            expires_ms: Some(1_795_000_000_000),
        };
        for (text, shown) in [(None, "photo.jpg"), (Some("look"), "look")] {
            let content = message(text, part(|_| {}));
            assert_eq!(listing(&content), std::slice::from_ref(&told));
            let decoded = MimiContent::from_bytes(&content).unwrap();
            assert_eq!(decoded.fallback_text(&[]), Some(shown));
            let found = find(&content, 1).unwrap();
            assert_eq!(found, part(|_| {}));
            assert!(find(&content, 0).is_none() && find(&content, 2).is_none());
            assert!(KeptPart::of(&found).unwrap().key().is_some());
        }
        assert!(listing(b"no message").is_empty());
    }

    #[test]
    fn what_a_stranger_says_is_bounded_and_made_safe() {
        let content = message(
            None,
            part(|part| {
                part.filename = "../../.bashrc".to_owned();
                part.description = "é".repeat(2000);
                part.size = 0;
                part.expires = 0;
            }),
        );
        let [told] = &listing(&content)[..] else {
            panic!("one file")
        };
        assert_eq!(
            (told.name.as_str(), told.bytes, told.expires_ms),
            ("bashrc", None, None)
        );
        assert_eq!(told.description.len(), MAX_DESCRIPTION);
    }

    #[test]
    fn what_cannot_be_checked_is_not_saved() {
        let refused = |change: fn(&mut ExternalPart)| KeptPart::of(&part(change)).is_err();
        assert!(refused(|part| part.enc_alg = AeadAlgorithm::NONE));
        assert!(refused(|part| part.enc_alg = AeadAlgorithm::AES_256_GCM));
        assert!(refused(|part| part.hash_alg = HashAlgorithm::NONE));
        assert!(refused(|part| part.content_hash.truncate(31)));
        assert!(refused(|part| part.key = ContentKey::new(vec![1; 32])));
        assert!(refused(|part| part.nonce = Vec::new()));
        assert!(!refused(|part| part.aad = b"bound".to_vec()));
    }

    #[test]
    fn a_session_is_no_file() {
        let origin = Origin {
            salt: Salt([7; 16]),
            sender_uri: "mimi://a.example/u/alice",
            room_uri: "mimi://a.example/r/x",
        };
        let session = NestedPart::external(Disposition::SESSION, part(|_| {}));
        let content = MimiContent::new(origin, session).to_bytes().unwrap();
        assert!(listing(&content).is_empty());
    }
}
