//! An HTTP server that can close a connection instead of answering, which axum's own cannot.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tower::ServiceExt;

/// Serves until the program ends.
pub(crate) fn serve(listener: TcpListener, routes: Router) {
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let routes = routes.clone();
            let service = service_fn(move |request| answer(routes.clone(), request));
            tokio::spawn(async move {
                // An error is a connection that was hung up, which an example may have asked for.
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
}

async fn answer(routes: Router, request: Request<Incoming>) -> Result<Response, HangUp> {
    let Ok(response) = routes.oneshot(request).await;
    if response.extensions().get::<HangUp>().is_some() { Err(HangUp) } else { Ok(response) }
}

/// An answer that is never sent: the connection is closed instead.
#[derive(Debug, Clone)]
pub(crate) struct HangUp;

impl IntoResponse for HangUp {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for HangUp {}

/// A body that is sent piece by piece, as the pieces come.
pub(crate) struct Pieces(pub(crate) Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
