//! The provider fails: not the account's fault.

use oauth_marathon::RequestContext;
use oauth_marathon_test::{Recorded, Reply, ScriptedProvider};

use crate::support::stage::{Stage, pool, post, seconds, under};

/// The milliseconds between the sends.
fn pauses(seen: &[Recorded]) -> Vec<u128> {
    seen.windows(2).map(|pair| (pair[1].at - pair[0].at).as_millis()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_server_error_is_met_with_one_more_try_after_a_pause_and_one_failover() {
    for code in [500, 502, 503, 504, 529] {
        let provider = ScriptedProvider::new().otherwise(Reply::status(code));
        let stage = Stage::new(pool(&["a", "b", "c"]), provider);
        assert_eq!(stage.post().await.status, code);
        assert_eq!(stage.tokens(), ["a", "a", "b"], "{code}");
        let pauses = pauses(&stage.provider.requests());
        assert!((250..=501).contains(&pauses[0]) && pauses[1] == 0, "{pauses:?}");
        assert!(stage.all_ready());
        assert_eq!((stage.order()[0].as_str(), stage.of("a").failures), ("a", 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_works_again_is_returned() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", [Reply::status(500)]));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a"]);
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(500)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_pause_that_is_asked_for_is_kept_and_a_long_one_goes_to_the_next_account() {
    let overloaded = |seconds| [Reply::status(503).header("retry-after", seconds)];
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", overloaded("3")));
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "a"]);
    assert_eq!(pauses(&stage.provider.requests()), [3_000]);

    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", overloaded("60")));
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(pauses(&stage.provider.requests()), [0]);
}

#[tokio::test(start_paused = true)]
async fn no_pause_lasts_past_the_deadline() {
    let stage =
        Stage::new(pool(&["a"]), ScriptedProvider::new().on("a", [Reply::status(503).header("retry-after", "3")]));
    let start = tokio::time::Instant::now();
    let answer = stage.send(under(&RequestContext::new().with_timeout(seconds(2)), post())).await;
    assert_eq!((answer.status, start.elapsed()), (503, seconds(0)));
}

#[tokio::test(start_paused = true)]
async fn a_failing_provider_is_not_hammered() {
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().always("a", Reply::status(500)));
    for _ in 0..100 {
        assert_eq!(stage.post().await.status, 500);
    }
    // Some seconds pass with the pauses.
    let resends = stage.tokens().len() - 100;
    assert!((20..=24).contains(&resends), "{resends}: twenty, and twenty more a minute");
}
