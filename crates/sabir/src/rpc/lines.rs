//! Lines of bounded length, read from a stream.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, BufReader};

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// It is longer than the limit. What follows cannot be read any more.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// It is not UTF-8.
    #[error("a line is not UTF-8")]
    NotText,
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
}

/// A stream cut into lines of at most `limit` bytes, the line feed not counted.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    limit: usize,
    // What has come of the next line; kept here so that a call may be abandoned and made again.
    begun: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Cuts `stream`.
    pub(crate) fn new(stream: R, limit: usize) -> Self {
        Self {
            reader: BufReader::new(stream),
            limit,
            begun: Vec::new(),
        }
    }

    /// The next line without its line feed, or nothing at the end of the stream. A last line that lacks its line
    /// feed was cut short and is not returned. Cancel safe.
    ///
    /// # Errors
    /// [`LineError`].
    pub(crate) async fn next(&mut self) -> Result<Option<String>, LineError> {
        if read_line(&mut self.reader, &mut self.begun, self.limit).await? {
            let line = std::mem::take(&mut self.begun);
            return String::from_utf8(line).map(Some).map_err(|_| LineError::NotText);
        }
        Ok(None)
    }
}

/// Appends to `line` up to the next line feed, which is taken but not appended. False at the end of the stream.
async fn read_line<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    line: &mut Vec<u8>,
    limit: usize,
) -> Result<bool, LineError> {
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok(false);
        }
        let (part, found) = match available.split(|&b| b == b'\n').next() {
            Some(part) => (part, part.len() < available.len()),
            None => (available, false),
        };
        if line.len().saturating_add(part.len()) > limit {
            return Err(LineError::TooLong(limit));
        }
        line.extend_from_slice(part);
        let used = part.len() + usize::from(found);
        reader.consume(used);
        if found {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_in_order() {
        let mut lines = Lines::new(&b"a\n\nbc\r\nrest"[..], 3);
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("a"));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some(""));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("bc\r"));
        assert!(matches!(lines.next().await, Err(LineError::TooLong(3))));
    }

    #[tokio::test]
    async fn a_line_at_the_limit_is_read_and_one_byte_more_is_not() {
        let mut lines = Lines::new(&b"abc\nabcd\n"[..], 3);
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("abc"));
        assert!(matches!(lines.next().await, Err(LineError::TooLong(3))));
    }

    #[tokio::test]
    async fn an_endless_line_is_refused_before_it_is_kept() {
        let mut lines = Lines::new(tokio::io::repeat(b'x'), 100_000);
        assert!(matches!(lines.next().await, Err(LineError::TooLong(_))));
        assert!(lines.begun.capacity() < 300_000);
    }

    #[tokio::test]
    async fn what_is_cut_short_is_no_line() {
        let mut lines = Lines::new(&b"{\"a\""[..], 100);
        assert!(lines.next().await.unwrap().is_none());
        let mut lines = Lines::new(&b"\xff\xfe\n"[..], 100);
        assert!(matches!(lines.next().await, Err(LineError::NotText)));
    }

    #[tokio::test]
    async fn an_abandoned_call_loses_nothing() {
        use tokio::io::AsyncWriteExt as _;
        let (mut near, far) = tokio::io::duplex(64);
        let mut lines = Lines::new(far, 100);
        near.write_all(b"hel").await.unwrap();
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, lines.next()).await.is_err());
        near.write_all(b"lo\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("hello"));
    }
}
