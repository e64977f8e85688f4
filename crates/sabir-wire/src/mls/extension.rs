use super::bounds::bounded_list;
use super::{Credential, ExtensionType, MAX_ENTRIES, MAX_EXTENSIONS_BYTES, SignaturePublicKey};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};

/// One extension; its data stays opaque (RFC 9420 §13.4). [`find_extension`] and [`decode_extension`] read one
/// out of a list.
///
/// ```text
/// struct {
///     ExtensionType extension_type;
///     opaque extension_data<V>;
/// } Extension;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// What it is.
    pub extension_type: ExtensionType,
    /// At most [`MAX_EXTENSIONS_BYTES`].
    pub extension_data: Vec<u8>,
}

impl Encode for Extension {
    fn encode(&self, out: &mut Vec<u8>) {
        self.extension_type.encode(out);
        put_opaque(out, &self.extension_data);
    }
}

impl Decode for Extension {
    const NAME: &'static str = "Extension";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            extension_type: r.read_as("extension_type")?,
            extension_data: r.opaque("extension_data", MAX_EXTENSIONS_BYTES)?.to_vec(),
        })
    }
}

/// The data of the first extension of this type.
#[must_use]
pub fn find_extension(extensions: &[Extension], extension_type: ExtensionType) -> Option<&[u8]> {
    extensions
        .iter()
        .find(|e| e.extension_type == extension_type)
        .map(|e| e.extension_data.as_slice())
}

/// The content of the first extension of this type; offsets in errors count from the start of its data.
///
/// # Errors
/// Where the extension is there and its data is not exactly one `T`.
pub fn decode_extension<T: Decode>(
    extensions: &[Extension],
    extension_type: ExtensionType,
) -> Result<Option<T>, DecodeError> {
    find_extension(extensions, extension_type)
        .map(T::from_bytes)
        .transpose()
}

/// Reads `Extension extensions<V>` of at most [`MAX_ENTRIES`] extensions, in which no type occurs twice.
pub(super) fn extensions(r: &mut Reader<'_>) -> Result<Vec<Extension>, DecodeError> {
    let at = r.offset();
    let list: Vec<Extension> = bounded_list(r, "extensions", MAX_EXTENSIONS_BYTES, MAX_ENTRIES)?;
    let mut types: Vec<ExtensionType> = list.iter().map(|e| e.extension_type).collect();
    types.sort_unstable();
    types.dedup();
    if types.len() < list.len() {
        // RFC 9420 §13.4: at most one extension of a type in any list.
        let kind = DecodeErrorKind::Invalid("an extension type occurs twice");
        return Err(r.error_at(at, "extensions", kind));
    }
    Ok(list)
}

/// Somebody outside the group whose proposals it takes; in MIMI the hub (RFC 9420 §12.1.8.1).
///
/// ```text
/// struct {
///     SignaturePublicKey signature_key;
///     Credential credential;
/// } ExternalSender;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalSender {
    /// Verifies its proposals.
    pub signature_key: SignaturePublicKey,
    /// Who it is.
    pub credential: Credential,
}

impl Encode for ExternalSender {
    fn encode(&self, out: &mut Vec<u8>) {
        self.signature_key.encode(out);
        self.credential.encode(out);
    }
}

impl Decode for ExternalSender {
    const NAME: &'static str = "ExternalSender";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            signature_key: r.read_as("signature_key")?,
            credential: r.read_as("credential")?,
        })
    }
}

/// `ExternalSender external_senders<V>`, the data of [`ExtensionType::EXTERNAL_SENDERS`], at most
/// [`MAX_ENTRIES`]; [`Sender::External`](super::Sender::External) is an index into it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExternalSenders(pub Vec<ExternalSender>);

impl Encode for ExternalSenders {
    fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, &self.0);
    }
}

impl Decode for ExternalSenders {
    const NAME: &'static str = "ExternalSenders";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        bounded_list(r, "external_senders", MAX_EXTENSIONS_BYTES, MAX_ENTRIES).map(Self)
    }
}
