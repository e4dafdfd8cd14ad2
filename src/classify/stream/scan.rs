//! Cuts a stream's bytes into frames, in whatever pieces they come.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::json_array::Elements;
use super::ndjson::Lines;
use super::sse::EventStream;

/// The most that is kept of one frame. Of a longer one the beginning is kept, and its length is not limited.
pub(super) const FRAME: usize = 64 * 1024;

/// What a buffer may hold on to between two frames.
const SPARE: usize = 4 * 1024;

/// How a stream is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `text/event-stream` (WHATWG HTML, section 9.2).
    EventStream,
    /// One JSON value a line: `application/x-ndjson`, `application/jsonl` and their kin.
    Lines,
    /// The elements of one JSON array, which `:streamGenerateContent` sends as `application/json`.
    Array,
}

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

impl Format {
    /// The format of a body, by the header fields alone. `None` for what is no stream, and for what is compressed.
    ///
    /// `array` says that the request asked for a stream which comes as one JSON array.
    pub(super) fn of(headers: &HeaderMap, array: bool) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        let format = match essence.len() {
            // The length alone tells most other types apart.
            17 if is("text/event-stream") => Self::EventStream,
            20 if is("application/x-ndjson") => Self::Lines,
            18 if is("application/ndjson") => Self::Lines,
            17 if is("application/jsonl") => Self::Lines,
            19 if is("application/x-jsonl") => Self::Lines,
            16 if array && is("application/json") => Self::Array,
            _ => return None,
        };
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")).then_some(format)
    }
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
    pub(super) fn push(&mut self, more: &[u8]) {
        let room = FRAME.saturating_sub(self.bytes.len());
        self.is_cut |= more.len() > room;
        self.bytes.extend_from_slice(more.get(..room).unwrap_or(more));
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
