//! How long a failure asks to wait, and where it says so.

use std::time::{Duration, SystemTime};

use super::document::BodyTimes;
use super::failure::Failure;
use crate::verdict::retry_after;
use crate::verdict::times::{own_now, reset, stated, until, wait as rounded};
use crate::verdict::{Kind, TimeSource};

/// The stated time and where it was read. The first of these counts: a header field, a member of the body, a used-up
/// window, and with `reads_text` the message.
pub(super) fn wait(failure: &Failure<'_>, kind: Kind, reads_text: bool) -> Option<(Duration, TimeSource)> {
    if let Some(wait) = retry_after(failure.headers, failure.now) {
        return Some((wait, TimeSource::Header));
    }
    // Waiting does not cure the other kinds, so a time beside them means something else.
    if !matches!(kind, Kind::Throttled | Kind::QuotaExhausted | Kind::Overloaded | Kind::ServerError | Kind::Billing) {
        return None;
    }
    let now = own_now(failure.headers, failure.now);
    if let Some(wait) = body(failure, now) {
        return Some((wait, TimeSource::Body));
    }
    let limited = matches!(kind, Kind::Throttled | Kind::QuotaExhausted);
    if let Some(left) = failure.window().filter(|_| limited).and_then(|window| window.resets_after) {
        return Some((rounded(left.as_nanos()), TimeSource::Window));
    }
    let text = reads_text.then(|| stated(&failure.document.message, now)).flatten();
    text.map(|wait| (wait, TimeSource::Text))
}

fn body(failure: &Failure<'_>, now: SystemTime) -> Option<Duration> {
    let document = &failure.document;
    let BodyTimes { resets_at, resets_in, retry_info, quota_delay, quota_date, availability, retry_after, interval } =
        document.times;
    let carried = || crate::verdict::retry_after(&document.fields, failure.now);
    let carried_reset = || reset(document.fields.get("x-ratelimit-reset")?.to_str().ok()?, now);
    resets_at
        .filter(|date| *date > now)
        .map(|date| until(date, now))
        .or(resets_in)
        .or(retry_info)
        .or(quota_delay)
        .or_else(|| quota_date.map(|date| until(date, now)))
        .or(availability)
        .or_else(carried)
        .or_else(carried_reset)
        .or(retry_after)
        .or_else(|| interval.filter(|_| document.has_code("slow_down")))
}
