//! What the providers of models mean by their failures: rules by family.

use crate::classify::Answer;
use crate::verdict::Verdict;

/// The rules of one family of providers.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProviderRules {}

impl ProviderRules {
    /// Judges an error object inside an answer that began well, such as an event of a stream.
    ///
    /// `head` is the answer's head, whose header fields can name exhausted windows. `event` is what the framing calls the
    /// object: the name of a server-sent event, or the `:exception-type` of an AWS event stream. `data` is the object as
    /// JSON: the joined `data:` lines of an event, a WebSocket message, or a bare JSON tail. `None` if it is no error, so every
    /// frame that could be one may be asked about. Reads at most the first 128 KiB. The verdict's status is the one that the
    /// object states, if any.
    #[allow(dead_code, reason = "asked by the reader of streams")]
    pub(crate) fn error_object(&self, head: &Answer<'_>, event: Option<&str>, data: &[u8]) -> Option<Verdict> {
        let _ = (head, event, data);
        None
    }
}
