//! Files on their way: a device puts ciphertext at its own provider piece by piece, and fetches it by URL.
//!
//! ```text
//! POST   assets                BeginAssetRequest -> BeginAssetResponse     room for so many bytes of this hash
//! POST   assets/{id}?offset=N  bytes             -> AppendAssetResponse    what follows the first N bytes
//! GET    assets/{id}                             -> AssetStatus            how far it got
//! POST   assets/{id}/finish                      -> FinishAssetResponse    durable, hash compared; here is its URL
//! DELETE assets/{id}                                                       give the room back
//! GET    download/{url}        Range             -> bytes                  own assets and those of other providers
//! ```

use std::fmt;

use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader};
use crate::field;
use crate::uri::{Domain, decode_segment, encode_segment};

/// Bytes that a client appends with one request: a slow line moves them within the time of a request. A provider
/// takes any number of them, up to the end of the file.
pub const MAX_ASSET_PIECE: usize = 1 << 20;

/// Bytes of an asset's URL.
pub const MAX_ASSET_URL: usize = 1 << 10;

/// Fewest characters of an identifier: 128 bits in base64url.
const MIN_ID: usize = 22;
const MAX_ID: usize = 64;

/// Names an asset at its provider. Drawn at random by the provider, so that nobody finds an asset who was not told.
///
/// Bounds: 22 to 64 characters of the base64url alphabet. It is safe as a path segment and as a file name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId(String);

impl AssetId {
    /// Reads an identifier; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        ((MIN_ID..=MAX_ID).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let text = r.text("asset_id", MAX_ID)?;
        Self::parse(text).ok_or_else(|| r.error_at(at, "asset_id", DecodeErrorKind::BadText))
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whoever knows it can fetch the asset, so logs do not show it.
impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AssetId(..)")
    }
}

/// Where an asset is: `https://PROVIDER/path/ID`, without port, query or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct AssetUrl {
    /// The provider that stores it.
    pub provider: Domain,
    /// Starts with a slash.
    path: String,
    id: AssetId,
}

impl AssetUrl {
    /// Reads a URL; `None` unless it has this form and at most [`MAX_ASSET_URL`] bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_ASSET_URL {
            return None;
        }
        let rest = text.strip_prefix("https://")?;
        let at = rest.find('/')?;
        let (host, path) = rest.split_at_checked(at)?;
        let provider = Domain::parse(host).ok()?;
        let id = AssetId::parse(path.rsplit('/').next()?)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        // No dot segments: a path means what it says.
        let dots = path.split('/').any(|segment| segment == "." || segment == "..");
        (path.bytes().all(plain) && !dots).then(|| Self {
            provider,
            path: path.to_owned(),
            id,
        })
    }

    /// Reads a URL that is one segment of another one's path, percent-encoded; `None` unless it is one.
    #[must_use]
    pub fn from_path_segment(segment: &str) -> Option<Self> {
        // Three characters stand for one at most.
        if segment.len() > MAX_ASSET_URL.saturating_mul(3) {
            return None;
        }
        Self::parse(&decode_segment(segment).ok()?)
    }

    /// As one segment of a path.
    #[must_use]
    pub fn to_path_segment(&self) -> String {
        encode_segment(&self.to_string())
    }

    /// The path, which starts with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last segment of the path.
    #[must_use]
    pub fn id(&self) -> &AssetId {
        &self.id
    }
}

impl fmt::Display for AssetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.provider, self.path)
    }
}

impl fmt::Debug for AssetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssetUrl({}, ..)", self.provider)
    }
}

/// A device asks for room for a file. The same request again finds the same asset, however far it got.
///
/// ```text
/// struct {
///     uint64 size;
///     opaque content_hash[32];
/// } BeginAssetRequest;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginAssetRequest {
    /// Bytes of ciphertext, at least 1.
    pub size: u64,
    /// SHA-256 of the ciphertext.
    pub content_hash: [u8; 32],
}

impl Encode for BeginAssetRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.size.encode(out);
        out.extend_from_slice(&self.content_hash);
    }
}

impl Decode for BeginAssetRequest {
    const NAME: &'static str = "BeginAssetRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let size = r.u64("size")?;
        if size == 0 {
            return Err(r.error_at(at, "size", DecodeErrorKind::UnknownValue(0)));
        }
        Ok(Self {
            size,
            content_hash: r.array("content_hash")?,
        })
    }
}

/// The answer to a [`BeginAssetRequest`].
///
/// ```text
/// enum {
///     ready(0),
///     tooLarge(1),
///     quotaExceeded(2),
///     (255)
/// } BeginAssetCode;
///
/// struct {
///     BeginAssetCode code;
///     select (code) {
///         case ready:
///             opaque asset_id<V>;
///             uint64 received;
///             uint64 expires_at;
///         case tooLarge:
///             uint64 limit;
///         case quotaExceeded:
///             uint64 available;
///     };
/// } BeginAssetResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginAssetResponse {
    /// 0: there is room.
    Ready {
        /// The asset.
        asset_id: AssetId,
        /// Bytes that the provider has already; append behind them.
        received: u64,
        /// Until when it must be finished, in milliseconds since 1970.
        expires_at: u64,
    },
    /// 1: the provider takes no file of this size.
    TooLarge {
        /// Bytes of the largest that it takes.
        limit: u64,
    },
    /// 2: the person's files fill what the provider gives a person.
    QuotaExceeded {
        /// Bytes that are left.
        available: u64,
    },
}

impl Encode for BeginAssetResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ready {
                asset_id,
                received,
                expires_at,
            } => {
                out.push(0);
                field::put_text(out, asset_id.as_str());
                received.encode(out);
                expires_at.encode(out);
            }
            Self::TooLarge { limit } => {
                out.push(1);
                limit.encode(out);
            }
            Self::QuotaExceeded { available } => {
                out.push(2);
                available.encode(out);
            }
        }
    }
}

impl Decode for BeginAssetResponse {
    const NAME: &'static str = "BeginAssetResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("code")? {
            0 => Ok(Self::Ready {
                asset_id: AssetId::read(r)?,
                received: r.u64("received")?,
                expires_at: r.u64("expires_at")?,
            }),
            1 => Ok(Self::TooLarge {
                limit: r.u64("limit")?,
            }),
            2 => Ok(Self::QuotaExceeded {
                available: r.u64("available")?,
            }),
            code => Err(r.error_at(at, "code", DecodeErrorKind::UnknownValue(code.into()))),
        }
    }
}

/// The answer to bytes that were appended.
///
/// ```text
/// enum { appended(0), wrongOffset(1), (255) } AppendAssetCode;
///
/// struct {
///     AppendAssetCode code;
///     uint64 received;
/// } AppendAssetResponse;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendAssetResponse {
    /// `false`: the bytes did not continue what is there, and were not taken.
    pub appended: bool,
    /// Bytes that the provider has now; append behind them.
    pub received: u64,
}

impl Encode for AppendAssetResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(!self.appended));
        self.received.encode(out);
    }
}

impl Decode for AppendAssetResponse {
    const NAME: &'static str = "AppendAssetResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let appended = match r.u8("code")? {
            0 => true,
            1 => false,
            code => return Err(r.error_at(at, "code", DecodeErrorKind::UnknownValue(code.into()))),
        };
        Ok(Self {
            appended,
            received: r.u64("received")?,
        })
    }
}

/// How far an asset got.
///
/// ```text
/// enum { receiving(0), finished(1), (255) } AssetState;
///
/// struct {
///     AssetState state;
///     uint64 size;
///     uint64 received;
///     uint64 expires_at;
/// } AssetStatus;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetStatus {
    /// Whether it is whole and can be fetched.
    pub finished: bool,
    /// Bytes that were announced.
    pub size: u64,
    /// Bytes that are there.
    pub received: u64,
    /// When it is deleted, in milliseconds since 1970.
    pub expires_at: u64,
}

impl Encode for AssetStatus {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_flag(out, self.finished);
        self.size.encode(out);
        self.received.encode(out);
        self.expires_at.encode(out);
    }
}

impl Decode for AssetStatus {
    const NAME: &'static str = "AssetStatus";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            finished: r.flag("state")?,
            size: r.u64("size")?,
            received: r.u64("received")?,
            expires_at: r.u64("expires_at")?,
        })
    }
}

/// The answer to the end of an upload.
///
/// ```text
/// enum {
///     finished(0),
///     incomplete(1),
///     hashMismatch(2),
///     (255)
/// } FinishAssetCode;
///
/// struct {
///     FinishAssetCode code;
///     select (code) {
///         case finished:
///             opaque url<V>;
///             uint64 expires_at;
///         case incomplete:
///             uint64 received;
///         case hashMismatch:
///             struct {};
///     };
/// } FinishAssetResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishAssetResponse {
    /// 0: the file is on the provider's disk, and is what was announced; also for a repetition.
    Finished {
        /// Where it can be fetched.
        url: AssetUrl,
        /// When the provider deletes it, in milliseconds since 1970.
        expires_at: u64,
    },
    /// 1: bytes are missing.
    Incomplete {
        /// Bytes that the provider has.
        received: u64,
    },
    /// 2: the bytes have another hash than was announced; the provider dropped them. Append from the beginning.
    HashMismatch,
}

impl Encode for FinishAssetResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Finished { url, expires_at } => {
                out.push(0);
                field::put_text(out, &url.to_string());
                expires_at.encode(out);
            }
            Self::Incomplete { received } => {
                out.push(1);
                received.encode(out);
            }
            Self::HashMismatch => out.push(2),
        }
    }
}

impl Decode for FinishAssetResponse {
    const NAME: &'static str = "FinishAssetResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        match r.u8("code")? {
            0 => {
                let at = r.offset();
                let text = r.text("url", MAX_ASSET_URL)?;
                let url = AssetUrl::parse(text);
                Ok(Self::Finished {
                    url: url.ok_or_else(|| r.error_at(at, "url", DecodeErrorKind::BadUri))?,
                    expires_at: r.u64("expires_at")?,
                })
            }
            1 => Ok(Self::Incomplete {
                received: r.u64("received")?,
            }),
            2 => Ok(Self::HashMismatch),
            code => Err(r.error_at(at, "code", DecodeErrorKind::UnknownValue(code.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{AssetId, AssetUrl, MAX_ASSET_URL};

    const ID: &str = "abcdefghijklmnopqrst-_";

    #[test]
    fn identifiers_are_long_and_plain() {
        assert_eq!(AssetId::parse(ID).unwrap().as_str(), ID);
        for refused in [
            "",
            "short",
            &ID[1..],
            &"a".repeat(65),
            "abcdefghijklmnopqrst/.",
            "abcdefghijklmnopqrst%2f",
        ] {
            assert!(AssetId::parse(refused).is_none(), "{refused}");
        }
        assert_eq!(format!("{:?}", AssetId::parse(ID).unwrap()), "AssetId(..)");
    }

    #[test]
    fn urls_name_a_provider_and_nothing_else() {
        let url = AssetUrl::parse(&format!("https://a.example/mimi/v1/asset/{ID}")).unwrap();
        assert_eq!((url.provider.as_str(), url.id().as_str()), ("a.example", ID));
        assert_eq!(url.path(), format!("/mimi/v1/asset/{ID}"));
        assert_eq!(url.to_string(), format!("https://a.example/mimi/v1/asset/{ID}"));
        let segment = url.to_path_segment();
        assert!(segment.starts_with("https%3A%2F%2Fa.example%2F"), "{segment}");
        assert_eq!(AssetUrl::from_path_segment(&segment), Some(url));
        assert_eq!(AssetUrl::from_path_segment("%"), None);
        for refused in [
            format!("http://a.example/x/{ID}"),
            format!("https://a.example:8443/x/{ID}"),
            format!("https://u@a.example/x/{ID}"),
            format!("https://127.0.0.1/x/{ID}"),
            format!("https://[::1]/x/{ID}"),
            format!("https://A.example/x/{ID}"),
            format!("https://a.example/x/{ID}?y"),
            format!("https://a.example/x/{ID}#y"),
            format!("https://a.example/../{ID}"),
            format!("https://a.example/x\\{ID}"),
            format!("https://a.example/x%2f{ID}"),
            format!("https://a.example/{}/{ID}", "x".repeat(MAX_ASSET_URL)),
            format!("https://a.example/x/{ID}/"),
            "https://a.example".to_owned(),
            "https:///x".to_owned(),
        ] {
            assert!(AssetUrl::parse(&refused).is_none(), "{refused}");
        }
    }
}
