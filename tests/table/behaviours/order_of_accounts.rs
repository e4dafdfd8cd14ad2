//! The order in which accounts serve, and how long failed ones cool.

use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::time::{Duration, UNIX_EPOCH};

use oauth_marathon::ErrorKind as Failure;
use oauth_marathon::config::WhenAllCooling;
use oauth_marathon::verdict::Kind;
use oauth_marathon_test::{ManualClock, Reply, ScriptedProvider};

use crate::support::stage::{Stage, pass, pool, post, seconds, settings};

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
const NOW: u64 = 784_111_777;

#[tokio::test(start_paused = true)]
async fn a_limited_account_hands_the_same_request_to_the_next_and_cools_at_the_back() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().always("a", Reply::limited(5)));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(5))));
    assert_eq!(stage.order(), ["b", "a"]);
    let [first, second] = &stage.provider.requests()[..] else { panic!("two sends") };
    assert_eq!(
        (first.head.method(), first.head.uri(), &first.body),
        (second.head.method(), second.head.uri(), &second.body)
    );
    assert_eq!(first.body.as_deref(), Some(&b"{\"hello\":1}"[..]));
}

#[tokio::test(start_paused = true)]
async fn one_account_serves_until_it_is_limited() {
    let stage = Stage::new(
        pool(&["a", "b"]),
        ScriptedProvider::new().on("a", [Reply::ok(), Reply::ok()]).always("a", Reply::status(429)),
    );
    for _ in 0..3 {
        assert_eq!(stage.post().await.status, 200);
    }
    assert_eq!(stage.tokens(), ["a", "a", "a", "b"]);
    assert_eq!(stage.order(), ["b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_limited_the_last_answer_comes_back_whole() {
    let limited = |text| Reply::status(429).header("x-who", text).body(text);
    let provider = ScriptedProvider::new().always("a", limited("first")).always("b", limited("last"));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    let answer = stage.post().await;
    assert_eq!(
        (answer.status, answer.body.as_str(), &answer.headers["x-who"]),
        (429, "last", &"last".parse().unwrap())
    );
    assert_eq!((stage.of("a").failures, stage.of("b").failures), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_tried_again_over_the_same_account() {
    let stage =
        Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", [Reply::error(ErrorKind::ConnectionReset)]));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a"]);
    assert_eq!(stage.order(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_date_to_come_back_at_is_kept_to_the_second() {
    let limited = Reply::status(429).header("retry-after", "Sun, 06 Nov 1994 08:49:42 GMT");
    let clock = ManualClock::new(UNIX_EPOCH + seconds(NOW));
    let stage = Stage::new(pool(&["a", "b"]).clock(clock), ScriptedProvider::new().always("a", limited));
    stage.post().await;
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(5))));
}

// Here it is a choice, `whenAllCooling: error`.
#[tokio::test(start_paused = true)]
async fn if_asked_to_it_fails_without_sending_while_all_accounts_are_cooling() {
    let provider = ScriptedProvider::new().always("a", Reply::limited(20)).always("b", Reply::limited(7));
    let settings = settings(|it| it.when_all_cooling = WhenAllCooling::Error);
    let stage = Stage::new(pool(&["a", "b"]).settings(settings), provider);
    assert_eq!(stage.post().await.status, 429);

    let error = stage.refused(post()).await;
    assert_eq!((error.kind(), error.retry_after()), (Failure::AllCooling, Some(seconds(7))));
    assert!(error.to_string().contains("\"openai\" is cooling down; the first one recovers in 7 s"), "{error}");
    assert_eq!(stage.tokens(), ["a", "b"], "nothing more was sent");
}

#[tokio::test(start_paused = true)]
async fn after_a_one_second_limit_the_listed_order_is_swapped_for_good() {
    let stage = Stage::new(pool(&["a", "b"]), ScriptedProvider::new().on("a", [Reply::limited(1)]));
    stage.post().await;
    assert_eq!(stage.order(), ["b", "a"]);
    pass(2).await;
    stage.post().await;
    assert_eq!(stage.tokens(), ["a", "b", "b"]);
    assert_eq!(stage.order(), ["b", "a"]);
    assert!(stage.all_ready());
}

#[tokio::test(start_paused = true)]
async fn a_date_is_measured_by_the_clock_of_the_answer_where_it_says_the_time() {
    let until = "Sun, 06 Nov 1994 08:50:37 GMT";
    let clock = ManualClock::new(UNIX_EPOCH + Duration::from_millis(NOW * 1000 + 700));
    let provider = ScriptedProvider::new()
        .always("a", Reply::status(429).header("retry-after", until))
        .always("b", Reply::status(429).header("retry-after", until).header("date", "Sun, 06 Nov 1994 08:49:57 GMT"));
    let stage = Stage::new(pool(&["a", "b", "c"]).clock(clock), provider);
    stage.post().await;
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, Duration::from_millis(59_300))));
    assert_eq!(stage.cooldown("b"), Some((Kind::Throttled, seconds(40))));
}

// Each failed send counts.
#[tokio::test(start_paused = true)]
async fn a_closed_port_is_tried_as_often_as_the_settings_say_over_each_account() {
    let provider = ScriptedProvider::new().otherwise(Reply::error(ErrorKind::ConnectionRefused));
    let settings = settings(|it| (it.network_retry_attempts, it.max_attempts) = (2, NonZeroU32::new(2)));
    let stage = Stage::new(pool(&["a", "b", "c"]).settings(settings), provider);
    let error = stage.try_send(post()).await.unwrap_err();
    assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(stage.tokens(), ["a", "a", "a", "b", "b", "b"]);
    assert_eq!((stage.of("a").failures, stage.of("b").failures, stage.of("c").failures), (3, 3, 0));
    assert_eq!(stage.order(), ["c", "a", "b"]);
}

// The answer is the last 429.
#[tokio::test(start_paused = true)]
async fn when_all_are_limited_all_cool_and_the_answer_says_so() {
    let provider = ScriptedProvider::new().always("a", Reply::status(429)).always("b", Reply::limited(90));
    let stage = Stage::new(pool(&["a", "b"]), provider);
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.retry_after()), (429, Some("90")));
    assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(30))));
    assert_eq!(stage.cooldown("b"), Some((Kind::Throttled, seconds(90))));
}

// The cooldown is kept, and honoured.
#[tokio::test(start_paused = true)]
async fn a_single_account_cools_as_well() {
    let limited = Reply::limited(60).header("x-request-id", "r1").body("slow down");
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new().on("a", [limited]));
    assert_eq!(stage.post().await.body, "slow down");
    assert_eq!((stage.cooldown("a"), stage.of("a").failures), (Some((Kind::Throttled, seconds(60))), 1));

    pass(45).await;
    let answer = stage.post().await;
    assert_eq!((answer.status, answer.retry_after(), answer.body.as_str()), (429, Some("15"), "slow down"));
    assert_eq!(answer.headers["x-request-id"], "r1");
    assert_eq!(stage.tokens(), ["a"], "nothing was sent to whoever asked to be left alone");

    pass(16).await;
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "a"]);
}
