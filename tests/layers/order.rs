//! The layers alone, together, by hand, and in an order that is wrong.

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::Settings;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::{CredentialLayer, OriginGuardLayer};
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::replay::ReplayLayer;
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::pool::Standing;
use oauth_marathon::verdict::{Kind, Verdict};
use oauth_marathon::{Credential, ErrorKind, MarathonLayer, Pool, RequestContext, Secret};
use oauth_marathon_test::{Recorded, Reply, ScriptedProvider};
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::support::accounts::{self, ORIGIN, keys, look, names, post, refusing, settle};

#[tokio::test(start_paused = true)]
async fn each_layer_works_without_a_context_of_another() {
    let pool = keys(&["a"]).build().unwrap();
    let (fine, limited) = (|| refusing(&[]), || ScriptedProvider::new().otherwise(Reply::status(429).body("body")));

    assert_eq!(NotifyLayer::new().layer(limited()).oneshot(post()).await.unwrap().status(), 429);
    assert_eq!(ReplayLayer::default().layer(limited()).oneshot(post()).await.unwrap().status(), 429);
    assert_eq!(OriginGuardLayer::new(pool.clone()).layer(limited()).oneshot(post()).await.unwrap().status(), 429);

    // Without a classifier an answer is an answer.
    let probe = limited();
    let retried = RetryLayer::new(&Settings::default()).layer(probe.clone()).oneshot(post()).await.unwrap();
    assert_eq!((retried.status().as_u16(), probe.counts().calls), (429, 1));
    assert!(RetryLayer::new(&Settings::default()).layer(fine()).oneshot(post()).await.is_ok());

    let judged = ClassifyLayer::new().layer(limited()).oneshot(post()).await.unwrap();
    assert_eq!(judged.extensions().get::<Verdict>().map(Verdict::kind), Some(Kind::Throttled));
    assert_eq!(judged.into_body().collect().await.unwrap().to_bytes(), "body");

    // Unjudged, an answer settles nothing.
    let answered = CredentialLayer::new(pool.clone()).layer(limited()).oneshot(post()).await.unwrap();
    assert_eq!((answered.status().as_u16(), look(&pool, "a").in_flight), (429, 1));
    drop(answered);
    let a = look(&pool, "a");
    assert_eq!((a.in_flight, a.successes, a.failures, a.standing), (0, 0, 0, Standing::Ready));
}

/// What can be seen of one request: the status and body or the error, the attempts, the order and health, the events.
async fn outcome(refuses: &'static [(&'static str, u16)], by_hand: bool) -> String {
    let pool = keys(&["a", "b", "c"]).build().unwrap();
    let mut events = pool.events();
    let probe = refusing(refuses);
    let context = RequestContext::new();
    let answer = if by_hand {
        let stack = ServiceBuilder::new()
            .layer(NotifyLayer::with_notifiers(pool.notifiers().clone()))
            .layer(RetryLayer::for_pool(&pool))
            .layer(CredentialLayer::new(pool.clone()))
            .layer(ClassifyLayer::new())
            .service(probe.clone());
        let answer = context.clone().scope(stack.oneshot(post())).await;
        collect(answer).await
    } else {
        let answer = context.clone().scope(MarathonLayer::new(pool.clone()).layer(probe.clone()).oneshot(post())).await;
        collect(answer).await
    };
    let attempts = context.attempts().into_iter();
    let attempts: Vec<_> = attempts.map(|a| (a.credential, a.verdict.map(|verdict| verdict.to_string()))).collect();
    let snapshot = pool.snapshot().credentials.into_iter();
    let health: Vec<_> = snapshot.map(|c| (c.id, c.successes, c.failures, c.in_flight, c.last_status)).collect();
    format!("{answer}\n{attempts:?}\n{health:?}\n{:?}\n{}", names(&mut events), probe.counts().calls)
}

async fn collect<B>(answer: Result<Response<B>, oauth_marathon::BoxError>) -> String
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    match answer {
        Ok(answer) => {
            let (status, reported) = (answer.status(), RequestContext::of(answer.extensions()).is_some());
            let body = answer.into_body().collect().await.map_err(|_| ()).unwrap().to_bytes();
            format!("{status} {body:?} reported: {reported}")
        }
        Err(error) => format!("error: {error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_facade_does_what_the_layers_put_together_by_hand_do() {
    let cases: [&[(&str, u16)]; 8] = [
        &[],
        &[("a", 429)],
        &[("a", 401), ("b", 402)],
        &[("a", 403), ("b", 403)],
        &[("a", 500), ("b", 503)],
        &[("a", 0)],
        &[("a", 0), ("b", 0), ("c", 0)],
        &[("a", 429), ("b", 429), ("c", 429)],
    ];
    let mut seen = std::collections::HashSet::new();
    for refuses in cases {
        let facade = outcome(refuses, false).await;
        assert_eq!(facade, outcome(refuses, true).await, "{refuses:?}");
        assert!(seen.insert(facade), "{refuses:?} shows nothing of its own");
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_credential_above_the_loop_a_request_keeps_its_credential_and_the_next_one_moves_on() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let probe = refusing(&[("a", 429)]);
    let wrong = ServiceBuilder::new()
        .layer(CredentialLayer::new(pool.clone()))
        .layer(RetryLayer::new(&Settings::default()))
        .layer(ClassifyLayer::new())
        .service(probe.clone());
    assert_eq!(wrong.clone().oneshot(post()).await.unwrap().status(), 429);
    assert!(matches!(look(&pool, "a").standing, Standing::Cooling { .. }));
    assert_eq!(wrong.oneshot(post()).await.unwrap().status(), 200);
    assert_eq!(probe.counts().calls, 2);
}

#[tokio::test(start_paused = true)]
async fn with_the_classifier_above_the_credential_failures_are_returned_and_teach_the_pool_nothing() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let probe = refusing(&[("a", 429)]);
    let wrong = ServiceBuilder::new()
        .layer(RetryLayer::new(&Settings::default()))
        .layer(ClassifyLayer::new())
        .layer(CredentialLayer::new(pool.clone()))
        .service(probe.clone());
    for _ in 0..2 {
        assert_eq!(wrong.clone().oneshot(post()).await.unwrap().status(), 429);
    }
    let a = look(&pool, "a");
    assert_eq!((a.standing, a.failures, a.in_flight, probe.counts().calls), (Standing::Ready, 0, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn redirects_above_the_stack_are_requests_of_their_own() {
    use tower_http::follow_redirect::FollowRedirectLayer;
    use tower_http::follow_redirect::policy::Limited;

    let script = |request: &Recorded| {
        let (path, token) = (request.head.uri().path(), request.token());
        let to = match path {
            "/v1/chat" => "/v2/chat",
            "/v2/chat" => "https://elsewhere.example.org/v3",
            _ => return token.map(|_| Reply::status(500)),
        };
        // The first account is limited at the first place only.
        let status = if token == Some("a") && path == "/v1/chat" { 429 } else { 307 };
        Some(Reply::status(status).header("location", to).body("moved"))
    };
    for (passes, calls) in [(true, 4), (false, 3)] {
        let pool = keys(&["a", "b"]).build().unwrap();
        let probe = ScriptedProvider::new().answering(script);
        let stack = ServiceBuilder::new()
            .layer(FollowRedirectLayer::with_policy(Limited::new(5)))
            .layer(MarathonLayer::new(pool.clone()).pass_other_origins(passes))
            .service(probe.clone());
        // A body that is not empty is not sent on by the redirect layer.
        let request = Request::get("https://api.example.com/v1/chat").body(Full::<bytes::Bytes>::default()).unwrap();
        let outcome = stack.oneshot(request).await;
        assert_eq!(probe.counts().calls, calls, "429, two redirects, and the other origin if it may be asked");
        match outcome {
            Ok(answer) => assert!(passes && answer.status() == 200),
            Err(error) => {
                assert!(!passes);
                assert_eq!(oauth_marathon::Error::find(&*error).unwrap().kind(), ErrorKind::ForeignOrigin);
            }
        }
        assert_eq!(accounts::in_flight(&pool), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_usual_layers_of_others_stand_above_and_below() {
    use tower::timeout::TimeoutLayer;
    use tower_http::trace::TraceLayer;

    let pool = keys(&["a", "b"]).build().unwrap();
    let probe = refusing(&[("a", 429)]);
    let stack = ServiceBuilder::new()
        .layer(TimeoutLayer::new(accounts::seconds(5)))
        .layer(TraceLayer::new_for_http())
        .layer(MarathonLayer::new(pool.clone()))
        .layer(TraceLayer::new_for_http())
        .service(probe.clone());
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);

    // A timeout above is a caller that goes away.
    let stuck = ScriptedProvider::new().otherwise(Reply::pending());
    let mut events = pool.events();
    let stack = ServiceBuilder::new().layer(TimeoutLayer::new(accounts::seconds(5)));
    let stack = stack.layer(MarathonLayer::new(pool.clone())).service(stuck.clone());
    assert!(stack.oneshot(post()).await.unwrap_err().is::<tower::timeout::error::Elapsed>());
    settle().await;
    assert_eq!((stuck.counts().cancelled, names(&mut events)), (1, vec!["canceled"]));
}

#[tokio::test(start_paused = true)]
async fn a_stack_inside_a_stack_keeps_a_log_of_its_own() {
    let outer_pool = keys(&["a", "b"]).build().unwrap();
    let key = |id: &str| Credential::new(id, Secret::new(id)).header("x-inner");
    let inner_pool = Pool::builder("inner").origin(ORIGIN).credentials([key("x"), key("y")]).build().unwrap();
    let probe = ScriptedProvider::reading("x-inner".parse().unwrap()).on("x", [Reply::status(429)]);
    let stack = ServiceBuilder::new()
        .layer(MarathonLayer::new(outer_pool.clone()))
        .layer(MarathonLayer::new(inner_pool.clone()))
        .service(probe);
    let context = RequestContext::new();
    assert_eq!(context.clone().scope(stack.oneshot(post())).await.unwrap().status(), 200);
    let used: Vec<_> = context.attempts().into_iter().map(|attempt| attempt.credential.unwrap()).collect();
    assert_eq!(used, ["a"], "the caller sees the attempts of the stack that it called");
    assert_eq!((look(&outer_pool, "a").successes, look(&outer_pool, "a").failures), (1, 0));
    assert_eq!((look(&inner_pool, "x").failures, look(&inner_pool, "y").successes), (1, 1));
}
