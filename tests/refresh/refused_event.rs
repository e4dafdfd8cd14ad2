//! The event that people get when the OAuth server refuses a refresh token for good.

use http::Request;
use http_body_util::Full;
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, Secret, TokenSet};
use oauth_marathon_test::{Grant, Reply, ScriptedProvider, ScriptedTokens};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_refused_for_good_is_told_once_as_a_lost_login() -> Result<(), BoxError> {
    let pool = Pool::builder("openai")
        .origin("https://api.example.com")
        .credential(Credential::new("work", TokenSet::new("old").with_refresh("spent")))
        .credential(Credential::new("home", Secret::new("key")))
        .token_source(ScriptedTokens::new().otherwise(Grant::refused()))
        .build()?;
    let mut events = pool.events();
    let provider = ScriptedProvider::new().otherwise(Reply::status(401)).always("key", Reply::ok());
    let client = MarathonLayer::new(pool).layer(provider);

    let request = Request::post("https://api.example.com/").body(Full::<bytes::Bytes>::default())?;
    assert_eq!(client.oneshot(request).await?.status(), 200);
    let names: Vec<_> = std::iter::from_fn(|| events.try_recv()).map(|event| event.name()).collect();
    assert_eq!(names, ["out", "failed_over"]);
    Ok(())
}
