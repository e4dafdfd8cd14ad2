//! Streams that are there at once, chunk by chunk.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use oauth_marathon::layers::classify::{ClassifyBody, ClassifyLayer};
use tower::{BoxError, service_fn};
use tower_layer::Layer;
use tower_service::Service;

/// A body that is always ready.
pub(crate) struct Chunks(std::vec::IntoIter<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk))))
    }
}

type Answer = Response<ClassifyBody<Chunks>>;
type Waiting = Pin<Box<dyn Future<Output = Result<Answer, BoxError>>>>;

fn answer(content_type: &'static str, chunks: Vec<Bytes>) -> Waiting {
    let mut body = Some(Chunks(chunks.into_iter()));
    let service = service_fn(move |_: Request<()>| {
        let mut answer = Response::new(body.take().expect("one request"));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let mut classify = ClassifyLayer::new().layer(service);
    let uri = "https://api.example.com/v1beta/models/m:streamGenerateContent";
    let request = Request::post(uri).body(()).expect("well-formed");
    Box::pin(classify.call(request))
}

fn at_once<F: Future + ?Sized>(mut future: Pin<Box<F>>) -> F::Output {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("always ready"),
    }
}

/// A stream that is still to be asked for: fifty frames that say nothing, and one that does.
pub(crate) struct Held {
    waiting: Option<Waiting>,
    answer: Option<Answer>,
}

impl Held {
    pub(crate) fn new(nothing: &'static str, content: &'static str) -> Self {
        drop(Running::new("text/event-stream", content, 1));
        let chunks = [&[nothing; 50][..], &[content]].concat();
        let chunks = chunks.into_iter().map(|chunk| Bytes::from_static(chunk.as_bytes())).collect();
        Self { waiting: Some(answer("text/event-stream", chunks)), answer: None }
    }

    #[inline(never)]
    pub(crate) fn begin(&mut self) {
        self.answer = self.waiting.take().and_then(|waiting| at_once(waiting).ok());
        assert!(self.answer.is_some());
    }
}

/// A stream that has begun: the same chunk, so many times.
pub(crate) struct Running(Pin<Box<ClassifyBody<Chunks>>>, usize);

impl Running {
    pub(crate) fn new(content_type: &'static str, chunk: &str, times: usize) -> Self {
        let first = match content_type {
            "application/json" => "[{\"candidates\":[{\"content\":{\"parts\":[1]}}]},",
            "application/x-ndjson" => "{\"response\":\"x\",\"done\":false}\n",
            _ => "data: x\n\ndata: x\n\n",
        };
        let chunk = Bytes::copy_from_slice(chunk.as_bytes());
        let chunks = [vec![Bytes::from_static(first.as_bytes())], vec![chunk; times + 1]].concat();
        let answer = at_once(answer(content_type, chunks)).expect("infallible");
        // The second read does what is done for the first time.
        let mut running = Self(Box::pin(answer.into_body()), 2);
        running.read();
        running.1 = times;
        running
    }

    #[inline(never)]
    pub(crate) fn read(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..self.1 {
            let frame = self.0.as_mut().poll_frame(&mut cx);
            assert!(matches!(frame, Poll::Ready(Some(Ok(_)))), "it goes on");
        }
    }
}
