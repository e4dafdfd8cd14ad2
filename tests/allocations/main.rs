//! What a request allocates. In a test binary of its own, because its global allocator counts.

#[path = "../../benches/support/chain.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod chain;
mod cost;
#[path = "../../benches/support/floor.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod floor;
#[path = "../../benches/support/paths.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod paths;
#[path = "../../benches/support/world.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod world;

use std::convert::Infallible;
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::Settings;
use oauth_marathon::events::Notifiers;
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::{Credential, MarathonLayer, Pool, Secret};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_layer::Layer;
use tower_service::Service;

use self::cost::cost;
use self::paths::Case;
use self::world::{Body, LARGE, SMALL, at_once, request};

/// The context, the room for one more header, and the header fields that are kept.
const OK_OVER_BARE: u64 = 3;

/// Beside that the failed answer while it is read, its two objects while it is judged, and the report in the extensions of the
/// answer. The second request takes two for its headers, as the bare one does.
const FAIL_OVER_OVER_BARE: u64 = OK_OVER_BARE + 1 + 2 + 3;

/// An extension map, its table and its value.
const EXTENSIONS: u64 = 3;

#[test]
fn an_answer_at_the_first_try_allocates_for_the_context_and_the_spare_request_alone() {
    let bare = cost(paths::bare(Case::Ok, SMALL).warm()).count_total;
    let ours = cost(paths::marathon(Case::Ok, SMALL).warm()).count_total;
    assert_eq!(ours - bare, OK_OVER_BARE);
}

#[test]
fn a_switch_to_the_next_credential_allocates_no_more_than_recorded() {
    let bare = cost(paths::bare(Case::FailOver, SMALL).warm()).count_total;
    let ours = cost(paths::marathon(Case::FailOver, SMALL).warm()).count_total;
    assert_eq!(ours - bare, FAIL_OVER_OVER_BARE);
}

#[test]
fn a_context_in_the_extensions_costs_three_allocations_for_each_attempt() {
    for (case, attempts) in [(Case::Ok, 1), (Case::FailOver, 2)] {
        let without = cost(paths::marathon(case, SMALL).warm()).count_total;
        let with = cost(paths::marathon_in_extensions(case, SMALL).warm()).count_total;
        assert_eq!(with - without, attempts * EXTENSIONS, "{case:?}");
    }
}

/// Over an answer without anything between: what the stack allocates, its boxed future, the URL and the URI of the request, and
/// six times to put the body of the answer into another one, which keeps the credential in use until it ends.
#[test]
fn the_middleware_allocates_no_more_than_recorded() {
    for (case, retry, expected) in [(Case::Ok, 9, [16, 10, 7]), (Case::FailOver, 11, [24, 18, 15])] {
        let count = |subject| cost(subject).count_total;
        let bare = count(chain::bare(case));
        let ours = [chain::marathon(case), chain::marathon_to_head(case), chain::marathon_lean(case)];
        assert_eq!(ours.map(|subject| count(subject) - bare), expected, "{case:?}");
        assert_eq!(count(chain::retry(case)) - bare, retry, "{case:?}: what reqwest-retry takes, to compare with");
    }
}

#[test]
fn a_request_body_is_never_copied() {
    for case in [Case::Ok, Case::FailOver] {
        let small = cost(paths::marathon(case, SMALL).warm());
        let large = cost(paths::marathon(case, LARGE).warm());
        assert_eq!((large.count_total, large.bytes_total), (small.count_total, small.bytes_total), "{case:?}");
        assert!(large.bytes_total < 64 * 1024, "{case:?}: {} bytes", large.bytes_total);
    }
}

/// A dropped call causes an event, which is sent only if there is a listener.
#[test]
fn a_notifier_without_listeners_allocates_nothing() {
    let notifiers = Notifiers::new();
    let dropped = |layer: NotifyLayer| {
        let mut service =
            layer.layer(service_fn(async |_: Request<()>| std::future::pending::<Result<(), Infallible>>().await));
        drop(service.call(Request::new(())));
        measure(|| drop(service.call(Request::new(())))).count_total
    };
    let without = dropped(NotifyLayer::new());
    assert_eq!(dropped(NotifyLayer::with_notifiers(notifiers.clone())), without);
    // Once more after a listener has come and gone.
    drop(notifiers.subscribe());
    assert_eq!(dropped(NotifyLayer::with_notifiers(notifiers)), without);
}

/// The bytes that a request allocates whose first `tried` credentials are limited, of so many.
fn bytes_of_failures(credentials: usize, tried: u32) -> u64 {
    let mut settings = Settings::default();
    settings.max_attempts = NonZeroU32::new(tried);
    settings.attempt_timeout = None;
    let keys = (0..credentials).map(|at| Credential::new(format!("key-{at}"), Secret::new("key")));
    let pool =
        Pool::builder("test").origin(world::ORIGIN).credentials(keys).settings(settings).build().expect("a pool");
    let sends = AtomicU32::new(0);
    let provider = service_fn(async |_: Request<Body>| {
        sends.fetch_add(1, Relaxed);
        Ok::<_, Infallible>(Response::builder().status(429).header("retry-after", "600").body(Body::default()).unwrap())
    });
    let client = MarathonLayer::new(pool).layer(provider);
    let cost = measure(|| assert_eq!(at_once(client.oneshot(request(SMALL))).expect("an answer").status(), 429));
    assert_eq!(sends.load(Relaxed), tried);
    cost.bytes_total
}

#[test]
fn what_an_attempt_costs_grows_neither_with_those_before_it_nor_with_the_credentials() {
    let (few, many) = (bytes_of_failures(1_000, 100), bytes_of_failures(1_000, 1_000));
    assert!(many < 15 * few, "ten times the attempts: {few} and {many} bytes");
    let of_twenty_thousand = bytes_of_failures(20_000, 1_000);
    assert!(of_twenty_thousand < many + many / 10, "twenty times the credentials: {many}, {of_twenty_thousand} bytes");
}

/// Outside of a runtime that keeps time, arming a timer panics.
#[test]
fn a_switch_arms_no_timer() {
    let client = MarathonLayer::new(paths::two_keys()).layer(Case::FailOver.provider());
    let answer = at_once(client.oneshot(request(SMALL))).expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
}

#[test]
fn a_broken_connection_arms_no_timer() {
    let sends = AtomicUsize::new(0);
    let provider = service_fn(async |_: Request<Body>| match sends.fetch_add(1, Relaxed) {
        0 => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        _ => Ok(Response::new(Full::new(Bytes::new()))),
    });
    let client = ServiceBuilder::new().layer(MarathonLayer::new(paths::two_keys())).service(provider);
    let answer = at_once(client.oneshot(request(SMALL))).expect("an answer");
    assert_eq!((answer.status(), sends.load(Relaxed)), (StatusCode::OK, 2));
}

/// A chunk that is waited for sets a limit to the silence before it: one timer for the whole body.
#[test]
fn a_chunk_that_is_waited_for_allocates_nothing_however_many_there_are() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for content_type in ["text/plain", "text/event-stream"] {
        let cost = |chunks| {
            let client = service_fn(move |_: Request<Body>| {
                let answer = Response::builder().header("content-type", content_type);
                std::future::ready(answer.body(Trickle { chunks, ready: false }))
            });
            let service = MarathonLayer::new(paths::two_keys()).layer(client);
            runtime.block_on(async {
                let mut body = service.oneshot(request(SMALL)).await.unwrap().into_body();
                // The first few may make room.
                for _ in 0..10 {
                    body.frame().await.unwrap().unwrap();
                }
                let mut read = 0;
                let cost = measure(|| {
                    let mut context = Context::from_waker(Waker::noop());
                    loop {
                        match Pin::new(&mut body).poll_frame(&mut context) {
                            Poll::Ready(Some(frame)) => read += usize::from(frame.is_ok()),
                            Poll::Ready(None) => return,
                            Poll::Pending => {}
                        }
                    }
                });
                assert_eq!(read, chunks - 10);
                cost.count_total
            })
        };
        assert_eq!((cost(1_010), cost(20)), (0, 0), "{content_type}");
    }
}

/// A body whose every chunk is waited for.
struct Trickle {
    chunks: usize,
    ready: bool,
}

impl HttpBody for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.chunks == 0 {
            return Poll::Ready(None);
        }
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.chunks -= 1;
        let chunk = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}
