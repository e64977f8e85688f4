use std::io::Write;

/// Prints the story, and keeps what is shown now and every word that nobody but the people may read.
pub(super) struct Teller<'a, W: Write> {
    out: &'a mut W,
    step: &'static str,
    secrets: Vec<String>,
}

impl<'a, W: Write> Teller<'a, W> {
    pub(super) fn new(out: &'a mut W) -> Self {
        Self {
            out,
            step: "",
            secrets: Vec::new(),
        }
    }

    /// The step that was begun last.
    pub(super) fn step(&self) -> &'static str {
        self.step
    }

    pub(super) fn begin(&mut self, step: &'static str) {
        self.step = step;
        let _ = writeln!(self.out, "\n* {step}");
        let _ = self.out.flush();
    }

    pub(super) fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "    {text}");
        let _ = self.out.flush();
    }

    /// A line of the conversation: printed, and secret.
    pub(super) fn line(&mut self, who: &str, text: &str) {
        self.say(&format!("{who}: {text}"));
        self.secret(text);
    }

    /// Something that no provider may hold.
    pub(super) fn secret(&mut self, text: &str) {
        self.secrets.push(text.to_owned());
    }

    pub(super) fn secrets(&self) -> &[String] {
        &self.secrets
    }
}
