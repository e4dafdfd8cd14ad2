//! The fast path for chunks of a running stream: most are one frame in the usual form, in which nothing can matter.

use super::scan::Scanner;
use super::search::{has_error, is_one_line, is_plain};

/// What a chunk holds that begins where a frame does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FastPath<'a> {
    /// One event of the usual name.
    Usual,
    /// One frame without a name, whose data holds no error; it may be the last content.
    Unread(&'a [u8]),
    /// It has to be read.
    Else,
}

/// Judges a chunk without reading it. If it returns more than [`FastPath::Else`], the result is the same as by reading.
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
        // A name may say all; spaces at the end do not belong to a line.
        Some(data @ [b'{', .., b'}'])
            if !data.starts_with(br#"{"type""#) && (is_plain(data) || is_one_line(data) && !has_error(data)) =>
        {
            FastPath::Unread(data)
        }
        _ => FastPath::Else,
    }
}
