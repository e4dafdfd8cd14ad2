//! Events inside streams that say how much of a quota is left.

use http_body_util::BodyExt;
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::verdict::Kind;

use crate::scripted::{LIMITED, STOP, Stage, TEXT, data, stream};
use crate::support::accounts::{keys, look};

fn limits(limit: &str, used: u32) -> String {
    format!(
        "event: codex.rate_limits\ndata: {{\"type\":\"codex.rate_limits\",\"limit_id\":\"{limit}\",\"rate_limits\":\
         {{\"primary\":{{\"used_percent\":{used},\"window_minutes\":300,\"reset_after_seconds\":600}}}}}}\n\n"
    )
}

fn leaked(text: &str) -> &'static str {
    Box::leak(text.into())
}

#[tokio::test(start_paused = true)]
async fn an_event_about_limits_is_known_of_the_account_and_hides_nothing() {
    let (early, late, other) = (limits("codex", 10), limits("codex", 70), limits("gpt_spark", 100));
    let steps = [data(leaked(&early)), data(TEXT), data(leaked(&late)), data(leaked(&other)), data(STOP)];
    let stage = Stage::of(&["a", "b"]).on("a", [stream(steps)]);
    let left = || look(&stage.pool, "a").quota.left().map(|left| (left * 100.0).round());

    let mut body = stage.send().await.into_body();
    assert_eq!(left(), Some(90.0), "told before the first content");
    let mut text = String::new();
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        seen.push(left());
    }
    assert_eq!(text, format!("{early}{TEXT}{late}{other}{STOP}"));
    assert_eq!(seen, [Some(90.0), Some(90.0), Some(30.0), Some(30.0), Some(30.0)]);
    let quota = look(&stage.pool, "a").quota;
    assert!(quota.window("gpt-spark-primary").is_some_and(|window| window.exhausted));
    assert!(look(&stage.pool, "b").quota.is_empty());
    assert_eq!((stage.cooling("a"), stage.counts("a")), (None, (1, 0, 0)));
}

/// As header fields do, whatever becomes of the answer itself.
#[tokio::test(start_paused = true)]
async fn an_event_about_limits_ends_the_cooldown_that_it_contradicts() {
    const USED_UP: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"usage_limit_reached\",\"resets_in_seconds\":604800}}\n\n";
    const REFUSED: &str =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"x\"}}\n\n";
    let short = limits("codex", 10).replace("300", "1");
    for (event, ready) in [
        (limits("codex", 10), true),
        (limits("codex", 100), false),
        // What a minute or another limit has left says nothing about the account's week.
        (short, false),
        (limits("gpt_spark", 10), false),
    ] {
        let mut settings = Settings::default();
        settings.when_all_cooling = WhenAllCooling::Probe;
        let event = leaked(&event);
        let stage = Stage::new(keys(&["a"]).settings(settings))
            .on("a", [stream([data(USED_UP)]), stream([data(event), data(REFUSED)])]);
        assert_eq!(stage.text().await.0, USED_UP);
        assert_eq!(stage.cooling("a"), Some(Kind::QuotaExhausted));
        assert_eq!(stage.text().await.0, format!("{event}{REFUSED}"));
        assert_eq!(stage.cooling("a").is_none(), ready, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_about_limits_counts_also_where_its_stream_fails_at_once() {
    let stage = Stage::of(&["a", "b"]).on("a", [stream([data(leaked(&limits("codex", 100))), data(LIMITED)])]);
    assert_eq!(stage.text().await, ("ok".to_owned(), true));
    assert_eq!(look(&stage.pool, "a").quota.left(), Some(0.0));
    assert_eq!(stage.cooling("a"), Some(Kind::Throttled));

    // One that is too long for what it says is passed on, and not kept.
    let long = limits("codex", 50).replace("{\"primary\"", &format!("{{\"x\":\"{}\",\"primary\"", "x".repeat(9_000)));
    let stage = Stage::of(&["a"]).on("a", [stream([data(leaked(&long)), data(TEXT), data(STOP)])]);
    assert_eq!(stage.text().await, (format!("{long}{TEXT}{STOP}"), true));
    assert!(look(&stage.pool, "a").quota.is_empty());
}
