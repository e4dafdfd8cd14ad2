//! Tests of the service: where the context of a call is the current one, and what it inherits.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{Layer, ServiceExt, service_fn};
use tower_test::mock;

use super::*;
use crate::credentials::Generation;
use crate::layers::notify::NotifyLayer;
use crate::layers::notify::doubles::{Seen, slow, used, uses};

#[test]
fn requests_and_answers_pass_and_readiness_is_forwarded() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<&'static str>, Response<&'static str>, _>(NotifyLayer::new());
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());

    let mut answer = task::spawn(service.call(Request::new("question")));
    assert_pending!(answer.poll());
    let (request, respond) = assert_ready!(task::spawn(handle.next_request()).poll()).unwrap();
    assert_eq!(*request.body(), "question");
    assert!(RequestContext::of(request.extensions()).is_some());
    respond.send_response(Response::new("answer"));
    assert_eq!(*assert_ready_ok!(answer.poll()).body(), "answer");
    assert_pending!(service.poll_ready(), "the second call needs a place of its own");
}

#[test]
fn errors_pass_unchanged() {
    let (mut service, mut handle) = mock::spawn_layer::<Request<()>, (), _>(NotifyLayer::new());
    assert_ready_ok!(service.poll_ready());
    let mut answer = task::spawn(service.call(Request::new(())));
    let (_, respond) = assert_ready!(task::spawn(handle.next_request()).poll()).unwrap();
    respond.send_error("broken");
    assert_eq!(assert_ready!(answer.poll()).unwrap_err().to_string(), "broken");
    handle.send_error("gone");
    assert_eq!(assert_ready!(service.poll_ready()).unwrap_err().to_string(), "gone");
}

#[test]
fn the_context_is_current_in_the_call_while_polled_and_when_dropped() {
    for polls in 0..2 {
        let seen = Seen::default();
        let mut service = NotifyLayer::new().layer(slow(Arc::clone(&seen)));
        let mut answer = task::spawn(service.call(Request::new(())));
        (0..polls).for_each(|_| assert!(answer.poll().is_pending()));
        assert!(RequestContext::current().is_none(), "between polls");
        drop(answer);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), polls + 2);
        assert_eq!((seen[0].0, seen[polls + 1].0), ("call", "drop"));
        assert!(seen.iter().all(|(_, current)| *current), "{seen:?}");
        assert!(RequestContext::current().is_none(), "afterwards");
    }
}

#[tokio::test]
async fn a_second_call_starts_fresh_and_inherits_only_what_the_caller_asked_for() {
    let caller = RequestContext::new().with_pin("work").with_group("chat").with_timeout(Duration::from_secs(9));
    let deadline = caller.deadline();
    let inner = service_fn(move |request: Request<&'static str>| {
        let context = RequestContext::of(request.extensions()).unwrap().clone();
        assert_eq!(context.call().len(), 0);
        assert_eq!(context.pin().unwrap(), "work");
        assert_eq!((context.group(), context.deadline()), (Some("chat"), deadline));
        context.call().begin(Some(((*request.body()).into(), Generation::FIRST)));
        ready(Ok::<_, Infallible>(()))
    });
    let mut service = NotifyLayer::new().layer(inner);

    let by_task = caller.clone();
    caller
        .clone()
        .scope(async {
            service.call(Request::new("first")).await.unwrap();
            assert_eq!(used(&by_task), ["first"]);
            service.call(Request::new("second")).await.unwrap();
        })
        .await;
    assert_eq!(used(&caller), ["second"], "of the latest call alone");

    let mut request = Request::new("third");
    request.extensions_mut().insert(caller.clone());
    service.call(request).await.unwrap();
    assert_eq!(used(&caller), ["third"]);
}

#[tokio::test]
async fn a_call_inside_of_a_call_starts_fresh_and_leaves_the_outer_one_alone() {
    let inner = NotifyLayer::new().layer(uses(&["nested"]));
    let outer = service_fn(move |request: Request<()>| {
        let context = RequestContext::of(request.extensions()).unwrap().clone();
        context.call().begin(Some(("outer".into(), Generation::FIRST)));
        let inner = inner.clone();
        async move {
            inner.oneshot(Request::new(())).await?;
            let current = RequestContext::current().unwrap();
            Ok::<_, Infallible>((used(&context), used(&current)))
        }
    });
    let caller = RequestContext::new();
    let (by_request, by_task) =
        caller.clone().scope(NotifyLayer::new().layer(outer).oneshot(Request::new(()))).await.unwrap();
    assert_eq!((by_request, by_task), (vec!["outer".to_owned()], vec!["outer".to_owned()]));
    assert_eq!(used(&caller), ["outer"]);
}

#[test]
fn the_inner_service_needs_to_be_neither_send_nor_static_nor_clone() {
    struct Borrowing<'a>(&'a str, Rc<()>);
    impl<'a> Service<Request<()>> for Borrowing<'a> {
        type Response = &'a str;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<&'a str, Infallible>> + 'a>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<()>) -> Self::Future {
            let (text, held) = (self.0, Rc::clone(&self.1));
            Box::pin(async move {
                drop(held);
                Ok(text)
            })
        }
    }
    let text = String::from("borrowed");
    let mut service = NotifyLayer::new().layer(Borrowing(&text, Rc::new(())));
    assert_eq!(assert_ready_ok!(task::spawn(service.call(Request::new(()))).poll()), "borrowed");
    assert_eq!(service.get_ref().0, "borrowed");
    service.get_mut().0 = "changed";
    assert_eq!(service.into_inner().0, "changed");
}

#[test]
fn layer_service_and_future_can_be_sent_shared_and_shown() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    fn check_future<T: Send + Sync + std::fmt::Debug>(_: &T) {}
    #[derive(Debug, Clone)]
    struct Plain;
    impl Service<Request<()>> for Plain {
        type Response = ();
        type Error = Infallible;
        type Future = Ready<Result<(), Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<()>) -> Self::Future {
            ready(Ok(()))
        }
    }
    let layer = NotifyLayer::with_notifiers(Notifiers::new());
    let mut service = layer.layer(Plain);
    check(&layer);
    check(&service);
    check_future(&service.call(Request::new(())));
}
