//! A client that holds an `Rc` cannot be shared by the handlers of a server.

use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use oauth_marathon::check_shared_service;
use tower::service_fn;

fn main() {
    let name = Rc::new("client");
    let client = service_fn(move |_: Request<Full<Bytes>>| {
        let _ = name.len();
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    check_shared_service::<Full<Bytes>>(&client);
}
