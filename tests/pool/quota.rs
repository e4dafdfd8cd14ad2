//! Quotas: what answers say about limits is known for each account, and a strategy can act on it before the wall is
//! hit.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::pool::{Candidate, Choice, Standing, Strategy};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, Secret};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{Layer, Service, ServiceExt};

use crate::support::accounts::{ORIGIN, day, keys, look, post, seconds, wall};

/// The one with the most left; the front where nothing is known.
struct MostLeft;

impl Strategy for MostLeft {
    fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
        let left: Vec<f64> = ready.iter().map(|candidate| candidate.quota().left().unwrap_or(1.0)).collect();
        (0..ready.len()).rev().max_by(|one, other| left[*one].total_cmp(&left[*other]))
    }
}

/// A reply that says how many requests of a hundred are left in this minute.
fn left(status: u16, left: u64) -> Reply {
    Reply::status(status)
        .header("x-ratelimit-limit-requests", "100")
        .header("x-ratelimit-remaining-requests", left.to_string())
        .header("x-ratelimit-reset-requests", "1m0s")
}

async fn send(pool: &Pool, provider: &ScriptedProvider) -> u16 {
    async fn over<S, B>(service: S) -> u16
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
        B: http_body::Body<Error: std::fmt::Debug>,
    {
        let answer = service.oneshot(post()).await.map_err(Into::into).unwrap();
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        status
    }
    over(MarathonLayer::new(pool.clone()).layer(provider.clone())).await
}

#[tokio::test(start_paused = true)]
async fn a_strategy_prefers_the_account_with_the_most_left() {
    let pool = keys(&["a", "b", "c"]).strategy(MostLeft).clock(wall()).build().unwrap();
    let provider = ScriptedProvider::new()
        .on("a", [left(200, 50), left(200, 99)])
        .on("b", [left(200, 70), left(200, 40)])
        .on("c", [left(200, 60), left(200, 55), left(200, 45)]);

    // The first three are unknown, and counted as whole; then always the one with the most left.
    for _ in 0..6 {
        assert_eq!(send(&pool, &provider).await, 200);
    }
    assert_eq!(provider.tokens(), ["a", "b", "c", "b", "c", "c"]);

    // After a minute the windows are whole again, and all are alike.
    tokio::time::advance(seconds(60)).await;
    send(&pool, &provider).await;
    assert_eq!(provider.tokens().last().map(String::as_str), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_what_is_left_by_now() {
    let pool = keys(&["a", "b"]).clock(wall()).build().unwrap();
    let provider = ScriptedProvider::new().on("a", [left(200, 25), Reply::ok(), left(429, 0)]);
    assert!(look(&pool, "a").quota.is_empty());

    send(&pool, &provider).await;
    // An answer that says nothing changes nothing.
    send(&pool, &provider).await;
    tokio::time::advance(seconds(20)).await;
    let quota = look(&pool, "a").quota;
    let window = quota.window("requests").unwrap();
    assert_eq!((window.limit, window.remaining, window.resets_after), (Some(100), Some(25), Some(seconds(40))));
    assert_eq!((quota.left(), quota.exhausted()), (Some(0.25), None));
    assert!(look(&pool, "b").quota.is_empty());

    // A refusal says it too.
    send(&pool, &provider).await;
    assert_eq!(provider.tokens(), ["a", "a", "a", "b"]);
    assert_eq!(look(&pool, "a").quota.exhausted().map(|window| window.resets_after), Some(Some(seconds(60))));

    tokio::time::advance(seconds(60)).await;
    assert!(look(&pool, "a").quota.is_empty());
}

/// The request that probes a cooldown is refused for a reason of its own, and yet its answer tells.
#[tokio::test(start_paused = true)]
async fn a_long_window_with_room_ends_the_cooldown_that_it_contradicts() {
    let weekly = |status, used: &str, state: &str| {
        Reply::status(status)
            .header("retry-after", "604800")
            .header("anthropic-ratelimit-unified-status", state)
            .header("anthropic-ratelimit-unified-7d-status", state)
            .header("anthropic-ratelimit-unified-7d-utilization", used)
            .header("anthropic-ratelimit-unified-representative-claim", "seven_day")
    };
    for (answer, ready) in [
        (weekly(400, "0.1", "allowed"), true),
        (weekly(400, "1.0", "rejected"), false),
        // A minute's window says nothing about a week's.
        (left(400, 90), false),
    ] {
        let mut settings = Settings::default();
        settings.when_all_cooling = WhenAllCooling::Probe;
        let credential = Credential::new("a", Secret::new("a"));
        let pool = Pool::builder("anthropic").origin(ORIGIN).credential(credential).settings(settings);
        let pool = pool.clock(wall()).build().unwrap();
        let provider = ScriptedProvider::new().on("a", [weekly(429, "1.0", "rejected"), answer]);
        assert_eq!(send(&pool, &provider).await, 429);
        assert!(matches!(look(&pool, "a").standing, Standing::Cooling { cause: Kind::QuotaExhausted, .. }));
        assert_eq!(send(&pool, &provider).await, 400);
        assert_eq!(look(&pool, "a").standing == Standing::Ready, ready);
    }
}

/// The short window would be open again in an hour; the account is of use again in three days.
#[tokio::test(start_paused = true)]
async fn of_two_windows_that_are_used_up_the_week_keeps_the_account_away() {
    let at = |after: u64| day(seconds(after)).duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let limited = Reply::status(429)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header("anthropic-ratelimit-unified-5h-status", "rejected")
        .header("anthropic-ratelimit-unified-5h-utilization", "1.0")
        .header("anthropic-ratelimit-unified-5h-reset", at(3_600))
        .header("anthropic-ratelimit-unified-7d-status", "rejected")
        .header("anthropic-ratelimit-unified-7d-utilization", "1.0")
        .header("anthropic-ratelimit-unified-7d-reset", at(3 * 86_400));
    let credentials = ["a", "b"].map(|id| Credential::new(id, Secret::new(id)));
    let pool = Pool::builder("anthropic").origin(ORIGIN).credentials(credentials).clock(wall()).build().unwrap();
    let provider = ScriptedProvider::new().on("a", [limited]);
    assert_eq!(send(&pool, &provider).await, 200);
    let left = |pool: &Pool| match look(pool, "a").standing {
        Standing::Cooling { cause: Kind::QuotaExhausted, cooldown, .. } => Some(cooldown.as_secs_f64().round()),
        _ => None,
    };
    assert_eq!(left(&pool), Some(259_200.0));
    tokio::time::advance(seconds(7_200)).await;
    assert_eq!((send(&pool, &provider).await, left(&pool)), (200, Some(252_000.0)));
    assert_eq!(provider.tokens(), ["a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_keeps_what_is_known_when_the_set_is_replaced() {
    let pool = keys(&["a", "b"]).clock(wall()).build().unwrap();
    let provider = ScriptedProvider::new().on("a", [left(200, 25)]);
    send(&pool, &provider).await;
    pool.update("a", Secret::new("a2")).unwrap();
    assert_eq!(look(&pool, "a").quota.left(), Some(0.25));
    assert!(pool.remove("a"));
    pool.add(Credential::new("a", Secret::new("a"))).unwrap();
    assert!(look(&pool, "a").quota.is_empty(), "another account of the same name");
}
