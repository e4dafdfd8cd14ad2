//! What a replay yields, and when there is one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};

use super::support::{Act, Script, chunk, data, error, read, text, trailers};
use crate::layers::replay::ReplayBody;
use crate::layers::replayable::ReplayableBody;

#[tokio::test]
async fn chunks_and_trailers_replay_again_and_again() {
    let script = Script::new([data("one "), Act::Pending, data("two"), Act::Trailers(trailers())]);
    let first = ReplayBody::new(script, 64);
    let spare = first.try_clone().unwrap();
    for body in [first, spare.try_clone().unwrap(), spare.try_clone().unwrap(), spare] {
        assert_eq!(read(body).await.unwrap(), ("one two".to_owned(), Some(trailers())));
    }
}

#[tokio::test]
async fn trailers_without_data_replay() {
    let first = ReplayBody::new(Script::new([Act::Trailers(trailers())]).hint(0, Some(0)), 0);
    let spare = first.try_clone().unwrap();
    assert!(!first.is_end_stream());
    assert_eq!(read(first).await.unwrap(), (String::new(), Some(trailers())));
    assert!(!spare.is_end_stream());
    assert_eq!(read(spare).await.unwrap(), (String::new(), Some(trailers())));
}

#[tokio::test]
async fn nothing_is_read_ahead() {
    let script = Script::of(&["a", "b", "c"]);
    let polls = script.polls();
    let mut first = ReplayBody::new(script, 64);
    let _spare = first.try_clone().unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    chunk(&mut first).await;
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_reader_dropped_midway_leaves_its_prefix_and_the_rest() {
    let script = Script::of(&["one ", "two ", "three"]);
    let polls = script.polls();
    let mut first = ReplayBody::new(script, 64);
    let spare = first.try_clone().unwrap();
    assert_eq!(chunk(&mut first).await, "one ");
    drop(first);

    let mut second = spare.try_clone().unwrap();
    assert_eq!(chunk(&mut second).await, "one ");
    assert_eq!(polls.load(Ordering::Relaxed), 1, "the prefix is not read twice");
    assert_eq!(chunk(&mut second).await, "two ");
    drop(second);

    assert_eq!(text(spare.try_clone().unwrap()).await, "one two three");
    assert_eq!(text(spare).await, "one two three");
}

#[tokio::test]
async fn an_active_reader_forbids_a_copy_until_it_has_finished() {
    let mut first = ReplayBody::new(Script::of(&["one ", "two"]), 64);
    let spare = first.try_clone().unwrap();
    assert!(spare.try_clone().is_some());
    chunk(&mut first).await;
    assert!(spare.try_clone().is_none());
    chunk(&mut first).await;
    assert!(spare.try_clone().is_none(), "the end has not been seen");
    assert!(first.frame().await.is_none());
    assert_eq!(text(spare.try_clone().unwrap()).await, "one two");
}

#[tokio::test]
async fn a_reader_of_the_prefix_forbids_a_copy_too_while_the_body_goes_on() {
    let mut first = ReplayBody::new(Script::of(&["one ", "two"]), 64);
    let spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    drop(first);
    let mut second = spare.try_clone().unwrap();
    assert!(spare.try_clone().is_some(), "it has not begun");
    chunk(&mut second).await;
    assert!(spare.try_clone().is_none());
    drop(second);
    assert!(spare.try_clone().is_some());
}

#[tokio::test]
async fn readers_of_a_complete_recording_do_not_disturb_each_other() {
    let first = ReplayBody::new(Script::of(&["one ", "two"]), 64);
    let spare = first.try_clone().unwrap();
    text(first).await;
    let (mut a, mut b) = (spare.try_clone().unwrap(), spare.try_clone().unwrap());
    assert_eq!(chunk(&mut a).await, "one ");
    assert_eq!(chunk(&mut b).await, "one ");
    assert!(spare.try_clone().is_some());
    assert_eq!((text(a).await, text(b).await), ("two".to_owned(), "two".to_owned()));
}

#[tokio::test]
async fn hint_and_end_are_right_on_every_attempt_and_at_every_place() {
    let first = ReplayBody::new(Script::of(&["four", "", "seven77"]).hint(11, Some(11)).candid(), 64);
    let spare = first.try_clone().unwrap();
    let mut halfway = spare.try_clone().unwrap();
    chunk(&mut halfway).await;
    drop(halfway);
    for mut body in [first, spare.try_clone().unwrap(), spare] {
        let mut left = 11;
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some(left));
            left -= chunk(&mut body).await.len() as u64;
        }
        assert_eq!((left, body.size_hint().exact()), (0, Some(0)));
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }
}

#[tokio::test]
async fn a_vague_hint_narrows_to_the_exact_size_once_the_end_is_known() {
    let mut first = ReplayBody::new(Script::of(&["four", "more"]).hint(2, Some(20)), 64);
    let spare = first.try_clone().unwrap();
    let bounds = |body: &ReplayBody<Script>| (body.size_hint().lower(), body.size_hint().upper());
    assert_eq!(bounds(&first), (2, Some(20)));
    chunk(&mut first).await;
    assert_eq!(bounds(&first), (0, Some(16)));
    assert_eq!(bounds(&spare), (4, Some(20)), "four bytes are recorded");
    chunk(&mut first).await;
    assert_eq!(bounds(&first), (0, Some(12)));
    assert!(first.frame().await.is_none());
    assert_eq!(bounds(&first), (0, Some(0)));
    assert_eq!(bounds(&spare), (8, Some(8)));
}

#[tokio::test]
async fn a_body_longer_than_it_promised_is_passed_on_and_replays() {
    let mut first = ReplayBody::new(Script::of(&["four", "more"]).hint(5, Some(5)), 64);
    let spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    chunk(&mut first).await;
    assert_eq!(first.size_hint().exact(), Some(0));
    assert_eq!(spare.size_hint().exact(), Some(8));
    drop(first);
    assert_eq!(text(spare).await, "fourmore");
}

#[tokio::test]
async fn dropping_handles_early_harms_nobody_and_the_last_one_frees_the_body() {
    let script = Script::of(&["one ", "two"]);
    let alive = script.polls();
    let mut first = ReplayBody::new(script, 64);
    let spare = first.try_clone().unwrap();
    drop(first.try_clone().unwrap());
    chunk(&mut first).await;
    drop(spare);
    assert_eq!(chunk(&mut first).await, "two");
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(first);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test]
async fn an_error_of_the_body_is_passed_on_and_ends_all_replays() {
    let mut first = ReplayBody::new(Script::new([data("one"), Act::Error]), 64);
    let mut spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    assert!(!spare.source_failed());
    assert_eq!(error(&mut first).await, "the caller hung up");
    assert!(first.source_failed() && spare.source_failed());
    assert!(first.try_clone().is_none() && spare.try_clone().is_none());
    assert!(!first.is_end_stream());
    assert_eq!(error(&mut first).await, "the request body has failed", "never a clean end");
    drop(first);
    assert!(spare.try_clone().is_none());
    assert_eq!(chunk(&mut spare).await, "one");
    assert_eq!(error(&mut spare).await, "the request body has failed");
}

#[tokio::test]
async fn an_empty_body_replays() {
    for body in [ReplayBody::new(Script::default().candid(), 0), ReplayBody::new(Script::of(&["", ""]), 0)] {
        let spare = body.try_clone().unwrap();
        assert_eq!(text(body).await, "");
        assert!(spare.is_end_stream());
        assert_eq!(spare.size_hint().exact(), Some(0));
        assert_eq!(text(spare.try_clone().unwrap()).await, "");
    }
    assert!(ReplayBody::<Full<Bytes>>::default().is_end_stream());
    assert!(Empty::<Bytes>::new().try_clone().unwrap().is_end_stream());
}

#[tokio::test]
async fn no_byte_is_copied() {
    let bytes = Bytes::from(vec![7; 32]);
    let full = Full::new(bytes.clone());
    let copy = full.try_clone().unwrap().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(copy.as_ptr(), bytes.as_ptr());
    assert!(!full.source_failed());

    let first = ReplayBody::<Full<Bytes>>::from(bytes.clone());
    let spare = first.try_clone().unwrap();
    for mut body in [first, spare] {
        let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((chunk.as_ptr(), chunk.len()), (bytes.as_ptr(), 32));
    }
}

#[tokio::test]
async fn data_of_another_type_becomes_bytes() {
    let rope = Bytes::from_static(b"one ").chain(&b"two"[..]);
    let first = ReplayBody::new(Full::new(rope), 64);
    let spare = first.try_clone().unwrap();
    assert_eq!(text(first).await, "one two");
    assert_eq!(text(spare).await, "one two");
}

#[test]
fn debug_shows_no_contents() {
    let body = ReplayBody::<Full<Bytes>>::from(Bytes::from_static(b"hidden"));
    assert!(!format!("{body:?}").contains("hidden"));
}
