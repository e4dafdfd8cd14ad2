//! Two accounts under reqwest-middleware. The first one is rate limited, and a middleware of ours logs every attempt.
//!
//! The provider is a server on a free port of this machine; for a real one only its origin changes.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```

mod support;

use async_trait::async_trait;
use http::Extensions;
use oauth_marathon::clients::reqwest::{MarathonMiddleware, redirect_policy};
use oauth_marathon::events::Event;
use oauth_marathon::{BoxError, Credential, Pool, RequestContext, Secret};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use self::support::{Provider, Trouble};

fn client(origin: &str) -> Result<ClientWithMiddleware, BoxError> {
    let pool = Pool::builder("openai")
        .origin(origin)
        .credential(Credential::new("work", Secret::new("work-key")).header("x-api-key"))
        .credential(Credential::new("home", Secret::new("home-key")).header("x-api-key"))
        .notifier(|event: &Event| eprintln!("event:   {event}"))
        .build()?;
    // reqwest would take `x-api-key` along to wherever it is redirected.
    let client = reqwest::Client::builder().redirect(redirect_policy(&pool)).build()?;
    let client = ClientBuilder::new(client)
        .with(MarathonMiddleware::from(pool))
        // Below ours, so it runs once for each attempt.
        .with(LogAttempts)
        .build();
    Ok(client)
}

/// Any other middleware of the chain sees which attempt it is part of.
struct LogAttempts;

#[async_trait]
impl Middleware for LogAttempts {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let attempt = RequestContext::of(extensions).map_or(0, |context| context.attempts().len());
        println!("sending: attempt {attempt} to {}", request.url());
        next.run(request, extensions).await
    }
}

/// The check: the first account is over its limit, so the second one answers.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut provider = Provider::start(["work", "home"]).await?;
    provider.trouble("work", Trouble::Limited(20));

    let context = RequestContext::new();
    let request = client(&provider.origin)?.post(format!("{}/v1/chat", provider.origin));
    let answer = request.body("hello").with_extension(context.clone()).send().await?.text().await?;
    println!("answer:  {answer}");
    for attempt in context.attempts() {
        if let (Some(credential), Some(verdict)) = (attempt.credential, attempt.verdict) {
            println!("attempt: {} with {credential}: {verdict}", attempt.number);
        }
    }

    assert_eq!(answer, "home says hello");
    assert_eq!(context.attempts().len(), 2);
    assert_eq!(provider.seen(), ["work: 429, retry-after: 20", "home: 200"]);
    Ok(())
}
