//! Lines as they are typed, or as they come through a pipe.
//!
//! On a terminal the kernel's own line mode would mix what arrives with what is half typed, and there is no way
//! to ask it for the half. So keys are read one by one and echoed here: [`Keys`] knows what stands on the line,
//! and what arrives is printed on a line of its own, after which the half-typed text is shown again. Nothing is
//! ever painted over: the screen is a list of lines, which is what screen readers read.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use crate::rpc::methods::MAX_TEXT;
use crate::terminal;

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line, without its end.
    Line(String),
    /// A line that cannot be sent: longer than a message can be, or no UTF-8.
    Unfit,
    /// There is no more.
    End,
}

/// Standard input, and the terminal it may be.
#[derive(Debug)]
pub(super) struct Input {
    chunks: mpsc::Receiver<Vec<u8>>,
    keys: Option<(Keys, RawMode)>,
    lines: Splitter,
    ended: bool,
    ready: std::collections::VecDeque<Typed>,
}

impl Input {
    /// Begins to read. Keys are read singly where both ends are a terminal.
    pub(super) fn open() -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(8);
        let keys = if io::stdin().is_terminal() && io::stdout().is_terminal() {
            RawMode::enter().ok().map(|mode| (Keys::default(), mode))
        } else {
            None
        };
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || {
                let mut buffer = [0; 4096];
                let mut stdin = io::stdin().lock();
                loop {
                    match stdin.read(&mut buffer) {
                        Ok(0) => return,
                        Ok(read) => {
                            let chunk = buffer.get(..read).unwrap_or_default().to_vec();
                            if sender.blocking_send(chunk).is_err() {
                                return;
                            }
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => return,
                    }
                }
            })?;
        Ok(Self {
            chunks,
            keys,
            lines: Splitter::default(),
            ended: false,
            ready: Default::default(),
        })
    }

    /// Whether a person types.
    pub(super) fn is_terminal(&self) -> bool {
        self.keys.is_some() || io::stdin().is_terminal()
    }

    /// The next line. After [`Typed::End`] it waits for ever. Cancel safe.
    pub(super) async fn next(&mut self) -> io::Result<Typed> {
        loop {
            if let Some(typed) = self.ready.pop_front() {
                self.ended |= typed == Typed::End;
                return Ok(typed);
            }
            if self.ended {
                return std::future::pending().await;
            }
            match (self.chunks.recv().await, &mut self.keys) {
                (Some(chunk), Some((keys, _))) => {
                    let echo = keys.feed(&chunk, columns(), &mut self.ready);
                    write(&echo)?;
                }
                (Some(chunk), None) => self.lines.feed(&chunk, &mut self.ready),
                (None, _) => self.lines.end(&mut self.ready),
            }
        }
    }

    /// Prints a line between what is being typed.
    pub(super) fn print(&self, line: &str) -> io::Result<()> {
        let half = self
            .keys
            .as_ref()
            .map(|(keys, _)| keys.half())
            .unwrap_or_default();
        if half.is_empty() {
            write(&format!("{line}\n"))
        } else {
            write(&format!("\n{line}\n{half}"))
        }
    }

    /// After the process was stopped and goes on, the terminal has the shell's mode.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        if let Some((keys, mode)) = &mut self.keys {
            mode.apply()?;
            write(keys.half())?;
        }
        Ok(())
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Columns of the terminal; some do not know, and say none.
fn columns() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => 80,
    }
}

/// The terminal's mode while keys are read singly; the old one comes back on drop. Signals stay keys' signals.
#[derive(Debug)]
struct RawMode {
    before: Termios,
}

impl RawMode {
    fn enter() -> io::Result<Self> {
        let mode = Self {
            before: tcgetattr(io::stdin())?,
        };
        mode.apply()?;
        Ok(mode)
    }

    fn apply(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        Ok(tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Lines out of a pipe.
#[derive(Debug, Default)]
struct Splitter {
    half: Vec<u8>,
    over: bool,
}

impl Splitter {
    fn feed(&mut self, chunk: &[u8], out: &mut std::collections::VecDeque<Typed>) {
        for &byte in chunk {
            if byte == b'\n' {
                self.finish(out);
            } else if self.half.len() < MAX_TEXT {
                self.half.push(byte);
            } else {
                self.over = true;
            }
        }
    }

    fn end(&mut self, out: &mut std::collections::VecDeque<Typed>) {
        if !self.half.is_empty() {
            self.finish(out);
        }
        out.push_back(Typed::End);
    }

    fn finish(&mut self, out: &mut std::collections::VecDeque<Typed>) {
        if self.half.last() == Some(&b'\r') {
            self.half.pop();
        }
        let over = std::mem::take(&mut self.over);
        let line = String::from_utf8(std::mem::take(&mut self.half));
        out.push_back(match line {
            Ok(line) if !over => Typed::Line(line),
            _ => Typed::Unfit,
        });
    }
}

/// A line being typed.
#[derive(Debug, Default)]
struct Keys {
    line: String,
    bytes: Vec<u8>,
    escape: Escape,
}

/// Where in an escape sequence the keys are: arrows and function keys are swallowed whole.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    No,
    Begun,
    Sequence,
}

impl Keys {
    fn half(&self) -> &str {
        &self.line
    }

    /// Takes keys, pushes what they complete, and returns what the terminal is to show.
    fn feed(&mut self, keys: &[u8], columns: usize, out: &mut std::collections::VecDeque<Typed>) -> String {
        let mut echo = String::new();
        self.bytes.extend_from_slice(keys);
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (text, bad) = match std::str::from_utf8(rest) {
                Ok(text) => (text, 0),
                Err(error) => {
                    let valid = rest.get(..error.valid_up_to()).unwrap_or_default();
                    (
                        std::str::from_utf8(valid).unwrap_or_default(),
                        error.error_len().unwrap_or(rest.len()),
                    )
                }
            };
            for key in text.chars() {
                self.key(key, columns, out, &mut echo);
            }
            rest = rest.get(text.len()..).unwrap_or_default();
            if bad >= rest.len() && bad < 4 && !rest.is_empty() {
                // The beginning of a character whose rest is still to come.
                self.bytes = rest.to_vec();
                break;
            }
            rest = rest.get(bad..).unwrap_or_default();
        }
        echo
    }

    fn key(
        &mut self,
        key: char,
        columns: usize,
        out: &mut std::collections::VecDeque<Typed>,
        echo: &mut String,
    ) {
        match self.escape {
            Escape::Begun => {
                self.escape = if matches!(key, '[' | 'O') {
                    Escape::Sequence
                } else {
                    Escape::No
                };
                return;
            }
            Escape::Sequence => {
                if matches!(key, '\u{40}'..='\u{7e}') {
                    self.escape = Escape::No;
                }
                return;
            }
            Escape::No => {}
        }
        match key {
            '\u{1b}' => self.escape = Escape::Begun,
            '\n' | '\r' => {
                echo.push('\n');
                out.push_back(Typed::Line(std::mem::take(&mut self.line)));
            }
            // Ctrl-D
            '\u{4}' if self.line.is_empty() => out.push_back(Typed::End),
            '\u{7f}' | '\u{8}' => {
                // A character goes with the marks that combine with it.
                let end = self
                    .line
                    .char_indices()
                    .rev()
                    .find(|(_, c)| terminal::width(*c) > 0);
                self.erase_to(end.map_or(0, |(at, _)| at), columns, echo);
            }
            // Ctrl-U
            '\u{15}' => self.erase_to(0, columns, echo),
            // Ctrl-W
            '\u{17}' => {
                let words = self.line.trim_end();
                let end = words.char_indices().rev().find(|(_, c)| c.is_whitespace());
                self.erase_to(
                    end.map_or(0, |(at, c)| at.saturating_add(c.len_utf8())),
                    columns,
                    echo,
                );
            }
            '\t' => self.insert(' ', echo),
            key if key.is_control() => {}
            key => self.insert(key, echo),
        }
    }

    fn insert(&mut self, key: char, echo: &mut String) {
        if self.line.len().saturating_add(key.len_utf8()) > MAX_TEXT {
            echo.push('\u{7}');
            return;
        }
        self.line.push(key);
        echo.push(key);
    }

    /// Cuts the line at `end`. A line that has wrapped is shown again below: a terminal cannot be asked to step
    /// back over its edge.
    fn erase_to(&mut self, end: usize, columns: usize, echo: &mut String) {
        let wide = |text: &str| text.chars().map(terminal::width).sum::<usize>();
        let whole = wide(&self.line);
        let gone = self.line.get(end..).map(wide).unwrap_or_default();
        self.line.truncate(end);
        if whole >= columns {
            echo.push('\n');
            echo.push_str(&self.line);
        } else {
            echo.push_str(&"\u{8} \u{8}".repeat(gone));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn keys(chunks: &[&[u8]]) -> (Vec<Typed>, String, String) {
        let (mut keys, mut out, mut echo) = (Keys::default(), Default::default(), String::new());
        for chunk in chunks {
            echo.push_str(&keys.feed(chunk, 20, &mut out));
        }
        (out.into(), echo, keys.half().to_owned())
    }

    fn line(text: &str) -> Vec<Typed> {
        vec![Typed::Line(text.to_owned())]
    }

    #[test]
    fn keys_make_lines() {
        for (name, chunks, typed, echo) in [
            ("letters", &[&b"hi\r"[..]][..], line("hi"), "hi\n"),
            ("in two parts", &[b"h", b"i\n"], line("hi"), "hi\n"),
            ("a letter in two parts", &[b"\xc5", b"\xbe\n"], line("ž"), "ž\n"),
            (
                "an emoji in four parts",
                &[b"\xf0", b"\x9f", b"\x91", b"\x8d\n"],
                line("👍"),
                "👍\n",
            ),
            ("no letter at all", &[b"a\xffb\n"], line("ab"), "ab\n"),
            ("backspace", &[b"ab\x7fc\n"], line("ac"), "ab\u{8} \u{8}c\n"),
            ("backspace at the start", &[b"\x7fa\n"], line("a"), "a\n"),
            (
                "backspace over a wide letter",
                &["你\x7f\n".as_bytes()],
                line(""),
                "你\u{8} \u{8}\u{8} \u{8}\n",
            ),
            (
                "backspace over an accent",
                &["e\u{301}\x7f\n".as_bytes()],
                line(""),
                "e\u{301}\u{8} \u{8}\n",
            ),
            (
                "the line",
                &[b"abc\x15d\n"],
                line("d"),
                "abc\u{8} \u{8}\u{8} \u{8}\u{8} \u{8}d\n",
            ),
            (
                "a word",
                &[b"a bc \x17d\n"],
                line("a d"),
                "a bc \u{8} \u{8}\u{8} \u{8}\u{8} \u{8}d\n",
            ),
            ("arrows", &[b"a\x1b[D\x1bOA\x1b[1;5Cb\n"], line("ab"), "ab\n"),
            ("alt", &[b"\x1bxa\n"], line("a"), "a\n"),
            ("controls", &[b"a\x01\x0c\x00b\n"], line("ab"), "ab\n"),
            ("end", &[b"\x04"], vec![Typed::End], ""),
            ("no end within a line", &[b"a\x04\n"], line("a"), "a\n"),
        ] {
            let (out, shown, half) = keys(chunks);
            assert_eq!((out, shown.as_str(), half.as_str()), (typed, echo, ""), "{name}");
        }
    }

    #[test]
    fn a_wrapped_line_is_shown_again_below() {
        let (_, echo, half) = keys(&[b"12345678901234567890x\x7f"]);
        assert_eq!(
            (echo.as_str(), half.as_str()),
            (
                "12345678901234567890x\n12345678901234567890",
                "12345678901234567890"
            )
        );
    }

    #[test]
    fn a_pipe_makes_lines_too() {
        let mut splitter = Splitter::default();
        let mut out = Default::default();
        splitter.feed(b"one\r\ntw", &mut out);
        splitter.feed(b"o\n\n\xff\nlast", &mut out);
        splitter.end(&mut out);
        let typed: Vec<Typed> = out.into();
        let line = |text: &str| Typed::Line(text.to_owned());
        assert_eq!(
            typed,
            [
                line("one"),
                line("two"),
                line(""),
                Typed::Unfit,
                line("last"),
                Typed::End
            ]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_and_the_next_is_not() {
        let mut splitter = Splitter::default();
        let mut out = Default::default();
        splitter.feed(&vec![b'x'; MAX_TEXT], &mut out);
        splitter.feed(b"\n", &mut out);
        splitter.feed(&vec![b'x'; MAX_TEXT * 3], &mut out);
        splitter.feed(b"\nshort\n", &mut out);
        let typed: Vec<Typed> = out.into();
        assert_eq!(typed.len(), 3);
        assert!(matches!(typed.first(), Some(Typed::Line(line)) if line.len() == MAX_TEXT));
        assert_eq!(
            typed.get(1..),
            Some(&[Typed::Unfit, Typed::Line("short".to_owned())][..])
        );
    }
}
