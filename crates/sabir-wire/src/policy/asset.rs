use super::{MAX_POLICY, MAX_POLICY_TEXT};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_vec};
use crate::enumeration::enumeration;
use crate::field;
use crate::uri::Domain;

enumeration! {
    /// Where files are uploaded (draft-ietf-mimi-room-policy-03 §6.4).
    ///
    /// ```text
    /// enum {
    ///   unspecified(0),
    ///   localProvider(1),
    ///   hub(2),
    ///   (255)
    /// } AssetUploadLocation;
    /// ```
    AssetUploadLocation, "AssetUploadLocation" {
        /// Anywhere.
        Unspecified = 0;
        /// To the uploader's provider.
        LocalProvider = 1;
        /// To the hub.
        Hub = 2;
    }
}

enumeration! {
    /// How files are downloaded (draft-ietf-mimi-room-policy-03 §6.4).
    ///
    /// ```text
    /// enum {
    ///   direct(0),
    ///   hubProxy(1),
    ///   ohttp(2),
    ///   (255)
    /// } DownloadPrivacyType;
    /// ```
    DownloadPrivacyType, "DownloadPrivacyType" {
        /// From where they are.
        Direct = 0;
        /// Through the hub.
        HubProxy = 1;
        /// By Oblivious HTTP through the hub.
        Ohttp = 2;
    }
}

/// A host name (draft-ietf-mimi-room-policy-03 §6.4).
///
/// ```text
/// struct {
///   opaque domain<V>;
/// } DomainName;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(pub Domain);

impl Encode for DomainName {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_text(out, self.0.as_str());
    }
}

impl Decode for DomainName {
    const NAME: &'static str = "DomainName";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let domain = Domain::parse(r.text("domain", 253)?);
        domain
            .map(Self)
            .map_err(|_| r.error_at(at, "domain", DecodeErrorKind::BadText))
    }
}

/// Where the users of a provider upload to (draft-ietf-mimi-room-policy-03 §6.4).
///
/// ```text
/// struct {
///   DomainName provider;
///   DomainName asset_upload_destinations<V>;
/// } ProviderAssetUploadDomains;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAssetUploadDomains {
    /// The provider.
    pub provider: DomainName,
    /// Hosts of its storage.
    pub asset_upload_destinations: Vec<DomainName>,
}

impl Encode for ProviderAssetUploadDomains {
    fn encode(&self, out: &mut Vec<u8>) {
        self.provider.encode(out);
        put_vec(out, &self.asset_upload_destinations);
    }
}

impl Decode for ProviderAssetUploadDomains {
    const NAME: &'static str = "ProviderAssetUploadDomains";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            provider: r.read_as("provider")?,
            asset_upload_destinations: r.list("asset_upload_destinations", MAX_POLICY)?,
        })
    }
}

/// Which ways of downloading may be used (draft-ietf-mimi-room-policy-03 §6.4).
///
/// ```text
/// struct {
///   DownloadPrivacyType allowed_download_types<V>;
///   DownloadPrivacyType forbidden_download_types<V>;
///   DownloadPrivacyType default_download_type;
/// } DownloadPrivacy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadPrivacy {
    /// Those that may.
    pub allowed_download_types: Vec<DownloadPrivacyType>,
    /// Those that may not.
    pub forbidden_download_types: Vec<DownloadPrivacyType>,
    /// The one to use where nothing speaks against it.
    pub default_download_type: DownloadPrivacyType,
}

impl Encode for DownloadPrivacy {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.allowed_download_types);
        put_vec(out, &self.forbidden_download_types);
        self.default_download_type.encode(out);
    }
}

impl Decode for DownloadPrivacy {
    const NAME: &'static str = "DownloadPrivacy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            allowed_download_types: r.list("allowed_download_types", MAX_POLICY_TEXT)?,
            forbidden_download_types: r.list("forbidden_download_types", MAX_POLICY_TEXT)?,
            default_download_type: r.read_as("default_download_type")?,
        })
    }
}

/// A parameter of a media type (draft-ietf-mls-extensions §6.2.2).
///
/// ```text
/// struct {
///     opaque parameter_name<V>;
///     /* Note: parameter_value never includes the quotation marks of */
///     /* an RFC 2045 quoted-string or the first "\" of a quoted-pair */
///     opaque parameter_value<V>;
/// } Parameter;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// At most [`MAX_POLICY_TEXT`] bytes.
    pub parameter_name: String,
    /// Without quotation marks; at most [`MAX_POLICY_TEXT`] bytes.
    pub parameter_value: String,
}

impl Encode for Parameter {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_text(out, &self.parameter_name);
        field::put_text(out, &self.parameter_value);
    }
}

impl Decode for Parameter {
    const NAME: &'static str = "Parameter";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            parameter_name: field::text(r, "parameter_name", MAX_POLICY_TEXT)?,
            parameter_value: field::text(r, "parameter_value", MAX_POLICY_TEXT)?,
        })
    }
}

/// A media type (draft-ietf-mls-extensions §6.2.2).
///
/// ```text
/// struct {
///     /* type is an IANA top-level media type, a "/" character,
///      * and the IANA media subtype */
///     opaque type<V>;
///
///     /* a list of zero or more parameters defined for the subtype */
///     Parameter parameters<V>;
/// } MediaType;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// Such as `image/png`; at most [`MAX_POLICY_TEXT`] bytes.
    pub media_type: String,
    /// Without parameters an entry stands for the type with any.
    pub parameters: Vec<Parameter>,
}

impl Encode for MediaType {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_text(out, &self.media_type);
        put_vec(out, &self.parameters);
    }
}

impl Decode for MediaType {
    const NAME: &'static str = "MediaType";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            media_type: field::text(r, "type", MAX_POLICY_TEXT)?,
            parameters: r.list("parameters", MAX_POLICY)?,
        })
    }
}

/// How files are shared (draft-ietf-mimi-room-policy-03 §6.4), the data of component
/// [`ASSET_POLICY`](crate::mls::ComponentId::ASSET_POLICY), and in whole also its update.
///
/// ```text
/// struct {
///   AssetUploadLocation asset_upload_location;
///   ProviderAssetUploadDomains upload_domains<V>;
///   DownloadPrivacy download_privacy;
///   uint64 max_image;
///   uint64 max_audio;
///   uint64 max_video;
///   uint64 max_attachment;
///   MediaType forbidden_media_types<V>;
///   optional<MediaType> permitted_media_types<V>;
/// } AssetPolicy;
/// ```
///
/// The last field is described as a list that may be absent: it is read as `optional` of `MediaType
/// permitted_media_types<V>`, a presence octet before the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPolicy {
    /// Where files are uploaded.
    pub asset_upload_location: AssetUploadLocation,
    /// Per provider; the draft's text calls it `asset_upload_domains`.
    pub upload_domains: Vec<ProviderAssetUploadDomains>,
    /// How files are downloaded.
    pub download_privacy: DownloadPrivacy,
    /// Largest image, in bytes.
    pub max_image: u64,
    /// Largest sound, in bytes.
    pub max_audio: u64,
    /// Largest video, in bytes.
    pub max_video: u64,
    /// Largest other file, in bytes.
    pub max_attachment: u64,
    /// Never these.
    pub forbidden_media_types: Vec<MediaType>,
    /// Only these, where present.
    pub permitted_media_types: Option<Vec<MediaType>>,
}

impl Encode for AssetPolicy {
    fn encode(&self, out: &mut Vec<u8>) {
        self.asset_upload_location.encode(out);
        put_vec(out, &self.upload_domains);
        self.download_privacy.encode(out);
        self.max_image.encode(out);
        self.max_audio.encode(out);
        self.max_video.encode(out);
        self.max_attachment.encode(out);
        put_vec(out, &self.forbidden_media_types);
        field::put_flag(out, self.permitted_media_types.is_some());
        if let Some(permitted) = &self.permitted_media_types {
            put_vec(out, permitted);
        }
    }
}

impl Decode for AssetPolicy {
    const NAME: &'static str = "AssetPolicy";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset_upload_location: r.read_as("asset_upload_location")?,
            upload_domains: r.list("upload_domains", MAX_POLICY)?,
            download_privacy: r.read_as("download_privacy")?,
            max_image: r.u64("max_image")?,
            max_audio: r.u64("max_audio")?,
            max_video: r.u64("max_video")?,
            max_attachment: r.u64("max_attachment")?,
            forbidden_media_types: r.list("forbidden_media_types", MAX_POLICY)?,
            permitted_media_types: if r.flag("permitted_media_types")? {
                Some(r.list("permitted_media_types", MAX_POLICY)?)
            } else {
                None
            },
        })
    }
}
