//! A look into JSON that reads no more of it than is asked for, and allocates nothing.

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
            let at = from + rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
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
