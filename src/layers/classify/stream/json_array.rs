//! Cuts a JSON array, in whatever pieces it comes, into its elements.

use super::frame::{BOM, Frame, FrameBuffer};

/// The scanner of a JSON array. If the body is a single value and no array, that value is the only element.
#[derive(Debug, Default)]
pub(super) struct Elements {
    element: FrameBuffer,
    nesting: Nesting,
    position: Position,
    /// Whether `element` was yielded by the last call, so that the next one clears it.
    given: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Position {
    #[default]
    Before,
    Between,
    Inside,
    /// In a single value that stands in no array.
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
            match (self.position, first) {
                (Position::Closed, _) => *input = &[],
                (Position::Inside | Position::Alone, _) => {
                    let (taken, is_over) = self.nesting.take(input);
                    self.element.push(taken);
                    *input = input.get(taken.len()..).unwrap_or_default();
                    if is_over {
                        self.position =
                            if self.position == Position::Inside { Position::Between } else { Position::Closed };
                        self.given = true;
                        return self.frame();
                    }
                }
                (Position::Before, b'[') => {
                    self.position = Position::Between;
                    *input = rest;
                }
                (Position::Between, b']') => self.position = Position::Closed,
                (Position::Before, byte) if BOM.contains(byte) => *input = rest,
                // A value begins with none of these.
                (_, byte) if byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']') => *input = rest,
                (position, _) => {
                    self.nesting = Nesting::default();
                    self.position = if position == Position::Before { Position::Alone } else { Position::Inside };
                }
            }
        }
        None
    }

    pub(super) fn finish(&mut self) -> Option<Frame<'_>> {
        if std::mem::replace(&mut self.given, true) || self.element.is_empty() { None } else { self.frame() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.position == Position::Closed
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
    /// The part of `input` that belongs to the value, and whether the value ends there. A number or a word ends only
    /// where something else follows.
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
