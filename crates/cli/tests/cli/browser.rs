//! A browser that follows one redirect: the server of these tests asks nobody anything.

use bytes::Bytes;
use http::Request;
use http::header::LOCATION;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// What the browser shows: where the server sends it, and the page.
pub(crate) struct Shown {
    pub(crate) location: Option<String>,
    pub(crate) html: String,
}

/// One request, without following anything.
pub(crate) async fn visit(url: &str) -> Shown {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::builder().uri(url).body(Empty::new()).unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Shown { location: head.headers.get(LOCATION).map(|location| location.to_str().unwrap().to_owned()), html }
}
