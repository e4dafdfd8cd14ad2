//! A pull reader for JSON: it skips what is not asked for and never allocates. A document tree would cost an allocation
//! for each member of a body, and of each event of a stream.

use memchr::memchr2;

use super::byte_search::{first, is_before, marks};

/// A place in JSON text. Each method reads from the place and moves it on; `None` means that the text is not as
/// expected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(&'a [u8]);

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The text that has not been read yet.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub(crate) fn shape(&mut self) -> Option<Shape> {
        self.space();
        Some(match self.0.first()? {
            b'{' => Shape::Object,
            b'[' => Shape::Array,
            b'"' => Shape::Text,
            _ => Shape::Word,
        })
    }

    /// Gives each key of an object to `each`, which reads or skips the value.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.ends(b'}')? {
            return Some(());
        }
        loop {
            let key = self.key()?;
            each(key, self)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    /// Gives the place of each element of an array to `each`, which reads or skips it.
    #[inline(always)]
    pub(crate) fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
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

    #[inline(always)]
    fn key(&mut self) -> Option<&'a [u8]> {
        if let [b'"', text @ ..] = self.0
            && let (key, [_, b':', rest @ ..]) = text.split_at_checked(end_of_text(text)?)?
        {
            self.0 = rest;
            return Some(key);
        }
        let key = self.text()?;
        self.expect(b':')?;
        Some(key)
    }

    /// A string as it is written, without its quotes.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let at = end_of_text(self.0)?;
        let (text, rest) = self.0.split_at_checked(at)?;
        self.0 = rest.get(1..)?;
        Some(text)
    }

    /// A number or a word as it is written.
    #[inline]
    pub(crate) fn word(&mut self) -> Option<&'a [u8]> {
        self.space();
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'\x0c');
        let length = self.0.iter().position(is_end).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(length);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    #[inline(always)]
    pub(crate) fn skip(&mut self) -> Option<()> {
        if self.take_nothing() { Some(()) } else { self.skip_something() }
    }

    fn skip_something(&mut self) -> Option<()> {
        match self.shape()? {
            Shape::Text => self.text().map(drop),
            Shape::Word => self.word().map(drop),
            Shape::Object | Shape::Array => self.skip_nested(),
        }
    }

    /// Takes `null` or an empty string and returns whether one was there. Most members without a meaning are one of
    /// these.
    #[inline(always)]
    pub(crate) fn take_nothing(&mut self) -> bool {
        let rest = self.0.strip_prefix(b"null").or_else(|| self.0.strip_prefix(b"\"\""));
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Whether the value says nothing: `null`, `false`, or empty. Skips it.
    #[inline]
    pub(crate) fn is_nothing(&mut self) -> Option<bool> {
        if self.take_nothing() { Some(true) } else { self.is_nothing_longer() }
    }

    fn is_nothing_longer(&mut self) -> Option<bool> {
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

    /// Skips white space. Most JSON on the wire has none.
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

    /// Takes what follows a value. True after a comma, if more follows; false if `end` closes the list or the object.
    #[inline(always)]
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        if let [b',', rest @ ..] = self.0 {
            self.0 = rest;
            return Some(true);
        }
        if self.ends(end)? {
            return Some(false);
        }
        self.expect(b',')?;
        Some(true)
    }
}

/// The place of the quote that ends a string.
#[inline(always)]
fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    let mut from = 0;
    while from < 64
        && let Some((eight, after)) = rest.split_first_chunk()
    {
        let (quotes, backslashes) = (marks(eight, b'"'), marks(eight, b'\\'));
        if is_before(backslashes, quotes) {
            break;
        }
        if quotes != 0 {
            return Some(from + first(quotes));
        }
        from += 8;
        rest = after;
    }
    end_searched(text, from)
}

#[inline(never)]
fn end_searched(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::end_of_text;

    #[test]
    fn the_end_of_a_string_is_found_wherever_it_is() {
        for length in 0..150 {
            let plain = vec![b'x'; length];
            assert_eq!(end_of_text(&plain), None);
            for at in 0..length {
                for other in *b"\"\\!#][\xa2\xdc\x00\xff" {
                    // A difference of one bit, and the bytes that follow, do not matter.
                    let mut text = plain.clone();
                    text[at..].fill(other);
                    text[at] = b'"';
                    assert_eq!(end_of_text(&text), Some(at), "{length} {other}");
                    // Nor do escaped quotes.
                    for escape in 0..at.saturating_sub(1) {
                        let mut text = text.clone();
                        text[escape] = b'\\';
                        text[escape + 1] = other;
                        assert_eq!(end_of_text(&text), Some(at), "{length} {other} {escape}");
                    }
                }
            }
        }
        assert_eq!(end_of_text(b"!#][\xa2\xdc\x00\xff#]"), None);
        assert_eq!(end_of_text(br#"x\"y\\"z"#), Some(6));
        assert_eq!(end_of_text(br#"x\"#), None);
    }
}
