//! A look into JSON that reads no more of it than is asked for, and allocates nothing.

use memchr::memchr2;

/// A place in JSON text. Each reader leaves it behind what was read; `None` means that the text is not as expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(&'a [u8]);

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    #[inline]
    pub(super) fn shape(&mut self) -> Option<Shape> {
        self.space();
        Some(match self.0.first()? {
            b'{' => Shape::Object,
            b'[' => Shape::Array,
            b'"' => Shape::Text,
            _ => Shape::Word,
        })
    }

    /// Gives each key of an object to `each`, which reads or skips the value.
    pub(super) fn members(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.ends(b'}')? {
            return Some(());
        }
        loop {
            let key = self.text()?;
            self.expect(b':')?;
            each(key, self)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    /// Gives the place of each element of an array to `each`, which reads or skips it.
    pub(super) fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.ends(b']')? {
            return Some(());
        }
        loop {
            each(self)?;
            if !self.goes_on(b']')? {
                return Some(());
            }
        }
    }

    /// A string as it is written, without its quotes.
    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let text = self.0;
        let mut from = 0;
        loop {
            let rest = text.get(from..)?;
            let at = from + quote_or_backslash(rest)?;
            if text.get(at) == Some(&b'"') {
                self.0 = text.get(at + 1..)?;
                return text.get(..at);
            }
            from = at + 2;
        }
    }

    /// A number or a word as it is written.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        self.space();
        if let Some((b"null", rest @ [b',' | b'}' | b']', ..])) = self.0.split_at_checked(4) {
            self.0 = rest;
            return Some(b"null");
        }
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'\x0c');
        let length = self.0.iter().position(is_end).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(length);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    pub(super) fn skip(&mut self) -> Option<()> {
        match self.shape()? {
            Shape::Text => self.text().map(drop),
            Shape::Word => self.word().map(drop),
            Shape::Object | Shape::Array => self.skip_nested(),
        }
    }

    /// Whether the value says nothing: `null`, `false`, or empty. Skips it.
    pub(super) fn is_nothing(&mut self) -> Option<bool> {
        match self.shape()? {
            Shape::Text => self.text().map(<[u8]>::is_empty),
            Shape::Word => self.word().map(|word| matches!(word, b"null" | b"false")),
            Shape::Object | Shape::Array => {
                let text = self.0;
                self.skip_nested()?;
                Some(matches!(text.get(1..)?.trim_ascii_start().first(), Some(b'}' | b']')))
            }
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        let mut text = self.0;
        loop {
            let (byte, rest) = text.split_first()?;
            match byte {
                b'"' => {
                    self.0 = text;
                    self.text()?;
                    text = self.0;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            text = rest;
            if depth == 0 {
                self.0 = text;
                return Some(());
            }
        }
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.0.first() != Some(&byte) {
            self.space();
        }
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    /// Most JSON on the wire has none.
    #[inline(always)]
    fn space(&mut self) {
        if matches!(self.0.first(), Some(0..=b' ')) {
            self.0 = self.0.trim_ascii_start();
        }
    }

    #[inline]
    fn ends(&mut self, end: u8) -> Option<bool> {
        self.space();
        let ends = *self.0.first()? == end;
        if ends {
            self.expect(end)?;
        }
        Some(ends)
    }

    /// After a value: a comma and more, or the end.
    #[inline]
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        if self.ends(end)? {
            return Some(false);
        }
        self.expect(b',')?;
        Some(true)
    }
}

/// Where the first of them is. Eight bytes at a time: most strings are so short that a vector search is not worth its beginning.
#[inline]
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The lowest bit that is set marks the first zero byte; higher ones may be wrong.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut rest = text;
    let mut from = 0;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let found = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c));
        if found != 0 {
            return Some(from + (found.trailing_zeros() / 8) as usize);
        }
        from += 8;
        if from == 64 {
            return memchr2(b'"', b'\\', after).map(|at| from + at);
        }
        rest = after;
    }
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::quote_or_backslash;

    #[test]
    fn the_first_quote_or_backslash_is_found_wherever_it_is() {
        for length in 0..150 {
            let plain = vec![b'x'; length];
            assert_eq!(quote_or_backslash(&plain), None);
            for at in 0..length {
                for byte in *b"\"\\" {
                    for other in *b"\"\\!#][\xa2\xdc\x00\xff" {
                        // What differs in one bit, and what follows, does not matter.
                        let mut text = plain.clone();
                        text[at..].fill(other);
                        text[at] = byte;
                        assert_eq!(quote_or_backslash(&text), Some(at), "{length} {other}");
                    }
                }
            }
        }
        assert_eq!(quote_or_backslash(b"!#][\xa2\xdc\x00\xff#]"), None);
    }
}
