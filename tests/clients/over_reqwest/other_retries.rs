//! Other retries below and above the stack: reqwest's own, and reqwest-retry. Requests are counted where they arrive.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use oauth_marathon::clients::reqwest::MarathonMiddleware;
use oauth_marathon::config::{Settings, WhenAllCooling};
use oauth_marathon::{BoxError, Error, ErrorKind, Pool, RequestContext};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{RetryError, RetryTransientMiddleware};

use crate::support::loopback::{self, Loopback, Raw, chunks, log};

/// Two more tries, at once.
fn outer() -> RetryTransientMiddleware<ExponentialBackoff> {
    let bounds = ExponentialBackoff::builder().retry_bounds(Duration::ZERO, Duration::from_millis(1));
    RetryTransientMiddleware::new_with_policy(bounds.build_with_max_retries(2))
}

fn client(client: reqwest::Client, pool: &Pool) -> ClientWithMiddleware {
    ClientBuilder::new(client).with(MarathonMiddleware::from(pool.clone())).build()
}

fn under_retry(pool: &Pool) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(outer()).with(MarathonMiddleware::from(pool.clone())).build()
}

/// A policy of reqwest that sends up to two more times.
fn eager() -> reqwest::retry::Builder {
    reqwest::retry::for_host("127.0.0.1").no_budget().classify_fn(|attempt| {
        if attempt.status() == Some(http::StatusCode::TOO_MANY_REQUESTS) {
            attempt.retryable()
        } else {
            attempt.success()
        }
    })
}

#[tokio::test]
async fn reqwest_as_it_comes_sends_what_the_log_says_and_no_more() -> Result<(), BoxError> {
    for code in [408, 429, 500, 502, 503, 504] {
        let server = Loopback::start(move |_| async move { loopback::status(code, "") }).await;
        let context = RequestContext::new();
        let client = client(reqwest::Client::new(), &server.pool(&["work", "home"]));
        client.get(server.url("/")).with_extension(context.clone()).send().await?;
        let tokens: Vec<_> = context.attempts().iter().map(|attempt| attempt.credential.clone().unwrap()).collect();
        assert_eq!(server.tokens(), tokens.iter().map(ToString::to_string).collect::<Vec<_>>(), "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_tried_again_by_us_alone() -> Result<(), BoxError> {
    let server = Raw::writing("").await;
    let context = RequestContext::new();
    let url = format!("http://{}/", server.address);
    let client = client(reqwest::Client::new(), &server.pool());
    client.post(url).with_extension(context.clone()).send().await.unwrap_err();
    // Once as the connection may have been an old one, and once as `networkRetryAttempts` says.
    assert_eq!(log(&context), ["work: connection failed"; 3]);
    assert_eq!(server.requests.load(SeqCst), 3);
    Ok(())
}

/// Each of our attempts is then several requests, and the log shows one: the page of the module says to turn it off.
#[tokio::test]
async fn a_retry_of_reqwest_itself_multiplies_out_of_our_sight_and_never_turns_it_off() -> Result<(), BoxError> {
    for (retry, expected) in [(eager(), 6), (reqwest::retry::never(), 2)] {
        let server = Loopback::refusing(&[("work", 429), ("home", 429)]).await;
        let reqwest = reqwest::Client::builder().retry(retry).build()?;
        let context = RequestContext::new();
        let client = client(reqwest, &server.pool(&["work", "home"]));
        let answer = client.get(server.url("/")).with_extension(context.clone()).send().await?;
        assert_eq!(answer.status(), 429);
        assert_eq!(log(&context), ["work: rate limited (429)", "home: rate limited (429)"]);
        assert_eq!(server.tokens().len(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn under_reqwest_retry_an_exhausted_pool_answers_from_memory_and_the_provider_is_left_alone()
-> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429), ("home", 429)]).await;
    let context = RequestContext::new();
    let client = under_retry(&server.pool(&["work", "home"]));
    let answer = client.get(server.url("/")).with_extension(context.clone()).send().await?;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (429, true));
    assert_eq!(answer.text().await?, "home is refused");
    assert_eq!(server.tokens(), ["work", "home"], "the two further tries sent nothing");
    // The log of the last try, which is a call of its own.
    assert_eq!(log(&context), ["-: rate limited (429)"]);
    Ok(())
}

#[tokio::test]
async fn under_reqwest_retry_each_try_is_a_call_of_its_own_with_a_fresh_log() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 500)]).await;
    for context in [Some(RequestContext::new()), None] {
        let before = server.tokens().len();
        let client = under_retry(&server.pool(&["work"]));
        let mut request = client.get(server.url("/"));
        if let Some(context) = &context {
            request = request.with_extension(context.clone());
        }
        let answer = request.send().await?;
        let answered = RequestContext::of(answer.extensions()).map(log).unwrap_or_default();
        assert_eq!(answered, vec!["work: server error (500)"; 2], "of three calls");
        assert!(context.is_none_or(|context| log(&context) == answered));
        assert_eq!(server.tokens().len() - before, 6);
    }
    Ok(())
}

#[tokio::test]
async fn under_reqwest_retry_a_recovered_account_ends_the_tries() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let answer = under_retry(&server.pool(&["work", "home"])).get(server.url("/")).send().await?;
    assert_eq!(answer.text().await?, "home says ");
    assert_eq!(server.tokens(), ["work", "home"]);
    Ok(())
}

#[tokio::test]
async fn under_reqwest_retry_our_errors_are_final_and_still_to_be_found() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let mut settings = Settings::default();
    settings.when_all_cooling = WhenAllCooling::Error;
    let client = under_retry(&server.pool_with(&["work"], settings));
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert_eq!(server.tokens().len(), 1);
    // The second try was ours, so reqwest-retry names it as the source of its own error.
    let found = Error::find(&error).unwrap();
    assert_eq!(found.kind(), ErrorKind::AllCooling);
    assert!(found.retry_after().is_some());

    // An error of the first try is in an error of reqwest-retry that hides it from the chain.
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(Error::find(&error).is_none());
    let reqwest_middleware::Error::Middleware(inner) = &error else { panic!("{error:?}") };
    let Some(RetryError::Error(inner)) = inner.downcast_ref::<RetryError>() else { panic!("{error:?}") };
    assert_eq!(Error::find(inner).unwrap().kind(), ErrorKind::AllCooling);
    Ok(())
}

#[tokio::test]
async fn a_streamed_body_never_gets_past_reqwest_retry_wherever_it_stands() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[]).await;
    let pool = server.pool(&["work"]);
    let above = under_retry(&pool);
    let middleware = MarathonMiddleware::from(pool.clone());
    let below = ClientBuilder::new(reqwest::Client::new()).with(middleware).with(outer()).build();
    for client in [above, below] {
        let stream = reqwest::Body::wrap(chunks([Ok("one")]));
        let error = client.post(server.url("/")).body(stream).send().await.unwrap_err();
        assert!(error.to_string().contains("not cloneable"), "{error}");
    }
    assert!(server.seen().is_empty());
    let stream = reqwest::Body::wrap(chunks([Ok("one")]));
    let alone = client(reqwest::Client::new(), &pool).post(server.url("/")).body(stream).send().await?;
    assert_eq!(alone.text().await?, "work says one");
    Ok(())
}

/// Below ours it repeats each attempt on the account that has just been refused: the page says to put it above, or nowhere.
#[tokio::test]
async fn below_us_reqwest_retry_multiplies_out_of_our_sight() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429), ("home", 429)]).await;
    let middleware = MarathonMiddleware::from(server.pool(&["work", "home"]));
    let client = ClientBuilder::new(reqwest::Client::new()).with(middleware).with(outer()).build();
    let context = RequestContext::new();
    client.get(server.url("/")).with_extension(context.clone()).send().await?;
    assert_eq!(context.attempts().len(), 2);
    assert_eq!(server.tokens(), ["work", "work", "work", "home", "home", "home"]);
    Ok(())
}
