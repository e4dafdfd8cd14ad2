//! Reads the event `codex.rate_limits` that a ChatGPT subscription sends inside a stream. It informs, and is no error.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::codex::{drop_absent, id, minutes, name, scope};
use super::value::{LONGEST, number, reset};
use super::window::Windows;

const TYPE: &str = "codex.rate_limits";

/// Adds the windows of an event that came at `now`. `None` if it is another event.
pub(super) fn read(data: &[u8], now: SystemTime, windows: &mut Windows) -> Option<()> {
    let event: Value = serde_json::from_slice(data).ok()?;
    if event.get("type")?.as_str()? != TYPE {
        return None;
    }
    let limit = limit(&event);
    for (place, window) in event.get("rate_limits").and_then(Value::as_object).into_iter().flatten() {
        let place = place.strip_suffix("_window").unwrap_or(place);
        if !window.is_object() {
            continue;
        }
        let Some(draft) = windows.named(&name(&limit, place), scope(&limit, false)) else { continue };
        let figure = |member| figure(window.get(member)?);
        let first = |members: [&str; 2]| members.into_iter().find_map(|member| text(window.get(member)?));
        draft.used = figure("used_percent").map(|percent| percent / 100.0);
        let length = figure("window_minutes").or_else(|| Some(figure("limit_window_seconds")? / 60.0));
        draft.length = length.and_then(minutes);
        let after = first(["reset_after_seconds", "resets_in_seconds"]).and_then(|text| number(&text));
        let after = after.and_then(|wait| Duration::try_from_secs_f64(wait.min(LONGEST.as_secs_f64())).ok());
        let at = || reset(&first(["reset_at", "resets_at"])?, now);
        draft.resets_after = after.filter(|wait| !wait.is_zero()).or_else(at);
    }
    drop_absent(windows);
    Some(())
}

/// The limit that such an event is about; `None` if it is another event.
pub(super) fn limit_of(data: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(data).ok()?;
    (event.get("type")?.as_str()? == TYPE).then(|| limit(&event))
}

fn limit(event: &Value) -> String {
    let named = ["limit_id", "metered_limit_name", "limit_name"];
    let limit = named.iter().find_map(|member| event.get(member)?.as_str());
    limit.map_or_else(|| "codex".to_owned(), id)
}

/// A number, also one in a string.
fn figure(value: &Value) -> Option<f64> {
    number(&text(value)?)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::Quota;
    use super::super::WindowScope::{Bucket, Credential};
    use super::super::tests::{NOW, Row, check_windows};

    fn quota(event: &str) -> Option<Quota> {
        Quota::read_event(event.as_bytes(), UNIX_EPOCH + NOW)
    }

    #[test]
    fn it_has_the_windows_of_the_header_fields() {
        let event = r#"{"type":"codex.rate_limits","plan_type":"plus","rate_limits":{"allowed":true,
            "primary":{"used_percent":100,"window_minutes":300,"reset_at":1795336440},
            "secondary":{"used_percent":"40.5","window_minutes":10080,"resets_at":"1795336500"},
            "tertiary":null},"credits":{"has_credits":false}}"#;
        let expected = [
            Row::new("primary", Credential).used(1.0).lasts(18_000).resets(60_000).exhausted(),
            Row::new("secondary", Credential).used(0.405).lasts(604_800).resets(120_000),
        ];
        check_windows(quota(event).unwrap().windows(), &expected);

        let event = r#"{"type":"codex.rate_limits","limit_id":"GPT_5_spark","rate_limits":{
            "primary_window":{"used_percent":7,"limit_window_seconds":3600,"reset_after_seconds":90,"reset_at":1},
            "secondary":{"used_percent":0,"window_minutes":0,"reset_at":null}}}"#;
        let expected = [Row::new("gpt-5-spark-primary", Bucket).used(0.07).lasts(3_600).resets(90_000)];
        check_windows(quota(event).unwrap().windows(), &expected);
    }

    #[test]
    fn what_is_not_such_an_event_is_none() {
        for other in ["", "{", "[]", "7", r#"{"type":"response.created"}"#, r#"{"rate_limits":{}}"#, r#"{"type":7}"#] {
            assert_eq!(quota(other), None, "{other}");
        }
        for empty in [r#"{"type":"codex.rate_limits"}"#, r#"{"type":"codex.rate_limits","rate_limits":{"primary":[]}}"#]
        {
            assert_eq!(quota(empty).map(|quota| quota.is_empty()), Some(true), "{empty}");
        }
    }
}
