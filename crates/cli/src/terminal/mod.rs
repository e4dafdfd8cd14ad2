//! Prints: results on the standard output; notes, questions and errors on the standard error.
//!
//! Only this room reads and writes the standard streams. It is more than `println`, because names come from other
//! machines and must not move the cursor, because a spinner shares the screen with notes, and because a program may
//! read the output.

pub(crate) mod ask;
pub(crate) mod text;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Color;
use crate::failure::Failure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    choice: ColorChoice,
    quiet: bool,
}

impl Terminal {
    pub(crate) fn new(color: Color, quiet: bool) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { choice, quiet }
    }

    /// Prints the result of the command.
    pub(crate) fn show(self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(io::stdout(), self.choice);
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    /// Prints a message that the command is done.
    pub(crate) fn say(self, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { self.show(text) }
    }

    /// Prints what a person has to see even with `--quiet`.
    pub(crate) fn tell(self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(io::stderr(), self.choice);
        Ok(writeln!(out, "{text}")?)
    }

    /// Prints a note, unless `--quiet` is given.
    pub(crate) fn note(self, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { self.tell(text) }
    }

    pub(crate) fn fail(self, failure: &Failure) {
        let message = failure.to_string();
        if !message.is_empty() {
            // If even this fails, there is no place left to report it.
            let _ = self.tell(&format!("{BAD}error:{BAD:#} {}", text::plain(&message)));
        }
    }

    /// A spinner for a wait, shown if a person is at the terminal.
    pub(crate) fn spinner(self, text: &str) -> Spinner {
        if self.quiet || !io::stderr().is_terminal() {
            return Spinner { terminal: self, bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner { terminal: self, bar }
    }
}

/// A spinner. Dropping it removes it from the screen.
#[derive(Debug)]
pub(crate) struct Spinner {
    terminal: Terminal,
    bar: ProgressBar,
}

impl Spinner {
    pub(crate) fn turn(&self, text: String) {
        self.bar.set_message(text);
    }

    /// As [`Terminal::tell`]; it stays on the screen.
    pub(crate) fn tell(&self, text: &str) -> Result<(), Failure> {
        self.bar.suspend(|| self.terminal.tell(text))
    }

    /// As [`Terminal::note`]; it stays on the screen.
    pub(crate) fn note(&self, text: &str) -> Result<(), Failure> {
        self.bar.suspend(|| self.terminal.note(text))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Read before the arguments are, as a mistake among them is printed in colour too.
pub(crate) fn colour_of_help(arguments: impl Iterator<Item = OsString>) -> clap::ColorChoice {
    let arguments: Vec<_> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    let follows = |argument: &str| arguments.iter().skip_while(|other| *other != argument).nth(1).cloned();
    let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--color=").map(str::to_owned));
    match joined.or_else(|| follows("--color")).as_deref() {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}
