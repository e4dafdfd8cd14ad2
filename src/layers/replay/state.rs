//! The state that the handles of one body share, and its transitions.
//!
//! Transitions run under the lock, so they call no foreign code: the source is taken out to be polled and put back after,
//! and wakers and chunks that have to be woken or dropped are returned as [`Effects`].

use std::fmt;
use std::task::{Poll, Waker};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::tape::Tape;
use crate::error::BoxError;

/// The result of polling the source.
pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// The shared half: `S` is the caller's body.
pub(super) struct ReplayState<S> {
    source: Source<S>,
    tape: Tape,
    /// What the source promised before anything was read.
    hint: SizeHint,
    /// The number of the reader that owns the source. Each reader that takes over gets the next number.
    reader: u64,
    /// Wakes the reader that owns the source.
    waker: Option<Waker>,
    /// Handles that have begun to read and have neither finished nor failed.
    active: usize,
}

enum Source<S> {
    Here(S),
    /// The reader of this number is polling the source.
    Out(u64),
    Ended,
    Failed,
}

/// The part of the state that each handle has for itself: how far it has read.
#[derive(Debug, Default)]
pub(super) struct ReadPosition {
    phase: Phase,
    /// How many frames of the tape it has yielded.
    at: usize,
    /// How many bytes of data it has yielded.
    bytes: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Phase {
    #[default]
    Fresh,
    Replaying,
    /// It owns the source if the number is the state's. Otherwise a later reader has taken the source over.
    Live(u64),
    Done,
    Broken(Fault),
}

/// Why a handle cannot go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Superseded,
    Forgotten,
    SourceFailed,
}

/// What a handle does next.
pub(super) enum ReadStep<S> {
    Yield(Option<Frame<Bytes>>),
    Fail(Fault),
    /// Poll the source, then [`ReplayState::settle`].
    Pull(S),
    /// Another thread is polling the source and will wake us.
    Wait,
}

/// What is left to do once the lock is released.
///
/// Waking or dropping a waker can drop a task, and with it another handle, which takes the lock.
#[derive(Default)]
#[must_use]
pub(super) struct Effects {
    wake: Option<Waker>,
    discard: (Option<Waker>, Vec<Bytes>),
}

impl<S> ReplayState<S> {
    /// The state of an unread body; a `source` of `None` is one that has ended.
    pub(super) fn new(source: Option<S>, hint: SizeHint, limit: u64) -> Self {
        let tape = Tape::new(limit, hint.lower());
        let source = source.map_or(Source::Ended, Source::Here);
        Self { source, tape, hint, reader: 0, waker: None, active: 0 }
    }

    /// The next step of a handle: from the tape while it lasts, then from the source.
    pub(super) fn next(&mut self, cursor: &mut ReadPosition, waker: &Waker) -> (ReadStep<S>, Effects) {
        match cursor.phase {
            Phase::Done => return ReadStep::Yield(None).alone(),
            Phase::Broken(fault) => return ReadStep::Fail(fault).alone(),
            Phase::Live(reader) if reader != self.reader => return self.fail(cursor, Fault::Superseded).alone(),
            Phase::Fresh => {
                self.active += 1;
                cursor.phase = Phase::Replaying;
            }
            Phase::Replaying | Phase::Live(_) => {}
        }
        if cursor.at < self.tape.len() {
            let Some(chunk) = self.tape.chunk(cursor.at) else { return self.fail(cursor, Fault::Forgotten).alone() };
            cursor.pass(&chunk);
            return ReadStep::Yield(Some(Frame::data(chunk))).alone();
        }
        match self.source {
            Source::Here(_) | Source::Out(_) => self.take(cursor, waker),
            Source::Ended => {
                self.retire(cursor, Phase::Done);
                ReadStep::Yield(self.tape.trailers().cloned().map(Frame::trailers)).alone()
            }
            Source::Failed => self.fail(cursor, Fault::SourceFailed).alone(),
        }
    }

    /// Takes the source out for `cursor`, whose handle becomes its one reader.
    fn take(&mut self, cursor: &mut ReadPosition, waker: &Waker) -> (ReadStep<S>, Effects) {
        let mut effects = Effects::default();
        if cursor.phase != Phase::Live(self.reader) {
            self.reader += 1;
            cursor.phase = Phase::Live(self.reader);
            // The earlier reader would never be woken by the source again, so it is woken now.
            effects.wake = self.waker.take();
        }
        match std::mem::replace(&mut self.source, Source::Out(self.reader)) {
            Source::Here(source) => (ReadStep::Pull(source), effects),
            Source::Out(other) if other != self.reader => {
                self.source = Source::Out(other);
                effects.discard.0 = self.waker.replace(waker.clone());
                (ReadStep::Wait, effects)
            }
            // This handle already owned the source, and panicked in its last poll; the source is lost.
            _ => {
                self.source = Source::Failed;
                (self.fail(cursor, Fault::SourceFailed), effects)
            }
        }
    }

    /// Puts the source back after a poll (`None` if that was its end) and records the frame.
    ///
    /// Returns a fault if another reader took over during a poll that was pending.
    pub(super) fn settle(
        &mut self,
        cursor: &mut ReadPosition,
        source: Option<S>,
        polled: &Polled,
        waker: &Waker,
    ) -> (Option<Fault>, Effects) {
        let mut effects = Effects::default();
        let superseded = cursor.phase != Phase::Live(self.reader);
        if superseded {
            effects.wake = self.waker.take();
        }
        self.source = source.map_or(Source::Ended, Source::Here);
        match polled {
            Poll::Pending if superseded => {
                self.retire(cursor, Phase::Broken(Fault::Superseded));
                return (Some(Fault::Superseded), effects);
            }
            Poll::Pending if self.waker.as_ref().is_some_and(|ours| ours.will_wake(waker)) => {}
            Poll::Pending => effects.discard.0 = self.waker.replace(waker.clone()),
            Poll::Ready(None) => self.retire(cursor, Phase::Done),
            Poll::Ready(Some(Err(_))) => {
                self.source = Source::Failed;
                self.retire(cursor, Phase::Broken(Fault::SourceFailed));
            }
            Poll::Ready(Some(Ok(frame))) => effects.discard.1 = self.record(cursor, frame),
        }
        (None, effects)
    }

    fn record(&mut self, cursor: &mut ReadPosition, frame: &Frame<Bytes>) -> Vec<Bytes> {
        if let Some(trailers) = frame.trailers_ref() {
            self.tape.end(trailers);
            self.retire(cursor, Phase::Done);
            return Vec::new();
        }
        let Some(chunk) = frame.data_ref() else {
            cursor.at += 1;
            return self.tape.miss();
        };
        cursor.pass(chunk);
        // An endless row of empty chunks must not fill the tape.
        if chunk.is_empty() { Vec::new() } else { self.tape.push(chunk) }
    }

    /// Takes note that the handle of `cursor` is dropped.
    pub(super) fn leave(&mut self, cursor: &mut ReadPosition) -> Effects {
        let mut effects = Effects::default();
        if let Phase::Live(reader) = cursor.phase {
            if matches!(self.source, Source::Out(holder) if holder == reader) {
                // The source panicked in this handle's poll. A reader that waits for it is woken.
                self.source = Source::Failed;
                effects.wake = self.waker.take();
            } else if reader == self.reader {
                effects.discard.0 = self.waker.take();
            }
        }
        self.retire(cursor, Phase::Done);
        effects
    }

    /// Whether a new handle, made from the handle of `cursor`, would surely yield the whole body.
    pub(super) fn is_replayable(&self, cursor: &ReadPosition) -> bool {
        let unread_by_others = self.active == usize::from(cursor.is_active());
        self.tape.is_complete()
            && match self.source {
                Source::Here(_) | Source::Out(_) => unread_by_others,
                Source::Ended => true,
                Source::Failed => false,
            }
    }

    /// The first chunk of the body, if it was recorded.
    pub(super) fn first_chunk(&self) -> Option<Bytes> {
        self.tape.chunk(0)
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.source, Source::Failed)
    }

    pub(super) fn is_end(&self, cursor: &ReadPosition) -> bool {
        match cursor.phase {
            Phase::Done => true,
            Phase::Broken(_) => false,
            Phase::Live(reader) if reader != self.reader => false,
            _ => matches!(self.source, Source::Ended) && cursor.at == self.tape.len() && self.tape.trailers().is_none(),
        }
    }

    /// What is still to come for the handle of `cursor`: exact once the end is known.
    pub(super) fn size_hint(&self, cursor: &ReadPosition) -> SizeHint {
        let read = self.tape.bytes();
        if cursor.phase == Phase::Done || matches!(self.source, Source::Ended) {
            return SizeHint::with_exact(read.saturating_sub(cursor.bytes));
        }
        let mut hint = SizeHint::new();
        hint.set_lower(self.hint.lower().max(read).saturating_sub(cursor.bytes));
        if let Some(upper) = self.hint.upper() {
            hint.set_upper(upper.max(read).saturating_sub(cursor.bytes));
        }
        hint
    }

    fn fail(&mut self, cursor: &mut ReadPosition, fault: Fault) -> ReadStep<S> {
        self.retire(cursor, Phase::Broken(fault));
        ReadStep::Fail(fault)
    }

    fn retire(&mut self, cursor: &mut ReadPosition, phase: Phase) {
        self.active = self.active.saturating_sub(usize::from(cursor.is_active()));
        cursor.phase = phase;
    }
}

impl ReadPosition {
    fn pass(&mut self, chunk: &Bytes) {
        self.at += usize::from(!chunk.is_empty());
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
    }

    fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Replaying | Phase::Live(_))
    }
}

impl<S> ReadStep<S> {
    fn alone(self) -> (Self, Effects) {
        (self, Effects::default())
    }
}

impl Effects {
    pub(super) fn run(self) {
        if let Some(waker) = self.wake {
            waker.wake();
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superseded => "a later attempt has taken over the request body",
            Self::Forgotten => "the start of the request body is gone, as it was longer than the replay limit",
            Self::SourceFailed => "the request body has failed",
        })
    }
}

impl std::error::Error for Fault {}
