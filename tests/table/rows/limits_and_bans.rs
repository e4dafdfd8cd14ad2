//! Limits, quotas and bans.

use oauth_marathon::events::Event;
use oauth_marathon::pool::PoolBuilder;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::verdict::{Answer, classify_fn};
use oauth_marathon::verdict::{Kind, Scope, Verdict};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, pass, pool, seconds};

/// A stage where 418 means this.
fn where_418_is(verdict: Verdict, pool: PoolBuilder, provider: ScriptedProvider) -> Stage {
    Stage::with(pool, provider, |layer| {
        layer.classifier(classify_fn(move |answer: &Answer<'_>| (answer.status() == 418).then_some(verdict)))
    })
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_no_time_is_a_second_at_the_least() {
    for said in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let limited = Reply::status(429).header("retry-after", said);
        let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().always("a", limited));
        assert_eq!(stage.post().await.status, 429);
        assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(1))), "{said}");
        for _ in 0..100 {
            assert_eq!(stage.post().await.retry_after(), Some("1"), "who comes at once gets the answer from memory");
        }
        assert_eq!(stage.tokens().len(), 1);
        pass(1).await;
        stage.post().await;
        assert_eq!(stage.tokens().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_years_ends_after_eight_days() {
    let limited = Reply::status(429).header("retry-after", "99999999999999999999");
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", limited));
    stage.post().await;
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(8 * 24 * 3_600))));
}

#[tokio::test(start_paused = true)]
async fn of_several_limits_of_one_account_the_latest_end_counts() {
    let limited = |after, cooldown| Reply::limited(cooldown).after(seconds(after));
    let provider = ScriptedProvider::new().on("a", [limited(1, 60), limited(2, 5)]).always("a", limited(3, 100));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    let requests = [stage.spawn(), stage.spawn(), stage.spawn()];
    let mut cooldowns = Vec::new();
    for request in requests {
        assert_eq!(request.await.unwrap().status, 200);
        cooldowns.push(stage.cooldown("a").unwrap().1.as_secs());
    }
    assert_eq!(cooldowns, [60, 59, 100]);
}

#[tokio::test(start_paused = true)]
async fn causes_are_kept_apart_and_the_latest_end_counts() {
    let provider = ScriptedProvider::new()
        .on("a", [Reply::status(402).after(seconds(1))])
        .always("a", Reply::limited(60).after(seconds(2)));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    let requests = [stage.spawn(), stage.spawn()];
    for request in requests {
        request.await.unwrap();
    }
    assert_eq!(stage.cooldown("a"), Some((Kind::Billing, seconds(3_599))));
    stage.pool.clear("a", Scope::Generation);
    assert_eq!(stage.cooldown("a"), Some((Kind::Billing, seconds(3_599))), "neither is about the token");
    stage.pool.clear("a", Scope::Credential);
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn a_quota_cools_until_its_reset_and_an_earlier_success_does_not_end_it() {
    let quota = Verdict::new(Kind::QuotaExhausted).with_retry_after(seconds(7_200));
    let provider = ScriptedProvider::new().on("a", [Reply::ok().after(seconds(10))]).always("a", Reply::status(418));
    let stage = where_418_is(quota, pool(&["a", "b"]), provider);
    let early = stage.spawn();
    tokio::task::yield_now().await;
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a", "b"]);
    assert_eq!(early.await.unwrap().status, 200);
    assert_eq!(stage.cooldown("a"), Some((Kind::QuotaExhausted, seconds(7_190))));
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_returned_takes_the_account_out_and_is_not_carried_to_the_next() {
    let provider = ScriptedProvider::new().on("a", [Reply::status(418).body("verify yourself")]);
    let stage = where_418_is(Verdict::new(Kind::Banned), pool(&["a", "b"]), provider);
    let mut events = stage.pool.events();
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.body.as_str()), (418, "verify yourself"));
    assert_eq!(stage.tokens(), ["a"]);
    assert_eq!(stage.out("a"), Some(OutReason::Banned));
    let event = events.try_recv().unwrap();
    assert!(matches!(&event, Event::Out { credential, reason: OutReason::Banned, .. } if credential.id == "a"));
    assert!(event.to_string().contains("needs attention"), "{event}");

    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "b"], "the next request has another account");
    assert!(stage.pool.clear("a", Scope::Credential));
    assert!(stage.all_ready(), "a person has acted");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_provider_as_a_whole_is_no_fault_of_the_account() {
    let everybody = Verdict::new(Kind::Throttled).with_scope(Scope::Provider);
    let stage = where_418_is(everybody, pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(418)));
    assert_eq!(stage.post().await.status, 200);
    assert!(stage.all_ready());
    assert_eq!((stage.order()[0].as_str(), stage.of("a").failures), ("a", 0));
}
