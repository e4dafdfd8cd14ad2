//! The quick start: two accounts over the bundled HTTPS client. The first one is rate limited.
//!
//! The provider is a server on a free port of this machine; for a real one only its origin changes.
//!
//! ```text
//! cargo run --example hyper_client
//! ```

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::clock::{SystemClock, WallClock};
use oauth_marathon::events::Event;
use oauth_marathon::tokens::refresh::OAuth2;
use oauth_marathon::{BoxError, Credential, Marathon, MarathonLayer, Pool, TokenSet};
use tower::{ServiceBuilder, ServiceExt};

use self::support::{Provider, Trouble};

/// A client that any number of requests may share: clones share the pool and the connections.
fn client(origin: &str) -> Result<Marathon<HttpClient<Full<Bytes>>>, BoxError> {
    let http = HttpClient::new()?;
    let in_an_hour = SystemClock::default().now() + Duration::from_secs(3600);
    let work = TokenSet::new("work-access-1").with_refresh("work-refresh-1").expires_at(in_an_hour);
    let pool = Pool::builder("openai")
        .origin(origin)
        .credential(Credential::new("work", work))
        .credential(Credential::new("home", TokenSet::new("home-access-1")))
        // Not needed in this run: the token of `work` is good for an hour.
        .token_source(OAuth2::new(format!("{origin}/oauth/token"), "my-client-id", http.clone()))
        .notifier(|event: &Event| eprintln!("event:  {event}"))
        .build()?;
    Ok(ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(http))
}

async fn ask(client: Marathon<HttpClient<Full<Bytes>>>, url: &str, prompt: &'static str) -> Result<String, BoxError> {
    let request = Request::post(url).body(Full::from(prompt))?;
    let response = client.oneshot(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The check: the first account is over its limit, so the second one answers.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut provider = Provider::start(["work", "home"]).await?;
    provider.trouble("work", Trouble::Limited(20));

    let client = client(&provider.origin)?;
    let answer = ask(client, &format!("{}/v1/chat", provider.origin), "hello").await?;
    println!("answer: {answer}");

    assert_eq!(answer, "home says hello");
    assert_eq!(provider.seen(), ["work: 429, retry-after: 20", "home: 200"]);
    Ok(())
}
