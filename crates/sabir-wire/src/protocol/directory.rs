use crate::uri::{Domain, RoomUri, UserUri, encode_segment};

/// Where a provider's directory is (draft-ietf-mimi-protocol-06 §5.1).
pub const WELL_KNOWN_PATH: &str = "/.well-known/mimi-protocol-directory";

/// Names of the directory's JSON members (draft-ietf-mimi-protocol-06 §5.1).
pub mod member {
    /// URL template; variable `targetUser`.
    pub const KEY_MATERIAL: &str = "keyMaterial";
    /// URL template; variable `roomId`.
    pub const UPDATE: &str = "update";
    /// URL template; variable `roomId`.
    pub const NOTIFY: &str = "notify";
    /// URL template; variable `roomId`.
    pub const SUBMIT_MESSAGE: &str = "submitMessage";
    /// URL template; variable `roomId`.
    pub const GROUP_INFO: &str = "groupInfo";
    /// URL template; variable `targetDomain` or `targetUser`.
    pub const REQUEST_CONSENT: &str = "requestConsent";
    /// URL template; variable `requesterDomain` or `requesterUser`.
    pub const UPDATE_CONSENT: &str = "updateConsent";
    /// URL template; variable `domain`.
    pub const IDENTIFIER_QUERY: &str = "identifierQuery";
    /// URL template; variable `roomId`.
    pub const REPORT_ABUSE: &str = "reportAbuse";
    /// URL template; variable `downloadUrl`.
    pub const PROXY_DOWNLOAD: &str = "proxyDownload";

    /// Our extension, a string: the provider's identity CA certificate in DER, in base64 with padding. Clients and
    /// hubs of other providers pin it.
    pub const PROVIDER_CA: &str = "org.sabir.providerCa";
    /// Our extension, a string: the protocol draft the provider implements, such as `draft-ietf-mimi-protocol-06`.
    pub const PROTOCOL_DRAFT: &str = "org.sabir.draft";
    /// Our extension, a URL template with the variable `assetId`: where other providers fetch the files that this one
    /// stores. An asset's URL is this template, filled in, at the provider's own domain.
    pub const ASSETS: &str = "org.sabir.assets";
    /// Our extension, an array of strings: names of our own capabilities the provider takes part in. Nothing of
    /// an extension is sent to a provider that does not name it.
    pub const CAPABILITIES: &str = "org.sabir.capabilities";
}

/// Why a URL cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The provider announces no such endpoint.
    #[error("the provider does not offer the endpoint")]
    NotOffered,
    /// The template has another variable, none, more than one, or unpaired braces.
    #[error("the endpoint's template does not have exactly the expected variable")]
    Template,
    /// The template is not an `https` URL.
    #[error("the endpoint's template is not an https URL")]
    NotHttps,
}

/// What a provider's directory says (draft-ietf-mimi-protocol-06 §5.1). JSON is read and written elsewhere; a
/// member that is missing there is `None` or empty here, and unknown members are ignored.
///
/// All endpoints are templates of `https` URLs with one variable in braces, which [`expand`] fills. The draft
/// prints `update{roomId}` without a slash: templates are followed as they come, ours have one. Its directory
/// names the consent variables `targetUser` and `requesterUser`, its §5.7 `targetDomain` and `requesterDomain`:
/// both are understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// [`member::KEY_MATERIAL`]
    pub key_material: Option<String>,
    /// [`member::UPDATE`]
    pub update: Option<String>,
    /// [`member::NOTIFY`]
    pub notify: Option<String>,
    /// [`member::SUBMIT_MESSAGE`]
    pub submit_message: Option<String>,
    /// [`member::GROUP_INFO`]
    pub group_info: Option<String>,
    /// [`member::REQUEST_CONSENT`]
    pub request_consent: Option<String>,
    /// [`member::UPDATE_CONSENT`]
    pub update_consent: Option<String>,
    /// [`member::IDENTIFIER_QUERY`]
    pub identifier_query: Option<String>,
    /// [`member::REPORT_ABUSE`]
    pub report_abuse: Option<String>,
    /// [`member::PROXY_DOWNLOAD`]
    pub proxy_download: Option<String>,
    /// [`member::PROVIDER_CA`], in DER.
    pub provider_ca: Option<Vec<u8>>,
    /// [`member::PROTOCOL_DRAFT`]
    pub protocol_draft: Option<String>,
    /// [`member::CAPABILITIES`]
    pub capabilities: Vec<String>,
}

impl Directory {
    /// The names of the endpoints in the draft's order, with their templates.
    #[must_use]
    pub fn endpoints(&self) -> [(&'static str, Option<&str>); 10] {
        [
            (member::KEY_MATERIAL, self.key_material.as_deref()),
            (member::UPDATE, self.update.as_deref()),
            (member::NOTIFY, self.notify.as_deref()),
            (member::SUBMIT_MESSAGE, self.submit_message.as_deref()),
            (member::GROUP_INFO, self.group_info.as_deref()),
            (member::REQUEST_CONSENT, self.request_consent.as_deref()),
            (member::UPDATE_CONSENT, self.update_consent.as_deref()),
            (member::IDENTIFIER_QUERY, self.identifier_query.as_deref()),
            (member::REPORT_ABUSE, self.report_abuse.as_deref()),
            (member::PROXY_DOWNLOAD, self.proxy_download.as_deref()),
        ]
    }

    /// Where to ask for a user's KeyPackages.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn key_material_url(&self, target: &UserUri) -> Result<String, DirectoryError> {
        fill(self.key_material.as_ref(), &[("targetUser", target.as_str())])
    }

    /// Where to change a room.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn update_url(&self, room: &RoomUri) -> Result<String, DirectoryError> {
        fill(self.update.as_ref(), &[("roomId", room.as_str())])
    }

    /// Where a follower takes a room's events.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn notify_url(&self, room: &RoomUri) -> Result<String, DirectoryError> {
        fill(self.notify.as_ref(), &[("roomId", room.as_str())])
    }

    /// Where to send a message to a room.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn submit_message_url(&self, room: &RoomUri) -> Result<String, DirectoryError> {
        fill(self.submit_message.as_ref(), &[("roomId", room.as_str())])
    }

    /// Where to ask for a room's GroupInfo.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn group_info_url(&self, room: &RoomUri) -> Result<String, DirectoryError> {
        fill(self.group_info.as_ref(), &[("roomId", room.as_str())])
    }

    /// Where to ask a user for consent.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn request_consent_url(&self, target: &UserUri) -> Result<String, DirectoryError> {
        let domain = target.authority().as_str();
        fill(
            self.request_consent.as_ref(),
            &[("targetDomain", domain), ("targetUser", target.as_str())],
        )
    }

    /// Where to tell a user's provider about consent.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn update_consent_url(&self, requester: &UserUri) -> Result<String, DirectoryError> {
        let domain = requester.authority().as_str();
        let user = requester.as_str();
        fill(
            self.update_consent.as_ref(),
            &[("requesterDomain", domain), ("requesterUser", user)],
        )
    }

    /// Where to search for people of a domain.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn identifier_query_url(&self, domain: &Domain) -> Result<String, DirectoryError> {
        fill(self.identifier_query.as_ref(), &[("domain", domain.as_str())])
    }

    /// Where to report abuse in a room.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn report_abuse_url(&self, room: &RoomUri) -> Result<String, DirectoryError> {
        fill(self.report_abuse.as_ref(), &[("roomId", room.as_str())])
    }

    /// Where to fetch a file of a third provider.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn proxy_download_url(&self, download_url: &str) -> Result<String, DirectoryError> {
        fill(self.proxy_download.as_ref(), &[("downloadUrl", download_url)])
    }
}

fn fill(template: Option<&String>, values: &[(&str, &str)]) -> Result<String, DirectoryError> {
    let template = template.ok_or(DirectoryError::NotOffered)?;
    let mut result = Err(DirectoryError::Template);
    for (variable, value) in values {
        result = expand(template, variable, value);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Puts `value` where `template` has `{variable}`, percent-encoded as one path segment (RFC 6570 §3.2.2).
///
/// # Errors
/// [`DirectoryError::Template`] unless `{variable}` occurs exactly once and no other brace does;
/// [`DirectoryError::NotHttps`] for another scheme, so that no directory can lead anywhere else.
pub fn expand(template: &str, variable: &str, value: &str) -> Result<String, DirectoryError> {
    let (before, rest) = template.split_once('{').ok_or(DirectoryError::Template)?;
    let (name, after) = rest.split_once('}').ok_or(DirectoryError::Template)?;
    if name != variable || before.contains('}') || after.contains(['{', '}']) {
        return Err(DirectoryError::Template);
    }
    let host = before.strip_prefix("https://").ok_or(DirectoryError::NotHttps)?;
    // A variable in front of the first slash would let the value choose the host.
    if !host.contains('/') {
        return Err(DirectoryError::Template);
    }
    Ok(format!("{before}{}{after}", encode_segment(value)))
}
