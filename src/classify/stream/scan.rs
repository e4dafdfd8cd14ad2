//! Cuts a stream's bytes into frames, in whatever pieces they come.

use super::format::Format;
use super::json_array::Elements;
use super::ndjson::Lines;
use super::sse::EventStream;

/// The most that is kept of one frame. Of a longer one the beginning is kept, and its length is not limited.
pub(super) const FRAME: usize = 64 * 1024;

/// What a buffer may hold on to between two frames.
const SPARE: usize = 4 * 1024;

/// One event, line or element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The name of the event; empty where it has none.
    pub(super) event: &'a [u8],
    pub(super) data: &'a [u8],
    /// Whether `data` is all of it.
    pub(super) is_whole: bool,
}

/// A scanner of one of the formats.
#[derive(Debug)]
pub(super) enum Scanner {
    EventStream(EventStream),
    Lines(Lines),
    Array(Elements),
}

impl Scanner {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::EventStream => Self::EventStream(EventStream::default()),
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

    /// The bytes have ended: what had begun, if anything.
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

/// The part of a frame that came in earlier chunks.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Kept {
    #[inline]
    pub(super) fn push(&mut self, more: &[u8]) {
        let room = FRAME.saturating_sub(self.bytes.len());
        self.is_cut |= more.len() > room;
        self.bytes.extend_from_slice(more.get(..room).unwrap_or(more));
    }

    #[inline]
    pub(super) fn push_byte(&mut self, byte: u8) {
        if self.bytes.len() < FRAME { self.bytes.push(byte) } else { self.is_cut = true }
    }

    /// Something is missing.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
    }

    pub(super) fn clear(&mut self) {
        self.is_cut = false;
        self.bytes.clear();
        self.bytes.shrink_to(SPARE);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        !self.is_cut
    }
}
