use super::MAX_PUBLISH_REQUEST;
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_vec};
use crate::field;
use crate::mls::{CipherSuite, KeyPackage};

/// KeyPackages in one request: a device keeps some dozen in store.
pub const MAX_PUBLISHED_KEY_PACKAGES: usize = 100;

/// Suites whose KeyPackages are counted: a dozen and a half are registered.
pub const MAX_COUNTED_SUITES: usize = 64;

/// Bytes of a [`KeyPackageCount`].
const COUNT_LEN: usize = 6;

/// A device gives its provider KeyPackages to hand out.
///
/// ```text
/// struct {
///     KeyPackage key_packages<V>;
/// } PublishKeyPackagesRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishKeyPackagesRequest {
    /// One to [`MAX_PUBLISHED_KEY_PACKAGES`], all of the device that sends them.
    pub key_packages: Vec<KeyPackage>,
}

impl Encode for PublishKeyPackagesRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.key_packages);
    }
}

impl Decode for PublishKeyPackagesRequest {
    const NAME: &'static str = "PublishKeyPackagesRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let key_packages: Vec<KeyPackage> = r.list("key_packages", MAX_PUBLISH_REQUEST)?;
        let wrong = match key_packages.len() {
            0 => DecodeErrorKind::TooShort { min: 1 },
            n if n > MAX_PUBLISHED_KEY_PACKAGES => DecodeErrorKind::TooLong {
                max: MAX_PUBLISHED_KEY_PACKAGES,
            },
            _ => return Ok(Self { key_packages }),
        };
        Err(r.error_at(at, "key_packages", wrong))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_PUBLISH_REQUEST)
    }
}

/// The answer to a [`PublishKeyPackagesRequest`].
///
/// ```text
/// struct {
///     uint32 accepted;
///     uint32 available;
/// } PublishKeyPackagesResponse;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishKeyPackagesResponse {
    /// How many of the request are new to the provider.
    pub accepted: u32,
    /// How many of the device it can hand out now.
    pub available: u32,
}

impl Encode for PublishKeyPackagesResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        self.accepted.encode(out);
        self.available.encode(out);
    }
}

impl Decode for PublishKeyPackagesResponse {
    const NAME: &'static str = "PublishKeyPackagesResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            accepted: r.u32("accepted")?,
            available: r.u32("available")?,
        })
    }
}

/// How many KeyPackages of one cipher suite there are.
///
/// ```text
/// struct {
///     CipherSuite suite;
///     uint32 available;
/// } KeyPackageCount;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPackageCount {
    /// The cipher suite.
    pub suite: CipherSuite,
    /// How many.
    pub available: u32,
}

impl Encode for KeyPackageCount {
    fn encode(&self, out: &mut Vec<u8>) {
        self.suite.encode(out);
        self.available.encode(out);
    }
}

impl Decode for KeyPackageCount {
    const NAME: &'static str = "KeyPackageCount";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            suite: r.read_as("suite")?,
            available: r.u32("available")?,
        })
    }
}

/// How many KeyPackages of a device its provider can hand out.
///
/// ```text
/// struct {
///     KeyPackageCount counts<V>;
/// } KeyPackageCountResponse;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageCountResponse {
    /// For each suite of which there are any, at most [`MAX_COUNTED_SUITES`].
    pub counts: Vec<KeyPackageCount>,
}

impl KeyPackageCountResponse {
    /// How many there are of a suite.
    #[must_use]
    pub fn of(&self, suite: CipherSuite) -> u32 {
        let of = self.counts.iter().filter(|count| count.suite == suite);
        of.fold(0, |sum, count| sum.saturating_add(count.available))
    }
}

impl Encode for KeyPackageCountResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.counts);
    }
}

impl Decode for KeyPackageCountResponse {
    const NAME: &'static str = "KeyPackageCountResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            counts: r.list("counts", MAX_COUNTED_SUITES * COUNT_LEN)?,
        })
    }
}
