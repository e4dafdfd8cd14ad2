//! A pool, requests and answers, as the tests of this folder use them.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::{Credential, Pool, Secret};
use oauth_marathon_test::Reply;

/// Two accounts, whose tokens are `t-work` and `t-home`.
pub(crate) fn pool() -> Pool {
    Pool::builder("openai")
        .origin("https://api.example.com")
        .credential(Credential::new("work", Secret::new("t-work")))
        .credential(Credential::new("home", Secret::new("t-home")))
        .build()
        .unwrap()
}

pub(crate) fn request() -> Request<Full<Bytes>> {
    Request::post("https://api.example.com/v1/chat").body(Full::from("{}")).unwrap()
}

pub(crate) fn limited() -> Reply {
    Reply::limited(60)
}
