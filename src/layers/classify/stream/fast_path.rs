//! The fast path for chunks of a running stream: most are one frame in the usual form, in which nothing can matter.

use super::scan::Scanner;
use super::search::{has_error, is_one_line, is_plain};

/// What a chunk holds, if it begins where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FastPath<'a> {
    /// One content event that has the same name as the one before.
    Usual,
    /// One frame without a name, whose data holds no error. It is content, maybe the last.
    Unread(&'a [u8]),
    /// Anything else: the chunk has to be read.
    Else,
}

/// Judges a chunk without reading it. Any result but [`FastPath::Else`] is the same as by reading.
#[inline]
pub(super) fn fast_path<'a>(scanner: &Scanner, chunk: &'a [u8], usual: &[u8]) -> FastPath<'a> {
    let data = match scanner {
        Scanner::EventStream(_) => {
            let Some(event) = chunk.strip_suffix(b"\n\n") else { return FastPath::Else };
            if let Some(named) = event.strip_prefix(b"event: ") {
                let data = named.strip_prefix(usual).and_then(|rest| rest.strip_prefix(b"\ndata: "));
                let is_usual = !usual.is_empty() && data.is_some_and(is_one_line);
                return if is_usual { FastPath::Usual } else { FastPath::Else };
            }
            event.strip_prefix(b"data: ")
        }
        Scanner::Lines(_) => chunk.strip_suffix(b"\n"),
        Scanner::Array(_) => None,
    };
    match data {
        // Data that begins with `type` names the event, which may be any. Data with spaces at its end is left to the
        // reader.
        Some(data @ [b'{', .., b'}'])
            if !data.starts_with(br#"{"type""#) && (is_plain(data) || is_one_line(data) && !has_error(data)) =>
        {
            FastPath::Unread(data)
        }
        _ => FastPath::Else,
    }
}
