//! The directory document: where a provider's endpoints are.
//!
//! A JSON object at `/.well-known/mimi-protocol-directory` (draft-ietf-mimi-protocol-06 §5.1). Members that are not
//! known are ignored, endpoints that are missing are not offered. Ours carries two extension members:
//! the provider identity CA's certificate (base64 of the DER), from which other providers' clients learn to verify
//! our users, and the revision of the draft that the endpoints speak.

mod template;

use std::collections::BTreeMap;

use data_encoding::BASE64;
use sabir_wire::protocol::member;
use sabir_wire::uri::Domain;
use serde_json::{Map, Value};

pub use template::{Url, UrlTemplate};

/// The well-known path of the document.
pub const DIRECTORY_PATH: &str = "/.well-known/mimi-protocol-directory";
/// Largest document that is read, in bytes. A handful of URLs and one certificate are below 4 kB.
pub const MAX_DIRECTORY: usize = 64 * 1024;
/// Where our endpoints for other providers live.
pub const MIMI_PREFIX: &str = "/mimi/v1";

const PROVIDER_CA: &str = member::PROVIDER_CA;
const ASSETS: &str = member::ASSETS;
const DRAFT: &str = member::PROTOCOL_DRAFT;
const OUR_DRAFT: &str = "draft-ietf-mimi-protocol-06";

/// An endpoint for other providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// draft-ietf-mimi-protocol-06 §5.2
    KeyMaterial,
    /// draft-ietf-mimi-protocol-06 §5.3
    Update,
    /// draft-ietf-mimi-protocol-06 §5.4
    SubmitMessage,
    /// draft-ietf-mimi-protocol-06 §5.5
    Notify,
    /// draft-ietf-mimi-protocol-06 §5.6
    GroupInfo,
    /// draft-ietf-mimi-protocol-06 §5.7
    RequestConsent,
    /// draft-ietf-mimi-protocol-06 §5.7
    UpdateConsent,
    /// draft-ietf-mimi-protocol-06 §5.8
    IdentifierQuery,
    /// draft-ietf-mimi-protocol-06 §5.9
    ReportAbuse,
    /// draft-ietf-mimi-protocol-06 §5.10
    ProxyDownload,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::KeyMaterial,
        Self::Update,
        Self::SubmitMessage,
        Self::Notify,
        Self::GroupInfo,
        Self::RequestConsent,
        Self::UpdateConsent,
        Self::IdentifierQuery,
        Self::ReportAbuse,
        Self::ProxyDownload,
    ];

    /// Its member in the document, which is also its path below [`MIMI_PREFIX`] here.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.parts().0
    }

    /// The variable of its template, as the draft's text names it.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        self.parts().1
    }

    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::KeyMaterial => ("keyMaterial", "targetUser"),
            Self::Update => ("update", "roomId"),
            Self::SubmitMessage => ("submitMessage", "roomId"),
            Self::Notify => ("notify", "roomId"),
            Self::GroupInfo => ("groupInfo", "roomId"),
            Self::RequestConsent => ("requestConsent", "targetDomain"),
            Self::UpdateConsent => ("updateConsent", "requesterDomain"),
            Self::IdentifierQuery => ("identifierQuery", "domain"),
            Self::ReportAbuse => ("reportAbuse", "roomId"),
            Self::ProxyDownload => ("proxyDownload", "downloadUrl"),
        }
    }

    /// The route under which this server answers it, in the router's notation.
    #[must_use]
    pub fn route(self) -> String {
        format!("{MIMI_PREFIX}/{}/{{{}}}", self.name(), self.variable())
    }
}

/// Why a directory document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Not a JSON object of at most [`MAX_DIRECTORY`] bytes.
    #[error("the directory is not a JSON object")]
    NotAnObject,
    /// An endpoint is no https URL template with one variable.
    #[error("the directory's `{0}` is not an https URL with one variable")]
    BadTemplate(&'static str),
    /// An extension member of ours is malformed.
    #[error("the directory's `{0}` is malformed")]
    BadMember(&'static str),
}

/// A directory document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The endpoints that it offers.
    pub endpoints: BTreeMap<Endpoint, UrlTemplate>,
    /// The provider identity CA's certificate in DER, where it is published.
    pub provider_ca: Option<Vec<u8>>,
    /// Where other providers fetch the files that it stores, where it says so.
    pub assets: Option<UrlTemplate>,
    /// The draft that the endpoints speak, where it is named.
    pub draft: Option<String>,
}

impl Directory {
    /// The directory of this server.
    #[must_use]
    pub fn ours(domain: &Domain, offered: &[Endpoint], provider_ca: Option<Vec<u8>>) -> Self {
        let endpoints = offered
            .iter()
            .map(|endpoint| (*endpoint, UrlTemplate::new(domain.clone(), &endpoint.route())))
            .collect();
        Self {
            endpoints,
            provider_ca,
            assets: Some(UrlTemplate::new(
                domain.clone(),
                &format!("{MIMI_PREFIX}/asset/{{assetId}}"),
            )),
            draft: Some(OUR_DRAFT.to_owned()),
        }
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = Map::new();
        for (endpoint, template) in &self.endpoints {
            members.insert(endpoint.name().to_owned(), Value::String(template.to_string()));
        }
        if let Some(ca) = &self.provider_ca {
            members.insert(PROVIDER_CA.to_owned(), Value::String(BASE64.encode(ca)));
        }
        if let Some(assets) = &self.assets {
            members.insert(ASSETS.to_owned(), Value::String(assets.to_string()));
        }
        if let Some(draft) = &self.draft {
            members.insert(DRAFT.to_owned(), Value::String(draft.clone()));
        }
        Value::Object(members).to_string()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn from_json(json: &[u8]) -> Result<Self, DirectoryError> {
        if json.len() > MAX_DIRECTORY {
            return Err(DirectoryError::NotAnObject);
        }
        let members: Map<String, Value> =
            serde_json::from_slice(json).map_err(|_| DirectoryError::NotAnObject)?;
        let mut endpoints = BTreeMap::new();
        for endpoint in Endpoint::ALL {
            let Some(value) = members.get(endpoint.name()) else {
                continue;
            };
            let template = value.as_str().and_then(UrlTemplate::parse);
            endpoints.insert(
                endpoint,
                template.ok_or(DirectoryError::BadTemplate(endpoint.name()))?,
            );
        }
        let provider_ca = match members.get(PROVIDER_CA) {
            None => None,
            Some(value) => {
                let der = value
                    .as_str()
                    .and_then(|text| BASE64.decode(text.as_bytes()).ok());
                Some(der.ok_or(DirectoryError::BadMember(PROVIDER_CA))?)
            }
        };
        let assets = match members.get(ASSETS) {
            None => None,
            Some(value) => {
                let template = value.as_str().and_then(UrlTemplate::parse);
                Some(template.ok_or(DirectoryError::BadTemplate(ASSETS))?)
            }
        };
        let draft = match members.get(DRAFT) {
            None => None,
            Some(value) => Some(value.as_str().ok_or(DirectoryError::BadMember(DRAFT))?.to_owned()),
        };
        Ok(Self {
            endpoints,
            provider_ca,
            assets,
            draft,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn ours_survives_a_round_trip() {
        let domain = Domain::parse("a.example").unwrap();
        let ours = Directory::ours(&domain, &Endpoint::ALL, Some(vec![0x30, 0x82, 0xff]));
        let json = ours.to_json();
        assert!(
            json.contains(r#""notify":"https://a.example/mimi/v1/notify/{roomId}""#),
            "{json}"
        );
        assert!(
            json.contains(r#""org.sabir.draft":"draft-ietf-mimi-protocol-06""#),
            "{json}"
        );
        assert_eq!(Directory::from_json(json.as_bytes()).unwrap(), ours);
    }

    #[test]
    fn the_drafts_own_example_is_read() {
        // draft-ietf-mimi-protocol-06 §5.1, with the comma that it lacks; its `update` lacks a slash, too.
        let directory = Directory::from_json(
            br#"{"keyMaterial": "https://mimi.example.com/v1/keyMaterial/{targetUser}",
                 "update": "https://mimi.example.com/v1/update{roomId}",
                 "requestConsent": "https://mimi.example.com/v1/requestConsent/{targetUser}",
                 "newFangled": 7}"#,
        )
        .unwrap();
        assert_eq!(directory.endpoints.len(), 3);
        let url = directory.endpoints[&Endpoint::Update].expand("x%2Fy").unwrap();
        assert_eq!(url.path, "/v1/updatex%2Fy");
        assert_eq!((url.host.as_str(), url.port), ("mimi.example.com", 443));
        assert_eq!(directory.provider_ca, None);
    }

    #[test]
    fn bad_documents_are_refused() {
        let refused = |json: &str| Directory::from_json(json.as_bytes()).unwrap_err();
        assert_eq!(refused(""), DirectoryError::NotAnObject);
        assert_eq!(refused("[]"), DirectoryError::NotAnObject);
        assert_eq!(
            refused(&format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_DIRECTORY))),
            DirectoryError::NotAnObject
        );
        for template in [
            "7",
            "\"http://a.example/{roomId}\"",
            "\"https://a.example/notify\"",
            "\"https://a.example/{a}/{b}\"",
            "\"https://a.example/{a\"",
            "\"https://a.example/a}\"",
            "\"https://a.example/{}\"",
            "\"https://u@a.example/{a}\"",
            "\"https://127.0.0.1/{a}\"",
            "\"https://a.example:x/{a}\"",
            "\"https://a.example:0/{a}\"",
            "\"https://{a}.example/\"",
            "\"https://a.example/{a}#f\"",
            "\"https://a.example/ {a}\"",
            "\"https://a.example/{a}\\r\\nX: y\"",
        ] {
            let json = format!("{{\"notify\": {template}}}");
            assert_eq!(
                refused(&json),
                DirectoryError::BadTemplate("notify"),
                "{template}"
            );
        }
        assert_eq!(
            refused("{\"org.sabir.providerCa\": \"?\"}"),
            DirectoryError::BadMember(PROVIDER_CA)
        );
        assert_eq!(
            refused("{\"org.sabir.draft\": 6}"),
            DirectoryError::BadMember(DRAFT)
        );
    }
}
