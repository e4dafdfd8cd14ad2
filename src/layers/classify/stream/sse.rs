//! Cuts `text/event-stream` into events, as WHATWG HTML section 9.2.6 reads it, and finds JSON that stands in it
//! without a field name.

use memchr::memchr2;

use super::frame::{BOM, FRAME, Frame, FrameBuffer};
use super::json_array::Nesting;
use crate::providers::byte_search::{first, marks};

/// The longest name of an event that can mean something to us.
const NAME: usize = 64;

/// The scanner of an event stream.
///
/// Lines end with CR, LF or CRLF. Of the fields only `event` and `data` matter here. A line that begins with a bracket is no
/// known field; some providers put the JSON of an error there, on one line or on many, so it is yielded as the data of an
/// event without a name.
#[derive(Debug, Default)]
pub(super) struct SseEvents {
    /// The beginning of a line whose end has not come.
    line: FrameBuffer,
    /// The data lines of the event so far, each after the first with a line feed before it.
    data: FrameBuffer,
    has_data: bool,
    name: Vec<u8>,
    /// Set while JSON is read that has no field name.
    bare: Option<Nesting>,
    /// The last line ended with a CR at the end of a chunk: an LF that follows belongs to it.
    after_cr: bool,
    /// Whether a line has ended before; only the first can have a byte order mark.
    later: bool,
    given: bool,
}

impl SseEvents {
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Option<Frame<'a>> {
        self.forget_given();
        if input.is_empty() {
            return None;
        }
        if self.after_cr {
            self.after_cr = false;
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        if self.line.is_empty()
            && !self.has_data
            && self.name.is_empty()
            && let Some((frame, rest)) = whole(input)
        {
            self.later = true;
            *input = rest;
            return Some(frame);
        }
        loop {
            let Some(at) = line_end(input) else {
                self.line.push(input);
                *input = &[];
                return None;
            };
            if at == 0 && self.line.is_empty() && (!self.has_data || self.bare.is_some()) {
                self.skip_empty(input);
                continue;
            }
            let (line, end) = input.split_at(at);
            *input = match end {
                [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => rest,
                _ => {
                    self.after_cr = end.len() == 1;
                    end.get(1..).unwrap_or_default()
                }
            };
            let is_event = if self.line.is_empty() { self.take(line) } else { self.take_kept(line) };
            if is_event {
                return self.give();
            }
        }
    }

    /// Skips empty lines that end no event, or that are within JSON.
    fn skip_empty(&mut self, input: &mut &[u8]) {
        let is_end = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let (empty, rest) = input.split_at(input.iter().take_while(is_end).count());
        self.after_cr = rest.is_empty() && empty.ends_with(b"\r");
        self.later = true;
        if !self.has_data {
            self.name.clear();
        }
        *input = rest;
    }

    /// Ends the bytes. The last line may lack its end, and the last event the empty line after it.
    pub(super) fn finish(&mut self) -> Option<Frame<'_>> {
        self.forget_given();
        if !self.line.is_empty() {
            self.take_kept(b"");
        }
        if self.has_data { self.give() } else { None }
    }

    #[inline]
    pub(super) fn is_between(&self) -> bool {
        self.later && !self.after_cr && !self.has_data && self.line.is_empty() && self.name.is_empty()
    }

    fn give(&mut self) -> Option<Frame<'_>> {
        self.given = true;
        Some(Frame { event: &self.name, data: self.data.bytes(), is_whole: self.data.is_whole() })
    }

    #[inline]
    fn forget_given(&mut self) {
        if std::mem::take(&mut self.given) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.data.clear();
        self.has_data = false;
        self.name.clear();
        self.bare = None;
    }

    fn take_kept(&mut self, end: &[u8]) -> bool {
        let mut line = std::mem::take(&mut self.line);
        line.push(end);
        let is_event = self.take(line.bytes());
        // If the line is cut, so is the data.
        if !line.is_whole() {
            self.data.cut();
        }
        line.clear();
        self.line = line;
        is_event
    }

    /// Takes one line; says whether it completes an event.
    #[inline]
    fn take(&mut self, line: &[u8]) -> bool {
        let first = !std::mem::replace(&mut self.later, true);
        let line = if first { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        match line.first() {
            None => return self.take_empty(),
            Some(b':') => return false,
            Some(b'd') => {
                if let Some(value) = field(line, b"data") {
                    self.end_bare();
                    if std::mem::replace(&mut self.has_data, true) {
                        self.data.push_byte(b'\n');
                    }
                    self.data.push(value);
                    return false;
                }
            }
            Some(b'e') => {
                if let Some(value) = field(line, b"event") {
                    self.end_bare();
                    self.name.clear();
                    self.name.extend_from_slice(value.get(..NAME).unwrap_or(value));
                    return false;
                }
            }
            Some(b'i' | b'r') => {
                if field(line, b"id").or_else(|| field(line, b"retry")).is_some() {
                    self.end_bare();
                    return false;
                }
            }
            Some(_) => {}
        }
        self.take_bare(line)
    }

    /// Takes an empty line. An event without data is skipped, and JSON may hold empty lines.
    fn take_empty(&mut self) -> bool {
        if self.bare.is_none() && !self.has_data {
            self.name.clear();
        }
        self.bare.is_none() && self.has_data
    }

    fn take_bare(&mut self, line: &[u8]) -> bool {
        let (taken, is_over) = match &mut self.bare {
            Some(nesting) => nesting.take(line),
            None => {
                let line = line.trim_ascii_start();
                if self.has_data || !matches!(line.first(), Some(b'{' | b'[')) {
                    return false;
                }
                self.has_data = true;
                self.bare.insert(Nesting::default()).take(line)
            }
        };
        match taken {
            [byte] => self.data.push_byte(*byte),
            _ => self.data.push(taken),
        }
        self.data.push_byte(b'\n');
        is_over
    }

    /// Gives up JSON without a field name where a field begins: it was not JSON, or its end is missing.
    fn end_bare(&mut self) {
        if self.bare.is_some() {
            self.forget();
        }
    }
}

/// A whole event in the usual form, and what follows it. It is read in place, without a copy.
#[inline]
fn whole(input: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (mut event, mut rest): (&[u8], _) = (&[], input);
    if let Some((b"event: ", value)) = rest.split_first_chunk() {
        let (name, end) = value.split_at(memchr2(b'\n', b'\r', value)?);
        event = name.get(..NAME).unwrap_or(name);
        rest = end.strip_prefix(b"\n").or_else(|| end.strip_prefix(b"\r\n"))?;
    }
    let Some((b"data: ", value)) = rest.split_first_chunk() else { return None };
    let (data, end) = value.split_at(memchr2(b'\n', b'\r', value)?);
    let rest = end.strip_prefix(b"\n\n").or_else(|| end.strip_prefix(b"\r\n\r\n"))?;
    (data.len() <= FRAME).then_some((Frame { event, data, is_whole: true }, rest))
}

/// Where the first line ends.
#[inline]
fn line_end(input: &[u8]) -> Option<usize> {
    let (from, rest) = match input.split_first_chunk() {
        Some((eight, rest)) => match marks(eight, b'\n') | marks(eight, b'\r') {
            0 => (eight.len(), rest),
            found => return Some(first(found)),
        },
        None => (0, input),
    };
    memchr2(b'\n', b'\r', rest).map(|at| at + from)
}

/// The value of a line that is this field.
#[inline]
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}
