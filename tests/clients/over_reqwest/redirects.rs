//! Redirects that reqwest follows by itself, and those that a layer above follows: no credential reaches another origin.

use http::Request;
use oauth_marathon::clients::reqwest::{MarathonMiddleware, RequestBody, ReqwestLayer, redirect_policy};
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, RequestContext, Secret};
use reqwest::redirect::Policy;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

use crate::support::loopback::{self, Loopback, log, redirect, status};
use crate::support::recorder::Recorder;

const CODES: [u16; 5] = [301, 302, 303, 307, 308];

/// A server that redirects `/302/x` with 302 to `/x` of the place that the header `x-to` names, and answers all else.
async fn server() -> Loopback {
    Loopback::start(|seen| async move {
        match seen.path[1..].split_once('/') {
            Some((code, path)) => redirect(code.parse().unwrap(), &format!("{}/{path}", seen.header("x-to"))),
            None => status(200, "arrived"),
        }
    })
    .await
}

/// Sent in headers of its own, which reqwest takes for anyone's.
fn key() -> Credential {
    Credential::new("key", Secret::new("s3cret-key")).header("x-api-key").extra_header("x-account", "s3cret-account")
}

fn pool(origins: &[&Loopback], credential: Credential) -> Pool {
    let builder = Pool::builder("test").credential(credential);
    origins.iter().fold(builder, |builder, server| builder.origin(server.origin())).build().unwrap()
}

/// The paths that were asked for with a credential, and those without.
fn paths(server: &Loopback) -> (Vec<String>, Vec<String>) {
    let has_secret =
        |headers: &http::HeaderMap| headers.values().any(|value| value.to_str().unwrap().contains("s3cret"));
    let (with, without): (Vec<_>, Vec<_>) = server.seen().into_iter().partition(|seen| has_secret(&seen.headers));
    let paths = |seen: Vec<loopback::Seen>| seen.into_iter().map(|seen| seen.path).collect();
    (paths(with), paths(without))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Middleware,
    Adapter,
    /// reqwest runs in a task of its own, which knows nothing of the call.
    Spawned,
}

const WAYS: [Way; 3] = [Way::Middleware, Way::Adapter, Way::Spawned];

/// Posts `hello` to `/code/x`, which redirects to `/x` of `to`, and says what status came back.
async fn post(way: Way, pool: &Pool, policy: Policy, at: &Loopback, code: u16, to: &str) -> Result<u16, BoxError> {
    let client = reqwest::Client::builder().redirect(policy).build()?;
    let url = at.url(&format!("/{code}/x"));
    let request = Request::post(&url).header("x-to", to).body(RequestBody::from("hello"))?;
    let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).layer(ReqwestLayer::new());
    let status = match way {
        Way::Middleware => {
            let middleware = MarathonMiddleware::from(pool.clone());
            let client = reqwest_middleware::ClientBuilder::new(client).with(middleware).build();
            client.post(&url).header("x-to", to).body("hello").send().await?.status()
        }
        Way::Adapter => stack.service(client).oneshot(request).await?.status(),
        Way::Spawned => {
            let spawned = tower::service_fn(move |request: reqwest::Request| {
                let task = tokio::spawn(client.execute(request));
                async { Ok::<_, BoxError>(task.await??) }
            });
            stack.service(spawned).oneshot(request).await?.status()
        }
    };
    Ok(status.as_u16())
}

#[tokio::test]
async fn with_our_policy_another_port_scheme_or_host_gets_no_request_at_all() -> Result<(), BoxError> {
    for way in WAYS {
        for code in CODES {
            let (provider, elsewhere) = (server().await, server().await);
            let pool = pool(&[&provider], key());
            let port = provider.address.port();
            let others = [elsewhere.origin(), format!("https://127.0.0.1:{port}"), format!("http://localhost:{port}")];
            for to in others {
                let policy = redirect_policy(&pool);
                assert_eq!(post(way, &pool, policy, &provider, code, &to).await?, code, "{way:?}: {code} to {to}");
            }
            assert!(elsewhere.seen().is_empty(), "{way:?}: {code}");
            let asked = format!("/{code}/x");
            assert_eq!(paths(&provider), (vec![asked; 3], vec![]), "{way:?}: {code}");
        }
    }
    Ok(())
}

/// Should reqwest ever learn to remove them, the page of the module can be shorter.
#[tokio::test]
async fn without_it_reqwest_takes_our_own_headers_along_and_authorization_not() -> Result<(), BoxError> {
    for code in CODES {
        let (provider, elsewhere) = (server().await, server().await);
        let keyed = pool(&[&provider], key());
        post(Way::Middleware, &keyed, Policy::default(), &provider, code, &elsewhere.origin()).await?;
        assert_eq!(paths(&elsewhere), (vec!["/x".to_owned()], vec![]), "{code}: x-api-key");
        let bearer = pool(&[&provider], Credential::new("bearer", Secret::new("s3cret")));
        post(Way::Middleware, &bearer, Policy::default(), &provider, code, &elsewhere.origin()).await?;
        assert_eq!(paths(&elsewhere).1, ["/x"], "{code}: authorization");
    }
    Ok(())
}

/// The lines about one origin, from INFO up.
fn traced(recorder: &Recorder, origin: &str) -> Vec<String> {
    let level = |line: &str| line.split(' ').nth(1).is_some_and(|level| ["ERROR", "WARN", "INFO"].contains(&level));
    recorder.lines().into_iter().filter(|line| level(line) && line.contains(origin)).collect()
}

#[test]
fn a_client_that_goes_elsewhere_by_itself_is_told_about_and_one_that_does_not_is_not() {
    let recorder = Recorder::default();
    recorder.record(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(goes_elsewhere(&recorder)).unwrap();
    });
}

async fn goes_elsewhere(recorder: &Recorder) -> Result<(), BoxError> {
    for way in [Way::Middleware, Way::Adapter] {
        let (provider, elsewhere) = (server().await, server().await);
        let pool = pool(&[&provider], key());
        post(way, &pool, redirect_policy(&pool), &provider, 302, &elsewhere.origin()).await?;
        post(way, &pool, Policy::default(), &provider, 302, "").await?;
        assert_eq!(traced(recorder, &elsewhere.origin()), [""; 0], "{way:?}");
        post(way, &pool, Policy::default(), &provider, 302, &elsewhere.origin()).await?;
        let told = traced(recorder, &elsewhere.origin());
        assert_eq!(told.len(), 1, "{way:?}: {told:?}");
        assert!(told[0].contains(" WARN ") && told[0].contains("redirect_policy"), "{way:?}: {told:?}");
        assert!(!told[0].contains("s3cret"), "{way:?}: {told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn within_an_origin_reqwest_follows_as_ever_with_the_credential_and_the_body() -> Result<(), BoxError> {
    for way in WAYS {
        for code in CODES {
            let provider = server().await;
            let pool = pool(&[&provider], key());
            assert_eq!(post(way, &pool, redirect_policy(&pool), &provider, code, "").await?, 200, "{way:?}: {code}");
            assert_eq!(paths(&provider).0, [format!("/{code}/x"), "/x".to_owned()], "{way:?}: {code}");
            let body = if [307, 308].contains(&code) { "hello" } else { "" };
            assert_eq!(provider.seen()[1].body, body, "{way:?}: {code}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn from_one_origin_of_the_pool_to_another_it_follows_where_the_call_is_known() -> Result<(), BoxError> {
    for (way, expected) in [(Way::Middleware, 200), (Way::Adapter, 200), (Way::Spawned, 307)] {
        let (one, other) = (server().await, server().await);
        let pool = pool(&[&one, &other], key());
        assert_eq!(post(way, &pool, redirect_policy(&pool), &one, 307, &other.origin()).await?, expected, "{way:?}");
        assert_eq!(paths(&other).0.len(), usize::from(expected == 200), "{way:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_with_a_base_url_stays_there_even_if_others_of_the_pool_may_go() -> Result<(), BoxError> {
    for way in WAYS {
        let (provider, base) = (server().await, server().await);
        let pool = pool(&[&provider], key().base_url(base.origin()));
        let policy = || redirect_policy(&pool);
        assert_eq!(post(way, &pool, policy(), &provider, 307, &provider.origin()).await?, 307, "{way:?}");
        assert!(provider.seen().is_empty(), "{way:?}");
        assert_eq!(post(way, &pool, policy(), &provider, 307, "").await?, 200, "{way:?}");
        assert_eq!(paths(&base).0, ["/307/x", "/307/x", "/x"], "{way:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_loop_of_redirects_is_an_error_of_the_request_and_not_tried_with_the_next_account() -> Result<(), BoxError> {
    let provider = Loopback::start(|_| async { redirect(307, "/again") }).await;
    let pool = provider.pool(&["work", "home"]);
    let client = reqwest::Client::builder().redirect(redirect_policy(&pool)).build()?;
    let client = reqwest_middleware::ClientBuilder::new(client).with(MarathonMiddleware::from(pool)).build();
    let context = RequestContext::new();
    let sent = client.get(provider.url("/")).with_extension(context.clone()).send().await;
    let error = sent.expect_err("a loop");
    assert!(error.is_redirect(), "{error:?}");
    assert_eq!(log(&context), ["work: request refused"]);
    assert_eq!(provider.tokens(), vec!["work"; 11]);
    Ok(())
}

#[tokio::test]
async fn a_redirect_layer_above_follows_to_other_origins_without_the_credential() -> Result<(), BoxError> {
    for code in CODES {
        let (provider, elsewhere) = (server().await, server().await);
        let layer = MarathonLayer::new(pool(&[&provider], key())).pass_other_origins(true);
        let client = ServiceBuilder::new()
            .layer(FollowRedirectLayer::new())
            .layer(layer)
            .layer(ReqwestLayer::new())
            .service(reqwest::Client::builder().redirect(Policy::none()).build()?);
        for to in [elsewhere.origin(), String::new()] {
            let url = provider.url(&format!("/{code}/x"));
            let request = Request::get(url).header("x-to", to).body(RequestBody::default())?;
            assert_eq!(client.clone().oneshot(request).await?.status(), 200, "{code}");
        }
        assert_eq!(paths(&elsewhere), (vec![], vec!["/x".to_owned()]), "{code}");
        assert_eq!(paths(&provider).0.len(), 3, "{code}");
    }
    Ok(())
}
