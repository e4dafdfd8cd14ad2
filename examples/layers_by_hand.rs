//! The stack without the facade: every layer by its name, in its place, with its reason.
//!
//! Two things `MarathonLayer` alone does not do: the request body is a stream, and the client follows redirects, once to
//! another server, which must not see the key.
//!
//! ```text
//! cargo run --example layers_by_hand
//! ```

mod support;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::{CredentialLayer, OriginGuardLayer};
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::replay::ReplayLayer;
use oauth_marathon::layers::retry::RetryLayer;
use oauth_marathon::{BoxError, Credential, Pool, Secret};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

use self::support::{Provider, Trouble};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut provider = Provider::start(["one", "two"]).await?;
    let elsewhere = Provider::start([]).await?;
    let origin = provider.origin.clone();

    let pool = Pool::builder("files")
        .origin(&origin)
        .credential(Credential::new("one", Secret::new("one-key")).header("x-api-key"))
        .credential(Credential::new("two", Secret::new("two-key")).header("x-api-key"))
        .build()?;
    let client = ServiceBuilder::new()
        // Outermost: opens the context that the others meet in, and notices a caller that goes away.
        .layer(NotifyLayer::with_notifiers(pool.notifiers().clone()))
        // Only because the body is a stream: keeps what was read of it, for another attempt.
        .layer(ReplayLayer::with_settings(pool.settings()))
        // The only loop; all stacks over the pool share its budget of resends. Above the credentials, so that every attempt may have another one.
        .layer(RetryLayer::for_pool(&pool))
        // Leases a credential for one attempt, sends it along, and settles what came back.
        .layer(CredentialLayer::new(pool.clone()))
        // Says what an answer means; below the credentials, which need to know it.
        .layer(ClassifyLayer::new())
        // Follows redirects with all headers that the request has by now, the key included...
        .layer(FollowRedirectLayer::new())
        // ...so the last check of where a request goes is ours.
        .layer(OriginGuardLayer::new(pool))
        .service(HttpClient::new()?);

    // The check: the stream is sent again from its start, with the second key...
    provider.trouble("one", Trouble::Limited(20));
    let upload = Request::post(format!("{origin}/v1/chat")).body(Parts::new(["forty", "-", "two"]))?;
    let answer = client.clone().oneshot(upload).await?.into_body().collect().await?.to_bytes();
    println!("upload    {answer:?}");
    assert_eq!(answer, "two says forty-two");
    assert_eq!(provider.seen(), ["one: 429, retry-after: 20", "two: 200"]);

    // ...and no key goes along to another server.
    let download = format!("{origin}/moved?to={}/open", elsewhere.origin);
    let download = Request::get(download).body(Parts::default())?;
    let answer = client.oneshot(download).await?.into_body().collect().await?.to_bytes();
    println!("download  the other server {answer:?}");
    assert_eq!(answer, "saw no key");
    Ok(())
}

/// A body that can be read once, as an upload from a file or from another connection is. The redirect layer asks for a
/// default, which is the empty one.
#[derive(Default)]
struct Parts(std::vec::IntoIter<&'static str>);

impl Parts {
    fn new<const N: usize>(parts: [&'static str; N]) -> Self {
        Self(Vec::from(parts).into_iter())
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|part| Ok(Frame::data(Bytes::from(part)))))
    }
}
