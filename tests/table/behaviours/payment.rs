//! Accounts that have to pay, and tokens that are put in from outside.

use oauth_marathon::verdict::Kind;
use oauth_marathon::{Secret, TokenSet};
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, pass, pool, seconds};

#[tokio::test(start_paused = true)]
async fn new_tokens_go_to_the_account_that_holds_the_refresh_token_not_to_the_active_one() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(429)));
    let tokens = TokenSet::new("b-new").with_refresh("refresh-b-new");
    let updated = stage.pool.update_by_refresh_token(&Secret::new("refresh-b"), tokens).unwrap();
    assert_eq!(updated, "b");
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "b-new"]);
    assert_eq!((stage.of("a").generation.get(), stage.of("b").generation.get()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_has_to_pay_hands_the_request_to_the_next() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(402)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
}

// It also cools for `paymentCooldownMs`.
#[tokio::test(start_paused = true)]
async fn an_account_that_has_to_pay_cools_for_an_hour_at_the_back() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::status(402)));
    stage.post().await;
    assert_eq!(stage.cooldown("a"), Some((Kind::Billing, seconds(3_600))));
    assert_eq!(stage.order(), ["b", "a"]);
    pass(3_599).await;
    assert!(stage.cooldown("a").is_some());
    pass(1).await;
    assert!(stage.all_ready());
}
