//! The verdict on errors of reqwest.

use std::error::Error as StdError;

use ::reqwest::Error;

use super::lost::lost_connection;
use crate::error::chain;
use crate::verdict::{Kind, Lost, Processed, Verdict};

/// The verdict on the outermost error of reqwest. `None` if there is none, or if an error below it says more.
pub(crate) fn verdict(error: &(dyn StdError + 'static)) -> Option<Verdict> {
    let outermost = chain(error).find_map(|error| error.downcast_ref::<Error>())?;
    if outermost.is_builder() || outermost.is_redirect() {
        // Another credential would not mend the request, nor shorten its redirects.
        return Some(Verdict::new(Kind::Rejected));
    }
    if chain(outermost).filter_map(|error| error.downcast_ref::<Error>()).any(Error::is_body) {
        // The caller's own stream failed. Tested first, because its cause could be a connection of the caller's own.
        return Some(Verdict::new(Kind::Canceled));
    }
    if outermost.is_connect() {
        return Some(lost_connection(Processed::No, None));
    }
    outermost.is_timeout().then(|| lost_connection(Processed::Maybe, Some(Lost::TimedOut)))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use ::reqwest::{Body, Client};
    use bytes::Bytes;
    use http_body::{Body as _, Frame};

    use super::*;
    use crate::error::BoxError;

    struct Broken(Option<BoxError>);

    impl http_body::Body for Broken {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.take().map(Err))
        }
    }

    /// The error of reqwest for a request body that fails with `error`.
    fn broken_body(error: impl Into<BoxError>) -> Error {
        let mut body = Body::wrap(Broken(Some(error.into())));
        match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Err(error))) => error,
            other => panic!("{other:?}"),
        }
    }

    async fn refused() -> Error {
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Client::new().get(format!("http://{nobody}/")).send().await.unwrap_err()
    }

    #[tokio::test]
    async fn the_outermost_error_counts_and_the_callers_own_body_before_all() {
        let connect = Some(lost_connection(Processed::No, None));
        let canceled = Some(Verdict::new(Kind::Canceled));
        let builder = || Client::new().get("no url").build().unwrap_err();
        assert_eq!(verdict(&refused().await), connect);
        assert_eq!(verdict(&broken_body("gone")), canceled);
        assert_eq!(verdict(&broken_body(refused().await)), canceled, "a connection of the caller's own");
        assert_eq!(verdict(&builder()), Some(Verdict::new(Kind::Rejected)));
        assert_eq!(verdict(&std::io::Error::other("gone")), None);

        let through = |error: Error| reqwest_middleware::Error::Reqwest(error);
        assert_eq!(verdict(&through(refused().await)), connect);
        assert_eq!(verdict(&through(builder())), Some(Verdict::new(Kind::Rejected)));
        let deeper = reqwest_middleware::Error::middleware(through(refused().await));
        assert_eq!(verdict(&deeper), connect);
    }
}
