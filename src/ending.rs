//! How a stream ended: what the layer that reads it tells those above after the head has gone.

use std::sync::{Arc, OnceLock};

use crate::verdict::Verdict;

/// How a stream ended whose content had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As its dialect ends, or as far as anybody can tell.
    Clean,
    /// Without the end that its dialect has.
    Truncated,
    /// With an error.
    Failed(Verdict),
}

/// The place where it is told, in the extensions of the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamEnd(Arc<OnceLock<Ending>>);

impl StreamEnd {
    /// The first word counts.
    pub(crate) fn tell(&self, ending: Ending) {
        let _ = self.0.set(ending);
    }

    /// `None` while the stream runs.
    #[inline]
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.0.get().copied()
    }
}
