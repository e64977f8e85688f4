use super::Event;
use super::event::FANOUT;
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_varint};
use crate::protocol::MAX_NOTIFY;

/// Bytes of one event: a message of at most [`MAX_NOTIFY`], its room and small fields.
pub const MAX_EVENT: usize = MAX_NOTIFY + 1024;

/// Appends an event as a frame of the stream: `opaque event<V>`.
pub fn put_frame(out: &mut Vec<u8>, event: &Event) {
    put_opaque(out, &event.to_bytes());
}

/// Appends a `fanout` event as a frame: the bytes of [`put_frame`] of the same event, without a copy of the message
/// in between. `room` is the text of a room's URI.
pub fn put_fanout_frame(out: &mut Vec<u8>, cursor: u64, room: &str, fanout_message: &[u8]) {
    let mut head = Vec::with_capacity(room.len().saturating_add(24));
    cursor.encode(&mut head);
    head.push(FANOUT);
    put_opaque(&mut head, room.as_bytes());
    put_varint(&mut head, fanout_message.len());
    put_varint(out, head.len().saturating_add(fanout_message.len()));
    out.extend_from_slice(&head);
    out.extend_from_slice(fanout_message);
}

/// Finds frames in a stream of bytes that arrives in pieces of any size.
///
/// A frame longer than [`MAX_EVENT`] is refused when its header is seen, before its content is waited for; after
/// an error of a frame the stream is lost ([`FrameReader::is_lost`]), since nobody knows where the next frame starts,
/// and every further call gives the same error. After an error of an event the next call goes on with the next frame:
/// one event that is not understood, such as one of a newer provider, costs nobody the others. The reader holds what
/// was pushed and not yet taken: take all frames after each push.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
    offset: usize,
    failed: Option<DecodeError>,
}

impl FrameReader {
    /// A reader at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        // What was taken is dropped here, once per push and not once per frame.
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The content of the next whole frame, `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`DecodeErrorKind::BadLengthHeader`] and [`DecodeErrorKind::TooLong`], with the offset in the stream.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let mut r = Reader::new(pending);
        match r.opaque("frame", MAX_EVENT) {
            Ok(content) => {
                let content = content.to_vec();
                let taken = r.offset();
                self.start = self.start.saturating_add(taken);
                self.offset = self.offset.saturating_add(taken);
                Ok(Some(content))
            }
            Err(error) if error.kind == DecodeErrorKind::Truncated => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The next whole event, `None` where more bytes are needed.
    ///
    /// # Errors
    /// As [`FrameReader::next_frame`], and those of [`Event`], which lose this event alone; offsets count from the start
    /// of the stream.
    pub fn next_event(&mut self) -> Result<Option<Event>, DecodeError> {
        let Some(frame) = self.next_frame()? else {
            return Ok(None);
        };
        match Event::from_bytes(&frame) {
            Ok(event) => Ok(Some(event)),
            Err(mut error) => {
                let start = self.offset.saturating_sub(frame.len());
                error.offset = start.saturating_add(error.offset);
                Err(error)
            }
        }
    }

    /// Whether an error of a frame has ended the stream.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether a frame has begun that is not whole; a stream that ends then was cut.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        self.start < self.buffer.len()
    }

    fn fail(&mut self, mut error: DecodeError) -> DecodeError {
        error.offset = self.offset.saturating_add(error.offset);
        self.failed = Some(error.clone());
        self.buffer = Vec::new();
        self.start = 0;
        error
    }
}
