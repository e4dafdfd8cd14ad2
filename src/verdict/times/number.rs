//! Decimal numbers, without the liberties of a float parser (`inf`, `1e3`, `+5`).

use std::time::Duration;

use super::wait;

/// How many digits of a fraction are read exactly; further digits only round up.
const FRACTION_DIGITS: usize = 12;

/// A duration from a decimal number without sign or exponent, of units that are `unit` nanoseconds long.
pub(crate) fn decimal(text: &str, unit: u64) -> Option<Duration> {
    nanoseconds(text, unit).map(wait)
}

/// A duration from a number that JSON has parsed already, of units that are `unit` nanoseconds long.
pub(crate) fn float(number: f64, unit: u64) -> Option<Duration> {
    // Casts of floats saturate.
    (number.is_finite() && number >= 0.0).then(|| wait((number * unit as f64).ceil() as u128))
}

/// The nanoseconds of a decimal number, saturating. `None` if it is not a number of the grammar.
pub(super) fn nanoseconds(text: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = digits(whole)?.saturating_mul(u128::from(unit));
    let Some(fraction) = fraction else { return Some(whole) };
    digits(fraction)?;
    let (counted, rest) = fraction.split_at(fraction.len().min(FRACTION_DIGITS));
    let scale = 10_u128.pow(counted.len() as u32);
    let part = digits(counted)?.saturating_mul(u128::from(unit)).div_ceil(scale);
    let beyond = u128::from(rest.bytes().any(|digit| digit != b'0'));
    Some(whole.saturating_add(part).saturating_add(beyond))
}

/// The value of one or more ASCII digits. A number that is too large becomes the largest.
fn digits(text: &str) -> Option<u128> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u128, |sum, byte| {
        byte.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u128::from(byte - b'0')))
    })
}
