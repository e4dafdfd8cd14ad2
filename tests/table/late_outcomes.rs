//! Outcomes that come late change nothing that came after them.

use std::io::ErrorKind;

use oauth_marathon::TokenSet;
use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{Stage, login, names, pass, pool, seconds, settings};

fn probing() -> oauth_marathon::config::Settings {
    settings(|it| it.when_all_cooling = WhenAllCooling::Probe)
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_a_limit_that_began_before_it() {
    let provider = ScriptedProvider::new().on("a", [Reply::limited(600)]);
    let stage = Stage::new(pool(&["a"]).settings(probing()), provider);
    let mut events = stage.pool.events();
    assert_eq!(stage.post().await.status, 429);
    assert!(stage.cooldown("a").is_some());
    assert_eq!(stage.post().await.status, 200);
    assert!(stage.all_ready());
    assert_eq!(names(&mut events), ["cooling_down", "exhausted", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_cooldown_after_a_broken_connection_of_its_own() {
    let own = pool(&[]).credential(login("a").base_url("https://proxy.example.com"));
    let reset = || Reply::error(ErrorKind::ConnectionReset);
    let stage = Stage::new(own.settings(probing()), ScriptedProvider::new().on("a", [reset(), reset(), reset()]));
    assert!(stage.try_send(crate::support::stage::post()).await.is_err());
    assert_eq!(stage.cooldown("a"), Some((Kind::Network, seconds(30))));
    assert_eq!(stage.post().await.status, 200);
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn a_success_shows_that_a_bill_is_paid_but_not_that_a_token_is_good() {
    for (code, left) in [(402, None), (401, Some(Kind::Unauthorized))] {
        let provider = ScriptedProvider::new().on("a", [Reply::status(code)]);
        let stage = Stage::new(pool(&["a"]).settings(probing()), provider);
        stage.post().await;
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.cooldown("a").map(|(cause, _)| cause), left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_began_before_a_limit_does_not_end_it() {
    let provider = ScriptedProvider::new().on("a", [Reply::ok().after(seconds(10))]).always("a", Reply::limited(60));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    let early = stage.spawn();
    pass(1).await;
    stage.post().await;
    assert_eq!(early.await.unwrap().status, 200);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(51))));
    assert_eq!(stage.order(), ["b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_an_old_token_does_not_hold_up_the_new_one() {
    for code in [402, 429] {
        let stage =
            Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(code).after(seconds(10))));
        let late = stage.spawn();
        pass(1).await;
        stage.pool.update("a", TokenSet::new("a2")).unwrap();
        assert_eq!(late.await.unwrap().status, 200);
        assert_eq!(stage.tokens(), ["a", "b"]);
        assert!(stage.all_ready(), "{code}");
        assert_eq!((stage.order()[0].as_str(), stage.of("a").failures), ("a", 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_an_old_token_leads_to_the_new_one_without_a_refresh() {
    for code in [401, 403] {
        let stage =
            Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(code).after(seconds(10))));
        let late = stage.spawn();
        pass(1).await;
        stage.pool.update("a", TokenSet::new("a2")).unwrap();
        assert_eq!(late.await.unwrap().status, 200);
        assert_eq!(stage.tokens(), ["a", "a2"], "{code}");
        assert!(stage.all_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_of_an_old_token_does_not_end_what_the_new_one_cools_for() {
    let limited = || Reply::limited(600);
    let provider = ScriptedProvider::new().on("a", [limited()]).always("a", Reply::ok().after(seconds(10)));
    let stage = Stage::new(pool(&["a"]).settings(probing()), provider);
    stage.post().await;
    let probe = stage.spawn();
    pass(1).await;
    stage.pool.update("a", TokenSet::new("a2")).unwrap();
    assert_eq!(probe.await.unwrap().status, 200);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(590))));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_of_a_removed_account_does_not_reach_another_one_of_the_same_name() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", [Reply::status(429).after(seconds(10))]));
    let late = stage.spawn();
    pass(1).await;
    assert!(stage.pool.remove("a"));
    stage.pool.add(login("a")).unwrap();
    assert_eq!(late.await.unwrap().status, 200);
    assert!(stage.all_ready());
    assert_eq!(stage.of("a").failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_of_an_old_token_that_fails_late_is_not_held_against_the_new_one() {
    for grant in [Grant::refused(), Grant::busy()] {
        let tokens = ScriptedTokens::new().on("a", [grant.clone().after(seconds(5))]);
        let provider = ScriptedProvider::new()
            .always("a", Reply::status(401))
            .on("a2", [Reply::ok()])
            .always("a2", Reply::status(401));
        let stage = Stage::new(pool(&["a", "b"]).token_source(tokens.clone()), provider);
        let mut events = stage.pool.events();
        let waiting = stage.spawn();
        pass(1).await;
        stage.pool.update("a", TokenSet::new("a2").with_refresh("refresh-a2")).unwrap();
        assert_eq!(waiting.await.unwrap().status, 200);
        assert_eq!(names(&mut events), [""; 0]);
        pass(60).await;
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "a2", "a2", "a2+"], "the new one can be refreshed");
    }
}
