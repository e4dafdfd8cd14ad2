//! A stream in chunks, through the layer: nothing is lost, and the verdict does not depend on the chunks. The first byte
//! chooses the format and how the stream is cut.
#![no_main]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use http_body::{Body, Frame};
use libfuzzer_sys::fuzz_target;
use bytes::Bytes;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::verdict::{Kind, Verdict};
use tower_layer::Layer;
use tower_service::Service;

/// A body that is there at once, in these chunks.
struct Chunks(std::vec::IntoIter<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// A service that gives this answer once.
struct Provider(Option<Response<Chunks>>);

impl Service<Request<()>> for Provider {
    type Response = Response<Chunks>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Chunks>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().expect("called once")))
    }
}

/// The bytes that came through, and the kind of the verdict.
fn through(content_type: &str, stream: &[u8], size: usize) -> (Vec<u8>, Option<Kind>) {
    let chunks: Vec<_> = stream.chunks(size.max(1)).map(Bytes::copy_from_slice).collect();
    let answer = Response::builder().header("content-type", content_type).body(Chunks(chunks.into_iter()));
    let mut service = ClassifyLayer::new().layer(Provider(answer.ok()));
    let request = Request::post("https://api.example.com/v1beta/models/m:streamGenerateContent").body(());
    let mut cx = Context::from_waker(Waker::noop());
    let mut call = pin!(service.call(request.expect("well-formed")));
    let Poll::Ready(Ok(answer)) = call.as_mut().poll(&mut cx) else { panic!("the chunks are there") };
    let verdict = answer.extensions().get::<Verdict>().map(Verdict::kind);
    let mut body = pin!(answer.into_body());
    let mut read = Vec::new();
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) {
        read.extend_from_slice(frame.data_ref().expect("no trailers"));
    }
    (read, verdict)
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, stream)) = data.split_first() else { return };
    let content_type = ["text/event-stream", "application/x-ndjson", "application/json"][usize::from(choice % 3)];
    let whole = through(content_type, stream, usize::MAX);
    assert_eq!(whole.0, stream);
    // A bound counts whole chunks, so that only streams below it are alike.
    let cut = through(content_type, stream, usize::from(choice / 3));
    assert_eq!(cut, whole);
});
