//! Names of files, as far as a stranger may choose one.
//!
//! What arrives is a suggestion (draft-ietf-mimi-content §4.5), and hostile until it went through [`sanitised`]: a name
//! has no path, nothing that a terminal or a file manager would obey or hide, and nothing that some system takes for a
//! device.

/// Bytes of a name: every file system takes as many, with some left for a number or an ending of ours.
const MAX_NAME: usize = 200;
/// Bytes of an ending that is kept when a name is cut.
const MAX_ENDING: usize = 16;
/// A file without a name.
const NAMELESS: &str = "file";

/// Names that Windows takes for devices, whatever ending they have.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// What a suggested name is good for.
#[must_use]
pub fn sanitised(suggested: &str) -> String {
    // The part behind the last separator of any system.
    let last = suggested.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter_map(keep).collect();
    // A leading dot hides a file, a trailing one and spaces are dropped by some systems.
    let kept = kept
        .trim_start_matches(['.', ' ', '~', '-'])
        .trim_end_matches(['.', ' ']);
    let cut = cut(kept);
    let cut = cut.trim_end_matches(['.', ' ']);
    let stem = cut
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_lowercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|rest| {
            matches!(
                rest.chars().collect::<Vec<_>>()[..],
                ['0'..='9' | '¹' | '²' | '³']
            )
        })
    };
    if cut.is_empty() {
        NAMELESS.to_owned()
    } else if DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        format!("_{cut}")
    } else {
        cut.to_owned()
    }
}

fn keep(c: char) -> Option<char> {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => Some('_'),
        _ if c.is_control() => None,
        // Direction, invisible characters and line ends of Unicode: they make `cod.exe` read as something else.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffc}'
        | '\u{e0000}'..='\u{e0fff}' => None,
        c => Some(c),
    }
}

/// At most [`MAX_NAME`] bytes, with the ending where it is short.
fn cut(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let ending = match name.rfind('.') {
        Some(at) if name.len().saturating_sub(at) <= MAX_ENDING => name.get(at..).unwrap_or_default(),
        _ => "",
    };
    let room = MAX_NAME.saturating_sub(ending.len());
    let end = (0..=room)
        .rev()
        .find(|end| name.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}{ending}", name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAME, sanitised};

    #[test]
    fn no_suggestion_leads_anywhere() {
        for (suggested, name) in [
            ("photo.jpg", "photo.jpg"),
            ("Überraschung 世界.pdf", "Überraschung 世界.pdf"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\notepad.exe", "notepad.exe"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("/", "file"),
            ("a/", "file"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("~user", "user"),
            ("a\0b", "ab"),
            ("a\nb\x1b[31m.txt", "ab[31m.txt"),
            ("exe.\u{202e}gpj.scr", "exe.gpj.scr"),
            ("con", "_con"),
            ("CON.txt", "_CON.txt"),
            ("nul .txt", "_nul .txt"),
            ("com1", "_com1"),
            ("COM¹.log", "_COM¹.log"),
            ("com10", "com10"),
            ("aux.", "_aux"),
            ("a:b*c?.txt", "a_b_c_.txt"),
            ("stream.txt:hidden", "stream.txt_hidden"),
            ("dots...", "dots"),
        ] {
            assert_eq!(sanitised(suggested), name, "{suggested:?}");
        }
    }

    #[test]
    fn long_names_keep_their_ending() {
        let long = sanitised(&format!("{}.jpeg", "é".repeat(300)));
        assert!(long.len() <= MAX_NAME && long.ends_with("é.jpeg"), "{long}");
        let odd = sanitised(&format!("a.{}", "x".repeat(300)));
        assert_eq!(odd.len(), MAX_NAME);
    }
}
