//! Request bodies that can be sent more than once: the trait, and the bodies that clone for free.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use http_body::Body;
use http_body_util::{Empty, Full};

/// A body that can be copied, to be sent again.
///
/// Make one copy before the first send and keep it as the spare. Each resend is a fresh copy of the spare, made right
/// before it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request body that can be sent again",
    label = "cannot be sent again",
    note = "use `http_body_util::Full` or `http_body_util::Empty`, for example `Full::from(text)`",
    note = "or put an `oauth_marathon::layers::replay::ReplayLayer` above the layer that sends again, for streamed bodies"
)]
pub trait ReplayableBody: Body + Sized {
    /// A copy that yields the whole body from its start, or `None` if that is impossible now.
    ///
    /// `None` may turn into `Some` once another reader has been dropped, so ask again right before a resend.
    /// Implementors for which reading consumes `self` may assume that `self` has not been read.
    fn try_clone(&self) -> Option<Self>;

    /// Whether the caller's own body is known to have yielded an error.
    ///
    /// A send that failed for this reason says nothing about the credential or the network: the caller went away.
    /// Bodies that cannot fail, or do not know, keep the default of `false`.
    fn source_failed(&self) -> bool {
        false
    }

    /// Passes the beginning of the body to `read` if it is in memory. Nothing is polled or awaited. By default `read`
    /// is not called, and the result is `None`.
    fn peek<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let _ = read;
        None
    }
}

impl<D: Buf + Clone> ReplayableBody for Full<D> {
    fn try_clone(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn peek<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        // A `Full` gives its data only as its one frame, which is ready at once; the copy shares the data.
        let frame = pin!(self.clone()).poll_frame(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(Ok(frame))) = frame else { return None };
        frame.data_ref().map(|data| read(data.chunk()))
    }
}

impl<D: Buf> ReplayableBody for Empty<D> {
    fn try_clone(&self) -> Option<Self> {
        Some(Self::new())
    }
}
