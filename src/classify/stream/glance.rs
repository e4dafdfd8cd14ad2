//! The look that most chunks of a running stream get: one frame in the usual form, in which nothing can matter.

use memchr::memchr2;

use super::meaning::has_error;
use super::scan::{FRAME, Scanner};

/// What a chunk is that begins where a frame does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glance<'a> {
    /// One event of the usual name.
    Usual,
    /// One frame without a name, whose data holds no error; it may be the last content.
    Unread(&'a [u8]),
    /// It has to be read.
    Else,
}

/// Says the same as reading would, where it says more than [`Glance::Else`].
#[inline]
pub(super) fn glance<'a>(scanner: &Scanner, chunk: &'a [u8], usual: &[u8]) -> Glance<'a> {
    let data = match scanner {
        Scanner::EventStream(_) => {
            let Some(event) = chunk.strip_suffix(b"\n\n") else { return Glance::Else };
            if let Some(named) = event.strip_prefix(b"event: ") {
                let data = named.strip_prefix(usual).and_then(|rest| rest.strip_prefix(b"\ndata: "));
                let is_usual = !usual.is_empty() && data.is_some_and(is_one_line);
                return if is_usual { Glance::Usual } else { Glance::Else };
            }
            event.strip_prefix(b"data: ")
        }
        Scanner::Lines(_) => chunk.strip_suffix(b"\n"),
        Scanner::Array(_) => None,
    };
    match data {
        // A name may say all; spaces at the end do not belong to a line.
        Some(data @ [b'{', .., b'}'])
            if !data.starts_with(br#"{"type""#) && (is_plain(data) || is_one_line(data) && !has_error(data)) =>
        {
            Glance::Unread(data)
        }
        _ => Glance::Else,
    }
}

#[inline]
fn is_one_line(data: &[u8]) -> bool {
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

/// Whether data of some length has neither a byte of which `of` makes less than `floor` nor two r in a row. The compiler makes
/// vector instructions of it that look for both at once.
#[inline(always)]
fn is_free_of(data: &[u8], of: impl Fn(u8) -> u8, floor: u8) -> bool {
    const STEP: usize = 32;
    let mut least = [u8::MAX; STEP];
    let mut nearest = [u8::MAX; STEP];
    let mut look = |block: &[u8; STEP + 1]| {
        let ([these @ .., _], [_, next @ ..]) = (block, block);
        for (((least, nearest), this), next) in least.iter_mut().zip(&mut nearest).zip(these).zip(next) {
            *least = (*least).min(of(*this));
            *nearest = (*nearest).min((this ^ b'r') | (next ^ b'r'));
        }
    };
    // What the last step leaves over is looked at together with some of what comes before.
    let Some(last) = data.last_chunk() else { return false };
    let mut rest = data;
    while let Some(block) = rest.first_chunk() {
        look(block);
        rest = rest.get(STEP..).unwrap_or_default();
    }
    look(last);
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
