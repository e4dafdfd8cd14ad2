//! Cuts newline-delimited JSON into lines.

use memchr::memchr;

use super::frame::{BOM, Frame, FrameBuffer};

/// The scanner of lines. Empty lines are skipped; a carriage return before the line feed does not belong to the line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: FrameBuffer,
    /// Whether the line in `begun` was yielded by the last call, so that the next one clears it.
    given: bool,
    /// Whether a line has ended before; only the first can have a byte order mark.
    later: bool,
}

impl Lines {
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Option<Frame<'a>> {
        if std::mem::take(&mut self.given) {
            self.begun.clear();
        }
        loop {
            if self.begun.is_empty() {
                self.skip_empty(input);
            }
            let Some(at) = memchr(b'\n', input) else {
                self.begun.push(input);
                *input = &[];
                return None;
            };
            let (line, rest) = input.split_at(at);
            *input = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() {
                let line = without_bom(line, self.is_first()).trim_ascii();
                if !line.is_empty() {
                    return Some(Frame { event: &[], data: line, is_whole: true });
                }
                continue;
            }
            self.begun.push(line);
            let first = self.is_first();
            if without_bom(self.begun.bytes(), first).trim_ascii().is_empty() {
                self.begun.clear();
                continue;
            }
            return self.kept(first);
        }
    }

    fn skip_empty(&mut self, input: &mut &[u8]) {
        let (empty, rest) = input.split_at(input.iter().take_while(|byte| **byte == b'\n').count());
        self.later |= !empty.is_empty();
        *input = rest;
    }

    #[inline]
    pub(super) fn is_between(&self) -> bool {
        self.later && self.begun.is_empty()
    }

    pub(super) fn finish(&mut self) -> Option<Frame<'_>> {
        let first = self.is_first();
        if self.given { None } else { self.kept(first) }
    }

    fn kept(&mut self, first: bool) -> Option<Frame<'_>> {
        self.given = true;
        let line = without_bom(self.begun.bytes(), first).trim_ascii();
        (!line.is_empty()).then_some(Frame { event: &[], data: line, is_whole: self.begun.is_whole() })
    }

    fn is_first(&mut self) -> bool {
        !std::mem::replace(&mut self.later, true)
    }
}

fn without_bom(line: &[u8], first: bool) -> &[u8] {
    if first { line.strip_prefix(BOM).unwrap_or(line) } else { line }
}
