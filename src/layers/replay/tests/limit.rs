//! Bodies over the limit are sent once, unharmed.

use http_body::Body;
use http_body_util::BodyExt;

use super::support::{Act, Script, chunk, error, read, text, trailers};
use crate::layers::replay::ReplayBody;
use crate::layers::replayable::ReplayableBody;

#[tokio::test]
async fn a_body_that_grows_over_the_limit_is_sent_whole_but_not_again() {
    let mut first = ReplayBody::new(Script::of(&["1234", "5678", "9"]), 8);
    let spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    chunk(&mut first).await;
    assert_eq!(chunk(&mut first).await, "9");
    assert!(first.frame().await.is_none());
    assert!(first.try_clone().is_none() && spare.try_clone().is_none());
    drop(first);
    assert!(spare.try_clone().is_none());
    assert!(!spare.source_failed());
}

#[tokio::test]
async fn trailers_and_hints_survive_the_limit() {
    let acts = ["12", "34"].map(super::support::data).into_iter().chain([Act::Trailers(trailers())]);
    let mut first = ReplayBody::new(Script::new(acts).hint(0, Some(9)), 3);
    chunk(&mut first).await;
    chunk(&mut first).await;
    assert_eq!(first.size_hint().upper(), Some(5));
    assert_eq!(read(first).await.unwrap(), (String::new(), Some(trailers())));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_replays() {
    let first = ReplayBody::new(Script::of(&["1234", "5678"]).hint(8, Some(8)), 8);
    let spare = first.try_clone().unwrap();
    assert_eq!(text(first).await, "12345678");
    assert_eq!(text(spare.try_clone().unwrap()).await, "12345678");
}

#[tokio::test]
async fn the_limit_counts_across_replays() {
    let mut first = ReplayBody::new(Script::of(&["1234", "5678", "9"]), 8);
    let spare = first.try_clone().unwrap();
    chunk(&mut first).await;
    drop(first);
    let mut second = spare.try_clone().unwrap();
    chunk(&mut second).await;
    chunk(&mut second).await;
    drop(second);
    let third = spare.try_clone().unwrap();
    assert_eq!(text(third).await, "123456789", "the third send passes the limit and goes on");
    assert!(spare.try_clone().is_none());
}

#[tokio::test]
async fn a_hint_above_the_limit_passes_the_body_through() {
    let first = ReplayBody::new(Script::of(&["1234", "5678", "9"]).hint(9, Some(9)), 8);
    assert!(first.try_clone().is_none());
    assert_eq!(first.size_hint().exact(), Some(9));
    assert_eq!(text(first).await, "123456789");
}

#[tokio::test]
async fn a_hint_above_the_limit_counts_even_if_less_comes() {
    let mut first = ReplayBody::new(Script::of(&["1"]).hint(9, None), 8);
    assert_eq!(chunk(&mut first).await, "1");
    assert!(first.frame().await.is_none());
    assert!(first.try_clone().is_none());
}

#[tokio::test]
async fn a_handle_whose_start_is_gone_fails_instead_of_yielding_a_part() {
    let first = ReplayBody::new(Script::of(&["1234", "5678", "9"]), 8);
    let mut spare = first.try_clone().unwrap();
    text(first).await;
    assert!(!spare.is_end_stream());
    assert!(error(&mut spare).await.contains("replay limit"));
    assert!(error(&mut spare).await.contains("replay limit"));
}
