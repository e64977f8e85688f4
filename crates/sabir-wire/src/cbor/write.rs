use std::convert::Infallible;

use minicbor::Encoder;

/// Writes CBOR heads in their shortest form into memory.
#[derive(Debug)]
pub(crate) struct Writer(Encoder<Vec<u8>>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.into_writer()
    }

    pub(crate) fn uint(&mut self, value: impl Into<u64>) {
        done(self.0.u64(value.into()));
    }

    pub(crate) fn int(&mut self, value: i64) {
        done(self.0.i64(value));
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        done(self.0.bool(value));
    }

    pub(crate) fn null(&mut self) {
        done(self.0.null());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        done(self.0.bytes(value));
    }

    pub(crate) fn text(&mut self, value: &str) {
        done(self.0.str(value));
    }

    pub(crate) fn array(&mut self, count: usize) {
        done(self.0.array(u64::try_from(count).unwrap_or(u64::MAX)));
    }

    pub(crate) fn map(&mut self, pairs: usize) {
        done(self.0.map(u64::try_from(pairs).unwrap_or(u64::MAX)));
    }

    pub(crate) fn tag(&mut self, tag: u64) {
        done(self.0.tag(minicbor::data::Tag::new(tag)));
    }

    /// Appends an element that is already encoded.
    pub(crate) fn encoded(&mut self, value: &[u8]) {
        self.0.writer_mut().extend_from_slice(value);
    }
}

/// Writing into a `Vec` cannot fail, which the error type says.
fn done<T>(result: Result<T, minicbor::encode::Error<Infallible>>) {
    debug_assert!(result.is_ok(), "writing into memory cannot fail");
}
