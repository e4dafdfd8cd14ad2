//! Searches data that is not parsed for the few words that matter: `"error"` first of all.

use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::{self, Finder};

use super::frame::FRAME;

/// Whether a member `error` that is not null stands anywhere. Text that looks like one counts too.
pub(super) fn has_error(data: &[u8]) -> bool {
    static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""error""#));
    let mut rest = data;
    while let Some(at) = ERROR.find(rest) {
        rest = rest.get(at + 7..).unwrap_or_default();
        if !value_is(rest, b"null") {
            return true;
        }
    }
    false
}

/// Whether content that was not parsed says that it is the last.
pub(super) fn could_be_last(data: &[u8]) -> bool {
    let after = |at: usize, length: usize| data.get(at + length..).unwrap_or_default();
    let finishes = |rest: &[u8]| {
        let value = rest.strip_prefix(br#"_reason""#).or_else(|| rest.strip_prefix(br#"Reason""#));
        value.is_some_and(|value| value_follows(value) && !value_is(value, b"null"))
    };
    memmem::find_iter(data, br#""finish"#).any(|at| finishes(after(at, 7)))
        || memmem::find_iter(data, br#""done""#).any(|at| value_is(after(at, 6), b"true"))
}

fn value_follows(after_key: &[u8]) -> bool {
    after_key.trim_ascii_start().starts_with(b":")
}

/// Whether this word follows the key that was just read.
fn value_is(after_key: &[u8], word: &[u8]) -> bool {
    let after = after_key.trim_ascii_start();
    after.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(word))
}

/// Whether data stands on one line, and is no longer than the part that is kept of a frame.
#[inline]
pub(super) fn is_one_line(data: &[u8]) -> bool {
    data.len() <= FRAME && memchr2(b'\n', b'\r', data).is_none()
}

/// Whether data that ends in a bracket surely is one line without the word `error`.
pub(super) fn is_plain(data: &[u8]) -> bool {
    data.len() <= FRAME && is_free_of(data, |byte| byte, b' ')
}

/// Whether members of an object surely hold neither an object nor the word `error`.
pub(super) fn is_flat(members: &[u8]) -> bool {
    is_free_of(members, |byte| byte ^ b'{', 1)
}

/// Whether data has no two r in a row and no byte that `of` maps below `floor`. The compiler turns it into vector instructions
/// that test for both at once.
#[inline(always)]
fn is_free_of(data: &[u8], of: impl Fn(u8) -> u8, floor: u8) -> bool {
    const STEP: usize = 32;
    let mut least = [u8::MAX; STEP];
    let mut nearest = [u8::MAX; STEP];
    let mut test = |block: &[u8; STEP + 1]| {
        let ([these @ .., _], [_, next @ ..]) = (block, block);
        for (((least, nearest), this), next) in least.iter_mut().zip(&mut nearest).zip(these).zip(next) {
            *least = (*least).min(of(*this));
            *nearest = (*nearest).min((this ^ b'r') | (next ^ b'r'));
        }
    };
    // The bytes after the last full step are tested together with some of the bytes before them.
    let Some(last) = data.last_chunk() else { return false };
    let mut rest = data;
    while let Some(block) = rest.first_chunk() {
        test(block);
        rest = rest.get(STEP..).unwrap_or_default();
    }
    test(last);
    let least = least.into_iter().fold(u8::MAX, u8::min);
    let nearest = nearest.into_iter().fold(u8::MAX, u8::min);
    least >= floor && nearest > 0
}

#[cfg(test)]
mod tests {
    use super::{is_flat, is_plain};

    #[test]
    fn what_is_plain_has_neither_control_characters_nor_the_word_anywhere() {
        for length in 33..140 {
            let plain = format!("{{{}}}", "r.".repeat(length).split_at(length).0);
            assert!(is_plain(plain.as_bytes()), "{length}");
            for at in 1..length - 5 {
                for odd in ["error", "\nxxxx", "xxxx\r", "xx\0xx"] {
                    let mut text = plain.clone();
                    text.replace_range(at..at + 5, odd);
                    assert!(!is_plain(text.as_bytes()), "{length} {at} {odd:?}");
                }
            }
        }
        assert!(!is_plain(b"{}"), "too short for it");
    }

    #[test]
    fn what_is_flat_has_neither_objects_nor_the_word_anywhere() {
        for length in 34..140 {
            let flat = "r.".repeat(length).split_at(length).0.to_owned();
            assert!(is_flat(flat.as_bytes()), "{length}");
            for at in 0..length - 5 {
                for odd in ["error", "{xxxx", "\"\r\n{}"] {
                    let mut text = flat.clone();
                    text.replace_range(at..at + 5, odd);
                    assert!(!is_flat(text.as_bytes()), "{length} {at} {odd:?}");
                }
            }
        }
        assert!(!is_flat(b"\"a\":1"), "too short for it");
    }
}
