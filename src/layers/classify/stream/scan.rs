//! Cuts a stream's bytes into frames, in whatever pieces they come.

use super::format::Format;
use super::frame::Frame;
use super::json_array::Elements;
use super::ndjson::Lines;
use super::sse::SseEvents;

/// The scanner of one of the formats.
#[derive(Debug)]
pub(super) enum Scanner {
    EventStream(SseEvents),
    Lines(Lines),
    Array(Elements),
}

impl Scanner {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::EventStream => Self::EventStream(SseEvents::default()),
            Format::Lines => Self::Lines(Lines::default()),
            Format::Array => Self::Array(Elements::default()),
        }
    }

    /// Takes bytes off `input` until a frame is complete. `None` once all of it is taken.
    #[inline]
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Option<Frame<'a>> {
        match self {
            Self::EventStream(scanner) => scanner.next(input),
            Self::Lines(scanner) => scanner.next(input),
            Self::Array(scanner) => scanner.next(input),
        }
    }

    /// Ends the bytes, and returns the frame that had begun, if any.
    pub(super) fn finish(&mut self) -> Option<Frame<'_>> {
        match self {
            Self::EventStream(scanner) => scanner.finish(),
            Self::Lines(scanner) => scanner.finish(),
            Self::Array(scanner) => scanner.finish(),
        }
    }

    /// Whether the next byte begins a frame, and nothing that came before matters to it.
    #[inline]
    pub(super) fn is_between(&self) -> bool {
        match self {
            Self::EventStream(scanner) => scanner.is_between(),
            Self::Lines(scanner) => scanner.is_between(),
            Self::Array(_) => false,
        }
    }

    /// Whether the format itself says that nothing follows.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Array(scanner) if scanner.is_closed())
    }
}
