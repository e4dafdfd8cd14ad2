//! Known secrets go through every kind of failure; none shows in answers, errors, events or logs.

use oauth_marathon::{MarathonLayer, RequestContext};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tower::{Layer, ServiceExt};

use crate::canary::{CANARY, Shown, key, oauth, subscription};
use crate::support::accounts::{keys, post, seconds, settle, wall};
use crate::support::recorder::Recorder;

/// Sends requests through every kind of failure, and prints all results.
async fn ordeal(token_endpoint: (u16, &'static str), statuses: &'static [u16], shown: &mut Shown) {
    let pool = keys(&[]).clock(wall()).token_source(oauth(token_endpoint.0, token_endpoint.1));
    let pool = pool.credentials([subscription(), key()]).build().unwrap();
    let mut events = pool.events();
    // In turn, for longer than the requests take.
    let provider = statuses.iter().cycle().take(100).fold(ScriptedProvider::new(), |provider, status| {
        provider.then(if *status == 0 { Reply::connection_error() } else { Reply::status(*status).body("body") })
    });
    let stack = MarathonLayer::new(pool.clone()).layer(provider);
    for pin in [None, Some("a"), Some("k"), Some("nobody"), None] {
        let context = pin.map_or_else(RequestContext::new, |pin| RequestContext::new().with_pin(pin));
        match context.clone().scope(stack.clone().oneshot(post())).await {
            Ok(answer) => shown.add(&answer),
            Err(error) => shown.add_error(&error),
        }
        shown.add(&context);
        shown.add(&context.attempts());
        tokio::time::advance(seconds(20)).await;
    }
    let mut elsewhere = post();
    *elsewhere.uri_mut() = format!("https://user:{CANARY}@example.org/?key={CANARY}").parse().unwrap();
    shown.add_error(&stack.clone().oneshot(elsewhere).await.unwrap_err());
    drop(tokio_test::task::spawn(stack.clone().oneshot(post())).poll());
    settle().await;
    shown.add(&pool);
    shown.add(&pool.snapshot());
    while let Some(event) = events.try_recv() {
        shown.add_event(&event);
    }
}

#[test]
fn nothing_shows_whatever_happens_to_a_request_also_not_in_logs() {
    const LEAKY: &str =
        r#"{"error":"invalid_grant","error_description":"c4n4ry-refresh is revoked","refresh_token":"c4n4ry-x"}"#;
    const GOOD: &str = r#"{"access_token":"c4n4ry-new","refresh_token":"c4n4ry-newer","expires_in":5}"#;
    let endpoints = [
        (200, GOOD),
        (400, LEAKY),
        (500, LEAKY),
        (200, r#"{"error":"c4n4ry is no code"}"#),
        (200, "c4n4ry is no JSON"),
        (400, r#"{"error":"invalid_client c4n4ry"}"#),
        (200, "{\"access_token\":\"c4n4ry\\nnew\"}"),
    ];
    let recorder = Recorder::default();
    let mut shown = Shown::default();
    recorder.record(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            for endpoint in endpoints {
                for statuses in [&[200][..], &[401], &[403], &[429, 503], &[402, 0], &[500]] {
                    ordeal(endpoint, statuses, &mut shown).await;
                }
            }
        });
    });
    let logged = recorder.lines();
    assert!(
        logged.len() > 100 && shown.0.len() > 1000,
        "{} lines logged, {} values shown",
        logged.len(),
        shown.0.len()
    );
    assert!(
        logged.iter().any(|line| line.contains("a credential is out until a person acts"))
            && logged.iter().any(|line| line.contains("refreshed"))
    );
    shown.0.extend(logged);
    shown.check();
}
