//! The elements of one JSON array that comes bit by bit.

use super::frame::{BOM, Frame, Kept};

/// The scanner. A value that is no array is its own only element.
#[derive(Debug, Default)]
pub(super) struct Elements {
    element: Kept,
    nesting: Nesting,
    place: Place,
    /// Whether `element` has been given.
    given: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Between,
    Inside,
    /// In a value that stands in no array.
    Alone,
    /// The array has ended.
    Closed,
}

impl Elements {
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Option<Frame<'a>> {
        if std::mem::take(&mut self.given) {
            self.element.clear();
        }
        while let Some((first, rest)) = input.split_first() {
            match (self.place, first) {
                (Place::Closed, _) => *input = &[],
                (Place::Inside | Place::Alone, _) => {
                    let (taken, is_over) = self.nesting.take(input);
                    self.element.push(taken);
                    *input = input.get(taken.len()..).unwrap_or_default();
                    if is_over {
                        self.place = if self.place == Place::Inside { Place::Between } else { Place::Closed };
                        self.given = true;
                        return self.frame();
                    }
                }
                (Place::Before, b'[') => {
                    self.place = Place::Between;
                    *input = rest;
                }
                (Place::Between, b']') => self.place = Place::Closed,
                (Place::Before, byte) if BOM.contains(byte) => *input = rest,
                // A value begins with none of these.
                (_, byte) if byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']') => *input = rest,
                (place, _) => {
                    self.nesting = Nesting::default();
                    self.place = if place == Place::Before { Place::Alone } else { Place::Inside };
                }
            }
        }
        None
    }

    pub(super) fn finish(&mut self) -> Option<Frame<'_>> {
        if std::mem::replace(&mut self.given, true) || self.element.is_empty() { None } else { self.frame() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    fn frame(&self) -> Option<Frame<'_>> {
        Some(Frame { event: &[], data: self.element.bytes(), is_whole: self.element.is_whole() })
    }
}

/// Finds the end of one JSON value.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// What of `input` belongs to the value, and whether it ends there. The end of a number or a word is what follows it.
    pub(super) fn take<'a>(&mut self, input: &'a [u8]) -> (&'a [u8], bool) {
        for (at, byte) in input.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return (input.get(..=at).unwrap_or(input), true);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (input.get(..=at).unwrap_or(input), true);
                    }
                }
                b',' | b'}' | b']' if self.depth == 0 => return (input.get(..at).unwrap_or(input), true),
                _ => {}
            }
        }
        (input, false)
    }
}
