use super::Frank;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};
use crate::field;
use crate::mls::AppDataDictionary;
use crate::uri::{UserUri, put_or_empty, read_or_empty};

/// Bytes of an [`AbuseReport`]: a handful of messages, each no longer than a message may be.
pub const MAX_REPORT_ABUSE: usize = 4 << 20;

const MAX_NOTE: usize = 16 << 10;

/// The kind of abuse (draft-ietf-mimi-protocol-06 §5.9). The draft defines no value but `reserved(0)`; unknown
/// values survive a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbuseType(pub u8);

impl AbuseType {
    /// Nothing more is said about the kind.
    pub const RESERVED: Self = Self(0);
}

impl Encode for AbuseType {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }
}

impl Decode for AbuseType {
    const NAME: &'static str = "AbuseType";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.u8("value").map(Self)
    }
}

/// A message as its receiver decrypted it, with the hub's stamp (draft-ietf-mimi-protocol-06 §5.9).
///
/// ```text
/// struct {
///   /* the message content (ex: MIMI Content message) containing */
///   /* allegedly abusive content                                 */
///   opaque message_content<V>;
///   Frank frank;
///   uint64 accepted_timestamp;
/// } AbusiveMessage;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbusiveMessage {
    /// With salt, sender and room in it; no longer than a message may be.
    pub message_content: Vec<u8>,
    /// As it came with the message.
    pub frank: Frank,
    /// In milliseconds since 1970-01-01T00:00:00Z.
    pub accepted_timestamp: u64,
}

impl Encode for AbusiveMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.message_content);
        self.frank.encode(out);
        self.accepted_timestamp.encode(out);
    }
}

impl Decode for AbusiveMessage {
    const NAME: &'static str = "AbusiveMessage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            message_content: field::bytes(r, "message_content", super::MAX_SUBMIT_REQUEST)?,
            frank: r.read_as("frank")?,
            accepted_timestamp: r.u64("accepted_timestamp")?,
        })
    }
}

/// A report to the hub (draft-ietf-mimi-protocol-06 §5.9).
///
/// ```text
/// struct {
///   IdentifierUri reportingUser;
///   IdentifierUri allegedAbuserUri;
///   AbuseType reasonCode;
///   opaque note<V>;
///   AbusiveMessage messages<V>;
///   AppDataDictionary abuse_extensions;
/// } AbuseReport;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbuseReport {
    /// Who reports; the draft says "optionally" without saying how: an empty field is read as nobody.
    pub reporting_user: Option<UserUri>,
    /// Who is reported.
    pub alleged_abuser_uri: UserUri,
    /// Why.
    pub reason_code: AbuseType,
    /// For people, may be empty; at most 16 KiB.
    pub note: String,
    /// The evidence, may be empty.
    pub messages: Vec<AbusiveMessage>,
    /// Extension point.
    pub abuse_extensions: AppDataDictionary,
}

impl Encode for AbuseReport {
    fn encode(&self, out: &mut Vec<u8>) {
        put_or_empty(out, self.reporting_user.as_ref());
        self.alleged_abuser_uri.encode(out);
        self.reason_code.encode(out);
        field::put_text(out, &self.note);
        put_vec(out, &self.messages);
        self.abuse_extensions.encode(out);
    }
}

impl Decode for AbuseReport {
    const NAME: &'static str = "AbuseReport";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            reporting_user: read_or_empty(r, "reportingUser")?,
            alleged_abuser_uri: r.read_as("allegedAbuserUri")?,
            reason_code: r.read_as("reasonCode")?,
            note: field::text(r, "note", MAX_NOTE)?,
            messages: r.list("messages", MAX_REPORT_ABUSE)?,
            abuse_extensions: r.read_as("abuse_extensions")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_REPORT_ABUSE)
    }
}
