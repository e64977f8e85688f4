use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};
use crate::components::MAX_FOREIGN_URI;
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::{Extension, ExtensionType, MAX_ENTRIES, MAX_EXTENSIONS_BYTES, MAX_SIGNATURE, RatchetTree};

/// How a ratchet tree is conveyed (draft-mahy-mls-ratchet-tree-options-03 §3).
///
/// ```text
/// enum {
///   reserved(0),
///   full(1),
///   httpsUri(2),
///   outOfBand(3),
///   distributionService(4),
///   (255)
/// } RatchetTreeRepresentation;
///
/// struct {
///   RatchetTreeRepresentation representation;
///   select (representation) {
///     case full:
///       optional<Node> ratchet_tree<V>;
///     case httpsUri:
///       opaque ratchet_tree_url<V>;
///       opaque tree_signature<V>;
///     case outOfBand:
///       opaque tree_signature<V>;
///     case distributionService:
///       struct {};
///   };
/// } RatchetTreeOption;
/// ```
///
/// The draft prints `Node ratchet_tree<V>` and describes "the complete `ratchet_tree` extension", which is a
/// vector of `optional<Node>` (RFC 9420 §12.4.3.3): read so. It prints `httpsUrl` once: read as `httpsUri`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RatchetTreeOption {
    /// 1: the tree itself.
    Full(RatchetTree),
    /// 2: an address from which it can be had.
    HttpsUri {
        /// An `https` URL; at most [`MAX_FOREIGN_URI`] bytes.
        ratchet_tree_url: String,
        /// Over the tree; the draft does not say how.
        tree_signature: Vec<u8>,
    },
    /// 3: the receiver gets it in some way both know.
    OutOfBand {
        /// Over the tree; the draft does not say how.
        tree_signature: Vec<u8>,
    },
    /// 4: the hub has rebuilt it from the handshakes.
    DistributionService,
}

impl RatchetTreeOption {
    /// Appends the encoding of [`RatchetTreeOption::Full`] with a tree that is encoded already: for large rooms, whose
    /// trees take longer to read than to send. `ratchet_tree` is the encoding of a [`RatchetTree`].
    pub(super) fn put_full(out: &mut Vec<u8>, ratchet_tree: &[u8]) {
        out.push(FULL);
        out.extend_from_slice(ratchet_tree);
    }
}

impl Encode for RatchetTreeOption {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Full(tree) => {
                out.push(FULL);
                tree.encode(out);
            }
            Self::HttpsUri {
                ratchet_tree_url,
                tree_signature,
            } => {
                out.push(2);
                field::put_text(out, ratchet_tree_url);
                put_opaque(out, tree_signature);
            }
            Self::OutOfBand { tree_signature } => {
                out.push(3);
                put_opaque(out, tree_signature);
            }
            Self::DistributionService => out.push(4),
        }
    }
}

impl Decode for RatchetTreeOption {
    const NAME: &'static str = "RatchetTreeOption";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("representation")? {
            FULL => Self::Full(r.read_as("ratchet_tree")?),
            2 => Self::HttpsUri {
                ratchet_tree_url: https_url(r)?,
                tree_signature: field::bytes(r, "tree_signature", MAX_SIGNATURE)?,
            },
            3 => Self::OutOfBand {
                tree_signature: field::bytes(r, "tree_signature", MAX_SIGNATURE)?,
            },
            4 => Self::DistributionService,
            other => {
                return Err(r.error_at(at, "representation", DecodeErrorKind::UnknownValue(other.into())));
            }
        })
    }
}

/// Of the enumeration's values the one that trees travel with.
const FULL: u8 = 1;

fn https_url(r: &mut Reader<'_>) -> Result<String, DecodeError> {
    let at = r.offset();
    let url = r.text("ratchet_tree_url", MAX_FOREIGN_URI)?;
    if !url.starts_with("https://") {
        return Err(r.error_at(at, "ratchet_tree_url", DecodeErrorKind::BadUri));
    }
    Ok(url.to_owned())
}

enumeration! {
    /// Whether the tree stood in the GroupInfo of this epoch and of the one before
    /// (draft-mahy-mls-ratchet-tree-options-03 §4).
    ///
    /// ```text
    /// enum {
    ///   no_ratchet_tree(0),
    ///   present(1),
    ///   removed(2),
    ///   added(3),
    ///   (255)
    /// } RatchetTreePresence;
    /// ```
    RatchetTreePresence, "RatchetTreePresence" {
        /// In neither.
        NoRatchetTree = 0;
        /// In both.
        Present = 1;
        /// In the earlier only.
        Removed = 2;
        /// In this one only.
        Added = 3;
    }
}

/// What a hub cannot know of a GroupInfo when it has followed every handshake
/// (draft-mahy-mls-ratchet-tree-options-03 §4).
///
/// ```text
/// struct {
///   RatchetTreePresence ratchet_tree_presence;
///   /* GroupInfo extensions excluding ratchet_tree */
///   Extension group_info_extensions<V>;
///   opaque signature<V>;
/// } PartialGroupInfo;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialGroupInfo {
    /// Whether the tree is part of the signed GroupInfo.
    pub ratchet_tree_presence: RatchetTreePresence,
    /// Never the tree itself, and no type twice; at most [`MAX_EXTENSIONS_BYTES`] and [`MAX_ENTRIES`].
    pub group_info_extensions: Vec<Extension>,
    /// The committer's signature over the whole GroupInfo.
    pub signature: Vec<u8>,
}

impl Encode for PartialGroupInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        self.ratchet_tree_presence.encode(out);
        put_vec(out, &self.group_info_extensions);
        put_opaque(out, &self.signature);
    }
}

impl Decode for PartialGroupInfo {
    const NAME: &'static str = "PartialGroupInfo";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            ratchet_tree_presence: r.read_as("ratchet_tree_presence")?,
            group_info_extensions: extensions(r)?,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }
}

fn extensions(r: &mut Reader<'_>) -> Result<Vec<Extension>, DecodeError> {
    const FIELD: &str = "group_info_extensions";
    let mut inner = r.nested(FIELD, MAX_EXTENSIONS_BYTES)?;
    let mut list: Vec<Extension> = Vec::new();
    while !inner.is_empty() {
        let at = inner.offset();
        let extension: Extension = inner.read_as(FIELD)?;
        if extension.extension_type == ExtensionType::RATCHET_TREE {
            // draft-mahy-mls-ratchet-tree-options-03 §4: the list omits any ratchet_tree.
            return Err(inner.error_at(
                at,
                FIELD,
                DecodeErrorKind::Invalid("the list holds a ratchet_tree"),
            ));
        }
        if list.iter().any(|e| e.extension_type == extension.extension_type) {
            return Err(inner.error_at(
                at,
                FIELD,
                DecodeErrorKind::Invalid("an extension type occurs twice"),
            ));
        }
        if list.len() >= MAX_ENTRIES {
            return Err(inner.error_at(at, FIELD, DecodeErrorKind::TooLong { max: MAX_ENTRIES }));
        }
        list.push(extension);
    }
    Ok(list)
}
