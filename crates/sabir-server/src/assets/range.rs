use axum::http::{HeaderMap, header};

use crate::error::Error;

/// A part of a file: from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: Option<u64>,
}

impl Range {
    /// The header `Range: bytes=N-` or `bytes=N-M`. Every other form may be ignored (RFC 9110 §14.2), and is.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::RANGE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (first, last) = value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        let number = |digits: &str| -> Option<u64> {
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse().ok())
                .flatten()
        };
        let first = number(first)?;
        let last = if last.is_empty() {
            None
        } else {
            Some(number(last)?)
        };
        last.is_none_or(|last| last >= first)
            .then_some(Self { first, last })
    }

    /// The part of a file of `length` bytes.
    ///
    /// # Errors
    /// [`Error::Range`] where it begins behind the file's end.
    pub(super) fn of(self, length: u64) -> Result<Part, Error> {
        let end = length.checked_sub(1).filter(|end| self.first <= *end);
        let end = end.ok_or(Error::Range)?;
        Ok(Part {
            first: self.first,
            last: self.last.map_or(end, |last| last.min(end)),
        })
    }
}

impl Part {
    /// Bytes of it.
    pub(super) fn length(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(value: &str) -> Option<Range> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, value.parse().unwrap());
        Range::read(&headers)
    }

    #[test]
    fn ranges_that_are_understood() {
        assert_eq!(read("bytes=0-"), Some(Range { first: 0, last: None }));
        assert_eq!(
            read("bytes=7-9"),
            Some(Range {
                first: 7,
                last: Some(9)
            })
        );
        for ignored in [
            "",
            "bytes=",
            "bytes=-5",
            "bytes=9-7",
            "bytes=1-2,4-5",
            "bytes=+1-",
            "items=1-",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(read(ignored), None, "{ignored}");
        }
        assert_eq!(Range::read(&HeaderMap::new()), None);
    }

    #[test]
    fn parts_stay_within_the_file() {
        let part = |first, last, length| Range { first, last }.of(length);
        assert_eq!(part(0, None, 10), Ok(Part { first: 0, last: 9 }));
        assert_eq!(part(3, Some(4), 10).unwrap().length(), 2);
        assert_eq!(part(3, Some(u64::MAX), 10).unwrap().length(), 7);
        assert_eq!(part(10, None, 10), Err(Error::Range));
        assert_eq!(part(0, None, 0), Err(Error::Range));
    }
}
