//! A client that does not clone, under a stack.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::{Marathon, Pool};
use tower::Service;

struct Client;

impl Service<Request<Full<Bytes>>> for Client {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

fn main() {
    let pool = Pool::builder("openai").origin("https://api.example.com").build().unwrap();
    let client = Marathon::new(Client, pool);
    let _ = client.send(Request::new(Full::<Bytes>::default()));
}
