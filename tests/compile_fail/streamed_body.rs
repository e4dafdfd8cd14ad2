//! A streamed body needs a `ReplayLayer` above.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use oauth_marathon::{MarathonLayer, Pool, Secret};
use tower::{Layer, ServiceExt, service_fn};

async fn send(pool: Pool, body: BoxBody<Bytes, Infallible>) {
    let client = service_fn(async |_: Request<BoxBody<Bytes, Infallible>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let client = MarathonLayer::new(pool).layer(client);
    let _ = client.oneshot(Request::new(body)).await;
}

fn main() {
    let _ = (send, Secret::new(""));
}
