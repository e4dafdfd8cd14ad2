//! The codes of a document, in one string: most failures have two or three.

/// Between two codes.
const END: char = '\n';

/// Codes in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Codes {
    all: String,
    count: usize,
    /// A bit for each length that a code, or its part before a colon, has. The rules ask for a hundred codes.
    lengths: u64,
    /// A bit for each initial, in letters of either case.
    initials: u32,
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
            let ends = code.match_indices(':').map(|(at, _)| at).chain([code.len()]);
            self.lengths |= ends.fold(0, |lengths, end| lengths | bit_of_length(end));
            self.initials |= bit_of_initial(code);
        }
    }

    /// Whether one of them is this code, or this code with `:` and more behind it; in letters of either case.
    #[inline]
    pub(in super::super) fn have(&self, code: &str) -> bool {
        self.lengths & bit_of_length(code.len()) != 0 && self.initials & bit_of_initial(code) != 0 && self.find(code)
    }

    fn find(&self, code: &str) -> bool {
        self.iter().any(|own| {
            own.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code))
                && matches!(own.as_bytes().get(code.len()), None | Some(b':'))
        })
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.all.split_terminator(END)
    }
}

fn bit_of_length(length: usize) -> u64 {
    1 << length.min(63)
}

/// A letter in either case has the same lower five bits.
fn bit_of_initial(code: &str) -> u32 {
    1 << (code.as_bytes().first().copied().unwrap_or_default() & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_either_case_and_before_a_colon() {
        let mut codes = Codes::default();
        for code in ["rate_limit", "Ns:Inner:more", &"x".repeat(100)] {
            codes.push(code);
        }
        let long = "X".repeat(100);
        for found in ["rate_limit", "RATE_LIMIT", "ns", "ns:inner", "NS:INNER:MORE", &long] {
            assert!(codes.have(found), "{found}");
        }
        for missing in ["", "rate", "rate_limits", "inner", "ns:", "ns:inner:mor", &long[1..]] {
            assert!(!codes.have(missing), "{missing}");
        }
    }
}
