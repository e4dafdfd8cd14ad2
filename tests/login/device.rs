//! The device grant by the clock: pauses, `slow_down`, expiry, failing servers. Time is paused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oauth_marathon::tokens::login::{LoggedIn, LoginError, LoginErrorKind, Progress};
use oauth_marathon_test::Reply;

use crate::support::login::{Script, says, value};

const DEVICE: &str = r#"{"device_code":"dc","user_code":"AB-CD","verification_uri":"https://auth.example.com/confirm",
    "expires_in":900,"interval":5}"#;
const PENDING: &str = r#"{"error":"authorization_pending"}"#;
const SLOW: &str = r#"{"error":"slow_down"}"#;
const TOKENS: &str = r#"{"access_token":"at","refresh_token":"rt","token_type":"bearer","user_id":"u1"}"#;

/// Runs a login to its end; also when the token endpoint was asked, in seconds from the start.
async fn run(acts: impl IntoIterator<Item = Reply>) -> (Result<LoggedIn, LoginError>, Vec<u64>, Vec<Progress>) {
    run_with(DEVICE, acts).await
}

async fn run_with(
    device: &str,
    acts: impl IntoIterator<Item = Reply>,
) -> (Result<LoggedIn, LoginError>, Vec<u64>, Vec<Progress>) {
    let script = Script::new([says(200, device)].into_iter().chain(acts));
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let login = script.login().on_progress(move |step| seen.lock().unwrap().push(step.clone()));
    let outcome = login.by_device().await.unwrap().finish().await;
    let polls = script.asked().iter().filter(|asked| asked.path == "/token").map(|asked| asked.at.as_secs()).collect();
    let steps = steps.lock().unwrap().clone();
    (outcome, polls, steps)
}

#[tokio::test(start_paused = true)]
async fn the_requests_are_those_of_the_rfc() {
    let script = Script::new([says(200, DEVICE), says(400, PENDING), says(200, TOKENS)]);
    let login = script.login().parameter("audience", "api").by_device().await.unwrap();
    assert_eq!((login.user_code(), login.verification_uri()), ("AB-CD", "https://auth.example.com/confirm"));
    assert_eq!((login.verification_uri_complete(), login.time_left()), (None, Duration::from_secs(900)));
    let logged_in = login.finish().await.unwrap();
    assert_eq!((logged_in.tokens.access().expose(), logged_in.subject.as_deref()), ("at", Some("u1")));
    let asked = script.asked();
    assert_eq!(asked[0].path, "/device");
    assert_eq!(value(&asked[0].body, "client_id").unwrap(), "my-client");
    assert_eq!(value(&asked[0].body, "scope").unwrap(), "openid offline_access");
    assert_eq!(value(&asked[0].body, "audience").unwrap(), "api");
    for poll in &asked[1..] {
        assert_eq!(value(&poll.body, "grant_type").unwrap(), "urn:ietf:params:oauth:grant-type:device_code");
        assert_eq!(value(&poll.body, "device_code").unwrap(), "dc");
        assert_eq!(value(&poll.body, "client_id").unwrap(), "my-client");
        assert_eq!(poll.headers["accept"], "application/json");
    }
    assert_eq!(asked.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_secret_goes_where_it_is_wanted() {
    let acts = || [says(200, DEVICE), says(200, TOKENS)];
    let script = Script::new(acts());
    script.login().client_secret("s+1").by_device().await.unwrap().finish().await.unwrap();
    for asked in script.asked() {
        // my-client:s%2B1
        assert_eq!(asked.headers["authorization"], "Basic bXktY2xpZW50OnMlMkIx");
        assert!(asked.headers["authorization"].is_sensitive() && !asked.body.contains("client_secret"));
    }
    let script = Script::new(acts());
    script.login().client_secret("s+1").client_secret_in_body().by_device().await.unwrap().finish().await.unwrap();
    assert!(script.asked().iter().all(|asked| asked.body.contains("client_secret=s%2B1")));
}

#[tokio::test(start_paused = true)]
async fn slow_down_makes_all_later_pauses_longer() {
    let acts = [says(400, PENDING), says(400, SLOW), says(400, PENDING), says(400, SLOW), says(400, PENDING)];
    let (outcome, polls, steps) = run(acts.into_iter().chain([says(200, TOKENS)])).await;
    outcome.unwrap();
    // 5, 5, then 10, 10, then 15, 15.
    assert_eq!(polls, [5, 10, 20, 30, 45, 60]);
    let seconds = Duration::from_secs;
    assert_eq!(steps[0], Progress::Waiting { at_most: seconds(900) });
    assert_eq!(
        steps[1..3],
        [Progress::Pending { next_in: seconds(5) }, Progress::SlowedDown { interval: seconds(10) }]
    );
}

#[tokio::test(start_paused = true)]
async fn github_says_it_with_200_and_names_the_interval() {
    let slow = r#"{"error":"slow_down","error_description":"Too many requests","interval":17}"#;
    let (outcome, polls, _) = run([says(200, PENDING), says(200, slow), says(200, PENDING), says(200, TOKENS)]).await;
    outcome.unwrap();
    assert_eq!(polls, [5, 10, 27, 44]);
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_it_is_five_seconds() {
    let device =
        r#"{"device_code":"dc","user_code":"AB","verification_uri":"https://auth.example.com/c","expires_in":60}"#;
    let (outcome, polls, _) = run_with(device, [says(400, PENDING), says(200, TOKENS)]).await;
    outcome.unwrap();
    assert_eq!(polls, [5, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_the_person_or_the_server_ends_is_over() {
    for (answer, kind, code) in [
        (says(400, r#"{"error":"access_denied"}"#), LoginErrorKind::Denied, "access_denied"),
        (says(200, r#"{"error":"access_denied"}"#), LoginErrorKind::Denied, "access_denied"),
        (says(400, r#"{"error":"expired_token"}"#), LoginErrorKind::Expired, "expired_token"),
        (says(401, r#"{"error":"invalid_client"}"#), LoginErrorKind::Refused, "invalid_client"),
        (says(200, r#"{"error":"incorrect_device_code"}"#), LoginErrorKind::Refused, "incorrect_device_code"),
    ] {
        let (outcome, polls, _) = run([says(400, PENDING), answer]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.code(), polls.len()), (kind, Some(code), 2), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn once_the_code_has_expired_nothing_is_asked() {
    let device = DEVICE.replace("900", "60").replace('5', "25");
    let (outcome, polls, _) = run_with(&device, [says(400, PENDING), says(400, PENDING)]).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), polls), (LoginErrorKind::Expired, vec![25, 50]));
    assert!(std::error::Error::source(&error).is_none());
}

#[tokio::test(start_paused = true)]
async fn trouble_is_waited_out_with_longer_pauses_which_end_with_the_trouble() {
    let acts = [
        Reply::connection_error(),
        Reply::pending(),
        says(502, "<html>bad gateway</html>"),
        says(200, "<html>maintenance</html>"),
        Reply::status(503).header("retry-after", "90"),
        says(400, PENDING),
        says(200, TOKENS),
    ];
    let (outcome, polls, steps) = run(acts).await;
    outcome.unwrap();
    // Pauses of 5, 10, 20 (after 30 for the answer that did not come), 40, 60, 90, and then 5 again.
    assert_eq!(polls, [5, 15, 65, 105, 165, 255, 260]);
    let troubles = steps.iter().filter(|step| matches!(step, Progress::Trouble { .. })).count();
    assert_eq!(troubles, 5, "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn trouble_to_the_end_is_the_source_of_the_expiry() {
    let device = DEVICE.replace("900", "60");
    let (outcome, polls, _) =
        run_with(&device, [Reply::connection_error(), Reply::connection_error(), says(500, "")]).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), polls), (LoginErrorKind::Expired, vec![5, 15, 35]));
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("500"), "{source}");
}

#[tokio::test(start_paused = true)]
async fn trouble_that_has_passed_is_not_the_source_of_the_expiry() {
    let device = DEVICE.replace("900", "60").replace('5', "10");
    for (later, expected) in
        [(vec![says(400, PENDING); 3], vec![10, 30, 40, 50]), (vec![says(400, SLOW); 2], vec![10, 30, 45])]
    {
        let (outcome, polls, _) = run_with(&device, [Reply::connection_error()].into_iter().chain(later)).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), polls), (LoginErrorKind::Expired, expected));
        assert!(std::error::Error::source(&error).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_dropped_asks_no_more() {
    let script = Script::new([says(200, DEVICE), says(400, PENDING)]);
    let finish = script.login().by_device().await.unwrap().finish();
    assert!(tokio::time::timeout(Duration::from_secs(7), finish).await.is_err());
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_device_code_that_is_not_given_is_an_error_at_once() {
    for (act, kind) in [
        (says(400, r#"{"error":"unauthorized_client"}"#), LoginErrorKind::Refused),
        (says(200, r#"{"error":"device_flow_disabled"}"#), LoginErrorKind::Refused),
        (says(503, ""), LoginErrorKind::Unreachable),
        (Reply::pending(), LoginErrorKind::Unreachable),
        (Reply::connection_error(), LoginErrorKind::Unreachable),
    ] {
        let script = Script::new([act]);
        assert_eq!(script.login().by_device().await.unwrap_err().kind(), kind);
        assert_eq!(script.asked().len(), 1);
    }
}
