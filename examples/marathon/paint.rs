//! Lines for a person: in colours on a terminal, plain in a pipe or with `NO_COLOR`.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use oauth_marathon::events::Event;

const PLAIN: Style = Style::new();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const CARE: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WIRE: Style = AnsiColor::Cyan.on_default();

/// Prints, and keeps what it printed.
#[derive(Default)]
pub(crate) struct Paint {
    printed: String,
}

impl Paint {
    pub(crate) fn title(&mut self, text: impl Display) {
        self.line(BOLD, &text.to_string());
    }

    pub(crate) fn scene(&mut self, number: usize, title: &str) {
        self.line(PLAIN, "");
        self.line(BOLD, &format!("{number}. {title}"));
    }

    /// What is about to go wrong.
    pub(crate) fn setting(&mut self, text: &str) {
        self.row("", DIM, DIM, text);
    }

    /// What a server saw and did.
    pub(crate) fn wire(&mut self, server: &str, account: &str, did: &str) {
        self.row(server, WIRE, PLAIN, &format!("{account:<5}  {did}"));
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let style = match event {
            Event::Refreshed { .. } | Event::Recovered { .. } => GOOD,
            Event::Out { .. } | Event::Exhausted { .. } => BAD,
            _ => CARE,
        };
        self.row("event", style, style, &event.to_string());
    }

    pub(crate) fn ask(&mut self, text: impl Display) {
        self.row("caller", BOLD, PLAIN, &format!("asks   {text}"));
    }

    pub(crate) fn answer(&mut self, good: bool, text: impl Display) {
        self.row("caller", BOLD, if good { GOOD } else { BAD }, &format!("gets   {text}"));
    }

    pub(crate) fn note(&mut self, label: &str, text: impl Display) {
        self.row(label, DIM, DIM, &text.to_string());
    }

    pub(crate) fn account(&mut self, name: &str, text: &str) {
        self.row(name, BOLD, PLAIN, text);
    }

    /// All lines so far, without colours.
    pub(crate) fn printed(&self) -> &str {
        &self.printed
    }

    fn row(&mut self, label: &str, label_style: Style, style: Style, text: &str) {
        self.write(
            &format!("   {label:<9} {text}"),
            &format!("   {label_style}{label:<9}{label_style:#} {style}{text}{style:#}"),
        );
    }

    fn line(&mut self, style: Style, text: &str) {
        self.write(text, &format!("{style}{text}{style:#}"));
    }

    fn write(&mut self, plain: &str, coloured: &str) {
        self.printed.push_str(plain);
        self.printed.push('\n');
        // A closed pipe means that the reader has seen enough; the story goes on to its end.
        let _ = writeln!(anstream::stdout(), "{coloured}");
    }
}
