//! Looking for secrets in bytes, in every form in which they might be written.

use std::collections::{BTreeSet, HashMap};

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// Bytes of a form that are looked up at once; no form is shorter.
const PREFIX: usize = 8;

/// Many needles, searched for in one pass.
#[derive(Default)]
pub(crate) struct Search {
    forms: HashMap<[u8; PREFIX], Vec<(String, Vec<u8>)>>,
}

impl Search {
    /// Adds a secret as it is, as base64 and base64url (wherever in a longer encoded text), as base32, as hex.
    pub(crate) fn bytes(&mut self, name: &str, secret: &[u8]) {
        self.form(name, "raw", secret.to_vec());
        self.form(name, "hex", HEXLOWER.encode(secret).into_bytes());
        self.form(name, "HEX", HEXUPPER.encode(secret).into_bytes());
        let base32 = BASE32_NOPAD.encode(secret);
        // The last letter may go on with what follows.
        self.form(name, "base32", base32.as_bytes()[..base32.len() - 1].to_vec());
        for (alphabet, encoding) in [("base64", &BASE64), ("base64url", &BASE64URL)] {
            for before in 0..3 {
                let padded = [&vec![0; before], secret].concat();
                let text = encoding.encode(&padded[..padded.len() / 3 * 3]);
                // The first letters of a group belong to what stands before.
                let start = [0, 2, 3][before];
                let form = format!("{alphabet} after {before}");
                self.form(name, &form, text.as_bytes()[start..].to_vec());
            }
        }
    }

    /// Adds a text: its bytes in every form, and as UTF-16.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text, text.as_bytes());
        let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.form(text, "UTF-16", wide);
    }

    fn form(&mut self, name: &str, form: &str, bytes: Vec<u8>) {
        let prefix = *bytes.first_chunk().expect("long enough to mean something");
        let name = format!("{name} as {form}");
        self.forms.entry(prefix).or_default().push((name, bytes));
    }

    /// The names of those that are in there.
    pub(crate) fn hits(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut hits = BTreeSet::new();
        for (at, window) in bytes.windows(PREFIX).enumerate() {
            let prefix: &[u8; PREFIX] = window.try_into().unwrap();
            for (name, form) in self.forms.get(prefix).into_iter().flatten() {
                if bytes[at..].starts_with(form) {
                    hits.insert(name.as_str());
                }
            }
        }
        hits
    }
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    let secret: Vec<u8> = (0..32).map(|n| n * 7 + 3).collect();
    let mut search = Search::default();
    search.bytes("key", &secret);
    search.text("the-heron-flies-at-noon");
    for before in 0..9 {
        let planted = [&vec![0xa5; before], secret.as_slice(), &[0x5a; 5]].concat();
        assert_eq!(search.hits(&planted).len(), 1);
        for text in [
            HEXLOWER.encode(&planted),
            HEXUPPER.encode(&planted),
            BASE64.encode(&planted),
            BASE64URL.encode(&planted),
        ] {
            assert!(!search.hits(text.as_bytes()).is_empty(), "{before} {text}");
        }
        let mut other = planted.clone();
        other[before + 31] ^= 1;
        assert!(search.hits(&other).is_empty());
    }
    assert!(!search.hits(BASE32_NOPAD.encode(&secret).as_bytes()).is_empty());
    assert!(!search.hits(b"x the-heron-flies-at-noon").is_empty());
    assert!(
        !search
            .hits(b"t\0h\0e\0-\0h\0e\0r\0o\0n\0-\0f\0l\0i\0e\0s\0-\0a\0t\0-\0n\0o\0o\0n\0")
            .is_empty()
    );
    assert!(search.hits(b"the-heron-flies-at-nine").is_empty());
}
