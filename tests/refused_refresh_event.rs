//! What people hear when the OAuth server refuses a refresh token for good.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::refresh::{RefreshError, RefreshRequest, token_source_fn};
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, Secret, TokenSet};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_refused_for_good_is_told_once_as_a_lost_login() -> Result<(), BoxError> {
    let pool = Pool::builder("openai")
        .origin("https://api.example.com")
        .credential(Credential::new("work", TokenSet::new("old").with_refresh("spent")))
        .credential(Credential::new("home", Secret::new("key")))
        .token_source(token_source_fn(async |_: RefreshRequest| Err(RefreshError::login_needed("invalid_grant"))))
        .build()?;
    let mut events = pool.events();
    let client = MarathonLayer::new(pool).layer(service_fn(async |request: Request<Full<Bytes>>| {
        let status = if request.headers()["authorization"] == "Bearer key" { 200 } else { 401 };
        let mut answer = Response::new(Full::new(Bytes::new()));
        *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        Ok::<_, Infallible>(answer)
    }));

    let request = Request::post("https://api.example.com/").body(Full::default())?;
    assert_eq!(client.oneshot(request).await?.status(), 200);
    let names: Vec<_> = std::iter::from_fn(|| events.try_recv()).map(|event| event.name()).collect();
    assert_eq!(names, ["login_needed", "failed_over"]);
    Ok(())
}
