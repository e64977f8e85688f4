//! What others wrote, made fit for a terminal.
//!
//! A terminal obeys what it is sent: an escape sequence moves the cursor, changes the title or answers as if
//! typed, and a bidi override makes a text read as another. So everything that came from outside passes through
//! here before it is printed for people. JSON carries it unaltered.

/// `text` without control characters and without invisible direction marks, on one line: line breaks and tabs
/// become spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .filter_map(|c| {
            if is_break(c) || c == '\t' {
                Some(' ')
            } else {
                keep(c)
            }
        })
        .collect()
}

/// `text` as [`one_line`], but with its line breaks, and every line after the first indented by `indent` spaces:
/// so no text can pretend to be the next person's message.
pub(crate) fn lines(text: &str, indent: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let text = text.replace("\r\n", "\n");
    for c in text.trim_end_matches(is_break).chars() {
        if is_break(c) {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        } else if c == '\t' {
            out.push_str("    ");
        } else if let Some(c) = keep(c) {
            out.push(c);
        }
    }
    out
}

/// Everything that some terminal or pager takes for the end of a line.
fn is_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{0b}' | '\u{0c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn keep(c: char) -> Option<char> {
    let dropped = c.is_control()
        || matches!(c,
            // Direction: marks, embeddings and overrides, isolates (Unicode Standard Annex 9).
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Deprecated format characters that swap shapes, and the byte order mark.
            | '\u{206a}'..='\u{206f}' | '\u{feff}'
            // Interlinear annotations and tags: text that nobody sees.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    (!dropped).then_some(c)
}

/// Columns that `c` takes, as terminals commonly count: two for wide East Asian characters and emoji, none for
/// marks that combine. It is used to erase what was typed, never to judge what came in.
pub(crate) fn width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0x1f3fb..=0x1f3ff => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// `2026-11-21 18:53` in UTC, from milliseconds since the UNIX epoch. The time zone is not the sender's to tell,
/// and finding our own takes a database that may be missing.
pub(crate) fn utc(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (days, minute) = (minutes / 1440, minutes % 1440);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}",
        minute / 60,
        minute % 60
    )
}

/// Year, month and day of the `days`-th day after 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last day of a year; 146,097 days are 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let day = days + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_or_that_turns_text_around_gets_through() {
        for (name, text, shown) in [
            ("plain", "hello", "hello"),
            (
                "letters of all kinds",
                "žluťoučký שלום 你好 👍🏽",
                "žluťoučký שלום 你好 👍🏽",
            ),
            ("joined emoji", "👩\u{200d}👧", "👩\u{200d}👧"),
            ("colour", "\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("title", "\u{1b}]0;owned\u{7}x", "]0;ownedx"),
            ("the one-byte escape of C1", "\u{9b}2Jx", "2Jx"),
            ("device control", "\u{90}+q544e\u{9c}", "+q544e"),
            ("backspace over a name", "bob\u{8}\u{8}\u{8}eve", "bobeve"),
            ("delete", "a\u{7f}b", "ab"),
            ("nul", "a\0b", "ab"),
            ("bell", "\u{7}", ""),
            ("right-to-left override", "gpj.\u{202e}exe", "gpj.exe"),
            ("left-to-right override", "\u{202d}x\u{202c}", "x"),
            ("isolates", "\u{2066}a\u{2067}b\u{2068}c\u{2069}", "abc"),
            ("marks", "\u{200e}a\u{200f}b\u{061c}c", "abc"),
            ("byte order mark", "\u{feff}a", "a"),
            ("tags", "a\u{e0041}\u{e0042}b", "ab"),
            ("annotations", "\u{fff9}a\u{fffa}b\u{fffb}", "ab"),
            ("line feed", "a\nb", "a b"),
            (
                "carriage return over what stood there",
                "innocent\rguilty",
                "innocent guilty",
            ),
            (
                "line separators",
                "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f",
                "a b c d e f",
            ),
            ("tab", "a\tb", "a b"),
        ] {
            assert_eq!(one_line(text), shown, "{name}");
        }
    }

    #[test]
    fn every_control_character_is_gone() {
        for c in (0..=0x10_ffff)
            .filter_map(char::from_u32)
            .filter(|c| c.is_control())
        {
            let text = format!("a{c}b");
            assert!(
                !one_line(&text).chars().any(char::is_control),
                "{:x}",
                u32::from(c)
            );
            assert!(
                !lines(&text, 0).chars().any(|c| c.is_control() && c != '\n'),
                "{:x}",
                u32::from(c)
            );
        }
    }

    #[test]
    fn further_lines_are_indented() {
        for (text, shown) in [
            ("a", "a"),
            ("a\nb", "a\n  b"),
            ("a\r\nb\r\n", "a\n  b"),
            (
                "hi\n2026-11-21 18:53  ana@a.example: yes",
                "hi\n  2026-11-21 18:53  ana@a.example: yes",
            ),
            ("hi\rana@a.example: yes", "hi\n  ana@a.example: yes"),
            ("hi\u{2028}ana@a.example: yes", "hi\n  ana@a.example: yes"),
            ("a\tb", "a    b"),
            ("\u{1b}[2J\u{202e}x", "[2Jx"),
            ("\n\n", ""),
        ] {
            assert_eq!(lines(text, 2), shown, "{text:?}");
        }
    }

    #[test]
    fn times_are_read_as_utc() {
        for (ms, shown) in [
            (0, "1970-01-01 00:00"),
            (951_782_400_000, "2000-02-29 00:00"),
            (951_868_800_000, "2000-03-01 00:00"),
            (1_709_251_199_999, "2024-02-29 23:59"),
            (1_795_287_180_000, "2026-11-21 18:53"),
            (4_107_542_400_000, "2100-03-01 00:00"),
        ] {
            assert_eq!(utc(ms), shown, "{ms}");
        }
        assert!(!utc(u64::MAX).is_empty());
    }

    #[test]
    fn widths() {
        for (c, columns) in [
            ('a', 1),
            ('ž', 1),
            ('你', 2),
            ('👍', 2),
            ('\u{301}', 0),
            ('\u{200d}', 0),
        ] {
            assert_eq!(width(c), columns, "{c}");
        }
    }
}
