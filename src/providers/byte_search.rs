//! Searches for bytes, eight at a time. Most lines and strings are so short that starting a vector search costs more.

/// Marks the bytes among eight that equal `byte`; the first byte has the lowest bits. Only the lowest mark is sure to
/// be right.
#[inline(always)]
pub(crate) fn marks(eight: &[u8; 8], byte: u8) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let differences = u64::from_le_bytes(*eight) ^ (ONES * byte as u64);
    differences.wrapping_sub(ONES) & !differences & HIGHS
}

/// The index of the first mark; 8 if there is none.
#[inline(always)]
pub(crate) fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Whether the first mark of `these` comes before the first mark of `those`. A side without marks counts as later.
#[inline(always)]
pub(crate) fn is_before(these: u64, those: u64) -> bool {
    these & (those ^ those.wrapping_sub(1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_byte_is_found_whatever_stands_beside_it() {
        for byte in *b"\"\\\n\r" {
            for other in 0..=u8::MAX {
                for at in (0..8).filter(|_| other != byte) {
                    let mut eight = [other; 8];
                    assert_eq!(first(marks(&eight, byte)), 8);
                    eight[at] = byte;
                    let found = marks(&eight, byte);
                    assert_eq!(first(found), at, "{byte} {other}");
                    assert_eq!(is_before(marks(&eight, other), found), at > 0);
                    assert_eq!(is_before(found, marks(&eight, other)), at == 0);
                    assert!(is_before(found, 0) && !is_before(0, found));
                }
            }
        }
    }
}
