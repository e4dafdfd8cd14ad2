//! The codes of a document, stored one behind the other. Most failures have two or three, which take no allocation.

use memchr::{memchr, memchr_iter};

/// The byte that ends each stored code.
const END: u8 = b'\n';

/// Codes in the order in which they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Codes {
    few: [u8; Self::FEW],
    /// How many bytes of `few` are in use.
    used: usize,
    /// The first code for which `few` has no room, and all later ones.
    more: Vec<u8>,
    count: usize,
    /// A bit for each length of a code, or of its part before a colon. The rules ask for a hundred codes, and most are
    /// ruled out by this.
    lengths: u64,
    /// A bit for each initial letter of a code, in either case.
    initials: u32,
}

impl Codes {
    /// How many codes are kept, and how long one may be.
    pub(super) const MOST: usize = 24;
    pub(super) const LONGEST: usize = 128;

    const FEW: usize = 64;

    /// Adds a code, unless it is empty, too long or one too many.
    pub(super) fn push(&mut self, code: &str) {
        let bytes = code.as_bytes();
        if code.is_empty() || code.len() > Self::LONGEST || self.count >= Self::MOST || memchr(END, bytes).is_some() {
            return;
        }
        let end = self.used + bytes.len();
        let room = if self.more.is_empty() { self.few.get_mut(self.used..=end) } else { None };
        match room.and_then(<[u8]>::split_last_mut) {
            Some((last, room)) => {
                room.copy_from_slice(bytes);
                *last = END;
                self.used = end + 1;
            }
            None => {
                self.more.extend_from_slice(bytes);
                self.more.push(END);
            }
        }
        self.count += 1;
        let ends = memchr_iter(b':', bytes).chain([code.len()]);
        self.lengths |= ends.fold(0, |lengths, end| lengths | bit_of_length(end));
        self.initials |= bit_of_initial(code);
    }

    /// Whether the document has this code, or this code with `:` and a suffix; in letters of either case.
    #[inline]
    pub(in super::super) fn have(&self, code: &str) -> bool {
        self.lengths & bit_of_length(code.len()) != 0 && self.initials & bit_of_initial(code) != 0 && self.find(code)
    }

    fn find(&self, code: &str) -> bool {
        self.iter().any(|own| {
            own.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code.as_bytes()))
                && matches!(own.get(code.len()), None | Some(b':'))
        })
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.few.get(..self.used).unwrap_or_default();
        let mut more = &*self.more;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                rest = std::mem::take(&mut more);
            }
            let (code, after) = rest.split_at_checked(memchr(END, rest)?)?;
            rest = after.get(1..).unwrap_or_default();
            Some(code)
        })
    }
}

impl Default for Codes {
    fn default() -> Self {
        Self { few: [0; Self::FEW], used: 0, more: Vec::new(), count: 0, lengths: 0, initials: 0 }
    }
}

fn bit_of_length(length: usize) -> u64 {
    1 << length.min(63)
}

/// The bit for the initial of a code. It is taken from the lower five bits, which a letter has alike in either case.
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
        assert_eq!(codes.iter().map(<[u8]>::len).collect::<Vec<_>>(), [10, 13, 100], "with and without an allocation");
        for found in ["rate_limit", "RATE_LIMIT", "ns", "ns:inner", "NS:INNER:MORE", &long] {
            assert!(codes.have(found), "{found}");
        }
        for missing in ["", "rate", "rate_limits", "inner", "ns:", "ns:inner:mor", &long[1..]] {
            assert!(!codes.have(missing), "{missing}");
        }
    }
}
