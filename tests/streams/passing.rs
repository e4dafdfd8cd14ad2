//! Streams that run: nothing is lost, added or read ahead.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use oauth_marathon_test::{BodyStep, ScriptedBody};

use crate::scripted::{PING, START, STOP, Stage, TEXT, data, streamed, trailers};
use crate::support::accounts::settle;

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_lengths_stay_exact() {
    let cut = |text: &'static str| text.as_bytes().chunks(7).map(|chunk| BodyStep::Data(Bytes::from_static(chunk)));
    let text: &'static str = format!("{START}{PING}{TEXT}{TEXT}{STOP}").leak();
    let steps: Vec<_> = cut(text).chain([BodyStep::Trailers(trailers("42"))]).collect();
    let stage = Stage::of(&["a"]).on("a", [streamed(ScriptedBody::new(steps).stating_its_length())]);
    let answer = stage.send().await;
    let mut body = answer.into_body();
    let mut left = text.len();
    let mut read = String::new();
    loop {
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left as u64), false));
        let Some(frame) = body.frame().await else { break };
        match frame.unwrap().into_data() {
            Ok(data) => {
                assert!(data.len() <= 7, "in the pieces in which it came");
                left -= data.len();
                read.push_str(std::str::from_utf8(&data).unwrap());
            }
            Err(frame) => {
                assert_eq!(frame.into_trailers().unwrap(), trailers("42"));
                break;
            }
        }
    }
    assert_eq!((read.as_str(), left), (text, 0));
    assert!(body.frame().await.is_none());
    assert_eq!(stage.counts("a"), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_the_first_content_nothing_is_read_ahead() {
    let frames = ScriptedBody::new([data(START), data(TEXT), data(TEXT), data(STOP)]);
    let watch = frames.watch();
    let stage = Stage::of(&["a"]).on("a", [streamed(frames)]);
    let mut body = stage.send().await.into_body();
    let taken = || watch.frames_taken();
    settle().await;
    assert_eq!(taken(), 2, "the content and what came before it");
    for expected in [2, 2, 3, 4] {
        body.frame().await.unwrap().unwrap();
        settle().await;
        assert_eq!(taken(), expected);
    }
}
