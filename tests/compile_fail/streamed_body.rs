//! A streamed body needs a `ReplayLayer` above.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use oauth_marathon::check_service;
use tower::service_fn;

type Streamed = BoxBody<Bytes, Infallible>;

fn main() {
    let client =
        service_fn(async |_: Request<Streamed>| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
    check_service::<Streamed>(&client);
}
