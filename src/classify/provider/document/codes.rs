//! The codes of a document, in one string: most failures have two or three.

/// Between two codes.
const END: char = '\n';

/// Codes in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Codes {
    all: String,
    count: usize,
}

impl Codes {
    /// How many are kept, and of which length.
    pub(super) const MOST: usize = 24;
    pub(super) const LONGEST: usize = 128;

    /// Adds a code, unless it is empty, too long or one too many.
    pub(super) fn push(&mut self, code: &str) {
        if !code.is_empty() && code.len() <= Self::LONGEST && self.count < Self::MOST && !code.contains(END) {
            if self.count == 0 {
                self.all.reserve(Self::LONGEST);
            }
            self.all.push_str(code);
            self.all.push(END);
            self.count += 1;
        }
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.all.split_terminator(END)
    }
}
