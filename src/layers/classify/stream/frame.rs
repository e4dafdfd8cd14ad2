//! The frames that the scanners yield, and the buffer that they keep between two chunks.

/// The byte order mark that may stand at the very beginning of a stream.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The most bytes that are kept of one frame; of a longer one its beginning is kept. The length of a frame is not
/// limited.
pub(super) const FRAME: usize = 64 * 1024;

/// The most bytes of capacity that a buffer keeps between two frames.
const SPARE: usize = 4 * 1024;

/// One frame of a stream: an event, a line or an element of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The name of the event; empty where it has none.
    pub(super) event: &'a [u8],
    pub(super) data: &'a [u8],
    /// Whether `data` is all the data of the frame.
    pub(super) is_whole: bool,
}

/// The part of a frame that came in earlier chunks.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl FrameBuffer {
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

    /// Notes that something of the frame is missing.
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
