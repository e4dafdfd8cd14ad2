//! A streamed body, sent without a `ReplayLayer`.

use bytes::Bytes;
use http::Request;
use http_body_util::combinators::BoxBody;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::{BoxError, Marathon, Pool};

type Streamed = BoxBody<Bytes, BoxError>;

fn sends(body: Streamed) {
    let pool = Pool::builder("openai").origin("https://api.example.com").build().unwrap();
    let client = Marathon::new(HttpClient::new().unwrap(), pool);
    let _ = client.send(Request::new(body));
}

fn main() {
    let _ = sends;
}
