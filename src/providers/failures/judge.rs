//! The order in which the rules of a family are asked.

use std::time::Duration;

use super::codes::{SHARED, WEAK};
use super::failure::Failure;
use super::family::Family;
use super::family_rules::FamilyRules;
use super::fields;
use super::row::*;
use super::wait::wait;
use crate::verdict::Verdict;
use crate::verdict::standard::kind;

/// Judges a failure by the rules of its family; there is always a verdict.
pub(super) fn judge(family: Family, failure: &Failure<'_>) -> Verdict {
    let rules = family.rules();
    let (meaning, is_known) = meaning(rules, failure);
    let verdict = timed(meaning.verdict(), failure, rules.reads_times || is_known);
    if rules.hides_quotas && meaning == THROTTLED_MODEL && verdict.retry_after().is_some_and(|wait| wait >= QUOTA_WAIT)
    {
        return timed(QUOTA_MODEL.verdict(), failure, true);
    }
    verdict
}

/// A wait from this length on is a used-up quota: no limit of a minute asks for so long.
const QUOTA_WAIT: Duration = Duration::from_secs(3600);

/// Adds the stated time and the status to a verdict.
pub(super) fn timed(verdict: Verdict, failure: &Failure<'_>, reads_text: bool) -> Verdict {
    let verdict = match failure.status.and_then(|status| http::StatusCode::from_u16(status).ok()) {
        Some(status) if verdict.status().is_none() => verdict.with_status(status),
        _ => verdict,
    };
    match wait(failure, verdict.kind(), reads_text) {
        Some((wait, source)) if verdict.retry_after().is_none() => {
            verdict.with_retry_after(wait).with_time_source(source)
        }
        _ => verdict,
    }
}

/// What the failure means, and whether a code or a sentence said so.
fn meaning(rules: &FamilyRules, failure: &Failure<'_>) -> (Meaning, bool) {
    let first = |rows: &[Row]| rows.iter().find(|row| row.matches(failure)).map(|row| row.says);
    let known = first(rules.codes)
        .or_else(|| first(SHARED))
        .or_else(|| (rules.fields)(failure))
        .or_else(|| fields::meaning(failure))
        .or_else(|| first(rules.texts))
        .or_else(|| first(WEAK));
    match known {
        Some(meaning) => (meaning, true),
        None => (by_status(rules, failure), false),
    }
}

fn by_status(rules: &FamilyRules, failure: &Failure<'_>) -> Meaning {
    let Some(status) = failure.status else { return SERVER };
    let own = rules.statuses.iter().find(|(own, _)| *own == status);
    own.map_or_else(|| usual(status), |(_, meaning)| *meaning)
}

/// What a status means at any provider. 424 and 499 are not registered: a part of the provider's own failed, or gave
/// up.
fn usual(status: u16) -> Meaning {
    match status {
        402 => BILLING,
        424 | 499 => SERVER,
        _ => Meaning::new(kind(status)),
    }
}
