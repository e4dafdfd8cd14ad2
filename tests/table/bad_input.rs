//! Input that is wrong gets a clear error or the documented default; nothing is lost, and nothing panics.

use std::time::UNIX_EPOCH;

use http::Request;
use http_body_util::Full;
use oauth_marathon::clock::WallClock;
use oauth_marathon::config::OpencodeConfig;
use oauth_marathon::pool::PoolBuilder;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::verdict::Kind;
use oauth_marathon::{Credential, ErrorKind, Pool, RequestContext, Secret, TokenSet};
use oauth_marathon_test::{Grant, ManualClock, Reply, ScriptedProvider, ScriptedTokens};

use crate::support::stage::{self, Stage, key, login, pass, pool, post, seconds, settings, under};

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
const NOW: i64 = 784_111_777;
const TWO_YEARS: i64 = 2 * 365 * 24 * 3_600;

/// A wall clock that is wrong by so many seconds.
fn wall(wrong_by: i64) -> ManualClock {
    ManualClock::new(UNIX_EPOCH + seconds((NOW + wrong_by).unsigned_abs()))
}

/// What is wrong with a pool: all that the error is to say.
fn wrong(pool: PoolBuilder, words: &[&str]) {
    let error = pool.build().expect_err("a mistake");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}

#[test]
fn a_wrong_origin_is_named_with_what_would_be_right() {
    let at = |origin: &str| Pool::builder("openai").origin(origin).credential(login("a"));
    wrong(Pool::builder("openai").credential(login("a")), &["\"openai\" has no origin", "PoolBuilder::origin"]);
    wrong(at("https://api.example.com/v1"), &["has a path or a query", "write \"https://api.example.com\""]);
    wrong(at("https://api.example.com?tenant=1"), &["has a path or a query"]);
    wrong(at("http://api.example.com"), &["origin of \"openai\"", "https"]);
    wrong(at("http://127.0.0.1.example.com"), &["https"]);
    wrong(at("https://me:s3cret@api.example.com"), &["user name or password"]);
    wrong(at("api.example.com"), &["not an absolute http or https URL"]);
    wrong(at("ftp://api.example.com"), &["not an absolute http or https URL"]);
    wrong(at(""), &["is not a URL"]);
    for fine in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "HTTPS://API.example.com:443"] {
        at(fine).build().unwrap();
    }
}

#[test]
fn a_wrong_credential_is_named_and_its_secret_is_not() {
    let with = |credential: Credential| pool(&[]).credential(credential);
    let token = |token: &str| with(Credential::new("work", TokenSet::new(token)));
    wrong(token(""), &["\"work\"", "is empty"]);
    wrong(token("s3cret\n"), &["\"work\"", "white space"]);
    wrong(token(" s3cret"), &["white space"]);
    wrong(token("s3cret\r\nhost: evil.example.com"), &["line breaks"]);
    wrong(token("s3cret\u{0}"), &["control characters"]);
    wrong(token("s3crét s3cret"), &["non-ASCII"]);
    let key = || Credential::new("work", Secret::new("s3cret"));
    wrong(with(key().header("x api key")), &["\"x api key\" is not a header name"]);
    wrong(with(key().header("content-length")), &["content-length", "use another one"]);
    wrong(with(key().scheme("Be\r\narer")), &["scheme"]);
    wrong(with(key().extra_header("x-account", "s3cret\n")), &["\"x-account\"", "white space"]);
    wrong(with(key().header("x-key").extra_header("X-Key", "s3cret")), &["\"x-key\"", "leave it out"]);
    wrong(with(key().base_url("http://proxy.example.com")), &["base URL of credential \"work\"", "https"]);
    wrong(with(Credential::new("", Secret::new("s3cret"))), &["the id is empty"]);
    wrong(pool(&["a", "b", "a"]), &["\"a\" is given twice", "Pool::update"]);
}

#[test]
fn a_wrong_setting_is_named_with_what_would_be_right() {
    let year = seconds(365 * 24 * 3_600);
    wrong(
        pool(&["a"]).settings(settings(|it| it.attempt_timeout = Some(seconds(0)))),
        &["attemptTimeoutMs", "from 1 to 86400000, or null"],
    );
    wrong(pool(&["a"]).settings(settings(|it| it.max_wait = year)), &["maxWaitMs", "from 0 to 86400000"]);
    wrong(
        pool(&["a"]).settings(settings(|it| it.rate_limit_cooldown = year)),
        &["rateLimitCooldownMs", "maxCooldownMs"],
    );
    wrong(
        pool(&["a"]).token_source(OAuth2::<_, Full<bytes::Bytes>>::new(
            "http://auth.example.com/token",
            "id",
            ScriptedProvider::new(),
        )),
        &["http://auth.example.com", "https"],
    );

    for (oauth, words) in [
        (r#"{"maxAttempts": 0}"#, &["maxAttempts"][..]),
        (r#"{"maxAttempts": "two"}"#, &["maxAttempts"]),
        (r#"{"rateLimitCooldownMs": -1}"#, &["rateLimitCooldownMs"]),
        (r#"{"rateLimitCooldown": 1}"#, &["rateLimitCooldown", "rateLimitCooldownMs"]),
        (r#"{"whenAllCooling": "hope"}"#, &["whenAllCooling", "wait"]),
        (r#"{"attemptTimeoutMs": 0}"#, &["attemptTimeoutMs", "from 1 to 86400000, or null"]),
        (r#"{"rateLimitCooldownMs": 0}"#, &["rateLimitCooldownMs", "from 1000 to"]),
    ] {
        let text = format!(r#"{{"provider": {{"openai": {{"oauth": {oauth}}}}}}}"#);
        let error = OpencodeConfig::parse(&text, "opencode.json").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        for word in ["opencode.json", "openai"].iter().chain(words) {
            assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_served_is_refused_and_nothing_is_sent() {
    let to = |uri: &str| Request::post(uri).body(Full::default()).expect("well-formed");
    let stage = Stage::new(pool(&["a"]), ScriptedProvider::new());
    for (request, kind, words) in [
        (under(&RequestContext::new().with_pin(""), post()), ErrorKind::UnknownCredential, "[\"a\"]"),
        (to("https://evil.example.com/v1"), ErrorKind::ForeignOrigin, "PoolBuilder::origin"),
        (to("https://api.example.com.evil.com/"), ErrorKind::ForeignOrigin, "api.example.com.evil.com"),
        (to("https://api.example.com:8443/"), ErrorKind::ForeignOrigin, ":8443"),
        (to("http://api.example.com/"), ErrorKind::ForeignOrigin, "http://api.example.com,"),
        (to("https://me:s3cret@evil.example.com/"), ErrorKind::ForeignOrigin, "evil.example.com"),
        (to("/v1/chat"), ErrorKind::ForeignOrigin, "not absolute"),
    ] {
        let error = stage.refused(request).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words) && !error.to_string().contains("s3cret"), "{error}");
    }
    let empty = Stage::new(pool(&[]), ScriptedProvider::new());
    assert_eq!(empty.refused(post()).await.kind(), ErrorKind::NoCredential);
    assert!(stage.tokens().is_empty() && empty.tokens().is_empty());
    assert!(stage.all_ready() && stage.of("a").failures == 0);
}

#[tokio::test(start_paused = true)]
async fn every_shape_of_retry_after_is_a_time_or_the_default() {
    let (default, shortest) = (Some(30_000), Some(1_000));
    for (value, cooldown) in [
        ("5", Some(5_000)),
        ("  7 ", Some(7_000)),
        ("+3", default),
        ("1.5", Some(1_500)),
        ("5, 10", Some(10_000)),
        ("99999999999999999999999", Some(691_200_000)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
        ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10_000)),
        ("Sun Nov  6 08:49:47 1994", Some(10_000)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(691_200_000)),
        ("Sun, 06 Nov 1994 08:49:27 GMT", shortest),
        ("0", shortest),
        ("-5", default),
        ("", default),
        ("soon", default),
        ("1e3", default),
        ("inf", default),
        ("NaN", default),
        ("0x10", default),
        ("5s", default),
        ("1994-11-06T08:49:47Z", default),
        ("Sun, 32 Nov 1994 08:49:47 GMT", default),
        ("é", default),
    ] {
        assert_eq!(cool_after(Reply::status(429).header("retry-after", value)).await, cooldown, "{value:?}");
    }
    let both = |first, second| Reply::status(429).header("retry-after", first).header("retry-after", second);
    assert_eq!(cool_after(both("soon", "6")).await, Some(6_000));
    let finer = |ms, s| Reply::status(429).header("retry-after-ms", ms).header("retry-after", s);
    assert_eq!(cool_after(finer("1500", "2")).await, Some(1_500));
    assert_eq!(cool_after(finer("soon", "2")).await, Some(2_000));
    assert_eq!(cool_after(Reply::status(429)).await, default);
}

/// For how many milliseconds an account cools after this answer; the request goes on with another one.
async fn cool_after(reply: Reply) -> Option<u128> {
    let stage = Stage::new(pool(&["a", "b"]).clock(wall(0)), ScriptedProvider::new().always("a", reply));
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a", "b"]);
    assert_eq!(stage.order(), ["b", "a"]);
    stage.cooldown("a").map(|(cause, cooldown)| {
        assert_eq!(cause, Kind::Throttled);
        cooldown.as_millis()
    })
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_moves_no_cooldown_and_no_expiry() {
    for jump in [TWO_YEARS, -TWO_YEARS] {
        let clock = wall(0);
        let tokens = ScriptedTokens::new();
        let expiry = clock.now() + seconds(1_000);
        let a = TokenSet::new("a").with_refresh("refresh-a").expires_at(expiry);
        let provider = ScriptedProvider::new().on("a", [Reply::limited(60)]);
        let accounts = pool(&[]).credentials([Credential::new("a", a), key("k")]);
        let stage = Stage::new(accounts.token_source(tokens.clone()).clock(clock.clone()), provider);
        stage.post().await;
        clock.set(wall(jump).now());
        assert_eq!(stage.cooldown("a"), Some((Kind::Throttled, seconds(60))));
        pass(59).await;
        assert!(stage.cooldown("a").is_some());
        pass(1).await;
        stage.provider.set("k", Reply::status(429));
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.tokens(), ["a", "k", "k", "a"]);
        assert!(tokens.asked().is_empty(), "the token still has its life");

        pass(900).await;
        stage.post().await;
        assert_eq!(stage.tokens().last().unwrap(), "a", "a good token is used while it is refreshed");
        pass(1).await;
        stage.post().await;
        assert_eq!(stage.tokens().last().unwrap(), "a+", "and is refreshed at its time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_wrong_makes_of_a_date_the_shortest_cooldown_or_the_longest_unless_the_answer_says_the_time()
 {
    let until = || Reply::status(429).header("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
    let dated = || until().header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (jump, undated) in [(TWO_YEARS, seconds(1)), (-TWO_YEARS, seconds(8 * 24 * 3_600))] {
        let provider = ScriptedProvider::new().always("a", until()).always("b", dated());
        let stage = Stage::new(pool(&["a", "b", "c"]).clock(wall(jump)), provider);
        assert_eq!(stage.post().await.status, 200);
        assert_eq!(stage.cooldown("a").map(|(_, cooldown)| cooldown), Some(undated));
        assert_eq!(stage.cooldown("b"), Some((Kind::Throttled, seconds(60))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_yields_a_malformed_token_is_an_error_and_loses_no_refresh_token() {
    let malformed = TokenSet::new("a\n").with_refresh("refresh-a+");
    let good = TokenSet::new("a+").with_refresh("refresh-a++");
    let tokens = ScriptedTokens::new().on("a", [Grant::tokens(malformed), Grant::tokens(good)]);
    let stage = Stage::new(pool(&["a"]).token_source(tokens.clone()), ScriptedProvider::new());
    let mut events = stage.pool.events();
    assert!(stage.pool.invalidate("a", stage.of("a").generation));
    let error = stage.refused(post()).await;
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Refresh, Some(seconds(30))));
    assert!(error.to_string().contains("credential \"a\": its token begins or ends with white space"), "{error}");
    assert_eq!(stage::names(&mut events), ["refresh_failed", "cooling_down", "exhausted"]);

    pass(30).await;
    assert_eq!(stage.post().await.status, 200);
    assert_eq!(stage.tokens(), ["a+"]);
    let updated = stage.pool.update_by_refresh_token(&Secret::new("refresh-a++"), TokenSet::new("a2"));
    assert_eq!(updated.unwrap(), "a");
    assert_eq!(tokens.spent(), ["refresh-a", "refresh-a+"], "the second was made with what the first one had yielded");
}
