//! `resend: safe`: a request is sent again only if it surely was not processed, or does no harm twice.

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::config::Resend;
use oauth_marathon_test::{Reply, ScriptedProvider};

use crate::support::stage::{Stage, get, pool, post, seconds, settings};

/// How often the request is sent, where account `a` meets this.
async fn sends(resend: Resend, request: Request<Full<Bytes>>, reply: Reply) -> usize {
    let settings = settings(|it| (it.resend, it.attempt_timeout) = (resend, Some(seconds(5))));
    let stage = Stage::new(pool(&["a", "b"]).settings(settings), ScriptedProvider::new().always("a", reply));
    // What comes of it is another test's matter.
    let _ = stage.try_send(request).await;
    stage.tokens().len()
}

fn with_key() -> Request<Full<Bytes>> {
    let mut request = post();
    request.headers_mut().insert("idempotency-key", "1".parse().expect("a value"));
    request
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_processed_goes_out_once() {
    for lost in
        [Reply::error(ConnectionReset), Reply::pending(), Reply::status(500), Reply::status(408), Reply::status(402)]
    {
        assert_eq!(sends(Resend::Safe, post(), lost.clone()).await, 1);
        assert!(sends(Resend::Always, post(), lost).await > 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_no_harm_twice_goes_out_again() {
    for request in [get, with_key] {
        for lost in [Reply::error(ConnectionReset), Reply::pending(), Reply::status(500), Reply::status(402)] {
            assert!(sends(Resend::Safe, request(), lost).await > 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_surely_not_processed_goes_out_again() {
    let refused = [401, 403, 429, 503, 529].map(Reply::status);
    for refused in refused.into_iter().chain([Reply::error(ConnectionRefused)]) {
        assert!(sends(Resend::Safe, post(), refused).await > 1);
    }
}
