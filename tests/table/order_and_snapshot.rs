//! The order of use, and what the pool shows of itself.

use std::time::UNIX_EPOCH;

use oauth_marathon::TokenSet;
use oauth_marathon::config::StrategyName;
use oauth_marathon::pool::Standing;
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, login, pass, pool, seconds, settings};

#[tokio::test(start_paused = true)]
async fn those_that_recover_join_the_tail_in_the_order_of_recovery() {
    let provider = ScriptedProvider::new().on("a", [Reply::limited(10)]).on("b", [Reply::limited(5)]);
    let stage = Stage::new(pool(&["a", "b", "c"]), provider);
    stage.post().await;
    assert_eq!(stage.order(), ["c", "b", "a"]);
    pass(20).await;
    stage.post().await;
    assert_eq!(stage.order(), ["c", "b", "a"]);
    assert_eq!(stage.tokens(), ["a", "b", "c", "c"], "the active one stays active");
}

#[tokio::test(start_paused = true)]
async fn round_robin_takes_each_in_turn_and_leaves_out_those_that_are_cooling() {
    let settings = settings(|it| it.strategy = StrategyName::RoundRobin);
    let provider = ScriptedProvider::new().on("b", [Reply::ok()]).always("b", Reply::status(429));
    let stage = Stage::new(pool(&["a", "b", "c"]).settings(settings), provider);
    for _ in 0..7 {
        assert_eq!(stage.post().await.status, 200);
    }
    assert_eq!(stage.tokens(), ["a", "b", "c", "a", "b", "c", "a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn the_active_one_is_told_also_while_its_token_has_to_be_refreshed_and_when_it_has_just_recovered() {
    let expired = TokenSet::new("a").with_refresh("refresh-a").expires_at(UNIX_EPOCH + seconds(1));
    let pool = pool(&[]).credential(oauth_marathon::Credential::new("a", expired)).token_source(ScriptedTokens::new());
    let stage = Stage::new(pool.credential(login("b")), ScriptedProvider::new().always("b", Reply::limited(10)));
    let active = || stage.pool.active().map(|id| id.to_string());
    assert_eq!(active().as_deref(), Some("a"));
    stage.pool.remove("a");
    assert_eq!(active().as_deref(), Some("b"));
    stage.post().await;
    assert_eq!(active(), None);
    pass(10).await;
    assert_eq!(active().as_deref(), Some("b"));
    stage.pool.shutdown().await;
    assert_eq!(active(), None, "no request begins any more");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_order_health_and_tokens_in_the_making() {
    let expiry = UNIX_EPOCH + seconds(4_000_000_000);
    let tokens = TokenSet::new("a").with_refresh("refresh-a").expires_at(expiry);
    let a = oauth_marathon::Credential::new("a", tokens).label("work account").subject("acct_1");
    let source = ScriptedTokens::new().always("b", Grant::fresh().after(seconds(60)));
    let provider =
        ScriptedProvider::new().on("a", [Reply::ok()]).always("a", Reply::limited(60)).always("b", Reply::status(401));
    let stage = Stage::new(pool(&[]).credentials([a, login("b"), login("c")]).token_source(source), provider);
    stage.post().await;
    let _waiting = stage.spawn();
    pass(1).await;
    stage.provider.set("c", Reply::pending());
    let _pending = {
        let stage = stage.clone();
        let context = oauth_marathon::RequestContext::new().with_pin("c");
        tokio::spawn(
            async move { stage.send(crate::support::stage::under(&context, crate::support::stage::post())).await },
        )
    };
    pass(1).await;

    let snapshot = stage.pool.snapshot();
    assert_eq!(snapshot.provider, "openai");
    assert_eq!(stage.order(), ["b", "c", "a"]);
    let a = snapshot.credential("a").unwrap();
    assert_eq!((a.label.as_str(), a.subject.as_deref(), a.expires_at), ("work account", Some("acct_1"), Some(expiry)));
    assert_eq!((a.successes, a.failures, a.last_status.unwrap().as_u16()), (1, 1, 429));
    assert!(
        matches!(a.standing, Standing::Cooling { cause: Kind::Throttled, cooldown, .. } if cooldown == seconds(58))
    );
    let b = snapshot.credential("b").unwrap();
    assert_eq!((b.label.as_str(), b.refreshing, b.in_flight, b.generation.get()), ("b", true, 0, 1));
    assert_eq!(snapshot.credential("c").unwrap().in_flight, 1);
    assert!(snapshot.credential("d").is_none());
}
