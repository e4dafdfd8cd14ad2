//! Who sees the context of a request, and what the stack asks of the service below it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::{MarathonLayer, RequestContext};
use oauth_marathon_test::{ProbeLayer, ScriptedProvider};
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::accounts::{self, answer, keys, post, refusing};

/// What the request carries after `Bearer`.
fn token<B>(request: &Request<B>) -> String {
    request.headers()["authorization"].to_str().unwrap().replace("Bearer ", "")
}

fn used(context: &RequestContext) -> Vec<String> {
    context.attempts().into_iter().map(|attempt| attempt.credential.unwrap().to_string()).collect()
}

/// A client that lives on one thread, and borrows its counter.
#[derive(Clone)]
struct Borrowing<'a> {
    seen: &'a RefCell<Vec<String>>,
    not_send: Rc<()>,
}

impl Service<Request<Full<Bytes>>> for Borrowing<'_> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        self.seen.borrow_mut().push(token(&request));
        std::future::ready(Ok(answer(if token(&request) == "a" { 429 } else { 200 })))
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_below_may_borrow_and_need_not_be_send() {
    let seen = RefCell::default();
    let client = Borrowing { seen: &seen, not_send: Rc::default() };
    let stack = MarathonLayer::new(keys(&["a", "b"]).build().unwrap()).layer(client);
    let (one, two) = tokio::join!(stack.clone().oneshot(post()), stack.clone().oneshot(post()));
    assert_eq!(one.unwrap().into_body().collect().await.unwrap().to_bytes(), "body");
    assert_eq!(two.unwrap().status(), 200);
    assert_eq!(Rc::strong_count(&stack.get_ref().not_send), 1, "nothing keeps a copy of the client");
    drop(stack);
    assert_eq!(seen.into_inner(), ["a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_service_below_finds_the_context_in_the_request_and_in_the_task() {
    let client = service_fn(|request: Request<Full<Bytes>>| {
        let in_request = RequestContext::of(request.extensions()).unwrap().clone();
        let in_call = RequestContext::current().expect("set while the service is called");
        async move {
            tokio::task::yield_now().await;
            let in_poll = RequestContext::current().expect("set while the answer is awaited");
            for context in [&in_request, &in_call, &in_poll] {
                assert_eq!(used(context).last().unwrap(), &token(&request), "each attempt is noted before it is sent");
                assert_eq!(context.group(), Some("chat 7"));
            }
            Ok::<_, Infallible>(answer(if token(&request) == "a" { 429 } else { 200 }))
        }
    });
    let probe = ProbeLayer::new();
    let stack = MarathonLayer::new(keys(&["a", "b"]).build().unwrap()).context_in_extensions(true);
    let stack = stack.layer(probe.layer(client));
    assert!(RequestContext::current().is_none());
    let context = RequestContext::new().with_group("chat 7");

    // By the task, by the request alone, and by neither.
    context.clone().scope(stack.clone().oneshot(post())).await.unwrap();
    assert_eq!(used(&context), ["a", "b"]);
    let mut request = post();
    request.extensions_mut().insert(context.clone());
    stack.oneshot(request).await.unwrap();
    assert_eq!(used(&context), ["b"], "of the latest call");
    assert!(RequestContext::current().is_none());
    assert_eq!(probe.counts().completed, 3);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_still_has_its_context() {
    struct Witness(Arc<Mutex<Vec<String>>>);
    impl Drop for Witness {
        fn drop(&mut self) {
            let context = RequestContext::current().expect("set while the call is dropped");
            self.0.lock().unwrap().extend(used(&context));
        }
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let witness = seen.clone();
    let client = service_fn(move |_: Request<Full<Bytes>>| {
        let witness = Witness(witness.clone());
        async move {
            let _witness = witness;
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        }
    });
    let stack = MarathonLayer::new(keys(&["a"]).build().unwrap()).layer(ProbeLayer::new().layer(client));
    let mut request = task::spawn(stack.oneshot(post()));
    assert!(request.poll().is_pending());
    drop(request);
    assert_eq!(*seen.lock().unwrap(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn spawned_work_has_the_context_only_where_it_was_carried_over() {
    let client = service_fn(async |_: Request<Full<Bytes>>| {
        let left = tokio::spawn(async { RequestContext::current().is_some() });
        let carried = RequestContext::current().unwrap();
        let carried = tokio::spawn(carried.scope(async { used(&RequestContext::current().unwrap()) }));
        assert!(!left.await.unwrap());
        assert_eq!(carried.await.unwrap(), ["a"]);
        Ok::<_, Infallible>(answer(200))
    });
    let stack = MarathonLayer::new(keys(&["a"]).build().unwrap()).layer(ProbeLayer::new().layer(client));
    assert_eq!(stack.oneshot(post()).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_attempts_can_be_read_afterwards_from_the_answer_and_from_the_callers_context() {
    let stack = MarathonLayer::new(keys(&["a", "b"]).build().unwrap()).layer(refusing(&[("a", 429)]));
    let context = RequestContext::new();
    let first = context.clone().scope(stack.clone().oneshot(post())).await.unwrap();
    assert_eq!(used(RequestContext::of(first.extensions()).unwrap()), ["a", "b"]);
    assert_eq!(used(&context), ["a", "b"]);

    // After one attempt the answer carries no report, but the caller's own context has it.
    let second = context.clone().scope(stack.oneshot(post())).await.unwrap();
    assert!(RequestContext::of(second.extensions()).is_none());
    assert_eq!(used(&context), ["b"]);
    assert_eq!(used(RequestContext::of(first.extensions()).unwrap()), ["a", "b"], "the first report stays as it is");
}

#[tokio::test(start_paused = true)]
async fn calls_under_one_context_at_once_keep_their_logs_apart() {
    let stack = MarathonLayer::new(keys(&["a", "b"]).build().unwrap()).layer(refusing(&[("a", 429)]));
    let context = RequestContext::new();
    let calls = (0..10).map(|_| tokio::spawn(context.clone().scope(stack.clone().oneshot(post())))).collect::<Vec<_>>();
    for call in calls {
        let answer = call.await.unwrap().unwrap();
        let attempts = RequestContext::of(answer.extensions()).map(used).unwrap_or_else(|| vec!["b".to_owned()]);
        assert!(attempts == ["a", "b"] || attempts == ["b"], "{attempts:?}");
    }
    assert!(used(&context).len() <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_made_below_the_stack_inherits_the_pin_and_nothing_else() {
    let pool = keys(&["a", "b"]).build().unwrap();
    let stack = MarathonLayer::new(pool.clone()).layer(refusing(&[("a", 429)]));
    let below = stack.clone();
    // A client that sends another request of its own before it answers.
    let asking = service_fn(move |_: Request<Full<Bytes>>| {
        let below = below.clone();
        async move {
            let outer = RequestContext::current().unwrap();
            assert_eq!(below.oneshot(post()).await.unwrap().status(), 200);
            assert_eq!(used(&outer), ["b"], "the inner call has a log of its own");
            Ok::<_, Infallible>(answer(200))
        }
    });
    let context = RequestContext::new().with_pin("b");
    let outer = MarathonLayer::new(pool.clone()).layer(asking);
    assert_eq!(context.clone().scope(outer.oneshot(post())).await.unwrap().status(), 200);
    assert_eq!(used(&context), ["b"]);
    assert_eq!(accounts::look(&pool, "b").successes, 2, "the inner call was pinned as well");
}

#[tokio::test(start_paused = true)]
async fn calls_through_a_layer_alone_under_one_context_are_apart() {
    let provider = ScriptedProvider::new();
    let alone = CredentialLayer::new(keys(&["a", "b"]).build().unwrap()).layer(provider.clone());
    let context = RequestContext::new();
    for _ in 0..3 {
        assert_eq!(context.clone().scope(alone.clone().oneshot(post())).await.unwrap().status(), 200);
    }
    assert_eq!(provider.tokens(), ["a", "a", "a"], "what one call has used is not held against the next");
    assert_eq!(used(&context), ["a"], "the caller sees the latest call");
}
