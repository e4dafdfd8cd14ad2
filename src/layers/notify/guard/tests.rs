//! Tests of the guard: which dropped calls are reported, and what the report says.

use std::convert::Infallible;
use std::future::ready;

use http::Request;
use tokio_test::{assert_ready, task};
use tower::{Layer, Service, service_fn};

use super::*;
use crate::events::samples;
use crate::events::trace::capture::capture;
use crate::layers::notify::NotifyLayer;
use crate::layers::notify::doubles::{Seen, slow, uses};
use crate::sync::shielded;

#[tokio::test]
async fn a_dropped_call_is_reported_once_at_any_point_and_a_complete_one_never() {
    for polls in 0..=3 {
        let notifiers = Notifiers::new();
        let mut events = notifiers.subscribe();
        let mut service = NotifyLayer::with_notifiers(notifiers).layer(slow(Seen::default()));
        let mut answer = task::spawn(service.call(Request::new(())));
        let done = (0..polls).filter(|_| answer.poll().is_ready()).count();
        assert_eq!(done, usize::from(polls == 3));
        drop(answer);
        assert_eq!(events.try_recv().map(|event| event.name()), (polls < 3).then_some("canceled"), "{polls} polls");
        assert_eq!(events.try_recv(), None, "{polls} polls");
    }
}

#[test]
fn the_report_counts_the_attempts_and_names_the_last_credential() {
    let notifiers = Notifiers::new();
    let mut events = notifiers.subscribe();
    let mut service = NotifyLayer::with_notifiers(notifiers).layer(uses(&["home", "work"]));
    drop(service.call(Request::new(())));
    assert_eq!(events.try_recv(), Some(samples::canceled(2)));
    drop(service.call(Request::new(())));
    assert_eq!(events.try_recv(), Some(samples::canceled(2)), "each call counts from the start");
}

#[test]
fn the_report_includes_what_the_inner_future_does_when_it_is_dropped() {
    let notifiers = Notifiers::new();
    let mut events = notifiers.subscribe();
    let mut service = NotifyLayer::with_notifiers(notifiers).layer(slow(Seen::default()));
    drop(service.call(Request::new(())));
    // One attempt is begun in the call, another one when the witness is dropped.
    assert_eq!(events.try_recv(), Some(Event::Canceled { attempts: 2, credential: None }));
}

#[test]
fn a_token_in_the_request_shows_nowhere() {
    let notifiers = Notifiers::new();
    let mut events = notifiers.subscribe();
    let layer = NotifyLayer::with_notifiers(notifiers);
    let mut shown = String::new();
    let captured = capture(|| {
        let mut service = layer.layer(uses(&["work"]));
        let request = Request::builder().header("authorization", "Bearer tok-123").body(()).unwrap();
        let answer = service.call(request);
        shown = format!("{answer:?} {layer:?}");
    });
    let event = events.try_recv().unwrap();
    let all = format!("{shown} {captured:?} {event:?} {event}");
    assert!(all.contains("canceled") && !all.contains("tok-123"), "{all}");
}

#[test]
fn a_call_that_fails_is_complete() {
    let notifiers = Notifiers::new();
    let mut events = notifiers.subscribe();
    let inner = service_fn(|_: Request<()>| ready(Err::<(), _>("broken")));
    let mut answer = task::spawn(NotifyLayer::with_notifiers(notifiers).layer(inner).call(Request::new(())));
    assert!(assert_ready!(answer.poll()).is_err());
    drop(answer);
    assert_eq!(events.try_recv(), None);
}

#[test]
fn a_panic_below_passes_through_and_a_second_one_does_not_follow() {
    let notifiers = Notifiers::new();
    let mut events = notifiers.subscribe();
    let inner =
        service_fn(|_: Request<()>| async { if true { panic!("a test of panics") } else { Ok::<(), Infallible>(()) } });
    let mut service = NotifyLayer::with_notifiers(notifiers).layer(inner);
    let caught = shielded(|| task::spawn(service.call(Request::new(()))).poll().is_ready());
    assert_eq!(caught, None);
    assert_eq!(events.try_recv().unwrap().name(), "canceled");
    assert!(RequestContext::current().is_none());
}
