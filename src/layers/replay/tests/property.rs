//! However a body is chunked and wherever readers stop, a replay is the same body, and no reader gets a part for the whole.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Body;
use proptest::prelude::*;

use super::support::{Act, Script, trailers};
use crate::layers::replay::ReplayBody;
use crate::layers::replayable::ReplayableBody;

/// One handle and what it has yielded.
struct Reader {
    body: ReplayBody<Script>,
    got: Vec<u8>,
    trailers: bool,
}

#[derive(Debug, PartialEq)]
enum Stop {
    End,
    Error,
    Paused,
}

impl Reader {
    fn new(body: ReplayBody<Script>) -> Self {
        Self { body, got: Vec::new(), trailers: false }
    }

    /// Polls at most `polls` times, checking that hint and end agree with `whole` at each place.
    fn advance(&mut self, polls: usize, whole: &[u8]) -> Stop {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            let left = (whole.len() - self.got.len()) as u64;
            let hint = self.body.size_hint();
            assert!(hint.lower() <= left && hint.upper().is_none_or(|upper| left <= upper), "{hint:?}, left {left}");
            let ended = self.body.is_end_stream();
            let polled = Pin::new(&mut self.body).poll_frame(&mut cx);
            assert!(!ended || matches!(polled, Poll::Ready(None)), "the end was announced too early");
            match polled {
                Poll::Pending => {}
                Poll::Ready(None) => return Stop::End,
                Poll::Ready(Some(Err(_))) => return Stop::Error,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) => self.got.extend(&chunk),
                    Err(_) => self.trailers = true,
                },
            }
            assert!(whole.starts_with(&self.got), "{:?} is no prefix", self.got);
        }
        Stop::Paused
    }
}

#[derive(Debug, Clone)]
struct Case {
    chunks: Vec<Vec<u8>>,
    pending: bool,
    trailers: bool,
    candid: bool,
    exact: bool,
}

impl Case {
    fn script(&self) -> Script {
        let mut acts = Vec::new();
        for chunk in &self.chunks {
            acts.extend(self.pending.then_some(Act::Pending));
            acts.push(Act::Data(Bytes::from(chunk.clone())));
        }
        acts.extend(self.trailers.then(|| Act::Trailers(trailers())));
        let size = self.whole().len() as u64;
        let script = Script::new(acts);
        let script = if self.exact { script.hint(size, Some(size)) } else { script };
        if self.candid { script.candid() } else { script }
    }

    fn whole(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

prop_compose! {
    fn cases()(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..8),
        [pending, trailers, candid, exact] in any::<[bool; 4]>(),
    ) -> Case {
        Case { chunks, pending, trailers, candid, exact }
    }
}

proptest! {
    #[test]
    fn any_chunking_with_any_points_of_drop_replays_identically(
        case in cases(),
        stops in prop::collection::vec(0_usize..20, 0..5),
    ) {
        let whole = case.whole();
        let first = ReplayBody::new(case.script(), whole.len());
        let spare = first.try_clone().unwrap();
        let mut reader = Reader::new(first);
        for stop in stops {
            prop_assert_ne!(reader.advance(stop, &whole), Stop::Error);
            drop(reader);
            reader = Reader::new(spare.try_clone().unwrap());
        }
        prop_assert_eq!(reader.advance(usize::MAX, &whole), Stop::End);
        prop_assert_eq!(reader.got, whole);
        prop_assert_eq!(reader.trailers, case.trailers);
    }

    #[test]
    fn handles_used_in_any_order_end_with_the_whole_or_an_error(
        case in cases(),
        cap in 0_usize..40,
        moves in prop::collection::vec((0_usize..4, any::<prop::sample::Index>(), 1_usize..4), 0..40),
    ) {
        let whole = case.whole();
        let mut readers = vec![Reader::new(ReplayBody::new(case.script(), cap))];
        for (action, index, polls) in moves {
            if readers.is_empty() {
                break;
            }
            let at = index.index(readers.len());
            match action {
                0 => readers.extend(readers[at].body.try_clone().map(Reader::new)),
                1 => drop(readers.swap_remove(at)),
                _ => {
                    let stop = readers[at].advance(polls, &whole);
                    if stop == Stop::End {
                        prop_assert_eq!(&readers[at].got, &whole);
                        prop_assert_eq!(readers[at].trailers, case.trailers);
                    }
                }
            }
            prop_assert!(readers.iter().all(|reader| !reader.body.source_failed()));
        }
        // A copy that is granted now yields the whole, whatever happened before.
        if let Some(copy) = readers.iter().find_map(|reader| reader.body.try_clone()) {
            let mut copy = Reader::new(copy);
            prop_assert_eq!(copy.advance(usize::MAX, &whole), Stop::End);
            prop_assert_eq!(copy.got, whole);
            prop_assert_eq!(copy.trailers, case.trailers);
        }
    }
}
