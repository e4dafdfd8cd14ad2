//! The recording of what has been read of a body so far, while it stays within the limit.

use bytes::Bytes;
use http::HeaderMap;

/// The recording of one body: its chunks, then its trailers.
///
/// It counts frames and bytes even when it keeps nothing, so that a reader's place can be compared with it.
pub(super) struct Tape {
    chunks: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    /// How many frames were recorded or missed, without trailers.
    len: usize,
    /// How many bytes of data were recorded or missed.
    bytes: u64,
    limit: u64,
    complete: bool,
}

impl Tape {
    /// A tape for at most `limit` bytes of data. It keeps nothing if `lower`, the least to come, is already more.
    pub(super) fn new(limit: u64, lower: u64) -> Self {
        Self { chunks: Vec::new(), trailers: None, len: 0, bytes: 0, limit, complete: lower <= limit }
    }

    /// Records a chunk that is not empty. Returns the chunks to be dropped: a tape that is full forgets all of them.
    pub(super) fn push(&mut self, chunk: &Bytes) -> Vec<Bytes> {
        self.len += 1;
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        if self.bytes > self.limit {
            return self.forget();
        }
        if self.complete {
            self.chunks.push(chunk.clone());
        }
        Vec::new()
    }

    /// Notes a frame that cannot be recorded.
    pub(super) fn miss(&mut self) -> Vec<Bytes> {
        self.len += 1;
        self.forget()
    }

    pub(super) fn end(&mut self, trailers: &HeaderMap) {
        self.trailers = Some(trailers.clone());
    }

    pub(super) fn chunk(&self, at: usize) -> Option<Bytes> {
        self.chunks.get(at).cloned()
    }

    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether everything that was read is recorded.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    fn forget(&mut self) -> Vec<Bytes> {
        self.complete = false;
        std::mem::take(&mut self.chunks)
    }
}
