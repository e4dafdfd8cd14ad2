//! Two readers of one body: the later one wins, the earlier one gets an error, and no lock is held meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio_test::task::spawn;
use tokio_test::{assert_pending, assert_ready};

use super::support::{Act, Script, chunk, data, error, text};
use crate::error::BoxError;
use crate::layers::replay::ReplayBody;
use crate::layers::replayable::ReplayableBody;

#[tokio::test]
async fn a_superseded_reader_gets_an_error_and_the_later_one_the_whole() {
    let mut first = ReplayBody::new(Script::of(&["one ", "two ", "three"]), 64);
    let mut spare = first.try_clone().unwrap();
    assert_eq!(chunk(&mut first).await, "one ");
    assert_eq!(chunk(&mut spare).await, "one ");
    assert_eq!(chunk(&mut first).await, "two ", "nothing has been taken over yet");
    assert_eq!(chunk(&mut spare).await, "two ");
    assert_eq!(chunk(&mut spare).await, "three");
    assert!(!first.is_end_stream());
    for _ in 0..2 {
        assert!(error(&mut first).await.contains("later attempt"));
    }
    assert!(!first.source_failed());
    assert!(spare.frame().await.is_none());
    assert_eq!(text(spare.try_clone().unwrap()).await, "one two three");
}

#[tokio::test]
async fn a_superseded_reader_never_announces_a_clean_end() {
    let mut first = ReplayBody::new(Script::of(&["one"]), 64);
    let spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    text(spare).await;
    assert!(!first.is_end_stream());
    error(&mut first).await;
    assert!(!first.is_end_stream());
}

#[tokio::test]
async fn a_lone_reader_midway_can_be_copied_and_is_superseded_by_the_copy() {
    let mut first = ReplayBody::new(Script::of(&["one ", "two"]), 64);
    chunk(&mut first).await;
    assert_eq!(text(first.try_clone().unwrap()).await, "one two");
    assert!(error(&mut first).await.contains("later attempt"));
}

#[tokio::test]
async fn a_superseded_reader_that_has_failed_is_no_longer_in_the_way() {
    let mut first = ReplayBody::new(Script::of(&["one ", "two ", "three"]), 64);
    let mut second = first.try_clone().unwrap();
    let spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    chunk(&mut second).await;
    chunk(&mut second).await;
    drop(second);
    assert!(spare.try_clone().is_none());
    error(&mut first).await;
    assert_eq!(text(spare.try_clone().unwrap()).await, "one two three");
}

#[test]
fn a_waiting_reader_is_woken_when_it_is_superseded() {
    let mut first = ReplayBody::new(Silent, 64);
    let mut spare = first.try_clone().unwrap();
    let mut upload = spawn(first.frame());
    assert_pending!(upload.poll());
    assert!(!upload.is_woken());
    let mut later = spawn(spare.frame());
    assert_pending!(later.poll());
    assert!(upload.is_woken() && !later.is_woken());
    assert!(assert_ready!(upload.poll()).unwrap().is_err());
}

#[test]
fn a_dropped_reader_leaves_no_waker_behind() {
    let mut first = ReplayBody::new(Silent, 64);
    let mut spare = first.try_clone().unwrap();
    let mut task = spawn(());
    task.enter(|cx, _| assert!(Pin::new(&mut first).poll_frame(cx).is_pending()));
    assert_eq!(task.waker_ref_count(), 2);
    drop(first);
    assert_eq!(task.waker_ref_count(), 1);
    let mut later = spawn(spare.frame());
    assert_pending!(later.poll());
    assert!(!task.is_woken());
}

#[test]
fn a_takeover_during_a_poll_that_comes_to_nothing_wakes_the_later_reader() {
    let (mut first, later) = Meddler::pair(Script::new([Act::Pending, data("one"), data("two")]));
    let mut upload = spawn(first.frame());
    assert!(assert_ready!(upload.poll()).unwrap().is_err(), "taken over, so it must not wait for ever");
    assert!(later.woken.load(Ordering::Relaxed));
    drop(upload);
    let mut body = later.body.lock().unwrap().take().unwrap();
    let mut rest = spawn(async { (chunk(&mut body).await, chunk(&mut body).await) });
    assert_eq!(assert_ready!(rest.poll()), ("one".to_owned(), "two".to_owned()));
}

#[tokio::test]
async fn a_takeover_during_a_poll_that_yields_loses_no_frame() {
    let (mut first, later) = Meddler::pair(Script::of(&["one ", "two"]));
    assert_eq!(chunk(&mut first).await, "one ");
    assert!(later.woken.load(Ordering::Relaxed));
    assert!(error(&mut first).await.contains("later attempt"));
    let body = later.body.lock().unwrap().take().unwrap();
    assert_eq!(text(body).await, "one two");
}

#[tokio::test]
async fn a_body_that_panics_has_failed_for_all() {
    let mut first = ReplayBody::new(Script::new([data("one"), Act::Panic]), 64);
    let mut spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    let mut cx = Context::from_waker(Waker::noop());
    let panicked = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut first).poll_frame(&mut cx).is_ready()));
    assert!(panicked.is_err());
    assert_eq!(chunk(&mut spare).await, "one");
    assert!(Pin::new(&mut spare).poll_frame(&mut cx).is_pending(), "the other thread could still be at it");
    drop(first);
    assert!(spare.source_failed() && spare.try_clone().is_none());
    assert_eq!(error(&mut spare).await, "the request body has failed");
}

#[tokio::test]
async fn a_reader_whose_body_panicked_gets_an_error_afterwards() {
    let mut first = ReplayBody::new(Script::new([Act::Panic]), 64);
    let mut cx = Context::from_waker(Waker::noop());
    let panicked = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut first).poll_frame(&mut cx).is_ready()));
    assert!(panicked.is_err());
    assert_eq!(error(&mut first).await, "the request body has failed");
    assert!(first.source_failed());
}

/// Never yields anything and never wakes.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Pending
    }
}

/// Another handle of a [`Meddler`], and whether it has been woken.
#[derive(Default)]
struct Later {
    body: Mutex<Option<ReplayBody<Meddler>>>,
    woken: AtomicBool,
}

impl Wake for Later {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
    }
}

/// Polls another handle of itself in its first poll, as another thread might.
struct Meddler {
    script: Pin<Box<Script>>,
    later: Option<Arc<Later>>,
}

impl Meddler {
    fn pair(script: Script) -> (ReplayBody<Self>, Arc<Later>) {
        let later = Arc::<Later>::default();
        let body = ReplayBody::new(Self { script: Box::pin(script), later: Some(Arc::clone(&later)) }, 64);
        *later.body.lock().unwrap() = body.try_clone();
        (body, later)
    }
}

impl Body for Meddler {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Some(later) = self.later.take() {
            let waker = Waker::from(Arc::clone(&later));
            let mut body = later.body.lock().unwrap();
            let polled = Pin::new(body.as_mut().unwrap()).poll_frame(&mut Context::from_waker(&waker));
            assert!(polled.is_pending() && !later.woken.load(Ordering::Relaxed));
        }
        self.script.as_mut().poll_frame(cx)
    }
}
